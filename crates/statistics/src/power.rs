//! Statistical power: the detectable difference for a number of seeds, and the number of seeds for a difference. Used by `plan`
//! and `report`.
//!
//! # Definition
//!
//! Power 80 % refers to *one given comparison out of m in the strictest step of Holm's procedure*: its sign-flip p-value is at
//! most 0.05 / m. Its paired differences over seeds are independent and normal with a true mean of d standard deviations. If
//! other comparisons are significant too, the power is higher; if none is, it is 80 % to within 0.2 % (from false positives
//! among the others).
//!
//! # Computation
//!
//! * Up to [`EXACT_PAIRS`] seeds: Monte Carlo simulation of the test. For a sample z of n standard normals, the p-value of z + d
//!   decreases in d (every subset sum increases), so each sample has a threshold d above which it is significant. The result is
//!   the 0.8 quantile of the thresholds. As a control variate, the paired t test, whose power is a known integral, is applied to
//!   the same samples, so that only the difference between the two tests is subject to sampling error. The random stream is
//!   named "power"; the result is rounded to three decimals.
//! * For more seeds, where the test samples sign assignments at random: the power of the paired t test. It agrees with the
//!   simulation within 1 % from 18 seeds on, for up to 30 comparisons.
//! * `None` for fewer seeds than are required for an adjusted p-value of 0.05.
//!
//! ```
//! use statistics::power::{detectable_effect, seeds_needed};
//! assert_eq!(seeds_needed(0.012, 0.01, 1), Some(14));
//! assert!(detectable_effect(0.012, 14, 1).unwrap() <= 0.01);
//! assert_eq!(detectable_effect(0.012, 3, 1), None); // underpowered: no difference can be significant with three seeds
//! ```

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use rand_chacha::rand_core::Rng;
use statrs::distribution::{ContinuousCDF, Normal, StudentsT};
use statrs::function::gamma::ln_gamma;

use super::holm::{minimum_attainable_p, minimum_seeds};
use super::sign_flip::{EXACT_PAIRS, SubsetSums};
use super::{ALPHA, deviation, mean, stream};

/// Power: probability that a true difference is significant.
pub const POWER: f64 = 0.8;

/// Maximum of [`seeds_needed`].
const MAX_SEEDS: usize = 100_000;

/// Number of Monte Carlo samples, chosen for about 0.2 s: 50,000 up to 12 seeds, 4,096 for 20.
fn draws(seeds: usize) -> usize {
    (1_usize << 22 >> (seeds / 2)).min(50_000)
}

/// Standardized effect size (mean of the paired differences over seeds, divided by their standard deviation) that is significant
/// with power 0.8 in one given comparison out of `comparisons`. `None` if no difference can be significant with `seeds` seeds.
#[must_use]
pub fn standardized_effect(seeds: usize, comparisons: usize) -> Option<f64> {
    static KNOWN: Mutex<BTreeMap<(usize, usize), f64>> = Mutex::new(BTreeMap::new());
    if seeds < 2 || minimum_attainable_p(seeds, comparisons) > ALPHA {
        return None;
    }
    let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let query = (seeds, comparisons.max(1));
    if let Some(effect) = known().get(&query) {
        return Some(*effect);
    }
    let level = ALPHA / query.1 as f64;
    let effect = if seeds <= EXACT_PAIRS {
        // Rounded to the accuracy of the simulation, so that it is equal on all machines.
        (simulated(seeds, level) * 1e3).round() / 1e3
    } else {
        of_t_test(seeds, level)
    };
    known().insert(query, effect);
    Some(effect)
}

/// Smallest true mean difference that is significant with power 0.8, given the standard deviation of the paired differences over
/// seeds. `None` if no difference can be significant with `seeds` seeds.
#[must_use]
pub fn detectable_effect(deviation: f64, seeds: usize, comparisons: usize) -> Option<f64> {
    if !deviation.is_finite() {
        return None;
    }
    standardized_effect(seeds, comparisons).map(|effect| effect * deviation)
}

