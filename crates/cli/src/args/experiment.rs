//! Flags of the commands that make and read experiments: `compare`, `plan`, `run`, `report`.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::values::{count, seconds, workforce};

/// The question: a file, and flags that override it.
#[derive(Debug, Clone, Default, Args)]
pub struct Question {
    /// Experiment file (TOML). Flags override what it says.
    #[arg(value_name = "SPEC.toml", value_hint = ValueHint::FilePath)]
    pub spec: Option<PathBuf>,
    /// Tokenizers, separated by commas: kmer6,bpe4096,mxdna. `tokbench list` shows all.
    #[arg(long, short, value_name = "NAMES")]
    pub tokenizers: Vec<String>,
    /// The tokenizer that the others are compared with [default: the first].
    #[arg(long, value_name = "NAME")]
    pub reference: Option<String>,
    /// Corpus to pretrain on: a name from `tokbench list`, a corpus file (TOML), or a FASTA or FASTQ file (plain or gzip).
    #[arg(long, value_name = "NAME|FILE")]
    pub corpus: Option<String>,
    /// Labelled task to fine-tune on: a name from `tokbench list`, a task file (TOML), or a CSV with the columns
    /// sequence,label (plain or gzip; labels are numbers from 0, or words). May be given several times.
    #[arg(long = "task", value_name = "NAME|FILE")]
    pub tasks: Vec<String>,
    /// Number of paired seeds. Two comparisons need 7 to be able to be decisive.
    #[arg(long, value_name = "N")]
    pub seeds: Option<u64>,
    /// Encoder: tiny (2 x 64), small (2 x 128) or base (DNABERT-2, 12 x 768).
    #[arg(long, value_name = "NAME")]
    pub encoder: Option<String>,
    /// Position code, separated by commas: alibi-directed, alibi. Several are compared as a factor.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub positions: Vec<String>,
    /// Bases each model sees in pretraining (1M, 500k, 5000000).
    #[arg(long, value_name = "N", value_parser = count)]
    pub bases: Option<u64>,
    /// Bases per window.
    #[arg(long, value_name = "N")]
    pub window: Option<usize>,
    /// Windows per step.
    #[arg(long, value_name = "N")]
    pub batch: Option<usize>,
    /// Bases per hidden span; a multiple of every K [default: 12].
    #[arg(long, value_name = "N")]
    pub span: Option<usize>,
    /// Learning rate, or several separated by commas: the same grid for every tokenizer, chosen on the validation split.
    #[arg(long, value_delimiter = ',', value_name = "RATES", allow_hyphen_values = true)]
    pub learning_rates: Vec<f64>,
    /// Held-out bases that are scored.
    #[arg(long, value_name = "N", value_parser = count)]
    pub scoring_bases: Option<u64>,
    /// Add the controls: random cuts, mxdna's layers without its module, a Markov predictor; for tasks a k-mer
    /// regression, a small CNN and the encoder without pretraining.
    #[arg(long)]
    pub controls: bool,
    /// Where to compute: cpu, tch:cpu, tch:cuda, tch:cuda:N.
    #[arg(long, value_name = "DEVICE")]
    pub device: Option<String>,
    /// Folder of the data that names refer to.
    #[arg(long, env = "TOKBENCH_DATA", value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub data: Option<PathBuf>,
    /// Folder of finished and unfinished runs.
    #[arg(long, env = "TOKBENCH_STORE", value_name = "DIR", default_value = ".tokbench", value_hint = ValueHint::DirPath)]
    pub store: PathBuf,
    /// Memory for all runs together (16G, 500M): what needs more is refused [default: what this machine, its control group or
    /// "ulimit -v" allows].
    #[arg(long, value_name = "BYTES", value_parser = count)]
    pub memory: Option<u64>,
    /// Machine-readable answer on stdout.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `compare`.
#[derive(Debug, Args)]
pub struct Compare {
    /// The question.
    #[command(flatten)]
    pub question: Question,
    /// Folder for figures, table and records [default: tokbench-results/NAME].
    #[arg(long, short, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub output: Option<PathBuf>,
    /// Records published with an experiment (experiments/NAME.jsonl): its finished runs are not done again, so that seeds,
    /// tokenizers or tasks can be added. May be given several times.
    #[arg(long, value_name = "RECORDS.jsonl", value_hint = ValueHint::FilePath)]
    pub records: Vec<PathBuf>,
    /// Runs at a time [default: one per thread].
    #[arg(long, value_name = "N", value_parser = workforce)]
    pub workers: Option<usize>,
    /// Threads of all runs together [default: all processors].
    #[arg(long, value_name = "N", value_parser = workforce)]
    pub threads: Option<usize>,
    /// Try failed runs again.
    #[arg(long)]
    pub retry_failed: bool,
    /// Seconds between checkpoints of a run.
    #[arg(long, value_name = "SECONDS", default_value_t = 20.0, value_parser = seconds, allow_hyphen_values = true)]
    pub checkpoint_seconds: f64,
    /// Make up all results instead of computing them, to try out a plan. Nothing that is shown then means anything.
    #[cfg(feature = "mock")]
    #[arg(long, hide = true)]
    pub mock: bool,
}

/// Arguments of `plan`.
#[derive(Debug, Args)]
pub struct Plan {
    /// The question.
    #[command(flatten)]
    pub question: Question,
}

/// Arguments of `run`.
#[derive(Debug, Args)]
pub struct Run {
    /// Key of the run, 64 hexadecimal digits.
    pub key: String,
    /// Folder of runs.
    #[arg(long, env = "TOKBENCH_STORE", value_name = "DIR", default_value = ".tokbench")]
    pub store: PathBuf,
    /// Threads of this run.
    #[arg(long, value_name = "N", value_parser = workforce)]
    pub threads: Option<usize>,
    /// Where to compute [default: the run's own device].
    #[arg(long, value_name = "DEVICE")]
    pub device: Option<String>,
    /// Folder of the data that names refer to.
    #[arg(long, env = "TOKBENCH_DATA", value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Seconds between checkpoints.
    #[arg(long, value_name = "SECONDS", default_value_t = 20.0, value_parser = seconds, allow_hyphen_values = true)]
    pub checkpoint_seconds: f64,
    /// Tell progress as JSON lines on stdout and end when stdin closes: how `compare` starts runs.
    #[arg(long, hide = true)]
    pub attached: bool,
}

/// Arguments of `report`.
#[derive(Debug, Args)]
pub struct Report {
    /// Records, one JSON object a line.
    #[arg(required = true, value_name = "RECORDS.jsonl", value_hint = ValueHint::FilePath)]
    pub records: Vec<PathBuf>,
    /// Folder for the figures; without it only table and sentence are printed.
    #[arg(long, short, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub output: Option<PathBuf>,
    /// The experiment (TOML) whose order, reference and controls are used [default: the file beside the records with the same
    /// name and the ending .toml, if there is one].
    #[arg(long, value_name = "SPEC.toml", value_hint = ValueHint::FilePath)]
    pub spec: Option<PathBuf>,
    /// Order of the tokenizers, separated by commas [default: as in the experiment or the records]. `file:PATH` means the
    /// recorded tokenizer of that file name; the file itself is not needed.
    #[arg(long, short, value_name = "NAMES")]
    pub tokenizers: Vec<String>,
    /// The tokenizer that the others are compared with [default: the first].
    #[arg(long, value_name = "NAME")]
    pub reference: Option<String>,
    /// Tokenizers that are controls: shown, never ranked.
    #[arg(long, value_name = "NAMES")]
    pub controls: Vec<String>,
    /// Test all pairs instead of all against the reference.
    #[arg(long)]
    pub all_pairs: bool,
    /// Conclude from unfinished experiments: only the seeds that every tokenizer has are used, and what is missing is named.
    #[arg(long)]
    pub partial: bool,
    /// Machine-readable answer on stdout.
    #[arg(long)]
    pub json: bool,
}
