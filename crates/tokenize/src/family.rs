//! [`Family`]: tokenizers that share a stem.

use crate::error::Error;
use crate::name::Name;
use crate::recipe::Recipe;

/// A family of tokenizer names. Plain data, so that a family of another crate is a constant too.
///
/// ```
/// use std::sync::Arc;
/// use tokenize::kmer::Kmer;
/// use tokenize::{Family, Recipe};
///
/// const CODONS: Family = Family {
///     stem: "codons",
///     pattern: "codons",
///     help: "non-overlapping tokens of three bases",
///     examples: &["codons"],
///     resolve: |_| Some(Ok(Recipe::fixed(Arc::new(Kmer::new("codons".to_owned(), 3, 3))))),
/// };
/// let registry = tokenize::registry::builtin().with(CODONS);
/// assert_eq!(registry.parse("codons").unwrap().vocabulary, 5 + 4 + 16 + 64);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// Common stem of its names.
    pub stem: &'static str,
    /// Pattern of its names, shown in help.
    pub pattern: &'static str,
    /// One-line description, shown in help.
    pub help: &'static str,
    /// Example names, used by tests, benchmarks and suggestions.
    pub examples: &'static [&'static str],
    /// From a parsed name with this stem to a recipe; `None` if the name belongs to another family.
    pub resolve: fn(&Name) -> Option<Result<Recipe, Error>>,
}
