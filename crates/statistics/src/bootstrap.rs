//! The `±`: a bootstrap over seeds and genome blocks (`docs/protocol.md#statistics`), and its sibling over seeds and test rows.
//!
//! One resample draws seeds with replacement and, inside each species, blocks with replacement; the same seeds and blocks
//! for every subject, so differences are paired. Bits are summed over the blocks, then divided once by their bases; species
//! count alike; seeds are averaged. Blocks and seeds are crossed: the scoring plan is the same for all seeds.
//!
//! The interval is the percentile interval, after the part that the drawn seeds contribute (their mean minus the mean of
//! all seeds, on the same blocks) was stretched by sqrt(n / (n - 1)) t(0.975, n - 1) / z(0.975): a plain bootstrap of n
//! seeds has the variance of n, not n - 1, and no tail for so few (Hesterberg, The American Statistician 69:371, 2015,
//! widens the whole interval by the same factor). Blocks and rows are many and stay as drawn. Without this, intervals of
//! seven seeds cover about 88 %, of three seeds far less.
//!
//! ```
//! use statistics::bootstrap::{Blocks, blocks};
//! let data = Blocks {
//!     bases: vec![vec![100.0, 100.0]],                                                // [species][block]
//!     bits: vec![vec![vec![vec![190.0, 210.0]]; 3], vec![vec![vec![180.0, 200.0]]; 3]], // [subject][seed][species][block]
//! };
//! let draws = blocks(&data, 500, 0).unwrap();
//! let gap = draws.difference(1, 0);
//! assert!((gap.low + 0.1).abs() < 1e-12 && (gap.high + 0.1).abs() < 1e-12); // always exactly 0.1: paired
//! ```

use std::sync::OnceLock;

use crate::Metric;
use serde::Serialize;
use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

use super::{ALPHA, Error, below, classes::Confusion, stream};

/// Resamples by default.
pub const RESAMPLES: usize = 2000;

/// An interval that covers the truth in 95 of 100 repetitions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Interval {
    /// Half the width: the number behind `±`.
    #[must_use]
    pub fn half_width(self) -> f64 {
        (self.high - self.low) / 2.0
    }
}

/// Bits and bases to resample.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Blocks {
    /// Masked bases `[species][block]`, the same for every subject and seed.
    pub bases: Vec<Vec<f64>>,
    /// Bits `[subject][seed][species][block]`.
    pub bits: Vec<Vec<Vec<Vec<f64>>>>,
}

/// The resampled statistics.
#[derive(Clone, Debug, PartialEq)]
pub struct Draws {
    /// `[subject][resample]`.
    totals: Vec<Vec<f64>>,
    /// `[subject][species][resample]`.
    species: Vec<Vec<Vec<f64>>>,
}

impl Draws {
    /// Interval of a subject's total.
    #[must_use]
    pub fn total(&self, subject: usize) -> Interval {
        interval(self.totals[subject].clone())
    }

    /// Interval of a subject's bits per base on one species.
    #[must_use]
    pub fn species(&self, subject: usize, species: usize) -> Interval {
        interval(self.species[subject][species].clone())
    }

    /// Interval of the paired difference of totals, `left` minus `right`.
    #[must_use]
    pub fn difference(&self, left: usize, right: usize) -> Interval {
        interval(self.totals[left].iter().zip(&self.totals[right]).map(|(a, b)| a - b).collect())
    }
}

/// Resamples seeds and blocks.
///
/// # Errors
/// No subject, seed, species or block; shapes that do not fit; numbers that are not finite.
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
        let chosen: Vec<Vec<f64>> = data.bases.iter().map(|b| filled(&mut rng, b)).collect();
        for (subject, bits) in data.bits.iter().enumerate() {
            let mut total = 0.0;
            for (s, (times, bases)) in chosen.iter().zip(&data.bases).enumerate() {
                let below: f64 = times.iter().zip(bases).map(|(w, b)| w * b).sum();
                let rates = bits
                    .iter()
                    .map(|one| one[s].iter().zip(times).map(|(bits, times)| bits * times).sum::<f64>() / below);
                let rate = stretched(rates, &drawn);
                species[subject][s].push(rate);
                total += rate;
            }
            totals[subject].push(total / data.bases.len() as f64);
        }
    }
    Ok(Draws { totals, species })
}

/// Predictions of a task to resample: labels `[row]`, predictions `[subject][seed][row]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows<'a> {
    /// Number of classes.
    pub classes: usize,
    /// True classes.
    pub labels: &'a [u32],
    /// What is computed of labels and predictions.
    pub metric: Metric,
    /// Predicted classes `[subject][seed][row]`.
    pub predicted: Vec<Vec<&'a [u32]>>,
}

