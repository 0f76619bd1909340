//! The families of tokenizers, one file each.

pub mod bpe;
pub mod exec;
pub mod file;
pub mod gbst;
pub mod hnet;
pub mod kmer;
pub mod mxdna;
pub mod pool;
pub mod randomcut;
pub mod subword;
pub mod unigram;
pub mod wordpiece;
