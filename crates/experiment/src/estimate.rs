//! Cost estimate of a run.

use serde::{Deserialize, Serialize};

/// Estimated cost of a run, within about a factor of two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CostEstimate {
    /// Multiply-accumulates of training and scoring.
    pub macs: f64,
    /// Seconds of training and scoring.
    pub seconds: f64,
    /// Peak memory in MiB.
    pub mib: f64,
    /// Maximum forward passes per scored window; 0 if no window is scored by a model.
    #[serde(default)]
    pub passes: usize,
    /// True if the seconds come from finished records of the same run (any seed).
    pub measured: bool,
}
