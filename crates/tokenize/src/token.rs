//! The contract of a tokenizer, and what follows from it alone.

use std::any::Any;

use bpe::Token;
use bpe::vocabulary::{UNK, Vocabulary};
use dna::is_base;

/// How a tokenizer reads a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Tokens lie side by side. `Some(k)`: every token inside a masked span has k bases.
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
    /// The length of every token inside a masked span, where it is fixed.
    #[must_use]
    pub fn fixed(self) -> Option<usize> {
        match self {
            Reading::Tiling(k) => k,
            Reading::Sliding { k, .. } => Some(k),
        }
    }
}

/// A fixed way to cut DNA. Pure: the same bases give the same tokens, whatever was encoded before.
///
/// Whoever has a faster way for one kind of tokenizer asks for it: `let any: Arc<dyn Any + Send + Sync> = tokenizer;` can be downcast.
pub trait Tokenizer: Any + Send + Sync + std::fmt::Debug {
    /// Canonical name, as in the registry.
    fn name(&self) -> &str;

    /// The vocabulary, special ids included.
    fn vocabulary(&self) -> &Vocabulary;

    /// How the sequence is read.
    fn reading(&self) -> Reading;

    /// Cuts `bases` (upper case; anything but A, C, G, T becomes \[UNK\]) into tokens, in order of their starts. `out` is
    /// cleared first. No special tokens, no padding.
    fn encode(&self, bases: &[u8], out: &mut Vec<Token>);

    /// Whether `second` can stand right after `first` in a cut: `encode(first second) = [first, second]`, or for a `first` that
    /// never stands first, the same behind something else. Always true where the cut has no such rule (fixed lengths, random
    /// cuts).
    fn may_follow(&self, _first: u32, _second: u32) -> bool {
        true
    }

    /// Whether a token is always the first of a stretch (`Some(true)`) or never (`Some(false)`), where the vocabulary tells:
    /// WordPiece spells the same bases in two ways. `None`: it can stand anywhere.
    fn stands_first(&self, _id: u32) -> Option<bool> {
        None
    }

    /// What [`crate::registry::Recipe::load`] needs to build the tokenizer again, for learned vocabularies.
    fn save(&self) -> Option<Vec<u8>> {
        None
    }
}

/// The bases that `tokens` stand for; \[UNK\] gives `N`s. Inverse of [`Tokenizer::encode`] up to [`normalise`].
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

/// What a tokenizer can tell of a sequence: A, C, G, T stay, every other byte becomes `N`. (Lower case, U and IUPAC codes
/// are the reader's business: it upper-cases and counts before a tokenizer sees them.)
#[must_use]
pub fn normalise(bases: &[u8]) -> Vec<u8> {
    bases.iter().map(|&b| if is_base(b) { b } else { b'N' }).collect()
}
