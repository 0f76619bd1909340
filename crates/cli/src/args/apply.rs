//! Flags of the commands that apply a trained model: `fill-mask`, `embed`, `finetune`, `predict`.

// Help texts show [MASK] and [CLS].
#![allow(rustdoc::broken_intra_doc_links)]

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

use super::values::{positive, weight};

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
    /// Bases around a span that the model sees (--unit bases).
    #[arg(long, value_name = "BASES", default_value = "1000", value_parser = positive)]
    pub context: usize,
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
    /// A table: record, start, end, the predicted class if there is one (label), then one column per number.
    Csv,
    /// A NumPy array float32 [rows, columns]; what each row is stands in FILE.rows.csv, and the names of predicted columns in FILE.columns.csv.
    Npy,
    /// A Parquet table with the same columns; an embedding is one column with a list.
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
    /// Windows of longer sequences.
    #[command(flatten)]
    pub windows: Windows,
    /// Output format [default: by the extension of the output file, else csv].
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<VectorFormat>,
    /// Output file; - is standard output.
    #[arg(long, short, value_name = "FILE", default_value = "-", value_hint = ValueHint::FilePath)]
    pub output: PathBuf,
}

/// What the column `label` of a table holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LabelKind {
    /// One class: a name or a number.
    Class,
    /// Any number of labels, separated by a vertical bar; an empty field has none.
    Labels,
    /// A number, or several separated by a vertical bar.
    Numbers,
    /// A class for each base: one letter per base, a dot for none.
    Bases,
    /// Pairs of bases in contact, counted from 1 and separated by a vertical bar: 2-17|3-16; an empty field has none.
    Contacts,
}

/// What a sequence head reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PooledState {
    /// The mean over [CLS], all tokens and [SEP].
    Mean,
    /// The state of [CLS], as published.
    Cls,
}

/// Metrics of classification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SelectionMetric {
    /// Matthews correlation: the checkpoint is selected by the validation loss.
    Mcc,
    /// Macro F1.
    F1,
    /// Fraction of correct predictions.
    Accuracy,
}

/// Arguments of `finetune`.
#[derive(Debug, Args)]
pub struct Finetune {
    /// The model.
    #[command(flatten)]
    pub trained: TrainedModel,
    /// Training table (CSV, TSV, plain or gzip) with the columns `sequence` and `label`.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub train: PathBuf,
    /// Validation table, on which the checkpoint is selected [default: a tenth of the training table, by a hash of the sequences].
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub dev: Option<PathBuf>,
    /// Test table, predicted once [default: with neither --dev nor --test, a tenth of the training table; else none].
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub test: Option<PathBuf>,
    /// What the labels are.
    #[arg(long, value_name = "KIND", default_value = "class")]
    pub labels: LabelKind,
    /// What the head of a sequence reads. It moves results, so it is recorded.
    #[arg(long, value_name = "POOLING", default_value = "mean")]
    pub pooling: PooledState,
    /// Train low-rank adapters (LoRA) of this rank on the fused query-key-value projections, and the head, instead of all parameters.
    #[arg(long, value_name = "RANK", num_args = 0..=1, default_missing_value = "8", value_parser = positive)]
    pub lora: Option<usize>,
    /// Scale of the adapters: alpha / rank.
    #[arg(long, value_name = "ALPHA", default_value = "16", value_parser = weight, requires = "lora")]
    pub lora_alpha: f64,
    /// Passes over the training rows.
    #[arg(long, value_name = "N", default_value = "3", value_parser = weight)]
    pub epochs: f64,
    /// Rows per optimizer step.
    #[arg(long, value_name = "N", default_value = "32", value_parser = positive)]
    pub batch: usize,
    /// Gradient accumulation: micro-batches of a batch, which are in memory one after another.
    #[arg(long, value_name = "N", default_value = "1", value_parser = positive)]
    pub gradient_accumulation: usize,
    /// Peak learning rate [default: 3e-5 for a published checkpoint, as published, 5e-4 for a model of tokbench].
    #[arg(long, value_name = "RATE", value_parser = weight)]
    pub learning_rate: Option<f64>,
    /// Evaluations on the validation table.
    #[arg(long, value_name = "N", default_value = "6", value_parser = positive)]
    pub evaluations: usize,
    /// Stop after this many evaluations in a row without a better checkpoint [default: never].
    #[arg(long, value_name = "N", value_parser = positive)]
    pub patience: Option<usize>,
    /// Weigh classes by the inverse of their frequency, rows / (classes x count); labels by negatives / positives.
    #[arg(long)]
    pub class_weights: bool,
    /// Train on a random strand of each row, and average predictions over both strands.
    #[arg(long)]
    pub reverse_complement: bool,
    /// Start again with another seed, up to this many times, if the model predicts the same for every validation row. Restarts are recorded.
    #[arg(long, value_name = "N", default_value = "0")]
    pub restarts: u32,
    /// Metric by which the checkpoint is selected, for --labels class [default: the loss, as for mcc and for other labels].
    #[arg(long, value_name = "METRIC")]
    pub metric: Option<SelectionMetric>,
    /// Seed of initial weights, order of rows and dropout.
    #[arg(long, value_name = "N", default_value = "1")]
    pub seed: u64,
    /// New folder for the fine-tuned model; the folder of an interrupted fine-tuning resumes it.
    #[arg(long, short, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub output: PathBuf,
}

/// Flags of commands that cut long sequences into windows.
#[derive(Debug, Args)]
pub struct Windows {
    /// Cut longer sequences into windows of this many bases, each with rows of its own. Bases and tokens are taken from the window in
    /// which they are farthest from an edge; as each window is tokenized on its own, tokens of two windows may overlap or leave a gap where they meet
    /// [default: whole sequences].
    #[arg(long, value_name = "BASES", value_parser = positive)]
    pub window: Option<usize>,
    /// Bases that a window shares with the window before it.
    #[arg(long, value_name = "BASES", default_value = "0", requires = "window")]
    pub overlap: usize,
}

/// Arguments of `predict`.
#[derive(Debug, Args)]
pub struct Predict {
    /// Folder of a model from `tokbench finetune`, or of a published checkpoint with a sequence classifier.
    #[arg(long, short, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub model: PathBuf,
    /// Device: cpu, or another of `tokbench list devices`.
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    pub device: String,
    /// Sequence files: FASTA, FASTQ or a table (CSV, TSV) with a column `sequence`, plain or gzip; - is standard input.
    #[arg(required = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub files: Vec<PathBuf>,
    /// Windows of longer sequences.
    #[command(flatten)]
    pub windows: Windows,
    /// Average predictions over both strands, also if the model was not fine-tuned so.
    #[arg(long)]
    pub reverse_complement: bool,
    /// Output format [default: by the extension of the output file, else csv].
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<VectorFormat>,
    /// Output file; - is standard output.
    #[arg(long, short, value_name = "FILE", default_value = "-", value_hint = ValueHint::FilePath)]
    pub output: PathBuf,
}
