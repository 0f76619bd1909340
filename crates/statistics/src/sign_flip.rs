//! Two-sided paired sign-flip (randomization) test. Under the null hypothesis, the signs of the paired differences are
//! independent and symmetric (Fisher, "The Design of Experiments", section 21, 1935). The statistic is the absolute mean
//! difference.
//!
//! Up to [`EXACT_PAIRS`] pairs, p is exact: the fraction of all 2^n sign assignments with at least the observed statistic
//! (counted with two sorted halves). For more pairs, it is estimated from [`DRAWS`] random assignments with the +1 correction
//! of Phipson and Smyth (2010), which keeps the test valid.
//!
//! ```
//! let test = statistics::sign_flip::sign_flip(&[1.0, 2.0, 3.0], 0).unwrap();
//! assert_eq!(test.p, 0.25); // 2 of the 8 assignments reach |mean| = 2
//! ```

use rand_chacha::rand_core::Rng;
use serde::Serialize;

use super::{Error, check, mean, stream};

/// Maximum number of pairs for the exact test.
pub const EXACT_PAIRS: usize = 20;

/// Number of random assignments for more than [`EXACT_PAIRS`] pairs.
pub const DRAWS: u64 = 99_999;

/// Result of the test.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct SignFlip {
    /// Mean difference.
    pub mean: f64,
    /// Two-sided p-value.
    pub p: f64,
    /// True if `p` is exact.
    pub exact: bool,
}

/// Tests paired differences for a mean of zero. `seed` is used only for more than [`EXACT_PAIRS`] pairs.
///
/// # Errors
/// If there are no differences, or one is not finite.
pub fn sign_flip(differences: &[f64], seed: u64) -> Result<SignFlip, Error> {
    check(differences)?;
    let observed = differences.iter().sum::<f64>().abs();
    // Tolerance for ties, relative to the sum of magnitudes, which bounds the rounding error of the sum.
    let bar = observed - 1e-9 * differences.iter().map(|d| d.abs()).sum::<f64>();
    let n = differences.len();
    let (p, exact) = if n <= EXACT_PAIRS {
        (exact_p(differences, bar), true)
    } else {
        let mut rng = stream("sign-flip", seed);
        let mut count = 0_u64;
        for _ in 0..DRAWS {
            let mut word = 0_u64;
            let mut sum = 0.0;
            for (i, d) in differences.iter().enumerate() {
                if i % 64 == 0 {
                    word = rng.next_u64();
                }
                sum += if word >> (i % 64) & 1 == 1 { -d } else { *d };
            }
            count += u64::from(sum.abs() >= bar);
        }
        ((count + 1) as f64 / (DRAWS + 1) as f64, false)
    };
    Ok(SignFlip { mean: mean(differences), p, exact })
}

/// Fraction of all sign assignments whose absolute sum is at least `bar`, which is just below the observed one.
fn exact_p(differences: &[f64], bar: f64) -> f64 {
    if bar <= 0.0 {
        return 1.0;
    }
    let total: f64 = differences.iter().sum();
    let upward: Vec<f64> = differences.iter().map(|d| if total < 0.0 { -d } else { *d }).collect();
    // Flipping a subset subtracts twice its sum from the total. An assignment and its opposite have the same |sum|, and only one
    // of them has sum >= bar, so the subsets are counted relative to half of the assignments.
    let count = SubsetSums::default().at_most(&upward, (total.abs() - bar) / 2.0);
    count as f64 / (1_u64 << (differences.len() - 1)) as f64
}

/// Counts subsets by their sum in O(2^(n/2)): meet in the middle with the sorted subset sums of each half.
#[derive(Default)]
pub(crate) struct SubsetSums {
    left: Vec<f64>,
    right: Vec<f64>,
    spare: Vec<f64>,
}

impl SubsetSums {
    /// Number of subsets of `values`, the empty one included, whose sum is at most `bar`.
    pub(crate) fn at_most(&mut self, values: &[f64], bar: f64) -> u64 {
        let (left, right) = values.split_at(values.len() / 2);
        sums(left, &mut self.left, &mut self.spare);
        sums(right, &mut self.right, &mut self.spare);
        let (mut count, mut end) = (0, self.right.len());
        for sum in &self.left {
            while end > 0 && sum + self.right[end - 1] > bar {
                end -= 1;
            }
            count += end as u64;
        }
        count
    }
}

