//! Candidate tokens of a masked position and their prior (`docs/protocol.md#candidate-tokens`). The softmax, in training and in scoring,
//! is over these only: never a special id, never \[UNK\].

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use tokenize::Tokenizer;

use crate::prior::{Place, SegmentationPrior};

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
    /// Its place in the masked stretch, on which the segmentation prior depends; `None` where there is no prior.
    pub place: Option<Place>,
}

impl Constraint {
    /// Any token of A, C, G, T.
    pub const ANY: Constraint =
        Constraint { max_length: u32::MAX, exact: false, previous: None, first: None, place: None };

    /// The constraint on the next of `tokens` masked tokens that together have `bases` bases: each later token needs at least one
    /// base. `previous`: the known token before it.
    #[must_use]
    pub fn new(bases: usize, tokens: usize, previous: Option<u32>) -> Constraint {
        let max_length = (bases + 1).saturating_sub(tokens) as u32;
        Constraint { max_length, exact: tokens == 1, previous, ..Constraint::ANY }
    }
}

/// The candidate tokens of one tokenizer, each with the logarithm of its prior. Pairs are looked up lazily and cached.
#[derive(Debug)]
pub struct CandidateSets {
    tokenizer: Arc<dyn Tokenizer>,
    prior: Option<Arc<SegmentationPrior>>,
    /// Tokens of A, C, G, T, by increasing length.
    by_length: Vec<u32>,
    /// By length in bases: end in `by_length` of the tokens that are not longer.
    ends: Vec<usize>,
    lengths: Vec<u32>,
    /// [`Tokenizer::is_word_initial`] of each token.
    first: Vec<Option<bool>>,
    /// By preceding token: the tokens that may follow it, ascending by id; only where there is no prior.
    pairs: HashMap<u32, Vec<u32>>,
    /// False for tokenizers of fixed length, in which every pair occurs.
    pair_rule: bool,
}

impl CandidateSets {
    /// The candidate sets of `tokenizer`, with a prior that is added to logits, or with equal candidates.
    #[must_use]
    pub fn new(tokenizer: Arc<dyn Tokenizer>, prior: Option<Arc<SegmentationPrior>>) -> CandidateSets {
        let vocabulary = tokenizer.vocabulary();
        let lengths: Vec<u32> = (0..vocabulary.len() as u32).map(|id| vocabulary.length(id) as u32).collect();
        let mut by_length: Vec<u32> = vocabulary.ids().filter(|&id| vocabulary.is_dna(id)).collect();
        by_length.sort_by_key(|&id| (lengths[id as usize], id));
        let longest = by_length.last().map_or(0, |&id| lengths[id as usize]);
        let ends = (0..=longest).map(|l| by_length.partition_point(|&id| lengths[id as usize] <= l)).collect();
        let first = (0..vocabulary.len() as u32).map(|id| tokenizer.is_word_initial(id)).collect();
        let pair_rule = tokenizer.reading().fixed().is_none();
        let prior = prior.filter(|prior| !prior.is_constant());
        CandidateSets { tokenizer, prior, by_length, ends, lengths, first, pairs: HashMap::new(), pair_rule }
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

    /// Whether all candidates of a fixed length are equal before the model has said anything, so that nothing is added to logits.
    #[must_use]
    pub fn is_constant(&self) -> bool {
        !self.pair_rule && self.prior.is_none()
    }

    /// Number of candidates of equal prior, see [`CandidateSets::is_constant`].
    pub(crate) fn number(&self, constraint: Constraint) -> usize {
        self.of_length(constraint.max_length, constraint.exact).len()
    }

    fn of_length(&self, max_length: u32, exact: bool) -> &[u32] {
        let end = |length: u32| self.ends.get(length as usize).or(self.ends.last()).copied().unwrap_or(0);
        let start = if exact && max_length > 0 { end(max_length - 1) } else { 0 };
        &self.by_length[start..end(max_length).max(start)]
    }

    /// Computes and caches the pairs that [`CandidateSets::visit`] needs for a constraint; a prior has its own.
    pub fn prepare(&mut self, constraint: Constraint) {
        if self.prior.is_some() && constraint.place.is_some() {
            return;
        }
        if let Some(previous) = constraint.previous.filter(|_| self.pair_rule) {
            let tokenizer = &self.tokenizer;
            let follow = || self.by_length.iter().copied().filter(|&id| tokenizer.may_follow(previous, id));
            self.pairs.entry(previous).or_insert_with(|| {
                let mut ids: Vec<u32> = follow().collect();
                ids.sort_unstable();
                ids
            });
        }
    }

    /// Calls `visit` with every candidate token and the logarithm of its prior (0 without a prior), always in the same order. The
    /// constraint must have been [prepared](CandidateSets::prepare).
    pub fn visit(&self, constraint: Constraint, mut visit: impl FnMut(u32, f64)) {
        if let Some((prior, place)) = self.prior.as_ref().zip(constraint.place) {
            let row = prior.row(place);
            let mut visit = |id: u32| {
                let log = row[id as usize];
                if log > f64::NEG_INFINITY {
                    visit(id, log);
                }
            };
            match constraint.previous.filter(|_| self.pair_rule) {
                Some(previous) => prior.followers(previous).iter().for_each(|&id| visit(id)),
                None => self.of_length(constraint.max_length, constraint.exact).iter().for_each(|&id| visit(id)),
            }
            return;
        }
        let pairs = constraint.previous.and_then(|id| self.pairs.get(&id));
        for &id in self.of_length(constraint.max_length, constraint.exact) {
            let position = constraint.first.is_none()
                || self.first[id as usize].is_none_or(|first| constraint.first == Some(first));
            if position && pairs.is_none_or(|ids| ids.binary_search(&id).is_ok()) {
                visit(id, 0.0);
            }
        }
    }

    /// Writes what is added to the logits of a row over the vocabulary: the logarithm of the prior, shifted so that the highest is 0, for
    /// candidates; `excluded` for all other ids.
    pub fn fill_prior(&mut self, constraint: Constraint, row: &mut [f32], excluded: f32) {
        row.fill(excluded);
        self.prepare(constraint);
        let mut highest = f64::NEG_INFINITY;
        self.visit(constraint, |_, log| highest = highest.max(log));
        self.visit(constraint, |id, log| {
            if let Some(entry) = row.get_mut(id as usize) {
                *entry = (log - highest) as f32;
            }
        });
    }
}
