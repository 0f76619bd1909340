//! Training of byte-pair encodings on records of any length.
//!
//! The result is that of the `BpeTrainer` of the `tokenizers` crate on the same chunks: the pair with the highest count is merged,
//! of equal ones the one with the smaller ids; counts are those of adjacent tokens, including overlapping ones in runs; pairs are
//! merged from left to right. The cost differs: nothing is stored per word, so a record can be a chromosome.
//!
//! # Algorithm
//! While the best pair is frequent, each merge is one sweep over the text, an array of token ids that shrinks in place. Once it is
//! rare, the text is laid out by base: the first and the last cell of a token contain its id, so its neighbors are found without
//! links, and each pair has a list of its occurrences. A pair is only created by the merge that creates the later of its two
//! tokens, so its list is complete from the start and sorted; an occurrence that another merge has removed is recognized by its id.
//! Counts change only next to a merge: four small tables per merge are added to the counts of pairs afterwards.
//!
//! # Memory
//! Two bytes per base for the text, four for each occurrence of a pair: 9 to 14 bytes per base in total at 4,096 entries, about 21
//! at 65,536.

mod initial_encoder;
mod learner;
mod occurrences;
mod options;
mod sweep;

use dna::{digit, is_base, reverse_complement};

use crate::error::Error;
use crate::vocabulary::SPECIALS;
use initial_encoder::InitialEncoder;
use learner::{Learner, SEPARATOR};
pub use options::{Learned, Options};

/// Sweeps end when the best pair has fewer than one occurrence per this many tokens.
const RARE: usize = 64;
/// Chunks that are encoded at once with the initial merges.
const CHUNKS: usize = 1024;
/// Maximum number of bases of all chunks together, including one separator each: positions are 32-bit integers.
pub const MAX_BASES: usize = u32::MAX as usize - 1;

/// Learns merges from `records`; every letter other than A, C, G, T splits a record. Stops early when no pair is frequent enough.
/// `progress` is called with the number of entries after every merge; if it returns `false`, training ends with an error.
///
/// # Errors
/// If the vocabulary is smaller than the alphabet or larger than 65,536, if the text is larger than [`MAX_BASES`], or if `progress`
/// returns `false`.
pub fn train(
    records: impl IntoIterator<Item = impl AsRef<[u8]>>,
    options: &Options,
    progress: &mut dyn FnMut(usize) -> bool,
) -> Result<Learned, Error> {
    let failed = |reason: String, remedy: &str| Error::Learn {
        name: format!("bpe{}", options.vocabulary),
        reason,
        remedy: remedy.to_owned(),
    };
    let first_merge = SPECIALS as usize + 4;
    if options.vocabulary < first_merge || options.vocabulary > usize::from(u16::MAX) + 1 {
        return Err(failed(
            format!("a vocabulary of {} is not between {first_merge} and 65536", options.vocabulary),
            "use a size from 9 to 65536: 5 special ids, 4 bases, merges",
        ));
    }
    let mut learner = Learner::new(options);
    for &(left, right) in &options.initial_merges {
        if left.max(right) >= learner.lengths.len() as u32 || left.min(right) < SPECIALS {
            return Err(failed(
                format!("the initial merge of {left} and {right} uses an undefined token"),
                "use the order in which the merges were learned",
            ));
        }
        learner.add_token((left as u16, right as u16), 0);
    }
    if learner.lengths.len() > options.vocabulary {
        return Err(failed(
            format!("the initial vocabulary already has {} entries", learner.lengths.len()),
            "use a larger vocabulary size than that of the initial vocabulary",
        ));
    }
    let mut encoder =
        (!options.initial_merges.is_empty()).then(|| InitialEncoder::new(&learner.tokens, &learner.merges)).flatten();
    if encoder.is_none() && !options.initial_merges.is_empty() {
        return Err(failed(
            "the initial merges are not a valid vocabulary".to_owned(),
            "each token must be created by one merge",
        ));
    }
    let strands = 1 + u64::from(options.both_strands);
    let (mut text, mut bases) = (Vec::new(), 0);
    for record in records {
        for segment in record.as_ref().split(|&base| !is_base(base)) {
            let chunk = if options.chunk_length == 0 { segment.len().max(1) } else { options.chunk_length };
            let chunks: Vec<&[u8]> = segment.chunks(chunk).collect();
            for chunks in chunks.chunks(CHUNKS) {
                append(chunks, &mut text, &mut encoder);
                if options.both_strands {
                    let reversed: Vec<Vec<u8>> = chunks.iter().map(|chunk| reverse_complement(chunk)).collect();
                    append(&reversed.iter().map(Vec::as_slice).collect::<Vec<_>>(), &mut text, &mut encoder);
                }
            }
            bases += segment.len() as u64;
        }
        if text.len() > MAX_BASES || bases > MAX_BASES as u64 / strands {
            return Err(failed(
                format!("more than {MAX_BASES} bases"),
                "train on a sample: a vocabulary hardly changes beyond 100 million bases",
            ));
        }
    }
    text.shrink_to_fit();
    drop(encoder);
    learner.count(&text);
    let mut text = Some(text);
    let mut cells = Vec::new();
    while learner.tokens.len() + (SPECIALS as usize) < options.vocabulary {
        let Some((pair, count)) = learner.best() else { break };
        if count < options.min_frequency.max(1) {
            break;
        }
        if text.as_ref().is_some_and(|text| (count as usize) < text.len() / RARE)
            && let Some(text) = text.take()
        {
            cells = learner.index(text);
        }
        let new = learner.add_token(pair, count);
        match &mut text {
            Some(text) => learner.sweep(text, pair, new),
            None => learner.merge_occurrences(&mut cells, pair, new),
        }
        if !progress(learner.tokens.len() + SPECIALS as usize) {
            return Err(failed("interrupted".to_owned(), "run it again"));
        }
    }
    let Learner { tokens, merges, counts, .. } = learner;
    Ok(Learned { tokens, merges, counts, bases })
}

/// Appends chunks to the text, each followed by a separator.
fn append(chunks: &[&[u8]], text: &mut Vec<u16>, encoder: &mut Option<InitialEncoder>) {
    match encoder {
        Some(encoder) => encoder.encode(chunks, SEPARATOR, text),
        None => {
            for chunk in chunks {
                text.extend(chunk.iter().map(|&base| base_id(base)));
                text.push(SEPARATOR);
            }
        }
    }
}

/// The id of a base; ids are in alphabetical order.
fn base_id(base: u8) -> u16 {
    SPECIALS as u16 + u16::from(digit(base))
}
