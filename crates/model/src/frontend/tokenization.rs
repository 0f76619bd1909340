//! MxDNA's learned tokenization module (Qiao et al., NeurIPS 2024): score the positions, select units, map each unit to a vector by the expert
//! of its size, assemble the tokens by a deformable convolution, side by side as in the paper's text, or in place as in the code of the released
//! weights ([`Layout`]). Either way the encoder gets the tokens side by side.
//!
//! Nucleotides outside all units belong to no token; with an expert of size 1 there are none.

use burn::module::Module;
use burn::tensor::{Int, Tensor, TensorData, activation};
use tokenize::Layout;

use super::deformable::Deformable;
use super::experts::{EPSILON, EPSILON_IN_PLACE, Expert};
use super::route::{Unit, framed};
use super::suppression::{Picked, suppress};
use crate::layers::{Init, LayerNorm, Linear};
use crate::noise::Noise;

/// The tokenization module: nucleotide states to token vectors.
#[derive(Module, Debug)]
pub struct Tokenization {
    /// Input LayerNorm of the router and the experts.
    pub norm: LayerNorm,
    /// The router, `[hidden, experts]`, without bias.
    pub gate: Linear,
    /// One expert per kernel size.
    pub experts: Vec<Expert>,
    /// The deformable convolution that assembles the tokens.
    pub deformable: Deformable,
    #[module(skip)]
    sizes: Vec<usize>,
    #[module(skip)]
    jitter: f64,
    #[module(skip)]
    layout: Layout,
}

/// Output of the module for a batch.
#[derive(Clone, Debug)]
pub struct Tokenized {
    /// `[batch, tokens, hidden]`; values at padding are undefined.
    pub tokens: Tensor<3>,
    /// Tokens per row without padding: the units, \[CLS\] and \[SEP\].
    pub lengths: Vec<usize>,
    /// The selected units of each row in order of position; without \[CLS\] and \[SEP\].
    pub picked: Vec<Vec<Picked>>,
    /// The load-balancing loss `[1]`, one if all experts are used equally. `None` if the batch has no unit.
    pub balance: Option<Tensor<1>>,
}

impl Tokenized {
    /// The tokens of each row: \[CLS\], its units, \[SEP\]; `lengths` are positions per row without padding.
    #[must_use]
    pub fn units(&self, lengths: &[usize]) -> Vec<Vec<Unit>> {
        units(&self.picked, lengths)
    }

    /// Positions of the tokens of each row: \[CLS\], the centres of units, \[SEP\]; `lengths` are positions per row without padding.
    #[must_use]
    pub fn places(&self, lengths: &[usize]) -> Vec<Vec<usize>> {
        places(&self.picked, lengths)
    }
}

impl Tokenization {
    /// A module with the given hyperparameters; parameters `frontend.*`.
    #[must_use]
    pub fn new(init: &Init, hidden: usize, config: &tokenize::MxDnaConfig) -> Tokenization {
        let sizes = config.kernel_sizes.iter().enumerate();
        let expert = |(j, &size): (usize, &usize)| {
            let mut expert = Expert::new(init, &format!("frontend.module.experts.{j}"), hidden, size);
            if config.layout == Layout::InPlace {
                expert.norm.epsilon = EPSILON_IN_PLACE;
            }
            expert
        };
        Tokenization {
            norm: LayerNorm::new(init, "frontend.module.norm", hidden, EPSILON),
            gate: Linear::new(init, "frontend.module.gate", hidden, config.kernel_sizes.len(), false),
            experts: sizes.map(expert).collect(),
            deformable: Deformable::new(init, "frontend.module.deformable", hidden, config.deformable),
            sizes: config.kernel_sizes.clone(),
            jitter: config.jitter,
            layout: config.layout,
        }
    }

    /// Nucleotide states `[batch, positions, hidden]` to tokens; `lengths[row]` is the number of positions without padding.
    #[must_use]
    pub fn forward(&self, states: Tensor<3>, lengths: &[usize], noise: Option<&Noise>) -> Tokenized {
        let [batch, positions, hidden] = states.dims();
        let flat = states.reshape([batch * positions, hidden]);
        let normed = self.norm.forward(flat.clone());
        let scores = self.scores(normed.clone(), noise);
        // The only copy from the device to the host in a forward pass.
        let numbers = scores.clone().detach().try_into_vec_as::<f32>().expect("scores can be copied from the device");
        let rows = numbers.chunks_exact(positions * self.sizes.len());
        let picked = rows.zip(lengths).map(|(row, &length)| suppress(row, &self.sizes, length)).collect();
        self.assemble(flat, &normed, scores, lengths, picked)
    }

