//! What can go wrong with data. `Display` is the cause and names file, record and line; `remedy` says what to do.
//!
//! The program prints `error: {cause}` and, where there is one, `help: {remedy}`.

use crate::explain::TomlError;
use crate::suggest::nearest;
use crate::text::excerpt;
use std::path::PathBuf;

/// The result of everything in this crate that reads, splits or draws.
pub type Result<T> = std::result::Result<T, Error>;

/// A cause. File positions count from 1, as editors do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no such file.
    #[error("{}: no such file", path.display())]
    Missing {
        /// The file looked for.
        path: PathBuf,
    },
    /// The system could not read the file.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A gzip stream ends before its end.
    #[error("{}: the gzip stream is truncated, the file ends before its data does", path.display())]
    TruncatedGzip {
        /// The file.
        path: PathBuf,
    },
    /// A bgzf file without the empty block that ends one: whole blocks may be missing.
    #[error("{}: the bgzf file lacks the empty block that marks its end, so it may be cut short", path.display())]
    NoEndMarker {
        /// The file.
        path: PathBuf,
    },
    /// A gzip stream that cannot be unpacked.
    #[error("{}: the gzip stream is damaged ({message})", path.display())]
    DamagedGzip {
        /// The file.
        path: PathBuf,
        /// What the decoder said.
        message: String,
    },
    /// Bytes behind a gzip stream that are neither a further member nor zeros.
    #[error("{}: {bytes} bytes stand behind the end of the gzip stream, and they are not gzip", path.display())]
    BehindGzip {
        /// The file.
        path: PathBuf,
        /// How many.
        bytes: u64,
    },
    /// A file of a known kind that is not read.
    #[error("{}: this is {name}, which is not read", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it is.
        name: &'static str,
        /// What makes a file of it that is read.
        help: &'static str,
    },
    /// A name or a header that is not UTF-8.
    #[error("{}: line {line}: {what} is not UTF-8 text", path.display())]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// Line of the header.
        line: u64,
        /// Which part of it.
        what: &'static str,
    },
    /// Nothing at all in the file.
    #[error("{}: the file is empty", path.display())]
    EmptyFile {
        /// The file.
        path: PathBuf,
    },
    /// Blank lines only, or a table with nothing but a header.
    #[error("{}: the file holds no records", path.display())]
    NoRecords {
        /// The file.
        path: PathBuf,
    },
    /// Neither FASTA nor FASTQ, nor a table where one would do.
    #[error("{}: line {line}: expected {}, found {found}", path.display(), beginnings(*table))]
    NotSequences {
        /// The file.
        path: PathBuf,
        /// Whether a table with a column of sequences would do.
        table: bool,
        /// First line that is not blank.
        line: u64,
        /// The byte found, printable.
        found: String,
    },
    /// A record that the parser could not follow (FASTQ: separator, lengths, end of file).
    #[error("{}: {}line {line}: {}", path.display(), named(record.as_deref().unwrap_or_default()), excerpt(message))]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Name of the record, where the parser got as far as its name.
        record: Option<String>,
        /// Where.
        line: u64,
        /// What the parser said.
        message: String,
    },
    /// A byte that is no nucleotide letter, see [`crate::policy`].
    #[error("{}: {}line {line}: {letter} is not a nucleotide letter", path.display(), named(record))]
    Letter {
        /// The file.
        path: PathBuf,
        /// Name of the record; for a table the number of its row.
        record: String,
        /// Line of the offending byte itself.
        line: u64,
        /// The byte, printable.
        letter: String,
    },
    /// A record or row with no sequence.
    #[error("{}: {}line {line}: no sequence", path.display(), named(record))]
    NoSequence {
        /// The file.
        path: PathBuf,
        /// Name of the record; for a table the number of its row.
        record: String,
        /// Line of its header or row.
        line: u64,
    },
    /// A row with the mark of a missing value in place of its sequence.
    #[error("{}: {}line {line}: {found:?} marks a missing value, it is no sequence", path.display(), named(record))]
    MissingValue {
        /// The file.
        path: PathBuf,
        /// Number of the row.
        record: String,
        /// Line of the row.
        line: u64,
        /// The mark.
        found: String,
    },
    /// A table in which several columns have the name of one it needs.
    #[error("{}: line {line}: {} columns are called '{column}': {}", path.display(), found.len(), excerpt(&found.join(", ")))]
    ColumnTwice {
        /// The file.
        path: PathBuf,
        /// Line of the header.
        line: u64,
        /// The column looked for.
        column: &'static str,
        /// The columns found, as they are written and counted from 1.
        found: Vec<String>,
    },
    /// A table without a column it needs.
    #[error("{}: line {line}: no column '{column}', found: {}", path.display(), excerpt(found))]
    MissingColumn {
        /// The file.
        path: PathBuf,
        /// Line of the header.
        line: u64,
        /// The column looked for.
        column: &'static str,
        /// Whether a column of labels is needed, beside that of sequences.
        labelled: bool,
        /// The columns found, joined by commas.
        found: String,
    },
    /// A label that names no class, see [`crate::labelled`].
    #[error("{}: line {line}: '{}' is not a label ({why})", path.display(), excerpt(found))]
    Label {
        /// The file.
        path: PathBuf,
        /// Line of the row.
        line: u64,
        /// What stood there.
        found: String,
        /// What a label is, or what this is instead.
        why: &'static str,
    },
    /// Labels that leave a gap, or a class that training never shows.
    #[error("task '{}': {message}", excerpt(task))]
    Classes {
        /// Name of the task.
        task: String,
        /// Which class, and where it is or is not.
        message: String,
        /// What would be right.
        help: String,
    },
    /// A specification that cannot be meant.
    #[error("{}: {message}", excerpt(name))]
    Spec {
        /// Name of the corpus or task.
        name: String,
        /// What is wrong.
        message: String,
        /// What would be right.
        help: String,
    },
    /// TOML that does not parse; the message of the parser has line, column and the key.
    #[error("{what}: {}", excerpt(message))]
    Toml {
        /// `corpus` or `task`.
        what: &'static str,
        /// What the parser said.
        message: String,
        /// The nearest known key, where one was not known.
        remedy: Option<String>,
    },
    /// Too few blocks for the splits asked for.
    #[error("species '{}': {} cannot give {splits} splits one each", excerpt(species), units(*blocks, *block))]
    TooFewBlocks {
        /// Name of the species.
        species: String,
        /// Blocks there are.
        blocks: usize,
        /// Bases per block (0: a block is a record).
        block: usize,
        /// Splits with a share above 0.
        splits: usize,
        /// A block size that works, if any.
        works: Option<usize>,
    },
    /// No window of this length exists.
    #[error(
        "corpus '{}', species '{}': the {split} split has no window of {length} bases {quality}",
        excerpt(corpus),
        excerpt(species)
    )]
    NoWindow {
        /// Name of the corpus.
        corpus: String,
        /// Name of the species.
        species: String,
        /// `train`, `valid` or `test`.
        split: &'static str,
        /// Bases asked for.
        length: usize,
        /// `without N`, or `with at most 10 % N`.
        quality: &'static str,
    },
    /// A name that is not in the [`crate::Catalog`].
    #[error("unknown {kind} \"{}\"", excerpt(name))]
    UnknownName {
        /// `corpus` or `task`.
        kind: &'static str,
        /// What was asked for.
        name: String,
        /// The nearest name there is.
        nearest: String,
        /// All names.
        all: Vec<String>,
    },
    /// A transition table that is none.
    #[error("Markov table: {message}")]
    Table {
        /// What is wrong with it.
        message: String,
    },
}

