//! The shared DNABERT-2 encoder (Zhou et al., ICLR 2024): post-LayerNorm, fused query-key-value, GEGLU, an
//! attention bias as position encoding.
//!
//! It maps token vectors to token states and never sees ids. The input LayerNorm and dropout belong to it, so they are the
//! same for all front ends. Sequences are padded on the right; the states of a sequence do not depend on the other
//! sequences of its batch, and states at padding are zero.
//!
//! ```
//! use burn::tensor::Tensor;
//! use experiment::config::EncoderConfig as Config;
//! use model::{encoder::Encoder, layers::Init};
//! let device = model::device::open("cpu").unwrap();
//! let config = Config { hidden: 8, heads: 2, intermediate: 16, ..Config::default() };
//! let encoder = Encoder::new(&Init::new(1, 0.1, &device), &config);
//! let states = encoder.forward(Tensor::ones([2, 5, 8], &device), &[5, 3], None);
//! assert_eq!(states.dims(), [2, 5, 8]);
//! ```

use std::ops::Range;
use std::sync::Arc;

use burn::module::Module;
use burn::tensor::{DType, Device, Tensor, TensorData, activation, module, s};
use experiment::config::EncoderConfig as Config;

use crate::fused::{self, AttentionMask};
use crate::layers::{BF16, Init, LayerNorm, Linear, in_bf16};
use crate::noise::{Noise, dropout};
use crate::position::{AttentionBias, PositionBias, Rows};

/// The shared encoder.
#[derive(Module, Debug)]
pub struct Encoder {
    /// Input LayerNorm.
    pub norm: LayerNorm,
    /// The layers, first to last.
    pub layers: Vec<Layer>,
    #[module(skip)]
    bias: PositionBias,
    #[module(skip)]
    dropout: f64,
}

impl Encoder {
    /// An encoder of the given sizes; parameters `encoder.norm.*`, `encoder.layers.N.*`.
    #[must_use]
    pub fn new(init: &Init, config: &Config) -> Encoder {
        Encoder {
            norm: LayerNorm::new(init, "encoder.norm", config.hidden, config.layer_norm_eps),
            layers: (0..config.layers)
                .map(|layer| Layer::new(init, &format!("encoder.layers.{layer}"), config))
                .collect(),
            bias: PositionBias::new(config.position, config.heads),
            dropout: config.dropout,
        }
    }

    /// Dropout probability in training.
    #[must_use]
    pub fn dropout(&self) -> f64 {
        self.dropout
    }

    /// Token vectors `[batch, tokens, hidden]`, of which `rows.lengths[row]` are real, to states of the same shape.
    #[must_use]
    pub fn forward<'a>(&self, tokens: Tensor<3>, rows: impl Into<Rows<'a>>, noise: Option<&Noise>) -> Tensor<3> {
        let (rows, states) = (rows.into(), self.entry(tokens, noise));
        let states = run(&self.layers, &self.bias, states, rows, noise);
        zero_padding(states, rows.lengths)
    }

    /// As [`Self::forward`], only at the tokens `places` of each row, ascending: `[places, hidden]`, row by row. The last layer computes
    /// nothing else.
    #[must_use]
    pub fn forward_at<'a>(&self, tokens: Tensor<3>, rows: impl Into<Rows<'a>>, places: &[Vec<usize>]) -> Tensor<2> {
        let rows = rows.into();
        let [batch, length, hidden] = tokens.dims();
        let device = tokens.device();
        let Some((last, before)) = self.layers.split_last().filter(|_| fused::on(&device)) else {
            return at(self.forward(tokens, rows, None), places);
        };
        let AttentionBias::Fused(mask) = self.bias.attention_bias(length, rows, &device) else {
            return at(self.forward(tokens, rows, None), places);
        };
        let states = run(before, &self.bias, self.entry(tokens, None), rows, None);
        let mask = Arc::new(mask.at(places));
        let padded = last.forward_at(states.reshape([batch * length, hidden]), &mask);
        let most = mask.tokens[0];
        let real = |row: usize, places: &Vec<usize>| (0..places.len()).map(move |place| row * most + place);
        let real = places.iter().enumerate().flat_map(|(row, places)| real(row, places)).collect();
        select(padded, real)
    }

    /// Input LayerNorm and dropout: `[batch, tokens, hidden]` to the same shape.
    #[must_use]
    pub fn entry(&self, tokens: Tensor<3>, noise: Option<&Noise>) -> Tensor<3> {
        dropout(self.norm.forward(tokens), noise, "encoder.entry", self.dropout)
    }
}

