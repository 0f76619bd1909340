//! [`Recipe`]: everything that is known of a tokenizer before it is built, as its family defines it.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::error::Error;
use crate::frontend::FrontendConfig;
use crate::token::{Reading, Tokenizer};

/// Largest k for a model: 4^8 tokens still fit an embedding matrix.
pub const MAX_K_OF_MODELS: usize = 8;
/// Tokens per base of a byte-pair encoding with 4096 entries: the default estimate for tokenizers of variable length.
const TOKENS_PER_BASE: f64 = 0.21;
/// Lower estimate of the mean token length in masked spans: the default for tokenizers of variable length.
const BASES_PER_TOKEN: usize = 3;

type Fit = dyn Fn(&mut dyn Iterator<Item = &[u8]>) -> Result<Arc<dyn Tokenizer>, Error> + Send + Sync;
type Load = dyn Fn(&[u8]) -> Result<Arc<dyn Tokenizer>, Error> + Send + Sync;

/// How to build a tokenizer, and what is known of it before: canonical name, front end, reading, sizes for estimates, controls.
/// Families start from [`Recipe::fixed`] or [`Recipe::learned`] and override fields: `Recipe { controls, ..Recipe::fixed(tokenizer)
/// }`.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// Canonical name, which is part of run keys; spellings are not.
    pub name: String,
    /// Short name for legends; need not be unique.
    pub label: String,
    /// Stem of its family; set by the registry.
    pub family: &'static str,
    /// Front end between its ids and the encoder.
    pub frontend: FrontendConfig,
    /// How it reads a sequence: tiling or sliding.
    pub reading: Reading,
    /// Whether its vocabulary is learned on training text.
    pub learned_vocabulary: bool,
    /// Vocabulary size, special ids included; the requested size if it is learned.
    pub vocabulary: usize,
    /// Encoder tokens per base, for estimates (1 for `base`, about 0.2 for BPE).
    pub tokens_per_base: f64,
    /// Lower estimate of the mean token length in masked spans, in bases.
    pub bases_per_token: usize,
    /// Canonical names of its controls, which are added if controls are requested.
    pub controls: Vec<String>,
    /// The file from which it was loaded, or the command that starts it (with the prefix `exec:`), if any.
    pub location: Option<PathBuf>,
    /// How it is built. Opaque: set by [`Recipe::fixed`] and [`Recipe::learned`].
    pub build: Build,
}

/// How a tokenizer is built: from training text, or from saved data.
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

    /// A tokenizer with a learned vocabulary of `size` entries. `settings` names everything except its name and the training text
    /// that determines the vocabulary; families build it from the constants that they use.
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

    /// Defaults that follow from name and reading.
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
            frontend: FrontendConfig::Lookup,
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

    /// Estimated maximum number of tokens that are scored in a masked span of `span` bases.
    #[must_use]
    pub fn tokens_per_span(&self, span: usize) -> usize {
        span.div_ceil(self.bases_per_token.max(1))
    }

    /// Whether its code length equals that of the bases. Tokens of fixed length spell a span in one way only; for variable length
    /// only the tokenizer's own segmentation is scored, so the code length is an upper bound.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.reading.fixed().is_some()
    }

    /// Its name and everything except the training text that determines its vocabulary: two recipes with equal fingerprints learn
    /// the same vocabulary from the same text.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.build.fingerprint
    }

    /// Builds the tokenizer and learns its vocabulary from `texts` of the training split if necessary.
    ///
    /// # Errors
    /// If the text does not suffice for such a vocabulary.
    pub fn fit(&self, texts: &mut dyn Iterator<Item = &[u8]>) -> Result<Arc<dyn Tokenizer>, Error> {
        (self.build.fit)(texts)
    }

    /// Restores the tokenizer from the result of [`Tokenizer::save`].
    ///
    /// # Errors
    /// If the bytes are not a tokenizer of this kind.
    pub fn load(&self, saved: &[u8]) -> Result<Arc<dyn Tokenizer>, Error> {
        (self.build.load)(saved)
    }

    /// Checks that the tokenizer can be used with a model and that masked spans of `span` bases can be coded exactly once
    /// (`docs/protocol.md#each-masked-base-is-coded-once`).
    ///
    /// # Errors
    /// If its vocabulary is too large for an embedding matrix, if k does not divide the span (the error suggests a valid span), or
    /// if the stride does not divide k.
    pub fn check_span(&self, span: usize) -> Result<(), Error> {
        let refuse =
            |reason: String, remedy: String| Err(Error::Span { name: self.name.clone(), span, reason, remedy });
        if let Some(k) = self.reading.fixed().filter(|&k| k > MAX_K_OF_MODELS) {
            let most = MAX_K_OF_MODELS;
            return Err(Error::Name {
                name: self.name.clone(),
                reason: format!("a vocabulary of all {k}-mers is too large for a model"),
                remedy: format!("use K <= {most} with a model, or \"bpe4096\" for longer tokens"),
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
                format!("K = {k} does not divide the span"),
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
