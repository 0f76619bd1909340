//! Serialization of learned vocabularies as `tokenizer.json`.

use serde_json::{Value, json};

use crate::train::Learned;
use crate::vocabulary::{CLS, SEP, SPECIAL_NAMES, SPECIALS};

/// A learned vocabulary as a `tokenizer.json` with the special ids, pre-tokenizer and template of DNABERT-2.
///
/// # Panics
/// Never: plain data always serializes.
#[must_use]
pub fn to_json(learned: &Learned) -> Vec<u8> {
    to_bytes(&tokenizer_json(&model(learned), &json!({"type": "Whitespace"}), &Value::Null))
}

/// The `model` of a `tokenizer.json`.
fn model(learned: &Learned) -> Value {
    let spelling = |id: u32| match id.checked_sub(SPECIALS) {
        None => SPECIAL_NAMES[id as usize].to_owned(),
        Some(number) => String::from_utf8_lossy(&learned.tokens[number as usize]).into_owned(),
    };
    let ids = 0..SPECIALS + learned.tokens.len() as u32;
    let vocabulary: serde_json::Map<String, Value> = ids.map(|id| (spelling(id), json!(id))).collect();
    let merges: Vec<Value> =
        learned.merges.iter().map(|&(left, right)| json!([spelling(left), spelling(right)])).collect();
    json!({
        "type": "BPE", "dropout": null, "unk_token": "[UNK]", "continuing_subword_prefix": null,
        "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
        "vocab": vocabulary, "merges": merges,
    })
}

/// A pre-tokenizer that makes every letter other than A, C, G, T a word of its own.
#[must_use]
pub fn split_non_dna() -> Value {
    json!({"type": "Split", "pattern": {"Regex": "[^ACGT]"}, "behavior": "Isolated", "invert": false})
}

/// Serializes a file.
///
/// # Panics
/// Never: plain data always serializes.
#[must_use]
pub fn to_bytes(file: &Value) -> Vec<u8> {
    serde_json::to_vec_pretty(file).expect("plain data")
}

/// A `tokenizer.json` with the special ids and the template of DNABERT-2 around `model`.
#[must_use]
pub fn tokenizer_json(model: &Value, pre_tokenizer: &Value, decoder: &Value) -> Value {
    let added: Vec<Value> = SPECIAL_NAMES
        .iter()
        .enumerate()
        .map(|(id, content)| {
            json!({"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
                   "normalized": false, "special": true})
        })
        .collect();
    let special = |id: u32| json!({"SpecialToken": {"id": SPECIAL_NAMES[id as usize], "type_id": 0}});
    let second = |id: u32| json!({"SpecialToken": {"id": SPECIAL_NAMES[id as usize], "type_id": 1}});
    let entry =
        |id: u32| json!({"id": SPECIAL_NAMES[id as usize], "ids": [id], "tokens": [SPECIAL_NAMES[id as usize]]});
    json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added, "normalizer": null,
        "pre_tokenizer": pre_tokenizer,
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [special(CLS), {"Sequence": {"id": "A", "type_id": 0}}, special(SEP)],
            "pair": [special(CLS), {"Sequence": {"id": "A", "type_id": 0}}, special(SEP),
                     {"Sequence": {"id": "B", "type_id": 1}}, second(SEP)],
            "special_tokens": {"[CLS]": entry(CLS), "[SEP]": entry(SEP)},
        },
        "decoder": decoder, "model": model,
    })
}
