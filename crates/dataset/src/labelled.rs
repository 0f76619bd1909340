//! Labelled tables: CSV, plain or gzip, with a header that has `sequence` and `label` (other columns are ignored,
//! the order is free). Labels are whole numbers from 0; sequences follow the base policy, blanks around them trimmed.
//!
//! ```
//! # let folder = tempfile::tempdir().unwrap();
//! # let path = folder.path().join("my.csv");
//! std::fs::write(&path, "sequence,label\nACGT,0\nttga,1\n").unwrap();
//! let (rows, counts) = dataset::labelled::read(&path).unwrap();
//! assert_eq!((rows[1].sequence.as_slice(), rows[1].label), (&b"TTGA"[..], 1));
//! assert_eq!(counts.lower, 4);
//! ```

use crate::error::{Error, Result, printable};
use crate::input::{self, Fault, Input};
use crate::policy::{Counts, normalise};
use std::io::BufRead;
use std::path::{Path, PathBuf};

/// One row: bases `A C G T N`, and a class.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Example {
    /// Normalised bases.
    pub sequence: Vec<u8>,
    /// Class, from 0.
    pub label: u32,
}

/// All rows of a table, and what the base policy did.
///
/// # Errors
/// A file that is missing, empty or cut short; a missing column; a row with a bad label, a bad letter or no sequence:
/// each names file and line.
pub fn read(path: &Path) -> Result<(Vec<Example>, Counts)> {
    let mut table = Table::new(path, input::open(path)?, true)?;
    let mut rows = vec![];
    for row in table.by_ref() {
        let Row { sequence, label, .. } = row?;
        rows.push(Example { sequence, label: label.unwrap_or_default() });
    }
    Ok((rows, table.counts))
}

/// A row as it is read.
pub(crate) struct Row {
    pub(crate) number: usize,
    pub(crate) sequence: Vec<u8>,
    pub(crate) label: Option<u32>,
}

/// The rows of a table, one after the other. After an error it ends.
pub(crate) struct Table {
    path: PathBuf,
    rows: csv::ByteRecordsIntoIter<Box<dyn BufRead + Send>>,
    fault: Fault,
    gzip: bool,
    skipped_lines: u64,
    sequence_column: usize,
    label_column: Option<usize>,
    pub(crate) counts: Counts,
    finished: bool,
}

impl Table {
    /// The table of an opened file; `labelled`: it must have a column of labels.
    pub(crate) fn new(path: &Path, input: Input, labelled: bool) -> Result<Table> {
        let Input { reader, fault, gzip, skipped_lines } = input;
        let mut table = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(reader);
        let header = table.headers().map_err(|error| malformed(path, &error, &fault, gzip, skipped_lines))?.clone();
        let column = |name: &'static str| {
            let found = header.iter().position(|field| field.eq_ignore_ascii_case(name));
            found.ok_or_else(|| Error::MissingColumn {
                path: path.to_owned(),
                column: name,
                labelled,
                found: header.iter().collect::<Vec<_>>().join(","),
            })
        };
        Ok(Table {
            path: path.to_owned(),
            sequence_column: column("sequence")?,
            label_column: if labelled { Some(column("label")?) } else { None },
            rows: table.into_byte_records(),
            fault,
            gzip,
            skipped_lines,
            counts: Counts::default(),
            finished: false,
        })
    }

    fn row(&mut self, row: &csv::ByteRecord) -> Result<Row> {
        let path = || self.path.clone();
        let line = row.position().map_or(0, csv::Position::line) + self.skipped_lines;
        let number = self.counts.records as usize + 1;
        let label = match self.label_column {
            None => None,
            Some(column) => {
                let label = String::from_utf8_lossy(row.get(column).unwrap_or_default());
                match label.parse::<u32>() {
                    Ok(label) => Some(label),
                    Err(_) => return Err(Error::Label { path: path(), line, found: label.into_owned() }),
                }
            }
        };
        let raw = row.get(self.sequence_column).unwrap_or_default();
        let mut sequence = Vec::with_capacity(raw.len());
        if let Err(offence) = normalise(raw, &mut sequence, &mut self.counts) {
            let letter = printable(offence.letter);
            return Err(Error::Letter { path: path(), record: number.to_string(), line, letter });
        }
        if sequence.is_empty() {
            return Err(Error::NoSequence { path: path(), record: number.to_string(), line });
        }
        self.counts.records += 1;
        Ok(Row { number, sequence, label })
    }
}

