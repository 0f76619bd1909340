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

/// Whether all subjects of a group have the compute of `macs`.
fn all_equal(group: &RecordGroup, macs: f64) -> bool {
    let mut subjects = group.pretrained.iter().peekable();
    subjects.peek().is_some()
        && subjects.all(|(_, runs)| compute(runs).is_some_and(|own| (own / macs - 1.0).abs() <= TOLERANCE))
}

/// A tokenizer with its settings, and the settings of the groups that have its compute.
struct Equal {
    tokenizer: String,
    of: Settings,
    others: Vec<Settings>,
}

/// The groups whose every tokenizer has the compute of one tokenizer of a larger group that differs in its budget alone.
fn found(groups: &RecordGroups) -> Vec<Equal> {
    let known: Vec<(&Settings, &RecordGroup)> =
        groups.iter().filter_map(|(settings, group)| Some((settings.as_ref()?, group))).collect();
    let mut found = Vec::new();
    for (settings, group) in &known {
        for (tokenizer, runs) in group.pretrained.iter().filter(|_| group.pretrained.iter().count() > 1) {
            let Some(macs) = compute(runs) else { continue };
            let same = |(other, theirs): &&(&Settings, &RecordGroup)| {
                other.differ_in_budget(settings)
                    && all_equal(theirs, macs)
                    && theirs.pretrained.get(tokenizer).is_none()
                    && theirs.tasks.is_empty()
            };
            let others: Vec<Settings> = known.iter().filter(same).map(|(other, _)| (*other).clone()).collect();
            if !others.is_empty() {
                found.push(Equal { tokenizer: tokenizer.clone(), of: (*settings).clone(), others });
            }
        }
    }
    found
}

/// Replaces groups that have the compute of a tokenizer of another group by one group of equal compute.
pub(super) fn add(groups: &mut RecordGroups) {
    for Equal { tokenizer, of, others } in found(groups) {
        let mut equal = RecordGroup::default();
        if let Some(group) = groups.get(&Some(of.clone())) {
            equal.pretrained.put(&tokenizer, group.pretrained.get(&tokenizer).cloned().unwrap_or_default());
            equal.markov = group.markov.clone();
        }
        for other in others {
            let Some(group) = groups.remove(&Some(other)) else { continue };
            equal.tuning = equal.tuning.or(group.tuning);
            for (name, runs) in group.pretrained.iter() {
                equal.pretrained.put(name, runs.clone());
            }
        }
        groups.insert(Some(of.with_compute_of(&tokenizer)), equal);
    }
}
