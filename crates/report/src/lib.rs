//! Comparison of records, and its presentation as figures, tables and a conclusion in plain sentences.
//!
//! ```text
//! [Record] ─ Comparison::new ─► Comparison ─┬─ sentence   conclusion for readers
//!            checked, grouped,              ├─ table      plain text, at most 110 columns
//!            paired by seed, tested         ├─ csv        one number per row
//!                                           ├─ numbers    JSON for programs
//!                                           └─ figure     SVG, each with a CSV of the plotted numbers
//! ```
//!
//! The crate needs neither tensors nor sequence data, only records, so every result can be reproduced from a clone. Results are
//! deterministic: the same records in any order give the same bytes, provided that the order of tokenizers is given.
//!
//! # Terms
//!
//! A **group** is a set of runs with the same settings: encoder and position encoding, corpus, window, span, budget and scoring;
//! tokenizer, seed and learning rate may differ. Tokenizers are compared within a group only. Its **seeds** are those at which
//! every compared tokenizer has a score; a tokenizer that failed at every seed is excluded, with a remark. The **total** is the
//! code length in bits of all masked bases of a species, divided by their number, averaged over species, then over seeds. The
//! **reference** is the tokenizer that all others are tested against. **Controls** (Markov predictor, k-mer regression, CNN, no
//! pretraining, and tokenizers declared as controls) are shown but never ranked or tested.
//!
//! # Significance
//!
//! A difference is significant (field `decisive`) if two conditions hold: the p-value of the exact paired sign-flip test over seeds,
//! Holm-adjusted over the comparisons of its family, is at most 0.05, and the simultaneous interval of the difference over seeds and
//! genome blocks (test rows for tasks) excludes 0. Bits per base, each task, and the tests across tasks are separate families. `±` is
//! the half-width of the 95 % interval of the same bootstrap, paired between tokenizers. See [`statistics::decision`].
//!
//! ```
//! use report::{Comparison, Options, example};
//!
//! // Records normally come from a store; these are simulated.
//! let shape = example::Shape { tokenizers: vec!["bpe4096".into(), "mxdna".into()], ..Default::default() };
//! let comparison = Comparison::new(example::records(&shape), Options::default())?;
//!
//! let test = &comparison.groups[0].tests[0];
//! assert_eq!((test.left.as_str(), test.right.as_str()), ("mxdna", "bpe4096"));
//! assert_eq!(test.p, 2.0 / 128.0); // seven seeds, all of one sign
//! assert!(test.decisive);
//!
//! println!("{}", report::table(&comparison, false));
//! println!("{}", report::sentence(&comparison));
//! let folder = tempfile::tempdir()?;
//! let files = report::figure::write_all(&comparison, folder.path())?;
//! assert!(files.iter().any(|f| f.ends_with("bits_per_base.svg")));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Few seeds
//!
//! With three seeds no difference is significant, however large and consistent: of the eight sign assignments of three
//! differences, two are as extreme as the observed one, so p is at least 0.25. The conclusion then reads "underpowered".

pub mod audit;
pub mod comparison;
pub mod error;
#[cfg(feature = "example")]
pub mod example;
pub mod figure;
mod identity;
pub mod numbers;
pub mod sentence;
pub mod table;
mod tidy;

pub use comparison::{Comparison, Options};
pub use error::Error;
pub use figure::{FIGURES, write_all};
pub use identity::labels;
pub use numbers::{Numbers, numbers};
pub use sentence::sentence;
pub use statistics;
pub use table::{csv, table};
