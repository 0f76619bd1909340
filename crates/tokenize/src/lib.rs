//! How DNA is cut: tokenizers, their registry, the masking plan and the bill in bits per base. No tensors, no files.
//!
//! # The idea in ten lines
//! A [`Tokenizer`] turns bases into [`Token`]s: an id and the span of bases it stands for, in order. Tokenizers differ
//! in vocabulary and length, so their training losses cannot be compared. What can be compared is what a model pays,
//! in bits, for the *same hidden bases*. So the masking plan is made in bases ([`plan`]): a window is divided into cells
//! of 12 bases, some cells are hidden, the same ones for every tokenizer. [`layout`] says what a model then sees (nothing
//! that is hidden) and which tokens it must pay for (each hidden base exactly once). [`legal`] says which tokens could
//! stand there at all, and [`bill`] turns a model's logits into bits: *count* + *length* + *content*.
//!
//! # Definitions
//! * **tiling** tokenizer: tokens lie side by side (`base`, `kmer6-nonoverlap`, `bpe4096`).
//! * **sliding** tokenizer: tokens of K bases start every S bases and overlap (`kmer6`: S = 1).
//! * **fixed length**: every token inside a hidden span has the same known length K.
//! * **variable length**: the number of tokens of the span is paid for first (*count*).
//!
//! # Example
//! ```
//! use tokenize::{registry, Token};
//! let kmer3 = registry::parse("kmer3").unwrap().fit(&mut std::iter::empty()).unwrap();
//! let mut tokens: Vec<Token> = Vec::new();
//! kmer3.encode(b"ACGTN", &mut tokens);
//! // ACG, CGT overlap; N stands alone as \[UNK\].
//! let spans: Vec<_> = tokens.iter().map(|t| (t.start, t.end)).collect();
//! assert_eq!(spans, [(0, 3), (1, 4), (4, 5)]);
//! ```
//!
//! # The surprising case
//! Between the borders of hidden spans a tiling tokenizer cuts each stretch on its own. So `ACGT` before a hidden span
//! is cut as if the sequence ended there: otherwise a token reaching across the border would tell what is hidden.
//!
//! # Adding a tokenizer
//! One file with a [`registry::Kind`], one line in [`registry::KINDS`]. Contract tests, `tokbench list`, help, colours and
//! legends iterate over that slice.

pub mod audit;
pub mod bill;
pub mod bpe;
mod error;
pub mod fitted;
pub mod frontend;
pub mod huggingface;
pub mod kmer;
pub mod layout;
pub mod learned;
pub mod legal;
pub mod name;
pub mod plan;
pub mod randomcut;
pub mod registry;
mod token;
mod tree;
pub mod unigram;
pub mod vocabulary;
pub mod wordpiece;

pub use error::Error;
pub use fitted::Fitted;
pub use frontend::{Deep, Frontend, MxDna};
pub use token::{Reading, Token, Tokenizer, decode, normalise};
pub use vocabulary::Vocabulary;

/// The examples of the README, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
