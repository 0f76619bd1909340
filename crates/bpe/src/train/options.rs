//! Options and result of training.

/// Options of training.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Vocabulary size: special ids, four bases, merges.
    pub vocabulary: usize,
    /// Minimum count of a pair that is merged.
    pub min_frequency: u64,
    /// Exclusive maximum token length in bases, as in the `tokenizers` crate; 0: no limit.
    pub max_token_length: usize,
    /// Records are split into chunks of this many bases, and no token crosses a chunk boundary. 0: whole records.
    pub chunk_length: usize,
    /// Also counts the reverse complement of every chunk. Doubles text and memory.
    pub both_strands: bool,
    /// Merges of an existing vocabulary, in order (see [`crate::huggingface::initial_merges`]), from which training continues.
    pub initial_merges: Vec<(u32, u32)>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            vocabulary: 4096,
            min_frequency: 2,
            max_token_length: 0,
            chunk_length: 512,
            both_strands: false,
            initial_merges: Vec::new(),
        }
    }
}

/// A learned vocabulary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Learned {
    /// Spelling of every id from [`crate::vocabulary::SPECIALS`] on: A, C, G, T, then one token per merge.
    pub tokens: Vec<Vec<u8>>,
    /// Left and right id of every merge. The first n merges are those of the vocabulary with n merges.
    pub merges: Vec<(u32, u32)>,
    /// Number of occurrences of each merge when it was made; 0 for initial merges.
    pub counts: Vec<u64>,
    /// Number of A, C, G, T in the training text, each counted once.
    pub bases: u64,
}
