//! Sequences from any supported file: FASTA, FASTQ, or CSV with a column `sequence` (separated by commas, tabs or semicolons);
//! plain or gzip; `-` is standard input. Other columns of a table are ignored, including labels.
//!
//! ```
//! # let folder = tempfile::tempdir().unwrap();
//! # let path = folder.path().join("my.csv");
//! std::fs::write(&path, "sequence\nACGT\nttga\n").unwrap();
//! let mut sequences = dataset::sequences::open(&path).unwrap();
//! let names: Vec<String> = sequences.by_ref().map(|record| record.unwrap().name).collect();
//! assert_eq!(names, ["1", "2"]);
//! assert_eq!(sequences.counts().lower, 4);
//! ```

use crate::error::{Error, Result, printable};
use crate::fasta::{Reader, SequenceRecord};
use crate::input;
use crate::table::{LabelColumn, SEPARATORS, Table};
use dna::policy::Counts;
use std::path::Path;

/// Iterator over the records of a file, normalized by the base policy; it ends after the first error.
pub struct Sequences(Format);

enum Format {
    Fastx(Reader),
    Table(Table),
}

/// Opens a file; the format is detected from its content. Rows of a table are named by their number, from 1.
///
/// # Errors
/// If the file is missing, empty, truncated, or in another format.
pub fn open(path: &Path) -> Result<Sequences> {
    let mut input = input::open(path)?;
    let line = input.skipped_lines + 1;
    let start = input.reader.fill_buf().unwrap_or_default();
    let found = start.first().copied().unwrap_or_default();
    let header = start.split(|&byte| byte == b'\n').next().unwrap_or_default().to_ascii_lowercase();
    let columns = header.iter().any(|byte| SEPARATORS.contains(byte));
    Ok(Sequences(if b">@".contains(&found) {
        Format::Fastx(Reader::new(path, input)?)
    } else if columns || header.windows(8).any(|window| window == b"sequence") {
        Format::Table(Table::new(path, input, LabelColumn::Ignored)?)
    } else {
        return Err(Error::NotSequences { path: path.to_owned(), table: true, line, found: printable(found) });
    }))
}

impl Sequences {
    /// Counts of the records read so far.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        match &self.0 {
            Format::Fastx(reader) => reader.counts(),
            Format::Table(table) => &table.counts,
        }
    }
}

impl Iterator for Sequences {
    type Item = Result<SequenceRecord>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            Format::Fastx(reader) => reader.next(),
            Format::Table(table) => {
                Some(table.next()?.map(|row| SequenceRecord { name: row.number.to_string(), bases: row.sequence }))
            }
        }
    }
}

/// The records of several files in sequence; each file is opened when it is reached. Ends after the first error.
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// # let paths = ["a.fa", "b.csv"].map(|name| folder.path().join(name));
/// std::fs::write(&paths[0], ">a\nAC\n").unwrap();
/// std::fs::write(&paths[1], "sequence\nGT\n").unwrap();
/// let mut records = dataset::sequences::all(&paths);
/// let bases: Vec<Vec<u8>> = records.by_ref().map(|record| record.unwrap().bases).collect();
/// assert_eq!(bases, [b"AC", b"GT"]);
/// assert_eq!(records.counts().records, 2);
/// ```
pub fn all<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>) -> All<impl Iterator<Item = P>> {
    All { paths: paths.into_iter().fuse(), open: None, counts: Counts::default(), failed: false }
}

/// Iterator over the records of several files, see [`all`].
pub struct All<I> {
    paths: I,
    open: Option<Sequences>,
    counts: Counts,
    failed: bool,
}

impl<I> All<I> {
    /// Counts of the files that were read completely.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.counts
    }
}

