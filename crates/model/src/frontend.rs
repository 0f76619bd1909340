//! Front ends: token ids to the input vectors of the encoder, and token states back to positions.
//!
//! A fixed tokenizer has the [`Lookup`] front end: an embedding table, where tokens are positions. A learned front end pools
//! positions to fewer tokens, as many as each sequence needs; its [`Route`] states which token covers which positions, and
//! is also the learned segmentation that figures show. A burn `Module` cannot be a trait object, so `Frontend` is an enum.

pub mod deformable;
pub mod experts;
pub mod gbst;
pub mod hnet;
pub mod learned;
pub mod lookup;
pub mod merge;
pub mod own;
pub mod pool;
mod route;
pub mod suppression;
pub mod tokenization;
pub mod upsampling;

use burn::module::Module;
use burn::tensor::{Int, Tensor};

pub use gbst::Gbst;
pub use hnet::HNet;
pub use learned::{MxDna, Unpooled};
pub use lookup::Lookup;
pub use merge::Merge;
pub use own::Own;
pub use pool::Pool;
pub use route::{Embedded, Route, Skip, Unit, framed};

use upsampling::UpsamplingDecoder;

use crate::config::ModelConfig;
use crate::encoder::at;
use crate::fused;
use crate::layers::Init;
use crate::noise::Noise;
use crate::position::Rows;

/// A front end: an embedding table, or learned layers.
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant)] // one value per model
pub enum Frontend {
    /// Embedding table of a fixed tokenizer.
    Lookup(Lookup),
    /// MxDNA's learned tokenization.
    MxDna(MxDna),
    /// Dynamic chunking.
    HNet(HNet),
    /// Soft blocks of several sizes.
    Gbst(Gbst),
    /// Merging of similar neighbours.
    Merge(Merge),
    /// A pooling of another crate.
    Own(Own),
    /// Fixed pooling between the same layers.
    Pool(Pool),
    /// The same layers without pooling.
    Unpooled(Unpooled),
}

impl Frontend {
    /// The front end of a model; parameters `frontend.*`.
    #[must_use]
    pub fn new(init: &Init, config: &ModelConfig) -> Frontend {
        match &config.frontend {
            tokenize::FrontendConfig::Lookup => {
                Frontend::Lookup(Lookup::new(init, config.vocabulary, config.encoder.hidden))
            }
            tokenize::FrontendConfig::MxDna(mxdna) => {
                Frontend::MxDna(MxDna::new(init, config.vocabulary, mxdna, &config.encoder))
            }
            tokenize::FrontendConfig::HNet(hnet) => {
                Frontend::HNet(HNet::new(init, config.vocabulary, hnet, &config.encoder))
            }
            tokenize::FrontendConfig::Gbst(gbst) => {
                Frontend::Gbst(Gbst::new(init, config.vocabulary, gbst, &config.encoder))
            }
            tokenize::FrontendConfig::Merge(merge) => {
                Frontend::Merge(Merge::new(init, config.vocabulary, merge, &config.encoder))
            }
            tokenize::FrontendConfig::Own(own) => {
                Frontend::Own(Own::new(init, config.vocabulary, own, &config.encoder))
            }
            tokenize::FrontendConfig::Pool(pool) => {
                Frontend::Pool(Pool::new(init, config.vocabulary, pool, &config.encoder))
            }
            tokenize::FrontendConfig::Unpooled(unpooled) => {
                Frontend::Unpooled(Unpooled::new(init, config.vocabulary, unpooled, &config.encoder))
            }
        }
    }

