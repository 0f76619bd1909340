//! What is predicted: losses on the device, probabilities and metrics on the host.

use std::collections::BTreeMap;

use burn::tensor::{Device, Int, Tensor, TensorData, activation};
use dataset::targets::{Row, Target, TargetKind};
use serde::{Deserialize, Serialize};
use statistics::classes::Confusion;
use statistics::correlation::{auroc, mean_squared_error, pearson, spearman};
use statistics::{deviation, mean};

/// Least probability in a logarithm.
const LEAST: f64 = 1e-30;
/// Predictions that vary less over the rows are the same: standard deviation of probabilities, or of numbers in those of the training split.
const LEAST_DEVIATION: f64 = 1e-3;

/// What a fine-tuned model predicts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Goal {
    /// Kind of the labels.
    pub kind: TargetKind,
    /// Names of the outputs: classes, labels or numbers.
    pub names: Vec<String>,
    /// Mean and standard deviation of each number in the training split; empty for other kinds.
    pub scale: Vec<[f64; 2]>,
}

impl Goal {
    pub(super) fn new(kind: TargetKind, names: &[String], train: &[Row]) -> Goal {
        let column = |at: usize| {
            let values = train.iter().filter_map(|row| match &row.target {
                Target::Numbers(values) => values.get(at).copied(),
                _ => None,
            });
            let values: Vec<f64> = values.collect();
            let spread = deviation(&values);
            [mean(&values), if spread > 0.0 { spread } else { 1.0 }]
        };
        let scale = if kind == TargetKind::Numbers { (0..names.len()).map(column).collect() } else { Vec::new() };
        Goal { kind, names: names.to_vec(), scale }
    }

    /// Number of outputs of the head.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.names.len()
    }

    /// Whether one of the outputs is predicted, for each sequence or base.
    #[must_use]
    pub fn has_classes(&self) -> bool {
        matches!(self.kind, TargetKind::Class | TargetKind::Bases)
    }

    /// The output with the largest probability; the first of equal ones.
    #[must_use]
    pub fn best(&self, row: &[f64]) -> usize {
        (0..self.outputs()).fold(0, |best, at| if row[at] > row[best] { at } else { best })
    }

    /// Outputs of the head to probabilities (numbers: to their own units), in place; one row, or one row per base.
    pub(super) fn activate(&self, outputs: &mut [f64]) {
        for row in outputs.chunks_exact_mut(self.outputs()) {
            match self.kind {
                TargetKind::Class | TargetKind::Bases => {
                    let highest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                    row.iter_mut().for_each(|value| *value = (*value - highest).exp());
                    let total: f64 = row.iter().sum();
                    row.iter_mut().for_each(|value| *value /= total);
                }
                TargetKind::Labels | TargetKind::Contacts => {
                    row.iter_mut().for_each(|value| *value = 1.0 / (1.0 + (-*value).exp()));
                }
                TargetKind::Numbers => {
                    row.iter_mut()
                        .zip(&self.scale)
                        .for_each(|(value, [center, spread])| *value = *value * spread + center);
                }
            }
        }
    }

    /// Averages the predictions of a sequence with those of its reverse complement.
    pub(super) fn average(&self, own: &mut [f64], reverse: &[f64]) {
        let outputs = self.outputs();
        let rows = own.len() / outputs.max(1);
        if self.kind == TargetKind::Contacts {
            let bases = bases_of(rows);
            let all = (0..bases).flat_map(|one| (one + 1..bases).map(move |other| (one, other)));
            for (value, (one, other)) in own.iter_mut().zip(all) {
                *value = (*value + reverse[pair(bases, bases - 1 - other, bases - 1 - one)]) / 2.0;
            }
            return;
        }
        for (at, value) in own.iter_mut().enumerate() {
            let (row, column) = (at / outputs, at % outputs);
            let row = if self.kind == TargetKind::Bases { rows - 1 - row } else { row };
            *value = (*value + reverse[row * outputs + column]) / 2.0;
        }
    }
}

/// Index of a pair of bases, the left one first, among all pairs of a sequence.
pub(super) fn pair(bases: usize, one: usize, other: usize) -> usize {
    one * (2 * bases - one - 1) / 2 + other - one - 1
}

/// Number of bases of a sequence with so many pairs.
fn bases_of(pairs: usize) -> usize {
    ((1.0 + (1.0 + 8.0 * pairs as f64).sqrt()) / 2.0).round() as usize
}

