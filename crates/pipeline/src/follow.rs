//! What follows from finished runs: trials that finished runs contain, and the grids of which a learning rate can be selected.

use std::collections::{HashMap, HashSet};

use experiment::Job;
use experiment::config::Scoring;
use experiment::record::{Outcome, Record};
use experiment::run::{Key, Pretrain, Run, Work};

/// The records of the store by key, and trials that are contained in them: a run at a learning rate that was scored on the test split as well, as
/// in records of earlier versions, is not trained again for its trial.
#[derive(Debug, Default)]
pub(crate) struct Known {
    records: HashMap<Key, Record>,
    /// Trials that are in the store only as a part of a scored run.
    contained: HashSet<Key>,
}

impl Known {
    /// The records of a store.
    pub(crate) fn new(records: Vec<Record>) -> Known {
        let records = records.into_iter().map(|record| (record.key.clone(), record)).collect();
        Known { records, contained: HashSet::new() }
    }

    /// Adds the trials among the jobs that finished runs with this scoring contain.
    pub(crate) fn add_contained(&mut self, jobs: &[Job], scoring: &Scoring) {
        for job in jobs.iter().filter(|job| job.run.is_trial()) {
            if self.records.contains_key(&job.key) {
                continue;
            }
            let scored = scored(&job.run, scoring).key();
            let trial = self.records.get(&scored).filter(|record| !record.is_simulated()).and_then(Record::trial);
            if let Some(trial) = trial {
                self.contained.insert(job.key.clone());
                self.records.insert(job.key.clone(), trial);
            }
        }
    }

    /// Trials that are in the store only as a part of a scored run.
    pub(crate) fn contained(&self) -> impl Iterator<Item = &Record> {
        self.contained.iter().filter_map(|key| self.records.get(key))
    }

    /// The records of the jobs, in their order.
    pub(crate) fn of(&self, jobs: &[Job]) -> Vec<Record> {
        jobs.iter().filter_map(|job| self.records.get(&job.key)).cloned().collect()
    }

    /// All records.
    pub(crate) fn into_records(self) -> Vec<Record> {
        self.records.into_values().collect()
    }
}

/// Whether a published record stands for a finished run.
pub(crate) fn usable(record: &Record) -> bool {
    !record.is_simulated() && !matches!(record.outcome, Outcome::Failed { .. })
}

/// The keys of the runs for which a record stands: its own, and that of the trial that it contains.
pub(crate) fn keys(record: &Record) -> impl Iterator<Item = Key> {
    [Some(record.key.clone()), record.run.trial().map(|trial| trial.key())].into_iter().flatten()
}

/// The run of a trial, scored on the test split.
fn scored(trial: &Run, scoring: &Scoring) -> Run {
    match &trial.work {
        Work::Pretrain(p) => {
            Run { work: Work::Pretrain(Pretrain { scoring: scoring.clone(), ..p.clone() }), ..trial.clone() }
        }
        _ => trial.clone(),
    }
}

/// The records of runs whose tokenizer, corpus, position encoding and seed have no unfinished trial: of half a grid no rate is selected.
pub(crate) fn finished_grids(records: &[Record], jobs: &[Job]) -> Vec<Record> {
    let grid = |run: &Run| match &run.work {
        Work::Pretrain(p) => Some((p.tokenizer.clone(), p.corpus.clone(), p.encoder.position.name(), run.seed)),
        _ => None,
    };
    let known: HashSet<&Key> = records.iter().map(|record| &record.key).collect();
    let open = jobs.iter().filter(|job| job.run.is_trial() && !known.contains(&job.key));
    let open: HashSet<_> = open.filter_map(|job| grid(&job.run)).collect();
    records.iter().filter(|record| grid(&record.run).is_some_and(|grid| !open.contains(&grid))).cloned().collect()
}
