//! What can go wrong when tokenizers are named, fitted and loaded.

use thiserror::Error as ThisError;

/// An error of this crate. `Display` is the cause; [`Error::remedy`] says what to do.
#[derive(Debug, ThisError, Clone, PartialEq, Eq)]
pub enum Error {
    /// A name that no tokenizer has.
    #[error("unknown tokenizer {name:?}")]
    Unknown {
        /// As written.
        name: String,
        /// The nearest known name.
        nearest: Option<String>,
    },
    /// A known stem with a number or word that does not fit.
    #[error("tokenizer {name:?}: {reason}")]
    Name {
        /// As written.
        name: String,
        /// What is wrong.
        reason: String,
        /// What to do.
        remedy: String,
    },
    /// A tokenizer that does not fit the masking plan.
    #[error("tokenizer {name:?} does not fit masked spans of {span} bases: {reason}")]
    Span {
        /// Canonical name.
        name: String,
        /// Bases per span.
        span: usize,
        /// Why.
        reason: String,
        /// What to do.
        remedy: String,
    },
    /// A vocabulary that cannot be learned from the given text.
    #[error("cannot learn {name:?}: {reason}")]
    Fit {
        /// Canonical name.
        name: String,
        /// Why.
        reason: String,
        /// What to do.
        remedy: String,
    },
    /// A tokenizer file that cannot be used.
    #[error("{path}: {reason}")]
    File {
        /// The file, as written.
        path: String,
        /// Why.
        reason: String,
        /// What to do.
        remedy: String,
    },
}

impl Error {
    /// What a person can do about it.
    #[must_use]
    pub fn remedy(&self) -> Option<String> {
        match self {
            Error::Unknown { nearest: Some(nearest), .. } => {
                Some(format!("did you mean {nearest:?}? \"tokbench list\" shows all"))
            }
            Error::Unknown { nearest: None, .. } => Some("\"tokbench list\" shows all tokenizers".to_owned()),
            Error::Name { remedy, .. }
            | Error::Span { remedy, .. }
            | Error::Fit { remedy, .. }
            | Error::File { remedy, .. } => Some(remedy.clone()),
        }
    }
}

impl From<bpe::Error> for Error {
    fn from(error: bpe::Error) -> Error {
        match error {
            bpe::Error::Learn { name, reason, remedy } => Error::Fit { name, reason, remedy },
            bpe::Error::Unsuited { name, reason, remedy } => Error::Name { name, reason, remedy },
            bpe::Error::File { path, reason, remedy } => Error::File { path, reason, remedy },
        }
    }
}
