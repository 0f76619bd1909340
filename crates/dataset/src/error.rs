//! Errors of this crate. `Display` gives the cause with file, record and line; [`Error::remedy`] says how to fix it.
//!
//! The program prints `error: {cause}` and, where there is one, `help: {remedy}`.

use crate::explain::TomlError;
use crate::suggest::nearest;
use crate::text::excerpt;
use std::path::PathBuf;

/// Reasons why a label is none of [`crate::targets`], see [`Error::Label`].
pub(crate) const NO_LABELS: &str = "missing value; a row without labels has an empty field";
pub(crate) const NOT_NUMBERS: &str = "expected a number, or numbers separated by |";
pub(crate) const OTHER_NUMBER: &str = "another number of values than in the rows before";
pub(crate) const NOT_PER_BASE: &str = "not one letter per base";
pub(crate) const NOT_PAIRS: &str = "expected pairs of bases such as 2-17|3-16, counted from 1";
const TARGET_REASONS: [&str; 5] = [NO_LABELS, NOT_NUMBERS, OTHER_NUMBER, NOT_PER_BASE, NOT_PAIRS];

/// `Result` with this crate's [`enum@Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// An error of this crate. Lines and rows are counted from 1.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file does not exist.
    #[error("{}: no such file", path.display())]
    Missing {
        /// The missing file.
        path: PathBuf,
    },
    /// The operating system could not read the file.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Error of the operating system.
        source: std::io::Error,
    },
    /// A gzip stream ends too early.
    #[error("{}: truncated gzip stream (unexpected end of file)", path.display())]
    TruncatedGzip {
        /// The file.
        path: PathBuf,
    },
    /// A BGZF file without the empty end-of-file block: whole blocks may be missing.
    #[error("{}: no BGZF end-of-file marker; the file may be truncated", path.display())]
    MissingEndMarker {
        /// The file.
        path: PathBuf,
    },
    /// A gzip stream that cannot be decompressed.
    #[error("{}: corrupt gzip stream ({message})", path.display())]
    DamagedGzip {
        /// The file.
        path: PathBuf,
        /// Message of the decoder.
        message: String,
    },
    /// Bytes after a gzip stream that are neither another member nor zero padding.
    #[error("{}: {bytes} bytes after the end of the gzip stream are not gzip", path.display())]
    TrailingBytes {
        /// The file.
        path: PathBuf,
        /// Number of trailing bytes.
        bytes: u64,
    },
    /// A file in a known format that is not supported.
    #[error("{}: unsupported file format: {name}", path.display())]
    UnsupportedFormat {
        /// The file.
        path: PathBuf,
        /// Name of the format.
        name: &'static str,
        /// How to convert it.
        help: &'static str,
    },
    /// A record name or a header that is not valid UTF-8.
    #[error("{}: line {line}: {what} is not valid UTF-8", path.display())]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// Line of the header.
        line: u64,
        /// `the record name` or `the header`.
        what: &'static str,
    },
    /// The file has no content.
    #[error("{}: the file is empty", path.display())]
    EmptyFile {
        /// The file.
        path: PathBuf,
    },
    /// The file has only blank lines, or only the header of a table.
    #[error("{}: the file contains no records", path.display())]
    NoRecords {
        /// The file.
        path: PathBuf,
    },
    /// Neither FASTA nor FASTQ (nor a table, where one is accepted).
    #[error("{}: line {line}: expected {}, found {found}", path.display(), beginnings(*table))]
    NotSequences {
        /// The file.
        path: PathBuf,
        /// Whether a table with a sequence column is accepted too.
        table: bool,
        /// First non-blank line.
        line: u64,
        /// The first byte of that line, printable.
        found: String,
    },
    /// A record that cannot be parsed (FASTQ: separator, lengths, end of file; table: number of fields).
    #[error("{}: {}line {line}: {}", path.display(), named(record.as_deref().unwrap_or_default()), excerpt(message))]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Name of the record, if it was read.
        record: Option<String>,
        /// Line of the error.
        line: u64,
        /// Message of the parser.
        message: String,
    },
    /// A BED file that does not fit the sequences.
    #[error("{}: line {line}: {}", path.display(), excerpt(message))]
    Bed {
        /// The file.
        path: PathBuf,
        /// The line; the last one if the fault is of the whole file.
        line: u64,
        /// What is wrong.
        message: String,
    },
    /// A byte that is not a nucleotide code, see [`crate::policy`].
    #[error("{}: {}line {line}: {letter} is not a nucleotide code", path.display(), named(record))]
    InvalidBase {
        /// The file.
        path: PathBuf,
        /// Name of the record; for a table, the row number.
        record: String,
        /// Line of the invalid byte.
        line: u64,
        /// The invalid byte, printable.
        letter: String,
    },
    /// A record or row with an empty sequence.
    #[error("{}: {}line {line}: empty sequence", path.display(), named(record))]
    NoSequence {
        /// The file.
        path: PathBuf,
        /// Name of the record; for a table, the row number.
        record: String,
        /// Line of the header or row.
        line: u64,
    },
    /// A row with a missing-value marker (NA, nan, null ...) instead of a sequence.
    #[error("{}: {}line {line}: missing value {found:?} instead of a sequence", path.display(), named(record))]
    MissingValue {
        /// The file.
        path: PathBuf,
        /// Row number.
        record: String,
        /// Line of the row.
        line: u64,
        /// The marker as written.
        found: String,
    },
    /// A table in which several columns have the name of a required one.
    #[error("{}: line {line}: {} columns are named '{column}': {}", path.display(), found.len(), excerpt(&found.join(", ")))]
    DuplicateColumn {
        /// The file.
        path: PathBuf,
        /// Line of the header.
        line: u64,
        /// The required column.
        column: &'static str,
        /// The matching columns, as written and with their positions from 1.
        found: Vec<String>,
    },
    /// A table without a required column.
    #[error("{}: line {line}: no column '{column}', found: {}", path.display(), excerpt(found))]
    MissingColumn {
        /// The file.
        path: PathBuf,
        /// Line of the header.
        line: u64,
        /// The required column.
        column: &'static str,
        /// Whether a label column is required in addition to the sequence column.
        labeled: bool,
        /// The columns of the table, joined by commas.
        found: String,
    },
    /// A field that is not a class label, see [`crate::labeled`].
    #[error("{}: line {line}: invalid label '{}' ({why})", path.display(), excerpt(found))]
    Label {
        /// The file.
        path: PathBuf,
        /// Line of the row.
        line: u64,
        /// The field.
        found: String,
        /// Why it is invalid.
        why: &'static str,
    },
    /// Class numbers with a gap, or a class that is missing from the training split.
    #[error("task '{}': {message}", excerpt(task))]
    Classes {
        /// Name of the task.
        task: String,
        /// The class and the splits in which it occurs.
        message: String,
        /// How to fix it.
        help: String,
    },
    /// An invalid specification.
    #[error("{}: {message}", excerpt(name))]
    Spec {
        /// Name of the corpus or task.
        name: String,
        /// What is wrong.
        message: String,
        /// How to fix it.
        help: String,
    },
    /// TOML that cannot be parsed; the message has line and key.
    #[error("{what}: {}", excerpt(message))]
    Toml {
        /// `corpus` or `task`.
        what: &'static str,
        /// Message of the parser.
        message: String,
        /// The most similar known key, if a key is unknown.
        remedy: Option<String>,
    },
    /// Too few blocks for the requested splits.
    #[error("species '{}': too few blocks for {splits} splits: {}", excerpt(species), units(*blocks, *block))]
    TooFewBlocks {
        /// Name of the species.
        species: String,
        /// Number of blocks.
        blocks: usize,
        /// Bases per block; 0 if every record is one block.
        block: usize,
        /// Number of splits with a fraction above 0.
        splits: usize,
        /// A block size that is small enough, if there is one.
        suggestion: Option<usize>,
    },
    /// No window of the requested length exists.
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
        /// `training`, `validation` or `test`.
        split: &'static str,
        /// Requested window length in bases.
        length: usize,
        /// Condition on the window: `without N`, `with at most 10 % N`.
        quality: &'static str,
    },
    /// A name that is not in the [`crate::Catalog`].
    #[error("unknown {kind} \"{}\"", excerpt(name))]
    UnknownName {
        /// `corpus` or `task`.
        kind: &'static str,
        /// The unknown name.
        name: String,
        /// The most similar known name.
        nearest: String,
        /// All known names.
        all: Vec<String>,
    },
    /// An invalid transition matrix of a Markov chain.
    #[error("invalid transition matrix: {message}")]
    TransitionMatrix {
        /// What is wrong.
        message: String,
    },
}

