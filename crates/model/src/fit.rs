//! Training of a classifier, whatever it is: the checkpoint chosen on the dev split ([`Evaluation::beats`]), the test split
//! predicted once with it, predictions kept. No sequence is truncated. What is done is saved on the way: a run stopped and
//! resumed equals the run never stopped.

use std::path::Path;
use std::time::Instant;

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData, activation};
use dataset::{Example, Task, stream};
use experiment::config::Finetuning;
use experiment::record::{Finetuned, Metric};
use rand::RngExt;
use serde::{Deserialize, Serialize};
use statistics::classes::Confusion;

use crate::checkpoint::{self, Progressed};
use crate::error::Error;
use crate::inputs::Inputs;
use crate::network::count;
use crate::noise::Noise;
use crate::optimize::{self, Settings};
use crate::read_back;
use crate::watch::{Stopwatch, Watch};

/// Rows of a forward pass in evaluation.
const ROWS: usize = 64;

/// A classifier that can be trained by [`fit`]: what the network, the small CNN and the logistic regression share.
pub trait Classify: Module {
    /// A row as the model wants it.
    type Input;

    /// Class logits `[batch, classes]` of some rows, and an auxiliary loss.
    fn logits(&self, rows: &[&Self::Input], noise: Option<&Noise>, device: &Device) -> (Tensor<2>, Option<Tensor<1>>);
}

/// Rows and their classes.
#[derive(Debug)]
pub struct Rows<T> {
    /// Inputs.
    pub inputs: Vec<T>,
    /// Classes.
    pub labels: Vec<u32>,
}

impl<T> Rows<T> {
    /// From examples.
    pub fn new(examples: &[Example], input: impl Fn(&[u8]) -> T) -> Rows<T> {
        Rows {
            inputs: examples.iter().map(|example| input(&example.sequence)).collect(),
            labels: examples.iter().map(|example| example.label).collect(),
        }
    }
}

/// The three splits of a task.
#[derive(Debug)]
pub struct Splits<T> {
    /// Rows to learn from.
    pub train: Rows<T>,
    /// Rows on which the checkpoint is chosen.
    pub dev: Rows<T>,
    /// Rows that are predicted once.
    pub test: Rows<T>,
    /// Number of classes.
    pub classes: usize,
    /// Names of the classes, where they have any.
    pub names: Vec<String>,
    /// What the task is judged by.
    pub metric: Metric,
}

impl<T> Splits<T> {
    /// From a task.
    pub fn new(task: &Task, input: impl Fn(&[u8]) -> T) -> Splits<T> {
        Splits {
            train: Rows::new(&task.train, &input),
            dev: Rows::new(&task.dev, &input),
            test: Rows::new(&task.test, &input),
            classes: task.classes as usize,
            names: task.names.clone(),
            metric: task.metric,
        }
    }

    /// Counts of true and predicted classes of a split.
    fn confusion(&self, rows: &Rows<T>, predicted: &[u32]) -> Result<Confusion, Error> {
        Ok(Confusion::new(&rows.labels, predicted, self.classes)?)
    }
}

/// What an evaluation on the dev split found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evaluation {
    /// Mean loss in nats a row.
    pub loss: f64,
    /// Score by the task's metric.
    pub score: f64,
}

impl Evaluation {
    /// Whether this checkpoint is better than an earlier one.
    ///
    /// By the task's metric, and by loss where scores are equal. Tasks judged by MCC, the default, choose by loss alone: a
    /// correlation on some hundred rows is coarse, and this is how all records of such tasks were made.
    #[must_use]
    pub fn beats(&self, earlier: &Evaluation, metric: Metric) -> bool {
        let nearer = self.loss < earlier.loss || (self.loss.is_finite() && !earlier.loss.is_finite());
        match metric {
            Metric::Mcc => nearer,
            Metric::F1 | Metric::Accuracy => self.score > earlier.score || (self.score == earlier.score && nearer),
        }
    }
}

