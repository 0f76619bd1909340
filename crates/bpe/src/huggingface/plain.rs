//! What a `tokenizer.json` does before its model, and whether that leaves DNA alone; which of our own ways cut as its model does.

use std::collections::HashMap;

use dna::is_base;
use dna::letters::leading_bases;
use serde_json::{Value, json};
use tokenizers::{AddedToken, NormalizedString, Normalizer, Tokenizer as HfTokenizer};

use super::check::merge_parts;
use super::ids::{is_name, unknown};
use super::walk::{Parts, Walk};
use super::write::letters_apart;
use super::{unigram, wordpiece};
use crate::engine::Engine;
use crate::vocabulary::{UNK, Vocabulary};

/// The engine of a `model`, if it is a BPE of the kind that the engine knows.
pub(super) fn engine(model: &Value, vocabulary: &Vocabulary) -> Option<Engine> {
    let unset = |key: &str| model[key].is_null() || model[key] == json!(false) || model[key] == json!("");
    let plain =
        ["dropout", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", "byte_fallback", "ignore_merges"];
    if model["type"].as_str().is_some_and(|kind| kind != "BPE") || !plain.into_iter().all(unset) {
        return None;
    }
    let spelled: Vec<&[u8]> = (0..vocabulary.len() as u32).map(|id| vocabulary.bases(id).unwrap_or(b"")).collect();
    let ids: HashMap<&[u8], u32> = vocabulary.ids().map(|id| (spelled[id as usize], id)).collect();
    let mut merges = Vec::new();
    for merge in model["merges"].as_array()? {
        let [left, right] = merge_parts(merge)?;
        let id = |text: &str| ids.get(text.as_bytes()).copied();
        merges.push((id(left)?, id(right)?, id(&[left, right].concat())?));
    }
    Engine::new(&spelled, &merges, UNK)
}

type Make = fn(&Parts) -> Option<Box<dyn Walk>>;

/// Kinds of model that have a walk.
const WALKS: &[(&str, Make)] = &[("Unigram", unigram::walk), ("WordPiece", wordpiece::walk)];

/// The walk of a model of this kind, if there is one.
pub(super) fn walk(kind: &str, parts: &Parts) -> Option<Box<dyn Walk>> {
    WALKS.iter().find(|(name, _)| *name == kind).and_then(|(_, make)| make(parts))
}

/// What the `tokenizers` crate looks for in a normalised text before its model sees it: added tokens, which are themselves
/// normalised before, in alphabetical order. The reason why the file cannot be used, if that crate finds an empty one at every place
/// without end, or one of two that are the same by chance.
pub(super) fn looked_for(inner: &HfTokenizer) -> Result<Vec<String>, String> {
    let tokens = inner.get_added_tokens_decoder();
    let normal = |content: &String| match inner.get_normalizer() {
        None => content.clone(),
        Some(normalizer) => {
            let mut text = NormalizedString::from(content.as_str());
            // What cannot be normalised is looked for nowhere.
            normalizer.normalize(&mut text).map_or_else(|_| "-".to_owned(), |()| text.get().to_owned())
        }
    };
    // The names of special tokens are not looked for, as a text that spells one is text; but what becomes letters is found in texts.
    let changed = |token: &&AddedToken| token.special && is_name(&token.content) && !is_name(&normal(&token.content));
    if let Some(token) = tokens.values().filter(|token| token.normalized).find(changed) {
        let (name, text) = (&token.content, normal(&token.content));
        return Err(format!(
            "its normalizer makes {text:?} of the special token {name:?}, which would be found in sequences"
        ));
    }
    let mut all: Vec<String> =
        tokens.values().filter(|token| token.normalized).map(|token| normal(&token.content)).collect();
    all.sort_unstable();
    if all.first().is_some_and(String::is_empty) {
        return Err("its normalizer makes an empty text of an added token, which would be found everywhere".to_owned());
    }
    match all.windows(2).find(|two| two[0] == two[1]) {
        None => Ok(all),
        Some(two) => {
            let text = &two[0];
            Err(format!(
                "its normalizer makes {text:?} of two added tokens, and which of them is found is left to chance"
            ))
        }
    }
}

/// Which texts the engine may cut in place of the `tokenizers` crate: those that its normalizer and its pre-tokenizer are
/// certain to leave alone, and in which every byte is one of A, C, G, T or a letter of its own that becomes \[UNK\].
#[derive(Debug)]
pub(super) struct Plain {
    bytes: [bool; 256],
    /// Bytes that are certain to be part of a token of the file wherever they stand.
    sure: [bool; 256],
}

impl Plain {
    /// Reads what a `tokenizer.json` with a model of this kind does before it. Whatever is not known here makes no text plain.
    /// `looked_for`: see [`looked_for`].
    pub(super) fn new(file: &Value, kind: &str, vocabulary: &Vocabulary, looked_for: &[String]) -> Plain {
        let none = Plain { bytes: [false; 256], sure: [false; 256] };
        let empty = Vec::new();
        let list = |value: &Value, key: &str| value[key].as_array().unwrap_or(&empty).clone();
        let steps = |value: &Value, key: &str| match value["type"].as_str() {
            None if value.is_null() => Vec::new(),
            Some("Sequence") => list(value, key),
            _ => vec![value.clone()],
        };
        // A pattern of other letters, digits and counts never meets A, C, G, T; but one that may be empty stands everywhere.
        let elsewhere = |pattern: &Value| {
            let text = pattern["String"].as_str().or(pattern["Regex"].as_str()).unwrap_or_default();
            let other = text.chars().all(|c| c.is_ascii_alphanumeric() || "{,}-".contains(c));
            // One count at most, and from one on: a pattern that may be empty is met everywhere.
            let from_one = || {
                let (count, _) = text.split_once('{')?.1.split_once('}')?;
                let (least, most) = count.split_once(',').unwrap_or((count, count));
                let least = least.parse::<u32>().ok()?;
                Some(least > 0 && (most.is_empty() || most.parse::<u32>().ok()? >= least))
            };
            let counted = match text.matches('{').count() {
                0 => true,
                1 => from_one() == Some(true),
                _ => false,
            };
            other && counted && !text.is_empty() && !text.contains(['A', 'C', 'G', 'T'])
        };
        let normalizers = steps(&file["normalizer"], "normalizers");
        let harmless = normalizers.iter().all(|step| match step["type"].as_str() {
            Some("Strip") => true,
            Some("BertNormalizer") => step["lowercase"] == json!(false),
            Some("Replace") => elsewhere(&step["pattern"]),
            _ => false,
        });
        let splitters = steps(&file["pre_tokenizer"], "pretokenizers");
        let apart = splitters == [letters_apart()];
        let whole = apart
            || splitters.iter().all(|step| match step["type"].as_str() {
                Some("Whitespace" | "WhitespaceSplit" | "BertPreTokenizer") => true,
                Some("Split") => elsewhere(&step["pattern"]) && step["invert"] == json!(false),
                _ => false,
            });
        let added: Vec<String> =
            list(file, "added_tokens").iter().filter_map(|t| Some(t["content"].as_str()?.to_owned())).collect();
        let mut added = added.iter().chain(looked_for);
        if !harmless || !whole || added.any(|token| token.bytes().all(|b| b.is_ascii_alphabetic())) {
            return none;
        }
        // Then a way of our own takes all other letters one by one.
        let dna = |text: &str| text.bytes().all(is_base);
        let model = &file["model"];
        let unknown = unknown(model, kind);
        // An unknown token that is merged takes other letters into it.
        let merges = list(model, "merges");
        let merged = merges.iter().filter_map(merge_parts).any(|parts| parts.iter().any(|part| Some(*part) == unknown));
        let named = |id: u32| vocabulary.bases(id).is_some_and(|token| std::str::from_utf8(token).is_ok_and(is_name));
        let no_other = vocabulary.ids().all(|id| vocabulary.is_dna(id) || named(id));
        let alone = apart && normalizers.is_empty() && no_other && model["byte_fallback"] != json!(true);
        if alone && matches!(kind, "WordPiece" | "Unigram") && !unknown.is_some_and(dna) {
            let sure = std::array::from_fn(|byte| unknown.is_some() || is_base(byte as u8));
            return Plain { bytes: [true; 256], sure };
        }
        let mut bytes = [false; 256];
        b"ACGT".iter().for_each(|&base| bytes[usize::from(base)] = true);
        let vocabulary = file["model"]["vocab"].as_object();
        let strict = normalizers.is_empty() && splitters.iter().all(|step| step["type"] != "Split");
        if kind == "BPE" && strict && !merged && file["model"]["unk_token"].is_string() {
            for letter in (b'A'..=b'Z').chain(b'a'..=b'z') {
                let own = vocabulary.is_none_or(|vocabulary| vocabulary.contains_key(&char::from(letter).to_string()));
                bytes[usize::from(letter)] |= !own;
            }
        }
        // Where no letter is left out and every one has a token, nothing is lost.
        let one = |step: &Value| match step["type"].as_str() {
            Some("Replace") => {
                let mut content = step["content"].as_str().unwrap_or_default().bytes();
                content.len() == 1 && content.all(|byte| byte.is_ascii_graphic() && !is_base(byte))
            }
            Some("Split") => step["behavior"] != json!("Removed"),
            _ => true,
        };
        let kept = kind == "BPE"
            && unknown.is_some()
            && !merged
            && model["byte_fallback"] != json!(true)
            && normalizers.iter().chain(&splitters).all(one);
        let sure = |byte: usize| is_base(byte as u8) || kept && (byte as u8).is_ascii_alphabetic();
        Plain { bytes, sure: std::array::from_fn(sure) }
    }

    /// Whether every letter of a text is certain to be part of a token of the file.
    pub(super) fn is_sure(&self, text: &[u8]) -> bool {
        let sure = |byte: u8| self.sure[usize::from(byte)];
        let known = b"ACGT".iter().all(|&base| sure(base));
        let mut rest = text;
        while !rest.is_empty() {
            rest = &rest[if known { leading_bases(rest) } else { 0 }..];
            let others = rest.iter().take_while(|&&byte| sure(byte) && !(known && is_base(byte))).count();
            rest = &rest[others..];
            if rest.first().is_some_and(|&byte| !sure(byte)) {
                return false;
            }
        }
        true
    }

    /// Whether A, C, G, T are left alone.
    pub(super) fn leaves_dna_alone(&self) -> bool {
        self.is_plain(b"ACGT")
    }

    /// Whether a text is one of these.
    pub(super) fn is_plain(&self, text: &[u8]) -> bool {
        text.iter().fold(true, |all, &byte| all & self.bytes[usize::from(byte)])
    }
}
