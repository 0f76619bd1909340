//! Exact probabilities of partly hidden windows: the floors that no model may go under.
//!
//! A window is a stretch of the stationary chain and nothing outside it is known. The forward algorithm sums over what
//! is hidden; its state is the set of contexts that agree with what is visible, so it is a single context wherever the
//! last `order` bases are visible, and grows to 4^order only inside hidden stretches.
//!
//! Locality: given `order` visible bases in a row, what lies on either side is independent. So the bits of a span
//! depend on its neighbourhood only, up to the nearest run of `order` visible bases on each side; a test compares this
//! with the whole window.
//!
//! ```
//! use dataset::Markov;
//! let uniform = Markov::uniform();
//! assert_eq!(uniform.sequential_bits(b"ACGTACGTACGT", &[4..8]), 8.0);
//! assert_eq!(uniform.parallel_bits(b"ACGTACGTACGT", &[4..8], &[4..5, 5..6, 6..7, 7..8]), 8.0);
//! ```

use crate::markov::Markov;
use dna::code;
use std::ops::Range;

/// 2^300, a power of two so that rescaling is exact.
const RESCALE: f64 = f64::from_bits((1023 + 300) << 52);

/// The contexts that agree with what is visible so far, each with its share of the probability.
struct Forward<'a> {
    chain: &'a Markov,
    /// Contexts with any probability, in order of appearance.
    active: Vec<usize>,
    /// `[4^order]`, zero outside `active`.
    weights: Vec<f64>,
    next_active: Vec<usize>,
    next_weights: Vec<f64>,
    /// log2 of what was divided out of `weights`.
    log2: f64,
}

impl<'a> Forward<'a> {
    /// The state after the first `order` bases; those that `known` does not have are hidden.
    fn new(chain: &'a Markov, known: &[Option<usize>]) -> Self {
        let (order, size) = (chain.order(), chain.probabilities().len());
        let mut weights = vec![0.0; size];
        let mut active = vec![];
        // Fixed digits of the context, so that a visible start costs one step and not 4^order.
        let (mut fixed, mut free) = (0, vec![]);
        for i in 0..order {
            let shift = 2 * (order - 1 - i);
            match known.get(i).copied().flatten() {
                Some(base) => fixed |= base << shift,
                None => free.push(shift),
            }
        }
        for choice in 0..1usize << (2 * free.len()) {
            let digits = free.iter().enumerate().map(|(i, shift)| (choice >> (2 * i) & 3) << shift);
            let context = fixed | digits.sum::<usize>();
            weights[context] = chain.stationary()[context];
            active.push(context);
        }
        Self { chain, active, weights, next_active: vec![], next_weights: vec![0.0; size], log2: 0.0 }
    }

    fn step(&mut self, known: Option<usize>) {
        let bases = known.map_or(0..4, |base| base..base + 1);
        let mut total = 0.0;
        for context in self.active.drain(..) {
            let weight = std::mem::take(&mut self.weights[context]);
            if weight <= 0.0 {
                continue;
            }
            for base in bases.clone() {
                let share = weight * self.chain.probabilities()[context][base];
                if share > 0.0 {
                    let next = self.chain.step(context, base);
                    if self.next_weights[next] == 0.0 {
                        self.next_active.push(next);
                    }
                    self.next_weights[next] += share;
                    total += share;
                }
            }
        }
        std::mem::swap(&mut self.active, &mut self.next_active);
        std::mem::swap(&mut self.weights, &mut self.next_weights);
        if total < RESCALE.recip() {
            for &context in &self.active {
                self.weights[context] *= RESCALE;
            }
            self.log2 -= RESCALE.log2();
        }
    }

    fn log2_total(&self) -> f64 {
        self.log2 + self.active.iter().map(|&context| self.weights[context]).sum::<f64>().log2()
    }
}

impl Markov {
    /// log2 of the probability of the visible bases of a window; hidden ones (`None`, or any letter but A, C, G, T)
    /// are summed out. Minus infinity for a text the chain cannot make.
    #[must_use]
    pub fn log2_probability(&self, known: &[Option<u8>]) -> f64 {
        let known: Vec<_> = known.iter().map(|base| base.and_then(code)).collect();
        self.log2_of(&known)
    }

    fn log2_of(&self, known: &[Option<usize>]) -> f64 {
        let mut forward = Forward::new(self, known);
        for &base in known.iter().skip(self.order()) {
            forward.step(base);
        }
        forward.log2_total()
    }

