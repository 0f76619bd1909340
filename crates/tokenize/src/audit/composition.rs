//! Token counts and derived statistics. Entropies are in bits.

use crate::Token;
use crate::token::{Reading, Tokenizer};
use crate::vocabulary::SPECIALS;

/// The order of the Rényi entropy (Zouhar et al., ACL 2023).
const ALPHA: f64 = 2.5;

/// Counts of the tokens of a text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Composition {
    /// Bases of the text.
    pub bases: u64,
    /// Number of tokens by id, special ids included (\[UNK\] is an unknown base).
    pub counts: Vec<u64>,
    /// Number of tokens by length in bases; index 0 is one base.
    pub lengths: Vec<u64>,
    /// Ids that can occur inside a text: no special ids, and for k-mers no shorter tokens of sequence ends.
    regular: Vec<bool>,
    /// k of overlapping k-mers.
    sliding: Option<usize>,
}

impl Composition {
    pub(super) fn new(tokenizer: &dyn Tokenizer) -> Composition {
        let sliding = match tokenizer.reading() {
            Reading::Tiling(_) => None,
            Reading::Sliding { k, .. } => Some(k),
        };
        let vocabulary = tokenizer.vocabulary();
        let fixed = tokenizer.reading().fixed();
        let regular = |id| id >= SPECIALS && fixed.is_none_or(|k| vocabulary.length(id) == k);
        Composition {
            counts: vec![0; vocabulary.len()],
            regular: (0..vocabulary.len() as u32).map(regular).collect(),
            sliding,
            ..Composition::default()
        }
    }

    pub(super) fn add(&mut self, bases: usize, tokens: &[Token]) {
        self.bases += bases as u64;
        for token in tokens {
            self.counts[token.id as usize] += 1;
            let length = (token.end - token.start) as usize;
            if self.lengths.len() < length {
                self.lengths.resize(length, 0);
            }
            if let Some(count) = length.checked_sub(1).and_then(|at| self.lengths.get_mut(at)) {
                *count += 1;
            }
        }
    }

    pub(super) fn merge(&mut self, other: &Composition) {
        self.bases += other.bases;
        self.sliding = other.sliding;
        self.regular.clone_from(&other.regular);
        for (own, more) in [(&mut self.counts, &other.counts), (&mut self.lengths, &other.lengths)] {
            if own.len() < more.len() {
                own.resize(more.len(), 0);
            }
            own.iter_mut().zip(more).for_each(|(own, more)| *own += more);
        }
    }

    /// Number of tokens.
    #[must_use]
    pub fn tokens(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Bases divided by tokens. For overlapping k-mers about the stride.
    #[must_use]
    pub fn bases_per_token(&self) -> f64 {
        self.bases as f64 / self.tokens() as f64
    }

    /// Mean number of tokens that cover a base: 1 for tiling tokenizers.
    #[must_use]
    pub fn overlap(&self) -> f64 {
        let inside: u64 = self.lengths.iter().zip(1..).map(|(count, length)| count * length).sum();
        inside as f64 / self.bases as f64
    }

    /// Number of entries of the vocabulary that can occur inside a text.
    fn nominal(&self) -> f64 {
        self.regular.iter().filter(|&&regular| regular).count() as f64
    }

    /// Fraction of the vocabulary (without special ids and shorter tokens of sequence ends) that occurs at least `times` times.
    #[must_use]
    pub fn used(&self, times: u64) -> f64 {
        let counts = self.counts.iter().zip(&self.regular);
        counts.filter(|&(&count, &regular)| regular && count >= times.max(1)).count() as f64 / self.nominal()
    }

    /// The smallest number of distinct tokens that make up the fraction `fraction` of all tokens.
    #[must_use]
    pub fn covering(&self, fraction: f64) -> f64 {
        let mut counts: Vec<u64> = self.counts.iter().copied().filter(|&count| count > 0).collect();
        counts.sort_unstable_by(|a, b| b.cmp(a));
        let wanted = fraction * counts.iter().sum::<u64>() as f64;
        let mut sum = 0;
        let enough = |count: &u64| {
            sum += count;
            sum as f64 >= wanted
        };
        counts.iter().position(enough).map_or(f64::NAN, |at| at as f64 + 1.0)
    }

    /// Entropy of the token distribution in bits per token, with the Miller-Madow correction for finite samples (Miller 1955), which is
    /// `(K - 1) / (2 N ln 2)` for K distinct tokens among N. It also holds for overlapping k-mers, whose counts vary as those of
    /// independent ones (Good 1953).
    #[must_use]
    pub fn entropy(&self) -> f64 {
        if self.tokens() == 0 {
            return f64::NAN;
        }
        let all = self.tokens() as f64;
        let used = || self.counts.iter().filter(|&&count| count > 0).map(|&count| count as f64);
        let plain: f64 = used().map(|count| -count / all * (count / all).log2()).sum();
        plain + (used().count() as f64 - 1.0) / (2.0 * all * std::f64::consts::LN_2)
    }

    /// Unseen mass: the estimated fraction of further tokens of the same text source that would be distinct from all observed ones
    /// (Good-Turing: tokens observed once divided by all tokens; Good 1953). If it is large, the entropy is underestimated despite
    /// the correction.
    #[must_use]
    pub fn unseen(&self) -> f64 {
        self.counts.iter().filter(|&&count| count == 1).count() as f64 / self.tokens() as f64
    }

    /// Rényi efficiency of order 2.5: H_α / log |V| over the tokens that can occur inside a text, where |V| is their number. To be
    /// compared with a baseline only: it can be increased arbitrarily without any gain (Cognetta et al., 2024).
    #[must_use]
    pub fn renyi(&self) -> f64 {
        let counts = || self.counts.iter().zip(&self.regular).filter(|(_, regular)| **regular).map(|(&count, _)| count);
        let all = counts().sum::<u64>() as f64;
        if all == 0.0 {
            return f64::NAN;
        }
        let sum: f64 = counts().filter(|&count| count > 0).map(|count| (count as f64 / all).powf(ALPHA)).sum();
        sum.log2() / (1.0 - ALPHA) / self.nominal().log2()
    }

    /// Bits per base of a unigram code, which knows the frequencies of tokens only: entropy times tokens per base. For overlapping
    /// k-mers, entropy / k, since every k-th token suffices. The excess over the entropy of the source is the cost of the
    /// tokenization.
    #[must_use]
    pub fn bits_per_base(&self) -> f64 {
        match self.sliding {
            Some(k) => self.entropy() / k as f64,
            None => self.entropy() * self.tokens() as f64 / self.bases as f64,
        }
    }
}
