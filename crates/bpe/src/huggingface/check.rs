//! Parses and validates a `tokenizer.json`, so that errors name the place in the file and the fix. Remaining errors are found by
//! the `tokenizers` crate.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;
use serde_json::{Map, Number, Value, json};
use tokenizers::Tokenizer as HfTokenizer;

use super::ids::is_name;

/// Minimum of `max_input_chars_per_word`: a sequence of DNA is one word, and longer words become unknown.
const LEAST_LONGEST_WORD: u64 = 1_000_000;

/// An error in a file, with a suggested fix.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Flaw {
    pub(super) reason: String,
    pub(super) remedy: String,
}

fn flaw(reason: impl Into<String>, remedy: impl Into<String>) -> Flaw {
    Flaw { reason: reason.into(), remedy: remedy.into() }
}

/// Supported model types.
const KINDS: [&str; 4] = ["BPE", "Unigram", "WordPiece", "WordLevel"];

/// The type of a model; older files do not name it.
pub(super) fn kind(model: &Value) -> &str {
    match model["type"].as_str() {
        Some(kind) => kind,
        None if model["merges"].is_array() => "BPE",
        None if model["vocab"].is_array() => "Unigram",
        None if model["continuing_subword_prefix"].is_string() => "WordPiece",
        None => "WordLevel",
    }
}

/// Parses a file; the first error, if it is not valid.
pub(super) fn read(json: &[u8]) -> Result<Value, Flaw> {
    if json.starts_with(b"\xff\xfe") || json.starts_with(b"\xfe\xff") {
        return Err(flaw("it is UTF-16, not UTF-8", "save it as UTF-8 (iconv -f UTF-16 -t UTF-8 FILE > NEW)"));
    }
    let file = serde_json::from_slice::<Strict>(json).map_err(|error| not_json(&error))?.0;
    let whole = "use a Hugging Face tokenizer.json (\"version\", \"model\", ...)";
    if !file.is_object() {
        return Err(flaw(format!("expected an object, found {}", what(&file)), whole));
    }
    let model = match &file["model"] {
        Value::Null => return Err(flaw("missing \"model\"", whole)),
        model if model.is_object() => model,
        other => return Err(flaw(format!("\"model\": expected an object, found {}", what(other)), whole)),
    };
    let known = || format!("use a model of one of these types: {}", KINDS.join(", "));
    match &model["type"] {
        Value::Null => {}
        Value::String(kind) if KINDS.contains(&kind.as_str()) => {}
        Value::String(kind) => return Err(flaw(format!("unknown model type {kind:?}"), known())),
        other => return Err(flaw(format!("model \"type\": expected a string, found {}", what(other)), known())),
    }
    if model["dropout"].as_f64().is_some_and(|dropout| dropout > 0.0) {
        return Err(flaw(
            "BPE dropout makes the tokenization random, so runs would not be reproducible",
            "set \"dropout\" to null in the file",
        ));
    }
    let ids = match kind(model) {
        "Unigram" => scored(&model["vocab"])?,
        _ => numbered(&model["vocab"])?,
    };
    match kind(model) {
        "BPE" => merges(model, &ids)?,
        "WordPiece" => words(model)?,
        _ => {}
    }
    alphabet(&file, &ids)?;
    Ok(file)
}

fn not_json(error: &serde_json::Error) -> Flaw {
    let at = format!("line {} column {}", error.line(), error.column());
    match error.classify() {
        Category::Eof => flaw(
            format!("invalid JSON: unexpected end of file at {at}"),
            "the file is truncated: copy or download it again",
        ),
        Category::Data => flaw(error.to_string(), "keep one of the two: most parsers silently use the last one"),
        _ => flaw(format!("invalid JSON: {error}"), "use a Hugging Face tokenizer.json"),
    }
}

/// Validates a vocabulary of tokens with ids.
fn numbered(vocabulary: &Value) -> Result<HashMap<&str, u64>, Flaw> {
    let Some(entries) = vocabulary.as_object() else {
        return Err(flaw(
            wrong_vocabulary(vocabulary, "an object"),
            "the expected form is {\"[UNK]\": 0, \"A\": 5, ...}",
        ));
    };
    let mut ids = HashMap::with_capacity(entries.len());
    let mut owners: HashMap<u64, &str> = HashMap::with_capacity(entries.len());
    for (token, id) in entries {
        let remedy = format!("use integers from 0 to {} as ids", u32::MAX);
        let Some(number) = id.as_u64() else {
            let id = if id.is_number() { id.to_string() } else { what(id).to_owned() };
            return Err(flaw(format!("id of {token:?}: expected a non-negative integer, found {id}"), remedy));
        };
        if number > u64::from(u32::MAX) {
            return Err(flaw(format!("id of {token:?}: {number} exceeds u32"), remedy));
        }
        if let Some(other) = owners.insert(number, token) {
            return Err(flaw(
                format!("{other:?} and {token:?} have the same id, {number}"),
                "use a distinct id for each token",
            ));
        }
        ids.insert(token.as_str(), number);
    }
    Ok(ids)
}

