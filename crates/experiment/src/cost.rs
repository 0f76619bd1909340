//! Cost estimates of a run: multiply-accumulates from tensor shapes, time from a speed, memory from weights and activations.
//!
//! A factor of two is accurate enough for planning; records contain exact counts. Speeds are defaults until a plan is
//! calibrated with finished records.

use crate::config::{EncoderConfig, Finetuning, Scoring};
use crate::estimate::CostEstimate;
use crate::info::{CorpusInfo, TaskInfo, TokenizerInfo};
use crate::run::{Finetune, Pretrain, Run};

/// Multiply-accumulates and memory of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Macs {
    /// Multiply-accumulates of training, three times the forward passes.
    pub train: f64,
    /// Multiply-accumulates of scoring or evaluation, including the validation curve.
    pub score: f64,
    /// Peak memory in MiB.
    pub mib: f64,
    /// Maximum forward passes per scored window; 0 if no window is scored.
    pub passes: usize,
}

/// The cost of a run at the default speed of its device kind.
pub(crate) fn estimate(run: &Run, macs: Macs) -> CostEstimate {
    let total = macs.train + macs.score;
    let seconds = seconds(total, default_speed(&run.device));
    CostEstimate { macs: total, seconds, mib: macs.mib, passes: macs.passes, measured: false }
}

/// Fixed seconds per run: reading data, fitting the vocabulary, writing.
const FIXED_SECONDS: f64 = 1.0;

/// Seconds of a run at a speed in multiply-accumulates per second.
pub(crate) fn seconds(macs: f64, per_second: f64) -> f64 {
    FIXED_SECONDS + macs / per_second
}

/// Default speed of a device kind in multiply-accumulates per second.
fn default_speed(device: &str) -> f64 {
    // CPU: one core with AVX2 or wider and small encoders (2e10 to 5e10 in experiments/*.jsonl).
    if device.ends_with("cpu") { 2.5e10 } else { 5e12 }
}

/// Multiply-accumulates of one forward pass over `tokens` tokens, `scored` of which get logits over the vocabulary.
fn forward(e: &EncoderConfig, tokens: f64, scored: f64, vocabulary: usize) -> f64 {
    let (h, i) = (e.hidden as f64, e.intermediate as f64);
    tokens * e.layers as f64 * layer(h, i, tokens) + scored * (h * h + vocabulary as f64 * h)
}

/// Multiply-accumulates of one layer per token: projections, gated feed-forward block, attention.
fn layer(h: f64, i: f64, tokens: f64) -> f64 {
    4.0 * h * h + 3.0 * h * i + 2.0 * tokens * h
}

/// Multiply-accumulates of one window (front end, encoder, head), and its number of encoder tokens.
fn window(e: &EncoderConfig, info: &TokenizerInfo, bases: f64, scored: f64) -> (f64, f64) {
    let tokens = bases * info.tokens_per_base + 2.0;
    let nucleotide = bases * info.nucleotide_layers as f64 * layer(e.hidden as f64, e.intermediate as f64, bases);
    (forward(e, tokens, scored, info.vocabulary) + nucleotide, tokens)
}

/// What scoring saves of the multiply-accumulates of one window: on the CPU the last layer computes keys and values of all tokens, and the
/// rest for the scored ones alone, of which there are few. With a learned front end that layer is the upsampling decoder.
fn saved_by_scoring(e: &EncoderConfig, info: &TokenizerInfo, bases: f64, device: &str) -> f64 {
    if !fused(device) || e.layers == 0 {
        return 0.0;
    }
    let (h, i) = (e.hidden as f64, e.intermediate as f64);
    let tokens = bases * info.tokens_per_base + 2.0;
    if info.nucleotide_layers > 0 { bases * layer(h, i, bases) } else { tokens * (layer(h, i, tokens) - 2.0 * h * h) }
}

