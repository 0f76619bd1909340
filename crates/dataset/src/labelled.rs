//! Labelled tables: CSV, plain or gzip, with a header that has `sequence` and `label` (other columns are ignored,
//! the order is free). Labels are whole numbers from 0, or words; sequences follow the base policy, blanks around them
//! trimmed. Columns are separated by commas, or by tabs or semicolons where only those set a column `sequence` apart.
//!
//! A mark of a missing value in the column of sequences (`NA`, `nan`, `null`, `None` ... as pandas and R write and read them, in
//! either case) is an error, though some are spelled in letters of the policy: they are no bases.
//!
//! | label | is |
//! |---|---|
//! | `0`, `17` | the number of a class |
//! | `promoter`, `non-promoter`, `+`, `5mC` | the name of a class; names are numbered from 0 in the order of their bytes |
//! | `-1`, `0.0`, `1e3` | refused: a number, but not one of a class |
//! | nothing, and marks of a missing value | refused |
//!
//! A table, and all tables of one task, have either numbers or words.
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
use crate::input::{self, Fault, Input, Newlines};
use crate::label::{Label, Named, number};
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
    let (rows, counts) = named(path)?;
    let (mut tables, _) = number(vec![(path, rows)])?;
    Ok((tables.pop().unwrap_or_default(), counts))
}

/// As [`read`], with the classes as the table names them.
pub(crate) fn named(path: &Path) -> Result<(Vec<Named>, Counts)> {
    let mut table = Table::new(path, input::open(path)?, true)?;
    let mut rows = vec![];
    for row in table.by_ref() {
        let Row { sequence, label, line, .. } = row?;
        rows.push(Named { sequence, label: label.unwrap_or(Label::Number(0)), line });
    }
    Ok((rows, table.counts))
}

/// A row as it is read.
pub(crate) struct Row {
    pub(crate) number: usize,
    pub(crate) sequence: Vec<u8>,
    pub(crate) label: Option<Label>,
    pub(crate) line: u64,
}

/// The rows of a table, one after the other. After an error it ends.
pub(crate) struct Table {
    path: PathBuf,
    rows: csv::ByteRecordsIntoIter<Newlines<Box<dyn BufRead + Send>>>,
    fault: Fault,
    gzip: bool,
    skipped_lines: u64,
    sequence_column: usize,
    label_column: Option<usize>,
    /// The first label: all others are of its kind.
    first_label: Option<Label>,
    pub(crate) counts: Counts,
    finished: bool,
}

impl Table {
    /// The table of an opened file; `labelled`: it must have a column of labels.
    pub(crate) fn new(path: &Path, input: Input, labelled: bool) -> Result<Table> {
        let Input { mut reader, fault, gzip, skipped_lines } = input;
        let separator = separator(reader.fill_buf().unwrap_or_default());
        let mut table =
            csv::ReaderBuilder::new().delimiter(separator).trim(csv::Trim::Headers).from_reader(Newlines::new(reader));
        let header = table.headers().map_err(|error| malformed(path, &error, &fault, gzip, skipped_lines + 1))?.clone();
        let column = |name| column(path, &header, name, labelled, skipped_lines + 1);
        let mut counts = Counts::default();
        counts.tabs += u64::from(separator == b'\t');
        counts.semicolons += u64::from(separator == b';');
        Ok(Table {
            path: path.to_owned(),
            sequence_column: column("sequence")?,
            label_column: if labelled { Some(column("label")?) } else { None },
            first_label: None,
            rows: table.into_byte_records(),
            fault,
            gzip,
            skipped_lines,
            counts,
            finished: false,
        })
    }

    /// The line on which a row that was read begins, or ends if its fields are not known. The reader counts blank lines with the row
    /// behind them, so it is found from the end of the row.
    fn line(&self, row: Option<&csv::ByteRecord>) -> u64 {
        let inside = row.map_or(0, |row| row.as_slice().iter().filter(|&&byte| byte == b'\n').count() as u64);
        (self.rows.reader().position().line() + self.skipped_lines).saturating_sub(1 + inside).max(1)
    }

