//! Two-sided Markov predictor: a Markov chain of up to order 11, fitted with back-off, and the exact posterior of a masked span given the
//! visible bases on both sides (`docs/protocol.md#baselines-and-controls`).
//!
//! The probability of a base behind a context of k bases is p_k = (n + c p_{k-1}) / (N + c), with its count n and the count N of the
//! context in the training text, and c = 4; at the start of a window the context is shorter. Unlike [`crate::MarkovChain`], the source of
//! synthetic text, it has no stationary distribution.
//!
//! ```
//! use dataset::TwoSided;
//! let text = b"ACGTACGTACGTACGTACGTACGTACGTACGT";
//! let predictor = TwoSided::fit([&text[..]], 3, None);
//! let spans = [8..12];
//! assert!(predictor.sequential_bits(3, text, &spans) < predictor.sequential_bits(1, text, &spans));
//! ```

use dna::code;
use rayon::prelude::*;
use std::ops::Range;

/// Maximum order: 4^11 contexts, 90 MB.
pub const MAX_ORDER: usize = 11;

/// Pseudocount of the back-off from each context to the next shorter one.
const PSEUDOCOUNT: f64 = 4.0;

/// Training text is limited to evenly spaced chunks of this many bases.
const CHUNK: usize = 512;

/// The predictor, for every order up to that of its fit.
#[derive(Debug, Clone)]
pub struct TwoSided {
    /// `[order][context * 4 + base]`; the most recent base is in the lowest two bits of the context.
    probabilities: Vec<Vec<f32>>,
}

/// An order and its bits per masked base on validation text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tried {
    /// Order of the chain.
    pub order: usize,
    /// Bits per masked base.
    pub bits: f64,
}