/// Sizes that determine the peak memory.
struct PeakLoad {
    /// Rows per training step, and per evaluation step.
    rows: [f64; 2],
    /// Encoder tokens of the longest row.
    tokens: f64,
    /// Bases of the longest row.
    bases: f64,
    /// Positions per training step that get logits over the vocabulary.
    targets: f64,
    /// Whether attention is fused, so that attention weights are not stored.
    fused: bool,
}

/// Numbers that a layer stores per token for the backward pass, in multiples of (hidden, intermediate): states before and after
/// both residual sums and norms, queries, keys, values and their gradients, context; and the gated block with its gradients.
const TRAINING_ACTIVATIONS: (f64, f64) = (12.5, 5.25);
/// The same for inference: one layer at a time, with copies of queries, keys and values.
const INFERENCE_ACTIVATIONS: (f64, f64) = (12.0, 4.0);

/// Peak memory in MiB, within a factor of two (tests measure short and long rows). The nucleotide layers of a learned front end
/// count fully for time but half for memory, because they are narrower.
fn mib(e: &EncoderConfig, info: &TokenizerInfo, load: &PeakLoad) -> f64 {
    let (h, i) = (e.hidden as f64, e.intermediate as f64);
    let layers = (e.layers + info.nucleotide_layers) as f64;
    let weights = layers * (4.0 * h * h + 3.0 * h * i) + (info.vocabulary as f64 + h) * h;
    let attention = |t: f64| if load.fused { 0.0 } else { 3.0 * e.heads as f64 * t };
    let of = |(wide, inner): (f64, f64), t: f64| t * (wide * h + inner * i + attention(t));
    let (tokens, bases) = (load.tokens, load.bases);
    let kept = e.layers as f64 * of(TRAINING_ACTIVATIONS, tokens)
        + 0.5 * info.nucleotide_layers as f64 * of(TRAINING_ACTIVATIONS, bases);
    let longest = if info.nucleotide_layers > 0 { tokens.max(bases) } else { tokens };
    let training = load.rows[0] * kept + 4.0 * load.targets * info.vocabulary as f64;
    let evaluation = load.rows[1] * of(INFERENCE_ACTIVATIONS, longest);
    // f32: weights, gradients and two moments of AdamW; activations.
    PROGRAM_MIB + 4.0 * (4.0 * weights + ALLOCATOR_OVERHEAD * training.max(evaluation)) / f64::from(1 << 20)
}

/// Factor for memory that the allocator retains from tensors of other sizes.
const ALLOCATOR_OVERHEAD: f64 = 1.4;

/// Memory of the program and its data in MiB.
const PROGRAM_MIB: f64 = 25.0;
/// Rows per evaluation step of a classifier, and windows per scoring step (crate `model`).
const EVALUATION_ROWS: f64 = 64.0;
const SCORING_ROWS: f64 = 16.0;

/// Whether a device kind has fused attention.
fn fused(device: &str) -> bool {
    device == "cpu"
}

/// Forward passes per scored window: 7 passes of the scoring plan with one step per token of a span (`base` 84, non-overlapping
/// 6-mers 14).
#[must_use]
pub fn passes(tokens_per_span: usize) -> usize {
    7 * tokens_per_span
}

pub(crate) fn pretrain(p: &Pretrain, info: &TokenizerInfo, corpus: &CorpusInfo, device: &str) -> Macs {
    let bases = p.training.window as f64;
    let tokens_per_span = info.tokens_per_span.max(1) as f64;
    let cells = bases / p.masking.span.max(1) as f64;
    let (train, tokens) = window(&p.encoder, info, bases, p.masking.share * cells * tokens_per_span);
    // A scoring step predicts one token of every seventh span.
    let (score, _) = window(&p.encoder, info, bases, cells / 7.0);
    let score = score - saved_by_scoring(&p.encoder, info, bases, device);
    let species = corpus.species.max(1);
    // A species held out of training gets as many windows as each of the others.
    let scored = (p.scoring.bases as f64 / bases).floor() * (species + corpus.held_out) as f64 / species as f64;
    let test = scored * passes(info.tokens_per_span) as f64;
    let Scoring { curve_points, curve_windows, last_windows, .. } = p.scoring;
    let last = if last_windows > 0 { last_windows } else { curve_windows };
    let windows = curve_points.saturating_sub(1) * curve_windows + last * usize::from(curve_points > 0);
    let curve = (windows * species) as f64 * tokens_per_span;
    let batch = p.training.micro_batch() as f64;
    let targets = batch * (p.masking.share * cells).ceil() * tokens_per_span;
    let load = PeakLoad { rows: [batch, SCORING_ROWS], tokens, bases, targets, fused: fused(device) };
    Macs {
        train: 3.0 * train * p.training.bases as f64 / bases,
        score: score * (test + curve),
        mib: mib(&p.encoder, info, &load),
        passes: if p.is_trial() { 0 } else { passes(info.tokens_per_span) },
    }
}

