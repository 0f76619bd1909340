//! Markov chains over A, C, G, T: the source of synthetic text, and a fitted control on real text.
//!
//! A context is the `order` preceding bases as a 2-bit code; the most recent base is in the lowest two bits
//! (`A C G T` = 0 1 2 3). Exact probabilities of partly masked windows, and the floors, are in `posterior.rs`.
//!
//! ```
//! use dataset::{MarkovChain, stream};
//! let mut rng = stream(0, "example");
//! let source = MarkovChain::random(2, 0.5, &mut rng).with_entropy(1.5);
//! assert!((source.entropy() - 1.5).abs() < 1e-3);
//! let text = source.sample(10_000, &mut rng);
//! let fitted = MarkovChain::fit([text.as_slice()], 2, 1.0);
//! assert!((fitted.entropy() - 1.5).abs() < 0.05);
//! ```

use crate::error::{Error, Result};
use dna::code;
use rand::{Rng, RngExt};

/// Maximum order: 4^6 = 4,096 contexts.
pub const MAX_ORDER: usize = 6;

/// Bases by their 2-bit code.
pub(crate) const LETTERS: [u8; 4] = *b"ACGT";

/// Sampled transition probabilities are multiples of 2^-20, so that rounding differences of `powf` between machines cannot
/// change a text.
const GRAIN: f64 = 1.0 / (1u64 << 20) as f64;

/// A stationary Markov chain over A, C, G, T.
#[derive(Debug, Clone, PartialEq)]
pub struct MarkovChain {
    order: usize,
    probabilities: Vec<[f64; 4]>,
    stationary: Vec<f64>,
}

impl MarkovChain {
    /// The chain with the transition matrix `probabilities[context][base]`: 4^order rows that each sum to 1.
    ///
    /// # Errors
    /// [`Error::TransitionMatrix`] if the order exceeds 6, the number of rows is not 4^order, or a row is not a probability
    /// distribution.
    pub fn new(order: usize, probabilities: Vec<[f64; 4]>) -> Result<Self> {
        let fault = |message: String| Err(Error::TransitionMatrix { message });
        if order > MAX_ORDER {
            return fault(format!("order {order} exceeds the maximum of {MAX_ORDER}"));
        }
        if probabilities.len() != 1 << (2 * order) {
            return fault(format!("order {order} needs {} rows, not {}", 1 << (2 * order), probabilities.len()));
        }
        for (context, row) in probabilities.iter().enumerate() {
            let sum: f64 = row.iter().sum();
            if row.iter().any(|p| !(0.0..=1.0).contains(p)) || (sum - 1.0).abs() > 1e-9 {
                return fault(format!("row {context} is not a probability distribution: {row:?}"));
            }
        }
        Ok(Self::from_rows(order, probabilities))
    }

    /// As [`Self::new`], for rows that are valid by construction.
    fn from_rows(order: usize, probabilities: Vec<[f64; 4]>) -> Self {
        let mut chain = Self { order, probabilities, stationary: Vec::new() };
        chain.stationary = chain.stationary_distribution();
        chain
    }

    /// Independent, uniform bases: 2 bits per base.
    #[must_use]
    pub fn uniform() -> Self {
        Self::from_rows(0, vec![[0.25; 4]])
    }

    /// A chain with independent rows from a symmetric Dirichlet distribution; a small `concentration` gives a low entropy.
    ///
    /// `order` is clamped to [`MAX_ORDER`].
    #[must_use]
    pub fn random(order: usize, concentration: f64, rng: &mut impl Rng) -> Self {
        let order = order.min(MAX_ORDER);
        let rows = (0..1usize << (2 * order)).map(|_| dirichlet(concentration, rng)).collect();
        Self::from_rows(order, rows)
    }

