//! Fine-tuning a trained model on labeled sequences of one's own, and prediction: classes, several labels, numbers, a class per base, or contacts.
//!
//! [`tune`] trains all parameters, or low-rank adapters of the fused query-key-value projections ([`LoraOptions`]; Hu et al., ICLR 2022), by
//! the loop of [`crate::fit`]; the best checkpoint of the validation split is kept. [`TunedModel`] is the result: it predicts, and
//! is saved in a folder and loaded from it (`docs/using-models.md#fine-tuning`).

mod goal;
mod network;
mod options;
mod report;
mod saved;

use std::path::Path;

use burn::module::Module;
use burn::tensor::Device;
use dataset::targets::{Row, Target, TargetKind};
use dataset::{Metric, stream};
use dna::reverse_complement;
use rand::RngExt;
use std::collections::BTreeMap;

use crate::checkpoint;
use crate::error::Error;
use crate::fit::{Evaluation, Objective, finite, optimize};
use crate::network::{count, count_trained};
use crate::noise::Noise;
use crate::trained::Trained;
use crate::watch::Watch;

pub use goal::Goal;
use goal::{Loss, evaluate};
use network::{Input, Network};
pub use options::{LoraOptions, Options};
pub use report::{Attempt, Report};
pub use saved::{DESCRIPTION, TunedModel};

/// Distance of the seeds of two attempts.
const ATTEMPT: u64 = 1_000_003;

/// Labeled rows in three splits; the test split may be empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Data {
    /// Training split.
    pub train: Vec<Row>,
    /// Validation split, on which the checkpoint is selected.
    pub dev: Vec<Row>,
    /// Test split, predicted once.
    pub test: Vec<Row>,
    /// Names of classes, labels or numbers.
    pub names: Vec<String>,
}

impl Data {
    /// BLAKE3 hash (hex) of all rows and names.
    #[must_use]
    pub fn hash(&self) -> String {
        blake3::hash(format!("{self:?}").as_bytes()).to_hex().to_string()
    }
}

/// Fine-tunes a model. Progress is kept in `folder`: a run that is stopped and resumed gives the same result. Returns the model, its record
/// and notes for the user.
///
/// # Errors
/// If a split has no rows, the loss diverges, a file cannot be written, or the run is interrupted.
pub fn tune(
    trained: &Trained,
    data: &Data,
    options: &Options,
    folder: &Path,
    watch: &mut Watch<'_>,
) -> Result<(TunedModel, Report, Vec<String>), Error> {
    for (name, rows) in [("training", &data.train), ("validation", &data.dev)] {
        if rows.is_empty() {
            return Err(Error::Missing(format!("the {name} split has no rows")));
        }
    }
    let goal = Goal::new(options.labels, &data.names, &data.train);
    let prepared = |rows: &[Row]| {
        let rows = rows.iter().map(|row| Prepared::new(trained, row, options.reverse_complement));
        rows.collect::<Vec<Prepared>>()
    };
    let [train, dev, test] = [&data.train, &data.dev, &data.test].map(|rows| prepared(rows));
    let device = trained.device().clone();
    let objective = Tuning {
        loss: Loss::new(&goal, &data.train, options.class_weights, &device.clone().autodiff()),
        goal: &goal,
        options,
        train: &train,
        dev: &dev,
        device: &device,
    };
    let (mut attempts, mut notes) = (Vec::new(), Vec::new());
    loop {
        let number = attempts.len() as u32;
        let seed = options.seed.wrapping_add(u64::from(number) * ATTEMPT);
        let network = Network::new(trained, &goal, options, seed);
        let own = folder.join(format!("attempt-{number}"));
        let size = (count(&network), count_trained(&network));
        let (network, state, more) = optimize(seed, network, &objective, &options.settings, &own, watch)?;
        notes.extend(more);
        let (_, dev_metrics, collapsed) = objective.measured(&network, &dev)?;
        attempts.push(Attempt { seed, dev_losses: state.dev_losses.clone(), best: state.best, collapsed });
        if collapsed && number < options.restarts {
            notes.push(format!(
                "seed {seed} collapsed: it predicts the same for every validation row; restarted with another seed"
            ));
            continue;
        }
        let test_metrics = if test.is_empty() { BTreeMap::new() } else { objective.measured(&network, &test)?.1 };
        let report = Report {
            rows: [train.len(), dev.len(), test.len()],
            attempts,
            parameters: size.0,
            trained: size.1,
            dev: dev_metrics,
            test: test_metrics,
        };
        let adapters = network.adapters();
        let network = network.materialize();
        let model = TunedModel::of(trained, goal, options, &network, adapters);
        clear(folder);
        return Ok((model, report, notes));
    }
}

