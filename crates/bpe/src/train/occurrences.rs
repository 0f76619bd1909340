//! Merges of rare pairs: visits their occurrences, in a text laid out by base.

use super::learner::{ADDED, Learner, Pair, SEPARATOR, key};

/// Interior of a token in the text laid out by base.
const INTERIOR: u16 = 1;

/// Occurrences that are looked up at a time.
const PREFETCH: usize = 32;

/// Occurrences of new pairs by the neighbor of the new token.
type Made = Vec<(u16, u32)>;

impl Learner {
    /// Lays the text out by base and finds the occurrences of all pairs.
    pub(super) fn index(&mut self, text: Vec<u16>) -> Vec<u16> {
        let cells_needed = text.iter().map(|&id| self.lengths[usize::from(id)].max(1) as usize).sum();
        let mut cells = Vec::with_capacity(cells_needed);
        for &id in &text {
            cells.push(id);
            let length = self.lengths[usize::from(id)] as usize;
            if length > 1 {
                cells.resize(cells.len() + length - 2, INTERIOR);
                cells.push(id);
            }
        }
        drop(text);
        let mut next = 0;
        for state in self.pairs.values_mut() {
            (state.block, state.from, state.len) = (0, next, 0);
            if state.count >= self.min_frequency as i64 {
                next += state.count as u32;
            }
        }
        let mut block = vec![0; next as usize];
        let (mut position, mut before, mut before_at) = (0, SEPARATOR, 0);
        while position < cells.len() {
            let id = cells[position];
            if before != SEPARATOR
                && id != SEPARATOR
                && let Some(state) = self.pairs.get_mut(&key((before, id)))
                && state.count >= self.min_frequency as i64
            {
                block[(state.from + state.len) as usize] = before_at as u32;
                state.len += 1;
            }
            (before, before_at) = (id, position);
            position += self.lengths[usize::from(id)].max(1) as usize;
        }
        self.blocks = vec![block];
        cells
    }

    /// Merges a pair at its occurrences.
    pub(super) fn merge_occurrences(&mut self, cells: &mut [u16], (left, right): Pair, new: u16) {
        let state = self.pairs.get(&key((left, right))).copied().unwrap_or_default();
        let (left_length, length) = (self.lengths[usize::from(left)] as usize, self.lengths[usize::from(new)] as usize);
        let mut made: [Made; 2] = [Vec::new(), Vec::new()];
        let block = std::mem::take(&mut self.blocks[state.block as usize]);
        for occurrences in block[state.from as usize..][..state.len as usize].chunks(PREFETCH) {
            // All of them are looked up before the first is merged, so that their cache lines are fetched in parallel. A token that
            // is not at a position will not return there.
            let mut present = [false; PREFETCH];
            present
                .iter_mut()
                .zip(occurrences)
                .for_each(|(present, &position)| *present = cells[position as usize] == left);
            for (&position, _) in occurrences.iter().zip(present).filter(|(_, present)| *present) {
                let position = position as usize;
                let (middle, end) = (position + left_length, position + length);
                if cells[position] != left || cells[middle] != right {
                    continue;
                }
                let (before, behind) = (if position == 0 { SEPARATOR } else { cells[position - 1] }, cells[end]);
                self.count_neighbors(before, behind);
                if before != SEPARATOR {
                    made[0].push((before, position as u32 - self.lengths[usize::from(before)]));
                }
                if behind != SEPARATOR {
                    made[1].push((behind, position as u32));
                }
                cells[middle - 1] = INTERIOR;
                cells[middle] = INTERIOR;
                cells[position] = new;
                cells[end - 1] = new;
            }
        }
        self.blocks[state.block as usize] = block;
        self.apply((left, right), new, Some(made));
    }

    /// Stores the occurrences of pairs that are frequent enough to be merged, grouped by pair.
    pub(super) fn store_occurrences(&mut self, made: &[Made; 2], new: u16) {
        let block = self.blocks.len() as u32;
        let mut next = 0;
        let pair = |other: u16, first: bool| key(if first { (new, other) } else { (other, new) });
        let sides = [(&self.left, &made[0], false), (&self.right, &made[1], true)];
        for (side, _, first) in sides {
            for &other in &side.touched {
                if let Some(state) = self.pairs.get_mut(&pair(other, first))
                    && state.count >= self.min_frequency as i64
                {
                    (state.block, state.from, state.len) = (block, next, 0);
                    next += side.change[usize::from(other)][ADDED];
                }
            }
        }
        let mut occurrences = vec![0; next as usize];
        for (_, made, first) in sides {
            for &(other, position) in made {
                if let Some(state) = self.pairs.get_mut(&pair(other, first))
                    && state.count >= self.min_frequency as i64
                {
                    occurrences[(state.from + state.len) as usize] = position;
                    state.len += 1;
                }
            }
        }
        self.blocks.push(occurrences);
    }
}