impl Error {
    /// What the user can do about it, as one sentence; `None` where the cause says all.
    #[must_use]
    pub fn remedy(&self) -> Option<String> {
        let text = match self {
            Self::Missing { .. } => {
                "check the path; those inside a corpus or task file start at the data root (TOKBENCH_DATA)".into()
            }
            Self::TruncatedGzip { .. } => "the download was cut short: fetch the file again and compare its checksum".into(),
            Self::NoEndMarker { .. } => {
                "fetch the file again and compare its checksum; if it is whole, pack it again (gunzip -c FILE | bgzip)".into()
            }
            Self::DamagedGzip { .. } => "fetch the file again; `gzip -t` tells when it is whole".into(),
            Self::BehindGzip { .. } => {
                "compare the file's checksum, as a part of the data may be damaged; if it is as published, unpack it, which \
                 leaves those bytes out with a warning (gunzip -c FILE > NEW), and give NEW"
                    .into()
            }
            Self::Foreign { help, .. } => (*help).into(),
            Self::NotUtf8 { .. } => "convert the file, for example: iconv -f LATIN1 -t UTF-8 FILE > NEW".into(),
            Self::MissingValue { .. } => {
                "remove the row or give it its sequence; a sequence of N and A that looks like such a mark can be given as FASTA"
                    .into()
            }
            Self::ColumnTwice { .. } => "rename or remove all but one of them".into(),
            Self::EmptyFile { .. } | Self::NoRecords { .. } => {
                "give a file with at least one record: a '>name' line and lines of bases, or a table with rows".into()
            }
            Self::NotSequences { table: true, .. } => {
                "give FASTA, FASTQ, or a table (CSV, TSV) whose header has a column sequence; plain or gzip".into()
            }
            Self::NotSequences { table: false, .. } => {
                "a corpus is FASTA or FASTQ, plain or gzip; a table of sequence,label is a task".into()
            }
            Self::Malformed { .. } => {
                "mend or remove that record (FASTQ: four lines a record; a table: as many fields as its header)".into()
            },
            Self::Letter { .. } => {
                "allowed are A C G T, U (read as T), N and the IUPAC codes R Y S W K M B D H V (read as N), in either case"
                    .into()
            }
            Self::NoSequence { .. } => "remove the record or give it its bases".into(),
            Self::MissingColumn { labelled: true, .. } => {
                "the first line must be a header with the columns sequence and label".into()
            }
            Self::MissingColumn { labelled: false, .. } => {
                "the first line must be a header with a column sequence; other columns are ignored".into()
            }
            Self::Label { .. } => "number the classes 0, 1, 2, ..., or name every one of them with a word".into(),
            Self::Spec { help, .. } | Self::Classes { help, .. } => help.clone(),
            Self::TooFewBlocks { works: Some(size), .. } => {
                format!("set split = {{ by = \"block\", block = {size} }}, or a held-out share to 0")
            }
            Self::TooFewBlocks { works: None, .. } => "give more sequence, or set a held-out share to 0".into(),
            Self::NoWindow { .. } => "ask for shorter windows, larger blocks, or give more sequence".into(),
            Self::UnknownName { nearest, all, .. } => format!("did you mean \"{nearest}\"? there are: {}", all.join(", ")),
            Self::Io { source, .. } if source.kind() == std::io::ErrorKind::IsADirectory => {
                "give a file, not a folder".into()
            }
            Self::Io { .. } => "check the file, the disk and who may read it".into(),
            Self::Toml { remedy, .. } => return remedy.clone(),
            Self::Table { .. } => return None,
        };
        Some(text)
    }
}