    fn row(&mut self, row: &csv::ByteRecord) -> Result<Row> {
        let path = || self.path.clone();
        let line = self.line(Some(row));
        let number = self.counts.records as usize + 1;
        let label = match self.label_column {
            None => None,
            Some(column) => {
                let field = row.get(column).unwrap_or_default().trim_ascii();
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
        if let Err(offence) = normalise(raw, &mut sequence, &mut self.counts) {
            let letter = printable(offence.letter);
            return Err(Error::Letter { path: path(), record: number.to_string(), line, letter });
        }
        if sequence.is_empty() {
            return Err(Error::NoSequence { path: path(), record: number.to_string(), line });
        }
        self.counts.records += 1;
        Ok(Row { number, sequence, label, line })
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

/// What may separate columns.
pub(crate) const SEPARATORS: [u8; 3] = *b",\t;";

/// What separates columns: the one that sets a column `sequence` apart from others; a comma where there is nothing to decide.
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
    // Without such a column, what is told of the columns that there are should name them.
    all.clone()
        .find(|&separator| splits(separator))
        .or_else(|| all.find(|&separator| occurs(separator)))
        .unwrap_or(b',')
}

/// The place of a column, whatever the case of its name.
fn column(path: &Path, header: &csv::StringRecord, name: &'static str, labelled: bool, line: u64) -> Result<usize> {
    let found: Vec<usize> = (0..header.len()).filter(|&at| header[at].eq_ignore_ascii_case(name)).collect();
    let path = path.to_owned();
    match found.as_slice() {
        &[place] => Ok(place),
        [] => {
            let found = header.iter().collect::<Vec<_>>().join(",");
            Err(Error::MissingColumn { path, line, column: name, labelled, found })
        }
        several => {
            let found = several.iter().map(|&at| format!("{} (column {})", &header[at], at + 1)).collect();
            Err(Error::ColumnTwice { path, line, column: name, found })
        }
    }
}

/// What pandas reads as a missing value or writes for one, and R's name of one; compared without case.
const MISSING: [&str; 14] = [
    "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA", "NULL", "NaN",
    "None",
];

/// Whether a field marks a missing value, in any case.
pub(crate) fn is_missing(field: &[u8]) -> bool {
    // Sequences are longer than any mark, nearly always.
    field.len() <= 8 && MISSING.iter().any(|mark| field.eq_ignore_ascii_case(mark.as_bytes()))
}

fn malformed(path: &Path, error: &csv::Error, fault: &Fault, gzip: bool, line: u64) -> Error {
    fault.take(path, gzip).unwrap_or_else(|| {
        if let csv::ErrorKind::Utf8 { .. } = error.kind() {
            return Error::NotUtf8 { path: path.to_owned(), line, what: "the header" };
        }
        Error::Malformed { path: path.to_owned(), record: None, line, message: said(error) }
    })
}

/// The cause without the position, which our own error carries.
fn said(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("{len} fields, but the header has {expected_len}")
        }
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
            (
                "c.csv",
                b"sequence,label\nAC,b\nAC,a\nAC,1\n",
                "c.csv: line 4: '1' is not a label (the labels before it are words)",
            ),
            ("c.csv", b"sequence,label\nAC,a\nAC,\n", "c.csv: line 3: '' is not a label (nothing stands there)"),
            ("c.csv", b"sequence,label\nAC,0.0\n", "c.csv: line 2: '0.0' is not a label (a whole number from 0)"),
            (
                "c.csv",
                b"sequence,label\nAC,a\nAC,NaN\n",
                "c.csv: line 3: 'NaN' is not a label (it marks a missing value)",
            ),
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
            if let Ok(text) = std::str::from_utf8(content) {
                assert_eq!(cause(name, text.replace('\n', "\r\n").as_bytes()), expected, "the same line");
                assert_eq!(cause(name, text.replace('\n', "\r").as_bytes()), expected, "the same line");
                let ended = text.trim_end_matches('\n');
                assert_eq!(cause(name, ended.as_bytes()), expected, "a last line without an end");
            }
        }
    }

