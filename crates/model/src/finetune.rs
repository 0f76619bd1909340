//! Fine-tuning on a labelled task: the whole model, the checkpoint chosen on the dev split ([`Evaluation::beats`]), the
//! test split predicted once with it, predictions kept. No sequence is truncated. What is done is saved on the way: a run stopped and
//! resumed equals the run never stopped.

use std::path::Path;
use std::time::Instant;

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Int, Tensor, TensorData, activation};
use dataset::{Example, Task, stream};
use experiment::config::Finetuning;
use experiment::record::{Finetuned, Metric};
use experiment::run::Finetune;
use serde::{Deserialize, Serialize};
use tokenize::vocabulary::{CLS, PAD, SEP};
use tokenize::{Token, Tokenizer};

use crate::checkpoint::{self, Progressed};
use crate::error::Error;
use crate::execute::Inputs;
use crate::head::Classifier;
use crate::layers::Init;
use crate::metrics;
use crate::network::{Model, count};
use crate::noise::Noise;
use crate::optimize::{self, Settings};
use crate::pretrain::shapes;
use crate::read_back;
use crate::watch::Watch;

/// Rows of a forward pass in evaluation.
const ROWS: usize = 64;

/// A classifier that can be trained by [`fit`]: what the network, the small CNN and the logistic regression share.
pub trait Classify: Module {
    /// A row as the model wants it.
    type Input;

    /// Class logits `[batch, classes]` of some rows, and an auxiliary loss.
    fn logits(&self, rows: &[&Self::Input], noise: Option<&Noise>, device: &Device) -> (Tensor<2>, Option<Tensor<1>>);
}

impl Classify for Model {
    /// Ids, framed.
    type Input = Vec<u32>;

