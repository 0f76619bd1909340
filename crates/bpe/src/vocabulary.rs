//! A vocabulary: special ids, then tokens with their bases.

use std::sync::OnceLock;

use dna::is_dna;

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
pub struct Vocabulary(Tokens);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Tokens {
    Listed { bases: Vec<u8>, ends: Vec<u32> },
    Words { k: usize, spelled: Spelled },
}

/// All words of K bases in alphabetical order, spelled out when the first one is asked for: those of 12 bases take 200 MB.
#[derive(Clone, Debug, Default)]
struct Spelled(OnceLock<Vec<u8>>);

impl PartialEq for Spelled {
    /// Words of K bases are what they are, spelled out or not.
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Spelled {}

impl Spelled {
    fn words(&self, k: usize) -> &[u8] {
        self.0.get_or_init(|| {
            let word = |code: usize| (0..k).rev().map(move |place| b"ACGT"[code >> (2 * place) & 3]);
            (0..1usize << (2 * k)).flat_map(word).collect()
        })
    }
}

/// The number of words of K bases and less.
fn words_up_to(k: usize) -> usize {
    (1..=k).map(|length| 1usize << (2 * length)).sum()
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
        Vocabulary(Tokens::Listed { bases, ends })
    }

    /// All words of `k` bases (1 to 12) in alphabetical order, then those of `k` - 1 bases, and so on down to single bases.
    #[must_use]
    pub fn words(k: usize) -> Self {
        Vocabulary(Tokens::Words { k, spelled: Spelled::default() })
    }

    /// Number of ids, special ids included.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.0 {
            Tokens::Listed { ends, .. } => ends.len(),
            Tokens::Words { k, .. } => SPECIALS as usize + words_up_to(*k),
        }
    }

    /// Never: there are always the special ids.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        false
    }

    /// The bases of a token; none for special ids and ids outside the vocabulary.
    #[must_use]
    pub fn bases(&self, id: u32) -> Option<&[u8]> {
        let number = id.checked_sub(SPECIALS)? as usize;
        match &self.0 {
            Tokens::Listed { bases, ends } => {
                let end = *ends.get(id as usize)? as usize;
                bases.get(ends[id as usize - 1] as usize..end)
            }
            Tokens::Words { k, spelled } => {
                let (code, length) = word(number, *k)?;
                // A shorter word is the beginning of a longer one.
                spelled.words(*k).get((code << (2 * (k - length))) * k..)?.get(..length)
            }
        }
    }

    /// Bases of a token; 0 for special ids.
    #[must_use]
    pub fn length(&self, id: u32) -> usize {
        match (&self.0, id.checked_sub(SPECIALS)) {
            (Tokens::Words { k, .. }, Some(number)) => word(number as usize, *k).map_or(0, |(_, length)| length),
            _ => self.bases(id).map_or(0, <[u8]>::len),
        }
    }

    /// Whether a token consists of A, C, G, T only, so that it can stand in a masked span.
    #[must_use]
    pub fn is_dna(&self, id: u32) -> bool {
        match self.0 {
            Tokens::Words { .. } => self.length(id) > 0,
            Tokens::Listed { .. } => self.bases(id).is_some_and(|b| !b.is_empty() && is_dna(b)),
        }
    }

    /// Ids of ordinary tokens.
    pub fn ids(&self) -> impl Iterator<Item = u32> + use<> {
        SPECIALS..u32::try_from(self.len()).unwrap_or(u32::MAX)
    }
}

/// Code and length of a word by its number among all words of `k` bases and less.
fn word(mut number: usize, k: usize) -> Option<(usize, usize)> {
    for length in (1..=k).rev() {
        let words = 1 << (2 * length);
        if number < words {
            return Some((number, length));
        }
        number -= words;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_listed_words() {
        for k in 1..=5 {
            let spell = |code: usize, length: usize| -> Vec<u8> {
                (0..length).rev().map(|place| b"ACGT"[code >> (2 * place) & 3]).collect()
            };
            let list =
                (1..=k).rev().flat_map(|length| (0..1usize << (2 * length)).map(move |code| spell(code, length)));
            let (listed, words) = (Vocabulary::new(list), Vocabulary::words(k));
            assert_eq!(listed.len(), words.len());
            for id in 0..listed.len() as u32 + 3 {
                assert_eq!(listed.length(id), words.length(id));
                assert_eq!(listed.bases(id), words.bases(id), "{k} {id}");
                assert_eq!(listed.is_dna(id), words.is_dna(id));
            }
            assert_eq!(words, Vocabulary::words(k));
        }
        assert_eq!(Vocabulary::words(12).len(), 5 + (4usize.pow(13) - 4) / 3);
    }
}
