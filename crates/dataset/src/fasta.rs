//! FASTA and FASTQ, plain or gzip, streamed record by record; bases are normalized by the base policy.
//!
//! needletail parses the records; this module adds the policy, correct line numbers and errors with file, record and line.
//!
//! ```
//! # let folder = tempfile::tempdir().unwrap();
//! # let path = folder.path().join("my.fa");
//! std::fs::write(&path, ">chr1 a comment\nACgt\nNNAC\n").unwrap();
//! let mut reader = dataset::fasta::Reader::open(&path).unwrap();
//! let record = reader.next().unwrap().unwrap();
//! assert_eq!((record.name.as_str(), record.bases.as_slice()), ("chr1", &b"ACGTNNAC"[..]));
//! assert_eq!(reader.counts().lower, 2);
//! ```

use crate::error::{Error, Result, printable};
use crate::input::{self, Fault, Input};
use dna::policy::{Counts, normalize};
use needletail::errors::{ParseError, ParseErrorKind};
use needletail::parser::{self, FastxReader, Format};
use std::path::{Path, PathBuf};

/// One entry of a sequence file: its name, and its bases (`A C G T N` only).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SequenceRecord {
    /// First word of the header line; may be empty.
    pub name: String,
    /// Normalized bases.
    pub bases: Vec<u8>,
}

/// Iterator over the records of one file; it ends after the first error.
pub struct Reader {
    path: PathBuf,
    parser: Box<dyn FastxReader>,
    fault: Fault,
    gzip: bool,
    skipped_lines: u64,
    counts: Counts,
    finished: bool,
}

impl Reader {
    /// Opens a FASTA or FASTQ file, plain or gzip; the format is detected from the content.
    ///
    /// # Errors
    /// If the file is missing, empty, without records, truncated, or neither FASTA nor FASTQ.
    pub fn open(path: &Path) -> Result<Self> {
        Reader::new(path, input::open(path)?)
    }

    pub(crate) fn new(path: &Path, mut input: Input) -> Result<Self> {
        let line = input.skipped_lines + 1;
        let first = input.reader.fill_buf().ok().and_then(|buffer| buffer.first().copied());
        if let Some(found) = first.filter(|byte| !b">@".contains(byte)) {
            return Err(Error::NotSequences { path: path.to_owned(), table: false, line, found: printable(found) });
        }
        let parser = needletail::parse_fastx_reader(input.reader).map_err(|error| {
            input.fault.take(path, input.gzip).unwrap_or_else(|| malformed(path, &error, input.skipped_lines))
        })?;
        Ok(Self {
            path: path.to_owned(),
            parser,
            fault: input.fault,
            gzip: input.gzip,
            skipped_lines: input.skipped_lines,
            counts: Counts::default(),
            finished: false,
        })
    }

    /// Counts of the records read so far.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.counts
    }
}

impl Iterator for Reader {
    type Item = Result<SequenceRecord>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.finished {
            return None;
        }
        let result = match self.parser.next() {
            Some(Ok(record)) => read_record(&record, &self.path, self.skipped_lines, &mut self.counts),
            Some(Err(error)) => Err(malformed(&self.path, &error, self.skipped_lines)),
            None => {
                self.finished = true;
                return self.fault.take(&self.path, self.gzip).map(Err);
            }
        };
        // An input error takes precedence over the parser's error, which is only its consequence.
        let result = self.fault.take(&self.path, self.gzip).map_or(result, Err);
        self.finished = result.is_err();
        Some(result)
    }
}

fn read_record(
    record: &parser::SequenceRecord<'_>,
    path: &Path,
    skipped: u64,
    counts: &mut Counts,
) -> Result<SequenceRecord> {
    let header_line = record.start_line_number() + skipped;
    let name = name_of(record.id()).ok_or_else(|| Error::NotUtf8 {
        path: path.to_owned(),
        line: header_line,
        what: "the record name",
    })?;
    let mut bases = Vec::with_capacity(record.raw_seq().len());
    for (i, line) in record.raw_seq().split(|&byte| byte == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        normalize(line, &mut bases, counts).map_err(|offence| Error::InvalidBase {
            path: path.to_owned(),
            record: name.clone(),
            line: header_line + 1 + i as u64,
            letter: printable(offence.letter),
        })?;
    }
    if bases.is_empty() {
        return Err(Error::NoSequence { path: path.to_owned(), record: name, line: header_line });
    }
    counts.records += 1;
    Ok(SequenceRecord { name, bases })
}

fn malformed(path: &Path, error: &ParseError, skipped: u64) -> Error {
    let format = if error.format == Some(Format::Fastq) { "FASTQ" } else { "FASTA" };
    let message = match error.kind {
        ParseErrorKind::UnexpectedEnd => format!("the file ends inside a {format} record"),
        _ => error.msg.clone(),
    };
    let record = error.position.id.as_deref().map(first_word).filter(|name| !name.is_empty());
    Error::Malformed { path: path.to_owned(), record, line: error.position.line.max(1) + skipped, message }
}

