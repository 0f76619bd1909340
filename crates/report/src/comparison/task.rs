//! Results of a classification task.

use experiment::record::Metric;
use serde::Serialize;

use super::{Dropped, Estimate, Test};

/// Results of one classification task in a group.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TaskComparison {
    /// Name of the task.
    pub name: String,
    /// Metric of the scores that are shown, plotted and tested.
    #[serde(skip_serializing_if = "Metric::is_default")]
    pub metric: Metric,
    /// Number of rows of the test split.
    pub rows: usize,
    /// Seeds at which every compared tokenizer has a result, ascending.
    pub seeds: Vec<u64>,
    /// Excluded seeds, with the reasons.
    pub dropped: Vec<Dropped>,
    /// Results of tokenizers in order, then controls.
    pub scores: Vec<TaskScore>,
    /// Tests of the metric, Holm-adjusted over this list.
    pub tests: Vec<Test>,
    /// What pretraining brings, for tokenizers with runs without it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pretraining: Vec<Gain>,
}

/// The score with pretraining minus that of the same model without it, on one task.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Gain {
    /// Name of the tokenizer.
    pub name: String,
    /// Seeds at which both have a result, ascending.
    pub seeds: Vec<u64>,
    /// Mean difference and its bootstrap interval over these seeds and the test rows, at one level for each task and tokenizer.
    pub difference: Estimate,
}

/// Scores of a tokenizer or control on the test split of a task.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TaskScore {
    /// Name of the tokenizer or control.
    pub name: String,
    /// Index of its tokenizer in [`super::Comparison::order`]; None for controls without a tokenizer.
    pub index: Option<usize>,
    /// True for controls: shown, never ranked.
    pub control: bool,
    /// Matthews correlation (R_K for more than two classes); None without a usable run.
    pub mcc: Option<Estimate>,
    /// Score by the metric of the task; None if that is the Matthews correlation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub judged: Option<Estimate>,
    /// Macro F1, mean over seeds.
    pub f1: f64,
    /// Accuracy, mean over seeds.
    pub accuracy: f64,
    /// Number of runs that predicted a single class; they are included in the means.
    pub collapsed: usize,
    /// Number of failed runs.
    pub failed: usize,
}

impl TaskScore {
    /// Score by the metric of the task; None without a usable run.
    #[must_use]
    pub fn score(&self) -> Option<&Estimate> {
        self.judged.as_ref().or(self.mcc.as_ref())
    }
}
