//! A labeled task: training, validation and test rows from one or three tables, with classes, content hash and leakage.
//!
//! ```
//! use dataset::{Task, TaskSpec};
//! let spec = TaskSpec::from_toml("name = 'mine'\nsynthetic = { kind = 'motif', rows = 2_000 }").unwrap();
//! let task = Task::open(&spec, std::path::Path::new("")).unwrap();
//! assert_eq!((task.classes, task.train.len()), (2, 2000));
//! println!("{}", task.leaks);
//! ```

mod spec;
pub(crate) mod splits;

use crate::error::Result;
use crate::labeled::{self, Example, assign_numbers};
use crate::leaks::Leaks;
use crate::split::Split;
use dna::{Counts, reverse_complement};
pub use spec::{TaskSpec, TaskSplit};
use splits::{assign, check};
use statistics::Metric;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// The longest row of a task and its position.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LongestRow {
    /// Length in bases.
    pub bases: usize,
    /// The table; `None` for generated rows.
    pub path: Option<PathBuf>,
    /// Row number in the table, from 1.
    pub row: usize,
    /// Line in the table, from 1.
    pub line: u64,
}

/// A task in memory.
#[derive(Debug, Clone)]
pub struct Task {
    /// Name in tables and figures.
    pub name: String,
    /// BLAKE3 (hex) of the rows of the three splits as used, metric and leakage option; paths and name are not part of it.
    pub hash: String,
    /// Number of classes; labels are `0..classes`.
    pub classes: u32,
    /// Class names by number, in byte order over all splits; empty if the tables use class numbers.
    pub names: Vec<String>,
    /// The longest row of all splits.
    pub longest: LongestRow,
    /// Metric of the task.
    pub metric: Metric,
    /// Training rows.
    pub train: Vec<Example>,
    /// Validation rows.
    pub dev: Vec<Example>,
    /// Test rows.
    pub test: Vec<Example>,
    /// Records and bases read, and what the base policy changed (before dropping rows).
    pub counts: Counts,
    /// Validation rows that were dropped because they occur in the training split.
    pub dropped_dev: usize,
    /// Overlap between the splits after dropping.
    pub leaks: Leaks,
}

impl Task {
    /// Reads or generates the rows, splits them if needed, checks the classes and counts leakage.
    ///
    /// # Errors
    /// If the specification is invalid, a table cannot be read, or the training split lacks a class.
    pub fn open(spec: &TaskSpec, data_root: &Path) -> Result<Self> {
        let mut counts = Counts::default();
        let mut longest = LongestRow::default();
        let ([train, mut dev, test], names) = rows(spec, data_root, &mut counts, &mut longest)?;
        let before = dev.len();
        if spec.drop_leaking_dev {
            let seen: HashSet<&[u8]> = train.iter().map(|row| row.sequence.as_slice()).collect();
            let leaks = |row: &Example| {
                seen.contains(row.sequence.as_slice()) || seen.contains(reverse_complement(&row.sequence).as_slice())
            };
            dev.retain(|row| !leaks(row));
        }
        let dropped_dev = before - dev.len();
        check(spec, [&train, &dev, &test], &names)?;
        // `check` made sure that every class occurs in the training split.
        let classes = train.iter().map(|row| row.label + 1).max().unwrap_or(0);
        let hash = hash(spec, [&train, &dev, &test], &names);
        let leaks = Leaks::between(&train, &dev, &test);
        let (name, metric) = (spec.name.clone(), spec.metric);
        Ok(Self { name, hash, classes, names, longest, metric, train, dev, test, counts, dropped_dev, leaks })
    }

    /// The rows of a split.
    #[must_use]
    pub fn rows(&self, split: Split) -> &[Example] {
        match split {
            Split::Train => &self.train,
            Split::Valid => &self.dev,
            Split::Test => &self.test,
        }
    }
}

