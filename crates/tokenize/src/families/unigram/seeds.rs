//! The tokens with which learning begins: every repeated word of up to 16 bases.
//!
//! Such a word is a number of 32 bits. Those that repeat are found in one sorted list of the next 17 letters at every place: they
//! are what neighbours of the list share.

use dna::digit;
use rayon::prelude::*;

/// Most bases of a token, as in SentencePiece.
pub(super) const LONGEST: usize = 16;
/// Most tokens to begin with, as in SentencePiece.
pub(super) const SEEDS: usize = 1_000_000;

/// A token: its bases as a number, two bits each, and the logarithm of its probability.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    pub(super) word: Word,
    pub(super) score: f64,
}

/// Up to 16 bases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Word {
    pub(super) code: u32,
    pub(super) length: u8,
}

impl Word {
    pub(super) fn bases(self) -> Vec<u8> {
        (0..self.length).rev().map(|i| b"ACGT"[(self.code >> (2 * i)) as usize & 3]).collect()
    }

    /// Alphabetical order is that of these numbers: letters 1 to 4, then zeros.
    fn rank(self) -> u64 {
        let letters = (0..self.length).rev().fold(0, |rank, i| rank << 3 | ((u64::from(self.code >> (2 * i)) & 3) + 1));
        letters << (3 * (LONGEST - usize::from(self.length)))
    }
}

/// A sentence of A, C, G, T and how often it occurs.
pub(super) type Sentence<'a> = (&'a [u8], u32);

/// The bases, then every word that occurs twice, with different letters behind it, by the bases that it covers.
pub(super) fn seeds(sentences: &[Sentence]) -> Vec<Piece> {
    // The next 17 letters at every place, 1 to 4, zeros from the end of the sentence on.
    let mut ahead: Vec<u64> = Vec::with_capacity(sentences.iter().map(|(sentence, _)| sentence.len()).sum());
    let mut counts = [0u64; 4];
    for (sentence, count) in sentences {
        let mut window = 0;
        for &base in sentence.iter().rev() {
            window = window >> 3 | (u64::from(digit(base)) + 1) << (3 * LONGEST);
            ahead.push(window);
            counts[usize::from(digit(base))] += u64::from(*count);
        }
    }
    ahead.par_sort_unstable();
    let mut words: Vec<(u32, Word)> = Vec::new();
    // Words that are open at a place of the list: length, and where they began.
    let mut open: Vec<(usize, usize)> = Vec::new();
    for place in 0..=ahead.len() {
        let shared = match place {
            0 => 0,
            _ if place == ahead.len() => 0,
            _ => {
                let differ = ahead[place - 1] ^ ahead[place];
                ((differ.leading_zeros() as usize).saturating_sub(64 - 3 * (LONGEST + 1))) / 3
            }
        };
        let mut began = place.saturating_sub(1);
        while let Some(&(length, first)) = open.last().filter(|(length, _)| *length > shared) {
            open.pop();
            began = first;
            let code = ahead[first] >> (3 * (LONGEST + 1 - length.min(LONGEST + 1)));
            let whole = length <= LONGEST && code & 7 != 0;
            if whole && length > 1 {
                let code = (0..length).rev().fold(0, |word, i| word << 2 | ((code >> (3 * i) & 7) - 1) as u32);
                words.push(((place - first) as u32 * length as u32, Word { code, length: length as u8 }));
            }
        }
        if shared > open.last().map_or(0, |open| open.0) {
            open.push((shared, began));
        }
    }
    words.par_sort_unstable_by_key(|&(covered, word)| std::cmp::Reverse((covered, word.rank())));
    let mut bases: Vec<(u64, u8)> = counts.into_iter().zip(0..).collect();
    bases.sort_unstable_by_key(|&base| std::cmp::Reverse(base));
    let bases = bases.into_iter().map(|(count, code)| (count as f64, Word { code: u32::from(code), length: 1 }));
    let words = words.into_iter().map(|(covered, word)| (f64::from(covered), word));
    let mut pieces: Vec<Piece> = bases.chain(words).take(SEEDS).map(|(score, word)| Piece { word, score }).collect();
    let sum = pieces.iter().map(|piece| piece.score).sum::<f64>().ln();
    pieces.iter_mut().for_each(|piece| piece.score = piece.score.ln() - sum);
    pieces
}
