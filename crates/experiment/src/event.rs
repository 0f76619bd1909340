//! Events during the execution of runs, and the summary.

use std::path::PathBuf;

use crate::run::Key;

/// An event during the execution of runs.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The run already has a record.
    Skipped {
        /// The run.
        key: Key,
    },
    /// A corrupt record was renamed; the run is executed again.
    SetAside {
        /// The run.
        key: Key,
        /// Why the record is invalid.
        reason: String,
        /// New path of the record.
        moved_to: PathBuf,
    },
    /// A problem that was handled, such as a repaired file of the store.
    Warning {
        /// One sentence.
        text: String,
    },
    /// The run was started.
    Started {
        /// The run.
        key: Key,
    },
    /// Progress of the run.
    Progress {
        /// The run.
        key: Key,
        /// `train`, `score` ...
        stage: String,
        /// Bases (or rows) processed.
        done: u64,
        /// Bases (or rows) in total.
        of: u64,
    },
    /// Another line of output of the run.
    Log {
        /// The run.
        key: Key,
        /// The line.
        line: String,
    },
    /// The run has finished; its record is in the store.
    Finished {
        /// The run.
        key: Key,
        /// Wall-clock seconds of this session.
        seconds: f64,
    },
    /// The run failed; its record has the reason.
    Failed {
        /// The run.
        key: Key,
        /// Reason.
        reason: String,
        /// Last lines of stderr.
        stderr: Vec<String>,
    },
    /// The run ended without a record (killed, error, panic) or could not start; the next call retries it.
    Pending {
        /// The run.
        key: Key,
        /// Reason.
        reason: String,
    },
}

/// Summary of an execution.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// Runs finished in this call.
    pub done: Vec<Key>,
    /// Runs finished before.
    pub skipped: Vec<Key>,
    /// Failed runs, in this call or before, with the reason.
    pub failed: Vec<(Key, String)>,
    /// Runs without a record, with the reason: killed, interrupted, ended by an error, or dependent on a run without a result.
    pub pending: Vec<(Key, String)>,
    /// True if the user interrupted the execution.
    pub interrupted: bool,
}

impl Summary {
    /// True if every run has a result.
    #[must_use]
    pub fn complete(&self) -> bool {
        self.failed.is_empty() && self.pending.is_empty() && !self.interrupted
    }
}
