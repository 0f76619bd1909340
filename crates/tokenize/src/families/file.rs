//! `file:PATH`: any Hugging Face `tokenizer.json`.

use std::sync::Arc;

use bpe::HuggingFace;

use crate::Token;
use crate::error::Error;
use crate::frontend::Frontend;
use crate::registry::{Kind, Recipe};
use crate::token::{Reading, Tokenizer};
use crate::vocabulary::Vocabulary;

/// `file:PATH`.
pub const FILE: Kind = Kind {
    stem: "file",
    pattern: "file:PATH",
    help: "any Hugging Face tokenizer.json: BPE, Unigram, WordPiece",
    examples: &[],
    resolve: |_| None,
};

/// Reads a `tokenizer.json`. Its canonical name is its file name and the start of the BLAKE3 of its content.
///
/// # Errors
/// If the file cannot be read or is not a tokenizer.
pub fn read(path: &str) -> Result<HuggingFace, Error> {
    let bytes = std::fs::read(path).map_err(|error| Error::File {
        path: path.to_owned(),
        reason: match error.kind() {
            std::io::ErrorKind::NotFound => "no such file".to_owned(),
            std::io::ErrorKind::IsADirectory => "it is a folder".to_owned(),
            _ => error.to_string(),
        },
        remedy: "give the path of a Hugging Face tokenizer.json".to_owned(),
    })?;
    let stem = std::path::Path::new(path).file_stem().map_or_else(String::new, |s| s.to_string_lossy().into_owned());
    let canonical = format!("file:{stem}@{}", &blake3::hash(&bytes).to_hex()[..12]);
    Ok(HuggingFace::from_json(canonical, &bytes, path)?)
}

/// The recipe of a `tokenizer.json`.
///
/// # Errors
/// As [`read`].
pub fn open(path: &str) -> Result<Recipe, Error> {
    let tokenizer = Arc::new(read(path)?);
    Ok(Recipe::fixed(tokenizer.name().to_owned(), Frontend::Lookup, Reading::Tiling(None), tokenizer))
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

    fn stands_first(&self, id: u32) -> Option<bool> {
        self.stands_first(id)
    }

    fn save(&self) -> Option<Vec<u8>> {
        Some(self.json().to_vec())
    }
}
