//! What it means: records become a comparison, a comparison becomes figures, tables and one plain sentence.
//!
//! ```text
//! [Record] ─ Comparison::new ─► Comparison ─┬─ sentence   one line for a person
//!            checked, grouped,              ├─ table      plain text, at most 110 columns
//!            paired by seed, tested         ├─ csv        one number a row
//!                                           ├─ numbers    JSON for machines and for the paper
//!                                           └─ figure     SVG, each with the CSV of what is drawn
//! ```
//!
//! No tensors, no data: records are the only door between computing and concluding, so all of this can be made again from a
//! clone. Everything is deterministic: the same records in any order give the same bytes (if the order of tokenizers is given).
//!
//! # Words
//!
//! A **group** is a set of runs that were asked the same question: same encoder and position code, corpus, window, span,
//! budget and scoring; tokenizer, seed and learning rate may differ. Comparisons are made inside a group only. Its **seeds**
//! are those at which every compared tokenizer has a score; one that failed at every seed is left out, and named. The
//! **total** is the sum of bits over all masked bases of a species divided by their number, averaged over species, then over
//! seeds. The **reference** is the tokenizer that all others are tested against. **Controls** (Markov, k-mer regression,
//! CNN, no pretraining, and tokenizers named as such) are shown and
//! never ranked.
//!
//! # What is decided, and how
//!
//! A difference is *decisive* if its exact paired sign-flip p over seeds, Holm-adjusted over the family, is at most 0.05.
//! `±` is the 95 % half-width of a bootstrap over seeds and genome blocks (test rows, for tasks), paired between tokenizers.
//! See [`statistics`].
//!
//! ```
//! use report::{Comparison, Options, example};
//!
//! // Records come from a store; these are made up.
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
//! # The surprising case
//!
//! Three seeds of a large, perfectly consistent difference are *not* decisive: of the eight ways to give three differences
//! a sign, two are as extreme as the one observed, so p cannot be under 0.25. The sentence says so instead of staying silent.

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
