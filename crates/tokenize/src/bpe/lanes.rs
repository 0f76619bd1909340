//! The two walks of the automaton over many stretches at a time: the only file of this crate with `unsafe` code.
//!
//! Each step of a walk waits for the one before it, so one walk alone leaves a processor idle most of the time. [`LANES`]
//! stretches are walked in lockstep: their look-ups overlap. Two bases are read at a step.
//!
//! # Why `unsafe`
//! Each base costs a handful of instructions, and checks of its look-ups would be as many again. All indices are safe by construction, and [`Tables::new`] checks
//! the construction once: every entry of `next` is a state below `states`, so `state * 16 + pair` (pairs are masked to 0..16) is
//! below `states * 16`, the length of `next` and of `first`; every token is below `lengths.len()` and has a length. Lanes stay
//! inside the ranges of their stretches, which [`Tables::cut`] compares with the buffers before it begins. Tests compare every
//! result with [`super::pairs`], which has no `unsafe`, and with the `tokenizers` crate.
#![allow(unsafe_code)]

use super::automaton::{Automaton, END};

/// Stretches that are walked in lockstep.
pub(crate) const LANES: usize = 8;

/// The stretch that lanes walk while they have nothing else to do.
const IDLE: usize = 0;

/// A stretch of A, C, G, T in the buffers of a batch.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stretch {
    /// First pair of bases in `pairs` and `entries`; its ids begin at `2 * from`.
    pub(crate) from: usize,
    /// Bases; an odd number fills half of the last pair.
    pub(crate) bases: usize,
    /// Bases behind it that are read first, to arrive in the right state, but belong to the next stretch, which continues this
    /// one. They lie in the buffers behind it. If there are any, `bases` is even.
    pub(crate) beyond: usize,
    /// Tokens found.
    pub(crate) tokens: usize,
    /// Where the last token ends: `bases`, or further if the next stretch continues this one.
    pub(crate) reached: usize,
}

impl Stretch {
    fn pairs(&self) -> usize {
        (self.bases + self.beyond).div_ceil(2)
    }
}

/// The automaton, two letters at a step.
#[derive(Clone, Debug)]
pub(crate) struct Tables<I> {
    /// `[state * 16 + 4 * letter + letter behind it]`: the state after both.
    next: Vec<I>,
    /// As `next`: the first token at the first and at the second of the two.
    first: Vec<[u16; 2]>,
    /// Bases of each token.
    lengths: Vec<u16>,
    /// The state before a last pair of which only the first letter counts.
    odd: u32,
}

/// A number of a state: `u16` where there are few enough, so that the tables stay in the caches.
pub(crate) trait Index: Copy + Send + Sync + std::fmt::Debug {
    /// From a number that is known to fit.
    fn of(state: u32) -> Self;
    /// To a number.
    fn state(self) -> u32;
}

impl Index for u16 {
    fn of(state: u32) -> u16 {
        state as u16
    }
    fn state(self) -> u32 {
        u32::from(self)
    }
}

impl Index for u32 {
    fn of(state: u32) -> u32 {
        state
    }
    fn state(self) -> u32 {
        self
    }
}

/// Most states for `u16`: one more is added for odd lengths.
pub(crate) const FEW: usize = u16::MAX as usize - 1;

impl<I: Index> Tables<I> {
    /// Tables of an automaton whose tokens are below `lengths.len()`, at most 65,536.
    pub(crate) fn new(automaton: &Automaton, lengths: Vec<u16>) -> Tables<I> {
        let states = automaton.next.len();
        let (mut next, mut first) = (Vec::with_capacity(16 * states + 16), Vec::with_capacity(16 * states + 16));
        let token = |token: u32| {
            assert!(token <= u32::from(u16::MAX), "a token outside the vocabulary");
            assert!(lengths.get(token as usize).is_some_and(|&length| length > 0), "a token without bases");
            token as u16
        };
        let to = |state: u32| {
            assert!((state as usize) < states, "a state outside the automaton");
            I::of(state)
        };
        for state in 0..states {
            for pair in 0..16 {
                let (letter, behind) = (pair >> 2, pair & 3);
                let between = automaton.next[state][behind] as usize;
                next.push(to(automaton.next[between][letter]));
                first.push([token(automaton.first[between][letter]), token(automaton.first[state][behind])]);
            }
        }
        for pair in 0..16 {
            let letter = pair >> 2;
            next.push(to(automaton.next[END as usize][letter]));
            first.push([token(automaton.first[END as usize][letter]); 2]);
        }
        Tables { next, first, lengths, odd: states as u32 }
    }

    /// States.
    pub(crate) fn states(&self) -> usize {
        self.odd as usize
    }

    /// Bytes of the tables.
    pub(crate) fn bytes(&self) -> usize {
        self.next.len() * (size_of::<I>() + 4) + self.lengths.len() * 2
    }

    /// Cuts all stretches. `pairs` holds their letters, two in a byte (the first one times 4); `entries` is working space; ids
    /// go to `ids[2 * from..][..tokens]` of each stretch.
    ///
    /// The first stretch is the one that lanes walk while they have nothing else to do; it must not be empty.
    pub(crate) fn cut(&self, pairs: &[u8], entries: &mut [u32], ids: &mut [u16], stretches: &mut [Stretch]) {
        let room = pairs.len().min(entries.len()).min(ids.len() / 2);
        assert!(stretches.iter().all(|s| s.from + s.pairs() <= room), "a stretch outside its buffers");
        assert!(stretches.iter().all(|s| s.bases > 0), "an empty stretch");
        self.read(pairs, entries, stretches);
        self.mend(pairs, entries, stretches);
        self.walk(entries, ids, stretches);
    }

