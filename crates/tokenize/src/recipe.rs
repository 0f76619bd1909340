//! What there is to know of one tokenizer before it is built: all that others ask about it, said by its family.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::error::Error;
use crate::frontend::Frontend;
use crate::token::{Reading, Tokenizer};

/// Largest K in front of a model: 4^8 tokens still fit an embedding matrix.
pub const MAX_K_OF_MODELS: usize = 8;
/// Tokens per base of a byte-pair encoding of 4096 entries: what is taken for every tokenizer of variable length that says nothing else.
const TOKENS_PER_BASE: f64 = 0.21;
/// Bases of a token in a masked span at the least, in the mean of the span, likewise.
const BASES_PER_TOKEN: usize = 3;

type Fit = dyn Fn(&mut dyn Iterator<Item = &[u8]>) -> Result<Arc<dyn Tokenizer>, Error> + Send + Sync;
type Load = dyn Fn(&[u8]) -> Result<Arc<dyn Tokenizer>, Error> + Send + Sync;

/// How to get a tokenizer: its canonical name, its front end, how its vocabulary comes about, and what is known of it before. Families
/// begin with [`Recipe::fixed`] or [`Recipe::learned`] and say what is otherwise: `Recipe { controls, ..Recipe::fixed(tokenizer) }`.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// Canonical name: what is hashed, never the spelling.
    pub name: String,
    /// Short name for legends; several tokenizers may have the same.
    pub label: String,
    /// Stem of its family; the registry fills it in.
    pub family: &'static str,
    /// What stands between its ids and the encoder.
    pub frontend: Frontend,
    /// How it reads a sequence.
    pub reading: Reading,
    /// Whether its vocabulary is learned on training text.
    pub learned_vocabulary: bool,
    /// Entries of its vocabulary, special ids included; the number asked for where it is learned.
    pub vocabulary: usize,
    /// Encoder tokens per base, for estimates (1 for `base`, about 0.2 for BPE).
    pub tokens_per_base: f64,
    /// Bases of a token in a masked span at the least, in the mean of the span, for estimates.
    pub bases_per_token: usize,
    /// Canonical names of the tokenizers that stand beside it as controls, where controls are asked for.
    pub controls: Vec<String>,
    /// The file that it was read from, where it was.
    pub location: Option<PathBuf>,
    /// How it is built. Opaque: [`Recipe::fixed`] and [`Recipe::learned`] make it.
    pub build: Build,
}

/// How a tokenizer is built: from training text, or from what was saved.
#[derive(Clone)]
pub struct Build {
    fingerprint: String,
    fit: Arc<Fit>,
    load: Arc<Load>,
}

impl fmt::Debug for Build {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Build").field("fingerprint", &self.fingerprint).finish_non_exhaustive()
    }
}

impl Recipe {
    /// A tokenizer that needs no training text.
    pub fn fixed(tokenizer: Arc<dyn Tokenizer>) -> Recipe {
        let again = Arc::clone(&tokenizer);
        let name = tokenizer.name().to_owned();
        let (reading, vocabulary) = (tokenizer.reading(), tokenizer.vocabulary().len());
        let fit: Arc<Fit> = Arc::new(move |_| Ok(Arc::clone(&tokenizer)));
        let load: Arc<Load> = Arc::new(move |_| Ok(Arc::clone(&again)));
        let build = Build { fingerprint: name.clone(), fit, load };
        Recipe { learned_vocabulary: false, ..Recipe::new(name, reading, vocabulary, build) }
    }

    /// A tokenizer whose vocabulary of `size` entries is learned. `settings`: whatever determines, beside its name and the training
    /// text, what is learned; the family says it, from the constants that it uses.
    pub fn learned(
        name: String,
        reading: Reading,
        size: usize,
        settings: &str,
        fit: impl Fn(&mut dyn Iterator<Item = &[u8]>) -> Result<Arc<dyn Tokenizer>, Error> + Send + Sync + 'static,
        load: impl Fn(&[u8]) -> Result<Arc<dyn Tokenizer>, Error> + Send + Sync + 'static,
    ) -> Recipe {
        let fingerprint = format!("{name}: {settings}");
        let build = Build { fingerprint, fit: Arc::new(fit), load: Arc::new(load) };
        Recipe::new(name, reading, size, build)
    }

    /// With what follows from a name and a reading.
    fn new(name: String, reading: Reading, vocabulary: usize, build: Build) -> Recipe {
        let tokens_per_base = match reading {
            Reading::Tiling(Some(k)) => 1.0 / k as f64,
            Reading::Sliding { stride, .. } => 1.0 / stride as f64,
            Reading::Tiling(None) => TOKENS_PER_BASE,
        };
        Recipe {
            label: name.clone(),
            name,
            family: "",
            frontend: Frontend::Lookup,
            reading,
            learned_vocabulary: true,
            vocabulary,
            tokens_per_base,
            bases_per_token: reading.fixed().unwrap_or(BASES_PER_TOKEN),
            controls: Vec::new(),
            location: None,
            build,
        }
    }

    /// Tokens that are scored in a masked span of `span` bases, at most, for estimates.
    #[must_use]
    pub fn tokens_per_span(&self, span: usize) -> usize {
        span.div_ceil(self.bases_per_token.max(1))
    }

    /// Whether its code length is that of the bases. Tokens of a fixed length spell a span in one way only; of a tokenizer of variable
    /// length only the one segmentation that it gives is scored, so its code length is an upper bound.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.reading.fixed().is_some()
    }

    /// Its name and whatever else determines its vocabulary, the training text aside: two recipes with one fingerprint learn the
    /// same from the same text.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.build.fingerprint
    }

    /// Builds the tokenizer, learning its vocabulary from `pieces` of training text where it needs one.
    ///
    /// # Errors
    /// If the text cannot give such a vocabulary.
    pub fn fit(&self, pieces: &mut dyn Iterator<Item = &[u8]>) -> Result<Arc<dyn Tokenizer>, Error> {
        (self.build.fit)(pieces)
    }

    /// Builds the tokenizer from what [`Tokenizer::save`] gave.
    ///
    /// # Errors
    /// If the bytes are not such a tokenizer.
    pub fn load(&self, saved: &[u8]) -> Result<Arc<dyn Tokenizer>, Error> {
        (self.build.load)(saved)
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
        if let Some(k) = self.reading.fixed().filter(|&k| k > MAX_K_OF_MODELS) {
            let most = MAX_K_OF_MODELS;
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
