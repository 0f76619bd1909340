//! `bpe<V>` (learned on the training split) and `file:PATH` (any Hugging Face `tokenizer.json`).
//!
//! A BPE of V entries counts the five special ids, as DNABERT-2's 4096 does. It is learned by [`bpe::train`] with DNABERT-2's
//! settings (Whitespace pre-tokenizer, minimum frequency 2) on pieces of 512 bases: the merges are those of the `tokenizers`
//! crate's trainer. Text is cut by [`bpe::Engine`] where that is certain to give what the `tokenizers` crate gives (see
//! `Plain`), and by that crate everywhere else. Unigram and WordPiece models have a `Walk`, in
//! files of their own.

mod check;
mod frame;
mod ids;
mod plain;
mod slow;
mod walk;
mod write;

mod batch;
pub mod file;
mod parts;

use std::cell::RefCell;
use std::sync::Arc;

use dna::is_base;
use tokenizers::Tokenizer as HfTokenizer;

use crate::bpe::train::Options;
use crate::bpe::{self, Batch, Engine};
use crate::error::Error;
use crate::frontend::Frontend;
use crate::name::Name;
use crate::registry::{Kind, Recipe};
use crate::token::{Reading, Token, Tokenizer};
use crate::vocabulary::{SPECIAL_NAMES, SPECIALS, Vocabulary};

pub(crate) use check::merge_parts;
use frame::Frames;
pub use frame::Place;
use ids::Ids;
use plain::Plain;
pub use slow::{Refusal, Why};
pub(crate) use walk::{Parts, Walk};
pub use write::to_json;
pub(crate) use write::{letters_apart, to_bytes, tokenizer_json};

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
    help: "any Hugging Face tokenizer.json: BPE, Unigram, WordPiece",
    examples: &[],
    resolve: |_| None,
};

/// Most bases a vocabulary is learned on: beyond it, evenly spaced pieces are taken.
pub const TRAINING_BASES: usize = 8_000_000;
/// Bases per training piece.
pub const PIECE: usize = 512;

/// The vocabulary size in a name such as `bpe4096`: at least `least`, that is one of each of `parts`.
pub(crate) fn size(name: &Name, least: u64, parts: &str) -> Result<usize, Error> {
    let wrong = |reason: String| Error::Name {
        name: name.written.clone(),
        reason,
        remedy: format!("write for example \"{}4096\" ({least} to 65536 entries: {parts})", name.stem),
    };
    match name.number {
        _ if !name.words.is_empty() => Err(wrong("unknown variant".into())),
        None => Err(wrong("the size of the vocabulary is missing".into())),
        Some(size) if size < least => Err(wrong(format!("a vocabulary of {size} is smaller than the alphabet"))),
        Some(size @ ..=65_536) => Ok(size as usize),
        Some(size) => Err(wrong(format!("a vocabulary of {size} is too large"))),
    }
}

/// The vocabulary size of a BPE.
pub(crate) fn bpe_size(name: &Name) -> Result<usize, Error> {
    size(name, 9, "5 special ids, 4 bases, merges")
}

fn bpe(name: &Name) -> Result<Recipe, Error> {
    let size = bpe_size(name)?;
    Ok(learned(format!("bpe{size}"), &settings(), move |name, pieces| train(name, size, pieces)))
}

/// What determines the merges of a `bpe<V>`, its name and the text aside.
pub(crate) fn settings() -> String {
    let Options { min_frequency, max_token_length, both_strands, .. } = Options::default();
    format!(
        "{TRAINING_BASES} bases in pieces of {PIECE}, pairs from {min_frequency} places on, tokens below {max_token_length} bases, \
         both strands {both_strands}"
    )
}

