//! Flags of the commands that show what tokenizers do to a text: `look`, `audit`.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::values::{count, positive};

/// The tokenizers that `look` and `audit` apply.
#[derive(Debug, Args)]
pub struct Cutting {
    /// Tokenizers, separated by commas. `tokbench list` shows all.
    #[arg(long, short, value_name = "NAMES", default_value = "base,kmer6,kmer6-nonoverlap,bpe4096")]
    pub tokenizers: Vec<String>,
}

/// Arguments of `look`.
#[derive(Debug, Args)]
pub struct Look {
    /// What cuts.
    #[command(flatten)]
    pub cutting: Cutting,
    /// The bases to look at, typed out.
    #[arg(long, value_name = "BASES", conflicts_with = "locus")]
    pub sequence: Option<String>,
    /// Corpus that vocabularies are learned on and that a locus is taken from.
    #[arg(long, value_name = "NAME|FILE", default_value = "order1")]
    pub corpus: String,
    /// A place in the corpus: RECORD:FIRST-LAST, counted from 1 [default: the first 120 bases of the first record].
    #[arg(long, value_name = "RECORD:FIRST-LAST")]
    pub locus: Option<String>,
    /// Take learned cuts (mxdna) from the first finished run in this store.
    #[arg(long, env = "TOKBENCH_STORE", value_name = "DIR", default_value = ".tokbench")]
    pub store: PathBuf,
    /// Also write the figure as SVG (and its CSV beside it).
    #[arg(long, short, value_name = "FILE.svg", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// Folder of the data that names refer to.
    #[arg(long, env = "TOKBENCH_DATA", value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Machine-readable answer on stdout.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `audit`.
#[derive(Debug, Args)]
pub struct Audit {
    /// What cuts.
    #[command(flatten)]
    pub cutting: Cutting,
    /// Corpus: vocabularies are learned on its training split, its test split is measured. A name from `tokbench list`, a
    /// corpus file (TOML), or a FASTA or FASTQ file (plain or gzip).
    #[arg(long, value_name = "NAME|FILE", default_value = "rich")]
    pub corpus: String,
    /// Bases measured of each species, at most (k and M are understood). All take as many as the smallest one has.
    #[arg(long, value_name = "N", value_parser = count, default_value = "200k")]
    pub bases: u64,
    /// Bases of a window. Windows are cut one by one.
    #[arg(long, value_name = "N", value_parser = positive, default_value = "1000")]
    pub window: usize,
    /// Windows of each species in which shifts, substitutions and deletions are tried.
    #[arg(long, value_name = "N", value_parser = positive, default_value = "100")]
    pub probes: usize,
    /// Seed of the random texts and of the mutations.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Folder for the figures and for all numbers as CSV; without it only the table is printed.
    #[arg(long, short, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub output: Option<PathBuf>,
    /// Folder of the data that names refer to.
    #[arg(long, env = "TOKBENCH_DATA", value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub data: Option<PathBuf>,
    /// Machine-readable answer on stdout.
    #[arg(long)]
    pub json: bool,
}
