//! Groups with a selected position encoding: where all tokenizers were trained with several, each tokenizer has the one that is best on the
//! validation split, for each seed, as learning rates are selected. No encoding is best for all tokenizers, so any single one favors some.

use std::collections::{BTreeMap, BTreeSet};

use experiment::rates::validation_bits;

use super::records::{RecordGroup, RecordGroups, Runs};
use super::settings::Settings;

/// Groups that differ in their position encoding alone, with its name.
type Alike<'a> = Vec<(String, &'a RecordGroup)>;

/// Adds a group with selected position encodings wherever at least two tokenizers were trained with the same encodings, at least two, on the same
/// seeds.
pub(super) fn add(groups: &mut RecordGroups) {
    let mut alike: BTreeMap<Settings, Alike<'_>> = BTreeMap::new();
    for (settings, group) in groups.iter().filter_map(|(settings, group)| Some((settings.as_ref()?, group))) {
        alike.entry(settings.with_selected_position()).or_default().push((settings.position(), group));
    }
    let found: Vec<(Settings, RecordGroup)> =
        alike.into_iter().filter_map(|(settings, groups)| Some((settings, selected(&groups)?))).collect();
    groups.extend(found.into_iter().map(|(settings, group)| (Some(settings), group)));
}

/// The tokenizers with runs on the same seeds in all of the groups.
fn everywhere<'a>(groups: &[&(String, &'a RecordGroup)]) -> Vec<&'a String> {
    let seeds = |runs: &Runs| runs.keys().copied().collect::<BTreeSet<u64>>();
    let Some((_, first)) = groups.first() else { return Vec::new() };
    let same = |name: &&String| {
        let own = first.pretrained.get(name).map(seeds);
        groups.iter().all(|(_, group)| group.pretrained.get(name).map(seeds) == own)
    };
    first.pretrained.iter().map(|(name, _)| name).filter(same).collect()
}

/// The runs of each tokenizer at its position encodings: of those tokenizers and encodings that go together.
fn selected(groups: &Alike<'_>) -> Option<RecordGroup> {
    // Encodings that only some tokenizers have are left out first.
    let mut groups: Vec<&(String, &RecordGroup)> = groups.iter().collect();
    groups.sort_by_key(|(_, group)| std::cmp::Reverse(group.pretrained.iter().count()));
    while groups.len() > 1 && everywhere(&groups).len() < 2 {
        groups.pop();
    }
    groups.sort_by(|a, b| a.0.cmp(&b.0));
    let (_, first) = groups.first().filter(|_| groups.len() > 1)?;
    let names = everywhere(&groups);
    let mut group = RecordGroup { markov: first.markov.clone(), ..RecordGroup::default() };
    for name in names {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        let mut runs = Runs::new();
        for seed in first.pretrained.get(name).into_iter().flat_map(Runs::keys) {
            let tried = groups
                .iter()
                .filter_map(|(position, group)| Some((position.as_str(), group.pretrained.get(name)?.get(seed)?)));
            // The first one in the order of names if two are equal.
            let best = tried.min_by(|a, b| validation_bits(a.1).total_cmp(&validation_bits(b.1)));
            if let Some((position, record)) = best {
                *counts.entry(position).or_default() += 1;
                runs.insert(*seed, record.clone());
            }
        }
        let counts = counts.into_iter().map(|(position, seeds)| (position.to_owned(), seeds)).collect();
        group.positions.push((name.clone(), counts));
        group.pretrained.put(name, runs);
    }
    Some(group)
}
