//! About what a run costs: multiply-accumulates from shapes, seconds from a speed, memory from weights and activations.
//!
//! Rough on purpose (a factor of two is fine): it decides whether to start, never what is reported. Records hold exact
//! counts. Speeds are guesses until finished records say better.

use crate::config::{Encoder, Finetuning};
use crate::estimate::Estimate;
use crate::info::{TaskInfo, TokenizerInfo};
use crate::run::{Finetune, Pretrain, Run};

/// Multiply-accumulates of a run, and the memory they need.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Macs {
    /// Training: three times the forward pass.
    pub train: f64,
    /// Scoring or evaluation, points of the curve included.
    pub score: f64,
    /// Peak MiB.
    pub mib: f64,
    /// Forward passes per scored window; 0 where no window is scored.
    pub passes: usize,
}

/// What a run costs, by a guess of the speed of its device.
pub(crate) fn estimate(run: &Run, macs: Macs) -> Estimate {
    let total = macs.train + macs.score;
    let seconds = seconds(total, guess(&run.device));
    Estimate { macs: total, seconds, mib: macs.mib, passes: macs.passes, measured: false }
}

/// Seconds every run spends on reading data, fitting a vocabulary and writing.
const START: f64 = 1.0;

/// Seconds of a run at a speed.
pub(crate) fn seconds(macs: f64, per_second: f64) -> f64 {
    START + macs / per_second
}

/// Multiply-accumulates per second of a device kind nobody has measured yet.
fn guess(device: &str) -> f64 {
    // The CPU: one core with AVX2 or wider, small encoders (experiments/*.jsonl: 2e10 to 5e10).
    if device.ends_with("cpu") { 2.5e10 } else { 5e12 }
}

/// One forward pass over `tokens` tokens; `scored` of them get a distribution over the vocabulary.
fn forward(e: &Encoder, tokens: f64, scored: f64, vocabulary: usize) -> f64 {
    let (h, i) = (e.hidden as f64, e.intermediate as f64);
    tokens * e.layers as f64 * layer(h, i, tokens) + scored * (h * h + vocabulary as f64 * h)
}

/// One layer, per token: projections, gated feed-forward block, attention.
fn layer(h: f64, i: f64, tokens: f64) -> f64 {
    4.0 * h * h + 3.0 * h * i + 2.0 * tokens * h
}

/// One window through front end, encoder and head; and the encoder tokens of that window.
fn window(e: &Encoder, info: &TokenizerInfo, bases: f64, scored: f64) -> (f64, f64) {
    let tokens = bases * info.tokens_per_base + 2.0;
    let nucleotide = bases * info.nucleotide_layers as f64 * layer(e.hidden as f64, e.intermediate as f64, bases);
    (forward(e, tokens, scored, info.vocabulary) + nucleotide, tokens)
}

/// What is in memory at the worst moment, in the sizes of the implementation.
struct Load {
    /// Rows of a training step, and of an evaluation.
    rows: [f64; 2],
    /// Encoder tokens of the longest row.
    tokens: f64,
    /// Its bases.
    bases: f64,
    /// Positions of a training step that get a distribution over the vocabulary.
    targets: f64,
    /// Whether attention is fused, and so never keeps its weights.
    fused: bool,
}

/// Numbers that a layer keeps of a token for the way back, in widths: states before and after both sums and norms, queries,
/// keys, values and their gradients, context; and the gated block with its gradients.
const KEPT: (f64, f64) = (12.5, 5.25);
/// The same where nothing is kept for the way back: only one layer at a time, and copies of queries, keys and values.
const PASSING: (f64, f64) = (12.0, 4.0);

/// Peak MiB, within a factor of two (the program's tests measure short and long rows). The layers that a learned front end
/// runs on bases are counted in full for their time and half for their memory, as they are narrower.
fn mib(e: &Encoder, info: &TokenizerInfo, load: &Load) -> f64 {
    let (h, i) = (e.hidden as f64, e.intermediate as f64);
    let layers = (e.layers + info.nucleotide_layers) as f64;
    let weights = layers * (4.0 * h * h + 3.0 * h * i) + (info.vocabulary as f64 + h) * h;
    let attention = |t: f64| if load.fused { 0.0 } else { 3.0 * e.heads as f64 * t };
    let of = |(wide, inner): (f64, f64), t: f64| t * (wide * h + inner * i + attention(t));
    let (tokens, bases) = (load.tokens, load.bases);
    let kept = e.layers as f64 * of(KEPT, tokens) + 0.5 * info.nucleotide_layers as f64 * of(KEPT, bases);
    let longest = if info.nucleotide_layers > 0 { tokens.max(bases) } else { tokens };
    let training = load.rows[0] * kept + 4.0 * load.targets * info.vocabulary as f64;
    let evaluation = load.rows[1] * of(PASSING, longest);
    // Four bytes each; weights with gradient and two moments.
    PROGRAM + 4.0 * (4.0 * weights + HELD * training.max(evaluation)) / f64::from(1 << 20)
}

