//! Labels of other kinds than classes: several labels of a sequence, numbers, one class per base. Tables have the columns `sequence` and
//! `label` ([`crate::labeled`]).
//!
//! | kind | field | meaning |
//! |---|---|---|
//! | [`TargetKind::Class`] | `promoter`, `2` | one class |
//! | [`TargetKind::Labels`] | `TATA\|CpG`, empty field | any number of labels, separated by a vertical bar |
//! | [`TargetKind::Numbers`] | `-0.25`, `1.5\|3e-2` | one number or several, the same number of them in each row |
//! | [`TargetKind::Contacts`] | `2-17\|3-16`, empty field | pairs of bases that are in contact, counted from 1 |
//! | [`TargetKind::Bases`] | `..EEEIII` | one letter per base, each letter a class; `.` is no class, and such bases are not scored |
//!
//! Classes and labels are numbered from 0 in byte order over all tables; numbers as class names in ascending order.
//!
//! ```
//! # let folder = tempfile::tempdir().unwrap();
//! # let path = folder.path().join("my.csv");
//! use dataset::targets::{Target, TargetKind, read};
//! std::fs::write(&path, "sequence,label\nACGT,TATA|CpG\nTTGA,\n").unwrap();
//! let data = read(&[&path], TargetKind::Labels).unwrap();
//! assert_eq!(data.names, ["CpG", "TATA"]);
//! assert_eq!(data.tables[0][1].target, Target::Labels(vec![false, false]));
//! ```

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use dna::policy::Counts;
use serde::{Deserialize, Serialize};

use crate::error::{Error, NO_LABELS, NOT_NUMBERS, NOT_PAIRS, NOT_PER_BASE, OTHER_NUMBER, Result};
use crate::input;
use crate::label::is_missing;
use crate::table::{LabelColumn, Table};

/// A base without a class.
const NO_CLASS: char = '.';

/// What is predicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TargetKind {
    /// One class of a sequence.
    Class,
    /// Any number of labels of a sequence.
    Labels,
    /// One number of a sequence, or several.
    Numbers,
    /// A class of each base.
    Bases,
    /// Which pairs of bases are in contact.
    Contacts,
}

/// The label of a sequence.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// Class number.
    Class(u32),
    /// Whether each label applies.
    Labels(Vec<bool>),
    /// Numbers.
    Numbers(Vec<f64>),
    /// Class of each base; `None` where it has none.
    Bases(Vec<Option<u32>>),
    /// Pairs of bases in contact, from 0, the left one first; sorted, each once.
    Contacts(Vec<(u32, u32)>),
}

impl Target {
    /// Whether anything of a sequence of `bases` bases is predicted: a base with a class, a pair of bases; always for other kinds.
    #[must_use]
    pub fn is_scored(&self, bases: usize) -> bool {
        match self {
            Target::Bases(classes) => classes.iter().any(Option::is_some),
            Target::Contacts(_) => bases > 1,
            Target::Class(_) | Target::Labels(_) | Target::Numbers(_) => true,
        }
    }
}

/// A sequence with its label.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Normalized bases, `A C G T N`.
    pub sequence: Vec<u8>,
    /// Its label.
    pub target: Target,
}

/// Labeled sequences of one or more tables.
#[derive(Clone, Debug, PartialEq)]
pub struct Targets {
    /// The rows of each table.
    pub tables: Vec<Vec<Row>>,
    /// Names of classes or labels by number; of numbers `1`, `2` ...
    pub names: Vec<String>,
    /// What was read, and what the base policy changed.
    pub counts: Counts,
}

/// A row as written in its table.
struct Raw {
    sequence: Vec<u8>,
    text: String,
    line: u64,
}

