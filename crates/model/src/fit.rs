//! Training of any classifier. The checkpoint is selected on the validation split ([`Evaluation::beats`]) and predicts the test
//! split once; the predictions are recorded. Sequences are never truncated. Progress is checkpointed: a run that is stopped
//! and resumed gives the same result as an uninterrupted run.

mod order;

use std::path::Path;
use std::time::Instant;

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData, activation};
use dataset::{Example, Task};
use experiment::config::Finetuning;
use experiment::record::{Finetuned, Metric};
use serde::{Deserialize, Serialize};
use statistics::classes::Confusion;

use crate::checkpoint::{self, CheckpointState};
use crate::error::Error;
use crate::inputs::Inputs;
use crate::network::count;
use crate::noise::Noise;
use crate::optimize::{self, Gradients, Settings};
use crate::read_back;
use crate::watch::{Stopwatch, Watch};
use order::EpochOrder;

/// Batch size of evaluation.
const ROWS: usize = 64;

/// A classifier that can be trained by [`fit`]: implemented by the encoder model, the small CNN and the
/// logistic regression.
pub trait Classify: Module {
    /// One example in the form the model reads.
    type Input;

    /// Class logits `[batch, classes]` of some examples, and an auxiliary loss `[1]`.
    fn logits(&self, rows: &[&Self::Input], noise: Option<&Noise>, device: &Device) -> (Tensor<2>, Option<Tensor<1>>);
}

/// Examples and their class labels.
#[derive(Debug)]
pub struct LabeledRows<T> {
    /// Inputs of the model, one per example.
    pub inputs: Vec<T>,
    /// Class labels, from 0.
    pub labels: Vec<u32>,
}

impl<T> LabeledRows<T> {
    /// Converts examples of a task by `input`.
    pub fn new(examples: &[Example], input: impl Fn(&[u8]) -> T) -> LabeledRows<T> {
        LabeledRows {
            inputs: examples.iter().map(|example| input(&example.sequence)).collect(),
            labels: examples.iter().map(|example| example.label).collect(),
        }
    }
}

/// The three splits of a task.
#[derive(Debug)]
pub struct Splits<T> {
    /// Training split.
    pub train: LabeledRows<T>,
    /// Validation split, on which the checkpoint is selected.
    pub dev: LabeledRows<T>,
    /// Test split, predicted once.
    pub test: LabeledRows<T>,
    /// Number of classes.
    pub classes: usize,
    /// Names of the classes; empty if they have none.
    pub names: Vec<String>,
    /// Metric of the task.
    pub metric: Metric,
}

impl<T> Splits<T> {
    /// Converts the examples of a task by `input`.
    pub fn new(task: &Task, input: impl Fn(&[u8]) -> T) -> Splits<T> {
        Splits {
            train: LabeledRows::new(&task.train, &input),
            dev: LabeledRows::new(&task.dev, &input),
            test: LabeledRows::new(&task.test, &input),
            classes: task.classes as usize,
            names: task.names.clone(),
            metric: task.metric,
        }
    }

    /// Confusion matrix of a split.
    fn confusion(&self, rows: &LabeledRows<T>, predicted: &[u32]) -> Result<Confusion, Error> {
        Ok(Confusion::new(&rows.labels, predicted, self.classes)?)
    }
}

/// Result of an evaluation on the validation split.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evaluation {
    /// Mean loss in nats per example.
    pub loss: f64,
    /// Score by the task's metric.
    pub score: f64,
}

impl Evaluation {
    /// Whether this checkpoint is better than an earlier one.
    ///
    /// By the task's metric, and by loss if the scores are equal. For MCC, the default metric, by loss alone: a correlation over
    /// some hundred examples is coarse, and all published records of such tasks were selected by loss.
    #[must_use]
    pub fn beats(&self, earlier: &Evaluation, metric: Metric) -> bool {
        let lower_loss = self.loss < earlier.loss || (self.loss.is_finite() && !earlier.loss.is_finite());
        match metric {
            Metric::Mcc => lower_loss,
            Metric::F1 | Metric::Accuracy => self.score > earlier.score || (self.score == earlier.score && lower_loss),
        }
    }
}

/// Counters of a fine-tuning run, saved with parameters, optimizer state and best model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FinetuningState {
    step: u64,
    /// Validation loss in nats per example at each evaluation; `None` is NaN or infinity, which JSON cannot represent.
    pub(crate) dev_losses: Vec<Option<f64>>,
    /// Score by the task's metric at the best evaluation.
    #[serde(default)]
    best_score: f64,
    /// Index of the best evaluation, whose model is saved.
    pub(crate) best: usize,
    seconds: f64,
    resumed: u32,
}

