//! Splitting one table into three, and checks of the splits: none is empty, and every class occurs in training.

use super::spec::{TaskSpec, TaskSplit};
use crate::error::{Error, Result};
use crate::labeled::Example;
use crate::split::Split;
use dna::reverse_complement;
use std::collections::BTreeSet;

/// Assigns the rows of one table to splits by a hash of the canonical sequence.
pub(super) fn assign(spec: &TaskSpec, rows: impl Iterator<Item = Example>) -> Result<[Vec<Example>; 3]> {
    let TaskSplit { dev, test } = spec.split.clone().unwrap_or_default();
    if !(0.0..1.0).contains(&dev) || !(0.0..1.0).contains(&test) || dev + test >= 1.0 {
        let message = format!("fractions dev = {dev} and test = {test} leave no training data");
        return spec.fault(message, "use fractions >= 0 with a sum below 1, such as 0.1 and 0.1");
    }
    let mut splits = [vec![], vec![], vec![]];
    for row in rows {
        let split = split_of(&row.sequence, dev, test);
        splits[split as usize].push(row);
    }
    Ok(splits)
}

/// The split of a sequence by a hash of its canonical form, so that copies and reverse complements stay together.
pub(crate) fn split_of(sequence: &[u8], dev: f64, test: f64) -> Split {
    let digest = blake3::hash(&canonical(sequence));
    let mut first = [0; 8];
    first.copy_from_slice(&digest.as_bytes()[..8]);
    let uniform = (u64::from_le_bytes(first) >> 11) as f64 / (1u64 << 53) as f64;
    if uniform < test {
        Split::Test
    } else if uniform < test + dev {
        Split::Valid
    } else {
        Split::Train
    }
}

/// Rejects empty splits, and classes that do not occur in the training split.
pub(super) fn check(spec: &TaskSpec, splits: [&Vec<Example>; 3], names: &[String]) -> Result<()> {
    // One table that was split here: then the remedy differs.
    let assigned = spec.train.is_some() && spec.dev.is_none();
    let all = || splits.into_iter().flatten();
    for (split, rows) in Split::ALL.map(Split::title).into_iter().zip(splits) {
        if !rows.is_empty() {
            continue;
        }
        let mut distinct: Vec<Vec<u8>> = all().map(|row| canonical(&row.sequence)).collect();
        distinct.sort();
        distinct.dedup();
        let (rows, distinct) = (all().count(), distinct.len());
        if !assigned || distinct == rows {
            return spec.fault(format!("the {split} split has no rows"), "add rows, or change the fractions");
        }
        let what = if distinct == 1 { "one sequence".to_owned() } else { format!("{distinct} sequences") };
        let message = format!(
            "the {split} split has no rows: the {rows} rows contain only {what} (up to reverse complement), and copies stay in \
             one split"
        );
        return spec
            .fault(message, "add rows with different sequences, or provide separate tables as train, dev and test");
    }
    let of = |rows: &[Example]| rows.iter().map(|row| row.label).collect::<BTreeSet<_>>();
    let [train, dev, test] = splits.map(|rows| of(rows));
    let called = |label: u32| match names.get(label as usize) {
        Some(name) => format!("class '{name}'"),
        None => format!("label {label}"),
    };
    let fault =
        |message: String, help: &str| Err(Error::Classes { task: spec.name.clone(), message, help: help.to_owned() });
    for (split, found) in [("validation", &dev), ("test", &test)] {
        let Some(&label) = found.difference(&train).next() else { continue };
        if !assigned {
            return fault(
                format!("{} occurs in the {split} split, but not in the training split", called(label)),
                COMPLETE,
            );
        }
        let count = |rows: &[Example]| rows.iter().filter(|row| row.label == label).count();
        let (dev, test) = (count(splits[1]), count(splits[2]));
        return fault(
            format!(
                "none of the {} rows of {} is in the training split ({dev} validation, {test} test)",
                dev + test,
                called(label)
            ),
            RESPLIT,
        );
    }
    for (expected, &label) in (0..).zip(&train) {
        if label != expected {
            return fault(
                format!("label {label} occurs in the training split, but label {expected} does not"),
                COMPLETE,
            );
        }
    }
    if train.len() < 2 {
        let only = train.first().map_or_else(String::new, |&label| format!(" ({})", called(label)));
        return fault(format!("the training split has a single class{only}"), "add rows of at least one other class");
    }
    Ok(())
}

const COMPLETE: &str =
    "use class numbers 0, 1, 2, ... without gaps, or class names; every class must occur in the training split";

const RESPLIT: &str = "add rows of the class or remove it; or split the table yourself and list the tables in a task file (TOML): \
                       train = \"train.csv\", dev = \"dev.csv\", test = \"test.csv\"";

/// The canonical form of a sequence: the smaller of itself and its reverse complement.
fn canonical(sequence: &[u8]) -> Vec<u8> {
    reverse_complement(sequence).min(sequence.to_vec())
}
