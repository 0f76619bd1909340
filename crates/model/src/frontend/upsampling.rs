//! MxDNA's upsampling decoder: cross-attention from nucleotide states (queries) to token states (keys and values), a SwiGLU
//! feed-forward block and a final LayerNorm.
//!
//! One LayerNorm is shared by queries and keys; the projections have no bias. Rotary position embedding (half-split, theta
//! 10000) rotates queries by their position and keys by the coordinate of their token. The coordinate is the center of the
//! token's unit, so that queries and keys have the same coordinate system; the published code uses the index of the token,
//! which the caller can pass instead.

use std::sync::Arc;

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData, activation, s};

use super::experts::EPSILON;
use crate::encoder::zero_padding;
use crate::fused::{self, AttentionMask, HeadBias};
use crate::layers::{Init, LayerNorm, Linear, swiglu};

/// The upsampling decoder: one decoder layer.
#[derive(Module, Debug)]
pub struct UpsamplingDecoder {
    /// LayerNorm before attention, shared by queries and keys.
    pub norm: LayerNorm,
    /// `[hidden, hidden]`, without bias.
    pub query: Linear,
    /// `[hidden, 2 hidden]`, without bias: keys, then values.
    pub key_value: Linear,
    /// `[hidden, hidden]`, without bias.
    pub output: Linear,
    /// LayerNorm before the feed-forward block.
    pub inner_norm: LayerNorm,
    /// `[hidden, 2 intermediate]`, without bias: gate, then values.
    pub up: Linear,
    /// `[intermediate, hidden]`, without bias.
    pub down: Linear,
    /// Final LayerNorm, before the head.
    pub last_norm: LayerNorm,
    #[module(skip)]
    heads: usize,
}

impl UpsamplingDecoder {
    /// A decoder with initial weights; parameters `frontend.way_back.*`, names that initial values and
    /// saved weights depend on.
    #[must_use]
    pub fn new(init: &Init, hidden: usize, heads: usize, intermediate: usize) -> UpsamplingDecoder {
        let linear = |part: &str, inputs, outputs| {
            Linear::new(init, &format!("frontend.way_back.{part}"), inputs, outputs, false)
        };
        UpsamplingDecoder {
            norm: LayerNorm::new(init, "frontend.way_back.norm", hidden, EPSILON),
            query: linear("query", hidden, hidden),
            key_value: linear("key_value", hidden, 2 * hidden),
            output: linear("output", hidden, hidden),
            inner_norm: LayerNorm::new(init, "frontend.way_back.inner_norm", hidden, EPSILON),
            up: linear("up", hidden, 2 * intermediate),
            down: linear("down", intermediate, hidden),
            last_norm: LayerNorm::new(init, "frontend.way_back.last_norm", hidden, EPSILON),
            heads,
        }
    }

    /// Nucleotide states `[batch, positions, hidden]` and token states `[batch, tokens, hidden]` to states of the positions.
    /// `coordinates[row]` has one coordinate per token; further tokens are padding.
    #[must_use]
    pub fn forward(&self, nucleotides: Tensor<3>, tokens: Tensor<3>, coordinates: &[Vec<usize>]) -> Tensor<3> {
        let [batch, positions, _] = nucleotides.dims();
        let everywhere: Vec<usize> = (0..positions).collect();
        self.forward_at(nucleotides, tokens, coordinates, &vec![everywhere; batch])
    }

    /// As [`Self::forward`], where `nucleotides` are the states of the positions `places` of each row only; as many in each row.
    #[must_use]
    pub fn forward_at(
        &self,
        nucleotides: Tensor<3>,
        tokens: Tensor<3>,
        coordinates: &[Vec<usize>],
        places: &[Vec<usize>],
    ) -> Tensor<3> {
        let ([batch, positions, hidden], [_, keys, _]) = (nucleotides.dims(), tokens.dims());
        let flat = nucleotides.reshape([batch * positions, hidden]);
        let query = self.query.forward(self.norm.forward(flat.clone()));
        let key_value = self.key_value.forward(self.norm.forward(tokens.reshape([batch * keys, hidden])));

        let context = rotary_attention(query, key_value, self.heads, places, coordinates);
        let states = flat + self.output.forward(context);
        let up = self.up.forward(self.inner_norm.forward(states.clone()));
        self.last_norm.forward(states + self.down.forward(swiglu(up))).reshape([batch, positions, hidden])
    }

    /// As [`Self::forward`], with zeros at the positions from `lengths[row]` on, which are padding.
    #[must_use]
    pub fn restore(
        &self,
        nucleotides: Tensor<3>,
        tokens: Tensor<3>,
        coordinates: &[Vec<usize>],
        lengths: &[usize],
    ) -> Tensor<3> {
        zero_padding(self.forward(nucleotides, tokens, coordinates), lengths)
    }

    /// Multiply-accumulates for one sequence.
    #[must_use]
    pub fn macs(&self, positions: usize, tokens: usize) -> u64 {
        let [inner, hidden] = self.down.weight.dims();
        let linear = positions * (2 * hidden * hidden + 3 * hidden * inner) + tokens * 2 * hidden * hidden;
        (linear + 2 * positions * tokens * hidden) as u64
    }
}