impl Error {
    /// How to fix the error, printed as `help:`; `None` if the cause says enough.
    #[must_use]
    pub fn remedy(&self) -> Option<String> {
        let text = match self {
            Self::Missing { .. } => {
                "check the path; paths in a corpus or task file are relative to the data folder (TOKBENCH_DATA)".into()
            }
            Self::TruncatedGzip { .. } => "the download may be incomplete: download the file again and verify its checksum".into(),
            Self::MissingEndMarker { .. } => {
                "download the file again and verify its checksum; if it is complete, recompress it (gunzip -c FILE | bgzip)".into()
            }
            Self::DamagedGzip { .. } => "download the file again; check it with `gzip -t`".into(),
            Self::TrailingBytes { .. } => {
                "verify the checksum of the file, part of the data may be corrupt; if it is correct, decompress the file, which \
                 drops those bytes with a warning (gunzip -c FILE > NEW), and use NEW"
                    .into()
            }
            Self::UnsupportedFormat { help, .. } => (*help).into(),
            Self::Bed { .. } => {
                "regions are BED: chrom (the name of a record), start from 0, end, and the name of the class, separated by tabs".into()
            }
            Self::NotUtf8 { .. } => "convert the file, for example: iconv -f LATIN1 -t UTF-8 FILE > NEW".into(),
            Self::MissingValue { .. } => {
                "remove the row or add its sequence; write sequences that look like such a marker (NA, NAN) as FASTA"
                    .into()
            }
            Self::DuplicateColumn { .. } => "rename or remove all but one of them".into(),
            Self::EmptyFile { .. } | Self::NoRecords { .. } => {
                "use a file with at least one record: a '>name' line and lines of bases, or a table with rows".into()
            }
            Self::NotSequences { table: true, .. } => {
                "use FASTA, FASTQ, or a table (CSV, TSV) whose header has a column sequence; plain or gzip".into()
            }
            Self::NotSequences { table: false, .. } => {
                "a corpus is FASTA or FASTQ, plain or gzip; a table with the columns sequence,label is a task".into()
            }
            Self::Malformed { .. } => {
                "fix or remove the record (FASTQ: four lines per record; table: as many fields as the header)".into()
            },
            Self::InvalidBase { .. } => {
                "allowed are A C G T, U (read as T), N and the IUPAC codes R Y S W K M B D H V (read as N), in either case"
                    .into()
            }
            Self::NoSequence { .. } => "remove the record or add its sequence".into(),
            Self::MissingColumn { labeled: true, .. } => {
                "the first line must be a header with the columns sequence and label".into()
            }
            Self::MissingColumn { labeled: false, .. } => {
                "the first line must be a header with the column sequence; other columns are ignored".into()
            }
            Self::Label { why, .. } if TARGET_REASONS.contains(why) => {
                "see --labels in \"tokbench finetune --help\" for how labels of each kind are written".into()
            }
            Self::Label { .. } => "use class numbers 0, 1, 2, ..., or a name for every class".into(),
            Self::Spec { help, .. } | Self::Classes { help, .. } => help.clone(),
            Self::TooFewBlocks { suggestion: Some(size), .. } => {
                format!("set split = {{ by = \"block\", block = {size} }}, or set a held-out fraction to 0")
            }
            Self::TooFewBlocks { suggestion: None, .. } => "add more sequence, or set a held-out fraction to 0".into(),
            Self::NoWindow { .. } => "use shorter windows or larger blocks, or add more sequence".into(),
            Self::UnknownName { nearest, all, .. } => format!("did you mean \"{nearest}\"? available: {}", all.join(", ")),
            Self::Io { source, .. } if source.kind() == std::io::ErrorKind::IsADirectory => {
                "use a file, not a folder".into()
            }
            Self::Io { .. } => "check the file, its permissions and the disk".into(),
            Self::Toml { remedy, .. } => return remedy.clone(),
            Self::TransitionMatrix { .. } => return None,
        };
        Some(text)
    }
}

