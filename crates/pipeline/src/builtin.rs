//! What a program knows by name: tokenizers, corpora, tasks, encoders, and the experiment that is run where none is named.

use dataset::Catalog;
use experiment::{Encoders, Spec};
use tokenize::registry::{self, Registry};

use crate::error::Result;

/// Everything that has a built-in name; a value that the program hands in.
#[derive(Clone, Debug)]
pub struct Builtin {
    /// Families of tokenizers.
    pub tokenizers: Registry,
    /// Corpora and tasks.
    pub catalog: Catalog,
    /// Encoders.
    pub encoders: Encoders,
    /// The experiment that is run where none is named: what errors call it, and its TOML.
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
    /// The experiment that is run where none is named.
    ///
    /// # Errors
    /// If it is none.
    pub fn question(&self) -> Result<Spec> {
        let (name, text) = &self.experiment;
        Ok(Spec::from_toml(text, name, &self.encoders)?)
    }
}
