//! `bpe<V>` (learned on the training split) and `file:PATH` (any Hugging Face `tokenizer.json`).
//!
//! A BPE of V entries counts the five special ids, as DNABERT-2's 4096 does. It is learned by [`bpe::train`] with DNABERT-2's
//! settings (Whitespace pre-tokenizer, minimum frequency 2) on pieces of 512 bases: the merges are those of the `tokenizers`
//! crate's trainer. Text is cut by [`bpe::Engine`] where that is certain to give what the `tokenizers` crate gives (see
//! `Plain`), and by that crate everywhere else.

mod batch;
pub mod file;

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Value, json};
use tokenizers::Tokenizer as HfTokenizer;

use crate::bpe::train::{Learned, Options};
use crate::bpe::{self, Batch, Engine};
use crate::error::Error;
use crate::frontend::Frontend;
use crate::name::Name;
use crate::registry::{Kind, Recipe};
use crate::token::{Reading, Token, Tokenizer};
use crate::vocabulary::{CLS, MASK, PAD, SEP, SPECIAL_NAMES, SPECIALS, UNK, Vocabulary};

/// `bpe<V>`.
pub const BPE: Kind = Kind {
    stem: "bpe",
    pattern: "bpe<V>",
    help: "byte-pair encoding with V entries (9 to 65536), learned on the training split",
    examples: &["bpe512", "bpe4096"],
    resolve: |name| Some(bpe(name)),
};

/// `file:PATH`.
pub const FILE: Kind = Kind {
    stem: "file",
    pattern: "file:PATH",
    help: "any Hugging Face tokenizer.json",
    examples: &[],
    resolve: |_| None,
};

/// Most bases a vocabulary is learned on: beyond it, evenly spaced pieces are taken.
pub const TRAINING_BASES: usize = 8_000_000;
/// Bases per training piece.
pub const PIECE: usize = 512;

/// The vocabulary size in a name such as `bpe4096`.
pub(crate) fn size(name: &Name) -> Result<usize, Error> {
    let wrong = |reason: String| Error::Name {
        name: name.written.clone(),
        reason,
        remedy: format!("write for example \"{}4096\" (9 to 65536 entries: 5 special ids, 4 bases, merges)", name.stem),
    };
    match name.number {
        _ if !name.words.is_empty() => Err(wrong("unknown variant".into())),
        None => Err(wrong("the size of the vocabulary is missing".into())),
        Some(size @ 0..9) => Err(wrong(format!("a vocabulary of {size} is smaller than the alphabet"))),
        Some(size @ 9..=65_536) => Ok(size as usize),
        Some(size) => Err(wrong(format!("a vocabulary of {size} is too large"))),
    }
}

fn bpe(name: &Name) -> Result<Recipe, Error> {
    let size = size(name)?;
    let canonical = format!("bpe{size}");
    let (for_fit, for_load) = (canonical.clone(), canonical.clone());
    Ok(Recipe::learned(
        canonical,
        Reading::Tiling(None),
        move |pieces| {
            let json = train(&for_fit, size, pieces)?;
            Ok(Arc::new(HuggingFace::from_json(for_fit.clone(), &json, "learned vocabulary")?))
        },
        move |saved| Ok(Arc::new(HuggingFace::from_json(for_load.clone(), saved, "learned vocabulary")?)),
    ))
}

/// Reads a `tokenizer.json`. Its canonical name is its file name and the start of the BLAKE3 of its content.
///
/// # Errors
/// If the file cannot be read or is not a tokenizer.
pub fn read(path: &str) -> Result<HuggingFace, Error> {
    let bytes = std::fs::read(path).map_err(|error| Error::File {
        path: path.to_owned(),
        reason: error.to_string(),
        remedy: "give the path of a Hugging Face tokenizer.json after \"file:\"".to_owned(),
    })?;
    let stem = std::path::Path::new(path).file_stem().map_or_else(String::new, |s| s.to_string_lossy().into_owned());
    let canonical = format!("file:{stem}@{}", &blake3::hash(&bytes).to_hex()[..12]);
    HuggingFace::from_json(canonical, &bytes, path)
}

/// The recipe of a `tokenizer.json`.
///
/// # Errors
/// As [`read`].
pub fn open(path: &str) -> Result<Recipe, Error> {
    let tokenizer = Arc::new(read(path)?);
    Ok(Recipe::fixed(tokenizer.name.clone(), Frontend::Lookup, tokenizer.reading(), tokenizer))
}

