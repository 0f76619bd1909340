//! Encoding of long segments in blocks that stay in the caches: memory does not grow with the text, except for the ids themselves.
//!
//! A block is read from right to left like any other text, starting [`BLOCK_LOOKAHEAD`] bases after its end, so that its end is
//! reached in the correct state. This is verified when the next block has been read: the state at its start must be the same. It
//! is, except for repeats longer than [`BLOCK_LOOKAHEAD`]; then the whole segment is encoded at once.

use dna::letters;

use super::interleaved::{Chunk, Tables};
use super::{CHUNK, EncodedBatch, Engine, LONG_SEGMENT, LOOKAHEAD, Work};

/// Bases of a block.
const BLOCK: usize = LONG_SEGMENT / 2;
/// Bases read after a block.
const BLOCK_LOOKAHEAD: usize = 4096;

impl Engine {
    /// Appends the ids of a segment of A, C, G, T; `false`, with nothing appended, if consecutive blocks do not agree.
    pub(super) fn encode_long(&self, automaton: &Tables, segment: &[u8], batch: &mut EncodedBatch) -> bool {
        let EncodedBatch { ids, work, .. } = batch;
        let (before, mut position, mut arrival) = (ids.len(), 0, None);
        for from in (0..segment.len()).step_by(BLOCK) {
            let rest = &segment[from..];
            let bases = BLOCK.min(rest.len());
            load_chunks(rest, bases, work);
            work.tokenize(automaton);
            if arrival.is_some_and(|state| state != automaton.state(&work.entries, work.chunks[1].from)) {
                ids.truncate(before);
                work.clear();
                return false;
            }
            if let Some(last) = work.chunks.last().filter(|last| last.lookahead > 0) {
                arrival = Some(automaton.state(&work.entries, last.from + last.bases / 2));
            }
            for segment in &work.chunks[1..] {
                position = self.join(automaton, segment, position, work, ids);
            }
            work.clear();
        }
        true
    }
}

/// Adds the first `bases` of a text to the buffers, as consecutive chunks.
fn load_chunks(text: &[u8], bases: usize, work: &mut Work) {
    work.add_idle_chunk();
    for from in (0..bases).step_by(CHUNK) {
        let own = CHUNK.min(bases - from);
        let lookahead = if from + own == bases { BLOCK_LOOKAHEAD } else { LOOKAHEAD };
        let lookahead = lookahead.min(text.len() - from - own);
        work.chunks.push(Chunk { from: work.pairs.len(), bases: own, lookahead, ..Chunk::default() });
        letters::pairs(&text[from..from + own + lookahead], &mut work.pairs);
    }
    work.reserve();
}
