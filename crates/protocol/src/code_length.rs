//! From logits to bits: total = count + length + content (`docs/protocol.md#code-length`).

use serde::{Deserialize, Serialize};

use crate::candidates::CandidateSets;
use crate::layout::Target;
use crate::prior::SegmentationPrior;
use crate::score::{CONTENT, LENGTH, Score};
use crate::weights::ANY_BASE;

/// Weight of the prior's distribution of the number of tokens, in observations.
pub const COUNT_PSEUDO: f64 = 10.0;

/// The code length of the number m of tokens of a span: -log2 q(m). q is the histogram of the training split with the distribution of the
/// segmentation prior as [`COUNT_PSEUDO`] pseudo-observations, so it is positive exactly where a span can have m tokens. Zero for
/// fixed lengths.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CountCode {
    /// Number of training spans with 1, 2, ... tokens: by the base on the left (index 4: none) if the prior depends on it, else a single
    /// list. Empty for fixed lengths.
    counts: Vec<Vec<u64>>,
    /// By the base on the left: the distribution of the prior.
    #[serde(skip)]
    prior: Vec<Vec<f64>>,
}

impl CountCode {
    /// For tokenizers of fixed length, whose number of tokens per span is known: always 0 bits.
    #[must_use]
    pub fn fixed_length() -> CountCode {
        CountCode { counts: Vec::new(), prior: Vec::new() }
    }

    /// Fits q to numbers of tokens of training spans, `counts[left][m - 1]` with [`ANY_BASE`] last. Without a prior, all numbers have the
    /// same share of the pseudo-observations.
    #[must_use]
    pub fn fit(mut counts: Vec<Vec<u64>>, prior: Option<&SegmentationPrior>) -> CountCode {
        if prior.is_none_or(|prior| prior.canonical(0) == ANY_BASE) {
            counts.drain(..counts.len().saturating_sub(1));
        }
        CountCode { counts, prior: Vec::new() }.with_prior(prior)
    }

    /// The same counts with the distributions of a prior, which are not stored.
    #[must_use]
    pub fn with_prior(mut self, prior: Option<&SegmentationPrior>) -> CountCode {
        let of = |(left, counts): (usize, &Vec<u64>)| {
            let weights = match prior {
                Some(prior) => prior.counts(prior.span(), left as u8),
                None => vec![1.0; counts.len()],
            };
            let total: f64 = weights.iter().sum();
            weights.iter().map(|weight| weight / total).collect()
        };
        self.prior = self.counts.iter().enumerate().map(of).collect();
        self
    }

    /// Code length of a span of `number` tokens behind base `left`, in bits.
    #[must_use]
    pub fn bits(&self, number: usize, left: u8) -> f64 {
        let Some((counts, prior)) = self.of(left) else { return 0.0 };
        let total = counts.iter().sum::<u64>() as f64 + COUNT_PSEUDO;
        let at = |values: &[f64]| number.checked_sub(1).and_then(|i| values.get(i).copied()).unwrap_or(0.0);
        let count = number.checked_sub(1).and_then(|i| counts.get(i)).copied().unwrap_or(0) as f64;
        (total / (count + COUNT_PSEUDO * at(prior))).log2()
    }

    /// Code length under the segmentation prior alone, in bits.
    #[must_use]
    pub fn prior_bits(&self, number: usize, left: u8) -> f64 {
        let Some((_, prior)) = self.of(left) else { return 0.0 };
        -number.checked_sub(1).and_then(|i| prior.get(i)).copied().unwrap_or(0.0).log2()
    }

    fn of(&self, left: u8) -> Option<(&Vec<u64>, &Vec<f64>)> {
        let at = usize::from(left).min(self.counts.len().checked_sub(1)?);
        Some((&self.counts[at], self.prior.get(at)?))
    }
}

/// The code length of a target, that is -log2 of the probability of its length ([`LENGTH`]) and of the token given its length
/// ([`CONTENT`]), under a row of logits and the prior: over the vocabulary, or over [`CandidateSets::fixed_range`] alone, where every id
/// is a candidate. Sums are in f64 and in a fixed order.
pub fn token_bits(logits: &[f32], target: &Target, sets: &mut CandidateSets) -> Score {
    match sets.fixed_range() {
        Some(range) if range.len() == logits.len() && sets.is_constant() => {
            let own = (target.token as usize).checked_sub(range.start);
            Score::default().with(CONTENT, own.map_or(f64::INFINITY, |own| softmax_bits(logits, own)))
        }
        Some(range) if range.len() == logits.len() => candidate_bits(logits, range.start, target, sets),
        _ => candidate_bits(logits, 0, target, sets),
    }
}

/// -log2 of the probability that the softmax over a whole row assigns to entry `own`.
#[must_use]
pub fn softmax_bits(logits: &[f32], own: usize) -> f64 {
    let highest = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let sum: f64 = logits.iter().map(|&logit| (f64::from(logit) - highest).exp()).sum();
    let own = f64::from(logits.get(own).copied().unwrap_or(f32::NEG_INFINITY));
    (sum.ln() + highest - own) / std::f64::consts::LN_2
}

/// The code length of a target under the softmax over its candidate tokens; `logits` is a row over the ids from `first`.
fn candidate_bits(logits: &[f32], first: usize, target: &Target, sets: &mut CandidateSets) -> Score {
    let logit = |id: u32| {
        let at = (id as usize).checked_sub(first);
        f64::from(at.and_then(|at| logits.get(at)).copied().unwrap_or(f32::NEG_INFINITY))
    };
    weighted_bits(logit, target, sets)
}

/// The code length of a target under the prior alone, in bits: what a network that outputs zeros pays.
#[must_use]
pub fn zero_bits(target: &Target, sets: &mut CandidateSets) -> f64 {
    if sets.is_constant() {
        return (sets.number(target.constraint) as f64).log2();
    }
    weighted_bits(|_| 0.0, target, sets).total()
}

/// The code length of a target if candidates have `logit` (natural logarithms) added to the logarithm of their prior.
pub(crate) fn weighted_bits(logit: impl Fn(u32) -> f64, target: &Target, sets: &mut CandidateSets) -> Score {
    sets.prepare(target.constraint);
    let length = sets.length(target.token);
    let (mut highest, mut own) = (f64::NEG_INFINITY, f64::NEG_INFINITY);
    sets.visit(target.constraint, |id, log| {
        let score = logit(id) + log;
        highest = highest.max(score);
        if id == target.token {
            own = score;
        }
    });
    let (mut all, mut same) = (0.0, 0.0);
    sets.visit(target.constraint, |id, log| {
        let p = (logit(id) + log - highest).exp();
        all += p;
        if sets.length(id) == length {
            same += p;
        }
    });
    let p = (own - highest).exp();
    Score::default().with(LENGTH, (all / same).log2()).with(CONTENT, (same / p).log2())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_smoothed_by_the_prior() {
        let code = CountCode::fit(vec![vec![0, 3, 1, 0]], None); // 4 counts, 10 pseudo-observations over 4 numbers
        assert!((code.bits(2, 4) - (14.0_f64 / 5.5).log2()).abs() < 1e-12);
        assert!((code.bits(1, 4) - (14.0_f64 / 2.5).log2()).abs() < 1e-12);
        assert!((code.prior_bits(1, 4) - 2.0).abs() < 1e-12);
        assert_eq!(CountCode::fixed_length().bits(7, 4), 0.0);
    }
}
