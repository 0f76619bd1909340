//! Confidence intervals (`±`): a paired bootstrap over seeds and genome blocks (`docs/protocol.md#statistics`), and over seeds and
//! test rows.
//!
//! Each resample draws seeds with replacement and, within each species, blocks with replacement. All subjects share the same
//! draws, so differences are paired. Per seed and species, bits and bases are summed over the drawn blocks before dividing;
//! then species and seeds are averaged with equal weights. Seeds and blocks are crossed factors, because the scoring plan is
//! the same for all seeds.
//!
//! The result is the 95 % percentile interval with a small-sample correction for seeds: the deviation of the mean over the
//! drawn seeds from the mean over all n seeds (on the same blocks) is multiplied by
//! sqrt(n / (n - 1)) t(0.975, n - 1) / z(0.975). The plain bootstrap has a variance with denominator n instead of n - 1, and
//! tails that are too light for small n (Hesterberg, The American Statistician 69:371, 2015, expands the whole interval by
//! the same factor). Blocks and rows are numerous and are not corrected. Without the correction, intervals cover about 88 %
//! with seven seeds, and far less with three.
//!
//! ```
//! use statistics::bootstrap::{Blocks, blocks};
//! let data = Blocks {
//!     bases: vec![vec![100.0, 100.0]],                                                // [species][block]
//!     bits: vec![vec![vec![vec![190.0, 210.0]]; 3], vec![vec![vec![180.0, 200.0]]; 3]], // [subject][seed][species][block]
//! };
//! let draws = blocks(&data, 500, 0).unwrap();
//! let gap = draws.difference(1, 0);
//! assert!((gap.low + 0.1).abs() < 1e-12 && (gap.high + 0.1).abs() < 1e-12); // exactly 0.1 in every resample: paired
//! ```

use std::sync::OnceLock;

use crate::Metric;
use serde::Serialize;
use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

use super::{ALPHA, Error, below, classes::Confusion, stream};

/// Default number of resamples.
pub const RESAMPLES: usize = 2000;

/// A 95 % confidence interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// Lower bound.
    pub low: f64,
    /// Upper bound.
    pub high: f64,
}

impl Interval {
    /// Half the width, shown after `±`.
    #[must_use]
    pub fn half_width(self) -> f64 {
        (self.high - self.low) / 2.0
    }
}

/// Code lengths and masked bases of genome blocks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Blocks {
    /// Masked bases `[species][block]`, equal for all subjects and seeds.
    pub bases: Vec<Vec<f64>>,
    /// Code lengths in bits `[subject][seed][species][block]`.
    pub bits: Vec<Vec<Vec<Vec<f64>>>>,
}

/// Bootstrap distribution of the statistics.
#[derive(Clone, Debug, PartialEq)]
pub struct Draws {
    /// `[subject][resample]`.
    totals: Vec<Vec<f64>>,
    /// `[subject][species][resample]`.
    species: Vec<Vec<Vec<f64>>>,
}

impl Draws {
    /// Confidence interval of the statistic of a subject.
    #[must_use]
    pub fn total(&self, subject: usize) -> Interval {
        interval(self.totals[subject].clone())
    }

    /// Confidence interval of a subject's bits per base on one species.
    #[must_use]
    pub fn species(&self, subject: usize, species: usize) -> Interval {
        interval(self.species[subject][species].clone())
    }

    /// Confidence interval of the paired difference `left` - `right`.
    #[must_use]
    pub fn difference(&self, left: usize, right: usize) -> Interval {
        interval(self.totals[left].iter().zip(&self.totals[right]).map(|(a, b)| a - b).collect())
    }
}

/// Resamples seeds and blocks; the statistic is bits per masked base.
///
/// # Errors
/// If there is no subject, seed, species or block, shapes differ, or a value is not finite.
pub fn blocks(data: &Blocks, resamples: usize, seed: u64) -> Result<Draws, Error> {
    let seeds = data.bits.first().map_or(0, Vec::len);
    if seeds == 0 || data.bases.is_empty() || data.bases.iter().any(|b| b.is_empty() || b.iter().sum::<f64>() <= 0.0) {
        return Err(Error::Empty);
    }
    for subject in &data.bits {
        let fits = |one: &Vec<Vec<f64>>| {
            one.len() == data.bases.len() && one.iter().zip(&data.bases).all(|(a, b)| a.len() == b.len())
        };
        if subject.len() != seeds || !subject.iter().all(fits) {
            return Err(Error::Shape("blocks differ between subjects or seeds".into()));
        }
        if subject.iter().flatten().flatten().any(|v| !v.is_finite()) {
            return Err(Error::NotFinite);
        }
    }
    let mut rng = stream("blocks", seed);
    let mut totals = vec![Vec::with_capacity(resamples); data.bits.len()];
    let mut species = vec![vec![Vec::with_capacity(resamples); data.bases.len()]; data.bits.len()];
    for _ in 0..resamples {
        let drawn = weights(&mut rng, seeds);
        let chosen: Vec<Vec<f64>> = data.bases.iter().map(|b| nonempty_weights(&mut rng, b)).collect();
        for (subject, bits) in data.bits.iter().enumerate() {
            let mut total = 0.0;
            for (s, (times, bases)) in chosen.iter().zip(&data.bases).enumerate() {
                let below: f64 = times.iter().zip(bases).map(|(w, b)| w * b).sum();
                let rates = bits
                    .iter()
                    .map(|one| one[s].iter().zip(times).map(|(bits, times)| bits * times).sum::<f64>() / below);
                let rate = corrected_mean(rates, &drawn);
                species[subject][s].push(rate);
                total += rate;
            }
            totals[subject].push(total / data.bases.len() as f64);
        }
    }
    Ok(Draws { totals, species })
}

