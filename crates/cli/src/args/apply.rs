//! Flags of the commands that apply a trained model: `fill-mask`, `embed`.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

use super::values::positive;

/// The model that is applied.
#[derive(Debug, Args)]
pub struct TrainedModel {
    /// Trained model: the folder of a published DNABERT-2 checkpoint with its tokenizer.json, the folder of a finished run, or the key of a
    /// finished run in the store, or its beginning.
    #[arg(long, short, value_name = "DIR|RUN", value_hint = ValueHint::AnyPath)]
    pub model: String,
    /// Device: cpu, or another of `tokbench list devices`.
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    pub device: String,
    /// Store with the finished runs.
    #[arg(long, value_name = "DIR", env = "TOKBENCH_STORE", default_value = ".tokbench", value_hint = ValueHint::DirPath)]
    pub store: PathBuf,
    /// Data folder: where a run finds the text that its vocabulary was learned on.
    #[arg(long, value_name = "DIR", env = "TOKBENCH_DATA", value_hint = ValueHint::DirPath)]
    pub data: Option<PathBuf>,
}

/// What is masked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum MaskUnit {
    /// Each [MASK] is one token of the tokenizer, of unknown length.
    Tokens,
    /// Each [MASK] (and each N of a file) is one base.
    Bases,
}

/// Arguments of `fill-mask`.
#[derive(Debug, Args)]
pub struct FillMask {
    /// The model.
    #[command(flatten)]
    pub trained: TrainedModel,
    /// Sequence with masks, for example "ACGT[MASK]TTGA"; can be given several times.
    #[arg(long, short, value_name = "SEQUENCE", required_unless_present = "files")]
    pub sequence: Vec<String>,
    /// Sequence files whose letters N are masked bases (--unit bases): FASTA, FASTQ or a table (CSV, TSV) with a column `sequence`, plain or
    /// gzip; - is standard input.
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub files: Vec<PathBuf>,
    /// What a mask stands for.
    #[arg(long, value_name = "UNIT", default_value = "tokens")]
    pub unit: MaskUnit,
    /// Number of tokens to print for each mask (--unit tokens).
    #[arg(long, short = 'k', value_name = "K", default_value = "5", value_parser = positive)]
    pub top_k: usize,
    /// Output file (CSV); - is standard output.
    #[arg(long, short, value_name = "FILE", default_value = "-", value_hint = ValueHint::FilePath)]
    pub output: PathBuf,
}

/// What one row of the output is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Level {
    /// A sequence: the state of [CLS].
    Cls,
    /// A sequence: the mean over [CLS], all tokens and [SEP].
    Mean,
    /// A sequence: the maximum over [CLS], all tokens and [SEP].
    Max,
    /// A token, with its span.
    Tokens,
    /// A base: the mean over the tokens that cover it.
    Bases,
}

/// Formats of tables of vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum VectorFormat {
    /// A table: record, start, end, then one column per component.
    Csv,
    /// A NumPy array float32 [rows, components]; what each row is stands in FILE.rows.csv.
    Npy,
    /// A Parquet table: record, start, end, and the vector as a list.
    Parquet,
}

/// Arguments of `embed`.
#[derive(Debug, Args)]
pub struct Embed {
    /// The model.
    #[command(flatten)]
    pub trained: TrainedModel,
    /// Sequence files: FASTA, FASTQ or a table (CSV, TSV) with a column `sequence`, plain or gzip; - is standard input.
    #[arg(required = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub files: Vec<PathBuf>,
    /// What one row of the output is.
    #[arg(long, value_name = "POOLING", default_value = "mean")]
    pub pooling: Level,
    /// Cut longer sequences into windows of this many bases, each with rows of its own; bases and tokens are taken from the window in which they
    /// are farthest from an edge [default: whole sequences].
    #[arg(long, value_name = "BASES", value_parser = positive)]
    pub window: Option<usize>,
    /// Bases that a window shares with the window before it.
    #[arg(long, value_name = "BASES", default_value = "0", requires = "window")]
    pub overlap: usize,
    /// Output format [default: by the extension of the output file, else csv].
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<VectorFormat>,
    /// Output file; - is standard output.
    #[arg(long, short, value_name = "FILE", default_value = "-", value_hint = ValueHint::FilePath)]
    pub output: PathBuf,
}
