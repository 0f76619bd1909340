//! Multinomial logistic regression on k-mer counts, a bag-of-k-mers baseline.

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use experiment::config::{Finetuning, Pooling};

use crate::error::Error;
use crate::fit::{Classify, FitResult, Splits, fit};
use crate::inputs::Inputs;
use crate::layers::{Init, Linear};
use crate::noise::Noise;
use crate::watch::Watch;

/// A linear layer on standardized k-mer counts.
#[derive(Module, Debug)]
pub struct Logistic {
    linear: Linear,
}

impl Classify for Logistic {
    /// Standardized k-mer counts.
    type Input = Vec<f32>;

    fn logits(&self, rows: &[&Vec<f32>], _noise: Option<&Noise>, device: &Device) -> (Tensor<2>, Option<Tensor<1>>) {
        let width = rows.first().map_or(0, |row| row.len());
        let data: Vec<f32> = rows.iter().flat_map(|row| row.iter().copied()).collect();
        let x = Tensor::<2>::from_data(TensorData::new(data, [rows.len(), width]), device);
        (self.linear.forward(x), None)
    }
}

/// Counts of all k-mers for k from 1 to `max_k`, k-mers of one length after those of the next shorter; k-mers with N are skipped.
fn counts(sequence: &[u8], max_k: usize) -> Vec<f32> {
    let size = (1..=max_k).map(|k| 1usize << (2 * k)).sum();
    let mut counts = vec![0.0; size];
    let mut offset = 0;
    for k in 1..=max_k {
        for kmer in sequence.windows(k) {
            let code = kmer.iter().try_fold(0, |code, &base| dna::code(base).map(|letter| code * 4 + letter));
            if let Some(code) = code {
                counts[offset + code] += 1.0;
            }
        }
        offset += 1 << (2 * k);
    }
    counts
}

/// The settings of the regression: rows seen, evaluations and early stopping of the models, if they are given, and 20 epochs otherwise.
fn settings(models: Option<&Finetuning>, rows: usize) -> Finetuning {
    let own = Finetuning {
        pooling: Pooling::Mean,
        epochs: 20.0,
        steps: 0,
        batch: 64,
        gradient_accumulation: 1,
        learning_rate: 2e-3,
        warmup: 0.05,
        weight_decay: 1.0,
        clip: 10.0,
        evaluations: 20,
        patience: 0,
    };
    models.map_or(own.clone(), |models| {
        let seen = models.steps_for(rows) as f64 * models.batch as f64;
        let Finetuning { evaluations, patience, .. } = *models;
        Finetuning { epochs: seen / rows.max(1) as f64, evaluations, patience, ..own }
    })
}

/// Trains and evaluates the regression on a task: features standardized on the training split, weight decay as the penalty, as many rows
/// as the models see (20 epochs if none are given), the best checkpoint selected on the validation split.
///
/// # Errors
/// As [`fit`], or if there is no task.
pub fn run(
    seed: u64,
    max_k: usize,
    models: Option<&Finetuning>,
    inputs: &Inputs<'_>,
    watch: &mut Watch<'_>,
) -> Result<FitResult, Error> {
    let task = inputs.task()?;
    let mut splits = Splits::new(task, |sequence| counts(sequence, max_k));
    let width = splits.train.inputs.first().map_or(0, Vec::len);
    let rows = splits.train.inputs.len().max(1) as f64;
    let (mut mean, mut square) = (vec![0.0f64; width], vec![0.0f64; width]);
    for row in &splits.train.inputs {
        for (i, &value) in row.iter().enumerate() {
            mean[i] += f64::from(value) / rows;
            square[i] += f64::from(value) * f64::from(value) / rows;
        }
    }
    for split in [&mut splits.train, &mut splits.dev, &mut splits.test] {
        for row in &mut split.inputs {
            for (i, value) in row.iter_mut().enumerate() {
                let deviation = (square[i] - mean[i] * mean[i]).max(0.0).sqrt();
                *value = if deviation > 1e-9 { ((f64::from(*value) - mean[i]) / deviation) as f32 } else { 0.0 };
            }
        }
    }
    let init = Init::new(seed, 0.0, &inputs.device.clone().autodiff());
    let model = Logistic { linear: Linear::new(&init, "logistic", width, task.classes as usize, true) };
    let settings = settings(models, splits.train.labels.len());
    fit(seed, model, &splits, &settings, inputs, watch)
}

#[cfg(test)]
mod tests {
    use experiment::config::Finetuning;

    #[test]
    fn the_regression_sees_as_many_rows_as_the_models() {
        for (epochs, steps, rows) in [(20.0, 0, 1000), (3.0, 400, 50), (0.5, 0, 640)] {
            let models = Finetuning { epochs, steps, batch: 32, patience: 2, ..Finetuning::default() };
            let own = super::settings(Some(&models), rows);
            let seen = |settings: &Finetuning| settings.steps_for(rows) as usize * settings.batch;
            assert!(seen(&own).abs_diff(seen(&models)) < own.batch, "{own:?}");
            assert_eq!((own.evaluations, own.patience), (models.evaluations, 2));
        }
        assert_eq!(super::settings(None, 640).steps_for(640), 200);
    }

    #[test]
    fn kmers_without_n_are_counted() {
        let counts = super::counts(b"ACNAC", 2);
        assert_eq!(&counts[..4], [2.0, 2.0, 0.0, 0.0]);
        assert_eq!(counts[4 + 1], 2.0);
        assert_eq!(counts.iter().sum::<f32>(), 6.0);
    }
}
