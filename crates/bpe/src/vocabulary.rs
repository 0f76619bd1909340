//! [`Vocabulary`]: special ids, then tokens with their bases.

use std::sync::OnceLock;

use dna::is_dna;

/// \[UNK\]: a letter other than A, C, G, T.
pub const UNK: u32 = 0;
/// \[CLS\]: first token of every model input.
pub const CLS: u32 = 1;
/// \[SEP\]: last token of every model input.
pub const SEP: u32 = 2;
/// \[PAD\]: right padding of a batch.
pub const PAD: u32 = 3;
/// \[MASK\]: a masked token, which the model predicts.
pub const MASK: u32 = 4;
/// Number of special ids, and the first id of an ordinary token. The order of special ids is that of DNABERT-2.
pub const SPECIALS: u32 = 5;
/// Names of the special ids, by id.
pub const SPECIAL_NAMES: [&str; SPECIALS as usize] = ["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"];

/// Tokens by id. Special ids have no bases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vocabulary(Tokens);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Tokens {
    Listed { bases: Vec<u8>, ends: Vec<u32> },
    Kmers { k: usize, spelled: Spelled },
}

/// The spellings of all k-mers in alphabetical order, built on first use: all 12-mers take 200 MB.
#[derive(Clone, Debug, Default)]
struct Spelled(OnceLock<Vec<u8>>);

impl PartialEq for Spelled {
    /// Kmers of K bases are what they are, spelled out or not.
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Spelled {}

impl Spelled {
    fn kmers(&self, k: usize) -> &[u8] {
        self.0.get_or_init(|| {
            let kmer = |code: usize| (0..k).rev().map(move |position| b"ACGT"[code >> (2 * position) & 3]);
            (0..1usize << (2 * k)).flat_map(kmer).collect()
        })
    }
}

/// Number of k-mers of all lengths from 1 to `k`.
fn kmers_up_to(k: usize) -> usize {
    (1..=k).map(|length| 1usize << (2 * length)).sum()
}

impl Vocabulary {
    /// A vocabulary of the special ids and of `tokens`, with ids from [`SPECIALS`] on.
    pub fn new<T: AsRef<[u8]>>(tokens: impl IntoIterator<Item = T>) -> Self {
        let mut bases = Vec::new();
        let mut ends = vec![0; SPECIALS as usize];
        for token in tokens {
            bases.extend_from_slice(token.as_ref());
            ends.push(u32::try_from(bases.len()).unwrap_or(u32::MAX));
        }
        Vocabulary(Tokens::Listed { bases, ends })
    }

    /// All k-mers (`k` from 1 to 12) in alphabetical order, then all (k-1)-mers, and so on down to single bases.
    #[must_use]
    pub fn kmers(k: usize) -> Self {
        Vocabulary(Tokens::Kmers { k, spelled: Spelled::default() })
    }

    /// Number of ids, special ids included.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.0 {
            Tokens::Listed { ends, .. } => ends.len(),
            Tokens::Kmers { k, .. } => SPECIALS as usize + kmers_up_to(*k),
        }
    }

    /// Always false: a vocabulary contains the special ids.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        false
    }

    /// The bases of a token; `None` for special ids and ids outside the vocabulary.
    #[must_use]
    pub fn bases(&self, id: u32) -> Option<&[u8]> {
        let number = id.checked_sub(SPECIALS)? as usize;
        match &self.0 {
            Tokens::Listed { bases, ends } => {
                let end = *ends.get(id as usize)? as usize;
                bases.get(ends[id as usize - 1] as usize..end)
            }
            Tokens::Kmers { k, spelled } => {
                let (code, length) = decompose(number, *k)?;
                // A shorter k-mer is a prefix of a longer one.
                spelled.kmers(*k).get((code << (2 * (k - length))) * k..)?.get(..length)
            }
        }
    }

    /// Length of a token in bases; 0 for special ids.
    #[must_use]
    pub fn length(&self, id: u32) -> usize {
        match (&self.0, id.checked_sub(SPECIALS)) {
            (Tokens::Kmers { k, .. }, Some(number)) => decompose(number as usize, *k).map_or(0, |(_, length)| length),
            _ => self.bases(id).map_or(0, <[u8]>::len),
        }
    }

    /// Whether a token consists of A, C, G, T only, so that it can be a candidate in a masked span.
    #[must_use]
    pub fn is_dna(&self, id: u32) -> bool {
        match self.0 {
            Tokens::Kmers { .. } => self.length(id) > 0,
            Tokens::Listed { .. } => self.bases(id).is_some_and(|b| !b.is_empty() && is_dna(b)),
        }
    }

    /// Ids of ordinary tokens.
    pub fn ids(&self) -> impl Iterator<Item = u32> + use<> {
        SPECIALS..u32::try_from(self.len()).unwrap_or(u32::MAX)
    }
}

/// Code and length of the k-mer with this index in the order of [`Vocabulary::kmers`].
fn decompose(mut number: usize, k: usize) -> Option<(usize, usize)> {
    for length in (1..=k).rev() {
        let kmers = 1 << (2 * length);
        if number < kmers {
            return Some((number, length));
        }
        number -= kmers;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kmers_equal_a_listed_vocabulary() {
        for k in 1..=5 {
            let spell = |code: usize, length: usize| -> Vec<u8> {
                (0..length).rev().map(|position| b"ACGT"[code >> (2 * position) & 3]).collect()
            };
            let list =
                (1..=k).rev().flat_map(|length| (0..1usize << (2 * length)).map(move |code| spell(code, length)));
            let (listed, kmers) = (Vocabulary::new(list), Vocabulary::kmers(k));
            assert_eq!(listed.len(), kmers.len());
            for id in 0..listed.len() as u32 + 3 {
                assert_eq!(listed.length(id), kmers.length(id));
                assert_eq!(listed.bases(id), kmers.bases(id), "{k} {id}");
                assert_eq!(listed.is_dna(id), kmers.is_dna(id));
            }
            assert_eq!(kmers, Vocabulary::kmers(k));
        }
        assert_eq!(Vocabulary::kmers(12).len(), 5 + (4usize.pow(13) - 4) / 3);
    }
}
