//! Checks and grouping of records: which may be compared, which form a group, and which controls are shown beside a group. Records
//! that cannot be grouped are an error that names them. No statistics.

use std::collections::{BTreeMap, BTreeSet};

use experiment::record::{Finetuned, Outcome, Record};
use experiment::run::{Control, DataRef, Finetune, Work};
use statistics::classes::Confusion;

use super::settings::{Settings, pretraining};
use super::tuning::{Tuning, tuned};
use crate::error::Error;

/// Maximum difference between stored and recomputed metrics.
const TOLERANCE: f64 = 1e-6;

/// Records of one tokenizer or control, by seed.
pub(super) type Runs = BTreeMap<u64, Record>;

/// Runs by tokenizer or control.
#[derive(Clone, Debug, Default)]
pub(super) struct Subjects(BTreeMap<String, Runs>);

impl Subjects {
    /// The runs of a tokenizer or control.
    pub(super) fn get(&self, name: &str) -> Option<&Runs> {
        self.0.get(name)
    }

    /// Names with their runs, sorted.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&String, &Runs)> {
        self.0.iter()
    }

    /// Takes over the runs of a tokenizer or control.
    pub(super) fn put(&mut self, name: &str, runs: Runs) {
        self.0.insert(name.to_owned(), runs);
    }

    /// All records, sorted by name and seed.
    pub(super) fn records(&self) -> impl Iterator<Item = &Record> + Clone {
        self.0.values().flat_map(BTreeMap::values)
    }

    /// Adds a record; `scope` names the group or task in the error about a duplicate.
    fn insert(&mut self, record: Record, scope: &str) -> Result<(), Error> {
        let (seed, subject, second) = (record.run.seed, record.run.subject(), record.key.short().to_owned());
        match self.0.entry(subject.clone()).or_default().insert(seed, record) {
            None => Ok(()),
            Some(other) => Err(Error::Duplicate {
                scope: scope.into(),
                subject,
                seed,
                first: other.key.short().to_owned(),
                second,
            }),
        }
    }
}

/// The records of one group, before analysis.
#[derive(Clone, Debug, Default)]
pub(super) struct RecordGroup {
    /// Pretraining runs.
    pub(super) pretrained: Subjects,
    /// Learning-rate search.
    pub(super) tuning: Option<Tuning>,
    /// Selected position encodings of each tokenizer, with the number of seeds.
    pub(super) positions: Vec<(String, Vec<(String, usize)>)>,
    /// Classification tasks by name.
    pub(super) tasks: BTreeMap<String, Subjects>,
    /// Markov predictors.
    pub(super) markov: Subjects,
    /// Warnings about excluded controls.
    pub(super) remarks: BTreeSet<String>,
}

/// Groups by their settings; None for controls without any run with an encoder.
pub(super) type RecordGroups = BTreeMap<Option<Settings>, RecordGroup>;

/// One record per key; a finished run replaces a failed one.
pub(super) fn distinct(records: Vec<Record>) -> Vec<Record> {
    let mut kept: Vec<Record> = Vec::with_capacity(records.len());
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for record in records {
        match places.get(record.key.as_str()) {
            Some(&at) => {
                if matches!(kept[at].outcome, Outcome::Failed { .. }) {
                    kept[at] = record;
                }
            }
            None => {
                places.insert(record.key.as_str().to_owned(), kept.len());
                kept.push(record);
            }
        }
    }
    kept
}

/// Tokenizer or control, and seed.
pub(super) fn run_name(record: &Record) -> String {
    format!("{} seed {}", record.run.subject(), record.run.seed)
}

/// Requires one protocol for all records, and one device and number format for those with an encoder.
pub(super) fn uniform(records: &[Record]) -> Result<(), Error> {
    let computed: Vec<&Record> = records.iter().filter(|r| pretraining(r).is_some()).collect();
    agree("protocols", records.iter().map(|r| (r.run.protocol.to_string(), run_name(r))))?;
    agree("devices", computed.iter().map(|r| (r.run.device.clone(), run_name(r))))?;
    agree("number formats", computed.iter().map(|r| (r.run.dtype.clone(), run_name(r))))
}

