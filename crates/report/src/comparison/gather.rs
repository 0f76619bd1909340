//! From a heap of records to groups: what must agree, what distinguishes, who is a control. No statistics.

use std::collections::{BTreeMap, BTreeSet};

use experiment::config::MaskingUnit;
use experiment::record::{Finetuned, Outcome, Record};
use experiment::run::{Control, Pretrain, Work};
use serde_json::Value;

use super::tuning::{Tuning, tuned};
use super::{Comparison, Dropped, Group, Options, Subject, bits, tasks};
use crate::error::Error;
use crate::statistics::classes::Confusion;

/// Pairs of a family, by name: `(left, right)`.
pub type Comparisons = Vec<(String, String)>;

/// How far stored and recomputed metrics may differ.
const TOLERANCE: f64 = 1e-6;

/// The records of one group, still unread.
#[derive(Default)]
pub(super) struct Heap {
    /// Pretraining records by tokenizer and seed.
    pub pretrained: BTreeMap<String, BTreeMap<u64, Record>>,
    /// What was tried to get there.
    pub tuning: Option<Tuning>,
    /// Fine-tuning records by task, subject and seed.
    pub tasks: BTreeMap<String, BTreeMap<String, BTreeMap<u64, Record>>>,
    /// Markov controls by name and seed.
    pub markov: BTreeMap<String, BTreeMap<u64, Record>>,
    /// Controls that could not be placed.
    pub remarks: BTreeSet<String>,
}

impl Comparison {
    /// Checks, groups, pairs and tests records.
    ///
    /// # Errors
    /// Records that may not be compared (mixed devices, protocols or number formats, unequal seeds, different text,
    /// duplicates) or that contradict themselves; a name that no record has; nothing complete (`partial`). The message names the offenders.
    pub fn new(records: Vec<Record>, options: Options) -> Result<Comparison, Error> {
        let records = distinct(records);
        if records.is_empty() {
            return Err(Error::Empty);
        }
        uniform(&records)?;
        records.iter().try_for_each(check)?;
        let order = order(&records, &options);
        unknown(&order, &options)?;
        let known: Vec<String> = order.iter().filter(|n| !options.controls.contains(n)).cloned().collect();
        if let Some(name) = options.reference.as_ref().filter(|name| !known.contains(name)) {
            return Err(Error::UnknownReference { name: name.clone(), known: known.join(", ") });
        }
        let made_up = records.iter().any(Record::is_made_up);
        let device = records
            .iter()
            .find(|r| encoder(r).is_some())
            .or(records.first())
            .map_or_else(String::new, |r| r.run.device.clone());
        let mut machines: Vec<String> =
            records.iter().map(|r| r.provenance.device.clone()).filter(|d| !d.is_empty()).collect();
        machines.sort();
        machines.dedup();
        let heaps = heaps(records, options.partial)?;
        let settings: Vec<BTreeMap<String, String>> = heaps.keys().map(|key| leaves(key)).collect();
        let mut groups = Vec::new();
        for ((key, heap), leaves) in heaps.iter().zip(&settings) {
            groups.push(group(key, label(leaves, &settings), heap, &order, &options)?);
        }
        let ranked: BTreeSet<&str> = groups.iter().flat_map(|g| g.ranked().map(|s| s.name.as_str())).collect();
        if groups.len() > 1 && ranked.len() > 1 && groups.iter().all(|g| g.ranked().count() < 2) {
            let offenders = groups.iter().map(|g| format!("{} ({})", names(g), g.label)).collect::<Vec<_>>().join("; ");
            return Err(Error::Mixed { what: "settings".into(), offenders });
        }
        let something = |g: &Group| {
            g.subjects.iter().any(|s| s.bits.is_some())
                || g.tasks.iter().any(|t| t.scores.iter().any(|s| s.score().is_some()))
        };
        let why: Vec<String> = groups.iter().flat_map(|g| g.remarks.iter().cloned()).collect();
        if options.partial && !known.is_empty() && !groups.iter().any(something) {
            let why = if why.is_empty() { "no seed has a score of every tokenizer".into() } else { why.join("; ") };
            return Err(Error::NothingComplete { why });
        }
        Ok(Comparison { device, machines, order, groups, made_up, options })
    }
}

fn names(group: &Group) -> String {
    group.ranked().map(|s| s.name.as_str()).collect::<Vec<_>>().join(", ")
}

/// One record per key; a success is preferred to a failure of the same run.
fn distinct(records: Vec<Record>) -> Vec<Record> {
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
                places.insert(record.key.to_string(), kept.len());
                kept.push(record);
            }
        }
    }
    kept
}

/// The pretraining part of a run with an encoder.
pub(super) fn encoder(record: &Record) -> Option<&Pretrain> {
    match &record.run.work {
        Work::Pretrain(p) => Some(p),
        Work::Finetune(f) => Some(&f.model),
        Work::Control(_) => None,
    }
}