/// What the allocator holds beside: memory of other sizes, of rows of other lengths.
const HELD: f64 = 1.4;

/// MiB of the program and its data.
const PROGRAM: f64 = 25.0;
/// Rows of an evaluation of a classifier, and windows of a step of scoring (crate `model`).
const EVALUATED: f64 = 64.0;
const SCORED: f64 = 16.0;

/// Whether attention is fused on a device kind.
fn fused(device: &str) -> bool {
    device == "cpu"
}

/// Forward passes per scored window: 7 passes, each as many steps as a span can have tokens (`base` 84, 6-mers 14).
#[must_use]
pub fn passes(tokens_per_span: usize) -> usize {
    7 * tokens_per_span
}

pub(crate) fn pretrain(p: &Pretrain, info: &TokenizerInfo, species: usize, device: &str) -> Macs {
    let bases = p.training.window as f64;
    let tokens_per_span = info.tokens_per_span.max(1) as f64;
    let cells = bases / p.masking.span.max(1) as f64;
    let (train, tokens) = window(&p.encoder, info, bases, p.masking.share * cells * tokens_per_span);
    // A scoring step asks for one token of every seventh span.
    let (score, _) = window(&p.encoder, info, bases, cells / 7.0);
    let held_out = (p.scoring.bases as f64 / bases).floor() * passes(info.tokens_per_span) as f64;
    let curve = (p.scoring.curve_points * p.scoring.curve_windows * species.max(1)) as f64 * tokens_per_span;
    let batch = p.training.batch as f64;
    let targets = batch * (p.masking.share * cells).ceil() * tokens_per_span;
    let load = Load { rows: [batch, SCORED], tokens, bases, targets, fused: fused(device) };
    Macs {
        train: 3.0 * train * p.training.bases as f64 / bases,
        score: score * (held_out + curve),
        mib: mib(&p.encoder, info, &load),
        passes: passes(info.tokens_per_span),
    }
}

pub(crate) fn finetune(f: &Finetune, info: &TokenizerInfo, task: &TaskInfo, device: &str) -> Macs {
    let encoder = &f.model.encoder;
    let (row, _) = window(encoder, info, task.bases as f64, 0.0);
    let longest = task.longest as f64;
    let (_, tokens) = window(encoder, info, longest, 0.0);
    let rows = [f.finetuning.batch.min(task.rows.max(1)) as f64, EVALUATED.min(task.held_out as f64)];
    let load = Load { rows, tokens, bases: longest, targets: 0.0, fused: fused(device) };
    Macs { mib: mib(encoder, info, &load), ..labelled(row, task, &f.finetuning) }
}

pub(crate) fn cnn(task: &TaskInfo, f: &Finetuning) -> Macs {
    // Two layers of 64 channels, width 8; about 600 numbers are in memory for each base.
    let rows = (f.batch.min(task.rows) as f64).max(EVALUATED.min(task.held_out as f64) / 2.0);
    let mib = PROGRAM + 4.0 * 600.0 * rows * task.longest as f64 / f64::from(1 << 20);
    Macs { mib, ..labelled(task.bases as f64 * (4.0 * 64.0 + 64.0 * 64.0) * 8.0, task, f) }
}

pub(crate) fn kmer_logistic(task: &TaskInfo) -> Macs {
    // At most six k-mers start at a base; some hundred passes. All counts are in memory: words of 1 to 6 bases.
    let mib = PROGRAM + 4.0 * 5460.0 * (task.rows + task.held_out) as f64 / f64::from(1 << 20);
    Macs { train: 600.0 * (task.rows * task.bases) as f64, mib, ..Macs::default() }
}

fn labelled(row: f64, task: &TaskInfo, f: &Finetuning) -> Macs {
    Macs {
        train: 3.0 * row * (f.steps_for(task.rows) * f.batch as u64) as f64,
        score: row * task.held_out as f64 * (f.evaluations as f64 + 1.0) / 2.0,
        mib: PROGRAM,
        passes: 0,
    }
}
