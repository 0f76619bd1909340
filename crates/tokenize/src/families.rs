//! The families of tokenizers: a file each, which says everything about its names.

pub mod bpe;
pub mod file;
pub mod kmer;
pub mod mxdna;
pub mod randomcut;
pub mod subword;
pub mod unigram;
pub mod wordpiece;
