//! Errors of executing a run.

use std::path::PathBuf;

use thiserror::Error as ThisError;

/// Why a run failed.
#[derive(Debug, ThisError)]
pub enum Error {
    /// The device cannot be opened.
    #[error(transparent)]
    Device(#[from] crate::device::Error),
    /// The data are missing, invalid or too small for the run.
    #[error(transparent)]
    Data(#[from] dataset::Error),
    /// The tokenizer cannot be built or used.
    #[error(transparent)]
    Tokenizer(#[from] tokenize::Error),
    /// The predictions cannot be evaluated.
    #[error(transparent)]
    Statistics(#[from] statistics::Error),
    /// The loss became infinite or not-a-number.
    #[error("the loss became {loss} at step {step} of {steps}")]
    Diverged {
        /// Step of the divergence, from 0.
        step: u64,
        /// Optimizer steps of the run.
        steps: u64,
        /// The loss at that step.
        loss: f64,
    },
    /// A checkpoint or weights file cannot be read or written.
    #[error("{}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Cause.
        reason: String,
    },
    /// Interrupted from outside; progress is saved.
    #[error("interrupted at step {step} of {steps}; re-run the same command to resume")]
    Interrupted {
        /// Completed optimizer steps.
        step: u64,
        /// Optimizer steps of the run.
        steps: u64,
    },
    /// Values could not be copied from the device to the host.
    #[error("cannot read the {what} from the device: {reason}")]
    ReadBack {
        /// Name of the values, such as `logits`.
        what: &'static str,
        /// Cause.
        reason: String,
    },
    /// A required input is missing.
    #[error("{0}")]
    Missing(String),
}

impl Error {
    /// What the user can do, printed as `help:`.
    #[must_use]
    pub fn remedy(&self) -> Option<String> {
        match self {
            Error::Data(error) => error.remedy(),
            Error::Tokenizer(error) => error.remedy(),
            Error::File { reason, .. } if reason.contains("(os error") => Some(
                "check the disk of the store: free space and file size limits (ulimit -f); finished runs are not affected"
                    .to_owned(),
            ),
            Error::ReadBack { .. } => {
                Some("re-run; if the error persists, suspect the device or its driver and try --device cpu".to_owned())
            }
            Error::Diverged { .. } => Some(
                "decrease the learning rate or increase the warm-up (training.learning_rate and training.warmup of an experiment, \
                 --learning-rate of \"tokbench finetune\")"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}
