//! Ways of our own to cut text, for models that the `tokenizers` crate cuts more slowly.

use std::collections::HashMap;
use std::fmt::Debug;

use serde_json::Value;

use crate::token::Token;
use crate::vocabulary::Vocabulary;

/// A way to cut text.
pub(super) trait Walk: Send + Sync + Debug {
    /// Appends the tokens of a text, which may hold any bytes. They lie side by side; what is no token is \[UNK\].
    fn cut(&self, text: &[u8], out: &mut Vec<Token>);

    /// As [`super::HuggingFace::may_follow`]; `text`: the bases of both.
    fn may_follow(&self, first: u32, second: u32, text: &[u8]) -> bool;

    /// As [`super::HuggingFace::stands_first`].
    fn stands_first(&self, _id: u32) -> Option<bool> {
        None
    }
}

/// What a [`Walk`] is made of.
pub(super) struct Parts<'a> {
    /// The `model` of the file.
    pub(super) model: &'a Value,
    /// Our vocabulary.
    pub(super) vocabulary: &'a Vocabulary,
    /// From ids of the file to ours.
    pub(super) ours: &'a HashMap<u32, u32>,
}
