//! From logits to bits: total = count + length + content (`docs/protocol.md#code-length`).

use serde::{Deserialize, Serialize};

use crate::candidates::CandidateSets;
use crate::layout::Target;
use crate::score::{CONTENT, LENGTH, NO_PAIR_RULE, Score};

/// The code length of the number m of tokens of a span: -log2 q(m), where q is the add-one smoothed histogram of the training split.
/// Zero for fixed lengths.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CountCode {
    /// Number of training spans with 1, 2, ... tokens; empty for fixed lengths.
    counts: Vec<u64>,
}

impl CountCode {
    /// For tokenizers of fixed length, whose number of tokens per span is known: always 0 bits.
    #[must_use]
    pub fn fixed_length() -> CountCode {
        CountCode { counts: Vec::new() }
    }

    /// Fits q to the numbers of tokens of training spans of `span` bases.
    pub fn fit(span: usize, numbers: impl IntoIterator<Item = usize>) -> CountCode {
        let mut counts = vec![0; span];
        for number in numbers {
            if let Some(count) = number.checked_sub(1).and_then(|i| counts.get_mut(i)) {
                *count += 1;
            }
        }
        CountCode { counts }
    }

    /// Code length of a span of `number` tokens, in bits.
    #[must_use]
    pub fn bits(&self, number: usize) -> f64 {
        if self.counts.is_empty() {
            return 0.0;
        }
        let total: u64 = self.counts.iter().sum::<u64>() + self.counts.len() as u64;
        let count = number.checked_sub(1).and_then(|i| self.counts.get(i)).copied().unwrap_or(0) + 1;
        (total as f64 / count as f64).log2()
    }
}

/// The code length of a target, that is -log2 of the probability of its length ([`LENGTH`]), of the token given its length
/// ([`CONTENT`]), and of the token without the pair rule ([`NO_PAIR_RULE`]), under a row of logits: over the vocabulary, or over
/// [`CandidateSets::fixed_range`] alone, where every id is a candidate and no look-up is needed. Sums are in f64 and in a fixed order.
pub fn token_bits(logits: &[f32], target: &Target, sets: &mut CandidateSets) -> Score {
    match sets.fixed_range() {
        Some(range) if range.len() == logits.len() => {
            let own = (target.token as usize).checked_sub(range.start);
            let content = own.map_or(f64::INFINITY, |own| softmax_bits(logits, own));
            Score::default().with(CONTENT, content).with(NO_PAIR_RULE, content)
        }
        _ => candidate_bits(logits, target, sets),
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

/// The code length of a target under the softmax over its candidate tokens; `logits` is a row over the vocabulary.
fn candidate_bits(logits: &[f32], target: &Target, sets: &mut CandidateSets) -> Score {
    sets.prepare(target.constraint);
    let own = sets.length(target.token);
    let logit = |id: u32| f64::from(logits.get(id as usize).copied().unwrap_or(f32::NEG_INFINITY));
    let mut highest = logit(target.token);
    sets.visit(target.constraint, false, |id| highest = highest.max(logit(id)));
    let (mut all, mut same, mut without_pair_rule) = (0.0, 0.0, 0.0);
    sets.visit(target.constraint, true, |id| {
        let p = (logit(id) - highest).exp();
        all += p;
        if sets.length(id) == own {
            same += p;
        }
    });
    if target.constraint.previous.is_some() {
        sets.visit(target.constraint, false, |id| without_pair_rule += (logit(id) - highest).exp());
    } else {
        without_pair_rule = all;
    }
    let p = (logit(target.token) - highest).exp();
    Score::default()
        .with(LENGTH, (all / same).log2())
        .with(CONTENT, (same / p).log2())
        .with(NO_PAIR_RULE, (without_pair_rule / p).log2())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_add_one_smoothed() {
        let code = CountCode::fit(4, [2, 2, 2, 3]);
        assert!((code.bits(2) - 1.0).abs() < 1e-12); // (3 + 1) of (4 + 4)
        assert!((code.bits(1) - 3.0).abs() < 1e-12);
        assert_eq!(CountCode::fixed_length().bits(7), 0.0);
    }
}