/// Evenly spaced pieces of at most [`PIECE`] bases of A, C, G, T, at most [`TRAINING_BASES`] in all.
pub(crate) fn training_pieces<'a>(pieces: &mut dyn Iterator<Item = &'a [u8]>) -> Vec<&'a str> {
    let mut chunks = Vec::new();
    for piece in pieces {
        for stretch in piece.split(|b| !matches!(b, b'A' | b'C' | b'G' | b'T')) {
            chunks.extend(stretch.chunks(PIECE).filter_map(|chunk| std::str::from_utf8(chunk).ok()));
        }
    }
    let total: usize = chunks.iter().map(|chunk| chunk.len()).sum();
    let keep = (TRAINING_BASES / PIECE).max(1);
    if total > TRAINING_BASES && chunks.len() > keep {
        chunks = (0..keep).map(|i| chunks[i * chunks.len() / keep]).collect();
    }
    chunks
}

/// Learns a BPE vocabulary of `size` entries and gives it as the text of a `tokenizer.json`.
///
/// # Errors
/// If the text is too short or too uniform to give that many merges.
pub fn train(name: &str, size: usize, pieces: &mut dyn Iterator<Item = &[u8]>) -> Result<Vec<u8>, Error> {
    let failed = |reason: String, remedy: &str| Error::Fit { name: name.to_owned(), reason, remedy: remedy.to_owned() };
    let pieces = training_pieces(pieces);
    let options = Options { vocabulary: size, piece: 0, ..Options::default() };
    let learned = bpe::train::train(pieces.iter().map(|piece| piece.as_bytes()), &options, &mut |_| true)?;
    let entries = SPECIALS as usize + learned.tokens.len();
    if entries < size {
        return Err(failed(
            format!("the training text gives only {entries} entries"),
            "ask for a smaller vocabulary or give more text",
        ));
    }
    Ok(to_json(&learned))
}

/// A learned vocabulary as a `tokenizer.json`, with DNABERT-2's special ids, pre-tokenizer and template.
///
/// # Panics
/// Never: it is plain data.
#[must_use]
pub fn to_json(learned: &Learned) -> Vec<u8> {
    serde_json::to_vec_pretty(&tokenizer_json(&model(learned))).expect("plain data")
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

/// A `tokenizer.json` with DNABERT-2's special ids, pre-tokenizer and template around `model`.
fn tokenizer_json(model: &Value) -> Value {
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
        "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [special(CLS), {"Sequence": {"id": "A", "type_id": 0}}, special(SEP)],
            "pair": [special(CLS), {"Sequence": {"id": "A", "type_id": 0}}, special(SEP),
                     {"Sequence": {"id": "B", "type_id": 1}}, second(SEP)],
            "special_tokens": {"[CLS]": entry(CLS), "[SEP]": entry(SEP)},
        },
        "decoder": null, "model": model,
    })
}

/// A tokenizer of the `tokenizers` crate behind our contract, its ids mapped so that special ids are ours.
#[derive(Debug)]
pub struct HuggingFace {
    name: String,
    json: Vec<u8>,
    inner: HfTokenizer,
    /// From their id to ours.
    ours: HashMap<u32, u32>,
    vocabulary: Vocabulary,
    engine: Option<Engine>,
    plain: Plain,
}

impl HuggingFace {
    /// From the text of a `tokenizer.json`; `origin` names it in errors.
    ///
    /// # Errors
    /// If it is not one.
    pub fn from_json(name: String, json: &[u8], origin: &str) -> Result<Self, Error> {
        let failed = |reason: String| Error::File {
            path: origin.to_owned(),
            reason,
            remedy: "a Hugging Face tokenizer.json is needed (\"version\", \"model\", ...)".to_owned(),
        };
        let parsed: Value = serde_json::from_slice(json).map_err(|e| failed(format!("not JSON: {e}")))?;
        let model = &parsed["model"];
        if !model.is_object() {
            return Err(failed("no \"model\" in it".to_owned()));
        }
        if model["dropout"].as_f64().is_some_and(|dropout| dropout > 0.0) {
            return Err(failed(
                "BPE dropout makes every cut a random one, so no two runs would see the same tokens".to_owned(),
            ));
        }
        let mut inner = HfTokenizer::from_bytes(json).map_err(|e| failed(format!("not a tokenizer: {e}")))?;
        // What a file says of truncation and padding is about models, not about the cut: nothing is left out here.
        inner.with_truncation(None).map_err(|e| failed(e.to_string()))?;
        inner.with_padding(None);
        let unknown = model["unk_token"].as_str();
        let mut theirs: Vec<(u32, String)> = inner.get_vocab(true).into_iter().map(|(token, id)| (id, token)).collect();
        theirs.sort_unstable();
        let mut ours = HashMap::with_capacity(theirs.len());
        let mut tokens = Vec::with_capacity(theirs.len());
        for (id, token) in theirs {
            let special = if Some(token.as_str()) == unknown { Some(UNK) } else { special(&token) };
            let mapped = special.unwrap_or_else(|| {
                tokens.push(token);
                SPECIALS + tokens.len() as u32 - 1
            });
            ours.insert(id, mapped);
        }
        let vocabulary = Vocabulary::new(tokens);
        let missing: String = "ACGT"
            .chars()
            .filter(|c| !vocabulary.ids().any(|id| vocabulary.bases(id) == Some(c.to_string().as_bytes())))
            .collect();
        if !missing.is_empty() {
            return Err(failed(format!("no token for the single base(s) {missing}, so not every sequence can be cut")));
        }
        let plain = Plain::new(&parsed);
        let engine = engine(model, &vocabulary);
        let tokenizer = HuggingFace { name, json: json.to_vec(), inner, ours, vocabulary, engine, plain };
        if !tokenizer.tiles_dna() {
            return Err(failed("it cuts plain DNA into unknown tokens or leaves bases out".to_owned()));
        }
        Ok(tokenizer)
    }

