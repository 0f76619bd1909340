//! The trait [`Tokenizer`] and functions on its tokens.

use std::any::Any;

use bpe::Token;
use bpe::vocabulary::{UNK, Vocabulary};
use dna::is_base;

/// How a tokenizer reads a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Tokens are adjacent and do not overlap. `Some(k)`: every token inside a masked span has k bases.
    Tiling(Option<usize>),
    /// Tokens of `k` bases start every `stride` bases and overlap.
    Sliding {
        /// Bases per token.
        k: usize,
        /// Bases between starts.
        stride: usize,
    },
}

impl Reading {
    /// The length of every token inside a masked span, if it is fixed.
    #[must_use]
    pub fn fixed(self) -> Option<usize> {
        match self {
            Reading::Tiling(k) => k,
            Reading::Sliding { k, .. } => Some(k),
        }
    }
}

/// A tokenizer of DNA. Pure: the same bases always give the same tokens.
///
/// Code with a faster implementation for one type of tokenizer can downcast: `let any: Arc<dyn Any + Send + Sync> = tokenizer;`.
pub trait Tokenizer: Any + Send + Sync + std::fmt::Debug {
    /// Canonical name, as in the registry.
    fn name(&self) -> &str;

    /// The vocabulary, special ids included.
    fn vocabulary(&self) -> &Vocabulary;

    /// How sequences are read.
    fn reading(&self) -> Reading;

    /// Encodes `bases` (upper case; every letter other than A, C, G, T becomes \[UNK\]) as tokens sorted by start. `out` is cleared
    /// first. No special tokens, no padding.
    fn encode(&self, bases: &[u8], out: &mut Vec<Token>);

    /// Pair rule: whether `second` can directly follow `first` in a tokenization, that is `encode(first second) = [first, second]`,
    /// or for a `first` that is never word-initial, the same after another token. Always true for tokenizers without such a rule
    /// (fixed lengths, random segmentation).
    fn may_follow(&self, _first: u32, _second: u32) -> bool {
        true
    }

    /// Whether a token occurs only at the start of a word (`Some(true)`) or never (`Some(false)`), for vocabularies that
    /// distinguish the two: WordPiece has two spellings of the same bases. `None`: no distinction.
    fn is_word_initial(&self, _id: u32) -> Option<bool> {
        None
    }

    /// For a random segmentation: the weight with which a token is drawn among others. `None`: the segmentation is a function of the
    /// bases.
    fn random_weight(&self, _id: u32) -> Option<f64> {
        None
    }

    /// The data from which [`crate::Recipe::load`] restores the tokenizer, for learned vocabularies.
    fn save(&self) -> Option<Vec<u8>> {
        None
    }
}

/// The bases of `tokens`; \[UNK\] gives `N`. Inverse of [`Tokenizer::encode`] up to [`normalize`].
#[must_use]
pub fn decode(tokens: &[Token], vocabulary: &Vocabulary) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::new();
    for token in tokens {
        let (start, end) = (token.start as usize, token.end as usize);
        let known = out.len().clamp(start, end);
        match vocabulary.bases(token.id) {
            Some(bases) if token.id != UNK && bases.len() == end - start => {
                out.extend_from_slice(&bases[known - start..]);
            }
            _ => out.extend(std::iter::repeat_n(b'N', end - known)),
        }
    }
    out
}

/// The sequence as far as tokens can represent it: A, C, G, T are kept, every other byte becomes `N`. (Readers convert lower case,
/// U and IUPAC codes before.)
#[must_use]
pub fn normalize(bases: &[u8]) -> Vec<u8> {
    bases.iter().map(|&b| if is_base(b) { b } else { b'N' }).collect()
}
