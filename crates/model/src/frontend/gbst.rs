//! Soft blocks of several sizes at a fixed rate: the gradient-based subword tokenization (GBST) of Charformer (Tay et al., ICLR 2022), as
//! ChaRNABERT uses it for RNA.
//!
//! States of the nucleotide layers pass through a convolution (depthwise over the next bases, then pointwise). For each size b from 1 to M the
//! sequence is cut into blocks of b bases from its first base on; a position's candidate of size b is the mean of its block. A linear score of each
//! candidate, softmax over the sizes, weighs the candidates of a position. The units that the encoder sees are means of N weighted positions, wherever
//! they fall: sizes are soft, the rate is fixed. \[CLS\] and \[SEP\] are units of their own and belong to no block. The optional consensus attention
//! of Charformer is left out.

use burn::module::{Module, Param};
use burn::tensor::{Int, Tensor, activation};
use experiment::config::EncoderConfig;
use tokenize::GbstConfig;

use super::learned::Nucleotides;
use super::pool::means;
use super::route::{Embedded, Route, Unit, framed, token_of};
use super::upsampling::UpsamplingDecoder;
use crate::encoder::{select, zero_padding};
use crate::layers::{Init, Linear};
use crate::noise::Noise;
use crate::position::Rows;

/// Nucleotide layers, soft blocks and upsampling decoder.
#[derive(Module, Debug)]
pub struct Gbst {
    /// Embedding and nucleotide layers.
    pub nucleotides: Nucleotides,
    /// Depthwise convolution over a base and those to its right, `[sizes, hidden]`.
    pub depthwise: Param<Tensor<2>>,
    /// Pointwise convolution, `[hidden, hidden]`, with bias.
    pub pointwise: Linear,
    /// Score of a candidate, `[hidden, 1]`, without bias.
    pub score: Linear,
    /// Upsampling decoder: token states to nucleotide states.
    pub way_back: UpsamplingDecoder,
    #[module(skip)]
    sizes: usize,
    #[module(skip)]
    rate: usize,
}

impl Gbst {
    /// A front end with the given hyperparameters; parameters `frontend.*`.
    #[must_use]
    pub fn new(init: &Init, vocabulary: usize, config: &GbstConfig, encoder: &EncoderConfig) -> Gbst {
        let hidden = encoder.hidden;
        Gbst {
            nucleotides: Nucleotides::new(init, vocabulary, config.nucleotide_layers, encoder),
            // Of the order of a mean over the sizes.
            depthwise: init.constant("frontend.gbst.depthwise", [config.sizes, hidden], 1.0 / config.sizes as f32),
            pointwise: Linear::new(init, "frontend.gbst.pointwise", hidden, hidden, true),
            score: Linear::new(init, "frontend.gbst.score", hidden, 1, false),
            way_back: UpsamplingDecoder::new(init, hidden, encoder.heads, encoder.intermediate),
            sizes: config.sizes,
            rate: config.bases,
        }
    }

    /// See [`super::Frontend::embed`].
    #[must_use]
    pub fn embed(&self, ids: Tensor<2, Int>, rows: Rows<'_>, noise: Option<&Noise>) -> Embedded {
        let states = self.nucleotides.forward(ids, rows, noise);
        let weighted = self.weighted(&self.convolved(states.clone(), rows.lengths), rows.lengths);
        let units: Vec<Vec<Unit>> = rows.lengths.iter().map(|&length| blocks(length, self.rate)).collect();
        let tokens = means(weighted, &units);
        let lengths = units.iter().map(Vec::len).collect();
        Embedded { tokens, lengths, route: Route::Units(units), skip: Some(states.into()), auxiliary: None }
    }

    /// States `[batch, positions, hidden]` after the convolution; what lies behind a row is zero for it.
    fn convolved(&self, states: Tensor<3>, lengths: &[usize]) -> Tensor<3> {
        let [batch, positions, hidden] = states.dims();
        let device = states.device();
        let behind = Tensor::zeros([batch, self.sizes - 1, hidden], &device);
        let padded = Tensor::cat(vec![zero_padding(states, lengths), behind], 1);
        let tap = |tap: usize| {
            padded.clone().narrow(1, tap, positions) * self.depthwise.val().narrow(0, tap, 1).reshape([1, 1, hidden])
        };
        let sum = (1..self.sizes).fold(tap(0), |sum, next| sum + tap(next));
        self.pointwise.forward(sum.reshape([batch * positions, hidden])).reshape([batch, positions, hidden])
    }

