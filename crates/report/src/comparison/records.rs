//! Records, sorted: what may be compared at all, which records belong together, which controls stand beside them. What cannot
//! be sorted is refused, with the names of the offenders. No statistics.

use std::collections::{BTreeMap, BTreeSet};

use experiment::record::{Finetuned, Outcome, Record};
use experiment::run::{Control, DataRef, Finetune, Work};
use statistics::classes::Confusion;

use super::question::{Question, encoder};
use super::tuning::{Tuning, tuned};
use crate::error::Error;

/// How far stored and recomputed metrics may differ.
const TOLERANCE: f64 = 1e-6;

/// Records of one tokenizer or control, by seed.
pub(super) type Runs = BTreeMap<u64, Record>;

/// Runs by tokenizer or control.
#[derive(Debug, Default)]
pub(super) struct Subjects(BTreeMap<String, Runs>);

impl Subjects {
    /// The runs of a tokenizer or control.
    pub(super) fn get(&self, name: &str) -> Option<&Runs> {
        self.0.get(name)
    }

    /// All of them by name, ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&String, &Runs)> {
        self.0.iter()
    }

    /// All records, by name and seed.
    pub(super) fn records(&self) -> impl Iterator<Item = &Record> + Clone {
        self.0.values().flat_map(BTreeMap::values)
    }

    /// Puts a record into its place; `scope` is what a refusal says of where that is.
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

/// The records of one question, still unread.
#[derive(Debug, Default)]
pub(super) struct RecordGroup {
    /// Pretraining.
    pub(super) pretrained: Subjects,
    /// What was tried to get there.
    pub(super) tuning: Option<Tuning>,
    /// Labelled tasks by name.
    pub(super) tasks: BTreeMap<String, Subjects>,
    /// Markov controls.
    pub(super) markov: Subjects,
    /// Controls that could not be placed.
    pub(super) remarks: BTreeSet<String>,
}

/// Records by what they ask; controls without any run that has an encoder ask nothing.
pub(super) type RecordGroups = BTreeMap<Option<Question>, RecordGroup>;

/// One record per key; a success is preferred to a failure of the same run.
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

fn spelled(record: &Record) -> String {
    format!("{} seed {}", record.run.subject(), record.run.seed)
}

/// Protocol of all records, device and number format of those with an encoder.
pub(super) fn uniform(records: &[Record]) -> Result<(), Error> {
    let computed: Vec<&Record> = records.iter().filter(|r| encoder(r).is_some()).collect();
    agree("protocols", records.iter().map(|r| (r.run.protocol.to_string(), spelled(r))))?;
    agree("devices", computed.iter().map(|r| (r.run.device.clone(), spelled(r))))?;
    agree("number formats", computed.iter().map(|r| (r.run.dtype.clone(), spelled(r))))
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
    Err(Error::Mixed { what: what.into(), offenders: offenders.collect::<Vec<_>>().join(" against ") })
}

/// A record must follow from its own parts.
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
        ) => refuse("a task run holds the score of a language model".into()),
        _ => Ok(()),
    }
}

/// The first stored metric that the stored predictions do not give.
fn metrics(done: &Finetuned) -> Result<Option<String>, statistics::Error> {
    let table = Confusion::new(&done.labels, &done.predicted, done.classes)?;
    let stored =
        [("MCC", done.mcc, table.mcc()), ("F1", done.f1, table.f1()), ("accuracy", done.accuracy, table.accuracy())];
    Ok(stored
        .iter()
        .find(|(_, stored, computed)| (stored - computed).abs() > TOLERANCE || !stored.is_finite())
        .map(|(name, stored, computed)| format!("{name} is stored as {stored} but its predictions give {computed}")))
}

/// What was said of the runs of each task: value and run.
#[derive(Default)]
struct Told(BTreeMap<String, Vec<(String, String)>>);

