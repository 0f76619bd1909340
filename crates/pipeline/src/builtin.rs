//! What a program knows by name: corpora, tasks, encoders, and the experiment that is run where none is named.

use dataset::Catalog;
use experiment::{Encoders, Spec};

use crate::error::Result;

/// Everything that has a built-in name; a value that the program hands in.
#[derive(Clone, Debug, Default)]
pub struct Builtin {
    /// Corpora and tasks.
    pub catalog: Catalog,
    /// Encoders.
    pub encoders: Encoders,
    /// The experiment that is run where none is named: what errors call it, and its TOML.
    pub experiment: (String, String),
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
