//! Masked-language-model training (`docs/protocol.md#training-objective`).
//!
//! Every step draws its windows and its plan from streams named by seed and step number, so tokenizers of one seed see
//! the same bases and the same planned spans, and a resumed run continues exactly.

use std::ops::Range;
use std::path::Path;
use std::time::Instant;

use burn::optim::ModuleOptimizer;
use burn::tensor::{Device, Tensor};
use dataset::{Corpus, ScoringWindow, Split, stream};
use experiment::config::{MaskingUnit, Prefixes, Scoring};
use experiment::record::{CurvePoint, Outcome};
use experiment::run::Pretrain;
use protocol::Fitted;
use protocol::candidates::CandidateSets;
use protocol::layout::{Layout, SegmentedWindow, token_masking};
use protocol::masking_plan::{self as plan, Prefix};
use rand::RngExt;
use tokenize::Token;

use crate::batch::{self, Batch};
use crate::checkpoint::{self, TrainingState};
use crate::config::ModelConfig;
use crate::controls::text::ranges;
use crate::error::Error;
use crate::inputs::Inputs;
use crate::load;
use crate::network::Model;
use crate::noise::Noise;
use crate::optimize::{self, Gradients, Settings};
use crate::predict::Predictor;
use crate::score::Scorer;
use crate::watch::{Stopwatch, Watch};

/// A trained model and what happened on the way.
#[derive(Debug)]
pub struct Trained {
    /// The model, on the training device.
    pub model: Model,
    /// What the loop counted.
    pub state: TrainingState,
    /// Steps of the run.
    pub steps: u64,
    /// What a person should know (checkpoints set aside).
    pub notes: Vec<String>,
}

/// Optimiser steps that show the model about `training.bases` bases.
#[must_use]
pub fn steps(pretrain: &Pretrain) -> u64 {
    // Windows are shortened by 0 .. span - 1 bases, in turn.
    let mean = pretrain.training.window as f64 - (pretrain.masking.span as f64 - 1.0) / 2.0;
    (pretrain.training.bases as f64 / (mean * pretrain.training.batch as f64)).round().max(1.0) as u64
}

/// One window under one plan, and the number of bases that the plan masks.
fn prepare(pretrain: &Pretrain, fitted: &Fitted, bases: &[u8], rng: &mut impl rand::Rng) -> (Layout, u64) {
    match pretrain.masking.unit {
        MaskingUnit::Bases => {
            let mut spans = plan::training(bases, pretrain.masking.span, pretrain.masking.share, rng);
            if pretrain.masking.prefixes == Prefixes::Uniform {
                spans.iter_mut().for_each(|span| span.prefix = Prefix::Any(rng.random()));
            }
            let planned = spans.iter().map(|span| (span.end - span.start) as u64).sum();
            (SegmentedWindow::new(&*fitted.tokenizer, bases, &spans).training(), planned)
        }
        MaskingUnit::Tokens => {
            let mut tokens: Vec<Token> = Vec::new();
            fitted.tokenizer.encode(bases, &mut tokens);
            let layout = token_masking(&tokens, pretrain.masking.share, fitted.tokenizer.vocabulary().len(), rng);
            let planned = layout.masked as u64;
            (layout, planned)
        }
    }
}

/// Windows of one step, tokenized and masked; bases seen and bases in planned spans.
fn step_layouts(
    seed: u64,
    step: u64,
    pretrain: &Pretrain,
    corpus: &Corpus,
    fitted: &Fitted,
) -> Result<(Vec<Layout>, u64, u64), Error> {
    let mut windows = stream(seed, &format!("windows/{step}"));
    let mut masks = stream(seed, &format!("masking/{step}"));
    let (mut layouts, mut seen, mut planned) = (Vec::new(), 0, 0);
    for number in 0..pretrain.training.batch {
        // Lengths cycle in a fixed order, so that after any step every seed has seen equally many bases.
        let shorter = (step * pretrain.training.batch as u64 + number as u64) % pretrain.masking.span as u64;
        let length = pretrain.training.window - shorter as usize;
        let window = corpus.sample_window(Split::Train, length, &mut windows)?;
        let (layout, masked) = prepare(pretrain, fitted, window.bases, &mut masks);
        seen += window.bases.len() as u64;
        planned += masked;
        layouts.push(layout);
    }
    Ok((layouts, seen, planned))
}

/// Steps after which a point of the curve is taken: the end, half of it, a quarter ...
fn curve_steps(points: usize, steps: u64) -> Vec<u64> {
    let mut at: Vec<u64> = (0..points.min(40)).map(|i| steps >> i).filter(|&step| step > 0).collect();
    at.dedup();
    at.reverse();
    at
}

