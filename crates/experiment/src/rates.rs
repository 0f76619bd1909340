//! Selection of the learning rate of each tokenizer, and other properties of finished runs on which later runs depend.

use std::collections::BTreeMap;

use crate::config::Position;
use crate::record::{Outcome, Record};
use crate::run::{Pretrain, Work};

/// What a learning rate is selected for: a tokenizer, on a corpus, with a position encoding, at a seed. Per seed, because one choice for all
/// seeds would share its luck among them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Choice {
    /// Canonical name of the tokenizer.
    pub tokenizer: String,
    /// Hash of the corpus.
    pub corpus: String,
    /// Name of the position encoding.
    pub position: String,
    /// The seed.
    pub seed: u64,
}

impl Choice {
    /// A choice by its parts.
    #[must_use]
    pub fn new(tokenizer: &str, corpus: &str, position: Position, seed: u64) -> Choice {
        Choice { tokenizer: tokenizer.to_owned(), corpus: corpus.to_owned(), position: position.name(), seed }
    }

    fn of(pretrain: &Pretrain, seed: u64) -> Choice {
        Choice::new(&pretrain.tokenizer, &pretrain.corpus.hash, pretrain.encoder.position, seed)
    }
}

/// Validation bits per masked base at the end of training, by which settings are selected; infinite for a run that collapsed, failed or has no
/// such score.
#[must_use]
pub fn validation_bits(record: &Record) -> f64 {
    let bits = match &record.outcome {
        Outcome::Pretrained(r) if !r.collapsed => {
            r.curve.last().filter(|c| c.scored > 0).map_or(f64::INFINITY, |c| c.bits / c.scored as f64)
        }
        _ => f64::INFINITY,
    };
    if bits.is_nan() { f64::INFINITY } else { bits }
}

/// The learning rate with the lowest validation bits per base at the end of the curve, among the runs at the smallest budget. A rate that
/// failed, or whose scored run is known to have collapsed, is selected only if there is no other. Fine-tuning records are ignored.
#[must_use]
pub fn choose(records: &[Record]) -> BTreeMap<Choice, f64> {
    let mut tried: BTreeMap<Choice, Vec<(u64, f64, f64)>> = BTreeMap::new();
    for record in records {
        let Work::Pretrain(p) = &record.run.work else { continue };
        let bits = validation_bits(record);
        let training = &p.training;
        tried.entry(Choice::of(p, record.run.seed)).or_default().push((training.bases, bits, training.learning_rate));
    }
    tried
        .into_iter()
        .filter_map(|(choice, mut runs)| {
            let least = runs.iter().map(|run| run.0).min()?;
            runs.retain(|run| run.0 == least);
            let best = runs.into_iter().min_by(|a, b| a.1.total_cmp(&b.1).then(a.2.total_cmp(&b.2)))?;
            Some((choice, best.2))
        })
        .collect()
}

/// Multiply-accumulates of a forward pass per base, by canonical tokenizer name and name of the position encoding: from the first record of
/// each, at the largest budget in bases. They depend on the text only through the number of tokens.
#[must_use]
pub fn macs_per_base(records: &[Record]) -> BTreeMap<(String, String), f64> {
    let mut known: BTreeMap<(String, String), f64> = BTreeMap::new();
    for record in records {
        if let (Work::Pretrain(p), Outcome::Pretrained(r)) = (&record.run.work, &record.outcome) {
            // A trial scores no text, so its cost is not known.
            if p.is_trial() {
                continue;
            }
            let key = (p.tokenizer.clone(), p.encoder.position.name());
            known.entry(key).or_insert(r.cost.macs_per_base);
        }
    }
    known
}
