//! `file:PATH`: any Hugging Face `tokenizer.json`.

use std::sync::Arc;

use bpe::HuggingFace;

use crate::Token;
use crate::error::Error;
use crate::family::Family;
use crate::recipe::Recipe;
use crate::token::{Reading, Tokenizer};
use crate::vocabulary::Vocabulary;

/// Prefix of a path in a name.
pub const PREFIX: &str = "file:";

/// `file:PATH`.
pub const FILE: Family = Family {
    stem: "file",
    pattern: "file:PATH",
    help: "any Hugging Face tokenizer.json: BPE, Unigram, WordPiece; also looked for in the data folder",
    examples: &[],
    resolve: |_| None,
};

/// Reads a `tokenizer.json`. Its canonical name consists of the file name and a prefix of the BLAKE3 hash of its content.
///
/// # Errors
/// If the file cannot be read or is not a tokenizer.
pub fn read(path: &str) -> Result<HuggingFace, Error> {
    let bytes = std::fs::read(path).map_err(|error| Error::File {
        path: path.to_owned(),
        reason: match error.kind() {
            std::io::ErrorKind::NotFound => "no such file".to_owned(),
            std::io::ErrorKind::IsADirectory => "is a folder, not a file".to_owned(),
            _ => error.to_string(),
        },
        remedy: "use the path of a Hugging Face tokenizer.json".to_owned(),
    })?;
    let stem = std::path::Path::new(path).file_stem().map_or_else(String::new, |s| s.to_string_lossy().into_owned());
    from_bytes(&stem, &bytes, path)
}

/// A tokenizer from the content of a `tokenizer.json`, named by `stem` and a prefix of its BLAKE3 hash; `path` is for messages.
///
/// # Errors
/// If it is not a tokenizer.
pub fn from_bytes(stem: &str, bytes: &[u8], path: &str) -> Result<HuggingFace, Error> {
    let canonical = format!("{PREFIX}{stem}@{}", &blake3::hash(bytes).to_hex()[..12]);
    Ok(HuggingFace::from_json(canonical, bytes, path)?)
}

/// The recipe of a `tokenizer.json`, with its content and its path.
///
/// # Errors
/// As [`read`].
pub fn open(path: &str) -> Result<Recipe, Error> {
    let recipe = Recipe::fixed(Arc::new(read(path)?));
    let location = std::path::absolute(path).unwrap_or_else(|_| path.into());
    Ok(Recipe { label: stem_of(&recipe.name).unwrap_or(&recipe.name).to_owned(), location: Some(location), ..recipe })
}

/// A name without the prefix `file:`.
#[must_use]
pub fn without_prefix(name: &str) -> &str {
    let name = name.trim();
    name.strip_prefix(PREFIX).unwrap_or(name)
}

/// The file name in the canonical name of such a tokenizer; `None` for other tokenizers.
///
/// ```
/// assert_eq!(tokenize::families::file::stem_of("file:mine@0123456789ab"), Some("mine"));
/// assert_eq!(tokenize::families::file::stem_of("base"), None);
/// ```
#[must_use]
pub fn stem_of(canonical: &str) -> Option<&str> {
    Some(canonical.strip_prefix(PREFIX)?.rsplit_once('@')?.0)
}

impl Tokenizer for HuggingFace {
    fn name(&self) -> &str {
        self.name()
    }

    fn vocabulary(&self) -> &Vocabulary {
        self.vocabulary()
    }

    fn reading(&self) -> Reading {
        Reading::Tiling(None)
    }

    fn encode(&self, bases: &[u8], out: &mut Vec<Token>) {
        self.encode(bases, out);
    }

    fn may_follow(&self, first: u32, second: u32) -> bool {
        self.may_follow(first, second)
    }

    fn is_word_initial(&self, id: u32) -> Option<bool> {
        self.is_word_initial(id)
    }

    fn save(&self) -> Option<Vec<u8>> {
        Some(self.json().to_vec())
    }
}
