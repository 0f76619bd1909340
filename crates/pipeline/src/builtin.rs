//! The built-in names of a program: tokenizers, corpora, tasks, encoders, and the default experiment.

use dataset::Catalog;
use experiment::{Encoders, Spec};
use tokenize::registry::{self, Registry};

use crate::error::Result;

/// Everything with a built-in name, supplied by the program.
#[derive(Clone, Debug)]
pub struct Builtin {
    /// Registry of tokenizer families.
    pub tokenizers: Registry,
    /// Built-in corpora and tasks.
    pub catalog: Catalog,
    /// Built-in encoders.
    pub encoders: Encoders,
    /// The default experiment: its name for error messages, and its TOML.
    pub experiment: (String, String),
}

impl Default for Builtin {
    /// Every tokenizer of the crate `tokenize`, the encoder `tiny`, and no corpora or tasks.
    fn default() -> Builtin {
        let (catalog, encoders, experiment) = Default::default();
        Builtin { tokenizers: registry::builtin(), catalog, encoders, experiment }
    }
}

impl Builtin {
    /// The specification of the default experiment.
    ///
    /// # Errors
    /// If it is invalid.
    pub fn default_spec(&self) -> Result<Spec> {
        let (name, text) = &self.experiment;
        Ok(Spec::from_toml(text, name, &self.encoders)?)
    }
}
