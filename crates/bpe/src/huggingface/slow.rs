//! Texts that the `tokenizers` crate cuts: its ids, each at its true place, or the reason why the file has no ids for a text.
//!
//! A model of that crate can leave letters out (a BPE without an unknown token does), and counts the places of all tokens behind
//! them without them. So whatever a model makes of a piece of text is held against the piece: tokens must lie side by side, cover it
//! and spell it, unknown tokens aside. What normalizers and pre-tokenizers leave out is looked for in the text as it was.

use std::borrow::Cow;
use std::fmt;

use dna::is_base;
use tokenizers::{Model, OffsetType, PreTokenizer, Token as HfToken};

use super::tokenizer::HuggingFace;
use crate::token::Token;
use crate::vocabulary::UNK;

/// Why a file has no ids for a text, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The letter, counted from 0.
    pub place: usize,
    /// What is wrong with it.
    pub why: Why,
}

/// Why a file has no ids for a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It has no token, and there is no unknown token.
    NoToken,
    /// The unknown token that stands for it stands for A, C, G, T beside it as well.
    Swallows,
    /// The normalizer or the pre-tokenizer leaves it out.
    LeftOut,
    /// The normalizer makes other letters of A, C, G, T, or more letters than there are.
    Changed,
}

impl Why {
    /// The reason, for a letter and a file that is called so.
    #[must_use]
    pub fn of(self, letter: u8, file: &str) -> String {
        let letter = char::from(letter).escape_default();
        match self {
            Why::NoToken => format!("{letter} has no token in {file}, and the file has no unknown token"),
            Why::Swallows => format!("{letter} has no token in {file}, and makes A, C, G, T beside it unknown too"),
            Why::LeftOut => format!("{letter} is left out by the normalizer or the pre-tokenizer of {file}"),
            Why::Changed => format!("the normalizer of {file} makes other letters of what stands at this {letter}"),
        }
    }

    /// What to do.
    #[must_use]
    pub fn remedy(self) -> &'static str {
        match self {
            Why::NoToken => {
                "leave such letters out, or give the tokenizer.json an unk_token that is in its vocabulary (unk_id for a Unigram)"
            }
            Why::Swallows => {
                "leave such letters out, or give the tokenizer.json a pre-tokenizer that splits at them (Split at [^ACGT], isolated)"
            }
            Why::LeftOut => "leave such letters out yourself, or take the step that does so out of the tokenizer.json",
            Why::Changed => "take that step out of the normalizer of the tokenizer.json",
        }
    }
}

/// The letters that a model gave no token, or not in order.
#[derive(Debug)]
struct Displaced;

impl fmt::Display for Displaced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("its tokens do not spell the text")
    }
}

impl std::error::Error for Displaced {}

impl HuggingFace {
    /// Appends the tokens of a text that begins at a place of a longer one, as the `tokenizers` crate cuts it. Letters that it
    /// refuses or leaves out are \[UNK\], one by one, and do not take the others with them.
    pub(super) fn encode_slowly(&self, bases: &[u8], from: usize, out: &mut Vec<Token>) {
        if let Ok(mut tokens) = self.cut_slowly(bases) {
            self.widen(bases, &mut tokens);
            let at = |token: Token| Token { start: from as u32 + token.start, end: from as u32 + token.end, ..token };
            out.extend(tokens.into_iter().map(at));
            return;
        }
        let refused = bases.iter().any(|&byte| self.is_refused(byte));
        let apart = |byte: u8| if refused { self.is_refused(byte) } else { !is_base(byte) };
        let mut place = 0;
        while place < bases.len() {
            let others = bases[place..].iter().take_while(|&&byte| !apart(byte)).count();
            let length = others.max(1);
            let start = from + place;
            if length < bases.len() && (others > 0 || !refused) {
                self.encode_slowly(&bases[place..place + length], start, out);
            } else {
                let unknown = start as u32..(start + length) as u32;
                out.extend(unknown.map(|start| Token { id: UNK, start, end: start + 1 }));
            }
            place += length;
        }
    }

    /// The tokens of a text as the `tokenizers` crate cuts it, in our ids and in order, at the places that it gives.
    ///
    /// # Errors
    /// If it refuses the text or leaves letters out that its model has no token for, or gives one letter to several tokens.
    fn cut_slowly(&self, bases: &[u8]) -> Result<Vec<Token>, Why> {
        let tokens = self.ask(bases).map_err(|_| Why::NoToken)?;
        let mut end = 0;
        let in_order = |token: &Token| {
            let right = end <= token.start && token.start < token.end && token.end as usize <= bases.len();
            end = token.end;
            right
        };
        if tokens.iter().all(in_order) { Ok(tokens) } else { Err(Why::Changed) }
    }

