//! Markov models of DNA: the source of synthetic text, and a fitted control on real text.
//!
//! A context is the `order` most recent bases; the newest is its lowest two bits (`A C G T` = 0 1 2 3).
//! Exact probabilities of partly hidden windows, and the floors drawn from them, are in `posterior.rs`.
//!
//! ```
//! use dataset::{Markov, stream};
//! let mut rng = stream(0, "example");
//! let source = Markov::random(2, 0.5, &mut rng).with_entropy(1.5);
//! assert!((source.entropy() - 1.5).abs() < 1e-3);
//! let text = source.sample(10_000, &mut rng);
//! let fitted = Markov::fit([text.as_slice()], 2, 1.0);
//! assert!((fitted.entropy() - 1.5).abs() < 0.05);
//! ```

use crate::error::{Error, Result};
use dna::code;
use rand::{Rng, RngExt};

/// Orders go to 6: a state vector then has 4,096 entries.
pub const MAX_ORDER: usize = 6;

/// Letters by code.
pub(crate) const LETTERS: [u8; 4] = *b"ACGT";

/// Probabilities of drawn tables are whole multiples of this, so that a last-digit difference between two machines'
/// `powf` cannot change a text.
const GRAIN: f64 = 1.0 / (1u64 << 20) as f64;

/// A stationary Markov chain over A, C, G, T.
#[derive(Debug, Clone, PartialEq)]
pub struct Markov {
    order: usize,
    probabilities: Vec<[f64; 4]>,
    stationary: Vec<f64>,
}

impl Markov {
    /// The chain with this table: `probabilities[context][base]`, 4^order rows that each sum to 1.
    ///
    /// # Errors
    /// [`Error::Table`] if the order is above 6, the table has another size, or a row is no distribution.
    pub fn new(order: usize, probabilities: Vec<[f64; 4]>) -> Result<Self> {
        let fault = |message: String| Err(Error::Table { message });
        if order > MAX_ORDER {
            return fault(format!("order {order} is above {MAX_ORDER}"));
        }
        if probabilities.len() != 1 << (2 * order) {
            return fault(format!("order {order} needs {} rows, not {}", 1 << (2 * order), probabilities.len()));
        }
        for (context, row) in probabilities.iter().enumerate() {
            let sum: f64 = row.iter().sum();
            if row.iter().any(|p| !(0.0..=1.0).contains(p)) || (sum - 1.0).abs() > 1e-9 {
                return fault(format!("row {context} is no distribution: {row:?}"));
            }
        }
        Ok(Self::from_rows(order, probabilities))
    }

    /// As [`Self::new`], for rows this crate made itself.
    fn from_rows(order: usize, probabilities: Vec<[f64; 4]>) -> Self {
        let mut chain = Self { order, probabilities, stationary: Vec::new() };
        chain.stationary = chain.settle();
        chain
    }

    /// Independent bases, a quarter each: 2 bits per base.
    #[must_use]
    pub fn uniform() -> Self {
        Self::from_rows(0, vec![[0.25; 4]])
    }

    /// Every row of its own from a symmetric Dirichlet distribution; a small `concentration` gives a low entropy.
    ///
    /// `order` is cut to [`MAX_ORDER`].
    #[must_use]
    pub fn random(order: usize, concentration: f64, rng: &mut impl Rng) -> Self {
        let order = order.min(MAX_ORDER);
        let rows = (0..1usize << (2 * order)).map(|_| dirichlet(concentration, rng)).collect();
        Self::from_rows(order, rows)
    }

    /// A context tree: from the newest base backwards, a node is a leaf with probability `stop` (always at depth
    /// `order`), and all contexts below a leaf share its row. The text has memory of varying length up to `order`.
    #[must_use]
    pub fn variable(order: usize, concentration: f64, stop: f64, rng: &mut impl Rng) -> Self {
        let order = order.min(MAX_ORDER);
        let mut rows = vec![[0.0; 4]; 1 << (2 * order)];
        // (suffix, depth): the newest `depth` bases of a context. Depth 0 is never a leaf, unless the order is 0.
        let mut open = vec![(0usize, 0usize)];
        while let Some((suffix, depth)) = open.pop() {
            if depth == order || (depth > 0 && rng.random::<f64>() < stop) {
                let row = dirichlet(concentration, rng);
                for context in (suffix..rows.len()).step_by(1 << (2 * depth)) {
                    rows[context] = row;
                }
            } else {
                open.extend((0..4).map(|older| (suffix | older << (2 * depth), depth + 1)));
            }
        }
        Self::from_rows(order, rows)
    }