/// Resamples seeds and test rows (the same for every subject); the statistic is the mean over seeds of the metric.
///
/// # Errors
/// No subject, seed or row; shapes that do not fit; classes out of range.
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
            totals[subject].push(stretched(each, &drawn));
        }
    }
    Ok(Draws { totals, species: vec![Vec::new(); data.predicted.len()] })
}

/// How often each of n things was drawn in n draws with replacement.
fn weights(rng: &mut rand_chacha::ChaCha8Rng, n: usize) -> Vec<f64> {
    let mut times = vec![0.0; n];
    for _ in 0..n {
        times[below(rng, n)] += 1.0;
    }
    times
}

/// As [`weights`], drawn again in the rare case that only blocks without masked bases came up.
fn filled(rng: &mut rand_chacha::ChaCha8Rng, bases: &[f64]) -> Vec<f64> {
    loop {
        let times = weights(rng, bases.len());
        if times.iter().zip(bases).any(|(w, b)| w * b > 0.0) {
            return times;
        }
    }
}

/// Mean of all seeds plus the stretched difference to the drawn ones (see the head of this file).
fn stretched(values: impl Iterator<Item = f64>, drawn: &[f64]) -> f64 {
    let (mut all, mut some, n) = (0.0, 0.0, drawn.len() as f64);
    for (value, times) in values.zip(drawn) {
        all += value / n;
        some += value * times / n;
    }
    all + stretch(drawn.len()) * (some - all)
}

/// sqrt(n / (n - 1)) t(0.975, n - 1) / z(0.975); 1 for one seed, which has no spread to stretch.
fn stretch(seeds: usize) -> f64 {
    // The same few numbers are asked for in every resample.
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

/// The percentile interval of resampled values.
fn interval(mut values: Vec<f64>) -> Interval {
    values.sort_by(f64::total_cmp);
    Interval { low: quantile(&values, ALPHA / 2.0), high: quantile(&values, 1.0 - ALPHA / 2.0) }
}

/// Quantile at position p (n + 1) - 1 of sorted values, linear between neighbours, clamped to the ends.
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

    /// The truth is 1.9; blocks vary, seeds vary, or both. Coverage of 300 repetitions must not be far from 95 %.
    #[test]
    fn covers_the_truth() {
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
    fn species_count_alike_and_blocks_by_their_bases() {
        let data =
            Blocks { bases: vec![vec![10.0, 30.0], vec![5.0]], bits: vec![vec![vec![vec![20.0, 30.0], vec![5.0]]]] };
        let draws = blocks(&data, 4000, 0).unwrap();
        let centre = draws.species[0][0].iter().sum::<f64>() / 4000.0;
        // Pairs (10, 10), (10, 30), (30, 30) with chances 1/4, 1/2, 1/4: 2, 1.25, 1.
        assert!((centre - (0.5 + 0.625 + 0.25)).abs() < 0.02, "{centre}");
        assert!(draws.species[0][1].iter().all(|v| *v == 1.0));
        let (total, species) = (draws.totals[0][7], draws.species[0][0][7]);
        assert!((total - (species + 1.0) / 2.0).abs() < 1e-12);
    }

    #[test]
    fn few_seeds_are_stretched() {
        assert_eq!(stretch(1), 1.0);
        assert!((stretch(3) - 1.5_f64.sqrt() * 4.3027 / 1.95996).abs() < 1e-3, "{}", stretch(3));
        assert!((stretch(7) - (7.0_f64 / 6.0).sqrt() * 2.4469 / 1.95996).abs() < 1e-3);
        assert!((stretch(100_000) - 1.0).abs() < 1e-3);
        assert_eq!(quantile(&[1.0, 2.0, 3.0], 0.5), 2.0);
        assert_eq!(quantile(&[1.0, 2.0, 3.0], 0.0), 1.0);
    }

    #[test]
    fn rows_give_the_mcc_and_repeat() {
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
    fn refuses_what_does_not_fit() {
        assert_eq!(blocks(&Blocks::default(), 10, 0), Err(Error::Empty));
        let odd = Blocks { bases: vec![vec![1.0]], bits: vec![vec![vec![vec![1.0, 2.0]]]] };
        assert!(matches!(blocks(&odd, 10, 0), Err(Error::Shape(_))));
        let nan = Blocks { bases: vec![vec![1.0]], bits: vec![vec![vec![vec![f64::NAN]]]] };
        assert_eq!(blocks(&nan, 10, 0), Err(Error::NotFinite));
    }
}
