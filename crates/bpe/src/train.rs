//! Learning merges from records of any length.
//!
//! The result is that of the `tokenizers` crate's `BpeTrainer` on the same pieces: always the pair with the highest count, of
//! equals the one with the smaller ids; counts are those of adjacent tokens, overlapping ones in runs included; merging goes
//! from left to right. What differs is the cost: nothing is kept per word, so a record may be a chromosome.
//!
//! # How
//! While the best pair is frequent, each merge is one sweep over the text, a list of token ids that shrinks under it. When
//! it is rare, the text is laid out by base: the first and the last cell of a token hold its id, so its neighbours are
//! found without links, and each pair has a list of the places where it was made. A pair is only ever made at the merge that
//! makes the later of its two tokens, so its list is complete from the beginning and in order; a place at which the pair
//! has been overtaken by another merge is recognised by its id. Counts change only in the neighbourhood of a merge: four
//! small tables per merge, added to the counts of pairs afterwards.
//!
//! # Memory
//! Two bytes a base for the text, four for each place of a pair: 9 to 14 bytes a base in all at 4,096 entries, about 21 at 65,536.

mod cutter;
mod learner;
mod options;
mod places;
mod sweep;

use dna::{digit, is_base, reverse_complement};

use crate::error::Error;
use crate::vocabulary::SPECIALS;
use cutter::Cutter;
use learner::{BORDER, Learner};
pub use options::{Learned, Options};

/// Sweeps end when the best pair stands at fewer than one of so many tokens.
const RARE: usize = 64;
/// Pieces that are cut at once by known merges.
const PIECES: usize = 1024;
/// Most bases of all pieces together, one border for each included: places are numbers of 32 bits.
pub const MOST_BASES: usize = u32::MAX as usize - 1;

/// Learns merges from `records`: stretches of A, C, G, T; every other letter splits. Stops early when no pair is frequent
/// enough. `tell` hears the number of entries after every merge; if it answers `false`, learning ends with an error.
///
/// # Errors
/// If the vocabulary is smaller than the alphabet or larger than 65,536, the text is larger than [`MOST_BASES`], or `tell`
/// says so.
pub fn train(
    records: impl IntoIterator<Item = impl AsRef<[u8]>>,
    options: &Options,
    tell: &mut dyn FnMut(usize) -> bool,
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
            "5 special ids and 4 bases come first",
        ));
    }
    let mut learner = Learner::new(options);
    for &(left, right) in &options.known {
        if left.max(right) >= learner.lengths.len() as u32 || left.min(right) < SPECIALS {
            return Err(failed(
                format!("the known merge of {left} and {right} is not one of tokens before it"),
                "give the merges in the order in which they were learned",
            ));
        }
        learner.name((left as u16, right as u16), 0);
    }
    if learner.lengths.len() > options.vocabulary {
        return Err(failed(
            format!("{} entries are known already", learner.lengths.len()),
            "ask for a larger vocabulary than the one that is continued",
        ));
    }
    let mut cutter = (!options.known.is_empty()).then(|| Cutter::new(&learner.tokens, &learner.merges)).flatten();
    if cutter.is_none() && !options.known.is_empty() {
        return Err(failed("the known merges make no vocabulary".to_owned(), "each token must be made by one merge"));
    }
    let strands = 1 + u64::from(options.both_strands);
    let (mut text, mut bases) = (Vec::new(), 0);
    for record in records {
        for stretch in record.as_ref().split(|&base| !is_base(base)) {
            let piece = if options.piece == 0 { stretch.len().max(1) } else { options.piece };
            let pieces: Vec<&[u8]> = stretch.chunks(piece).collect();
            for pieces in pieces.chunks(PIECES) {
                put(pieces, &mut text, &mut cutter);
                if options.both_strands {
                    let turned: Vec<Vec<u8>> = pieces.iter().map(|piece| reverse_complement(piece)).collect();
                    put(&turned.iter().map(Vec::as_slice).collect::<Vec<_>>(), &mut text, &mut cutter);
                }
            }
            bases += stretch.len() as u64;
        }
        if text.len() > MOST_BASES || bases > MOST_BASES as u64 / strands {
            return Err(failed(
                format!("more than {MOST_BASES} bases"),
                "learn from a sample: a vocabulary hardly changes beyond some 100 million bases",
            ));
        }
    }
    text.shrink_to_fit();
    drop(cutter);
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
            cells = learner.lay_out(text);
        }
        let new = learner.name(pair, count);
        match &mut text {
            Some(text) => learner.sweep(text, pair, new),
            None => learner.visit(&mut cells, pair, new),
        }
        if !tell(learner.tokens.len() + SPECIALS as usize) {
            return Err(failed("interrupted".to_owned(), "start it again"));
        }
    }
    let Learner { tokens, merges, places, .. } = learner;
    Ok(Learned { tokens, merges, counts: places, bases })
}

/// Appends pieces to the text, each followed by a border.
fn put(pieces: &[&[u8]], text: &mut Vec<u16>, cutter: &mut Option<Cutter>) {
    match cutter {
        Some(cutter) => cutter.cut(pieces, BORDER, text),
        None => {
            for piece in pieces {
                text.extend(piece.iter().map(|&base| letter(base)));
                text.push(BORDER);
            }
        }
    }
}

/// Ids of the bases, in the order of their letters.
fn letter(base: u8) -> u16 {
    SPECIALS as u16 + u16::from(digit(base))
}
