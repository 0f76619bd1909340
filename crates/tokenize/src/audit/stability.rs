//! Stability of a tokenization under small changes of the text.

use std::collections::HashSet;

use rand::{Rng, RngExt};

use dna::reverse_complement;

use crate::Token;
use crate::token::Tokenizer;

/// Maximum shift: the first 1 to this many bases are removed.
pub const SHIFTS: usize = 12;
/// Number of substitutions and of deletions per window.
const MUTATIONS: usize = 4;

/// Agreement of two sets of token boundaries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Agreement {
    both: u64,
    first: u64,
    second: u64,
    places: u64,
}

impl Agreement {
    /// Jaccard index: boundaries in both tokenizations divided by boundaries in at least one.
    #[must_use]
    pub fn jaccard(&self) -> f64 {
        self.both as f64 / (self.first + self.second - self.both) as f64
    }

    /// The Jaccard index expected for independent boundaries: p q / (p + q - p q), where p and q are the fractions of positions
    /// that are boundaries.
    #[must_use]
    pub fn chance(&self) -> f64 {
        let (p, q) = (self.first as f64 / self.places as f64, self.second as f64 / self.places as f64);
        p * q / (p + q - p * q)
    }

    /// Chance-corrected agreement κ: (J - J0) / (1 - J0). Undefined if every position is a boundary.
    #[must_use]
    pub fn kappa(&self) -> f64 {
        let chance = self.chance();
        if chance < 1.0 { (self.jaccard() - chance) / (1.0 - chance) } else { f64::NAN }
    }

    /// Fraction of the first boundaries that are among the second.
    pub(super) fn of_first(&self) -> f64 {
        self.both as f64 / self.first as f64
    }

    /// Fraction of the second boundaries that are among the first.
    pub(super) fn of_second(&self) -> f64 {
        self.both as f64 / self.second as f64
    }

    /// Adds two sets of boundaries, by position.
    pub(super) fn add(&mut self, first: &[bool], second: &[bool]) {
        self.places += first.len() as u64;
        for (&first, &second) in first.iter().zip(second) {
            self.first += u64::from(first);
            self.second += u64::from(second);
            self.both += u64::from(first && second);
        }
    }

    fn merge(&mut self, other: &Agreement) {
        self.both += other.both;
        self.first += other.first;
        self.second += other.second;
        self.places += other.places;
    }
}

/// Stability of a tokenization under small changes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stability {
    /// Boundaries of a window without its last 0 to [`SHIFTS`] - 1 bases, compared with those of its reverse complement in reverse
    /// order.
    pub reverse: Agreement,
    /// Boundaries of a window, compared with those without its first 1 to [`SHIFTS`] bases.
    pub shift: Agreement,
    /// Bases from the new start to the last boundary that differs, for each shift of each window.
    resync: Vec<u32>,
    substitution: Vec<u32>,
    deletion: Vec<u32>,
}

impl Stability {
    /// Median number of bases from a new start to the last boundary that differs.
    #[must_use]
    pub fn resync(&self) -> f64 {
        let mut sorted = self.resync.clone();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).map_or(f64::NAN, |&bases| f64::from(bases))
    }

    /// Mean number of bases in tokens that the substitution of one base changes.
    #[must_use]
    pub fn substitution(&self) -> f64 {
        mean(&self.substitution)
    }

    /// Mean number of bases in tokens that the deletion of one base changes, apart from the shift of positions.
    #[must_use]
    pub fn deletion(&self) -> f64 {
        mean(&self.deletion)
    }

    pub(super) fn merge(&mut self, other: &Stability) {
        self.reverse.merge(&other.reverse);
        self.shift.merge(&other.shift);
        self.resync.extend(&other.resync);
        self.substitution.extend(&other.substitution);
        self.deletion.extend(&other.deletion);
    }

    pub(super) fn add(&mut self, tokenizer: &dyn Tokenizer, window: &[u8], rng: &mut impl Rng) {
        if window.len() < 2 {
            return;
        }
        let encode = |text: &[u8]| {
            let mut tokens = Vec::new();
            tokenizer.encode(text, &mut tokens);
            tokens
        };
        let tokens = encode(window);
        let own = boundaries(&tokens, window.len());

        // Tokenizers that start at the sequence start agree depending on the length, so several lengths are measured.
        for lost in 0..SHIFTS.min(window.len() - 1) {
            let text = &window[..window.len() - lost];
            let mut reversed = boundaries(&encode(&reverse_complement(text)), text.len());
            reversed.reverse();
            self.reverse.add(&boundaries(&encode(text), text.len()), &reversed);
        }

        for lost in 1..=SHIFTS.min(window.len() - 2) {
            let shifted = boundaries(&encode(&window[lost..]), window.len() - lost);
            self.shift.add(&own[lost..], &shifted);
            let last = own[lost..].iter().zip(&shifted).rposition(|(own, shifted)| own != shifted);
            self.resync.push(last.map_or(0, |at| at as u32 + 1));
        }

        let known: HashSet<Token> = tokens.iter().copied().collect();
        for _ in 0..MUTATIONS {
            let at = rng.random_range(0..window.len());
            let mut changed = window.to_vec();
            let other: Vec<u8> = b"ACGT".iter().copied().filter(|&base| base != window[at]).collect();
            changed[at] = other[rng.random_range(0..other.len())];
            self.substitution.push(changed_bases(&encode(&changed), &known));

            let at = rng.random_range(0..window.len()) as u32;
            changed.clear();
            changed.extend(window.iter().enumerate().filter(|(i, _)| *i as u32 != at).map(|(_, &base)| base));
            let moved = tokens.iter().filter_map(|token| match token {
                token if token.end <= at => Some(*token),
                token if token.start > at => Some(Token { start: token.start - 1, end: token.end - 1, ..*token }),
                _ => None,
            });
            self.deletion.push(changed_bases(&encode(&changed), &moved.collect()));
        }
    }
}

/// Number of bases in tokens that are not among `known`.
fn changed_bases(tokens: &[Token], known: &HashSet<Token>) -> u32 {
    let (mut bases, mut covered) = (0, 0);
    for token in tokens.iter().filter(|token| !known.contains(token)) {
        bases += token.end.saturating_sub(token.start.max(covered));
        covered = covered.max(token.end);
    }
    bases
}

/// For each position from 1 to `length - 1`: whether a token starts or ends there.
fn boundaries(tokens: &[Token], length: usize) -> Vec<bool> {
    let mut boundaries = vec![false; length + 1];
    for token in tokens {
        boundaries[token.start as usize] = true;
        boundaries[token.end as usize] = true;
    }
    boundaries[1..length].to_vec()
}

fn mean(values: &[u32]) -> f64 {
    values.iter().map(|&value| f64::from(value)).sum::<f64>() / values.len() as f64
}
