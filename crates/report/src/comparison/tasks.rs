//! Classification tasks of a group: test scores by the metric of each task, per tokenizer and seed; tests within and across
//! tasks.

use std::collections::BTreeSet;

use experiment::record::{Finetuned, Metric, Outcome, Record};
use experiment::run::{Work, not_pretrained};

use super::pairing::{Shared, State, Uncertainty, estimate, family, reference_among, shared_seeds, tests};
use super::records::{RecordGroup, Subjects};
use super::{Across, Estimate, Gain, Group, Options, TaskComparison, TaskScore, Test};
use crate::error::Error;
use statistics::bootstrap::{Rows, rows};
use statistics::draws::{Draws, Interval};
use statistics::friedman::{Friedman, friedman};
use statistics::{holm, mean, wilcoxon};

/// Minimum number of tasks for Friedman's test.
const FRIEDMAN_TASKS: usize = 5;

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
        Outcome::Pretrained(_) => Some("no task result in the record".into()),
    }
}

/// Computes the task results of a group.
pub(super) fn fill(group: &mut Group, records: &RecordGroup, options: &Options) -> Result<(), Error> {
    let ranked: Vec<String> = group.ranked().map(|s| s.name.clone()).collect();
    for (name, runs) in &records.tasks {
        let mut shared = pairing(&ranked, records, name, runs, &group.label, options)?;
        let mut remarks = std::mem::take(&mut shared.remarks);
        let reference = if shared.seeds.is_empty() {
            group.reference.clone()
        } else {
            reference_among(group.reference.as_deref(), &shared.names, &mut remarks)
        };
        let task = task(group, name, runs, shared, reference.as_deref(), options)?;
        group.tasks.push(task);
        group.remarks.extend(remarks.into_iter().map(|r| format!("{name}: {r}")));
    }
    if group.tasks.len() > 1 && group.metric().is_none() {
        let metrics: BTreeSet<Metric> = group.tasks.iter().map(|task| task.metric).collect();
        let metrics: Vec<&str> = metrics.into_iter().map(Metric::short).collect();
        let remark = format!("tasks have different metrics ({}), so there is no test across tasks", metrics.join(", "));
        group.remarks.push(remark);
    }
    let (across, friedman) = across(group)?;
    group.across = across;
    group.friedman = friedman;
    Ok(())
}

fn scope(name: &str, label: &str) -> String {
    if label.is_empty() { name.to_owned() } else { format!("{name} ({label})") }
}

/// Tokenizers and their shared seeds. A run that could not start because its pretraining failed counts as failed.
fn pairing(
    ranked: &[String],
    records: &RecordGroup,
    task: &str,
    runs: &Subjects,
    label: &str,
    options: &Options,
) -> Result<Shared, Error> {
    let names: Vec<&str> = ranked.iter().map(String::as_str).collect();
    let union: BTreeSet<u64> = names.iter().filter_map(|n| runs.get(n)).flat_map(|r| r.keys().copied()).collect();
    if union.is_empty() {
        return Ok(Shared::default());
    }
    shared_seeds(&scope(task, label), &names, &union, options, |name, seed| {
        let parent = || records.pretrained.get(name)?.get(&seed).map(|r| &r.outcome);
        match (runs.get(name).and_then(|r| r.get(&seed)), parent()) {
            (Some(record), _) => unusable(record).map_or(State::Usable, State::Failed),
            (None, Some(Outcome::Failed { reason })) => State::Failed(format!("pretraining failed: {reason}")),
            (None, _) => State::Missing,
        }
    })
}

/// The runs of one task.
struct Runs<'a> {
    records: &'a Subjects,
    labels: Vec<u32>,
    classes: usize,
    metric: Metric,
    resamples: usize,
    seed: u64,
}

/// Jointly resampled scores of the compared tokenizers, in the order of `names`.
struct Joint<'a> {
    names: Vec<&'a str>,
    /// Their predictions at the shared seeds.
    paired: Vec<Vec<&'a Finetuned>>,
    by_mcc: Option<Draws>,
    by_metric: Option<Draws>,
}