impl TwoSided {
    /// Fits all orders up to `order` (at most [`MAX_ORDER`]) to segments of text, of which at most `bases` bases are used: evenly spaced
    /// chunks. Letters other than A, C, G, T interrupt.
    #[must_use]
    pub fn fit<'a>(segments: impl IntoIterator<Item = &'a [u8]>, order: usize, bases: Option<u64>) -> TwoSided {
        let order = order.min(MAX_ORDER);
        let mut chunks: Vec<&[u8]> = segments.into_iter().collect();
        let total: u64 = chunks.iter().map(|chunk| chunk.len() as u64).sum();
        if let Some(bases) = bases.filter(|&bases| bases < total) {
            let all: Vec<&[u8]> = chunks.iter().flat_map(|segment| segment.chunks(CHUNK)).collect();
            let keep = (bases as usize / CHUNK).clamp(1, all.len());
            chunks = (0..keep).map(|i| all[i * all.len() / keep]).collect();
        }
        let mut counts = vec![0_u32; 4 << (2 * order)];
        let mask = (1_usize << (2 * order)) - 1;
        for chunk in chunks {
            let (mut context, mut known) = (0, 0);
            for base in chunk.iter().map(|&base| code(base)) {
                match base {
                    Some(base) => {
                        if known >= order {
                            counts[context * 4 + base] += 1;
                        }
                        context = (context << 2 | base) & mask;
                        known += 1;
                    }
                    None => known = 0,
                }
            }
        }
        // Counts of shorter contexts: summed over the oldest base.
        let mut by_order = vec![counts];
        for _ in 0..order {
            let longer = &by_order[by_order.len() - 1];
            let quarter = longer.len() / 4;
            by_order.push((0..quarter).map(|at| (0..4).map(|oldest| longer[oldest * quarter + at]).sum()).collect());
        }
        by_order.reverse();
        let mut probabilities: Vec<Vec<f32>> = Vec::with_capacity(order + 1);
        for counts in by_order {
            let shorter = probabilities.last();
            let row = |(context, row): (usize, &[u32])| -> [f32; 4] {
                let total = f64::from(row.iter().sum::<u32>());
                let before = |base: usize| shorter.map_or(0.25, |p| f64::from(p[(context * 4 + base) % p.len()]));
                std::array::from_fn(|base| {
                    ((f64::from(row[base]) + PSEUDOCOUNT * before(base)) / (total + PSEUDOCOUNT)) as f32
                })
            };
            let rows = counts.par_chunks_exact(4).enumerate().map(row);
            probabilities.push(rows.collect::<Vec<_>>().into_flattened());
        }
        TwoSided { probabilities }
    }

    /// The maximum order.
    #[must_use]
    pub fn order(&self) -> usize {
        self.probabilities.len() - 1
    }

    /// The order with the fewest bits on validation text, windows with their masked spans, and all orders tried: from 1 up, until two orders in
    /// a row are worse than the best.
    #[must_use]
    pub fn select(&self, validation: &[(Vec<u8>, Vec<Range<usize>>)]) -> (usize, Vec<Tried>) {
        let bases: usize = validation.iter().flat_map(|(_, spans)| spans).map(Range::len).sum();
        let (mut tried, mut best): (Vec<Tried>, usize) = (Vec::new(), 0);
        for order in 1..=self.order() {
            let bits = validation.par_iter().map(|(window, spans)| self.sequential_bits(order, window, spans));
            let bits = bits.collect::<Vec<f64>>().iter().sum::<f64>() / bases.max(1) as f64;
            tried.push(Tried { order, bits });
            if tried[best].bits > bits {
                best = tried.len() - 1;
            }
            if tried.len() > best + 2 {
                break;
            }
        }
        (tried.get(best).map_or(0, |tried| tried.order), tried)
    }

    /// Code length in bits of all masked spans of a window of A, C, G, T, each given the visible bases on both sides; spans further apart than the
    /// order. The sum over a span is that of its bases in sequential order, by the chain rule.
    ///
    /// # Panics
    /// If a span exceeds the window.
    #[must_use]
    pub fn sequential_bits(&self, order: usize, window: &[u8], spans: &[Range<usize>]) -> f64 {
        let window: Vec<usize> = window.iter().map(|&base| code(base).unwrap_or(0)).collect();
        spans.iter().map(|span| self.span_bits(order.min(self.order()), &window, span.clone())).sum()
    }

    fn span_bits(&self, order: usize, window: &[usize], span: Range<usize>) -> f64 {
        let left = span.start.saturating_sub(order);
        let right = (span.end + order).min(window.len());
        // The known text: from the first base that has a base of the span in its context.
        let mut known = 0.0;
        for position in span.start..right {
            known += f64::from(self.probability(order, window, left, position)).log2();
        }
        let mut sum = Forward { weights: vec![1.0], free: 0, tail: 0, behind: 0 };
        let before = &window[left..span.start];
        for _ in span.clone() {
            sum.mask(self, order, before);
        }
        for &base in &window[span.end..right] {
            sum.reveal(self, order, before, base);
        }
        sum.weights.iter().sum::<f64>().log2() - known
    }

    /// Probability of the base at a position given up to `order` bases before it, none before `left`.
    fn probability(&self, order: usize, window: &[usize], left: usize, position: usize) -> f32 {
        let from = position.saturating_sub(order).max(left.min(position));
        let context = window[from..position].iter().fold(0, |context, base| context << 2 | base);
        self.probabilities[position - from][context * 4 + window[position]]
    }
}

/// Forward sums over the masked bases: a weight for each choice of those that are still within reach.
struct Forward {
    /// By the masked bases within reach as a 2-bit code, the most recent in the lowest bits.
    weights: Vec<f64>,
    /// Number of masked bases within reach.
    free: usize,
    /// The visible bases behind them as a code, and their number.
    tail: usize,
    behind: usize,
}

