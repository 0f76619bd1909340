//! Statistical power of the decision rule: the detectable difference for a number of seeds, and the number of seeds for a
//! difference. Used by `plan` and `report`.
//!
//! # Definition
//!
//! Power 80 % refers to *one given comparison out of m in the strictest step of Holm's procedure*: its sign-flip p-value is at
//! most 0.05 / m, and its simultaneous interval excludes 0 ([`decision`](crate::decision)). If other comparisons are significant
//! too, the power is higher.
//!
//! # Model
//!
//! Two-way with random effects: difference(seed, block) = effect + seed effect + block effect + residual, all normal. The scores
//! of n seeds are effect + text + seed effects, where *text* has the standard error of the test text, common to all seeds
//! ([`TextError`], known from the blocks of earlier records), and the seed effects have the standard deviation of the paired
//! differences over seeds. The half-width of the interval is sqrt(t_B^2 text^2 + t^2 s^2 / n) with the quantiles of Student's t at
//! 1 - 0.05 / (2 m) for the degrees of freedom of blocks and of seeds. More seeds do not reduce the text error: below about
//! (t_B + 0.84) text, no number of seeds detects a difference. If the text error is not known, only seeds are modelled, and the
//! detectable difference is a lower bound.
//!
//! # Computation
//!
//! * The power of the interval is an integral over the distribution of s, computed by Simpson's rule; without text, it is that of
//!   the paired t test.
//! * Up to [`SIMULATED_SEEDS`] seeds, the sign-flip test adds to it by simulation: the p-value of z + d decreases in d (every subset
//!   sum increases), so each sample z of n standard normals has a threshold above which it is at most 0.05 / m. The 0.8 quantiles
//!   over the same samples, with and without the test, give the difference. The result is rounded to three decimals.
//! * For more seeds the interval is the stricter condition.
//! * `None` for fewer seeds than are required for an adjusted p-value of 0.05.
//!
//! ```
//! use statistics::{draws::TextError, power::{Spread, detectable_effect, seeds_needed}};
//! let seeds_only = Spread { seeds: 0.012, text: None };
//! assert_eq!(seeds_needed(seeds_only, 0.01, 1), Some(14));
//! assert!(detectable_effect(seeds_only, 14, 1).unwrap() <= 0.01);
//! assert_eq!(detectable_effect(seeds_only, 3, 1), None); // underpowered: no difference can be significant with three seeds
//! let both = Spread { text: Some(TextError { error: 0.004, freedom: 159 }), ..seeds_only };
//! assert_eq!(seeds_needed(both, 0.01, 1), None); // more text is needed, not more seeds
//! ```

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use rand_chacha::rand_core::Rng;
use statrs::distribution::{ContinuousCDF, Normal, StudentsT};
use statrs::function::gamma::ln_gamma;

use super::draws::TextError;
use super::holm::{minimum_attainable_p, minimum_seeds};
use super::{ALPHA, deviation, mean, stream};

/// Power: probability that a true difference is significant.
pub const POWER: f64 = 0.8;

/// Maximum number of seeds for which the sign-flip test is simulated.
pub const SIMULATED_SEEDS: usize = 14;

/// Maximum of [`seeds_needed`].
const MAX_SEEDS: usize = 100_000;

/// Variation of a paired difference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// Standard deviation over seeds.
    pub seeds: f64,
    /// Standard error from the test text; None if it is not known.
    pub text: Option<TextError>,
}

impl Spread {
    fn is_valid(&self) -> bool {
        let valid = |v: f64| v.is_finite() && v >= 0.0;
        valid(self.seeds) && self.text.is_none_or(|text| valid(text.error))
    }
}

/// Smallest true mean difference that is significant with power 0.8 in one given comparison out of `comparisons`. `None` if no
/// difference can be significant with `seeds` seeds, or for invalid input.
#[must_use]
pub fn detectable_effect(spread: Spread, seeds: usize, comparisons: usize) -> Option<f64> {
    if seeds < 2 || minimum_attainable_p(seeds, comparisons) > ALPHA || !spread.is_valid() {
        return None;
    }
    let rule = Rule::new(seeds, comparisons.max(1), spread.text);
    // In units of the standard deviation over seeds; without any, of a millionth of the text error.
    let unit = if spread.seeds > 0.0 { spread.seeds } else { rule.text * 1e-6 };
    if unit <= 0.0 {
        return Some(0.0);
    }
    let text = rule.text / unit;
    let mut effect = rule.of_interval(text);
    if seeds <= SIMULATED_SEEDS {
        // Rounded to the accuracy of the simulation, so that it is equal on all machines.
        effect = ((effect + rule.of_sign_flip(text)) * 1e3).round() / 1e3;
    }
    Some(effect * unit)
}

