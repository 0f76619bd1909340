//! What a corpus is made of, as written in TOML.

use crate::error::{Error, Result};
use crate::fasta;
use crate::species::SpeciesSpec;
use crate::split::{SplitSpec, round_down};
use crate::synthetic::SyntheticSpec;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// What a corpus is made of, as written in TOML. Either `species` or `synthetic`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CorpusSpec {
    /// Its name in tables and figures.
    pub name: String,
    /// Real sequence.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub species: Vec<SpeciesSpec>,
    /// How it is cut.
    #[serde(default)]
    pub split: SplitSpec,
    /// Generated sequence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub synthetic: Option<SyntheticSpec>,
}

impl CorpusSpec {
    /// Reads a specification.
    ///
    /// # Errors
    /// [`Error::Toml`] with line, column and key: unknown keys are refused.
    pub fn from_toml(text: &str) -> Result<Self> {
        toml::from_str(text).map_err(|error| crate::error::toml("corpus", text, &error))
    }

    /// A corpus of one file (`--corpus my.fa`): one species named like the file, split by blocks of about a 200th of
    /// its bases (1,000 to 100,000). The file is read once for its length.
    ///
    /// # Errors
    /// Whatever [`fasta::read`] finds wrong with the file.
    pub fn from_fasta(path: &Path) -> Result<Self> {
        let mut reader = fasta::Reader::open(path)?;
        for record in reader.by_ref() {
            record?;
        }
        Self::of_bases(path, reader.counts().bases)
    }

    /// The specification of a file that holds so many bases.
    pub(super) fn of_bases(path: &Path, bases: u64) -> Result<Self> {
        let bases = usize::try_from(bases).unwrap_or(usize::MAX);
        // A genome too small for a thousand bases a block still gets its ten blocks.
        let block = round_down((bases / 200).clamp(1_000, 100_000)).min(round_down((bases / 10).max(1)));
        let name = crate::naming::stem(path).unwrap_or_else(|| "corpus".to_owned());
        let path = std::path::absolute(path).map_err(|source| Error::Io { path: path.to_owned(), source })?;
        Ok(Self {
            name: name.clone(),
            species: vec![SpeciesSpec { name, files: vec![path], weight: 1.0 }],
            split: SplitSpec { block, ..SplitSpec::default() },
            synthetic: None,
        })
    }

    pub(super) fn check(&self) -> Result<()> {
        let fault = |message: &str, help: &str| {
            Err(Error::Spec { name: format!("corpus '{}'", self.name), message: message.into(), help: help.into() })
        };
        if self.species.is_empty() == self.synthetic.is_none() {
            return fault("needs either species or synthetic", "give one of the two");
        }
        if self.species.iter().any(|species| species.files.is_empty()) {
            return fault("a species without files", "give files = [\"genomes/some.fa.gz\"]");
        }
        if !self.species.iter().all(|species| species.weight.is_finite() && species.weight > 0.0) {
            return fault("a weight that is not above 0", "leave the species out instead");
        }
        let mut names: Vec<_> = self.species.iter().map(|species| &species.name).collect();
        names.sort();
        if names.windows(2).any(|pair| pair[0] == pair[1]) {
            return fault("two species of one name", "list their files under one species");
        }
        self.split.check(&format!("corpus '{}'", self.name))
    }
}
