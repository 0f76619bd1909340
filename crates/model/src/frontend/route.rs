//! Output of a front end: input vectors of the encoder, and which positions each of them covers.

use burn::tensor::Tensor;

/// Consecutive positions that one token covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Center position.
    pub center: usize,
    /// First position covered.
    pub start: usize,
    /// Positions covered.
    pub length: usize,
}

/// The tokens of a row of `length` positions: \[CLS\], its units, \[SEP\].
#[must_use]
pub fn framed(length: usize, units: impl IntoIterator<Item = Unit>) -> Vec<Unit> {
    let special = |at: usize| Unit { center: at, start: at, length: 1 };
    let cls = (length > 0).then(|| special(0));
    let sep = (length > 1).then(|| special(length - 1));
    cls.into_iter().chain(units).chain(sep).collect()
}

/// The token of each position, as a row of `[batch * tokens, hidden]`; 0 outside all units.
pub(super) fn token_of(route: &[Vec<Unit>], positions: usize, tokens: usize) -> Vec<usize> {
    let mut token_of = vec![0; route.len() * positions];
    for (row, units) in route.iter().enumerate() {
        for (number, unit) in units.iter().enumerate() {
            token_of[row * positions + unit.start..][..unit.length].fill(row * tokens + number);
        }
    }
    token_of
}

/// Which token covers which positions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// Token `i` is position `i`.
    Same,
    /// The tokens of each row in order, \[CLS\] and \[SEP\] included. No token covers positions outside all units.
    Units(Vec<Vec<Unit>>),
}

impl Route {
    /// Center positions of the tokens of each row; `lengths` are tokens per row without padding.
    #[must_use]
    pub fn centers(&self, lengths: &[usize]) -> Vec<Vec<usize>> {
        match self {
            Route::Same => lengths.iter().map(|&length| (0..length).collect()).collect(),
            Route::Units(rows) => rows.iter().map(|units| units.iter().map(|unit| unit.center).collect()).collect(),
        }
    }

    /// Centres of the tokens of each row in bases, given those of the positions. A unit is centred on the bases that it covers.
    #[must_use]
    pub fn token_centers(&self, positions: &[Vec<f32>]) -> Vec<Vec<f32>> {
        match self {
            Route::Same => positions.to_vec(),
            Route::Units(rows) => rows.iter().zip(positions).map(|(units, centers)| of_units(units, centers)).collect(),
        }
    }
}

fn of_units(units: &[Unit], centers: &[f32]) -> Vec<f32> {
    let at = |position: usize| centers.get(position).or(centers.last()).copied().unwrap_or(0.0);
    units.iter().map(|unit| (at(unit.start) + at(unit.start + unit.length.max(1) - 1)) / 2.0).collect()
}

/// What goes around the encoder to the way back.
#[derive(Clone, Debug)]
pub struct Skip {
    /// States of the positions before pooling: `[batch, positions, hidden]`.
    pub states: Tensor<3>,
    /// Of dynamic chunking, the probability that a unit starts at each position: `[batch, positions]`.
    pub probabilities: Option<Tensor<2>>,
}

impl From<Tensor<3>> for Skip {
    fn from(states: Tensor<3>) -> Skip {
        Skip { states, probabilities: None }
    }
}

/// Output of a front end.
#[derive(Clone, Debug)]
pub struct Embedded {
    /// Token vectors `[batch, tokens, hidden]`.
    pub tokens: Tensor<3>,
    /// Tokens per row without padding, which is on the right.
    pub lengths: Vec<usize>,
    /// Which token covers which positions.
    pub route: Route,
    /// What the way back to positions needs. `None` for a lookup.
    pub skip: Option<Skip>,
    /// Auxiliary loss, already weighted: `[1]`.
    pub auxiliary: Option<Tensor<1>>,
}
