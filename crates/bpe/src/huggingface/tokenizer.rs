//! [`HuggingFace`]: the tokenizer of a `tokenizer.json`.

use std::cell::RefCell;

use tokenizers::Tokenizer as HfTokenizer;

use super::check;
use super::fast_path::{self, FastPath};
use super::ids::Ids;
use super::native::{ModelParts, NativeModel};
use super::post_processor::Templates;
use crate::engine::{EncodedBatch, Engine};
use crate::error::Error;
use crate::token::Token;
use crate::vocabulary::{SPECIAL_NAMES, Vocabulary};

/// A tokenizer of the `tokenizers` crate, with ids mapped so that special ids are those of [`crate::vocabulary`].
#[derive(Debug)]
pub struct HuggingFace {
    pub(super) name: String,
    pub(super) json: Vec<u8>,
    pub(super) inner: HfTokenizer,
    pub(super) ids: Ids,
    pub(super) templates: Templates,
    pub(super) vocabulary: Vocabulary,
    pub(super) engine: Option<Engine>,
    pub(super) native: Option<Box<dyn NativeModel>>,
    pub(super) fast_path: FastPath,
    /// Length of the longest token with a letter other than A, C, G, T: a bound on how far it extends into a run of A, C, G, T.
    pub(super) max_other_token: usize,
    /// Letters that have neither a token nor an unknown token when they are encoded alone.
    pub(super) refused: Vec<u8>,
}

impl HuggingFace {
    /// Loads a `tokenizer.json`; `origin` names it in errors.
    ///
    /// # Errors
    /// If the file is not valid, or is not a tokenizer of DNA.
    pub fn from_json(name: String, json: &[u8], origin: &str) -> Result<Self, Error> {
        let json = check::unmarked(json);
        let failed =
            |reason: String, remedy: &str| Error::File { path: origin.to_owned(), reason, remedy: remedy.to_owned() };
        let needed = "use a Hugging Face tokenizer.json (\"version\", \"model\", ...)";
        let file = check::read(json).map_err(|flaw| failed(flaw.reason, &flaw.remedy))?;
        let model = &file["model"];
        let kind = check::kind(model);
        let mut inner = HfTokenizer::from_bytes(check::unname_letter_tokens(&file, json).as_ref())
            .map_err(|e| failed(format!("not a valid tokenizer: {e}"), needed))?;
        // Truncation and padding concern the model input, not the tokenization: no base is dropped here.
        inner.with_truncation(None).map_err(|e| failed(e.to_string(), needed))?;
        inner.with_padding(None);
        // A text that spells the name of a special token is ordinary text.
        inner.set_encode_special_tokens(true);
        let again = "use a distinct id for each token, and for added tokens the ids of the vocabulary";
        check::added(&file, &inner).map_err(|flaw| failed(flaw.reason, &flaw.remedy))?;
        let (ids, vocabulary) = Ids::new(&inner, &file, kind).map_err(|reason| failed(reason, again))?;
        let added_remedy = "set \"normalized\" of this token to false, or remove the token";
        let normalized_added_tokens =
            fast_path::normalized_added_tokens(&inner).map_err(|reason| failed(reason, added_remedy))?;
        let processor = "correct its \"post_processor\", or set it to null";
        let templates = Templates::new(&inner, &ids, &vocabulary).map_err(|reason| failed(reason, processor))?;
        let native = fast_path::native(kind, &ModelParts { model, vocabulary: &vocabulary, ours: &ids.ours });
        let fast_path = FastPath::new(&file, kind, &vocabulary, &normalized_added_tokens);
        if kind == "WordPiece" && (native.is_none() || !fast_path.preserves_dna()) {
            let reason =
                "WordPiece requires a normalizer and a pre-tokenizer that are known to keep A, C, G, T unchanged";
            return Err(failed(reason.to_owned(), "use the pre-tokenizer \"Whitespace\" and no normalizer"));
        }
        let engine = fast_path::engine(model, &vocabulary);
        let others = vocabulary.ids().filter(|&id| !vocabulary.is_dna(id));
        let lengths = others.filter_map(|id| vocabulary.bases(id)).map(<[u8]>::len);
        let max_other_token = lengths.chain(normalized_added_tokens.iter().map(String::len)).max().unwrap_or(0);
        let mut tokenizer = HuggingFace {
            name,
            json: json.to_vec(),
            inner,
            ids,
            templates,
            vocabulary,
            engine,
            native,
            fast_path,
            max_other_token,
            refused: Vec::new(),
        };
        tokenizer.refused = tokenizer.refused_alone();
        match tokenizer.dna_mismatch() {
            Some((text, token)) => Err(failed(
                format!("it encodes DNA as unknown tokens or drops bases: the first token of {text} is {token}"),
                "normalizer, pre-tokenizer and vocabulary must encode upper-case A, C, G, T as tokens that spell them",
            )),
            None => Ok(tokenizer),
        }
    }

