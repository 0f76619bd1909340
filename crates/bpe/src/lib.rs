//! Byte-pair encoding of DNA, exact and fast; and any Hugging Face `tokenizer.json`.
//!
//! [`Engine`] gives the ids of the `tokenizers` crate; on DNA it is faster by the factor measured in `tokenize/bench`. Greedy
//! merging over four letters is a finite automaton (`engine/automaton.rs` describes it, `engine/merges.rs` proves that it is
//! exact). [`train::train`] learns the merges that the trainer of that crate learns, from records of any length. [`HuggingFace`]
//! reads every file of that crate whose tokens spell DNA, and uses the engine where it gives the same ids.
//!
//! ```
//! use bpe::{EncodedBatch, Engine};
//! // Ids 0 to 3 are the bases, 4 is AC, 5 is ACG.
//! let engine = Engine::new(&[b"A".as_slice(), b"C", b"G", b"T", b"AC", b"ACG"], &[(0, 1, 4), (4, 2, 5)], 9).unwrap();
//! let mut batch = EncodedBatch::default();
//! engine.encode(&[b"ACGTAC".as_slice(), b"NCG"], &mut batch);
//! assert_eq!(batch.ids(0), [5, 3, 4]);
//! assert_eq!(batch.ids(1), [9, 1, 2]);
//! ```
//!
//! Names and registry of tokenizers, k-mers, and training of Unigram and WordPiece vocabularies are in the crate `tokenize`.

mod engine;
mod error;
pub mod huggingface;
mod token;
pub mod train;
pub mod tree;
pub mod vocabulary;

pub use engine::stream::Stream;
pub use engine::{EncodedBatch, Engine};
pub use error::Error;
pub use huggingface::HuggingFace;
pub use token::Token;
pub use vocabulary::Vocabulary;

/// The examples of the README, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