    /// The chain whose rows are the powers `p^t` of this one's, with the one `t` that gives `entropy` bits per base
    /// (to 0.001; as near as the rows allow). Rows are rounded to multiples of 2^-20 and hold no zero.
    #[must_use]
    pub fn with_entropy(&self, entropy: f64) -> Self {
        let (mut low, mut high) = (0.0f64, 1.0f64);
        while self.tempered(high).entropy() > entropy && high < 1024.0 {
            high *= 2.0;
        }
        for _ in 0..40 {
            let middle = 0.5 * (low + high);
            if self.tempered(middle).entropy() > entropy { low = middle } else { high = middle }
        }
        self.tempered(high)
    }

    fn tempered(&self, power: f64) -> Self {
        let rows = self.probabilities.iter().map(|row| {
            let top = row.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
            grained(row.map(|p| (p / top).powf(power)))
        });
        Self::from_rows(self.order, rows.collect())
    }

    /// Relative counts in `pieces`, each context smoothed by `pseudocount` times the prediction of the context one
    /// base shorter, down to a quarter each. Stretches with other letters than A, C, G, T are left out.
    ///
    /// `order` is cut to [`MAX_ORDER`].
    #[must_use]
    pub fn fit<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, order: usize, pseudocount: f64) -> Self {
        let order = order.min(MAX_ORDER);
        let size = 1usize << (2 * order);
        let mut counts = vec![[0u64; 4]; size];
        for piece in pieces {
            let (mut context, mut known) = (0, 0);
            for &base in piece {
                let Some(base) = code(base) else {
                    known = 0;
                    continue;
                };
                if known >= order {
                    counts[context][base] += 1;
                }
                known += 1;
                context = (context << 2 | base) & (size - 1);
            }
        }
        // levels[d]: counts after the newest d bases.
        let mut levels = vec![counts];
        for depth in (0..order).rev() {
            let mut shorter = vec![[0u64; 4]; 1 << (2 * depth)];
            for (context, row) in levels[levels.len() - 1].iter().enumerate() {
                let context = context & (shorter.len() - 1);
                for (sum, count) in shorter[context].iter_mut().zip(row) {
                    *sum += count;
                }
            }
            levels.push(shorter);
        }
        let mut rows = vec![[0.25; 4]];
        for level in levels.into_iter().rev() {
            let mask = rows.len() - 1;
            let smoothed = level.iter().enumerate().map(|(context, counts)| {
                let prior = rows[context & mask];
                let total = counts.iter().sum::<u64>() as f64 + pseudocount;
                if total <= 0.0 {
                    return prior;
                }
                std::array::from_fn(|base| (counts[base] as f64 + pseudocount * prior[base]) / total)
            });
            rows = smoothed.collect();
        }
        Self::from_rows(order, rows)
    }

    /// The order-1 chain with the same base and dinucleotide frequencies: what is left when longer memory is lost.
    #[must_use]
    pub fn first_order(&self) -> Self {
        let mut pairs = [[0.0; 4]; 4];
        for (context, row) in self.probabilities.iter().enumerate() {
            for (base, p) in row.iter().enumerate() {
                pairs[context & 3][base] += self.stationary[context] * p;
            }
        }
        let rows = pairs.map(|row| {
            let sum: f64 = row.iter().sum();
            if sum > 0.0 { row.map(|p| p / sum) } else { [0.25; 4] }
        });
        if self.order == 0 { self.clone() } else { Self::from_rows(1, rows.to_vec()) }
    }

    /// Bases of memory.
    #[must_use]
    pub fn order(&self) -> usize {
        self.order
    }

    /// `[context][base]`, 4^order rows.
    #[must_use]
    pub fn probabilities(&self) -> &[[f64; 4]] {
        &self.probabilities
    }

    /// Stationary probability of each context, `[4^order]`.
    #[must_use]
    pub fn stationary(&self) -> &[f64] {
        &self.stationary
    }

    /// The context after `base` (a code 0..4).
    pub(crate) fn step(&self, context: usize, base: usize) -> usize {
        (context << 2 | base) & (self.probabilities.len() - 1)
    }

    /// Entropy rate in bits per base.
    #[must_use]
    pub fn entropy(&self) -> f64 {
        let bits = |row: &[f64; 4]| -> f64 { row.iter().filter(|p| **p > 0.0).map(|p| -p * p.log2()).sum() };
        self.stationary.iter().zip(&self.probabilities).map(|(weight, row)| weight * bits(row)).sum()
    }

    /// `length` bases of the stationary chain.
    #[must_use]
    pub fn sample(&self, length: usize, rng: &mut impl Rng) -> Vec<u8> {
        let mut context = draw(&self.stationary, rng);
        let mut bases = Vec::with_capacity(length.max(self.order));
        bases.extend((0..self.order).rev().map(|age| LETTERS[context >> (2 * age) & 3]));
        bases.truncate(length);
        while bases.len() < length {
            let base = draw(&self.probabilities[context], rng);
            bases.push(LETTERS[base]);
            context = self.step(context, base);
        }
        bases
    }

    /// Stationary distribution by power iteration on the half-lazy chain (which has the same one and no period).
    fn settle(&self) -> Vec<f64> {
        let size = self.probabilities.len();
        let mut now = vec![1.0 / size as f64; size];
        for _ in 0..20_000 {
            let mut next: Vec<f64> = now.iter().map(|p| 0.5 * p).collect();
            for (context, row) in self.probabilities.iter().enumerate() {
                for (base, p) in row.iter().enumerate() {
                    next[self.step(context, base)] += 0.5 * now[context] * p;
                }
            }
            let sum: f64 = next.iter().sum();
            next.iter_mut().for_each(|p| *p /= sum);
            let change: f64 = now.iter().zip(&next).map(|(a, b)| (a - b).abs()).sum();
            now = next;
            if change < 1e-15 {
                break;
            }
        }
        now
    }
}