/// The name in a raw header line; `None` if it is not UTF-8. The rest of the header may have any encoding.
fn name_of(header: &[u8]) -> Option<String> {
    let header = header.trim_ascii_start();
    let word = header.split(u8::is_ascii_whitespace).next().unwrap_or_default();
    std::str::from_utf8(word).ok().map(first_word)
}

/// The name in a header line.
fn first_word(header: &str) -> String {
    header.split_whitespace().next().unwrap_or("").to_owned()
}

/// All records of a file, and what the base policy changed.
///
/// # Errors
/// As [`Reader::open`], or if a record is invalid.
pub fn read(path: &Path) -> Result<(Vec<SequenceRecord>, Counts)> {
    let mut reader = Reader::open(path)?;
    let records = reader.by_ref().collect::<Result<Vec<_>>>()?;
    Ok((records, *reader.counts()))
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
        assert!(text.contains(name), "names the file: {text}");
        text[text.find(name).unwrap()..].to_owned()
    }

    #[test]
    fn every_invalid_file_has_a_specific_message() {
        let whole = gzip(format!(">a\n{}\n", "ACGTTGCATCAGATTA".repeat(400)).as_bytes());
        for (name, content, expected) in [
            ("empty.fa", &b""[..], "empty.fa: the file is empty"),
            ("empty.fa.gz", &gzip(b""), "empty.fa.gz: the file is empty"),
            ("blank.fa", b"\n\n", "blank.fa: the file contains no records"),
            ("t.csv", b"\nsequence,label\n", "t.csv: line 2: expected '>' (FASTA) or '@' (FASTQ), found 's'"),
            ("x.fa", b">a\nAC\n>b c\nACGT\r\nAC-T\n", "x.fa: record 'b', line 5: '-' is not a nucleotide code"),
            ("g.fa.gz", &gzip(b"\n>b c\nACGT\nA*T\n"), "g.fa.gz: record 'b', line 4: '*' is not a nucleotide code"),
            ("q.fq", b"@r1\nAC\n+\nII\n@r2\nAX\n+\nII\n", "q.fq: record 'r2', line 6: 'X' is not a nucleotide code"),
            ("s.fa", b">a\nAC GT\n", "s.fa: record 'a', line 2: ' ' is not a nucleotide code"),
            ("n.fa", b">a\nAC\n>b\n>c\nAC\n", "n.fa: record 'b', line 3: empty sequence"),
            ("v.fa", b">a\nAC\n>\nAC.\n", "v.fa: line 4: '.' is not a nucleotide code"),
            (
                "c.fa",
                b">\x1b[31m\xe2\x80\xae\nAC.\n",
                "c.fa: record '\\u{1b}[31m\\u{202e}', line 2: '.' is not a nucleotide code",
            ),
            ("l.fa", b">a\nAC\n>b", "l.fa: line 3: the file ends inside a FASTA record"),
            ("u.fq", b"@r1\nACG\n+\nII\n", "u.fq: record 'r1', line 1: Sequence length is 3 but quality length is 2"),
            ("p.fq", b"@r1\tx\nAC\n-\nII\n", "p.fq: record 'r1', line 3: Expected '+' separator but found '-"),
            ("i.fq", b"@r1\nAC\n+\nII\nr2\nAC\n+\nII\n", "i.fq: line 5: Expected '@' but found 'r"),
            ("e.fq", b"@r1\nACG\n+\nIII\n@r2\nAC\n", "e.fq: record 'r2', line 7: the file ends inside a FASTQ record"),
            ("c.fa.gz", &whole[..whole.len() / 2], "c.fa.gz: truncated gzip stream (unexpected end of file)"),
            ("d.fa.gz", &whole[..whole.len() - 3], "d.fa.gz: truncated gzip stream (unexpected end of file)"),
        ] {
            assert_eq!(cause(name, content), expected);
        }
        assert!(read(Path::new("no-such.fa")).unwrap_err().to_string().contains("no-such.fa: no such file"));
        let mut damaged = whole.clone();
        damaged[whole.len() - 8] ^= 1;
        assert!(cause("x.fa.gz", &damaged).contains("corrupt gzip stream"));
        let behind = [&whole[..], b"trailing garbage"].concat();
        let expected = "x.fa.gz: 16 bytes after the end of the gzip stream are not gzip";
        assert_eq!(cause("x.fa.gz", &behind), expected);
    }

    /// Names are written to tables, so their encoding is not guessed. The rest of a header may have any encoding.
    #[test]
    fn names_are_utf8() {
        let latin = cause("l.fa", b">a\nAC\n>caf\xe9 x\nGT\n");
        assert_eq!(latin, "l.fa: line 3: the record name is not valid UTF-8");
        let (_folder, path) = file("u.fa", ">café na\u{ef}ve\nAC\n".as_bytes());
        assert_eq!(read(&path).unwrap().0[0].name, "café");
        let (_folder, path) = file("b.fa", b">b caf\xe9\nAC\n");
        assert_eq!(read(&path).unwrap().0[0].name, "b");
    }

    #[test]
    fn zeros_after_gzip_are_padding() {
        for zeros in [1, 512, 10_000] {
            let (_folder, path) = file("p.fa.gz", &[gzip(b">a\nACGT\n>b\nTT\n"), vec![0; zeros]].concat());
            let (records, counts) = read(&path).unwrap();
            assert_eq!((records.len(), counts.bases), (2, 6));
        }
    }

    #[test]
    fn truncated_gzip_is_always_detected() {
        let mut text = String::new();
        for i in 0..500 {
            text.push_str(&format!(">r{i}\nACGTACGGTCA{}\n", "ACGT".repeat(i % 17)));
        }
        let packed = gzip(text.as_bytes());
        for cut in (12..packed.len()).step_by(41) {
            let (_folder, path) = file("cut.fa.gz", &packed[..cut]);
            assert!(matches!(read(&path), Err(Error::TruncatedGzip { .. })), "cut at {cut}");
        }
    }

    #[test]
    fn several_gzip_members_are_one_file() {
        let packed = [gzip(b">a\nAC"), gzip(b"GT\n>b\nTT\n"), gzip(b"")].concat();
        let (_folder, path) = file("bgzf.gz", &packed);
        let (records, counts) = read(&path).unwrap();
        assert_eq!(records.iter().map(|r| r.bases.as_slice()).collect::<Vec<_>>(), [&b"ACGT"[..], b"TT"]);
        assert_eq!((counts.records, counts.bases), (2, 6));
    }

    /// Classic Mac OS ended lines with a carriage return alone; concatenated files may mix all line endings.
    #[test]
    fn a_carriage_return_ends_a_line() {
        let texts = [
            ">m1 x\rACGTACGT\rTTTTGGGG\r>m2\rACGT\r>u1\rACACACAC\r",
            ">m1\rACGTACGT\nTTTTGGGG\r>m2\r\nACGT\n>u1\rACACACAC",
            "\r\r>m1\tx\n\rACGTACGTTTTTGGGG\r\r>m2\nACGT\r\n>u1\nACACACAC\n",
            "@m1\rACGTACGTTTTTGGGG\r+\r!!!!!!!!!!!!!!!!\r@m2 x\nACGT\r+m2\r\n!!!!\r@u1\rACACACAC\r+\r!!!!!!!!\r",
        ];
        for text in texts {
            for content in [text.as_bytes().to_vec(), gzip(text.as_bytes())] {
                let (_folder, path) = file("mac", &content);
                let (records, counts) = read(&path).unwrap();
                let found: Vec<(&str, &[u8])> = records.iter().map(|r| (r.name.as_str(), &r.bases[..])).collect();
                let expected = [("m1", &b"ACGTACGTTTTTGGGG"[..]), ("m2", b"ACGT"), ("u1", b"ACACACAC")];
                assert_eq!((found, counts.bases), (expected.to_vec(), 28), "{text:?}");
            }
        }
        for (name, content, expected) in [
            ("m.fa", &b"\r>a\rAC\r\nGT\rAC-T\r"[..], "m.fa: record 'a', line 5: '-' is not a nucleotide code"),
            ("m.fq", b"@a\rAC\r+\r!!\r@b\rAX\r+\r!!\r", "m.fq: record 'b', line 6: 'X' is not a nucleotide code"),
        ] {
            assert_eq!(cause(name, content), expected);
        }
    }

    /// A buffer boundary between `\r` and `\n` does not add a line.
    #[test]
    fn line_ends_across_buffers() {
        for shift in 0..5 {
            let line = "ACGT".repeat(25);
            let text = format!(">{}\r\n", "x".repeat(1 + shift)) + &format!("{line}\r\n").repeat(6_000) + "-";
            for content in [text.as_bytes().to_vec(), gzip(text.as_bytes())] {
                assert!(cause("w.fa", &content).contains("line 6002: '-'"));
            }
        }
    }

    proptest! {
        #[test]
        fn round_trip(
            records in prop::collection::vec("[ACGTNacgtnuURYKM]{1,200}", 1..8), width in 1usize..70, crlf: bool, packed: bool,
        ) {
            let newline = if crlf { "\r\n" } else { "\n" };
            let mut text = String::new();
            for (i, bases) in records.iter().enumerate() {
                text += &format!(">r{i} words{newline}");
                for line in bases.as_bytes().chunks(width) {
                    text += std::str::from_utf8(line).unwrap();
                    text += newline;
                }
            }
            let content = if packed { gzip(text.as_bytes()) } else { text.into_bytes() };
            let (_folder, path) = file("x.fa", &content);
            let (read, counts) = read(&path).unwrap();
            prop_assert_eq!(counts.bases as usize, records.iter().map(String::len).sum::<usize>());
            prop_assert_eq!(read.len(), records.len());
            for (i, (record, text)) in read.iter().zip(&records).enumerate() {
                prop_assert_eq!(&record.name, &format!("r{i}"));
                let plain: String = text.to_uppercase().replace('U', "T").replace(['R', 'Y', 'K', 'M'], "N");
                prop_assert_eq!(&record.bases, plain.as_bytes());
            }
        }
    }
}
