//! Labeled tables: CSV, plain or gzip, with the columns `sequence` and `label` in any order; other columns are ignored.
//! Labels are class numbers from 0, or class names. Sequences are trimmed and normalized by the base policy. The separator
//! is a comma, or a tab or semicolon if only that one yields a column `sequence`.
//!
//! A missing-value marker in the sequence column (`NA`, `nan`, `null`, `None` ... as written by pandas and R, in either
//! case) is an error, although some of them consist of nucleotide codes.
//!
//! | label | meaning |
//! |---|---|
//! | `0`, `17` | class number |
//! | `promoter`, `non-promoter`, `+`, `5mC` | class name; names are numbered from 0 in byte order |
//! | `-1`, `0.0`, `1e3` | error: a number, but not a class number |
//! | empty field, missing-value marker | error |
//!
//! All tables of a task must use the same kind of label.
//!
//! ```
//! # let folder = tempfile::tempdir().unwrap();
//! # let path = folder.path().join("my.csv");
//! std::fs::write(&path, "sequence,label\nACGT,0\nttga,1\n").unwrap();
//! let (rows, counts) = dataset::labeled::read(&path).unwrap();
//! assert_eq!((rows[1].sequence.as_slice(), rows[1].label), (&b"TTGA"[..], 1));
//! assert_eq!(counts.lower, 4);
//! ```

use crate::error::{Error, Result};
use crate::input;
use crate::label::Label;
use crate::table::{LabelColumn, Row, Table};
use dna::policy::Counts;
use std::collections::BTreeSet;
use std::path::Path;

/// One labeled sequence.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Example {
    /// Normalized bases, `A C G T N`.
    pub sequence: Vec<u8>,
    /// Class number, from 0.
    pub label: u32,
}

/// A row with its label as written in the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RawExample {
    pub(crate) sequence: Vec<u8>,
    pub(crate) label: Label,
    pub(crate) line: u64,
}

/// All rows of a table, and what the base policy changed.
///
/// # Errors
/// If the file is missing, empty or truncated, a column is missing, or a row has an invalid label, an invalid base or no
/// sequence; the message names file and line.
pub fn read(path: &Path) -> Result<(Vec<Example>, Counts)> {
    let (rows, counts) = read_raw(path)?;
    let (mut tables, _) = assign_numbers(vec![(path, rows)])?;
    Ok((tables.pop().unwrap_or_default(), counts))
}

/// As [`read`], with labels as written in the table.
pub(crate) fn read_raw(path: &Path) -> Result<(Vec<RawExample>, Counts)> {
    let mut table = Table::new(path, input::open(path)?, LabelColumn::Classes)?;
    let mut rows = vec![];
    for row in table.by_ref() {
        let Row { sequence, label, line, .. } = row?;
        rows.push(RawExample { sequence, label: label.unwrap_or(Label::Number(0)), line });
    }
    Ok((rows, table.counts))
}

