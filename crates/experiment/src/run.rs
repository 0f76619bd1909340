//! A run: everything that determines one record, every name resolved, every default explicit.
//!
//! The canonical JSON of a [`Run`] (sorted keys) is hashed to its [`Key`]. What does not change the answer (paths,
//! workers, threads, verbosity) is not part of it.

use std::fmt;
use std::str::FromStr;

use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize};

use crate::config::{Encoder, Finetuning, Masking, Scoring, Training};
use crate::error::{Error, Result};

/// Raised by hand when the meaning of a run changes, so that records of different meanings never share a key.
pub const PROTOCOL: u32 = 1;

/// Data named by its content: readable name and BLAKE3 (hex) over content and split recipe.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataRef {
    /// Name for people.
    pub name: String,
    /// BLAKE3 of the content, 64 hex digits.
    pub hash: String,
}

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// See [`PROTOCOL`].
    pub protocol: u32,
    /// Device kind: `cpu`, `tch-cpu`, `tch-cuda` ... (no ordinal: it does not change the answer).
    pub device: String,
    /// Number format, `f32`.
    pub dtype: String,
    /// Seed of every named random stream of the run.
    pub seed: u64,
    /// What is done.
    pub work: Work,
}

/// The kinds of run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Work {
    /// Train a masked language model, then score it on held-out text.
    Pretrain(Pretrain),
    /// Train a classifier on a labelled task, starting from a pretrained model or from initial weights.
    Finetune(Finetune),
    /// A control that needs no encoder (`docs/protocol.md#baselines-and-controls`).
    Control(Control),
}

/// Pretraining and scoring of one tokenizer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pretrain {
    /// Canonical tokenizer name, e.g. `bpe4096`; `file:` names carry the content hash instead of the path.
    pub tokenizer: String,
    /// The corpus.
    pub corpus: DataRef,
    /// The encoder.
    pub encoder: Encoder,
    /// Masking in training.
    pub masking: Masking,
    /// Optimiser, budget, batch.
    pub training: Training,
    /// Held-out scoring.
    pub scoring: Scoring,
}

/// Fine-tuning of one model on one task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finetune {
    /// The model (its seed is the run's seed).
    pub model: Pretrain,
    /// False: the same architecture from initial weights (a control).
    pub pretrained: bool,
    /// The labelled task.
    pub task: DataRef,
    /// Optimiser and budget.
    pub finetuning: Finetuning,
}

/// Controls without an encoder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "control", rename_all = "kebab-case")]
pub enum Control {
    /// Two-sided Markov predictor of order 5 fitted on the training split, scored on the same plan.
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
    /// Logistic regression on k-mer counts (all k from 1 to `max_k`) of a labelled task.
    KmerLogistic {
        /// Largest k.
        max_k: usize,
        /// The labelled task.
        task: DataRef,
    },
    /// Small convolutional network on one-hot bases of a labelled task.
    Cnn {
        /// The labelled task.
        task: DataRef,
        /// Optimiser and budget.
        finetuning: Finetuning,
    },
}

/// Identity of a run: BLAKE3 of its canonical JSON, 64 hex digits.
///
/// ```
/// let error = "../up".parse::<experiment::Key>().unwrap_err();
/// assert_eq!(error.to_string(), "\"../up\" is no run key");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Key(String);

impl Key {
    /// All 64 digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// First 12 digits, for people.
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

impl Run {
    /// The run's key. Object keys are sorted and numbers printed in shortest form, so the spelling never matters.
    ///
    /// # Panics
    /// Never: a `Run` holds nothing that JSON cannot hold.
    #[must_use]
    pub fn key(&self) -> Key {
        Key(crate::canonical::hash(&serde_json::to_value(self).expect("a run is plain data")))
    }

    /// The run this one starts from: the pretraining of a fine-tuning run.
    #[must_use]
    pub fn parent(&self) -> Option<Run> {
        match &self.work {
            Work::Finetune(f) if f.pretrained => Some(Run { work: Work::Pretrain(f.model.clone()), ..self.clone() }),
            _ => None,
        }
    }

    /// The tokenizer's name, or the control's name.
    #[must_use]
    pub fn subject(&self) -> String {
        match &self.work {
            Work::Pretrain(p) => p.tokenizer.clone(),
            Work::Finetune(f) if f.pretrained => f.model.tokenizer.clone(),
            Work::Finetune(f) => format!("{} (not pretrained)", f.model.tokenizer),
            Work::Control(Control::Markov { order, .. }) => format!("markov{order}"),
            Work::Control(Control::KmerLogistic { max_k, .. }) => format!("kmer-logistic{max_k}"),
            Work::Control(Control::Cnn { .. }) => "cnn".to_owned(),
        }
    }

    /// The task, where there is one.
    #[must_use]
    pub fn task(&self) -> Option<&DataRef> {
        match &self.work {
            Work::Finetune(f) => Some(&f.task),
            Work::Control(Control::KmerLogistic { task, .. } | Control::Cnn { task, .. }) => Some(task),
            _ => None,
        }
    }
}
