//! `bpe<V>`: byte-pair encoding, learned on the training split.
//!
//! A BPE of V entries includes the five special ids, as in DNABERT-2. It is trained by [`bpe::train`] with the settings of
//! DNABERT-2 (Whitespace pre-tokenizer, minimum frequency 2) on chunks of 512 bases: the merges are those of the trainer of the
//! `tokenizers` crate.

use bpe::huggingface::to_json;
use bpe::train::Options;
use bpe::vocabulary::SPECIALS;

use super::subword::{CHUNK_LENGTH, TRAINING_BASES, enough, learned, size, training_chunks};
use crate::error::Error;
use crate::family::Family;
use crate::name::Name;
use crate::recipe::Recipe;

/// `bpe<V>`.
pub const BPE: Family = Family {
    stem: "bpe",
    pattern: "bpe<V>",
    help: "byte-pair encoding with V entries (9 to 65536), learned on the training split",
    examples: &["bpe512", "bpe4096"],
    resolve: |name| Some(bpe(name)),
};

/// The vocabulary size in a name of a BPE.
pub(super) fn bpe_size(name: &Name) -> Result<usize, Error> {
    size(name, 9, "5 special ids, 4 bases, merges")
}

fn bpe(name: &Name) -> Result<Recipe, Error> {
    let size = bpe_size(name)?;
    Ok(Recipe {
        controls: vec![format!("randomcut{size}")],
        ..learned(format!("bpe{size}"), size, &settings(), move |name, chunks| train(name, size, chunks))
    })
}

/// Everything except name and text that determines the merges of `bpe<V>`.
pub(super) fn settings() -> String {
    let Options { min_frequency, max_token_length, both_strands, .. } = Options::default();
    format!(
        "{TRAINING_BASES} bases in pieces of {CHUNK_LENGTH}, pairs from {min_frequency} places on, tokens below {max_token_length} bases, \
         both strands {both_strands}"
    )
}

/// Trains a BPE vocabulary of `size` entries and serializes it as a `tokenizer.json`.
///
/// # Errors
/// If the text is too short or too uniform for that many merges.
pub fn train(name: &str, size: usize, chunks: &mut dyn Iterator<Item = &[u8]>) -> Result<Vec<u8>, Error> {
    let chunks = training_chunks(chunks, TRAINING_BASES);
    let options = Options { vocabulary: size, chunk_length: 0, ..Options::default() };
    let learned = bpe::train::train(chunks.iter().map(|chunk| chunk.as_bytes()), &options, &mut |_| true)?;
    enough(name, size, SPECIALS as usize + learned.tokens.len())?;
    Ok(to_json(&learned))
}