fn agree(what: &str, values: impl Iterator<Item = (String, String)>) -> Result<(), Error> {
    let mut by_value: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (value, run) in values {
        by_value.entry(value).or_default().push(run);
    }
    if by_value.len() < 2 {
        return Ok(());
    }
    let offenders = by_value.iter().map(|(value, runs)| {
        let more = if runs.len() > 3 { format!(" and {} more", runs.len() - 3) } else { String::new() };
        format!("{value} ({}{more})", runs[..runs.len().min(3)].join(", "))
    });
    Err(Error::Mixed { what: what.into(), offenders: offenders.collect::<Vec<_>>().join(" vs ") })
}

/// Requires that a record is consistent: outcome of the kind of its run, metrics that follow from its predictions.
pub(super) fn check(record: &Record) -> Result<(), Error> {
    let refuse = |what: String| {
        let (key, subject, seed) = (record.key.short().to_owned(), record.run.subject(), record.run.seed);
        Err(Error::Contradiction { key, subject, seed, what })
    };
    match (&record.outcome, &record.run.work) {
        (Outcome::Finetuned(done), _) => match metrics(done) {
            Ok(None) => Ok(()),
            Ok(Some(what)) => refuse(what),
            Err(source) => refuse(source.to_string()),
        },
        (
            Outcome::Pretrained(_),
            Work::Finetune(_) | Work::Control(Control::Cnn { .. } | Control::KmerLogistic { .. }),
        ) => refuse("record kind mismatch: fine-tuning run or task control with a pretraining outcome".into()),
        _ => Ok(()),
    }
}

/// Message about the first stored metric that does not follow from the stored predictions.
fn metrics(done: &Finetuned) -> Result<Option<String>, statistics::Error> {
    let table = Confusion::new(&done.labels, &done.predicted, done.classes)?;
    let stored =
        [("MCC", done.mcc, table.mcc()), ("F1", done.f1, table.f1()), ("accuracy", done.accuracy, table.accuracy())];
    Ok(stored
        .iter()
        .find(|(_, stored, computed)| (stored - computed).abs() > TOLERANCE || !stored.is_finite())
        .map(|(name, stored, computed)| format!("{name} is stored as {stored}, but the predictions give {computed}")))
}

/// A property of the runs of each task: (value, run).
#[derive(Default)]
struct TaskProperty(BTreeMap<String, Vec<(String, String)>>);

impl TaskProperty {
    fn add(&mut self, task: &DataRef, value: String, record: &Record) {
        self.0.entry(task.name.clone()).or_default().push((value, run_name(record)));
    }

    /// Requires one value per task.
    fn agree(self, what: &str) -> Result<(), Error> {
        self.0.into_iter().try_for_each(|(task, values)| agree(&format!("{what} of {task}"), values.into_iter()))
    }
}

/// Fine-tuning settings and data of a run, without the learning rate, which is selected for each tokenizer.
fn finetuning(run: &Finetune) -> Result<String, Error> {
    let mut settings = serde_json::to_value(&run.finetuning)?;
    settings.as_object_mut().map(|map| map.remove("learning_rate"));
    Ok(format!("{settings}, data {}", run.task.hash))
}

/// Pretraining runs by settings and tokenizer.
type ByName = BTreeMap<(Settings, String), Vec<Record>>;

