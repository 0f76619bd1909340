//! Exact posterior of masked bases under a Markov chain: the entropy floor, which no model can beat in expectation.
//!
//! A window is sampled from the stationary chain, and nothing outside it is known. The forward algorithm sums over the
//! masked bases. Its state is the set of contexts that are consistent with the visible bases: one context where the last
//! `order` bases are visible, and up to 4^order inside masked spans.
//!
//! Locality: given `order` consecutive visible bases, both sides are conditionally independent. The code length of a span
//! therefore depends only on its neighborhood up to the nearest run of `order` visible bases on each side; a test compares
//! this with the whole window.
//!
//! ```
//! use dataset::MarkovChain;
//! let uniform = MarkovChain::uniform();
//! assert_eq!(uniform.sequential_bits(b"ACGTACGTACGT", &[4..8]), 8.0);
//! assert_eq!(uniform.parallel_bits(b"ACGTACGTACGT", &[4..8], &[4..5, 5..6, 6..7, 7..8]), 8.0);
//! ```

use crate::markov::MarkovChain;
use dna::code;
use std::ops::Range;

/// 2^300, a power of two so that rescaling is exact.
const RESCALE: f64 = f64::from_bits((1023 + 300) << 52);

/// State of the forward algorithm: the contexts consistent with the visible bases so far, with their probabilities.
struct Forward<'a> {
    chain: &'a MarkovChain,
    /// Contexts with a positive probability, in order of first occurrence.
    active: Vec<usize>,
    /// `[4^order]`, zero outside `active`.
    weights: Vec<f64>,
    next_active: Vec<usize>,
    next_weights: Vec<f64>,
    /// log2 of the factor that was divided out of `weights` against underflow.
    log2: f64,
}

