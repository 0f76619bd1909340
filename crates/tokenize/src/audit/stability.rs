//! How a cut answers to small changes of the text.

use std::collections::HashSet;

use rand::{Rng, RngExt};

use dna::reverse_complement;

use crate::Token;
use crate::token::Tokenizer;

/// Bases that are lost at the beginning, one after the other: 1 to this.
pub const SHIFTS: usize = 12;
/// Substitutions and deletions tried in a window.
const MUTATIONS: usize = 4;

/// Agreement of two sets of borders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Agreement {
    both: u64,
    first: u64,
    second: u64,
    places: u64,
}

impl Agreement {
    /// Borders that both cuts have, divided by borders that at least one has (Jaccard).
    #[must_use]
    pub fn jaccard(&self) -> f64 {
        self.both as f64 / (self.first + self.second - self.both) as f64
    }

    /// What [`Agreement::jaccard`] would be if the borders of the two cuts had nothing to do with each other: p q / (p + q - p q)
    /// for shares p and q of places that are borders.
    #[must_use]
    pub fn chance(&self) -> f64 {
        let (p, q) = (self.first as f64 / self.places as f64, self.second as f64 / self.places as f64);
        p * q / (p + q - p * q)
    }

    /// Agreement beyond chance: (J - J0) / (1 - J0). Not defined where every place is a border.
    #[must_use]
    pub fn kappa(&self) -> f64 {
        let chance = self.chance();
        if chance < 1.0 { (self.jaccard() - chance) / (1.0 - chance) } else { f64::NAN }
    }

    fn add(&mut self, first: &[bool], second: &[bool]) {
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

/// How a cut answers to small changes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stability {
    /// Borders of a window without its last 0 to [`SHIFTS`] - 1 bases against those of its reverse complement, turned back.
    pub reverse: Agreement,
    /// Borders of a window against those without its first 1 to [`SHIFTS`] bases.
    pub shift: Agreement,
    /// Bases from the new beginning to the last border that differs, for each shift of each window.
    resync: Vec<u32>,
    substitution: Vec<u32>,
    deletion: Vec<u32>,
}

impl Stability {
    /// Median number of bases from a new beginning to the last border that differs.
    #[must_use]
    pub fn resync(&self) -> f64 {
        let mut sorted = self.resync.clone();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).map_or(f64::NAN, |&bases| f64::from(bases))
    }

    /// Mean number of bases in tokens that a substitution of one base changes.
    #[must_use]
    pub fn substitution(&self) -> f64 {
        mean(&self.substitution)
    }

    /// Mean number of bases in tokens that the loss of one base changes, its shift allowed for.
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
        let cut = |text: &[u8]| {
            let mut tokens = Vec::new();
            tokenizer.encode(text, &mut tokens);
            tokens
        };
        let tokens = cut(window);
        let own = borders(&tokens, window.len());

        // Where a frame begins at the start, agreement is a matter of the length: so several lengths are tried.
        for lost in 0..SHIFTS.min(window.len() - 1) {
            let text = &window[..window.len() - lost];
            let mut turned = borders(&cut(&reverse_complement(text)), text.len());
            turned.reverse();
            self.reverse.add(&borders(&cut(text), text.len()), &turned);
        }

        for lost in 1..=SHIFTS.min(window.len() - 2) {
            let shifted = borders(&cut(&window[lost..]), window.len() - lost);
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
            self.substitution.push(recut(&cut(&changed), &known));

            let at = rng.random_range(0..window.len()) as u32;
            changed.clear();
            changed.extend(window.iter().enumerate().filter(|(i, _)| *i as u32 != at).map(|(_, &base)| base));
            let moved = tokens.iter().filter_map(|token| match token {
                token if token.end <= at => Some(*token),
                token if token.start > at => Some(Token { start: token.start - 1, end: token.end - 1, ..*token }),
                _ => None,
            });
            self.deletion.push(recut(&cut(&changed), &moved.collect()));
        }
    }
}

/// Bases inside tokens that were not there before.
fn recut(tokens: &[Token], known: &HashSet<Token>) -> u32 {
    let (mut bases, mut covered) = (0, 0);
    for token in tokens.iter().filter(|token| !known.contains(token)) {
        bases += token.end.saturating_sub(token.start.max(covered));
        covered = covered.max(token.end);
    }
    bases
}

/// Whether a token begins or ends at each of the places 1 to `length - 1`.
fn borders(tokens: &[Token], length: usize) -> Vec<bool> {
    let mut borders = vec![false; length + 1];
    for token in tokens {
        borders[token.start as usize] = true;
        borders[token.end as usize] = true;
    }
    borders[1..length].to_vec()
}

fn mean(values: &[u32]) -> f64 {
    values.iter().map(|&value| f64::from(value)).sum::<f64>() / values.len() as f64
}
