//! Labelled tasks of a group: test MCC per tokenizer and seed, tests per task and across tasks.

use std::collections::{BTreeMap, BTreeSet};

use experiment::record::{Finetuned, Outcome, Record};
use experiment::run::Work;

use super::bits::{estimate, tests};
use super::gather::{Heap, Shared, State, family, shared_seeds, stand_in};
use super::{Across, Estimate, Group, Options, Task, TaskScore};
use crate::error::Error;
use crate::statistics::bootstrap::{Interval, Rows, rows};
use crate::statistics::friedman::friedman;
use crate::statistics::{holm, mean, wilcoxon};

/// Fewest tasks for which Friedman's test is computed.
const FRIEDMAN_TASKS: usize = 5;

/// Records of one task by subject and seed.
type Runs = BTreeMap<String, BTreeMap<u64, Record>>;

fn finetuned(record: &Record) -> Option<&Finetuned> {
    match &record.outcome {
        Outcome::Finetuned(done) => Some(done),
        _ => None,
    }
}

fn unusable(record: &Record) -> Option<String> {
    match &record.outcome {
        Outcome::Finetuned(_) => None,
        Outcome::Failed { reason } => Some(reason.clone()),
        Outcome::Pretrained(_) => Some("holds no task result".into()),
    }
}

/// Fills the task part of a group.
pub(super) fn fill(group: &mut Group, heap: &Heap, options: &Options) -> Result<(), Error> {
    let ranked: Vec<String> = group.ranked().map(|s| s.name.clone()).collect();
    for (name, runs) in &heap.tasks {
        let mut shared = pairing(&ranked, heap, name, runs, &group.label, options)?;
        let mut remarks = std::mem::take(&mut shared.remarks);
        let reference = if shared.seeds.is_empty() {
            group.reference.clone()
        } else {
            stand_in(group.reference.as_deref(), &shared.names, &mut remarks)
        };
        let task = task(group, name, runs, shared, reference.as_deref(), options)?;
        group.tasks.push(task);
        group.remarks.extend(remarks.into_iter().map(|r| format!("{name}: {r}")));
    }
    let (across, friedman) = across(group)?;
    group.across = across;
    group.friedman = friedman;
    Ok(())
}

fn scope(name: &str, label: &str) -> String {
    if label.is_empty() { name.to_owned() } else { format!("{name} ({label})") }
}

/// Who is compared at which seeds. A run that could not start because its pretraining failed has failed.
fn pairing(
    ranked: &[String],
    heap: &Heap,
    task: &str,
    runs: &Runs,
    label: &str,
    options: &Options,
) -> Result<Shared, Error> {
    let names: Vec<&str> = ranked.iter().map(String::as_str).collect();
    let union: BTreeSet<u64> = names.iter().filter_map(|n| runs.get(*n)).flat_map(|r| r.keys().copied()).collect();
    if union.is_empty() {
        return Ok(Shared::default());
    }
    shared_seeds(&scope(task, label), &names, &union, options.partial, |name, seed| {
        let parent = || heap.pretrained.get(name)?.get(&seed).map(|r| &r.outcome);
        match (runs.get(name).and_then(|r| r.get(&seed)), parent()) {
            (Some(record), _) => unusable(record).map_or(State::Usable, State::Failed),
            (None, Some(Outcome::Failed { reason })) => State::Failed(format!("its pretraining failed: {reason}")),
            (None, _) => State::Missing,
        }
    })
}

fn task(
    group: &Group,
    name: &str,
    runs: &Runs,
    shared: Shared,
    reference: Option<&str>,
    options: &Options,
) -> Result<Task, Error> {
    let scope = scope(name, &group.label);
    let refuse = |source| Error::Statistics { scope: scope.clone(), source };
    let labels = labels(&scope, runs)?;
    let Shared { names, seeds, dropped, .. } = shared;
    let predictions = |name: &str, seeds: &[u64]| -> Vec<&Finetuned> {
        runs.get(name).map_or_else(Vec::new, |r| seeds.iter().filter_map(|s| r.get(s).and_then(finetuned)).collect())
    };
    let classes = runs.values().flat_map(BTreeMap::values).filter_map(finetuned).map(|f| f.classes).max().unwrap_or(0);
    let sample = |all: &[Vec<&Finetuned>]| {
        let predicted = all.iter().map(|one| one.iter().map(|f| f.predicted.as_slice()).collect()).collect();
        rows(&Rows { classes, labels: &labels, predicted }, options.resamples, options.seed)
    };
    let joint: Vec<&str> = if seeds.is_empty() { Vec::new() } else { names.iter().map(String::as_str).collect() };
    let draws = if joint.is_empty() {
        None
    } else {
        Some(sample(&joint.iter().map(|n| predictions(n, &seeds)).collect::<Vec<_>>()).map_err(refuse)?)
    };
    let mut scores = Vec::new();
    for subject in listed(group, runs) {
        let all = runs.get(&subject.name);
        let usable: Vec<&Finetuned> = all.map_or_else(Vec::new, |r| r.values().filter_map(finetuned).collect());
        let place = joint.iter().position(|n| *n == subject.name);
        let (shown, interval) = match (&draws, place) {
            (Some(draws), Some(place)) => (predictions(&subject.name, &seeds), Some(draws.total(place))),
            _ if subject.control && !usable.is_empty() => {
                let interval = sample(std::slice::from_ref(&usable)).map_err(refuse)?.total(0);
                (usable.clone(), Some(interval))
            }
            _ => (Vec::new(), None),
        };
        let over = |value: fn(&Finetuned) -> f64| mean(&shown.iter().map(|f| value(f)).collect::<Vec<_>>());
        scores.push(TaskScore {
            mcc: interval.map(|i| {
                estimate(
                    shown.iter().map(|f| f.mcc).collect(),
                    Interval { low: i.low.max(-1.0), high: i.high.min(1.0) },
                )
            }),
            f1: over(|f| f.f1),
            accuracy: over(|f| f.accuracy),
            collapsed: usable.iter().filter(|f| f.collapsed).count(),
            failed: all.map_or(0, |r| r.values().filter(|r| unusable(r).is_some()).count()),
            ..subject
        });
    }
    let tests = match &draws {
        None => Vec::new(),
        Some(draws) => {
            let value =
                |name: &str| scores.iter().find(|s| s.name == name)?.mcc.as_ref().map(|m: &Estimate| m.seeds.clone());
            let place = |name: &str| joint.iter().position(|n| *n == name).unwrap_or(0);
            let pairs = family(&joint, reference);
            let interval = |left: &str, right: &str| draws.difference(place(left), place(right));
            tests(&pairs, value, interval, options.task_effect, options.seed).map_err(refuse)?
        }
    };
    Ok(Task { name: name.to_owned(), seeds, dropped, scores, tests })
}

