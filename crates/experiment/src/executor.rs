//! Where runs are computed: [`Local`](crate::local::Local) child processes, or an implementation of your own.
//!
//! The [`Scheduler`](crate::scheduler::Scheduler) decides what is run, when, and what its end means. An executor only starts
//! what it is given, tells what it hears, and can be told to stop. A run's answer is its record in the store, and only the
//! run itself writes one (`tokbench run KEY --store S`): an executor tells that a run has ended, never what came of it.
//!
//! So a queue of a cluster is one file: `submit` writes and hands in a job script, `poll` asks the queue and reads what the
//! logs have new, `cancel` takes jobs back.

use serde_json::Value;

use crate::error::{Error, Result};
use crate::job::Job;
use crate::run::Key;
use crate::store::Store;

/// Starts runs, tells what they say and that they have ended.
pub trait Executor {
    /// Runs that it takes at a time, at least one.
    fn capacity(&self) -> usize;

    /// Starts a run. The store has its question and its sources by now.
    ///
    /// # Errors
    /// If no run can be started: all others are cancelled then, and the call ends with this error.
    fn submit(&mut self, job: &Job, context: &Context<'_>) -> Result<Submission>;

    /// What has been heard since the last call, in order. A run's last message is [`Update::Ended`]. Waits a moment if there
    /// is nothing to tell, but not longer than a person who interrupts wants to wait.
    ///
    /// # Errors
    /// If nothing can be known of the runs any more: they are cancelled then, and the call ends with this error.
    fn poll(&mut self) -> Result<Vec<Message>>;

    /// Tells every run to save what it has and to end, and ends those that do not. Runs that have not ended when it returns
    /// are given up. With no run on its way it does nothing.
    ///
    /// # Errors
    /// If they cannot be told.
    fn cancel(&mut self) -> Result<Vec<Message>>;

    /// True if it makes records up ([`Record::is_made_up`](crate::Record::is_made_up)): only then are these answers.
    fn simulates(&self) -> bool {
        false
    }
}

/// What an executor may need to know beside the job.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The store that the run reads its question from and leaves its record in.
    pub store: &'a Store,
    /// Runs that will be on their way at the same time, at most: each gets its part of what they share.
    pub at_once: usize,
}

/// Whether a run was taken.
#[derive(Debug)]
pub enum Submission {
    /// It is on its way.
    Accepted,
    /// There is no room for it now: it is submitted again when another one has ended. The call ends with the error if there
    /// is none to wait for.
    Full(Error),
}

/// Something heard of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// The run.
    pub key: Key,
    /// What was heard.
    pub update: Update,
}

/// What can be heard of a run.
#[derive(Clone, Debug, PartialEq)]
pub enum Update {
    /// It is on its way.
    Progress(Progress),
    /// Another line of its stdout.
    Stdout(String),
    /// A line of its stderr.
    Stderr(String),
    /// It has ended.
    Ended(Ending),
}

impl Update {
    /// What a line of stdout means.
    #[must_use]
    pub fn stdout(line: String) -> Update {
        Progress::parse(&line).map_or(Update::Stdout(line), Update::Progress)
    }
}

/// How a run ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ending {
    /// Why it has no record, should it have none: killed, an error ...
    pub reason: String,
    /// Last lines that it said on stderr.
    pub stderr: Vec<String>,
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
