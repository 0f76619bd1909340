//! Pairing by seed: the shared seeds, the family of comparisons and its tests. Used for bits per base and for classification
//! tasks.

use std::collections::BTreeSet;

use super::{Dropped, Estimate, Options, Test};
use crate::error::Error;
use statistics::decision::{Reason, decide};
use statistics::draws::{Interval, TextError};
use statistics::power::{Spread, detectable_effect, seeds_needed};
use statistics::text::list;
use statistics::{deviation, holm, mean, wilcoxon};

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
    options: &Options,
    state: impl Fn(&str, u64) -> State,
) -> Result<Shared, Error> {
    let mut shared = Shared::default();
    let planned = |seed: &u64| options.planned.is_empty() || options.planned.contains(seed);
    let (union, later): (BTreeSet<u64>, Vec<u64>) =
        (union.iter().copied().filter(planned).collect(), union.iter().copied().filter(|s| !planned(s)).collect());
    if !later.is_empty() {
        let seeds: Vec<String> = later.iter().map(ToString::to_string).collect();
        let noun = if later.len() == 1 { "seed" } else { "seeds" };
        shared.remarks.push(format!(
            "later {noun} {}: added after {} were planned, excluded from means and tests",
            list(&seeds),
            options.planned.len()
        ));
    }
    let (mut lacking, mut unfinished) = (Vec::new(), 0);
    let mut failures = Vec::new();
    let mut usable: Vec<(&str, BTreeSet<u64>)> = Vec::new();
    for name in names {
        let (mut fine, mut lacks) = (BTreeSet::new(), Vec::new());
        for seed in &union {
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
    if !lacking.is_empty() && !options.partial {
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

/// Uncertainty of a paired difference from seeds and text.
pub(super) struct Uncertainty {
    /// 95 % interval.
    pub interval: Interval,
    /// Simultaneous interval.
    pub simultaneous: Interval,
    /// Standard error from the test text; None if it is not known.
    pub text: Option<TextError>,
}

/// The decision rule applied to a family.
pub(super) fn tests(
    pairs: &[Pair],
    value: impl Fn(&str) -> Option<Vec<f64>>,
    uncertainty: impl Fn(&str, &str, usize) -> Result<Uncertainty, statistics::Error>,
    effect: f64,
    options: &Options,
) -> Result<Vec<Test>, statistics::Error> {
    let known: Vec<_> = pairs.iter().filter_map(|(a, b)| Some((a, b, value(a)?, value(b)?))).collect();
    let comparisons = known.len();
    let differences: Vec<Vec<f64>> =
        known.iter().map(|(_, _, a, b)| a.iter().zip(b).map(|(a, b)| a - b).collect()).collect();
    let found: Vec<Uncertainty> =
        known.iter().map(|(left, right, ..)| uncertainty(left, right, comparisons)).collect::<Result<_, _>>()?;
    let simultaneous: Vec<Interval> = found.iter().map(|one| one.simultaneous).collect();
    let family = decide(&differences, &simultaneous, options.seed)?;
    let mut tests = Vec::new();
    for (((left, right, ..), differences), (one, decision)) in
        known.iter().zip(differences).zip(found.iter().zip(family))
    {
        let spread = Spread { seeds: deviation(&differences), text: one.text };
        let seeds = differences.len();
        let larger = |d: &f64| if *d > 0.0 { 1.0 } else { 0.5 * f64::from(u8::from(*d == 0.0)) };
        let reason = if options.exploratory { Some(Reason::Exploratory) } else { decision.reason };
        tests.push(Test {
            left: (*left).clone(),
            right: (*right).clone(),
            deviation: spread.seeds,
            p: decision.p,
            adjusted: decision.adjusted,
            decisive: reason.is_none(),
            smallest: holm::minimum_attainable_p(seeds, comparisons),
            needed: if seeds > 1 { seeds_needed(spread, effect, comparisons) } else { None },
            detectable: detectable_effect(spread, seeds, comparisons),
            simultaneous: one.simultaneous,
            text_error: one.text.map(|text| text.error),
            rank_biserial: wilcoxon::wilcoxon(&differences)?.rank_biserial(),
            superiority: mean(&differences.iter().map(larger).collect::<Vec<_>>()),
            reason,
            difference: estimate(differences, one.interval),
        });
    }
    Ok(tests)
}
