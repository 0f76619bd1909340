//! `wordpiece<V>`: WordPiece, the tokenizer of BERT (Schuster and Nakajima 2012, "Japanese and Korean voice search", ICASSP;
//! Devlin et al. 2019).
//!
//! A word is segmented from left to right by greedy longest match. Tokens that continue a word are separate entries, written with
//! the prefix `##`: the same bases can be in the vocabulary twice. A word is a maximal run of A, C, G, T, and every other letter is
//! a word of its own.
//!
//! The vocabulary is trained by `WordPieceTrainer` of the `tokenizers` crate, which is byte-pair merging with that prefix, on
//! chunks of 512 bases (8 million bases and 4,096 entries: 9 s of CPU time and 0.7 GB). A chunk has one first token and many
//! continuing ones, so nearly all merges create continuing tokens: 22 of these 4,096 entries start a word.
//!
//! The saved file is a `tokenizer.json` of that crate, which gives the same ids. That crate finds the longest token by trying the
//! whole rest of the word first, so its time grows faster than the square of the length (1,000 bases take 0.012 s, 4,000 take 0.37
//! s). Here a prefix tree is searched: ten million bases take 0.1 s.

use bpe::huggingface::{split_non_dna, to_bytes, tokenizer_json};
use serde_json::{Value, json};
use tokenizers::models::wordpiece::{WordPiece, WordPieceTrainer};
use tokenizers::{AddedToken, Model, Trainer};

use super::subword::{CHUNK_LENGTH, TRAINING_BASES, enough, learned, size, training_chunks};
use crate::error::Error;
use crate::family::Family;
use crate::name::Name;
use crate::recipe::Recipe;
use crate::vocabulary::{SPECIAL_NAMES, UNK};

/// `wordpiece<V>`.
pub const WORDPIECE: Family = Family {
    stem: "wordpiece",
    pattern: "wordpiece<V>",
    help: "WordPiece (BERT) with V entries (13 to 65536), learned on the training split",
    examples: &["wordpiece512"],
    resolve: |name| Some(resolve(name)),
};

/// Prefix of tokens that continue a word.
const PREFIX: &str = "##";
/// Tokens before all merges. Passed to the trainer in this order: otherwise their ids depend on its hash tables.
const ALPHABET: [&str; 8] = ["A", "C", "G", "T", "##A", "##C", "##G", "##T"];
/// The trainer and its version.
const TRAINER: &str = "tokenizers 0.23.2";
/// Minimum count of a pair that is merged.
const FREQUENCY: u64 = 2;
/// Limit above which the `tokenizers` crate makes words unknown.
const LONGEST_WORD: u32 = u32::MAX;

fn resolve(name: &Name) -> Result<Recipe, Error> {
    let size = size(name, 13, "5 special ids, 4 bases that start a word, 4 that continue it, merges")?;
    let settings = format!(
        "{TRAINING_BASES} bases in pieces of {CHUNK_LENGTH}, {TRAINER}, pairs from {FREQUENCY} places on, {PREFIX} before what continues"
    );
    Ok(learned(format!("wordpiece{size}"), size, &settings, move |name, chunks| learn(name, size, chunks)))
}

/// Trains a vocabulary of `size` entries and serializes it as a `tokenizer.json`.
fn learn(name: &str, size: usize, chunks: &mut dyn Iterator<Item = &[u8]>) -> Result<Vec<u8>, Error> {
    let failed = |error: tokenizers::Error| Error::Fit {
        name: name.to_owned(),
        reason: error.to_string(),
        remedy: "use other training text".to_owned(),
    };
    let first = SPECIAL_NAMES.iter().chain(&ALPHABET).map(|token| AddedToken::from(*token, true)).collect();
    let trainer = WordPieceTrainer::builder()
        .show_progress(false)
        .min_frequency(FREQUENCY)
        .vocab_size(size)
        .special_tokens(first);
    let mut trainer = trainer.continuing_subword_prefix(PREFIX.to_owned()).build();
    let chunks = training_chunks(chunks, TRAINING_BASES);
    trainer.feed(chunks.iter(), |chunk| Ok(vec![chunk.to_owned()])).map_err(failed)?;
    let mut model = WordPiece::default();
    trainer.train(&mut model).map_err(failed)?;
    let mut tokens: Vec<(u32, String)> = model.get_vocab().into_iter().map(|(token, id)| (id, token)).collect();
    tokens.sort_unstable();
    enough(name, size, tokens.len())?;
    let vocabulary: serde_json::Map<String, Value> = tokens.into_iter().map(|(id, token)| (token, json!(id))).collect();
    let model = json!({
        "type": "WordPiece", "unk_token": SPECIAL_NAMES[UNK as usize], "continuing_subword_prefix": PREFIX,
        "max_input_chars_per_word": LONGEST_WORD, "vocab": vocabulary,
    });
    let decoder = json!({"type": "WordPiece", "prefix": PREFIX, "cleanup": false});
    Ok(to_bytes(&tokenizer_json(&model, &split_non_dna(), &decoder)))
}

#[cfg(test)]
mod tests {
    /// Fitted vocabularies are stored under the name of the trainer, so it must be the one in use.
    #[test]
    fn the_trainer_is_the_one_that_is_used() {
        let (name, version) = super::TRAINER.split_once(' ').unwrap();
        let workspace = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml")).unwrap();
        assert!(workspace.contains(&format!("{name} = {{ version = \"={version}\"")), "{name} {version}");
    }
}
