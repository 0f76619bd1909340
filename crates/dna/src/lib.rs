//! DNA primitives: bases and their codes, reverse complement, the policy for other letters, and named random streams.
//!
//! | | |
//! |---|---|
//! | [`is_base`], [`is_dna`] | whether letters are A, C, G, T in upper case |
//! | [`code`], [`digit`] | codes of bases in alphabetical order: A 0, C 1, G 2, T 3 |
//! | [`complement`], [`reverse_complement`] | the other strand; letters other than A, C, G, T are kept |
//! | [`policy`] | how input letters are mapped to A, C, G, T, N, and what is counted |
//! | [`letters`] | the same for many bases at once, with vector instructions |
//! | [`stream()`], [`shuffle`] | random numbers determined by a seed and a purpose |
//!
//! ```
//! assert_eq!(b"ACGTN".map(dna::code), [Some(0), Some(1), Some(2), Some(3), None]);
//! assert_eq!(dna::reverse_complement(b"AACGN"), b"NCGTT");
//! assert!(dna::is_dna(b"ACGT") && !dna::is_dna(b"ACGTN") && !dna::is_dna(b"acgt"));
//! ```
//!
//! Files are in the crate `dataset`, tokens in `tokenize`.

mod alphabet;
pub mod letters;
pub mod policy;
mod stream;

pub use alphabet::{BASES, code, complement, digit, is_base, is_dna, reverse_complement};
pub use policy::Counts;
pub use stream::{shuffle, stream};