/// How a file of sequences may begin.
fn beginnings(table: bool) -> &'static str {
    if table { "'>' (FASTA), '@' (FASTQ) or the header of a CSV table" } else { "'>' (FASTA) or '@' (FASTQ)" }
}

/// The part of a message that names a record, if it has a name.
fn named(record: &str) -> String {
    if record.is_empty() { String::new() } else { format!("record '{}', ", excerpt(record)) }
}

fn units(blocks: usize, block: usize) -> String {
    let s = if blocks == 1 { "" } else { "s" };
    if block == 0 { format!("{blocks} record{s}") } else { format!("{blocks} block{s} of {block} bases") }
}

/// What a TOML parser says of `text`, in one line, and the nearest key where it does not know one.
pub(crate) fn toml(what: &'static str, text: &str, error: &toml::de::Error) -> Error {
    let TomlError { line, cause, unknown, .. } = TomlError::new(error, text);
    let remedy = unknown.map(|(word, known)| {
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        let meant = nearest(&word, known.iter().copied())
            .map_or_else(String::new, |meant| format!("did you mean \"{meant}\"? "));
        format!("{meant}there are: {}", known.join(", "))
    });
    Error::Toml { what, message: format!("line {line}: {cause}"), remedy }
}

/// A byte as a person can read it: `'x'`, or its number where it cannot be printed.
pub(crate) fn printable(byte: u8) -> String {
    if byte.is_ascii_graphic() || byte == b' ' { format!("'{}'", byte as char) } else { format!("byte 0x{byte:02x}") }
}