/// Groups records; controls without an encoder join every group with the same masked bases or task.
pub(super) fn grouped(records: Vec<Record>, partial: bool) -> Result<RecordGroups, Error> {
    let mut groups = RecordGroups::new();
    let mut controls = Vec::new();
    let (mut tunings, mut metrics) = (TaskProperty::default(), TaskProperty::default());
    let (mut pretrained, mut trials) = (ByName::new(), ByName::new());
    for record in records {
        if let (Some(task), Outcome::Finetuned(done)) = (record.run.task(), &record.outcome) {
            metrics.add(task, done.metric.name().to_owned(), &record);
        }
        match &record.run.work {
            Work::Pretrain(p) if p.is_trial() => {
                trials.entry((Settings::of(p), record.run.subject())).or_default().push(record);
            }
            Work::Pretrain(p) => pretrained.entry((Settings::of(p), record.run.subject())).or_default().push(record),
            Work::Finetune(f) => {
                tunings.add(&f.task, finetuning(f)?, &record);
                let (group, task) = (groups.entry(Some(Settings::of(&f.model))).or_default(), f.task.name.clone());
                group.tasks.entry(task.clone()).or_default().insert(record, &task)?;
            }
            Work::Control(_) => controls.push(record),
        }
    }
    if !partial {
        unscored(&pretrained, &trials)?;
    }
    for ((settings, name), records) in pretrained {
        let trials = trials.get(&(settings.of_trials(), name.clone())).map(Vec::as_slice).unwrap_or_default();
        let group = groups.entry(Some(settings)).or_default();
        for record in tuned(&name, records, trials, partial, &mut group.tuning) {
            group.pretrained.insert(record, "pretraining")?;
        }
    }
    tunings.agree("fine-tuning settings or data")?;
    metrics.agree("metrics")?;
    if groups.is_empty() && !controls.is_empty() {
        groups.insert(None, RecordGroup::default());
    }
    for control in &controls {
        groups.iter_mut().try_for_each(|(settings, group)| place_control(settings.as_ref(), group, control))?;
    }
    Ok(groups)
}

/// Requires a scored run of every tokenizer whose trials were compared with those of others that have one.
fn unscored(pretrained: &ByName, trials: &ByName) -> Result<(), Error> {
    let scored: BTreeSet<(Settings, &String)> =
        pretrained.keys().map(|(settings, name)| (settings.of_trials(), name)).collect();
    for (settings, name) in trials.keys() {
        if !scored.contains(&(settings.clone(), name)) && scored.iter().any(|(other, _)| other == settings) {
            let offenders = format!("{name} has trials of learning rates and no scored run");
            return Err(Error::UnequalSeeds { scope: "pretraining".into(), offenders });
        }
    }
    Ok(())
}

fn place_control(settings: Option<&Settings>, group: &mut RecordGroup, record: &Record) -> Result<(), Error> {
    match &record.run.work {
        Work::Control(control) if control.text().is_some() => {
            let scored = settings.is_none_or(|settings| control.text().is_some_and(|text| settings.scores(text)));
            if scored { group.markov.insert(record.clone(), "controls") } else { Ok(()) }
        }
        Work::Control(Control::KmerLogistic { task, .. } | Control::Cnn { task, .. }) => {
            // A task is identified by its data; names may differ.
            let hash = |runs: &Subjects| runs.records().find_map(|r| r.run.task().map(|t| t.hash.clone()));
            let same: Vec<String> = (group.tasks.iter())
                .filter(|(_, runs)| hash(runs).is_some_and(|found| found == task.hash))
                .map(|(name, _)| name.clone())
                .collect();
            let namesake = group.tasks.contains_key(&task.name);
            if same.is_empty() && namesake {
                let name = record.run.subject();
                group.remarks.insert(format!(
                    "{name} on {} is excluded: it was run on different data of the same name",
                    task.name
                ));
            }
            let alone = (settings.is_none() && same.is_empty() && !namesake).then(|| task.name.clone());
            for title in same.into_iter().chain(alone) {
                group.tasks.entry(title.clone()).or_default().insert(record.clone(), &title)?;
            }
            Ok(())
        }
        Work::Control(_) | Work::Pretrain(_) | Work::Finetune(_) => Ok(()),
    }
}