/// The sums of all subsets of `values`, in ascending order.
fn sums(values: &[f64], all: &mut Vec<f64>, spare: &mut Vec<f64>) {
    all.clear();
    all.push(0.0);
    for value in values {
        // Merges the sorted sums without and with the value.
        spare.clear();
        let (mut without, mut with) = (0, 0);
        while without < all.len() && with < all.len() {
            let (a, b) = (all[without], all[with] + value);
            spare.push(a.min(b));
            (without, with) = if a <= b { (without + 1, with) } else { (without, with + 1) };
        }
        spare.extend_from_slice(&all[without..]);
        spare.extend(all[with..].iter().map(|sum| sum + value));
        std::mem::swap(all, spare);
    }
}

/// Minimum attainable p-value: 2 / 2^n for n = `pairs`, or the resolution of the random assignments.
#[must_use]
pub fn minimum_p(pairs: usize) -> f64 {
    match pairs {
        0 => 1.0,
        1..=EXACT_PAIRS => 2.0_f64.powi(1 - pairs as i32),
        _ => 1.0 / (DRAWS + 1) as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The slow obvious twin: all assignments, recursively, in whole numbers.
    fn twin(d: &[i64]) -> f64 {
        fn walk(d: &[i64], sum: i64, bar: i64) -> (u64, u64) {
            let Some((first, rest)) = d.split_first() else { return (u64::from(sum.abs() >= bar), 1) };
            let (a, b) = (walk(rest, sum + first, bar), walk(rest, sum - first, bar));
            (a.0 + b.0, a.1 + b.1)
        }
        let (hits, all) = walk(d, 0, d.iter().sum::<i64>().abs());
        hits as f64 / all as f64
    }

    proptest! {
        #[test]
        fn equals_the_twin(d in prop::collection::vec(-9_i64..10, 1..11), scale in 1e-6_f64..1e6) {
            let real: Vec<f64> = d.iter().map(|&v| v as f64 * scale / 3.0).collect();
            prop_assert_eq!(sign_flip(&real, 0).unwrap().p, twin(&d));
        }
    }

    /// Darwin's maize (Fisher 1935, section 21): 15 pairs, 1,726 of 32,768 assignments reach the observed sum of 314.
    #[test]
    fn darwins_maize() {
        let d = [49.0, -67.0, 8.0, 16.0, 6.0, 23.0, 28.0, 41.0, 14.0, 29.0, 56.0, 24.0, 75.0, 60.0, -48.0];
        let test = sign_flip(&d, 0).unwrap();
        assert_eq!(test.p, 1726.0 / 32768.0);
        assert!(test.exact);
    }

    #[test]
    fn minimum_p_is_attained() {
        for n in 1..=12 {
            let d: Vec<f64> = (1..=n).map(f64::from).collect();
            assert_eq!(sign_flip(&d, 0).unwrap().p, minimum_p(n as usize), "{n} pairs");
        }
        assert_eq!(sign_flip(&[0.0, 0.0, 0.0], 0).unwrap().p, 1.0);
    }

    #[test]
    fn random_assignments_agree_with_the_normal_approximation() {
        let d: Vec<f64> = (0..40).map(|i| 0.3 + if i % 2 == 0 { 1.0 } else { -1.0 }).collect();
        let test = sign_flip(&d, 1).unwrap();
        assert!(!test.exact);
        assert_eq!(test, sign_flip(&d, 1).unwrap());
        // Twenty pairs of 1.3 and twenty of -0.7: sd of the sum is sqrt(20 (1.69 + 0.49)) = 6.60, the sum is 12.
        assert!((test.p - 0.069).abs() < 0.02, "{}", test.p);
        let strong = vec![1.0; 60];
        assert_eq!(sign_flip(&strong, 0).unwrap().p, minimum_p(60));
    }
}