    /// Whether plain DNA becomes tokens of A, C, G, T that lie side by side and stand for exactly their bases.
    fn tiles_dna(&self) -> bool {
        // A de Bruijn-like text: every word of three letters stands in it.
        let text: Vec<u8> = (0..64usize).flat_map(|i| [16, 4, 1].map(|place| b"ACGT"[i / place % 4])).collect();
        let mut tokens = Vec::new();
        self.encode_slowly(&text, &mut tokens);
        let mut covered = 0;
        let whole = tokens.iter().all(|token| {
            let here = token.start == covered;
            covered = token.end;
            here && self.vocabulary.bases(token.id) == text.get(token.start as usize..token.end as usize)
        });
        whole && covered as usize == text.len()
    }

    /// The ids of the file by our ids: the same but for files whose special ids are others.
    #[must_use]
    pub fn file_ids(&self) -> Vec<u32> {
        let mut ids = vec![0; self.vocabulary.len()];
        for (&theirs, &ours) in &self.ours {
            ids[ours as usize] = theirs;
        }
        ids
    }

    /// The fast engine, where there is one for this file. Ids are those of this [`Vocabulary`].
    #[must_use]
    pub fn engine(&self) -> Option<&Engine> {
        self.engine.as_ref()
    }

    /// The same with an engine of at most `states` states; 0: always the walk over pairs.
    #[must_use]
    pub fn with_most_states(self, states: usize) -> HuggingFace {
        HuggingFace { engine: self.engine.map(|engine| engine.with_most_states(states)), ..self }
    }

    /// The `tokenizers` crate's own object.
    #[must_use]
    pub fn inner(&self) -> &HfTokenizer {
        &self.inner
    }
}

fn special(token: &str) -> Option<u32> {
    match token {
        "[UNK]" | "<unk>" => Some(UNK),
        "[CLS]" | "<cls>" | "<s>" => Some(CLS),
        "[SEP]" | "<sep>" | "<eos>" | "</s>" => Some(SEP),
        "[PAD]" | "<pad>" => Some(PAD),
        "[MASK]" | "<mask>" => Some(MASK),
        _ => None,
    }
}

impl Tokenizer for HuggingFace {
    fn name(&self) -> &str {
        &self.name
    }

    fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    fn reading(&self) -> Reading {
        Reading::Tiling(None)
    }

    fn encode(&self, bases: &[u8], out: &mut Vec<Token>) {
        out.clear();
        if let Some(engine) = &self.engine
            && self.plain.is_plain(bases)
        {
            BATCH.with_borrow_mut(|batch| {
                engine.encode_spans([bases], batch);
                out.extend(batch.ids(0).iter().zip(batch.starts(0)).map(|(&id, &start)| Token {
                    id: u32::from(id),
                    start,
                    end: start + engine.length(id).max(1) as u32,
                }));
            });
            return;
        }
        self.encode_slowly(bases, out);
    }

    fn may_follow(&self, first: u32, second: u32) -> bool {
        if let Some(engine) = &self.engine
            && self.vocabulary.is_dna(first)
            && self.vocabulary.is_dna(second)
        {
            return engine.may_follow(first, second);
        }
        let (Some(a), Some(b)) = (self.vocabulary.bases(first), self.vocabulary.bases(second)) else {
            return false;
        };
        let mut out = Vec::new();
        self.encode(&[a, b].concat(), &mut out);
        out.len() == 2 && out[0].id == first && out[1].id == second
    }

    fn save(&self) -> Option<Vec<u8>> {
        Some(self.json.clone())
    }
}

thread_local! {
    /// Buffers of the engine, one set for each thread.
    static BATCH: RefCell<Batch> = RefCell::default();
}

