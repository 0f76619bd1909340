//! Any Hugging Face `tokenizer.json`, and the files that can be made of one.
//!
//! [`HuggingFace`] has the ids of the `tokenizers` crate. Text is cut by [`crate::Engine`] where that is certain to give what that
//! crate gives (see `huggingface/plain.rs`), and by that crate everywhere else. Unigram and WordPiece models have a way of their own
//! (`huggingface/walk.rs`).
//!
//! | file | what lives there |
//! |---|---|
//! | `tokenizer.rs` | [`HuggingFace`]: from a file to tokens |
//! | `check.rs`, `ids.rs` | what is wrong with a file; its ids and ours |
//! | `plain.rs`, `walk.rs`, `unigram.rs`, `wordpiece.rs` | what may be cut without the `tokenizers` crate, and how |
//! | `slow.rs`, `parts.rs`, `batch.rs` | texts that only that crate can cut; long texts taken apart; many texts at a time |
//! | `frame.rs`, `input.rs` | special ids around sequences |
//! | `file.rs`, `write.rs`, `known.rs` | files made of tokenizers, and merges read from files |

mod batch;
mod check;
pub mod file;
mod frame;
mod ids;
mod input;
mod known;
mod parts;
mod plain;
mod slow;
mod tokenizer;
mod unigram;
mod walk;
mod wordpiece;
mod write;

pub use frame::Place;
pub use known::known;
pub use slow::{Refusal, Why};
pub use tokenizer::HuggingFace;
pub use write::{letters_apart, to_bytes, to_json, tokenizer_json};
