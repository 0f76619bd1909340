//! `base`, `kmer<K>`, `kmer<K>-nonoverlap`, `kmer<K>-stride<S>`: tokens of a fixed number of bases.
//!
//! Every letter other than A, C, G, T is one \[UNK\]; the segments between are encoded separately. A segment shorter than k, and
//! the remainder at the ends of a segment, become shorter tokens, so that no base is lost. Starts are multiples of the stride
//! counted from the start of the sequence.

pub mod codes;
mod segments;

use std::sync::Arc;

use bpe::huggingface::file::File;
use codes::{MAX_K, Strand, codes};
use dna::letters::leading_bases;
use dna::{digit, is_base};

use crate::FrontendConfig;
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
        if name.words == [("deep".to_owned(), None)] {
            return Some(Err(Error::Name {
                name: name.written.clone(),
                reason: "it is now called \"unpooled\"".to_owned(),
                remedy: "use \"unpooled\"; records under the old name are still read".to_owned(),
            }));
        }
        if name.number.is_some() || !name.words.is_empty() {
            return None;
        }
        Some(Ok(recipe("base".to_owned(), FrontendConfig::Lookup, 1, 1)))
    },
};

/// `kmer<K>` and its strides.
pub const KMER: Family = Family {
    stem: "kmer",
    pattern: "kmer<K>[-nonoverlap | -stride<S>]",
    help: "k-mers, K from 1 to 8 (to 12 without a model): overlapping, non-overlapping, or with stride S",
    examples: &["kmer3", "kmer6", "kmer6-nonoverlap", "kmer6-stride3"],
    resolve: |name| {
        Some(parse(name).map(|(canonical, k, stride)| recipe(canonical, FrontendConfig::Lookup, k, stride)))
    },
};

/// Canonical name, k, and stride of a name.
fn parse(name: &Name) -> Result<(String, usize, usize), Error> {
    let wrong =
        |reason: String, remedy: &str| Error::Name { name: name.written.clone(), reason, remedy: remedy.to_owned() };
    let Some(k) = name.number else {
        return Err(wrong(
            "missing K, the number of bases per token".into(),
            "add it to the stem, for example \"kmer6\"",
        ));
    };
    if k == 0 || k > MAX_K as u64 {
        return Err(wrong(
            format!("K = {k} is not between 1 and {MAX_K}"),
            "use a smaller K (the vocabulary has 4^K entries), or \"bpe4096\" for longer tokens",
        ));
    }
    let stride = match name.words.as_slice() {
        [] => 1,
        [(word, None)] if word == "nonoverlap" => k,
        [(word, Some(stride))] if word == "stride" => *stride,
        _ => {
            return Err(wrong("unknown variant".into(), "use \"-nonoverlap\" or \"-stride<S>\""));
        }
    };
    if stride == 0 || stride > k {
        return Err(wrong(format!("a stride of {stride} would skip bases"), "use a stride from 1 to K"));
    }
    let canonical = match stride {
        _ if k == 1 => "base".to_owned(),
        1 => format!("kmer{k}"),
        s if s == k => format!("kmer{k}-nonoverlap"),
        s => format!("kmer{k}-stride{s}"),
    };
    Ok((canonical, k as usize, stride as usize))
}

/// The tokenizer of a name of these two families; `None` for all other names.
#[must_use]
pub fn named(name: &str) -> Option<Kmer> {
    let name = Name::parse(name)?;
    match name.stem.as_str() {
        "base" if name.number.is_none() && name.words.is_empty() => Some(Kmer::new("base".to_owned(), 1, 1)),
        "kmer" => parse(&name).ok().map(|(canonical, k, stride)| Kmer::new(canonical, k, stride)),
        _ => None,
    }
}

/// A recipe of k-mers with this name and front end.
pub(super) fn recipe(name: String, frontend: FrontendConfig, k: usize, stride: usize) -> Recipe {
    Recipe { frontend, ..Recipe::fixed(Arc::new(Kmer::new(name, k, stride))) }
}

/// k-mers with a stride.
#[derive(Clone, Debug)]
pub struct Kmer {
    name: String,
    k: usize,
    stride: usize,
    strand: Strand,
    vocabulary: Vocabulary,
}

impl Kmer {
    /// k-mers (`k` from 1 to 12) that start every `stride` bases (1 to `k`). Ids: all k-mers in alphabetical order from 5 on, then
    /// all (k-1)-mers, and so on down to single bases ([`Vocabulary::kmers`]).
    ///
    /// # Panics
    /// If `k` or `stride` is out of range.
    #[must_use]
    pub fn new(name: String, k: usize, stride: usize) -> Self {
        assert!((1..=MAX_K).contains(&k) && (1..=k).contains(&stride), "invalid k-mers: k = {k}, stride = {stride}");
        Kmer { name, k, stride, strand: Strand::Given, vocabulary: Vocabulary::kmers(k) }
    }