/// What a fine-tuning must remember beside parameters, optimizer state and its best model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    step: u64,
    /// Nats a row at each evaluation; `None` stands for not-a-number and infinity, which JSON does not have.
    dev_losses: Vec<Option<f64>>,
    /// Score by the task's metric at the evaluation whose model is kept.
    #[serde(default)]
    best_score: f64,
    /// The evaluation whose model is kept.
    best: usize,
    seconds: f64,
    resumed: u32,
}

impl Progressed for State {
    fn step(&self) -> u64 {
        self.step
    }
}

impl State {
    /// The evaluation whose model is kept, if there was one.
    fn kept(&self) -> Option<Evaluation> {
        let loss = self.dev_losses.get(self.best)?.unwrap_or(f64::NAN);
        Some(Evaluation { loss, score: self.best_score })
    }

    /// Notes an evaluation, and whether its model is the one that is kept from now on.
    fn note(&mut self, found: &Evaluation, keep: bool) {
        if keep {
            (self.best, self.best_score) = (self.dev_losses.len(), found.score);
        }
        self.dev_losses.push(found.loss.is_finite().then_some(found.loss));
    }
}

/// A classifier's result, and how it came about.
#[derive(Debug)]
pub struct Fit {
    /// The result.
    pub result: Finetuned,
    /// Seconds of training over all sittings, evaluations on the way included.
    pub train_seconds: f64,
    /// Seconds of the last evaluation and of the test rows.
    pub score_seconds: f64,
    /// Times resumed.
    pub resumed: u32,
    /// What a person should know (checkpoints set aside).
    pub notes: Vec<String>,
}

/// Trains a classifier, keeps the best checkpoint on the dev split, predicts the test rows with it. Resumes from the newest
/// checkpoint in the run's folder.
///
/// # Errors
/// If the loss diverges, a checkpoint cannot be written, or the run is interrupted.
pub fn fit<M: Classify>(
    seed: u64,
    mut model: M,
    splits: &Splits<M::Input>,
    settings: &Finetuning,
    inputs: &Inputs<'_>,
    watch: &mut Watch<'_>,
) -> Result<Fit, Error> {
    let (device, folder): (&Device, &Path) = (inputs.device, inputs.folder);
    let tape = device.clone().autodiff();
    let steps = settings.steps_for(splits.train.labels.len());
    let every = steps.div_ceil(settings.evaluations.max(1) as u64);
    let adamw = Settings { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: settings.weight_decay };
    let mut optimizer = optimize::adamw(&adamw);
    let (mut order, mut notes) = (Order::new(seed, splits.train.labels.len()), Vec::new());
    let (mut state, mut best) = (State::default(), None);
    if let Some(found) = checkpoint::load::<M, State>(folder, &model, || optimize::adamw(&adamw), &mut notes) {
        (model, optimizer, best, state) = (found.model, found.optimizer, found.best, found.state);
        state.resumed += 1;
    }
    let (mut clock, mut saved) = (Stopwatch::start(), Instant::now());
    while state.step < steps {
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
        let noise = Noise { seed, step: state.step };
        let loss = batch_loss(&model, &splits.train, &picked, &noise, &tape);
        let loss = loss.map_err(|loss| Error::Diverged { step: state.step, steps, loss })?;
        let rate = optimize::rate(settings.learning_rate, settings.warmup, state.step, steps);
        model = optimize::descend(model, &mut optimizer, &loss, settings.clip, rate);
        state.step += 1;
        watch.tell("finetune", state.step * settings.batch as u64, steps * settings.batch as u64);
        if state.step % every == 0 || state.step == steps {
            let judged = model.valid();
            let (loss, predicted) = evaluate(&judged, &splits.dev, device)?;
            let score = splits.confusion(&splits.dev, &predicted)?.score(splits.metric);
            let found = Evaluation { loss, score };
            let keep = best.is_none() || state.kept().is_none_or(|kept| found.beats(&kept, splits.metric));
            state.note(&found, keep);
            if keep {
                best = Some(judged);
            }
        }
    }
    state.seconds += clock.lap();
    let model = best.ok_or_else(|| Error::Missing("no evaluation was made".to_owned()))?;
    let result = tested(&model, splits, &state, device)?;
    Ok(Fit { result, train_seconds: state.seconds, score_seconds: clock.lap(), resumed: state.resumed, notes })
}

