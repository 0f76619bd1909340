//! Recovery of true boundaries: how well the tokens of a text agree with the words that it is made of, against tokens of the same lengths at
//! random places.

use std::ops::Range;

use rand::{Rng, RngExt};

use super::stability::Agreement;

/// Random orders of the tokens of a text by which chance is measured.
const SHUFFLES: usize = 20;

/// Agreement of tokens with the words of a text whose boundaries are known; each measure also for tokens of the same lengths in random order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Boundaries of the words (first) and of the tokens (second).
    tokens: Side,
    /// The same for tokens in random order.
    chance: Side,
}

/// What is counted of one segmentation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Side {
    boundaries: Agreement,
    /// Bases of tokens, and of them those in the word of which their token has most bases.
    bases: u64,
    pure: u64,
}

impl Recovery {
    /// Adds a text of `length` bases: the position at which each of its words starts, and the tokens that cover it in order, without overlap.
    pub fn add(&mut self, length: usize, words: &[usize], tokens: &[Range<usize>], rng: &mut impl Rng) {
        let starts: Vec<usize> = tokens.iter().map(|token| token.start).collect();
        self.tokens.add(length, words, &starts);
        let mut sizes: Vec<usize> = tokens.iter().map(Range::len).collect();
        for _ in 0..SHUFFLES {
            for at in (1..sizes.len()).rev() {
                sizes.swap(at, rng.random_range(0..=at));
            }
            let mut end = 0;
            let starts = sizes.iter().map(|size| {
                end += size;
                end - size
            });
            self.chance.add(length, words, &starts.collect::<Vec<_>>());
        }
    }

    /// Fraction of the boundaries of words at which a token starts.
    #[must_use]
    pub fn recall(&self) -> f64 {
        self.tokens.boundaries.of_first()
    }

    /// Fraction of the boundaries of tokens at which a word starts.
    #[must_use]
    pub fn precision(&self) -> f64 {
        self.tokens.boundaries.of_second()
    }

    /// Fraction of the bases that are in the word of which their token has most bases.
    #[must_use]
    pub fn purity(&self) -> f64 {
        self.tokens.purity()
    }

    /// The purity of tokens of the same lengths in random order.
    #[must_use]
    pub fn chance_purity(&self) -> f64 {
        self.chance.purity()
    }

    /// The recall of tokens of the same lengths in random order.
    #[must_use]
    pub fn chance_recall(&self) -> f64 {
        self.chance.boundaries.of_first()
    }

    /// Chance-corrected agreement of the boundaries, (J - J0) / (1 - J0), where J is their Jaccard index and J0 that of tokens of the same lengths in
    /// random order; undefined if every position is a boundary.
    #[must_use]
    pub fn kappa(&self) -> f64 {
        let (found, chance) = (self.tokens.boundaries.jaccard(), self.chance.boundaries.jaccard());
        if chance < 1.0 { (found - chance) / (1.0 - chance) } else { f64::NAN }
    }
}

impl Side {
    fn purity(&self) -> f64 {
        self.pure as f64 / self.bases as f64
    }

    /// Adds a text by the positions at which its words and tokens start.
    fn add(&mut self, length: usize, words: &[usize], tokens: &[usize]) {
        let at = |starts: &[usize]| {
            let mut at = vec![false; length];
            starts.iter().for_each(|&start| at[start] = true);
            at[1.min(length)..].to_vec()
        };
        self.boundaries.add(&at(words), &at(tokens));
        let ends = tokens.iter().skip(1).copied().chain([length]);
        for (&start, end) in tokens.iter().zip(ends) {
            // The pieces of the token between starts of words.
            let first = words.partition_point(|&word| word <= start);
            let inner = words[first..].iter().copied().take_while(|&word| word < end);
            let edges: Vec<usize> = std::iter::once(start).chain(inner).chain([end]).collect();
            let most = edges.windows(2).map(|piece| piece[1] - piece[0]).max().unwrap_or(0);
            self.bases += (end - start) as u64;
            self.pure += most as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn measured(words: &[usize], tokens: &[usize], length: usize) -> Recovery {
        let mut recovery = Recovery::default();
        let ends = tokens.iter().skip(1).copied().chain([length]);
        let tokens: Vec<Range<usize>> = tokens.iter().zip(ends).map(|(&start, end)| start..end).collect();
        recovery.add(length, words, &tokens, &mut ChaCha8Rng::seed_from_u64(1));
        recovery
    }

    #[test]
    fn known_values() {
        // Words of 4, 3 and 5 bases; tokens of 4, 2 and 6: one of two boundaries, and 2 of the last token's 6 bases are in another word.
        let found = measured(&[0, 4, 7], &[0, 4, 6], 12);
        assert_eq!((found.recall(), found.precision()), (0.5, 0.5));
        assert!((found.purity() - 11.0 / 12.0).abs() < 1e-12, "{}", found.purity());
        let same = measured(&[0, 4, 7], &[0, 4, 7], 12);
        assert_eq!((same.recall(), same.precision(), same.purity(), same.kappa()), (1.0, 1.0, 1.0, 1.0));
        // One token has no boundary inside; its purity is that of the longest word.
        let one = measured(&[0, 4, 7], &[0], 12);
        assert_eq!((one.recall(), one.purity()), (0.0, 5.0 / 12.0));
        // Single bases find every boundary, as random ones would.
        let bases: Vec<usize> = (0..12).collect();
        let bases = measured(&[0, 4, 7], &bases, 12);
        assert_eq!((bases.recall(), bases.chance_recall(), bases.kappa()), (1.0, 1.0, 0.0));
    }

    #[test]
    fn tokens_at_random_places_agree_by_chance() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let mut recovery = Recovery::default();
        let mut starts = || {
            let mut starts = vec![0];
            while let Some(&last) = starts.last().filter(|&&last| last < 1_990) {
                starts.push(last + rng.random_range(3..=9));
            }
            starts
        };
        for _ in 0..50 {
            let (words, tokens) = (starts(), starts());
            let ends = tokens.iter().skip(1).copied().chain([2_000]);
            let tokens: Vec<Range<usize>> = tokens.iter().zip(ends).map(|(&start, end)| start..end).collect();
            recovery.add(2_000, &words, &tokens, &mut ChaCha8Rng::seed_from_u64(1));
        }
        assert!(recovery.kappa().abs() < 0.01, "{}", recovery.kappa());
        assert!((recovery.purity() - recovery.chance_purity()).abs() < 0.01);
    }
}
