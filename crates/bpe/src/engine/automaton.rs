//! Greedy byte-pair encoding over four letters as a finite automaton.
//!
//! # Overview
//! A suffix of a tokenization is the tokenization of the suffix ([`super::merges`]). The text is therefore read from right to left,
//! and at every position only the *first token* of the remaining text is determined: the one token that spells the text there and
//! may precede the first token of what follows it. What must be remembered of the text already read is the set of *open tokens*:
//! tokens of which a suffix has been read and that may precede the token after that suffix. Reading the next base to the left
//! removes the open tokens without it, completes exactly one, and opens all tokens that may precede the completed one. These sets
//! are the states. Their number is finite, a few thousand for a vocabulary of 4,096: they are enumerated once, and each step is
//! then a table look-up. A second pass, from left to right, jumps from token to token.
//!
//! The automaton is minimal: if an open token is in one of two states only, the letters that it still needs complete it in one
//! state and another token in the other.
//!
//! # Example
//! Merges AC, then ACG (AC + G). Reading `ACG` from the right: after `G`, the token `G` is complete, and `ACG` is open with the
//! suffix `G` (it may precede the end of the text). After `C`, `C` is complete and `ACG` still open. After `A`, `ACG` is complete,
//! but neither `A` (A may not precede C: they merge) nor `AC` (AC may not precede G).

use std::collections::hash_map::Entry;
use std::hash::BuildHasher;

use rustc_hash::FxHashMap as HashMap;

use super::merges::{Merges, NONE};

/// Maximum number of states: their tables take 12 MiB. Public vocabularies of 32,000 have about 150 thousand.
pub(crate) const MAX_STATES: usize = 1 << 19;
/// Maximum size in bytes of the sets of open tokens during construction.
const MAX_BYTES: usize = 192 << 20;

/// Transition table of the right-to-left pass: per state and letter the next state and the first token.
#[derive(Clone, Debug)]
pub(crate) struct Automaton {
    /// `[state][letter]`: the next state.
    pub(crate) next: Vec<[u32; 4]>,
    /// `[state][letter]`: the first token of the text read so far.
    pub(crate) first: Vec<[u32; 4]>,
}

/// The state at the end of a text.
pub(crate) const END: u32 = 0;

/// A node of the suffix tree: a string with which tokens end. A child has one more letter in front.
#[derive(Clone, Copy, Debug)]
struct End {
    children: [u32; 4],
    /// The token that equals this string.
    token: u32,
    /// Longer tokens with this suffix: a range of `Builder::by_end`.
    longer: (u32, u32),
}

struct Builder<'a> {
    merges: &'a Merges,
    ends: Vec<End>,
    /// Positions (see `place`) of all tokens, ordered so that tokens with a common suffix are adjacent.
    by_end: Vec<u32>,
    /// token -> its position in an order of the tree of right parts in which the tokens that a merge excludes form an interval.
    place: Vec<u32>,
    /// token -> merges with it as right part: rank, and the interval of positions that it excludes.
    forbids: HashMap<u32, Vec<(u32, u32, u32)>>,
    /// first token of a remaining text -> the tokens (by position) that may precede it; `NONE` is the end of the text.
    before: HashMap<u32, Box<[u64]>>,
    bytes: usize,
    /// suffix of many tokens -> their positions as bits.
    masks: HashMap<u32, Box<[u64]>>,
    /// (suffix, first token after it) -> class of open tokens.
    classes: HashMap<(u32, u32), u32>,
    /// Suffix and hash of the open tokens -> class. (Storing the sets would take a bit per pair of tokens; where hashes are equal
    /// the sets are computed again and compared.)
    known: HashMap<(u32, u64), u32>,
    /// class -> the suffix and one following token that represents the class.
    representative: Vec<(u32, u32)>,
    /// Scratch space: the open tokens of two classes, as bits.
    open: [Vec<u64>; 2],
}

/// A class without open tokens.
const CLOSED: u32 = NONE;