impl CheckpointState for FinetuningState {
    fn step(&self) -> u64 {
        self.step
    }
}

impl FinetuningState {
    /// The best evaluation so far, if any.
    fn best_evaluation(&self) -> Option<Evaluation> {
        let loss = self.dev_losses.get(self.best)?.unwrap_or(f64::NAN);
        Some(Evaluation { loss, score: self.best_score })
    }

    /// Whether the last `patience` evaluations brought no better checkpoint; never for 0.
    fn is_exhausted(&self, patience: usize) -> bool {
        patience > 0 && self.dev_losses.len() > self.best + patience
    }

    /// Records an evaluation; `is_best` if its model is the best so far.
    fn record(&mut self, found: &Evaluation, is_best: bool) {
        if is_best {
            (self.best, self.best_score) = (self.dev_losses.len(), found.score);
        }
        self.dev_losses.push(found.loss.is_finite().then_some(found.loss));
    }
}

/// Result of training a classifier, with timing and notes.
#[derive(Debug)]
pub struct FitResult {
    /// The recorded result.
    pub result: Finetuned,
    /// Seconds of training over all sessions, evaluations on the validation split included.
    pub train_seconds: f64,
    /// Seconds of the final evaluation on validation and test split.
    pub score_seconds: f64,
    /// Number of resumptions.
    pub resumed: u32,
    /// Notes for the user, such as damaged checkpoints.
    pub notes: Vec<String>,
}

/// What a training loop optimizes and by what it selects: losses of batches of training rows, evaluations on the validation split.
pub(crate) trait Objective<M> {
    /// Number of training rows.
    fn rows(&self) -> usize;

    /// The number of positions of a training row, if batches are to be made of rows of similar length.
    fn length(&self, _row: usize) -> Option<usize> {
        None
    }

    /// Mean loss of some training rows, auxiliary loss included; the value of the mean as error if it is not finite.
    fn loss(&self, model: &M, picked: &[usize], noise: &Noise) -> Result<Tensor<1>, f64>;

    /// Evaluates a model for inference on the validation split.
    fn evaluate(&self, model: &M) -> Result<Evaluation, Error>;

    /// Whether an evaluation is better than an earlier one.
    fn beats(&self, found: &Evaluation, earlier: &Evaluation) -> bool;
}

/// Trains a model by AdamW and returns the best one of the validation split, for inference, with the counters of the run. Resumes from the newest
/// checkpoint in `folder`, about which there may be notes.
///
/// # Errors
/// If the loss diverges, a checkpoint cannot be written, or the run is interrupted.
pub(crate) fn optimize<M: Module>(
    seed: u64,
    mut model: M,
    objective: &impl Objective<M>,
    settings: &Finetuning,
    folder: &Path,
    watch: &mut Watch<'_>,
) -> Result<(M, FinetuningState, Vec<String>), Error> {
    let steps = settings.steps_for(objective.rows());
    let every = steps.div_ceil(settings.evaluations.max(1) as u64);
    let adamw = Settings { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: settings.weight_decay };
    let mut optimizer = optimize::adamw(&adamw);
    let lengths: Vec<usize> = (0..objective.rows()).map_while(|row| objective.length(row)).collect();
    let (mut order, mut notes) = (EpochOrder::new(seed, objective.rows(), lengths), Vec::new());
    let (mut state, mut best) = (FinetuningState::default(), None);
    if let Some(found) = checkpoint::load::<M, FinetuningState>(folder, &model, || optimize::adamw(&adamw), &mut notes)
    {
        (model, optimizer, best, state) = (found.model, found.optimizer, found.best, found.state);
        state.resumed += 1;
    }
    let saved_step = state.step;
    let (mut clock, mut saved) = (Stopwatch::start(), Instant::now());
    while state.step < steps && !state.is_exhausted(settings.patience) {
        let stopped = watch.stopped();
        if stopped || (saved.elapsed() >= watch.checkpoint_every && state.step > 0) {
            state.seconds += clock.lap();
            checkpoint::save(folder, &model, &optimizer, best.as_ref(), &state)?;
            saved = Instant::now();
        }
        if stopped {
            return Err(Error::Interrupted { step: state.step, steps });
        }
        let picked = order.batch(state.step, settings.batch);
        let mut gradients = Gradients::default();
        for (number, part) in picked.chunks(settings.micro_batch()).enumerate() {
            // With one micro-batch, the noise of the step.
            let noise = Noise { seed, step: state.step * settings.gradient_accumulation as u64 + number as u64 };
            let loss = objective.loss(&model, part, &noise);
            let loss = loss.map_err(|loss| Error::Diverged { step: state.step, steps, loss })?;
            let share = part.len() as f64 / picked.len() as f64;
            gradients.add(&model, &if share < 1.0 { loss * share } else { loss });
        }
        let rate = optimize::rate(settings.learning_rate, settings.warmup, state.step, steps);
        model = gradients.descend(model, &mut optimizer, settings.clip, rate);
        state.step += 1;
        watch.report("finetune", state.step * settings.batch as u64, steps * settings.batch as u64);
        if state.step % every == 0 || state.step == steps {
            let evaluated = model.valid();
            let found = objective.evaluate(&evaluated)?;
            let is_best = best.is_none() || state.best_evaluation().is_none_or(|best| objective.beats(&found, &best));
            state.record(&found, is_best);
            if is_best {
                best = Some(evaluated);
            }
        }
    }
    state.seconds += clock.lap();
    // A later attempt can be interrupted too: then this one is not trained again.
    if state.step != saved_step {
        checkpoint::save(folder, &model, &optimizer, best.as_ref(), &state)?;
    }
    let model = best.ok_or_else(|| Error::Missing("no evaluation was performed".to_owned()))?;
    Ok((model, state, notes))
}