    /// Embeds ids `[batch, positions]` as input of the encoder. `rows.lengths[row]` is the number of positions of a row; the rest
    /// is padding.
    #[must_use]
    pub fn embed<'a>(&self, ids: Tensor<2, Int>, rows: impl Into<Rows<'a>>, noise: Option<&Noise>) -> Embedded {
        let rows = rows.into();
        match self {
            Frontend::Lookup(lookup) => Embedded {
                tokens: lookup.forward(ids),
                lengths: rows.lengths.to_vec(),
                route: Route::Same,
                skip: None,
                auxiliary: None,
            },
            Frontend::MxDna(front) => front.embed(ids, rows, noise),
            Frontend::HNet(front) => front.embed(ids, rows, noise),
            Frontend::Gbst(front) => front.embed(ids, rows, noise),
            Frontend::Merge(front) => front.embed(ids, rows, noise),
            Frontend::Own(front) => front.embed(ids, rows, noise),
            Frontend::Pool(front) => front.embed(ids, rows, noise),
            Frontend::Unpooled(front) => front.embed(ids, rows, noise),
        }
    }

    /// Upsamples token states `[batch, tokens, hidden]` to positions `[batch, positions, hidden]`, zero at padding. `route` and
    /// `skip` are those of [`Embedded`]; `rows` are those of the positions.
    #[must_use]
    pub fn restore(
        &self,
        states: Tensor<3>,
        route: &Route,
        skip: Option<Skip>,
        rows: Rows<'_>,
        noise: Option<&Noise>,
    ) -> Tensor<3> {
        match (self, self.decoder(), skip, route) {
            (Frontend::HNet(front), _, Some(skip), Route::Units(units)) => {
                front.restore(states, units, skip, rows, noise)
            }
            (_, Some(decoder), Some(skip), _) => {
                decoder.restore(skip.states, states, &route.centers(rows.lengths), rows.lengths)
            }
            _ => states,
        }
    }

    /// As [`Self::restore`] only at the positions `places` of each row: `[places, hidden]`, row by row.
    #[must_use]
    pub fn restore_at(
        &self,
        states: Tensor<3>,
        route: &Route,
        skip: Skip,
        rows: Rows<'_>,
        places: &[Vec<usize>],
    ) -> Tensor<2> {
        let Some(decoder) = self.decoder().filter(|_| fused::on(&states.device())) else {
            return at(self.restore(states, route, Some(skip), rows, None), places);
        };
        let skip = skip.states;
        let [_, _, hidden] = skip.dims();
        let padded = fused::padded(places);
        let most = padded.first().map_or(0, Vec::len);
        let skip = at(skip, &padded).reshape([places.len(), most, hidden]);
        let restored = decoder.forward_at(skip, states, &route.centers(rows.lengths), &padded);
        let own: Vec<Vec<usize>> = places.iter().map(|row| (0..row.len()).collect()).collect();
        at(restored, &own)
    }

    fn decoder(&self) -> Option<&UpsamplingDecoder> {
        match self {
            Frontend::Lookup(_) | Frontend::HNet(_) => None,
            Frontend::MxDna(front) => Some(&front.way_back),
            Frontend::Gbst(front) => Some(&front.way_back),
            Frontend::Merge(front) => Some(&front.way_back),
            Frontend::Own(front) => Some(&front.way_back),
            Frontend::Pool(front) => Some(&front.way_back),
            Frontend::Unpooled(front) => Some(&front.way_back),
        }
    }

    /// The embedding matrix `[vocabulary, hidden]`, which is tied to the output layer of the masked-language-model head.
    #[must_use]
    pub fn embedding(&self) -> Tensor<2> {
        let lookup = match self {
            Frontend::Lookup(lookup) => lookup,
            Frontend::MxDna(front) => &front.nucleotides.lookup,
            Frontend::HNet(front) => &front.nucleotides.lookup,
            Frontend::Gbst(front) => &front.nucleotides.lookup,
            Frontend::Merge(front) => &front.nucleotides.lookup,
            Frontend::Own(front) => &front.nucleotides.lookup,
            Frontend::Pool(front) => &front.nucleotides.lookup,
            Frontend::Unpooled(front) => &front.nucleotides.lookup,
        };
        lookup.embedding.weight.val()
    }

    /// Multiply-accumulates of the front end and its upsampling decoder for one sequence: 0 for a lookup; nucleotide layers as in
    /// [`crate::network::Model::macs`]; the decoder p (2 h² + 3 h i) + 2 t h² + 2 p t h for p positions and t tokens; the
    /// tokenization module under the assumption of units of equal length.
    #[must_use]
    pub fn macs(&self, positions: usize, tokens: usize) -> u64 {
        match self {
            Frontend::Lookup(_) => 0,
            Frontend::MxDna(front) => front.macs(positions, tokens),
            Frontend::HNet(front) => front.macs(positions, tokens),
            Frontend::Gbst(front) => front.macs(positions, tokens),
            Frontend::Merge(front) => front.macs(positions, tokens),
            Frontend::Own(front) => front.macs(positions, tokens),
            Frontend::Pool(front) => front.macs(positions, tokens),
            Frontend::Unpooled(front) => front.macs(positions),
        }
    }
}
