//! How many seeds would be needed, and what the seeds at hand can see.
//!
//! Planned for the two-sided level 0.05 / m of a family of m comparisons and a power of 0.8, by the t approximation
//! n >= ((t(1 - alpha / 2m) + t(0.8)) sd / d)^2 (both quantiles with n - 1 degrees of freedom), and never fewer seeds than
//! the exact sign-flip test needs to reach the adjusted 0.05 at all.
//!
//! ```
//! use report::statistics::power::{detectable_effect, seeds_needed};
//! assert_eq!(seeds_needed(0.012, 0.01, 1), Some(14));
//! assert!(detectable_effect(0.012, 14, 1).unwrap() <= 0.01);
//! assert_eq!(detectable_effect(0.012, 3, 1), None); // three seeds can never be decisive
//! ```

use statrs::distribution::{ContinuousCDF, StudentsT};

use super::{ALPHA, holm::fewest_seeds};

/// Chance of seeing the difference if it is there.
pub const POWER: f64 = 0.8;

/// More seeds than this are not "about N seeds" but "never".
const MOST_SEEDS: usize = 100_000;

/// Fewest paired seeds with which a true mean difference of `effect` is decisive with power 0.8, given the standard
/// deviation of paired differences over seeds. None if more than 100,000 or if the inputs make no sense.
#[must_use]
pub fn seeds_needed(deviation: f64, effect: f64, comparisons: usize) -> Option<usize> {
    if !deviation.is_finite() || deviation < 0.0 || !effect.is_finite() || effect <= 0.0 {
        return None;
    }
    let fewest = fewest_seeds(comparisons).max(2);
    let enough = |n: usize| multiplier(n, comparisons) * deviation / (n as f64).sqrt() <= effect;
    if enough(fewest) {
        return Some(fewest);
    }
    // The bound falls with n, so bisection finds the first that is enough.
    let (mut low, mut high) = (fewest, MOST_SEEDS);
    if !enough(high) {
        return None;
    }
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if enough(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    Some(high)
}

/// Smallest true mean difference that `seeds` paired seeds show with power 0.8. None if they can never be decisive.
#[must_use]
pub fn detectable_effect(deviation: f64, seeds: usize, comparisons: usize) -> Option<f64> {
    (seeds >= fewest_seeds(comparisons).max(2) && deviation.is_finite())
        .then(|| multiplier(seeds, comparisons) * deviation / (seeds as f64).sqrt())
}

/// t(1 - alpha / 2m, n - 1) + t(power, n - 1).
fn multiplier(seeds: usize, comparisons: usize) -> f64 {
    StudentsT::new(0.0, 1.0, (seeds - 1) as f64)
        .map_or(f64::INFINITY, |t| t.inverse_cdf(1.0 - ALPHA / (2 * comparisons.max(1)) as f64) + t.inverse_cdf(POWER))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Textbook (Cohen 1988, table 2.4.1 by way of G*Power): a paired t test with dz = 0.5, power 0.8 needs 34 pairs;
    /// dz = 0.8 needs 15. The approximation may differ by one.
    #[test]
    fn agrees_with_published_sample_sizes() {
        assert!(seeds_needed(1.0, 0.5, 1).unwrap().abs_diff(34) <= 1);
        assert!(seeds_needed(1.0, 0.8, 1).unwrap().abs_diff(15) <= 1);
    }

    #[test]
    fn never_fewer_than_the_exact_test_needs() {
        assert_eq!(seeds_needed(1e-9, 1.0, 1), Some(6));
        assert_eq!(seeds_needed(0.0, 1.0, 2), Some(7));
        assert_eq!(seeds_needed(1.0, 0.0, 1), None);
        assert_eq!(seeds_needed(f64::NAN, 0.1, 1), None);
        assert_eq!(seeds_needed(1e9, 1e-9, 1), None);
    }

    #[test]
    fn effect_and_seeds_are_inverse() {
        for (sd, effect, m) in [(0.05, 0.01, 1), (0.009, 0.01, 3), (0.02, 0.015, 6)] {
            let n = seeds_needed(sd, effect, m).unwrap();
            assert!(detectable_effect(sd, n, m).unwrap() <= effect);
            assert!(n == fewest_seeds(m) || detectable_effect(sd, n - 1, m).unwrap() > effect);
        }
        assert_eq!(detectable_effect(0.1, 5, 1), None);
    }
}
