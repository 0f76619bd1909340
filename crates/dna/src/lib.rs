//! The alphabet that everything else is written in: bases, their numbers, both strands, and named random streams.
//!
//! | | |
//! |---|---|
//! | [`is_base`], [`is_dna`] | A, C, G, T in upper case, and nothing else |
//! | [`code`], [`digit`] | A 0, C 1, G 2, T 3: the one numbering of bases, the alphabetical one |
//! | [`complement`], [`reverse_complement`] | the other strand; whatever is no base stays what it is |
//! | [`policy`] | how any byte of any input becomes one of A, C, G, T, N, and what is counted |
//! | [`letters`] | the same questions about many bases at once, by vector instructions |
//! | [`stream()`], [`shuffle`] | random numbers that depend on a seed and on what they are for |
//!
//! ```
//! assert_eq!(b"ACGTN".map(dna::code), [Some(0), Some(1), Some(2), Some(3), None]);
//! assert_eq!(dna::reverse_complement(b"AACGN"), b"NCGTT");
//! assert!(dna::is_dna(b"ACGT") && !dna::is_dna(b"ACGTN") && !dna::is_dna(b"acgt"));
//! ```
//!
//! What does not live here: files (`dataset`) and tokens (`tokenize`).

mod alphabet;
pub mod letters;
pub mod policy;
mod stream;

pub use alphabet::{BASES, code, complement, digit, is_base, is_dna, reverse_complement};
pub use policy::Counts;
pub use stream::{shuffle, stream};