/// Minimum number of seeds with which a true mean difference of `effect` is significant with power 0.8. `None` if it exceeds
/// 100,000 - then the test text is too short - or for invalid input.
#[must_use]
pub fn seeds_needed(spread: Spread, effect: f64, comparisons: usize) -> Option<usize> {
    if !effect.is_finite() || effect <= 0.0 {
        return None;
    }
    let enough = |seeds| detectable_effect(spread, seeds, comparisons).is_some_and(|least| least <= effect);
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

/// The conditions of one comparison at Holm's strictest step.
struct Rule {
    seeds: usize,
    comparisons: usize,
    /// Standard error of the text in bits per base.
    text: f64,
    /// Quantiles of Student's t for the text and for the seeds.
    quantiles: [f64; 2],
}

impl Rule {
    fn new(seeds: usize, comparisons: usize, text: Option<TextError>) -> Rule {
        let level = ALPHA / comparisons as f64;
        let blocks = text.map_or(0.0, |text| if text.freedom > 0 { t_quantile(text.freedom, level) } else { 0.0 });
        let text = text.filter(|text| text.freedom > 0).map_or(0.0, |text| text.error);
        Rule { seeds, comparisons, text, quantiles: [blocks, t_quantile(seeds - 1, level)] }
    }

    /// Half-width of the simultaneous interval for the text error and the standard deviation over seeds.
    fn half_width(&self, text: f64, s: f64) -> f64 {
        let [blocks, seeds] = self.quantiles;
        (blocks * text).hypot(seeds * s / (self.seeds as f64).sqrt())
    }

    /// Effect at which the interval excludes 0 with power 0.8, in standard deviations over seeds.
    fn of_interval(&self, text: f64) -> f64 {
        let sd = text.hypot(1.0 / (self.seeds as f64).sqrt());
        let (mut low, mut high) = (0.0, 4.0 * (self.half_width(text, 3.0) + sd));
        while high - low > 1e-7 * high {
            let middle = (low + high) / 2.0;
            if self.power_of_interval(middle, text, sd) < POWER { low = middle } else { high = middle }
        }
        high
    }

    /// E Phi((effect - half-width(s)) / sd) over s, where (n - 1) s^2 is chi-squared; by Simpson's rule.
    fn power_of_interval(&self, effect: f64, text: f64, sd: f64) -> f64 {
        const STEPS: usize = 400;
        let freedom = (self.seeds - 1) as f64;
        let constant = std::f64::consts::LN_2 + freedom / 2.0 * (freedom / 2.0).ln() - ln_gamma(freedom / 2.0);
        let (phi, reach) = (Normal::standard(), 9.0 / (2.0 * freedom).sqrt());
        let (low, high) = ((1.0 - reach).max(1e-9), 1.0 + reach);
        let value = |s: f64| {
            let density = (constant + (freedom - 1.0) * s.ln() - freedom * s * s / 2.0).exp();
            density * phi.cdf((effect - self.half_width(text, s)) / sd)
        };
        let width = (high - low) / STEPS as f64;
        let weight = |at: usize| if at == 0 || at == STEPS { 1.0 } else { 2.0 + 2.0 * (at % 2) as f64 };
        (0..=STEPS).map(|at| weight(at) * value(low + at as f64 * width)).sum::<f64>() * width / 3.0
    }

    /// What the sign-flip test adds to [`Rule::of_interval`].
    fn of_sign_flip(&self, text: f64) -> f64 {
        let samples = samples(self.seeds, self.comparisons);
        let quantile = |threshold: &dyn Fn(&Sample) -> f64| {
            let mut all: Vec<f64> = samples.iter().map(|sample| threshold(sample) - text * sample.text).collect();
            let wanted = (POWER * all.len() as f64).ceil() as usize - 1;
            *all.select_nth_unstable_by(wanted, f64::total_cmp).1
        };
        let interval = |sample: &Sample| self.half_width(text, sample.deviation) - sample.mean;
        quantile(&|sample| interval(sample).max(sample.sign_flip)) - quantile(&interval)
    }
}

/// Standard normal scores of n seeds and of the text.
struct Sample {
    mean: f64,
    deviation: f64,
    /// Effect above which the sign-flip p-value is at most 0.05 / m.
    sign_flip: f64,
    text: f64,
}

/// Samples for a number of seeds and comparisons, from the random stream named "power".
fn samples(seeds: usize, comparisons: usize) -> Arc<Vec<Sample>> {
    type Known = BTreeMap<(usize, usize), Arc<Vec<Sample>>>;
    static KNOWN: Mutex<Known> = Mutex::new(BTreeMap::new());
    let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(found) = known().get(&(seeds, comparisons)) {
        return Arc::clone(found);
    }
    // p is a multiple of 2 / 2^n: at most this many assignments (counted up to sign) may reach the observed sum.
    let most = (ALPHA / comparisons as f64 * (1_u64 << (seeds - 1)) as f64).floor() as usize;
    let mut rng = stream("power", seeds as u64);
    let mut normal = || {
        let uniform = ((rng.next_u64() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
        Normal::standard().inverse_cdf(uniform)
    };
    let mut subsets = Vec::new();
    let mut one = || {
        let z: Vec<f64> = (0..seeds).map(|_| normal()).collect();
        let sign_flip = threshold(&z, most, &mut subsets);
        Sample { mean: mean(&z), deviation: deviation(&z), sign_flip, text: normal() }
    };
    // About 0.1 s.
    let samples: Arc<Vec<Sample>> = Arc::new((0..(1_usize << 23 >> seeds).min(20_000)).map(|_| one()).collect());
    known().insert((seeds, comparisons), Arc::clone(&samples));
    samples
}

/// Effect d above which at most `most` subsets of z + d, the empty one included, have a sum <= 0, so that so many assignments reach
/// the observed sum: the sum over a subset A is <= 0 if d <= - mean of z over A, so d is the largest but `most` - 1 of these.
fn threshold(z: &[f64], most: usize, subsets: &mut Vec<f64>) -> f64 {
    subsets.clear();
    subsets.push(0.0);
    for value in z {
        for at in 0..subsets.len() {
            subsets.push(subsets[at] - value);
        }
    }
    for (at, sum) in subsets.iter_mut().enumerate() {
        *sum /= f64::from((at as u32).count_ones().max(1));
    }
    let means = &mut subsets[1..];
    let place = means.len() - most;
    *means.select_nth_unstable_by(place, f64::total_cmp).1
}

/// Quantile t(1 - level / 2) with so many degrees of freedom: half the width of a two-sided interval of that error, in standard errors.
#[must_use]
pub fn t_quantile(freedom: usize, level: f64) -> f64 {
    StudentsT::new(0.0, 1.0, freedom as f64).map_or(f64::INFINITY, |t| t.inverse_cdf(1.0 - level / 2.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sign_flip::sign_flip;

    const fn seeds_only(seeds: f64) -> Spread {
        Spread { seeds, text: None }
    }

    fn both(seeds: f64, text: f64) -> Spread {
        Spread { seeds, text: Some(TextError { error: text, freedom: 15 }) }
    }

    /// At the threshold of a sample, the p-value of the test crosses 0.05 / m.
    #[test]
    fn thresholds_are_those_of_the_test() {
        let mut rng = stream("thresholds", 0);
        for (seeds, comparisons) in [(6, 1), (7, 3), (8, 6), (8, 1), (11, 4)] {
            let most = (ALPHA / comparisons as f64 * f64::from(1 << (seeds - 1))).floor() as usize;
            for _ in 0..50 {
                let z: Vec<f64> =
                    (0..seeds).map(|_| (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64 - 0.5).collect();
                let bar = threshold(&z, most, &mut Vec::new());
                let p = |d: f64| sign_flip(&z.iter().map(|v| v + d).collect::<Vec<_>>(), 0).unwrap().p;
                assert!(p(bar + 1e-6) <= ALPHA / comparisons as f64 && p(bar - 1e-6) > ALPHA / comparisons as f64);
            }
        }
    }

    /// Without text, the interval is that of the paired t test. Cohen (1988), Table 2.4.1, and G*Power: at 0.05 with power 0.8 it
    /// requires 34 pairs for dz = 0.5, 15 for dz = 0.8 and 199 for dz = 0.2.
    #[test]
    fn the_interval_agrees_with_published_sample_sizes_of_the_t_test() {
        for (effect, pairs) in [(0.5, 34), (0.8, 15), (0.2, 199)] {
            let of = |pairs| Rule::new(pairs, 1, None).of_interval(0.0);
            assert!(of(pairs) <= effect && of(pairs - 1) > effect, "{effect}");
            assert_eq!(seeds_needed(seeds_only(1.0), effect, 1), Some(pairs));
        }
    }

    /// If all seeds must agree and there is no text, the effect is at least that with Phi(d)^n = 0.8.
    #[test]
    fn at_least_the_closed_form_where_all_seeds_must_agree() {
        for (seeds, comparisons) in [(6, 1), (7, 2), (7, 3), (9, 10)] {
            let closed = Normal::standard().inverse_cdf(POWER.powf(1.0 / seeds as f64));
            let found = detectable_effect(seeds_only(1.0), seeds, comparisons).unwrap();
            assert!((0.99..1.25).contains(&(found / closed)), "{seeds} seeds, {comparisons}: {found}, not {closed}");
        }
    }

    #[test]
    fn text_limits_what_seeds_can_detect() {
        let few = detectable_effect(both(0.003, 0.004), 8, 2).unwrap();
        let many = detectable_effect(both(0.003, 0.004), 10_000, 2).unwrap();
        // (t(0.9875, 15) + z(0.8)) 0.004 with t = 2.490.
        assert!((many - (2.490 + 0.8416) * 0.004).abs() < 2e-5 && few > many, "{few} {many}");
        assert_eq!(seeds_needed(both(0.003, 0.004), 0.01, 2), None);
        assert!(seeds_needed(both(0.003, 0.001), 0.01, 2).unwrap() >= 7);
        // No variation over seeds: the same limit.
        let limit = detectable_effect(both(0.0, 0.004), 8, 2).unwrap();
        assert!((limit / many - 1.0).abs() < 1e-3, "{limit} {many}");
        assert_eq!(detectable_effect(both(0.0, 0.0), 8, 2), Some(0.0));
    }

    #[test]
    fn at_least_the_minimum_seeds_of_the_exact_test() {
        assert_eq!(seeds_needed(seeds_only(1e-9), 1.0, 1), Some(6));
        assert_eq!(seeds_needed(seeds_only(0.0), 1.0, 2), Some(7));
        assert_eq!(seeds_needed(seeds_only(1.0), 0.0, 1), None);
        assert_eq!(seeds_needed(seeds_only(f64::NAN), 0.1, 1), None);
        assert_eq!(seeds_needed(seeds_only(1e9), 1e-9, 1), None);
        assert_eq!(seeds_needed(seeds_only(1.0), 1.0, 100_000), None);
        assert_eq!(detectable_effect(both(1.0, f64::NAN), 8, 1), None);
        let possible = |seeds, m| detectable_effect(seeds_only(1.0), seeds, m).is_some();
        assert_eq!([3, 5, 6].map(|seeds| possible(seeds, 1)), [false, false, true]);
        assert_eq!([6, 7].map(|seeds| possible(seeds, 3)), [false, true]);
    }

    #[test]
    fn effect_and_seeds_are_inverse() {
        for (spread, effect, m) in
            [(seeds_only(0.05), 0.01, 1), (seeds_only(0.009), 0.01, 3), (both(0.02, 0.003), 0.015, 6)]
        {
            let n = seeds_needed(spread, effect, m).unwrap();
            assert!(detectable_effect(spread, n, m).unwrap() <= effect);
            assert!(detectable_effect(spread, n - 1, m).is_none_or(|least| least > effect));
        }
    }

    #[test]
    fn the_effect_decreases_with_seeds_and_increases_with_comparisons_and_text() {
        let effect = |spread, seeds, m| detectable_effect(spread, seeds, m);
        for (comparisons, text) in [(1, 0.0), (3, 0.0), (3, 1.0)] {
            let seeds = [6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 17, 20, 21, 22, 30, 1000];
            let all: Vec<f64> = seeds.iter().filter_map(|n| effect(both(1.0, text), *n, comparisons)).collect();
            assert!(all.windows(2).all(|pair| pair[1] < pair[0]), "{comparisons}, {text}: {all:?}");
        }
        assert!(effect(seeds_only(1.0), 12, 1) < effect(seeds_only(1.0), 12, 2));
        assert!(effect(seeds_only(1.0), 8, 2) < effect(both(1.0, 0.5), 8, 2));
    }

    #[test]
    fn it_takes_less_than_a_second() {
        let start = std::time::Instant::now();
        for at in 1..20 {
            let _ = seeds_needed(both(0.004, 0.0002 * f64::from(at)), 0.01, 4);
        }
        assert!(start.elapsed().as_secs_f64() < 5.0, "{:?}", start.elapsed());
    }
}