    /// Bits of the bases in `span`, given all bases of the window outside `hidden`:
    /// -log2 P(span | visible). Bases of `span` that are N, or not hidden, cost nothing.
    ///
    /// # Panics
    /// If a range reaches beyond the window.
    #[must_use]
    pub fn span_bits(&self, window: &[u8], hidden: &[Range<usize>], span: Range<usize>) -> f64 {
        let visible = visible(window, hidden);
        let near = self.neighbourhood(&visible, &span);
        let before = self.log2_of(&visible[near.clone()]);
        cost(before, self.revealed(window, &visible, &near, &span))
    }

    /// Bits of all hidden spans of a window read one after the other, each base after the true ones before it: the
    /// floor of a *sequential* score. By the chain rule it is -log2 P(all spans | the rest), in any order.
    ///
    /// # Panics
    /// If a range reaches beyond the window.
    #[must_use]
    pub fn sequential_bits(&self, window: &[u8], spans: &[Range<usize>]) -> f64 {
        let mut visible = visible(window, spans);
        let mut bits = 0.0;
        for span in spans {
            let near = self.neighbourhood(&visible, span);
            let before = self.log2_of(&visible[near.clone()]);
            for i in span.clone() {
                visible[i] = code(window[i]);
            }
            bits += cost(before, self.log2_of(&visible[near]));
        }
        bits
    }

    /// Bits of `parts` (the tokens that tile the spans), each given only what is outside `spans`: the floor of a
    /// *parallel* score. Parts of one base are the floor of single nucleotides, parts of six that of 6-mers.
    ///
    /// # Panics
    /// If a range reaches beyond the window.
    #[must_use]
    pub fn parallel_bits(&self, window: &[u8], spans: &[Range<usize>], parts: &[Range<usize>]) -> f64 {
        let visible = visible(window, spans);
        // Parts of one span share their neighbourhood, so the last denominator is nearly always the one needed.
        let mut last = (0..0, 0.0);
        let mut bits = 0.0;
        for part in parts {
            let near = self.neighbourhood(&visible, part);
            if last.0 != near {
                last = (near.clone(), self.log2_of(&visible[near.clone()]));
            }
            bits += cost(last.1, self.revealed(window, &visible, &near, part));
        }
        bits
    }

    /// log2 probability of the neighbourhood with `span` revealed.
    fn revealed(&self, window: &[u8], visible: &[Option<usize>], near: &Range<usize>, span: &Range<usize>) -> f64 {
        let mut known = visible[near.clone()].to_vec();
        for i in span.clone() {
            known[i - near.start] = code(window[i]);
        }
        self.log2_of(&known)
    }

    /// `span` and what its posterior depends on: out to `order` visible bases in a row on either side, or the border.
    fn neighbourhood(&self, visible: &[Option<usize>], span: &Range<usize>) -> Range<usize> {
        let (mut start, mut run) = (span.start, 0);
        while start > 0 && run < self.order() {
            start -= 1;
            run = if visible[start].is_some() { run + 1 } else { 0 };
        }
        let (mut end, mut run) = (span.end, 0);
        while end < visible.len() && run < self.order() {
            run = if visible[end].is_some() { run + 1 } else { 0 };
            end += 1;
        }
        start..end
    }
}

/// Bits between two log2 probabilities; a text the chain cannot make costs infinity.
fn cost(before: f64, after: f64) -> f64 {
    if after == f64::NEG_INFINITY { f64::INFINITY } else { before - after }
}

/// Codes of a window, `None` where hidden or not A, C, G, T.
fn visible(window: &[u8], hidden: &[Range<usize>]) -> Vec<Option<usize>> {
    let mut visible: Vec<_> = window.iter().map(|&base| code(base)).collect();
    for range in hidden {
        visible[range.clone()].fill(None);
    }
    visible
}

#[cfg(test)]
// A list of one span is meant as such.
#[allow(clippy::single_range_in_vec_init)]
mod tests {
    use super::*;
    use crate::markov::LETTERS;
    use dna::stream;
    use proptest::prelude::*;