pub(crate) fn finetune(f: &Finetune, info: &TokenizerInfo, task: &TaskInfo, device: &str) -> Macs {
    let encoder = &f.model.encoder;
    let (row, _) = window(encoder, info, task.bases as f64, 0.0);
    let longest = task.longest as f64;
    let (_, tokens) = window(encoder, info, longest, 0.0);
    let rows = [f.finetuning.micro_batch().min(task.rows.max(1)) as f64, EVALUATION_ROWS.min(task.held_out as f64)];
    let load = PeakLoad { rows, tokens, bases: longest, targets: 0.0, fused: fused(device) };
    Macs { mib: mib(encoder, info, &load), ..labeled(row, task, &f.finetuning) }
}

pub(crate) fn cnn(task: &TaskInfo, f: &Finetuning) -> Macs {
    // Two layers of 64 channels, kernel width 8; about 600 numbers per base are in memory.
    let rows = (f.micro_batch().min(task.rows) as f64).max(EVALUATION_ROWS.min(task.held_out as f64) / 2.0);
    let mib = PROGRAM_MIB + 4.0 * 600.0 * rows * task.longest as f64 / f64::from(1 << 20);
    Macs { mib, ..labeled(task.bases as f64 * (4.0 * 64.0 + 64.0 * 64.0) * 8.0, task, f) }
}

pub(crate) fn kmer_logistic(task: &TaskInfo) -> Macs {
    // Six k-mers per base and about 100 passes. The counts of all 5,460 k-mers of 1 to 6 bases are in memory.
    let mib = PROGRAM_MIB + 4.0 * 5460.0 * (task.rows + task.held_out) as f64 / f64::from(1 << 20);
    Macs { train: 600.0 * (task.rows * task.bases) as f64, mib, ..Macs::default() }
}

fn labeled(row: f64, task: &TaskInfo, f: &Finetuning) -> Macs {
    Macs {
        train: 3.0 * row * (f.steps_for(task.rows) * f.batch as u64) as f64,
        score: row * task.held_out as f64 * (f.evaluations as f64 + 1.0) / 2.0,
        mib: PROGRAM_MIB,
        passes: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_layer_of_scoring_is_nearly_free() {
        let encoder = EncoderConfig { hidden: 128, heads: 8, intermediate: 512, layers: 2, ..EncoderConfig::default() };
        let info =
            TokenizerInfo { vocabulary: 9, tokens_per_base: 1.0, tokens_per_span: 12, ..TokenizerInfo::default() };
        let (whole, _) = window(&encoder, &info, 252.0, 3.0);
        let share = |device: &str| 1.0 - saved_by_scoring(&encoder, &info, 252.0, device) / whole;
        // Two layers of 20 h² per token each, of which the last keeps 2 h².
        assert!((share("cpu") - 0.55).abs() < 0.01, "{}", share("cpu"));
        assert!((share("tch-cuda") - 1.0).abs() < 1e-12);
        let learned = TokenizerInfo { nucleotide_layers: 2, ..info };
        let (whole, _) = window(&encoder, &learned, 252.0, 3.0);
        assert!(saved_by_scoring(&encoder, &learned, 252.0, "cpu") < whole / 3.0);
    }
}
