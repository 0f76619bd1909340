//! Flags of the commands that plan, execute and report experiments: `compare`, `plan`, `run`, `report`.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

use super::values::{count, seconds, threads};

/// Number formats of matrix products.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum NumberFormat {
    /// float32.
    F32,
    /// bfloat16 (mixed precision), on the devices of LibTorch; part of the key of a run.
    Bf16,
}

/// An experiment: a file, and flags that override its settings.
#[derive(Debug, Clone, Default, Args)]
pub struct ExperimentArgs {
    /// Experiment file (TOML). Flags override its settings.
    #[arg(value_name = "SPEC.toml", value_hint = ValueHint::FilePath)]
    pub spec: Option<PathBuf>,
    /// Tokenizers to compare, separated by commas: kmer6,bpe4096,mxdna. `tokbench list` shows all.
    #[arg(long, short, value_name = "NAMES")]
    pub tokenizers: Vec<String>,
    /// Reference tokenizer that the others are tested against [default: the first].
    #[arg(long, value_name = "NAME")]
    pub reference: Option<String>,
    /// Pretraining corpus: a name from `tokbench list`, a corpus file (TOML), or a FASTA or FASTQ file (plain or gzip).
    #[arg(long, value_name = "NAME|FILE")]
    pub corpus: Option<String>,
    /// Classification task to fine-tune on: a name from `tokbench list`, a task file (TOML), or a CSV with the columns
    /// sequence,label (plain or gzip; labels are numbers from 0, or class names). May be given several times.
    #[arg(long = "task", value_name = "NAME|FILE")]
    pub tasks: Vec<String>,
    /// Number of paired seeds. With two comparisons, at least 7 are needed for a decisive (significant) difference; fewer are
    /// refused without --exploratory. Fix the number before looking at results.
    #[arg(long, value_name = "N")]
    pub seeds: Option<u64>,
    /// Accept any number of seeds; the result is then without a verdict.
    #[arg(long)]
    pub exploratory: bool,
    /// Encoder: tiny (2 layers of width 64), small (2 of 128) or base (DNABERT-2: 12 of 768).
    #[arg(long, value_name = "NAME")]
    pub encoder: Option<String>,
    /// Position encodings, separated by commas: alibi-directed, alibi. Several are compared as a factor.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub positions: Vec<String>,
    /// Training budget: bases that each model sees in pretraining (1M, 500k, 5000000).
    #[arg(long, value_name = "N", value_parser = count)]
    pub bases: Option<u64>,
    /// Window length in bases.
    #[arg(long, value_name = "N")]
    pub window: Option<usize>,
    /// Batch size: windows per optimizer step.
    #[arg(long, value_name = "N")]
    pub batch: Option<usize>,
    /// Length of a masked span in bases; a multiple of every K [default: 12].
    #[arg(long, value_name = "N")]
    pub span: Option<usize>,
    /// Learning rate, or several separated by commas: the same grid for all tokenizers, and the best of it for each
    /// on the validation split; only that one is scored on the test split.
    #[arg(long, value_delimiter = ',', value_name = "RATES", allow_hyphen_values = true)]
    pub learning_rates: Vec<f64>,
    /// Bases of the test split that are scored (50k, 1M).
    #[arg(long, value_name = "N", value_parser = count)]
    pub scoring_bases: Option<u64>,
    /// Add the controls: random segmentation, fixed pooling instead of mxdna's module, Markov predictors; for
    /// tasks a k-mer regression, a small CNN and the encoder without pretraining.
    #[arg(long)]
    pub controls: bool,
    /// Device: cpu, tch:cpu, tch:cuda (runs are spread over all GPUs), tch:cuda:N. `tokbench list` shows those of this build.
    #[arg(long, value_name = "DEVICE")]
    pub device: Option<String>,
    /// Number format of matrix products [default: f32]. Parameters, their gradients and the optimizer are in f32 in any case.
    #[arg(long, value_name = "FORMAT")]
    pub dtype: Option<NumberFormat>,
    /// Data folder: paths in corpus and task files are relative to it [default: the current folder].
    #[arg(long, env = "TOKBENCH_DATA", value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub data: Option<PathBuf>,
    /// Store: the folder that keeps finished and unfinished runs.
    #[arg(long, env = "TOKBENCH_STORE", value_name = "DIR", default_value = ".tokbench", value_hint = ValueHint::DirPath)]
    pub store: PathBuf,
    /// Memory limit for all runs together, in bytes (16G, 500M); an experiment that needs more is refused [default: what this
    /// machine, its control group or "ulimit -v" allows].
    #[arg(long, value_name = "BYTES", value_parser = count)]
    pub memory: Option<u64>,
    /// Print the result as JSON on standard output.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `compare`.
#[derive(Debug, Args)]
pub struct Compare {
    /// The experiment.
    #[command(flatten)]
    pub experiment: ExperimentArgs,
    /// Output folder for figures, table and records [default: tokbench-results/NAME].
    #[arg(long, short, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub output: Option<PathBuf>,
    /// Published records (experiments/NAME.jsonl) whose finished runs are reused, so that seeds, tokenizers or tasks can be added
    /// without repeating them. May be given several times.
    #[arg(long, value_name = "RECORDS.jsonl", value_hint = ValueHint::FilePath)]
    pub records: Vec<PathBuf>,
    /// Number of concurrent runs [default: one per thread, fewer if memory is short; on GPUs as many as fit into the free memory of
    /// each, at most one per thread].
    #[arg(long, value_name = "N", value_parser = threads)]
    pub workers: Option<usize>,
    /// Number of threads for all runs together [default: all processors].
    #[arg(long, value_name = "N", value_parser = threads)]
    pub threads: Option<usize>,
    /// Repeat runs that failed.
    #[arg(long)]
    pub retry_failed: bool,
    /// Seconds between checkpoints of a run.
    #[arg(long, value_name = "SECONDS", default_value_t = 20.0, value_parser = seconds, allow_hyphen_values = true)]
    pub checkpoint_seconds: f64,
    /// Simulate all results instead of computing them, to test a plan. None of the numbers is a measurement.
    #[cfg(feature = "mock")]
    #[arg(long, hide = true)]
    pub mock: bool,
}

/// Arguments of `plan`.
#[derive(Debug, Args)]
pub struct Plan {
    /// The experiment.
    #[command(flatten)]
    pub experiment: ExperimentArgs,
}

/// Arguments of `run`.
#[derive(Debug, Args)]
pub struct Run {
    /// Key of the run: 64 hexadecimal digits.
    pub key: String,
    /// Store: the folder that keeps the runs.
    #[arg(long, env = "TOKBENCH_STORE", value_name = "DIR", default_value = ".tokbench")]
    pub store: PathBuf,
    /// Number of threads [default: all processors].
    #[arg(long, value_name = "N", value_parser = threads)]
    pub threads: Option<usize>,
    /// Device [default: the device of the run].
    #[arg(long, value_name = "DEVICE")]
    pub device: Option<String>,
    /// Data folder: paths in corpus and task files are relative to it [default: the current folder].
    #[arg(long, env = "TOKBENCH_DATA", value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Seconds between checkpoints.
    #[arg(long, value_name = "SECONDS", default_value_t = 20.0, value_parser = seconds, allow_hyphen_values = true)]
    pub checkpoint_seconds: f64,
    /// Report progress as JSON lines on stdout and exit when stdin closes: how `compare` starts runs.
    #[arg(long, hide = true)]
    pub attached: bool,
}

/// Arguments of `report`.
#[derive(Debug, Args)]
pub struct Report {
    /// Records (JSON Lines: one record per line).
    #[arg(required = true, value_name = "RECORDS.jsonl", value_hint = ValueHint::FilePath)]
    pub records: Vec<PathBuf>,
    /// Output folder for figures, table and numbers; without it, only table and conclusion are printed.
    #[arg(long, short, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub output: Option<PathBuf>,
    /// Experiment file (TOML) that gives order, reference and controls [default: the file beside the records with the same name
    /// and the extension .toml, if it exists].
    #[arg(long, value_name = "SPEC.toml", value_hint = ValueHint::FilePath)]
    pub spec: Option<PathBuf>,
    /// Order of the tokenizers, separated by commas [default: as in the experiment or the records]. `file:PATH` selects the
    /// recorded tokenizer with that file name; the file itself is not needed.
    #[arg(long, short, value_name = "NAMES")]
    pub tokenizers: Vec<String>,
    /// Reference tokenizer that the others are tested against [default: the first].
    #[arg(long, value_name = "NAME")]
    pub reference: Option<String>,
    /// Tokenizers to treat as controls, separated by commas: shown, but never ranked.
    #[arg(long, value_name = "NAMES")]
    pub controls: Vec<String>,
    /// Test all pairs of tokenizers instead of each against the reference.
    #[arg(long)]
    pub all_pairs: bool,
    /// Cost of training on one base for each tokenizer, in any unit: base=8.1,bpe4096=1.6. Tables and curves at equal cost use it instead
    /// of multiply-accumulates; nothing is trained again.
    #[arg(long, value_name = "NAME=COST,...")]
    pub cost: Vec<String>,
    /// Accept an unfinished experiment: only seeds that every tokenizer has are used, and missing runs are named.
    #[arg(long)]
    pub partial: bool,
    /// Print the result as JSON on standard output.
    #[arg(long)]
    pub json: bool,
}
