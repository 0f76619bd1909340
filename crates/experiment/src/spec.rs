//! The specification of an experiment, written in TOML or as flags of `tokbench compare`.
//!
//! Names are not resolved here, but in [`Plan::new`](crate::plan::Plan::new).
//!
//! ```
//! let text = "tokenizers = ['base', 'kmer6']\ncorpus = 'my.fa'\nseeds = 7";
//! let spec = experiment::Spec::from_toml(text, "experiment.toml", &experiment::Encoders::default())?;
//! assert_eq!(spec.seeds, [1, 2, 3, 4, 5, 6, 7]);
//! assert_eq!(spec.reference(), "base");
//! # Ok::<(), experiment::Error>(())
//! ```

use std::fmt;

use dataset::Noise;
use dataset::explain::TomlError;
use serde::de::{self, Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

use crate::config::{Dtype, EncoderConfig, Finetuning, Masking, Position, PriorKind, Scoring, Training};
use crate::encoder::{EncoderChoice, Encoders, choices};
use crate::error::{Error, Result};

/// Maximum number of seeds.
pub const MAX_SEEDS: usize = 10_000;

/// Specification of an experiment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Spec {
    /// Name of the experiment: letters, digits, `-`, `_`; part of file names.
    pub name: String,
    /// Names of tokenizers, in the order of tables and legends.
    pub tokenizers: Vec<String>,
    /// The tokenizer that all others are compared with; the first one by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Seeds: a count (`7` means 1 to 7) or a list. Empty: [`Spec::default_seeds`].
    #[serde(deserialize_with = "count_or_list")]
    pub seeds: Vec<u64>,
    /// Number of seeds that were fixed before any result was seen: later seeds of the list are excluded from means and tests. All by
    /// default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seeds_planned: Option<usize>,
    /// Device, e.g. `cpu`.
    pub device: String,
    /// Number format of matrix products.
    pub dtype: Dtype,
    /// Position encodings; each is combined with every tokenizer.
    pub positions: Vec<Position>,
    /// Weights of the segmentation prior.
    pub prior: PriorKind,
    /// Training budgets in bases, ascending; empty: `training.bases`. A grid of learning rates is tried at the smallest, and the rate that is
    /// selected for a tokenizer and seed is used at the larger ones.
    pub budgets: Vec<u64>,
    /// Budgets of equal compute beside those in bases.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub equal_compute: Option<EqualCompute>,
    /// Noise arms: the same runs on text without the structure of DNA.
    pub noise: Vec<Noise>,
    /// Name of a built-in corpus, path of a corpus file (TOML), or path of a FASTA or FASTQ file.
    pub corpus: String,
    /// Labeled tasks: built-in names, task files (TOML) or tables.
    pub tasks: Vec<String>,
    /// Grid of learning rates, the same for every tokenizer, selected on the validation split; empty: `training.learning_rate`.
    pub learning_rates: Vec<f64>,
    /// Whether controls are added (`docs/protocol.md#baselines-and-controls`).
    pub controls: bool,
    /// Whether the experiment is exploratory: any number of seeds is accepted, and there is no verdict.
    pub exploratory: bool,
    /// The shared encoder.
    pub encoder: EncoderChoice,
    /// Pretraining.
    pub training: Training,
    /// Masking in training.
    pub masking: Masking,
    /// Held-out scoring.
    pub scoring: Scoring,
    /// Fine-tuning.
    pub finetuning: Finetuning,
}

/// Budgets of equal compute: some tokenizers are also trained with as many multiply-accumulates as another one at its largest budget.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EqualCompute {
    /// The tokenizer whose compute is the budget.
    pub reference: String,
    /// The tokenizers that are trained with it.
    pub tokenizers: Vec<String>,
}

impl Default for Spec {
    fn default() -> Self {
        Spec {
            name: "comparison".to_owned(),
            tokenizers: Vec::new(),
            reference: None,
            seeds: Vec::new(),
            seeds_planned: None,
            device: "cpu".to_owned(),
            dtype: Dtype::F32,
            positions: vec![Position::EQUAL_REACH],
            prior: PriorKind::default(),
            budgets: Vec::new(),
            equal_compute: None,
            noise: Vec::new(),
            corpus: String::new(),
            tasks: Vec::new(),
            learning_rates: Vec::new(),
            controls: false,
            exploratory: false,
            encoder: EncoderChoice::named("tiny"),
            training: Training::default(),
            masking: Masking::default(),
            scoring: Scoring::default(),
            finetuning: Finetuning::default(),
        }
    }
}

impl Spec {
    /// Parses and validates a spec. `origin` is the source for error messages: a path, or `flags`.
    ///
    /// # Errors
    /// If the text is not valid TOML, has an unknown key or a value of the wrong type (with its line), or is invalid (see
    /// [`Spec::validate`]).
    pub fn from_toml(text: &str, origin: &str, encoders: &Encoders) -> Result<Spec> {
        let spec: Spec = toml::from_str(text).map_err(|e| syntax(&e, text, origin))?;
        spec.validate(encoders)?;
        Ok(spec)
    }