    /// The weighted sum of the candidates of each position, `[batch, positions, hidden]` to the same shape.
    fn weighted(&self, states: &Tensor<3>, lengths: &[usize]) -> Tensor<3> {
        let [batch, positions, hidden] = states.dims();
        let candidates: Vec<Tensor<2>> = (1..=self.sizes)
            .map(|size| {
                let route: Vec<Vec<Unit>> = lengths.iter().map(|&length| blocks(length, size)).collect();
                let means = means(states.clone(), &route);
                let tokens = means.dims()[1];
                select(means.reshape([batch * tokens, hidden]), token_of(&route, positions, tokens))
            })
            .collect();
        let scores = candidates.iter().map(|candidate| self.score.forward(candidate.clone())).collect();
        let weights = activation::softmax(Tensor::cat(scores, 1), 1);
        let part = |(size, candidate): (usize, Tensor<2>)| candidate * weights.clone().narrow(1, size, 1);
        let sum = candidates.into_iter().enumerate().map(part).reduce(|sum, part| sum + part);
        sum.expect("at least one size").reshape([batch, positions, hidden])
    }

    /// Multiply-accumulates for one sequence: nucleotide layers and upsampling decoder as elsewhere, p (h² + 3 m h) for p positions and m sizes
    /// (pointwise and depthwise convolution, scores, weighted sum).
    #[must_use]
    pub fn macs(&self, positions: usize, tokens: usize) -> u64 {
        let hidden = self.pointwise.weight.dims()[0];
        let own = positions * (hidden * hidden + 3 * self.sizes * hidden);
        self.nucleotides.macs(positions) + own as u64 + self.way_back.macs(positions, tokens)
    }
}

