//! The two walks of the automaton over many stretches at a time: the only file of this crate with `unsafe` code.
//!
//! Each step of a walk waits for the one before it, so one walk alone leaves a processor idle most of the time. Many
//! stretches are walked in lockstep: their look-ups overlap.
//!
//! The tables answer for one letter at a time: 24 bytes a state. Two letters at a time would be half the steps, but 128 bytes a
//! state: tables of 32,000 tokens then leave the caches of a processor, and even those of 4,096 are no slower as they are.
//!
//! # Why `unsafe`
//! Each base costs a handful of instructions, and checks of its look-ups would be as many again. All indices are safe by construction, and [`Tables::new`] checks
//! the construction once: every entry of `next` is four times a state of the tables, so that it and a letter (letters are masked
//! to 0..4) make an index below `next.len()`, which is `first.len()`; every token is below `lengths.len()` and has a length. Lanes
//! stay inside the ranges of their stretches, which [`Tables::cut`] compares with the buffers before it begins; every entry that is
//! walked over was read by the same tables before, or is put below `first.len()` (buffers may have served another engine). Tests compare every
//! result with [`super::pairs`], which has no `unsafe`, and with the `tokenizers` crate.
#![allow(unsafe_code)]

use super::automaton::{Automaton, END};

/// Stretches that are read in lockstep, and that are walked: more lanes wait less for tables that lie far away, and leave the
/// registers.
const READERS: usize = 10;
const WALKERS: usize = 8;

/// The stretch that lanes walk while they have nothing else to do.
const IDLE: usize = 0;

/// A stretch of A, C, G, T in the buffers of a batch.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stretch {
    /// First pair of bases in `pairs`; its entries and its ids begin at `2 * from`.
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
    /// Pairs of bases that are read; `None` if there cannot be so many.
    fn pairs(&self) -> Option<usize> {
        Some(self.bases.checked_add(self.beyond)?.div_ceil(2))
    }
}

/// The automaton, one letter after the other.
#[derive(Clone, Debug)]
pub(crate) struct Tables {
    /// `[4 * state + letter]`: four times the state after it.
    next: Vec<u32>,
    /// As `next`: the first token of what has then been read.
    first: Vec<u16>,
    /// Bases of each token.
    lengths: Vec<u16>,
    /// Four times the state before a last pair of which only the first letter counts.
    odd: u32,
}

impl Tables {
    /// Tables of an automaton whose tokens are below `lengths.len()`, at most 65,536.
    pub(crate) fn new(automaton: &Automaton, lengths: Vec<u16>) -> Tables {
        let states = automaton.next.len();
        let odd = u32::try_from(4 * states).ok().filter(|odd| odd.checked_add(3).is_some()).expect("too many states");
        let mut next: Vec<u32> = automaton.next.iter().flatten().map(|&state| 4 * state).collect();
        let mut first = Vec::with_capacity(next.len() + 4);
        for &token in automaton.first.iter().flatten() {
            assert!(lengths.get(token as usize).is_some_and(|&length| length > 0), "a token without bases");
            first.push(u16::try_from(token).expect("a token of at most 16 bits"));
        }
        // Whatever letter fills the last pair, what is in front of it is the end.
        next.extend([4 * END; 4]);
        first.extend_from_within(..4);
        assert!(next.len() == first.len() && next.len() == odd as usize + 4, "tables of different lengths");
        assert!(next.iter().all(|&to| to % 4 == 0 && to < odd), "a state outside the automaton");
        Tables { next, first, lengths, odd }
    }

    /// States.
    pub(crate) fn states(&self) -> usize {
        self.odd as usize / 4
    }

    /// Bytes of the tables.
    pub(crate) fn bytes(&self) -> usize {
        self.next.len() * 4 + self.first.len() * 2 + self.lengths.len() * 2
    }

    /// Cuts all stretches. `pairs` holds their letters, two in a byte (the first one times 4); `entries` is working space; ids
    /// go to `ids[2 * from..][..tokens]` of each stretch.
    ///
    /// The first stretch is the one that lanes walk while they have nothing else to do; it must not be empty.
    pub(crate) fn cut(&self, pairs: &[u8], entries: &mut [u32], ids: &mut [u16], stretches: &mut [Stretch]) {
        let room = pairs.len().min(entries.len() / 2).min(ids.len() / 2);
        let inside = |s: &Stretch| s.pairs().and_then(|pairs| pairs.checked_add(s.from)).is_some_and(|end| end <= room);
        assert!(stretches.iter().all(inside), "a stretch outside its buffers");
        assert!(stretches.iter().all(|s| s.bases > 0), "an empty stretch");
        self.read(pairs, entries, stretches);
        self.mend(pairs, entries, stretches);
        // Whether idle lanes read their stretch depends on how the others end; what stands there may be another automaton's.
        if let Some(idle) = stretches.get(IDLE) {
            let entries = &mut entries[2 * idle.from..][..idle.bases];
            entries.iter_mut().for_each(|entry| *entry = if *entry < self.odd { *entry } else { 0 });
        }
        self.walk(entries, ids, stretches);
    }

