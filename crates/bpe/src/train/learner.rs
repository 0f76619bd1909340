//! The state of training: tokens, counts of pairs, and the best pair.
//!
//! Merges are applied to the text in `sweep.rs` and `occurrences.rs`; both report the neighbors of each merged pair with
//! [`Learner::count_neighbors`] and finish with [`Learner::apply`].

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rustc_hash::FxHashMap;

use super::options::Options;
use crate::vocabulary::SPECIALS;

/// Separator between chunks: an id of no token.
pub(super) const SEPARATOR: u16 = 0;

pub(super) type Pair = (u16, u16);

pub(super) fn key((left, right): Pair) -> u32 {
    u32::from(left) << 16 | u32::from(right)
}

/// Count and occurrences of a pair.
#[derive(Clone, Copy, Default)]
pub(super) struct PairState {
    pub(super) count: i64,
    /// Its occurrences: a range of a block.
    pub(super) block: u32,
    pub(super) from: u32,
    pub(super) len: u32,
}

/// Changes of counts by one merge on one side of it, by the id of the neighbor.
#[derive(Default)]
pub(super) struct Side {
    pub(super) change: Vec<[u32; 2]>,
    pub(super) touched: Vec<u16>,
}

const REMOVED: usize = 0;
pub(super) const ADDED: usize = 1;

impl Side {
    fn add(&mut self, id: u16, kind: usize) {
        let change = &mut self.change[usize::from(id)];
        if *change == [0, 0] {
            self.touched.push(id);
        }
        change[kind] += 1;
    }
}

pub(super) struct Learner {
    /// Token lengths by id, in bases.
    pub(super) lengths: Vec<u32>,
    max_length: u32,
    pub(super) min_frequency: u64,
    pub(super) tokens: Vec<Vec<u8>>,
    pub(super) merges: Vec<(u32, u32)>,
    pub(super) counts: Vec<u64>,
    pub(super) pairs: FxHashMap<u32, PairState>,
    heap: BinaryHeap<(u64, Reverse<u32>)>,
    /// Occurrences of pairs, one block per merge.
    pub(super) blocks: Vec<Vec<u32>>,
    pub(super) left: Side,
    pub(super) right: Side,
}

impl Learner {
    pub(super) fn new(options: &Options) -> Learner {
        let mut lengths = vec![0; SPECIALS as usize];
        lengths.extend([1; 4]);
        let side = || Side { change: vec![[0; 2]; options.vocabulary], touched: Vec::new() };
        Learner {
            lengths,
            max_length: u32::try_from(options.max_token_length).ok().filter(|&length| length > 0).unwrap_or(u32::MAX),
            min_frequency: options.min_frequency.max(1),
            tokens: b"ACGT".iter().map(|&base| vec![base]).collect(),
            merges: Vec::new(),
            counts: Vec::new(),
            pairs: FxHashMap::default(),
            heap: BinaryHeap::new(),
            blocks: Vec::new(),
            left: side(),
            right: side(),
        }
    }

    pub(super) fn count(&mut self, text: &[u16]) {
        let alphabet = SPECIALS as usize + 4;
        let both = |pair: &&[u16]| pair[0] != SEPARATOR && pair[1] != SEPARATOR;
        if self.lengths.len() == alphabet {
            let mut counts = vec![0i64; alphabet * alphabet];
            for pair in text.windows(2).filter(both) {
                counts[usize::from(pair[0]) * alphabet + usize::from(pair[1])] += 1;
            }
            for (at, &count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
                let pair = key(((at / alphabet) as u16, (at % alphabet) as u16));
                self.pairs.insert(pair, PairState { count, ..PairState::default() });
            }
        } else {
            for pair in text.windows(2).filter(both) {
                self.pairs.entry(key((pair[0], pair[1]))).or_default().count += 1;
            }
            // The length limit applies to pairs with a merged token, as in `apply`.
            let (lengths, max_length) = (&self.lengths, self.max_length);
            let length = |id: u32| lengths[id as usize];
            let bases = |pair: u32| length(pair >> 16) + length(pair & 0xffff) == 2;
            self.pairs.retain(|&pair, _| bases(pair) || length(pair >> 16) + length(pair & 0xffff) < max_length);
        }
        self.heap.extend(self.pairs.iter().map(|(&pair, state)| (state.count as u64, Reverse(pair))));
    }

    /// The pair with the highest count, of equal ones the one with the smaller ids. Counts in the heap can be outdated; they are
    /// corrected when they reach the top.
    pub(super) fn best(&mut self) -> Option<(Pair, u64)> {
        loop {
            let (count, Reverse(pair)) = self.heap.pop()?;
            let now = self.pairs.get(&pair).map_or(0, |state| state.count);
            match u64::try_from(now) {
                Ok(now) if now == count && now > 0 => return Some((((pair >> 16) as u16, pair as u16), now)),
                Ok(now) if now > 0 => self.heap.push((now, Reverse(pair))),
                _ => {}
            }
        }
    }

    /// Adds the token of a pair.
    pub(super) fn add_token(&mut self, (left, right): Pair, count: u64) -> u16 {
        let part = |id: u16| &self.tokens[usize::from(id) - SPECIALS as usize];
        let spelling = [part(left).as_slice(), part(right)].concat();
        self.lengths.push(spelling.len() as u32);
        self.tokens.push(spelling);
        self.merges.push((u32::from(left), u32::from(right)));
        self.counts.push(count);
        (self.lengths.len() - 1) as u16
    }

    /// Counts the neighbors of one merged pair.
    pub(super) fn count_neighbors(&mut self, before: u16, behind: u16) {
        if before != SEPARATOR {
            self.left.add(before, REMOVED);
            self.left.add(before, ADDED);
        }
        if behind != SEPARATOR {
            self.right.add(behind, REMOVED);
            self.right.add(behind, ADDED);
        }
    }

    /// Applies the changes of one merge to the counts. `made`: occurrences of new pairs, by the side of the neighbor.
    pub(super) fn apply(&mut self, (left, right): Pair, new: u16, made: Option<[Vec<(u16, u32)>; 2]>) {
        self.pairs.remove(&key((left, right)));
        let short = |other: u16| self.lengths[usize::from(other)] + self.lengths[usize::from(new)] < self.max_length;
        let mut fresh: Vec<u32> = Vec::new();
        let sides = [(&self.left, left, false), (&self.right, right, true)];
        let pair = |own: u16, other: u16, first: bool| key(if first { (own, other) } else { (other, own) });
        // New pairs first: in ABAB the pair (AB, A) is created by the first merge and removed by the second one.
        for &(side, _, first) in &sides {
            for &other in side.touched.iter().filter(|&&other| short(other)) {
                let added = side.change[usize::from(other)][ADDED];
                if added > 0 {
                    self.pairs.entry(pair(new, other, first)).or_default().count += i64::from(added);
                    fresh.push(pair(new, other, first));
                }
            }
        }
        for &(side, old, first) in &sides {
            for &other in &side.touched {
                if let Some(state) = self.pairs.get_mut(&pair(old, other, first)) {
                    state.count -= i64::from(side.change[usize::from(other)][REMOVED]);
                }
            }
        }
        for &pair in &fresh {
            if let Some(state) = self.pairs.get(&pair)
                && state.count > 0
            {
                self.heap.push((state.count as u64, Reverse(pair)));
            }
        }
        if let Some(made) = made {
            self.store_occurrences(&made, new);
        }
        for side in [&mut self.left, &mut self.right] {
            for other in side.touched.drain(..) {
                side.change[usize::from(other)] = [0, 0];
            }
        }
    }
}
