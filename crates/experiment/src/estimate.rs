//! What a run will cost.

use serde::{Deserialize, Serialize};

/// About what a run costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// Multiply-accumulates, training and scoring.
    pub macs: f64,
    /// Seconds, training and scoring.
    pub seconds: f64,
    /// Peak memory in MiB.
    pub mib: f64,
    /// Forward passes per scored window, at most; 0 where no window is scored by a model.
    #[serde(default)]
    pub passes: usize,
    /// True if the seconds are those of a finished record of an equal run (its seed aside).
    pub measured: bool,
}
