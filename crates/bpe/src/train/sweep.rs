//! Merges of frequent pairs: one sweep over the whole text each.

use super::learner::{Learner, Pair, SEPARATOR};

impl Learner {
    /// Merges a pair everywhere and compacts the text.
    pub(super) fn sweep(&mut self, text: &mut Vec<u16>, pair: Pair, new: u16) {
        let (mut read, mut write) = (0, 0);
        while let Some(found) = find(&text[read..], pair) {
            text.copy_within(read..read + found, write);
            (read, write) = (read + found, write + found);
            let before = if write == 0 { SEPARATOR } else { text[write - 1] };
            // The text ends with a separator.
            self.count_neighbors(before, text[read + 2]);
            text[write] = new;
            (read, write) = (read + 2, write + 1);
        }
        text.copy_within(read.., write);
        text.truncate(write + text.len() - read);
        self.apply(pair, new, None);
    }
}

/// The next occurrence of a pair. Compares many positions at once.
fn find(text: &[u16], (left, right): Pair) -> Option<usize> {
    const WIDTH: usize = 32;
    let mut from = 0;
    while from + WIDTH < text.len() {
        let (here, behind) = (&text[from..from + WIDTH], &text[from + 1..from + WIDTH + 1]);
        let any = here.iter().zip(behind).fold(false, |any, (&a, &b)| any | (a == left) & (b == right));
        if any {
            break;
        }
        from += WIDTH;
    }
    text[from..].windows(2).position(|pair| *pair == [left, right]).map(|at| from + at)
}
