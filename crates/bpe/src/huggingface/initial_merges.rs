//! Merges of an existing vocabulary, from which training continues ([`crate::train::Options::initial_merges`]).

use std::collections::HashMap;

use serde_json::{Value, json};

use super::check::merge_parts;
use super::tokenizer::HuggingFace;
use crate::error::Error;
use crate::vocabulary::{SPECIAL_NAMES, SPECIALS};

/// The merges of a `tokenizer.json` in the layout that [`crate::huggingface::to_json`] writes (DNABERT-2): five special ids, A, C,
/// G, T, then one token per merge, in order. `origin` names the file in errors.
///
/// # Errors
/// If the file has another layout, so that its ids could not be kept.
pub fn initial_merges(json: &[u8], origin: &str) -> Result<Vec<(u32, u32)>, Error> {
    let failed = |reason: String| {
        Error::File {
        path: origin.to_owned(),
        reason,
        remedy: "use a file that \"tokbench tokenizer train\" has written: a BPE of 5 special ids, A, C, G, T and one token per \
                 merge, in this order"
            .to_owned(),
    }
    };
    // Invalid files give the same errors as everywhere else.
    let tokenizer = HuggingFace::from_json(origin.to_owned(), json, origin)?;
    let parsed: Value = serde_json::from_slice(tokenizer.json()).map_err(|e| failed(format!("not JSON: {e}")))?;
    let model = &parsed["model"];
    for (part, expected) in [("normalizer", Value::Null), ("pre_tokenizer", json!({"type": "Whitespace"}))] {
        if parsed[part] != expected {
            return Err(failed(format!("its {part} is not supported and would be lost")));
        }
    }
    let (Some(vocabulary), Some(merges)) = (model["vocab"].as_object(), model["merges"].as_array()) else {
        return Err(failed("it contains no BPE vocabulary and merges".to_owned()));
    };
    let ids: HashMap<&str, u64> =
        vocabulary.iter().filter_map(|(token, id)| Some((token.as_str(), id.as_u64()?))).collect();
    let expected = SPECIAL_NAMES.into_iter().chain(["A", "C", "G", "T"]);
    for (id, token) in expected.enumerate() {
        if ids.get(token) != Some(&(id as u64)) {
            return Err(failed(format!("{token} does not have the id {id}")));
        }
    }
    let mut pairs = Vec::with_capacity(merges.len());
    for (number, merge) in merges.iter().enumerate() {
        let new = u64::from(SPECIALS) + 4 + number as u64;
        let pair = merge_parts(merge).and_then(|[left, right]| {
            let whole = [left, right].concat();
            let (left, right) = (*ids.get(left)?, *ids.get(right)?);
            let ordered = left.max(right) < new && left.min(right) >= u64::from(SPECIALS);
            (ordered && ids.get(whole.as_str()) == Some(&new)).then_some((left as u32, right as u32))
        });
        pairs
            .push(pair.ok_or_else(|| failed(format!("merge {} does not create the token with id {new}", number + 1)))?);
    }
    if vocabulary.len() != SPECIALS as usize + 4 + merges.len() {
        return Err(failed(format!("{} entries for {} merges", vocabulary.len(), merges.len())));
    }
    Ok(pairs)
}
