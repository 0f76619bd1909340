//! From logits to bits: total = count + length + content (`docs/protocol.md#code-length`).

use serde::{Deserialize, Serialize};

use crate::candidates::LegalSets;
use crate::layout::Target;
use crate::score::{CONTENT, LENGTH, NO_PAIR_RULE, Score};

/// The price of the number of tokens of a span: -log2 q(m), q a histogram over the training split with one added to
/// each possible number. Zero for fixed lengths.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CountBill {
    /// Spans with 1, 2, ... tokens; empty for fixed lengths.
    counts: Vec<u64>,
}

impl CountBill {
    /// For tokenizers whose number of tokens is known.
    #[must_use]
    pub fn free() -> CountBill {
        CountBill { counts: Vec::new() }
    }

    /// From the numbers of tokens of training spans of `span` bases.
    pub fn fit(span: usize, numbers: impl IntoIterator<Item = usize>) -> CountBill {
        let mut counts = vec![0; span];
        for number in numbers {
            if let Some(count) = number.checked_sub(1).and_then(|i| counts.get_mut(i)) {
                *count += 1;
            }
        }
        CountBill { counts }
    }

    /// Bits for a span of `number` tokens.
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

/// The price of a token, that is -log2 of the probability of its length ([`LENGTH`]), of itself given its length ([`CONTENT`]),
/// and of itself when pairs that never occur in a cut are not excluded ([`NO_PAIR_RULE`]), under a row of logits: over the vocabulary, or over [`LegalSets::fixed_range`] alone, where every
/// id is legal and nothing has to be looked up. Sums are in f64 and in a fixed order.
pub fn token_bits(logits: &[f32], target: &Target, sets: &mut LegalSets) -> Score {
    match sets.fixed_range() {
        Some(range) if range.len() == logits.len() => {
            let own = (target.token as usize).checked_sub(range.start);
            let content = own.map_or(f64::INFINITY, |own| softmax_bits(logits, own));
            Score::default().with(CONTENT, content).with(NO_PAIR_RULE, content)
        }
        _ => legal_bits(logits, target, sets),
    }
}

/// -log2 of the probability that the softmax of a whole row gives to its number `own`.
#[must_use]
pub fn softmax_bits(logits: &[f32], own: usize) -> f64 {
    let highest = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let sum: f64 = logits.iter().map(|&logit| (f64::from(logit) - highest).exp()).sum();
    let own = f64::from(logits.get(own).copied().unwrap_or(f32::NEG_INFINITY));
    (sum.ln() + highest - own) / std::f64::consts::LN_2
}

/// The price of a token among the legal ones of a row over the vocabulary.
fn legal_bits(logits: &[f32], target: &Target, sets: &mut LegalSets) -> Score {
    sets.prepare(target.legal);
    let own = sets.length(target.token);
    let logit = |id: u32| f64::from(logits.get(id as usize).copied().unwrap_or(f32::NEG_INFINITY));
    let mut highest = logit(target.token);
    sets.visit(target.legal, false, |id| highest = highest.max(logit(id)));
    let (mut all, mut same, mut unruled) = (0.0, 0.0, 0.0);
    sets.visit(target.legal, true, |id| {
        let p = (logit(id) - highest).exp();
        all += p;
        if sets.length(id) == own {
            same += p;
        }
    });
    if target.legal.after.is_some() {
        sets.visit(target.legal, false, |id| unruled += (logit(id) - highest).exp());
    } else {
        unruled = all;
    }
    let p = (logit(target.token) - highest).exp();
    Score::default()
        .with(LENGTH, (all / same).log2())
        .with(CONTENT, (same / p).log2())
        .with(NO_PAIR_RULE, (unruled / p).log2())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn add_one_counts() {
        let bill = CountBill::fit(4, [2, 2, 2, 3]);
        assert!((bill.bits(2) - 1.0).abs() < 1e-12); // (3 + 1) of (4 + 4)
        assert!((bill.bits(1) - 3.0).abs() < 1e-12);
        assert_eq!(CountBill::free().bits(7), 0.0);
    }
}
