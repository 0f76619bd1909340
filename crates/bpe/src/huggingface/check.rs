//! Reads a `tokenizer.json` and looks for what makes it no tokenizer, so that the message names the place and what to do. What
//! is left, the `tokenizers` crate finds.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;
use serde_json::{Map, Number, Value, json};
use tokenizers::Tokenizer as HfTokenizer;

use super::ids::is_name;

/// Words that become unknown must be longer than this: a record of DNA is one word.
const LEAST_LONGEST_WORD: u64 = 1_000_000;

/// What is wrong with a file, and what to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Flaw {
    pub(super) reason: String,
    pub(super) remedy: String,
}

fn flaw(reason: impl Into<String>, remedy: impl Into<String>) -> Flaw {
    Flaw { reason: reason.into(), remedy: remedy.into() }
}

/// Models that can be read.
const KINDS: [&str; 4] = ["BPE", "Unigram", "WordPiece", "WordLevel"];

/// The kind of a model; older files do not say it.
pub(super) fn kind(model: &Value) -> &str {
    match model["type"].as_str() {
        Some(kind) => kind,
        None if model["merges"].is_array() => "BPE",
        None if model["vocab"].is_array() => "Unigram",
        None if model["continuing_subword_prefix"].is_string() => "WordPiece",
        None => "WordLevel",
    }
}

/// The file, if nothing is wrong with it.
pub(super) fn read(json: &[u8]) -> Result<Value, Flaw> {
    if json.starts_with(b"\xff\xfe") || json.starts_with(b"\xfe\xff") {
        return Err(flaw("it is UTF-16, not UTF-8", "save it as UTF-8 (iconv -f UTF-16 -t UTF-8 FILE > NEW)"));
    }
    let file = serde_json::from_slice::<Strict>(json).map_err(|error| not_json(&error))?.0;
    let whole = "a Hugging Face tokenizer.json is needed (\"version\", \"model\", ...)";
    if !file.is_object() {
        return Err(flaw(format!("it holds {}, not an object", what(&file)), whole));
    }
    let model = match &file["model"] {
        Value::Null => return Err(flaw("no \"model\" in it", whole)),
        model if model.is_object() => model,
        other => return Err(flaw(format!("its \"model\" is {}, not an object", what(other)), whole)),
    };
    let known = || format!("models that can be read: {}", KINDS.join(", "));
    match &model["type"] {
        Value::Null => {}
        Value::String(kind) if KINDS.contains(&kind.as_str()) => {}
        Value::String(kind) => return Err(flaw(format!("its model is of the unknown type {kind:?}"), known())),
        other => return Err(flaw(format!("the \"type\" of its model is {}, not a text", what(other)), known())),
    }
    if model["dropout"].as_f64().is_some_and(|dropout| dropout > 0.0) {
        return Err(flaw(
            "BPE dropout makes every cut a random one, so no two runs would see the same tokens",
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
            format!("not JSON: it ends at {at} in the middle of a value"),
            "the file is cut off: copy or download it again",
        ),
        Category::Data => flaw(error.to_string(), "keep one of the two: most readers silently take the last"),
        _ => flaw(format!("not JSON: {error}"), "a Hugging Face tokenizer.json is needed"),
    }
}

/// A vocabulary of tokens with their ids.
fn numbered(vocabulary: &Value) -> Result<HashMap<&str, u64>, Flaw> {
    let Some(entries) = vocabulary.as_object() else {
        return Err(flaw(wrong_vocabulary(vocabulary, "an object"), "it must look like {\"[UNK]\": 0, \"A\": 5, ...}"));
    };
    let mut ids = HashMap::with_capacity(entries.len());
    let mut owners: HashMap<u64, &str> = HashMap::with_capacity(entries.len());
    for (token, id) in entries {
        let remedy = format!("ids are whole numbers from 0 to {}", u32::MAX);
        let Some(number) = id.as_u64() else {
            let id = if id.is_number() { id.to_string() } else { what(id).to_owned() };
            return Err(flaw(format!("the id of {token:?} is {id}, not a whole number from 0 on"), remedy));
        };
        if number > u64::from(u32::MAX) {
            return Err(flaw(format!("the id of {token:?} is {number}, which does not fit 32 bits"), remedy));
        }
        if let Some(other) = owners.insert(number, token) {
            return Err(flaw(
                format!("{other:?} and {token:?} have the same id, {number}"),
                "give each token an id of its own",
            ));
        }
        ids.insert(token.as_str(), number);
    }
    Ok(ids)
}

/// A vocabulary of tokens with their scores; the place is the id.
fn scored(vocabulary: &Value) -> Result<HashMap<&str, u64>, Flaw> {
    let shape = "it must look like [[\"[UNK]\", 0.0], [\"A\", -1.5], ...]";
    let Some(entries) = vocabulary.as_array() else {
        return Err(flaw(wrong_vocabulary(vocabulary, "a list of tokens and scores"), shape));
    };
    let mut ids = HashMap::with_capacity(entries.len());
    for (id, entry) in (0..).zip(entries) {
        let (token, score) = match entry.as_array().map(Vec::as_slice) {
            Some([Value::String(token), score]) => (token, score),
            _ => return Err(flaw(format!("entry {id} of its vocabulary is no token with a score"), shape)),
        };
        if !score.is_number() {
            return Err(flaw(format!("the score of {token:?} (entry {id}) is {}, not a number", what(score)), shape));
        }
        if let Some(other) = ids.insert(token.as_str(), id) {
            return Err(flaw(
                format!("the token {token:?} stands twice in its vocabulary, as entries {other} and {id}"),
                "keep one of the two",
            ));
        }
    }
    Ok(ids)
}

fn wrong_vocabulary(vocabulary: &Value, needed: &str) -> String {
    match vocabulary {
        Value::Null => "no \"vocab\" in its model".to_owned(),
        other => format!("the \"vocab\" of its model is {}, not {needed}", what(other)),
    }
}

/// The merges of a BPE, counted from 1.
fn merges(model: &Value, ids: &HashMap<&str, u64>) -> Result<(), Flaw> {
    let shape = "merges must look like [[\"A\", \"C\"], ...] or [\"A C\", ...]";
    let list = match &model["merges"] {
        Value::Array(list) => list,
        Value::Null => return Err(flaw("no \"merges\" in its model, which is a BPE", shape)),
        other => return Err(flaw(format!("the \"merges\" of its model are {}, not a list", what(other)), shape)),
    };
    let prefix = model["continuing_subword_prefix"].as_str().unwrap_or_default();
    let again = "the vocabulary and the merges are not of one tokenizer: take both from the same file";
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
            return Err(flaw(format!("merge {number} is {merge}, not two tokens like the others"), shape));
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
                format!("merge {number} joins {left:?} and {right:?}, but the latter does not begin with {prefix:?}"),
                "tokens that continue a word begin with \"continuing_subword_prefix\"",
            ));
        };
        let joined = format!("{left}{rest}");
        if !ids.contains_key(joined.as_str()) {
            return Err(flaw(format!("merge {number} makes {joined:?}, which is not in the vocabulary"), again));
        }
        if let Some(other) = seen.insert((left, right), number) {
            return Err(flaw(
                format!("merges {other} and {number} are the same: {left:?} and {right:?}"),
                "keep the first of the two",
            ));
        }
    }
    whole_words(model)
}

