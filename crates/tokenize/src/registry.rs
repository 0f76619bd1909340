//! The registry: names of tokenizers to recipes. A value, so that a program can have more tokenizers than [`builtin`] lists.
//!
//! ```
//! let registry = tokenize::registry::builtin();
//! assert_eq!(registry.parse("KMER6-Stride6").unwrap().name, "kmer6-nonoverlap");
//! assert_eq!(registry.parse("kmr6").unwrap_err().to_string(), "unknown tokenizer \"kmr6\"");
//! ```

use std::path::Path;
use std::sync::Arc;

use crate::error::Error;
use crate::families::{bpe, file, kmer, mxdna, randomcut, unigram, wordpiece};
use crate::family::Family;
use crate::name::Name;
use crate::recipe::Recipe;
use crate::token::Reading;

/// Families of tokenizers. Parsing, help, tests and legends iterate over them. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Registry(Arc<[Family]>);

/// The families of this crate, in the order in which people should see them.
#[must_use]
pub fn builtin() -> Registry {
    Registry(Arc::new([
        kmer::BASE,
        mxdna::BASE_DEEP,
        kmer::KMER,
        bpe::BPE,
        unigram::UNIGRAM,
        wordpiece::WORDPIECE,
        randomcut::RANDOMCUT,
        mxdna::MXDNA,
        file::FILE,
    ]))
}

impl Registry {
    /// The same with one more family, the last one shown. It takes the place of a family with its stem and its pattern. Where several
    /// families share a stem, the one that was added last is asked first.
    #[must_use]
    pub fn with(self, kind: Family) -> Registry {
        let mut kinds = self.0.to_vec();
        match kinds.iter_mut().find(|other| (other.stem, other.pattern) == (kind.stem, kind.pattern)) {
            Some(other) => *other = kind,
            None => kinds.push(kind),
        }
        Registry(kinds.into())
    }

    /// Every family.
    #[must_use]
    pub fn families(&self) -> &[Family] {
        &self.0
    }

    /// Every example name of every family.
    pub fn examples(&self) -> impl Iterator<Item = &'static str> + use<> {
        let kinds = Arc::clone(&self.0);
        (0..kinds.len()).flat_map(move |at| kinds[at].examples.iter().copied())
    }

    /// From a name, or the path of a `tokenizer.json` with or without `file:` before it, to a recipe. The file is read now, and kept
    /// in the recipe.
    ///
    /// # Errors
    /// For a name that no family knows (with the nearest known one) or whose number or word does not fit.
    pub fn parse(&self, name: &str) -> Result<Recipe, Error> {
        if let Some(path) = self.path_in(name) {
            return Ok(Recipe { family: file::FILE.stem, ..file::open(path)? });
        }
        if let Some(parsed) = Name::parse(name) {
            for kind in self.0.iter().rev().filter(|kind| kind.stem == parsed.stem) {
                if let Some(recipe) = (kind.resolve)(&parsed) {
                    return Ok(Recipe { family: kind.stem, ..recipe? });
                }
            }
        }
        Err(Error::Unknown { name: name.to_owned(), nearest: self.nearest(name) })
    }

    /// The path of a file that a name is, with `file:` before it or left out: no family has such letters in its names, or there is
    /// such a file and no such family.
    #[must_use]
    pub fn path_in<'a>(&self, name: &'a str) -> Option<&'a str> {
        let known = || Name::parse(name).is_some_and(|name| self.0.iter().any(|kind| kind.stem == name.stem));
        let bare = || name.contains(['/', '\\', '.']) || Path::new(name).exists() && !known();
        name.trim().strip_prefix(file::PREFIX).or_else(|| bare().then_some(name))
    }

    /// How a tokenizer reads, by its canonical name alone, as records have it: the file of a `file:` name need not be there.
    #[must_use]
    pub fn reading(&self, canonical: &str) -> Option<Reading> {
        match file::stem_of(canonical) {
            Some(_) => Some(Reading::Tiling(None)),
            None => self.parse(canonical).ok().map(|recipe| recipe.reading),
        }
    }

    fn nearest(&self, name: &str) -> Option<String> {
        let name = name.to_ascii_lowercase();
        self.examples()
            .map(|example| (strsim::damerau_levenshtein(&name, example), example))
            .filter(|(distance, example)| *distance <= example.len().div_ceil(2))
            .min_by_key(|(distance, _)| *distance)
            .map(|(_, example)| example.to_owned())
    }
}
