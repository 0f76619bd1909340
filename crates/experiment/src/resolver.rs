//! Who answers what a plan must ask: the program asks the tokenizer registry and looks at the files.

use crate::config::{Masking, Position};
use crate::encoder::Encoders;
use crate::info::{CorpusInfo, TaskInfo, TokenizerInfo};

/// Why a resolver refuses, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What is wrong.
    pub cause: String,
    /// What to do.
    pub remedy: Option<String>,
}

impl<S: Into<String>> From<S> for Refusal {
    fn from(cause: S) -> Self {
        Refusal { cause: cause.into(), remedy: None }
    }
}

/// Answers what the plan must ask.
pub trait Resolver {
    /// The encoders that a spec can name.
    fn encoders(&self) -> &Encoders;

    /// A tokenizer by name; `span` is the length of masked spans in bases.
    ///
    /// # Errors
    /// If there is none of that name.
    fn tokenizer(&self, name: &str, span: usize) -> Result<TokenizerInfo, Refusal>;

    /// A corpus by name or path.
    ///
    /// # Errors
    /// If there is none.
    fn corpus(&self, name: &str) -> Result<CorpusInfo, Refusal>;

    /// A task by name or path.
    ///
    /// # Errors
    /// If there is none.
    fn task(&self, name: &str) -> Result<TaskInfo, Refusal>;

    /// Whether a tokenizer can be scored with spans of that length.
    ///
    /// # Errors
    /// If not; the remedy names a span that does.
    fn check(&self, tokenizer: &str, masking: &Masking) -> Result<(), Refusal>;

    /// The learning rate chosen for a tokenizer (canonical name), once pretraining over the grid is done.
    fn chosen(&self, tokenizer: &str, position: Position) -> Option<f64> {
        let _ = (tokenizer, position);
        None
    }
}
