//! `unigram<V>`: a unigram language model, the tokenizer of SentencePiece (Kudo 2018, "Subword regularization", ACL).
//!
//! Every token has a score, the logarithm of its probability, and a stretch of bases is cut into the tokens with the highest
//! sum. Tokens and scores are learned by `unigram/train.rs` with the settings of SentencePiece (tokens of up to 16 bases, a
//! quarter dropped at a time), on pieces of 512 bases. At most 2 million bases are taken: they cost 18 to 25 s of processor time
//! and 0.3 GB, 8 million would cost 120 to 150 s. The saved file is a `tokenizer.json` of the `tokenizers` crate, which gives
//! the same ids; every letter other than A, C, G, T is a word of its own.
//!
//! # Scores are multiples of 2^-16
//! So sums of them are exact, whatever their order, and which of two equal cuts is taken does not depend on what stands
//! before: a pair of tokens that is cut otherwise when it stands alone occurs in no cut at all.

mod seeds;
mod train;

use bpe::huggingface::{letters_apart, to_bytes, tokenizer_json};
use serde_json::{Value, json};

use super::subword::{PIECE, enough, learned, size, training_pieces};
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

/// Most bases that a vocabulary is learned on: beyond it, evenly spaced pieces are taken.
pub const TRAINING_BASES: usize = 2_000_000;
/// Scores are multiples of one over this.
const GRAIN: f64 = 65_536.0;

fn resolve(name: &Name) -> Result<Recipe, Error> {
    let size = size(name, 9, "5 special ids, 4 bases, longer tokens")?;
    let settings =
        format!("{TRAINING_BASES} bases in pieces of {}, scores in steps of 1/{GRAIN}; {}", PIECE, train::settings());
    Ok(learned(format!("unigram{size}"), size, &settings, move |name, pieces| learn(name, size, pieces)))
}

/// Learns a vocabulary of `size` entries and gives it as the text of a `tokenizer.json`.
fn learn(name: &str, size: usize, pieces: &mut dyn Iterator<Item = &[u8]>) -> Result<Vec<u8>, Error> {
    let pieces = training_pieces(pieces, TRAINING_BASES);
    let sentences: Vec<&[u8]> = pieces.iter().map(|piece| piece.as_bytes()).collect();
    let tokens = train::train(&sentences, size, SPECIALS as usize);
    enough(name, size, SPECIALS as usize + tokens.len())?;
    let specials = SPECIAL_NAMES.iter().map(|name| json!([name, 0.0]));
    let tokens = tokens.iter().map(|(bases, score)| json!([String::from_utf8_lossy(bases), grain(*score)]));
    let vocabulary: Vec<Value> = specials.chain(tokens).collect();
    let model = json!({"type": "Unigram", "unk_id": UNK, "vocab": vocabulary, "byte_fallback": false});
    Ok(to_bytes(&tokenizer_json(&model, &letters_apart(), &Value::Null)))
}

/// The nearest multiple of 2^-16.
fn grain(score: f64) -> f64 {
    (score * GRAIN).round() / GRAIN
}
