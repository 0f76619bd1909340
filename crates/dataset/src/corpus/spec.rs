//! Specification of a corpus, as written in TOML.

use super::noise::Noise;
use crate::error::{Error, Result};
use crate::fasta;
use crate::species::SpeciesSpec;
use crate::split::{SplitSpec, round_down};
use crate::synthetic::SyntheticSpec;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Specification of a corpus, as written in TOML: exactly one of `species` and `synthetic`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CorpusSpec {
    /// Name in tables and figures.
    pub name: String,
    /// Sequences read from files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub species: Vec<SpeciesSpec>,
    /// Division into splits.
    #[serde(default)]
    pub split: SplitSpec,
    /// Generated sequences.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub synthetic: Option<SyntheticSpec>,
    /// Replaces every base by noise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noise: Option<Noise>,
}

impl CorpusSpec {
    /// Parses a specification.
    ///
    /// # Errors
    /// [`Error::Toml`] with line and key; unknown keys are rejected.
    pub fn from_toml(text: &str) -> Result<Self> {
        toml::from_str(text).map_err(|error| crate::error::toml("corpus", text, &error))
    }

    /// A corpus of one file (`--corpus my.fa`): one species named after the file, with blocks of about 1/200 of its bases
    /// (1,000 to 100,000). The file is read once to count its bases.
    ///
    /// # Errors
    /// As [`fasta::read`].
    pub fn from_fasta(path: &Path) -> Result<Self> {
        let mut reader = fasta::Reader::open(path)?;
        for record in reader.by_ref() {
            record?;
        }
        Self::of_bases(path, reader.counts().bases)
    }

    /// The specification for a file of `bases` bases.
    pub(super) fn of_bases(path: &Path, bases: u64) -> Result<Self> {
        let bases = usize::try_from(bases).unwrap_or(usize::MAX);
        // A genome too small for blocks of 1,000 bases still gets about ten blocks.
        let block = round_down((bases / 200).clamp(1_000, 100_000)).min(round_down((bases / 10).max(1)));
        let name = crate::naming::stem(path).unwrap_or_else(|| "corpus".to_owned());
        let path = std::path::absolute(path).map_err(|source| Error::Io { path: path.to_owned(), source })?;
        Ok(Self {
            name: name.clone(),
            species: vec![SpeciesSpec { name, files: vec![path], weight: 1.0, held_out: false, regions: None }],
            split: SplitSpec { block, ..SplitSpec::default() },
            synthetic: None,
            noise: None,
        })
    }

    pub(super) fn check(&self) -> Result<()> {
        let fault = |message: &str, help: &str| {
            Err(Error::Spec { name: format!("corpus '{}'", self.name), message: message.into(), help: help.into() })
        };
        if self.species.is_empty() == self.synthetic.is_none() {
            return fault("exactly one of species and synthetic is required", "set one of the two");
        }
        if self.species.iter().any(|species| species.files.is_empty()) {
            return fault("species without files", "add files, e.g. files = [\"genomes/some.fa.gz\"]");
        }
        if !self.species.iter().all(|species| species.weight.is_finite() && species.weight > 0.0) {
            return fault("weight must be > 0", "to exclude a species, remove it from the list");
        }
        let mut names: Vec<_> = self.species.iter().map(|species| &species.name).collect();
        names.sort();
        if names.windows(2).any(|pair| pair[0] == pair[1]) {
            return fault("duplicate species name", "list all files of a species under one entry");
        }
        if self.species.iter().any(|species| species.held_out) {
            if self.species.iter().all(|species| species.held_out) {
                return fault("every species is held out of training", "keep at least one species without held_out");
            }
            if self.split.test <= 0.0 {
                return fault("a held-out species needs a test split", "set test to a fraction such as 0.1");
            }
        }
        self.split.check(&format!("corpus '{}'", self.name))
    }
}
