//! `tokenizer.json` beside a checkpoint: the layouts differ in the spelling of the special tokens.

use serde_json::{Value, json};

use super::{Config, Names};

/// The special tokens with the ids 0 to 4, as the original release and as multimolecule spell them.
const SPECIALS: [[&str; 2]; 5] =
    [["[UNK]", "<unk>"], ["[CLS]", "<cls>"], ["[SEP]", "<eos>"], ["[PAD]", "<pad>"], ["[MASK]", "<mask>"]];

fn spelling(names: Names) -> usize {
    match names {
        Names::Original => 0,
        Names::Multimolecule => 1,
    }
}

/// Parses the file, and checks its size and that the ids 0 to 4 are the special tokens in the spelling of a layout.
pub(super) fn parse(text: &[u8], config: &Config, names: Names) -> Result<Value, String> {
    let json: Value = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    let added = json["added_tokens"].as_array().into_iter().flatten();
    if let Some(token) = added.filter_map(|token| token["id"].as_u64()).find(|id| *id >= config.vocabulary as u64) {
        return Err(format!("an added token has the id {token}, but the model has {} entries", config.vocabulary));
    }
    for (id, spellings) in SPECIALS.iter().enumerate() {
        let name = spellings[spelling(names)];
        let found = match &json["model"]["vocab"] {
            Value::Object(tokens) => tokens.get(name).and_then(Value::as_u64),
            Value::Array(tokens) => tokens.iter().position(|token| token[0] == name).map(|at| at as u64),
            _ => None,
        };
        if found != Some(id as u64) {
            let found = found.map_or_else(|| "none".to_owned(), |id| id.to_string());
            return Err(format!("the special token {name} must have the id {id}, found {found}"));
        }
        if let Value::Object(tokens) = &json["model"]["vocab"]
            && spellings.iter().all(|name| tokens.contains_key(*name))
        {
            return Err(format!("both {} and {} are tokens", spellings[0], spellings[1]));
        }
    }
    let largest = match &json["model"]["vocab"] {
        Value::Object(tokens) => tokens.values().filter_map(Value::as_u64).max().unwrap_or(0),
        // Unigram: ids are places in the list.
        Value::Array(tokens) => (tokens.len() as u64).saturating_sub(1),
        _ => return Err("model.vocab is not a list of tokens".to_owned()),
    };
    if largest >= config.vocabulary as u64 {
        return Err(format!("the largest id is {largest}, but the model has {} entries", config.vocabulary));
    }
    Ok(json)
}

/// The file with the special tokens of another layout.
pub(super) fn renamed(tokenizer: &Value, from: Names, to: Names) -> Value {
    let new = |text: &str| {
        let special = SPECIALS.iter().find(|names| names[spelling(from)] == text || names[spelling(to)] == text);
        special.map_or_else(|| text.to_owned(), |names| names[spelling(to)].to_owned())
    };
    match tokenizer {
        Value::String(text) => Value::String(new(text)),
        Value::Array(values) => values.iter().map(|value| renamed(value, from, to)).collect(),
        Value::Object(fields) => fields.iter().map(|(name, value)| (new(name), renamed(value, from, to))).collect(),
        other => other.clone(),
    }
}

/// `tokenizer_config.json`.
pub(super) fn config(names: Names) -> Value {
    let [unk, cls, sep, pad, mask] = SPECIALS.map(|special| special[spelling(names)]);
    json!({
        "tokenizer_class": "PreTrainedTokenizerFast",
        "unk_token": unk, "cls_token": cls, "sep_token": sep, "pad_token": pad, "mask_token": mask,
        "model_input_names": ["input_ids", "attention_mask"],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_tokens_are_renamed_there_and_back() {
        let json = json!({"added_tokens": [{"id": 3, "content": "[PAD]"}], "model": {"unk_token": "[UNK]",
            "vocab": {"[UNK]": 0, "[MASK]": 4, "AC": 9}, "merges": ["A C"]},
            "post_processor": {"special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [1]}}}});
        let there = renamed(&json, Names::Original, Names::Multimolecule);
        assert_eq!(there["model"]["vocab"], json!({"<unk>": 0, "<mask>": 4, "AC": 9}));
        assert_eq!(there["post_processor"]["special_tokens"]["<cls>"]["id"], "<cls>");
        assert_eq!(there["added_tokens"][0]["content"], "<pad>");
        assert_eq!(renamed(&there, Names::Multimolecule, Names::Original), json);
        assert_eq!(renamed(&json, Names::Original, Names::Original), json);
    }
}
