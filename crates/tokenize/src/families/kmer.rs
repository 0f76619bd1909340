//! `base`, `kmer<K>`, `kmer<K>-nonoverlap`, `kmer<K>-stride<S>`: tokens of a fixed number of bases.
//!
//! Policy: every base other than A, C, G, T is one \[UNK\]; the stretches between are cut on their own. A stretch shorter
//! than K, and what is left at its ends, becomes a shorter token, so no base is ever lost. Starts lie on multiples of the
//! stride counted from the start of the sequence.

mod parts;
pub mod words;

use std::sync::Arc;

use bpe::huggingface::file::File;
use dna::letters::leading_bases;
use dna::{digit, is_base};
use words::{MOST, Strand, words};

use crate::Frontend;
use crate::Token;
use crate::error::Error;
use crate::family::Family;
use crate::name::Name;
use crate::recipe::{MAX_K_OF_MODELS, Recipe};
use crate::token::{Reading, Tokenizer};
use crate::vocabulary::{SPECIALS, UNK, Vocabulary};

/// `base`.
pub const BASE: Family = Family {
    stem: "base",
    pattern: "base",
    help: "single nucleotides: one token per base",
    examples: &["base"],
    resolve: |name| {
        if name.number.is_some() || !name.words.is_empty() {
            return None;
        }
        Some(Ok(recipe("base".to_owned(), Frontend::Lookup, 1, 1)))
    },
};

/// `kmer<K>` and its strides.
pub const KMER: Family = Family {
    stem: "kmer",
    pattern: "kmer<K>[-nonoverlap | -stride<S>]",
    help: "words of K bases (1 to 8, without a model to 12): overlapping, side by side, or every S bases",
    examples: &["kmer3", "kmer6", "kmer6-nonoverlap", "kmer6-stride3"],
    resolve: |name| Some(parts(name).map(|(canonical, k, stride)| recipe(canonical, Frontend::Lookup, k, stride))),
};

/// Canonical name, bases per word, bases between their starts.
fn parts(name: &Name) -> Result<(String, usize, usize), Error> {
    let wrong =
        |reason: String, remedy: &str| Error::Name { name: name.written.clone(), reason, remedy: remedy.to_owned() };
    let Some(k) = name.number else {
        return Err(wrong(
            "the number of bases per word is missing".into(),
            "write it after the stem, for example \"kmer6\"",
        ));
    };
    if k == 0 || k > MOST as u64 {
        return Err(wrong(
            format!("K = {k} is not between 1 and {MOST}"),
            "a vocabulary grows as 4^K; use a smaller K, or \"bpe4096\" for longer tokens",
        ));
    }
    let stride = match name.words.as_slice() {
        [] => 1,
        [(word, None)] if word == "nonoverlap" => k,
        [(word, Some(stride))] if word == "stride" => *stride,
        _ => {
            return Err(wrong("unknown variant".into(), "variants are \"-nonoverlap\" and \"-stride<S>\""));
        }
    };
    if stride == 0 || stride > k {
        return Err(wrong(format!("a stride of {stride} would skip bases"), "the stride must be between 1 and K"));
    }
    let canonical = match stride {
        _ if k == 1 => "base".to_owned(),
        1 => format!("kmer{k}"),
        s if s == k => format!("kmer{k}-nonoverlap"),
        s => format!("kmer{k}-stride{s}"),
    };
    Ok((canonical, k as usize, stride as usize))
}

/// The tokenizer of a name of these two families; `None` for every other name.
#[must_use]
pub fn named(name: &str) -> Option<Kmer> {
    let name = Name::parse(name)?;
    match name.stem.as_str() {
        "base" if name.number.is_none() && name.words.is_empty() => Some(Kmer::new("base".to_owned(), 1, 1)),
        "kmer" => parts(&name).ok().map(|(canonical, k, stride)| Kmer::new(canonical, k, stride)),
        _ => None,
    }
}

/// A recipe for words of `k` bases under `name`, in front of which `frontend` stands.
pub(super) fn recipe(name: String, frontend: Frontend, k: usize, stride: usize) -> Recipe {
    Recipe { frontend, ..Recipe::fixed(Arc::new(Kmer::new(name, k, stride))) }
}

/// Words of K bases every S bases.
#[derive(Clone, Debug)]
pub struct Kmer {
    name: String,
    k: usize,
    stride: usize,
    strand: Strand,
    vocabulary: Vocabulary,
}