/// Whether each pair of a sequence of `bases` bases is in contact.
fn in_contact(contacts: &[(u32, u32)], bases: usize) -> Vec<bool> {
    let mut all = vec![false; bases * bases.saturating_sub(1) / 2];
    contacts.iter().for_each(|&(one, other)| all[pair(bases, one as usize, other as usize)] = true);
    all
}

/// The bases with a class of each row, if bases are predicted.
pub(super) fn scored(targets: &[&Target]) -> Option<Vec<Vec<usize>>> {
    let of = |target: &&Target| match target {
        Target::Bases(classes) => {
            Some(classes.iter().enumerate().filter(|(_, class)| class.is_some()).map(|(at, _)| at).collect())
        }
        _ => None,
    };
    targets.iter().map(of).collect()
}

/// The training loss.
pub(super) struct Loss {
    kind: TargetKind,
    scale: Vec<[f64; 2]>,
    /// Weight of each class; of the positives of each label.
    weights: Vec<f32>,
    device: Device,
}

impl Loss {
    pub(super) fn new(goal: &Goal, train: &[Row], weighted: bool, device: &Device) -> Loss {
        let outputs = goal.outputs();
        let (mut counts, mut pairs) = (vec![0.0_f64; outputs], 0.0);
        for row in train {
            match &row.target {
                Target::Class(class) => counts[*class as usize] += 1.0,
                Target::Bases(classes) => classes.iter().flatten().for_each(|class| counts[*class as usize] += 1.0),
                Target::Labels(labels) => {
                    counts.iter_mut().zip(labels).for_each(|(count, label)| *count += f64::from(u8::from(*label)));
                }
                Target::Contacts(contacts) => {
                    counts[0] += contacts.len() as f64;
                    pairs += (row.sequence.len() * row.sequence.len().saturating_sub(1) / 2) as f64;
                }
                Target::Numbers(_) => {}
            }
        }
        let all: f64 = counts.iter().sum();
        let weight = |count: &f64| match goal.kind {
            _ if !weighted => 1.0,
            // A class that does not occur in training has no weight to be given.
            TargetKind::Class | TargetKind::Bases if *count > 0.0 => all / (outputs as f64 * count),
            // Nor does what every row has: its weight would be 0.
            TargetKind::Labels if *count > 0.0 && *count < train.len() as f64 => (train.len() as f64 - count) / count,
            TargetKind::Contacts if *count > 0.0 && *count < pairs => (pairs - count) / count,
            _ => 1.0,
        };
        let weights = counts.iter().map(|count| weight(count) as f32).collect();
        Loss { kind: goal.kind, scale: goal.scale.clone(), weights, device: device.clone() }
    }

    /// The mean loss `[1]` of outputs `[rows, outputs]`: weighted cross-entropy in nats; binary cross-entropy per label or pair; squared error in
    /// standard deviations of the training split. `bases`: the length of each sequence.
    pub(super) fn mean(&self, outputs: Tensor<2>, targets: &[&Target], bases: &[usize]) -> Tensor<1> {
        match self.kind {
            TargetKind::Class | TargetKind::Bases => {
                let classes: Vec<u32> = targets
                    .iter()
                    .flat_map(|target| match target {
                        Target::Class(class) => vec![*class],
                        Target::Bases(classes) => classes.iter().flatten().copied().collect(),
                        _ => Vec::new(),
                    })
                    .collect();
                let count = classes.len();
                let weights: Vec<f32> = classes.iter().map(|&class| self.weights[class as usize]).collect();
                let total: f64 = weights.iter().map(|&weight| f64::from(weight)).sum();
                let truth: Vec<i64> = classes.into_iter().map(i64::from).collect();
                let truth = Tensor::<2, Int>::from_data(TensorData::new(truth, [count, 1]), &self.device);
                let weights = Tensor::<2>::from_data(TensorData::new(weights, [count, 1]), &self.device);
                let chosen = activation::log_softmax(outputs, 1).gather(1, truth) * weights;
                (chosen.sum_dim(0).reshape([1]) / total).neg()
            }
            TargetKind::Labels | TargetKind::Contacts => {
                let shape = outputs.dims();
                let mut truth = Vec::with_capacity(shape[0] * shape[1]);
                for (target, &bases) in targets.iter().zip(bases) {
                    let labels = match target {
                        Target::Labels(labels) => labels.clone(),
                        Target::Contacts(contacts) => in_contact(contacts, bases),
                        _ => Vec::new(),
                    };
                    truth.extend(labels.into_iter().map(|label| f32::from(u8::from(label))));
                }
                let factors = truth.iter().enumerate().map(|(at, y)| 1.0 + (self.weights[at % shape[1]] - 1.0) * y);
                let factors =
                    Tensor::<2>::from_data(TensorData::new(factors.collect::<Vec<f32>>(), shape), &self.device);
                let truth = Tensor::<2>::from_data(TensorData::new(truth, shape), &self.device);
                // (1 - y) x + (1 + (w - 1) y) log(1 + e^-x), stable for both signs of x.
                let soft = (outputs.clone().abs().neg().exp() + 1.0).log() + activation::relu(outputs.clone().neg());
                let loss = (truth.neg() + 1.0) * outputs + factors * soft;
                loss.mean().reshape([1])
            }
            TargetKind::Numbers => {
                let shape = outputs.dims();
                let mut truth = Vec::with_capacity(shape[0] * shape[1]);
                for target in targets {
                    if let Target::Numbers(values) = target {
                        let scaled = values.iter().zip(&self.scale);
                        truth.extend(scaled.map(|(value, [center, spread])| ((value - center) / spread) as f32));
                    }
                }
                let truth = Tensor::<2>::from_data(TensorData::new(truth, shape), &self.device);
                (outputs - truth).powi_scalar(2).mean().reshape([1])
            }
        }
    }
}

