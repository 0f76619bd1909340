//! `unigram<V>`: a unigram language model, the tokenizer of SentencePiece (Kudo 2018, "Subword regularization", ACL).
//!
//! Every token has a score, the logarithm of its probability, and a sequence is segmented into the tokens with the highest sum.
//! Tokens and scores are trained by `unigram/train.rs` with the settings of SentencePiece (tokens of up to 16 bases, a quarter
//! pruned per round), on chunks of 512 bases. At most 2 million bases are used: they take 18 to 25 s of CPU time and 0.3 GB, 8
//! million would take 120 to 150 s. The saved file is a `tokenizer.json` of the `tokenizers` crate, which gives the same ids; every
//! letter other than A, C, G, T is a word of its own.
//!
//! # Scores are multiples of 2^-16
//! Sums of scores are therefore exact in any order, and the choice between segmentations of equal score does not depend on the
//! context: a pair of tokens that is segmented differently on its own never occurs in a tokenization.

mod seeds;
mod train;

use bpe::huggingface::{split_non_dna, to_bytes, tokenizer_json};
use serde_json::{Value, json};

use super::subword::{CHUNK_LENGTH, enough, learned, size, training_chunks};
use crate::error::Error;
use crate::family::Family;
use crate::name::Name;
use crate::recipe::Recipe;
use crate::vocabulary::{SPECIAL_NAMES, SPECIALS, UNK};

/// `unigram<V>`.
pub const UNIGRAM: Family = Family {
    stem: "unigram",
    pattern: "unigram<V>",
    help: "unigram language model (SentencePiece) with V entries (9 to 65536), learned on the training split",
    examples: &["unigram512"],
    resolve: |name| Some(resolve(name)),
};

/// Maximum number of training bases: of longer texts, evenly spaced chunks are used.
pub const TRAINING_BASES: usize = 2_000_000;
/// Scores are multiples of one over this.
const STEPS: f64 = 65_536.0;

fn resolve(name: &Name) -> Result<Recipe, Error> {
    let size = size(name, 9, "5 special ids, 4 bases, longer tokens")?;
    let settings = format!(
        "{TRAINING_BASES} bases in pieces of {}, scores in steps of 1/{STEPS}; {}",
        CHUNK_LENGTH,
        train::settings()
    );
    Ok(learned(format!("unigram{size}"), size, &settings, move |name, chunks| learn(name, size, chunks)))
}

/// Trains a vocabulary of `size` entries and serializes it as a `tokenizer.json`.
fn learn(name: &str, size: usize, chunks: &mut dyn Iterator<Item = &[u8]>) -> Result<Vec<u8>, Error> {
    let chunks = training_chunks(chunks, TRAINING_BASES);
    let sentences: Vec<&[u8]> = chunks.iter().map(|chunk| chunk.as_bytes()).collect();
    let tokens = train::train(&sentences, size, SPECIALS as usize);
    enough(name, size, SPECIALS as usize + tokens.len())?;
    let specials = SPECIAL_NAMES.iter().map(|name| json!([name, 0.0]));
    let tokens = tokens.iter().map(|(bases, score)| json!([String::from_utf8_lossy(bases), quantize(*score)]));
    let vocabulary: Vec<Value> = specials.chain(tokens).collect();
    let model = json!({"type": "Unigram", "unk_id": UNK, "vocab": vocabulary, "byte_fallback": false});
    Ok(to_bytes(&tokenizer_json(&model, &split_non_dna(), &Value::Null)))
}

/// The nearest multiple of 2^-16.
fn quantize(score: f64) -> f64 {
    (score * STEPS).round() / STEPS
}
