//! Iterator over the rows of a table (CSV, TSV): sequence, and label if required. The format is described in
//! [`crate::labeled`].

use crate::error::{Error, Result, printable};
use crate::input::{Fault, Input};
use crate::label::{Label, is_missing};
use crate::lines::Newlines;
use dna::policy::{Counts, normalize};
use std::io::BufRead;
use std::path::{Path, PathBuf};

/// A row of a table.
pub(crate) struct Row {
    pub(crate) number: usize,
    pub(crate) sequence: Vec<u8>,
    pub(crate) label: Option<Label>,
    /// The field of the label column as written, if labels are texts.
    pub(crate) text: Option<String>,
    pub(crate) line: u64,
}

/// What the column `label` holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LabelColumn {
    /// It is not read.
    Ignored,
    /// Class numbers or class names.
    Classes,
    /// Any text, which is not interpreted here.
    Text,
}

/// Iterator over the rows of a table; it ends after the first error.
pub(crate) struct Table {
    path: PathBuf,
    rows: csv::ByteRecordsIntoIter<Newlines<Box<dyn BufRead + Send>>>,
    fault: Fault,
    gzip: bool,
    skipped_lines: u64,
    sequence_column: usize,
    label_column: Option<usize>,
    kind: LabelColumn,
    /// The first label; all others must be of the same kind.
    first_label: Option<Label>,
    pub(crate) counts: Counts,
    finished: bool,
}

impl Table {
    /// Reads the header of an opened file; a label column is required unless it is ignored.
    pub(crate) fn new(path: &Path, input: Input, kind: LabelColumn) -> Result<Table> {
        let labeled = kind != LabelColumn::Ignored;
        let Input { mut reader, fault, gzip, skipped_lines } = input;
        let separator = separator(reader.fill_buf().unwrap_or_default());
        let mut table =
            csv::ReaderBuilder::new().delimiter(separator).trim(csv::Trim::Headers).from_reader(Newlines::new(reader));
        let header = table.headers().map_err(|error| malformed(path, &error, &fault, gzip, skipped_lines + 1))?.clone();
        let column = |name| column(path, &header, name, labeled, skipped_lines + 1);
        let mut counts = Counts::default();
        counts.tabs += u64::from(separator == b'\t');
        counts.semicolons += u64::from(separator == b';');
        Ok(Table {
            path: path.to_owned(),
            sequence_column: column("sequence")?,
            label_column: if labeled { Some(column("label")?) } else { None },
            kind,
            first_label: None,
            rows: table.into_byte_records(),
            fault,
            gzip,
            skipped_lines,
            counts,
            finished: false,
        })
    }

    /// First line of a row, or its last line if its fields are unknown. The reader counts blank lines as part of the following
    /// row, so the line is computed from the end of the row.
    fn line(&self, row: Option<&csv::ByteRecord>) -> u64 {
        let inside = row.map_or(0, |row| row.as_slice().iter().filter(|&&byte| byte == b'\n').count() as u64);
        (self.rows.reader().position().line() + self.skipped_lines).saturating_sub(1 + inside).max(1)
    }

    fn row(&mut self, row: &csv::ByteRecord) -> Result<Row> {
        let path = || self.path.clone();
        let line = self.line(Some(row));
        let number = self.counts.records as usize + 1;
        let field = self.label_column.map(|column| row.get(column).unwrap_or_default().trim_ascii());
        let text = match field.filter(|_| self.kind == LabelColumn::Text).map(std::str::from_utf8) {
            None => None,
            Some(Ok(text)) => Some(text.to_owned()),
            Some(Err(_)) => {
                let found = String::from_utf8_lossy(field.unwrap_or_default()).into_owned();
                return Err(Error::Label { path: path(), line, found, why: "not valid UTF-8" });
            }
        };
        let label = match field.filter(|_| self.kind == LabelColumn::Classes) {
            None => None,
            Some(field) => {
                let label = Label::read(field, self.first_label.as_ref()).map_err(|why| {
                    let found = String::from_utf8_lossy(field).into_owned();
                    Error::Label { path: path(), line, found, why }
                })?;
                self.first_label.get_or_insert_with(|| label.clone());
                Some(label)
            }
        };
        let raw = row.get(self.sequence_column).unwrap_or_default().trim_ascii();
        if is_missing(raw) {
            let found = String::from_utf8_lossy(raw).into_owned();
            return Err(Error::MissingValue { path: path(), record: number.to_string(), line, found });
        }
        let mut sequence = Vec::with_capacity(raw.len());
        if let Err(offence) = normalize(raw, &mut sequence, &mut self.counts) {
            let letter = printable(offence.letter);
            return Err(Error::InvalidBase { path: path(), record: number.to_string(), line, letter });
        }
        if sequence.is_empty() {
            return Err(Error::NoSequence { path: path(), record: number.to_string(), line });
        }
        self.counts.records += 1;
        Ok(Row { number, sequence, label, text, line })
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
            Some(Err(error)) => Err(malformed(&self.path, &error, &self.fault, self.gzip, self.line(None))),
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

/// Supported column separators.
pub(crate) const SEPARATORS: [u8; 3] = *b",\t;";

/// The separator that yields a column `sequence`; otherwise the first one that occurs, or a comma.
fn separator(start: &[u8]) -> u8 {
    let header = start.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let is_sequence = |field: &[u8]| {
        let field = field.trim_ascii();
        let bare = field.strip_prefix(b"\"").and_then(|field| field.strip_suffix(b"\"")).unwrap_or(field);
        bare.trim_ascii().eq_ignore_ascii_case(b"sequence")
    };
    let splits =
        |separator: u8| header.contains(&separator) && header.split(|&byte| byte == separator).any(is_sequence);
    let occurs = |separator: u8| header.contains(&separator);
    let mut all = SEPARATORS.into_iter();
    // Without a sequence column, a plausible separator still gives an error that lists the columns.
    all.clone()
        .find(|&separator| splits(separator))
        .or_else(|| all.find(|&separator| occurs(separator)))
        .unwrap_or(b',')
}

/// Index of a column by its case-insensitive name.
fn column(path: &Path, header: &csv::StringRecord, name: &'static str, labeled: bool, line: u64) -> Result<usize> {
    let found: Vec<usize> = (0..header.len()).filter(|&at| header[at].eq_ignore_ascii_case(name)).collect();
    let path = path.to_owned();
    match found.as_slice() {
        &[index] => Ok(index),
        [] => {
            let found = header.iter().collect::<Vec<_>>().join(",");
            Err(Error::MissingColumn { path, line, column: name, labeled, found })
        }
        several => {
            let found = several.iter().map(|&at| format!("{} (column {})", &header[at], at + 1)).collect();
            Err(Error::DuplicateColumn { path, line, column: name, found })
        }
    }
}

fn malformed(path: &Path, error: &csv::Error, fault: &Fault, gzip: bool, line: u64) -> Error {
    fault.take(path, gzip).unwrap_or_else(|| {
        if let csv::ErrorKind::Utf8 { .. } = error.kind() {
            return Error::NotUtf8 { path: path.to_owned(), line, what: "the header" };
        }
        Error::Malformed { path: path.to_owned(), record: None, line, message: cause(error) }
    })
}

/// The message without the position, which is a field of our own error.
fn cause(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("{len} fields, but the header has {expected_len}")
        }
        _ => error.to_string(),
    }
}
