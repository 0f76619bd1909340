//! Resolution of the names of a spec. The program implements it with the tokenizer registry and the data files.

use tokenize::Quantity;

use crate::config::{FixedUnits, Masking, Position};
use crate::encoder::Encoders;
use crate::info::{CorpusInfo, TaskInfo, TokenizerInfo};
use crate::rates::Choice;
use crate::run::Key;

/// Why a resolver rejects a name, and how to fix it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What is wrong.
    pub cause: String,
    /// How to fix it.
    pub remedy: Option<String>,
}

impl<S: Into<String>> From<S> for Refusal {
    fn from(cause: S) -> Self {
        Refusal { cause: cause.into(), remedy: None }
    }
}

/// Resolves the names of a spec.
pub trait Resolver {
    /// The built-in encoders.
    fn encoders(&self) -> &Encoders;

    /// Looks up a tokenizer; `span`: length of masked spans in bases.
    ///
    /// # Errors
    /// If the name is unknown.
    fn tokenizer(&self, name: &str, span: usize) -> Result<TokenizerInfo, Refusal>;

    /// Looks up a corpus by name or path.
    ///
    /// # Errors
    /// If it does not exist or is invalid.
    fn corpus(&self, name: &str) -> Result<CorpusInfo, Refusal>;

    /// Looks up a task by name or path.
    ///
    /// # Errors
    /// If it does not exist or is invalid.
    fn task(&self, name: &str) -> Result<TaskInfo, Refusal>;

    /// Checks that a tokenizer can be scored with the masking plan.
    ///
    /// # Errors
    /// If not; the remedy names a span length that works.
    fn check(&self, tokenizer: &str, masking: &Masking) -> Result<(), Refusal>;

    /// The selected learning rate of a tokenizer at a seed, once pretraining over the grid is finished.
    fn chosen(&self, choice: &Choice) -> Option<f64> {
        let _ = choice;
        None
    }

    /// The units of a control whose `quantity` is that of the learned front end of the run `learned`, once that is finished.
    fn fixed_units(&self, learned: &Key, quantity: Quantity) -> Option<FixedUnits> {
        let _ = (learned, quantity);
        None
    }

    /// Multiply-accumulates of a forward pass per base of a tokenizer (canonical name), once a run has measured them.
    fn macs_per_base(&self, tokenizer: &str, position: Position) -> Option<f64> {
        let _ = (tokenizer, position);
        None
    }
}
