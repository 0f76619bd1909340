//! The steps of a `tokenizer.json` before its model, and whether they leave DNA unchanged; which of our implementations gives the
//! ids of its model.

use std::collections::HashMap;

use dna::is_base;
use dna::letters::leading_bases;
use serde_json::{Value, json};
use tokenizers::{AddedToken, NormalizedString, Normalizer, Tokenizer as HfTokenizer};

use super::check::merge_parts;
use super::ids::{is_name, unknown};
use super::native::{ModelParts, NativeModel};
use super::write::split_non_dna;
use super::{unigram, wordpiece};
use crate::engine::Engine;
use crate::vocabulary::{UNK, Vocabulary};

/// The engine of a `model`, if it is a BPE that the engine supports.
pub(super) fn engine(model: &Value, vocabulary: &Vocabulary) -> Option<Engine> {
    let unset = |key: &str| model[key].is_null() || model[key] == json!(false) || model[key] == json!("");
    let unset_keys =
        ["dropout", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", "byte_fallback", "ignore_merges"];
    if model["type"].as_str().is_some_and(|kind| kind != "BPE") || !unset_keys.into_iter().all(unset) {
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

type Build = fn(&ModelParts) -> Option<Box<dyn NativeModel>>;

/// Types of models with a native implementation.
const NATIVE_MODELS: &[(&str, Build)] = &[("Unigram", unigram::native), ("WordPiece", wordpiece::native)];

/// The native implementation of a model of this type, if there is one.
pub(super) fn native(kind: &str, parts: &ModelParts) -> Option<Box<dyn NativeModel>> {
    NATIVE_MODELS.iter().find(|(name, _)| *name == kind).and_then(|(_, build)| build(parts))
}

/// The added tokens, normalized and in alphabetical order, for which the `tokenizers` crate searches in a normalized text before
/// its model is applied. The reason why the file is not usable, if an added token becomes empty (that crate would find it
/// everywhere, without end), or if two become equal (which of them is found would depend on chance).
pub(super) fn normalized_added_tokens(inner: &HfTokenizer) -> Result<Vec<String>, String> {
    let tokens = inner.get_added_tokens_decoder();
    let normal = |content: &String| match inner.get_normalizer() {
        None => content.clone(),
        Some(normalizer) => {
            let mut text = NormalizedString::from(content.as_str());
            // A token that cannot be normalized is never found.
            normalizer.normalize(&mut text).map_or_else(|_| "-".to_owned(), |()| text.get().to_owned())
        }
    };
    // The names of special tokens are not searched for, since a text that spells one is ordinary text; but a name that is
    // normalized to letters would be found in texts.
    let changed = |token: &&AddedToken| token.special && is_name(&token.content) && !is_name(&normal(&token.content));
    if let Some(token) = tokens.values().filter(|token| token.normalized).find(changed) {
        let (name, text) = (&token.content, normal(&token.content));
        return Err(format!(
            "its normalizer changes the special token {name:?} to {text:?}, which would match in sequences"
        ));
    }
    let mut all: Vec<String> =
        tokens.values().filter(|token| token.normalized).map(|token| normal(&token.content)).collect();
    all.sort_unstable();
    if all.first().is_some_and(String::is_empty) {
        return Err("its normalizer changes an added token to an empty text, which would match everywhere".to_owned());
    }
    match all.windows(2).find(|two| two[0] == two[1]) {
        None => Ok(all),
        Some(two) => {
            let text = &two[0];
            Err(format!("its normalizer changes two added tokens to {text:?}, which makes them ambiguous"))
        }
    }
}

/// Which texts the engine encodes in place of the `tokenizers` crate: those that normalizer and pre-tokenizer are certain to leave
/// unchanged, and in which every byte is A, C, G, T or a single letter that becomes \[UNK\].
#[derive(Debug)]
pub(super) struct FastPath {
    bytes: [bool; 256],
    /// Bytes that are certain to be part of a token of the file, whatever their context.
    lossless: [bool; 256],
}

impl FastPath {
    /// Analyzes the steps of a `tokenizer.json` before a model of this type. A step that is not known here accepts no text.
    /// `normalized_added_tokens`: see [`normalized_added_tokens`].
    pub(super) fn new(
        file: &Value,
        kind: &str,
        vocabulary: &Vocabulary,
        normalized_added_tokens: &[String],
    ) -> FastPath {
        let none = FastPath { bytes: [false; 256], lossless: [false; 256] };
        let empty = Vec::new();
        let list = |value: &Value, key: &str| value[key].as_array().unwrap_or(&empty).clone();
        let steps = |value: &Value, key: &str| match value["type"].as_str() {
            None if value.is_null() => Vec::new(),
            Some("Sequence") => list(value, key),
            _ => vec![value.clone()],
        };
        // A pattern of other letters, digits and counts never matches A, C, G, T; but a pattern that can be empty matches
        // everywhere.
        let never_matches_dna = |pattern: &Value| {
            let text = pattern["String"].as_str().or(pattern["Regex"].as_str()).unwrap_or_default();
            let other = text.chars().all(|c| c.is_ascii_alphanumeric() || "{,}-".contains(c));
            // At most one count, with a minimum of at least 1: a pattern that can be empty matches everywhere.
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
        let normalizer_keeps_dna = normalizers.iter().all(|step| match step["type"].as_str() {
            Some("Strip") => true,
            Some("BertNormalizer") => step["lowercase"] == json!(false),
            Some("Replace") => never_matches_dna(&step["pattern"]),
            _ => false,
        });
        let splitters = steps(&file["pre_tokenizer"], "pretokenizers");
        let isolated = splitters == [split_non_dna()];
        let pre_tokenizer_keeps_dna = isolated
            || splitters.iter().all(|step| match step["type"].as_str() {
                Some("Whitespace" | "WhitespaceSplit" | "BertPreTokenizer") => true,
                Some("Split") => never_matches_dna(&step["pattern"]) && step["invert"] == json!(false),
                _ => false,
            });
        let added: Vec<String> =
            list(file, "added_tokens").iter().filter_map(|t| Some(t["content"].as_str()?.to_owned())).collect();
        let mut added = added.iter().chain(normalized_added_tokens);
        if !normalizer_keeps_dna
            || !pre_tokenizer_keeps_dna
            || added.any(|token| token.bytes().all(|b| b.is_ascii_alphabetic()))
        {
            return none;
        }
        // Then a native implementation takes all other letters one by one.
        let dna = |text: &str| text.bytes().all(is_base);
        let model = &file["model"];
        let unknown = unknown(model, kind);
        // An unknown token that occurs in merges can absorb other letters.
        let merges = list(model, "merges");
        let merged = merges.iter().filter_map(merge_parts).any(|parts| parts.iter().any(|part| Some(*part) == unknown));
        let named = |id: u32| vocabulary.bases(id).is_some_and(|token| std::str::from_utf8(token).is_ok_and(is_name));
        let no_other = vocabulary.ids().all(|id| vocabulary.is_dna(id) || named(id));
        let alone = isolated && normalizers.is_empty() && no_other && model["byte_fallback"] != json!(true);
        if alone && matches!(kind, "WordPiece" | "Unigram") && !unknown.is_some_and(dna) {
            let lossless = std::array::from_fn(|byte| unknown.is_some() || is_base(byte as u8));
            return FastPath { bytes: [true; 256], lossless };
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
        // If no letter is dropped and every letter has a token, the encoding is lossless.
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
        let lossless = |byte: usize| is_base(byte as u8) || kept && (byte as u8).is_ascii_alphabetic();
        FastPath { bytes, lossless: std::array::from_fn(lossless) }
    }

    /// Whether every letter of a text is certain to be part of a token of the file.
    pub(super) fn is_lossless(&self, text: &[u8]) -> bool {
        let lossless = |byte: u8| self.lossless[usize::from(byte)];
        let known = b"ACGT".iter().all(|&base| lossless(base));
        let mut rest = text;
        while !rest.is_empty() {
            rest = &rest[if known { leading_bases(rest) } else { 0 }..];
            let others = rest.iter().take_while(|&&byte| lossless(byte) && !(known && is_base(byte))).count();
            rest = &rest[others..];
            if rest.first().is_some_and(|&byte| !lossless(byte)) {
                return false;
            }
        }
        true
    }

    /// Whether A, C, G, T are left unchanged.
    pub(super) fn preserves_dna(&self) -> bool {
        self.accepts(b"ACGT")
    }

    /// Whether the fast path applies to a text.
    pub(super) fn accepts(&self, text: &[u8]) -> bool {
        text.iter().fold(true, |all, &byte| all & self.bytes[usize::from(byte)])
    }
}