impl Automaton {
    /// Enumerates all states; `None` if there are too many.
    pub(crate) fn new(merges: &Merges, max_states: usize) -> Option<Automaton> {
        let mut builder = Builder::new(merges);
        let mut numbers: HashMap<Box<[u32]>, u32> = HashMap::default();
        let mut states: Vec<Box<[u32]>> = Vec::new();
        let mut number = |classes: Vec<u32>, states: &mut Vec<Box<[u32]>>| match numbers.entry(classes.into()) {
            Entry::Occupied(found) => *found.get(),
            Entry::Vacant(free) => {
                states.push(free.key().clone());
                *free.insert(states.len() as u32 - 1)
            }
        };
        let empty = builder.class(0, NONE)?;
        number(vec![empty], &mut states);
        let (mut next, mut first) = (Vec::new(), Vec::new());
        while next.len() < states.len() {
            let state = states[next.len()].clone();
            let (mut to, mut tokens) = ([0; 4], [0; 4]);
            for letter in 0..4 {
                let mut open = Vec::with_capacity(state.len() + 1);
                let mut complete = NONE;
                for &class in &state {
                    let (end, behind) = builder.representative[class as usize];
                    let longer = builder.ends[end as usize].children[letter];
                    if longer == NONE {
                        continue;
                    }
                    let token = builder.ends[longer as usize].token;
                    if token != NONE && builder.allows(token, behind)? {
                        if complete != NONE {
                            return None;
                        }
                        complete = token;
                    }
                    let class = builder.class(longer, behind)?;
                    if class != CLOSED {
                        open.push(class);
                    }
                }
                if complete == NONE {
                    return None;
                }
                let class = builder.class(0, complete)?;
                if class != CLOSED {
                    open.push(class);
                }
                to[letter] = number(open, &mut states);
                tokens[letter] = complete;
            }
            if states.len() > max_states {
                return None;
            }
            next.push(to);
            first.push(tokens);
        }
        Some(Automaton { next, first })
    }
}

/// Letters of the random text that is used to count visits of states.
const SAMPLE: usize = 1 << 20;

impl Automaton {
    /// Numbers states by their frequency in random text, so that the entries of frequent ones are close in memory; the end state
    /// stays 0.
    pub(crate) fn by_frequency(self) -> Automaton {
        let states = self.next.len();
        let mut heat = vec![0u32; states];
        let (mut state, mut random) = (END, 0x9E37_79B9_7F4A_7C15u64);
        for _ in 0..SAMPLE {
            // Any uniform text works (xorshift64, Marsaglia 2003).
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            state = self.next[state as usize][(random >> 62) as usize];
            heat[state as usize] += 1;
        }
        heat[END as usize] = u32::MAX;
        let mut order: Vec<u32> = (0..states as u32).collect();
        order.sort_by_key(|&state| std::cmp::Reverse(heat[state as usize]));
        let mut number = vec![0; states];
        for (new, &old) in order.iter().enumerate() {
            number[old as usize] = new as u32;
        }
        let next = order.iter().map(|&old| self.next[old as usize].map(|to| number[to as usize])).collect();
        let first = order.iter().map(|&old| self.first[old as usize]).collect();
        Automaton { next, first }
    }
}

