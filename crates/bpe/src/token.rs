//! [`Token`].

/// A token: its id and the span of bases that it covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Token {
    /// Id in the tokenizer's [`crate::Vocabulary`]; special ids are the same for every tokenizer.
    pub id: u32,
    /// First base, counted from 0.
    pub start: u32,
    /// One past the last base.
    pub end: u32,
}
