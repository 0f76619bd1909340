//! Which tokens could stand at a hidden place at all (`docs/protocol.md#candidate-tokens`). Softmax, in training and in scoring, runs over
//! these only: never a special id, never \[UNK\].

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use tokenize::Tokenizer;

/// The condition a token must meet at a hidden place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Legal {
    /// At most so many bases.
    pub longest: u32,
    /// Exactly so many bases.
    pub exact: bool,
    /// The token just before it in the same span, where it is known: only pairs that occur in a cut are legal.
    pub after: Option<u32>,
    /// Whether it is the first of its span, for tokenizers whose tokens differ by that.
    pub first: Option<bool>,
}

impl Legal {
    /// Any token of A, C, G, T.
    pub const ANY: Legal = Legal { longest: u32::MAX, exact: false, after: None, first: None };

    /// The condition on one of the `left` tokens that are hidden, given that `bases` bases are hidden in the span.
    /// `after`: the known token just before it.
    #[must_use]
    pub fn of(bases: usize, left: usize, after: Option<u32>) -> Legal {
        Legal { longest: (bases + 1).saturating_sub(left) as u32, exact: left == 1, after, first: None }
    }
}

/// The legal tokens of one tokenizer, found lazily and kept.
#[derive(Debug)]
pub struct LegalSets {
    tokenizer: Arc<dyn Tokenizer>,
    /// Tokens of A, C, G, T, by increasing length.
    by_length: Vec<u32>,
    /// End in `by_length` of the tokens of at most so many bases.
    ends: Vec<usize>,
    lengths: Vec<u32>,
    /// What [`Tokenizer::stands_first`] says of each token.
    first: Vec<Option<bool>>,
    pairs: HashMap<u32, Vec<u64>>,
    /// False for tokenizers in which every pair occurs.
    pair_rule: bool,
}

impl LegalSets {
    /// For one tokenizer.
    #[must_use]
    pub fn new(tokenizer: Arc<dyn Tokenizer>) -> LegalSets {
        let vocabulary = tokenizer.vocabulary();
        let lengths: Vec<u32> = (0..vocabulary.len() as u32).map(|id| vocabulary.length(id) as u32).collect();
        let mut by_length: Vec<u32> = vocabulary.ids().filter(|&id| vocabulary.is_dna(id)).collect();
        by_length.sort_by_key(|&id| (lengths[id as usize], id));
        let longest = by_length.last().map_or(0, |&id| lengths[id as usize]);
        let ends = (0..=longest).map(|l| by_length.partition_point(|&id| lengths[id as usize] <= l)).collect();
        let first = (0..vocabulary.len() as u32).map(|id| tokenizer.stands_first(id)).collect();
        let pair_rule = tokenizer.reading().fixed().is_none();
        LegalSets { tokenizer, by_length, ends, lengths, first, pairs: HashMap::new(), pair_rule }
    }

    /// Bases of a token; 0 for special ids.
    #[must_use]
    pub fn length(&self, id: u32) -> u32 {
        self.lengths.get(id as usize).copied().unwrap_or(0)
    }

    /// Size of the vocabulary, special ids included.
    #[must_use]
    pub fn vocabulary(&self) -> usize {
        self.lengths.len()
    }

    /// For a tokenizer of fixed length: the ids of that length, if they lie side by side.
    #[must_use]
    pub fn fixed_range(&self) -> Option<Range<usize>> {
        let k = self.tokenizer.reading().fixed()?;
        let ids = self.of_length(k as u32, true);
        let (first, last) = (*ids.first()? as usize, *ids.last()? as usize);
        (last - first + 1 == ids.len()).then_some(first..last + 1)
    }

    /// The ids that a model is asked about: [`LegalSets::fixed_range`], else the whole vocabulary.
    #[must_use]
    pub fn ids(&self) -> Range<usize> {
        self.fixed_range().unwrap_or(0..self.vocabulary())
    }

    fn of_length(&self, longest: u32, exact: bool) -> &[u32] {
        let end = |length: u32| self.ends.get(length as usize).or(self.ends.last()).copied().unwrap_or(0);
        let start = if exact && longest > 0 { end(longest - 1) } else { 0 };
        &self.by_length[start..end(longest).max(start)]
    }

    /// Finds what [`LegalSets::visit`] needs to know about a condition.
    pub fn prepare(&mut self, legal: Legal) {
        if let Some(after) = legal.after.filter(|_| self.pair_rule) {
            self.learn_pairs(after);
        }
    }

    /// Calls `visit` with every legal token, in an order that never changes. `pair_rule = false` leaves that rule out, and
    /// so does a condition that was not prepared.
    pub fn visit(&self, legal: Legal, pair_rule: bool, mut visit: impl FnMut(u32)) {
        let pairs = legal.after.filter(|_| pair_rule && self.pair_rule).and_then(|after| self.pairs.get(&after));
        for &id in self.of_length(legal.longest, legal.exact) {
            let place = legal.first.is_none() || self.first[id as usize].is_none_or(|first| legal.first == Some(first));
            if place && pairs.is_none_or(|bits| bits[id as usize / 64] >> (id % 64) & 1 == 1) {
                visit(id);
            }
        }
    }

    fn learn_pairs(&mut self, after: u32) {
        if self.pairs.contains_key(&after) {
            return;
        }
        let mut bits = vec![0u64; self.lengths.len().div_ceil(64)];
        for &id in &self.by_length {
            if self.tokenizer.may_follow(after, id) {
                bits[id as usize / 64] |= 1 << (id % 64);
            }
        }
        self.pairs.insert(after, bits);
    }

    /// Adds the mask of a legal set to a row of logits or of zeros: `forbidden` where a token is not legal.
    pub fn fill(&mut self, legal: Legal, row: &mut [f32], forbidden: f32) {
        row.fill(forbidden);
        self.prepare(legal);
        self.visit(legal, true, |id| {
            if let Some(cell) = row.get_mut(id as usize) {
                *cell = 0.0;
            }
        });
    }
}
