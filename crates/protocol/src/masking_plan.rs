//! The masking plan, made in bases (`docs/protocol.md#masking-plan`).
//!
//! A window is divided from its start into cells. In training, a fraction of the cells (the mask ratio) is drawn at random, no two
//! adjacent, none with a base other than A, C, G, T. In scoring, pass p of 7 masks the cells i with i mod 7 = p. The plan does not
//! depend on the tokenizer, so masked spans are identical for all of them.

use dna::{is_dna, shuffle};
use rand::{Rng, RngExt};
use std::ops::Range;

/// Passes of the scoring plan: every full cell is masked in exactly one of them.
pub const PASSES: usize = 7;

/// A masked span of a window, in bases.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span {
    /// First base.
    pub start: usize,
    /// One past the last base.
    pub end: usize,
    /// The prefix of its tokens that a training span reveals, so that sequential scoring is in distribution.
    pub prefix: Prefix,
}

/// A prefix of the m tokens of a span, given by a number u in 0..1 that is drawn independently of the tokenizer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Prefix {
    /// No token is revealed.
    None,
    /// 1 + floor(u (m - 1)) tokens: at least one, and not all.
    Proper(f64),
    /// floor(u m) tokens: each number from 0 to m - 1 is equally likely.
    Any(f64),
}

impl Span {
    /// Its bases.
    #[must_use]
    pub fn range(&self) -> Range<usize> {
        self.start..self.end
    }

    /// A span that reveals no token.
    #[must_use]
    pub fn masked(start: usize, end: usize) -> Span {
        Span { start, end, prefix: Prefix::None }
    }

    /// How many of its `tokens` tokens are revealed.
    #[must_use]
    pub fn revealed(&self, tokens: usize) -> usize {
        match self.prefix {
            Prefix::Proper(number) if tokens > 1 => 1 + ((number * (tokens - 1) as f64) as usize).min(tokens - 2),
            Prefix::Any(number) if tokens > 1 => ((number * tokens as f64) as usize).min(tokens - 1),
            _ => 0,
        }
    }
}

/// Draws the masked spans of a training window: `round(ratio * cells)` cells of `cell` bases, no two adjacent, or as many as fit.
/// The draw depends on the bases and the generator only, never on the tokenizer.
pub fn training(bases: &[u8], cell: usize, ratio: f64, rng: &mut impl Rng) -> Vec<Span> {
    let cells = bases.len() / cell;
    let wanted = (ratio * cells as f64).round() as usize;
    let open: Vec<usize> = (0..cells).filter(|&i| is_dna(&bases[i * cell..(i + 1) * cell])).collect();
    let mut best: Vec<usize> = Vec::new();
    // Greedy selection in random order can end early at high mask ratios: then it is repeated, and the largest selection is kept.
    for _ in 0..32 {
        let mut order = open.clone();
        shuffle(&mut order, rng);
        let mut taken = vec![false; cells + 2];
        let mut drawn = Vec::with_capacity(wanted);
        for i in order {
            if drawn.len() < wanted && !taken[i] && !taken[i + 2] {
                taken[i + 1] = true;
                drawn.push(i);
            }
        }
        if drawn.len() > best.len() || best.is_empty() {
            best = drawn;
        }
        if best.len() == wanted {
            break;
        }
    }
    best.sort_unstable();
    best.iter()
        .map(|&i| {
            let (half, number) = (rng.random::<f64>() < 0.5, rng.random::<f64>());
            Span {
                start: i * cell,
                end: (i + 1) * cell,
                prefix: if half { Prefix::Proper(number) } else { Prefix::None },
            }
        })
        .collect()
}

/// The masked spans of one scoring pass.
#[must_use]
pub fn scoring(bases: &[u8], cell: usize, pass: usize) -> Vec<Span> {
    (0..bases.len() / cell)
        .filter(|i| i % PASSES == pass && is_dna(&bases[i * cell..(i + 1) * cell]))
        .map(|i| Span::masked(i * cell, (i + 1) * cell))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    proptest! {
        #[test]
        fn spans_are_not_adjacent_and_contain_no_n(seed in 0u64..500, length in 24usize..400, ratio in 0.05f64..0.45, hole in 0usize..400) {
            let mut bases = vec![b'A'; length];
            if hole < length {
                bases[hole] = b'N';
            }
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let spans = training(&bases, 12, ratio, &mut rng);
            let wanted = (ratio * (length / 12) as f64).round() as usize;
            prop_assert!(spans.len() <= wanted);
            if wanted * 3 <= length / 12 {
                prop_assert!(spans.len() + 1 >= wanted);
            }
            for pair in spans.windows(2) {
                prop_assert!(pair[1].start >= pair[0].end + 12);
            }
            for span in &spans {
                prop_assert!(span.start % 12 == 0 && span.end == span.start + 12 && span.end <= length);
                prop_assert!(!bases[span.start..span.end].contains(&b'N'));
                let revealed = span.revealed(6);
                prop_assert!(revealed <= 5 && (span.prefix == Prefix::None || revealed >= 1) && span.revealed(1) == 0);
            }
        }
    }

    #[test]
    fn scoring_passes_mask_every_cell_once() {
        let bases = vec![b'C'; 252];
        let mut all: Vec<usize> = (0..PASSES).flat_map(|p| scoring(&bases, 12, p)).map(|s| s.start / 12).collect();
        all.sort_unstable();
        assert_eq!(all, (0..21).collect::<Vec<_>>());
    }
}
