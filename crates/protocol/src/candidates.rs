//! Candidate tokens of a masked position (`docs/protocol.md#candidate-tokens`). The softmax, in training and in scoring, is over
//! these only: never a special id, never \[UNK\].

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use tokenize::Tokenizer;

/// The conditions that a token must meet to be a candidate at a masked position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Constraint {
    /// Maximum length in bases.
    pub max_length: u32,
    /// Whether the length must equal `max_length`.
    pub exact: bool,
    /// The preceding token of the same span, where it is known: the two must form a pair that occurs in a tokenization (pair rule).
    pub previous: Option<u32>,
    /// Whether it is the first token of its span; set only for tokenizers that spell word-initial tokens differently (WordPiece).
    pub first: Option<bool>,
}

impl Constraint {
    /// Any token of A, C, G, T.
    pub const ANY: Constraint = Constraint { max_length: u32::MAX, exact: false, previous: None, first: None };

    /// The constraint on the next of `tokens` masked tokens that together have `bases` bases: each later token needs at least one
    /// base. `previous`: the known token before it.
    #[must_use]
    pub fn new(bases: usize, tokens: usize, previous: Option<u32>) -> Constraint {
        Constraint { max_length: (bases + 1).saturating_sub(tokens) as u32, exact: tokens == 1, previous, first: None }
    }
}

/// The candidate tokens of one tokenizer. Pairs are looked up lazily and cached.
#[derive(Debug)]
pub struct CandidateSets {
    tokenizer: Arc<dyn Tokenizer>,
    /// Tokens of A, C, G, T, by increasing length.
    by_length: Vec<u32>,
    /// By length in bases: end in `by_length` of the tokens that are not longer.
    ends: Vec<usize>,
    lengths: Vec<u32>,
    /// [`Tokenizer::is_word_initial`] of each token.
    first: Vec<Option<bool>>,
    /// By preceding token: the tokens that may follow it, as a bit set.
    pairs: HashMap<u32, Vec<u64>>,
    /// False for tokenizers of fixed length, in which every pair occurs.
    pair_rule: bool,
}

impl CandidateSets {
    /// The candidate sets of `tokenizer`.
    #[must_use]
    pub fn new(tokenizer: Arc<dyn Tokenizer>) -> CandidateSets {
        let vocabulary = tokenizer.vocabulary();
        let lengths: Vec<u32> = (0..vocabulary.len() as u32).map(|id| vocabulary.length(id) as u32).collect();
        let mut by_length: Vec<u32> = vocabulary.ids().filter(|&id| vocabulary.is_dna(id)).collect();
        by_length.sort_by_key(|&id| (lengths[id as usize], id));
        let longest = by_length.last().map_or(0, |&id| lengths[id as usize]);
        let ends = (0..=longest).map(|l| by_length.partition_point(|&id| lengths[id as usize] <= l)).collect();
        let first = (0..vocabulary.len() as u32).map(|id| tokenizer.is_word_initial(id)).collect();
        let pair_rule = tokenizer.reading().fixed().is_none();
        CandidateSets { tokenizer, by_length, ends, lengths, first, pairs: HashMap::new(), pair_rule }
    }

    /// Length of a token in bases; 0 for special ids.
    #[must_use]
    pub fn length(&self, id: u32) -> u32 {
        self.lengths.get(id as usize).copied().unwrap_or(0)
    }

    /// Size of the vocabulary, special ids included.
    #[must_use]
    pub fn vocabulary(&self) -> usize {
        self.lengths.len()
    }

    /// For a tokenizer of fixed length: the ids of that length, if they are consecutive.
    #[must_use]
    pub fn fixed_range(&self) -> Option<Range<usize>> {
        let k = self.tokenizer.reading().fixed()?;
        let ids = self.of_length(k as u32, true);
        let (first, last) = (*ids.first()? as usize, *ids.last()? as usize);
        (last - first + 1 == ids.len()).then_some(first..last + 1)
    }

    /// The ids for which a model computes logits: [`CandidateSets::fixed_range`], else the whole vocabulary.
    #[must_use]
    pub fn ids(&self) -> Range<usize> {
        self.fixed_range().unwrap_or(0..self.vocabulary())
    }

    fn of_length(&self, max_length: u32, exact: bool) -> &[u32] {
        let end = |length: u32| self.ends.get(length as usize).or(self.ends.last()).copied().unwrap_or(0);
        let start = if exact && max_length > 0 { end(max_length - 1) } else { 0 };
        &self.by_length[start..end(max_length).max(start)]
    }

    /// Computes and caches the pairs that [`CandidateSets::visit`] needs for a constraint.
    pub fn prepare(&mut self, constraint: Constraint) {
        if let Some(previous) = constraint.previous.filter(|_| self.pair_rule) {
            self.cache_pairs(previous);
        }
    }

    /// Calls `visit` with every candidate token, always in the same order. The pair rule is not applied if `pair_rule` is false or the
    /// constraint was not [prepared](CandidateSets::prepare).
    pub fn visit(&self, constraint: Constraint, pair_rule: bool, mut visit: impl FnMut(u32)) {
        let pairs = constraint.previous.filter(|_| pair_rule && self.pair_rule).and_then(|id| self.pairs.get(&id));
        for &id in self.of_length(constraint.max_length, constraint.exact) {
            let position = constraint.first.is_none()
                || self.first[id as usize].is_none_or(|first| constraint.first == Some(first));
            if position && pairs.is_none_or(|bits| bits[id as usize / 64] >> (id % 64) & 1 == 1) {
                visit(id);
            }
        }
    }

    fn cache_pairs(&mut self, previous: u32) {
        if self.pairs.contains_key(&previous) {
            return;
        }
        let mut bits = vec![0u64; self.lengths.len().div_ceil(64)];
        for &id in &self.by_length {
            if self.tokenizer.may_follow(previous, id) {
                bits[id as usize / 64] |= 1 << (id % 64);
            }
        }
        self.pairs.insert(previous, bits);
    }

    /// Writes the logit mask of a constraint to `row`: 0 for candidate tokens, `excluded` for all others.
    pub fn fill_mask(&mut self, constraint: Constraint, row: &mut [f32], excluded: f32) {
        row.fill(excluded);
        self.prepare(constraint);
        self.visit(constraint, true, |id| {
            if let Some(entry) = row.get_mut(id as usize) {
                *entry = 0.0;
            }
        });
    }
}
