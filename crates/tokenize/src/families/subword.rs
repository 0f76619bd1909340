//! What families with a learned vocabulary share: sizes in names, pieces of training text, and a `tokenizer.json` as what is kept.

use std::sync::Arc;

use bpe::HuggingFace;
use dna::is_base;

use crate::error::Error;
use crate::name::Name;
use crate::recipe::Recipe;
use crate::token::Reading;

/// Most bases a vocabulary is learned on: beyond it, evenly spaced pieces are taken.
pub const TRAINING_BASES: usize = 8_000_000;
/// Bases per training piece.
pub const PIECE: usize = 512;

/// The vocabulary size in a name such as `bpe4096`: at least `least`, that is one of each of `parts`.
pub(super) fn size(name: &Name, least: u64, parts: &str) -> Result<usize, Error> {
    let wrong = |reason: String| Error::Name {
        name: name.written.clone(),
        reason,
        remedy: format!("write for example \"{}4096\" ({least} to 65536 entries: {parts})", name.stem),
    };
    match name.number {
        _ if !name.words.is_empty() => Err(wrong("unknown variant".into())),
        None => Err(wrong("the size of the vocabulary is missing".into())),
        Some(size) if size < least => Err(wrong(format!("a vocabulary of {size} is smaller than the alphabet"))),
        Some(size @ ..=65_536) => Ok(size as usize),
        Some(size) => Err(wrong(format!("a vocabulary of {size} is too large"))),
    }
}

/// The recipe of a tokenizer whose vocabulary `learn` gives as the text of a `tokenizer.json`.
pub(super) fn learned(
    canonical: String,
    size: usize,
    settings: &str,
    learn: impl Fn(&str, &mut dyn Iterator<Item = &[u8]>) -> Result<Vec<u8>, Error> + Send + Sync + 'static,
) -> Recipe {
    let (for_fit, for_load) = (canonical.clone(), canonical.clone());
    Recipe::learned(
        canonical,
        Reading::Tiling(None),
        size,
        settings,
        move |pieces| {
            let json = learn(&for_fit, pieces)?;
            Ok(Arc::new(HuggingFace::from_json(for_fit.clone(), &json, "learned vocabulary")?))
        },
        move |saved| Ok(Arc::new(HuggingFace::from_json(for_load.clone(), saved, "learned vocabulary")?)),
    )
}

/// Refuses a vocabulary that has become smaller than it should.
pub(super) fn enough(name: &str, size: usize, entries: usize) -> Result<(), Error> {
    if entries < size {
        return Err(Error::Fit {
            name: name.to_owned(),
            reason: format!("the training text gives only {entries} entries"),
            remedy: "ask for a smaller vocabulary or give more text".to_owned(),
        });
    }
    Ok(())
}

/// Evenly spaced pieces of at most [`PIECE`] bases of A, C, G, T, at most `most` bases in all.
pub(super) fn training_pieces<'a>(pieces: &mut dyn Iterator<Item = &'a [u8]>, most: usize) -> Vec<&'a str> {
    let mut chunks = Vec::new();
    for piece in pieces {
        for stretch in piece.split(|&b| !is_base(b)) {
            chunks.extend(stretch.chunks(PIECE).filter_map(|chunk| std::str::from_utf8(chunk).ok()));
        }
    }
    let total: usize = chunks.iter().map(|chunk| chunk.len()).sum();
    let keep = (most / PIECE).max(1);
    if total > most && chunks.len() > keep {
        chunks = (0..keep).map(|i| chunks[i * chunks.len() / keep]).collect();
    }
    chunks
}
