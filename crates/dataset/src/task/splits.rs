//! How one table becomes three, and what three splits must be: none empty, every class in train.

use super::spec::{TaskSpec, TaskSplit};
use crate::error::{Error, Result};
use crate::labelled::Example;
use crate::split::Split;
use dna::reverse_complement;
use std::collections::BTreeSet;

/// Deals the rows of one table by a hash of the sequence, or of its reverse complement if that sorts first.
pub(super) fn deal(spec: &TaskSpec, rows: impl Iterator<Item = Example>) -> Result<[Vec<Example>; 3]> {
    let TaskSplit { dev, test } = spec.split.clone().unwrap_or_default();
    if !(0.0..1.0).contains(&dev) || !(0.0..1.0).contains(&test) || dev + test >= 1.0 {
        let message = format!("shares dev = {dev} and test = {test} leave nothing to train on");
        return spec.fault(message, "give shares that sum to less than 1, such as 0.1 and 0.1");
    }
    let mut splits = [vec![], vec![], vec![]];
    for row in rows {
        let digest = blake3::hash(&strandless(&row.sequence));
        let mut first = [0; 8];
        first.copy_from_slice(&digest.as_bytes()[..8]);
        let place = (u64::from_le_bytes(first) >> 11) as f64 / (1u64 << 53) as f64;
        let split = if place < test {
            Split::Test
        } else if place < test + dev {
            Split::Valid
        } else {
            Split::Train
        };
        splits[split as usize].push(row);
    }
    Ok(splits)
}

/// Refuses splits without rows, and classes that training does not show.
pub(super) fn check(spec: &TaskSpec, splits: [&Vec<Example>; 3], names: &[String]) -> Result<()> {
    // One table, dealt here: then the remedy is another way of dealing.
    let dealt = spec.train.is_some() && spec.dev.is_none();
    let all = || splits.into_iter().flatten();
    for (split, rows) in ["train", "dev", "test"].into_iter().zip(splits) {
        if !rows.is_empty() {
            continue;
        }
        let mut distinct: Vec<Vec<u8>> = all().map(|row| strandless(&row.sequence)).collect();
        distinct.sort();
        distinct.dedup();
        let (rows, distinct) = (all().count(), distinct.len());
        if !dealt || distinct == rows {
            return spec.fault(format!("no rows in {split}"), "give more rows, or other shares");
        }
        let what = if distinct == 1 { "one sequence".to_owned() } else { format!("{distinct} sequences") };
        let message = format!(
            "no rows in {split}: the {rows} rows hold {what} and copies or reverse complements of it, which stay together"
        );
        return spec.fault(message, "give rows of different sequences, or tables of your own as train, dev and test");
    }
    let of = |rows: &[Example]| rows.iter().map(|row| row.label).collect::<BTreeSet<_>>();
    let [train, dev, test] = splits.map(|rows| of(rows));
    let called = |label: u32| match names.get(label as usize) {
        Some(name) => format!("class '{name}'"),
        None => format!("label {label}"),
    };
    let fault =
        |message: String, help: &str| Err(Error::Classes { task: spec.name.clone(), message, help: help.to_owned() });
    for (split, found) in [("dev", &dev), ("test", &test)] {
        let Some(&label) = found.difference(&train).next() else { continue };
        if !dealt {
            return fault(format!("{} occurs in {split} but not in train", called(label)), SHOW);
        }
        let count = |rows: &[Example]| rows.iter().filter(|row| row.label == label).count();
        let (dev, test) = (count(splits[1]), count(splits[2]));
        let rows = if dev + test == 1 { "row" } else { "rows" };
        return fault(
            format!(
                "{} has {} {rows}, and none of them falls into train ({dev} dev, {test} test)",
                called(label),
                dev + test
            ),
            DEAL,
        );
    }
    for (expected, &label) in (0..).zip(&train) {
        if label != expected {
            return fault(format!("label {label} occurs in train but not label {expected}"), SHOW);
        }
    }
    if train.len() < 2 {
        let only = train.first().map_or_else(String::new, |&label| format!(" ({})", called(label)));
        return fault(format!("train holds a single class{only}"), "give rows of at least two classes");
    }
    Ok(())
}

const SHOW: &str =
    "number the classes 0, 1, 2, ... without a gap, or name them with words; and show each of them in train";

const DEAL: &str = "give the class more rows or leave it out; or split the table yourself and name the parts in a task file (TOML): \
                    train = \"train.csv\", dev = \"dev.csv\", test = \"test.csv\"";

/// A sequence or its reverse complement, whichever sorts first.
fn strandless(sequence: &[u8]) -> Vec<u8> {
    reverse_complement(sequence).min(sequence.to_vec())
}
