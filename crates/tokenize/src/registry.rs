//! The one list of tokenizers: parsing, help, tests and legends iterate over [`KINDS`].

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use crate::error::Error;
use crate::families::{bpe, file, kmer, mxdna, randomcut, unigram, wordpiece};
use crate::frontend::Frontend;
use crate::name::Name;
use crate::token::{Reading, Tokenizer};

/// A family of names.
pub struct Kind {
    /// Stem of its names.
    pub stem: &'static str,
    /// How its names are written.
    pub pattern: &'static str,
    /// One line for people.
    pub help: &'static str,
    /// Names that tests, benches and suggestions use.
    pub examples: &'static [&'static str],
    /// From a parsed name with this stem to a recipe; `None`: not one of mine.
    pub resolve: fn(&Name) -> Option<Result<Recipe, Error>>,
}

/// Every family, in the order in which people should see them.
pub const KINDS: &[Kind] = &[
    kmer::BASE,
    mxdna::BASE_DEEP,
    kmer::KMER,
    bpe::BPE,
    unigram::UNIGRAM,
    wordpiece::WORDPIECE,
    randomcut::RANDOMCUT,
    mxdna::MXDNA,
    file::FILE,
];

type Fit = dyn Fn(&mut dyn Iterator<Item = &[u8]>) -> Result<Arc<dyn Tokenizer>, Error> + Send + Sync;
type Load = dyn Fn(&[u8]) -> Result<Arc<dyn Tokenizer>, Error> + Send + Sync;

/// How to get a tokenizer: its canonical name, its front end, and how its vocabulary comes about.
#[derive(Clone)]
pub struct Recipe {
    /// Canonical name: what is hashed, never the spelling.
    pub name: String,
    /// What stands between its ids and the encoder.
    pub frontend: Frontend,
    /// How it reads a sequence.
    pub reading: Reading,
    /// Whether its vocabulary is learned on training text.
    pub learned_vocabulary: bool,
    fingerprint: String,
    fit: Arc<Fit>,
    load: Arc<Load>,
}

impl fmt::Debug for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recipe").field("name", &self.name).field("frontend", &self.frontend).finish_non_exhaustive()
    }
}

impl Recipe {
    /// A tokenizer that needs no training text.
    pub fn fixed(name: String, frontend: Frontend, reading: Reading, tokenizer: Arc<dyn Tokenizer>) -> Recipe {
        let again = Arc::clone(&tokenizer);
        Recipe {
            fingerprint: name.clone(),
            name,
            frontend,
            reading,
            learned_vocabulary: false,
            fit: Arc::new(move |_| Ok(Arc::clone(&tokenizer))),
            load: Arc::new(move |_| Ok(Arc::clone(&again))),
        }
    }

    /// A tokenizer whose vocabulary is learned. `settings`: whatever determines, beside its name and the training text, what is
    /// learned; the family says it, from the constants that it uses.
    pub fn learned(
        name: String,
        reading: Reading,
        settings: &str,
        fit: impl Fn(&mut dyn Iterator<Item = &[u8]>) -> Result<Arc<dyn Tokenizer>, Error> + Send + Sync + 'static,
        load: impl Fn(&[u8]) -> Result<Arc<dyn Tokenizer>, Error> + Send + Sync + 'static,
    ) -> Recipe {
        Recipe {
            fingerprint: format!("{name}: {settings}"),
            name,
            frontend: Frontend::Lookup,
            reading,
            learned_vocabulary: true,
            fit: Arc::new(fit),
            load: Arc::new(load),
        }
    }

    /// Its name and whatever else determines its vocabulary, the training text aside: two recipes with one fingerprint learn the
    /// same from the same text.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Builds the tokenizer, learning its vocabulary from `pieces` of training text where it needs one.
    ///
    /// # Errors
    /// If the text cannot give such a vocabulary.
    pub fn fit(&self, pieces: &mut dyn Iterator<Item = &[u8]>) -> Result<Arc<dyn Tokenizer>, Error> {
        (self.fit)(pieces)
    }

    /// Builds the tokenizer from what [`Tokenizer::save`] gave.
    ///
    /// # Errors
    /// If the bytes are not such a tokenizer.
    pub fn load(&self, saved: &[u8]) -> Result<Arc<dyn Tokenizer>, Error> {
        (self.load)(saved)
    }

    /// Checks that this tokenizer can stand in front of a model, and that hidden spans of `span` bases can be paid for exactly once
    /// (`docs/protocol.md#each-masked-base-is-coded-once`).
    ///
    /// # Errors
    /// If its vocabulary is larger than an embedding can be, if K does not divide the span (names one that it does), or if the stride
    /// does not divide K.
    pub fn check_span(&self, span: usize) -> Result<(), Error> {
        let refuse =
            |reason: String, remedy: String| Err(Error::Span { name: self.name.clone(), span, reason, remedy });
        if let Some(k) = self.reading.fixed().filter(|&k| k > kmer::MAX_K_OF_MODELS) {
            let most = kmer::MAX_K_OF_MODELS;
            return Err(Error::Name {
                name: self.name.clone(),
                reason: format!("no model here embeds every word of {k} bases"),
                remedy: format!("use K of at most {most} in front of a model, or \"bpe4096\" for longer tokens"),
            });
        }
        if let Reading::Sliding { k, stride } = self.reading
            && !k.is_multiple_of(stride)
        {
            return refuse(
                format!("the stride {stride} does not divide K = {k}, so tokens cannot tile a span"),
                format!("use a stride that divides {k}"),
            );
        }
        match self.reading.fixed() {
            Some(k) if !span.is_multiple_of(k) => refuse(
                format!("K = {k} does not divide it"),
                format!("set masking.span = {} for all tokenizers", lcm(span, k)),
            ),
            _ => Ok(()),
        }
    }
}

fn lcm(a: usize, b: usize) -> usize {
    let (mut x, mut y) = (a, b);
    while y != 0 {
        (x, y) = (y, x % y);
    }
    a / x.max(1) * b
}

/// From a name, or the path of a `tokenizer.json` with or without `file:` before it, to a recipe. The file is read at every call.
///
/// # Errors
/// For a name that no family knows (with the nearest known one) or whose number or word does not fit.
pub fn parse(name: &str) -> Result<Recipe, Error> {
    if let Some(path) = path_in(name) {
        return file::open(path);
    }
    if let Some(parsed) = Name::parse(name) {
        for kind in KINDS.iter().filter(|kind| kind.stem == parsed.stem) {
            if let Some(result) = (kind.resolve)(&parsed) {
                return result;
            }
        }
    }
    Err(Error::Unknown { name: name.to_owned(), nearest: nearest(name) })
}

/// The path of a file that a name is, with `file:` before it or left out: no family has such letters in its names, or there is such
/// a file and no such family.
#[must_use]
pub fn path_in(name: &str) -> Option<&str> {
    let known = || Name::parse(name).is_some_and(|name| KINDS.iter().any(|kind| kind.stem == name.stem));
    let bare = || name.contains(['/', '\\', '.']) || Path::new(name).exists() && !known();
    name.trim().strip_prefix("file:").or_else(|| bare().then_some(name))
}

/// Every example name of every family.
pub fn examples() -> impl Iterator<Item = &'static str> {
    KINDS.iter().flat_map(|kind| kind.examples.iter().copied())
}

fn nearest(name: &str) -> Option<String> {
    let name = name.to_ascii_lowercase();
    examples()
        .map(|example| (strsim::damerau_levenshtein(&name, example), example))
        .filter(|(distance, example)| *distance <= example.len().div_ceil(2))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, example)| example.to_owned())
}
