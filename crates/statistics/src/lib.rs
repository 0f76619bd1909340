//! Statistics of a comparison on plain slices of numbers: tests, multiple-comparison correction, intervals and power. Tests are
//! exact where feasible.
//!
//! | module | content |
//! |---|---|
//! | [`sign_flip`] | exact paired sign-flip test over seeds |
//! | [`holm`] | Holm's correction for multiple comparisons |
//! | [`bootstrap`], [`draws`] | resampling of seeds and text; confidence intervals (`±`) and simultaneous intervals |
//! | [`decision`] | the decision rule: both conditions of a significant difference |
//! | [`wilcoxon`], [`friedman`] | tests across tasks |
//! | [`power`] | detectable difference and required number of seeds |
//! | [`classes`] | Matthews correlation, macro F1, accuracy |
//! | [`correlation`] | Pearson and Spearman correlation, area under the ROC curve |
//! | [`text`] | formatting of numbers |
//!
//! ```
//! use statistics::{holm::holm, sign_flip::sign_flip};
//! let test = sign_flip(&[-0.02, -0.03, -0.01, -0.02, -0.04, -0.02, -0.03], 0).unwrap();
//! assert_eq!(test.p, 2.0 / 128.0);
//! assert_eq!(holm(&[test.p, 0.5]), vec![0.03125, 0.5]);
//! ```

pub mod bootstrap;
pub mod classes;
pub mod correlation;
pub mod decision;
pub mod draws;
pub mod friedman;
pub mod holm;
mod metric;
pub mod power;
pub mod sign_flip;
pub mod text;
pub mod wilcoxon;

pub use metric::Metric;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Significance level of all tests, and 1 - coverage of all intervals: 5 %.
pub const ALPHA: f64 = 0.05;

/// Why a statistic could not be computed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There are no observations.
    #[error("no observations")]
    Empty,
    /// An observation is infinite or NaN.
    #[error("an observation is not a finite number")]
    NotFinite,
    /// The dimensions of the inputs do not match.
    #[error("dimension mismatch: {0}")]
    Shape(String),
    /// The value is not tabulated.
    #[error("{0}")]
    OutOfTable(String),
}

/// A deterministic random stream by name and seed, equal on all machines.
pub fn stream(name: &str, seed: u64) -> ChaCha8Rng {
    // FNV-1a, so that names give different streams.
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    ChaCha8Rng::seed_from_u64(seed ^ hash)
}

/// A uniform integer below `n` by multiplication; the bias of n / 2^64 is negligible for resampling.
pub fn below(rng: &mut ChaCha8Rng, n: usize) -> usize {
    ((u128::from(rng.next_u64()) * n as u128) >> 64) as usize
}

/// Arithmetic mean; NaN without observations.
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Median, the upper one of an even number; sorts. None for no observations.
pub fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

/// Sample standard deviation (denominator n - 1); 0 for fewer than two observations.
pub fn deviation(values: &[f64]) -> f64 {
    if values.len() < 2 {
        return 0.0;
    }
    let center = mean(values);
    (values.iter().map(|v| (v - center).powi(2)).sum::<f64>() / (values.len() - 1) as f64).sqrt()
}

/// Rejects an empty slice and values that are not finite.
pub fn check(values: &[f64]) -> Result<(), Error> {
    if values.is_empty() {
        return Err(Error::Empty);
    }
    if values.iter().any(|v| !v.is_finite()) {
        return Err(Error::NotFinite);
    }
    Ok(())
}

/// Midranks: ascending ranks from 1, with the average rank for ties.
pub fn midranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut start = 0;
    while start < order.len() {
        let first = values[order[start]];
        let mut end = start + 1;
        while end < order.len() && close(values[order[end]], first) {
            end += 1;
        }
        for &at in &order[start..end] {
            ranks[at] = (start + 1 + end) as f64 / 2.0;
        }
        start = end;
    }
    ranks
}

/// Equality with a relative tolerance of 1e-9, so that ties do not depend on the order of summation.
fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * a.abs().max(b.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn midranks_share_ties() {
        assert_eq!(midranks(&[3.0, 1.0, 3.0, 2.0]), vec![3.5, 1.0, 3.5, 2.0]);
        assert_eq!(midranks(&[0.1 + 0.2, 0.3]), vec![1.5, 1.5]);
    }

    #[test]
    fn streams_differ_by_name_and_repeat_by_seed() {
        let draw = |name, seed| (0..8).map(|_| below(&mut stream(name, seed), 1000)).collect::<Vec<_>>();
        assert_eq!(draw("a", 1), draw("a", 1));
        assert_ne!(draw("a", 1), draw("b", 1));
        let mut rng = stream("range", 3);
        assert!((0..1000).all(|_| below(&mut rng, 7) < 7));
    }

    #[test]
    fn the_median_is_one_of_the_values() {
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&mut [4.0, 1.0, 3.0, 2.0]), Some(3.0));
        assert_eq!(median(&mut []), None);
    }

    #[test]
    fn deviation_is_the_sample_standard_deviation() {
        assert!((deviation(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]) - (32.0_f64 / 7.0).sqrt()).abs() < 1e-12);
        assert_eq!(check(&[]), Err(Error::Empty));
        assert_eq!(check(&[f64::NAN]), Err(Error::NotFinite));
    }
}