    /// What the `tokenizers` crate answers.
    fn ask(&self, bases: &[u8]) -> Result<Vec<Token>, tokenizers::Error> {
        let (inner, text) = (&self.inner, shown(bases));
        let mut pieces = inner.get_added_vocabulary().extract_and_normalize(inner.get_normalizer(), &text);
        if let Some(splitter) = inner.get_pre_tokenizer() {
            splitter.pre_tokenize(&mut pieces)?;
        }
        pieces.tokenize(|piece| {
            let mut tokens = inner.get_model().tokenize(piece.get())?;
            if self.puts_in_place(piece.get().as_bytes(), &mut tokens) { Ok(tokens) } else { Err(Displaced.into()) }
        })?;
        let encoding = pieces.into_encoding(None, 0, OffsetType::Byte)?;
        let tokens = encoding.get_ids().iter().zip(encoding.get_offsets());
        let token = |(&id, &(start, end)): (&u32, &(usize, usize))| {
            let id = self.ids.of(id).ok_or(Displaced)?;
            Ok(Token { id, start: start as u32, end: end as u32 })
        };
        tokens.map(token).collect()
    }

    /// Lets letters that a normalizer joins be part of the token that stands for them: where it puts one letter in place of many (GENA's:
    /// "-" for a run of N), the crate says that this stands for the last of them. What spells the letters at its place stands for no
    /// others: what is left out beside it stays a gap.
    fn widen(&self, bases: &[u8], tokens: &mut [Token]) {
        let spells = |token: &Token| {
            let span = bases.get(token.start as usize..token.end as usize);
            span.is_some() && self.vocabulary.bases(token.id) == span
        };
        let mut covered = 0;
        for token in &mut *tokens {
            if let Some(place) = lost(bases, covered, token.start as usize).filter(|_| !spells(token)) {
                token.start = place as u32;
            }
            covered = covered.max(token.end as usize);
        }
        let left_out = lost(bases, covered, bases.len()).is_some();
        if let Some(last) = tokens.last_mut().filter(|last| left_out && !spells(last)) {
            last.end = bases.len() as u32;
        }
    }

    /// Whether tokens lie side by side in a piece, cover it, and spell it. Bytes of one letter or of several unknown ones, which a
    /// Unigram puts at one place, get places of their own first.
    fn puts_in_place(&self, piece: &[u8], tokens: &mut [HfToken]) -> bool {
        for same in tokens.chunk_by_mut(|one, next| one.offsets == next.offsets) {
            let (start, end) = same[0].offsets;
            if same.len() > 1 && same.len() == end - start {
                (start..end).zip(same).for_each(|(place, token)| token.offsets = (place, place + 1));
            }
        }
        let mut covered = 0;
        let in_place = |token: &HfToken| {
            let (start, end) = token.offsets;
            let (Some(own), Some(text), true) = (self.ids.of(token.id), piece.get(start..end), start == covered) else {
                return false;
            };
            covered = end;
            own == UNK
                || self.ids.byte(own).map_or_else(|| self.vocabulary.bases(own) == Some(text), |byte| text == [byte])
        };
        tokens.iter().all(in_place) && covered == piece.len()
    }

    /// Whether the file has no id for a letter that stands alone.
    fn is_refused(&self, byte: u8) -> bool {
        self.refused.contains(if byte.is_ascii() { &byte } else { &b'N' })
    }

    /// Whether the file may put one unknown token for several letters, so that its ids do not tell how many there were.
    #[must_use]
    pub fn joins_unknown(&self) -> bool {
        let joined = |token: &Token| token.id == UNK && token.end - token.start > 1;
        self.cut_slowly(b"NN").is_ok_and(|tokens| tokens.iter().any(joined))
    }

    /// The ASCII letters that the file has no id for where they stand alone.
    pub(super) fn refused_alone(&self) -> Vec<u8> {
        (0..128u8).filter(|&byte| self.cut_slowly(&[byte]).is_err()).collect()
    }