/// Reads labeled tables of one kind.
///
/// # Errors
/// If a file is missing, damaged or lacks a column; if a label is not of the kind. The message names file and line.
pub fn read(paths: &[&Path], kind: TargetKind) -> Result<Targets> {
    let (mut all, mut counts) = (Vec::new(), Counts::default());
    for path in paths {
        let mut table = Table::new(path, input::open(path)?, LabelColumn::Text)?;
        let mut rows = Vec::new();
        for row in table.by_ref() {
            let row = row?;
            rows.push(Raw { sequence: row.sequence, text: row.text.unwrap_or_default(), line: row.line });
        }
        counts += table.counts;
        all.push((*path, rows));
    }
    let mut names: BTreeSet<Name> = BTreeSet::new();
    let mut width = None;
    for (path, rows) in &all {
        for row in rows {
            let wrong = |why: &'static str| Error::Label {
                path: (*path).to_owned(),
                line: row.line,
                found: row.text.clone(),
                why,
            };
            match kind {
                TargetKind::Class if row.text.is_empty() => return Err(wrong("empty field")),
                TargetKind::Class if is_missing(row.text.as_bytes()) && row.text != "none" => {
                    return Err(wrong("missing value"));
                }
                TargetKind::Class => drop(names.insert(Name::of(&row.text))),
                TargetKind::Labels => {
                    if is_missing(row.text.as_bytes()) {
                        return Err(wrong(NO_LABELS));
                    }
                    names.extend(parts(&row.text).map(Name::of));
                }
                TargetKind::Numbers => {
                    let found = numbers(&row.text).ok_or_else(|| wrong(NOT_NUMBERS))?;
                    if *width.get_or_insert(found.len()) != found.len() {
                        return Err(wrong(OTHER_NUMBER));
                    }
                }
                TargetKind::Contacts => {
                    pairs(&row.text, row.sequence.len()).ok_or_else(|| wrong(NOT_PAIRS))?;
                }
                TargetKind::Bases => {
                    if row.text.chars().count() != row.sequence.len() {
                        return Err(wrong(NOT_PER_BASE));
                    }
                    let classes = row.text.chars().filter(|letter| *letter != NO_CLASS);
                    names.extend(classes.map(|letter| Name::of(&letter.to_string())));
                }
            }
        }
    }
    let names: Vec<String> = match width {
        _ if kind == TargetKind::Contacts => vec!["contact".to_owned()],
        Some(width) => (1..=width).map(|number| number.to_string()).collect(),
        None => names.into_iter().map(|name| name.text).collect(),
    };
    let numbers_of: HashMap<&str, u32> = names.iter().map(String::as_str).zip(0..).collect();
    let number = |name: &str| numbers_of.get(name).copied().unwrap_or_default();
    let target = |text: &str, length: usize| match kind {
        TargetKind::Contacts => Target::Contacts(pairs(text, length).unwrap_or_default()),
        TargetKind::Class => Target::Class(number(text)),
        TargetKind::Labels => {
            let own: Vec<&str> = parts(text).collect();
            Target::Labels(names.iter().map(|name| own.contains(&name.as_str())).collect())
        }
        TargetKind::Numbers => Target::Numbers(numbers(text).unwrap_or_default()),
        TargetKind::Bases => {
            let class = |letter: char| (letter != NO_CLASS).then(|| number(&letter.to_string()));
            Target::Bases(text.chars().map(class).collect())
        }
    };
    let rows = |rows: Vec<Raw>| {
        rows.into_iter()
            .map(|row| Row { target: target(&row.text, row.sequence.len()), sequence: row.sequence })
            .collect()
    };
    let tables = all.into_iter().map(|(_, table)| rows(table)).collect();
    Ok(Targets { tables, names, counts })
}

/// Splits rows by a hash of their canonical sequence: training, validation (`dev` of all), test (`test` of all). Copies and reverse
/// complements stay together.
#[must_use]
pub fn split(rows: Vec<Row>, dev: f64, test: f64) -> [Vec<Row>; 3] {
    let mut splits = [Vec::new(), Vec::new(), Vec::new()];
    for row in rows {
        let split = crate::task::splits::split_of(&row.sequence, dev, test);
        splits[split as usize].push(row);
    }
    splits
}

fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split('|').map(str::trim).filter(|part| !part.is_empty())
}

fn numbers(text: &str) -> Option<Vec<f64>> {
    text.split('|').map(|part| part.trim().parse::<f64>().ok().filter(|number| number.is_finite())).collect()
}

/// Pairs of different bases of a sequence, from 0.
fn pairs(text: &str, length: usize) -> Option<Vec<(u32, u32)>> {
    let base = |text: &str| text.trim().parse::<u32>().ok().filter(|base| (1..=length).contains(&(*base as usize)));
    let pair = |part: &str| {
        let (one, other) = part.split_once('-')?;
        let (one, other) = (base(one)? - 1, base(other)? - 1);
        (one != other).then_some((one.min(other), one.max(other)))
    };
    let mut found = parts(text).map(pair).collect::<Option<Vec<_>>>()?;
    found.sort_unstable();
    found.dedup();
    Some(found)
}

