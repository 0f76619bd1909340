//! WordPiece: greedy longest match from left to right. The `tokenizers` crate tries the whole rest of a word first; here a prefix
//! tree is searched.

use super::native::{ModelParts, NativeModel};
use crate::token::Token;
use crate::tree::Tree;
use crate::vocabulary::UNK;

/// The native implementation of a WordPiece model.
pub(super) fn native(parts: &ModelParts) -> Option<Box<dyn NativeModel>> {
    let prefix = parts.model["continuing_subword_prefix"].as_str()?;
    let mut first = vec![None; parts.vocabulary.len()];
    let (mut begin, mut continuing) = (Vec::new(), Vec::new());
    for (token, id) in parts.model["vocab"].as_object()? {
        let id = *parts.ours.get(&u32::try_from(id.as_u64()?).ok()?)?;
        let Some(bases) = parts.vocabulary.bases(id) else { continue };
        if !prefix.is_empty() {
            first[id as usize] = Some(!token.starts_with(prefix));
        }
        if prefix.is_empty() || !token.starts_with(prefix) {
            begin.push((id, bases));
        }
        if token.starts_with(prefix) {
            continuing.push((id, bases));
        }
    }
    Some(Box::new(Greedy { begin: Tree::new(&begin), continuing: Tree::new(&continuing), first }))
}

/// Greedy longest match from left to right.
#[derive(Debug)]
struct Greedy {
    /// Tokens at the start of a word, and tokens that continue one.
    begin: Tree,
    continuing: Tree,
    /// By id: whether a token starts a word; `None`: it can also continue one.
    first: Vec<Option<bool>>,
}

impl Greedy {
    /// The longest token that is a prefix of a text.
    fn longest(&self, text: &[u8], first: bool) -> Option<(u32, usize)> {
        let tree = if first { &self.begin } else { &self.continuing };
        tree.at(text).last()
    }
}

impl NativeModel for Greedy {
    fn tokenize(&self, text: &[u8], out: &mut Vec<Token>) {
        let (mut start, mut first) = (0, true);
        while start < text.len() {
            // A letter without a token is a word of its own.
            let found = self.longest(&text[start..], first);
            let (id, length) = found.unwrap_or((UNK, 1));
            out.push(Token { id, start: start as u32, end: (start + length) as u32 });
            start += length;
            first = found.is_none();
        }
    }

    fn may_follow(&self, first: u32, second: u32, text: &[u8]) -> bool {
        let begins = self.first[first as usize] != Some(false);
        let found = self.longest(text, begins).filter(|(id, _)| *id == first);
        found.is_some_and(|(_, length)| self.longest(&text[length..], false) == Some((second, text.len() - length)))
    }

    fn is_word_initial(&self, id: u32) -> Option<bool> {
        self.first.get(id as usize).copied().flatten()
    }
}