impl Forward {
    /// The row of probabilities of each choice: the context is the end of `before`, the masked bases, and the visible ones behind them.
    fn contexts<'a>(&self, predictor: &'a TwoSided, order: usize, before: &[usize]) -> (&'a [f32], usize) {
        let room = order - (self.free + self.behind).min(order);
        let visible = &before[before.len() - room.min(before.len())..];
        let length = (self.free + self.behind + visible.len()).min(order);
        let fixed = visible.iter().fold(0, |context, base| context << 2 | base) << (2 * (self.free + self.behind));
        (&predictor.probabilities[length], (fixed | self.tail) & ((1 << (2 * length)) - 1))
    }

    /// One more masked base.
    fn mask(&mut self, predictor: &TwoSided, order: usize, before: &[usize]) {
        let (table, fixed) = self.contexts(predictor, order, before);
        let grown = self.free < order;
        let mask = table.len() / 4 - 1;
        let size = if grown { self.weights.len() * 4 } else { self.weights.len() };
        let mut next = vec![0.0; size];
        for (choice, weight) in self.weights.iter().enumerate() {
            let context = (fixed | choice) & mask;
            for base in 0..4 {
                next[(choice << 2 | base) & (size - 1)] += weight * f64::from(table[context * 4 + base]);
            }
        }
        self.free += usize::from(grown);
        self.weights = next;
    }

    /// A visible base behind the masked ones.
    fn reveal(&mut self, predictor: &TwoSided, order: usize, before: &[usize], base: usize) {
        let (table, fixed) = self.contexts(predictor, order, before);
        let mask = table.len() / 4 - 1;
        let dropped = self.free > 0 && self.free + self.behind >= order;
        let size = if dropped { self.weights.len() / 4 } else { self.weights.len() };
        let mut next = vec![0.0; size];
        for (choice, weight) in self.weights.iter().enumerate() {
            let context = (fixed | choice << (2 * self.behind)) & mask;
            next[choice & (size - 1)] += weight * f64::from(table[context * 4 + base]);
        }
        self.free -= usize::from(dropped);
        self.tail = self.tail << 2 | base;
        self.behind += 1;
        self.weights = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MarkovChain, stream};

    fn text(length: usize, seed: u64) -> Vec<u8> {
        MarkovChain::random(2, 0.4, &mut stream(0, "chain")).sample(length, &mut stream(seed, "text"))
    }

    /// The sum over all texts of a span, term by term.
    fn enumerated(predictor: &TwoSided, order: usize, window: &[u8], span: Range<usize>) -> f64 {
        let joint = |window: &[usize]| -> f64 {
            (0..window.len()).map(|at| f64::from(predictor.probability(order, window, 0, at))).product()
        };
        let window: Vec<usize> = window.iter().map(|&base| code(base).unwrap()).collect();
        let all: f64 = (0..1_usize << (2 * span.len()))
            .map(|choice| {
                let mut other = window.clone();
                span.clone().enumerate().for_each(|(at, position)| other[position] = choice >> (2 * at) & 3);
                joint(&other)
            })
            .sum();
        -(joint(&window) / all).log2()
    }

    #[test]
    fn posteriors_equal_enumeration() {
        let training = text(3_000, 1);
        let predictor = TwoSided::fit([&training[..]], 5, None);
        let window = text(24, 2);
        for order in 1..=5 {
            for span in [0..4, 2..6, 9..12, 9..15, 20..24, 22..23] {
                let found = predictor.sequential_bits(order, &window, std::slice::from_ref(&span));
                let wanted = enumerated(&predictor, order, &window, span.clone());
                assert!((found - wanted).abs() < 1e-6, "order {order}, {span:?}: {found}, {wanted}");
            }
        }
    }

    #[test]
    fn the_order_of_the_source_is_selected() {
        let predictor = TwoSided::fit([&text(400_000, 3)[..]], 6, None);
        let validation: Vec<_> = (0..60)
            .map(|i| (text(252, 100 + i), (0..21).filter(|cell| cell % 7 == 3).map(|c| 12 * c..12 * c + 12).collect()))
            .collect();
        let (order, tried) = predictor.select(&validation);
        assert_eq!(order, 2, "{tried:?}");
        assert!(tried.len() == 4, "two more orders: {tried:?}");
    }

    #[test]
    fn limited_text_is_spread_over_all_of_it() {
        let segments = [text(100_000, 1), vec![b'A'; 100_000]];
        let limited = TwoSided::fit(segments.iter().map(Vec::as_slice), 1, Some(50_000));
        let all = TwoSided::fit(segments.iter().map(Vec::as_slice), 1, None);
        assert!((limited.probabilities[0][0] - all.probabilities[0][0]).abs() < 0.01);
        let mut rows = limited.probabilities.iter().flat_map(|table| table.chunks_exact(4));
        assert!(rows.all(|row| (row.iter().sum::<f32>() - 1.0).abs() < 1e-5));
    }
}
