//! DNA in: files, corpora, splits, labelled tasks, and synthetic text whose truth is known.
//!
//! # The idea in ten lines
//!
//! 1. A file (FASTA, FASTQ, CSV; plain or gzip) is read record by record; every byte becomes one of `A C G T N`,
//!    by one [policy], or an error that names file, record, line and letter. What was changed is counted.
//! 2. A [`Corpus`] is some species, each cut into blocks that are dealt to train, valid and test along the genome.
//! 3. Training draws *windows* from train at random; scoring lays out its windows once, without N, equal per species.
//! 4. A [`Task`] is labelled rows in three splits, with its classes and its leaks counted.
//! 5. Both have a hash of their *content*, never of paths: that is what a run's key names.
//! 6. Synthetic corpora come from a [`Markov`] chain whose exact posterior under masking is computable: a floor.
//! 7. Every random number comes from a named [`stream`], so what one part draws never shifts another.
//! 8. Corpora and tasks known by name are in a [`Catalog`]; your own is a TOML file, `my.fa` or `my.csv`.
//!
//! # Definitions
//!
//! | word | meaning |
//! |---|---|
//! | base | one letter of `A C G T N`, a byte |
//! | record | one sequence of a file |
//! | species | a named list of records with a weight |
//! | block | a stretch of one record that belongs to one split; the unit that statistics resample |
//! | window | consecutive bases inside one split (adjacent blocks of it joined) |
//! | span | bases of a window that are hidden from the model and must be predicted |
//! | floor | the bits that the exact source of a text needs for the same spans |
//!
//! # Example
//!
//! ```
//! use dataset::{Corpus, CorpusSpec, Split, stream};
//! use std::path::Path;
//!
//! let spec = CorpusSpec::from_toml("name = 'order1'\nsynthetic = { kind = 'markov', order = 1, entropy = 1.26, seed = 4 }")?;
//! let corpus = Corpus::open(&spec, Path::new(""))?;
//! let source = corpus.source().expect("a synthetic corpus has one");
//!
//! // A training window, and what an ideal model needs for two hidden spans of it.
//! let window = corpus.sample_window(Split::Train, 252, &mut stream(0, "windows"))?;
//! let bits = source.sequential_bits(window.bases, &[24..36, 120..132]);
//! assert!(bits < 2.0 * 24.0);
//!
//! // The windows every model is scored on.
//! let windows = corpus.scoring_windows(Split::Test, 252, 16 * 252)?;
//! assert_eq!(windows.len(), 16);
//! # Ok::<(), dataset::Error>(())
//! ```
//!
//! What does not live here: tokens (`tokenize`), tensors (`model`), and which spans are hidden (`tokenize`).

pub mod catalog;
pub mod corpus;
mod error;
pub mod explain;
pub mod fasta;
mod input;
mod kind;
mod label;
pub mod labelled;
pub mod leaks;
mod lines;
pub mod markov;
pub mod names;
pub mod naming;
pub mod planted;
mod posterior;
pub mod sequences;
mod species;
pub mod split;
pub mod suggest;
pub mod synthetic;
mod table;
pub mod task;
pub mod text;
mod windows;

pub use catalog::Catalog;
pub use corpus::{Corpus, CorpusSpec};
pub use dna::{Counts, policy, stream};
pub use error::{Error, Result};
pub use fasta::SequenceRecord;
pub use labelled::Example;
pub use leaks::{KmerLeaks, Leaks};
pub use markov::Markov;
pub use species::{Species, SpeciesSpec};
pub use split::{Block, By, Split, SplitSpec};
pub use statistics::Metric;
pub use synthetic::SyntheticSpec;
pub use task::{Longest, Task, TaskSpec, TaskSplit};
pub use windows::{ScoringWindow, Window};
