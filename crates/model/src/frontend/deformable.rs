//! MxDNA's assembly of tokens: a deformable convolution along the tokens, with learned offsets and modulation factors per tap.
//!
//! `out_i = z_i + sum_e factor[i, e] W_e v(i - taps / 2 + e + offset[i, e])`, where `v` is the LayerNormed token sequence with
//! \[CLS\], \[SEP\] and padding set to zero, linearly interpolated between integer indices and zero outside. Offsets are in
//! tokens and unbounded; offsets and factors are computed by two small convolutions with zero initial weights, so that the
//! module is initially a plain convolution. Implemented by `select` and interpolation, because burn's `deform_conv2d` is not
//! available for LibTorch.
//!
//! In the in-place layout the sequence is that of all nucleotides, of which only the centres of units count, and offsets are in nucleotides.
//!
//! In the published code the two small convolutions read the padding of the batch, so that the last token of a sequence
//! depends on the other sequences. Here padding is set to zero first, unless `faithful` is set.

use burn::module::{Module, Param};
use burn::tensor::{Int, Tensor, TensorData, activation, s};

use super::experts::EPSILON;
use crate::encoder::mask;
use crate::layers::{Init, LayerNorm};

/// The deformable convolution.
#[derive(Module, Debug)]
pub struct Deformable {
    /// Input LayerNorm.
    pub norm: LayerNorm,
    /// Offsets then factors: weight `[hidden, taps * 2 taps]`, columns by window position, then offset or factor, then tap.
    pub small: Param<Tensor<2>>,
    /// Biases of offsets and of factors, `[2 taps]`.
    pub small_bias: Param<Tensor<1>>,
    /// `[taps * hidden, hidden]`: rows by tap, then by feature.
    pub weight: Param<Tensor<2>>,
    /// Whether the small convolutions read the padding, as in the published code.
    #[module(skip)]
    pub faithful: bool,
}

impl Deformable {
    /// A deformable convolution of `taps` taps (odd); parameters `NAME.*`.
    #[must_use]
    pub fn new(init: &Init, name: &str, hidden: usize, taps: usize) -> Deformable {
        Deformable {
            norm: LayerNorm::new(init, &format!("{name}.norm"), hidden, EPSILON),
            small: init.constant(&format!("{name}.small"), [hidden, 2 * taps * taps], 0.0),
            small_bias: init.constant(&format!("{name}.small_bias"), [2 * taps], 0.0),
            weight: init.normal(&format!("{name}.weight"), [taps * hidden, hidden]),
            faithful: false,
        }
    }

    /// Number of taps.
    #[must_use]
    pub fn taps(&self) -> usize {
        self.small_bias.dims()[0] / 2
    }

    /// Tokens `[batch, tokens, hidden]` to the same shape. The first `lengths[row]` tokens of a row are not padding, the first and
    /// last of them \[CLS\] and \[SEP\]. Values at padding are undefined.
    #[must_use]
    pub fn forward(&self, states: Tensor<3>, lengths: &[usize]) -> Tensor<3> {
        let [batch, tokens, hidden] = states.dims();
        let normed = self.norm.forward(states.clone().reshape([batch * tokens, hidden]));
        let inner = mask(batch, tokens, &states.device(), |row, token| token > 0 && token + 1 < lengths[row]);
        let read = self.read(normed, inner, lengths, None);
        states + read.reshape([batch, tokens, hidden])
    }

    /// The in-place layout: tokens stand among nucleotides, at the positions `tokens` of each row, ascending, the first and last of them
    /// \[CLS\] and \[SEP\]. States `[batch, positions, hidden]`, of which the first `lengths[row]` are not padding, to the tokens alone
    /// `[batch, most tokens, hidden]`; values at padding are undefined. Offsets are in nucleotides.
    #[must_use]
    pub fn forward_in_place(&self, states: Tensor<3>, lengths: &[usize], tokens: &[Vec<usize>]) -> Tensor<3> {
        let [batch, positions, hidden] = states.dims();
        let device = states.device();
        let flat = states.reshape([batch * positions, hidden]);
        let mut inner = vec![0.0_f32; batch * positions];
        for (row, tokens) in tokens.iter().enumerate() {
            for token in tokens.iter().skip(1).take(tokens.len().saturating_sub(2)) {
                inner[row * positions + token] = 1.0;
            }
        }
        let inner = Tensor::from_data(TensorData::new(inner, [batch * positions, 1]), &device);
        let most = tokens.iter().map(Vec::len).max().unwrap_or(0).max(1);
        let rows = tokens.iter().enumerate().flat_map(|(row, tokens)| {
            let padded = tokens.iter().copied().chain(std::iter::repeat(0)).take(most);
            padded.map(move |token| (row * positions + token) as i64)
        });
        let rows = Tensor::<1, Int>::from_data(TensorData::new(rows.collect::<Vec<i64>>(), [batch * most]), &device);
        let read = self.read(self.norm.forward(flat.clone()), inner, lengths, Some(&rows));
        (flat.select(0, rows) + read).reshape([batch, most, hidden])
    }