    /// Slow twin: every completion of the window and of `order` bases before it, one by one.
    fn brute(chain: &Markov, known: &[Option<u8>]) -> f64 {
        fn extend(chain: &Markov, context: usize, known: &[Option<usize>], p: f64) -> f64 {
            let Some((first, rest)) = known.split_first() else { return p };
            let bases = first.map_or(0..4, |base| base..base + 1);
            bases
                .map(|base| extend(chain, chain.step(context, base), rest, p * chain.probabilities()[context][base]))
                .sum()
        }
        let known: Vec<_> = known.iter().map(|base| base.and_then(code)).collect();
        let starts = chain.stationary().iter().enumerate();
        starts.map(|(context, p)| extend(chain, context, &known, *p)).sum::<f64>().log2()
    }

    /// Slow twin: two runs over the whole window.
    fn whole(chain: &Markov, window: &[u8], hidden: &[Range<usize>], span: Range<usize>) -> f64 {
        let mut known: Vec<_> = window.iter().copied().map(Some).collect();
        for range in hidden {
            known[range.clone()].fill(None);
        }
        let before = chain.log2_probability(&known);
        for i in span {
            known[i] = Some(window[i]);
        }
        before - chain.log2_probability(&known)
    }

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-8 * (1.0 + a.abs())
    }

    fn hidden_ranges(flags: &[bool]) -> Vec<Range<usize>> {
        let mut ranges: Vec<Range<usize>> = vec![];
        for (i, _) in flags.iter().enumerate().filter(|(_, hidden)| **hidden) {
            match ranges.last_mut() {
                Some(last) if last.end == i => last.end = i + 1,
                _ => ranges.push(i..i + 1),
            }
        }
        ranges
    }

    #[test]
    fn one_hidden_base_by_hand() {
        // P(x | A ? C) is proportional to P(x|A) P(C|x).
        let rows = vec![[0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1], [0.25; 4], [0.7, 0.1, 0.1, 0.1]];
        let chain = Markov::new(1, rows.clone()).unwrap();
        let joint: Vec<f64> = (0..4).map(|x| rows[0][x] * rows[x][1]).collect();
        let expected = -(joint[2] / joint.iter().sum::<f64>()).log2();
        assert!(close(chain.span_bits(b"AGC", &[1..2], 1..2), expected));
    }

    #[test]
    fn uniform_text_costs_two_bits_a_base_exactly() {
        for order in 0..=4 {
            let chain = Markov::new(order, vec![[0.25; 4]; 1 << (2 * order)]).unwrap();
            let window = chain.sample(252, &mut stream(0, "u"));
            let spans: Vec<_> = (0..21).step_by(3).map(|i| 12 * i..12 * i + 12).collect();
            assert_eq!(chain.sequential_bits(&window, &spans), 2.0 * 84.0);
            let parts: Vec<_> = spans.iter().flat_map(|s| [s.start..s.start + 6, s.start + 6..s.end]).collect();
            assert_eq!(chain.parallel_bits(&window, &spans, &parts), 2.0 * 84.0);
        }
    }

    #[test]
    fn n_is_hidden_and_free() {
        let chain = Markov::random(2, 0.5, &mut stream(0, "n"));
        assert_eq!(chain.span_bits(b"ACGNNGTA", &[3..5], 3..5), 0.0);
        let one = chain.span_bits(b"ACGNAGTA", &[4..5], 4..5);
        assert!(close(one, chain.span_bits(b"ACGTAGTA", &[3..5], 4..5)));
    }

    #[test]
    fn an_impossible_text_costs_infinity() {
        let chain = Markov::new(0, vec![[0.5, 0.5, 0.0, 0.0]]).unwrap();
        assert_eq!(chain.span_bits(b"AGC", &[1..2], 1..2), f64::INFINITY);
        assert_eq!(chain.span_bits(b"AGC", &[0..1], 0..1), 1.0);
        let cycle = Markov::new(1, vec![[0., 1., 0., 0.], [0., 0., 1., 0.], [0., 0., 0., 1.], [1., 0., 0., 0.]]);
        assert_eq!(cycle.unwrap().span_bits(b"AACC", &[2..3], 2..3), f64::INFINITY);
    }

    #[test]
    fn the_floor_of_a_long_text_is_below_its_entropy() {
        // Both sides are visible, so a hidden span costs less than the text does from left to right.
        let mut rng = stream(5, "floor");
        let chain = Markov::random(2, 0.5, &mut rng).with_entropy(1.57);
        let (mut sequential, mut parallel, mut bases) = (0.0, 0.0, 0.0);
        for _ in 0..60 {
            let window = chain.sample(252, &mut rng);
            let spans: Vec<_> = (0..21).step_by(7).map(|i| 12 * i..12 * i + 12).collect();
            let parts: Vec<_> = spans.iter().flat_map(|s| s.clone().map(|i| i..i + 1)).collect();
            sequential += chain.sequential_bits(&window, &spans);
            parallel += chain.parallel_bits(&window, &spans, &parts);
            bases += 36.0;
        }
        assert!(sequential / bases < 1.57 + 0.03, "{}", sequential / bases);
        assert!(parallel > sequential);
    }

    fn case(order: usize, length: usize) -> impl Strategy<Value = (Markov, Vec<u8>, Vec<bool>)> {
        let letter = prop::sample::select(b"ACGTACGTACGTN".to_vec());
        (any::<u64>(), 0..=order, prop::collection::vec((letter, prop::bool::weighted(0.4)), 1..=length)).prop_map(
            |(seed, order, letters)| {
                let (window, flags) = letters.into_iter().unzip();
                (Markov::random(order, 0.6, &mut stream(seed, "p")), window, flags)
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(150))]

        #[test]
        fn forward_equals_enumeration((chain, window, flags) in case(3, 8)) {
            let known: Vec<_> = window.iter().zip(&flags).map(|(&b, &hidden)| (!hidden).then_some(b)).collect();
            prop_assert!(close(chain.log2_probability(&known), brute(&chain, &known)));
        }

        #[test]
        fn near_equals_whole((chain, window, flags) in case(5, 40)) {
            let hidden = hidden_ranges(&flags);
            for span in &hidden {
                let slow = whole(&chain, &window, &hidden, span.clone());
                prop_assert!(close(chain.span_bits(&window, &hidden, span.clone()), slow));
                let half = span.start..span.start + span.len().div_ceil(2);
                let slow = whole(&chain, &window, &hidden, half.clone());
                prop_assert!(close(chain.span_bits(&window, &hidden, half), slow));
            }
        }

        #[test]
        fn sequential_is_the_joint_whatever_the_distance((chain, window, flags) in case(4, 30)) {
            let hidden = hidden_ranges(&flags);
            let mut known: Vec<_> = window.iter().copied().map(Some).collect();
            let all = chain.log2_probability(&known);
            for range in &hidden { known[range.clone()].fill(None); }
            let joint = chain.log2_probability(&known) - all;
            prop_assert!(close(chain.sequential_bits(&window, &hidden), joint));
            let singles: Vec<_> = hidden.iter().flat_map(|span| span.clone().map(|i| i..i + 1)).collect();
            prop_assert!(close(chain.sequential_bits(&window, &hidden),
                chain.sequential_bits_of(&window, &hidden, &singles)));
        }

        #[test]
        fn parallel_is_a_sum_of_marginals((chain, window, flags) in case(4, 30)) {
            let hidden = hidden_ranges(&flags);
            let parts: Vec<_> = hidden.iter().flat_map(|span| span.clone().map(|i| i..i + 1)).collect();
            let slow: f64 = parts.iter().map(|part| whole(&chain, &window, &hidden, part.clone())).sum();
            prop_assert!(close(chain.parallel_bits(&window, &hidden, &parts), slow));
        }

        #[test]
        fn posteriors_of_a_base_sum_to_one((chain, mut window, flags) in case(6, 24)) {
            let hidden = hidden_ranges(&flags);
            if let Some(first) = hidden.first() {
                let at = first.start;
                let total: f64 = LETTERS.iter().map(|&base| {
                    window[at] = base;
                    (-chain.span_bits(&window, &hidden, at..at + 1)).exp2()
                }).sum();
                prop_assert!((total - 1.0).abs() < 1e-9);
            }
        }
    }

    impl Markov {
        /// Slow twin of the chain rule: base by base, over the whole window.
        fn sequential_bits_of(&self, window: &[u8], hidden: &[Range<usize>], order: &[Range<usize>]) -> f64 {
            let still = |done: usize| -> Vec<Range<usize>> { order[done..].to_vec() };
            assert_eq!(hidden.iter().map(ExactSizeIterator::len).sum::<usize>(), order.len());
            (0..order.len()).map(|done| whole(self, window, &still(done), order[done].clone())).sum()
        }
    }
}
