//! `bpe<V>`: byte-pair encoding, learned on the training split.
//!
//! A BPE of V entries counts the five special ids, as DNABERT-2's 4096 does. It is learned by [`bpe::train`] with DNABERT-2's
//! settings (Whitespace pre-tokenizer, minimum frequency 2) on pieces of 512 bases: the merges are those of the `tokenizers`
//! crate's trainer.

use bpe::huggingface::to_json;
use bpe::train::Options;
use bpe::vocabulary::SPECIALS;

use super::subword::{PIECE, TRAINING_BASES, enough, learned, size, training_pieces};
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

/// The vocabulary size of a BPE.
pub(super) fn bpe_size(name: &Name) -> Result<usize, Error> {
    size(name, 9, "5 special ids, 4 bases, merges")
}

fn bpe(name: &Name) -> Result<Recipe, Error> {
    let size = bpe_size(name)?;
    Ok(Recipe {
        controls: vec![format!("randomcut{size}")],
        ..learned(format!("bpe{size}"), size, &settings(), move |name, pieces| train(name, size, pieces))
    })
}

/// What determines the merges of a `bpe<V>`, its name and the text aside.
pub(super) fn settings() -> String {
    let Options { min_frequency, max_token_length, both_strands, .. } = Options::default();
    format!(
        "{TRAINING_BASES} bases in pieces of {PIECE}, pairs from {min_frequency} places on, tokens below {max_token_length} bases, \
         both strands {both_strands}"
    )
}

/// Learns a BPE vocabulary of `size` entries and gives it as the text of a `tokenizer.json`.
///
/// # Errors
/// If the text is too short or too uniform to give that many merges.
pub fn train(name: &str, size: usize, pieces: &mut dyn Iterator<Item = &[u8]>) -> Result<Vec<u8>, Error> {
    let pieces = training_pieces(pieces, TRAINING_BASES);
    let options = Options { vocabulary: size, piece: 0, ..Options::default() };
    let learned = bpe::train::train(pieces.iter().map(|piece| piece.as_bytes()), &options, &mut |_| true)?;
    enough(name, size, SPECIALS as usize + learned.tokens.len())?;
    Ok(to_json(&learned))
}