/// The objective of a classifier: cross-entropy, and the metric of its task.
struct Classes<'a, T> {
    splits: &'a Splits<T>,
    device: &'a Device,
    autodiff: Device,
}

impl<M: Classify> Objective<M> for Classes<'_, M::Input> {
    fn rows(&self) -> usize {
        self.splits.train.labels.len()
    }

    fn loss(&self, model: &M, picked: &[usize], noise: &Noise) -> Result<Tensor<1>, f64> {
        batch_loss(model, &self.splits.train, picked, noise, &self.autodiff)
    }

    fn evaluate(&self, model: &M) -> Result<Evaluation, Error> {
        let (loss, predicted) = evaluate(model, &self.splits.dev, self.device)?;
        let score = self.splits.confusion(&self.splits.dev, &predicted)?.score(self.splits.metric);
        Ok(Evaluation { loss, score })
    }

    fn beats(&self, found: &Evaluation, earlier: &Evaluation) -> bool {
        found.beats(earlier, self.splits.metric)
    }
}

/// Trains a classifier, selects the best checkpoint on the validation split and predicts the test split with it. Resumes from the
/// newest checkpoint in the run's folder.
///
/// # Errors
/// If the loss diverges, a checkpoint cannot be written, or the run is interrupted.
pub fn fit<M: Classify>(
    seed: u64,
    model: M,
    splits: &Splits<M::Input>,
    settings: &Finetuning,
    inputs: &Inputs<'_>,
    watch: &mut Watch<'_>,
) -> Result<FitResult, Error> {
    let objective = Classes { splits, device: inputs.device, autodiff: inputs.device.clone().autodiff() };
    let (model, state, notes) = optimize(seed, model, &objective, settings, inputs.folder, watch)?;
    let mut clock = Stopwatch::start();
    let result = test_result(&model, splits, &state, inputs.device)?;
    Ok(FitResult { result, train_seconds: state.seconds, score_seconds: clock.lap(), resumed: state.resumed, notes })
}

/// The result of the selected model: evaluated again on the validation split, then on the test split.
fn test_result<M: Classify>(
    model: &M,
    splits: &Splits<M::Input>,
    state: &FinetuningState,
    device: &Device,
) -> Result<Finetuned, Error> {
    let (_, dev) = evaluate(model, &splits.dev, device)?;
    let (_, predicted) = evaluate(model, &splits.test, device)?;
    let test = splits.confusion(&splits.test, &predicted)?;
    Ok(Finetuned {
        classes: splits.classes,
        names: splits.names.clone(),
        metric: splits.metric,
        rows: splits.train.labels.len(),
        dev_losses: state.dev_losses.iter().map(|loss| loss.unwrap_or(f64::NAN)).collect(),
        best: state.best,
        dev_mcc: splits.confusion(&splits.dev, &dev)?.mcc(),
        mcc: test.mcc(),
        f1: test.f1(),
        accuracy: test.accuracy(),
        collapsed: predicted.windows(2).all(|pair| pair[0] == pair[1]),
        labels: splits.test.labels.clone(),
        predicted,
        parameters: count(model) as u64,
    })
}

