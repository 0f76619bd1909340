//! What a model pays for hidden bases: the methods section as code. No tensors, no files.
//!
//! # The idea in ten lines
//! Tokenizers differ in vocabulary and length, so their training losses cannot be compared. What can be compared is what a model pays,
//! in bits, for the *same hidden bases*. So the masking plan is made in bases ([`masking_plan`]): a window is divided into cells
//! of 12 bases, some cells are hidden, the same ones for every tokenizer. [`layout`] says what a model then sees (nothing
//! that is hidden) and which tokens it must pay for (each hidden base exactly once). [`candidates`] says which tokens could
//! stand there at all, and [`code_length`] turns a model's logits into bits: *count* + *length* + *content*. [`fitted`] keeps what the
//! training split says about a tokenizer: its vocabulary, the price of token counts, the model that sees nothing.
//!
//! # Definitions
//! * **fixed length**: every token inside a hidden span has the same known length K.
//! * **variable length**: the number of tokens of the span is paid for first (*count*).
//!
//! # Example
//! ```
//! use protocol::{layout::Cut, masking_plan::Span};
//! let kmer3 = tokenize::registry::builtin().parse("kmer3-nonoverlap").unwrap().fit(&mut std::iter::empty()).unwrap();
//! // The middle of three cells is hidden: four words of three bases, each paid for once.
//! let layout = Cut::new(&*kmer3, &b"ACGTTGCAACGT".repeat(3), &[Span::hidden(12, 24)]).step(0);
//! assert_eq!((layout.hidden, layout.targets.len()), (12, 4));
//! ```
//!
//! # The surprising case
//! Between the borders of hidden spans a tiling tokenizer cuts each stretch on its own. So `ACGT` before a hidden span
//! is cut as if the sequence ended there: otherwise a token reaching across the border would tell what is hidden.

pub mod candidates;
pub mod code_length;
pub mod fitted;
pub mod layout;
pub mod masking_plan;
pub mod score;

pub use fitted::Fitted;
