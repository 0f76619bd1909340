//! Vocabularies, learned once per corpus and span and kept in the store under their own key.

use std::path::Path;

use dataset::Corpus;
use experiment::store::{Found, Store};
use protocol::Fitted;
use tokenize::families::file;
use tokenize::{Recipe, Registry};

use crate::error::{Error, ErrorKind, Result};

/// Raised by hand when the meaning of a fitted vocabulary changes.
const VERSION: u32 = 1;
/// Name of the file in the store.
const FILE: &str = "fitted.json";

/// The recipe behind a canonical name; `location` is the path behind a `file:` name.
pub(crate) fn recipe(tokenizers: &Registry, canonical: &str, location: Option<&Path>) -> Result<Recipe> {
    let Some(path) = location else {
        return Ok(tokenizers.parse(canonical)?);
    };
    let recipe = file::open(&path.to_string_lossy())?;
    if recipe.name != canonical {
        return Err(Error::new(
            ErrorKind::Data,
            format!("{} has changed: it is now {}", path.display(), recipe.name),
            "plan again",
        ));
    }
    Ok(recipe)
}

/// The fitted tokenizer: from the store, or learned now and kept. `say` is told of files that were damaged.
///
/// # Errors
/// If the corpus cannot give such a vocabulary, or the store cannot be written.
pub fn fit(
    store: &Store,
    recipe: &Recipe,
    corpus: &Corpus,
    span: usize,
    say: &mut dyn FnMut(String),
) -> Result<Fitted> {
    let text = format!("{VERSION} {} {}", corpus.hash(), Fitted::fingerprint(recipe, span));
    let key = blake3::hash(text.as_bytes()).to_hex().to_string();
    match store.fitted(&key, FILE)? {
        Found::Done(bytes) => match Fitted::load(recipe, &bytes, span) {
            Ok(fitted) => return Ok(fitted),
            Err(error) => say(format!("warning: {error}; it is learned again")),
        },
        Found::SetAside { reason, moved_to } => say(format!(
            "warning: {} was damaged ({reason}) and set aside as {}; it is learned again",
            recipe.name,
            moved_to.display()
        )),
        Found::Missing => {}
    }
    let pieces: Vec<&[u8]> = corpus.training_pieces().collect();
    let fitted = Fitted::fit(recipe, &pieces, span)?;
    store.put_fitted(&key, FILE, &fitted.save(span))?;
    Ok(fitted)
}