    /// Router scores `[batch * positions, experts]` of normed states; in training the router's input is multiplied by jitter.
    #[must_use]
    pub fn scores(&self, normed: Tensor<2>, noise: Option<&Noise>) -> Tensor<2> {
        let routed = match noise {
            Some(noise) if self.jitter > 0.0 => {
                let (shape, device) = (normed.dims(), normed.device());
                normed * noise.uniform("frontend.jitter", shape, 1.0 - self.jitter, 1.0 + self.jitter, &device)
            }
            _ => normed,
        };
        self.gate.forward(routed)
    }

    /// Tokens of the units `picked`, from states and normed states `[batch * positions, hidden]`, scores
    /// `[batch * positions, experts]`.
    #[must_use]
    pub fn assemble(
        &self,
        states: Tensor<2>,
        normed: &Tensor<2>,
        scores: Tensor<2>,
        lengths: &[usize],
        picked: Vec<Vec<Picked>>,
    ) -> Tokenized {
        let (batch, hidden, device) = (lengths.len().max(1), states.dims()[1], states.device());
        let positions = states.dims()[0] / batch;
        let indices = |values: Vec<i64>| -> Tensor<1, Int> {
            let count = values.len();
            Tensor::from_data(TensorData::new(values, [count]), &device)
        };

        let sorted = UnitsByExpert::new(&picked, self.sizes.len(), positions);
        // An expert without units is not part of the graph.
        let busy = self.experts.iter().zip(sorted.covered).filter(|(_, covered)| !covered.is_empty());
        let vectors = busy.map(|(expert, covered)| expert.forward(normed.clone().select(0, indices(covered))));
        let vectors: Vec<Tensor<2>> = vectors.collect();
        let units = sorted.centers.len();
        let rows = match self.layout {
            Layout::Compact => TokenRows::new(&picked, &sorted.order, lengths, positions, units),
            Layout::InPlace => TokenRows::in_place(&picked, &sorted.order, lengths, positions, units),
        };
        let TokenRows { residual, vector, real, lengths: token_lengths, tokens } = rows;

        let mut out = states.select(0, indices(residual));
        if token_lengths.iter().any(|&length| length < tokens) {
            out = out * Tensor::from_data(TensorData::new(real, [batch * tokens, 1]), &device);
        }
        let mut balance = None;
        if units > 0 {
            let probabilities = activation::softmax(scores.select(0, indices(sorted.centers)), 1);
            let own = Tensor::from_data(TensorData::new(sorted.own, [units, 1]), &device);
            let gated = Tensor::cat(vectors, 0) * probabilities.clone().gather(1, own);
            let zero = Tensor::zeros([1, hidden], &device);
            out = out + Tensor::cat(vec![gated, zero], 0).select(0, indices(vector));
            // n sum_j F_j Q_j: F_j is the fraction of units of expert j, Q_j its mean router probability at unit centers.
            let scale = (sorted.counts.len() as f32) / (units * units) as f32;
            let used: Vec<f32> = sorted.counts.iter().map(|count| count * scale).collect();
            let used = Tensor::<2>::from_data(TensorData::new(used, [1, sorted.counts.len()]), &device);
            balance = Some((probabilities.sum_dim(0) * used).sum_dim(1).reshape([1]));
        }
        let out = out.reshape([batch, tokens, hidden]);
        let tokens = match self.layout {
            Layout::Compact => self.deformable.forward(out, &token_lengths),
            Layout::InPlace => self.deformable.forward_in_place(out, lengths, &places(&picked, lengths)),
        };
        Tokenized { tokens, lengths: token_lengths, picked, balance }
    }

    /// Multiply-accumulates for `positions` nucleotides in `units` units, under the assumption of units of equal length.
    #[must_use]
    pub fn macs(&self, positions: usize, units: usize) -> u64 {
        let [hidden, experts] = self.gate.weight.dims();
        let nearest = |size: &usize| (size * units).abs_diff(positions);
        let expert = self.experts.iter().zip(&self.sizes).min_by_key(|(_, size)| nearest(size));
        let experts_macs = expert.map_or(0, |(expert, _)| expert.macs() * units);
        // In place, the small convolutions see all nucleotides.
        let seen = if self.layout == Layout::InPlace { positions } else { units };
        (positions * hidden * experts + experts_macs + self.deformable.macs(seen, units)) as u64
    }
}

/// The tokens of each row: \[CLS\], its units, \[SEP\]; `lengths` are positions per row without padding.
fn units(picked: &[Vec<Picked>], lengths: &[usize]) -> Vec<Vec<Unit>> {
    let row = |(picked, &length): (&Vec<Picked>, &usize)| framed(length, picked.iter().map(|picked| picked.unit));
    picked.iter().zip(lengths).map(row).collect()
}