/// Converts labels to class numbers. Also returns the class names by number, empty if the tables use numbers. Names are
/// numbered over all tables in byte order.
///
/// # Errors
/// [`Error::Label`] if one table uses names and another one numbers.
pub(crate) fn assign_numbers(tables: Vec<(&Path, Vec<RawExample>)>) -> Result<(Vec<Vec<Example>>, Vec<String>)> {
    let first = tables.iter().find_map(|(_, rows)| rows.first()).map(|row| row.label.clone());
    let mut names = BTreeSet::new();
    for (path, rows) in &tables {
        if let (Some(first), Some(row)) = (&first, rows.first()) {
            row.label.like(first).map_err(|why| {
                let (path, found) = ((*path).to_owned(), row.label.spelled());
                Error::Label { path, line: row.line, found, why }
            })?;
        }
        names.extend(rows.iter().filter_map(|row| match &row.label {
            Label::Name(name) => Some(name.clone()),
            Label::Number(_) => None,
        }));
    }
    let names: Vec<String> = names.into_iter().collect();
    let class = |name: &String| names.binary_search(name).unwrap_or_default() as u32;
    let numbered = |RawExample { sequence, label, .. }| match label {
        Label::Number(label) => Example { sequence, label },
        Label::Name(name) => Example { sequence, label: class(&name) },
    };
    let tables = tables.into_iter().map(|(_, rows)| rows.into_iter().map(numbered).collect()).collect();
    Ok((tables, names))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::tests::{file, gzip};
    use crate::label::is_missing;
    use proptest::prelude::*;

    fn cause(name: &str, content: &[u8]) -> String {
        let (_folder, path) = file(name, content);
        let error = read(&path).unwrap_err();
        assert!(error.remedy().is_some(), "{error}");
        let text = error.to_string();
        text[text.find(name).unwrap()..].to_owned()
    }

    #[test]
    fn every_invalid_table_has_a_specific_message() {
        let whole = gzip(b"sequence,label\n");
        for (name, content, expected) in [
            ("a.csv", &b"seq,label\nAC,0\n"[..], "a.csv: line 1: no column 'sequence', found: seq,label"),
            ("b.csv", b"sequence,class\nAC,0\n", "b.csv: line 1: no column 'label', found: sequence,class"),
            (
                "c.csv",
                b"sequence,label\nAC,0\nAC,one\n",
                "c.csv: line 3: invalid label 'one' (expected a non-negative integer)",
            ),
            (
                "c.csv",
                b"sequence,label\nAC,b\nAC,a\nAC,1\n",
                "c.csv: line 4: invalid label '1' (earlier labels are class names)",
            ),
            ("c.csv", b"sequence,label\nAC,a\nAC,\n", "c.csv: line 3: invalid label '' (empty field)"),
            (
                "c.csv",
                b"sequence,label\nAC,0.0\n",
                "c.csv: line 2: invalid label '0.0' (expected a non-negative integer)",
            ),
            ("c.csv", b"sequence,label\nAC,a\nAC,NaN\n", "c.csv: line 3: invalid label 'NaN' (missing value)"),
            (
                "c.csv",
                b"sequence,label\nAC,-1\n",
                "c.csv: line 2: invalid label '-1' (expected a non-negative integer)",
            ),
            ("d.csv", b"sequence,label\nAC,0\nA?C,1\n", "d.csv: record '2', line 3: '?' is not a nucleotide code"),
            ("e.csv", b"sequence,label\n,0\n", "e.csv: record '1', line 2: empty sequence"),
            ("f.csv", b"sequence,label\nAC\n", "f.csv: line 2: 1 fields, but the header has 2"),
            ("g.csv", b"sequence,label\n", "g.csv: the file contains no records"),
            ("h.csv", b"", "h.csv: the file is empty"),
            ("i.csv.gz", &whole[..whole.len() - 5], "i.csv.gz: truncated gzip stream (unexpected end of file)"),
        ] {
            assert_eq!(cause(name, content), expected);
            if let Ok(text) = std::str::from_utf8(content) {
                assert_eq!(cause(name, text.replace('\n', "\r\n").as_bytes()), expected, "other line endings");
                assert_eq!(cause(name, text.replace('\n', "\r").as_bytes()), expected, "other line endings");
                let ended = text.trim_end_matches('\n');
                assert_eq!(cause(name, ended.as_bytes()), expected, "no newline at the end of the file");
            }
        }
    }

    #[test]
    fn blank_lines_are_counted() {
        for end in ["\n", "\r\n", "\r"] {
            let text = "\nsequence,label\n\nACGT,0\n\n\nA?,1\n".replace('\n', end);
            assert_eq!(cause("b.csv", text.as_bytes()), "b.csv: record '2', line 7: '?' is not a nucleotide code");
            let text = "note,sequence,label\n\n\"two\n\nlines\",A?,1\n".replace('\n', end);
            assert_eq!(cause("q.csv", text.as_bytes()), "q.csv: record '1', line 3: '?' is not a nucleotide code");
            let text = "note,sequence,label\n\"\ntwo\n\",A?,1\n".replace('\n', end);
            assert_eq!(cause("q.csv", text.as_bytes()), "q.csv: record '1', line 2: '?' is not a nucleotide code");
            let text = "sequence,label\n\nACGT,0\n\nAC\n".replace('\n', end);
            assert_eq!(cause("f.csv", text.as_bytes()), "f.csv: line 5: 1 fields, but the header has 2");
        }
    }

    #[test]
    fn columns_are_found_by_name() {
        let (_folder, path) =
            file("x.csv.gz", &gzip("\u{feff}label,name,Sequence\n1,a, acgu \n0,\"b, c\",NNR\n".as_bytes()));
        let (rows, counts) = read(&path).unwrap();
        assert_eq!(rows[0], Example { sequence: b"ACGT".to_vec(), label: 1 });
        assert_eq!(rows[1], Example { sequence: b"NNN".to_vec(), label: 0 });
        assert_eq!(counts, Counts { records: 2, bases: 7, lower: 4, uracil: 1, iupac: 1, n: 2, ..Counts::default() });
    }

    #[test]
    fn missing_values_are_rejected() {
        for mark in ["nan", "NaN", "NA", "na", "N/A", "null", "None", "<NA>", " NAN ", "\"nan\"", "#N/A"] {
            let found = cause("m.csv", format!("sequence,label\nACGT,0\n{mark},1\n").as_bytes());
            let shown = mark.trim_matches([' ', '"']);
            let expected = format!("record '2', line 3: missing value \"{shown}\" instead of a sequence");
            assert_eq!(found, format!("m.csv: {expected}"));
        }
        let (_folder, path) = file("n.csv", b"sequence,label\nNN,0\nNAC,1\nNANA,1\nn,0\nA,1\n");
        assert_eq!(read(&path).unwrap().1.bases, 2 + 3 + 4 + 1 + 1);
    }

    #[test]
    fn duplicate_columns_are_rejected() {
        for (text, expected) in [
            (
                "sequence,label,label\nAC,0,1\n",
                "line 1: 2 columns are named 'label': label (column 2), label (column 3)",
            ),
            (
                "\nSequence,label,sequence \nAC,0,GT\n",
                "line 2: 2 columns are named 'sequence': Sequence (column 1), sequence (column 3)",
            ),
            (
                "sequence\tSEQUENCE\tlabel\nAC\t0\n",
                "line 1: 2 columns are named 'sequence': sequence (column 1), SEQUENCE (column 2)",
            ),
        ] {
            assert_eq!(cause("t.csv", text.as_bytes()), format!("t.csv: {expected}"));
        }
        let (_folder, path) = file("o.csv", b"x,sequence,x,label\n1,AC,2,0\n");
        assert_eq!(read(&path).unwrap().0.len(), 1, "other columns are ignored");
    }

    #[test]
    fn tabs_and_semicolons_are_separators() {
        for (text, notes) in [
            ("id\tsequence\tlabel\n1,5;x\tACGT\t1\n", "; columns separated by tabs"),
            ("id;\"Sequence\" ;label\n1,5;ACGT;1\n", "; columns separated by semicolons"),
            ("id,sequence,label\n1;5\tx,ACGT,1\n", ""),
        ] {
            let (_folder, path) = file("x.tsv", text.as_bytes());
            let (rows, counts) = read(&path).unwrap();
            assert_eq!(rows, [Example { sequence: b"ACGT".to_vec(), label: 1 }], "{text}");
            assert_eq!(counts.to_string(), format!("1 record, 4 bases{notes}"));
        }
        for (text, expected) in [
            ("id\tseq\tlabel\n", "line 1: no column 'sequence', found: id,seq,label"),
            ("id;seq\n", "line 1: no column 'sequence', found: id,seq"),
            ("seq\n", "line 1: no column 'sequence', found: seq"),
        ] {
            assert_eq!(cause("s.tsv", text.as_bytes()), format!("s.tsv: {expected}"));
        }
        let latin = cause("l.csv", b"gr\xf6sse,sequence,label\n1,AC,0\n");
        assert_eq!(latin, "l.csv: line 1: the header is not valid UTF-8");
    }

    #[test]
    fn a_carriage_return_ends_a_row() {
        for text in ["sequence,label\rAC,0\rGT,1\r", "\rsequence,label\r\nAC,0\rGT,1\n"] {
            for content in [text.as_bytes().to_vec(), gzip(text.as_bytes())] {
                let (_folder, path) = file("mac.csv", &content);
                let rows: Vec<_> = read(&path).unwrap().0.into_iter().map(|row| (row.sequence, row.label)).collect();
                assert_eq!(rows, [(b"AC".to_vec(), 0), (b"GT".to_vec(), 1)], "{text:?}");
            }
        }
        let quoted = b"note,sequence,label\r\"two\rlines\",AC,0\rx,A-,1\r";
        assert_eq!(cause("q.csv", quoted), "q.csv: record '2', line 4: '-' is not a nucleotide code");
    }

    #[test]
    fn class_names_are_numbered_in_byte_order() {
        let (_folder, path) = file("x.csv", b"sequence,label\nA,promoter\nC,non-promoter\nG,Promoter\nT,promoter\n");
        let labels: Vec<u32> = read(&path).unwrap().0.iter().map(|row| row.label).collect();
        assert_eq!(labels, [2, 1, 0, 2]);
    }

    proptest! {
        #[test]
        fn round_trip(rows in prop::collection::vec(("[ACGTN]{1,80}", 0u32..5), 1..20), packed: bool) {
            prop_assume!(rows.iter().all(|(sequence, _)| !is_missing(sequence.as_bytes())));
            let mut text = String::from("sequence,label\n");
            for (sequence, label) in &rows {
                text += &format!("{sequence},{label}\n");
            }
            let content = if packed { gzip(text.as_bytes()) } else { text.into_bytes() };
            let (_folder, path) = file("x.csv", &content);
            let (read, counts) = read(&path).unwrap();
            prop_assert_eq!(counts.records as usize, rows.len());
            let expected: Vec<_> =
                rows.into_iter().map(|(s, label)| Example { sequence: s.into_bytes(), label }).collect();
            prop_assert_eq!(read, expected);
        }
    }
}