/// Mean loss of some training examples in nats, auxiliary loss included; the value of the mean as error if it is not finite.
fn batch_loss<M: Classify>(
    model: &M,
    rows: &LabeledRows<M::Input>,
    picked: &[usize],
    noise: &Noise,
    device: &Device,
) -> Result<Tensor<1>, f64> {
    let inputs: Vec<&M::Input> = picked.iter().map(|&row| &rows.inputs[row]).collect();
    let labels: Vec<u32> = picked.iter().map(|&row| rows.labels[row]).collect();
    let (logits, auxiliary) = model.logits(&inputs, Some(noise), device);
    finite(cross_entropy(logits, &labels, device) / labels.len() as f64, auxiliary)
}

/// A mean loss with the auxiliary loss added; its value as error if it is not finite.
pub(crate) fn finite(loss: Tensor<1>, auxiliary: Option<Tensor<1>>) -> Result<Tensor<1>, f64> {
    let value = f64::from(loss.clone().into_scalar::<f32>());
    if !value.is_finite() {
        return Err(value);
    }
    Ok(match auxiliary {
        Some(auxiliary) => loss + auxiliary,
        None => loss,
    })
}

/// Summed cross-entropy in nats, `[1]`.
fn cross_entropy(logits: Tensor<2>, labels: &[u32], device: &Device) -> Tensor<1> {
    let truth: Vec<i64> = labels.iter().map(|&label| i64::from(label)).collect();
    let truth = Tensor::<2, Int>::from_data(TensorData::new(truth, [labels.len(), 1]), device);
    activation::log_softmax(logits, 1).gather(1, truth).sum_dim(0).reshape([1]).neg()
}

/// Mean loss (nats per example, summed in f64) and predicted classes.
fn evaluate<M: Classify>(model: &M, rows: &LabeledRows<M::Input>, device: &Device) -> Result<(f64, Vec<u32>), Error> {
    let (mut loss, mut predicted) = (0.0, Vec::with_capacity(rows.labels.len()));
    for (inputs, labels) in rows.inputs.chunks(ROWS).zip(rows.labels.chunks(ROWS)) {
        let inputs: Vec<&M::Input> = inputs.iter().collect();
        let logits = activation::log_softmax(model.logits(&inputs, None, device).0, 1);
        let classes = logits.dims()[1];
        let values = read_back::rows(logits, "class probabilities")?;
        for (row, &label) in values.chunks_exact(classes).zip(labels) {
            loss -= f64::from(row[label as usize]);
            let guess = (0..classes).fold(0, |best, class| if row[class] > row[best] { class } else { best });
            predicted.push(guess as u32);
        }
    }
    Ok((loss / rows.labels.len().max(1) as f64, predicted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn training_ends_after_evaluations_without_a_better_checkpoint() {
        let mut state = FinetuningState::default();
        assert!(!state.is_exhausted(1), "before the first evaluation");
        for (at, (loss, is_best)) in
            [(0.5, true), (0.6, false), (0.4, true), (0.7, false), (0.5, false)].iter().enumerate()
        {
            state.record(&Evaluation { loss: *loss, score: 0.0 }, *is_best);
            assert_eq!(state.is_exhausted(2), at == 4);
            assert!(!state.is_exhausted(0));
        }
    }

    #[test]
    fn the_metric_selects_the_checkpoint() {
        let evaluations = [(0.50, 0.70), (0.40, 0.80), (0.45, 0.90), (0.44, 0.90), (f64::NAN, 0.10)];
        let selected = |metric: Metric| {
            let all = evaluations.map(|(loss, score)| Evaluation { loss, score });
            (1..all.len()).fold(0, |best, at| if all[at].beats(&all[best], metric) { at } else { best })
        };
        assert_eq!(selected(Metric::Mcc), 1, "by loss alone");
        assert_eq!(selected(Metric::F1), 3, "by score, ties by loss");
        assert_eq!(selected(Metric::Accuracy), 3);
        let diverged = Evaluation { loss: f64::NAN, score: 0.5 };
        let found = Evaluation { loss: 9.0, score: 0.5 };
        assert!(found.beats(&diverged, Metric::Mcc) && found.beats(&diverged, Metric::F1));
        assert!(!diverged.beats(&found, Metric::Mcc) && !diverged.beats(&diverged, Metric::Mcc));
    }
}
