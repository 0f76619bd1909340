//! The code length of masked bases: the evaluation protocol of the methods section as code. No tensors, no files.
//!
//! # Overview
//! Tokenizers differ in vocabulary and token length, so losses per token are not comparable. The code lengths, in bits, of the *same
//! masked bases* are. The masking plan is therefore made in bases ([`masking_plan`]): a window is divided into cells of 12 bases, and
//! the same cells are masked for every tokenizer. [`layout`] gives the input of the model, in which nothing masked is visible, and the
//! targets, which cover each masked base exactly once. [`candidates`] determines the candidate tokens of each target, [`prior`]
//! what the segmentation alone makes likely, and [`code_length`] converts logits into bits: *count* + *length* + *content*. [`fitted`] holds
//! what is fitted to the training split: the vocabulary, the code of token counts, and the [context-free null](context_free).
//!
//! # Definitions
//! * **fixed length**: every token inside a masked span has the same known length k.
//! * **variable length**: the number of tokens of the span is coded first (*count*).
//!
//! # Example
//! ```
//! use protocol::{layout::SegmentedWindow, masking_plan::Span};
//! let kmer3 = tokenize::registry::builtin().parse("kmer3-nonoverlap").unwrap().fit(&mut std::iter::empty()).unwrap();
//! // The middle one of three cells is masked: its 12 bases are four non-overlapping 3-mers, each coded once.
//! let layout = SegmentedWindow::new(&*kmer3, &b"ACGTTGCAACGT".repeat(3), &[Span::masked(12, 24)]).step(0);
//! assert_eq!((layout.masked, layout.targets.len()), (12, 4));
//! ```
//!
//! # Boundaries of masked spans
//! A tiling tokenizer encodes each segment between masked spans as a sequence of its own: `ACGT` before a masked span is tokenized as
//! if the sequence ended there. Otherwise a token that crosses the boundary would reveal masked bases.

pub mod candidates;
pub mod code_length;
pub mod context_free;
pub mod fitted;
pub mod layout;
pub mod masking_plan;
pub mod prior;
pub mod score;
pub mod weights;

pub use fitted::Fitted;
pub use prior::{PriorKind, SegmentationPrior};