impl<'a> Runs<'a> {
    fn new(records: &'a Subjects, scope: &str, comparisons: usize, options: &Options) -> Result<Runs<'a>, Error> {
        let everything = || records.records().filter_map(finetuned);
        Ok(Runs {
            records,
            labels: labels(scope, records)?,
            classes: everything().map(|f| f.classes).max().unwrap_or(0),
            metric: everything().map(|f| f.metric).next().unwrap_or_default(),
            resamples: options.resamples_for(comparisons),
            seed: options.seed,
        })
    }

    fn sample(&self, all: &[Vec<&Finetuned>], metric: Metric) -> Result<Draws, statistics::Error> {
        let predicted = all.iter().map(|one| one.iter().map(|f| f.predicted.as_slice()).collect()).collect();
        rows(&Rows { classes: self.classes, labels: &self.labels, metric, predicted }, self.resamples, self.seed)
    }

    /// What pretraining brings to a tokenizer, if it has runs without it at the same seeds.
    fn gain(&self, name: &str) -> Result<Option<Gain>, statistics::Error> {
        let (Some(with), Some(without)) = (self.records.get(name), self.records.get(&not_pretrained(name))) else {
            return Ok(None);
        };
        let both = |(seed, record)| Some((seed, finetuned(record)?, without.get(&seed).and_then(finetuned)?));
        let pairs: Vec<(u64, &Finetuned, &Finetuned)> =
            with.iter().map(|(seed, record)| (*seed, record)).filter_map(both).collect();
        if pairs.is_empty() {
            return Ok(None);
        }
        let sides = [pairs.iter().map(|pair| pair.1).collect(), pairs.iter().map(|pair| pair.2).collect()];
        let interval = self.sample(&sides, self.metric)?.difference(0, 1);
        let score = |run: &Finetuned| run.score(self.metric);
        let differences = pairs.iter().map(|(_, with, without)| score(with) - score(without)).collect();
        let seeds = pairs.iter().map(|pair| pair.0).collect();
        Ok(Some(Gain { name: name.to_owned(), seeds, difference: estimate(differences, interval) }))
    }

    /// Resamples the tokenizers that share seeds together.
    fn joint(&self, names: &'a [String], seeds: &[u64]) -> Result<Joint<'a>, statistics::Error> {
        let names: Vec<&str> = if seeds.is_empty() { Vec::new() } else { names.iter().map(String::as_str).collect() };
        let at_seeds = |name: &&str| -> Vec<&'a Finetuned> {
            let runs = self.records.get(name);
            runs.map_or_else(Vec::new, |r| seeds.iter().filter_map(|s| r.get(s).and_then(finetuned)).collect())
        };
        let paired: Vec<Vec<&Finetuned>> = names.iter().map(at_seeds).collect();
        let drawn = |metric| (!names.is_empty()).then(|| self.sample(&paired, metric)).transpose();
        let by_mcc = drawn(Metric::Mcc)?;
        let by_metric = if self.metric == Metric::Mcc { None } else { drawn(self.metric)? };
        Ok(Joint { names, paired, by_mcc, by_metric })
    }

    /// The scores of a tokenizer or control: resampled with the others if it is compared, alone if it is a control.
    fn score(&self, subject: TaskScore, joint: &Joint<'_>) -> Result<TaskScore, statistics::Error> {
        let all = self.records.get(&subject.name);
        let usable: Vec<&Finetuned> = all.map_or_else(Vec::new, |r| r.values().filter_map(finetuned).collect());
        let place = joint.place(&subject.name);
        let shown = match place {
            Some(place) => joint.paired[place].clone(),
            None if subject.control => usable.clone(),
            None => Vec::new(),
        };
        let score = |metric: Metric, draws: Option<&Draws>| -> Result<Option<Estimate>, statistics::Error> {
            let interval = match (draws, place) {
                _ if shown.is_empty() => return Ok(None),
                (Some(draws), Some(place)) => draws.total(place),
                _ => self.sample(std::slice::from_ref(&shown), metric)?.total(0),
            };
            let interval = Interval { low: interval.low.max(metric.least()), high: interval.high.min(1.0) };
            Ok(Some(estimate(shown.iter().map(|f| f.score(metric)).collect(), interval)))
        };
        let over = |metric: Metric| mean(&shown.iter().map(|f| f.score(metric)).collect::<Vec<_>>());
        Ok(TaskScore {
            mcc: score(Metric::Mcc, joint.by_mcc.as_ref())?,
            judged: if self.metric == Metric::Mcc { None } else { score(self.metric, joint.by_metric.as_ref())? },
            f1: over(Metric::F1),
            accuracy: over(Metric::Accuracy),
            collapsed: usable.iter().filter(|f| f.collapsed).count(),
            failed: all.map_or(0, |r| r.values().filter(|r| unusable(r).is_some()).count()),
            ..subject
        })
    }
}

impl Joint<'_> {
    fn place(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|other| *other == name)
    }

    /// Tests of the family by the metric of the task; empty without shared seeds.
    fn tests(
        &self,
        scores: &[TaskScore],
        reference: Option<&str>,
        options: &Options,
    ) -> Result<Vec<Test>, statistics::Error> {
        let Some(draws) = self.by_metric.as_ref().or(self.by_mcc.as_ref()) else { return Ok(Vec::new()) };
        let value = |name: &str| scores.iter().find(|s| s.name == name)?.score().map(|s| s.seeds.clone());
        let place = |name: &str| self.place(name).unwrap_or(0);
        let uncertainty = |left: &str, right: &str, comparisons: usize| {
            let (left, right) = (place(left), place(right));
            Ok(Uncertainty {
                interval: draws.difference(left, right),
                simultaneous: draws.simultaneous(left, right, comparisons),
                text: draws.text_error(left, right),
            })
        };
        tests(&family(&self.names, reference), value, uncertainty, options.task_effect, options)
    }
}

