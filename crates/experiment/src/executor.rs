//! Who answers the runs of a plan: [`Local`](crate::local::Local) child processes, or the [`Mock`](crate::mock::Mock) of tests.
//!
//! An executor starts a run only when the records it waits for exist and skips what is finished. A failed record is data,
//! and only the run itself writes one (its loss diverged). Whatever else ends a run without a record (a signal, a panic, a
//! missing file, a full disk) says nothing about the question: the run stays pending and the next call takes it up again.

use std::collections::HashSet;
use std::path::PathBuf;

use serde_json::Value;

use crate::error::Result;
use crate::plan::Job;
use crate::record::{Outcome, Record};
use crate::run::Key;
use crate::store::{Found, Store};

/// Answers runs.
pub trait Executor {
    /// Answers every run of `plan` that the store has no record of, telling `events` what happens.
    ///
    /// # Errors
    /// If the store cannot be written or the program cannot be started. A run that fails is no error.
    fn execute(&self, plan: &[Job], store: &Store, events: &mut dyn FnMut(Event)) -> Result<Summary>;
}

/// What happens while runs are answered.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The run had a record already.
    Skipped {
        /// The run.
        key: Key,
    },
    /// A damaged record was set aside; the run is answered again.
    SetAside {
        /// The run.
        key: Key,
        /// What was wrong.
        reason: String,
        /// Where it is now.
        moved_to: PathBuf,
    },
    /// Something of the store was mended.
    Warning {
        /// In a sentence.
        text: String,
    },
    /// The run began.
    Started {
        /// The run.
        key: Key,
    },
    /// The run is on its way.
    Progress {
        /// The run.
        key: Key,
        /// `train`, `score` ...
        stage: String,
        /// Bases (or rows) done.
        done: u64,
        /// Bases (or rows) in all.
        of: u64,
    },
    /// The run said something else.
    Log {
        /// The run.
        key: Key,
        /// The line.
        line: String,
    },
    /// The record is in the store.
    Finished {
        /// The run.
        key: Key,
        /// Wall seconds of this sitting.
        seconds: f64,
    },
    /// The run failed; a record says why.
    Failed {
        /// The run.
        key: Key,
        /// Why.
        reason: String,
        /// Last lines that it said on stderr.
        stderr: Vec<String>,
    },
    /// The run ended without a record (killed, an error, a panic) or could not start; a later call takes it up again.
    Pending {
        /// The run.
        key: Key,
        /// Why.
        reason: String,
    },
}

/// What came of a call.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// Answered now.
    pub done: Vec<Key>,
    /// Answered before.
    pub skipped: Vec<Key>,
    /// Failed, now or before, and why.
    pub failed: Vec<(Key, String)>,
    /// Not answered, and why: killed, interrupted, ended by an error, or waiting for a run without a result.
    pub pending: Vec<(Key, String)>,
    /// True if the person interrupted.
    pub interrupted: bool,
}

impl Summary {
    /// True if every run has a result.
    #[must_use]
    pub fn complete(&self) -> bool {
        self.failed.is_empty() && self.pending.is_empty() && !self.interrupted
    }
}

/// What a child says on stdout, one JSON object a line; [`Progress::line`] writes it, the executor reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// `train`, `score` ...
    pub stage: String,
    /// Bases (or rows) done.
    pub bases: u64,
    /// Bases (or rows) in all.
    pub of: u64,
}

impl Progress {
    /// The line, without its end.
    ///
    /// ```
    /// let progress = experiment::executor::Progress { stage: "train".to_owned(), bases: 5, of: 10 };
    /// assert_eq!(progress.line(), r#"{"bases":5,"event":"progress","of":10,"stage":"train"}"#);
    /// assert_eq!(experiment::executor::Progress::parse(&progress.line()), Some(progress));
    /// ```
    #[must_use]
    pub fn line(&self) -> String {
        let value = serde_json::json!({
            "event": "progress", "stage": self.stage, "bases": self.bases, "of": self.of
        });
        crate::canonical::json(&value)
    }

    /// The progress in a line, if it is one.
    #[must_use]
    pub fn parse(line: &str) -> Option<Progress> {
        let value: Value = serde_json::from_str(line).ok()?;
        if value.get("event")?.as_str()? != "progress" {
            return None;
        }
        let stage = value.get("stage").and_then(Value::as_str).unwrap_or_default().to_owned();
        Some(Progress { stage, bases: value.get("bases")?.as_u64()?, of: value.get("of")?.as_u64()? })
    }
}

/// Which records an executor takes for answers.
#[derive(Clone, Copy)]
pub(crate) struct Rules {
    /// Failed runs are answered again.
    pub(crate) retry_failed: bool,
    /// Made-up records are answers too: only for the mock executor itself.
    pub(crate) made_up: bool,
}

/// Sorts out what is finished; gives what is left to do. Shared by all executors.
pub(crate) fn unfinished<'a>(
    plan: &'a [Job],
    store: &Store,
    rules: Rules,
    summary: &mut Summary,
    events: &mut dyn FnMut(Event),
) -> Result<Vec<&'a Job>> {
    let mut left = Vec::new();
    let mut seen = HashSet::new();
    let mut made_up = 0;
    for job in plan {
        if !seen.insert(&job.key) {
            continue;
        }
        if !rules.made_up && store.set_aside_made_up(&job.key)? {
            made_up += 1;
        }
        if !answered(&job.key, store, rules, summary, events)? {
            left.push(job);
        }
    }
    if made_up > 0 {
        events(Event::Warning { text: format!("{made_up} made-up records were set aside; these runs are computed") });
    }
    Ok(left)
}

/// Whether the store has the answer by now; if so, that is told and counted.
pub(crate) fn answered(
    key: &Key,
    store: &Store,
    rules: Rules,
    summary: &mut Summary,
    events: &mut dyn FnMut(Event),
) -> Result<bool> {
    let found = store.record(key)?;
    for text in store.take_warnings() {
        events(Event::Warning { text });
    }
    let key = key.clone();
    match found {
        Found::Done(record) if !rules.made_up && record.is_made_up() => Ok(false),
        Found::Done(Record { outcome: Outcome::Failed { reason }, .. }) => {
            if !rules.retry_failed {
                events(Event::Skipped { key: key.clone() });
                summary.failed.push((key, reason));
            }
            Ok(!rules.retry_failed)
        }
        Found::Done(_) => {
            events(Event::Skipped { key: key.clone() });
            summary.skipped.push(key);
            Ok(true)
        }
        Found::Missing => Ok(false),
        Found::SetAside { reason, moved_to } => {
            events(Event::SetAside { key, reason, moved_to });
            Ok(false)
        }
    }
}

/// Whether a run may start.
pub(crate) enum Ready {
    Yes,
    NotYet,
    Never(String),
}

/// Looks at the records that a run waits for; `left` are the runs still to be answered in this call.
pub(crate) fn ready(job: &Job, store: &Store, rules: Rules, left: impl Fn(&Key) -> bool) -> Result<Ready> {
    for parent in &job.after {
        if left(parent) {
            return Ok(Ready::NotYet);
        }
        match store.record(parent)? {
            Found::Done(record) if rules.made_up || !record.is_made_up() => {
                if let Outcome::Failed { reason } = record.outcome {
                    return Ok(Ready::Never(format!("it starts from run {}, which failed: {reason}", parent.short())));
                }
            }
            Found::Done(_) | Found::Missing | Found::SetAside { .. } => {
                return Ok(Ready::Never(format!("it starts from run {}, which has no record", parent.short())));
            }
        }
    }
    Ok(Ready::Yes)
}