impl Kmer {
    /// Words of `k` bases (1 to 12) that start every `stride` bases (1 to `k`). Ids: all words of K bases in alphabetical
    /// order from 5 on, then those of K-1 bases, and so on down to single bases ([`Vocabulary::words`]).
    ///
    /// # Panics
    /// If `k` or `stride` is none of these.
    #[must_use]
    pub fn new(name: String, k: usize, stride: usize) -> Self {
        assert!((1..=MOST).contains(&k) && (1..=k).contains(&stride), "no words of {k} bases every {stride}");
        Kmer { name, k, stride, strand: Strand::Given, vocabulary: Vocabulary::words(k) }
    }

    /// The same with the id of a word or of its reverse complement, whichever comes first in the alphabet: where words begin at
    /// every base, both strands of a text have the same ones. For counting and for indices; no model is scored on them, since ids no longer spell the text.
    ///
    /// ```
    /// use tokenize::{Tokenizer, kmer};
    /// let words = kmer::named("kmer2").unwrap().canonical();
    /// let mut tokens = Vec::new();
    /// words.encode(b"ACGTN", &mut tokens);
    /// // GT is AC on the other strand.
    /// assert_eq!(tokens.iter().map(|token| token.id).collect::<Vec<_>>(), [6, 11, 6, 0]);
    /// ```
    #[must_use]
    pub fn canonical(self) -> Self {
        Kmer { strand: Strand::Canonical, name: format!("{}, canonical", self.name), ..self }
    }

    /// Id of a stretch of 1 to K letters of ACGT.
    fn id(&self, bases: &[u8]) -> u32 {
        let given = bases.iter().fold(0u32, |code, &b| code * 4 + u32::from(digit(b)));
        let code = match self.strand {
            Strand::Given => given,
            Strand::Canonical => {
                given.min(bases.iter().rev().fold(0u32, |code, &b| code * 4 + 3 - u32::from(digit(b))))
            }
        };
        let before: u32 = (bases.len() + 1..=self.k).map(|length| 1u32 << (2 * length)).sum();
        SPECIALS + before + code
    }

    /// Words side by side as a `tokenizer.json` that gives the same ids.
    ///
    /// # Errors
    /// If the words overlap.
    pub fn to_file(&self) -> Result<File, Error> {
        let Reading::Tiling(Some(k)) = self.reading() else {
            return Err(Error::Name {
                name: self.name().to_owned(),
                reason: "its words overlap, and a tokenizer.json can give each base to one token only".to_owned(),
                remedy: "use words side by side (\"kmer6-nonoverlap\"), or cut with \"tokbench tokenizer encode\" and train on the ids"
                    .to_owned(),
            });
        };
        if k > MAX_K_OF_MODELS {
            return Err(Error::Name {
                name: self.name().to_owned(),
                reason: format!("all words of {k} bases are more than a file that lists tokens is made for"),
                remedy: format!("use words of at most {MAX_K_OF_MODELS} bases"),
            });
        }
        Ok(File::of_words(k, self.name()))
    }

    /// Appends the ids that [`Tokenizer::encode`] gives, without their spans: some times faster. `numbers` is working space.
    pub fn ids(&self, bases: &[u8], numbers: &mut Vec<u32>, ids: &mut Vec<u32>) {
        let mut rest = 0;
        while rest < bases.len() {
            let (from, known) = (rest, leading_bases(&bases[rest..]));
            if known == 0 {
                ids.push(UNK);
                rest += 1;
                continue;
            }
            rest += known;
            let first = self.first(from, rest);
            if from < first {
                ids.push(self.id(&bases[from..first]));
            }
            let mut covered = first;
            if first + self.k <= rest {
                words(&bases[first..rest], self.k, self.strand, numbers);
                let starts = numbers.iter().step_by(self.stride);
                covered = first + (starts.len() - 1) * self.stride + self.k;
                ids.extend(starts.map(|&number| SPECIALS + number));
            }
            if covered < rest {
                ids.push(self.id(&bases[covered..rest]));
            }
        }
    }

    /// Where the first whole word of a stretch begins: on the grid, or in a tiling simply at the stretch.
    fn first(&self, from: usize, to: usize) -> usize {
        if self.stride == self.k { from } else { from.next_multiple_of(self.stride).min(to) }
    }

