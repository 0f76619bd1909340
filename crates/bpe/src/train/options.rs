//! What is to be learned, and what was.

/// What is to be learned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Entries of the vocabulary: special ids, four bases, merges.
    pub vocabulary: usize,
    /// A pair that stands at fewer places is not merged.
    pub min_frequency: u64,
    /// Tokens have fewer bases than this, as in the `tokenizers` crate; 0: no bound.
    pub max_token_length: usize,
    /// Bases of a piece; records are cut into such pieces, and no token reaches over a border. 0: whole records.
    pub piece: usize,
    /// Counts every piece on both strands: the same as adding its reverse complement. Doubles text and memory.
    pub both_strands: bool,
    /// Merges that are there already, in order (see [`crate::huggingface::known`]): learning goes on from them.
    pub known: Vec<(u32, u32)>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            vocabulary: 4096,
            min_frequency: 2,
            max_token_length: 0,
            piece: 512,
            both_strands: false,
            known: Vec::new(),
        }
    }
}

/// A vocabulary that was learned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Learned {
    /// Spelling of every id from [`crate::vocabulary::SPECIALS`] on: A, C, G, T, then one token a merge.
    pub tokens: Vec<Vec<u8>>,
    /// Left and right id of every merge. The first n of them are the vocabulary that is smaller by the others.
    pub merges: Vec<(u32, u32)>,
    /// Places at which each merge was made; 0 for those that were known before.
    pub counts: Vec<u64>,
    /// Bases learned from: A, C, G, T in pieces, each base once.
    pub bases: u64,
}
