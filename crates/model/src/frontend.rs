//! From token ids to the vectors the encoder is given, and back from token states to positions.
//!
//! A fixed tokenizer has the [`Lookup`] front end: one row per id, tokens are positions. A learned one makes fewer tokens,
//! differing per row, and says by its [`Route`] which token owns which positions; the same plain data is the learned
//! segmentation that figures draw. A burn `Module` cannot be a trait object, so front ends are one enum.

pub mod deformable;
pub mod experts;
pub mod learned;
pub mod lookup;
mod route;
pub mod suppression;
pub mod tokenization;
pub mod way_back;

use burn::module::Module;
use burn::tensor::{Int, Tensor};

pub use learned::{Deep, MxDna};
pub use lookup::Lookup;
pub use route::{Embedded, Route, Unit};

use crate::config::ModelConfig;
use crate::layers::Init;
use crate::noise::Noise;

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
            tokenize::FrontendConfig::Lookup => {
                Frontend::Lookup(Lookup::new(init, config.vocabulary, config.encoder.hidden))
            }
            tokenize::FrontendConfig::MxDna(knobs) => {
                Frontend::MxDna(MxDna::new(init, config.vocabulary, knobs, &config.encoder))
            }
            tokenize::FrontendConfig::Deep(knobs) => {
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
