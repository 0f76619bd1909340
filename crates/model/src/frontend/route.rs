//! What a front end gives to the encoder: vectors, and as plain data which of them stands for which positions.

use burn::tensor::Tensor;

/// A stretch of positions that one token stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Position of the centre.
    pub centre: usize,
    /// First position covered.
    pub start: usize,
    /// Positions covered.
    pub length: usize,
}

/// Which token owns which positions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// Token `i` is position `i`.
    Same,
    /// For each row its tokens in order, \[CLS\] and \[SEP\] included. Positions in no unit are carried by no token.
    Units(Vec<Vec<Unit>>),
}

impl Route {
    /// Centres of the tokens, row by row; `lengths` are real tokens per row.
    #[must_use]
    pub fn centres(&self, lengths: &[usize]) -> Vec<Vec<usize>> {
        match self {
            Route::Same => lengths.iter().map(|&length| (0..length).collect()).collect(),
            Route::Units(rows) => rows.iter().map(|units| units.iter().map(|unit| unit.centre).collect()).collect(),
        }
    }
}

/// What a front end gives to the encoder.
#[derive(Clone, Debug)]
pub struct Embedded {
    /// `[batch, tokens, hidden]`
    pub tokens: Tensor<3>,
    /// Real tokens per row; padding is on the right.
    pub lengths: Vec<usize>,
    /// Which token owns which positions.
    pub route: Route,
    /// States of the positions that entered a learned module, for the way back: `[batch, positions, hidden]`.
    pub skip: Option<Tensor<3>>,
    /// An auxiliary loss, already weighted: `[1]`.
    pub auxiliary: Option<Tensor<1>>,
}
