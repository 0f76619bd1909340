//! The species of a corpus, as written and in memory.

use crate::fasta::SequenceRecord;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// One species: files that are read one after the other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpeciesSpec {
    /// Its name in tables and figures.
    pub name: String,
    /// FASTA or FASTQ files, relative to the data root unless absolute.
    pub files: Vec<PathBuf>,
    /// Its share of the training windows, relative to the other species'.
    #[serde(default = "one")]
    pub weight: f64,
}

fn one() -> f64 {
    1.0
}

/// One species in memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Species {
    /// Its name.
    pub name: String,
    /// Its relative share of training windows.
    pub weight: f64,
    /// Its sequences.
    pub records: Vec<SequenceRecord>,
}