    /// Uses canonical k-mers: the id of a k-mer or of its reverse complement, whichever is alphabetically first. With stride 1,
    /// both strands of a text have the same ids. For counting and for indices; models are not scored on them, since ids no longer
    /// determine the text.
    ///
    /// ```
    /// use tokenize::{Tokenizer, kmer};
    /// let kmers = kmer::named("kmer2").unwrap().canonical();
    /// let mut tokens = Vec::new();
    /// kmers.encode(b"ACGTN", &mut tokens);
    /// // GT is the reverse complement of AC.
    /// assert_eq!(tokens.iter().map(|token| token.id).collect::<Vec<_>>(), [6, 11, 6, 0]);
    /// ```
    #[must_use]
    pub fn canonical(self) -> Self {
        Kmer { strand: Strand::Canonical, name: format!("{}, canonical", self.name), ..self }
    }

    /// Id of 1 to k letters of A, C, G, T.
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

    /// Non-overlapping k-mers as a `tokenizer.json` that gives the same ids.
    ///
    /// # Errors
    /// If the k-mers overlap or k is too large.
    pub fn to_file(&self) -> Result<File, Error> {
        let Reading::Tiling(Some(k)) = self.reading() else {
            return Err(Error::Name {
                name: self.name().to_owned(),
                reason: "its k-mers overlap, and a tokenizer.json assigns each base to one token only".to_owned(),
                remedy: "use non-overlapping k-mers (\"kmer6-nonoverlap\"), or encode with \"tokbench tokenizer encode\" and train on the ids"
                    .to_owned(),
            });
        };
        if k > MAX_K_OF_MODELS {
            return Err(Error::Name {
                name: self.name().to_owned(),
                reason: format!("a list of all {k}-mers is too large for a tokenizer.json"),
                remedy: format!("use K <= {MAX_K_OF_MODELS}"),
            });
        }
        Ok(File::of_kmers(k, self.name()))
    }

    /// Appends the ids that [`Tokenizer::encode`] gives, without spans: several times faster. `codes_buffer` is scratch space.
    pub fn ids(&self, bases: &[u8], codes_buffer: &mut Vec<u32>, ids: &mut Vec<u32>) {
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
                codes(&bases[first..rest], self.k, self.strand, codes_buffer);
                let starts = codes_buffer.iter().step_by(self.stride);
                covered = first + (starts.len() - 1) * self.stride + self.k;
                ids.extend(starts.map(|&code| SPECIALS + code));
            }
            if covered < rest {
                ids.push(self.id(&bases[covered..rest]));
            }
        }
    }

    /// Start of the first k-mer of a segment: a multiple of the stride, or for non-overlapping k-mers the start of the segment.
    fn first(&self, from: usize, to: usize) -> usize {
        if self.stride == self.k { from } else { from.next_multiple_of(self.stride).min(to) }
    }

    fn encode_segment(&self, bases: &[u8], from: usize, to: usize, out: &mut Vec<Token>) {
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
                self.encode_segment(bases, from, i, out);
                out.push(Token { id: UNK, start: i as u32, end: i as u32 + 1 });
                from = i + 1;
            }
        }
        self.encode_segment(bases, from, bases.len(), out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn overlapping_kmers() {
        let kmer = Kmer::new("kmer3".into(), 3, 1);
        let mut out = Vec::new();
        kmer.encode(b"ACGTNAC", &mut out);
        let kmers: Vec<&[u8]> = out.iter().map(|t| kmer.vocabulary().bases(t.id).unwrap_or(b"N")).collect();
        assert_eq!(kmers, [b"ACG".as_slice(), b"CGT", b"N", b"AC"]);
        assert_eq!(out[0].id, SPECIALS + 6);
    }

    #[test]
    fn strided_kmers_start_at_multiples_of_the_stride() {
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
        for name in ["kmer13", "kmer6-stride7", "kmer", "base2", "unpooled", "bpe512", "mxdna"] {
            assert!(named(name).is_none(), "{name}");
        }
    }

    proptest! {
        #[test]
        fn ids_alone_are_those_of_the_tokens(bases in prop::collection::vec(prop::sample::select(b"ACGTACGTACGTACGTN-".to_vec()), 0..120)) {
            for (k, stride) in (1..=MAX_K).flat_map(|k| (1..=k).map(move |stride| (k, stride))) {
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
        fn both_strands_have_the_same_canonical_kmers(bases in "[ACGT]{0,60}", k in 1usize..=MAX_K) {
            let kmer = Kmer::new("kmer".to_owned(), k, 1).canonical();
            let (mut given, mut other) = (Vec::new(), Vec::new());
            kmer.ids(bases.as_bytes(), &mut Vec::new(), &mut given);
            kmer.ids(&dna::reverse_complement(bases.as_bytes()), &mut Vec::new(), &mut other);
            other.reverse();
            prop_assert_eq!(given, other);
        }
    }
}
