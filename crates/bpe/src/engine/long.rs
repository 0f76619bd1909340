//! Long stretches, in parts that stay in the caches: memory does not grow with the text but for the ids themselves.
//!
//! A part is read from right to left like any other text, from [`EDGE`] bases behind it on, so that it is entered in the right
//! state. Whether it was shows when the next part has been read: the state in which that one arrives at the border must be the
//! same. It is, but for repeats longer than [`EDGE`]; then the whole stretch is cut in one piece.

use dna::letters;

use super::lanes::{Stretch, Tables};
use super::{BEYOND, EncodedBatch, Engine, LONG, PIECE, Work};

/// Bases of a part.
const PART: usize = LONG / 2;
/// Bases read behind a part.
const EDGE: usize = 4096;

impl Engine {
    /// Appends the ids of a stretch of A, C, G, T; `false`, and nothing appended, where parts do not fit together.
    pub(super) fn long(&self, machine: &Tables, stretch: &[u8], batch: &mut EncodedBatch) -> bool {
        let EncodedBatch { ids, work, .. } = batch;
        let (before, mut place, mut arrival) = (ids.len(), 0, None);
        for from in (0..stretch.len()).step_by(PART) {
            let rest = &stretch[from..];
            let bases = PART.min(rest.len());
            lay(rest, bases, work);
            work.cut(machine);
            if arrival.is_some_and(|state| state != machine.state(&work.entries, work.stretches[1].from)) {
                ids.truncate(before);
                work.clear();
                return false;
            }
            if let Some(last) = work.stretches.last().filter(|last| last.beyond > 0) {
                arrival = Some(machine.state(&work.entries, last.from + last.bases / 2));
            }
            for stretch in &work.stretches[1..] {
                place = self.join(machine, stretch, place, work, ids);
            }
            work.clear();
        }
        true
    }
}

/// Lays the first `bases` of a text into the buffers, as pieces that continue each other.
fn lay(text: &[u8], bases: usize, work: &mut Work) {
    work.idle();
    for from in (0..bases).step_by(PIECE) {
        let own = PIECE.min(bases - from);
        let beyond = if from + own == bases { EDGE } else { BEYOND };
        let beyond = beyond.min(text.len() - from - own);
        work.stretches.push(Stretch { from: work.pairs.len(), bases: own, beyond, ..Stretch::default() });
        letters::pairs(&text[from..from + own + beyond], &mut work.pairs);
    }
    work.make_room();
}
