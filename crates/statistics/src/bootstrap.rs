//! Confidence intervals (`±`): a paired bootstrap over seeds and genome blocks (`docs/protocol.md#statistics`), and over seeds and
//! test rows.
//!
//! Each resample draws seeds with replacement and, within each species, blocks with replacement. All subjects share the same
//! draws, so differences are paired. Per seed and species, bits and bases are summed over the drawn blocks before dividing;
//! then species and seeds are averaged with equal weights. Seeds and blocks are crossed factors, because the scoring plan is
//! the same for all seeds.
//!
//! Each resample is the estimate plus two deviations: of the mean over seeds when blocks are drawn (text), and of the mean over the
//! drawn seeds from the mean over all seeds on those blocks (seeds). [`Draws`] stretches both for small
//! samples and takes percentiles at any level.
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

use crate::Metric;

use super::draws::{Draws, Resampled, TextError};
use super::{ALPHA, Error, below, classes::Confusion, mean, stream};

/// Default number of resamples: enough for the tails of simultaneous intervals of up to 12 comparisons ([`least_resamples`]).
pub const RESAMPLES: usize = 10_000;

/// Minimum number of resamples for simultaneous intervals of `comparisons` differences: 20 are expected beyond each end, where the
/// tail probability is 0.05 / (2 m).
///
/// ```
/// assert_eq!(statistics::bootstrap::least_resamples(3), 2400);
/// ```
#[must_use]
pub fn least_resamples(comparisons: usize) -> usize {
    (20.0 * 2.0 * comparisons.max(1) as f64 / ALPHA).round() as usize
}

/// Code lengths and masked bases of genome blocks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Blocks {
    /// Masked bases `[species][block]`, equal for all subjects and seeds.
    pub bases: Vec<Vec<f64>>,
    /// Code lengths in bits `[subject][seed][species][block]`.
    pub bits: Vec<Vec<Vec<Vec<f64>>>>,
}

/// Resamples seeds and blocks; the statistic is bits per masked base.
///
/// # Errors
/// If there is no subject, seed, species or block, shapes differ, or a value is not finite.
pub fn blocks(data: &Blocks, resamples: usize, seed: u64) -> Result<Draws, Error> {
    blocks_of_arm(data, resamples, seed, "")
}

/// As [`blocks`] for one arm of an experiment on several texts: arms draw the same seeds, and each its own blocks.
///
/// # Errors
/// As [`blocks`].
pub fn blocks_of_arm(data: &Blocks, resamples: usize, seed: u64, arm: &str) -> Result<Draws, Error> {
    let seeds = check(data)?;
    let (mut seed_rng, mut block_rng) = (stream("seeds", seed), stream(&format!("blocks{arm}"), seed));
    let whole: Vec<Vec<f64>> = data.bases.iter().map(|b| vec![1.0; b.len()]).collect();
    let factors: Vec<f64> = data.bases.iter().map(|b| variance_factor(b.len())).collect();
    let freedom = |blocks: &[f64]| blocks.len() - 1;
    let all = data.bases.iter().map(|b| freedom(b)).sum();
    let (mut totals, mut species) = (Vec::new(), Vec::new());
    for bits in &data.bits {
        let one = |s: usize| {
            let estimate = mean(&rates(bits, &data.bases, &whole, s));
            Resampled::new(estimate, seeds, freedom(&data.bases[s]), resamples)
        };
        let each: Vec<Resampled> = (0..data.bases.len()).map(one).collect();
        let estimate = mean(&each.iter().map(|e| e.estimate).collect::<Vec<_>>());
        totals.push(Resampled::new(estimate, seeds, all, resamples));
        species.push(each);
    }
    let count = data.bases.len() as f64;
    for _ in 0..resamples {
        let drawn = weights(&mut seed_rng, seeds);
        let chosen: Vec<Vec<f64>> = data.bases.iter().map(|b| nonempty_weights(&mut block_rng, b)).collect();
        for (subject, bits) in data.bits.iter().enumerate() {
            let (mut by_text, mut by_seed) = (0.0, 0.0);
            for (s, one) in species[subject].iter_mut().enumerate() {
                let (center, shift) = split(&rates(bits, &data.bases, &chosen, s), &drawn);
                let text = factors[s] * (center - one.estimate);
                one.push(text, shift);
                by_text += text;
                by_seed += shift;
            }
            totals[subject].push(by_text / count, by_seed / count);
        }
    }
    Ok(Draws { totals, species })
}

/// Bits per masked base of each seed on species `s`, over the blocks with multiplicities `times`.
fn rates(bits: &[Vec<Vec<f64>>], bases: &[Vec<f64>], times: &[Vec<f64>], s: usize) -> Vec<f64> {
    let dot = |a: &[f64]| a.iter().zip(&times[s]).map(|(a, b)| a * b).sum::<f64>();
    let below = dot(&bases[s]);
    bits.iter().map(|one| dot(&one[s]) / below).collect()
}

/// Checks shapes and values; returns the number of seeds.
fn check(data: &Blocks) -> Result<usize, Error> {
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
    Ok(seeds)
}

