//! A trained model in use: hidden states of sequences ([`Trained::states`]), most probable tokens of \[MASK\]
//! ([`Trained::fill_tokens`]) and probabilities of masked bases ([`Trained::fill_bases`]).
//!
//! Sequences of a batch are grouped by length, so that less than 5 % of the positions are padding; no result depends on the other
//! sequences of its batch.

mod fill;
mod states;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor};
use protocol::Fitted;
use protocol::layout::Layout;
use tokenize::Token;

use crate::config::ModelConfig;
use crate::network::Model;
use crate::published::Outputs;

pub use fill::{Filled, FilledBases, Masked, MaskedText};
pub use states::{SequenceStates, batches};

/// A trained model with its tokenizer, for inference.
#[derive(Debug)]
pub struct Trained {
    /// The tokenizer, with its segmentation prior.
    pub fitted: Fitted,
    /// Sizes of the network.
    pub config: ModelConfig,
    /// Whether it is a published checkpoint, whose softmax is over all ids; else a model of tokbench, trained on ordinary tokens only.
    pub published: bool,
    /// Whether it has a trained masked-language-model head.
    pub has_head: bool,
    /// What its sequence classifier predicts, if it is a published checkpoint with one.
    pub outputs: Option<Outputs>,
    model: Model,
    device: Device,
}

impl Trained {
    /// A model for inference on `device`, which is without autodiff.
    #[must_use]
    pub fn new(model: &Model, fitted: Fitted, config: ModelConfig, device: &Device) -> Trained {
        let (model, device) = (model.valid(), device.clone());
        Trained { fitted, config, published: false, has_head: true, outputs: None, model, device }
    }

    /// The network.
    #[must_use]
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// BLAKE3 hash (hex) of its parameters.
    #[must_use]
    pub fn hash(&self) -> String {
        struct Hash(blake3::Hasher);
        impl ModuleVisitor for Hash {
            fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
                let data = parameter.val().into_data();
                self.0.update(&data.shape().num_elements().to_le_bytes());
                self.0.update(data.as_bytes());
            }
        }
        let mut hash = Hash(blake3::Hasher::new());
        self.model.visit(&mut hash);
        hash.0.finalize().to_hex().to_string()
    }

    /// The device.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// \[CLS\] tokens \[SEP\] of a sequence, and its tokens.
    #[must_use]
    pub fn layout(&self, bases: &[u8]) -> (Layout, Vec<Token>) {
        let mut tokens: Vec<Token> = Vec::new();
        self.fitted.tokenizer.encode(bases, &mut tokens);
        (Layout::unmasked(&tokens, bases.len()), tokens)
    }
}