/// The states `[batch, tokens, hidden]` at the tokens `places` of each row: `[places, hidden]`, row by row.
#[must_use]
pub fn at(states: Tensor<3>, places: &[Vec<usize>]) -> Tensor<2> {
    let [batch, tokens, hidden] = states.dims();
    let rows = places.iter().enumerate().flat_map(|(row, places)| places.iter().map(move |at| row * tokens + at));
    select(states.reshape([batch * tokens, hidden]), rows.collect())
}

/// The rows of a matrix with the given indices.
pub(crate) fn select(states: Tensor<2>, rows: Vec<usize>) -> Tensor<2> {
    let (count, device) = (rows.len(), states.device());
    let rows: Vec<i64> = rows.into_iter().map(|row| row as i64).collect();
    states.select(0, Tensor::from_data(TensorData::new(rows, [count]), &device))
}

/// Runs `layers` on states `[batch, tokens, hidden]`; values at padding are finite but undefined.
#[must_use]
pub fn run(
    layers: &[Layer],
    bias: &PositionBias,
    states: Tensor<3>,
    rows: Rows<'_>,
    noise: Option<&Noise>,
) -> Tensor<3> {
    let [batch, tokens, hidden] = states.dims();
    if layers.is_empty() {
        return states;
    }
    let attention_bias = match bias.attention_bias(tokens, rows, &states.device()) {
        // Once for all layers.
        AttentionBias::Tensor(bias) if in_bf16(layers[0].qkv.dtype, &states.device()) => {
            AttentionBias::Tensor(Box::new(bias.cast(BF16)))
        }
        bias => bias,
    };
    let flat = states.reshape([batch * tokens, hidden]);
    let flat = layers.iter().fold(flat, |flat, layer| layer.forward(flat, batch, &attention_bias, noise));
    flat.reshape([batch, tokens, hidden])
}

/// Sets the states `[batch, tokens, hidden]` at padding to zero; no operation if no row has padding.
#[must_use]
pub fn zero_padding(states: Tensor<3>, lengths: &[usize]) -> Tensor<3> {
    let [batch, tokens, _] = states.dims();
    if lengths.iter().all(|&length| length == tokens) {
        return states;
    }
    let real = mask(batch, tokens, &states.device(), |row, token| token < lengths[row]);
    states * real.reshape([batch, tokens, 1])
}

/// One where `keep(row, token)`, else zero: `[batch * tokens, 1]`.
pub(crate) fn mask(batch: usize, tokens: usize, device: &Device, keep: impl Fn(usize, usize) -> bool) -> Tensor<2> {
    let ones = (0..batch * tokens).map(|index| if keep(index / tokens, index % tokens) { 1.0 } else { 0.0 });
    Tensor::from_data(TensorData::new(ones.collect::<Vec<f32>>(), [batch * tokens, 1]), device)
}

/// One layer: self-attention and gated feed-forward block, each followed by its LayerNorm.
#[derive(Module, Debug)]
pub struct Layer {
    /// `[hidden, 3 hidden]`: queries, keys, values; within each third, one block of columns per head.
    pub qkv: Linear,
    /// `[hidden, hidden]`
    pub output: Linear,
    /// LayerNorm after attention.
    pub attention_norm: LayerNorm,
    /// `[hidden, 2 intermediate]` without bias: gate, then values.
    pub up: Linear,
    /// `[intermediate, hidden]`
    pub down: Linear,
    /// LayerNorm after the feed-forward block.
    pub norm: LayerNorm,
    #[module(skip)]
    heads: usize,
    #[module(skip)]
    dropout: f64,
    #[module(skip)]
    name: String,
}

