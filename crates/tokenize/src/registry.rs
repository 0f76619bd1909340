//! The registry maps names of tokenizers to recipes. It is a value, so that a program can add tokenizers to [`builtin`].
//!
//! ```
//! let registry = tokenize::registry::builtin();
//! assert_eq!(registry.parse("KMER6-Stride6").unwrap().name, "kmer6-nonoverlap");
//! assert_eq!(registry.parse("kmr6").unwrap_err().to_string(), "unknown tokenizer \"kmr6\"");
//! ```

use std::path::Path;
use std::sync::Arc;

use crate::error::Error;
use crate::families::{self, bpe, exec, file, gbst, hnet, kmer, merge, mxdna, pool, randomcut, unigram, wordpiece};
use crate::family::Family;
use crate::name::Name;
use crate::recipe::Recipe;
use crate::token::Reading;

/// The registered families. Parsing, help, tests and legends iterate over them. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Registry(Arc<[Family]>);

/// The families of this crate, in display order.
#[must_use]
pub fn builtin() -> Registry {
    Registry(Arc::new([
        kmer::BASE,
        kmer::KMER,
        bpe::BPE,
        unigram::UNIGRAM,
        wordpiece::WORDPIECE,
        randomcut::RANDOMCUT,
        mxdna::MXDNA,
        mxdna::MXDNA_POOL,
        hnet::HNET,
        hnet::HNET_POOL,
        gbst::GBST,
        gbst::GBST_POOL,
        merge::MERGE,
        merge::MERGE_POOL,
        pool::POOL,
        pool::UNPOOLED,
        file::FILE,
        exec::EXEC,
    ]))
}

impl Registry {
    /// Adds a family, shown last. It replaces a family with the same stem and pattern. If several families share a stem, the one
    /// that was added last has priority.
    #[must_use]
    pub fn with(self, family: Family) -> Registry {
        let mut families = self.0.to_vec();
        match families.iter_mut().find(|other| (other.stem, other.pattern) == (family.stem, family.pattern)) {
            Some(other) => *other = family,
            None => families.push(family),
        }
        Registry(families.into())
    }

    /// All families.
    #[must_use]
    pub fn families(&self) -> &[Family] {
        &self.0
    }

    /// The example names of all families.
    pub fn examples(&self) -> impl Iterator<Item = &'static str> + use<> {
        let families = Arc::clone(&self.0);
        (0..families.len()).flat_map(move |at| families[at].examples.iter().copied())
    }

    /// Parses a name, the path of a `tokenizer.json` with or without the prefix `file:`, or a command with the prefix `exec:`, to a
    /// recipe. A file is read now, and its content is kept in the recipe; a program is started now, and runs as long as the recipe.
    ///
    /// # Errors
    /// If the name is unknown (the error suggests the nearest known name) or its number or suffix is invalid.
    pub fn parse(&self, name: &str) -> Result<Recipe, Error> {
        if let Some(command) = exec::command_in(name) {
            return Ok(Recipe { family: exec::EXEC.stem, ..exec::open(command)? });
        }
        if let Some(path) = self.path_in(name) {
            return Ok(Recipe { family: file::FILE.stem, ..file::open(path)? });
        }
        if let Some(parsed) = Name::parse(name) {
            for family in self.0.iter().rev().filter(|family| family.stem == parsed.stem) {
                if let Some(recipe) = (family.resolve)(&parsed) {
                    return Ok(Recipe { family: family.stem, ..recipe? });
                }
            }
        }
        Err(Error::Unknown { name: name.to_owned(), nearest: self.nearest(name) })
    }

    /// The path, if a name is one: it starts with `file:`, it contains characters that no family uses in names, or such a file
    /// exists and no such family.
    #[must_use]
    pub fn path_in<'a>(&self, name: &'a str) -> Option<&'a str> {
        if exec::command_in(name).is_some() {
            return None;
        }
        let known = || Name::parse(name).is_some_and(|name| self.0.iter().any(|family| family.stem == name.stem));
        let bare = || name.contains(['/', '\\', '.']) || Path::new(name).exists() && !known();
        name.trim().strip_prefix(file::PREFIX).or_else(|| bare().then_some(name))
    }

    /// How a tokenizer reads sequences, from its canonical name alone, as in records: the file of a `file:` name, or the program of an `exec:`
    /// name, need not exist.
    #[must_use]
    pub fn reading(&self, canonical: &str) -> Option<Reading> {
        match families::stem_of(canonical) {
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
