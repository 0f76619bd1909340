//! Heads: logits of masked tokens ([`MlmHead`]), of the class of a sequence ([`Classifier`]), of each token or base ([`TokenHead`]), of pairs
//! of positions ([`ContactHead`]).

use std::ops::Range;

use burn::module::{Module, Param};
use burn::tensor::{DType, Tensor, TensorData, activation, s};
use experiment::config::Pooling;

use crate::layers::{BF16, Init, LayerNorm, Linear, in_bf16};
use crate::noise::{Noise, dropout};

/// The masked-language-model head of DNABERT-2: dense, GELU, LayerNorm, then an output layer tied to the embedding matrix.
#[derive(Module, Debug)]
pub struct MlmHead {
    /// `[hidden, hidden]`
    pub dense: Linear,
    /// LayerNorm before the output layer.
    pub norm: LayerNorm,
    /// Bias of the output layer, `[vocabulary]`.
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

    /// States at the targets `[targets, hidden]` and the embedding matrix `[vocabulary, hidden]` to logits `[targets, ids]`; only
    /// those of the range `ids` are computed.
    #[must_use]
    pub fn forward(&self, states: Tensor<2>, embedding: Tensor<2>, ids: Range<usize>) -> Tensor<2> {
        let states = self.norm.forward(activation::gelu(self.dense.forward(states)));
        let rows = embedding.slice([ids.clone()]);
        let products = if in_bf16(self.dense.dtype, &states.device()) {
            states.cast(BF16).matmul(rows.cast(BF16).transpose()).cast(DType::F32)
        } else {
            states.matmul(rows.transpose())
        };
        products + self.bias.val().slice([ids]).unsqueeze()
    }
}

/// The sequence head of DNABERT-2: pooler (dense and tanh of the \[CLS\] token, or of the mean of all tokens), dropout, linear.
#[derive(Module, Debug)]
pub struct Classifier {
    /// `[hidden, hidden]`
    pub pooler: Linear,
    /// `[hidden, classes]`
    pub linear: Linear,
    /// Which states the pooler reads.
    #[module(skip)]
    pub pooling: Pooling,
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
            pooling: Pooling::Cls,
            dropout,
        }
    }

    /// States `[batch, tokens, hidden]`, zero at padding, to logits `[batch, classes]`; `lengths[row]` is the number of tokens of
    /// a row.
    #[must_use]
    pub fn forward(&self, states: Tensor<3>, lengths: &[usize], noise: Option<&Noise>) -> Tensor<2> {
        let pooled = match self.pooling {
            Pooling::Cls => states.slice(s![.., 0..1, ..]).squeeze_dim::<2>(1),
            Pooling::Mean => {
                let weights: Vec<f32> = lengths.iter().map(|&length| 1.0 / length.max(1) as f32).collect();
                let weights = Tensor::<2>::from_data(TensorData::new(weights, [lengths.len(), 1]), &states.device());
                states.sum_dim(1).squeeze_dim::<2>(1) * weights
            }
        };
        let pooled = activation::tanh(self.pooler.forward(pooled));
        self.linear.forward(dropout(pooled, noise, "classifier", self.dropout))
    }
}

/// The token head of multimolecule's DNABERT-2: one linear layer on each state.
#[derive(Module, Debug)]
pub struct TokenHead {
    /// `[hidden, classes]`
    pub linear: Linear,
}

impl TokenHead {
    /// A head for `classes` classes; parameters `token_head.*`.
    #[must_use]
    pub fn new(init: &Init, hidden: usize, classes: usize) -> TokenHead {
        TokenHead { linear: Linear::new(init, "token_head.linear", hidden, classes, true) }
    }

    /// States `[..., hidden]` to logits `[..., classes]`.
    #[must_use]
    pub fn forward<const D: usize>(&self, states: Tensor<D>) -> Tensor<D> {
        self.linear.forward(states)
    }
}

/// The contact head of multimolecule's DNABERT-2: a linear layer on the products of the states of two positions, symmetrized.
#[derive(Module, Debug)]
pub struct ContactHead {
    /// `[hidden, classes]`
    pub linear: Linear,
}

impl ContactHead {
    /// A head for `classes` classes; parameters `contact_head.*`.
    #[must_use]
    pub fn new(init: &Init, hidden: usize, classes: usize) -> ContactHead {
        ContactHead { linear: Linear::new(init, "contact_head.linear", hidden, classes, true) }
    }

    /// States `[batch, positions, hidden]` to logits of pairs `[batch, positions, positions, classes]`; undefined at padding.
    #[must_use]
    pub fn forward(&self, states: &Tensor<3>) -> Tensor<4> {
        // The products of two states with a weight are a matrix product, symmetric as it is: [batch, positions, positions] for each class.
        let [hidden, classes] = self.linear.weight.dims();
        let weight = self.linear.weight.val();
        let of_class = |class: usize| {
            let weight = weight.clone().narrow(1, class, 1).reshape([1, 1, hidden]);
            (states.clone() * weight).matmul(states.clone().swap_dims(1, 2)).unsqueeze_dim::<4>(3)
        };
        let pairs = Tensor::cat((0..classes).map(of_class).collect(), 3);
        match &self.linear.bias {
            Some(bias) => pairs + bias.val().reshape([1, 1, 1, classes]),
            None => pairs,
        }
    }
}
