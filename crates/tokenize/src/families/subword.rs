//! Shared code of families with a learned vocabulary: sizes in names, chunks of training text, and recipes that store a
//! `tokenizer.json`.

use std::sync::Arc;

use bpe::HuggingFace;
use dna::is_base;

use crate::error::Error;
use crate::name::Name;
use crate::recipe::Recipe;
use crate::token::Reading;

/// Maximum number of training bases: of longer texts, evenly spaced chunks are used.
pub const TRAINING_BASES: usize = 8_000_000;
/// Bases per training chunk.
pub const CHUNK_LENGTH: usize = 512;

/// The vocabulary size in a name such as `bpe4096`: at least `least`, which is one of each of `parts`.
pub(super) fn size(name: &Name, least: u64, parts: &str) -> Result<usize, Error> {
    let wrong = |reason: String| Error::Name {
        name: name.written.clone(),
        reason,
        remedy: format!("use for example \"{}4096\" ({least} to 65536 entries: {parts})", name.stem),
    };
    match name.number {
        _ if !name.words.is_empty() => Err(wrong("unknown variant".into())),
        None => Err(wrong("missing vocabulary size".into())),
        Some(size) if size < least => Err(wrong(format!("a vocabulary of {size} is smaller than the alphabet"))),
        Some(size @ ..=65_536) => Ok(size as usize),
        Some(size) => Err(wrong(format!("a vocabulary of {size} is too large"))),
    }
}

/// The recipe of a tokenizer whose vocabulary `learn` gives as a `tokenizer.json`.
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
        move |chunks| {
            let json = learn(&for_fit, chunks)?;
            Ok(Arc::new(HuggingFace::from_json(for_fit.clone(), &json, "learned vocabulary")?))
        },
        move |saved| Ok(Arc::new(HuggingFace::from_json(for_load.clone(), saved, "learned vocabulary")?)),
    )
}

/// Returns an error if the vocabulary is smaller than requested.
pub(super) fn enough(name: &str, size: usize, entries: usize) -> Result<(), Error> {
    if entries < size {
        return Err(Error::Fit {
            name: name.to_owned(),
            reason: format!("the training text gives only {entries} entries"),
            remedy: "use a smaller vocabulary or more training text".to_owned(),
        });
    }
    Ok(())
}

/// Evenly spaced chunks of at most [`CHUNK_LENGTH`] bases of A, C, G, T, at most `most` bases in total.
pub(super) fn training_chunks<'a>(texts: &mut dyn Iterator<Item = &'a [u8]>, most: usize) -> Vec<&'a str> {
    let mut chunks = Vec::new();
    for text in texts {
        for segment in text.split(|&b| !is_base(b)) {
            chunks.extend(segment.chunks(CHUNK_LENGTH).filter_map(|chunk| std::str::from_utf8(chunk).ok()));
        }
    }
    let total: usize = chunks.iter().map(|chunk| chunk.len()).sum();
    let keep = (most / CHUNK_LENGTH).max(1);
    if total > most && chunks.len() > keep {
        chunks = (0..keep).map(|i| chunks[i * chunks.len() / keep]).collect();
    }
    chunks
}
