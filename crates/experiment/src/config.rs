//! The parts of a run that a person configures: encoder, masking, scoring, training, fine-tuning.
//!
//! Plain values with their defaults in one place; one name from TOML to record. No tensors here.

use serde::{Deserialize, Serialize};

/// How the encoder knows where a token stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Position {
    /// Symmetric ALiBi as published with DNABERT-2 (slopes of the 12-head rule). For parity and published checkpoints.
    Alibi,
    /// Heads in pairs, one looking left, one looking right, slopes 2, 1/2, 1/8 ... from pair to pair.
    AlibiDirected,
}

impl Position {
    /// The name used in TOML and in records.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Position::Alibi => "alibi",
            Position::AlibiDirected => "alibi-directed",
        }
    }
}

/// The shared DNABERT-2 encoder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Encoder {
    /// Width of the states.
    pub hidden: usize,
    /// Number of layers.
    pub layers: usize,
    /// Attention heads; divides `hidden`.
    pub heads: usize,
    /// Width of the gated feed-forward block.
    pub intermediate: usize,
    /// Position code.
    pub position: Position,
    /// Dropout on entry, on attention output and inside the feed-forward block (training only).
    pub dropout: f64,
    /// Standard deviation of the initial weights.
    pub init_std: f64,
    /// Epsilon of every LayerNorm.
    pub layer_norm_eps: f64,
}

impl Default for Encoder {
    fn default() -> Self {
        Encoder {
            hidden: 64,
            layers: 2,
            heads: 4,
            intermediate: 256,
            position: Position::AlibiDirected,
            dropout: 0.0,
            init_std: 0.1,
            layer_norm_eps: 1e-12,
        }
    }
}

/// Which training targets are hidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MaskingUnit {
    /// Cells of bases, identical for every tokenizer (`docs/protocol.md#masking-plan`).
    Bases,
    /// Tokens, 80/10/10, as the published recipes do. Not comparable between tokenizers in training.
    Tokens,
}

/// The masking plan of training (`docs/protocol.md#masking-plan`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Masking {
    /// Unit of the plan.
    pub unit: MaskingUnit,
    /// Bases per cell: the length of a masked span.
    pub span: usize,
    /// Share of the cells (or tokens) that is masked in training.
    pub share: f64,
}

impl Default for Masking {
    fn default() -> Self {
        Masking { unit: MaskingUnit::Bases, span: 12, share: 0.15 }
    }
}

/// How held-out text is scored (`docs/protocol.md#code-length`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Scoring {
    /// Held-out bases scored at the end, over all species; whole windows, rounded down per species.
    pub bases: usize,
    /// Number of points of the curve along the run (the last one is the end).
    pub curve_points: usize,
    /// Validation windows per species used for a point of the curve and for the choice of a learning rate.
    pub curve_windows: usize,
}

impl Default for Scoring {
    fn default() -> Self {
        Scoring { bases: 16 * 252, curve_points: 6, curve_windows: 14 }
    }
}

/// Pretraining.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Training {
    /// Bases seen by the model over the whole run.
    pub bases: u64,
    /// Bases per window (whole cells); training windows are up to 11 bases shorter.
    pub window: usize,
    /// Windows per step.
    pub batch: usize,
    /// Peak learning rate.
    pub learning_rate: f64,
    /// Share of the steps spent warming up.
    pub warmup: f64,
    /// AdamW first-moment decay.
    pub beta1: f64,
    /// AdamW second-moment decay.
    pub beta2: f64,
    /// AdamW epsilon.
    pub epsilon: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Largest global gradient norm.
    pub clip: f64,
}

impl Default for Training {
    fn default() -> Self {
        Training {
            bases: 500_000,
            window: 252,
            batch: 4,
            learning_rate: 1e-3,
            warmup: 0.06,
            beta1: 0.9,
            beta2: 0.98,
            epsilon: 1e-6,
            weight_decay: 1e-5,
            clip: 1.0,
        }
    }
}

/// What of a sequence's states a classifier reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pooling {
    /// The state of \[CLS\], as published with DNABERT-2.
    Cls,
    /// The mean over all real tokens. The steep slopes of directed ALiBi let \[CLS\] see its neighbours only, so this is the
    /// default.
    Mean,
}

/// Fine-tuning on a labelled task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Finetuning {
    /// Passes over all training rows.
    pub epochs: f64,
    /// Steps at least: small tasks get more passes.
    pub steps: u64,
    /// Rows per step.
    pub batch: usize,
    /// Peak learning rate.
    pub learning_rate: f64,
    /// Share of the steps spent warming up.
    pub warmup: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Largest global gradient norm.
    pub clip: f64,
    /// Evaluations on the dev split; the best checkpoint is kept: by loss, or by the task's metric where that is not the MCC.
    pub evaluations: usize,
    /// What the classifier reads.
    pub pooling: Pooling,
}

impl Finetuning {
    /// Optimiser steps for a task of `rows` training rows.
    #[must_use]
    pub fn steps_for(&self, rows: usize) -> u64 {
        let passes = (rows as f64 * self.epochs / self.batch.max(1) as f64).ceil() as u64;
        passes.max(self.steps).max(1)
    }
}

impl Default for Finetuning {
    fn default() -> Self {
        Finetuning {
            epochs: 3.0,
            steps: 0,
            batch: 32,
            learning_rate: 5e-4,
            warmup: 0.1,
            weight_decay: 0.01,
            clip: 1.0,
            evaluations: 6,
            pooling: Pooling::Mean,
        }
    }
}
