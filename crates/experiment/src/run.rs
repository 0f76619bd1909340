//! A run: everything that determines one record, with resolved names and explicit defaults.
//!
//! The [`Key`] of a [`Run`] is the hash of its canonical JSON. Settings that do not change the result (paths, workers, threads,
//! verbosity) are not part of it.

use std::fmt;
use std::str::FromStr;

use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize};

use crate::config::{EncoderConfig, Finetuning, FixedUnits, Masking, PriorKind, Scoring, Training, is_default};
use crate::error::{Error, Result};

/// Protocol version, incremented manually when the meaning of a run changes, so that records of different protocols never share
/// a key.
///
/// 1: candidates are equal before the network has said anything. 2: the segmentation prior (`docs/protocol.md#segmentation-prior`).
pub const PROTOCOL: u32 = 2;

/// Version of the arithmetic, incremented manually when it changes results in the last digits, so that records of different engines never
/// share a key. They may stand in one comparison only if a repeated run agrees (`docs/protocol.md#engine`).
pub const ENGINE: u32 = 2;

/// Reference to data by content.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataRef {
    /// Readable name.
    pub name: String,
    /// BLAKE3 of content and split specification, 64 hexadecimal digits.
    pub hash: String,
}

/// Specification of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// Protocol version, see [`PROTOCOL`].
    pub protocol: u32,
    /// Version of the arithmetic, see [`ENGINE`]; 0 in records of protocol 1.
    #[serde(default, skip_serializing_if = "is_default")]
    pub engine: u32,
    /// Device kind: `cpu`, `tch-cpu`, `tch-cuda` ... without an ordinal, which does not change the result.
    pub device: String,
    /// Number format of matrix products, `f32` or `bf16`.
    pub dtype: String,
    /// Seed of all named random streams of the run.
    pub seed: u64,
    /// Kind of run, with its hyperparameters.
    pub work: Work,
}

/// The kinds of run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Work {
    /// Train a masked language model, then score it on held-out text.
    Pretrain(Pretrain),
    /// Train a classifier on a labeled task, from a pretrained model or from initial weights.
    Finetune(Finetune),
    /// A control without an encoder (`docs/protocol.md#baselines-and-controls`).
    Control(Control),
}

/// Pretraining and scoring of one tokenizer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pretrain {
    /// Canonical tokenizer name, e.g. `bpe4096`; `file:` names contain the content hash instead of the path.
    pub tokenizer: String,
    /// The corpus.
    pub corpus: DataRef,
    /// The encoder.
    pub encoder: EncoderConfig,
    /// Units of fixed length, for a control that is as large as a learned front end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fixed_units: Option<FixedUnits>,
    /// Masking in training.
    pub masking: Masking,
    /// Weights of the segmentation prior; `None` for masking in tokens and in records of protocol 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prior: Option<PriorKind>,
    /// Optimizer, budget, batch size.
    pub training: Training,
    /// Held-out scoring.
    pub scoring: Scoring,
}

impl Pretrain {
    /// The trial of a learning rate: the same training with its validation curve, but no score on the test split. Of the rates of a grid only
    /// the selected one is scored there.
    #[must_use]
    pub fn trial(&self) -> Pretrain {
        Pretrain { scoring: Scoring { bases: 0, ..self.scoring.clone() }, ..self.clone() }
    }

    /// Whether the run is a trial.
    #[must_use]
    pub fn is_trial(&self) -> bool {
        self.scoring.bases == 0
    }
}

/// Fine-tuning of one model on one task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finetune {
    /// The pretraining of the model, with the seed of the run.
    pub model: Pretrain,
    /// False: the same architecture from initial weights, a control.
    pub pretrained: bool,
    /// The labeled task.
    pub task: DataRef,
    /// Optimizer and budget.
    pub finetuning: Finetuning,
}

/// Controls without an encoder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "control", rename_all = "kebab-case")]
pub enum Control {
    /// Two-sided Markov predictor of order 5, fitted on the training split and scored with the same scoring plan.
    Markov {
        /// Order of the chain.
        order: usize,
        /// The corpus.
        corpus: DataRef,
        /// Bases per window.
        window: usize,
        /// Bases per masked span.
        span: usize,
        /// Held-out scoring.
        scoring: Scoring,
    },
    /// Two-sided Markov predictor whose order is selected on the validation split, scored with the same scoring plan.
    SelectedMarkov {
        /// Maximum order.
        max_order: usize,
        /// Training bases, evenly spaced, as many as the models saw; `None`: the whole training split.
        bases: Option<u64>,
        /// The corpus.
        corpus: DataRef,
        /// Bases per window.
        window: usize,
        /// Bases per masked span.
        span: usize,
        /// Held-out scoring.
        scoring: Scoring,
    },
    /// Logistic regression on k-mer counts (all k from 1 to `max_k`) of a labeled task.
    KmerLogistic {
        /// Maximum k.
        max_k: usize,
        /// The labeled task.
        task: DataRef,
        /// Rows, evaluations and early stopping as for the models; batch and learning rate are its own. `None` in older records: 20 epochs.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        finetuning: Option<Finetuning>,
    },
    /// Small convolutional network on one-hot bases of a labeled task.
    Cnn {
        /// The labeled task.
        task: DataRef,
        /// Optimizer and budget.
        finetuning: Finetuning,
    },
}