impl Layer {
    /// A layer of the encoder's architecture; `name` is the prefix of its parameters and of its noise streams.
    #[must_use]
    pub fn new(init: &Init, name: &str, config: &Config) -> Layer {
        let (hidden, inner) = (config.hidden, config.intermediate);
        let norm = |part: &str| LayerNorm::new(init, &format!("{name}.{part}"), hidden, config.layer_norm_eps);
        Layer {
            qkv: Linear::new(init, &format!("{name}.qkv"), hidden, 3 * hidden, true),
            output: Linear::new(init, &format!("{name}.output"), hidden, hidden, true),
            attention_norm: norm("attention_norm"),
            up: Linear::new(init, &format!("{name}.up"), hidden, 2 * inner, false),
            down: Linear::new(init, &format!("{name}.down"), inner, hidden, true),
            norm: norm("norm"),
            heads: config.heads,
            dropout: config.dropout,
            name: name.to_owned(),
        }
    }

    /// `states` `[batch * tokens, hidden]` to the same shape.
    #[must_use]
    pub fn forward(&self, states: Tensor<2>, batch: usize, bias: &AttentionBias, noise: Option<&Noise>) -> Tensor<2> {
        let qkv = self.qkv.forward(states.clone());
        let context = match bias {
            AttentionBias::Fused(mask) => fused::attend(qkv, mask),
            AttentionBias::Tensor(bias) => self.attend(&qkv, batch, bias.as_ref().clone()),
        };
        self.after_attention(states, context, noise)
    }

    /// As [`Self::forward`] without noise, only at the queries of `mask`: `[batch * queries, hidden]`.
    fn forward_at(&self, states: Tensor<2>, mask: &Arc<AttentionMask>) -> Tensor<2> {
        let hidden = states.dims()[1];
        let part = |x: Tensor<2>, columns: Range<usize>| {
            let bias = self.qkv.bias.as_ref().map(|bias| bias.val().slice(s![columns.clone()]));
            module::linear(x, self.qkv.weight.val().slice(s![.., columns]), bias)
        };
        let rows = mask.queries.iter().flatten().enumerate();
        let own = rows.map(|(query, token)| query / mask.tokens[0] * mask.tokens[1] + token).collect();
        let own = select(states.clone(), own);
        let query = part(own.clone(), 0..hidden);
        let context = fused::cross_attend(query, part(states, hidden..3 * hidden), mask);
        self.after_attention(own, context, None)
    }

    fn after_attention(&self, states: Tensor<2>, context: Tensor<2>, noise: Option<&Noise>) -> Tensor<2> {
        let context = self.output.forward(context);
        let context = dropout(context, noise, &format!("{}.attention", self.name), self.dropout);
        let states = self.attention_norm.forward(states + context);
        let forward = self.feed_forward(states.clone(), noise);
        self.norm.forward(states + forward)
    }

    /// Softmax attention of the devices without the fused operations of this crate: by LibTorch's kernel, or composed from burn's operations;
    /// `[batch * tokens, 3 hidden]` to `[batch * tokens, hidden]`.
    fn attend(&self, qkv: &Tensor<2>, batch: usize, bias: Tensor<4>) -> Tensor<2> {
        let [rows, tripled] = qkv.dims();
        let hidden = tripled / 3;
        let (tokens, size) = (rows / batch, hidden / self.heads);
        let split = |third: usize| {
            let part = qkv.clone().slice(s![.., third * hidden..(third + 1) * hidden]);
            part.reshape([batch, tokens, self.heads, size]).swap_dims(1, 2)
        };
        let context = if in_bf16(self.qkv.dtype, &qkv.device()) {
            let [query, key, value] = [0, 1, 2].map(|third| split(third).cast(BF16));
            fused::biased_attention(query, key, value, bias.cast(BF16)).cast(DType::F32)
        } else {
            fused::biased_attention(split(0), split(1), split(2), bias)
        };
        context.swap_dims(1, 2).reshape([rows, hidden])
    }

    /// Multiply-accumulates of one forward pass over `tokens` tokens of one sequence, see [`crate::network::Model::macs`].
    #[must_use]
    pub fn macs(&self, tokens: usize) -> u64 {
        let ([hidden, tripled], [inner, _]) = (self.qkv.weight.dims(), self.down.weight.dims());
        (tokens * hidden * (tripled + hidden + 3 * inner) + 2 * tokens * tokens * hidden) as u64
    }

