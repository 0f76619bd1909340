//! A family of tokenizers, as a registry has it.

use crate::error::Error;
use crate::name::Name;
use crate::recipe::Recipe;

/// A family of names: plain data, so that a family of one's own is a constant too.
///
/// ```
/// use std::sync::Arc;
/// use tokenize::kmer::Kmer;
/// use tokenize::{Family, Recipe};
///
/// const CODONS: Family = Family {
///     stem: "codons",
///     pattern: "codons",
///     help: "tokens of three bases side by side",
///     examples: &["codons"],
///     resolve: |_| Some(Ok(Recipe::fixed(Arc::new(Kmer::new("codons".to_owned(), 3, 3))))),
/// };
/// let registry = tokenize::registry::builtin().with(CODONS);
/// assert_eq!(registry.parse("codons").unwrap().vocabulary, 5 + 4 + 16 + 64);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// Stem of its names.
    pub stem: &'static str,
    /// How its names are written.
    pub pattern: &'static str,
    /// One line for people.
    pub help: &'static str,
    /// Names that tests, benches and suggestions use.
    pub examples: &'static [&'static str],
    /// From a parsed name with this stem to a recipe; `None`: not one of mine.
    pub resolve: fn(&Name) -> Option<Result<Recipe, Error>>,
}
