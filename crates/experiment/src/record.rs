//! A record: what one run left behind. The only door between computing and concluding.
//!
//! Sums are kept, never quotients, so that statistics can resample blocks. All bits are base-2 logarithms.

use protocol::score::Score;
use serde::{Deserialize, Serialize};
use serde_json::Value;
pub use statistics::Metric;

use crate::error::{Error, Result};
use crate::run::{Key, Run};

/// `provenance.version` of records that were made up for a test.
pub const MADE_UP: &str = "mock";

/// What a run left behind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The run's key.
    pub key: Key,
    /// The run.
    pub run: Run,
    /// What came of it.
    pub outcome: Outcome,
    /// Seconds and memory: not part of the answer, differs between executions.
    pub timing: Timing,
    /// Where and with what it was computed: not part of the answer.
    pub provenance: Provenance,
}

impl Record {
    /// The record without timing and provenance: equal for every execution of the same run on the same device.
    #[must_use]
    pub fn answer(&self) -> Value {
        serde_json::json!({ "key": self.key, "run": self.run, "outcome": self.outcome })
    }

    /// The record as JSON, if it can be read back: its key fits and its sums are numbers.
    pub(crate) fn keepable(&self) -> Result<Value> {
        if self.run.key() != self.key {
            return Err(Error::unkeepable(self.key.short(), &"its key is not that of its run"));
        }
        let value = serde_json::to_value(self).map_err(|e| Error::unkeepable(self.key.short(), &e))?;
        Record::deserialize(&value).map_err(|e| {
            Error::unkeepable(self.key.short(), &format!("{e} (JSON writes not-a-number and infinity as null)"))
        })?;
        Ok(value)
    }

    /// True if nothing was computed: a comparison of such records must say so, and no run starts from one.
    #[must_use]
    pub fn is_made_up(&self) -> bool {
        self.provenance.version == MADE_UP
    }
}

/// Result or reason of failure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "kebab-case")]
pub enum Outcome {
    /// A scored language model.
    Pretrained(Box<Pretrained>),
    /// A fine-tuned (or task-control) classifier.
    Finetuned(Box<Finetuned>),
    /// The run failed; the reason is data.
    Failed {
        /// Why, in one sentence.
        reason: String,
    },
}

/// The score of one genome block.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct BlockScore {
    /// Species.
    pub species: String,
    /// Number of the block inside the species: the unit of resampling.
    pub block: u32,
    /// Its masked bases and their bits; it refuses names it does not know.
    #[serde(flatten)]
    pub score: Score,
}

impl BlockScore {
    /// The sequential total in bits: count + length + content.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.score.total()
    }
}

/// One point along a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CurvePoint {
    /// Bases seen by the model so far.
    pub bases: u64,
    /// Validation bits (sequential total) and bases paid for, one pass of the plan.
    #[serde(deserialize_with = "number_or_null")]
    pub bits: f64,
    /// Masked bases paid for.
    pub scored: u64,
    /// Exact floor of the same bits, where the source is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub floor: Option<f64>,
    /// Mean training loss since the last point, nats per hidden base.
    #[serde(deserialize_with = "number_or_null")]
    pub loss: f64,
}

/// A scored language model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pretrained {
    /// Scores per species and genome block.
    pub blocks: Vec<BlockScore>,
    /// Validation bits along the run.
    pub curve: Vec<CurvePoint>,
    /// What the model costs; exact counts, equal for every execution.
    pub cost: Cost,
    /// Tokens of each length (index 0 = length 1) that the tokenizer cuts the scored text into (units for `mxdna`).
    pub lengths: Vec<u64>,
    /// Bases in planned spans over training.
    pub planned_bases: u64,
    /// Bases that were in fact hidden (prefixes may be revealed).
    pub hidden_bases: u64,
    /// True if the loss became not-a-number or never fell below its start: counted and shown.
    pub collapsed: bool,
}

/// Exact cost of a model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cost {
    /// Parameters of the front end (embedding included).
    pub frontend_parameters: u64,
    /// Parameters of the shared encoder.
    pub encoder_parameters: u64,
    /// Parameters of the head (tied decoder not counted twice).
    pub head_parameters: u64,
    /// Bases per encoder token on the scored text.
    pub bases_per_token: f64,
    /// Multiply-accumulates of a forward pass per base (true MACs), window of the run.
    pub macs_per_base: f64,
    /// Forward passes per scored window.
    pub passes: f64,
    /// Optimiser steps.
    pub steps: u64,
}

/// A classifier.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finetuned {
    /// Number of classes.
    pub classes: usize,
    /// Names of the classes, where the task has names for them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// What the task is judged by.
    #[serde(default, skip_serializing_if = "Metric::is_default")]
    pub metric: Metric,
    /// Training rows used.
    pub rows: usize,
    /// True classes of the test rows, in file order.
    pub labels: Vec<u32>,
    /// Predicted classes of the test rows, in file order.
    pub predicted: Vec<u32>,
    /// Loss on the dev split at each evaluation (nats per row).
    #[serde(deserialize_with = "numbers_or_null")]
    pub dev_losses: Vec<f64>,
    /// Index of the evaluation whose checkpoint was kept.
    pub best: usize,
    /// MCC (R_K for several classes) on dev at the kept checkpoint.
    pub dev_mcc: f64,
    /// Test MCC (R_K), from pooled predictions.
    pub mcc: f64,
    /// Test macro-F1.
    pub f1: f64,
    /// Test accuracy.
    pub accuracy: f64,
    /// True if every test row got one class: the run collapsed.
    pub collapsed: bool,
    /// Parameters trained.
    pub parameters: u64,
}

impl Finetuned {
    /// The test score by a metric.
    #[must_use]
    pub fn score(&self, metric: Metric) -> f64 {
        match metric {
            Metric::Mcc => self.mcc,
            Metric::F1 => self.f1,
            Metric::Accuracy => self.accuracy,
        }
    }
}

/// Seconds and memory.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Timing {
    /// Wall seconds of training, over all sittings.
    pub train_seconds: f64,
    /// Wall seconds of scoring or evaluation.
    pub score_seconds: f64,
    /// Training bases per wall second.
    pub bases_per_second: f64,
    /// Peak resident memory in MiB, where the system tells.
    pub peak_mib: f64,
    /// Threads used.
    pub threads: usize,
}

/// Where a record comes from. No host names, no absolute paths: records are published.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Provenance {
    /// Version of tokbench.
    pub version: String,
    /// Git commit of the build, `unknown` outside a checkout.
    pub commit: String,
    /// Device in words (processor or GPU model).
    pub device: String,
    /// Finished at, seconds since 1970-01-01 UTC.
    pub finished: u64,
    /// Times the run was resumed from a checkpoint.
    pub resumed: u32,
}

/// JSON writes not-a-number as `null`; a collapsed run's losses must come back as what they were.
fn number_or_null<'de, D: serde::Deserializer<'de>>(input: D) -> Result<f64, D::Error> {
    Ok(Option::<f64>::deserialize(input)?.unwrap_or(f64::NAN))
}

fn numbers_or_null<'de, D: serde::Deserializer<'de>>(input: D) -> Result<Vec<f64>, D::Error> {
    let numbers = Vec::<Option<f64>>::deserialize(input)?;
    Ok(numbers.into_iter().map(|n| n.unwrap_or(f64::NAN)).collect())
}
