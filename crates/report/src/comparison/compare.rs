//! From records to a comparison: records are checked and grouped by settings, then each group is analysed.

use std::collections::BTreeSet;

use experiment::record::Record;

use super::budgets::budgets;
use super::compute;
use super::engine;
use super::noise::{self, Resampled};
use super::positions;
use super::records::{RecordGroup, Subjects, check, distinct, grouped, uniform};
use super::settings::{Settings, pretraining};
use super::{Comparison, Group, Options, Subject, bits, tasks};
use crate::error::Error;
use crate::identity;

/// Setting line of a group of controls without any encoder.
const NO_SETTINGS: &str = "{}";

impl Comparison {
    /// Checks, groups, pairs and tests records.
    ///
    /// # Errors
    /// If records cannot be compared (mixed devices, protocols or number formats, unequal seeds, different text, duplicates) or
    /// are inconsistent, if a name is not in the records, or if no seed is complete (with `partial`). The message names the runs.
    pub fn new(records: Vec<Record>, options: Options) -> Result<Comparison, Error> {
        let records = distinct(records);
        // Trials of learning rates were not scored on the test split.
        if records.iter().all(|record| record.run.is_trial()) {
            return Err(Error::Empty);
        }
        uniform(&records)?;
        let (records, engines) = engine::checked(records)?;
        records.iter().try_for_each(check)?;
        let order = order(&records, &options);
        refuse_unknown(&order, &options)?;
        let known: Vec<String> = order.iter().filter(|n| !options.controls.contains(n)).cloned().collect();
        if let Some(name) = options.reference.as_ref().filter(|name| !known.contains(name)) {
            return Err(Error::UnknownReference { name: name.clone(), known: known.join(", ") });
        }
        let made_up = records.iter().any(Record::is_simulated);
        let device = records
            .iter()
            .find(|r| pretraining(r).is_some())
            .or(records.first())
            .map_or_else(String::new, |r| r.run.device.clone());
        let mut machines: Vec<String> =
            records.iter().map(|r| r.provenance.device.clone()).filter(|d| !d.is_empty()).collect();
        machines.sort();
        machines.dedup();
        let mut records = grouped(records, options.partial)?;
        compute::add(&mut records, &options.controls);
        positions::add(&mut records);
        let (mut groups, mut resampled) = (Vec::new(), Vec::new());
        for (settings, of_group) in &records {
            let label = label(settings.as_ref(), records.keys());
            let (group, draws) = group(settings.as_ref(), label, of_group, &order, &options)?;
            groups.push(Group { remarks: engines.iter().cloned().chain(group.remarks).collect(), ..group });
            resampled.push(draws);
        }
        let settings: Vec<Option<&Settings>> = records.keys().map(Option::as_ref).collect();
        noise::fill(&mut groups, &settings, &resampled, &options)?;
        // Text before noise.
        let mut sorted: Vec<_> =
            groups.into_iter().zip(settings.into_iter().map(Option::<&Settings>::cloned)).collect();
        sorted.sort_by_key(|(group, _)| group.noise);
        let (groups, settings): (Vec<Group>, Vec<_>) = sorted.into_iter().unzip();
        let budgets = budgets(&groups, &settings);
        let ranked: BTreeSet<&str> = groups.iter().flat_map(|g| g.ranked().map(|s| s.name.as_str())).collect();
        if groups.len() > 1 && ranked.len() > 1 && groups.iter().all(|g| g.ranked().count() < 2) {
            let offenders = groups.iter().map(|g| format!("{} ({})", names(g), g.label)).collect::<Vec<_>>().join("; ");
            return Err(Error::Mixed { what: "settings".into(), offenders });
        }
        let has_scores = |g: &Group| {
            g.subjects.iter().any(|s| s.bits.is_some())
                || g.tasks.iter().any(|t| t.scores.iter().any(|s| s.score().is_some()))
        };
        let why: Vec<String> = groups.iter().flat_map(|g| g.remarks.iter().cloned()).collect();
        if options.partial && !known.is_empty() && !groups.iter().any(has_scores) {
            let why = if why.is_empty() { "no seed has a score of every tokenizer".into() } else { why.join("; ") };
            return Err(Error::NothingComplete { why });
        }
        Ok(Comparison { device, machines, order, groups, budgets, made_up, options })
    }
}

fn names(group: &Group) -> String {
    group.ranked().map(|s| s.name.as_str()).collect::<Vec<_>>().join(", ")
}

/// The order of the tokenizers; with `partial`, those without a record are included.
fn order(records: &[Record], options: &Options) -> Vec<String> {
    let mut found: Vec<String> = records.iter().filter_map(|r| pretraining(r).map(|p| p.tokenizer.clone())).collect();
    if options.partial {
        found.extend(options.order.iter().cloned());
    }
    identity::order(found, &options.order, &options.controls)
}

/// Refuses requested names that no record has.
fn refuse_unknown(known: &[String], options: &Options) -> Result<(), Error> {
    for (what, names) in [("order", &options.order), ("controls", &options.controls)] {
        if let Some(name) = names.iter().find(|name| !known.contains(name)) {
            return Err(Error::UnknownName { what, name: name.clone(), known: known.join(", ") });
        }
    }
    Ok(())
}

/// Label of a group: the settings in which it differs from the others.
fn label<'a>(settings: Option<&Settings>, all: impl Iterator<Item = &'a Option<Settings>>) -> String {
    settings.map_or_else(String::new, |settings| settings.label(all.flatten()))
}

fn group(
    settings: Option<&Settings>,
    label: String,
    records: &RecordGroup,
    order: &[String],
    options: &Options,
) -> Result<(Group, Option<Resampled>), Error> {
    let scope = if label.is_empty() { "pretraining".to_owned() } else { label.clone() };
    let all = records.pretrained.records().chain(records.tasks.values().flat_map(Subjects::records));
    let present = |name: &String| all.clone().any(|r| pretraining(r).is_some_and(|p| p.tokenizer == *name));
    let subjects: Vec<Subject> = (order.iter().enumerate())
        .filter(|(_, name)| present(name))
        .map(|(index, name)| {
            let control = options.controls.contains(name);
            Subject { name: name.clone(), index, control, bits: None, collapsed: 0, failed: 0 }
        })
        .collect();
    let reference = options.reference.clone().or_else(|| {
        let first = order.iter().find(|n| !options.controls.contains(n) && (options.partial || present(n)));
        first.cloned()
    });
    let reference = reference.filter(|_| !options.all_pairs);
    let mut group = Group {
        label,
        setting: settings.map_or_else(|| NO_SETTINGS.to_owned(), Settings::line),
        budget: settings.map_or(0, Settings::budget),
        compute: settings.and_then(Settings::compute).map(str::to_owned),
        reference,
        seeds: Vec::new(),
        dropped: Vec::new(),
        species: Vec::new(),
        held_out: Vec::new(),
        subjects,
        markov: Vec::new(),
        tests: Vec::new(),
        tasks: Vec::new(),
        across: Vec::new(),
        friedman: None,
        tuning: records.tuning.clone(),
        positions: records.positions.clone(),
        noise: settings.and_then(Settings::noise),
        arms: Vec::new(),
        remarks: records.remarks.iter().cloned().collect(),
    };
    let resampled = bits::fill(&mut group, records, &scope, options)?;
    tasks::fill(&mut group, records, options)?;
    Ok((group, resampled))
}