/// Tokenizers of the group in order, then controls by name.
fn listed(group: &Group, runs: &Runs) -> Vec<TaskScore> {
    let blank = |name: &str, index: Option<usize>, control: bool| TaskScore {
        name: name.to_owned(),
        index,
        control,
        mcc: None,
        f1: f64::NAN,
        accuracy: f64::NAN,
        collapsed: 0,
        failed: 0,
    };
    let with_encoder = group.subjects.iter().filter(|s| runs.contains_key(&s.name));
    let mut all: Vec<TaskScore> = with_encoder.map(|s| blank(&s.name, Some(s.index), s.control)).collect();
    for (name, records) in runs {
        if all.iter().any(|s| s.name == *name) {
            continue;
        }
        let tokenizer = records.values().find_map(|r| match &r.run.work {
            Work::Finetune(f) => Some(f.model.tokenizer.clone()),
            _ => None,
        });
        let index = tokenizer.and_then(|t| group.subject(&t)).map(|s| s.index);
        all.push(blank(name, index, true));
    }
    // Models without pretraining in the order of their tokenizers, then what has no encoder.
    all.sort_by_key(|s| (s.control, s.index.unwrap_or(usize::MAX)));
    all
}

/// The true classes of the test rows, the same for every run.
fn labels(scope: &str, runs: &Runs) -> Result<Vec<u32>, Error> {
    let mut first: Option<(&Finetuned, String)> = None;
    for record in runs.values().flat_map(BTreeMap::values) {
        let Some(done) = finetuned(record) else { continue };
        let name = format!("{} seed {}", record.run.subject(), record.run.seed);
        match &first {
            None => first = Some((done, name)),
            Some((other, left)) if other.labels != done.labels => {
                return Err(Error::DifferentText {
                    scope: scope.into(),
                    left: left.clone(),
                    right: name,
                    what: "test rows".into(),
                });
            }
            Some(_) => {}
        }
    }
    Ok(first.map(|(done, _)| done.labels.clone()).unwrap_or_default())
}

/// Wilcoxon over tasks for each pair of the family, Holm-adjusted; Friedman where there is enough.
fn across(group: &Group) -> Result<(Vec<Across>, Option<crate::statistics::friedman::Friedman>), Error> {
    let scope = || "across tasks".to_owned();
    let score = |task: &Task, name: &str| task.scores.iter().find(|s| s.name == name)?.mcc.as_ref().map(|m| m.mean);
    // A tokenizer without any result is out of this family, not the end of it.
    let ranked: Vec<String> = group.tasked().map(|s| s.name.clone()).collect();
    let complete: Vec<Vec<f64>> =
        group.tasks.iter().filter_map(|t| ranked.iter().map(|n| score(t, n)).collect::<Option<Vec<f64>>>()).collect();
    if complete.len() < 2 {
        return Ok((Vec::new(), None));
    }
    let names: Vec<&str> = ranked.iter().map(String::as_str).collect();
    let mut all = Vec::new();
    // The remark was made where the reference was lost.
    let reference = stand_in(group.reference.as_deref(), &ranked, &mut Vec::new());
    for (left, right) in family(&names, reference.as_deref()) {
        let place = |name: &str| names.iter().position(|n| *n == name).unwrap_or(0);
        let differences: Vec<f64> = complete.iter().map(|row| row[place(&left)] - row[place(&right)]).collect();
        let test = wilcoxon::wilcoxon(&differences).map_err(|source| Error::Statistics { scope: scope(), source })?;
        all.push(Across { left, right, difference: mean(&differences), adjusted: test.p, test });
    }
    let adjusted = holm::holm(&all.iter().map(|a| a.test.p).collect::<Vec<_>>());
    all.iter_mut().zip(adjusted).for_each(|(across, adjusted)| across.adjusted = adjusted);
    let enough = complete.len() >= FRIEDMAN_TASKS && ranked.len() > 2;
    let friedman = if enough {
        Some(friedman(&complete).map_err(|source| Error::Statistics { scope: scope(), source })?)
    } else {
        None
    };
    Ok((all, friedman))
}
