//! The species of a corpus: specification and data.

use crate::fasta::SequenceRecord;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Specification of a species.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpeciesSpec {
    /// Name in tables and figures.
    pub name: String,
    /// FASTA or FASTQ files, relative to the data folder unless absolute, read in this order.
    pub files: Vec<PathBuf>,
    /// Sampling weight of training windows, relative to the other species.
    #[serde(default = "one")]
    pub weight: f64,
}

fn one() -> f64 {
    1.0
}

/// One species in memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Species {
    /// Name in tables and figures.
    pub name: String,
    /// Sampling weight of training windows, relative to the other species.
    pub weight: f64,
    /// The sequence records of all files.
    pub records: Vec<SequenceRecord>,
}
