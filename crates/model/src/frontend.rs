//! From token ids to the vectors the encoder is given, and back from token states to positions.
//!
//! A fixed tokenizer has the [`Lookup`] front end: one row per id, tokens are positions. A learned one makes fewer tokens,
//! differing per row, and says by its [`Route`] which token owns which positions; the same plain data is the learned
//! segmentation that figures draw. A burn `Module` cannot be a trait object, so front ends are one enum.

pub mod deformable;
pub mod experts;
pub mod learned;
pub mod lookup;
pub mod suppression;
pub mod tokenization;
pub mod way_back;

use burn::module::Module;
use burn::tensor::{Int, Tensor};

pub use learned::{Deep, MxDna};
pub use lookup::Lookup;

use crate::layers::Init;
use crate::network::ModelConfig;
use crate::noise::Noise;

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

/// A front end: fixed lookup or a learned module.
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant)] // there is one per model
pub enum Frontend {
    /// One row per id.
    Lookup(Lookup),
    /// MxDNA's learned tokenization.
    MxDna(MxDna),
    /// The iso-parameter control of MxDNA.
    Deep(Deep),
}

impl Frontend {
    /// The front end of a model; parameters `frontend.*`.
    #[must_use]
    pub fn new(init: &Init, config: &ModelConfig) -> Frontend {
        match &config.frontend {
            tokenize::Frontend::Lookup => Frontend::Lookup(Lookup::new(init, config.vocabulary, config.encoder.hidden)),
            tokenize::Frontend::MxDna(knobs) => {
                Frontend::MxDna(MxDna::new(init, config.vocabulary, knobs, &config.encoder))
            }
            tokenize::Frontend::Deep(knobs) => {
                Frontend::Deep(Deep::new(init, config.vocabulary, knobs, &config.encoder))
            }
        }
    }

    /// Ids `[batch, positions]`, of which `lengths[row]` are real (padding on the right), to what the encoder is given.
    #[must_use]
    pub fn embed(&self, ids: Tensor<2, Int>, lengths: &[usize], noise: Option<&Noise>) -> Embedded {
        match self {
            Frontend::Lookup(lookup) => Embedded {
                tokens: lookup.forward(ids),
                lengths: lengths.to_vec(),
                route: Route::Same,
                skip: None,
                auxiliary: None,
            },
            Frontend::MxDna(front) => front.embed(ids, lengths, noise),
            Frontend::Deep(front) => front.embed(ids, lengths, noise),
        }
    }

    /// Token states `[batch, tokens, hidden]` back to `[batch, positions, hidden]`, zero at padding. `route` and `skip` are
    /// those of [`Embedded`]; `lengths` are real positions per row.
    #[must_use]
    pub fn restore(&self, states: Tensor<3>, route: &Route, skip: Option<Tensor<3>>, lengths: &[usize]) -> Tensor<3> {
        let way_back = match self {
            Frontend::Lookup(_) => return states,
            Frontend::MxDna(front) => &front.way_back,
            Frontend::Deep(front) => &front.way_back,
        };
        let Some(skip) = skip else { return states };
        way_back.restore(skip, states, &route.centres(lengths), lengths)
    }

    /// The embedding matrix, which is also the decoder of the masked-language-model head: `[vocabulary, hidden]`.
    #[must_use]
    pub fn embedding(&self) -> Tensor<2> {
        let lookup = match self {
            Frontend::Lookup(lookup) => lookup,
            Frontend::MxDna(front) => &front.nucleotides.lookup,
            Frontend::Deep(front) => &front.nucleotides.lookup,
        };
        lookup.embedding.weight.val()
    }

    /// Multiply-accumulates of the front end and its way back for one sequence: nothing for a lookup; nucleotide layers as
    /// in [`crate::network::Model::macs`]; the way back p (2 h² + 3 h i) + 2 t h² + 2 p t h for p positions and t tokens;
    /// the module with its units taken to be of equal size.
    #[must_use]
    pub fn macs(&self, positions: usize, tokens: usize) -> u64 {
        match self {
            Frontend::Lookup(_) => 0,
            Frontend::MxDna(front) => front.macs(positions, tokens),
            Frontend::Deep(front) => front.macs(positions),
        }
    }
}
