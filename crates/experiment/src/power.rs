//! What so many seeds can show: the smallest p they can reach, and the smallest difference they would probably see.

use std::collections::BTreeMap;

use crate::plan::Plan;
use crate::record::{Outcome, Record};
use crate::run::{Run, Work};

/// Smallest Holm-adjusted p of an exact two-sided sign-flip test: min(1, m * 2 / 2^S) for m comparisons, S seeds.
///
/// ```
/// assert_eq!(experiment::power::smallest_p(2, 6), 0.0625);
/// assert_eq!(experiment::power::smallest_p(2, 7), 0.03125);
/// ```
#[must_use]
pub fn smallest_p(comparisons: usize, seeds: usize) -> f64 {
    let exponent = i32::try_from(seeds).unwrap_or(i32::MAX);
    (comparisons.max(1) as f64 * 2.0 * 0.5_f64.powi(exponent)).min(1.0)
}

/// Fewest seeds whose smallest p is at most 0.05.
///
/// ```
/// assert_eq!(experiment::power::fewest_seeds(2), 7);
/// ```
#[must_use]
pub fn fewest_seeds(comparisons: usize) -> usize {
    (1..64).find(|&seeds| smallest_p(comparisons, seeds) <= 0.05).unwrap_or(64)
}

/// Difference in bits per base seen with probability 0.8, from the median spread of paired differences in earlier records
/// that ask the same but for the seed. Normal approximation with the first Holm step: a hint, not a promise.
pub(crate) fn detectable(plan: &Plan, records: &[&Record]) -> Option<f64> {
    let mut bits: BTreeMap<String, BTreeMap<u64, (Run, f64)>> = BTreeMap::new();
    for record in records {
        let (Work::Pretrain(_), Outcome::Pretrained(r)) = (&record.run.work, &record.outcome) else { continue };
        let bases: u64 = r.blocks.iter().map(|b| b.bases).sum();
        let total: f64 = r.blocks.iter().map(crate::record::BlockScore::total).sum();
        if bases > 0 && total.is_finite() && !r.collapsed {
            let asked = Run { seed: 0, ..record.run.clone() };
            bits.entry(asked.key().0).or_default().insert(record.run.seed, (asked, total / bases as f64));
        }
    }
    let asked: Vec<Run> = plan.jobs.iter().map(|job| Run { seed: 0, ..job.run.clone() }).collect();
    let mut spreads = Vec::new();
    for run in &asked {
        let Work::Pretrain(p) = &run.work else { continue };
        if p.tokenizer == plan.reference || !plan.tokenizers.contains(&p.tokenizer) {
            continue;
        }
        let mut other = p.clone();
        other.tokenizer.clone_from(&plan.reference);
        let other = Run { work: Work::Pretrain(other), ..run.clone() };
        let (Some(a), Some(b)) = (bits.get(&run.key().0), bits.get(&other.key().0)) else { continue };
        let differences: Vec<f64> = a.iter().filter_map(|(seed, (_, x))| Some(x - b.get(seed)?.1)).collect();
        if differences.len() >= 3 {
            spreads.push(standard_deviation(&differences));
        }
    }
    spreads.sort_by(f64::total_cmp);
    let spread = *spreads.get(spreads.len() / 2)?;
    let z = normal_tail(0.025 / plan.comparisons.max(1) as f64) + normal_tail(0.2);
    Some(z * spread / (plan.seeds.len() as f64).sqrt())
}

fn standard_deviation(x: &[f64]) -> f64 {
    let mean = x.iter().sum::<f64>() / x.len() as f64;
    (x.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (x.len() as f64 - 1.0)).sqrt()
}

/// The z above which a standard normal lies with probability `p` (Abramowitz & Stegun 26.2.23, error below 0.00045).
fn normal_tail(p: f64) -> f64 {
    let t = (-2.0 * p.ln()).sqrt();
    t - (2.515_517 + t * (0.802_853 + t * 0.010_328)) / (1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reachable_p() {
        assert_eq!(smallest_p(2, 6), 0.0625);
        assert_eq!(smallest_p(2, 7), 0.03125);
        assert_eq!(smallest_p(1, 1), 1.0);
        assert_eq!(smallest_p(5, 2), 1.0);
        assert_eq!(smallest_p(0, 3), 0.25);
        assert_eq!((1..=4).map(fewest_seeds).collect::<Vec<_>>(), [6, 7, 7, 8]);
    }

    #[test]
    fn tail_of_the_normal() {
        assert!((normal_tail(0.025) - 1.959_96).abs() < 5e-4);
        assert!((normal_tail(0.2) - 0.841_62).abs() < 5e-4);
    }
}
