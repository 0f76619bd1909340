//! Fitted tokenizers (vocabulary, token counts, baseline), learned once per corpus and span length and kept in the store.

use std::path::Path;

use dataset::Corpus;
use experiment::store::{Found, Store};
use protocol::{Fitted, PriorKind};
use tokenize::{Recipe, Registry};

use crate::error::{Error, ErrorKind, Result};

/// Incremented manually when the content of a fitted tokenizer changes.
const VERSION: u32 = 2;
/// File name in the store.
const FILE: &str = "fitted.json";

/// The recipe of a canonical name; `location`: the path of a `file:` tokenizer, the command of an `exec:` one.
pub(crate) fn recipe(tokenizers: &Registry, canonical: &str, location: Option<&Path>) -> Result<Recipe> {
    let Some(path) = location else {
        return Ok(tokenizers.parse(canonical)?);
    };
    // Absolute, or with a prefix: never the name of a family.
    let recipe = tokenizers.parse(&path.to_string_lossy())?;
    if recipe.name != canonical {
        return Err(Error::new(
            ErrorKind::Data,
            format!("{} has changed: it is now {}", path.display(), recipe.name),
            "run \"tokbench compare\" again",
        ));
    }
    Ok(recipe)
}

/// Loads a fitted tokenizer from the store, or fits and stores it. `say` receives warnings about corrupt files.
///
/// # Errors
/// If the vocabulary cannot be learned from the corpus, or the store cannot be written.
pub fn fit(
    store: &Store,
    recipe: &Recipe,
    corpus: &Corpus,
    span: usize,
    prior: Option<PriorKind>,
    say: &mut dyn FnMut(String),
) -> Result<Fitted> {
    let text = format!("{VERSION} {} {}", corpus.hash(), Fitted::fingerprint(recipe, span, prior));
    let key = blake3::hash(text.as_bytes()).to_hex().to_string();
    match store.fitted(&key, FILE)? {
        Found::Done(bytes) => match Fitted::load(recipe, &bytes, span, prior) {
            Ok(fitted) => return Ok(fitted),
            Err(error) => say(format!("warning: {error}; fitting again")),
        },
        Found::SetAside { reason, moved_to } => say(format!(
            "warning: {} was corrupt ({reason}) and renamed to {}; fitting again",
            recipe.name,
            moved_to.display()
        )),
        Found::Missing => {}
    }
    let segments: Vec<&[u8]> = corpus.training_segments().collect();
    let fitted = Fitted::fit(recipe, &segments, span, prior)?;
    store.put_fitted(&key, FILE, &fitted.save(span))?;
    Ok(fitted)
}