    /// Where a stretch was read from a state that is not the one in which the next stretch arrives, it is read again, until both
    /// readings agree.
    fn mend(&self, pairs: &[u8], entries: &mut [u32], stretches: &[Stretch]) {
        for (stretch, next) in stretches.iter().zip(&stretches[1.min(stretches.len())..]).rev() {
            if stretch.beyond == 0 {
                continue;
            }
            let mut state = self.next[entries[next.from] as usize].state();
            for at in (stretch.from..stretch.from + stretch.bases / 2).rev() {
                let entry = state * 16 + u32::from(pairs[at] & 15);
                if entries[at] == entry {
                    break;
                }
                entries[at] = entry;
                state = self.next[entry as usize].state();
            }
        }
    }

    /// From right to left: for every pair of bases the entry of `first` that answers at its two places. After it, every entry of
    /// every stretch is below `first.len()`.
    fn read(&self, pairs: &[u8], entries: &mut [u32], stretches: &[Stretch]) {
        let mut waiting = 1..stretches.len();
        // Lane: stretch, state, pairs left.
        let mut lanes = [(IDLE, 0u32, 0usize); LANES];
        loop {
            let mut busy = false;
            for lane in &mut lanes {
                if lane.2 == 0 {
                    lane.0 = waiting.next().unwrap_or(IDLE);
                    let stretch = &stretches[lane.0];
                    let odd = (stretch.bases + stretch.beyond) % 2 == 1;
                    (lane.1, lane.2) = (if odd { self.odd } else { END }, stretch.pairs());
                }
                busy |= lane.0 != IDLE;
            }
            if !busy {
                return;
            }
            let steps = lanes.iter().map(|lane| lane.2).min().unwrap_or(0);
            let mut state = lanes.map(|lane| lane.1);
            let end = lanes.map(|(index, _, left)| stretches[index].from + left);
            for step in 1..=steps {
                for lane in 0..LANES {
                    let at = end[lane] - step;
                    // SAFETY: `at` lies in the stretch's range, checked by `cut`; `entry` is below `next.len()` because the state
                    // is at most `odd` and the pair below 16 (see the opening comment).
                    unsafe {
                        let entry = state[lane] * 16 + u32::from(*pairs.get_unchecked(at) & 15);
                        *entries.get_unchecked_mut(at) = entry;
                        state[lane] = self.next.get_unchecked(entry as usize).state();
                    }
                }
            }
            for (lane, state) in lanes.iter_mut().zip(state) {
                (lane.1, lane.2) = (state, lane.2 - steps);
            }
        }
    }

    /// The state after a pair, and the first tokens at its two places.
    pub(crate) fn step(&self, state: u32, pair: u8) -> (u32, [u16; 2]) {
        let entry = state as usize * 16 + usize::from(pair);
        (self.next[entry].state(), self.first[entry])
    }

    /// The state in front of a pair, from the entries that [`Tables::read`] left.
    pub(crate) fn state(&self, entries: &[u32], pair: usize) -> u32 {
        self.next[entries[pair] as usize].state()
    }

    /// The token at a place, from the entries that [`Tables::read`] left.
    pub(crate) fn token(&self, entries: &[u32], from: usize, place: usize) -> u16 {
        self.first[entries[from + place / 2] as usize][place % 2]
    }

    /// From left to right: jumps from token to token. Entries must be those of [`Tables::read`].
    fn walk(&self, entries: &[u32], ids: &mut [u16], stretches: &mut [Stretch]) {
        let mut waiting = 1..stretches.len();
        // Lane: stretch, place, tokens.
        let mut lanes = [(IDLE, usize::MAX, 0usize); LANES];
        loop {
            let mut busy = false;
            for lane in &mut lanes {
                if lane.1 >= stretches[lane.0].bases {
                    (stretches[lane.0].reached, stretches[lane.0].tokens) = (lane.1, lane.2);
                    *lane = (waiting.next().unwrap_or(IDLE), 0, 0);
                }
                busy |= lane.0 != IDLE;
            }
            if !busy {
                return;
            }
            let (mut place, mut tokens) = (lanes.map(|lane| lane.1), lanes.map(|lane| lane.2));
            let from = lanes.map(|lane| stretches[lane.0].from);
            let bases = lanes.map(|lane| stretches[lane.0].bases);
            loop {
                let mut all = true;
                for lane in 0..LANES {
                    // SAFETY: `place` is below `bases` here, so its pair lies in the stretch; entries are those of `read`; tokens
                    // are below `lengths.len()`. There are at most as many tokens as bases, so their place in `ids` is inside.
                    unsafe {
                        let entry = *entries.get_unchecked(from[lane] + place[lane] / 2) as usize;
                        let token = self.first.get_unchecked(entry)[place[lane] % 2];
                        *ids.get_unchecked_mut(2 * from[lane] + tokens[lane]) = token;
                        place[lane] += usize::from(*self.lengths.get_unchecked(token as usize));
                    }
                    tokens[lane] += 1;
                    all &= place[lane] < bases[lane];
                }
                if !all {
                    break;
                }
            }
            for (lane, (place, tokens)) in lanes.iter_mut().zip(place.into_iter().zip(tokens)) {
                (lane.1, lane.2) = (place, tokens);
            }
        }
    }
}