impl HuggingFace {
    /// The cut as the `tokenizers` crate makes it.
    fn encode_slowly(&self, bases: &[u8], out: &mut Vec<Token>) {
        let replaced: String;
        let text = match std::str::from_utf8(bases) {
            Ok(text) if text.is_ascii() => text,
            _ => {
                // Offsets of other characters are not one byte each, so they are shown as N, as a reader would.
                replaced = bases.iter().map(|&b| if b.is_ascii() { b as char } else { 'N' }).collect();
                &replaced
            }
        };
        // The crate fails only on pre-tokenizers and normalizers that reject their input: then nothing is known.
        match self.inner.encode(text, false) {
            Ok(encoding) => {
                out.extend(encoding.get_ids().iter().zip(encoding.get_offsets()).map(|(id, (start, end))| Token {
                    id: self.ours.get(id).copied().unwrap_or(UNK),
                    start: *start as u32,
                    end: *end as u32,
                }));
            }
            Err(_) => out.extend((0..bases.len() as u32).map(|i| Token { id: UNK, start: i, end: i + 1 })),
        }
    }
}

/// The engine of a `model`, if it is a BPE of the kind that the engine knows.
fn engine(model: &Value, vocabulary: &Vocabulary) -> Option<Engine> {
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
        let (left, right) = match merge {
            Value::String(text) => text.split_once(' ')?,
            Value::Array(pair) => (pair.first()?.as_str()?, pair.get(1)?.as_str()?),
            _ => return None,
        };
        let id = |text: &str| ids.get(text.as_bytes()).copied();
        merges.push((id(left)?, id(right)?, id(&[left, right].concat())?));
    }
    Engine::new(&spelled, &merges, UNK)
}

/// Which texts the engine may cut in place of the `tokenizers` crate: those that its normalizer and its pre-tokenizer are
/// certain to leave alone, and in which every byte is one of A, C, G, T or a letter of its own that becomes \[UNK\].
#[derive(Debug)]
struct Plain {
    bytes: [bool; 256],
}

impl Plain {
    /// Reads what a `tokenizer.json` does before its model. Whatever is not known here makes no text plain.
    fn new(file: &Value) -> Plain {
        let none = Plain { bytes: [false; 256] };
        let empty = Vec::new();
        let list = |value: &Value, key: &str| value[key].as_array().unwrap_or(&empty).clone();
        // A pattern of other letters, digits and counts never meets A, C, G, T.
        let elsewhere = |pattern: &Value| {
            let text = pattern["String"].as_str().or(pattern["Regex"].as_str());
            text.is_some_and(|text| text.chars().all(|c| c.is_ascii_alphanumeric() || "{,}-".contains(c)))
                && text.is_some_and(|text| !text.contains(['A', 'C', 'G', 'T']) && !text.is_empty())
        };
        let normalizers = match file["normalizer"]["type"].as_str() {
            None => Vec::new(),
            Some("Sequence") => list(&file["normalizer"], "normalizers"),
            Some(_) => vec![file["normalizer"].clone()],
        };
        let harmless = normalizers.iter().all(|step| match step["type"].as_str() {
            Some("Strip") => true,
            Some("Replace") => elsewhere(&step["pattern"]),
            _ => false,
        });
        let splitter = &file["pre_tokenizer"];
        let whole = match splitter["type"].as_str() {
            None => splitter.is_null(),
            Some("Whitespace" | "WhitespaceSplit") => true,
            Some("Split") => elsewhere(&splitter["pattern"]) && splitter["invert"] == json!(false),
            Some(_) => false,
        };
        let added: Vec<String> =
            list(file, "added_tokens").iter().filter_map(|t| Some(t["content"].as_str()?.to_owned())).collect();
        if !harmless || !whole || added.iter().any(|token| token.bytes().all(|b| b.is_ascii_alphabetic())) {
            return none;
        }
        let mut bytes = [false; 256];
        b"ACGT".iter().for_each(|&base| bytes[usize::from(base)] = true);
        let vocabulary = file["model"]["vocab"].as_object();
        let strict = normalizers.is_empty() && !matches!(splitter["type"].as_str(), Some("Split"));
        if strict && file["model"]["unk_token"].is_string() {
            for letter in (b'A'..=b'Z').chain(b'a'..=b'z') {
                let own = vocabulary.is_none_or(|vocabulary| vocabulary.contains_key(&char::from(letter).to_string()));
                bytes[usize::from(letter)] |= !own;
            }
        }
        Plain { bytes }
    }

    fn is_plain(&self, text: &[u8]) -> bool {
        text.iter().fold(true, |all, &byte| all & self.bytes[usize::from(byte)])
    }
}
