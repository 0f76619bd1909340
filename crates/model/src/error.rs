//! What can go wrong in a run.

use std::path::PathBuf;

use thiserror::Error as ThisError;

/// Why a run has no result.
#[derive(Debug, ThisError)]
pub enum Error {
    /// The device cannot be opened.
    #[error(transparent)]
    Device(#[from] crate::device::Error),
    /// The data cannot give what the run needs.
    #[error(transparent)]
    Data(#[from] dataset::Error),
    /// The tokenizer does not fit.
    #[error(transparent)]
    Tokenizer(#[from] tokenize::Error),
    /// Predictions that cannot be judged.
    #[error(transparent)]
    Statistics(#[from] statistics::Error),
    /// The loss is no longer a number.
    #[error("the loss became {loss} at step {step} of {steps}")]
    Diverged {
        /// Step, from 0.
        step: u64,
        /// Steps of the run.
        steps: u64,
        /// What it became.
        loss: f64,
    },
    /// A checkpoint or weights file that cannot be read or written.
    #[error("{}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Stopped from outside; what was done is kept.
    #[error("interrupted at step {step} of {steps}; the same command continues from there")]
    Interrupted {
        /// Steps done.
        step: u64,
        /// Steps of the run.
        steps: u64,
    },
    /// Numbers that did not come back from the device as they should.
    #[error("the {what} could not be read back from the device: {reason}")]
    ReadBack {
        /// `logits` ...
        what: &'static str,
        /// Why.
        reason: String,
    },
    /// A run that lacks something it needs.
    #[error("{0}")]
    Missing(String),
}

impl Error {
    /// What a person can do about it.
    #[must_use]
    pub fn remedy(&self) -> Option<String> {
        match self {
            Error::Data(error) => error.remedy(),
            Error::Tokenizer(error) => error.remedy(),
            Error::File { reason, .. } if reason.contains("(os error") => Some(
                "check the store's disk: free space, limits on file sizes (ulimit -f); finished runs are safe"
                    .to_owned(),
            ),
            Error::ReadBack { .. } => {
                Some("start again; if it stays, the device or its driver is at fault: try --device cpu".to_owned())
            }
            Error::Diverged { .. } => Some("lower training.learning_rate or raise training.warmup".to_owned()),
            _ => None,
        }
    }
}
