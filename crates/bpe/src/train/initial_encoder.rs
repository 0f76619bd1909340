//! Encodes the training text with the initial merges.

use crate::engine::{EncodedBatch, Engine};
use crate::vocabulary::{SPECIALS, UNK};

/// Encodes chunks with existing merges: greedy merging in order of rank gives the state in which earlier training left the text.
pub(super) struct InitialEncoder {
    engine: Engine,
    batch: EncodedBatch,
}

impl InitialEncoder {
    /// `None` if the merges are not supported by the engine.
    pub(super) fn new(tokens: &[Vec<u8>], merges: &[(u32, u32)]) -> Option<InitialEncoder> {
        let special = std::iter::repeat_n(Vec::new(), SPECIALS as usize);
        let spelled: Vec<Vec<u8>> = special.chain(tokens.iter().cloned()).collect();
        let made = (SPECIALS + 4..).zip(merges).map(|(new, &(left, right))| (left, right, new));
        let engine = Engine::new(&spelled, &made.collect::<Vec<_>>(), UNK)?;
        Some(InitialEncoder { engine, batch: EncodedBatch::default() })
    }

    /// Appends the tokens of `chunks` to `text`, each chunk followed by `separator`.
    pub(super) fn encode(&mut self, chunks: &[&[u8]], separator: u16, text: &mut Vec<u16>) {
        self.engine.encode(chunks.iter().copied(), &mut self.batch);
        for chunk in 0..chunks.len() {
            text.extend_from_slice(self.batch.ids(chunk));
            text.push(separator);
        }
    }
}
