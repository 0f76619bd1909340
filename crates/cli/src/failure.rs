//! Errors that end the program, and their exit codes.

pub(crate) use pipeline::Error as Failure;
use pipeline::ErrorKind;
use tokenize::{FrontendConfig, Recipe};

/// An unexpected failure.
pub(crate) const FAILED: ErrorKind = ErrorKind::Failed;
/// Invalid arguments or an invalid experiment.
pub(crate) const USAGE: ErrorKind = ErrorKind::Usage;
/// Invalid or damaged data.
pub(crate) const DATA: ErrorKind = ErrorKind::Data;
/// Some runs failed.
pub(crate) const SOME_FAILED: ErrorKind = ErrorKind::SomeFailed;
/// Interrupted; finished work is kept.
pub(crate) const INTERRUPTED: ErrorKind = ErrorKind::Interrupted;

/// The exit code of a kind of failure: 1 failed, 2 wrong usage, 3 wrong or damaged data, 4 some runs failed, 130 interrupted.
pub(crate) fn code(kind: ErrorKind) -> u8 {
    match kind {
        ErrorKind::Failed => 1,
        ErrorKind::Usage => 2,
        ErrorKind::Data => 3,
        ErrorKind::SomeFailed => 4,
        ErrorKind::Interrupted => 130,
    }
}

/// A failure caused by invalid data.
pub(crate) fn invalid(message: String, remedy: &str) -> Failure {
    Failure::new(DATA, message, remedy)
}

/// Refuses a tokenizer that is applied inside a model only; `remedy`: what to use instead.
pub(crate) fn needs_no_model(recipe: &Recipe, remedy: &str) -> Result<(), Failure> {
    if recipe.frontend == FrontendConfig::Lookup {
        return Ok(());
    }
    Err(Failure::new(
        USAGE,
        format!(
            "{} is a learned front end: its input is single bases, and its units exist only inside the model",
            recipe.name
        ),
        remedy,
    ))
}