/// An index drawn by weight (weights sum to about 1).
pub(crate) fn draw(weights: &[f64], rng: &mut impl Rng) -> usize {
    let mut left = rng.random::<f64>() * weights.iter().sum::<f64>();
    for (i, weight) in weights.iter().enumerate() {
        left -= weight;
        if left < 0.0 {
            return i;
        }
    }
    // Rounding only: the last index with any weight.
    weights.iter().rposition(|w| *w > 0.0).unwrap_or(0)
}

/// Four weights as probabilities that are multiples of the grain, none 0, summing to exactly 1.
fn grained(weights: [f64; 4]) -> [f64; 4] {
    let sum: f64 = weights.iter().sum();
    let mut row = weights.map(|w| ((w / sum) / GRAIN).round().max(1.0) * GRAIN);
    let top = (0..4).fold(0, |best, i| if row[i] > row[best] { i } else { best });
    row[top] = 1.0 - (0..4).filter(|i| *i != top).map(|i| row[i]).sum::<f64>();
    row
}

fn dirichlet(concentration: f64, rng: &mut impl Rng) -> [f64; 4] {
    let shape = concentration.max(1e-3);
    // Logs, because a small shape gives draws below the smallest float.
    let logs: [f64; 4] = std::array::from_fn(|_| log_gamma_draw(shape, rng));
    let top = logs.into_iter().fold(f64::NEG_INFINITY, f64::max);
    grained(logs.map(|log| (log - top).exp()))
}