/// Minimum number of seeds with which a true mean difference of `effect` is significant with power 0.8, given the standard
/// deviation of the paired differences over seeds. `None` if it exceeds 100,000, or for invalid input.
#[must_use]
pub fn seeds_needed(deviation: f64, effect: f64, comparisons: usize) -> Option<usize> {
    if !deviation.is_finite() || deviation < 0.0 || !effect.is_finite() || effect <= 0.0 {
        return None;
    }
    let enough = |seeds| detectable_effect(deviation, seeds, comparisons).is_some_and(|least| least <= effect);
    let fewest = minimum_seeds(comparisons)?;
    if enough(fewest) {
        return Some(fewest);
    }
    // The detectable effect decreases with the number of seeds, so bisection finds the minimum.
    let (mut low, mut high) = (fewest, MAX_SEEDS);
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

/// Standardized effect size by simulation of the exact sign-flip test at `level`.
fn simulated(seeds: usize, level: f64) -> f64 {
    // p is a multiple of 2 / 2^n: at most this many assignments (counted up to sign) may reach the observed sum.
    let most = (level * (1_u64 << (seeds - 1)) as f64).floor() as u64;
    let mut rng = stream("power", seeds as u64);
    let mut normal = || {
        let uniform = ((rng.next_u64() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
        Normal::standard().inverse_cdf(uniform)
    };
    let draws: Vec<Vec<f64>> = (0..draws(seeds)).map(|_| (0..seeds).map(|_| normal()).collect()).collect();
    let wanted = (POWER * draws.len() as f64).ceil() as usize;
    // The t test rejects at t = (mean + d) / (s / sqrt(n)) >= critical, which gives the threshold d of each sample.
    let (critical, root) = (t_quantile(seeds, level), (seeds as f64).sqrt());
    let mut by_t: Vec<f64> = draws.iter().map(|z| critical * deviation(z) / root - mean(z)).collect();
    by_t.sort_by(f64::total_cmp);
    let (by_t, exact_t) = (by_t[wanted - 1], of_t_test(seeds, level));
    let (mut sums, mut moved) = (SubsetSums::default(), vec![0.0; seeds]);
    let by_sign_flip = quantile(&draws, wanted, by_t, |z, effect| {
        moved.iter_mut().zip(z).for_each(|(to, from)| *to = from + effect);
        sums.at_most(&moved, 0.0) <= most
    });
    exact_t + by_sign_flip - by_t
}

/// The effect at which `wanted` of the samples are significant, by bisection; samples are dropped once they are decided.
fn quantile(draws: &[Vec<f64>], wanted: usize, guess: f64, mut significant: impl FnMut(&[f64], f64) -> bool) -> f64 {
    let mut open: Vec<&Vec<f64>> = draws.iter().collect();
    let (mut low, mut high, mut wanted) = (0.0, 8.0 * guess, wanted);
    // The threshold of the sign-flip test is slightly above that of the t test: guesses around it leave few samples open.
    let mut next = [0.99 * guess, 1.03 * guess, 1.2 * guess].into_iter();
    while high - low > 1e-4 * guess && open.len() > 1 {
        let effect = next.next().filter(|e| low < *e && *e < high).unwrap_or((low + high) / 2.0);
        let (yes, no): (Vec<_>, Vec<_>) = open.iter().partition(|z| significant(z, effect));
        if yes.len() >= wanted {
            (high, open) = (effect, yes);
        } else {
            (low, open, wanted) = (effect, no, wanted - yes.len());
        }
    }
    high
}

/// Standardized effect size with power 0.8 in the two-sided paired t test at `level`.
fn of_t_test(seeds: usize, level: f64) -> f64 {
    let critical = t_quantile(seeds, level);
    let (mut low, mut high) = (0.0, 3.0 * critical + 3.0);
    while high - low > 1e-9 {
        let middle = (low + high) / 2.0;
        if t_power(middle, seeds, critical) < POWER { low = middle } else { high = middle }
    }
    high / (seeds as f64).sqrt()
}

/// P(T > critical) for a noncentral t with n - 1 degrees of freedom and noncentrality `shift`: the expectation of
/// Phi(shift - critical u) over u = s / sigma, where (n - 1) u^2 is chi-squared; by Simpson's rule.
fn t_power(shift: f64, seeds: usize, critical: f64) -> f64 {
    const STEPS: usize = 400;
    let freedom = (seeds - 1) as f64;
    let constant = std::f64::consts::LN_2 + freedom / 2.0 * (freedom / 2.0).ln() - ln_gamma(freedom / 2.0);
    let (phi, reach) = (Normal::standard(), 9.0 / (2.0 * freedom).sqrt());
    let (low, high) = ((1.0 - reach).max(1e-9), 1.0 + reach);
    let value =
        |u: f64| (constant + (freedom - 1.0) * u.ln() - freedom * u * u / 2.0).exp() * phi.cdf(shift - critical * u);
    let width = (high - low) / STEPS as f64;
    let weight = |at: usize| if at == 0 || at == STEPS { 1.0 } else { 2.0 + 2.0 * (at % 2) as f64 };
    (0..=STEPS).map(|at| weight(at) * value(low + at as f64 * width)).sum::<f64>() * width / 3.0
}

/// Quantile t(1 - level / 2) with n - 1 degrees of freedom.
fn t_quantile(seeds: usize, level: f64) -> f64 {
    StudentsT::new(0.0, 1.0, (seeds - 1) as f64).map_or(f64::INFINITY, |t| t.inverse_cdf(1.0 - level / 2.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::holm::holm;
    use crate::sign_flip::sign_flip;

    /// Standard normals by the Box-Muller transform, independent of the method under test.
    fn normals(name: &str) -> impl FnMut() -> f64 + use<> {
        let mut rng = stream(name, 1);
        move || {
            let (a, b) = (rng.next_u64(), rng.next_u64());
            let uniform = |v: u64| ((v >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
            (-2.0 * uniform(a).ln()).sqrt() * (std::f64::consts::TAU * uniform(b)).cos()
        }
    }

    /// Fraction of simulated experiments in which the comparison with the effect is significant; the others have no effect.
    fn significant_fraction(effect: f64, seeds: usize, comparisons: usize, trials: usize) -> f64 {
        let mut normal = normals(&format!("{seeds} seeds, {comparisons}"));
        let mut significant = 0;
        for _ in 0..trials {
            let mut p = |mean: f64| {
                let differences: Vec<f64> = (0..seeds).map(|_| mean + normal()).collect();
                sign_flip(&differences, 0).unwrap().p
            };
            let family: Vec<f64> = (0..comparisons).map(|at| p(if at == 0 { effect } else { 0.0 })).collect();
            significant += usize::from(holm(&family)[0] <= ALPHA);
        }
        significant as f64 / trials as f64
    }

    #[test]
    fn the_power_is_80_percent() {
        for seeds in [6, 7, 8, 12] {
            for comparisons in 1..=3 {
                let Some(effect) = standardized_effect(seeds, comparisons) else {
                    assert!(seeds == 6 && comparisons > 1, "{seeds} seeds, {comparisons}");
                    continue;
                };
                // The standard error of 20,000 trials is 0.0028; false positives among the others add at most 0.002.
                let power = significant_fraction(effect, seeds, comparisons, 20_000);
                assert!((power - 0.801).abs() < 0.011, "{seeds} seeds, {comparisons}: {effect} gives {power}");
            }
        }
    }

    /// If only one assignment may reach the sum, all differences must have the same sign: Phi(d)^n = 0.8.
    #[test]
    fn closed_form_where_all_seeds_must_agree() {
        for (seeds, comparisons) in [(6, 1), (7, 2), (7, 3), (9, 10)] {
            let closed = Normal::standard().inverse_cdf(POWER.powf(1.0 / seeds as f64));
            let found = standardized_effect(seeds, comparisons).unwrap();
            assert!((found / closed - 1.0).abs() < 0.01, "{seeds} seeds, {comparisons}: {found}, not {closed}");
        }
    }

    /// Cohen (1988), Table 2.4.1, and G*Power: a two-sided paired t test at 0.05 with power 0.8 requires 34 pairs for dz = 0.5 and
    /// 15 for dz = 0.8.
    #[test]
    fn the_t_test_agrees_with_published_sample_sizes() {
        for (effect, pairs) in [(0.5, 34), (0.8, 15), (0.2, 199)] {
            assert!(of_t_test(pairs, 0.05) <= effect && of_t_test(pairs - 1, 0.05) > effect, "{effect}");
        }
        assert_eq!(seeds_needed(1.0, 0.5, 1), Some(34));
        assert_eq!(seeds_needed(1.0, 0.2, 1), Some(199));
    }

    /// The t test replaces the simulation above 20 seeds; where both are available they differ by less than 1 %.
    #[test]
    fn the_t_test_agrees_with_the_simulation() {
        for (seeds, comparisons) in [(18, 1), (20, 1), (20, 3), (20, 10), (20, 30)] {
            let level = ALPHA / comparisons as f64;
            let (exact, close) = (simulated(seeds, level), of_t_test(seeds, level));
            assert!((close / exact - 1.0).abs() < 0.01, "{seeds} seeds, {comparisons}: {exact} {close}");
        }
        // With 22 seeds, the exact test has the same power, and random assignments give nearly the exact p-value.
        let (effect, mut sums, mut significant) = (standardized_effect(22, 1).unwrap(), SubsetSums::default(), 0);
        let mut normal = normals("beyond");
        for trial in 0..4000 {
            let differences: Vec<f64> = (0..22).map(|_| effect + normal()).collect();
            let p = sums.at_most(&differences, 0.0) as f64 / f64::from(1 << 21);
            significant += u32::from(p <= ALPHA);
            if trial < 20 && differences.iter().sum::<f64>() > 0.0 {
                let random = sign_flip(&differences, trial).unwrap().p;
                assert!((random - p).abs() < 1e-4 + 0.02 * p.sqrt(), "{random} {p}");
            }
        }
        let power = f64::from(significant) / 4000.0;
        assert!((power - 0.8).abs() < 0.025, "{power}");
    }

    #[test]
    fn at_least_the_minimum_seeds_of_the_exact_test() {
        assert_eq!(seeds_needed(1e-9, 1.0, 1), Some(6));
        assert_eq!(seeds_needed(0.0, 1.0, 2), Some(7));
        assert_eq!(seeds_needed(1.0, 0.0, 1), None);
        assert_eq!(seeds_needed(f64::NAN, 0.1, 1), None);
        assert_eq!(seeds_needed(1e9, 1e-9, 1), None);
        assert_eq!(seeds_needed(1.0, 1.0, 100_000), None);
        assert_eq!([3, 5, 6].map(|seeds| standardized_effect(seeds, 1).is_some()), [false, false, true]);
        assert_eq!([6, 7].map(|seeds| standardized_effect(seeds, 3).is_some()), [false, true]);
    }

    #[test]
    fn effect_and_seeds_are_inverse() {
        for (sd, effect, m) in [(0.05, 0.01, 1), (0.009, 0.01, 3), (0.02, 0.015, 6)] {
            let n = seeds_needed(sd, effect, m).unwrap();
            assert!(detectable_effect(sd, n, m).unwrap() <= effect);
            assert!(detectable_effect(sd, n - 1, m).is_none_or(|least| least > effect));
        }
        assert_eq!(detectable_effect(0.1, 5, 1), None);
    }

    #[test]
    fn the_effect_decreases_with_seeds_and_increases_with_comparisons() {
        for comparisons in [1, 3] {
            let seeds = [6, 7, 8, 9, 10, 12, 14, 17, 20, 21, 22, 30, 1000];
            let all: Vec<f64> = seeds.iter().filter_map(|seeds| standardized_effect(*seeds, comparisons)).collect();
            assert!(all.windows(2).all(|pair| pair[1] < pair[0]), "{comparisons}: {all:?}");
        }
        assert!(standardized_effect(12, 1) < standardized_effect(12, 2));
    }
}
