//! Places at which a text is cut whatever stands further away: there it can be taken apart, and its parts be cut on their own.
//!
//! # Why a window can tell
//! The automaton reads from right to left. Whatever stands behind a window, it enters the window in one of its states; so let it
//! enter in all of them. They become fewer with each base, mostly one within some tens of bases, and from there on to the left
//! the first token at every place is known. Now the other side: one of any M places side by side is a border, if no
//! token has more than M bases. So begin a walk from token to token at each of M places; where all walks have met, all
//! texts have a border. In repeats longer than the window neither may come to an end: then the window tells nothing.
//!
//! Where the beginning of a text is known, so are the cuts of all its beginnings (`Pairs::border`), and one of the last M
//! places is a border of the whole: a border that the cuts of all these beginnings share is certain, in most repeats too.

use std::ops::Range;

use dna::is_base;
use dna::letters::ascii_bits;

use super::lanes::Tables;
use super::{EDGE, Engine};

impl Engine {
    /// Parts of `text` that can be cut on their own: their ids, one part after the other, are those of the whole. So that threads can
    /// share a long text, or that its ids are needed part by part. About `every` bases each; longer where no border is certain, as
    /// in long repeats, or where this engine has no automaton ([`Engine::compile`]) and the text no other letter than A, C, G, T.
    ///
    /// ```
    /// # let engine = bpe::Engine::new(&[b"A".as_slice(), b"C", b"G", b"T", b"AC", b"ACG"], &[(0, 1, 4), (4, 2, 5)], 9).unwrap();
    /// engine.compile();
    /// let text = b"ACGTACGGTACA".repeat(1000);
    /// for part in engine.parts(&text, 5000) {
    ///     assert!((4900..5100).contains(&part.len()) || part.end == text.len());
    ///     let part = &text[part]; // cut it
    /// }
    /// ```
    ///
    /// # Panics
    /// If `every` is 0.
    #[must_use]
    pub fn parts(&self, text: &[u8], every: usize) -> Vec<Range<usize>> {
        assert!(every > 0, "parts of no bases");
        let machine = self.machine(text.len());
        let places = (every..text.len()).step_by(every);
        let mut borders: Vec<usize> = places.filter_map(|near| self.border_near(machine, text, near)).collect();
        borders.extend([0, text.len()]);
        borders.sort_unstable();
        borders.dedup();
        borders.windows(2).map(|ends| ends[0]..ends[1]).collect()
    }

    /// A border at or in front of a place, the nearer the better, but within [`EDGE`] bases.
    pub(super) fn border_near(&self, machine: Option<&Tables>, text: &[u8], near: usize) -> Option<usize> {
        let from = near.saturating_sub(EDGE);
        let window = &text[from..near];
        // Every other letter is a token, and there is a border on both its sides.
        match window.iter().rposition(|&base| !is_base(base)) {
            Some(other) => Some(from + other + 1),
            None => self.border_inside(machine?, window).map(|place| from + place),
        }
    }

    /// A border inside a window of A, C, G, T, the further right the better.
    pub(crate) fn border_inside(&self, machine: &Tables, window: &[u8]) -> Option<usize> {
        let (mut right, mut state) = machine.meet(window)?;
        let met = right;
        // Bases of the first tokens at the places before it, the last place first.
        let mut lengths = Vec::new();
        let mut wanted = 2 * self.longest + 64;
        loop {
            while right > 0 && lengths.len() < wanted {
                right -= 1;
                let (next, token) = machine.step(state, ascii_bits(window[right]));
                state = next;
                lengths.push(self.lengths[usize::from(token)]);
            }
            if let Some(place) = walks_meet(&lengths, self.longest) {
                return Some(met - lengths.len() + place);
            }
            if right == 0 {
                return None;
            }
            wanted *= 2;
        }
    }
}

/// Where walks from each of the first `most` places have met. `lengths` holds the bases of the first token at each place, the last
/// place first.
fn walks_meet(lengths: &[u16], most: usize) -> Option<usize> {
    if lengths.len() < most {
        return None;
    }
    let mut here = vec![false; lengths.len() + 1];
    here[..most].fill(true);
    let mut walks = most;
    for (place, &length) in lengths.iter().rev().enumerate() {
        if !here[place] {
            continue;
        }
        if walks == 1 {
            return Some(place);
        }
        match here.get_mut(place + usize::from(length)) {
            None => return None,
            Some(there) if *there => walks -= 1,
            Some(there) => *there = true,
        }
    }
    None
}

impl Tables {
    /// Reads a window from its right end in all states at once until they are one: how many bases are left to read, and it.
    fn meet(&self, window: &[u8]) -> Option<(usize, u32)> {
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
