//! The learned front end [`MxDna`], and [`Unpooled`]: the same nucleotide layers and upsampling decoder without the tokenization module
//! between them.
//!
//! Nucleotide layers have the architecture of the encoder (post-LayerNorm, same position encoding and dropout) and, like the
//! encoder, an input LayerNorm and dropout: embedding, LayerNorm, dropout, layers. The encoder's own input LayerNorm is then
//! applied to the token vectors. At least one such layer is required: without it the states of adjacent \[MASK\] positions
//! are identical and their scores tie.

use burn::module::Module;
use burn::tensor::{Int, Tensor};
use experiment::config::EncoderConfig;

use super::lookup::Lookup;
use super::route::{Embedded, Route};
use super::tokenization::Tokenization;
use super::upsampling::UpsamplingDecoder;
use crate::encoder::{Layer, run};
use crate::layers::{Init, LayerNorm};
use crate::noise::{Noise, dropout};
use crate::position::{PositionBias, Rows};

/// Embedding, LayerNorm and layers on single nucleotides.
#[derive(Module, Debug)]
pub struct Nucleotides {
    /// Embedding table.
    pub lookup: Lookup,
    /// LayerNorm before the layers.
    pub norm: LayerNorm,
    /// Layers with the architecture of the encoder's.
    pub layers: Vec<Layer>,
    #[module(skip)]
    bias: PositionBias,
    #[module(skip)]
    dropout: f64,
}

impl Nucleotides {
    /// `layers` layers; parameters `frontend.embedding.*`, `frontend.norm.*`, `frontend.layers.N.*`.
    #[must_use]
    pub fn new(init: &Init, vocabulary: usize, layers: usize, config: &EncoderConfig) -> Nucleotides {
        Nucleotides {
            lookup: Lookup::new(init, vocabulary, config.hidden),
            norm: LayerNorm::new(init, "frontend.norm", config.hidden, config.layer_norm_eps),
            layers: (0..layers).map(|layer| Layer::new(init, &format!("frontend.layers.{layer}"), config)).collect(),
            bias: PositionBias::new(config.position, config.heads),
            dropout: config.dropout,
        }
    }

    /// Ids `[batch, positions]` to states `[batch, positions, hidden]`; values at padding are undefined.
    #[must_use]
    pub fn forward(&self, ids: Tensor<2, Int>, rows: Rows<'_>, noise: Option<&Noise>) -> Tensor<3> {
        let states = dropout(self.norm.forward(self.lookup.forward(ids)), noise, "frontend.entry", self.dropout);
        run(&self.layers, &self.bias, states, rows, noise)
    }

    /// Multiply-accumulates for one sequence.
    #[must_use]
    pub fn macs(&self, positions: usize) -> u64 {
        self.layers.iter().map(|layer| layer.macs(positions)).sum()
    }
}

/// MxDNA: nucleotide layers, learned tokenization module and upsampling decoder.
#[derive(Module, Debug)]
pub struct MxDna {
    /// Embedding and nucleotide layers.
    pub nucleotides: Nucleotides,
    /// The learned tokenization module.
    pub tokenization: Tokenization,
    /// Upsampling decoder: token states to nucleotide states.
    pub way_back: UpsamplingDecoder,
    #[module(skip)]
    balance: f64,
}

impl MxDna {
    /// A front end with the given hyperparameters.
    #[must_use]
    pub fn new(init: &Init, vocabulary: usize, config: &tokenize::MxDnaConfig, encoder: &EncoderConfig) -> MxDna {
        MxDna {
            nucleotides: Nucleotides::new(init, vocabulary, config.nucleotide_layers, encoder),
            tokenization: Tokenization::new(init, encoder.hidden, config),
            way_back: UpsamplingDecoder::new(init, encoder.hidden, encoder.heads, encoder.intermediate),
            balance: config.balance,
        }
    }

    /// See [`super::Frontend::embed`].
    #[must_use]
    pub fn embed(&self, ids: Tensor<2, Int>, rows: Rows<'_>, noise: Option<&Noise>) -> Embedded {
        let (skip, lengths) = (self.nucleotides.forward(ids, rows, noise), rows.lengths);
        let made = self.tokenization.forward(skip.clone(), lengths, noise);
        let route = made.units(lengths);
        let auxiliary = made.balance.map(|balance| balance * self.balance);
        Embedded {
            tokens: made.tokens,
            lengths: made.lengths,
            route: Route::Units(route),
            skip: Some(skip.into()),
            auxiliary,
        }
    }

    /// Multiply-accumulates for one sequence that is pooled to `tokens` tokens.
    #[must_use]
    pub fn macs(&self, positions: usize, tokens: usize) -> u64 {
        let units = tokens.saturating_sub(2);
        let module = self.tokenization.macs(positions.saturating_sub(2), units);
        self.nucleotides.macs(positions) + module + self.way_back.macs(positions, tokens)
    }
}

/// MxDNA without its tokenization module, so that every nucleotide is a token.
#[derive(Module, Debug)]
pub struct Unpooled {
    /// Embedding and nucleotide layers.
    pub nucleotides: Nucleotides,
    /// Upsampling decoder: token states to nucleotide states.
    pub way_back: UpsamplingDecoder,
}

impl Unpooled {
    /// A front end with the given hyperparameters.
    #[must_use]
    pub fn new(init: &Init, vocabulary: usize, config: &tokenize::UnpooledConfig, encoder: &EncoderConfig) -> Unpooled {
        Unpooled {
            nucleotides: Nucleotides::new(init, vocabulary, config.nucleotide_layers, encoder),
            way_back: UpsamplingDecoder::new(init, encoder.hidden, encoder.heads, encoder.intermediate),
        }
    }

    /// See [`super::Frontend::embed`].
    #[must_use]
    pub fn embed(&self, ids: Tensor<2, Int>, rows: Rows<'_>, noise: Option<&Noise>) -> Embedded {
        let (skip, lengths) = (self.nucleotides.forward(ids, rows, noise), rows.lengths);
        Embedded {
            tokens: skip.clone(),
            lengths: lengths.to_vec(),
            route: Route::Same,
            skip: Some(skip.into()),
            auxiliary: None,
        }
    }

    /// Multiply-accumulates for one sequence.
    #[must_use]
    pub fn macs(&self, positions: usize) -> u64 {
        self.nucleotides.macs(positions) + self.way_back.macs(positions, positions)
    }
}
