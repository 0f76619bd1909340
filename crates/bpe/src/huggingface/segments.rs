//! Segments of long texts, split at certain token boundaries, so that the engine encodes most of a text even if it cannot encode
//! the whole.
//!
//! # Why this is exact
//! A file can treat letters other than A, C, G, T in any way: replace runs of N by one letter, or contain tokens such as TTN. In
//! the final tokenization of a text, between two tokens with such letters there is a run of A, C, G, T that starts and ends at
//! boundaries. A segment of a tokenization is the tokenization of the segment (`engine/merges.rs`), so it equals that of the
//! engine. How far tokens with other letters extend into the run is unknown, but it is less than the length of the longest of them
//! (`max_other_token`). So a position further away than that, at which every text of A, C, G, T around a window has a boundary
//! (`engine/boundary.rs`), is a boundary of the whole.

use std::ops::Range;

use dna::is_base;
use dna::letters::leading_bases;

use super::tokenizer::HuggingFace;
use crate::engine::WINDOW;

/// Minimum length in bases of a run of A, C, G, T that is examined.
const MIN_RUN: usize = 4 * WINDOW;

impl HuggingFace {
    /// Segments of `text` that can be encoded separately: their concatenated tokens are those of the whole. They have about `every`
    /// bases each where the engine applies ([`HuggingFace::engine_for`]); the text within some thousand bases of a letter that it
    /// does not support is a segment of its own. A single segment if no boundary is certain: files without an engine, repeats of
    /// thousands of bases, an engine whose automaton is not compiled yet ([`crate::Engine::compile`]).
    ///
    /// # Panics
    /// If `every` is 0.
    #[must_use]
    pub fn segments(&self, text: &[u8], every: usize) -> Vec<Range<usize>> {
        assert!(every > 0, "segments must have at least 1 base");
        if let Some(engine) = self.engine_for(text) {
            return engine.segments(text, every);
        }
        let (mut segments, mut done) = (Vec::new(), 0);
        for inner in self.dna_segments(text) {
            segments.push(done..inner.start);
            done = inner.end;
            let engine = self.engine.as_ref().into_iter();
            let of_inner = engine.flat_map(|engine| engine.segments(&text[inner.clone()], every));
            segments.extend(of_inner.map(|segment| inner.start + segment.start..inner.start + segment.end));
        }
        segments.push(done..text.len());
        segments.retain(|segment| !segment.is_empty());
        segments
    }

    /// Segments of A, C, G, T between two certain boundaries, in order.
    pub(super) fn dna_segments(&self, text: &[u8]) -> Vec<Range<usize>> {
        let mut inner = Vec::new();
        let Some(engine) = self.engine.as_ref().filter(|_| text.len() >= MIN_RUN && self.fast_path.preserves_dna())
        else {
            return inner;
        };
        let mut position = 0;
        while position < text.len() {
            let known = leading_bases(&text[position..]);
            let run = position..position + known;
            position = run.end + text[run.end..].iter().take_while(|&&letter| !is_base(letter)).count();
            if known < MIN_RUN + 2 * self.max_other_token {
                continue;
            }
            let first = run.start + self.max_other_token;
            let last = run.end - self.max_other_token;
            let Some(automaton) = engine.automaton_for(text.len()) else { return inner };
            let boundary =
                |window: Range<usize>| Some(window.start + engine.boundary_inside(automaton, &text[window])?);
            if let (Some(begin), Some(end)) = (boundary(first..first + WINDOW), boundary(last - WINDOW..last)) {
                inner.push(begin..end);
            }
        }
        inner
    }
}