    /// Whether all letters of a text have ids in the file, and if not, the first that has none and why. In our own ids
    /// ([`crate::Tokenizer::encode`]) each of these letters is one \[UNK\] at its place, but the file has no id for that.
    ///
    /// A text that is not refused has the ids of the `tokenizers` crate, tokens at their true places that spell the text as the
    /// file's normalizer makes it, and no letter is left out.
    #[must_use]
    pub fn refusal(&self, text: &[u8]) -> Option<Refusal> {
        if self.plain.is_sure(text) {
            return None;
        }
        let mut done = 0;
        let ends = self.inner_stretches(text).into_iter().map(|inner| (inner.start, inner.end));
        for (end, next) in ends.chain([(text.len(), text.len())]) {
            if let Some(refusal) = self.refusal_of_part(&text[done..end]) {
                return Some(Refusal { place: done + refusal.place, ..refusal });
            }
            done = next;
        }
        None
    }

    /// As [`HuggingFace::refusal`]: where it is.
    #[must_use]
    pub fn refuses(&self, text: &[u8]) -> Option<usize> {
        self.refusal(text).map(|refusal| refusal.place)
    }

    fn refusal_of_part(&self, text: &[u8]) -> Option<Refusal> {
        let found = match self.cut_slowly(text) {
            Ok(found) => found,
            Err(why) => {
                let refused = text.iter().position(|&byte| self.is_refused(byte));
                let place = refused.or_else(|| text.iter().position(|&byte| !is_base(byte))).unwrap_or(0);
                return Some(Refusal { place, why });
            }
        };
        let mut tokens = found.clone();
        self.widen(text, &mut tokens);
        let mut covered = 0;
        for (token, found) in tokens.iter().zip(&found) {
            let (start, end) = (token.start as usize, token.end as usize);
            let span = text.get(start..end).unwrap_or_default();
            if let Some(place) = lost(text, covered, start) {
                return Some(Refusal { place, why: Why::LeftOut });
            }
            // What is put with a token because its normalizer joins letters may have been left out instead.
            let joined = [start..found.start as usize, found.end as usize..end];
            let alone = joined.into_iter().find(|gap| {
                text.get(gap.clone())
                    .is_some_and(|gap| !gap.is_empty() && self.cut_slowly(gap).is_ok_and(|cut| cut.is_empty()))
            });
            if let Some(gap) = alone {
                return Some(Refusal { place: gap.start, why: Why::LeftOut });
            }
            if let Some(refusal) = self.spells(token.id, span) {
                return Some(Refusal { place: start + refusal.place, ..refusal });
            }
            covered = end;
        }
        lost(text, covered, text.len()).map(|place| Refusal { place, why: Why::LeftOut })
    }

    /// What is wrong with a token at the place of these letters: other letters may be changed and joined, but each base must be there.
    fn spells(&self, id: u32, span: &[u8]) -> Option<Refusal> {
        let other = || span.iter().position(|&byte| !is_base(byte)).unwrap_or(0);
        if id == UNK {
            let swallows = span.iter().any(|&byte| is_base(byte));
            return swallows.then(|| Refusal { place: other(), why: Why::Swallows });
        }
        let token = self.vocabulary.bases(id).unwrap_or_default();
        if token == span {
            return None;
        }
        let before = token.iter().zip(span).take_while(|(one, other)| one == other).count();
        let (token, span) = (&token[before..], &span[before..]);
        let behind = token.iter().rev().zip(span.iter().rev()).take_while(|(one, other)| one == other).count();
        let (token, span) = (&token[..token.len() - behind], &span[..span.len() - behind]);
        let why = match (token, span) {
            ([], _) => Why::LeftOut,
            (_, []) => Why::Changed,
            _ if span.iter().any(|&byte| is_base(byte)) => Why::Changed,
            _ => return None,
        };
        Some(Refusal { place: before, why })
    }
}

/// A text as the `tokenizers` crate sees it. Offsets of other than ASCII characters are not one byte each, so they are shown as N,
/// as a reader would.
fn shown(bases: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bases) {
        Ok(text) if text.is_ascii() => text.into(),
        _ => bases.iter().map(|&byte| if byte.is_ascii() { char::from(byte) } else { 'N' }).collect(),
    }
}

/// The first letter between two places that is no blank.
fn lost(bases: &[u8], from: usize, to: usize) -> Option<usize> {
    let left_out = bases.get(from..to)?;
    Some(from + left_out.iter().position(|byte| !byte.is_ascii_whitespace() && *byte != 0x0B)?)
}