    /// What the taps read at each of the `rows` (all, if `None`): from normed states `[batch * tokens, hidden]`, which count where `inner`
    /// `[batch * tokens, 1]` is 1, to `[rows, hidden]`.
    fn read(&self, normed: Tensor<2>, inner: Tensor<2>, lengths: &[usize], rows: Option<&Tensor<1, Int>>) -> Tensor<2> {
        let ([all, hidden], batch) = (normed.dims(), lengths.len().max(1));
        let (tokens, taps, device) = (all / batch, self.taps(), normed.device());
        let (offset, factor) = self.offsets(normed.clone(), batch, lengths);

        // Position that each tap reads, and the interpolation weights of the indices below and above it.
        let own = (0..batch * tokens)
            .flat_map(|row| (0..taps).map(move |tap| (row % tokens + tap) as f32 - (taps / 2) as f32));
        let own = TensorData::new(own.collect::<Vec<f32>>(), [batch, tokens, taps]);
        let position = offset + Tensor::from_data(own, &device);
        let below = position.clone().detach().floor();
        let fraction = position - below.clone();
        let end = tokens as f32;
        let inside = |index: &Tensor<3>| {
            (index.clone().greater_equal_scalar(0.0).float()) * index.clone().lower_scalar(end).float()
        };
        let above = below.clone() + 1.0;
        let lower = factor.clone() * (-fraction.clone() + 1.0) * inside(&below);
        let upper = factor * fraction * inside(&above);
        let weights = Tensor::stack::<4>(vec![lower, upper], 3);
        let first = (0..batch).map(|row| (row * tokens) as i64).collect::<Vec<_>>();
        let first: Tensor<4, Int> = Tensor::from_data(TensorData::new(first, [batch, 1, 1, 1]), &device);
        let indices = Tensor::stack::<4>(vec![below, above], 3).clamp(0.0, end - 1.0).int() + first;

        let (mut weights, mut indices) = (weights.reshape([all, taps * 2]), indices.reshape([all, taps * 2]));
        if let Some(rows) = rows {
            (weights, indices) = (weights.select(0, rows.clone()), indices.select(0, rows.clone()));
        }
        let count = weights.dims()[0];
        let values = normed * inner;
        let read = values.select(0, indices.reshape([count * taps * 2])) * weights.reshape([count * taps * 2, 1]);
        let read = read.reshape([count * taps, 2, hidden]).sum_dim(1).reshape([count, taps * hidden]);
        read.matmul(self.weight.val())
    }

    /// Offsets and factors `[batch, tokens, taps]` of normed tokens `[batch * tokens, hidden]`.
    #[must_use]
    pub fn offsets(&self, normed: Tensor<2>, batch: usize, lengths: &[usize]) -> (Tensor<3>, Tensor<3>) {
        let [rows, _] = normed.dims();
        let (taps, tokens, device) = (self.taps(), rows / batch, normed.device());
        // Project first, then shift: the shifted tensors are narrow.
        let mut projected = normed.matmul(self.small.val());
        if !self.faithful && lengths.iter().any(|&length| length < tokens) {
            projected = projected * mask(batch, tokens, &device, |row, token| token < lengths[row]);
        }
        let projected = projected.reshape([batch, tokens, taps * 2 * taps]);
        let border = Tensor::zeros([batch, taps / 2, taps * 2 * taps], &device);
        let padded = Tensor::cat(vec![border.clone(), projected, border], 1);
        let window = |tap: usize| padded.clone().slice(s![.., tap..tap + tokens, tap * 2 * taps..(tap + 1) * 2 * taps]);
        let sum = (1..taps).fold(window(0), |sum, tap| sum + window(tap)) + self.small_bias.val().unsqueeze();
        let factor = activation::sigmoid(sum.clone().slice(s![.., .., taps..])) * 2.0;
        (sum.slice(s![.., .., ..taps]), factor)
    }

    /// Multiply-accumulates for `tokens` tokens in a sequence of `positions`.
    #[must_use]
    pub fn macs(&self, positions: usize, tokens: usize) -> usize {
        let [rows, hidden] = self.weight.dims();
        let taps = self.taps();
        hidden * (positions * 2 * taps * taps + tokens * (rows + 2 * taps))
    }
}
