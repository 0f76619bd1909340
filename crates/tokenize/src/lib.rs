//! How DNA is cut: tokenizers and their registry. No tensors, no files.
//!
//! # The idea
//! A [`Tokenizer`] turns bases into [`Token`]s: an id and the span of bases it stands for, in order. Tokenizers differ in vocabulary and
//! length; [`registry`] has them by name, [`audit`] says what each does to a text. What a model pays for the same hidden bases with
//! each of them is the business of the crate `protocol`. Byte-pair encoding and Hugging Face files are the crate [`bpe`].
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
//! let kmer3 = registry::builtin().parse("kmer3").unwrap().fit(&mut std::iter::empty()).unwrap();
//! let mut tokens: Vec<Token> = Vec::new();
//! kmer3.encode(b"ACGTN", &mut tokens);
//! // ACG, CGT overlap; N stands alone as \[UNK\].
//! let spans: Vec<_> = tokens.iter().map(|t| (t.start, t.end)).collect();
//! assert_eq!(spans, [(0, 3), (1, 4), (4, 5)]);
//! ```
//!
//! # Adding a tokenizer
//! One file with a [`Family`], one line in [`registry::builtin`]. Contract tests, `tokbench list`, help, colours and legends iterate
//! over the registry. Outside this crate: `registry::builtin().with(my::KIND)`.

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
pub use frontend::{Deep, Frontend, MxDna};
pub use recipe::{MAX_K_OF_MODELS, Recipe};
pub use registry::Registry;
pub use token::{Reading, Tokenizer, decode, normalise};

/// The examples of the README, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