/// The rows of the three splits, and the class names.
fn rows(
    spec: &TaskSpec,
    data_root: &Path,
    counts: &mut Counts,
    longest: &mut LongestRow,
) -> Result<([Vec<Example>; 3], Vec<String>)> {
    let mut read = |paths: &[&PathBuf]| {
        let paths: Vec<PathBuf> = paths.iter().map(|path| data_root.join(path)).collect();
        let mut tables = vec![];
        for path in &paths {
            let (rows, read) = labeled::read_raw(path)?;
            *counts += read;
            for (number, row) in (1..).zip(&rows) {
                if row.sequence.len() > longest.bases {
                    let (bases, path) = (row.sequence.len(), Some(path.clone()));
                    *longest = LongestRow { bases, path, row: number, line: row.line };
                }
            }
            tables.push((path.as_path(), rows));
        }
        assign_numbers(tables)
    };
    match (&spec.train, &spec.dev, &spec.test, &spec.synthetic) {
        (Some(train), Some(dev), Some(test), None) if spec.split.is_none() => {
            let (tables, names) = read(&[train, dev, test])?;
            let mut tables = tables.into_iter();
            Ok(([(); 3].map(|()| tables.next().unwrap_or_default()), names))
        }
        (Some(table), None, None, None) => {
            let (tables, names) = read(&[table])?;
            Ok((assign(spec, tables.into_iter().flatten())?, names))
        }
        (None, None, None, Some(synthetic)) if spec.split.is_none() => {
            let splits = synthetic.generate(&spec.name)?;
            for row in splits.iter().flatten() {
                counts.records += 1;
                counts.bases += row.sequence.len() as u64;
                longest.bases = longest.bases.max(row.sequence.len());
            }
            Ok((splits, Vec::new()))
        }
        _ => spec.fault(
            "ambiguous splits",
            "set train, dev and test; or only train (with split = { dev = 0.1, test = 0.1 }); or synthetic",
        ),
    }
}