/// A class name; names that are numbers come first, in their order.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Name {
    word: bool,
    number: u64,
    text: String,
}

impl Name {
    fn of(text: &str) -> Name {
        let number = text.parse::<u64>().ok();
        Name { word: number.is_none(), number: number.unwrap_or(0), text: text.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::tests::file;

    fn read_text(kind: TargetKind, rows: &str) -> std::result::Result<Targets, String> {
        let (_folder, path) = file("t.csv", format!("sequence,label\n{rows}\n").as_bytes());
        read(&[&path], kind).map_err(|error| error.to_string())
    }

    fn targets(kind: TargetKind, rows: &str) -> Vec<Target> {
        read_text(kind, rows).unwrap().tables.remove(0).into_iter().map(|row| row.target).collect()
    }

    #[test]
    fn labels_of_every_kind() {
        assert_eq!(targets(TargetKind::Class, "AC,b\nGT,a"), [Target::Class(1), Target::Class(0)]);
        assert_eq!(read_text(TargetKind::Class, "AC,10\nGT,9\nA,x").unwrap().names, ["9", "10", "x"]);
        assert_eq!(
            targets(TargetKind::Labels, "AC,b | a\nGT,\nA,b"),
            [Target::Labels(vec![true, true]), Target::Labels(vec![false, false]), Target::Labels(vec![false, true])]
        );
        assert_eq!(targets(TargetKind::Numbers, "AC,-1.5|2e3"), [Target::Numbers(vec![-1.5, 2000.0])]);
        assert_eq!(
            targets(TargetKind::Contacts, "ACGT,4-1|2 - 3|1-4\nAC,"),
            [Target::Contacts(vec![(0, 3), (1, 2)]), Target::Contacts(vec![])]
        );
        assert_eq!(targets(TargetKind::Bases, "ACG,.EI"), [Target::Bases(vec![None, Some(0), Some(1)])]);
    }

    #[test]
    fn wrong_labels_are_named_with_their_line() {
        for (kind, rows, expected) in [
            (TargetKind::Class, "AC,a\nGT,", "line 3: invalid label '' (empty field)"),
            (TargetKind::Class, "AC,NA", "line 2: invalid label 'NA' (missing value)"),
            (TargetKind::Numbers, "AC,1\nGT,x", "line 3: invalid label 'x' (expected a number"),
            (TargetKind::Numbers, "AC,1\nGT,inf", "line 3: invalid label 'inf' (expected a number"),
            (TargetKind::Numbers, "AC,1\nGT,1|2", "line 3: invalid label '1|2' (another number of values"),
            (TargetKind::Bases, "ACG,EI", "line 2: invalid label 'EI' (not one letter per base)"),
            (TargetKind::Contacts, "ACG,1-4", "line 2: invalid label '1-4' (expected pairs of bases"),
            (TargetKind::Contacts, "ACG,2-2", "line 2: invalid label '2-2' (expected pairs of bases"),
            (TargetKind::Labels, "AC,NA", "line 2: invalid label 'NA' (missing value; a row without"),
        ] {
            let error = read_text(kind, rows).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn copies_and_reverse_complements_stay_in_one_split() {
        let row = |sequence: &[u8]| Row { sequence: sequence.to_vec(), target: Target::Class(0) };
        let rows: Vec<Row> = (0..200_u32)
            .flat_map(|at| {
                let sequence: Vec<u8> =
                    (0..8).map(|place| b"ACGT"[(at.wrapping_mul(2_654_435_761) >> (2 * place)) as usize & 3]).collect();
                [row(&sequence), row(&dna::reverse_complement(&sequence))]
            })
            .collect();
        let splits = split(rows, 0.1, 0.1);
        assert_eq!(splits.iter().map(Vec::len).sum::<usize>(), 400);
        assert!(splits.iter().all(|split| split.len() > 10 && split.len() % 2 == 0));
        for row in &splits[0] {
            assert!(splits[1..].iter().flatten().all(|other| other.sequence != row.sequence));
        }
    }
}
