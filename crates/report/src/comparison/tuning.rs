//! Learning rates: the one selected for each tokenizer on the validation split, and the cost of the search.

use std::collections::{BTreeMap, BTreeSet};

use experiment::record::Record;
use serde::Serialize;

use super::settings::pretraining;

/// A learning-rate search: the same rates for every tokenizer, selected on the validation split. Its cost is part of the cost of
/// a comparison.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Tuning {
    /// Rates that were tried, ascending.
    pub rates: Vec<f64>,
    /// The selected rates of each tokenizer, ascending; several if they differ between seeds.
    pub chosen: Vec<(String, Vec<f64>)>,
    /// Number of runs at other rates; they are in no table or figure.
    pub runs: usize,
    /// Wall time of those runs in seconds, training and scoring.
    pub seconds: f64,
}

/// The runs of one tokenizer at the learning rate selected on the validation split, for each seed; the others are counted in `tuning`. Rates
/// that were not tried on the same seeds are not a grid, and all runs are kept, unless runs may be unfinished (`partial`).
pub(super) fn tuned(name: &str, records: Vec<Record>, partial: bool, tuning: &mut Option<Tuning>) -> Vec<Record> {
    let rate = |record: &Record| pretraining(record).map_or(0.0, |model| model.training.learning_rate);
    let mut rates: Vec<f64> = records.iter().map(rate).collect();
    rates.sort_by(f64::total_cmp);
    rates.dedup();
    let seeds = |at: f64| records.iter().filter(|r| rate(r) == at).map(|r| r.run.seed).collect::<BTreeSet<u64>>();
    let grid = rates.len() > 1 && (partial || rates.iter().all(|&at| seeds(at) == seeds(rates[0])));
    if !grid {
        return records;
    }
    let chosen: BTreeMap<u64, f64> =
        experiment::rates::choose(&records).into_iter().map(|(choice, rate)| (choice.seed, rate)).collect();
    let selected = |record: &Record| chosen.get(&record.run.seed).is_none_or(|chosen| *chosen == rate(record));
    let (kept, others): (Vec<Record>, Vec<Record>) = records.into_iter().partition(selected);
    let mut used: Vec<f64> = chosen.into_values().collect();
    used.sort_by(f64::total_cmp);
    used.dedup();
    let tuning = tuning.get_or_insert_with(Tuning::default);
    tuning.rates.extend(rates);
    tuning.rates.sort_by(f64::total_cmp);
    tuning.rates.dedup();
    tuning.chosen.push((name.to_owned(), used));
    tuning.runs += others.len();
    tuning.seconds +=
        others.iter().map(|record| record.timing.train_seconds + record.timing.score_seconds).sum::<f64>();
    kept
}
