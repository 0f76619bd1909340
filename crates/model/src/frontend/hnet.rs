//! Dynamic chunking, adapted to masked language modelling: the routing of H-Net (Hwang, Wang and Gu, 2025) in the bidirectional form of
//! LDARNet (2026).
//!
//! A position starts a unit where its state differs from that of its neighbour. With q and k the normalized projections (of the identity at the
//! start) of the states of the nucleotide layers:
//!
//! ```text
//! c_t = (q_{t-1} · k_t + q_t · k_{t-1}) / 2        p_t = (1 - c_t) / 2        a unit starts at t if p_t > 1/2
//! ```
//!
//! The first base starts a unit; \[CLS\] and \[SEP\] are units of their own (p = 1). If fewer units than `floor` start in a sequence, the most
//! probable positions are added (as in GeneZip, 2026), so that routing cannot collapse to one unit. The vector of a unit is the state where it starts. On the way back, the
//! encoder's states x of the units are smoothed from both sides, with p clamped to 1e-4 .. 1 - 1e-4,
//!
//! ```text
//! z_u = p_u x_u + (1 - p_u) z_{u-1},        mean of this and of the same from the right
//! ```
//!
//! copied to all positions of the unit, multiplied by the straight-through 1 of the probability of the choice that was made, added to a linear map
//! (zero at the start) of the states of the nucleotide layers, and passed through decoder layers. The ratio loss
//! `N / (N - 1) ((N - 1) F G + (1 - F)(1 - G))` pulls the fraction F of positions that start a unit towards 1 / N; G is the mean of p.
//!
//! Differences from LDARNet: layers of the shared encoder's type instead of Mamba, one stage, no learned padding of the width, the floor, one learning
//! rate for all layers, no reverse complements in training; \[CLS\] and \[SEP\] take part in the smoothing.

use burn::module::Module;
use burn::tensor::{Int, Tensor, TensorData};
use experiment::config::{Dtype, EncoderConfig};
use tokenize::HNetConfig;

use super::learned::Nucleotides;
use super::route::{Embedded, Route, Skip, Unit, framed, token_of};
use crate::encoder::{Layer, mask, run, select, zero_padding};
use crate::layers::{Init, Linear};
use crate::noise::Noise;
use crate::position::{PositionBias, Rows};

/// Smallest and largest probability in the smoothing.
const CLAMP: (f64, f64) = (1e-4, 1.0 - 1e-4);
/// Smallest length of a vector that is normalized.
const LEAST: f64 = 1e-12;

/// Nucleotide layers, routing, smoothing and decoder layers.
#[derive(Module, Debug)]
pub struct HNet {
    /// Embedding and nucleotide layers.
    pub nucleotides: Nucleotides,
    /// `[hidden, hidden]`, without bias; the identity at the start.
    pub query: Linear,
    /// `[hidden, hidden]`, without bias; the identity at the start.
    pub key: Linear,
    /// `[hidden, hidden]`, without bias; zero at the start.
    pub residual: Linear,
    /// Layers on single nucleotides after the smoothing.
    pub decoder: Vec<Layer>,
    #[module(skip)]
    bias: PositionBias,
    #[module(skip)]
    bases: f64,
    #[module(skip)]
    weight: f64,
    #[module(skip)]
    floor: usize,
}

impl HNet {
    /// A front end with the given hyperparameters; parameters `frontend.*`.
    #[must_use]
    pub fn new(init: &Init, vocabulary: usize, config: &HNetConfig, encoder: &EncoderConfig) -> HNet {
        let hidden = encoder.hidden;
        // In f32 in any case: whether a unit starts is a threshold.
        let identity = |name: &str| Linear {
            weight: init.identity(&format!("frontend.{name}.weight"), hidden),
            bias: None,
            dtype: Dtype::F32,
        };
        let layer = |number| Layer::new(init, &format!("frontend.decoder.{number}"), encoder);
        HNet {
            nucleotides: Nucleotides::new(init, vocabulary, config.nucleotide_layers, encoder),
            query: identity("query"),
            key: identity("key"),
            residual: Linear {
                weight: init.constant("frontend.residual.weight", [hidden, hidden], 0.0),
                bias: None,
                dtype: init.dtype,
            },
            decoder: (0..config.decoder_layers).map(layer).collect(),
            bias: PositionBias::new(encoder.position, encoder.heads),
            bases: config.bases,
            weight: config.weight,
            floor: config.floor,
        }
    }