/// Natural log of a Gamma(shape, 1) draw: Marsaglia and Tsang 2000, with their boost for shapes below 1.
fn log_gamma_draw(shape: f64, rng: &mut impl Rng) -> f64 {
    if shape < 1.0 {
        let uniform = 1.0 - rng.random::<f64>();
        return log_gamma_draw(shape + 1.0, rng) + uniform.ln() / shape;
    }
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        // Box and Muller.
        let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
        let x = radius * (std::f64::consts::TAU * rng.random::<f64>()).cos();
        let v = (1.0 + c * x).powi(3);
        let uniform = 1.0 - rng.random::<f64>();
        if v > 0.0 && uniform.ln() < 0.5 * x * x + d - d * v + d * v.ln() {
            return (d * v).ln();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dna::stream;
    use proptest::prelude::*;

    #[test]
    fn uniform_text_has_two_bits() {
        assert_eq!(Markov::uniform().entropy(), 2.0);
        assert_eq!(Markov::new(1, vec![[0.25; 4]; 4]).unwrap().entropy(), 2.0);
    }

    #[test]
    fn a_table_that_is_none_is_refused() {
        for (order, rows) in [(7, vec![]), (1, vec![[0.25; 4]]), (0, vec![[0.5; 4]]), (0, vec![[f64::NAN; 4]])] {
            assert!(matches!(Markov::new(order, rows), Err(Error::Table { .. })));
        }
    }

    #[test]
    fn a_cyclic_chain_settles() {
        // A -> C -> G -> T -> A: period 4.
        let rows = vec![[0., 1., 0., 0.], [0., 0., 1., 0.], [0., 0., 0., 1.], [1., 0., 0., 0.]];
        let cycle = Markov::new(1, rows).unwrap();
        assert!(cycle.stationary().iter().all(|p| (p - 0.25).abs() < 1e-12));
        assert_eq!(cycle.entropy(), 0.0);
        let text = cycle.sample(8, &mut stream(0, "cycle"));
        assert!(b"ACGTACGTACGT".windows(8).any(|w| w == text));
    }

    #[test]
    fn fit_backs_off_to_shorter_contexts() {
        let chain = Markov::fit([&b"ACACACNGG"[..]], 1, 1.0);
        // Order 0, over the bases with a predecessor: C 3, A 2, G 1; after T nothing is known but that.
        let zero: [f64; 4] = [(2.0 + 0.25) / 7.0, (3.0 + 0.25) / 7.0, (1.0 + 0.25) / 7.0, 0.25 / 7.0];
        for (base, prior) in zero.iter().enumerate() {
            assert!((chain.probabilities()[3][base] - prior).abs() < 1e-12);
        }
        assert!((chain.probabilities()[0][1] - (3.0 + zero[1]) / 4.0).abs() < 1e-12);
    }

    #[test]
    fn variable_contexts_share_rows_and_keep_the_newest_base() {
        let chain = Markov::variable(4, 0.5, 0.5, &mut stream(3, "tree"));
        let distinct: std::collections::HashSet<_> =
            chain.probabilities().iter().map(|row| row.map(f64::to_bits)).collect();
        assert!(distinct.len() >= 4 && distinct.len() < 256, "{}", distinct.len());
    }

    #[test]
    fn first_order_keeps_the_dinucleotides() {
        let chain = Markov::random(3, 0.5, &mut stream(1, "o"));
        let first = chain.first_order();
        let mut letters = [0.0; 4];
        for (context, p) in chain.stationary().iter().enumerate() {
            letters[context & 3] += p;
        }
        for (base, share) in letters.iter().enumerate() {
            assert!((first.stationary()[base] - share).abs() < 1e-9);
        }
        assert!(first.entropy() > chain.entropy());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn entropy_can_be_chosen(seed: u64, order in 0usize..5, entropy in 0.8f64..1.95) {
            let chain = Markov::random(order, 0.7, &mut stream(seed, "c")).with_entropy(entropy);
            prop_assert!((chain.entropy() - entropy).abs() < 1e-3, "{}", chain.entropy());
        }

        #[test]
        fn a_long_text_costs_its_entropy(seed: u64, order in 0usize..4) {
            let mut rng = stream(seed, "c");
            let chain = Markov::random(order, 1.0, &mut rng).with_entropy(1.5);
            let text = chain.sample(40_000, &mut rng);
            let known: Vec<_> = text.iter().copied().map(Some).collect();
            let bits = -chain.log2_probability(&known) / text.len() as f64;
            prop_assert!((bits - 1.5).abs() < 0.04, "{bits}");
        }
    }
}