/// Validates a vocabulary of tokens with scores; the index of an entry is its id.
fn scored(vocabulary: &Value) -> Result<HashMap<&str, u64>, Flaw> {
    let shape = "the expected form is [[\"[UNK]\", 0.0], [\"A\", -1.5], ...]";
    let Some(entries) = vocabulary.as_array() else {
        return Err(flaw(wrong_vocabulary(vocabulary, "an array of tokens and scores"), shape));
    };
    let mut ids = HashMap::with_capacity(entries.len());
    for (id, entry) in (0..).zip(entries) {
        let (token, score) = match entry.as_array().map(Vec::as_slice) {
            Some([Value::String(token), score]) => (token, score),
            _ => return Err(flaw(format!("vocabulary entry {id}: expected a token and a score"), shape)),
        };
        if !score.is_number() {
            return Err(flaw(
                format!("score of {token:?} (entry {id}): expected a number, found {}", what(score)),
                shape,
            ));
        }
        if let Some(other) = ids.insert(token.as_str(), id) {
            return Err(flaw(
                format!("duplicate token {token:?} in the vocabulary: entries {other} and {id}"),
                "keep one of the two",
            ));
        }
    }
    Ok(ids)
}

fn wrong_vocabulary(vocabulary: &Value, needed: &str) -> String {
    match vocabulary {
        Value::Null => "missing \"vocab\" in the model".to_owned(),
        other => format!("\"vocab\": expected {needed}, found {}", what(other)),
    }
}

/// Validates the merges of a BPE; errors count them from 1.
fn merges(model: &Value, ids: &HashMap<&str, u64>) -> Result<(), Flaw> {
    let shape = "the expected form of merges is [[\"A\", \"C\"], ...] or [\"A C\", ...]";
    let list = match &model["merges"] {
        Value::Array(list) => list,
        Value::Null => return Err(flaw("missing \"merges\" in the BPE model", shape)),
        other => return Err(flaw(format!("\"merges\": expected an array, found {}", what(other)), shape)),
    };
    let prefix = model["continuing_subword_prefix"].as_str().unwrap_or_default();
    let again = "vocabulary and merges belong to different tokenizers: use both from the same file";
    let mut seen: HashMap<(&str, &str), usize> = HashMap::with_capacity(list.len());
    for (number, merge) in (1..).zip(list) {
        let pair = match merge {
            Value::String(text) if number == 1 && text.starts_with("#version") => continue,
            Value::String(text) => text.split_once(' ').filter(|(_, right)| !right.contains(' ')),
            Value::Array(pair) => match pair.as_slice() {
                [Value::String(left), Value::String(right)] => Some((left.as_str(), right.as_str())),
                _ => None,
            },
            _ => None,
        };
        let Some((left, right)) = pair.filter(|_| merge.is_string() == list[0].is_string()) else {
            return Err(flaw(
                format!("merge {number}: expected two tokens in the form of the first merge, found {merge}"),
                shape,
            ));
        };
        for token in [left, right] {
            if !ids.contains_key(token) {
                return Err(flaw(
                    format!("merge {number} joins {left:?} and {right:?}, but {token:?} is not in the vocabulary"),
                    again,
                ));
            }
        }
        let Some(rest) = right.strip_prefix(prefix) else {
            return Err(flaw(
                format!("merge {number} joins {left:?} and {right:?}, but the latter does not start with {prefix:?}"),
                "tokens that continue a word must start with \"continuing_subword_prefix\"",
            ));
        };
        let joined = format!("{left}{rest}");
        if !ids.contains_key(joined.as_str()) {
            return Err(flaw(format!("merge {number} creates {joined:?}, which is not in the vocabulary"), again));
        }
        if let Some(other) = seen.insert((left, right), number) {
            return Err(flaw(
                format!("merges {other} and {number} are identical: {left:?} and {right:?}"),
                "keep the first of the two",
            ));
        }
    }
    whole_words(model)
}

/// Validates that the tokens of a BPE spell the same bases at every position of a word.
fn whole_words(model: &Value) -> Result<(), Flaw> {
    let set = |key: &&str| model[*key].as_str().is_some_and(|text| !text.is_empty());
    match ["continuing_subword_prefix", "end_of_word_suffix"].into_iter().find(set) {
        None => Ok(()),
        Some(key) => Err(flaw(
            format!(
                "the model sets {key:?} to {}, so tokens of the same bases differ by their position in a word",
                model[key]
            ),
            format!("train a byte-pair vocabulary without it ({key:?}: null): a sequence of DNA is one word"),
        )),
    }
}

