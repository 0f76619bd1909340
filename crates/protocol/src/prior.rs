//! The segmentation prior (`docs/protocol.md#segmentation-prior`): what the segmentation itself makes likely, found by counting.
//!
//! A variable-length tokenizer segments a span of b bases into m tokens, and not every sequence of tokens is a segmentation: the pair
//! rule forbids most. How many continuations a token leaves open is a property of the vocabulary, not of the text, so it is counted
//! here and added to the logits of every model instead of being learned by it. With w(v | x) the weight of token v behind base x:
//!
//! ```text
//! N[0][0][u] = 1;   N[m][b][u] = sum over v, |v| <= b, (u, v) allowed, of  w(v | last(u)) N[m-1][b-|v|][v]
//! next token after u, b bases and m tokens left:    prior(v) ~ w(v | last(u)) N[m-1][b-|v|][v], (u, v) allowed
//! first token of a span:                            prior(v) ~ w(v | left) N[m-1][b-|v|][v], v may stand first
//! number of tokens of a span of S bases:            p(m) ~ sum over first tokens v of w(v | left) N[m-1][S-|v|][v]
//! token i behind the first of a masked stretch:     prior(v) ~ sum over s of A_i[s][v] N[m-1-i][b-s-|v|][v]
//! ```
//!
//! `A_i[s][v]` sums the weights of the i tokens of s bases before v. It is exact at the start of a span. Behind a revealed token it
//! ignores the pair rule between that token and the stretch; only training and the parallel order use it there.
//!
//! Tokens that the same tokens may follow share their row of N, so tables are kept by class.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;
use tokenize::Tokenizer;

pub use crate::weights::PriorKind;
use crate::weights::{ANY_BASE, Weights};

/// Where a token of a masked stretch stands: what the prior depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// Bases of the masked stretch.
    pub bases: u16,
    /// Tokens of the masked stretch.
    pub tokens: u16,
    /// Index of the token in the stretch.
    pub index: u16,
    /// The visible base before the stretch (`A C G T` = 0 1 2 3), [`ANY_BASE`] where there is none.
    pub left: u8,
    /// Whether the stretch begins its span, so that no token of the span is revealed.
    pub start: bool,
}

/// By id: the logarithm of the prior, not normalized; minus infinity for tokens that cannot stand at the place.
pub type Row = Arc<Vec<f64>>;

/// Marks an id without a class: special tokens, and tokens longer than the span.
const NO_CLASS: u32 = u32::MAX;

/// Spans up to this length are counted exactly: 4^26 is below 2^53.
pub const EXACT_BASES: usize = 26;

/// The segmentation prior of a tokenizer for spans of a certain length.
#[derive(Debug)]
pub struct SegmentationPrior {
    span: usize,
    weights: Weights,
    /// Length of every token inside a span, where it is fixed: then there are no tables.
    fixed: Option<usize>,
    tokens: Tokens,
    /// By class of preceding tokens: the tokens that may follow and fit into the span, ascending.
    followers: Vec<Vec<u32>>,
    /// By class: its first token.
    representatives: Vec<u32>,
    /// By class: the base before the follower, [`ANY_BASE`] if the weights do not depend on it.
    last: Vec<u8>,
    /// `[tokens][class * (span + 1) + bases]`: N.
    continuations: Vec<Vec<f64>>,
    earlier: Mutex<HashMap<(bool, u8), Arc<Earlier>>>,
    rows: Mutex<HashMap<Place, Row>>,
}

/// `[index][id * (span + 1) + bases]`: A.
type Earlier = Vec<Vec<f64>>;

/// Properties of tokens by id.
#[derive(Debug)]
struct Tokens {
    /// Ids of tokens that fit into a span, ascending.
    ids: Vec<u32>,
    /// Length in bases; 0 for ids that are not in `ids`.
    lengths: Vec<usize>,
    class: Vec<u32>,
    /// First base.
    first: Vec<u8>,
    /// Weight without that of the first base.
    rest: Vec<f64>,
    /// Whether the token may be the first of a span.
    starts: Vec<bool>,
    /// Whether the token may stand behind another one.
    follows: Vec<bool>,
}

