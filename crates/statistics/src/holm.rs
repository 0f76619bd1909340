//! Holm's step-down correction for multiple comparisons (Holm, Scandinavian Journal of Statistics 6:65, 1979). It controls the
//! family-wise error rate of m tests under any dependence.
//!
//! ```
//! use statistics::holm::{holm, minimum_attainable_p};
//! assert_eq!(holm(&[0.5, 0.01]), vec![0.5, 0.02]);
//! assert_eq!(minimum_attainable_p(6, 2), 0.0625);
//! ```

use super::{ALPHA, sign_flip::EXACT_PAIRS, sign_flip::minimum_p};

/// Adjusted p-values in the order of `p`: max over j <= i of (m - j + 1) p_(j), at most 1. NaN counts as 1.
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

/// Minimum attainable Holm-adjusted p-value of the exact sign-flip test for `comparisons` = m and `seeds` = n:
/// min(1, m 2 / 2^n).
#[must_use]
pub fn minimum_attainable_p(seeds: usize, comparisons: usize) -> f64 {
    (comparisons.max(1) as f64 * minimum_p(seeds)).min(1.0)
}

/// Minimum number of seeds with which a difference can be significant; `None` for more than 26,214 comparisons, which exceed
/// the resolution of the exact and of the Monte Carlo test.
///
/// ```
/// assert_eq!(statistics::holm::minimum_seeds(2), Some(7));
/// ```
#[must_use]
pub fn minimum_seeds(comparisons: usize) -> Option<usize> {
    (1..=EXACT_PAIRS + 1).find(|&seeds| minimum_attainable_p(seeds, comparisons) <= ALPHA)
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
    fn minimum_seeds_for_significance() {
        assert_eq!(minimum_attainable_p(7, 2), 0.03125);
        assert_eq!(minimum_attainable_p(3, 1), 0.25);
        assert_eq!(minimum_attainable_p(1, 5), 1.0);
        assert_eq!([1, 2, 3, 4, 10].map(minimum_seeds), [6, 7, 7, 8, 9].map(Some));
        assert_eq!([26_214, 26_215].map(minimum_seeds), [Some(20), None]);
    }

    proptest! {
        /// Definition of the procedure: reject while p_(i) <= alpha / (m - i + 1), for any level.
        #[test]
        fn adjusted_p_values_reject_as_the_step_down_procedure(p in prop::collection::vec(0.0_f64..1.0, 1..9), alpha in 0.001_f64..0.999) {
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
