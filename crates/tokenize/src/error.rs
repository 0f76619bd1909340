//! Errors of naming, fitting and loading tokenizers.

use thiserror::Error as ThisError;

/// An error of this crate. `Display` gives the cause, [`Error::remedy`] the suggested fix.
#[derive(Debug, ThisError, Clone, PartialEq, Eq)]
pub enum Error {
    /// Unknown tokenizer name.
    #[error("unknown tokenizer {name:?}")]
    Unknown {
        /// The name as given.
        name: String,
        /// The nearest known name.
        nearest: Option<String>,
    },
    /// A known stem with an invalid number or suffix.
    #[error("tokenizer {name:?}: {reason}")]
    Name {
        /// The name as given.
        name: String,
        /// The cause.
        reason: String,
        /// The suggested fix.
        remedy: String,
    },
    /// A tokenizer that is incompatible with the masking plan.
    #[error("tokenizer {name:?} does not fit masked spans of {span} bases: {reason}")]
    Span {
        /// Canonical name.
        name: String,
        /// Bases per span.
        span: usize,
        /// The cause.
        reason: String,
        /// The suggested fix.
        remedy: String,
    },
    /// A vocabulary that cannot be learned from the given text.
    #[error("cannot learn {name:?}: {reason}")]
    Fit {
        /// Canonical name.
        name: String,
        /// The cause.
        reason: String,
        /// The suggested fix.
        remedy: String,
    },
    /// A tokenizer file that is not usable.
    #[error("{path}: {reason}")]
    File {
        /// The file, as given.
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