impl Tokens {
    fn new(tokenizer: &dyn Tokenizer, span: usize, weights: &Weights) -> Tokens {
        let vocabulary = tokenizer.vocabulary();
        let size = vocabulary.len();
        let ids: Vec<u32> = vocabulary
            .ids()
            .filter(|&id| vocabulary.is_dna(id) && (1..=span).contains(&vocabulary.length(id)))
            .collect();
        let mut tokens = Tokens {
            lengths: vec![0; size],
            class: vec![NO_CLASS; size],
            first: vec![0; size],
            rest: vec![0.0; size],
            starts: vec![false; size],
            follows: vec![false; size],
            ids,
        };
        let mut encoded = Vec::new();
        for &id in &tokens.ids {
            let (at, bases) = (id as usize, vocabulary.bases(id).unwrap_or_default());
            tokens.lengths[at] = bases.len();
            tokens.first[at] = dna::code(bases[0]).unwrap_or(0) as u8;
            let random = tokenizer.random_weight(id);
            tokens.rest[at] = weights.rest(bases) * random.unwrap_or(1.0);
            tokenizer.encode(bases, &mut encoded);
            let itself = random.is_some() || (encoded.len() == 1 && encoded[0].id == id);
            match tokenizer.is_word_initial(id) {
                // A spelling for the inside of a word never stands alone.
                Some(false) => tokens.follows[at] = true,
                Some(true) => tokens.starts[at] = itself,
                None => (tokens.starts[at], tokens.follows[at]) = (itself, true),
            }
        }
        tokens
    }
}

impl SegmentationPrior {
    /// Counts the segmentations of `tokenizer` in spans of up to `span` bases.
    #[must_use]
    pub fn new(tokenizer: &dyn Tokenizer, span: usize, weights: Weights) -> SegmentationPrior {
        let mut prior = SegmentationPrior {
            span,
            fixed: tokenizer.reading().fixed(),
            tokens: Tokens::new(tokenizer, span, &weights),
            followers: Vec::new(),
            representatives: Vec::new(),
            last: Vec::new(),
            continuations: Vec::new(),
            earlier: Mutex::default(),
            rows: Mutex::default(),
            weights,
        };
        if prior.fixed.is_none() {
            prior.classify(tokenizer);
            prior.count();
        }
        prior
    }

    /// Groups tokens by what may follow them.
    fn classify(&mut self, tokenizer: &dyn Tokenizer) {
        let (vocabulary, tokens) = (tokenizer.vocabulary(), &mut self.tokens);
        let sets: Vec<(Vec<u32>, u8)> = (tokens.ids.par_iter())
            .map(|&u| {
                let left = self.span - tokens.lengths[u as usize];
                let fits = |v: u32| tokens.follows[v as usize] && tokens.lengths[v as usize] <= left;
                let all = tokens.ids.iter().copied();
                let base =
                    vocabulary.bases(u).and_then(|bases| dna::code(*bases.last()?)).map_or(ANY_BASE, |b| b as u8);
                (all.filter(|&v| fits(v) && tokenizer.may_follow(u, v)).collect(), self.weights.canonical(base))
            })
            .collect();
        let mut classes: HashMap<(Vec<u32>, u8), u32> = HashMap::new();
        for (&id, set) in tokens.ids.iter().zip(sets) {
            let next = classes.len() as u32;
            let class = *classes.entry(set.clone()).or_insert(next);
            if class == next {
                self.followers.push(set.0);
                self.representatives.push(id);
                self.last.push(set.1);
            }
            tokens.class[id as usize] = class;
        }
    }