/// Loss per example, metrics by name, and whether all predictions are equal. `found`: probabilities (numbers in their own units) of each row.
pub(super) fn evaluate(goal: &Goal, found: &[Vec<f64>], targets: &[&Target]) -> (f64, BTreeMap<String, f64>, bool) {
    let outputs = goal.outputs();
    let mut metrics = BTreeMap::new();
    match goal.kind {
        TargetKind::Class | TargetKind::Bases => {
            let (mut labels, mut rows): (Vec<u32>, Vec<&[f64]>) = (Vec::new(), Vec::new());
            for (values, target) in found.iter().zip(targets) {
                let classes: Vec<Option<u32>> = match target {
                    Target::Class(class) => vec![Some(*class)],
                    Target::Bases(classes) => classes.clone(),
                    _ => Vec::new(),
                };
                for (row, class) in values.chunks_exact(outputs).zip(classes) {
                    if let Some(class) = class {
                        labels.push(class);
                        rows.push(row);
                    }
                }
            }
            let predicted: Vec<u32> = rows.iter().map(|row| goal.best(row) as u32).collect();
            let nats = rows.iter().zip(&labels).map(|(row, &class)| -row[class as usize].max(LEAST).ln());
            let loss = nats.sum::<f64>() / labels.len().max(1) as f64;
            if let Ok(table) = Confusion::new(&labels, &predicted, outputs) {
                metrics.insert("mcc".to_owned(), table.mcc());
                metrics.insert("f1".to_owned(), table.f1());
                metrics.insert("accuracy".to_owned(), table.accuracy());
            }
            if outputs == 2 {
                let scores: Vec<f64> = rows.iter().map(|row| row[1]).collect();
                let positive: Vec<bool> = labels.iter().map(|class| *class == 1).collect();
                metrics.extend(auroc(&scores, &positive).map(|area| ("auroc".to_owned(), area)));
            }
            let varied = labels.windows(2).any(|pair| pair[0] != pair[1]);
            let collapsed = varied && predicted.windows(2).all(|pair| pair[0] == pair[1]);
            (loss, metrics, collapsed)
        }
        TargetKind::Contacts => {
            let (mut labels, mut scores, mut among_best) = (Vec::new(), Vec::new(), Vec::new());
            for (row, target) in found.iter().zip(targets) {
                let Target::Contacts(contacts) = target else { continue };
                let bases = bases_of(row.len());
                let truth = in_contact(contacts, bases);
                // Precision among as many pairs as there are bases, the usual measure of contact maps.
                let mut order: Vec<usize> = (0..row.len()).collect();
                order.sort_by(|&a, &b| row[b].total_cmp(&row[a]).then(a.cmp(&b)));
                order.truncate(bases);
                if !contacts.is_empty() {
                    among_best.push(order.iter().filter(|&&at| truth[at]).count() as f64 / order.len().max(1) as f64);
                }
                labels.extend(truth);
                scores.extend_from_slice(row);
            }
            let nats = scores
                .iter()
                .zip(&labels)
                .map(|(score, positive)| -(if *positive { *score } else { 1.0 - score }).max(LEAST).ln());
            let loss = nats.sum::<f64>() / scores.len().max(1) as f64;
            let number = |is: bool| u32::from(is);
            let truth: Vec<u32> = labels.iter().map(|is| number(*is)).collect();
            let predicted: Vec<u32> = scores.iter().map(|score| number(*score > 0.5)).collect();
            if let Ok(table) = Confusion::new(&truth, &predicted, 2) {
                metrics.insert("mcc".to_owned(), table.mcc());
                metrics.insert("f1".to_owned(), table.f1());
                metrics.insert("accuracy".to_owned(), table.accuracy());
            }
            metrics.extend(auroc(&scores, &labels).map(|area| ("auroc".to_owned(), area)));
            if !among_best.is_empty() {
                metrics.insert("precision_at_length".to_owned(), mean(&among_best));
            }
            // Contacts are rare, so predicting none is no collapse; equal probabilities for all pairs are.
            (loss, metrics, deviation(&scores) < 1e-6)
        }
        TargetKind::Labels => {
            let truth: Vec<&Vec<bool>> = targets
                .iter()
                .filter_map(|target| if let Target::Labels(labels) = target { Some(labels) } else { None })
                .collect();
            let mut nats = 0.0;
            let (mut mcc, mut f1, mut areas, mut right) = (Vec::new(), Vec::new(), Vec::new(), 0);
            // Of labels that vary: rare ones may rightly be predicted for no row, but not with equal probabilities.
            let mut varied: Vec<bool> = Vec::new();
            for label in 0..outputs {
                let scores: Vec<f64> = found.iter().map(|row| row[label]).collect();
                let positive: Vec<bool> = truth.iter().map(|row| row[label]).collect();
                for (score, positive) in scores.iter().zip(&positive) {
                    nats -= if *positive { score.max(LEAST).ln() } else { (1.0 - score).max(LEAST).ln() };
                    right += usize::from((*score > 0.5) == *positive);
                }
                let number = |is: bool| u32::from(is);
                let labels: Vec<u32> = positive.iter().map(|is| number(*is)).collect();
                let predicted: Vec<u32> = scores.iter().map(|score| number(*score > 0.5)).collect();
                if positive.windows(2).any(|pair| pair[0] != pair[1]) {
                    varied.push(deviation(&scores) >= LEAST_DEVIATION);
                }
                if let Ok(table) = Confusion::new(&labels, &predicted, 2) {
                    mcc.push(table.mcc());
                    f1.push(table.f1());
                }
                areas.extend(auroc(&scores, &positive));
            }
            let decisions = (found.len() * outputs).max(1) as f64;
            metrics.insert("mcc".to_owned(), mean(&mcc));
            metrics.insert("f1".to_owned(), mean(&f1));
            metrics.insert("accuracy".to_owned(), right as f64 / decisions);
            if !areas.is_empty() {
                metrics.insert("auroc".to_owned(), mean(&areas));
            }
            (nats / decisions, metrics, !varied.is_empty() && varied.iter().all(|varied| !varied))
        }
        TargetKind::Numbers => {
            let (mut errors, mut scaled, mut linear, mut ranked) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
            let mut varied: Vec<bool> = Vec::new();
            for (number, [_, spread]) in goal.scale.iter().enumerate() {
                let predicted: Vec<f64> = found.iter().map(|row| row[number]).collect();
                let truth: Vec<f64> = targets
                    .iter()
                    .filter_map(
                        |target| if let Target::Numbers(values) = target { values.get(number).copied() } else { None },
                    )
                    .collect();
                let error = mean_squared_error(&predicted, &truth);
                errors.push(error);
                scaled.push(error / spread.powi(2));
                linear.push(pearson(&predicted, &truth));
                ranked.push(spearman(&predicted, &truth));
                if deviation(&truth) > 0.0 {
                    varied.push(deviation(&predicted) >= LEAST_DEVIATION * spread);
                }
            }
            metrics.insert("mse".to_owned(), mean(&errors));
            metrics.insert("pearson".to_owned(), mean(&linear));
            metrics.insert("spearman".to_owned(), mean(&ranked));
            (mean(&scaled), metrics, !varied.is_empty() && varied.iter().all(|varied| !varied))
        }
    }
}

#[cfg(test)]
mod tests;