/// The recipe of a tokenizer whose vocabulary `learn` gives as the text of a `tokenizer.json`.
pub(crate) fn learned(
    canonical: String,
    settings: &str,
    learn: impl Fn(&str, &mut dyn Iterator<Item = &[u8]>) -> Result<Vec<u8>, Error> + Send + Sync + 'static,
) -> Recipe {
    let (for_fit, for_load) = (canonical.clone(), canonical.clone());
    Recipe::learned(
        canonical,
        Reading::Tiling(None),
        settings,
        move |pieces| {
            let json = learn(&for_fit, pieces)?;
            Ok(Arc::new(HuggingFace::from_json(for_fit.clone(), &json, "learned vocabulary")?))
        },
        move |saved| Ok(Arc::new(HuggingFace::from_json(for_load.clone(), saved, "learned vocabulary")?)),
    )
}

/// Refuses a vocabulary that has become smaller than it should.
pub(crate) fn enough(name: &str, size: usize, entries: usize) -> Result<(), Error> {
    if entries < size {
        return Err(Error::Fit {
            name: name.to_owned(),
            reason: format!("the training text gives only {entries} entries"),
            remedy: "ask for a smaller vocabulary or give more text".to_owned(),
        });
    }
    Ok(())
}

/// Reads a `tokenizer.json`. Its canonical name is its file name and the start of the BLAKE3 of its content.
///
/// # Errors
/// If the file cannot be read or is not a tokenizer.
pub fn read(path: &str) -> Result<HuggingFace, Error> {
    let bytes = std::fs::read(path).map_err(|error| Error::File {
        path: path.to_owned(),
        reason: match error.kind() {
            std::io::ErrorKind::NotFound => "no such file".to_owned(),
            std::io::ErrorKind::IsADirectory => "it is a folder".to_owned(),
            _ => error.to_string(),
        },
        remedy: "give the path of a Hugging Face tokenizer.json".to_owned(),
    })?;
    let stem = std::path::Path::new(path).file_stem().map_or_else(String::new, |s| s.to_string_lossy().into_owned());
    let canonical = format!("file:{stem}@{}", &blake3::hash(&bytes).to_hex()[..12]);
    HuggingFace::from_json(canonical, &bytes, path)
}

/// A text without the byte order mark that some editors put in front.
fn unmarked(text: &[u8]) -> &[u8] {
    text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text)
}

/// The recipe of a `tokenizer.json`.
///
/// # Errors
/// As [`read`].
pub fn open(path: &str) -> Result<Recipe, Error> {
    let tokenizer = Arc::new(read(path)?);
    Ok(Recipe::fixed(tokenizer.name.clone(), Frontend::Lookup, tokenizer.reading(), tokenizer))
}

/// Evenly spaced pieces of at most [`PIECE`] bases of A, C, G, T, at most `most` bases in all.
pub(crate) fn training_pieces<'a>(pieces: &mut dyn Iterator<Item = &'a [u8]>, most: usize) -> Vec<&'a str> {
    let mut chunks = Vec::new();
    for piece in pieces {
        for stretch in piece.split(|&b| !is_base(b)) {
            chunks.extend(stretch.chunks(PIECE).filter_map(|chunk| std::str::from_utf8(chunk).ok()));
        }
    }
    let total: usize = chunks.iter().map(|chunk| chunk.len()).sum();
    let keep = (most / PIECE).max(1);
    if total > most && chunks.len() > keep {
        chunks = (0..keep).map(|i| chunks[i * chunks.len() / keep]).collect();
    }
    chunks
}

/// Learns a BPE vocabulary of `size` entries and gives it as the text of a `tokenizer.json`.
///
/// # Errors
/// If the text is too short or too uniform to give that many merges.
pub fn train(name: &str, size: usize, pieces: &mut dyn Iterator<Item = &[u8]>) -> Result<Vec<u8>, Error> {
    let pieces = training_pieces(pieces, TRAINING_BASES);
    let options = Options { vocabulary: size, piece: 0, ..Options::default() };
    let learned = bpe::train::train(pieces.iter().map(|piece| piece.as_bytes()), &options, &mut |_| true)?;
    enough(name, size, SPECIALS as usize + learned.tokens.len())?;
    Ok(to_json(&learned))
}