    /// See [`super::Frontend::embed`].
    #[must_use]
    pub fn embed(&self, ids: Tensor<2, Int>, rows: Rows<'_>, noise: Option<&Noise>) -> Embedded {
        let states = self.nucleotides.forward(ids, rows, noise);
        let [batch, positions, hidden] = states.dims();
        let probabilities = self.probabilities(states.clone(), rows.lengths);
        // The only copy from the device to the host in a forward pass.
        let found = probabilities.clone().detach().try_into_vec_as::<f32>();
        let found = found.expect("probabilities can be copied from the device");
        let row =
            |(row, &length): (usize, &usize)| units(&found[row * positions..(row + 1) * positions], length, self.floor);
        let route: Vec<Vec<Unit>> = rows.lengths.iter().enumerate().map(row).collect();
        let auxiliary = ratio(&probabilities, &route, rows.lengths, self.bases).map(|loss| loss * self.weight);
        let starts = starts(&route, positions);
        let tokens = select(states.clone().reshape([batch * positions, hidden]), starts.concat());
        let lengths = route.iter().map(Vec::len).collect();
        Embedded {
            tokens: tokens.reshape([batch, starts.first().map_or(0, Vec::len), hidden]),
            lengths,
            route: Route::Units(route),
            skip: Some(Skip { states, probabilities: Some(probabilities) }),
            auxiliary,
        }
    }

    /// The probability that a unit starts at each position, `[batch, positions]`; 1 at \[CLS\], the first base and \[SEP\], 0 at padding.
    #[must_use]
    pub fn probabilities(&self, states: Tensor<3>, lengths: &[usize]) -> Tensor<2> {
        let [batch, positions, hidden] = states.dims();
        let device = states.device();
        let flat = states.reshape([batch * positions, hidden]);
        let normalized = |x: Tensor<2>| {
            let length = x.clone().powi_scalar(2).sum_dim(1).sqrt().clamp_min(LEAST);
            (x / length).reshape([batch, positions, hidden])
        };
        let (query, key) = (normalized(self.query.forward(flat.clone())), normalized(self.key.forward(flat)));
        let before = |x: &Tensor<3>| x.clone().narrow(1, 0, positions.saturating_sub(1));
        let after = |x: &Tensor<3>| x.clone().narrow(1, 1, positions.saturating_sub(1));
        let dots = (before(&query) * after(&key) + after(&query) * before(&key)).sum_dim(2);
        let dots = dots.reshape([batch, positions.saturating_sub(1)]) * 0.5;
        let free = (-dots + 1.0) * 0.5;
        let free = Tensor::cat(vec![Tensor::ones([batch, 1], &device), free.clamp(0.0, 1.0)], 1);
        let at = |keep: &dyn Fn(usize, usize) -> bool| {
            mask(batch, positions, &device, |row, at| keep(at, lengths[row])).reshape([batch, positions])
        };
        let certain = at(&|at, length| at < length && (at <= 1 || at + 1 == length));
        free * at(&|at, length| at > 1 && at + 1 < length) + certain
    }

    /// States of the units `[batch, units, hidden]` to states of the positions `[batch, positions, hidden]`, zero at padding.
    #[must_use]
    pub fn restore(
        &self,
        units: Tensor<3>,
        route: &[Vec<Unit>],
        skip: Skip,
        rows: Rows<'_>,
        noise: Option<&Noise>,
    ) -> Tensor<3> {
        let Skip { states, probabilities } = skip;
        let [batch, positions, hidden] = states.dims();
        let [_, tokens, _] = units.dims();
        let device = states.device();
        let probabilities = probabilities.unwrap_or_else(|| self.probabilities(states.clone(), rows.lengths));
        let flat = probabilities.reshape([batch * positions, 1]);
        let of_units = select(flat.clone(), starts(route, positions).concat()).reshape([batch, tokens]);
        let real = mask(batch, tokens, &device, |row, token| token < route[row].len());
        let smoothed =
            smoothing(of_units, real.reshape([batch, tokens])).matmul(units).reshape([batch * tokens, hidden]);

        let mut sign = vec![-1.0_f32; batch * positions];
        for (row, units) in route.iter().enumerate() {
            units.iter().for_each(|unit| sign[row * positions + unit.start] = 1.0);
        }
        // p where a unit starts, else 1 - p; its value is replaced by 1, its gradient is kept.
        let offset: Vec<f32> = sign.iter().map(|sign| (1.0 - sign) / 2.0).collect();
        let column =
            |values: Vec<f32>| Tensor::<2>::from_data(TensorData::new(values, [batch * positions, 1]), &device);
        let chosen = flat * column(sign) + column(offset);
        let through = chosen.clone() - chosen.detach() + 1.0;
        let skipped = self.residual.forward(states.reshape([batch * positions, hidden]));
        let out = (select(smoothed, token_of(route, positions, tokens)) * through + skipped)
            .reshape([batch, positions, hidden]);
        zero_padding(run(&self.decoder, &self.bias, out, rows, noise), rows.lengths)
    }

