//! Why records cannot be compared, or a conclusion not be written down. Every message names the offenders.

use std::path::PathBuf;

use crate::statistics;

/// What can go wrong between records and conclusions.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No records.
    #[error("there are no records to compare")]
    Empty,
    /// Records that must agree in something do not.
    #[error("records of different {what} cannot be compared: {offenders}")]
    Mixed {
        /// What differs: `devices`, `protocols`, `number formats`, `fine-tuning settings of <task>` ...
        what: String,
        /// Each value with the runs that have it.
        offenders: String,
    },
    /// Tokenizers were run with different seeds.
    #[error("unequal seeds in {scope}: {offenders}")]
    UnequalSeeds {
        /// Group and task.
        scope: String,
        /// Which tokenizer lacks which seeds.
        offenders: String,
    },
    /// Two different runs claim the same place.
    #[error("{scope}: {subject}, seed {seed}, was run twice with different settings (keys {first} and {second})")]
    Duplicate {
        /// Group and task.
        scope: String,
        /// Tokenizer.
        subject: String,
        /// Seed.
        seed: u64,
        /// Key of the first.
        first: String,
        /// Key of the second.
        second: String,
    },
    /// The reference is not among the tokenizers that are ranked.
    #[error("the reference \"{name}\" is not among the tokenizers: {known}")]
    UnknownReference {
        /// Asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// A name in the order or among the controls that no record has.
    #[error("\"{name}\" in the {what} is not among the tokenizers: {known}")]
    UnknownName {
        /// `order` or `controls`.
        what: &'static str,
        /// Asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// Runs are unfinished, and no seed is complete anywhere.
    #[error("nothing can be compared yet: {why}")]
    NothingComplete {
        /// What is missing where.
        why: String,
    },
    /// A record contradicts itself.
    #[error("record {key} ({subject}, seed {seed}) contradicts itself: {what}")]
    Contradiction {
        /// Short key.
        key: String,
        /// Tokenizer or control.
        subject: String,
        /// Seed.
        seed: u64,
        /// Stored against computed.
        what: String,
    },
    /// Records were scored on different text.
    #[error("{scope}: {left} and {right} were not scored on the same {what}")]
    DifferentText {
        /// Group or task.
        scope: String,
        /// One run.
        left: String,
        /// Another.
        right: String,
        /// `masked bases of <species>, block <n>` or `test rows`.
        what: String,
    },
    /// A statistic refused its input.
    #[error("{scope}: {source}")]
    Statistics {
        /// Where.
        scope: String,
        /// Why.
        source: statistics::Error,
    },
    /// A figure could not be drawn.
    #[error("figure {name}: {reason}")]
    Figure {
        /// Its name.
        name: String,
        /// Why.
        reason: String,
    },
    /// A file could not be written.
    #[error("{}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Numbers could not be turned into JSON.
    #[error("numbers as JSON: {0}")]
    Json(#[from] serde_json::Error),
}
