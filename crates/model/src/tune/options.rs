//! How a model is fine-tuned.

use dataset::Metric;
use dataset::targets::TargetKind;
use experiment::config::Finetuning;
use serde::{Deserialize, Serialize};

/// Low-rank adapters: W + alpha / rank A B with A `[in, rank]` normal and B `[rank, out]` zero at the start.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoraOptions {
    /// Rank of the adapters.
    pub rank: usize,
    /// Numerator of their scale.
    pub alpha: f64,
}

/// How a model is fine-tuned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// What is predicted.
    pub labels: TargetKind,
    /// Optimization, and the pooling of sequence heads.
    pub settings: Finetuning,
    /// Seed of initial weights, order of rows, dropout.
    pub seed: u64,
    /// Low-rank adapters instead of all parameters.
    pub lora: Option<LoraOptions>,
    /// Weigh classes by the inverse of their frequency in the training split.
    pub class_weights: bool,
    /// Train on a random strand of each row, and average predictions over both strands.
    pub reverse_complement: bool,
    /// Restarts with another seed after a fine-tuning that collapsed.
    pub restarts: u32,
    /// Metric by which the checkpoint is selected if classes are predicted; by the loss for MCC, and for other labels.
    pub metric: Metric,
}
