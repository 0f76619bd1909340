//! The composition of the window as a predictor: what counting the visible bases is worth, without any model of their order
//! (`docs/protocol.md#baselines-and-controls`).
//!
//! Each base of a masked span is predicted by p(b) = (c p0(b) + n(b)) / (c + n), with the counts n of the visible bases of the window and of
//! the coded prefix of its own span (the predictive distribution of a Dirichlet prior of concentration c around the composition p0 of the
//! training split).

use crate::corpus::Corpus;
use dna::code;
use std::ops::Range;

/// Concentrations that are tried; the last one is nearly p0 alone.
pub const CONCENTRATIONS: [f64; 12] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 1e6];

/// The predictor.
#[derive(Debug, Clone, PartialEq)]
pub struct Composition {
    /// Composition of the training split, `A C G T`.
    pub base: [f64; 4],
    /// Concentration of the prior, in bases.
    pub concentration: f64,
}

impl Composition {
    /// The predictor whose concentration has the shortest code on validation windows: pairs of a window and its masked spans, one scoring
    /// pass each.
    #[must_use]
    pub fn fit(corpus: &Corpus, validation: &[(Vec<u8>, Vec<Range<usize>>)]) -> Composition {
        let mut counts = [1.0; 4];
        for base in corpus.training_segments().flatten().filter_map(|&base| code(base)) {
            counts[base] += 1.0;
        }
        let total: f64 = counts.iter().sum();
        let base = counts.map(|count| count / total);
        let bits = |concentration: f64| {
            let one = Composition { base, concentration };
            validation.iter().map(|(window, spans)| one.sequential_bits(window, spans)).sum::<f64>()
        };
        let best = CONCENTRATIONS.into_iter().map(|concentration| (bits(concentration), concentration));
        let (_, concentration) = best.fold((f64::INFINITY, 1e6), |a, b| if b.0 < a.0 { b } else { a });
        Composition { base, concentration }
    }

    /// Code length in bits of all masked spans of a window, base by base from the left. Other letters than A, C, G, T contribute nothing.
    ///
    /// # Panics
    /// If a span exceeds the window.
    #[must_use]
    pub fn sequential_bits(&self, window: &[u8], spans: &[Range<usize>]) -> f64 {
        let mut visible = [0.0; 4];
        for (position, base) in window.iter().enumerate() {
            if let Some(base) = code(*base).filter(|_| spans.iter().all(|span| !span.contains(&position))) {
                visible[base] += 1.0;
            }
        }
        let mut bits = 0.0;
        for span in spans {
            let mut counts = visible;
            let mut total: f64 = counts.iter().sum();
            for base in window[span.clone()].iter().filter_map(|&base| code(base)) {
                let p = (self.concentration * self.base[base] + counts[base]) / (self.concentration + total);
                bits -= p.log2();
                counts[base] += 1.0;
                total += 1.0;
            }
        }
        bits
    }
}

#[cfg(test)]
// A slice with a single range is intended.
#[allow(clippy::single_range_in_vec_init)]
mod tests {
    use super::*;

    #[test]
    fn counts_by_hand() {
        let composition = Composition { base: [0.25; 4], concentration: 4.0 };
        // Visible: A A C T. Then A: (1 + 2) / (4 + 4), G: (1 + 0) / (4 + 5).
        let bits = composition.sequential_bits(b"AAAGCTN", &[2..4]);
        assert!((bits - ((8.0_f64 / 3.0).log2() + 9.0_f64.log2())).abs() < 1e-12);
        // Another masked span is not visible.
        let bits = composition.sequential_bits(b"AAAGCTN", &[0..2, 2..4]);
        let first = (6.0_f64 / 1.0).log2() + (7.0_f64 / 2.0).log2();
        let second = (6.0_f64 / 1.0).log2() + (7.0_f64 / 1.0).log2();
        assert!((bits - first - second).abs() < 1e-12);
    }

    /// The predictive distribution of a Dirichlet prior is exchangeable: the order of the bases of a span does not matter.
    #[test]
    fn the_order_within_a_span_does_not_matter() {
        let composition = Composition { base: [0.3, 0.2, 0.1, 0.4], concentration: 7.0 };
        let bits = |window: &[u8]| composition.sequential_bits(window, &[4..8]);
        assert!((bits(b"ACCAGATTACGT") - bits(b"ACCATTAGACGT")).abs() < 1e-12);
        assert!(bits(b"AAAAAAAAAAAA") < bits(b"CCCCAAAACCCC"));
    }
}
