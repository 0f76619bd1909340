//! Ways of our own to cut text, for models that the `tokenizers` crate cuts more slowly.

use std::collections::HashMap;
use std::fmt::Debug;

use serde_json::Value;

use crate::token::Token;
use crate::vocabulary::Vocabulary;
use crate::{unigram, wordpiece};

/// A way to cut text.
pub(crate) trait Walk: Send + Sync + Debug {
    /// Appends the tokens of a text, which may hold any bytes. They lie side by side; what is no token is \[UNK\].
    fn cut(&self, text: &[u8], out: &mut Vec<Token>);

    /// As [`crate::Tokenizer::may_follow`]; `text`: the bases of both.
    fn may_follow(&self, first: u32, second: u32, text: &[u8]) -> bool;

    /// As [`crate::Tokenizer::stands_first`].
    fn stands_first(&self, _id: u32) -> Option<bool> {
        None
    }
}

/// What a [`Walk`] is made of.
pub(crate) struct Parts<'a> {
    /// The `model` of the file.
    pub(crate) model: &'a Value,
    /// Our vocabulary.
    pub(crate) vocabulary: &'a Vocabulary,
    /// From ids of the file to ours.
    pub(crate) ours: &'a HashMap<u32, u32>,
}

type Make = fn(&Parts) -> Option<Box<dyn Walk>>;

/// Kinds of model that have a walk.
const WALKS: &[(&str, Make)] = &[("Unigram", unigram::walk), ("WordPiece", wordpiece::walk)];

/// The walk of a model of this kind, if there is one.
pub(super) fn of(kind: &str, parts: &Parts) -> Option<Box<dyn Walk>> {
    WALKS.iter().find(|(name, _)| *name == kind).and_then(|(_, make)| make(parts))
}
