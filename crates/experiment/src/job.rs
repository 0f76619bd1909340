//! A run of a plan, with its dependencies, data sources and cost estimate.

use serde::{Deserialize, Serialize};

use crate::estimate::CostEstimate;
use crate::run::{Key, Run};
use crate::sources::Sources;

/// A run of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Key of the run.
    pub key: Key,
    /// Specification of the run.
    pub run: Run,
    /// Dependencies: runs whose records must exist first.
    pub after: Vec<Key>,
    /// Data sources on this machine.
    pub data: Sources,
    /// Estimated cost.
    pub estimate: CostEstimate,
}
