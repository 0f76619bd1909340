//! Flags of `model` and its subcommands.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum, ValueHint};

/// Arguments of `model`.
#[derive(Debug, Args)]
pub struct Model {
    /// The subcommand.
    #[command(subcommand)]
    pub command: ModelCommand,
}

/// The subcommands of `model`.
#[derive(Debug, Subcommand)]
pub enum ModelCommand {
    /// Convert a published DNABERT-2 checkpoint between the names of the original release and of multimolecule.
    ///
    /// IN is a folder with config.json and model.safetensors or pytorch_model.bin, whole or in shards, under either names; tokenizer.json is
    /// converted too if it is there. Every tensor is compared with the sizes in config.json: what is missing, unexpected or of another shape
    /// is named. Values keep their type (float32, float16, bfloat16). A pickle is read without executing anything.
    Convert(ConvertModel),
    /// Export a trained model with its tokenizer as a published DNABERT-2 checkpoint, for Python.
    ///
    /// RUN is the key of a finished pretraining run in the store, or its beginning ("tokbench plan --json" shows keys, records have them). The
    /// layouts have symmetric ALiBi over tokens, so the run must have positions = ["alibi"], and a tokenizer that a tokenizer.json can
    /// express: base, non-overlapping k-mers, BPE, Unigram, WordPiece and tokenizer files. The segmentation prior, which is added to
    /// the logits in training and scoring, has no place in them: its settings are written beside the weights as prior.json. RUN may also be
    /// the folder of a model from `tokbench finetune` with --pooling cls that predicts classes, labels or numbers of sequences: it is
    /// written with its classifier, and numbers are in their own units.
    Export(ExportModel),
}

/// Arguments of `model export`.
#[derive(Debug, Args)]
pub struct ExportModel {
    /// Key of the run, or its beginning; or the folder of a fine-tuned model.
    #[arg(value_name = "RUN")]
    pub run: String,
    /// New folder for model.safetensors, config.json, README.md (a model card), the tokenizer files and, for a pretraining run, prior.json.
    #[arg(value_name = "OUT", value_hint = ValueHint::DirPath)]
    pub output: PathBuf,
    /// Names of the tensors in OUT.
    #[arg(long)]
    pub names: TensorNames,
    /// Folder of data files.
    #[arg(long, value_name = "DIR", env = "TOKBENCH_DATA", value_hint = ValueHint::DirPath)]
    pub data: Option<PathBuf>,
    /// Store with the finished runs.
    #[arg(long, value_name = "DIR", env = "TOKBENCH_STORE", default_value = ".tokbench", value_hint = ValueHint::DirPath)]
    pub store: PathBuf,
}

/// Arguments of `model convert`.
#[derive(Debug, Args)]
pub struct ConvertModel {
    /// Folder of the checkpoint.
    #[arg(value_name = "IN", value_hint = ValueHint::DirPath)]
    pub input: PathBuf,
    /// New folder for model.safetensors, config.json, README.md (a model card) and the tokenizer files.
    #[arg(value_name = "OUT", value_hint = ValueHint::DirPath)]
    pub output: PathBuf,
    /// Names of the tensors in OUT.
    #[arg(long)]
    pub names: TensorNames,
}

/// Naming conventions of published checkpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TensorNames {
    /// Original release: bert.encoder.layer.0.attention.self.Wqkv.weight, the tied output matrix included.
    Original,
    /// multimolecule: model.encoder.layer.0.attention.self.query.weight, without tied duplicates.
    Multimolecule,
}
