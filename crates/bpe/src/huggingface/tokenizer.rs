//! [`HuggingFace`]: the tokenizer of a `tokenizer.json`.

use std::cell::RefCell;

use tokenizers::Tokenizer as HfTokenizer;

use super::check;
use super::frame::Frames;
use super::ids::Ids;
use super::plain::{self, Plain};
use super::walk::{Parts, Walk};
use crate::engine::{EncodedBatch, Engine};
use crate::error::Error;
use crate::token::Token;
use crate::vocabulary::{SPECIAL_NAMES, Vocabulary};

/// A tokenizer of the `tokenizers` crate, its ids mapped so that special ids are those of [`crate::vocabulary`].
#[derive(Debug)]
pub struct HuggingFace {
    pub(super) name: String,
    pub(super) json: Vec<u8>,
    pub(super) inner: HfTokenizer,
    pub(super) ids: Ids,
    pub(super) frames: Frames,
    pub(super) vocabulary: Vocabulary,
    pub(super) engine: Option<Engine>,
    pub(super) walk: Option<Box<dyn Walk>>,
    pub(super) plain: Plain,
    /// Most letters of a token that has another letter than A, C, G, T, and how far it can reach into a stretch of them.
    pub(super) reach: usize,
    /// Letters for which it has neither a token nor an unknown token, where they stand alone.
    pub(super) refused: Vec<u8>,
}

impl HuggingFace {
    /// From the text of a `tokenizer.json`; `origin` names it in errors.
    ///
    /// # Errors
    /// If it is not one.
    pub fn from_json(name: String, json: &[u8], origin: &str) -> Result<Self, Error> {
        let json = check::unmarked(json);
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
        let walk = plain::walk(kind, &Parts { model, vocabulary: &vocabulary, ours: &ids.ours });
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

impl HuggingFace {
    /// Its name, as given.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its tokens by our ids.
    #[must_use]
    pub fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    /// Cuts `bases` into tokens that lie side by side. `out` is cleared first. No special tokens, no padding. What has no id in the
    /// file ([`HuggingFace::refusal`]) is \[UNK\], one by one.
    pub fn encode(&self, bases: &[u8], out: &mut Vec<Token>) {
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

    /// Whether `second` can stand right after `first` in a cut.
    #[must_use]
    pub fn may_follow(&self, first: u32, second: u32) -> bool {
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

    /// Whether a token is always the first of a stretch (`Some(true)`) or never (`Some(false)`), where the vocabulary tells:
    /// WordPiece spells the same bases in two ways. `None`: it can stand anywhere.
    #[must_use]
    pub fn stands_first(&self, id: u32) -> Option<bool> {
        self.walk.as_ref()?.stands_first(id)
    }

    /// The text of the file, without a byte order mark.
    #[must_use]
    pub fn json(&self) -> &[u8] {
        &self.json
    }
}

thread_local! {
    /// Buffers of the engine, one set for each thread.
    static BATCH: RefCell<EncodedBatch> = RefCell::default();
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
