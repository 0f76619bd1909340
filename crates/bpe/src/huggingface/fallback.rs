//! Texts that the `tokenizers` crate encodes: its ids with correct spans, or the reason why the file has no ids for a text.
//!
//! A model of that crate can drop letters (a BPE without an unknown token does), and then the offsets of all later tokens are
//! wrong. The output of the model is therefore compared with its input: tokens must be adjacent, cover the input and spell it,
//! except for unknown tokens. Letters dropped by normalizers and pre-tokenizers are searched for in the original text.

use std::borrow::Cow;
use std::fmt;

use dna::is_base;
use tokenizers::{Model, OffsetType, PreTokenizer, Token as HfToken};

use super::tokenizer::HuggingFace;
use crate::token::Token;
use crate::vocabulary::UNK;

/// Why and where a file has no ids for a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Position of the letter, from 0.
    pub position: usize,
    /// The reason.
    pub reason: RefusalReason,
}

/// Why a file has no ids for a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalReason {
    /// The letter has no token, and the file has no unknown token.
    NoToken,
    /// The unknown token of the letter also covers adjacent A, C, G, T.
    AbsorbsBases,
    /// The normalizer or the pre-tokenizer drops the letter.
    Dropped,
    /// The normalizer replaces A, C, G, T, or inserts letters.
    Changed,
}

impl RefusalReason {
    /// The reason as text, for a letter and the name of a file.
    #[must_use]
    pub fn describe(self, letter: u8, file: &str) -> String {
        let letter = char::from(letter).escape_default();
        match self {
            RefusalReason::NoToken => format!("{letter} has no token in {file}, and the file has no unknown token"),
            RefusalReason::AbsorbsBases => {
                format!("{letter} has no token in {file}, and its unknown token also covers adjacent A, C, G, T")
            }
            RefusalReason::Dropped => format!("the normalizer or the pre-tokenizer of {file} removes {letter}"),
            RefusalReason::Changed => {
                format!("the normalizer of {file} replaces the letters at this {letter}")
            }
        }
    }

    /// The suggested fix.
    #[must_use]
    pub fn remedy(self) -> &'static str {
        match self {
            RefusalReason::NoToken => {
                "remove such letters, or set an unk_token in the tokenizer.json that is in its vocabulary (unk_id for Unigram)"
            }
            RefusalReason::AbsorbsBases => {
                "remove such letters, or add a pre-tokenizer to the tokenizer.json that splits at them (Split at [^ACGT], isolated)"
            }
            RefusalReason::Dropped => "remove such letters from the input, or remove that step from the tokenizer.json",
            RefusalReason::Changed => "remove that step from the normalizer of the tokenizer.json",
        }
    }
}

/// Error: a model dropped letters or gave tokens that are not in order.
#[derive(Debug)]
struct InvalidOffsets;

impl fmt::Display for InvalidOffsets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the tokens do not spell the text")
    }
}

impl std::error::Error for InvalidOffsets {}

impl HuggingFace {
    /// Appends the tokens of `bases`, which start at `from` of a longer text, as the `tokenizers` crate gives them. Each letter
    /// that is refused or dropped becomes one \[UNK\] and does not affect the others.
    pub(super) fn encode_fallback(&self, bases: &[u8], from: usize, out: &mut Vec<Token>) {
        if let Ok(mut tokens) = self.tokenize_fallback(bases) {
            self.extend_spans(bases, &mut tokens);
            let at = |token: Token| Token { start: from as u32 + token.start, end: from as u32 + token.end, ..token };
            out.extend(tokens.into_iter().map(at));
            return;
        }
        let refused = bases.iter().any(|&byte| self.is_refused(byte));
        let separate = |byte: u8| if refused { self.is_refused(byte) } else { !is_base(byte) };
        let mut position = 0;
        while position < bases.len() {
            let others = bases[position..].iter().take_while(|&&byte| !separate(byte)).count();
            let length = others.max(1);
            let start = from + position;
            if length < bases.len() && (others > 0 || !refused) {
                self.encode_fallback(&bases[position..position + length], start, out);
            } else {
                let unknown = start as u32..(start + length) as u32;
                out.extend(unknown.map(|start| Token { id: UNK, start, end: start + 1 }));
            }
            position += length;
        }
    }

