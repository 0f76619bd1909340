//! Groups of equal compute: tokenizers that were trained with the multiply-accumulates of another one, each on a number of bases of
//! its own.

use experiment::record::{Outcome, Record};
use experiment::run::Work;

use super::records::{RecordGroup, RecordGroups, Runs};
use super::settings::Settings;

/// Largest relative difference of multiply-accumulates that count as equal.
const TOLERANCE: f64 = 0.02;

/// Mean multiply-accumulates of a forward pass over all bases of training; None without a cost.
fn compute(runs: &Runs) -> Option<f64> {
    let one = |record: &Record| match (&record.run.work, &record.outcome) {
        (Work::Pretrain(p), Outcome::Pretrained(done)) => Some(p.training.bases as f64 * done.cost.macs_per_base),
        _ => None,
    };
    let known: Vec<f64> = runs.values().filter_map(one).filter(|macs| *macs > 0.0).collect();
    (!known.is_empty()).then(|| statistics::mean(&known))
}

/// How far the compute of a group's tokenizers is from `macs` at most, relative to it; None if it is not known or not equal.
fn distance(group: &RecordGroup, macs: f64) -> Option<f64> {
    let each = group.pretrained.iter().map(|(_, runs)| compute(runs).map(|own| (own / macs - 1.0).abs()));
    let all: Vec<f64> = each.collect::<Option<_>>()?;
    all.into_iter().reduce(f64::max).filter(|distance| *distance <= TOLERANCE)
}

/// A tokenizer at a budget.
type At = (String, Settings);

/// For each group whose every tokenizer has the compute of one tokenizer of a larger group that differs in its budget alone: that tokenizer,
/// the one with the nearest compute; a control only if there is no other.
fn found(groups: &RecordGroups, controls: &[String]) -> Vec<(At, Settings)> {
    let known: Vec<(&Settings, &RecordGroup)> =
        groups.iter().filter_map(|(settings, group)| Some((settings.as_ref()?, group))).collect();
    let nearest = |(settings, group): &(&Settings, &RecordGroup)| -> Option<(At, Settings)> {
        let mut candidates: Vec<(bool, f64, At)> = Vec::new();
        for (other, theirs) in &known {
            let larger = theirs.pretrained.iter().count() > 1 && group.tasks.is_empty();
            if !larger || !other.differ_in_budget(settings) {
                continue;
            }
            for (name, runs) in theirs.pretrained.iter().filter(|(name, _)| group.pretrained.get(name).is_none()) {
                if let Some(distance) = compute(runs).and_then(|macs| distance(group, macs)) {
                    candidates.push((controls.contains(name), distance, (name.clone(), (*other).clone())));
                }
            }
        }
        let best = candidates.into_iter().min_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)))?;
        Some((best.2, (*settings).clone()))
    };
    known.iter().filter_map(nearest).collect()
}

/// Replaces groups that have the compute of a tokenizer of another group by one group of equal compute.
pub(super) fn add(groups: &mut RecordGroups, controls: &[String]) {
    for ((tokenizer, of), other) in found(groups, controls) {
        let key = Some(of.with_compute_of(&tokenizer));
        let first = match groups.get(&Some(of)) {
            Some(group) if !groups.contains_key(&key) => {
                let mut equal = RecordGroup { markov: group.markov.clone(), ..RecordGroup::default() };
                equal.pretrained.put(&tokenizer, group.pretrained.get(&tokenizer).cloned().unwrap_or_default());
                equal
            }
            _ => RecordGroup::default(),
        };
        let taken = groups.remove(&Some(other)).unwrap_or_default();
        let equal = groups.entry(key).or_insert(first);
        if equal.tuning.is_none() {
            equal.tuning = taken.tuning;
        }
        for (name, runs) in taken.pretrained.iter() {
            equal.pretrained.put(name, runs.clone());
        }
    }
}
