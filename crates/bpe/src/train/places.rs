//! Merges of rare pairs: visits to the places where they were made, in a text laid out by base.

use super::learner::{BORDER, Learner, MADE, Pair, key};

/// Inside a token, when the text is laid out by base.
const INSIDE: u16 = 1;

/// Places that are looked up at a time.
const AHEAD: usize = 32;

/// Places by the token beside the new one.
type Made = Vec<(u16, u32)>;

impl Learner {
    /// Lays the text out by base and finds the places of all pairs.
    pub(super) fn lay_out(&mut self, text: Vec<u16>) -> Vec<u16> {
        let cells_needed = text.iter().map(|&id| self.lengths[usize::from(id)].max(1) as usize).sum();
        let mut cells = Vec::with_capacity(cells_needed);
        for &id in &text {
            cells.push(id);
            let length = self.lengths[usize::from(id)] as usize;
            if length > 1 {
                cells.resize(cells.len() + length - 2, INSIDE);
                cells.push(id);
            }
        }
        drop(text);
        let mut next = 0;
        for known in self.pairs.values_mut() {
            (known.block, known.from, known.len) = (0, next, 0);
            if known.count >= self.min_frequency as i64 {
                next += known.count as u32;
            }
        }
        let mut block = vec![0; next as usize];
        let (mut place, mut before, mut before_at) = (0, BORDER, 0);
        while place < cells.len() {
            let id = cells[place];
            if before != BORDER
                && id != BORDER
                && let Some(known) = self.pairs.get_mut(&key((before, id)))
                && known.count >= self.min_frequency as i64
            {
                block[(known.from + known.len) as usize] = before_at as u32;
                known.len += 1;
            }
            (before, before_at) = (id, place);
            place += self.lengths[usize::from(id)].max(1) as usize;
        }
        self.blocks = vec![block];
        cells
    }

    /// Merges a pair at its places.
    pub(super) fn visit(&mut self, cells: &mut [u16], (left, right): Pair, new: u16) {
        let known = self.pairs.get(&key((left, right))).copied().unwrap_or_default();
        let (left_length, length) = (self.lengths[usize::from(left)] as usize, self.lengths[usize::from(new)] as usize);
        let mut made: [Made; 2] = [Vec::new(), Vec::new()];
        let block = std::mem::take(&mut self.blocks[known.block as usize]);
        for places in block[known.from as usize..][..known.len as usize].chunks(AHEAD) {
            // All of them are looked up before the first is worked on, so that their memory is fetched side by side. A token that
            // does not stand at a place will not come back there.
            let mut there = [false; AHEAD];
            there.iter_mut().zip(places).for_each(|(there, &place)| *there = cells[place as usize] == left);
            for (&place, _) in places.iter().zip(there).filter(|(_, there)| *there) {
                let place = place as usize;
                let (middle, end) = (place + left_length, place + length);
                if cells[place] != left || cells[middle] != right {
                    continue;
                }
                let (before, behind) = (if place == 0 { BORDER } else { cells[place - 1] }, cells[end]);
                self.note(before, behind);
                if before != BORDER {
                    made[0].push((before, place as u32 - self.lengths[usize::from(before)]));
                }
                if behind != BORDER {
                    made[1].push((behind, place as u32));
                }
                cells[middle - 1] = INSIDE;
                cells[middle] = INSIDE;
                cells[place] = new;
                cells[end - 1] = new;
            }
        }
        self.blocks[known.block as usize] = block;
        self.settle((left, right), new, Some(made));
    }

    /// Sorts places by pair: those of pairs that could ever be merged.
    pub(super) fn keep(&mut self, made: &[Made; 2], new: u16) {
        let block = self.blocks.len() as u32;
        let mut next = 0;
        let pair = |other: u16, first: bool| key(if first { (new, other) } else { (other, new) });
        let sides = [(&self.left, &made[0], false), (&self.right, &made[1], true)];
        for (side, _, first) in sides {
            for &other in &side.touched {
                if let Some(known) = self.pairs.get_mut(&pair(other, first))
                    && known.count >= self.min_frequency as i64
                {
                    (known.block, known.from, known.len) = (block, next, 0);
                    next += side.change[usize::from(other)][MADE];
                }
            }
        }
        let mut places = vec![0; next as usize];
        for (_, made, first) in sides {
            for &(other, place) in made {
                if let Some(known) = self.pairs.get_mut(&pair(other, first))
                    && known.count >= self.min_frequency as i64
                {
                    places[(known.from + known.len) as usize] = place;
                    known.len += 1;
                }
            }
        }
        self.blocks.push(places);
    }
}