/// Standard error of the difference `left` - `right` from the test text alone, seeds held fixed: the linearized (delta-method)
/// form of the bootstrap over blocks, sqrt(sum over species of B / (B - 1) sum_b e_b^2 / W^2) / S, where e_b is the residual of
/// a block from the ratio of its species and W the number of bases. None if a species has a single block.
///
/// # Errors
/// As [`blocks`].
pub fn text_error(data: &Blocks, left: usize, right: usize) -> Result<Option<TextError>, Error> {
    let seeds = check(data)? as f64;
    let mut variance = 0.0;
    for (s, bases) in data.bases.iter().enumerate() {
        if bases.len() < 2 {
            return Ok(None);
        }
        let over_seeds = |subject: usize, b: usize| data.bits[subject].iter().map(|one| one[s][b]).sum::<f64>() / seeds;
        let gaps: Vec<f64> = (0..bases.len()).map(|b| over_seeds(left, b) - over_seeds(right, b)).collect();
        let all: f64 = bases.iter().sum();
        let ratio = gaps.iter().sum::<f64>() / all;
        let squares: f64 = gaps.iter().zip(bases).map(|(gap, w)| (gap - ratio * w).powi(2)).sum();
        variance += variance_factor(bases.len()).powi(2) * squares / (all * all);
    }
    let freedom = data.bases.iter().map(|b| b.len() - 1).sum();
    Ok(Some(TextError { error: variance.sqrt() / data.bases.len() as f64, freedom }))
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
    let scores = |predicted: &[&[u32]], times: &[f64]| -> Vec<f64> {
        let table = |one: &&[u32]| Confusion::weighted(data.labels, one, data.classes, |row| times[row]);
        predicted.iter().map(|one| table(one).score(data.metric)).collect()
    };
    let whole = vec![1.0; data.labels.len()];
    let (factor, freedom) = (variance_factor(data.labels.len()), data.labels.len() - 1);
    let estimate =
        |predicted: &Vec<&[u32]>| Resampled::new(mean(&scores(predicted, &whole)), seeds, freedom, resamples);
    let mut totals: Vec<Resampled> = data.predicted.iter().map(estimate).collect();
    for _ in 0..resamples {
        let drawn = weights(&mut rng, seeds);
        let times = weights(&mut rng, data.labels.len());
        for (total, predicted) in totals.iter_mut().zip(&data.predicted) {
            let (center, shift) = split(&scores(predicted, &times), &drawn);
            total.push(factor * (center - total.estimate), shift);
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

/// Mean over all seeds, and the deviation of the mean over the drawn seeds from it, scaled by [`variance_factor`].
fn split(values: &[f64], drawn: &[f64]) -> (f64, f64) {
    let (mut all, mut some, n) = (0.0, 0.0, drawn.len() as f64);
    for (value, times) in values.iter().zip(drawn) {
        all += value / n;
        some += value * times / n;
    }
    (all, variance_factor(drawn.len()) * (some - all))
}

/// sqrt(n / (n - 1)), because the plain bootstrap has a variance with denominator n; 1 for a single item.
fn variance_factor(n: usize) -> f64 {
    if n < 2 { 1.0 } else { (n as f64 / (n - 1) as f64).sqrt() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draws::Interval;
    use rand_chacha::rand_core::Rng;
    use statrs::distribution::{ContinuousCDF, Normal};

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
            assert!((270..=299).contains(&hits), "{seeds} seeds, {by_seed}, {by_block}: {hits} of 300");
        }
    }

    #[test]
    fn species_are_averaged_and_blocks_weighted_by_bases() {
        let data =
            Blocks { bases: vec![vec![10.0, 30.0], vec![5.0]], bits: vec![vec![vec![vec![20.0, 30.0], vec![5.0]]]] };
        let draws = blocks(&data, 4000, 0).unwrap();
        // The estimate is 50 / 40. Pairs (10, 10), (10, 30), (30, 30) with probabilities 1/4, 1/2, 1/4 give 2, 1.25, 1.
        let one = &draws.species[0][0];
        let center = one.estimate + mean(&one.text) / 2.0_f64.sqrt();
        assert!((center - (0.5 + 0.625 + 0.25)).abs() < 0.02, "{center}");
        assert!(draws.species[0][1].text.iter().all(|v| *v == 0.0) && draws.species[0][1].estimate == 1.0);
        let (total, species) = (&draws.totals[0], &draws.species[0][0]);
        assert!((total.estimate - (species.estimate + 1.0) / 2.0).abs() < 1e-12);
        assert!((total.text[7] - species.text[7] / 2.0).abs() < 1e-12);
    }

    /// The linearized standard error of the text is the standard deviation of the resampled text part.
    #[test]
    fn the_text_error_is_that_of_the_bootstrap() {
        let mut rng = stream("text", 3);
        let bases: Vec<Vec<f64>> = [30, 18].map(|n| (0..n).map(|b| 90.0 + f64::from(b % 3) * 10.0).collect()).to_vec();
        let mut subject = |sd: f64| {
            let text: Vec<Vec<f64>> = bases.iter().map(|b| b.iter().map(|_| sd * normal(&mut rng)).collect()).collect();
            let one = |_| (0..2).map(|s| bases[s].iter().zip(&text[s]).map(|(w, t)| w * (1.9 + t)).collect()).collect();
            (0..4).map(one).collect::<Vec<Vec<Vec<f64>>>>()
        };
        let data = Blocks { bits: vec![subject(0.02), subject(0.03)], bases: bases.clone() };
        let exact = text_error(&data, 0, 1).unwrap().unwrap();
        let found = blocks(&data, 4000, 0).unwrap().text_error(0, 1).unwrap();
        assert!((found.error / exact.error - 1.0).abs() < 0.04, "{found:?} {exact:?}");
        assert_eq!((found.freedom, exact.freedom), (46, 46));
        let single = Blocks { bases: vec![vec![1.0]], bits: vec![vec![vec![vec![1.0]]]; 2] };
        assert_eq!(text_error(&single, 0, 1), Ok(None));
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
        assert!(draws.simultaneous(1, 0, 4).high > draws.difference(1, 0).high);
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