/// \[CLS\], blocks of `size` bases from the first base on, the last maybe shorter, \[SEP\].
fn blocks(length: usize, size: usize) -> Vec<Unit> {
    let end = length.saturating_sub(1);
    let block = |start: usize| {
        let bases = size.min(end - start);
        Unit { center: start + bases / 2, start, length: bases }
    };
    framed(length, (1..end).step_by(size).map(block))
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData};

    fn tensor<const D: usize>(name: &str, shape: [usize; D], device: &Device) -> Tensor<D> {
        let draws = crate::noise::normal(&mut dataset::stream(3, name), shape.iter().product());
        let values: Vec<f32> = draws.iter().map(|value| *value as f32).collect();
        Tensor::from_data(TensorData::new(values, shape), device)
    }

    fn front(device: &Device) -> Gbst {
        let encoder = EncoderConfig { hidden: 4, heads: 2, intermediate: 6, ..EncoderConfig::default() };
        let mut front = Gbst::new(&Init::new(1, 0.6, device), 9, &GbstConfig::default(), &encoder);
        front.depthwise = Init::new(2, 0.5, device).normal("depthwise", [front.sizes, 4]);
        front
    }

    fn values<const D: usize>(tensor: &Tensor<D>) -> Vec<f64> {
        tensor.clone().try_into_vec_as::<f32>().unwrap().into_iter().map(f64::from).collect()
    }

    #[test]
    fn blocks_start_at_the_first_base() {
        let spans =
            |length, size| blocks(length, size).iter().map(|unit| (unit.start, unit.length)).collect::<Vec<_>>();
        assert_eq!(spans(9, 3), [(0, 1), (1, 3), (4, 3), (7, 1), (8, 1)]);
        assert_eq!(spans(2, 3), [(0, 1), (1, 1)]);
        assert_eq!(spans(1, 3), [(0, 1)]);
        assert!(spans(0, 3).is_empty());
    }

    /// Convolution, candidates, weights and units by their definitions, in 64 bits, for a row with padding behind it.
    #[test]
    fn soft_blocks_equal_their_definition() {
        let device = crate::device::open("cpu").unwrap();
        let front = front(&device);
        let (lengths, positions, hidden) = ([11, 8], 11, 4);
        let states = tensor::<3>("states", [2, positions, hidden], &device);
        let convolved = values(&front.convolved(states.clone(), &lengths));
        let found = values(&front.weighted(&front.convolved(states.clone(), &lengths), &lengths));
        let (x, depthwise) = (values(&states), values(&front.depthwise.val()));
        let (pointwise, bias) =
            (values(&front.pointwise.weight.val()), values(&front.pointwise.bias.as_ref().unwrap().val()));
        let score = values(&front.score.weight.val());
        for (row, length) in lengths.into_iter().enumerate() {
            let at = |position: usize, feature: usize| (row * positions + position) * hidden + feature;
            let state: Vec<Vec<f64>> = (0..length)
                .map(|position| {
                    let deep = |feature: usize| -> f64 {
                        let taps = (0..front.sizes).filter(|tap| position + tap < length);
                        taps.map(|tap| x[at(position + tap, feature)] * depthwise[tap * hidden + feature]).sum()
                    };
                    let deep: Vec<f64> = (0..hidden).map(deep).collect();
                    let out = |to: usize| {
                        bias[to] + (0..hidden).map(|from| deep[from] * pointwise[from * hidden + to]).sum::<f64>()
                    };
                    (0..hidden).map(out).collect()
                })
                .collect();
            for position in 0..length {
                for feature in 0..hidden {
                    assert!((state[position][feature] - convolved[at(position, feature)]).abs() < 1e-5);
                }
                let block = |size: usize| {
                    if position == 0 || position + 1 == length {
                        return position..position + 1;
                    }
                    let start = 1 + (position - 1) / size * size;
                    start..(start + size).min(length - 1)
                };
                let candidate = |size: usize, feature: usize| {
                    let block = block(size);
                    let number = block.len() as f64;
                    block.map(|at| state[at][feature]).sum::<f64>() / number
                };
                let scores: Vec<f64> = (1..=front.sizes)
                    .map(|size| (0..hidden).map(|feature| candidate(size, feature) * score[feature]).sum::<f64>().exp())
                    .collect();
                for feature in 0..hidden {
                    let sum: f64 = (1..=front.sizes).map(|size| scores[size - 1] * candidate(size, feature)).sum();
                    let expected = sum / scores.iter().sum::<f64>();
                    assert!((found[at(position, feature)] - expected).abs() < 1e-5, "row {row} position {position}");
                }
            }
        }
    }

    /// Gradients of the own parameters against differences.
    #[test]
    fn gradients_equal_differences() {
        let device = crate::device::open("cpu").unwrap().autodiff();
        let front = front(&device);
        let lengths = [9, 6];
        let probe = tensor::<3>("probe", [2, 5, 4], &device);
        let loss = |front: &Gbst| {
            let ids = Tensor::<2, Int>::from_data([[1, 5, 6, 7, 8, 8, 5, 6, 2], [1, 8, 7, 5, 6, 2, 3, 3, 3]], &device);
            let embedded = front.embed(ids, Rows { lengths: &lengths, centers: None }, None);
            let tokens = embedded.tokens.dims()[1];
            (embedded.tokens * probe.clone().narrow(1, 0, tokens)).sum().reshape([1])
        };
        let gradients = loss(&front).backward();
        let moved = |weight: Tensor<2>, at: usize, step: f64| {
            let [rows, columns] = weight.dims();
            let mut change = vec![0.0_f32; rows * columns];
            change[at] = step as f32;
            let change =
                Tensor::from_data(TensorData::new(change, [rows, columns]), &device.clone().without_autodiff());
            Tensor::from_inner(weight.inner() + change).require_grad()
        };
        macro_rules! check {
            ($($path:tt)+) => {
                let found = values(&front.$($path)+.val().grad(&gradients).unwrap());
                for (at, found) in found.iter().enumerate() {
                    let with = |step: f64| {
                        let mut other = front.clone();
                        other.$($path)+ = other.$($path)+.clone().map(|weight| moved(weight, at, step));
                        values(&loss(&other))[0]
                    };
                    let difference = (with(3e-3) - with(-3e-3)) / 6e-3;
                    assert!((difference - found).abs() < 5e-3 * found.abs().max(1.0), "{at}: {difference} {found}");
                }
            };
        }
        check!(depthwise);
        check!(pointwise.weight);
        check!(score.weight);
    }
}
