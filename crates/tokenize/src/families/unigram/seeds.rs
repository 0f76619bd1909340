//! Seed tokens: every repeated substring of up to 16 bases.
//!
//! Substrings are 32-bit integers. Repeated ones are found in one sorted array of the next 17 letters at every position: they are
//! common prefixes of adjacent entries.

use dna::digit;
use rayon::prelude::*;

/// Maximum token length in bases, as in SentencePiece.
pub(super) const LONGEST: usize = 16;
/// Maximum number of seeds, as in SentencePiece.
pub(super) const SEEDS: usize = 1_000_000;

/// A token (a "piece" in SentencePiece): its bases with two bits each, and the logarithm of its probability.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    pub(super) string: Substring,
    pub(super) score: f64,
}

/// A string of up to 16 bases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Substring {
    pub(super) code: u32,
    pub(super) length: u8,
}

impl Substring {
    pub(super) fn bases(self) -> Vec<u8> {
        (0..self.length).rev().map(|i| b"ACGT"[(self.code >> (2 * i)) as usize & 3]).collect()
    }

    /// A number in alphabetical order: letters 1 to 4, then zeros.
    fn rank(self) -> u64 {
        let letters = (0..self.length).rev().fold(0, |rank, i| rank << 3 | ((u64::from(self.code >> (2 * i)) & 3) + 1));
        letters << (3 * (LONGEST - usize::from(self.length)))
    }
}

/// A sentence of A, C, G, T and its number of occurrences.
pub(super) type Sentence<'a> = (&'a [u8], u32);

/// The bases, then every substring that occurs twice with different next letters, sorted by the number of bases that it covers.
pub(super) fn seeds(sentences: &[Sentence]) -> Vec<Piece> {
    // The next 17 letters at every position, 1 to 4, with zeros from the end of the sentence on.
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
    let mut substrings: Vec<(u32, Substring)> = Vec::new();
    // Substrings that are open at a position of the array: length and first position.
    let mut open: Vec<(usize, usize)> = Vec::new();
    for position in 0..=ahead.len() {
        let shared = match position {
            0 => 0,
            _ if position == ahead.len() => 0,
            _ => {
                let differ = ahead[position - 1] ^ ahead[position];
                ((differ.leading_zeros() as usize).saturating_sub(64 - 3 * (LONGEST + 1))) / 3
            }
        };
        let mut began = position.saturating_sub(1);
        while let Some(&(length, first)) = open.last().filter(|(length, _)| *length > shared) {
            open.pop();
            began = first;
            let code = ahead[first] >> (3 * (LONGEST + 1 - length.min(LONGEST + 1)));
            let whole = length <= LONGEST && code & 7 != 0;
            if whole && length > 1 {
                let code = (0..length).rev().fold(0, |bits, i| bits << 2 | ((code >> (3 * i) & 7) - 1) as u32);
                substrings.push(((position - first) as u32 * length as u32, Substring { code, length: length as u8 }));
            }
        }
        if shared > open.last().map_or(0, |open| open.0) {
            open.push((shared, began));
        }
    }
    substrings.par_sort_unstable_by_key(|&(covered, string)| std::cmp::Reverse((covered, string.rank())));
    let mut bases: Vec<(u64, u8)> = counts.into_iter().zip(0..).collect();
    bases.sort_unstable_by_key(|&base| std::cmp::Reverse(base));
    let bases = bases.into_iter().map(|(count, code)| (count as f64, Substring { code: u32::from(code), length: 1 }));
    let substrings = substrings.into_iter().map(|(covered, string)| (f64::from(covered), string));
    let mut pieces: Vec<Piece> =
        bases.chain(substrings).take(SEEDS).map(|(score, string)| Piece { string, score }).collect();
    let sum = pieces.iter().map(|piece| piece.score).sum::<f64>().ln();
    pieces.iter_mut().for_each(|piece| piece.score = piece.score.ln() - sum);
    pieces
}
