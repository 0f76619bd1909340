//! The two passes of the automaton over many chunks at a time: the only file of this crate with `unsafe` code.
//!
//! Each step depends on the one before it, so a single stream leaves a processor idle most of the time. Several chunks are
//! therefore processed as interleaved streams, whose table look-ups overlap.
//!
//! The tables have one entry per state and letter: 24 bytes a state. Two letters per entry would halve the number of steps, but
//! take 128 bytes a state: tables for 32,000 tokens then exceed the caches of a processor, and even those for 4,096 would not be
//! faster.
//!
//! # Why `unsafe`
//! Each base takes a few instructions, and bounds checks would double their number. All indices are valid by construction, and
//! [`Tables::new`] verifies the construction once: every entry of `next` is four times a state of the tables, so adding a letter
//! (masked to 0..4) gives an index below `next.len()`, which equals `first.len()`; every token is below `lengths.len()` and has a
//! length of at least 1. Streams stay inside the ranges of their chunks, which [`Tables::tokenize`] compares with the buffers
//! first. Every entry that the second pass visits was written by the first pass of the same tables or is set below `first.len()`
//! (buffers may have been used by another engine). Tests compare every result with [`super::pairs`], which has no `unsafe`, and
//! with the `tokenizers` crate.
#![allow(unsafe_code)]

use super::automaton::{Automaton, END};

/// Number of interleaved streams of the first pass (states, right to left) and of the second pass (tokens, left to right). More
/// streams hide more of the memory latency, but exceed the registers.
const STATE_STREAMS: usize = 10;
const TOKEN_STREAMS: usize = 8;

/// Index of the chunk that idle streams process.
const IDLE: usize = 0;

/// A chunk of A, C, G, T in the buffers of a batch.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Chunk {
    /// Index of its first pair of bases in `pairs`; its entries and ids start at `2 * from`.
    pub(crate) from: usize,
    /// Number of bases; if odd, the last pair is half used.
    pub(crate) bases: usize,
    /// Bases after it that are read first to reach the correct state, but belong to the next chunk, which continues this one. They
    /// follow it in the buffers. If there are any, `bases` is even.
    pub(crate) lookahead: usize,
    /// Number of tokens found.
    pub(crate) tokens: usize,
    /// End of the last token: `bases`, or more if the next chunk continues this one.
    pub(crate) reached: usize,
}

impl Chunk {
    /// Number of pairs of bases that are read; `None` on overflow.
    fn pairs(&self) -> Option<usize> {
        Some(self.bases.checked_add(self.lookahead)?.div_ceil(2))
    }
}

