//! Tokenizers that are applied as they are: by name, or from a file.

use std::any::Any;
use std::path::Path;
use std::sync::Arc;

use bpe::HuggingFace;
use tokenize::kmer::Kmer;
use tokenize::{Registry, Tokenizer};

use super::standard::{STANDARD_INPUT, is_standard_input, standard_input};
use crate::failure::{Failure, USAGE, invalid, needs_no_model};

/// A tokenizer that needs no training text, and its external ids.
pub(crate) struct Loaded {
    pub(crate) tokenizer: Arc<dyn Tokenizer>,
    /// The tokenizer.json that it was read from, if any.
    pub(crate) file: Option<Arc<HuggingFace>>,
    /// The k-mers, if it is a k-mer tokenizer.
    pub(crate) kmer: Option<Arc<Kmer>>,
    pub(crate) ids: Ids,
}

/// External ids (those of outputs and inputs), indexed by internal id (special ids first, the same for all tokenizers).
#[derive(Clone)]
pub(crate) enum Ids {
    /// The internal ids themselves, and their number.
    Internal(u32),
    /// Those of a tokenizer.json; `None`: a special token that it lacks.
    Listed(Vec<Option<u32>>),
}

impl Ids {
    pub(crate) fn new(listed: &[Option<u32>]) -> Ids {
        if listed.iter().copied().eq((0..listed.len() as u32).map(Some)) {
            Ids::Internal(listed.len() as u32)
        } else {
            Ids::Listed(listed.to_vec())
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Ids::Internal(count) => *count as usize,
            Ids::Listed(listed) => listed.len(),
        }
    }

    /// The external id of an internal one; `u32::MAX`, which no file has, where there is none (letters without an id are refused
    /// earlier).
    pub(crate) fn external(&self, internal: u32) -> u32 {
        match self {
            Ids::Internal(_) => internal,
            Ids::Listed(listed) => listed[internal as usize].unwrap_or(u32::MAX),
        }
    }

    /// The largest external id.
    pub(crate) fn largest(&self) -> u32 {
        match self {
            Ids::Internal(count) => count.saturating_sub(1),
            Ids::Listed(listed) => listed.iter().copied().flatten().max().unwrap_or_default(),
        }
    }
}

impl Loaded {
    pub(crate) fn of(file: HuggingFace) -> Loaded {
        let file = Arc::new(file);
        Loaded::new(Arc::<HuggingFace>::clone(&file), Some(file), None)
    }

    pub(crate) fn new(
        tokenizer: Arc<dyn Tokenizer>,
        file: Option<Arc<HuggingFace>>,
        kmer: Option<Arc<Kmer>>,
    ) -> Loaded {
        let own = || Ids::Internal(tokenizer.vocabulary().len() as u32);
        let ids = file.as_ref().map_or_else(own, |file| Ids::new(file.file_ids()));
        Loaded { tokenizer, file, kmer, ids }
    }
}

/// Loads a tokenizer: a name of the registry, or the path of a tokenizer.json with or without the prefix `file:`; `-` is standard
/// input.
pub(crate) fn open(tokenizers: &Registry, name: &str) -> Result<Loaded, Failure> {
    if is_standard_input(Path::new(name)) {
        return Ok(Loaded::of(HuggingFace::from_json(STANDARD_INPUT.to_owned(), &standard_input()?, STANDARD_INPUT)?));
    }
    if Path::new(name).is_dir() {
        return Err(invalid(format!("{name} is a folder"), "name the tokenizer.json in it"));
    }
    let recipe = tokenizers.parse(name)?;
    if recipe.learned_vocabulary {
        return Err(Failure::new(
            USAGE,
            format!("{} must be trained first", recipe.name),
            "train a BPE with \"tokbench tokenizer train --vocab-size V --output tokenizer.json FILE\", then name that file",
        ));
    }
    needs_no_model(&recipe, "use \"base\" for its input, and \"tokbench look\" for the units of a trained model")?;
    let tokenizer = recipe.fit(&mut std::iter::empty())?;
    // These two types have faster methods for many sequences.
    let any: Arc<dyn Any + Send + Sync> = Arc::<dyn Tokenizer>::clone(&tokenizer);
    let (file, kmer) = match any.downcast::<HuggingFace>() {
        Ok(file) => (Some(file), None),
        Err(any) => (None, any.downcast::<Kmer>().ok()),
    };
    Ok(Loaded::new(tokenizer, file, kmer))
}
