//! Holm's step-down correction (Holm 1979, Scandinavian Journal of Statistics 6:65): the family-wise error of m tests
//! stays under the level, whatever their dependence.
//!
//! ```
//! use statistics::holm::{holm, smallest_reachable};
//! assert_eq!(holm(&[0.5, 0.01]), vec![0.5, 0.02]);
//! assert_eq!(smallest_reachable(6, 2), 0.0625);
//! ```

use super::{ALPHA, sign_flip::EXACT_PAIRS, sign_flip::smallest_p};

/// Adjusted p of each test, in the order given: monotone in p and at most 1. Values that are not numbers count as 1.
#[must_use]
pub fn holm(p: &[f64]) -> Vec<f64> {
    let clean: Vec<f64> = p.iter().map(|v| if v.is_nan() { 1.0 } else { *v }).collect();
    let mut order: Vec<usize> = (0..clean.len()).collect();
    order.sort_by(|&a, &b| clean[a].total_cmp(&clean[b]));
    let mut adjusted = vec![1.0; clean.len()];
    let mut running = 0.0_f64;
    for (rank, &at) in order.iter().enumerate() {
        running = running.max((clean.len() - rank) as f64 * clean[at]).min(1.0);
        adjusted[at] = running;
    }
    adjusted
}

/// Smallest Holm-adjusted p that any comparison of a family can reach with `seeds` paired seeds: m 2 / 2^seeds, at most 1.
#[must_use]
pub fn smallest_reachable(seeds: usize, comparisons: usize) -> f64 {
    (comparisons.max(1) as f64 * smallest_p(seeds)).min(1.0)
}

/// Fewest seeds with which a family of `comparisons` can be decisive at all; None for more than 26,214 comparisons, which
/// neither the exact test nor the random one resolves.
///
/// ```
/// assert_eq!(statistics::holm::fewest_seeds(2), Some(7));
/// ```
#[must_use]
pub fn fewest_seeds(comparisons: usize) -> Option<usize> {
    (1..=EXACT_PAIRS + 1).find(|&seeds| smallest_reachable(seeds, comparisons) <= ALPHA)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Demšar (JMLR 7, 2006, section 3.2.2): C4.5 against three variants, p = 0.016, 0.019, 0.607; Holm rejects two.
    #[test]
    fn demsar_2006() {
        let adjusted = holm(&[0.607, 0.016, 0.019]);
        assert!((adjusted[1] - 0.048).abs() < 1e-12);
        assert!((adjusted[2] - 0.048).abs() < 1e-12);
        assert!((adjusted[0] - 0.607).abs() < 1e-12);
        assert_eq!(adjusted.iter().filter(|p| **p <= ALPHA).count(), 2);
    }

    #[test]
    fn seeds_needed_to_be_decisive_at_all() {
        assert_eq!(smallest_reachable(7, 2), 0.03125);
        assert_eq!(smallest_reachable(3, 1), 0.25);
        assert_eq!(smallest_reachable(1, 5), 1.0);
        assert_eq!([1, 2, 3, 4, 10].map(fewest_seeds), [6, 7, 7, 8, 9].map(Some));
        assert_eq!([26_214, 26_215].map(fewest_seeds), [Some(20), None]);
    }

    proptest! {
        /// The twin: reject while p_(i) <= alpha / (m - i + 1), for any level.
        #[test]
        fn rejects_what_the_step_down_rejects(p in prop::collection::vec(0.0_f64..1.0, 1..9), alpha in 0.001_f64..0.999) {
            let mut sorted = p.clone();
            sorted.sort_by(f64::total_cmp);
            let m = p.len();
            let rejected = sorted.iter().enumerate().take_while(|(i, v)| **v * (m - i) as f64 <= alpha).count();
            let adjusted = holm(&p);
            prop_assert_eq!(adjusted.iter().filter(|v| **v <= alpha).count(), rejected);
            prop_assert!(adjusted.iter().zip(&p).all(|(a, p)| a >= p && *a <= 1.0));
        }
    }
}
