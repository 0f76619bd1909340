//! Hyperparameters of a run: encoder, masking, scoring, training, fine-tuning.
//!
//! Plain values with their defaults; the field names are the keys in TOML files and records.

use serde::{Deserialize, Serialize};

pub use crate::position::{Position, Slopes};
pub use protocol::PriorKind;

/// Number format of the matrix products of encoder, front end and masked-language-model head, and of those of their gradients. Parameters, the
/// gradients that are summed up and the optimizer are in f32 in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dtype {
    /// float32.
    #[default]
    F32,
    /// bfloat16 (mixed precision), on the devices of LibTorch.
    Bf16,
}

impl Dtype {
    /// The name used in TOML and in records.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Dtype::F32 => "f32",
            Dtype::Bf16 => "bf16",
        }
    }
}

/// Hyperparameters of the shared DNABERT-2 encoder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EncoderConfig {
    /// Width of the hidden states.
    pub hidden: usize,
    /// Number of transformer layers.
    pub layers: usize,
    /// Number of attention heads; must divide `hidden`.
    pub heads: usize,
    /// Width of the gated feed-forward block.
    pub intermediate: usize,
    /// Position encoding.
    pub position: Position,
    /// Dropout probability after the embedding, on the attention output and inside the feed-forward block; in training only.
    pub dropout: f64,
    /// Standard deviation of the initial weights.
    pub init_std: f64,
    /// Epsilon of every LayerNorm.
    pub layer_norm_eps: f64,
    /// Number format of matrix products.
    #[serde(default, skip_serializing_if = "is_default")]
    pub dtype: Dtype,
}

impl Default for EncoderConfig {
    fn default() -> Self {
        EncoderConfig {
            hidden: 64,
            layers: 2,
            heads: 4,
            intermediate: 256,
            position: Position::EQUAL_REACH,
            dropout: 0.0,
            init_std: 0.1,
            layer_norm_eps: 1e-12,
            dtype: Dtype::F32,
        }
    }
}

/// Units of fixed length, of a control that is as large as a learned front end (`docs/protocol.md#controls-of-learned-tokenizers`).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FixedUnits {
    /// Mean bases per unit, as those of the learned front end on validation windows.
    pub bases: f64,
    /// Width of the feed-forward block of a unit; 0: none.
    pub inner: usize,
}

/// Unit of masking in training.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MaskingUnit {
    /// Cells of bases, identical for every tokenizer (`docs/protocol.md#masking-plan`).
    Bases,
    /// Tokens with 80/10/10 replacement as in BERT. The training tasks of different tokenizers are not comparable.
    Tokens,
}

/// The masking plan of training (`docs/protocol.md#masking-plan`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Masking {
    /// Unit that is masked.
    pub unit: MaskingUnit,
    /// Bases per cell, which is the length of a masked span.
    pub span: usize,
    /// Mask ratio: fraction of the cells (or tokens) that is masked in training.
    pub share: f64,
    /// Which prefixes of masked spans are revealed in training.
    #[serde(skip_serializing_if = "is_default")]
    pub prefixes: Prefixes,
}

/// Which prefixes of masked spans are revealed in training, so that sequential scoring is in distribution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Prefixes {
    /// Half of the spans reveal a prefix of 1 to m - 1 of their m tokens, all equally likely.
    #[default]
    Half,
    /// All spans reveal a prefix of 0 to m - 1 tokens, all equally likely: every scored step is trained equally often.
    Uniform,
}

impl Prefixes {
    /// The name used in TOML and in records.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Prefixes::Half => "half",
            Prefixes::Uniform => "uniform",
        }
    }
}

impl Default for Masking {
    fn default() -> Self {
        Masking { unit: MaskingUnit::Bases, span: 12, share: 0.3, prefixes: Prefixes::Half }
    }
}

/// How held-out text is scored (`docs/protocol.md#code-length`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Scoring {
    /// Held-out bases that are scored, over all species; rounded down to whole windows per species. 0: none, in a trial of a learning rate
    /// ([`Pretrain::is_trial`](crate::run::Pretrain::is_trial)).
    pub bases: usize,
    /// Number of points of the validation curve; the last one is the end of training.
    pub curve_points: usize,
    /// Validation windows per species for each point of the curve.
    pub curve_windows: usize,
    /// Validation windows per species for the last point of the curve, on which learning rates are selected; 0: as for the others.
    #[serde(skip_serializing_if = "is_default")]
    pub last_windows: usize,
}