/// Softmax attention with rotary position embedding: queries `[batch * positions, hidden]` at the coordinates `places`, as many in each row, and
/// keys and values `[batch * keys, 2 hidden]` at `coordinates`, of which further ones are padding, to `[batch * positions, hidden]`.
pub(crate) fn rotary_attention(
    query: Tensor<2>,
    key_value: Tensor<2>,
    heads: usize,
    places: &[Vec<usize>],
    coordinates: &[Vec<usize>],
) -> Tensor<2> {
    let ([rows, hidden], batch, device) = (query.dims(), places.len(), query.device());
    let (positions, keys, size) = (rows / batch, key_value.dims()[0] / batch, hidden / heads);
    let indices = if places.iter().all(|row| *row == places[0]) { &places[..places.len().min(1)] } else { places };
    let turned = angles(&indices.concat(), size, indices.len(), &device);
    let query = rotate(query.reshape([batch, positions, heads, size]), &turned);
    let padded = |row: &Vec<usize>| row.iter().copied().chain(std::iter::repeat(0)).take(keys).collect::<Vec<_>>();
    let coordinates_padded: Vec<usize> = coordinates.iter().flat_map(padded).collect();
    let key = key_value.clone().slice(s![.., ..hidden]).reshape([batch, keys, heads, size]);
    let key = rotate(key, &angles(&coordinates_padded, size, batch, &device));
    let value = key_value.slice(s![.., hidden..]);
    if !fused::on(&device) {
        let value = value.reshape([batch, keys, heads, size]).swap_dims(1, 2);
        return attend(query.swap_dims(1, 2), key.permute([0, 2, 3, 1]), value, coordinates);
    }
    let lengths = [vec![positions; batch], coordinates.iter().map(Vec::len).collect()];
    let unbiased = HeadBias { values: Arc::default(), slope: 0.0, left: true, right: true };
    let heads = vec![unbiased; heads];
    let mask = Arc::new(AttentionMask { tokens: [positions, keys], lengths, heads, centers: None, queries: None });
    let key_value = Tensor::cat(vec![key.reshape([batch * keys, hidden]), value], 1);
    fused::cross_attend(query.reshape([batch * positions, hidden]), key_value, &mask)
}

/// Attention composed from burn's operations: queries `[batch, heads, positions, size]`, keys `[batch, heads, size, keys]`
/// and values `[batch, heads, keys, size]` to `[batch * positions, hidden]`.
fn attend(query: Tensor<4>, key: Tensor<4>, value: Tensor<4>, coordinates: &[Vec<usize>]) -> Tensor<2> {
    let ([batch, heads, positions, size], keys) = (query.dims(), key.dims()[3]);
    let device = query.device();
    let mut scores = (query * (1.0 / (size as f64).sqrt())).matmul(key);
    if coordinates.iter().any(|row| row.len() < keys) {
        // A row without tokens attends to padding, which is zero, so that its softmax is not empty.
        let visible = |row: &Vec<usize>| if row.is_empty() { keys } else { row.len() };
        let bias = |key, visible| if key < visible { 0.0 } else { f32::NEG_INFINITY };
        let bias = coordinates.iter().flat_map(|row| (0..keys).map(move |key| bias(key, visible(row))));
        let bias = TensorData::new(bias.collect::<Vec<f32>>(), [batch, 1, 1, keys]);
        scores = scores + Tensor::from_data(bias, &device);
    }
    activation::softmax(scores, 3).matmul(value).swap_dims(1, 2).reshape([batch * positions, heads * size])
}

/// Cosines and sines `[batch, positions, 1, size / 2]` of the rotation angles of `positions`, which are concatenated rows.
fn angles(positions: &[usize], size: usize, batch: usize, device: &Device) -> [Tensor<4>; 2] {
    let half = size / 2;
    let frequencies: Vec<f64> = (0..half).map(|pair| 10_000_f64.powf(-(pair as f64) / half as f64)).collect();
    let all: Vec<f64> = positions
        .iter()
        .flat_map(|&position| frequencies.iter().map(move |frequency| position as f64 * frequency))
        .collect();
    let shape = [batch, positions.len() / batch, 1, half];
    [f64::cos, f64::sin].map(|wave| {
        let values: Vec<f32> = all.iter().map(|&angle| wave(angle) as f32).collect();
        Tensor::from_data(TensorData::new(values, shape), device)
    })
}

/// Rotary position embedding, half-split: `[batch, positions, heads, size]` to the same shape.
fn rotate(x: Tensor<4>, [cosine, sine]: &[Tensor<4>; 2]) -> Tensor<4> {
    let half = x.dims()[3] / 2;
    let (first, second) = (x.clone().slice(s![.., .., .., ..half]), x.slice(s![.., .., .., half..]));
    let rotated_first = first.clone() * cosine.clone() - second.clone() * sine.clone();
    let rotated_second = second * cosine.clone() + first * sine.clone();
    Tensor::cat(vec![rotated_first, rotated_second], 3)
}