/// What a control scores: the masked bases of a corpus.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScoredText<'a> {
    /// The corpus.
    pub corpus: &'a DataRef,
    /// Bases per window.
    pub window: usize,
    /// Bases per masked span.
    pub span: usize,
    /// Held-out scoring.
    pub scoring: &'a Scoring,
}

impl Control {
    /// What it scores; `None` for controls on a labeled task.
    #[must_use]
    pub fn text(&self) -> Option<ScoredText<'_>> {
        match self {
            Control::Markov { corpus, window, span, scoring, .. }
            | Control::SelectedMarkov { corpus, window, span, scoring, .. } => {
                Some(ScoredText { corpus, window: *window, span: *span, scoring })
            }
            Control::KmerLogistic { .. } | Control::Cnn { .. } => None,
        }
    }
}

/// Identity of a run: BLAKE3 of its canonical JSON, 64 hexadecimal digits.
///
/// ```
/// let error = "../up".parse::<experiment::Key>().unwrap_err();
/// assert_eq!(error.to_string(), "invalid run key \"../up\"");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Key(String);

impl Key {
    /// All 64 hexadecimal digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first 12 digits, for messages.
    #[must_use]
    pub fn short(&self) -> &str {
        &self.0[..12]
    }
}

impl TryFrom<String> for Key {
    type Error = Error;

    fn try_from(text: String) -> Result<Key> {
        let digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if text.len() == 64 && text.bytes().all(digit) {
            Ok(Key(text))
        } else {
            Err(Error::Name { what: "run key", name: text })
        }
    }
}

impl FromStr for Key {
    type Err = Error;

    fn from_str(text: &str) -> Result<Key> {
        text.to_owned().try_into()
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Key, D::Error> {
        String::deserialize(input)?.try_into().map_err(D::Error::custom)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name under which runs of a tokenizer without pretraining are shown.
#[must_use]
pub fn not_pretrained(tokenizer: &str) -> String {
    format!("{tokenizer} (not pretrained)")
}

impl Run {
    /// The key of the run.
    ///
    /// # Panics
    /// Never: a `Run` can always be represented in JSON.
    #[must_use]
    pub fn key(&self) -> Key {
        Key(crate::canonical::hash(&serde_json::to_value(self).expect("a run can be represented in JSON")))
    }

    /// The pretraining run that a fine-tuning run starts from.
    #[must_use]
    pub fn parent(&self) -> Option<Run> {
        match &self.work {
            Work::Finetune(f) if f.pretrained => Some(Run { work: Work::Pretrain(f.model.clone()), ..self.clone() }),
            _ => None,
        }
    }

    /// The trial of a pretraining run, whose trained model the run can take over; `None` for other runs and for trials.
    #[must_use]
    pub fn trial(&self) -> Option<Run> {
        match &self.work {
            Work::Pretrain(p) if !p.is_trial() => Some(Run { work: Work::Pretrain(p.trial()), ..self.clone() }),
            _ => None,
        }
    }

    /// Whether the run is a trial of a learning rate.
    #[must_use]
    pub fn is_trial(&self) -> bool {
        matches!(&self.work, Work::Pretrain(p) if p.is_trial())
    }

    /// Name of the tokenizer or control.
    #[must_use]
    pub fn subject(&self) -> String {
        match &self.work {
            Work::Pretrain(p) => p.tokenizer.clone(),
            Work::Finetune(f) if f.pretrained => f.model.tokenizer.clone(),
            Work::Finetune(f) => not_pretrained(&f.model.tokenizer),
            Work::Control(Control::Markov { order, .. }) => format!("markov{order}"),
            Work::Control(Control::SelectedMarkov { bases: None, .. }) => "markov-all".to_owned(),
            Work::Control(Control::SelectedMarkov { .. }) => "markov-seen".to_owned(),
            Work::Control(Control::KmerLogistic { max_k, .. }) => format!("kmer-logistic{max_k}"),
            Work::Control(Control::Cnn { .. }) => "cnn".to_owned(),
        }
    }

    /// The task, if there is one.
    #[must_use]
    pub fn task(&self) -> Option<&DataRef> {
        match &self.work {
            Work::Finetune(f) => Some(&f.task),
            Work::Control(Control::KmerLogistic { task, .. } | Control::Cnn { task, .. }) => Some(task),
            _ => None,
        }
    }
}