    fn count(&mut self) {
        let width = self.span + 1;
        let mut first = vec![0.0; self.followers.len() * width];
        first.iter_mut().step_by(width).for_each(|entry| *entry = 1.0);
        self.continuations.push(first);
        for _ in 1..=self.span {
            let shorter = &self.continuations[self.continuations.len() - 1];
            let rows: Vec<Vec<f64>> = (self.followers.par_iter().zip(&self.last))
                .map(|(followers, &last)| {
                    let mut row = vec![0.0; width];
                    for &v in followers {
                        let (weight, length) = (self.weight(v, last), self.tokens.lengths[v as usize]);
                        let class = self.tokens.class[v as usize] as usize;
                        let from = &shorter[class * width..][..width - length];
                        row[length..].iter_mut().zip(from).for_each(|(sum, n)| *sum += weight * n);
                    }
                    row
                })
                .collect();
            self.continuations.push(rows.concat());
        }
    }

    /// Bases per span.
    #[must_use]
    pub fn span(&self) -> usize {
        self.span
    }

    /// Whether the prior is the same for all candidates everywhere, so that nothing has to be added to logits: tokens of fixed length
    /// under uniform weights.
    #[must_use]
    pub fn is_constant(&self) -> bool {
        self.fixed.is_some() && self.weights.kind() == PriorKind::Uniform
    }

    /// The tokens that may follow `token` and fit into the rest of a span, ascending.
    #[must_use]
    pub fn followers(&self, token: u32) -> &[u32] {
        match self.tokens.class.get(token as usize) {
            Some(&class) if class != NO_CLASS => &self.followers[class as usize],
            _ => &[],
        }
    }

    /// The first token of the same class, which has the same followers; the token itself if it does not fit into a span.
    #[must_use]
    pub fn representative(&self, token: u32) -> u32 {
        match self.tokens.class.get(token as usize) {
            Some(&class) if class != NO_CLASS => self.representatives[class as usize],
            _ => token,
        }
    }

    /// The text model under the prior.
    #[must_use]
    pub fn weights(&self) -> &Weights {
        &self.weights
    }

    /// The base on which the weights depend: `left`, or [`ANY_BASE`] for weights that depend on none.
    #[must_use]
    pub fn canonical(&self, left: u8) -> u8 {
        self.weights.canonical(left)
    }

    /// w(v | x): the weight of a token behind base `left`, the probability of its bases under the text model.
    #[must_use]
    pub fn weight(&self, token: u32, left: u8) -> f64 {
        self.weights.first(left, self.tokens.first[token as usize]) * self.tokens.rest[token as usize]
    }

    /// N[tokens][bases][token].
    fn after(&self, token: u32, tokens: usize, bases: usize) -> f64 {
        let class = self.tokens.class[token as usize] as usize;
        self.continuations[tokens][class * (self.span + 1) + bases]
    }

    /// Summed weights of the segmentations of a span of `bases` bases into 1, 2, ... tokens, behind base `left`: p(m) before it is
    /// normalized, and with uniform weights 4^-bases times the number of token sequences.
    #[must_use]
    pub fn counts(&self, bases: usize, left: u8) -> Vec<f64> {
        let left = self.weights.canonical(left);
        let starts = || self.tokens.ids.iter().copied().filter(|&v| self.tokens.starts[v as usize]);
        let of = |m: usize| {
            let fits = starts().filter(|&v| self.tokens.lengths[v as usize] <= bases);
            fits.map(|v| self.weight(v, left) * self.after(v, m - 1, bases - self.tokens.lengths[v as usize])).sum()
        };
        (1..=bases).map(of).collect()
    }

    /// The number of token sequences of `span` bases divided by 4^span (uniform weights), the total weight otherwise. One for a
    /// tokenizer whose pair rule is complete: a network that outputs zeros then pays exactly what the weights pay.
    #[must_use]
    pub fn total(&self) -> f64 {
        if self.fixed.is_some() { 1.0 } else { self.counts(self.span, ANY_BASE).iter().sum() }
    }