/// A tokenizer of the `tokenizers` crate behind our contract, its ids mapped so that special ids are ours.
#[derive(Debug)]
pub struct HuggingFace {
    name: String,
    json: Vec<u8>,
    inner: HfTokenizer,
    ids: Ids,
    frames: Frames,
    vocabulary: Vocabulary,
    engine: Option<Engine>,
    walk: Option<Box<dyn Walk>>,
    plain: Plain,
    /// Most letters of a token that has another letter than A, C, G, T, and how far it can reach into a stretch of them.
    reach: usize,
    /// Letters for which it has neither a token nor an unknown token, where they stand alone.
    refused: Vec<u8>,
}

impl HuggingFace {
    /// From the text of a `tokenizer.json`; `origin` names it in errors.
    ///
    /// # Errors
    /// If it is not one.
    pub fn from_json(name: String, json: &[u8], origin: &str) -> Result<Self, Error> {
        let json = unmarked(json);
        let failed =
            |reason: String, remedy: &str| Error::File { path: origin.to_owned(), reason, remedy: remedy.to_owned() };
        let needed = "a Hugging Face tokenizer.json is needed (\"version\", \"model\", ...)";
        let file = check::read(json).map_err(|flaw| failed(flaw.reason, &flaw.remedy))?;
        let model = &file["model"];
        let kind = check::kind(model);
        let mut inner = HfTokenizer::from_bytes(check::letters_as_text(&file, json).as_ref())
            .map_err(|e| failed(format!("not a tokenizer: {e}"), needed))?;
        // What a file says of truncation and padding is about models, not about the cut: nothing is left out here.
        inner.with_truncation(None).map_err(|e| failed(e.to_string(), needed))?;
        inner.with_padding(None);
        // And a text that spells the name of a special token is no special token.
        inner.set_encode_special_tokens(true);
        let again = "give each token an id of its own, and added tokens the ids that they have in the vocabulary";
        check::added(&file, &inner).map_err(|flaw| failed(flaw.reason, &flaw.remedy))?;
        let (ids, vocabulary) = Ids::new(&inner, &file, kind).map_err(|reason| failed(reason, again))?;
        let apart = "set \"normalized\" of such a token to false, or leave it out";
        let looked_for = plain::looked_for(&inner).map_err(|reason| failed(reason, apart))?;
        let processor = "correct its \"post_processor\", or set it to null";
        let frames = Frames::new(&inner, &ids, &vocabulary).map_err(|reason| failed(reason, processor))?;
        let walk = walk::of(kind, &Parts { model, vocabulary: &vocabulary, ours: &ids.ours });
        let plain = Plain::new(&file, kind, &vocabulary, &looked_for);
        if kind == "WordPiece" && (walk.is_none() || !plain.leaves_dna_alone()) {
            let reason =
                "its normalizer or pre-tokenizer is not known to leave A, C, G, T alone, as WordPiece needs it";
            return Err(failed(reason.to_owned(), "use the pre-tokenizer \"Whitespace\" and no normalizer"));
        }
        let engine = plain::engine(model, &vocabulary);
        let others = vocabulary.ids().filter(|&id| !vocabulary.is_dna(id));
        let lengths = others.filter_map(|id| vocabulary.bases(id)).map(<[u8]>::len);
        let reach = lengths.chain(looked_for.iter().map(String::len)).max().unwrap_or(0);
        let mut tokenizer = HuggingFace {
            name,
            json: json.to_vec(),
            inner,
            ids,
            frames,
            vocabulary,
            engine,
            walk,
            plain,
            reach,
            refused: Vec::new(),
        };
        tokenizer.refused = tokenizer.refused_alone();
        match tokenizer.wrong_cut() {
            Some((text, token)) => Err(failed(
                format!("it cuts plain DNA into unknown tokens or leaves bases out: {text} begins with {token}"),
                "its normalizer, pre-tokenizer and vocabulary must cut upper-case A, C, G, T into tokens that spell them",
            )),
            None => Ok(tokenizer),
        }
    }

