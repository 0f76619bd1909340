//! The species of a corpus: specification and data.

use crate::fasta::SequenceRecord;
use crate::regions::Regions;
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
    /// Holds the species out of training: it gives no training or validation text and no text for vocabularies. Its test split is the same
    /// as without this key; it is scored, and reported apart from the others.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub held_out: bool,
    /// BED file with region classes, relative to the data folder unless absolute: bits per base are also reported by class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regions: Option<PathBuf>,
}

impl SpeciesSpec {
    /// The species with the records of its files.
    pub(crate) fn with(&self, records: Vec<SequenceRecord>) -> Species {
        Species { name: self.name.clone(), weight: self.weight, held_out: self.held_out, records, regions: None }
    }
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
    /// Whether it is held out of training: it has a test split only.
    pub held_out: bool,
    /// The sequence records of all files.
    pub records: Vec<SequenceRecord>,
    /// Region classes, if the specification has a BED file.
    pub regions: Option<Regions>,
}