    /// The spec as TOML with explicit defaults; [`Spec::from_toml`] restores the same value.
    ///
    /// # Errors
    /// If a number is too large for TOML (seeds beyond 2^63).
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).map_err(|e| Error::invalid("spec", e.to_string(), "use smaller numbers"))
    }

    /// The reference tokenizer as written (empty only if there are no tokenizers).
    #[must_use]
    pub fn reference(&self) -> &str {
        self.reference.as_deref().or(self.tokenizers.first().map(String::as_str)).unwrap_or_default()
    }

    /// The seeds if none are given: the fewest with which a difference can be significant ([`Spec::fewest_seeds`]); three for an
    /// exploratory experiment or a single tokenizer.
    ///
    /// ```
    /// let spec = |text| experiment::Spec::from_toml(text, "", &experiment::Encoders::default()).unwrap().default_seeds().len();
    /// assert_eq!(spec("tokenizers = ['base', 'kmer6', 'bpe4096']\ncorpus = 'my.fa'"), 7);
    /// assert_eq!(spec("tokenizers = ['base', 'kmer6', 'bpe4096']\ncorpus = 'my.fa'\nexploratory = true"), 3);
    /// ```
    #[must_use]
    pub fn default_seeds(&self) -> Vec<u64> {
        let fewest = self.fewest_seeds().filter(|_| self.comparisons() > 0 && !self.exploratory).unwrap_or(3);
        (1..=fewest as u64).collect()
    }

    /// Fewest seeds with which a Holm-adjusted p-value of 0.05 is attainable in the largest family of comparisons; None if no number
    /// of seeds suffices.
    #[must_use]
    pub fn fewest_seeds(&self) -> Option<usize> {
        statistics::holm::minimum_seeds(self.comparisons())
    }

    /// The spec with explicit seeds.
    #[must_use]
    pub fn with_seeds(self) -> Spec {
        let seeds = if self.seeds.is_empty() { self.default_seeds() } else { self.seeds.clone() };
        Spec { seeds, ..self }
    }

    /// Sets the seeds 1 to `count`.
    ///
    /// # Errors
    /// If there are none or more than [`MAX_SEEDS`]; the spec is then unchanged.
    pub fn set_seeds(&mut self, count: u64) -> Result<()> {
        if count == 0 {
            return Err(Error::invalid("seeds", "no seeds", "set a number of seeds, e.g. seeds = 8"));
        }
        if count > MAX_SEEDS as u64 {
            return Err(too_many(count));
        }
        self.seeds = (1..=count).collect();
        Ok(())
    }

    /// The encoder with a position encoding, in the number format of the spec.
    ///
    /// # Errors
    /// If the built-in encoder is unknown.
    pub fn encoder(&self, position: Position, encoders: &Encoders) -> Result<EncoderConfig> {
        Ok(EncoderConfig { position, dtype: self.dtype, ..self.encoder.resolve(encoders)? })
    }

    /// The grid of learning rates, or the one of `[training]`.
    #[must_use]
    pub fn grid(&self) -> Vec<f64> {
        if self.learning_rates.is_empty() { vec![self.training.learning_rate] } else { self.learning_rates.clone() }
    }

    /// The training budgets in bases, ascending.
    #[must_use]
    pub fn budgets(&self) -> Vec<u64> {
        if self.budgets.is_empty() { vec![self.training.bases] } else { self.budgets.clone() }
    }

    /// The corpora: that of the spec, then those of the noise arms.
    #[must_use]
    pub fn corpora(&self) -> Vec<String> {
        let noise = self.noise.iter().map(|noise| format!("{}:{}", noise.name(), self.corpus));
        std::iter::once(self.corpus.clone()).chain(noise).collect()
    }

    /// Number of comparisons: every other tokenizer with the reference.
    #[must_use]
    pub fn comparisons(&self) -> usize {
        self.tokenizers.len().saturating_sub(1)
    }
}

pub(crate) fn too_many(seeds: u64) -> Error {
    Error::invalid("seeds", format!("too many seeds: {seeds}"), format!("use at most {MAX_SEEDS}"))
}

fn count_or_list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u64>, D::Error> {
    struct Seeds;
    impl<'de> Visitor<'de> for Seeds {
        type Value = Vec<u64>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a number of seeds, or a list of seeds")
        }

        fn visit_u64<E: de::Error>(self, count: u64) -> Result<Vec<u64>, E> {
            if count > MAX_SEEDS as u64 {
                return Err(E::custom(format!("too many seeds: {count}")));
            }
            if count == 0 {
                return Err(E::custom("no seeds; set a number of seeds, e.g. seeds = 8"));
            }
            Ok((1..=count).collect())
        }

        fn visit_i64<E: de::Error>(self, count: i64) -> Result<Vec<u64>, E> {
            match u64::try_from(count) {
                Ok(count) => self.visit_u64(count),
                Err(_) => Err(E::custom(format!("invalid number of seeds: {count}"))),
            }
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<u64>, A::Error> {
            let mut seeds = Vec::new();
            while let Some(seed) = list.next_element()? {
                seeds.push(seed);
            }
            Ok(seeds)
        }
    }
    deserializer.deserialize_any(Seeds)
}

/// A TOML error with line and key, and with the most similar known key for an unknown one.
fn syntax(error: &toml::de::Error, text: &str, origin: &str) -> Error {
    let TomlError { line, key, cause, unknown } = TomlError::new(error, text);
    let remedy = unknown.map(|(word, known)| choices(&word, &known.iter().map(String::as_str).collect::<Vec<_>>()));
    Error::Syntax { origin: origin.to_owned(), line, key, cause, remedy }
}
