//! What is asked of the states: masked tokens ([`MlmHead`]) or a class of the sequence ([`Classifier`]).

use burn::module::{Module, Param};
use burn::tensor::{Tensor, activation, s};

use crate::layers::{Init, LayerNorm, Linear};
use crate::noise::{Noise, dropout};

/// The masked-language-model head of DNABERT-2: dense, GELU, LayerNorm, then the embedding matrix as decoder.
#[derive(Module, Debug)]
pub struct MlmHead {
    /// `[hidden, hidden]`
    pub dense: Linear,
    /// LayerNorm before the decoder.
    pub norm: LayerNorm,
    /// The decoder's own bias, `[vocabulary]`.
    pub bias: Param<Tensor<1>>,
}

impl MlmHead {
    /// A head over `vocabulary` ids; parameters `head.*`.
    #[must_use]
    pub fn new(init: &Init, hidden: usize, vocabulary: usize, epsilon: f64) -> MlmHead {
        MlmHead {
            dense: Linear::new(init, "head.dense", hidden, hidden, true),
            norm: LayerNorm::new(init, "head.norm", hidden, epsilon),
            bias: init.constant("head.bias", [vocabulary], 0.0),
        }
    }

    /// States at the targets `[targets, hidden]` and the embedding matrix `[vocabulary, hidden]` to logits `[targets, vocabulary]`.
    #[must_use]
    pub fn forward(&self, states: Tensor<2>, embedding: Tensor<2>) -> Tensor<2> {
        let states = self.norm.forward(activation::gelu(self.dense.forward(states)));
        states.matmul(embedding.transpose()) + self.bias.val().unsqueeze()
    }
}

/// The sequence head of DNABERT-2: pooler (dense, tanh on the first token), dropout, linear.
#[derive(Module, Debug)]
pub struct Classifier {
    /// `[hidden, hidden]`
    pub pooler: Linear,
    /// `[hidden, classes]`
    pub linear: Linear,
    #[module(skip)]
    dropout: f64,
}

impl Classifier {
    /// A classifier; parameters `classifier.*`.
    #[must_use]
    pub fn new(init: &Init, hidden: usize, classes: usize, dropout: f64) -> Classifier {
        Classifier {
            pooler: Linear::new(init, "classifier.pooler", hidden, hidden, true),
            linear: Linear::new(init, "classifier.linear", hidden, classes, true),
            dropout,
        }
    }

    /// States `[batch, tokens, hidden]` to logits `[batch, classes]`; only the first token is read.
    #[must_use]
    pub fn forward(&self, states: Tensor<3>, noise: Option<&Noise>) -> Tensor<2> {
        let first = states.slice(s![.., 0..1, ..]).squeeze_dim::<2>(1);
        let pooled = activation::tanh(self.pooler.forward(first));
        self.linear.forward(dropout(pooled, noise, "classifier", self.dropout))
    }
}