    /// Multiply-accumulates for one sequence with `tokens` units: nucleotide and decoder layers as in [`crate::network::Model::macs`],
    /// p (3 h² + 2 h) for routing and skip, t² h for the smoothing.
    #[must_use]
    pub fn macs(&self, positions: usize, tokens: usize) -> u64 {
        let hidden = self.query.weight.dims()[0];
        let decoder: u64 = self.decoder.iter().map(|layer| layer.macs(positions)).sum();
        let own = positions * (3 * hidden * hidden + 2 * hidden) + tokens * tokens * hidden;
        self.nucleotides.macs(positions) + decoder + own as u64
    }
}

/// \[CLS\], the units of a row of `length` positions with these probabilities, \[SEP\].
fn units(probabilities: &[f32], length: usize, floor: usize) -> Vec<Unit> {
    let bases = 1..length.saturating_sub(1);
    let mut starts: Vec<usize> = bases.clone().filter(|&at| at == bases.start || probabilities[at] > 0.5).collect();
    let least = floor.min(bases.len());
    if starts.len() < least {
        let mut others: Vec<usize> = bases.clone().filter(|at| starts.binary_search(at).is_err()).collect();
        // Stable: of equal ones, the first.
        others.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]));
        starts.extend(others.into_iter().take(least - starts.len()));
        starts.sort_unstable();
    }
    let ends = starts.iter().skip(1).copied().chain([bases.end]);
    framed(length, starts.iter().zip(ends).map(|(&start, end)| Unit { center: start, start, length: end - start }))
}

/// Flat position where each unit of each row starts, padded to the longest row with the first position.
fn starts(route: &[Vec<Unit>], positions: usize) -> Vec<Vec<usize>> {
    let most = route.iter().map(Vec::len).max().unwrap_or(0);
    let row = |(row, units): (usize, &Vec<Unit>)| {
        let own = units.iter().map(|unit| row * positions + unit.start);
        own.chain(std::iter::repeat(row * positions)).take(most).collect()
    };
    route.iter().enumerate().map(row).collect()
}

/// The ratio loss `[1]` over all bases of the batch; `None` without bases.
fn ratio(probabilities: &Tensor<2>, route: &[Vec<Unit>], lengths: &[usize], target: f64) -> Option<Tensor<1>> {
    let [batch, positions] = probabilities.dims();
    let bases: usize = lengths.iter().map(|length| length.saturating_sub(2)).sum();
    if bases == 0 {
        return None;
    }
    let inside = mask(batch, positions, &probabilities.device(), |row, at| at > 0 && at + 1 < lengths[row]);
    let inside = inside.reshape([1, batch * positions]);
    let started: usize = route.iter().map(|units| units.len().saturating_sub(2)).sum();
    let share = started as f64 / bases as f64;
    let mean = (probabilities.clone().reshape([1, batch * positions]) * inside).sum_dim(1).reshape([1]) / bases as f64;
    let loss = mean.clone() * ((target - 1.0) * share) + (-mean + 1.0) * (1.0 - share);
    Some(loss * (target / (target - 1.0)))
}

/// The weights with which each unit reads the states of the units, `[batch, units, units]`: the mean of both directions of the recurrence,
/// in closed form. `real` is 1 at units, 0 at padding.
fn smoothing(probabilities: Tensor<2>, real: Tensor<2>) -> Tensor<3> {
    let ([batch, tokens], device) = (probabilities.dims(), probabilities.device());
    let p = probabilities.clamp(CLAMP.0, CLAMP.1) * real;
    // Sums of ln(1 - p) up to and with each unit: products of 1 - p are exponentials of differences.
    let logs = (-p.clone() + 1.0).log();
    let upto = mask(tokens, tokens, &device, |before, unit| before <= unit).reshape([tokens, tokens]);
    let sums = logs.clone().matmul(upto.clone());
    let before = sums.clone() - logs;
    // From the left: product over j < i <= u. From the right: over u <= i < j.
    let difference = |a: Tensor<2>, b: Tensor<2>| a.reshape([batch, tokens, 1]) - b.reshape([batch, 1, tokens]);
    let left = difference(sums.clone(), sums);
    let right = -difference(before.clone(), before);
    let right_of = upto.reshape([1, tokens, tokens]);
    let left_of = right_of.clone().swap_dims(1, 2);
    // What lies on the other side is no power of a number below 1: cut off before it can overflow.
    let weights = left.clamp_max(0.0).exp() * left_of + right.clamp_max(0.0).exp() * right_of;
    weights * p.reshape([batch, 1, tokens]) * 0.5
}

#[cfg(test)]
mod tests;
