//! Long texts taken apart where the file's own cut has a border, so that the engine cuts most of a text that it may not cut whole.
//!
//! # Why that is exact
//! A file may do what it likes with letters other than A, C, G, T: turn runs of N into one letter, hold tokens such as TTN. Look at
//! the finished cut of a text. Between two tokens with such letters lies a stretch of A, C, G, T that begins and ends at borders,
//! and a stretch of a cut is the cut of the stretch (see `engine/merges.rs`): the one that the engine makes. How far tokens with
//! other letters reach into it is not known, but it is less than the longest of them has letters (`reach`). So a place that is
//! further away than that, and at which every text of A, C, G, T around a window is cut (`engine/border.rs`), is a border of the whole.

use std::ops::Range;

use dna::is_base;
use dna::letters::leading_bases;

use super::tokenizer::HuggingFace;
use crate::engine::EDGE;

/// Shortest stretch of A, C, G, T that is looked at.
const LONG: usize = 4 * EDGE;

impl HuggingFace {
    /// Parts of `text` that can be cut on their own: their tokens, one part after the other, are those of the whole. About `every`
    /// bases each where the engine may cut ([`HuggingFace::engine_for`]); what lies within some thousand bases of a letter that it
    /// may not cut is a part of its own. One part where that is not certain: files without an engine, repeats of thousands of
    /// bases, an engine that has no automaton yet ([`crate::Engine::compile`]).
    ///
    /// # Panics
    /// If `every` is 0.
    #[must_use]
    pub fn parts(&self, text: &[u8], every: usize) -> Vec<Range<usize>> {
        assert!(every > 0, "parts of no bases");
        if let Some(engine) = self.engine_for(text) {
            return engine.parts(text, every);
        }
        let (mut parts, mut done) = (Vec::new(), 0);
        for inner in self.inner_stretches(text) {
            parts.push(done..inner.start);
            done = inner.end;
            let engine = self.engine.as_ref().into_iter();
            let of_inner = engine.flat_map(|engine| engine.parts(&text[inner.clone()], every));
            parts.extend(of_inner.map(|part| inner.start + part.start..inner.start + part.end));
        }
        parts.push(done..text.len());
        parts.retain(|part| !part.is_empty());
        parts
    }

    /// Stretches between two certain borders, of A, C, G, T alone, in order.
    pub(super) fn inner_stretches(&self, text: &[u8]) -> Vec<Range<usize>> {
        let mut inner = Vec::new();
        let Some(engine) = self.engine.as_ref().filter(|_| text.len() >= LONG && self.plain.leaves_dna_alone()) else {
            return inner;
        };
        let mut place = 0;
        while place < text.len() {
            let known = leading_bases(&text[place..]);
            let stretch = place..place + known;
            place = stretch.end + text[stretch.end..].iter().take_while(|&&letter| !is_base(letter)).count();
            if known < LONG + 2 * self.reach {
                continue;
            }
            let first = stretch.start + self.reach;
            let last = stretch.end - self.reach;
            let Some(machine) = engine.machine_for(text.len()) else { return inner };
            let border = |window: Range<usize>| Some(window.start + engine.border_inside(machine, &text[window])?);
            if let (Some(begin), Some(end)) = (border(first..first + EDGE), border(last - EDGE..last)) {
                inner.push(begin..end);
            }
        }
        inner
    }
}