    /// Whether the token sequences of every length up to the span are exactly as many as the texts: the segmentation is then a
    /// bijection, and the sequential total is a code length of the bases, not an upper bound.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        // With uniform weights all sums are multiples of 4^-b, exact in f64; other weights are rounded.
        let tolerance = if self.weights.kind() == PriorKind::Uniform && self.span <= EXACT_BASES { 0.0 } else { 1e-9 };
        let total = |bases| self.counts(bases, ANY_BASE).iter().sum::<f64>();
        self.fixed.is_some() || (1..=self.span).all(|bases| (total(bases) - 1.0_f64).abs() <= tolerance)
    }

    /// The prior of a place, computed once.
    pub fn row(&self, place: Place) -> Row {
        let place = Place { left: self.weights.canonical(place.left), ..place };
        let rows = || self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(row) = rows().get(&place) {
            return Arc::clone(row);
        }
        let row = Arc::new(match self.fixed {
            Some(k) => self.fixed_row(k, place),
            None => self.variable_row(place),
        });
        rows().insert(place, Arc::clone(&row));
        row
    }

    fn fixed_row(&self, k: usize, place: Place) -> Vec<f64> {
        let before = self.weights.after(place.left, usize::from(place.index) * k);
        let weight = |v: usize| {
            let first: f64 = before.iter().map(|&(x, p)| p * self.weights.first(x, self.tokens.first[v])).sum();
            (first * self.tokens.rest[v]).ln()
        };
        let length = |v: usize| self.tokens.lengths[v];
        (0..self.tokens.lengths.len()).map(|v| if length(v) == k { weight(v) } else { f64::NEG_INFINITY }).collect()
    }

    fn variable_row(&self, place: Place) -> Vec<f64> {
        let (bases, index) = (usize::from(place.bases), usize::from(place.index));
        let rest = usize::from(place.tokens) - 1 - index;
        let mut row = vec![f64::NEG_INFINITY; self.tokens.lengths.len()];
        let earlier = (index > 0).then(|| self.earlier(place.start, place.left));
        for &v in &self.tokens.ids {
            let (at, length) = (v as usize, self.tokens.lengths[v as usize]);
            if length > bases {
                continue;
            }
            let left = bases - length;
            let weight = match &earlier {
                Some(earlier) => {
                    let before = &earlier[index][at * (self.span + 1)..][..=left];
                    before.iter().enumerate().map(|(s, a)| a * self.after(v, rest, left - s)).sum()
                }
                None if self.may_begin(v, place.start) => self.weight(v, place.left) * self.after(v, rest, left),
                None => 0.0,
            };
            row[at] = f64::ln(weight);
        }
        row
    }

    fn may_begin(&self, token: u32, start: bool) -> bool {
        let of = if start { &self.tokens.starts } else { &self.tokens.follows };
        of[token as usize]
    }

    /// A for stretches at the start of a span, or behind a token of it; behind base `left`.
    fn earlier(&self, start: bool, left: u8) -> Arc<Earlier> {
        let mut known = self.earlier.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.entry((start, left)).or_insert_with(|| Arc::new(self.find_earlier(start, left))))
    }

    fn find_earlier(&self, start: bool, left: u8) -> Earlier {
        let (width, size) = (self.span + 1, self.tokens.lengths.len());
        let mut first = vec![0.0; size * width];
        for &v in self.tokens.ids.iter().filter(|&&v| self.may_begin(v, start)) {
            first[v as usize * width] = self.weight(v, left);
        }
        let mut tables = vec![first];
        for _ in 1..self.span {
            let before = &tables[tables.len() - 1];
            // Weights of stretches that end with a token of each class.
            let mut ending = vec![0.0; self.followers.len() * width];
            for &u in &self.tokens.ids {
                let (class, length) = (self.tokens.class[u as usize] as usize, self.tokens.lengths[u as usize]);
                let from = &before[u as usize * width..][..width - length];
                ending[class * width + length..(class + 1) * width].iter_mut().zip(from).for_each(|(sum, a)| *sum += a);
            }
            let mut next = vec![0.0; size * width];
            for (class, followers) in self.followers.iter().enumerate() {
                let from = &ending[class * width..][..width];
                if from.iter().all(|&a| a == 0.0) {
                    continue;
                }
                for &v in followers {
                    let weight = self.weight(v, self.last[class]);
                    let into = &mut next[v as usize * width..][..width];
                    into.iter_mut().zip(from).for_each(|(sum, a)| *sum += weight * a);
                }
            }
            tables.push(next);
        }
        tables
    }
}