/// The automaton as tables of one letter per step.
#[derive(Clone, Debug)]
pub(crate) struct Tables {
    /// `[4 * state + letter]`: four times the next state.
    next: Vec<u32>,
    /// As `next`: the first token of the text read so far.
    first: Vec<u16>,
    /// Length of each token in bases.
    lengths: Vec<u16>,
    /// Four times the state in front of a last pair of which only the first letter is used.
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
        // Whatever the unused letter of the last pair is, the state in front of it is the end of the text.
        next.extend([4 * END; 4]);
        first.extend_from_within(..4);
        assert!(next.len() == first.len() && next.len() == odd as usize + 4, "tables of different lengths");
        assert!(next.iter().all(|&to| to % 4 == 0 && to < odd), "a state outside the automaton");
        Tables { next, first, lengths, odd }
    }

    /// Number of states.
    pub(crate) fn states(&self) -> usize {
        self.odd as usize / 4
    }

    /// Size of the tables in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.next.len() * 4 + self.first.len() * 2 + self.lengths.len() * 2
    }

    /// Tokenizes all chunks. `pairs` contains their letters, two in a byte (the first one times 4); `entries` is scratch space; the
    /// ids of each chunk are written to `ids[2 * from..][..tokens]`.
    ///
    /// The first chunk is the one that idle streams process; it must not be empty.
    pub(crate) fn tokenize(&self, pairs: &[u8], entries: &mut [u32], ids: &mut [u16], chunks: &mut [Chunk]) {
        let room = pairs.len().min(entries.len() / 2).min(ids.len() / 2);
        let inside = |s: &Chunk| s.pairs().and_then(|pairs| pairs.checked_add(s.from)).is_some_and(|end| end <= room);
        assert!(chunks.iter().all(inside), "a chunk exceeds its buffers");
        assert!(chunks.iter().all(|s| s.bases > 0), "an empty chunk");
        self.compute_states(pairs, entries, chunks);
        self.repair(pairs, entries, chunks);
        // Whether idle streams read their chunk depends on the lengths of the others; its entries can be those of another
        // automaton.
        if let Some(idle) = chunks.get(IDLE) {
            let entries = &mut entries[2 * idle.from..][..idle.bases];
            entries.iter_mut().for_each(|entry| *entry = if *entry < self.odd { *entry } else { 0 });
        }
        self.emit_tokens(entries, ids, chunks);
    }

    /// Reads a chunk again where it was read from a state other than that in which the next chunk ends, until both readings agree.
    fn repair(&self, pairs: &[u8], entries: &mut [u32], chunks: &[Chunk]) {
        for (chunk, next) in chunks.iter().zip(&chunks[1.min(chunks.len())..]).rev() {
            if chunk.lookahead == 0 {
                continue;
            }
            let mut state = self.next[entries[2 * next.from] as usize];
            for at in (2 * chunk.from..2 * chunk.from + chunk.bases).rev() {
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

    /// First pass, from right to left: for every base the entry of `first` with the token at its position. Afterwards every entry
    /// of every chunk, except perhaps the idle one, is below `first.len()`.
    fn compute_states(&self, pairs: &[u8], entries: &mut [u32], chunks: &[Chunk]) {
        let mut waiting = (1..chunks.len()).rev();
        // Stream: chunk, four times its state, remaining pairs.
        let mut streams = [(IDLE, 0u32, 0usize); STATE_STREAMS];
        loop {
            let mut busy = false;
            for stream in &mut streams {
                if stream.2 == 0 {
                    stream.0 = waiting.next().unwrap_or(IDLE);
                    let chunk = &chunks[stream.0];
                    let odd = (chunk.bases + chunk.lookahead) % 2 == 1;
                    (stream.1, stream.2) = (if odd { self.odd } else { 4 * END }, chunk.pairs().unwrap_or(0));
                }
                busy |= stream.0 != IDLE;
            }
            if !busy {
                return;
            }
            let steps = streams.iter().map(|stream| stream.2).min().unwrap_or(0);
            let mut state = streams.map(|stream| stream.1);
            let end = streams.map(|(index, _, left)| chunks[index].from + left);
            let mut read = |stream: usize, at: usize, pair: u32| {
                // SAFETY: `at` is in the range of the chunk, verified by `tokenize`; both entries are below `next.len()` because
                // states are entries of `next` or `odd`, and letters are below 4 (see the module documentation).
                unsafe {
                    let second = state[stream] + (pair & 3);
                    let first = *self.next.get_unchecked(second as usize) + (pair >> 2 & 3);
                    *entries.get_unchecked_mut(2 * at + 1) = second;
                    *entries.get_unchecked_mut(2 * at) = first;
                    state[stream] = *self.next.get_unchecked(first as usize);
                }
            };
            // Two pairs per step: they are loaded together.
            for step in 1..=steps / 2 {
                for (stream, end) in end.iter().enumerate() {
                    let at = end - 2 * step;
                    // SAFETY: both positions are in the range of the chunk.
                    let two = unsafe { [*pairs.get_unchecked(at), *pairs.get_unchecked(at + 1)] };
                    let two = u32::from(u16::from_le_bytes(two));
                    read(stream, at + 1, two >> 8);
                    read(stream, at, two);
                }
            }
            if steps % 2 == 1 {
                for (stream, end) in end.iter().enumerate() {
                    let at = end - steps;
                    read(stream, at, u32::from(pairs[at]));
                }
            }
            for (stream, state) in streams.iter_mut().zip(state) {
                (stream.1, stream.2) = (state, stream.2 - steps);
            }
        }
    }

    /// The next state after a letter, and the first token there.
    pub(crate) fn step(&self, state: u32, letter: u8) -> (u32, u16) {
        let entry = 4 * state as usize + usize::from(letter);
        (self.next[entry] / 4, self.first[entry])
    }

    /// The state in front of a pair, from the entries that [`Tables::compute_states`] wrote.
    pub(crate) fn state(&self, entries: &[u32], pair: usize) -> u32 {
        self.next[entries[2 * pair] as usize] / 4
    }

    /// The token at a position, from the entries that [`Tables::compute_states`] wrote.
    pub(crate) fn token(&self, entries: &[u32], from: usize, position: usize) -> u16 {
        self.first[entries[2 * from + position] as usize]
    }

    /// Second pass, from left to right: jumps from token to token. Entries must be those of [`Tables::compute_states`]; those of
    /// the idle chunk can be any below `first.len()`.
    fn emit_tokens(&self, entries: &[u32], ids: &mut [u16], chunks: &mut [Chunk]) {
        let mut waiting = 1..chunks.len();
        // Stream: chunk, position, tokens.
        let mut streams = [(IDLE, usize::MAX, 0usize); TOKEN_STREAMS];
        loop {
            let mut busy = false;
            for stream in &mut streams {
                if stream.1 >= chunks[stream.0].bases {
                    (chunks[stream.0].reached, chunks[stream.0].tokens) = (stream.1, stream.2);
                    *stream = (waiting.next().unwrap_or(IDLE), 0, 0);
                }
                busy |= stream.0 != IDLE;
            }
            if !busy {
                return;
            }
            // Offsets from the start of the buffers.
            let from = streams.map(|stream| 2 * chunks[stream.0].from);
            let end = streams.map(|stream| 2 * chunks[stream.0].from + chunks[stream.0].bases);
            let mut position: [usize; TOKEN_STREAMS] = std::array::from_fn(|stream| from[stream] + streams[stream].1);
            let mut out: [usize; TOKEN_STREAMS] = std::array::from_fn(|stream| from[stream] + streams[stream].2);
            loop {
                let mut all = true;
                for stream in 0..TOKEN_STREAMS {
                    // SAFETY: `position` is before `end` here, so it is inside the chunk; entries are those of `compute_states`;
                    // tokens are below `lengths.len()`. There are at most as many tokens as bases, so `out` is inside the chunk
                    // too.
                    unsafe {
                        let entry = *entries.get_unchecked(position[stream]) as usize;
                        let token = *self.first.get_unchecked(entry);
                        *ids.get_unchecked_mut(out[stream]) = token;
                        position[stream] += usize::from(*self.lengths.get_unchecked(token as usize));
                    }
                    out[stream] += 1;
                    all &= position[stream] < end[stream];
                }
                if !all {
                    break;
                }
            }
            for (number, stream) in streams.iter_mut().enumerate() {
                (stream.1, stream.2) = (position[number] - from[number], out[number] - from[number]);
            }
        }
    }
}