/// Labels and predictions of the test rows of a task.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows<'a> {
    /// Number of classes.
    pub classes: usize,
    /// True classes `[row]`.
    pub labels: &'a [u32],
    /// Metric of the task.
    pub metric: Metric,
    /// Predicted classes `[subject][seed][row]`.
    pub predicted: Vec<Vec<&'a [u32]>>,
}

/// Resamples seeds and test rows, with the same draws for all subjects; the statistic is the mean of the metric over seeds.
///
/// # Errors
/// If there is no subject, seed or row, shapes differ, or a class is out of range.
pub fn rows(data: &Rows<'_>, resamples: usize, seed: u64) -> Result<Draws, Error> {
    let seeds = data.predicted.first().map_or(0, Vec::len);
    if seeds == 0 {
        return Err(Error::Empty);
    }
    for subject in &data.predicted {
        if subject.len() != seeds {
            return Err(Error::Shape("seeds differ between subjects".into()));
        }
        for one in subject {
            Confusion::new(data.labels, one, data.classes)?;
        }
    }
    let mut rng = stream("rows", seed);
    let mut totals = vec![Vec::with_capacity(resamples); data.predicted.len()];
    for _ in 0..resamples {
        let drawn = weights(&mut rng, seeds);
        let times = weights(&mut rng, data.labels.len());
        for (subject, predicted) in data.predicted.iter().enumerate() {
            let table = |one| Confusion::weighted(data.labels, one, data.classes, |row| times[row]);
            let each = predicted.iter().map(|one| table(one).score(data.metric));
            totals[subject].push(corrected_mean(each, &drawn));
        }
    }
    Ok(Draws { totals, species: vec![Vec::new(); data.predicted.len()] })
}

/// Multiplicity of each of n items in n draws with replacement.
fn weights(rng: &mut rand_chacha::ChaCha8Rng, n: usize) -> Vec<f64> {
    let mut times = vec![0.0; n];
    for _ in 0..n {
        times[below(rng, n)] += 1.0;
    }
    times
}

/// As [`weights`], redrawn in the rare case that only blocks without masked bases were drawn.
fn nonempty_weights(rng: &mut rand_chacha::ChaCha8Rng, bases: &[f64]) -> Vec<f64> {
    loop {
        let times = weights(rng, bases.len());
        if times.iter().zip(bases).any(|(w, b)| w * b > 0.0) {
            return times;
        }
    }
}

/// Mean over all seeds plus the corrected deviation of the mean over the drawn seeds (see the module documentation).
fn corrected_mean(values: impl Iterator<Item = f64>, drawn: &[f64]) -> f64 {
    let (mut all, mut some, n) = (0.0, 0.0, drawn.len() as f64);
    for (value, times) in values.zip(drawn) {
        all += value / n;
        some += value * times / n;
    }
    all + correction(drawn.len()) * (some - all)
}

/// Small-sample factor sqrt(n / (n - 1)) t(0.975, n - 1) / z(0.975); 1 for a single seed.
fn correction(seeds: usize) -> f64 {
    // Cached, because every resample needs it.
    static KNOWN: [OnceLock<f64>; 64] = [const { OnceLock::new() }; 64];
    let compute = || {
        let n = seeds as f64;
        let t = StudentsT::new(0.0, 1.0, n - 1.0).map_or(f64::NAN, |d| d.inverse_cdf(1.0 - ALPHA / 2.0));
        (n / (n - 1.0)).sqrt() * t / Normal::standard().inverse_cdf(1.0 - ALPHA / 2.0)
    };
    match seeds {
        0 | 1 => 1.0,
        _ => KNOWN.get(seeds).map_or_else(compute, |known| *known.get_or_init(compute)),
    }
}

/// Percentile interval of resampled values.
fn interval(mut values: Vec<f64>) -> Interval {
    values.sort_by(f64::total_cmp);
    Interval { low: quantile(&values, ALPHA / 2.0), high: quantile(&values, 1.0 - ALPHA / 2.0) }
}