/// Trains a model, resuming from the newest checkpoint in `folder`. `device` has no tape; training puts one on it.
///
/// # Errors
/// If the data cannot give windows, the loss diverges, a checkpoint cannot be written, or the run is interrupted.
pub fn train(
    seed: u64,
    pretrain: &Pretrain,
    corpus: &Corpus,
    fitted: &Fitted,
    device: &Device,
    folder: &Path,
    watch: &mut Watch<'_>,
) -> Result<Trained, Error> {
    let mut steps = Steps::new(seed, pretrain, corpus, fitted, device);
    let settings = Settings::from(&pretrain.training);
    let mut model = Model::new(&ModelConfig::of(pretrain, fitted), seed, &steps.tape);
    let mut optimizer = optimize::adamw(&settings);
    let (mut state, mut notes) = (TrainingState::default(), Vec::new());
    if let Some(found) = checkpoint::load(folder, &model, || optimize::adamw(&settings), &mut notes) {
        (model, optimizer, state) = (found.model, found.optimizer, found.state);
        state.resumed += 1;
    }
    let saved_step = state.step;
    let all = steps.number;
    let points = curve_steps(pretrain.scoring.curve_points, all);
    let (mut clock, mut saved) = (Stopwatch::start(), Instant::now());
    while state.step < all {
        if watch.stopped() {
            state.seconds += clock.lap();
            checkpoint::save(folder, &model, &optimizer, None, &state)?;
            return Err(Error::Interrupted { step: state.step, steps: all });
        }
        model = steps.take(model, &mut optimizer, &mut state)?;
        watch.report("train", state.bases, (state.bases as f64 * all as f64 / state.step as f64) as u64);
        if points.contains(&state.step) {
            state.seconds += clock.lap();
            let point = measure(pretrain, corpus, fitted, device, &model, &state)?;
            state.curve.push(point);
            (state.loss, state.loss_steps) = (0.0, 0);
            clock = Stopwatch::start();
        }
        if saved.elapsed() >= watch.checkpoint_every && state.step < all {
            state.seconds += clock.lap();
            checkpoint::save(folder, &model, &optimizer, None, &state)?;
            saved = Instant::now();
        }
    }
    state.seconds += clock.lap();
    // Scoring can be killed too: then it starts again from the finished training.
    if saved_step != state.step {
        checkpoint::save(folder, &model, &optimizer, None, &state)?;
    }
    Ok(Trained { model, state, steps: all, notes })
}

/// The steps of a run: what does not change from one to the next.
struct Steps<'a> {
    seed: u64,
    pretrain: &'a Pretrain,
    corpus: &'a Corpus,
    fitted: &'a Fitted,
    tape: Device,
    sets: CandidateSets,
    /// Ids over which the softmax runs, restricted to candidate tokens.
    ids: Range<usize>,
    number: u64,
}