/// Validates the settings of a WordPiece model.
fn words(model: &Value) -> Result<(), Flaw> {
    if !model["continuing_subword_prefix"].is_string() {
        return Err(flaw("missing \"continuing_subword_prefix\" in the WordPiece model", "set it, usually to \"##\""));
    }
    match model["max_input_chars_per_word"].as_u64() {
        None => Err(flaw(
            "\"max_input_chars_per_word\": expected a number",
            format!("set it to {}: a sequence of DNA is one word", u32::MAX),
        )),
        Some(most) if most < LEAST_LONGEST_WORD => Err(flaw(
            format!("sequences of more than {most} bases become unknown (\"max_input_chars_per_word\")"),
            format!("set it to {} in the file: a sequence of DNA is one word", u32::MAX),
        )),
        Some(_) => Ok(()),
    }
}

/// Validates that every base is a token.
fn alphabet(file: &Value, ids: &HashMap<&str, u64>) -> Result<(), Flaw> {
    let model = &file["model"];
    let added: Vec<&str> =
        file["added_tokens"].as_array().into_iter().flatten().filter_map(|token| token["content"].as_str()).collect();
    let mut needed: Vec<String> = ["A", "C", "G", "T"].map(str::to_owned).to_vec();
    if let (Some(prefix), "WordPiece") = (model["continuing_subword_prefix"].as_str(), kind(model)) {
        needed.extend(["A", "C", "G", "T"].map(|base| format!("{prefix}{base}")));
    }
    needed.retain(|base| !ids.contains_key(base.as_str()) && !added.contains(&base.as_str()));
    if needed.is_empty() {
        return Ok(());
    }
    Err(flaw(
        format!("missing tokens for single bases: {}", needed.join(", ")),
        "use a tokenizer of upper-case DNA with A, C, G and T in its vocabulary",
    ))
}

/// The file as given to the `tokenizers` crate: special tokens that are not names are changed to ordinary added tokens. That crate
/// searches texts for all special tokens or for none, and a text that spells the name of a special token is ordinary text.
pub(super) fn unname_letter_tokens<'a>(file: &Value, json: &'a [u8]) -> Cow<'a, [u8]> {
    let letters =
        |token: &Value| token["special"] == json!(true) && token["content"].as_str().is_some_and(|name| !is_name(name));
    let Some(added) = file["added_tokens"].as_array().filter(|added| added.iter().any(letters)) else {
        return Cow::Borrowed(json);
    };
    let mut changed = file.clone();
    let text = |token: &Value| {
        let mut token = token.clone();
        if letters(&token) {
            token["special"] = json!(false);
        }
        token
    };
    changed["added_tokens"] = added.iter().map(text).collect();
    Cow::Owned(changed.to_string().into_bytes())
}

/// Validates that added tokens have the ids that the file gives them.
pub(super) fn added(file: &Value, inner: &HfTokenizer) -> Result<(), Flaw> {
    for token in file["added_tokens"].as_array().into_iter().flatten() {
        let (Some(content), Some(listed)) = (token["content"].as_str(), token["id"].as_u64()) else { continue };
        if let Some(id) = inner.token_to_id(content).filter(|&id| u64::from(id) != listed) {
            return Err(flaw(
                format!(
                    "the file gives the added token {content:?} the id {listed}, but the tokenizers crate gives it {id}"
                ),
                "use that id, or add the token to the vocabulary with its own id",
            ));
        }
    }
    Ok(())
}

/// The type of a value, for messages.
fn what(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// JSON without duplicate keys: `serde_json` alone would keep the last value.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Strict, D::Error> {
        deserializer.deserialize_any(StrictVisitor)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Strict;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Strict, E> {
        Ok(Strict(Value::Null))
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Strict, E> {
        Ok(Strict(Value::Bool(value)))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Strict, E> {
        Ok(Strict(value.into()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Strict, E> {
        Ok(Strict(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Strict, E> {
        Ok(Strict(Number::from_f64(value).map_or(Value::Null, Value::Number)))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Strict, E> {
        Ok(Strict(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Strict, A::Error> {
        let mut list = Vec::new();
        while let Some(Strict(value)) = seq.next_element()? {
            list.push(value);
        }
        Ok(Strict(Value::Array(list)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Strict, A::Error> {
        let mut object = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if object.contains_key(&key) {
                return Err(de::Error::custom(format_args!("duplicate key {key:?} in one object")));
            }
            let Strict(value) = entries.next_value()?;
            object.insert(key, value);
        }
        Ok(Strict(Value::Object(object)))
    }
}

/// Both parts of a merge, in either notation.
pub(super) fn merge_parts(merge: &Value) -> Option<[&str; 2]> {
    match merge {
        Value::String(text) => text.split_once(' ').map(|(left, right)| [left, right]),
        Value::Array(pair) => Some([pair.first()?.as_str()?, pair.get(1)?.as_str()?]),
        _ => None,
    }
}

/// Removes a byte order mark.
pub(super) fn unmarked(text: &[u8]) -> &[u8] {
    text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text)
}
