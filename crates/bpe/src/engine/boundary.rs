//! Token boundaries that are certain whatever the text further away: a text can be split there and its segments encoded separately.
//!
//! # Why a window is sufficient
//! The automaton reads from right to left. Whatever follows a window, the automaton enters it in one of its states, so all states
//! are followed at once. They converge with each base, usually to one state within some tens of bases, and from there to the left
//! the first token at every position is known. For the left side: one of any M consecutive positions is a boundary if no token has
//! more than M bases. So paths from token to token are started at each of M positions; where all paths have met, every text has a
//! boundary. In repeats longer than the window neither may converge; then the window gives no boundary.
//!
//! Where the start of a text is known, so are the tokenizations of all its prefixes (`Pairs::boundary`), and one of the last M
//! positions is a boundary of the whole: a boundary that is common to the tokenizations of all these prefixes is certain, in most
//! repeats too.

use std::ops::Range;

use dna::is_base;
use dna::letters::ascii_bits;

use super::interleaved::Tables;
use super::{Engine, WINDOW};

impl Engine {
    /// Segments of `text` that can be encoded separately: their concatenated ids are those of the whole, so that threads can share
    /// a long text. Segments have about `every` bases each. They are longer where no boundary is certain: in long repeats, or if
    /// this engine has no automaton ([`Engine::compile`]) and the text contains only A, C, G, T.
    ///
    /// ```
    /// # let engine = bpe::Engine::new(&[b"A".as_slice(), b"C", b"G", b"T", b"AC", b"ACG"], &[(0, 1, 4), (4, 2, 5)], 9).unwrap();
    /// engine.compile();
    /// let text = b"ACGTACGGTACA".repeat(1000);
    /// for segment in engine.segments(&text, 5000) {
    ///     assert!((4900..5100).contains(&segment.len()) || segment.end == text.len());
    ///     let segment = &text[segment]; // encode it
    /// }
    /// ```
    ///
    /// # Panics
    /// If `every` is 0.
    #[must_use]
    pub fn segments(&self, text: &[u8], every: usize) -> Vec<Range<usize>> {
        assert!(every > 0, "segments must have at least 1 base");
        let automaton = self.automaton(text.len());
        let positions = (every..text.len()).step_by(every);
        let mut boundaries: Vec<usize> =
            positions.filter_map(|near| self.boundary_near(automaton, text, near)).collect();
        boundaries.extend([0, text.len()]);
        boundaries.sort_unstable();
        boundaries.dedup();
        boundaries.windows(2).map(|ends| ends[0]..ends[1]).collect()
    }

    /// The boundary closest to the left of a position, or at it, within [`WINDOW`] bases.
    pub(super) fn boundary_near(&self, automaton: Option<&Tables>, text: &[u8], near: usize) -> Option<usize> {
        let from = near.saturating_sub(WINDOW);
        let window = &text[from..near];
        // Every other letter is a token of its own, with a boundary on both sides.
        match window.iter().rposition(|&base| !is_base(base)) {
            Some(other) => Some(from + other + 1),
            None => self.boundary_inside(automaton?, window).map(|position| from + position),
        }
    }

    /// The last boundary that is certain inside a window of A, C, G, T.
    pub(crate) fn boundary_inside(&self, automaton: &Tables, window: &[u8]) -> Option<usize> {
        let (mut right, mut state) = automaton.converge(window)?;
        let met = right;
        // Lengths in bases of the first tokens at the preceding positions, last position first.
        let mut lengths = Vec::new();
        let mut wanted = 2 * self.longest + 64;
        loop {
            while right > 0 && lengths.len() < wanted {
                right -= 1;
                let (next, token) = automaton.step(state, ascii_bits(window[right]));
                state = next;
                lengths.push(self.lengths[usize::from(token)]);
            }
            if let Some(position) = paths_meet(&lengths, self.longest) {
                return Some(met - lengths.len() + position);
            }
            if right == 0 {
                return None;
            }
            wanted *= 2;
        }
    }
}

/// The position where the paths from each of the first `most` positions have met. `lengths` holds the length of the first token at
/// each position, last position first.
fn paths_meet(lengths: &[u16], most: usize) -> Option<usize> {
    if lengths.len() < most {
        return None;
    }
    let mut reached = vec![false; lengths.len() + 1];
    reached[..most].fill(true);
    let mut paths = most;
    for (position, &length) in lengths.iter().rev().enumerate() {
        if !reached[position] {
            continue;
        }
        if paths == 1 {
            return Some(position);
        }
        match reached.get_mut(position + usize::from(length)) {
            None => return None,
            Some(there) if *there => paths -= 1,
            Some(there) => *there = true,
        }
    }
    None
}

impl Tables {
    /// Reads a window from its right end in all states at once until they converge: the number of bases that are left to read, and
    /// the state.
    fn converge(&self, window: &[u8]) -> Option<(usize, u32)> {
        let mut states: Vec<u32> = (0..self.states() as u32).collect();
        let mut seen = vec![false; states.len()];
        let mut left = window.len();
        while states.len() > 1 {
            left = left.checked_sub(1)?;
            let letter = ascii_bits(window[left]);
            states.iter_mut().for_each(|state| *state = self.step(*state, letter).0);
            states.retain(|&state| !std::mem::replace(&mut seen[state as usize], true));
            states.iter().for_each(|&state| seen[state as usize] = false);
        }
        Some((left, states[0]))
    }
}
