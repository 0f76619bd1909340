//! Totals at several training budgets, and how they change from one to the next.

use serde::Serialize;
use statistics::{deviation, mean};

use super::settings::Settings;
use super::{Group, Subject};

/// Groups that differ in their budget alone.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Budgets {
    /// Settings in which these groups differ from others (noise arm, position encoding); empty if there are no others.
    pub label: String,
    /// Budgets in bases, ascending.
    pub budgets: Vec<u64>,
    /// One row per tokenizer or control that has a score at two budgets or more.
    pub rows: Vec<BudgetRow>,
}

/// One tokenizer at several budgets.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BudgetRow {
    /// Canonical name.
    pub name: String,
    /// True for controls.
    pub control: bool,
    /// Total in bits per masked base at each budget; None where there is no score.
    pub totals: Vec<Option<f64>>,
    /// From each budget to the next; None where one of the two has no score.
    pub slopes: Vec<Option<Slope>>,
}

/// Change of the total per doubling of the budget.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Slope {
    /// Mean over the seeds that both budgets have, bits per masked base and doubling.
    pub mean: f64,
    /// Standard deviation over these seeds; None for a single one.
    pub deviation: Option<f64>,
}

/// The groups that differ in their budget alone, in the order of the first of each. `settings` are those of `groups`.
pub(super) fn budgets(groups: &[Group], settings: &[Option<Settings>]) -> Vec<Budgets> {
    let mut taken = vec![false; groups.len()];
    let mut found = Vec::new();
    for first in 0..groups.len() {
        let Some(own) = settings[first].as_ref().filter(|own| own.compute().is_none() && !taken[first]) else {
            continue;
        };
        let alike =
            |at: &usize| *at == first || settings[*at].as_ref().is_some_and(|other| other.differ_in_budget(own));
        let mut members: Vec<usize> = (first..groups.len()).filter(alike).collect();
        members.sort_by_key(|at| groups[*at].budget);
        members.iter().for_each(|at| taken[*at] = true);
        let others: Vec<&Settings> =
            (0..groups.len()).filter(|at| !members.contains(at)).filter_map(|at| settings[at].as_ref()).collect();
        if members.len() > 1 {
            let members: Vec<&Group> = members.into_iter().map(|at| &groups[at]).collect();
            found.push(of(&members, own.label_without_budget(others)));
        }
    }
    found.retain(|budgets| !budgets.rows.is_empty());
    found
}

fn of(groups: &[&Group], label: String) -> Budgets {
    let mut subjects: Vec<&Subject> = Vec::new();
    for subject in groups.iter().flat_map(|group| &group.subjects) {
        if !subjects.iter().any(|other| other.name == subject.name) {
            subjects.push(subject);
        }
    }
    subjects.sort_by_key(|subject| (subject.control, subject.index));
    let rows = subjects.into_iter().map(|subject| {
        let total = |group: &&Group| Some(group.subject(&subject.name)?.bits.as_ref()?.total.mean);
        BudgetRow {
            name: subject.name.clone(),
            control: subject.control,
            totals: groups.iter().map(total).collect(),
            slopes: groups.windows(2).map(|pair| slope(pair[0], pair[1], &subject.name)).collect(),
        }
    });
    let rows = rows.filter(|row| row.totals.iter().flatten().count() > 1).collect();
    Budgets { label, budgets: groups.iter().map(|group| group.budget).collect(), rows }
}

/// The change from one budget to a larger one.
fn slope(small: &Group, large: &Group, name: &str) -> Option<Slope> {
    let seeds = |group: &Group| -> Option<Vec<(u64, f64)>> {
        let subject = group.subject(name)?;
        let values = subject.bits.as_ref()?.total.seeds.iter().copied();
        // A control may have other seeds than the group, which are not known here.
        let known = !subject.control || values.len() == group.seeds.len();
        known.then(|| group.seeds.iter().copied().zip(values).collect())
    };
    let (before, after) = (seeds(small)?, seeds(large)?);
    let doublings = (large.budget as f64 / small.budget as f64).log2();
    let paired = |(seed, value): &(u64, f64)| {
        before.iter().find(|(other, _)| other == seed).map(|(_, before)| (value - before) / doublings)
    };
    let changes: Vec<f64> = after.iter().filter_map(paired).collect();
    (!changes.is_empty())
        .then(|| Slope { mean: mean(&changes), deviation: (changes.len() > 1).then(|| deviation(&changes)) })
}
