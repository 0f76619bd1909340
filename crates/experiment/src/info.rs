//! What a plan knows of tokenizers, corpora and tasks.

use std::path::PathBuf;

use dataset::{CorpusSpec, TaskSpec};

use crate::run::DataRef;

/// What the plan knows of a tokenizer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TokenizerInfo {
    /// Canonical name: what is hashed. `file:` names carry the content hash.
    pub canonical: String,
    /// Its family: tokenizers that differ in a number only, such as `bpe512` and `bpe4096`.
    pub family: String,
    /// Canonical names of the tokenizers that stand beside it as controls.
    pub controls: Vec<String>,
    /// Where it is found on this machine, if it is a file.
    pub location: Option<PathBuf>,
    /// Tokens in the vocabulary.
    pub vocabulary: usize,
    /// Encoder tokens per base (1 for `base`, about 0.2 for BPE).
    pub tokens_per_base: f64,
    /// Most scored tokens in a masked span.
    pub tokens_per_span: usize,
    /// Layers of the encoder's kind that the front end runs on single bases (0 for lookups).
    pub nucleotide_layers: usize,
}

/// What the plan knows of a corpus.
#[derive(Clone, Debug, PartialEq)]
pub struct CorpusInfo {
    /// Name and content hash.
    pub data: DataRef,
    /// Where it is found on this machine.
    pub location: CorpusSpec,
    /// Number of species.
    pub species: usize,
}

/// What the plan knows of a task.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskInfo {
    /// Name and content hash.
    pub data: DataRef,
    /// Where it is found on this machine.
    pub location: TaskSpec,
    /// Training rows.
    pub rows: usize,
    /// Dev and test rows together.
    pub held_out: usize,
    /// Bases per row, mean.
    pub bases: usize,
    /// Bases of the longest row.
    pub longest: usize,
}