impl Told {
    fn tell(&mut self, task: &DataRef, value: String, record: &Record) {
        self.0.entry(task.name.clone()).or_default().push((value, spelled(record)));
    }

    /// All runs of a task must say the same.
    fn agree(self, what: &str) -> Result<(), Error> {
        self.0.into_iter().try_for_each(|(task, told)| agree(&format!("{what} of {task}"), told.into_iter()))
    }
}

/// How a model was fine-tuned, and on what; the learning rate may be the tokenizer's own.
fn way(run: &Finetune) -> Result<String, Error> {
    let mut how = serde_json::to_value(&run.finetuning)?;
    how.as_object_mut().map(|map| map.remove("learning_rate"));
    Ok(format!("{how}, data {}", run.task.hash))
}

/// Sorts records into groups; controls without an encoder join every group whose plan or task they share.
pub(super) fn grouped(records: Vec<Record>, partial: bool) -> Result<RecordGroups, Error> {
    let mut groups = RecordGroups::new();
    let mut controls = Vec::new();
    let (mut ways, mut metrics) = (Told::default(), Told::default());
    let mut tried: BTreeMap<(Question, String), Vec<Record>> = BTreeMap::new();
    for record in records {
        if let (Some(task), Outcome::Finetuned(done)) = (record.run.task(), &record.outcome) {
            metrics.tell(task, done.metric.name().to_owned(), &record);
        }
        match &record.run.work {
            Work::Pretrain(p) => tried.entry((Question::of(p), record.run.subject())).or_default().push(record),
            Work::Finetune(f) => {
                ways.tell(&f.task, way(f)?, &record);
                let (group, task) = (groups.entry(Some(Question::of(&f.model))).or_default(), f.task.name.clone());
                group.tasks.entry(task.clone()).or_default().insert(record, &task)?;
            }
            Work::Control(_) => controls.push(record),
        }
    }
    for ((question, name), records) in tried {
        let group = groups.entry(Some(question)).or_default();
        for record in tuned(&name, records, partial, &mut group.tuning) {
            group.pretrained.insert(record, "pretraining")?;
        }
    }
    ways.agree("fine-tuning settings or data")?;
    metrics.agree("metrics")?;
    if groups.is_empty() && !controls.is_empty() {
        groups.insert(None, RecordGroup::default());
    }
    for control in &controls {
        groups.iter_mut().try_for_each(|(question, group)| place_control(question.as_ref(), group, control))?;
    }
    Ok(groups)
}

fn place_control(question: Option<&Question>, group: &mut RecordGroup, record: &Record) -> Result<(), Error> {
    match &record.run.work {
        Work::Control(Control::Markov { corpus, window, span, scoring, .. }) => {
            let scored = question.is_none_or(|question| question.scores(corpus, *window, *span, scoring));
            if scored { group.markov.insert(record.clone(), "controls") } else { Ok(()) }
        }
        Work::Control(Control::KmerLogistic { task, .. } | Control::Cnn { task, .. }) => {
            // Names are for people: the same data is the same task.
            let hash = |runs: &Subjects| runs.records().find_map(|r| r.run.task().map(|t| t.hash.clone()));
            let same: Vec<String> = (group.tasks.iter())
                .filter(|(_, runs)| hash(runs).is_some_and(|found| found == task.hash))
                .map(|(name, _)| name.clone())
                .collect();
            let namesake = group.tasks.contains_key(&task.name);
            if same.is_empty() && namesake {
                let name = record.run.subject();
                group.remarks.insert(format!("{name} on {} was run on other data of that name: left out", task.name));
            }
            let alone = (question.is_none() && same.is_empty() && !namesake).then(|| task.name.clone());
            for title in same.into_iter().chain(alone) {
                group.tasks.entry(title.clone()).or_default().insert(record.clone(), &title)?;
            }
            Ok(())
        }
        Work::Pretrain(_) | Work::Finetune(_) => Ok(()),
    }
}
