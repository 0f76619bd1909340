//! Flags of the commands that tokenize a text without training a model: `look`, `audit`.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::values::{count, positive};

/// The tokenizers that `look` and `audit` apply.
#[derive(Debug, Args)]
pub struct TokenizerSelection {
    /// Tokenizers to apply, separated by commas. `tokbench list` shows all.
    #[arg(long, short, value_name = "NAMES", default_value = "base,kmer6,kmer6-nonoverlap,bpe4096")]
    pub tokenizers: Vec<String>,
}

/// Arguments of `look`.
#[derive(Debug, Args)]
pub struct Look {
    /// Tokenizers to apply.
    #[command(flatten)]
    pub selection: TokenizerSelection,
    /// Bases to show, in place of a locus of the corpus.
    #[arg(long, value_name = "BASES", conflicts_with = "locus")]
    pub sequence: Option<String>,
    /// Corpus that vocabularies are trained on and that the locus is taken from: a name from `tokbench list`, a corpus file
    /// (TOML), or a FASTA or FASTQ file (plain or gzip).
    #[arg(long, value_name = "NAME|FILE", default_value = "order1")]
    pub corpus: String,
    /// Locus in the corpus: RECORD:FIRST-LAST, 1-based and inclusive [default: the first 120 bases of the first record].
    #[arg(long, value_name = "RECORD:FIRST-LAST")]
    pub locus: Option<String>,
    /// Store with trained models: learned segmentations (mxdna) are those of the first finished run in it.
    #[arg(long, env = "TOKBENCH_STORE", value_name = "DIR", default_value = ".tokbench")]
    pub store: PathBuf,
    /// Also write the figure as SVG, and its numbers as CSV beside it.
    #[arg(long, short, value_name = "FILE.svg", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// Data folder: paths in corpus and task files are relative to it [default: the current folder].
    #[arg(long, env = "TOKBENCH_DATA", value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Print the result as JSON on standard output.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `audit`.
#[derive(Debug, Args)]
pub struct Audit {
    /// Tokenizers to apply.
    #[command(flatten)]
    pub selection: TokenizerSelection,
    /// Corpus: vocabularies are trained on its training split, and its test split is measured. A name from `tokbench list`, a
    /// corpus file (TOML), or a FASTA or FASTQ file (plain or gzip).
    #[arg(long, value_name = "NAME|FILE", default_value = "rich")]
    pub corpus: String,
    /// Maximum number of bases measured per species (200k, 1M). All species contribute as many as the smallest one has.
    #[arg(long, value_name = "N", value_parser = count, default_value = "200k")]
    pub bases: u64,
    /// Window length in bases. Each window is tokenized on its own.
    #[arg(long, value_name = "N", value_parser = positive, default_value = "1000")]
    pub window: usize,
    /// Number of windows per species in which shifts, substitutions and deletions are tested.
    #[arg(long, value_name = "N", value_parser = positive, default_value = "100")]
    pub probes: usize,
    /// Seed of the random texts and of the mutations.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Output folder for the figures and for all numbers as CSV; without it, only the table is printed.
    #[arg(long, short, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub output: Option<PathBuf>,
    /// Data folder: paths in corpus and task files are relative to it [default: the current folder].
    #[arg(long, env = "TOKBENCH_DATA", value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub data: Option<PathBuf>,
    /// Print the result as JSON on standard output.
    #[arg(long)]
    pub json: bool,
}
