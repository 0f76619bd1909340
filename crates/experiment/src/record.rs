//! The record of a run: the only interface between computation and analysis.
//!
//! Records contain sums, never quotients, so that the bootstrap can resample blocks. Bits are base-2 logarithms.

use protocol::score::Score;
use serde::{Deserialize, Serialize};
use serde_json::Value;
pub use statistics::Metric;

use crate::error::{Error, Result};
use crate::run::{Key, Run};

/// `provenance.version` of simulated records (written by a mock executor in tests).
pub const SIMULATED: &str = "mock";

/// The record of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Key of the run.
    pub key: Key,
    /// Specification of the run.
    pub run: Run,
    /// Result or reason of failure.
    pub outcome: Outcome,
    /// Time and memory of this execution; not part of the result.
    pub timing: Timing,
    /// Version, commit, device and time; not part of the result.
    pub provenance: Provenance,
}

impl Record {
    /// The record without timing and provenance as JSON: equal for all executions of the run on the same device kind.
    #[must_use]
    pub fn result(&self) -> Value {
        serde_json::json!({ "key": self.key, "run": self.run, "outcome": self.outcome })
    }

    /// What the trial of this run gives: the training and its validation curve, which the record contains. `None` for other records.
    #[must_use]
    pub fn trial(&self) -> Option<Record> {
        let run = self.run.trial()?;
        let Outcome::Pretrained(scored) = &self.outcome else { return None };
        let outcome = Outcome::Pretrained(Box::new(scored.trial()));
        let timing = Timing { score_seconds: 0.0, ..self.timing.clone() };
        Some(Record { key: run.key(), run, outcome, timing, provenance: self.provenance.clone() })
    }

    /// The record as JSON, after checking that it can be read back: its key matches its run and its sums are finite.
    pub(crate) fn to_stored(&self) -> Result<Value> {
        if self.run.key() != self.key {
            return Err(Error::invalid_record(self.key.short(), &"its key does not match its run"));
        }
        let value = serde_json::to_value(self).map_err(|e| Error::invalid_record(self.key.short(), &e))?;
        Record::deserialize(&value).map_err(|e| {
            Error::invalid_record(self.key.short(), &format!("{e} (JSON has no not-a-number and infinity)"))
        })?;
        Ok(value)
    }

    /// True for a simulated record: a comparison must be marked as simulated, and no run starts from it.
    #[must_use]
    pub fn is_simulated(&self) -> bool {
        self.provenance.version == SIMULATED
    }
}

/// Result of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "kebab-case")]
pub enum Outcome {
    /// A scored language model.
    Pretrained(Box<Pretrained>),
    /// A classifier: fine-tuned, or a control on a task.
    Finetuned(Box<Finetuned>),
    /// The run failed.
    Failed {
        /// Reason, one sentence.
        reason: String,
    },
}

/// Code length of one genome block in bits, summed over its masked bases. Every base is scored exactly once.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct BlockScore {
    /// Name of the species.
    pub species: String,
    /// Whether the species was held out of training: it is reported apart, and is no part of totals.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub held_out: bool,
    /// Number of the block in its species; the unit that the bootstrap resamples.
    pub block: u32,
    /// Masked bases and bits; unknown fields are rejected.
    #[serde(flatten)]
    pub score: Score,
}

impl BlockScore {
    /// Total bits in sequential order: count + length + content.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.score.total()
    }
}

/// Bits of one region class in one genome block, sequential order; the bits of a token are shared equally among its bases, those of the
/// number of tokens among all bases of the span.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegionScore {
    /// Name of the species.
    pub species: String,
    /// Number of the block in its species.
    pub block: u32,
    /// Name of the class; `other` for bases in no interval of the BED file.
    pub class: String,
    /// Masked bases.
    pub bases: u64,
    /// Total bits.
    pub bits: f64,
}

/// One point of the validation curve.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CurvePoint {
    /// Bases seen by the model so far.
    pub bases: u64,
    /// Total bits in sequential order on the validation split, one pass of the scoring plan.
    #[serde(deserialize_with = "number_or_null")]
    pub bits: f64,
    /// Number of masked bases scored.
    pub scored: u64,
    /// Bits under the exact posterior for the same bases; only for synthetic text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub floor: Option<f64>,
    /// Mean training loss since the last point, nats per masked base.
    #[serde(deserialize_with = "number_or_null")]
    pub loss: f64,
}