    /// A variable-order chain from a random context tree: starting at the most recent base, a node is a leaf with probability
    /// `stop` (always at depth `order`), and all contexts below a leaf share its row.
    #[must_use]
    pub fn variable(order: usize, concentration: f64, stop: f64, rng: &mut impl Rng) -> Self {
        let order = order.min(MAX_ORDER);
        let mut rows = vec![[0.0; 4]; 1 << (2 * order)];
        // (suffix, depth): the most recent `depth` bases of a context. Depth 0 is a leaf only if the order is 0.
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

    /// The chain with rows proportional to `p^t`, where `t` is chosen so that the entropy rate is `entropy` bits per base (to
    /// 0.001, or as close as possible). Probabilities are rounded to positive multiples of 2^-20.
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

    /// Fits a chain to the counts in `segments`. Each context is smoothed by `pseudocount` times the distribution of the context
    /// that is one base shorter, down to the uniform distribution. Other letters than A, C, G, T interrupt the context.
    ///
    /// `order` is clamped to [`MAX_ORDER`].
    #[must_use]
    pub fn fit<'a>(segments: impl IntoIterator<Item = &'a [u8]>, order: usize, pseudocount: f64) -> Self {
        let order = order.min(MAX_ORDER);
        let size = 1usize << (2 * order);
        let mut counts = vec![[0u64; 4]; size];
        for segment in segments {
            let (mut context, mut known) = (0, 0);
            for &base in segment {
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
        // levels[i]: counts given the most recent order - i bases.
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

    /// The order-1 chain with the same base and dinucleotide frequencies.
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

    /// Number of bases that a prediction depends on.
    #[must_use]
    pub fn order(&self) -> usize {
        self.order
    }

    /// Transition probabilities `[context][base]`, 4^order rows.
    #[must_use]
    pub fn probabilities(&self) -> &[[f64; 4]] {
        &self.probabilities
    }

    /// Stationary probability of each context, `[4^order]`.
    #[must_use]
    pub fn stationary(&self) -> &[f64] {
        &self.stationary
    }

    /// The context that follows `context` after `base` (a 2-bit code).
    pub(crate) fn step(&self, context: usize, base: usize) -> usize {
        (context << 2 | base) & (self.probabilities.len() - 1)
    }

    /// Entropy rate in bits per base.
    #[must_use]
    pub fn entropy(&self) -> f64 {
        let bits = |row: &[f64; 4]| -> f64 { row.iter().filter(|p| **p > 0.0).map(|p| -p * p.log2()).sum() };
        self.stationary.iter().zip(&self.probabilities).map(|(weight, row)| weight * bits(row)).sum()
    }

    /// Samples `length` bases, starting from the stationary distribution.
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

    /// Stationary distribution by power iteration on the lazy chain (P + I) / 2, which has the same one and is aperiodic.
    fn stationary_distribution(&self) -> Vec<f64> {
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

/// Samples an index with probability proportional to its weight.
pub(crate) fn draw(weights: &[f64], rng: &mut impl Rng) -> usize {
    let mut left = rng.random::<f64>() * weights.iter().sum::<f64>();
    for (i, weight) in weights.iter().enumerate() {
        left -= weight;
        if left < 0.0 {
            return i;
        }
    }
    // Reached by rounding only: the last index with a positive weight.
    weights.iter().rposition(|w| *w > 0.0).unwrap_or(0)
}

/// Normalizes four weights to probabilities that are positive multiples of `GRAIN` and sum to exactly 1.
fn grained(weights: [f64; 4]) -> [f64; 4] {
    let sum: f64 = weights.iter().sum();
    let mut row = weights.map(|w| ((w / sum) / GRAIN).round().max(1.0) * GRAIN);
    let top = (0..4).fold(0, |best, i| if row[i] > row[best] { i } else { best });
    row[top] = 1.0 - (0..4).filter(|i| *i != top).map(|i| row[i]).sum::<f64>();
    row
}

fn dirichlet(concentration: f64, rng: &mut impl Rng) -> [f64; 4] {
    let shape = concentration.max(1e-3);
    // In logarithms, because draws of a small shape underflow.
    let logs: [f64; 4] = std::array::from_fn(|_| log_gamma_draw(shape, rng));
    let top = logs.into_iter().fold(f64::NEG_INFINITY, f64::max);
    grained(logs.map(|log| (log - top).exp()))
}

/// Natural logarithm of a Gamma(shape, 1) draw (Marsaglia and Tsang 2000), with their transformation for shapes below 1.
fn log_gamma_draw(shape: f64, rng: &mut impl Rng) -> f64 {
    if shape < 1.0 {
        let uniform = 1.0 - rng.random::<f64>();
        return log_gamma_draw(shape + 1.0, rng) + uniform.ln() / shape;
    }
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        // Box-Muller transform.
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
    fn uniform_text_has_two_bits_per_base() {
        assert_eq!(MarkovChain::uniform().entropy(), 2.0);
        assert_eq!(MarkovChain::new(1, vec![[0.25; 4]; 4]).unwrap().entropy(), 2.0);
    }

    #[test]
    fn invalid_transition_matrices_are_rejected() {
        for (order, rows) in [(7, vec![]), (1, vec![[0.25; 4]]), (0, vec![[0.5; 4]]), (0, vec![[f64::NAN; 4]])] {
            assert!(matches!(MarkovChain::new(order, rows), Err(Error::TransitionMatrix { .. })));
        }
    }

    #[test]
    fn a_periodic_chain_has_a_stationary_distribution() {
        // A -> C -> G -> T -> A: period 4.
        let rows = vec![[0., 1., 0., 0.], [0., 0., 1., 0.], [0., 0., 0., 1.], [1., 0., 0., 0.]];
        let cycle = MarkovChain::new(1, rows).unwrap();
        assert!(cycle.stationary().iter().all(|p| (p - 0.25).abs() < 1e-12));
        assert_eq!(cycle.entropy(), 0.0);
        let text = cycle.sample(8, &mut stream(0, "cycle"));
        assert!(b"ACGTACGTACGT".windows(8).any(|w| w == text));
    }

    #[test]
    fn fit_backs_off_to_shorter_contexts() {
        let chain = MarkovChain::fit([&b"ACACACNGG"[..]], 1, 1.0);
        // Order 0, over the bases with a predecessor: C 3, A 2, G 1. Context T was never observed, so it has this distribution.
        let zero: [f64; 4] = [(2.0 + 0.25) / 7.0, (3.0 + 0.25) / 7.0, (1.0 + 0.25) / 7.0, 0.25 / 7.0];
        for (base, prior) in zero.iter().enumerate() {
            assert!((chain.probabilities()[3][base] - prior).abs() < 1e-12);
        }
        assert!((chain.probabilities()[0][1] - (3.0 + zero[1]) / 4.0).abs() < 1e-12);
    }

    #[test]
    fn variable_order_contexts_share_rows() {
        let chain = MarkovChain::variable(4, 0.5, 0.5, &mut stream(3, "tree"));
        let distinct: std::collections::HashSet<_> =
            chain.probabilities().iter().map(|row| row.map(f64::to_bits)).collect();
        assert!(distinct.len() >= 4 && distinct.len() < 256, "{}", distinct.len());
    }

    #[test]
    fn first_order_keeps_dinucleotide_frequencies() {
        let chain = MarkovChain::random(3, 0.5, &mut stream(1, "o"));
        let first = chain.first_order();
        let mut letters = [0.0; 4];
        for (context, p) in chain.stationary().iter().enumerate() {
            letters[context & 3] += p;
        }
        for (base, fraction) in letters.iter().enumerate() {
            assert!((first.stationary()[base] - fraction).abs() < 1e-9);
        }
        assert!(first.entropy() > chain.entropy());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn with_entropy_reaches_the_entropy(seed: u64, order in 0usize..5, entropy in 0.8f64..1.95) {
            let chain = MarkovChain::random(order, 0.7, &mut stream(seed, "c")).with_entropy(entropy);
            prop_assert!((chain.entropy() - entropy).abs() < 1e-3, "{}", chain.entropy());
        }

        #[test]
        fn code_length_of_a_long_text_is_its_entropy(seed: u64, order in 0usize..4) {
            let mut rng = stream(seed, "c");
            let chain = MarkovChain::random(order, 1.0, &mut rng).with_entropy(1.5);
            let text = chain.sample(40_000, &mut rng);
            let known: Vec<_> = text.iter().copied().map(Some).collect();
            let bits = -chain.log2_probability(&known) / text.len() as f64;
            prop_assert!((bits - 1.5).abs() < 0.04, "{bits}");
        }
    }
}
