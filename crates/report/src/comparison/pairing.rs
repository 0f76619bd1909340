//! Pairing by seed: the shared seeds, the family of comparisons and its tests. Used for bits per base and for classification
//! tasks.

use std::collections::BTreeSet;

use super::{Dropped, Estimate, Test};
use crate::error::Error;
use statistics::bootstrap::Interval;
use statistics::{deviation, holm, mean, power, sign_flip};

/// Names of two compared tokenizers: left, right.
pub(super) type Pair = (String, String);

/// The family of comparisons among `names`: each against the reference, or all pairs without one.
pub(super) fn family(names: &[&str], reference: Option<&str>) -> Vec<Pair> {
    match reference {
        Some(reference) if names.contains(&reference) => {
            names.iter().filter(|n| **n != reference).map(|n| ((*n).to_owned(), reference.to_owned())).collect()
        }
        Some(_) => Vec::new(),
        None => {
            let pair = |(at, left): (usize, &&str)| -> Vec<Pair> {
                names[at + 1..].iter().map(|right| ((*right).to_owned(), (*left).to_owned())).collect()
            };
            names.iter().enumerate().flat_map(pair).collect()
        }
    }
}

/// State of a run.
pub(super) enum State {
    /// The run has a score.
    Usable,
    /// The run failed, with the reason.
    Failed(String),
    /// The run has no record: not started or unfinished.
    Missing,
}

/// Tokenizers and the seeds that they share.
#[derive(Default)]
pub(super) struct Shared {
    /// Tokenizers with a score at each of the seeds.
    pub names: Vec<String>,
    /// The seeds, ascending.
    pub seeds: Vec<u64>,
    /// Seeds at which a compared tokenizer failed.
    pub dropped: Vec<Dropped>,
    /// Warnings about excluded tokenizers and unfinished runs.
    pub remarks: Vec<String>,
}

/// Seeds that `names` share. A tokenizer without any score is excluded; unequal seeds are an error unless `partial`.
pub(super) fn shared_seeds(
    scope: &str,
    names: &[&str],
    union: &BTreeSet<u64>,
    partial: bool,
    state: impl Fn(&str, u64) -> State,
) -> Result<Shared, Error> {
    let mut shared = Shared::default();
    let (mut lacking, mut unfinished) = (Vec::new(), 0);
    let mut failures = Vec::new();
    let mut usable: Vec<(&str, BTreeSet<u64>)> = Vec::new();
    for name in names {
        let (mut fine, mut lacks) = (BTreeSet::new(), Vec::new());
        for seed in union {
            match state(name, *seed) {
                State::Usable => drop(fine.insert(*seed)),
                State::Failed(reason) => failures.push(Dropped { tokenizer: (*name).into(), seed: *seed, reason }),
                State::Missing => lacks.push(seed.to_string()),
            }
        }
        unfinished += lacks.len();
        if !lacks.is_empty() {
            let noun = if lacks.len() == 1 { "seed" } else { "seeds" };
            lacking.push(format!("{name} lacks {noun} {}", lacks.join(", ")));
        }
        usable.push((name, fine));
    }
    if !lacking.is_empty() && !partial {
        return Err(Error::UnequalSeeds { scope: scope.into(), offenders: lacking.join("; ") });
    }
    let (kept, out): (Vec<_>, Vec<_>) = usable.into_iter().partition(|(_, fine)| !fine.is_empty());
    for (name, _) in out.iter().filter(|_| !kept.is_empty()) {
        let failed = failures.iter().filter(|d| d.tokenizer == *name).count();
        let why = failures.iter().find(|d| d.tokenizer == *name).map_or_else(
            || "none of its runs has finished".to_owned(),
            |d| format!("no usable run, {failed} of {} failed ({})", union.len(), d.reason),
        );
        shared.remarks.push(format!("{name} is excluded from the comparison: {why}"));
    }
    if unfinished > 0 {
        let runs = if unfinished == 1 { "1 run is".to_owned() } else { format!("{unfinished} runs are") };
        shared.remarks.push(format!("{runs} unfinished ({}); only complete seeds are compared", lacking.join("; ")));
    }
    shared.seeds =
        union.iter().copied().filter(|s| !kept.is_empty() && kept.iter().all(|(_, f)| f.contains(s))).collect();
    shared.names = kept.iter().map(|(name, _)| (*name).to_owned()).collect();
    shared.dropped =
        failures.into_iter().filter(|d| kept.is_empty() || kept.iter().any(|(n, _)| *n == d.tokenizer)).collect();
    Ok(shared)
}

/// The reference among `names`: the requested one, or else the first, with a remark.
pub(super) fn reference_among(requested: Option<&str>, names: &[String], remarks: &mut Vec<String>) -> Option<String> {
    let requested = requested?;
    match names.first() {
        Some(first) if !names.iter().any(|n| n == requested) => {
            remarks.push(format!("the reference {requested} has no usable runs; {first} is the reference instead"));
            Some(first.clone())
        }
        _ => Some(requested.to_owned()),
    }
}

/// Mean of the values per seed with a bootstrap interval.
pub(super) fn estimate(seeds: Vec<f64>, interval: Interval) -> Estimate {
    Estimate { mean: mean(&seeds), half_width: interval.half_width(), low: interval.low, high: interval.high, seeds }
}

/// Paired sign-flip tests of a family, adjusted by Holm's method.
pub(super) fn tests(
    pairs: &[Pair],
    value: impl Fn(&str) -> Option<Vec<f64>>,
    interval: impl Fn(&str, &str) -> Interval,
    effect: f64,
    seed: u64,
) -> Result<Vec<Test>, statistics::Error> {
    let known: Vec<_> = pairs.iter().filter_map(|(a, b)| Some((a, b, value(a)?, value(b)?))).collect();
    let (mut tests, comparisons) = (Vec::new(), known.len());
    for (left, right, a, b) in known {
        let differences: Vec<f64> = a.iter().zip(&b).map(|(a, b)| a - b).collect();
        let (p, spread) = (sign_flip::sign_flip(&differences, seed)?.p, deviation(&differences));
        tests.push(Test {
            left: left.clone(),
            right: right.clone(),
            p,
            adjusted: p,
            decisive: false,
            smallest: holm::minimum_attainable_p(differences.len(), comparisons),
            needed: if differences.len() > 1 { power::seeds_needed(spread, effect, comparisons) } else { None },
            detectable: power::detectable_effect(spread, differences.len(), comparisons),
            difference: estimate(differences, interval(left, right)),
            deviation: spread,
        });
    }
    let adjusted = holm::holm(&tests.iter().map(|t| t.p).collect::<Vec<_>>());
    for (test, adjusted) in tests.iter_mut().zip(adjusted) {
        test.adjusted = adjusted;
        test.decisive = adjusted <= statistics::ALPHA;
    }
    Ok(tests)
}