    fn logits(&self, rows: &[&Vec<u32>], noise: Option<&Noise>, device: &Device) -> (Tensor<2>, Option<Tensor<1>>) {
        let positions = rows.iter().map(|ids| ids.len()).max().unwrap_or(0);
        let lengths: Vec<usize> = rows.iter().map(|ids| ids.len()).collect();
        let padded = rows.iter().flat_map(|ids| {
            let padding = std::iter::repeat_n(PAD, positions - ids.len());
            ids.iter().copied().chain(padding).map(i64::from)
        });
        let data = TensorData::new(padded.collect::<Vec<i64>>(), [rows.len(), positions]);
        self.classify(Tensor::<2, Int>::from_data(data, device), &lengths, noise)
    }
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

/// Fine-tunes `pretrained` (or, without it, a model of initial weights) on a task.
///
/// # Errors
/// If an input is missing, the loss diverges, a checkpoint cannot be written, or the run is interrupted.
pub fn finetune(
    seed: u64,
    run: &Finetune,
    inputs: &Inputs<'_>,
    pretrained: Option<Model>,
    watch: &mut Watch<'_>,
) -> Result<Fit, Error> {
    let (task, fitted) = (inputs.task()?, inputs.fitted()?);
    let tape = inputs.device.clone().autodiff();
    let mut model = Model::new(&shapes(&run.model, fitted, Some(task.classes as usize)), seed, &tape);
    if let Some(pretrained) = pretrained {
        model.frontend = pretrained.frontend;
        model.encoder = pretrained.encoder;
    }
    // A small head of the published scale, on a trained body and on one that is not: the control differs in nothing else.
    let init = Init::new(seed, 0.02, &tape);
    let encoder = &run.model.encoder;
    let mut classifier = Classifier::new(&init, encoder.hidden, task.classes as usize, encoder.dropout);
    classifier.pooling = run.finetuning.pooling;
    model.classifier = Some(classifier);
    let splits = Splits::new(task, |sequence| frame(&*fitted.tokenizer, sequence));
    fit(seed, model, &splits, &run.finetuning, inputs, watch)
}

/// Ids of a whole sequence between \[CLS\] and \[SEP\].
fn frame(tokenizer: &dyn Tokenizer, sequence: &[u8]) -> Vec<u32> {
    let mut tokens: Vec<Token> = Vec::new();
    tokenizer.encode(sequence, &mut tokens);
    std::iter::once(CLS).chain(tokens.iter().map(|token| token.id)).chain(std::iter::once(SEP)).collect()
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
    let rows = splits.train.labels.len();
    let tape = device.clone().autodiff();
    let steps = settings.steps_for(rows);
    let every = steps.div_ceil(settings.evaluations.max(1) as u64);
    let adamw = Settings { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: settings.weight_decay };
    let mut optimizer = optimize::adamw(&adamw);
    let (mut epoch, mut order) = (u64::MAX, Vec::new());
    let (mut state, mut best, mut notes) = (State::default(), None, Vec::new());
    if let Some(found) = checkpoint::load::<M, State>(folder, &model, || optimize::adamw(&adamw), &mut notes) {
        (model, optimizer, best, state) = (found.model, found.optimizer, found.best, found.state);
        state.resumed += 1;
    }
    let (mut began, mut saved) = (Instant::now(), Instant::now());
    while state.step < steps {
        let stopped = watch.stopped();
        if stopped || (saved.elapsed() >= watch.checkpoint_every && state.step > 0) {
            state.seconds += began.elapsed().as_secs_f64();
            began = Instant::now();
            checkpoint::save(folder, &model, &optimizer, best.as_ref(), &state)?;
            saved = Instant::now();
        }
        if stopped {
            return Err(Error::Interrupted { step: state.step, steps });
        }
        let step = state.step;
        let mut picked = Vec::with_capacity(settings.batch);
        for draw in step * settings.batch as u64..(step + 1) * settings.batch as u64 {
            if draw / rows as u64 != epoch {
                epoch = draw / rows as u64;
                order = shuffled(rows, seed, epoch);
            }
            picked.push(order[(draw % rows as u64) as usize]);
        }
        let inputs: Vec<&M::Input> = picked.iter().map(|&row| &splits.train.inputs[row]).collect();
        let labels: Vec<u32> = picked.iter().map(|&row| splits.train.labels[row]).collect();
        let noise = Noise { seed, step };
        let (logits, auxiliary) = model.logits(&inputs, Some(&noise), &tape);
        let mut loss = cross_entropy(logits, &labels, &tape) / labels.len() as f64;
        let value = f64::from(loss.clone().into_scalar::<f32>());
        if !value.is_finite() {
            return Err(Error::Diverged { step, steps, loss: value });
        }
        if let Some(auxiliary) = auxiliary {
            loss = loss + auxiliary;
        }
        let mut gradients = GradientsParams::from_grads(loss.backward(), &model);
        optimize::clip(&model, &mut gradients, settings.clip);
        let rate = optimize::rate(settings.learning_rate, settings.warmup, step, steps);
        model = optimizer.step(rate, model, gradients);
        state.step += 1;
        watch.tell("finetune", state.step * settings.batch as u64, steps * settings.batch as u64);
        if state.step % every == 0 || state.step == steps {
            let (loss, predicted) = evaluate(&model.valid(), &splits.dev, device)?;
            let score = metrics::score(splits.metric, &splits.dev.labels, &predicted, splits.classes);
            let kept = state.dev_losses.get(state.best).map(|loss| loss.unwrap_or(f64::NAN));
            let kept = kept.map(|loss| Evaluation { loss, score: state.best_score });
            if best.is_none() || kept.is_none_or(|kept| Evaluation { loss, score }.beats(&kept, splits.metric)) {
                best = Some(model.valid());
                (state.best, state.best_score) = (state.dev_losses.len(), score);
            }
            state.dev_losses.push(loss.is_finite().then_some(loss));
        }
    }
    state.seconds += began.elapsed().as_secs_f64();
    let began = Instant::now();
    let model = best.ok_or_else(|| Error::Missing("no evaluation was made".to_owned()))?;
    let classes = splits.classes;
    let (_, dev) = evaluate(&model, &splits.dev, device)?;
    let (_, predicted) = evaluate(&model, &splits.test, device)?;
    let labels = splits.test.labels.clone();
    let result = Finetuned {
        classes,
        names: splits.names.clone(),
        metric: splits.metric,
        rows,
        dev_losses: state.dev_losses.iter().map(|loss| loss.unwrap_or(f64::NAN)).collect(),
        best: state.best,
        dev_mcc: metrics::mcc(&splits.dev.labels, &dev, classes),
        mcc: metrics::mcc(&labels, &predicted, classes),
        f1: metrics::macro_f1(&labels, &predicted, classes),
        accuracy: metrics::accuracy(&labels, &predicted),
        collapsed: predicted.windows(2).all(|pair| pair[0] == pair[1]),
        labels,
        predicted,
        parameters: count(&model) as u64,
    };
    let score_seconds = began.elapsed().as_secs_f64();
    Ok(Fit { result, train_seconds: state.seconds, score_seconds, resumed: state.resumed, notes })
}

fn shuffled(rows: usize, seed: u64, epoch: u64) -> Vec<usize> {
    let mut rng = stream(seed, &format!("finetune/epoch/{epoch}"));
    let mut order: Vec<usize> = (0..rows).collect();
    dna::shuffle(&mut order, &mut rng);
    order
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
