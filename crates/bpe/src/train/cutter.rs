//! Text as the merges that are known already leave it.

use crate::engine::{EncodedBatch, Engine};
use crate::vocabulary::{SPECIALS, UNK};

/// Cuts pieces by merges that are there already: greedy merging in order of rank gives the state in which training had left
/// the text.
pub(super) struct Cutter {
    engine: Engine,
    batch: EncodedBatch,
}

impl Cutter {
    /// `None` if no engine can be made of the merges.
    pub(super) fn new(tokens: &[Vec<u8>], merges: &[(u32, u32)]) -> Option<Cutter> {
        let special = std::iter::repeat_n(Vec::new(), SPECIALS as usize);
        let spelled: Vec<Vec<u8>> = special.chain(tokens.iter().cloned()).collect();
        let made = (SPECIALS + 4..).zip(merges).map(|(new, &(left, right))| (left, right, new));
        let engine = Engine::new(&spelled, &made.collect::<Vec<_>>(), UNK)?;
        Some(Cutter { engine, batch: EncodedBatch::default() })
    }

    /// Appends the tokens of `pieces` to `text`, each piece followed by `border`.
    pub(super) fn cut(&mut self, pieces: &[&[u8]], border: u16, text: &mut Vec<u16>) {
        self.engine.encode(pieces.iter().copied(), &mut self.batch);
        for piece in 0..pieces.len() {
            text.extend_from_slice(self.batch.ids(piece));
            text.push(border);
        }
    }
}
