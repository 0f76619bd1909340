//! Tokenizers of DNA and their registry. No tensors, no files.
//!
//! # Overview
//! A [`Tokenizer`] converts bases to [`Token`]s: an id and the span of bases that it covers, in order. [`registry`] finds
//! tokenizers by name, [`audit`] measures them on a text. The crate `protocol` compares the code lengths of the same masked bases.
//! Byte-pair encoding and Hugging Face files are in the crate [`bpe`].
//!
//! # Definitions
//! * **tiling** tokenizer: tokens are adjacent and do not overlap (`base`, `kmer6-nonoverlap`, `bpe4096`).
//! * **sliding** tokenizer: tokens of k bases start every s bases and overlap (`kmer6`: s = 1).
//! * **fixed length**: every token inside a masked span has the same known length k.
//! * **variable length**: the number of tokens of a masked span must be coded too.
//!
//! # Example
//! ```
//! use tokenize::{registry, Token};
//! let kmer3 = registry::builtin().parse("kmer3").unwrap().fit(&mut std::iter::empty()).unwrap();
//! let mut tokens: Vec<Token> = Vec::new();
//! kmer3.encode(b"ACGTN", &mut tokens);
//! // ACG and CGT overlap; N is one \[UNK\].
//! let spans: Vec<_> = tokens.iter().map(|t| (t.start, t.end)).collect();
//! assert_eq!(spans, [(0, 3), (1, 4), (4, 5)]);
//! ```
//!
//! # Adding a tokenizer
//! One file with a [`Family`] and one line in [`registry::builtin`]. Contract tests, `tokbench list`, help, colors and legends
//! iterate over the registry. In another crate: `registry::builtin().with(my::FAMILY)`.

pub mod audit;
mod error;
pub mod families;
mod family;
pub mod frontend;
pub mod name;
mod recipe;
pub mod registry;
mod token;

pub use bpe::{HuggingFace, Token, Vocabulary, huggingface, vocabulary};
pub use error::Error;
pub use families::kmer;
pub use family::Family;
pub use frontend::{
    Equal, FrontendConfig, GbstConfig, HNetConfig, Layout, MergeConfig, MxDnaConfig, OwnConfig, PoolConfig, Quantity,
    UnpooledConfig,
};
pub use name::Name;
pub use recipe::{MAX_K_OF_MODELS, Recipe};
pub use registry::Registry;
pub use token::{Reading, Tokenizer, decode, normalize};

/// The examples of the README, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