    /// Finds DNA that the file does not encode as adjacent tokens of A, C, G, T that spell their bases: the text from there on, and
    /// the token that the file gives.
    fn dna_mismatch(&self) -> Option<(String, String)> {
        // A text that contains every 3-mer.
        let text: Vec<u8> = (0..64usize).flat_map(|i| [16, 4, 1].map(|place| b"ACGT"[i / place % 4])).collect();
        let mut tokens = Vec::new();
        self.encode_fallback(&text, 0, &mut tokens);
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
            None => "none".to_owned(),
            Some(token) => match self.vocabulary.bases(token.id) {
                None => SPECIAL_NAMES[token.id as usize].to_owned(),
                Some(bases) => format!("{:?}", String::from_utf8_lossy(bases)),
            },
        };
        let from = (place as usize).min(text.len());
        let shown = String::from_utf8_lossy(&text[from..(from + 8).min(text.len())]).into_owned();
        Some((shown, token))
    }

    /// Ids of the file by our ids: equal except for files with other special ids. `None`: a special id for which the file has no
    /// token.
    #[must_use]
    pub fn file_ids(&self) -> &[Option<u32>] {
        self.ids.theirs()
    }

    /// Our id of an id of the file.
    #[must_use]
    pub fn own_id(&self, of_file: u32) -> Option<u32> {
        self.ids.of(of_file)
    }

    /// The letters for which one of our ids stands: those of its token, N for unknown ids, none for names such as \[CLS\].
    #[must_use]
    pub fn spelling(&self, id: u32) -> &[u8] {
        self.ids.spelling(id, &self.vocabulary)
    }

    /// Whether one of our ids is that of a special token of the file: by its name, or marked as special in the file.
    #[must_use]
    pub fn is_special(&self, id: u32) -> bool {
        self.ids.is_special(id)
    }

    /// The engine, if it supports this file. Its ids are those of this [`Vocabulary`].
    #[must_use]
    pub fn engine(&self) -> Option<&Engine> {
        self.engine.as_ref()
    }

    /// Limits the automaton of the engine to `states` states; 0: always use the search based on the pair rule.
    #[must_use]
    pub fn with_max_states(self, states: usize) -> HuggingFace {
        HuggingFace { engine: self.engine.map(|engine| engine.with_max_states(states)), ..self }
    }

    /// The underlying tokenizer of the `tokenizers` crate.
    #[must_use]
    pub fn inner(&self) -> &HfTokenizer {
        &self.inner
    }
}

impl HuggingFace {
    /// The name given to [`HuggingFace::from_json`].
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The tokens by our ids.
    #[must_use]
    pub fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    /// Encodes `bases` as adjacent tokens. `out` is cleared first. No special tokens, no padding. Each letter without an id in the
    /// file ([`HuggingFace::refusal`]) is \[UNK\].
    pub fn encode(&self, bases: &[u8], out: &mut Vec<Token>) {
        out.clear();
        match (&self.engine, &self.native) {
            (Some(engine), _) if self.fast_path.accepts(bases) => encode_with(engine, bases, 0, out),
            (Some(engine), _) => {
                let mut done = 0;
                for inner in self.dna_segments(bases) {
                    self.encode_fallback(&bases[done..inner.start], done, out);
                    encode_with(engine, &bases[inner.clone()], inner.start, out);
                    done = inner.end;
                }
                self.encode_fallback(&bases[done..], done, out);
            }
            (None, Some(native)) if self.fast_path.accepts(bases) => native.tokenize(bases, out),
            (None, _) => self.encode_fallback(bases, 0, out),
        }
    }

    /// Pair rule: whether `second` can directly follow `first` in a tokenization.
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
        if let Some(native) = self.native.as_ref().filter(|_| self.fast_path.preserves_dna()) {
            return native.may_follow(first, second, &text);
        }
        let mut out = Vec::new();
        self.encode(&text, &mut out);
        out.len() == 2 && out[0].id == first && out[1].id == second
    }

    /// Whether a token occurs only at the start of a word (`Some(true)`) or never (`Some(false)`), for vocabularies that
    /// distinguish the two: WordPiece has two spellings of the same bases. `None`: no distinction.
    #[must_use]
    pub fn is_word_initial(&self, id: u32) -> Option<bool> {
        self.native.as_ref()?.is_word_initial(id)
    }

    /// The content of the file, without a byte order mark.
    #[must_use]
    pub fn json(&self) -> &[u8] {
        &self.json
    }
}

thread_local! {
    /// Buffers of the engine, one set per thread.
    static BATCH: RefCell<EncodedBatch> = RefCell::default();
}

/// Appends the tokens that the engine gives for `bases`, which start at `from` of a longer text.
fn encode_with(engine: &Engine, bases: &[u8], from: usize, out: &mut Vec<Token>) {
    BATCH.with_borrow_mut(|batch| {
        engine.encode_spans([bases], batch);
        out.extend(batch.ids(0).iter().zip(batch.starts(0)).map(|(&id, &start)| {
            let start = from as u32 + start;
            Token { id: u32::from(id), start, end: start + engine.length(id).max(1) as u32 }
        }));
    });
}
