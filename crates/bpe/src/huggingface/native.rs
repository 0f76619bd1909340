//! Native implementations of models that the `tokenizers` crate encodes more slowly.

use std::collections::HashMap;
use std::fmt::Debug;

use serde_json::Value;

use crate::token::Token;
use crate::vocabulary::Vocabulary;

/// A native implementation of a model.
pub(super) trait NativeModel: Send + Sync + Debug {
    /// Appends the tokens of a text, which can contain any bytes. Tokens are adjacent; a letter without a token is \[UNK\].
    fn tokenize(&self, text: &[u8], out: &mut Vec<Token>);

    /// As [`super::HuggingFace::may_follow`]; `text` contains the bases of both tokens.
    fn may_follow(&self, first: u32, second: u32, text: &[u8]) -> bool;

    /// As [`super::HuggingFace::is_word_initial`].
    fn is_word_initial(&self, _id: u32) -> Option<bool> {
        None
    }
}

/// The input from which a [`NativeModel`] is built.
pub(super) struct ModelParts<'a> {
    /// The `model` of the file.
    pub(super) model: &'a Value,
    /// The vocabulary, in our ids.
    pub(super) vocabulary: &'a Vocabulary,
    /// From ids of the file to ours.
    pub(super) ours: &'a HashMap<u32, u32>,
}