fn hash(spec: &TaskSpec, splits: [&Vec<Example>; 3], names: &[String]) -> String {
    let mut hasher = blake3::Hasher::new();
    // Version 2: with another metric than MCC, checkpoints are selected by that metric.
    hasher.update(if spec.metric == Metric::Mcc { b"tokbench task 1\n" } else { b"tokbench task 2\n" });
    let recipe = serde_json::json!({ "drop_leaking_dev": spec.drop_leaking_dev, "metric": spec.metric });
    hasher.update(recipe.to_string().as_bytes());
    for rows in splits {
        hasher.update(&(rows.len() as u64).to_le_bytes());
        for row in rows {
            hasher.update(&(row.sequence.len() as u64).to_le_bytes());
            hasher.update(&row.sequence);
            hasher.update(&row.label.to_le_bytes());
        }
    }
    // Nothing is appended for class numbers.
    for name in names {
        hasher.update(&(name.len() as u64).to_le_bytes());
        hasher.update(name.as_bytes());
    }
    hasher.finalize().to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;
    use crate::input::tests::{file, gzip};
    use proptest::prelude::*;

    fn folder(train: &str, dev: &str, test: &str) -> (tempfile::TempDir, TaskSpec) {
        let folder = tempfile::tempdir().unwrap();
        for (name, rows) in [("train", train), ("dev", dev), ("test", test)] {
            let text = format!("sequence,label\n{}\n", rows.replace(' ', "\n"));
            std::fs::write(folder.path().join(format!("{name}.csv.gz")), gzip(text.as_bytes())).unwrap();
        }
        let text = "name = 't'\ntrain = 'train.csv.gz'\ndev = 'dev.csv.gz'\ntest = 'test.csv.gz'";
        (folder, TaskSpec::from_toml(text).unwrap())
    }

    #[test]
    fn leaking_validation_rows_are_dropped() {
        let (folder, mut spec) = folder("AAC,0 AAG,1", "AAC,0 GTT,1 CTT,1 TTG,0", "TTC,1");
        let kept = Task::open(&spec, folder.path()).unwrap();
        assert_eq!((kept.dev.len(), kept.dropped_dev), (4, 0));
        spec.drop_leaking_dev = true;
        let task = Task::open(&spec, folder.path()).unwrap();
        assert_eq!((task.dropped_dev, task.counts.records), (3, 7));
        assert_eq!(task.dev, [Example { sequence: b"TTG".to_vec(), label: 0 }]);
        assert_ne!(task.hash, kept.hash);
        assert_eq!(task.rows(Split::Valid), task.dev);
    }

    #[test]
    fn missing_classes_are_errors() {
        for (train, test, expected) in [
            ("AAC,0 AAG,2", "AC,0", "task 't': label 2 occurs in the training split, but label 1 does not"),
            ("AAC,0 AAG,1", "AC,2", "task 't': label 2 occurs in the test split, but not in the training split"),
            ("AAC,0 AAG,0", "AC,0", "task 't': the training split has a single class (label 0)"),
        ] {
            let (folder, spec) = folder(train, "AC,0", test);
            assert_eq!(Task::open(&spec, folder.path()).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn class_names_are_numbered_over_all_splits() {
        let (first, spec) = folder("AAC,promoter AAG,non-promoter", "AC,promoter", "AG,non-promoter");
        let task = Task::open(&spec, first.path()).unwrap();
        assert_eq!((task.classes, task.names.as_slice()), (2, &["non-promoter".to_owned(), "promoter".to_owned()][..]));
        let labels = |rows: &[Example]| rows.iter().map(|row| row.label).collect::<Vec<_>>();
        assert_eq!((labels(&task.train), labels(&task.dev), labels(&task.test)), (vec![1, 0], vec![1], vec![0]));
        // Class names are part of the content; class numbers are content without names.
        let (other, _) = folder("AAC,b AAG,a", "AC,b", "AG,a");
        let (numbers, _) = folder("AAC,1 AAG,0", "AC,1", "AG,0");
        let [other, numbers] = [other, numbers].map(|folder| Task::open(&spec, folder.path()).unwrap());
        assert_eq!((&task.train, &numbers.train, numbers.names.len()), (&other.train, &other.train, 0));
        assert!(task.hash != other.hash && task.hash != numbers.hash && other.hash != numbers.hash);
    }

    #[test]
    fn the_longest_row_is_located() {
        let (folder, spec) = folder("AAC,0 AAG,1 AAAAAAA,0", "AC,0", "AAAAAA,1 AG,1");
        let longest = Task::open(&spec, folder.path()).unwrap().longest;
        assert_eq!((longest.bases, longest.row, longest.line), (7, 3, 4));
        assert!(longest.path.unwrap().ends_with("train.csv.gz"));
    }

    #[test]
    fn class_names_and_numbers_do_not_mix_between_splits() {
        for (train, dev, expected) in [
            ("AAC,0 AAG,1", "AC,one", "dev.csv.gz: line 2: invalid label 'one' (expected a non-negative integer)"),
            ("AAC,a AAG,b", "AC,1", "dev.csv.gz: line 2: invalid label '1' (earlier labels are class names)"),
        ] {
            let (folder, spec) = folder(train, dev, "AC,0");
            let error = Task::open(&spec, folder.path()).unwrap_err().to_string();
            assert!(error.ends_with(expected), "{error}");
        }
        let (folder, spec) = folder("AAC,a AAG,b", "AC,c", "AG,a");
        let error = Task::open(&spec, folder.path()).unwrap_err().to_string();
        assert_eq!(error, "task 't': class 'c' occurs in the validation split, but not in the training split");
    }

    #[test]
    fn classes_missing_after_splitting_have_a_remedy() {
        let bases = |i: usize| -> String { (0..8).map(|k| char::from(b"ACGT"[(i >> (2 * k)) % 4])).collect() };
        let text: String = (0..200).map(|i| format!("{},{}\n", bases(i), i % 2)).collect();
        let open = |more: &str| {
            let (_folder, path) = file("my.csv", format!("sequence,label\n{text}{more}").as_bytes());
            Task::open(&TaskSpec::from_csv(&path).unwrap(), Path::new(""))
        };
        let task = open("").unwrap();
        // A sequence of the test split: its copies are assigned there too.
        let rare = String::from_utf8(task.test[0].sequence.clone()).unwrap();
        let error = open(&format!("{rare},2\n{rare},2\n")).unwrap_err();
        let expected = "task 'my': none of the 2 rows of label 2 is in the training split (0 validation, 2 test)";
        assert_eq!(error.to_string(), expected);
        assert!(error.remedy().unwrap().contains("train = \"train.csv\", dev = \"dev.csv\""));

        let (_folder, path) = file("my.csv", format!("sequence,label\n{}", "AACC,0\nGGTT,1\n".repeat(20)).as_bytes());
        let error = Task::open(&TaskSpec::from_csv(&path).unwrap(), Path::new("")).unwrap_err();
        assert!(
            error.to_string().contains("the 40 rows contain only one sequence (up to reverse complement)"),
            "{error}"
        );
        assert!(error.remedy().unwrap().contains("different sequences"));
    }

    #[test]
    fn an_unknown_metric_lists_the_known_ones() {
        let error = TaskSpec::from_toml("name = 'x'\nmetric = 'auroc'\n").unwrap_err();
        assert!(error.to_string().contains("line 2: unknown variant `auroc`"), "{error}");
        assert_eq!(error.remedy().unwrap(), "available: mcc, f1, accuracy");
    }

    #[test]
    fn the_hash_depends_on_content_only() {
        let (first, spec) = folder("AAC,0 AAG,1", "AC,0", "AG,1");
        let (second, _) = folder("aac,0 AAG,1", "AC,0", "AG,1");
        let (third, _) = folder("AAC,0 AAG,1", "AC,0", "AG,0");
        let hash = |folder: &tempfile::TempDir| Task::open(&spec, folder.path()).unwrap().hash;
        assert_eq!(hash(&first), hash(&second));
        assert_ne!(hash(&first), hash(&third));
        let f1 = TaskSpec { metric: Metric::F1, ..spec.clone() };
        assert_ne!(hash(&first), Task::open(&f1, first.path()).unwrap().hash);
    }

    #[test]
    fn ambiguous_specs_are_rejected() {
        let (folder, spec) = folder("AAC,0 AAG,1", "AC,0", "AG,1");
        for wrong in [
            TaskSpec { dev: None, ..spec.clone() },
            TaskSpec { split: Some(TaskSplit::default()), ..spec.clone() },
            TaskSpec { dev: None, test: None, split: Some(TaskSplit { dev: 0.5, test: 0.5 }), ..spec.clone() },
            TaskSpec { name: "t".into(), ..TaskSpec::default() },
        ] {
            assert!(matches!(Task::open(&wrong, folder.path()), Err(Error::Spec { .. })), "{wrong:?}");
        }
        let error = TaskSpec::from_toml("name = 'x'\ntrian = 'a'\n").unwrap_err().to_string();
        assert!(error.contains("line 2") && error.contains("trian"), "{error}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn one_table_is_split_by_content(seed: u64) {
            let mut rng = crate::stream(seed, "rows");
            let uniform = crate::MarkovChain::uniform();
            let mut text = String::from("sequence,label\n");
            for i in 0..600 {
                let bases = uniform.sample(12, &mut rng);
                // Every sequence, its reverse complement, and a duplicate.
                for bases in [bases.clone(), reverse_complement(&bases), bases] {
                    text += &format!("{},{}\n", String::from_utf8(bases).unwrap(), i % 2);
                }
            }
            let (_folder, path) = file("my.csv", text.as_bytes());
            let spec = TaskSpec::from_csv(&path).unwrap();
            let task = Task::open(&spec, Path::new("/elsewhere")).unwrap();
            prop_assert_eq!(task.train.len() + task.dev.len() + task.test.len(), 1800);
            for (rows, fraction) in [(&task.dev, 0.1), (&task.test, 0.1)] {
                prop_assert!((rows.len() as f64 / 1800.0 - fraction).abs() < 0.06);
            }
            prop_assert!(task.leaks.splits_are_clean(), "{}", task.leaks);
        }
    }
}
