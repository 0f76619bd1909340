//! Learning rates: which one each tokenizer's validation text chose, and what trying the others cost.

use std::collections::BTreeSet;

use experiment::record::Record;
use serde::Serialize;

use super::question::encoder;

/// A search for the learning rate: the same rates for every tokenizer, chosen on validation text. Its cost is part of what a
/// comparison costs.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Tuning {
    /// Rates that were tried, ascending.
    pub rates: Vec<f64>,
    /// The chosen rate of each tokenizer.
    pub chosen: Vec<(String, f64)>,
    /// Runs at other rates: in no table and in no figure.
    pub runs: usize,
    /// Seconds that those runs took, training and scoring.
    pub seconds: f64,
}

/// The runs of one tokenizer at the learning rate that its validation text chose; the others are counted as `tuning`. Rates
/// that were not tried on the same seeds are no grid but a mix-up, unless runs are unfinished.
pub(super) fn tuned(name: &str, records: Vec<Record>, partial: bool, tuning: &mut Option<Tuning>) -> Vec<Record> {
    let rate = |record: &Record| encoder(record).map_or(0.0, |model| model.training.learning_rate);
    let mut rates: Vec<f64> = records.iter().map(rate).collect();
    rates.sort_by(f64::total_cmp);
    rates.dedup();
    let seeds = |at: f64| records.iter().filter(|r| rate(r) == at).map(|r| r.run.seed).collect::<BTreeSet<u64>>();
    let grid = rates.len() > 1 && (partial || rates.iter().all(|&at| seeds(at) == seeds(rates[0])));
    let chosen = if grid { experiment::rates::choose(&records).into_values().next() } else { None };
    let Some(chosen) = chosen else { return records };
    let (kept, others): (Vec<Record>, Vec<Record>) = records.into_iter().partition(|record| rate(record) == chosen);
    let tuning = tuning.get_or_insert_with(Tuning::default);
    tuning.rates.extend(rates);
    tuning.rates.sort_by(f64::total_cmp);
    tuning.rates.dedup();
    tuning.chosen.push((name.to_owned(), chosen));
    tuning.runs += others.len();
    tuning.seconds +=
        others.iter().map(|record| record.timing.train_seconds + record.timing.score_seconds).sum::<f64>();
    kept
}