    fn feed_forward(&self, states: Tensor<2>, noise: Option<&Noise>) -> Tensor<2> {
        let up = self.up.forward(states);
        let gated = if fused::on(&up.device()) {
            fused::geglu(up)
        } else {
            let inner = up.dims()[1] / 2;
            activation::gelu(up.clone().slice(s![.., ..inner])) * up.slice(s![.., inner..])
        };
        let gated = dropout(gated, noise, &format!("{}.feed_forward", self.name), self.dropout);
        self.down.forward(gated)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::Init;
    use crate::position::{PositionBias, Rows};
    use burn::tensor::{Gradients, module};
    use experiment::config::Position;

    fn distance<const D: usize>(a: &Tensor<D>, b: &Tensor<D>) -> f32 {
        (a.clone() - b.clone()).abs().max().into_scalar()
    }

    /// Output of `f` at `x`, and the gradient of its product with a fixed probe.
    fn output_and_gradient(f: impl Fn(Tensor<2>) -> Tensor<2>, x: &Tensor<2>) -> [Tensor<2>; 2] {
        let x = x.clone().detach().require_grad();
        let out = f(x.clone());
        let probe = Init::new(3, 1.0, &out.device()).normal("probe", out.dims()).val();
        let gradients: Gradients = (out.clone() * probe).sum().backward();
        [out.detach().inner(), x.grad(&gradients).unwrap()]
    }

    #[test]
    fn fused_operations_equal_composed_operations() {
        let device = crate::device::open("cpu").unwrap().autodiff();
        for (hidden, heads, tokens) in [(10, 2, 37), (48, 3, 70), (64, 4, 1)] {
            for position in ["alibi", "alibi-directed", "alibi-directed-reach50-bases", "alibi-steep-bases"] {
                let position: Position = position.parse().unwrap();
                let config = Config { hidden, heads, intermediate: 2 * hidden + 3, position, ..Config::default() };
                let init = Init::new(1, 0.7, &device);
                let layer = Layer::new(&init, "layer", &config);
                let bias = PositionBias::new(position, heads);
                let lengths = [tokens, tokens.min(33), tokens / 2, 0];
                // Tokens of 1, 2 and 3 bases in turn.
                let centers: Vec<Vec<f32>> = lengths
                    .iter()
                    .map(|&n| (0..n).map(|at| 2.0 * at as f32 + (at % 3) as f32 / 2.0).collect())
                    .collect();
                let rows = Rows { lengths: &lengths, centers: Some(&centers) };
                let AttentionBias::Fused(mask) = bias.attention_bias(tokens, rows, &device) else { panic!("fused") };
                let tensor = bias.composed(tokens, rows, &device);
                let qkv = init.normal("qkv", [lengths.len() * tokens, 3 * hidden]).val();
                let without_padding = |out: Tensor<2>| {
                    zero_padding(out.reshape([lengths.len(), tokens, hidden]), &lengths)
                        .reshape([lengths.len() * tokens, hidden])
                };
                let one = output_and_gradient(|x| without_padding(fused::attend(x, &mask)), &qkv);
                let other =
                    output_and_gradient(|x| without_padding(layer.attend(&x, lengths.len(), tensor.clone())), &qkv);
                for (one, other) in one.iter().zip(&other) {
                    assert!(distance(one, other) < 5e-6, "attention {hidden} {position:?}");
                }

                let x = init.normal("x", [97, 2 * config.intermediate]).val() * 4.0;
                let half = |x: &Tensor<2>, from| x.clone().slice(s![.., from..from + config.intermediate]);
                let composed =
                    output_and_gradient(|x| activation::gelu(half(&x, 0)) * half(&x, config.intermediate), &x);
                let silu = output_and_gradient(|x| activation::silu(half(&x, 0)) * half(&x, config.intermediate), &x);
                let pairs =
                    [(output_and_gradient(fused::geglu, &x), composed), (output_and_gradient(fused::swiglu, &x), silu)];
                for (one, other) in pairs.iter().flat_map(|(one, other)| one.iter().zip(other)) {
                    assert!(distance(one, other) < 2e-5, "gate {hidden}");
                }

                let (gain, offset) = (init.normal("gain", [hidden]), init.normal("offset", [hidden]));
                let x = init.normal("y", [97, hidden]).val() + 1.0;
                let one = output_and_gradient(|x| fused::normalize(x, gain.val(), offset.val(), 1e-12), &x);
                let other = output_and_gradient(|x| module::layer_norm(x, gain.val(), Some(offset.val()), 1e-12), &x);
                for (one, other) in one.iter().zip(&other) {
                    assert!(distance(one, other) < 1e-5, "LayerNorm {hidden}");
                }
            }
        }
    }

    /// ALiBi has no length limit: attention over 8,192 tokens, beyond the 512 for which the published code computes its bias in advance, equals sums
    /// in f64 for some queries.
    #[test]
    fn attention_is_right_for_long_inputs() {
        let (device, tokens, heads, size) = (crate::device::open("cpu").unwrap(), 8192, 12, 2);
        let hidden = heads * size;
        let qkv = Init::new(1, 0.8, &device).normal("qkv", [tokens, 3 * hidden]).val();
        for name in ["alibi", "alibi-directed-reach8192-bases"] {
            let position: Position = name.parse().unwrap();
            // Tokens of 1, 2 and 3 bases in turn.
            let centers: Vec<f32> = (0..tokens).map(|at| 2.0 * at as f32 + (at % 3) as f32 / 2.0).collect();
            let rows = Rows { lengths: &[tokens - 7], centers: Some(std::slice::from_ref(&centers)) };
            let AttentionBias::Fused(mask) = PositionBias::new(position, heads).attention_bias(tokens, rows, &device)
            else {
                panic!("fused")
            };
            let found = fused::attend(qkv.clone(), &mask).try_into_vec_as::<f32>().unwrap();
            let values = qkv.clone().try_into_vec_as::<f32>().unwrap();
            let value = |row: usize, column: usize| f64::from(values[row * 3 * hidden + column]);
            let slopes = crate::position::slopes(heads);
            for (query, head) in
                [0_usize, 511, 512, 4096, 8184].into_iter().flat_map(|query| [(query, 0), (query, 7), (query, 11)])
            {
                let bias = |key: usize| match name {
                    "alibi" => -slopes[head] * query.abs_diff(key) as f64,
                    // Even heads look to the left, odd ones to the right.
                    _ if key != query && (key < query) != (head % 2 == 0) => f64::NEG_INFINITY,
                    _ => {
                        let reach = 8192_f64.powf((head / 2) as f64 / (heads / 2 - 1) as f64);
                        -2.0 / reach * f64::from((centers[query] - centers[key]).abs())
                    }
                };
                let weight = |key: usize| {
                    let products =
                        (0..size).map(|at| value(query, head * size + at) * value(key, hidden + head * size + at));
                    (products.sum::<f64>() / (size as f64).sqrt() + bias(key)).exp()
                };
                let weights: Vec<f64> = (0..tokens - 7).map(weight).collect();
                let total: f64 = weights.iter().sum();
                for at in 0..size {
                    let sum = weights
                        .iter()
                        .enumerate()
                        .map(|(key, weight)| weight * value(key, 2 * hidden + head * size + at));
                    let expected = sum.sum::<f64>() / total;
                    let own = f64::from(found[query * hidden + head * size + at]);
                    assert!((own - expected).abs() < 1e-5, "{name} query {query} head {head}: {own} {expected}");
                }
            }
        }
    }

    #[test]
    fn results_do_not_depend_on_the_number_of_threads() {
        let device = crate::device::open("cpu").unwrap().autodiff();
        let config = Config { hidden: 16, heads: 4, intermediate: 32, ..Config::default() };
        let init = Init::new(1, 0.3, &device);
        let encoder = Encoder::new(&init, &config);
        let x = init.normal("x", [3, 150, 16]).val();
        let step = || {
            let out = encoder.forward(x.clone(), &[150, 120, 7], None);
            let gradients = out.clone().powf_scalar(2.0).sum().backward();
            (out.into_data(), encoder.norm.gamma.val().grad(&gradients).unwrap().into_data())
        };
        let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        assert_eq!(pool(1).install(step), pool(4).install(step));
    }
}
