//! Executors run jobs: [`Local`](crate::local::Local) child processes, or your own implementation.
//!
//! The [`Scheduler`](crate::scheduler::Scheduler) decides which runs are executed, in which order, and how their end is
//! interpreted. An executor only starts runs, forwards their output, and can cancel them. The result of a run is its record
//! in the store, which only the run itself writes (`tokbench run KEY --store S`); an executor reports that a run has ended,
//! not its result.
//!
//! An executor for a cluster needs one file: `submit` writes and submits a job script, `poll` queries the queue and reads new
//! log lines, `cancel` cancels the jobs.

use serde_json::Value;

use crate::error::{Error, Result};
use crate::job::Job;
use crate::run::Key;
use crate::store::Store;

/// Starts runs and reports their output and their end.
pub trait Executor {
    /// Maximum number of concurrent runs, at least one.
    fn capacity(&self) -> usize;

    /// Starts a run. Its specification and data sources are already in the store.
    ///
    /// # Errors
    /// If no run can be started; the scheduler then cancels all others and returns this error.
    fn submit(&mut self, job: &Job, context: &Context<'_>) -> Result<Submission>;

    /// Messages since the last call, in order. The last message of a run is [`Update::Ended`]. Blocks for a moment if there are
    /// none, but briefly enough for an interactive interrupt.
    ///
    /// # Errors
    /// If the state of the runs is unknown; the scheduler then cancels them and returns this error.
    fn poll(&mut self) -> Result<Vec<Message>>;

    /// Asks every run to save a checkpoint and exit, and kills those that do not. Runs that have not ended when it returns are
    /// abandoned. Without active runs it does nothing.
    ///
    /// # Errors
    /// If the runs cannot be cancelled.
    fn cancel(&mut self) -> Result<Vec<Message>>;

    /// True if it writes simulated records ([`Record::is_simulated`](crate::Record::is_simulated)), which count as results only
    /// for such an executor.
    fn simulates(&self) -> bool {
        false
    }
}

/// Context of a submission.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The store from which the run reads its specification, and to which it writes its record.
    pub store: &'a Store,
    /// Maximum number of concurrent runs, which share the threads of the machine.
    pub at_once: usize,
}

/// Result of a submission.
#[derive(Debug)]
pub enum Submission {
    /// The run was started.
    Accepted,
    /// No capacity at present: the run is submitted again when another one has ended. If no run is active, the scheduler returns
    /// this error.
    Full(Error),
}

/// A message about a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// The run.
    pub key: Key,
    /// Its content.
    pub update: Update,
}

/// Content of a message.
#[derive(Clone, Debug, PartialEq)]
pub enum Update {
    /// Progress of the run.
    Progress(ProgressLine),
    /// A line of stdout that is not progress.
    Stdout(String),
    /// A line of stderr.
    Stderr(String),
    /// The run has ended.
    Ended(Ending),
}

impl Update {
    /// Interprets a line of stdout.
    #[must_use]
    pub fn stdout(line: String) -> Update {
        ProgressLine::parse(&line).map_or(Update::Stdout(line), Update::Progress)
    }
}

/// How a run ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ending {
    /// The reason, if there is no record: killed, an error ...
    pub reason: String,
    /// Last lines of stderr.
    pub stderr: Vec<String>,
}

/// Progress of a child process, one JSON object per line of stdout, written by [`ProgressLine::line`] and parsed by the executor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgressLine {
    /// `train`, `score` ...
    pub stage: String,
    /// Bases (or rows) processed.
    pub bases: u64,
    /// Bases (or rows) in total.
    pub of: u64,
}

impl ProgressLine {
    /// The line, without line feed.
    ///
    /// ```
    /// let progress = experiment::executor::ProgressLine { stage: "train".to_owned(), bases: 5, of: 10 };
    /// assert_eq!(progress.line(), r#"{"bases":5,"event":"progress","of":10,"stage":"train"}"#);
    /// assert_eq!(experiment::executor::ProgressLine::parse(&progress.line()), Some(progress));
    /// ```
    #[must_use]
    pub fn line(&self) -> String {
        let value = serde_json::json!({
            "event": "progress", "stage": self.stage, "bases": self.bases, "of": self.of
        });
        crate::canonical::json(&value)
    }

    /// Parses a line; `None` if it is not progress.
    #[must_use]
    pub fn parse(line: &str) -> Option<ProgressLine> {
        let value: Value = serde_json::from_str(line).ok()?;
        if value.get("event")?.as_str()? != "progress" {
            return None;
        }
        let stage = value.get("stage").and_then(Value::as_str).unwrap_or_default().to_owned();
        Some(ProgressLine { stage, bases: value.get("bases")?.as_u64()?, of: value.get("of")?.as_u64()? })
    }
}