/// Removes the progress of a fine-tuning from its folder.
pub fn clear(folder: &Path) {
    for number in 0.. {
        let own = folder.join(format!("attempt-{number}"));
        if !own.is_dir() {
            return;
        }
        checkpoint::clear(&own);
        let _ = std::fs::remove_dir(own);
    }
}

/// A row with the inputs of both strands.
struct Prepared {
    forward: Input,
    reverse: Option<Input>,
    target: Target,
}

impl Prepared {
    fn new(trained: &Trained, row: &Row, both: bool) -> Prepared {
        let tokenizer = &*trained.fitted.tokenizer;
        let reverse = both.then(|| Input::new(tokenizer, &reverse_complement(&row.sequence)));
        Prepared { forward: Input::new(tokenizer, &row.sequence), reverse, target: row.target.clone() }
    }
}

/// The target of a sequence of `bases` bases on the reverse strand.
fn reversed(target: &Target, bases: usize) -> Target {
    match target {
        Target::Contacts(contacts) => {
            let last = bases as u32 - 1;
            let mut mirrored: Vec<(u32, u32)> =
                contacts.iter().map(|(one, other)| (last - other, last - one)).collect();
            mirrored.sort_unstable();
            Target::Contacts(mirrored)
        }
        Target::Bases(classes) => Target::Bases(classes.iter().rev().copied().collect()),
        other => other.clone(),
    }
}

/// The objective of a fine-tuning.
struct Tuning<'a> {
    loss: Loss,
    goal: &'a Goal,
    options: &'a Options,
    train: &'a [Prepared],
    dev: &'a [Prepared],
    device: &'a Device,
}

impl Tuning<'_> {
    /// Loss per row, metrics, and whether the network predicts the same for all rows.
    fn measured(&self, network: &Network, rows: &[Prepared]) -> Result<(f64, BTreeMap<String, f64>, bool), Error> {
        let forward: Vec<&Input> = rows.iter().map(|row| &row.forward).collect();
        let reverse: Vec<&Input> = rows.iter().filter_map(|row| row.reverse.as_ref()).collect();
        let reverse = self.options.reverse_complement.then_some(&reverse[..]);
        let found = network.probabilities(&forward, reverse, self.goal, self.device)?;
        let targets: Vec<&Target> = rows.iter().map(|row| &row.target).collect();
        Ok(evaluate(self.goal, &found, &targets))
    }
}

impl Objective<Network> for Tuning<'_> {
    fn rows(&self) -> usize {
        self.train.len()
    }

    fn length(&self, row: usize) -> Option<usize> {
        Some(self.train[row].forward.positions())
    }

    fn loss(&self, network: &Network, picked: &[usize], noise: &Noise) -> Result<burn::tensor::Tensor<1>, f64> {
        let mut strands = stream(noise.seed, &format!("finetune/strand/{}", noise.step));
        let rows: Vec<(&Input, Target)> = picked
            .iter()
            .map(|&at| {
                let row = &self.train[at];
                match &row.reverse {
                    Some(reverse) if strands.random::<bool>() => (reverse, reversed(&row.target, reverse.bases)),
                    _ => (&row.forward, row.target.clone()),
                }
            })
            .collect();
        let inputs: Vec<&Input> = rows.iter().map(|(input, _)| *input).collect();
        let targets: Vec<&Target> = rows.iter().map(|(_, target)| target).collect();
        if rows.iter().all(|(input, target)| !target.is_scored(input.bases)) {
            return Ok(network.no_loss());
        }
        let autodiff = self.device.clone().autodiff();
        let scored = goal::scored(&targets);
        let (outputs, auxiliary) = network.outputs(&inputs, scored.as_deref(), Some(noise), &autodiff);
        let bases: Vec<usize> = inputs.iter().map(|input| input.bases).collect();
        finite(self.loss.mean(outputs, &targets, &bases), auxiliary)
    }

    fn evaluate(&self, network: &Network) -> Result<Evaluation, Error> {
        let (loss, metrics, _) = self.measured(network, self.dev)?;
        let score = metrics.get(self.options.metric.name()).copied().unwrap_or_default();
        Ok(Evaluation { loss, score })
    }

    fn beats(&self, found: &Evaluation, earlier: &Evaluation) -> bool {
        let metric = if self.goal.kind == TargetKind::Class { self.options.metric } else { Metric::Mcc };
        found.beats(earlier, metric)
    }
}