impl<P: AsRef<Path>, I: Iterator<Item = P>> Iterator for All<I> {
    type Item = Result<SequenceRecord>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.failed {
            let record = match &mut self.open {
                Some(sequences) => sequences.next(),
                None => match open(self.paths.next()?.as_ref()) {
                    Ok(sequences) => self.open.insert(sequences).next(),
                    Err(error) => Some(Err(error)),
                },
            };
            if let Some(record) = record {
                self.failed = record.is_err();
                return Some(record);
            }
            if let Some(sequences) = self.open.take() {
                self.counts += *sequences.counts();
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::tests::{file, gzip};

    #[test]
    fn byte_order_marks_are_skipped() {
        for text in ["sequence\nACGT\n", ">a\nACGT\n", "@a\nACGT\n+\n!!!!\n"] {
            let (_folder, path) = file("x", format!("\u{feff}{text}").as_bytes());
            let bases: Vec<Vec<u8>> = open(&path).unwrap().map(|record| record.unwrap().bases).collect();
            assert_eq!(bases, [b"ACGT"], "{text}");
        }
    }

    #[test]
    fn unsupported_formats_are_named() {
        let mut tar = vec![0; 512];
        tar[..5].copy_from_slice(b"my.fa");
        tar[257..262].copy_from_slice(b"ustar");
        let utf16: Vec<u8> = ">a\nACGT\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let marked = [b"\xff\xfe", utf16.as_slice()].concat();
        for (content, name, help) in [
            (b"BZh91AY&SY\x01\x02".to_vec(), "bzip2", "bzip2 -dc"),
            (b"\x28\xb5\x2f\xfd\x24\x00".to_vec(), "Zstandard", "zstd -dc"),
            (b"\xfd7zXZ\0\0\x04".to_vec(), "xz", "xz -dc"),
            (b"PK\x03\x04\x14\0".to_vec(), "a zip archive (or a spreadsheet)", "unzip"),
            (b"7z\xbc\xaf\x27\x1c\0\x04".to_vec(), "a 7-Zip archive", "7z x"),
            (tar.clone(), "a tar archive", "tar -xf"),
            (gzip(&tar), "a tar archive inside gzip", "tar -xzf"),
            (gzip(&gzip(b">a\nACGT\n")), "gzip inside gzip", "gunzip"),
            (gzip(b"BAM\x01\0\0"), "BAM", "samtools fasta"),
            (utf16.clone(), "UTF-16 text", "iconv -f UTF-16"),
            (marked.clone(), "UTF-16 text", "iconv -f UTF-16"),
            (gzip(&marked), "UTF-16 text", "iconv -f UTF-16"),
            (b"PAR1\x15\x04".to_vec(), "Parquet", "CSV"),
            (b"\x89HDF\r\n\x1a\n".to_vec(), "HDF5", "CSV"),
        ] {
            let (_folder, path) = file("x.fa", &content);
            for error in [open(&path).err(), crate::fasta::read(&path).err(), crate::labeled::read(&path).err()] {
                let error = error.unwrap();
                assert!(error.to_string().ends_with(&format!("x.fa: unsupported file format: {name}")), "{error}");
                assert!(error.remedy().unwrap().contains(help), "{name}");
            }
        }
    }

    #[test]
    fn files_are_read_up_to_the_first_error() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let (good, bad) = (write("good.fa", ">a\nAC\n>b\nG\n"), write("bad.fa", ">c\nAC\n>d\nA?\n"));
        let missing = folder.path().join("missing.fa");
        for (paths, read, expected) in [
            (vec![&good, &good], 4, None),
            (vec![&good, &bad, &good], 3, Some("bad.fa: record 'd', line 4: '?' is not a nucleotide code")),
            (vec![&good, &missing, &good], 2, Some("missing.fa: no such file")),
            (vec![], 0, None),
        ] {
            let records: Vec<_> = all(&paths).collect();
            assert_eq!(records.iter().filter(|record| record.is_ok()).count(), read);
            assert_eq!(records.len(), read + usize::from(expected.is_some()), "the error is the last");
            if let (Some(expected), Some(Err(error))) = (expected, records.last()) {
                assert!(error.to_string().ends_with(expected), "{error}");
            }
        }
        let mut records = all([&good, &bad]);
        assert_eq!((records.by_ref().count(), records.counts().records), (4, 2), "of complete files only");
    }

    #[test]
    fn labels_are_optional() {
        let tables = ["sequence\nACGT\n", "Sequence,name\nACGT,x\n", "label,sequence\nnot a number,ACGT\n"];
        for text in tables {
            let (_folder, path) = file("x.csv", text.as_bytes());
            let bases: Vec<Vec<u8>> = open(&path).unwrap().map(|record| record.unwrap().bases).collect();
            assert_eq!(bases, [b"ACGT"], "{text}");
        }
        let rejected = [
            ("id,seq\n1,ACGT\n", "line 1: no column 'sequence', found: id,seq"),
            ("seq\nACGT\n", "line 1: expected '>' (FASTA), '@' (FASTQ) or the header of a CSV table, found 's'"),
        ];
        for (text, expected) in rejected {
            let (_folder, path) = file("x.csv", text.as_bytes());
            let error = open(&path).err().unwrap();
            assert!(error.to_string().ends_with(expected), "{error}");
            let remedy = error.remedy().unwrap();
            assert!(remedy.contains("column sequence") && !remedy.contains("label"), "{remedy}");
        }
    }
}