fn task(
    group: &Group,
    name: &str,
    records: &Subjects,
    shared: Shared,
    reference: Option<&str>,
    options: &Options,
) -> Result<TaskComparison, Error> {
    let scope = scope(name, &group.label);
    let refuse = |source| Error::Statistics { scope: scope.clone(), source };
    let Shared { names, seeds, dropped, .. } = shared;
    let compared: Vec<&str> = names.iter().map(String::as_str).collect();
    let runs = Runs::new(records, &scope, family(&compared, reference).len(), options)?;
    let joint = runs.joint(&names, &seeds).map_err(refuse)?;
    let scores: Result<Vec<TaskScore>, _> =
        listed(group, records).into_iter().map(|subject| runs.score(subject, &joint)).collect();
    let scores = scores.map_err(refuse)?;
    let tests = joint.tests(&scores, reference, options).map_err(refuse)?;
    let rows = runs.labels.len();
    let gains = group.subjects.iter().filter_map(|subject| runs.gain(&subject.name).transpose());
    let pretraining = gains.collect::<Result<_, _>>().map_err(refuse)?;
    Ok(TaskComparison { name: name.to_owned(), metric: runs.metric, rows, seeds, dropped, scores, tests, pretraining })
}

/// Empty scores for the tokenizers of the group in order, then for the controls.
fn listed(group: &Group, runs: &Subjects) -> Vec<TaskScore> {
    let empty = |name: &str, index: Option<usize>, control: bool| TaskScore {
        name: name.to_owned(),
        index,
        control,
        mcc: None,
        judged: None,
        f1: f64::NAN,
        accuracy: f64::NAN,
        collapsed: 0,
        failed: 0,
    };
    let with_encoder = group.subjects.iter().filter(|s| runs.get(&s.name).is_some());
    let mut all: Vec<TaskScore> = with_encoder.map(|s| empty(&s.name, Some(s.index), s.control)).collect();
    for (name, records) in runs.iter() {
        if all.iter().any(|s| s.name == *name) {
            continue;
        }
        let tokenizer = records.values().find_map(|r| match &r.run.work {
            Work::Finetune(f) => Some(f.model.tokenizer.clone()),
            _ => None,
        });
        let index = tokenizer.and_then(|t| group.subject(&t)).map(|s| s.index);
        all.push(empty(name, index, true));
    }
    // Models without pretraining in the order of their tokenizers, then controls without an encoder.
    all.sort_by_key(|s| (s.control, s.index.unwrap_or(usize::MAX)));
    all
}

/// True classes of the test rows, which must be the same for every run.
fn labels(scope: &str, runs: &Subjects) -> Result<Vec<u32>, Error> {
    let mut first: Option<(&Finetuned, String)> = None;
    for record in runs.records() {
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

/// Wilcoxon's signed-rank test across tasks for each pair, Holm-adjusted, and Friedman's test if there are enough tasks.
fn across(group: &Group) -> Result<(Vec<Across>, Option<Friedman>), Error> {
    let scope = || "across tasks".to_owned();
    let score =
        |task: &TaskComparison, name: &str| task.scores.iter().find(|s| s.name == name)?.score().map(|s| s.mean);
    // A tokenizer without any result is excluded from this family.
    let ranked: Vec<String> = group.tasked().map(|s| s.name.clone()).collect();
    let complete: Vec<Vec<f64>> =
        group.tasks.iter().filter_map(|t| ranked.iter().map(|n| score(t, n)).collect::<Option<Vec<f64>>>()).collect();
    if complete.len() < 2 {
        return Ok((Vec::new(), None));
    }
    let names: Vec<&str> = ranked.iter().map(String::as_str).collect();
    let mut all = Vec::new();
    // Ranks within a task are comparable between metrics; differences are not.
    let names: &[&str] = if group.metric().is_some() { &names } else { &[] };
    // The remark about a missing reference was made per task.
    let reference = reference_among(group.reference.as_deref(), &ranked, &mut Vec::new());
    for (left, right) in family(names, reference.as_deref()) {
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