/// Whether the tokens of a BPE spell the same wherever they stand in a word.
fn whole_words(model: &Value) -> Result<(), Flaw> {
    let set = |key: &&str| model[*key].as_str().is_some_and(|text| !text.is_empty());
    match ["continuing_subword_prefix", "end_of_word_suffix"].into_iter().find(set) {
        None => Ok(()),
        Some(key) => Err(flaw(
            format!(
                "its model sets {key:?} to {}, so the same bases are other tokens at other places of a word",
                model[key]
            ),
            format!("train a byte-pair vocabulary without it ({key:?}: null); a record of DNA is one word"),
        )),
    }
}

/// What only a WordPiece has.
fn words(model: &Value) -> Result<(), Flaw> {
    if !model["continuing_subword_prefix"].is_string() {
        return Err(flaw("no \"continuing_subword_prefix\" in its model, which is a WordPiece", "it is mostly \"##\""));
    }
    match model["max_input_chars_per_word"].as_u64() {
        None => Err(flaw(
            "its model has no number as \"max_input_chars_per_word\"",
            format!("set it to {}: a stretch of DNA is one word", u32::MAX),
        )),
        Some(most) if most < LEAST_LONGEST_WORD => Err(flaw(
            format!("it makes every stretch of more than {most} bases unknown (\"max_input_chars_per_word\")"),
            format!("set it to {} in the file: a stretch of DNA is one word", u32::MAX),
        )),
        Some(_) => Ok(()),
    }
}

/// Whether each base is a token.
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
        format!("no token for the single base(s) {}, so not every sequence can be cut", needed.join(", ")),
        "a tokenizer of upper-case DNA is needed, with A, C, G and T in its vocabulary",
    ))
}

/// The text of a file for the `tokenizers` crate, in which special tokens that are no names are looked for in a text as other added
/// tokens are. That crate looks for all special tokens or for none, and a text that spells the name of one is text.
pub(super) fn letters_as_text<'a>(file: &Value, json: &'a [u8]) -> Cow<'a, [u8]> {
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

/// Whether added tokens have the ids that the file says they have.
pub(super) fn added(file: &Value, inner: &HfTokenizer) -> Result<(), Flaw> {
    for token in file["added_tokens"].as_array().into_iter().flatten() {
        let (Some(content), Some(said)) = (token["content"].as_str(), token["id"].as_u64()) else { continue };
        if let Some(id) = inner.token_to_id(content).filter(|&id| u64::from(id) != said) {
            return Err(flaw(
                format!(
                    "the added token {content:?} is said to have the id {said}, and the tokenizers crate gives it {id}"
                ),
                "give it that id, or put it into the vocabulary with its own",
            ));
        }
    }
    Ok(())
}

/// A value in words.
fn what(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a yes or no",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// JSON in which no object has the same key twice: `serde_json` alone would keep the last one.
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
                return Err(de::Error::custom(format_args!("the key {key:?} stands twice in one object")));
            }
            let Strict(value) = entries.next_value()?;
            object.insert(key, value);
        }
        Ok(Strict(Value::Object(object)))
    }
}

/// Both parts of a merge, in either way of writing it.
pub(super) fn merge_parts(merge: &Value) -> Option<[&str; 2]> {
    match merge {
        Value::String(text) => text.split_once(' ').map(|(left, right)| [left, right]),
        Value::Array(pair) => Some([pair.first()?.as_str()?, pair.get(1)?.as_str()?]),
        _ => None,
    }
}

/// A text without the byte order mark that some editors put in front.
pub(super) fn unmarked(text: &[u8]) -> &[u8] {
    text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text)
}
