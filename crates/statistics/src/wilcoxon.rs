//! Two-sided Wilcoxon signed-rank test with Pratt's treatment of zeros (Pratt, JASA 54:655, 1959): zeros are ranked with the other
//! differences, then their ranks are dropped. Exact for up to [`EXACT_PAIRS`] non-zero differences, ties included (dynamic
//! programming over doubled midranks); otherwise the normal approximation with the variance corrected for zeros and ties.
//!
//! ```
//! let test = statistics::wilcoxon::wilcoxon(&[1.0, 2.0, 3.0, 4.0, 5.0]).unwrap();
//! assert_eq!((test.plus, test.minus, test.p), (15.0, 0.0, 0.0625));
//! ```

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, Normal};

use super::{Error, check, midranks};

/// Maximum number of non-zero differences for the exact test.
pub const EXACT_PAIRS: usize = 25;

/// Result of the test.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Wilcoxon {
    /// R+, the sum of the ranks of positive differences.
    pub plus: f64,
    /// R-, the sum of the ranks of negative differences.
    pub minus: f64,
    /// Number of differences, zeros included.
    pub pairs: usize,
    /// Number of differences that are zero.
    pub zeros: usize,
    /// Two-sided p-value.
    pub p: f64,
    /// True if `p` is exact.
    pub exact: bool,
}

impl Wilcoxon {
    /// Matched-pairs rank-biserial correlation (R+ - R-) / (R+ + R-), the effect size; 0 if all differences are zero.
    #[must_use]
    pub fn rank_biserial(&self) -> f64 {
        let all = self.plus + self.minus;
        if all > 0.0 { (self.plus - self.minus) / all } else { 0.0 }
    }
}

/// Tests paired differences (one per task) for symmetry around zero.
///
/// # Errors
/// If there are no differences, or one is not finite.
pub fn wilcoxon(differences: &[f64]) -> Result<Wilcoxon, Error> {
    check(differences)?;
    let magnitudes: Vec<f64> = differences.iter().map(|d| d.abs()).collect();
    let ranks = midranks(&magnitudes);
    let zeros = differences.iter().filter(|d| **d == 0.0).count();
    let side = |positive: bool| -> f64 {
        differences.iter().zip(&ranks).filter(|(d, _)| **d != 0.0 && (**d > 0.0) == positive).map(|(_, r)| r).sum()
    };
    let (plus, minus, pairs) = (side(true), side(false), differences.len());
    let nonzero: Vec<f64> = differences.iter().zip(&ranks).filter(|(d, _)| **d != 0.0).map(|(_, r)| *r).collect();
    let exact = nonzero.len() <= EXACT_PAIRS;
    let p = if nonzero.is_empty() {
        1.0
    } else if exact {
        exact_p(&nonzero, plus.min(minus))
    } else {
        // Under the null hypothesis each rank is positive with probability 1/2: the variance is sum r^2 / 4, which includes the
        // corrections for zeros and ties.
        let center = nonzero.iter().sum::<f64>() / 2.0;
        let sd = (nonzero.iter().map(|r| r * r).sum::<f64>() / 4.0).sqrt();
        let z = ((plus.min(minus) - center) / sd).min(0.0);
        (2.0 * Normal::standard().cdf(z)).min(1.0)
    };
    Ok(Wilcoxon { plus, minus, pairs, zeros, p, exact })
}

/// min(1, 2 P(W <= smaller)), where W sums each rank with probability 1/2. Doubled midranks are integers.
fn exact_p(ranks: &[f64], smaller: f64) -> f64 {
    let doubled: Vec<usize> = ranks.iter().map(|r| (2.0 * r).round() as usize).collect();
    let mut ways = vec![0.0_f64; doubled.iter().sum::<usize>() + 1];
    ways[0] = 1.0;
    for &rank in &doubled {
        for sum in (rank..ways.len()).rev() {
            ways[sum] += ways[sum - rank];
        }
    }
    let bar = (2.0 * smaller).round() as usize;
    let tail: f64 = ways[..=bar].iter().sum();
    (2.0 * tail / 2.0_f64.powi(ranks.len() as i32)).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Demšar (2006), Table 2: C4.5 and C4.5+m on 14 data sets. He divides the ranks of the two zeros (1.5 each) evenly, which
    /// gives R+ = 93, R- = 12; Pratt drops them.
    #[test]
    fn demsar_2006_table_2() {
        let d = [0.005, -0.008, 0.017, 0.033, 0.006, -0.005, 0.007, 0.0, 0.063, 0.0, 0.022, 0.047, 0.009, 0.021];
        let test = wilcoxon(&d).unwrap();
        assert_eq!((test.plus + 1.5, test.minus + 1.5), (93.0, 12.0));
        assert_eq!((test.zeros, test.pairs, test.exact), (2, 14, true));
        assert!(test.p < 0.05);
    }

    /// Published critical value: T = 21 is the largest value rejected at 0.05 for N = 14 without ties.
    #[test]
    fn published_critical_value() {
        let ranks: Vec<f64> = (1..=14).map(f64::from).collect();
        assert!(exact_p(&ranks, 21.0) <= 0.05);
        assert!(exact_p(&ranks, 22.0) > 0.05);
    }

    #[test]
    fn large_samples_use_the_normal_approximation() {
        let d: Vec<f64> = (1..=30).map(|i| f64::from(i) * if i % 3 == 0 { -1.0 } else { 1.0 }).collect();
        let test = wilcoxon(&d).unwrap();
        assert!(!test.exact);
        // Mean 232.5, sd 48.617, R- = 165: z = -1.388, p = 0.165.
        assert_eq!(test.minus, 165.0);
        assert!((test.p - 0.165).abs() < 0.001, "{}", test.p);
        assert!((test.rank_biserial() - 135.0 / 465.0).abs() < 1e-12);
    }

    proptest! {
        /// Reference implementation: enumerates all signs of the non-zero ranks.
        #[test]
        fn equals_enumeration(d in prop::collection::vec(-5_i32..6, 1..11)) {
            let real: Vec<f64> = d.iter().map(|&v| f64::from(v) * 0.1).collect();
            let test = wilcoxon(&real).unwrap();
            let ranks = midranks(&real.iter().map(|v| v.abs()).collect::<Vec<_>>());
            let kept: Vec<f64> = real.iter().zip(&ranks).filter(|(d, _)| **d != 0.0).map(|(_, r)| *r).collect();
            let bar = test.plus.min(test.minus);
            let hits = (0..1_u32 << kept.len())
                .filter(|bits| kept.iter().enumerate().filter(|(i, _)| bits >> i & 1 == 1).map(|(_, r)| r).sum::<f64>() <= bar)
                .count();
            let expected = (2.0 * hits as f64 / f64::from(1_u32 << kept.len())).min(1.0);
            prop_assert!((test.p - expected).abs() < 1e-12);
        }
    }
}