    #[test]
    fn blank_lines_count() {
        for end in ["\n", "\r\n", "\r"] {
            let text = "\nsequence,label\n\nACGT,0\n\n\nA?,1\n".replace('\n', end);
            assert_eq!(cause("b.csv", text.as_bytes()), "b.csv: record '2', line 7: '?' is not a nucleotide letter");
            let text = "note,sequence,label\n\n\"two\n\nlines\",A?,1\n".replace('\n', end);
            assert_eq!(cause("q.csv", text.as_bytes()), "q.csv: record '1', line 3: '?' is not a nucleotide letter");
            let text = "note,sequence,label\n\"\ntwo\n\",A?,1\n".replace('\n', end);
            assert_eq!(cause("q.csv", text.as_bytes()), "q.csv: record '1', line 2: '?' is not a nucleotide letter");
            let text = "sequence,label\n\nACGT,0\n\nAC\n".replace('\n', end);
            assert_eq!(cause("f.csv", text.as_bytes()), "f.csv: line 5: 1 fields, but the header has 2");
        }
    }

    #[test]
    fn columns_may_stand_anywhere() {
        let (_folder, path) =
            file("x.csv.gz", &gzip("\u{feff}label,name,Sequence\n1,a, acgu \n0,\"b, c\",NNR\n".as_bytes()));
        let (rows, counts) = read(&path).unwrap();
        assert_eq!(rows[0], Example { sequence: b"ACGT".to_vec(), label: 1 });
        assert_eq!(rows[1], Example { sequence: b"NNN".to_vec(), label: 0 });
        assert_eq!(counts, Counts { records: 2, bases: 7, lower: 4, uracil: 1, iupac: 1, n: 2, ..Counts::default() });
    }

    #[test]
    fn a_missing_value_is_no_sequence() {
        for mark in ["nan", "NaN", "NA", "na", "N/A", "null", "None", "<NA>", " NAN ", "\"nan\"", "#N/A"] {
            let told = cause("m.csv", format!("sequence,label\nACGT,0\n{mark},1\n").as_bytes());
            let shown = mark.trim_matches([' ', '"']);
            let expected = format!("record '2', line 3: \"{shown}\" marks a missing value, it is no sequence");
            assert_eq!(told, format!("m.csv: {expected}"));
        }
        let (_folder, path) = file("n.csv", b"sequence,label\nNN,0\nNAC,1\nNANA,1\nn,0\nA,1\n");
        assert_eq!(read(&path).unwrap().1.bases, 2 + 3 + 4 + 1 + 1);
    }

    #[test]
    fn a_column_that_stands_twice_is_refused() {
        for (text, expected) in [
            (
                "sequence,label,label\nAC,0,1\n",
                "line 1: 2 columns are called 'label': label (column 2), label (column 3)",
            ),
            (
                "\nSequence,label,sequence \nAC,0,GT\n",
                "line 2: 2 columns are called 'sequence': Sequence (column 1), sequence (column 3)",
            ),
            (
                "sequence\tSEQUENCE\tlabel\nAC\t0\n",
                "line 1: 2 columns are called 'sequence': sequence (column 1), SEQUENCE (column 2)",
            ),
        ] {
            assert_eq!(cause("t.csv", text.as_bytes()), format!("t.csv: {expected}"));
        }
        let (_folder, path) = file("o.csv", b"x,sequence,x,label\n1,AC,2,0\n");
        assert_eq!(read(&path).unwrap().0.len(), 1, "other columns are ignored");
    }

    #[test]
    fn tabs_and_semicolons_separate_too() {
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
        assert_eq!(latin, "l.csv: line 1: the header is not UTF-8 text");
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
        assert_eq!(cause("q.csv", quoted), "q.csv: record '2', line 4: '-' is not a nucleotide letter");
    }

    #[test]
    fn words_are_numbered_in_the_order_of_their_bytes() {
        let (_folder, path) = file("x.csv", b"sequence,label\nA,promoter\nC,non-promoter\nG,Promoter\nT,promoter\n");
        let labels: Vec<u32> = read(&path).unwrap().0.iter().map(|row| row.label).collect();
        assert_eq!(labels, [2, 1, 0, 2]);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(rows in prop::collection::vec(("[ACGTN]{1,80}", 0u32..5), 1..20), packed: bool) {
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
