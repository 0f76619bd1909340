//! A vocabulary: special ids, then tokens with their bases.

/// \[UNK\]: a base that is none of A, C, G, T.
pub const UNK: u32 = 0;
/// \[CLS\]: opens every sequence.
pub const CLS: u32 = 1;
/// \[SEP\]: closes every sequence.
pub const SEP: u32 = 2;
/// \[PAD\]: fills a batch on the right.
pub const PAD: u32 = 3;
/// \[MASK\]: what the model must guess.
pub const MASK: u32 = 4;
/// Number of special ids; ordinary tokens start here. The order is DNABERT-2's.
pub const SPECIALS: u32 = 5;
/// Names of the special ids.
pub const SPECIAL_NAMES: [&str; SPECIALS as usize] = ["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"];

/// Tokens by id. Special ids have no bases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vocabulary {
    bases: Vec<u8>,
    ends: Vec<u32>,
}

impl Vocabulary {
    /// A vocabulary of the special ids and `tokens`, which get ids from [`SPECIALS`] on.
    pub fn new<T: AsRef<[u8]>>(tokens: impl IntoIterator<Item = T>) -> Self {
        let mut bases = Vec::new();
        let mut ends = vec![0; SPECIALS as usize];
        for token in tokens {
            bases.extend_from_slice(token.as_ref());
            ends.push(u32::try_from(bases.len()).unwrap_or(u32::MAX));
        }
        Vocabulary { bases, ends }
    }

    /// Number of ids, special ids included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Never: there are always the special ids.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        false
    }

    /// The bases of a token; none for special ids and ids outside the vocabulary.
    #[must_use]
    pub fn bases(&self, id: u32) -> Option<&[u8]> {
        let i = id as usize;
        if id < SPECIALS || i >= self.ends.len() {
            return None;
        }
        self.bases.get(self.ends[i - 1] as usize..self.ends[i] as usize)
    }

    /// Bases of a token; 0 for special ids.
    #[must_use]
    pub fn length(&self, id: u32) -> usize {
        self.bases(id).map_or(0, <[u8]>::len)
    }

    /// Whether a token consists of A, C, G, T only, so that it can stand in a masked span.
    #[must_use]
    pub fn is_dna(&self, id: u32) -> bool {
        self.bases(id).is_some_and(|b| !b.is_empty() && b.iter().all(|b| matches!(b, b'A' | b'C' | b'G' | b'T')))
    }

    /// Ids of ordinary tokens.
    pub fn ids(&self) -> impl Iterator<Item = u32> + use<> {
        SPECIALS..u32::try_from(self.ends.len()).unwrap_or(u32::MAX)
    }
}