impl<'a> Steps<'a> {
    fn new(seed: u64, pretrain: &'a Pretrain, corpus: &'a Corpus, fitted: &'a Fitted, device: &Device) -> Steps<'a> {
        let sets = fitted.candidates();
        let ids = match pretrain.masking.unit {
            MaskingUnit::Bases => sets.ids(),
            MaskingUnit::Tokens => 0..sets.vocabulary(),
        };
        let tape = device.clone().autodiff();
        Steps { seed, pretrain, corpus, fitted, tape, sets, ids, number: steps(pretrain) }
    }

    /// Takes the next step.
    fn take(
        &mut self,
        model: Model,
        optimizer: &mut ModuleOptimizer,
        state: &mut TrainingState,
    ) -> Result<Model, Error> {
        let (seed, step, steps, training) = (self.seed, state.step, self.number, &self.pretrain.training);
        let (layouts, seen, planned) = step_layouts(seed, step, self.pretrain, self.corpus, self.fitted)?;
        let masked: usize = layouts.iter().map(|layout| layout.masked).sum();
        state.bases += seen;
        state.planned += planned;
        state.masked += masked as u64;
        state.step += 1;
        if layouts.iter().all(|layout| layout.targets.is_empty()) {
            return Ok(model);
        }
        let (mut gradients, mut value) = (Gradients::default(), 0.0);
        for (number, part) in layouts.chunks(training.micro_batch()).enumerate() {
            let batch = Batch::new(part, &self.tape);
            let prior = batch::log_prior(part, &self.ids, &mut self.sets, &self.tape);
            let share = Share { masked: masked.max(1), windows: part.len() as f64 / layouts.len() as f64 };
            // With one micro-batch, the noise of the step.
            let noise = Noise { seed, step: step * training.gradient_accumulation as u64 + number as u64 };
            let (loss, own) = batch_loss(&model, &batch, &self.ids, prior, share, &noise);
            value += own;
            if !value.is_finite() {
                return Err(Error::Diverged { step, steps, loss: value });
            }
            if let Some(loss) = loss {
                gradients.add(&model, &loss);
            }
        }
        state.loss += value;
        state.loss_steps += 1;
        let rate = optimize::rate(training.learning_rate, training.warmup, step, steps);
        Ok(gradients.descend(model, optimizer, training.clip, rate))
    }
}

/// What a micro-batch is of its batch.
#[derive(Clone, Copy)]
struct Share {
    /// Masked bases of the batch.
    masked: usize,
    /// Fraction of the windows of the batch.
    windows: f64,
}

/// What a micro-batch adds to the loss of its batch in nats per masked base: with the auxiliary loss, to be minimized (`None`: nothing is masked
/// in it, and there is no auxiliary loss); and without it, to be reported. The auxiliary loss of a batch is the mean of those of its micro-batches.
fn batch_loss(
    model: &Model,
    batch: &Batch,
    ids: &Range<usize>,
    prior: Option<Tensor<2>>,
    share: Share,
    noise: &Noise,
) -> (Option<Tensor<1>>, f64) {
    let states = model.states(batch.ids.clone(), batch.rows(), Some(noise));
    let auxiliary = states.auxiliary.map(|loss| if share.windows < 1.0 { loss * share.windows } else { loss });
    if batch.rows.is_empty() {
        return (auxiliary, 0.0);
    }
    let logits = model.logits(batch.gather(states.positions), ids.clone());
    let loss = batch::loss(logits, &batch.tokens, ids, prior) / share.masked as f64;
    let value = f64::from(loss.clone().into_scalar::<f32>());
    match auxiliary {
        Some(auxiliary) if value.is_finite() => (Some(loss + auxiliary), value),
        _ => (Some(loss), value),
    }
}

/// A point of the curve: validation windows, each under one pass of the plan (they take turns), sequential order.
fn measure(
    pretrain: &Pretrain,
    corpus: &Corpus,
    fitted: &Fitted,
    device: &Device,
    model: &Model,
    state: &TrainingState,
) -> Result<CurvePoint, Error> {
    let span = pretrain.masking.span;
    let mut scorer = Scorer::new(Predictor::new(model, device), fitted, span);
    let windows = if state.step == steps(pretrain) {
        last_windows(pretrain, corpus)?
    } else {
        validation_windows(pretrain, corpus, pretrain.scoring.curve_windows)?
    };
    let (mut bits, mut scored, mut floor) = (0.0, 0, None);
    for (number, window) in windows.iter().enumerate() {
        let pass = number % plan::PASSES;
        let score = scorer.window(&window.bases, &[pass], false)?;
        bits += score.total();
        scored += score.bases;
        if let Some(source) = corpus.source_of(&window.species) {
            *floor.get_or_insert(0.0) += source.sequential_bits(&window.bases, &ranges(&window.bases, span, pass));
        }
    }
    Ok(CurvePoint { bases: state.bases, bits, scored, floor, loss: state.loss / state.loss_steps.max(1) as f64 })
}

/// The validation windows of the last point of the curve.
pub(crate) fn last_windows(pretrain: &Pretrain, corpus: &Corpus) -> Result<Vec<ScoringWindow>, Error> {
    let Scoring { curve_windows, last_windows, .. } = pretrain.scoring;
    validation_windows(pretrain, corpus, if last_windows > 0 { last_windows } else { curve_windows })
}

fn validation_windows(pretrain: &Pretrain, corpus: &Corpus, each: usize) -> Result<Vec<ScoringWindow>, Error> {
    let bases = each * pretrain.training.window * corpus.trained().count();
    Ok(corpus.scoring_windows(Split::Valid, pretrain.training.window, bases)?)
}

/// The trained model of the finished trial of a run, if there is one; with a warning if its weights cannot be read.
pub(crate) fn take_over(
    pretrain: &Pretrain,
    fitted: &Fitted,
    inputs: &Inputs<'_>,
) -> (Option<Trained>, Option<String>) {
    let Some((folder, record)) = inputs.trial else { return (None, None) };
    let Outcome::Pretrained(trial) = &record.outcome else { return (None, None) };
    match load::pretrained(pretrain, folder, fitted, inputs.device) {
        Ok(model) => {
            let seen = trial.curve.last().map_or(0, |point| point.bases);
            let state = TrainingState {
                step: trial.cost.steps,
                bases: seen,
                planned: trial.planned_bases,
                masked: trial.hidden_bases,
                curve: trial.curve.clone(),
                seconds: record.timing.train_seconds,
                resumed: record.provenance.resumed,
                ..TrainingState::default()
            };
            (Some(Trained { model, state, steps: trial.cost.steps, notes: Vec::new() }), None)
        }
        Err(error) => (None, Some(format!("{error}; the model is trained again"))),
    }
}

/// Trains again for the weights alone, where a fine-tuning needs them and they are gone.
///
/// # Errors
/// As [`train`].
pub fn weights(
    seed: u64,
    pretrain: &Pretrain,
    corpus: &Corpus,
    fitted: &Fitted,
    device: &Device,
    folder: &Path,
    watch: &mut Watch<'_>,
) -> Result<Model, Error> {
    match load::pretrained(pretrain, folder, fitted, &device.clone().autodiff()) {
        Ok(model) => Ok(model),
        Err(error) => {
            eprintln!("warning: {error}; the model is trained again");
            std::fs::create_dir_all(folder)
                .map_err(|e| Error::File { path: folder.to_owned(), reason: e.to_string() })?;
            let trained = train(seed, pretrain, corpus, fitted, device, folder, watch)?;
            checkpoint::save_weights(folder, &trained.model)?;
            Ok(trained.model)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curve_points_double() {
        assert_eq!(curve_steps(4, 100), [12, 25, 50, 100]);
        assert_eq!(curve_steps(6, 2), [1, 2]);
        assert!(curve_steps(0, 9).is_empty());
    }
}
