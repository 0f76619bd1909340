//! `bpe<V>` (learned on the training split) and `file:PATH` (any Hugging Face `tokenizer.json`), leaning on the
//! `tokenizers` crate.
//!
//! A BPE of V entries counts the five special ids, as DNABERT-2's 4096 does. It is learned by the crate's own trainer with
//! DNABERT-2's settings (Whitespace pre-tokenizer, minimum frequency 2) on pieces of 512 bases.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Value, json};
use tokenizers::models::bpe::{BPE as HfBpe, BpeTrainerBuilder};
use tokenizers::tokenizer::Trainer;
use tokenizers::{AddedToken, Tokenizer as HfTokenizer};

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

/// Opens a `tokenizer.json`. Its canonical name is its file name and the start of the BLAKE3 of its content.
///
/// # Errors
/// If the file cannot be read or is not a tokenizer.
pub fn open(path: &str) -> Result<Recipe, Error> {
    let bytes = std::fs::read(path).map_err(|error| Error::File {
        path: path.to_owned(),
        reason: error.to_string(),
        remedy: "give the path of a Hugging Face tokenizer.json after \"file:\"".to_owned(),
    })?;
    let stem = std::path::Path::new(path).file_stem().map_or_else(String::new, |s| s.to_string_lossy().into_owned());
    let canonical = format!("file:{stem}@{}", &blake3::hash(&bytes).to_hex()[..12]);
    let tokenizer = Arc::new(HuggingFace::from_json(canonical.clone(), &bytes, path)?);
    Ok(Recipe::fixed(canonical, Frontend::Lookup, tokenizer.reading(), tokenizer))
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
    let mut trainer = BpeTrainerBuilder::new()
        .show_progress(false)
        .vocab_size(size)
        .min_frequency(2)
        .initial_alphabet(['A', 'C', 'G', 'T'].into())
        .special_tokens(SPECIAL_NAMES.map(|token| AddedToken::from(token, true)).to_vec())
        .build();
    trainer
        .feed(pieces.iter(), |piece| Ok(vec![piece.to_owned()]))
        .and_then(|()| {
            let mut model = HfBpe::default();
            trainer.train(&mut model).map(|_| model)
        })
        .map_err(|error| failed(error.to_string(), "check the training text"))
        .and_then(|model| serde_json::to_value(&model).map_err(|e| failed(e.to_string(), "report this as a fault")))
        .and_then(|mut model| {
            let learned = model["vocab"].as_object().map_or(0, serde_json::Map::len);
            if learned < size {
                return Err(failed(
                    format!("the training text gives only {learned} entries"),
                    "ask for a smaller vocabulary or give more text",
                ));
            }
            model["unk_token"] = json!("[UNK]");
            let file = tokenizer_json(&model);
            serde_json::to_vec_pretty(&file).map_err(|e| failed(e.to_string(), "report this as a fault"))
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
    merges: Option<Merges>,
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
        let inner = HfTokenizer::from_bytes(json).map_err(|e| failed(format!("not a tokenizer: {e}")))?;
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
        let merges = Merges::new(model, &vocabulary);
        let tokenizer = HuggingFace { name, json: json.to_vec(), inner, ours, vocabulary, merges };
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
        self.encode(&text, &mut tokens);
        let mut covered = 0;
        let whole = tokens.iter().all(|token| {
            let here = token.start == covered;
            covered = token.end;
            here && self.vocabulary.bases(token.id) == text.get(token.start as usize..token.end as usize)
        });
        whole && covered as usize == text.len()
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

    fn may_follow(&self, first: u32, second: u32) -> bool {
        if let Some(merges) = &self.merges {
            return merges.may_follow(first, second);
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

/// Merges of a byte-pair encoding by rank, for the question whether two tokens can stand side by side.
///
/// Greedy merging applies merges in order of rank, leftmost first. Seen from a border between two tokens, the piece that
/// touches it from the left is first the last base of the left token, then the right parts of that token's merges, up
/// to the token itself; likewise on the right. The border survives exactly if no merge of two pieces that touch it at
/// the same time comes up before one of the two is swallowed by its own token.
#[derive(Debug)]
struct Merges {
    /// (left, right) -> rank.
    ranks: HashMap<(u32, u32), u32>,
    /// id -> (rank, left, right) of the merge that makes it.
    made: HashMap<u32, (u32, u32, u32)>,
}

impl Merges {
    fn new(model: &Value, vocabulary: &Vocabulary) -> Option<Merges> {
        if model["type"].as_str().is_some_and(|kind| kind != "BPE") || model["ignore_merges"].as_bool() == Some(true) {
            return None;
        }
        let ids: HashMap<&[u8], u32> = vocabulary.ids().filter_map(|id| Some((vocabulary.bases(id)?, id))).collect();
        let (mut ranks, mut made) = (HashMap::new(), HashMap::new());
        for (rank, merge) in model["merges"].as_array()?.iter().enumerate() {
            let (left, right) = match merge {
                Value::String(text) => text.split_once(' ')?,
                Value::Array(pair) => (pair.first()?.as_str()?, pair.get(1)?.as_str()?),
                _ => return None,
            };
            let (a, b) = (*ids.get(left.as_bytes())?, *ids.get(right.as_bytes())?);
            let whole = *ids.get([left, right].concat().as_bytes())?;
            ranks.insert((a, b), rank as u32);
            // Two merges can give the same token; the first one is what greedy merging reaches for the token alone,
            // unless its parts are cut otherwise: then the pair is checked by the slow way in the tests.
            made.entry(whole).or_insert((rank as u32, a, b));
        }
        Some(Merges { ranks, made })
    }

    fn may_follow(&self, first: u32, second: u32) -> bool {
        // Walk back in time: at each step the piece that was made last is taken apart.
        let (mut left, mut right) = (first, second);
        // Ranks at which the present pieces are swallowed by their own token; u32::MAX: never.
        let (mut left_until, mut right_until) = (u32::MAX, u32::MAX);
        loop {
            // A merge of equal rank inside the left token lies further left and comes first; inside the right token later.
            if let Some(&rank) = self.ranks.get(&(left, right))
                && rank < left_until
                && rank <= right_until
            {
                return false;
            }
            let (a, b) = (self.made.get(&left), self.made.get(&right));
            match (a, b) {
                (None, None) => return true,
                (Some(&(rank, _, part)), None) => (left_until, left) = (rank, part),
                (None, Some(&(rank, part, _))) => (right_until, right) = (rank, part),
                (Some(&(rank_a, _, part_a)), Some(&(rank_b, part_b, _))) => {
                    if rank_a >= rank_b {
                        (left_until, left) = (rank_a, part_a);
                    } else {
                        (right_until, right) = (rank_b, part_b);
                    }
                }
            }
        }
    }
}