/// What a sequence file must start with.
fn beginnings(table: bool) -> &'static str {
    if table { "'>' (FASTA), '@' (FASTQ) or the header of a CSV table" } else { "'>' (FASTA) or '@' (FASTQ)" }
}

/// `record 'x', `, or nothing for a record without a name.
fn named(record: &str) -> String {
    if record.is_empty() { String::new() } else { format!("record '{}', ", excerpt(record)) }
}

fn units(blocks: usize, block: usize) -> String {
    let s = if blocks == 1 { "" } else { "s" };
    if block == 0 { format!("{blocks} record{s}") } else { format!("{blocks} block{s} of {block} bases") }
}

/// The error of a TOML parser in one line, with the most similar known key for an unknown one.
pub(crate) fn toml(what: &'static str, text: &str, error: &toml::de::Error) -> Error {
    let TomlError { line, cause, unknown, .. } = TomlError::new(error, text);
    let remedy = unknown.map(|(word, known)| {
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        let meant = nearest(&word, known.iter().copied())
            .map_or_else(String::new, |meant| format!("did you mean \"{meant}\"? "));
        format!("{meant}available: {}", known.join(", "))
    });
    Error::Toml { what, message: format!("line {line}: {cause}"), remedy }
}

/// A byte for messages: `'x'`, or its hexadecimal value if it is not printable.
pub(crate) fn printable(byte: u8) -> String {
    if byte.is_ascii_graphic() || byte == b' ' { format!("'{}'", byte as char) } else { format!("byte 0x{byte:02x}") }
}
