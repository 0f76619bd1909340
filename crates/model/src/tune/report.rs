//! The record of a fine-tuning.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One training with one seed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attempt {
    /// Its seed.
    pub seed: u64,
    /// Validation loss at each evaluation; `null` is not a number.
    pub dev_losses: Vec<Option<f64>>,
    /// Index of the evaluation whose model was kept.
    pub best: usize,
    /// Whether it predicts the same for every validation row.
    pub collapsed: bool,
}

/// The record of a fine-tuning.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// Rows of training, validation and test split.
    pub rows: [usize; 3],
    /// The attempts; the last one is the model.
    pub attempts: Vec<Attempt>,
    /// Parameters of encoder, front end and the head in use.
    pub parameters: usize,
    /// Parameters that were trained.
    pub trained: usize,
    /// Metrics on the validation split.
    pub dev: BTreeMap<String, f64>,
    /// Metrics on the test split, if there is one.
    pub test: BTreeMap<String, f64>,
}
