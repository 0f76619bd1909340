//! Hugging Face `tokenizer.json` files: reading, encoding, and conversion.
//!
//! [`HuggingFace`] gives the ids of the `tokenizers` crate. Text is encoded by [`crate::Engine`] where that is certain to give the
//! same ids (`huggingface/fast_path.rs`), and by that crate otherwise. Unigram and WordPiece models have native implementations
//! (`huggingface/native.rs`).
//!
//! | file | content |
//! |---|---|
//! | `tokenizer.rs` | [`HuggingFace`]: from a file to tokens |
//! | `check.rs`, `ids.rs` | validation of a file; its ids and ours |
//! | `fast_path.rs`, `native.rs`, `unigram.rs`, `wordpiece.rs` | texts that are encoded without the `tokenizers` crate, and how |
//! | `fallback.rs`, `segments.rs`, `batch.rs` | texts that need that crate; segments of long texts; many texts at a time |
//! | `post_processor.rs`, `model_input.rs` | special ids around sequences |
//! | `file.rs`, `write.rs`, `initial_merges.rs` | conversion of tokenizer files, and merges read from files |

mod batch;
mod check;
mod fallback;
mod fast_path;
pub mod file;
mod ids;
mod initial_merges;
mod model_input;
mod native;
mod post_processor;
mod segments;
mod tokenizer;
mod unigram;
mod wordpiece;
mod write;

pub use fallback::{Refusal, RefusalReason};
pub use initial_merges::initial_merges;
pub use post_processor::TemplateItem;
pub use tokenizer::HuggingFace;
pub use write::{split_non_dna, to_bytes, to_json, tokenizer_json};