/// The result of the model that was kept: dev rows judged again, test rows predicted.
fn tested<M: Classify>(
    model: &M,
    splits: &Splits<M::Input>,
    state: &State,
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

/// The order of training rows: shuffled anew for each epoch, by a stream of the epoch's number.
struct Order {
    seed: u64,
    rows: usize,
    epoch: u64,
    order: Vec<usize>,
}

impl Order {
    fn new(seed: u64, rows: usize) -> Order {
        Order { seed, rows, epoch: u64::MAX, order: Vec::new() }
    }

    /// The rows of a step of `size` rows.
    fn batch(&mut self, step: u64, size: usize) -> Vec<usize> {
        let mut picked = Vec::with_capacity(size);
        for draw in step * size as u64..(step + 1) * size as u64 {
            if draw / self.rows as u64 != self.epoch {
                self.epoch = draw / self.rows as u64;
                self.order = shuffled(self.rows, self.seed, self.epoch);
            }
            picked.push(self.order[(draw % self.rows as u64) as usize]);
        }
        picked
    }
}

fn shuffled(rows: usize, seed: u64, epoch: u64) -> Vec<usize> {
    let mut rng = stream(seed, &format!("finetune/epoch/{epoch}"));
    let mut order: Vec<usize> = (0..rows).collect();
    for i in (1..rows).rev() {
        order.swap(i, rng.random_range(0..=i));
    }
    order
}

/// Mean loss of some training rows, auxiliary loss included; the mean itself where that is not finite.
fn batch_loss<M: Classify>(
    model: &M,
    rows: &Rows<M::Input>,
    picked: &[usize],
    noise: &Noise,
    tape: &Device,
) -> Result<Tensor<1>, f64> {
    let inputs: Vec<&M::Input> = picked.iter().map(|&row| &rows.inputs[row]).collect();
    let labels: Vec<u32> = picked.iter().map(|&row| rows.labels[row]).collect();
    let (logits, auxiliary) = model.logits(&inputs, Some(noise), tape);
    let loss = cross_entropy(logits, &labels, tape) / labels.len() as f64;
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

/// Mean loss (nats a row, summed in f64) and predicted classes.
fn evaluate<M: Classify>(model: &M, rows: &Rows<M::Input>, device: &Device) -> Result<(f64, Vec<u32>), Error> {
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
    fn the_metric_chooses_the_checkpoint() {
        let evaluations = [(0.50, 0.70), (0.40, 0.80), (0.45, 0.90), (0.44, 0.90), (f64::NAN, 0.10)];
        let kept = |metric: Metric| {
            let all = evaluations.map(|(loss, score)| Evaluation { loss, score });
            (1..all.len()).fold(0, |best, at| if all[at].beats(&all[best], metric) { at } else { best })
        };
        assert_eq!(kept(Metric::Mcc), 1, "by loss alone");
        assert_eq!(kept(Metric::F1), 3, "by score, of equal ones by loss");
        assert_eq!(kept(Metric::Accuracy), 3);
        let lost = Evaluation { loss: f64::NAN, score: 0.5 };
        let found = Evaluation { loss: 9.0, score: 0.5 };
        assert!(found.beats(&lost, Metric::Mcc) && found.beats(&lost, Metric::F1));
        assert!(!lost.beats(&found, Metric::Mcc) && !lost.beats(&lost, Metric::Mcc));
    }
}