impl<'a> Forward<'a> {
    /// The state after the first `order` bases; bases missing from `known` are masked.
    fn new(chain: &'a MarkovChain, known: &[Option<usize>]) -> Self {
        let (order, size) = (chain.order(), chain.probabilities().len());
        let mut weights = vec![0.0; size];
        let mut active = vec![];
        // Only contexts consistent with the visible bases are enumerated, not all 4^order.
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
                let probability = weight * self.chain.probabilities()[context][base];
                if probability > 0.0 {
                    let next = self.chain.step(context, base);
                    if self.next_weights[next] == 0.0 {
                        self.next_active.push(next);
                    }
                    self.next_weights[next] += probability;
                    total += probability;
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

impl MarkovChain {
    /// log2 of the probability of the visible bases of a window; masked ones (`None`, or a letter other than A, C, G, T) are
    /// summed out. Minus infinity for a text that is impossible under the chain.
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

    /// Code length of the bases in `span` in bits, given all bases of the window outside `masked`:
    /// -log2 P(span | visible). Bases of `span` that are N or not masked contribute 0.
    ///
    /// # Panics
    /// If a range exceeds the window.
    #[must_use]
    pub fn span_bits(&self, window: &[u8], masked: &[Range<usize>], span: Range<usize>) -> f64 {
        let visible = visible(window, masked);
        let near = self.neighborhood(&visible, &span);
        let before = self.log2_of(&visible[near.clone()]);
        bits_between(before, self.revealed(window, &visible, &near, &span))
    }

    /// Code length in bits of all masked spans of a window in *sequential* order, each base given the true ones before it: the
    /// floor of a sequential score. By the chain rule it is -log2 P(all spans | visible), independent of the order of spans.
    ///
    /// # Panics
    /// If a range exceeds the window.
    #[must_use]
    pub fn sequential_bits(&self, window: &[u8], spans: &[Range<usize>]) -> f64 {
        let mut visible = visible(window, spans);
        let mut bits = 0.0;
        for span in spans {
            let near = self.neighborhood(&visible, span);
            let before = self.log2_of(&visible[near.clone()]);
            for i in span.clone() {
                visible[i] = code(window[i]);
            }
            bits += bits_between(before, self.log2_of(&visible[near]));
        }
        bits
    }

    /// Code length in bits of `tokens` (ranges that tile the spans) in *parallel* order, each given only the bases outside
    /// `spans`: the floor of a parallel score. Tokens of one base give the floor for single nucleotides, of six for 6-mers.
    ///
    /// # Panics
    /// If a range exceeds the window.
    #[must_use]
    pub fn parallel_bits(&self, window: &[u8], spans: &[Range<usize>], tokens: &[Range<usize>]) -> f64 {
        let visible = visible(window, spans);
        // Tokens of one span share their neighborhood, so the last denominator can nearly always be reused.
        let mut last = (0..0, 0.0);
        let mut bits = 0.0;
        for token in tokens {
            let near = self.neighborhood(&visible, token);
            if last.0 != near {
                last = (near.clone(), self.log2_of(&visible[near.clone()]));
            }
            bits += bits_between(last.1, self.revealed(window, &visible, &near, token));
        }
        bits
    }

    /// log2 probability of the neighborhood with `span` revealed.
    fn revealed(&self, window: &[u8], visible: &[Option<usize>], near: &Range<usize>, span: &Range<usize>) -> f64 {
        let mut known = visible[near.clone()].to_vec();
        for i in span.clone() {
            known[i - near.start] = code(window[i]);
        }
        self.log2_of(&known)
    }

    /// `span` with all bases that its posterior depends on: up to `order` consecutive visible bases on each side, or the border.
    fn neighborhood(&self, visible: &[Option<usize>], span: &Range<usize>) -> Range<usize> {
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

/// Difference of two log2 probabilities in bits; infinite for an impossible text.
fn bits_between(before: f64, after: f64) -> f64 {
    if after == f64::NEG_INFINITY { f64::INFINITY } else { before - after }
}

/// 2-bit codes of a window; `None` if masked or not A, C, G, T.
fn visible(window: &[u8], masked: &[Range<usize>]) -> Vec<Option<usize>> {
    let mut visible: Vec<_> = window.iter().map(|&base| code(base)).collect();
    for range in masked {
        visible[range.clone()].fill(None);
    }
    visible
}

#[cfg(test)]
// A slice with a single range is intended.
#[allow(clippy::single_range_in_vec_init)]
mod tests {
    use super::*;
    use crate::markov::LETTERS;
    use dna::stream;
    use proptest::prelude::*;

    /// Reference implementation: enumerates every completion of the window and of the `order` bases before it.
    fn brute(chain: &MarkovChain, known: &[Option<u8>]) -> f64 {
        fn extend(chain: &MarkovChain, context: usize, known: &[Option<usize>], p: f64) -> f64 {
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

    /// Reference implementation: two forward passes over the whole window.
    fn whole(chain: &MarkovChain, window: &[u8], masked: &[Range<usize>], span: Range<usize>) -> f64 {
        let mut known: Vec<_> = window.iter().copied().map(Some).collect();
        for range in masked {
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

    fn masked_ranges(flags: &[bool]) -> Vec<Range<usize>> {
        let mut ranges: Vec<Range<usize>> = vec![];
        for (i, _) in flags.iter().enumerate().filter(|(_, masked)| **masked) {
            match ranges.last_mut() {
                Some(last) if last.end == i => last.end = i + 1,
                _ => ranges.push(i..i + 1),
            }
        }
        ranges
    }

    #[test]
    fn one_masked_base_by_hand() {
        // P(x | A ? C) is proportional to P(x|A) P(C|x).
        let rows = vec![[0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1], [0.25; 4], [0.7, 0.1, 0.1, 0.1]];
        let chain = MarkovChain::new(1, rows.clone()).unwrap();
        let joint: Vec<f64> = (0..4).map(|x| rows[0][x] * rows[x][1]).collect();
        let expected = -(joint[2] / joint.iter().sum::<f64>()).log2();
        assert!(close(chain.span_bits(b"AGC", &[1..2], 1..2), expected));
    }

    #[test]
    fn uniform_text_has_exactly_two_bits_per_base() {
        for order in 0..=4 {
            let chain = MarkovChain::new(order, vec![[0.25; 4]; 1 << (2 * order)]).unwrap();
            let window = chain.sample(252, &mut stream(0, "u"));
            let spans: Vec<_> = (0..21).step_by(3).map(|i| 12 * i..12 * i + 12).collect();
            assert_eq!(chain.sequential_bits(&window, &spans), 2.0 * 84.0);
            let tokens: Vec<_> = spans.iter().flat_map(|s| [s.start..s.start + 6, s.start + 6..s.end]).collect();
            assert_eq!(chain.parallel_bits(&window, &spans, &tokens), 2.0 * 84.0);
        }
    }

    #[test]
    fn n_is_masked_and_contributes_nothing() {
        let chain = MarkovChain::random(2, 0.5, &mut stream(0, "n"));
        assert_eq!(chain.span_bits(b"ACGNNGTA", &[3..5], 3..5), 0.0);
        let one = chain.span_bits(b"ACGNAGTA", &[4..5], 4..5);
        assert!(close(one, chain.span_bits(b"ACGTAGTA", &[3..5], 4..5)));
    }

    #[test]
    fn an_impossible_text_has_infinite_code_length() {
        let chain = MarkovChain::new(0, vec![[0.5, 0.5, 0.0, 0.0]]).unwrap();
        assert_eq!(chain.span_bits(b"AGC", &[1..2], 1..2), f64::INFINITY);
        assert_eq!(chain.span_bits(b"AGC", &[0..1], 0..1), 1.0);
        let cycle = MarkovChain::new(1, vec![[0., 1., 0., 0.], [0., 0., 1., 0.], [0., 0., 0., 1.], [1., 0., 0., 0.]]);
        assert_eq!(cycle.unwrap().span_bits(b"AACC", &[2..3], 2..3), f64::INFINITY);
    }

    #[test]
    fn the_floor_with_two_sided_context_is_below_the_entropy_rate() {
        // Both sides are visible, so a masked span needs fewer bits than left-to-right coding.
        let mut rng = stream(5, "floor");
        let chain = MarkovChain::random(2, 0.5, &mut rng).with_entropy(1.57);
        let (mut sequential, mut parallel, mut bases) = (0.0, 0.0, 0.0);
        for _ in 0..60 {
            let window = chain.sample(252, &mut rng);
            let spans: Vec<_> = (0..21).step_by(7).map(|i| 12 * i..12 * i + 12).collect();
            let tokens: Vec<_> = spans.iter().flat_map(|s| s.clone().map(|i| i..i + 1)).collect();
            sequential += chain.sequential_bits(&window, &spans);
            parallel += chain.parallel_bits(&window, &spans, &tokens);
            bases += 36.0;
        }
        assert!(sequential / bases < 1.57 + 0.03, "{}", sequential / bases);
        assert!(parallel > sequential);
    }

    fn case(order: usize, length: usize) -> impl Strategy<Value = (MarkovChain, Vec<u8>, Vec<bool>)> {
        let letter = prop::sample::select(b"ACGTACGTACGTN".to_vec());
        (any::<u64>(), 0..=order, prop::collection::vec((letter, prop::bool::weighted(0.4)), 1..=length)).prop_map(
            |(seed, order, letters)| {
                let (window, flags) = letters.into_iter().unzip();
                (MarkovChain::random(order, 0.6, &mut stream(seed, "p")), window, flags)
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(150))]

        #[test]
        fn forward_equals_enumeration((chain, window, flags) in case(3, 8)) {
            let known: Vec<_> = window.iter().zip(&flags).map(|(&b, &masked)| (!masked).then_some(b)).collect();
            prop_assert!(close(chain.log2_probability(&known), brute(&chain, &known)));
        }

        #[test]
        fn the_neighborhood_suffices((chain, window, flags) in case(5, 40)) {
            let masked = masked_ranges(&flags);
            for span in &masked {
                let slow = whole(&chain, &window, &masked, span.clone());
                prop_assert!(close(chain.span_bits(&window, &masked, span.clone()), slow));
                let half = span.start..span.start + span.len().div_ceil(2);
                let slow = whole(&chain, &window, &masked, half.clone());
                prop_assert!(close(chain.span_bits(&window, &masked, half), slow));
            }
        }

        #[test]
        fn sequential_bits_are_the_joint_code_length((chain, window, flags) in case(4, 30)) {
            let masked = masked_ranges(&flags);
            let mut known: Vec<_> = window.iter().copied().map(Some).collect();
            let all = chain.log2_probability(&known);
            for range in &masked { known[range.clone()].fill(None); }
            let joint = chain.log2_probability(&known) - all;
            prop_assert!(close(chain.sequential_bits(&window, &masked), joint));
            let singles: Vec<_> = masked.iter().flat_map(|span| span.clone().map(|i| i..i + 1)).collect();
            prop_assert!(close(chain.sequential_bits(&window, &masked),
                chain.sequential_bits_of(&window, &masked, &singles)));
        }

        #[test]
        fn parallel_bits_are_a_sum_of_marginals((chain, window, flags) in case(4, 30)) {
            let masked = masked_ranges(&flags);
            let tokens: Vec<_> = masked.iter().flat_map(|span| span.clone().map(|i| i..i + 1)).collect();
            let slow: f64 = tokens.iter().map(|token| whole(&chain, &window, &masked, token.clone())).sum();
            prop_assert!(close(chain.parallel_bits(&window, &masked, &tokens), slow));
        }

        #[test]
        fn posteriors_of_a_base_sum_to_one((chain, mut window, flags) in case(6, 24)) {
            let masked = masked_ranges(&flags);
            if let Some(first) = masked.first() {
                let at = first.start;
                let total: f64 = LETTERS.iter().map(|&base| {
                    window[at] = base;
                    (-chain.span_bits(&window, &masked, at..at + 1)).exp2()
                }).sum();
                prop_assert!((total - 1.0).abs() < 1e-9);
            }
        }
    }

    impl MarkovChain {
        /// Reference implementation of the chain rule: base by base, over the whole window.
        fn sequential_bits_of(&self, window: &[u8], masked: &[Range<usize>], order: &[Range<usize>]) -> f64 {
            let still = |done: usize| -> Vec<Range<usize>> { order[done..].to_vec() };
            assert_eq!(masked.iter().map(ExactSizeIterator::len).sum::<usize>(), order.len());
            (0..order.len()).map(|done| whole(self, window, &still(done), order[done].clone())).sum()
        }
    }
}
