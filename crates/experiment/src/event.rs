//! What happens while runs are answered, and what came of them.

use std::path::PathBuf;

use crate::run::Key;

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