/// Positions of the tokens of each row: the centres of [`units`].
fn places(picked: &[Vec<Picked>], lengths: &[usize]) -> Vec<Vec<usize>> {
    units(picked, lengths).iter().map(|row| row.iter().map(|unit| unit.center).collect()).collect()
}

/// The units of a batch, grouped by expert. Positions index the concatenated rows.
struct UnitsByExpert {
    /// `order[row][unit]`: index of a unit in the grouped list.
    order: Vec<Vec<usize>>,
    /// Positions covered by the units of each expert.
    covered: Vec<Vec<i64>>,
    /// Center position of each unit.
    centers: Vec<i64>,
    /// Index of the expert of each unit.
    own: Vec<i64>,
    /// Number of units of each expert.
    counts: Vec<f32>,
}

impl UnitsByExpert {
    fn new(picked: &[Vec<Picked>], experts: usize, positions: usize) -> UnitsByExpert {
        let mut sorted = UnitsByExpert {
            order: picked.iter().map(|row| vec![0; row.len()]).collect(),
            covered: vec![Vec::new(); experts],
            centers: Vec::new(),
            own: Vec::new(),
            counts: vec![0.0; experts],
        };
        for expert in 0..experts {
            for (row, units) in picked.iter().enumerate() {
                for (at, picked) in units.iter().enumerate().filter(|(_, picked)| picked.expert == expert) {
                    let first = row * positions;
                    let covered = (first + picked.unit.start..).take(picked.unit.length).map(|index| index as i64);
                    sorted.covered[expert].extend(covered);
                    sorted.order[row][at] = sorted.centers.len();
                    sorted.centers.push((first + picked.unit.center) as i64);
                    sorted.own.push(expert as i64);
                    sorted.counts[expert] += 1.0;
                }
            }
        }
        sorted
    }
}

/// Tokens of each row: its units, \[CLS\] and \[SEP\].
fn token_lengths(picked: &[Vec<Picked>], positions_of_rows: &[usize]) -> Vec<usize> {
    picked.iter().zip(positions_of_rows).map(|(row, &length)| row.len() + length.min(2)).collect()
}

/// Sources of each token, `[batch * tokens]`: \[CLS\], units, \[SEP\], padding.
struct TokenRows {
    /// Position of the residual state.
    residual: Vec<i64>,
    /// Index of the unit whose vector is added; the number of units if there is none.
    vector: Vec<i64>,
    /// 1, or 0 at padding.
    real: Vec<f32>,
    /// Tokens of each row without padding.
    lengths: Vec<usize>,
    /// Tokens of the longest row.
    tokens: usize,
}

impl TokenRows {
    /// As [`Self::new`] for the in-place layout: sources of each position, `[batch * positions]`, where tokens stay.
    fn in_place(
        picked: &[Vec<Picked>],
        order: &[Vec<usize>],
        positions_of_rows: &[usize],
        positions: usize,
        units: usize,
    ) -> TokenRows {
        let all = picked.len() * positions;
        let mut vector = vec![units as i64; all];
        for (row, (picked, order)) in picked.iter().zip(order).enumerate() {
            for (picked, &at) in picked.iter().zip(order) {
                vector[row * positions + picked.unit.center] = at as i64;
            }
        }
        let lengths = token_lengths(picked, positions_of_rows);
        TokenRows { residual: (0..all as i64).collect(), vector, real: vec![1.0; all], lengths, tokens: positions }
    }

    fn new(
        picked: &[Vec<Picked>],
        order: &[Vec<usize>],
        positions_of_rows: &[usize],
        positions: usize,
        units: usize,
    ) -> TokenRows {
        let lengths = token_lengths(picked, positions_of_rows);
        let tokens = lengths.iter().copied().max().unwrap_or(0).max(1);
        let (mut residual, mut vector, mut real) = (Vec::new(), Vec::new(), Vec::new());
        for (row, (row_units, &length)) in picked.iter().zip(positions_of_rows).enumerate() {
            let first = (row * positions) as i64;
            let inner = row_units.iter().zip(&order[row]);
            let inner = inner.map(|(picked, &at)| (first + picked.unit.center as i64, at as i64, 1.0));
            let none = units as i64;
            let cls = (length > 0).then_some((first, none, 1.0));
            let sep = (length > 1).then(|| (first + length as i64 - 1, none, 1.0));
            let padding = std::iter::repeat_n((first, none, 0.0), tokens - lengths[row]);
            for (from, at, weight) in cls.into_iter().chain(inner).chain(sep).chain(padding) {
                residual.push(from);
                vector.push(at);
                real.push(weight);
            }
        }
        TokenRows { residual, vector, real, lengths, tokens }
    }
}
