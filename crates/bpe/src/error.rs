//! Errors of learning vocabularies and of reading tokenizer files.

use thiserror::Error as ThisError;

/// An error of this crate. `Display` gives the cause, [`Error::remedy`] the suggested fix.
#[derive(Debug, ThisError, Clone, PartialEq, Eq)]
pub enum Error {
    /// A vocabulary cannot be learned from the given text.
    #[error("cannot learn {name:?}: {reason}")]
    Learn {
        /// Name of the vocabulary.
        name: String,
        /// The cause.
        reason: String,
        /// The suggested fix.
        remedy: String,
    },
    /// A tokenizer does not support the requested operation.
    #[error("tokenizer {name:?}: {reason}")]
    Unsuited {
        /// Name of the tokenizer or of its file.
        name: String,
        /// The cause.
        reason: String,
        /// The suggested fix.
        remedy: String,
    },
    /// A tokenizer file is not usable.
    #[error("{path}: {reason}")]
    File {
        /// The file, as given by the caller.
        path: String,
        /// The cause.
        reason: String,
        /// The suggested fix.
        remedy: String,
    },
}

impl Error {
    /// The suggested fix, printed after `help:`.
    #[must_use]
    pub fn remedy(&self) -> &str {
        match self {
            Error::Learn { remedy, .. } | Error::Unsuited { remedy, .. } | Error::File { remedy, .. } => remedy,
        }
    }
}
