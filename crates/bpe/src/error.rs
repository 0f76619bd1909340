//! What can go wrong when vocabularies are learned and files are read.

use thiserror::Error as ThisError;

/// An error of this crate. `Display` is the cause; [`Error::remedy`] says what to do.
#[derive(Debug, ThisError, Clone, PartialEq, Eq)]
pub enum Error {
    /// A vocabulary that cannot be learned from the given text.
    #[error("cannot learn {name:?}: {reason}")]
    Learn {
        /// What was to be learned.
        name: String,
        /// Why not.
        reason: String,
        /// What to do.
        remedy: String,
    },
    /// A tokenizer that cannot be what is asked for.
    #[error("tokenizer {name:?}: {reason}")]
    Unsuited {
        /// Its name, or that of its file.
        name: String,
        /// Why not.
        reason: String,
        /// What to do.
        remedy: String,
    },
    /// A tokenizer file that cannot be used.
    #[error("{path}: {reason}")]
    File {
        /// The file, as written.
        path: String,
        /// Why not.
        reason: String,
        /// What to do.
        remedy: String,
    },
}

impl Error {
    /// What a person can do about it.
    #[must_use]
    pub fn remedy(&self) -> &str {
        match self {
            Error::Learn { remedy, .. } | Error::Unsuited { remedy, .. } | Error::File { remedy, .. } => remedy,
        }
    }
}
