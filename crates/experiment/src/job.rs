//! A run with what it needs beside its question.

use serde::{Deserialize, Serialize};

use crate::estimate::Estimate;
use crate::run::{Key, Run};
use crate::sources::Sources;

/// A run to be done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// The run's key.
    pub key: Key,
    /// The run.
    pub run: Run,
    /// Runs whose records must exist first.
    pub after: Vec<Key>,
    /// Where its data is found on this machine.
    pub data: Sources,
    /// About what it costs.
    pub estimate: Estimate,
}