    /// The tokens of a text as the `tokenizers` crate gives them, in our ids and in order, with its offsets.
    ///
    /// # Errors
    /// If it refuses the text, drops letters for which its model has no token, or assigns one letter to several tokens.
    fn tokenize_fallback(&self, bases: &[u8]) -> Result<Vec<Token>, RefusalReason> {
        let tokens = self.run_tokenizer(bases).map_err(|_| RefusalReason::NoToken)?;
        let mut end = 0;
        let in_order = |token: &Token| {
            let right = end <= token.start && token.start < token.end && token.end as usize <= bases.len();
            end = token.end;
            right
        };
        if tokens.iter().all(in_order) { Ok(tokens) } else { Err(RefusalReason::Changed) }
    }

    /// Runs normalizer, pre-tokenizer and model of the `tokenizers` crate.
    fn run_tokenizer(&self, bases: &[u8]) -> Result<Vec<Token>, tokenizers::Error> {
        let (inner, text) = (&self.inner, ascii(bases));
        let mut chunks = inner.get_added_vocabulary().extract_and_normalize(inner.get_normalizer(), &text);
        if let Some(splitter) = inner.get_pre_tokenizer() {
            splitter.pre_tokenize(&mut chunks)?;
        }
        chunks.tokenize(|chunk| {
            let mut tokens = inner.get_model().tokenize(chunk.get())?;
            if self.has_valid_offsets(chunk.get().as_bytes(), &mut tokens) {
                Ok(tokens)
            } else {
                Err(InvalidOffsets.into())
            }
        })?;
        let encoding = chunks.into_encoding(None, 0, OffsetType::Byte)?;
        let tokens = encoding.get_ids().iter().zip(encoding.get_offsets());
        let token = |(&id, &(start, end)): (&u32, &(usize, usize))| {
            let id = self.ids.of(id).ok_or(InvalidOffsets)?;
            Ok(Token { id, start: start as u32, end: end as u32 })
        };
        tokens.map(token).collect()
    }

    /// Extends the spans of tokens over letters that a normalizer joins: where it replaces several letters by one (GENA: "-" for a
    /// run of N), the crate reports the last of them only. A token that spells the letters of its span is not extended: dropped
    /// letters beside it remain a gap.
    fn extend_spans(&self, bases: &[u8], tokens: &mut [Token]) {
        let spells = |token: &Token| {
            let span = bases.get(token.start as usize..token.end as usize);
            span.is_some() && self.vocabulary.bases(token.id) == span
        };
        let mut covered = 0;
        for token in &mut *tokens {
            if let Some(position) = first_gap(bases, covered, token.start as usize).filter(|_| !spells(token)) {
                token.start = position as u32;
            }
            covered = covered.max(token.end as usize);
        }
        let left_out = first_gap(bases, covered, bases.len()).is_some();
        if let Some(last) = tokens.last_mut().filter(|last| left_out && !spells(last)) {
            last.end = bases.len() as u32;
        }
    }

    /// Whether tokens are adjacent in a chunk, cover it, and spell it. Bytes of one letter or several unknown letters, to which a
    /// Unigram model gives the same offsets, get separate offsets first.
    fn has_valid_offsets(&self, chunk: &[u8], tokens: &mut [HfToken]) -> bool {
        for same in tokens.chunk_by_mut(|one, next| one.offsets == next.offsets) {
            let (start, end) = same[0].offsets;
            if same.len() > 1 && same.len() == end - start {
                (start..end).zip(same).for_each(|(position, token)| token.offsets = (position, position + 1));
            }
        }
        let mut covered = 0;
        let in_place = |token: &HfToken| {
            let (start, end) = token.offsets;
            let (Some(own), Some(text), true) = (self.ids.of(token.id), chunk.get(start..end), start == covered) else {
                return false;
            };
            covered = end;
            own == UNK
                || self.ids.byte(own).map_or_else(|| self.vocabulary.bases(own) == Some(text), |byte| text == [byte])
        };
        tokens.iter().all(in_place) && covered == chunk.len()
    }

    /// Whether the file has no id for this letter alone.
    fn is_refused(&self, byte: u8) -> bool {
        self.refused.contains(if byte.is_ascii() { &byte } else { &b'N' })
    }

    /// Whether the file can replace several letters by one unknown token, so that its ids do not determine how many there were.
    #[must_use]
    pub fn joins_unknown(&self) -> bool {
        let joined = |token: &Token| token.id == UNK && token.end - token.start > 1;
        self.tokenize_fallback(b"NN").is_ok_and(|tokens| tokens.iter().any(joined))
    }

    /// The ASCII letters for which the file has no id when they are encoded alone.
    pub(super) fn refused_alone(&self) -> Vec<u8> {
        (0..128u8).filter(|&byte| self.tokenize_fallback(&[byte]).is_err()).collect()
    }