fn spelled(record: &Record) -> String {
    format!("{} seed {}", record.run.subject(), record.run.seed)
}

/// Protocol of all records, device and number format of those with an encoder.
fn uniform(records: &[Record]) -> Result<(), Error> {
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
fn check(record: &Record) -> Result<(), Error> {
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
fn metrics(done: &Finetuned) -> Result<Option<String>, crate::statistics::Error> {
    let table = Confusion::new(&done.labels, &done.predicted, done.classes)?;
    let stored =
        [("MCC", done.mcc, table.mcc()), ("F1", done.f1, table.f1()), ("accuracy", done.accuracy, table.accuracy())];
    Ok(stored
        .iter()
        .find(|(_, stored, computed)| (stored - computed).abs() > TOLERANCE || !stored.is_finite())
        .map(|(name, stored, computed)| format!("{name} is stored as {stored} but its predictions give {computed}")))
}

/// Order of tokenizers: as asked, then as met; controls last.
fn order(records: &[Record], options: &Options) -> Vec<String> {
    let mut met: Vec<String> = Vec::new();
    for name in records.iter().filter_map(|r| encoder(r).map(|p| p.tokenizer.clone())) {
        if !met.contains(&name) {
            met.push(name);
        }
    }
    if options.partial {
        let missing: Vec<String> = options.order.iter().filter(|name| !met.contains(name)).cloned().collect();
        met.extend(missing);
    }
    let place = |name: &String| options.order.iter().position(|o| o == name).unwrap_or(usize::MAX);
    met.sort_by_key(|name| (options.controls.contains(name), place(name)));
    met
}

/// Names that were asked for and that nothing has.
fn unknown(known: &[String], options: &Options) -> Result<(), Error> {
    for (what, names) in [("order", &options.order), ("controls", &options.controls)] {
        if let Some(name) = names.iter().find(|name| !known.contains(name)) {
            return Err(Error::UnknownName { what, name: name.clone(), known: known.join(", ") });
        }
    }
    Ok(())
}

/// The question a run asks, as canonical JSON: everything but tokenizer and learning rate (chosen per tokenizer).
fn question(model: &Pretrain) -> Result<String, Error> {
    let mut value = serde_json::to_value(model)?;
    if let Some(map) = value.as_object_mut() {
        map.remove("tokenizer");
        if let Some(training) = map.get_mut("training").and_then(Value::as_object_mut) {
            training.remove("learning_rate");
        }
    }
    Ok(value.to_string())
}

fn insert(place: &mut BTreeMap<u64, Record>, record: Record, scope: &str) -> Result<(), Error> {
    let (seed, subject, second) = (record.run.seed, record.run.subject(), record.key.short().to_owned());
    match place.insert(seed, record) {
        None => Ok(()),
        Some(other) => {
            Err(Error::Duplicate { scope: scope.into(), subject, seed, first: other.key.short().to_owned(), second })
        }
    }
}

/// Sorts records into groups; controls without an encoder join every group whose plan or task they share.
fn heaps(records: Vec<Record>, partial: bool) -> Result<BTreeMap<String, Heap>, Error> {
    let mut heaps: BTreeMap<String, Heap> = BTreeMap::new();
    let mut controls = Vec::new();
    let mut finetuning: BTreeMap<String, BTreeMap<String, Vec<String>>> = BTreeMap::new();
    let mut metrics: BTreeMap<String, Vec<(&'static str, String)>> = BTreeMap::new();
    let mut tried: BTreeMap<String, BTreeMap<String, Vec<Record>>> = BTreeMap::new();
    for record in records {
        let name = record.run.subject();
        if let (Some(task), Outcome::Finetuned(done)) = (record.run.task(), &record.outcome) {
            metrics.entry(task.name.clone()).or_default().push((done.metric.name(), spelled(&record)));
        }
        match &record.run.work {
            Work::Pretrain(p) => {
                tried.entry(question(p)?).or_default().entry(name).or_default().push(record);
            }
            Work::Finetune(f) => {
                let mut how = serde_json::to_value(&f.finetuning)?;
                how.as_object_mut().map(|map| map.remove("learning_rate"));
                let how = format!("{how}, data {}", f.task.hash);
                finetuning.entry(f.task.name.clone()).or_default().entry(how).or_default().push(spelled(&record));
                let task = f.task.name.clone();
                let heap = heaps.entry(question(&f.model)?).or_default();
                let place = heap.tasks.entry(task.clone()).or_default().entry(name).or_default();
                insert(place, record, &task)?;
            }
            Work::Control(_) => controls.push(record),
        }
    }
    for (question, by_tokenizer) in tried {
        let heap = heaps.entry(question).or_default();
        for (name, records) in by_tokenizer {
            for record in tuned(&name, records, partial, &mut heap.tuning) {
                insert(heap.pretrained.entry(name.clone()).or_default(), record, "pretraining")?;
            }
        }
    }
    for (task, ways) in &finetuning {
        let pairs = ways.iter().flat_map(|(how, runs)| runs.iter().map(move |run| (how.clone(), run.clone())));
        agree(&format!("fine-tuning settings or data of {task}"), pairs)?;
    }
    for (task, judged) in &metrics {
        let pairs = judged.iter().map(|(metric, run)| ((*metric).to_owned(), run.clone()));
        agree(&format!("metrics of {task}"), pairs)?;
    }
    for control in controls {
        if heaps.is_empty() {
            heaps.insert(String::from("{}"), Heap::default());
        }
        for (key, heap) in &mut heaps {
            place_control(key, heap, &control)?;
        }
    }
    Ok(heaps)
}

fn place_control(key: &str, heap: &mut Heap, record: &Record) -> Result<(), Error> {
    let name = record.run.subject();
    match &record.run.work {
        Work::Control(Control::Markov { corpus, window, span, scoring, .. }) => {
            let model: Option<Value> = serde_json::from_str(key).ok();
            let same = |path: &str, value: Value| {
                model.as_ref().and_then(|m| m.pointer(path)).is_none_or(|found| *found == value)
            };
            let plan = same("/corpus", serde_json::to_value(corpus)?)
                && same("/training/window", (*window).into())
                && same("/masking/span", (*span).into())
                && same("/scoring", serde_json::to_value(scoring)?);
            if plan { insert(heap.markov.entry(name).or_default(), record.clone(), "controls") } else { Ok(()) }
        }
        Work::Control(Control::KmerLogistic { task, .. } | Control::Cnn { task, .. }) => {
            // Names are for people: the same data is the same task.
            let hash = |runs: &BTreeMap<String, BTreeMap<u64, Record>>| {
                runs.values().flat_map(BTreeMap::values).find_map(|r| r.run.task().map(|t| t.hash.clone()))
            };
            let same: Vec<String> = (heap.tasks.iter())
                .filter(|(_, runs)| hash(runs).is_some_and(|found| found == task.hash))
                .map(|(name, _)| name.clone())
                .collect();
            let namesake = heap.tasks.contains_key(&task.name);
            if same.is_empty() && namesake {
                heap.remarks.insert(format!("{name} on {} was run on other data of that name: left out", task.name));
            }
            let alone = (key == "{}" && same.is_empty() && !namesake).then(|| task.name.clone());
            for title in same.into_iter().chain(alone) {
                let place = heap.tasks.entry(title.clone()).or_default().entry(name.clone()).or_default();
                insert(place, record.clone(), &title)?;
            }
            Ok(())
        }
        Work::Pretrain(_) | Work::Finetune(_) => Ok(()),
    }
}

/// All leaves of a JSON text by their path.
fn leaves(key: &str) -> BTreeMap<String, String> {
    fn walk(value: &Value, path: &str, into: &mut BTreeMap<String, String>) {
        match value {
            Value::Object(map) => map.iter().for_each(|(name, inner)| walk(inner, &format!("{path}.{name}"), into)),
            Value::String(text) => drop(into.insert(path.trim_start_matches('.').to_owned(), text.clone())),
            other => drop(into.insert(path.trim_start_matches('.').to_owned(), other.to_string())),
        }
    }
    let mut all = BTreeMap::new();
    walk(&serde_json::from_str(key).unwrap_or(Value::Null), "", &mut all);
    all
}

/// What makes this group differ from the others, in few words.
fn label(own: &BTreeMap<String, String>, all: &[BTreeMap<String, String>]) -> String {
    let varies = |path: &String| all.iter().any(|other| other.get(path) != own.get(path));
    let words = own.iter().filter(|(path, _)| varies(path) && *path != "corpus.hash");
    let word = |(path, value): (&String, &String)| match path.as_str() {
        "encoder.position" | "corpus.name" => value.clone(),
        _ => format!("{} {value}", path.rsplit('.').next().unwrap_or(path).replace('_', " ")),
    };
    words.map(word).collect::<Vec<_>>().join(", ")
}

/// The question in one line.
fn setting(model: &Pretrain) -> String {
    let (e, t) = (&model.encoder, &model.training);
    let masked = match model.masking.unit {
        MaskingUnit::Bases => "",
        MaskingUnit::Tokens => "tokens masked in training, scored in ",
    };
    format!(
        "{}, encoder {} x {}, {}, window {}, {masked}spans of {}, {} bases",
        model.corpus.name,
        e.layers,
        e.hidden,
        e.position.name(),
        t.window,
        model.masking.span,
        crate::words::magnitude(t.bases as f64)
    )
}

fn group(key: &str, label: String, heap: &Heap, order: &[String], options: &Options) -> Result<Group, Error> {
    let scope = if label.is_empty() { "pretraining".to_owned() } else { label.clone() };
    let all = heap.pretrained.values().flat_map(BTreeMap::values);
    let all = all.chain(heap.tasks.values().flat_map(|t| t.values().flat_map(BTreeMap::values)));
    let model = all.clone().find_map(encoder);
    let present = |name: &String| all.clone().any(|r| encoder(r).is_some_and(|p| p.tokenizer == *name));
    let subjects: Vec<Subject> = (order.iter().enumerate())
        .filter(|(_, name)| present(name))
        .map(|(index, name)| {
            let control = options.controls.contains(name);
            Subject { name: name.clone(), index, control, bits: None, collapsed: 0, failed: 0 }
        })
        .collect();
    let reference = options.reference.clone().or_else(|| {
        let first = order.iter().find(|n| !options.controls.contains(n) && (options.partial || present(n)));
        first.cloned()
    });
    let reference = reference.filter(|_| !options.all_pairs);
    let mut group = Group {
        label,
        setting: model.map_or_else(|| key.to_owned(), setting),
        budget: model.map_or(0, |m| m.training.bases),
        reference,
        seeds: Vec::new(),
        dropped: Vec::new(),
        species: Vec::new(),
        subjects,
        markov: Vec::new(),
        tests: Vec::new(),
        tasks: Vec::new(),
        across: Vec::new(),
        friedman: None,
        tuning: heap.tuning.clone(),
        remarks: heap.remarks.iter().cloned().collect(),
    };
    bits::fill(&mut group, heap, &scope, options)?;
    tasks::fill(&mut group, heap, options)?;
    Ok(group)
}

/// The family of comparisons among `names`: all against the reference, or all pairs.
pub(super) fn family(names: &[&str], reference: Option<&str>) -> Comparisons {
    match reference {
        Some(reference) if names.contains(&reference) => {
            names.iter().filter(|n| **n != reference).map(|n| ((*n).to_owned(), reference.to_owned())).collect()
        }
        Some(_) => Vec::new(),
        None => {
            let pair = |(at, left): (usize, &&str)| -> Comparisons {
                names[at + 1..].iter().map(|right| ((*right).to_owned(), (*left).to_owned())).collect()
            };
            names.iter().enumerate().flat_map(pair).collect()
        }
    }
}

/// What became of one run.
pub(super) enum State {
    /// It has a score.
    Usable,
    /// It has none, and why.
    Failed(String),
    /// It was not run, or is not finished.
    Missing,
}

/// Who is compared at which seeds.
#[derive(Default)]
pub(super) struct Shared {
    /// Tokenizers that have a score at every one of the seeds.
    pub names: Vec<String>,
    /// The seeds, ascending.
    pub seeds: Vec<u64>,
    /// Seeds at which a compared tokenizer failed.
    pub dropped: Vec<Dropped>,
    /// Who is left out, what is unfinished.
    pub remarks: Vec<String>,
}

/// Seeds that `names` share. A tokenizer without a single score is left out; unequal seeds are refused unless `partial`.
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
            lacking.push(format!("{name} lacks {}", lacks.join(", ")));
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
            || "none of its runs is finished".to_owned(),
            |d| format!("no usable run, {failed} of {} failed ({})", union.len(), d.reason),
        );
        shared.remarks.push(format!("{name} is left out of the comparison: {why}"));
    }
    if unfinished > 0 {
        let runs = if unfinished == 1 { "1 run is".to_owned() } else { format!("{unfinished} runs are") };
        shared
            .remarks
            .push(format!("{runs} unfinished ({}); these are the seeds that are complete", lacking.join("; ")));
    }
    shared.seeds =
        union.iter().copied().filter(|s| !kept.is_empty() && kept.iter().all(|(_, f)| f.contains(s))).collect();
    shared.names = kept.iter().map(|(name, _)| (*name).to_owned()).collect();
    shared.dropped =
        failures.into_iter().filter(|d| kept.is_empty() || kept.iter().any(|(n, _)| *n == d.tokenizer)).collect();
    Ok(shared)
}

/// The reference among `names`: the asked one, or the first with a remark in `remarks`.
pub(super) fn stand_in(asked: Option<&str>, names: &[String], remarks: &mut Vec<String>) -> Option<String> {
    let asked = asked?;
    match names.first() {
        Some(first) if !names.iter().any(|n| n == asked) => {
            remarks.push(format!("the reference {asked} cannot be compared; {first} is the reference instead"));
            Some(first.clone())
        }
        _ => Some(asked.to_owned()),
    }
}
