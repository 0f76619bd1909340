//! Selection of the learning rate of each tokenizer.

use std::collections::BTreeMap;

use crate::record::{Outcome, Record};
use crate::run::Work;

/// The learning rate with the lowest mean validation bits per base at the end of the curve, per canonical tokenizer name and
/// position encoding. A rate that collapsed or failed for any seed is selected only if there is no other. Fine-tuning records
/// are ignored.
#[must_use]
pub fn choose(records: &[Record]) -> BTreeMap<(String, &'static str), f64> {
    let mut tried: BTreeMap<(String, &'static str), BTreeMap<u64, Vec<f64>>> = BTreeMap::new();
    for record in records {
        let Work::Pretrain(p) = &record.run.work else { continue };
        let bits = match &record.outcome {
            Outcome::Pretrained(r) if !r.collapsed => {
                r.curve.last().filter(|c| c.scored > 0).map_or(f64::INFINITY, |c| c.bits / c.scored as f64)
            }
            _ => f64::INFINITY,
        };
        let bits = if bits.is_nan() { f64::INFINITY } else { bits };
        let rates = tried.entry((p.tokenizer.clone(), p.encoder.position.name())).or_default();
        rates.entry(p.training.learning_rate.to_bits()).or_default().push(bits);
    }
    let mean = |bits: &[f64]| bits.iter().sum::<f64>() / bits.len() as f64;
    tried
        .into_iter()
        .filter_map(|(subject, rates)| {
            let best = rates.iter().min_by(|a, b| mean(a.1).total_cmp(&mean(b.1)))?;
            Some((subject, f64::from_bits(*best.0)))
        })
        .collect()
}