    /// Where a stretch was read from a state that is not the one in which the next stretch arrives, it is read again, until both
    /// readings agree.
    fn mend(&self, pairs: &[u8], entries: &mut [u32], stretches: &[Stretch]) {
        for (stretch, next) in stretches.iter().zip(&stretches[1.min(stretches.len())..]).rev() {
            if stretch.beyond == 0 {
                continue;
            }
            let mut state = self.next[entries[2 * next.from] as usize];
            for at in (2 * stretch.from..2 * stretch.from + stretch.bases).rev() {
                let pair = pairs[at / 2];
                let letter = if at % 2 == 0 { pair >> 2 & 3 } else { pair & 3 };
                let entry = state + u32::from(letter);
                if entries[at] == entry {
                    break;
                }
                entries[at] = entry;
                state = self.next[entry as usize];
            }
        }
    }

    /// From right to left: for every base the entry of `first` that answers at its place. After it, every entry of every stretch but
    /// perhaps the idle one is below `first.len()`.
    fn read(&self, pairs: &[u8], entries: &mut [u32], stretches: &[Stretch]) {
        let mut waiting = (1..stretches.len()).rev();
        // Lane: stretch, four times its state, pairs left.
        let mut lanes = [(IDLE, 0u32, 0usize); READERS];
        loop {
            let mut busy = false;
            for lane in &mut lanes {
                if lane.2 == 0 {
                    lane.0 = waiting.next().unwrap_or(IDLE);
                    let stretch = &stretches[lane.0];
                    let odd = (stretch.bases + stretch.beyond) % 2 == 1;
                    (lane.1, lane.2) = (if odd { self.odd } else { 4 * END }, stretch.pairs().unwrap_or(0));
                }
                busy |= lane.0 != IDLE;
            }
            if !busy {
                return;
            }
            let steps = lanes.iter().map(|lane| lane.2).min().unwrap_or(0);
            let mut state = lanes.map(|lane| lane.1);
            let end = lanes.map(|(index, _, left)| stretches[index].from + left);
            let mut read = |lane: usize, at: usize, pair: u32| {
                // SAFETY: `at` lies in the stretch's range, checked by `cut`; both entries are below `next.len()` because states
                // are entries of `next` or `odd`, and letters below 4 (see the opening comment).
                unsafe {
                    let second = state[lane] + (pair & 3);
                    let first = *self.next.get_unchecked(second as usize) + (pair >> 2 & 3);
                    *entries.get_unchecked_mut(2 * at + 1) = second;
                    *entries.get_unchecked_mut(2 * at) = first;
                    state[lane] = *self.next.get_unchecked(first as usize);
                }
            };
            // Two pairs at a time: they are loaded together.
            for step in 1..=steps / 2 {
                for (lane, end) in end.iter().enumerate() {
                    let at = end - 2 * step;
                    // SAFETY: both places lie in the stretch's range.
                    let two = unsafe { [*pairs.get_unchecked(at), *pairs.get_unchecked(at + 1)] };
                    let two = u32::from(u16::from_le_bytes(two));
                    read(lane, at + 1, two >> 8);
                    read(lane, at, two);
                }
            }
            if steps % 2 == 1 {
                for (lane, end) in end.iter().enumerate() {
                    let at = end - steps;
                    read(lane, at, u32::from(pairs[at]));
                }
            }
            for (lane, state) in lanes.iter_mut().zip(state) {
                (lane.1, lane.2) = (state, lane.2 - steps);
            }
        }
    }

    /// The state after a letter, and the first token there.
    pub(crate) fn step(&self, state: u32, letter: u8) -> (u32, u16) {
        let entry = 4 * state as usize + usize::from(letter);
        (self.next[entry] / 4, self.first[entry])
    }

    /// The state in front of a pair, from the entries that [`Tables::read`] left.
    pub(crate) fn state(&self, entries: &[u32], pair: usize) -> u32 {
        self.next[entries[2 * pair] as usize] / 4
    }

    /// The token at a place, from the entries that [`Tables::read`] left.
    pub(crate) fn token(&self, entries: &[u32], from: usize, place: usize) -> u16 {
        self.first[entries[2 * from + place] as usize]
    }

    /// From left to right: jumps from token to token. Entries must be those of [`Tables::read`], those of the idle stretch any below
    /// `first.len()`.
    fn walk(&self, entries: &[u32], ids: &mut [u16], stretches: &mut [Stretch]) {
        let mut waiting = 1..stretches.len();
        // Lane: stretch, place, tokens.
        let mut lanes = [(IDLE, usize::MAX, 0usize); WALKERS];
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
            // Counted from the beginning of the buffers.
            let from = lanes.map(|lane| 2 * stretches[lane.0].from);
            let end = lanes.map(|lane| 2 * stretches[lane.0].from + stretches[lane.0].bases);
            let mut place: [usize; WALKERS] = std::array::from_fn(|lane| from[lane] + lanes[lane].1);
            let mut out: [usize; WALKERS] = std::array::from_fn(|lane| from[lane] + lanes[lane].2);
            loop {
                let mut all = true;
                for lane in 0..WALKERS {
                    // SAFETY: `place` is in front of `end` here, so it lies in the stretch; entries are those of `read`; tokens
                    // are below `lengths.len()`. There are at most as many tokens as bases, so `out` lies in the stretch too.
                    unsafe {
                        let entry = *entries.get_unchecked(place[lane]) as usize;
                        let token = *self.first.get_unchecked(entry);
                        *ids.get_unchecked_mut(out[lane]) = token;
                        place[lane] += usize::from(*self.lengths.get_unchecked(token as usize));
                    }
                    out[lane] += 1;
                    all &= place[lane] < end[lane];
                }
                if !all {
                    break;
                }
            }
            for (number, lane) in lanes.iter_mut().enumerate() {
                (lane.1, lane.2) = (place[number] - from[number], out[number] - from[number]);
            }
        }
    }
}