impl<'a> Builder<'a> {
    fn new(merges: &'a Merges) -> Builder<'a> {
        let leaf = End { children: [NONE; 4], token: NONE, longer: (0, 0) };
        let mut ends = vec![leaf];
        for id in merges.tokens() {
            let mut node = 0;
            for &letter in merges.letters(id).iter().rev() {
                let child = ends[node].children[letter as usize];
                node = if child == NONE {
                    ends.push(leaf);
                    let fresh = ends.len() - 1;
                    ends[node].children[letter as usize] = fresh as u32;
                    fresh
                } else {
                    child as usize
                };
            }
            ends[node].token = id;
        }
        let mut builder = Builder {
            merges,
            ends,
            by_end: Vec::new(),
            place: vec![NONE; merges.len()],
            forbids: HashMap::default(),
            before: HashMap::default(),
            bytes: 0,
            masks: HashMap::default(),
            classes: HashMap::default(),
            known: HashMap::default(),
            representative: Vec::new(),
            open: [Vec::new(), Vec::new()],
        };
        builder.order_right_parts();
        builder.order_ends();
        builder
    }

    /// Orders tokens along the tree in which the parent of a token is its right part: the children of a token by the rank of the
    /// merge that absorbs it, then the token itself. A merge (a, b) of rank r excludes before b exactly `a` and every token that
    /// ends with `a` and absorbs it only after r: an interval that ends with `a`.
    fn order_right_parts(&mut self) {
        let mut children: HashMap<u32, Vec<(u32, u32)>> = HashMap::default();
        let mut roots = Vec::new();
        for id in self.merges.tokens() {
            let made = self.merges.made(id);
            if made.right == NONE {
                roots.push(id);
            } else {
                children.entry(made.right).or_default().push((made.rank, id));
            }
        }
        children.values_mut().for_each(|list| list.sort_unstable());
        let mut begins = vec![0u32; self.merges.len()];
        let mut next = 0;
        // The depth is up to the length of the longest token: no recursion.
        let mut stack: Vec<(u32, usize)> = roots.into_iter().map(|id| (id, 0)).collect();
        while let Some((id, child)) = stack.pop() {
            if child == 0 {
                begins[id as usize] = next;
            }
            if let Some(&(_, of)) = children.get(&id).and_then(|list| list.get(child)) {
                stack.push((id, child + 1));
                stack.push((of, 0));
            } else {
                self.place[id as usize] = next;
                next += 1;
            }
        }
        for (left, right, rank) in self.merges.all() {
            let last = self.place[left as usize];
            let list = children.get(&left).map_or(&[][..], Vec::as_slice);
            let after = list.partition_point(|&(swallows, _)| swallows <= rank);
            let from = list.get(after).map_or(last, |&(_, id)| begins[id as usize]);
            self.forbids.entry(right).or_default().push((rank, from, last));
        }
    }

    fn order_ends(&mut self) {
        let mut stack = vec![(0u32, false)];
        while let Some((node, done)) = stack.pop() {
            let now = self.by_end.len() as u32;
            let end = &mut self.ends[node as usize];
            if done {
                end.longer.1 = now;
                continue;
            }
            if end.token != NONE {
                self.by_end.push(self.place[end.token as usize]);
            }
            end.longer.0 = self.by_end.len() as u32;
            let children = end.children;
            stack.push((node, true));
            stack.extend(children.into_iter().filter(|&child| child != NONE).map(|child| (child, false)));
        }
    }

    /// The tokens (by position) that may precede `behind`.
    fn before(&mut self, behind: u32) -> Option<&[u64]> {
        if !self.before.contains_key(&behind) {
            let blocks = (self.by_end.len()).div_ceil(64);
            self.bytes += blocks * 8;
            if self.bytes > MAX_BYTES {
                return None;
            }
            let mut bits = vec![u64::MAX; blocks];
            let (mut part, mut until) = (behind, NONE);
            while part != NONE {
                for &(rank, from, last) in self.forbids.get(&part).map_or(&[][..], Vec::as_slice) {
                    if rank <= until {
                        clear(&mut bits, from as usize, last as usize);
                    }
                }
                let made = self.merges.made(part);
                (part, until) = (made.left, made.rank);
            }
            self.before.insert(behind, bits.into());
        }
        self.before.get(&behind).map(|bits| &**bits)
    }

    fn allows(&mut self, token: u32, behind: u32) -> Option<bool> {
        let place = self.place[token as usize] as usize;
        self.before(behind).map(|bits| bits[place / 64] >> (place % 64) & 1 == 1)
    }

    /// The class of the open tokens with this suffix (`end`) before `behind`.
    fn class(&mut self, end: u32, behind: u32) -> Option<u32> {
        if let Some(&class) = self.classes.get(&(end, behind)) {
            return Some(class);
        }
        self.before(behind)?;
        let mut open = std::mem::take(&mut self.open);
        self.open(end, behind, &mut open[0]);
        let class = if open[0].iter().all(|&word| word == 0) { CLOSED } else { self.known(end, behind, &mut open) };
        self.open = open;
        self.classes.insert((end, behind), class);
        Some(class)
    }

    /// The class of the tokens `open[0]`; a new one if they are not known yet.
    fn known(&mut self, end: u32, behind: u32, open: &mut [Vec<u64>; 2]) -> u32 {
        let mut key = (end, rustc_hash::FxBuildHasher.hash_one(&open[0]));
        loop {
            let fresh = self.representative.len() as u32;
            let class = *self.known.entry(key).or_insert(fresh);
            if class == fresh {
                self.representative.push((end, behind));
                return class;
            }
            self.open(end, self.representative[class as usize].1, &mut open[1]);
            if open[0] == open[1] {
                return class;
            }
            key.1 = key.1.wrapping_add(1);
        }
    }

    /// The open tokens with this suffix (`end`) before `behind`, as bits. `before(behind)` must have been computed.
    fn open(&mut self, end: u32, behind: u32, open: &mut Vec<u64>) {
        let bits = &self.before[&behind];
        let (from, to) = self.ends[end as usize].longer;
        let places = &self.by_end[from as usize..to as usize];
        open.clear();
        if places.len() > 2 * bits.len() {
            // Many tokens: all positions at once, masked to those with this suffix.
            let mask = self.masks.entry(end).or_insert_with(|| {
                let mut mask = vec![0u64; bits.len()];
                places.iter().for_each(|&place| mask[place as usize / 64] |= 1 << (place % 64));
                mask.into()
            });
            open.extend(bits.iter().zip(mask.iter()).map(|(bits, mask)| bits & mask));
        } else {
            let bit = |place: u32| bits[place as usize / 64] >> (place % 64) & 1;
            open.extend(places.chunks(64).map(|places| places.iter().fold(0, |word, &place| word << 1 | bit(place))));
        }
    }
}

/// Clears the bits `from..=last`.
fn clear(bits: &mut [u64], from: usize, last: usize) {
    let (first_word, last_word) = (from / 64, last / 64);
    let low = u64::MAX << (from % 64);
    let high = u64::MAX >> (63 - last % 64);
    if first_word == last_word {
        bits[first_word] &= !(low & high);
        return;
    }
    bits[first_word] &= !low;
    bits[first_word + 1..last_word].fill(0);
    bits[last_word] &= !high;
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::train::{Options, train};
    use crate::vocabulary::SPECIALS;
    use dna::letters::ascii_bits;

    /// Partition refinement by output (Moore 1956): every state is its own class, so the automaton is minimal.
    #[test]
    fn the_automaton_is_minimal() {
        let mut random = 7u64;
        let mut base = || {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            b"AACGT"[(random >> 33) as usize % 5]
        };
        let text: Vec<u8> = (0..20_000).map(|_| base()).collect();
        let learned = train(&[text], &Options { vocabulary: 150, ..Options::default() }, &mut |_| true).unwrap();
        let letters = |token: &Vec<u8>| Some(token.iter().map(|&base| ascii_bits(base)).collect());
        let spelling: Vec<_> =
            vec![None; SPECIALS as usize].into_iter().chain(learned.tokens.iter().map(letters)).collect();
        let merges = learned.merges.iter().zip(SPECIALS + 4..).map(|(&(left, right), token)| (left, right, token));
        let merges = Merges::new(&spelling, &merges.collect::<Vec<_>>()).unwrap();
        let Automaton { next, first } = Automaton::new(&merges, MAX_STATES).unwrap();
        assert!(next.len() > 100, "{} states", next.len());
        let mut class = vec![0; next.len()];
        loop {
            let before: HashSet<u32> = class.iter().copied().collect();
            let mut numbers = HashMap::default();
            let finer = (0..next.len()).map(|state| {
                let fresh = numbers.len() as u32;
                let output = (first[state], next[state].map(|to| class[to as usize]), class[state]);
                *numbers.entry(output).or_insert(fresh)
            });
            class = finer.collect();
            if numbers.len() == before.len() {
                assert_eq!(numbers.len(), next.len());
                return;
            }
        }
    }
}