impl Iterator for Table {
    type Item = Result<Row>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.finished {
            return None;
        }
        let result = match self.rows.next() {
            Some(Ok(row)) => self.row(&row),
            Some(Err(error)) => Err(malformed(&self.path, &error, &self.fault, self.gzip, self.skipped_lines)),
            None => {
                self.finished = true;
                let empty = (self.counts.records == 0).then(|| Error::NoRecords { path: self.path.clone() });
                return self.fault.take(&self.path, self.gzip).or(empty).map(Err);
            }
        };
        self.finished = result.is_err();
        Some(result)
    }
}

fn malformed(path: &Path, error: &csv::Error, fault: &Fault, gzip: bool, skipped_lines: u64) -> Error {
    fault.take(path, gzip).unwrap_or_else(|| {
        let line = error.position().map_or(1, csv::Position::line) + skipped_lines;
        Error::Malformed { path: path.to_owned(), record: None, line, message: said(error) }
    })
}

/// The cause without the position, which our own error carries.
fn said(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("{len} fields, but the header has {expected_len}")
        }
        csv::ErrorKind::Utf8 { .. } => "the header is not UTF-8".into(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::tests::{file, gzip};
    use proptest::prelude::*;

    fn cause(name: &str, content: &[u8]) -> String {
        let (_folder, path) = file(name, content);
        let error = read(&path).unwrap_err();
        assert!(error.remedy().is_some(), "{error}");
        let text = error.to_string();
        text[text.find(name).unwrap()..].to_owned()
    }

    #[test]
    fn each_bad_table_has_its_own_words() {
        let whole = gzip(b"sequence,label\n");
        for (name, content, expected) in [
            ("a.csv", &b"seq,label\nAC,0\n"[..], "a.csv: line 1: no column 'sequence', found: seq,label"),
            ("b.csv", b"sequence,class\nAC,0\n", "b.csv: line 1: no column 'label', found: sequence,class"),
            ("c.csv", b"sequence,label\nAC,0\nAC,one\n", "c.csv: line 3: 'one' is not a label (a whole number from 0)"),
            ("c.csv", b"sequence,label\nAC,-1\n", "c.csv: line 2: '-1' is not a label (a whole number from 0)"),
            ("d.csv", b"sequence,label\nAC,0\nA?C,1\n", "d.csv: record '2', line 3: '?' is not a nucleotide letter"),
            ("e.csv", b"sequence,label\n,0\n", "e.csv: record '1', line 2: no sequence"),
            ("f.csv", b"sequence,label\nAC\n", "f.csv: line 2: 1 fields, but the header has 2"),
            ("g.csv", b"sequence,label\n", "g.csv: the file holds no records"),
            ("h.csv", b"", "h.csv: the file is empty"),
            (
                "i.csv.gz",
                &whole[..whole.len() - 5],
                "i.csv.gz: the gzip stream is truncated, the file ends before its data does",
            ),
        ] {
            assert_eq!(cause(name, content), expected);
        }
    }

    #[test]
    fn columns_may_stand_anywhere() {
        let (_folder, path) =
            file("x.csv.gz", &gzip("\u{feff}label,name,Sequence\n1,a, acgu \n0,\"b, c\",NNR\n".as_bytes()));
        let (rows, counts) = read(&path).unwrap();
        assert_eq!(rows[0], Example { sequence: b"ACGT".to_vec(), label: 1 });
        assert_eq!(rows[1], Example { sequence: b"NNN".to_vec(), label: 0 });
        assert_eq!(counts, Counts { records: 2, bases: 7, lower: 4, uracil: 1, iupac: 1, n: 2 });
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(rows in prop::collection::vec(("[ACGTN]{1,80}", 0u32..5), 1..20), packed: bool) {
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