    /// `None` if all letters of a text have ids in the file; otherwise the first letter without one, and the reason. In our own ids
    /// ([`crate::HuggingFace::encode`]) each of these letters is one \[UNK\] at its position, but the file has no id for that.
    ///
    /// A text that is not refused has the ids of the `tokenizers` crate, its tokens have correct spans and spell the normalized
    /// text, and no letter is dropped.
    #[must_use]
    pub fn refusal(&self, text: &[u8]) -> Option<Refusal> {
        if self.fast_path.is_lossless(text) {
            return None;
        }
        let mut done = 0;
        let ends = self.dna_segments(text).into_iter().map(|inner| (inner.start, inner.end));
        for (end, next) in ends.chain([(text.len(), text.len())]) {
            if let Some(refusal) = self.refusal_of_segment(&text[done..end]) {
                return Some(Refusal { position: done + refusal.position, ..refusal });
            }
            done = next;
        }
        None
    }

    /// As [`HuggingFace::refusal`]: the position only.
    #[must_use]
    pub fn first_refused(&self, text: &[u8]) -> Option<usize> {
        self.refusal(text).map(|refusal| refusal.position)
    }

    fn refusal_of_segment(&self, text: &[u8]) -> Option<Refusal> {
        let found = match self.tokenize_fallback(text) {
            Ok(found) => found,
            Err(reason) => {
                let refused = text.iter().position(|&byte| self.is_refused(byte));
                let position = refused.or_else(|| text.iter().position(|&byte| !is_base(byte))).unwrap_or(0);
                return Some(Refusal { position, reason });
            }
        };
        let mut tokens = found.clone();
        self.extend_spans(text, &mut tokens);
        let mut covered = 0;
        for (token, found) in tokens.iter().zip(&found) {
            let (start, end) = (token.start as usize, token.end as usize);
            let span = text.get(start..end).unwrap_or_default();
            if let Some(position) = first_gap(text, covered, start) {
                return Some(Refusal { position, reason: RefusalReason::Dropped });
            }
            // Letters that were assigned to a token as joined by the normalizer may have been dropped instead.
            let joined = [start..found.start as usize, found.end as usize..end];
            let alone = joined.into_iter().find(|gap| {
                text.get(gap.clone()).is_some_and(|gap| {
                    !gap.is_empty() && self.tokenize_fallback(gap).is_ok_and(|tokens| tokens.is_empty())
                })
            });
            if let Some(gap) = alone {
                return Some(Refusal { position: gap.start, reason: RefusalReason::Dropped });
            }
            if let Some(refusal) = self.spells(token.id, span) {
                return Some(Refusal { position: start + refusal.position, ..refusal });
            }
            covered = end;
        }
        first_gap(text, covered, text.len()).map(|position| Refusal { position, reason: RefusalReason::Dropped })
    }

    /// Whether a token matches the letters of its span: other letters may be changed and joined, but every base must be kept.
    fn spells(&self, id: u32, span: &[u8]) -> Option<Refusal> {
        let other = || span.iter().position(|&byte| !is_base(byte)).unwrap_or(0);
        if id == UNK {
            let swallows = span.iter().any(|&byte| is_base(byte));
            return swallows.then(|| Refusal { position: other(), reason: RefusalReason::AbsorbsBases });
        }
        let token = self.vocabulary.bases(id).unwrap_or_default();
        if token == span {
            return None;
        }
        let before = token.iter().zip(span).take_while(|(one, other)| one == other).count();
        let (token, span) = (&token[before..], &span[before..]);
        let behind = token.iter().rev().zip(span.iter().rev()).take_while(|(one, other)| one == other).count();
        let (token, span) = (&token[..token.len() - behind], &span[..span.len() - behind]);
        let reason = match (token, span) {
            ([], _) => RefusalReason::Dropped,
            (_, []) => RefusalReason::Changed,
            _ if span.iter().any(|&byte| is_base(byte)) => RefusalReason::Changed,
            _ => return None,
        };
        Some(Refusal { position: before, reason })
    }
}

/// The text given to the `tokenizers` crate. Non-ASCII characters would have offsets of several bytes, so each of their bytes is
/// replaced by N, as a reader does.
fn ascii(bases: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bases) {
        Ok(text) if text.is_ascii() => text.into(),
        _ => bases.iter().map(|&byte| if byte.is_ascii() { char::from(byte) } else { 'N' }).collect(),
    }
}

/// The first letter between two positions that is not whitespace.
fn first_gap(bases: &[u8], from: usize, to: usize) -> Option<usize> {
    let left_out = bases.get(from..to)?;
    Some(from + left_out.iter().position(|byte| !byte.is_ascii_whitespace() && *byte != 0x0B)?)
}
