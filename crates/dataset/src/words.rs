//! Text made of the words of a hidden vocabulary, without separators: the true boundaries are known, so it can be measured whether a
//! tokenizer finds them.
//!
//! ```
//! use dataset::{stream, words::HiddenVocabulary};
//! let vocabulary = HiddenVocabulary::new(40, &mut stream(1, "words"));
//! let (text, starts) = vocabulary.sample(1_000, &mut stream(1, "text"));
//! assert_eq!((text.len(), starts[0]), (1_000, 0));
//! assert!(vocabulary.words().iter().any(|word| text.starts_with(word)));
//! ```

use dna::stream;
use rand::{Rng, RngExt};

use crate::markov::MarkovChain;

/// Number of words of a corpus by default.
pub const WORDS: usize = 40;
/// Shortest and longest word in bases.
const LENGTHS: (usize, usize) = (3, 10);

/// Words with their frequencies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HiddenVocabulary {
    words: Vec<Vec<u8>>,
}

impl HiddenVocabulary {
    /// Distinct words of 3 to 10 independent, uniform bases, as many of each length as of the others; the r-th one in the order of drawing has a
    /// frequency proportional to 1 / r (Zipf).
    pub fn new(number: usize, rng: &mut impl Rng) -> HiddenVocabulary {
        let mut words: Vec<Vec<u8>> = Vec::new();
        while words.len() < number {
            let length = LENGTHS.0 + words.len() % (LENGTHS.1 - LENGTHS.0 + 1);
            let word = MarkovChain::uniform().sample(length, rng);
            if !words.contains(&word) {
                words.push(word);
            }
        }
        // Frequent words are not the short ones.
        for at in (1..words.len()).rev() {
            words.swap(at, rng.random_range(0..=at));
        }
        HiddenVocabulary { words }
    }

    /// The vocabulary of a corpus of the kind `words` with this seed and number of words.
    #[must_use]
    pub fn of_corpus(seed: u64, number: usize) -> HiddenVocabulary {
        HiddenVocabulary::new(number, &mut stream(seed, "synthetic/source"))
    }

    /// The words, the most frequent first.
    #[must_use]
    pub fn words(&self) -> &[Vec<u8>] {
        &self.words
    }

    /// Text of `bases` bases, and the position at which each of its words starts; words are independent, and the last one may be cut off.
    pub fn sample(&self, bases: usize, rng: &mut impl Rng) -> (Vec<u8>, Vec<usize>) {
        let weights: Vec<f64> = (1..=self.words.len()).map(|rank| 1.0 / rank as f64).collect();
        let sum: f64 = weights.iter().sum();
        let (mut text, mut starts) = (Vec::with_capacity(bases + LENGTHS.1), Vec::new());
        while text.len() < bases {
            let mut left = rng.random::<f64>() * sum;
            let found = weights.iter().position(|weight| {
                left -= weight;
                left < 0.0
            });
            starts.push(text.len());
            text.extend_from_slice(&self.words[found.unwrap_or(self.words.len() - 1)]);
        }
        text.truncate(bases);
        (text, starts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_have_their_frequencies_and_lengths() {
        let vocabulary = HiddenVocabulary::of_corpus(3, WORDS);
        let lengths: Vec<usize> = vocabulary.words().iter().map(Vec::len).collect();
        assert!((3..=10).all(|length| lengths.iter().filter(|&&of| of == length).count() == 5));
        let (text, starts) = vocabulary.sample(400_000, &mut stream(3, "text"));
        let ends = starts.iter().skip(1).copied();
        let words: Vec<&[u8]> = starts.iter().zip(ends).map(|(&start, end)| &text[start..end]).collect();
        let harmonic: f64 = (1..=40).map(|rank| 1.0 / f64::from(rank)).sum();
        for (rank, word) in vocabulary.words().iter().enumerate() {
            let expected = words.len() as f64 / harmonic / (rank + 1) as f64;
            let found = words.iter().filter(|other| *other == word).count() as f64;
            assert!((found - expected).abs() < 5.0 * expected.sqrt(), "{rank}: {found} {expected}");
        }
        assert_eq!(words.concat(), text[..words.concat().len()]);
    }
}
