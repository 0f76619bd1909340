//! Sequence data: file readers, corpora, splits, labeled tasks, and synthetic text with a known entropy floor.
//!
//! # Overview
//!
//! 1. A file (FASTA, FASTQ, CSV; plain or gzip) is read record by record. One [policy] normalizes every byte to one of
//!    `A C G T N`, or reports file, record, line and byte of an invalid one. Changed letters are counted.
//! 2. A [`Corpus`] is a list of species, each divided into blocks that are assigned to the training, validation and test
//!    split along the genome.
//! 3. Training windows are sampled at random from the training split. Scoring windows are fixed, without N, and equally many
//!    per species.
//! 4. A [`Task`] has labeled rows in three splits; classes are checked and leakage between splits is counted.
//! 5. Both have a hash of their *content* without paths, which is part of a run's key.
//! 6. Synthetic corpora are sampled from a [`MarkovChain`] whose exact posterior under masking gives the entropy floor.
//! 7. Every random number comes from a named [`stream`], so that the draws of one part never shift those of another.
//! 8. Built-in corpora and tasks are in a [`Catalog`]; your own is a TOML file, a FASTA file or a CSV table.
//!
//! # Definitions
//!
//! | term | meaning |
//! |---|---|
//! | base | one letter of `A C G T N`, a byte |
//! | record | one entry of a sequence file |
//! | species | a named list of records with a sampling weight |
//! | block | consecutive bases of one record that belong to one split; the unit that the bootstrap resamples |
//! | segment | adjacent blocks of one split, joined |
//! | window | consecutive bases of one segment |
//! | span | consecutive masked bases of a window |
//! | floor | code length of the masked spans under the exact posterior of the source |
//!
//! # Example
//!
//! ```
//! use dataset::{Corpus, CorpusSpec, Split, stream};
//! use std::path::Path;
//!
//! let spec = CorpusSpec::from_toml("name = 'order1'\nsynthetic = { kind = 'markov', order = 1, entropy = 1.26, seed = 4 }")?;
//! let corpus = Corpus::open(&spec, Path::new(""))?;
//! let source = corpus.source_of("synthetic").expect("the source of a synthetic corpus is known");
//!
//! // A training window, and the code length of two masked spans under the exact source.
//! let window = corpus.sample_window(Split::Train, 252, &mut stream(0, "windows"))?;
//! let bits = source.sequential_bits(window.bases, &[24..36, 120..132]);
//! assert!(bits < 2.0 * 24.0);
//!
//! // The fixed windows on which every model is scored.
//! let windows = corpus.scoring_windows(Split::Test, 252, 16 * 252)?;
//! assert_eq!(windows.len(), 16);
//! # Ok::<(), dataset::Error>(())
//! ```
//!
//! Not in this crate: tokens (`tokenize`), the masking plan (`protocol`), tensors (`model`).

pub mod catalog;
pub mod composition;
pub mod corpus;
mod error;
pub mod explain;
pub mod fasta;
mod input;
mod kind;
mod label;
pub mod labeled;
pub mod leaks;
mod lines;
pub mod markov;
pub mod names;
pub mod naming;
pub mod planted;
mod posterior;
pub mod regions;
pub mod sequences;
pub mod sizes;
mod species;
pub mod split;
pub mod suggest;
pub mod synthetic;
mod table;
pub mod targets;
pub mod task;
pub mod text;
pub mod two_sided;
mod windows;
pub mod words;

pub use catalog::Catalog;
pub use composition::Composition;
pub use corpus::{Corpus, CorpusSpec, Noise};
pub use dna::{Counts, policy, stream};
pub use error::{Error, Result};
pub use fasta::SequenceRecord;
pub use labeled::Example;
pub use leaks::{KmerLeaks, Leaks};
pub use markov::MarkovChain;
pub use regions::Regions;
pub use sizes::SpeciesSize;
pub use species::{Species, SpeciesSpec};
pub use split::{Block, Split, SplitSpec, SplitUnit};
pub use statistics::Metric;
pub use synthetic::SyntheticSpec;
pub use targets::{Target, TargetKind};
pub use task::{LongestRow, Task, TaskSpec, TaskSplit};
pub use two_sided::TwoSided;
pub use windows::{ScoringWindow, Window};
