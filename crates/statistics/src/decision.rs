//! The decision rule of a family of comparisons: when a difference is *significant* (field `decisive` of reports).
//!
//! Both conditions are necessary, because they speak of different populations:
//!
//! 1. The exact paired sign-flip p-value over seeds, adjusted by Holm's method over the m comparisons of the family, is at most
//!    0.05. This is about new seeds on the same test text.
//! 2. The simultaneous interval of the difference, a bootstrap over seeds *and* genome blocks (test rows) at level 1 - 0.05 / m
//!    ([`draws`](crate::draws)), excludes 0. This is about new seeds and new text of the same genomes.
//!
//! The first alone declares differences of equal tokenizers significant whenever the test text happens to favor one of them. The
//! family-wise error of the rule is simulated in `crates/statistics/tests/family_wise_error.rs`; its table is in
//! `docs/statistics.md`.
//!
//! ```
//! use statistics::{decision::{Reason, decide}, draws::Interval};
//! let differences = vec![vec![-0.02, -0.03, -0.01, -0.02, -0.04, -0.02, -0.03]; 2];
//! let intervals = [Interval { low: -0.04, high: -0.01 }, Interval { low: -0.06, high: 0.01 }];
//! let family = decide(&differences, &intervals, 0).unwrap();
//! assert!(family[0].decisive());
//! assert_eq!(family[1].reason, Some(Reason::Interval)); // p is small enough, but the text may favor one of the two
//! ```

use serde::Serialize;

use super::draws::Interval;
use super::holm::{holm, minimum_attainable_p};
use super::sign_flip::sign_flip;
use super::{ALPHA, Error};

/// Why a difference is not significant: the first condition that fails, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The experiment is exploratory: no verdict.
    Exploratory,
    /// No difference can be significant with so few seeds.
    Seeds,
    /// The Holm-adjusted p-value is above 0.05.
    P,
    /// The p-value is small enough, but the simultaneous interval includes 0.
    Interval,
}

/// Result for one comparison of a family.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decision {
    /// p-value of the paired sign-flip test.
    pub p: f64,
    /// Holm-adjusted p-value.
    pub adjusted: f64,
    /// Why the difference is not significant; None if it is.
    pub reason: Option<Reason>,
}

impl Decision {
    /// True if the difference is significant.
    #[must_use]
    pub fn decisive(&self) -> bool {
        self.reason.is_none()
    }
}

/// Applies the rule to a family: `differences[comparison][seed]` and the simultaneous interval of each comparison. `seed` is that
/// of the sign-flip test, used only for more than 20 seeds.
///
/// # Errors
/// If a comparison has no differences or one that is not finite, or the numbers of comparisons and intervals differ.
pub fn decide(differences: &[Vec<f64>], simultaneous: &[Interval], seed: u64) -> Result<Vec<Decision>, Error> {
    if differences.len() != simultaneous.len() {
        let shape = format!("{} comparisons, {} intervals", differences.len(), simultaneous.len());
        return Err(Error::Shape(shape));
    }
    let p: Vec<f64> = differences.iter().map(|d| Ok(sign_flip(d, seed)?.p)).collect::<Result<_, Error>>()?;
    let one = |((at, adjusted), interval): ((usize, f64), &Interval)| {
        let reason = if minimum_attainable_p(differences[at].len(), p.len()) > ALPHA {
            Some(Reason::Seeds)
        } else if adjusted > ALPHA {
            Some(Reason::P)
        } else {
            (!interval.excludes_zero()).then_some(Reason::Interval)
        };
        Decision { p: p[at], adjusted, reason }
    };
    Ok(holm(&p).into_iter().enumerate().zip(simultaneous).map(one).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const AWAY: Interval = Interval { low: 0.1, high: 0.9 };

    #[test]
    fn both_conditions_are_necessary() {
        let up = vec![0.5; 7];
        let mixed = vec![0.5, 0.4, 0.6, -0.1, 0.5, 0.4, 0.3];
        let across = Interval { low: -0.1, high: 0.9 };
        let reasons = |d: &[&Vec<f64>], i: &[Interval]| -> Vec<Option<Reason>> {
            let d: Vec<Vec<f64>> = d.iter().map(|one| (*one).clone()).collect();
            decide(&d, i, 0).unwrap().iter().map(|one| one.reason).collect()
        };
        assert_eq!(reasons(&[&up, &up], &[AWAY, across]), [None, Some(Reason::Interval)]);
        // p of `mixed` is 2 * 2 / 128 = 0.031, which Holm's second step accepts, and a single comparison too.
        assert_eq!(reasons(&[&up, &mixed], &[AWAY, AWAY]), [None, None]);
        assert_eq!(reasons(&[&mixed, &mixed], &[AWAY, AWAY]), [Some(Reason::P), Some(Reason::P)]);
        assert_eq!(reasons(&[&up[..6].to_vec(), &mixed[..6].to_vec()], &[AWAY, AWAY]), [Some(Reason::Seeds); 2]);
        assert!(decide(&[up], &[], 0).is_err());
        assert!(decide(&[vec![f64::NAN]], &[AWAY], 0).is_err());
    }
}
