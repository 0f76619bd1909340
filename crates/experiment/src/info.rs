//! Properties of tokenizers, corpora and tasks that a plan needs.

use std::path::PathBuf;

use dataset::{CorpusSpec, TaskSpec};
use tokenize::Equal;

use crate::run::DataRef;

/// Properties of a tokenizer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TokenizerInfo {
    /// Canonical name, part of the run key; `file:` names contain the content hash.
    pub canonical: String,
    /// Family: tokenizers that differ only in a number, such as `bpe512` and `bpe4096`.
    pub family: String,
    /// Canonical names of the tokenizers that are its controls.
    pub controls: Vec<String>,
    /// Path on this machine, if it is a file.
    pub location: Option<PathBuf>,
    /// Number of vocabulary entries.
    pub vocabulary: usize,
    /// Encoder tokens per base (1 for `base`, about 0.2 for BPE).
    pub tokens_per_base: f64,
    /// Maximum number of scored tokens per masked span.
    pub tokens_per_span: usize,
    /// Number of transformer layers that the front end runs on single bases (0 for lookup tables).
    pub nucleotide_layers: usize,
    /// The learned tokenizer that it is as large as, and in what, for a control of that kind.
    pub equal: Option<Equal>,
}

/// Properties of a corpus.
#[derive(Clone, Debug, PartialEq)]
pub struct CorpusInfo {
    /// Name and content hash.
    pub data: DataRef,
    /// Specification with paths on this machine.
    pub location: CorpusSpec,
    /// Number of species that models are trained on.
    pub species: usize,
    /// Number of species held out of training.
    pub held_out: usize,
}

/// Properties of a task.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskInfo {
    /// Name and content hash.
    pub data: DataRef,
    /// Specification with paths on this machine.
    pub location: TaskSpec,
    /// Number of training rows.
    pub rows: usize,
    /// Number of validation and test rows.
    pub held_out: usize,
    /// Mean length of a training row in bases.
    pub bases: usize,
    /// Length of the longest row in bases.
    pub longest: usize,
}