/// Quantile of sorted values at index p (n + 1) - 1 with linear interpolation, clamped to the range.
fn quantile(sorted: &[f64], p: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let at = (p * (sorted.len() + 1) as f64 - 1.0).clamp(0.0, last as f64);
    let (low, part) = (at.floor() as usize, at.fract());
    sorted[low] + part * (sorted[(low + 1).min(last)] - sorted[low])
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::rand_core::Rng;

    fn normal(rng: &mut rand_chacha::ChaCha8Rng) -> f64 {
        let u = (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
        Normal::standard().inverse_cdf(u.clamp(1e-12, 1.0 - 1e-12))
    }

    /// The true value is 1.9, with variance between blocks, seeds or both. The coverage in 300 repetitions must be near 95 %.
    #[test]
    fn coverage_is_nominal() {
        for (seeds, by_seed, by_block) in
            [(3, 0.01, 0.04), (7, 0.01, 0.04), (7, 0.03, 0.01), (3, 0.001, 0.04), (4, 0.03, 0.0)]
        {
            let mut rng = stream("coverage", seeds as u64);
            let mut hits = 0;
            for trial in 0..300 {
                let block: Vec<f64> = (0..24).map(|_| by_block * normal(&mut rng)).collect();
                let bits = (0..seeds)
                    .map(|_| {
                        let seed = by_seed * normal(&mut rng);
                        vec![block.iter().map(|b| 100.0 * (1.9 + b + seed + 0.02 * normal(&mut rng))).collect()]
                    })
                    .collect();
                let data = Blocks { bases: vec![vec![100.0; 24]], bits: vec![bits] };
                let found = blocks(&data, 400, trial).unwrap().total(0);
                hits += u32::from(found.low <= 1.9 && 1.9 <= found.high);
            }
            assert!((270..=297).contains(&hits), "{seeds} seeds, {by_seed}, {by_block}: {hits} of 300");
        }
    }

    #[test]
    fn species_are_averaged_and_blocks_weighted_by_bases() {
        let data =
            Blocks { bases: vec![vec![10.0, 30.0], vec![5.0]], bits: vec![vec![vec![vec![20.0, 30.0], vec![5.0]]]] };
        let draws = blocks(&data, 4000, 0).unwrap();
        let center = draws.species[0][0].iter().sum::<f64>() / 4000.0;
        // Pairs (10, 10), (10, 30), (30, 30) with probabilities 1/4, 1/2, 1/4 give 2, 1.25, 1.
        assert!((center - (0.5 + 0.625 + 0.25)).abs() < 0.02, "{center}");
        assert!(draws.species[0][1].iter().all(|v| *v == 1.0));
        let (total, species) = (draws.totals[0][7], draws.species[0][0][7]);
        assert!((total - (species + 1.0) / 2.0).abs() < 1e-12);
    }

    #[test]
    fn the_small_sample_correction_matches_the_formula() {
        assert_eq!(correction(1), 1.0);
        assert!((correction(3) - 1.5_f64.sqrt() * 4.3027 / 1.95996).abs() < 1e-3, "{}", correction(3));
        assert!((correction(7) - (7.0_f64 / 6.0).sqrt() * 2.4469 / 1.95996).abs() < 1e-3);
        assert!((correction(100_000) - 1.0).abs() < 1e-3);
        assert_eq!(quantile(&[1.0, 2.0, 3.0], 0.5), 2.0);
        assert_eq!(quantile(&[1.0, 2.0, 3.0], 0.0), 1.0);
    }

    #[test]
    fn intervals_of_the_mcc_are_deterministic() {
        let labels: Vec<u32> = (0..60).map(|i| i % 2).collect();
        let good: Vec<u32> = (0..60).map(|i| if i % 10 == 0 { 1 - i % 2 } else { i % 2 }).collect();
        let metric = Metric::Mcc;
        let data = Rows { classes: 2, labels: &labels, metric, predicted: vec![vec![&good; 4], vec![&labels; 4]] };
        let draws = rows(&data, 300, 5).unwrap();
        assert_eq!(draws, rows(&data, 300, 5).unwrap());
        let truth = Confusion::new(&labels, &good, 2).unwrap().mcc();
        let found = draws.total(0);
        assert!(found.low < truth && truth < found.high && found.half_width() > 0.05);
        assert_eq!(draws.total(1), Interval { low: 1.0, high: 1.0 });
        assert!(draws.difference(1, 0).low >= 0.0 && draws.difference(1, 0).high > 0.2);
    }

    #[test]
    fn invalid_input_is_rejected() {
        assert_eq!(blocks(&Blocks::default(), 10, 0), Err(Error::Empty));
        let odd = Blocks { bases: vec![vec![1.0]], bits: vec![vec![vec![vec![1.0, 2.0]]]] };
        assert!(matches!(blocks(&odd, 10, 0), Err(Error::Shape(_))));
        let nan = Blocks { bases: vec![vec![1.0]], bits: vec![vec![vec![vec![f64::NAN]]]] };
        assert_eq!(blocks(&nan, 10, 0), Err(Error::NotFinite));
    }
}
