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

/// The runs of one tokenizer at the learning rate selected on the validation split, for each seed, by its `trials` and by the runs themselves;
/// what was run at other rates is counted in `tuning`. Rates that were not tried on the same seeds are not a grid, and all runs are kept, unless
/// runs may be unfinished (`partial`).
pub(super) fn tuned(
    name: &str,
    records: Vec<Record>,
    trials: &[Record],
    partial: bool,
    tuning: &mut Option<Tuning>,
) -> Vec<Record> {
    let rate = |record: &Record| pretraining(record).map_or(0.0, |model| model.training.learning_rate);
    // A scored run stands for its trial.
    let known: BTreeSet<(u64, u64)> = trials.iter().map(|trial| (trial.run.seed, rate(trial).to_bits())).collect();
    let scored = records.iter().filter(|record| !known.contains(&(record.run.seed, rate(record).to_bits())));
    let tried: Vec<Record> = trials.iter().chain(scored).cloned().collect();
    let mut rates: Vec<f64> = tried.iter().map(rate).collect();
    rates.sort_by(f64::total_cmp);
    rates.dedup();
    let seeds = |at: f64| tried.iter().filter(|r| rate(r) == at).map(|r| r.run.seed).collect::<BTreeSet<u64>>();
    let grid = rates.len() > 1 && (partial || rates.iter().all(|&at| seeds(at) == seeds(rates[0])));
    if !grid {
        return records;
    }
    let chosen: BTreeMap<u64, f64> =
        experiment::rates::choose(&tried).into_iter().map(|(choice, rate)| (choice.seed, rate)).collect();
    let selected = |record: &Record| chosen.get(&record.run.seed).is_none_or(|chosen| *chosen == rate(record));
    let others: Vec<&Record> = tried.iter().filter(|record| !selected(record)).collect();
    let (runs, seconds) =
        (others.len(), others.iter().map(|r| r.timing.train_seconds + r.timing.score_seconds).sum::<f64>());
    let mut used: Vec<f64> = chosen.values().copied().collect();
    used.sort_by(f64::total_cmp);
    used.dedup();
    let tuning = tuning.get_or_insert_with(Tuning::default);
    tuning.rates.extend(rates);
    tuning.rates.sort_by(f64::total_cmp);
    tuning.rates.dedup();
    tuning.chosen.push((name.to_owned(), used));
    tuning.runs += runs;
    tuning.seconds += seconds;
    records.into_iter().filter(selected).collect()
}
