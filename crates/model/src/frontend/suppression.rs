//! MxDNA's selection of units: non-maximum suppression over positions and experts together (Qiao et al., NeurIPS 2024).
//!
//! Candidate windows are visited by decreasing score; a candidate is rejected if its window extends beyond the bases or overlaps
//! a selected window. Ties are ordered by position, then by expert (in the published code by an unstable sort); NaN scores
//! come last. Runs on the host on detached scores: the selection has no gradient.
//!
//! ```
//! use model::frontend::suppression::{Picked, suppress};
//! // \[CLS\], two bases, \[SEP\]; experts of sizes 1 and 2. The size-2 unit centered at position 2 covers positions 1 and 2.
//! let scores = [0.0, 0.0, 0.3, 0.1, 0.2, 0.9, 0.0, 0.0];
//! let picked = suppress(&scores, &[1, 2], 4);
//! assert_eq!(picked.len(), 1);
//! assert_eq!((picked[0].expert, picked[0].unit.start, picked[0].unit.length), (1, 1, 2));
//! ```

use super::route::Unit;

/// A selected unit and its expert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Picked {
    /// Index of the expert (not its kernel size).
    pub expert: usize,
    /// Positions that the unit covers.
    pub unit: Unit,
}

/// Units of one sequence in order of position. `scores` are `[positions, experts]`; expert `j` covers `sizes[j]` positions. Windows
/// of odd size are centered, those of even size have their center right of the middle. The first and last of the first
/// `length` positions are \[CLS\] and \[SEP\], which belong to no unit.
#[must_use]
pub fn suppress(scores: &[f32], sizes: &[usize], length: usize) -> Vec<Picked> {
    let experts = sizes.len();
    if length < 3 {
        return Vec::new();
    }
    let (low, high) = (1, length - 1);
    let key = |index: usize| (u64::from(descending(scores[index])) << 32) | index as u64;
    let mut order: Vec<u64> = (low * experts..high * experts).map(key).collect();
    order.sort_unstable();
    let mut taken = vec![false; length];
    let mut picked = Vec::new();
    let mut free = high - low;
    for key in order {
        if free == 0 {
            break;
        }
        let index = (key & 0xffff_ffff) as usize;
        let (center, expert) = (index / experts, index % experts);
        let size = sizes[expert];
        if taken[center] || size == 0 || center < low + size / 2 {
            continue;
        }
        let start = center - size / 2;
        if start + size > high || taken[start..start + size].contains(&true) {
            continue;
        }
        taken[start..start + size].fill(true);
        free -= size;
        picked.push(Picked { expert, unit: Unit { center, start, length: size } });
    }
    picked.sort_unstable_by_key(|picked| picked.unit.center);
    picked
}

/// A sort key for floats in descending order; zeros of either sign are equal, NaN sorts as minus infinity.
fn descending(score: f32) -> u32 {
    let bits = if score.is_nan() { f32::NEG_INFINITY } else { score + 0.0 }.to_bits();
    let ascending = if bits >> 31 == 1 { !bits } else { bits | 1 << 31 };
    !ascending
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sort_keys_are_descending() {
        let sorted = [f32::INFINITY, 3.0, 1e-30, 0.0, -1e-30, -2.0, f32::NEG_INFINITY];
        assert!(sorted.windows(2).all(|pair| descending(pair[0]) < descending(pair[1])));
        assert_eq!(descending(0.0), descending(-0.0));
        assert_eq!(descending(f32::NAN), descending(f32::NEG_INFINITY));
    }

    #[test]
    fn ties_are_ordered_by_position_then_expert() {
        let picked = suppress(&[0.5; 6 * 2], &[2, 1], 6);
        let starts: Vec<_> = picked.iter().map(|picked| (picked.expert, picked.unit.start)).collect();
        // Position 1 cannot take size 2 (it would touch [CLS]), so it takes size 1; position 3 then takes 2 and 3.
        assert_eq!(starts, [(1, 1), (1, 2), (1, 3), (1, 4)]);
        assert!(suppress(&[0.0; 4], &[1, 2], 2).is_empty());
    }
}