/// A scored language model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pretrained {
    /// Scores per species and genome block.
    pub blocks: Vec<BlockScore>,
    /// Validation curve.
    pub curve: Vec<CurvePoint>,
    /// Exact cost of the model, equal for all executions.
    pub cost: Cost,
    /// Number of tokens of the scored text by length (index 0: length 1); learned units for `mxdna`.
    pub lengths: Vec<u64>,
    /// Bases in planned spans over all training windows.
    pub planned_bases: u64,
    /// Bases that were masked: planned bases without revealed prefixes.
    pub hidden_bases: u64,
    /// True if the model collapsed (`docs/protocol.md#baselines-and-controls`).
    pub collapsed: bool,
    /// Bits by offset in the masked span, summed over all spans; the bits of a token are shared equally among its bases, those of the number
    /// of tokens among all bases of the span. Absent in records of protocol 1 and for controls.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub offsets: Vec<f64>,
    /// Scores by region class, for species with a BED file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub regions: Vec<RegionScore>,
    /// Total weight of the token sequences of a span under the segmentation prior: 1 if the total is a code length of the bases; otherwise
    /// it is an upper bound, and a network that outputs zeros pays log2 of this more per span.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prior_total: Option<f64>,
    /// What a control selected on the validation split: the order of the chain, or the concentration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selected: Option<f64>,
    /// Mean bases per unit of a front end that learns units, on the validation windows of the last point of the curve, masked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit_bases: Option<f64>,
}

impl Pretrained {
    /// The result without everything that rests on the test split: no scores, no mean number of tokens or operations.
    #[must_use]
    pub fn trial(&self) -> Pretrained {
        Pretrained {
            blocks: Vec::new(),
            cost: Cost { bases_per_token: 0.0, macs_per_base: 0.0, passes: 0.0, ..self.cost.clone() },
            lengths: Vec::new(),
            collapsed: false,
            offsets: Vec::new(),
            regions: Vec::new(),
            ..self.clone()
        }
    }
}

/// Exact cost of a model. What depends on the scored text is 0 in trials.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cost {
    /// Parameters of the front end, including the embedding.
    pub frontend_parameters: u64,
    /// Parameters of the shared encoder.
    pub encoder_parameters: u64,
    /// Parameters of the head; a tied decoder is not counted twice.
    pub head_parameters: u64,
    /// Bases per encoder token on the scored text.
    pub bases_per_token: f64,
    /// Multiply-accumulates (MACs) of a forward pass per base, at the window length of the run.
    pub macs_per_base: f64,
    /// Forward passes per scored window.
    pub passes: f64,
    /// Optimizer steps.
    pub steps: u64,
}

/// Result of a classifier.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finetuned {
    /// Number of classes.
    pub classes: usize,
    /// Class names by number, if the task has them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// Metric of the task.
    #[serde(default, skip_serializing_if = "Metric::is_default")]
    pub metric: Metric,
    /// Number of training rows.
    pub rows: usize,
    /// True classes of the test rows, in file order.
    pub labels: Vec<u32>,
    /// Predicted classes of the test rows, in file order.
    pub predicted: Vec<u32>,
    /// Loss on the validation split at each evaluation, nats per row.
    #[serde(deserialize_with = "numbers_or_null")]
    pub dev_losses: Vec<f64>,
    /// Index of the evaluation whose checkpoint was kept.
    pub best: usize,
    /// MCC (R_K for several classes) on the validation split at the kept checkpoint.
    pub dev_mcc: f64,
    /// MCC (R_K) on the test split.
    pub mcc: f64,
    /// Macro F1 on the test split.
    pub f1: f64,
    /// Accuracy on the test split.
    pub accuracy: f64,
    /// True if the model collapsed: all test rows were assigned to one class.
    pub collapsed: bool,
    /// Number of trained parameters.
    pub parameters: u64,
}

impl Finetuned {
    /// The test score in a metric.
    #[must_use]
    pub fn score(&self, metric: Metric) -> f64 {
        match metric {
            Metric::Mcc => self.mcc,
            Metric::F1 => self.f1,
            Metric::Accuracy => self.accuracy,
        }
    }
}

/// Time and memory of an execution.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Timing {
    /// Wall-clock seconds of training, over all sessions.
    pub train_seconds: f64,
    /// Wall-clock seconds of scoring or evaluation.
    pub score_seconds: f64,
    /// Training bases per wall-clock second.
    pub bases_per_second: f64,
    /// Peak resident memory in MiB; 0 if unknown.
    pub peak_mib: f64,
    /// Number of threads.
    pub threads: usize,
}

/// Origin of a record. No host names and no absolute paths, because records are published.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Provenance {
    /// Version of tokbench.
    pub version: String,
    /// Git commit of the build, `unknown` outside a checkout.
    pub commit: String,
    /// Processor or GPU model.
    pub device: String,
    /// Time of completion, seconds since 1970-01-01 UTC.
    pub finished: u64,
    /// Number of resumptions from a checkpoint.
    pub resumed: u32,
    /// Vector instructions of the processor that the fused operations used. They and the number of threads may change results in the last
    /// digits.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub instructions: String,
}

/// JSON represents not-a-number as `null`, which occurs in the losses of collapsed runs.
fn number_or_null<'de, D: serde::Deserializer<'de>>(input: D) -> Result<f64, D::Error> {
    Ok(Option::<f64>::deserialize(input)?.unwrap_or(f64::NAN))
}

fn numbers_or_null<'de, D: serde::Deserializer<'de>>(input: D) -> Result<Vec<f64>, D::Error> {
    let numbers = Vec::<Option<f64>>::deserialize(input)?;
    Ok(numbers.into_iter().map(|n| n.unwrap_or(f64::NAN)).collect())
}
