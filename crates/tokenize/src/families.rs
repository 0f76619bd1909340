//! The families of tokenizers, one file each.

pub mod bpe;
pub mod exec;
pub mod file;
pub mod gbst;
pub mod hnet;
pub mod kmer;
pub mod learned;
pub mod merge;
pub mod mxdna;
pub mod pool;
pub mod randomcut;
pub mod subword;
pub mod unigram;
pub mod wordpiece;

/// The short name in the canonical name of a tokenizer from outside, a file or a program; `None` for other tokenizers.
///
/// ```
/// let stem = tokenize::families::stem_of;
/// assert_eq!((stem("file:a@01"), stem("exec:b@23"), stem("base")), (Some("a"), Some("b"), None));
/// ```
#[must_use]
pub fn stem_of(canonical: &str) -> Option<&str> {
    file::stem_of(canonical).or_else(|| exec::stem_of(canonical))
}