    /// Where plain DNA does not become tokens of A, C, G, T that lie side by side and stand for exactly their bases: the text
    /// from there on, and the token that the file gives.
    fn wrong_cut(&self) -> Option<(String, String)> {
        // A de Bruijn-like text: every word of three letters stands in it.
        let text: Vec<u8> = (0..64usize).flat_map(|i| [16, 4, 1].map(|place| b"ACGT"[i / place % 4])).collect();
        let mut tokens = Vec::new();
        self.encode_slowly(&text, 0, &mut tokens);
        let mut covered = 0;
        let mut right = |token: &Token| {
            let here = token.start as usize == covered;
            covered = token.end as usize;
            here && self.vocabulary.bases(token.id) == text.get(token.start as usize..covered)
        };
        let wrong = tokens.iter().position(|token| !right(token));
        let place = match wrong {
            Some(number) => number.checked_sub(1).map_or(0, |before| tokens[before].end),
            None if covered == text.len() => return None,
            None => covered as u32,
        };
        let token = match wrong.map(|number| tokens[number]) {
            None => "nothing".to_owned(),
            Some(token) => match self.vocabulary.bases(token.id) {
                None => SPECIAL_NAMES[token.id as usize].to_owned(),
                Some(bases) => format!("{:?}", String::from_utf8_lossy(bases)),
            },
        };
        let from = (place as usize).min(text.len());
        let shown = String::from_utf8_lossy(&text[from..(from + 8).min(text.len())]).into_owned();
        Some((shown, token))
    }

    /// The ids of the file by our ids: the same but for files whose special ids are others. `None`: a special id that the file has
    /// no token for.
    #[must_use]
    pub fn file_ids(&self) -> &[Option<u32>] {
        self.ids.theirs()
    }

    /// Our id of an id of the file.
    #[must_use]
    pub fn own_id(&self, of_file: u32) -> Option<u32> {
        self.ids.of(of_file)
    }

    /// The letters that an id of ours alone stands for: those of its token, N for unknown ones, none for names such as \[CLS\].
    #[must_use]
    pub fn spelling(&self, id: u32) -> &[u8] {
        self.ids.spelling(id, &self.vocabulary)
    }

    /// Whether an id of ours is one of a special token that the file has: by its name, or because the file says so.
    #[must_use]
    pub fn is_special(&self, id: u32) -> bool {
        self.ids.is_special(id)
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
        match (&self.engine, &self.walk) {
            (Some(engine), _) if self.plain.is_plain(bases) => cut(engine, bases, 0, out),
            (Some(engine), _) => {
                let mut done = 0;
                for inner in self.inner_stretches(bases) {
                    self.encode_slowly(&bases[done..inner.start], done, out);
                    cut(engine, &bases[inner.clone()], inner.start, out);
                    done = inner.end;
                }
                self.encode_slowly(&bases[done..], done, out);
            }
            (None, Some(walk)) if self.plain.is_plain(bases) => walk.cut(bases, out),
            (None, _) => self.encode_slowly(bases, 0, out),
        }
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
        let text = [a, b].concat();
        if let Some(walk) = self.walk.as_ref().filter(|_| self.plain.leaves_dna_alone()) {
            return walk.may_follow(first, second, &text);
        }
        let mut out = Vec::new();
        self.encode(&text, &mut out);
        out.len() == 2 && out[0].id == first && out[1].id == second
    }

    fn stands_first(&self, id: u32) -> Option<bool> {
        self.walk.as_ref()?.stands_first(id)
    }

    fn save(&self) -> Option<Vec<u8>> {
        Some(self.json.clone())
    }
}

thread_local! {
    /// Buffers of the engine, one set for each thread.
    static BATCH: RefCell<Batch> = RefCell::default();
}

/// Appends the tokens of a text that begins at a place of a longer one, as the engine cuts it.
fn cut(engine: &Engine, bases: &[u8], from: usize, out: &mut Vec<Token>) {
    BATCH.with_borrow_mut(|batch| {
        engine.encode_spans([bases], batch);
        out.extend(batch.ids(0).iter().zip(batch.starts(0)).map(|(&id, &start)| {
            let start = from as u32 + start;
            Token { id: u32::from(id), start, end: start + engine.length(id).max(1) as u32 }
        }));
    });
}