/// Whether a count is 1 and is left out, as before the field existed.
pub(crate) fn is_one(value: &usize) -> bool {
    *value == 1
}

/// The size of the micro-batches into which `items` are divided so that there are at most `parts`.
fn micro_batch_size(items: usize, parts: usize) -> usize {
    items.div_ceil(parts.max(1)).max(1)
}

/// Whether a field has its default and is left out, as before the field existed.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Default for Scoring {
    fn default() -> Self {
        Scoring { bases: 16 * 252, curve_points: 6, curve_windows: 14, last_windows: 0 }
    }
}

/// Pretraining.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Training {
    /// Budget: bases seen by the model over the run.
    pub bases: u64,
    /// Bases per window, a multiple of the cell length; training windows are up to `span` - 1 bases shorter.
    pub window: usize,
    /// Windows per optimizer step.
    pub batch: usize,
    /// Gradient accumulation: the number of micro-batches into which a batch is divided, of equal size but for the last; fewer, where the sizes
    /// do not divide. Their gradients are summed, so that one at a time is in memory; the loss is that of the whole batch.
    #[serde(skip_serializing_if = "is_one")]
    pub gradient_accumulation: usize,
    /// Peak learning rate.
    pub learning_rate: f64,
    /// Fraction of the steps with linear warmup.
    pub warmup: f64,
    /// AdamW first-moment decay.
    pub beta1: f64,
    /// AdamW second-moment decay.
    pub beta2: f64,
    /// AdamW epsilon.
    pub epsilon: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Maximum global gradient norm (gradient clipping).
    pub clip: f64,
}

impl Training {
    /// Size of a micro-batch: windows that are in memory together.
    #[must_use]
    pub fn micro_batch(&self) -> usize {
        micro_batch_size(self.batch, self.gradient_accumulation)
    }
}

impl Default for Training {
    fn default() -> Self {
        Training {
            bases: 500_000,
            window: 252,
            batch: 4,
            gradient_accumulation: 1,
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

/// Pooling of the hidden states for the classifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pooling {
    /// The state of \[CLS\], as published with DNABERT-2.
    Cls,
    /// The mean over all non-padding tokens. The default, because with the steep slopes of directed ALiBi \[CLS\] attends only to
    /// its neighbors.
    Mean,
}

/// Fine-tuning on a labeled task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Finetuning {
    /// Epochs: passes over the training rows.
    pub epochs: f64,
    /// Minimum number of optimizer steps; small tasks get more epochs.
    pub steps: u64,
    /// Rows per optimizer step.
    pub batch: usize,
    /// Gradient accumulation: the number of micro-batches into which a batch is divided, see [`Training::gradient_accumulation`]. The loss is the
    /// mean of theirs, weighed by rows.
    #[serde(skip_serializing_if = "is_one")]
    pub gradient_accumulation: usize,
    /// Peak learning rate.
    pub learning_rate: f64,
    /// Fraction of the steps with linear warmup.
    pub warmup: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Maximum global gradient norm (gradient clipping).
    pub clip: f64,
    /// Number of evaluations on the validation split. The best checkpoint is kept: by loss, or by the metric of the task if that
    /// is not the MCC.
    pub evaluations: usize,
    /// Early stopping: training ends after this many evaluations in a row without a better checkpoint; 0: never.
    #[serde(skip_serializing_if = "is_default")]
    pub patience: usize,
    /// Pooling of the hidden states.
    pub pooling: Pooling,
}

impl Finetuning {
    /// Size of a micro-batch: rows that are in memory together.
    #[must_use]
    pub fn micro_batch(&self) -> usize {
        micro_batch_size(self.batch, self.gradient_accumulation)
    }

    /// Number of optimizer steps for a task with `rows` training rows.
    #[must_use]
    pub fn steps_for(&self, rows: usize) -> u64 {
        let steps = (rows as f64 * self.epochs / self.batch.max(1) as f64).ceil() as u64;
        steps.max(self.steps).max(1)
    }
}

impl Default for Finetuning {
    fn default() -> Self {
        Finetuning {
            epochs: 3.0,
            steps: 0,
            batch: 32,
            gradient_accumulation: 1,
            learning_rate: 5e-4,
            warmup: 0.1,
            weight_decay: 0.01,
            clip: 1.0,
            evaluations: 6,
            patience: 0,
            pooling: Pooling::Mean,
        }
    }
}