    fn stretch(&self, bases: &[u8], from: usize, to: usize, out: &mut Vec<Token>) {
        let mut push = |start: usize, end: usize| {
            if start < end {
                out.push(Token { id: self.id(&bases[start..end]), start: start as u32, end: end as u32 });
            }
        };
        let first = self.first(from, to);
        push(from, first);
        let (mut start, mut covered) = (first, first);
        while start + self.k <= to {
            push(start, start + self.k);
            covered = start + self.k;
            start += self.stride;
        }
        push(covered, to);
    }
}

impl Tokenizer for Kmer {
    fn name(&self) -> &str {
        &self.name
    }

    fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    fn reading(&self) -> Reading {
        if self.k == self.stride {
            Reading::Tiling(Some(self.k))
        } else {
            Reading::Sliding { k: self.k, stride: self.stride }
        }
    }

    fn encode(&self, bases: &[u8], out: &mut Vec<Token>) {
        out.clear();
        let mut from = 0;
        for (i, &base) in bases.iter().enumerate() {
            if !is_base(base) {
                self.stretch(bases, from, i, out);
                out.push(Token { id: UNK, start: i as u32, end: i as u32 + 1 });
                from = i + 1;
            }
        }
        self.stretch(bases, from, bases.len(), out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn overlapping_words() {
        let kmer = Kmer::new("kmer3".into(), 3, 1);
        let mut out = Vec::new();
        kmer.encode(b"ACGTNAC", &mut out);
        let words: Vec<&[u8]> = out.iter().map(|t| kmer.vocabulary().bases(t.id).unwrap_or(b"N")).collect();
        assert_eq!(words, [b"ACG".as_slice(), b"CGT", b"N", b"AC"]);
        assert_eq!(out[0].id, SPECIALS + 6);
    }

    #[test]
    fn strided_words_stay_on_the_grid() {
        let kmer = Kmer::new("kmer4-stride2".into(), 4, 2);
        let mut out = Vec::new();
        kmer.encode(b"NACGTACGTA", &mut out);
        let spans: Vec<_> = out.iter().map(|t| (t.start, t.end)).collect();
        assert_eq!(spans, [(0, 1), (1, 2), (2, 6), (4, 8), (6, 10)]);
    }

    #[test]
    fn names() {
        for name in ["base", "kmer1", "kmer6", "KMER6-nonoverlap", "kmer6-stride3", "kmer12"] {
            let recipe = crate::registry::builtin().parse(name).unwrap();
            let kmer = named(name).unwrap();
            assert_eq!((kmer.name(), kmer.reading()), (recipe.name.as_str(), recipe.reading));
        }
        for name in ["kmer13", "kmer6-stride7", "kmer", "base2", "base-deep", "bpe512", "mxdna"] {
            assert!(named(name).is_none(), "{name}");
        }
    }

    proptest! {
        #[test]
        fn ids_alone_are_those_of_the_tokens(bases in prop::collection::vec(prop::sample::select(b"ACGTACGTACGTACGTN-".to_vec()), 0..120)) {
            for (k, stride) in (1..=MOST).flat_map(|k| (1..=k).map(move |stride| (k, stride))) {
                for kmer in [Kmer::new("kmer".to_owned(), k, stride), Kmer::new("kmer".to_owned(), k, stride).canonical()] {
                    let (mut tokens, mut ids) = (Vec::new(), vec![77]);
                    kmer.encode(&bases, &mut tokens);
                    kmer.ids(&bases, &mut vec![7], &mut ids);
                    let expected: Vec<u32> = [77].into_iter().chain(tokens.iter().map(|token| token.id)).collect();
                    prop_assert_eq!(ids, expected, "{} {}", k, stride);
                }
            }
        }

        #[test]
        fn both_strands_have_the_same_canonical_words(bases in "[ACGT]{0,60}", k in 1usize..=MOST) {
            let kmer = Kmer::new("kmer".to_owned(), k, 1).canonical();
            let (mut given, mut other) = (Vec::new(), Vec::new());
            kmer.ids(bases.as_bytes(), &mut Vec::new(), &mut given);
            kmer.ids(&dna::reverse_complement(bases.as_bytes()), &mut Vec::new(), &mut other);
            other.reverse();
            prop_assert_eq!(given, other);
        }
    }
}
