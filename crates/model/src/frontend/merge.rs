//! Merging of neighbours by similarity in local windows, as in the local encoder of MergeDNA (2025), adapted to masked language modelling.
//!
//! States of the nucleotide layers are projected, and the bases of a sequence are divided into windows of 16. In each window the most similar pairs
//! of neighbours are merged, at most two per round and no token twice in a round, until one unit for N bases is left. The similarity of two
//! neighbours is the cosine of the means of their bases' projections (the separate, small projection for merging of DTEM, Lee and Hong, 2024). A unit's
//! vector is the mean of the states of its bases: the mean of two merged vectors, weighted by their sizes. \[CLS\] and \[SEP\] are units of their own.
//!
//! The choice of pairs has no gradient, so the projection learns through weights whose value is 1: in each merge, the bases of the right part have
//! the weight
//!
//! ```text
//! w = 1 + p - stop_gradient(p),       p = (1 + cosine) / 2
//! ```
//!
//! multiplied over the merges of a base (to first order, summed). The gradient says whether more of the right part would make a better unit.
//!
//! Differences from MergeDNA: the merges follow one after another on the states of the nucleotide layers, without attention between them; the rate
//! is fixed, in training too; the way back is the upsampling decoder of `mxdna`; there is no reconstruction loss.

use burn::module::Module;
use burn::tensor::{Int, Tensor, TensorData};
use experiment::config::{Dtype, EncoderConfig};
use tokenize::MergeConfig;

use super::learned::Nucleotides;
use super::route::{Embedded, Route, Unit, framed};
use super::upsampling::UpsamplingDecoder;
use crate::encoder::select;
use crate::layers::{Init, Linear};
use crate::noise::Noise;
use crate::position::Rows;

/// Added to squared lengths, so that the direction of a zero vector is zero.
const LEAST: f64 = 1e-12;

/// Nucleotide layers, merging and upsampling decoder.
#[derive(Module, Debug)]
pub struct Merge {
    /// Embedding and nucleotide layers.
    pub nucleotides: Nucleotides,
    /// Projection for similarities, `[hidden, projection]`, without bias.
    pub projection: Linear,
    /// Upsampling decoder: token states to nucleotide states.
    pub way_back: UpsamplingDecoder,
    #[module(skip)]
    window: usize,
    #[module(skip)]
    bases: usize,
    #[module(skip)]
    pairs: usize,
}

impl Merge {
    /// A front end with the given hyperparameters; parameters `frontend.*`.
    #[must_use]
    pub fn new(init: &Init, vocabulary: usize, config: &MergeConfig, encoder: &EncoderConfig) -> Merge {
        let hidden = encoder.hidden;
        let projection = Linear::new(init, "frontend.merge.projection", hidden, config.projection, false);
        Merge {
            nucleotides: Nucleotides::new(init, vocabulary, config.nucleotide_layers, encoder),
            // In f32 in any case: which pairs are most similar is a comparison.
            projection: Linear { dtype: Dtype::F32, ..projection },
            way_back: UpsamplingDecoder::new(init, hidden, encoder.heads, encoder.intermediate),
            window: config.window,
            bases: config.bases,
            pairs: config.pairs,
        }
    }

    /// See [`super::Frontend::embed`].
    #[must_use]
    pub fn embed(&self, ids: Tensor<2, Int>, rows: Rows<'_>, noise: Option<&Noise>) -> Embedded {
        let states = self.nucleotides.forward(ids, rows, noise);
        let [batch, positions, hidden] = states.dims();
        let flat = states.clone().reshape([batch * positions, hidden]);
        let projected = self.projection.forward(flat);
        // The only copy from the device to the host in a forward pass.
        let found = projected.clone().detach().try_into_vec_as::<f32>();
        let found = found.expect("projections can be copied from the device");
        let width = projected.dims()[1];
        let merged: Vec<Vec<Merged>> = rows
            .lengths
            .iter()
            .enumerate()
            .map(|(row, &length)| {
                let of_row = &found[row * positions * width..(row + 1) * positions * width];
                windows(length, self.window)
                    .map(|(start, bases)| {
                        let units = ((bases as f64 / self.bases as f64).round() as usize).clamp(1, bases);
                        let own = &of_row[start * width..(start + bases) * width];
                        Merged { start, ..merge(own, width, units, self.pairs) }
                    })
                    .collect()
            })
            .collect();
        let tokens = self.vectors(&states, projected, &merged, None);
        let units: Vec<Vec<Unit>> = rows
            .lengths
            .iter()
            .zip(&merged)
            .map(|(&length, windows)| framed(length, windows.iter().flat_map(Merged::units)))
            .collect();
        let lengths = units.iter().map(Vec::len).collect();
        Embedded { tokens, lengths, route: Route::Units(units), skip: Some(states.into()), auxiliary: None }
    }

    /// The vectors of \[CLS\], the units and \[SEP\] of each row, `[batch, tokens, hidden]`. The weights of right parts are 1 + p - `stopped`; without
    /// `stopped` this is p itself, without its gradient.
    fn vectors(
        &self,
        states: &Tensor<3>,
        projected: Tensor<2>,
        merged: &[Vec<Merged>],
        stopped: Option<Tensor<3>>,
    ) -> Tensor<3> {
        let ([batch, positions, hidden], device) = (states.dims(), states.device());
        let (window, width) = (self.window, projected.dims()[1]);
        let all = || merged.iter().enumerate().flat_map(|(row, windows)| windows.iter().map(move |one| (row, one)));
        let number = all().count();
        let flat = states.clone().reshape([batch * positions, hidden]);
        let most = all().map(|(_, one)| one.sizes.len()).max().unwrap_or(0);
        // Behind the units of all windows: the states of all positions, of which those of [CLS] and [SEP] are used.
        let (pooled, first) = if number == 0 {
            (flat, 0)
        } else {
            // Position of each base of each window; a window that is shorter repeats its first one, which no unit reads.
            let places = all().flat_map(|(row, one)| {
                let bases: usize = one.sizes.iter().sum();
                (0..window).map(move |at| row * positions + one.start + if at < bases { at } else { 0 })
            });
            let places: Vec<usize> = places.collect();
            let states = select(flat.clone(), places.clone()).reshape([number, window, hidden]);
            let projected = select(projected, places).reshape([number, window, width]);
            let ranges = |part: fn(&Merged) -> Vec<(usize, usize)>, rows: usize, filled: bool| {
                // One row per range, 1 at its bases; rows without a range have their first base, or nothing.
                let mut values = vec![0.0_f32; number * rows * window];
                for (at, (_, one)) in all().enumerate() {
                    let ranges = part(one);
                    for row in 0..rows {
                        let into = &mut values[(at * rows + row) * window..][..window];
                        match ranges.get(row) {
                            Some(&(start, length)) => into[start..start + length].fill(1.0),
                            None if filled => into[0] = 1.0,
                            None => {}
                        }
                    }
                }
                Tensor::<3>::from_data(TensorData::new(values, [number, rows, window]), &device)
            };
            let merges = all().map(|(_, one)| one.merges.len()).max().unwrap_or(0);
            let weights = if merges == 0 {
                Tensor::ones([number, window, 1], &device)
            } else {
                let of = |part| direction(ranges(part, merges, true).matmul(projected.clone()));
                let cosine = (of(Merged::lefts) * of(Merged::rights)).sum_dim(2);
                let p = (cosine + 1.0) * 0.5;
                let stopped = stopped.unwrap_or_else(|| p.clone().detach());
                ranges(Merged::rights, merges, false).swap_dims(1, 2).matmul(p - stopped) + 1.0
            };
            let members = ranges(Merged::spans, most, true);
            let sums = members.clone().matmul(states * weights.clone()) / members.matmul(weights);
            (Tensor::cat(vec![sums.reshape([number * most, hidden]), flat], 0), number * most)
        };
        let longest = merged.iter().map(|row| row.iter().map(|one| one.sizes.len()).sum::<usize>() + 2).max();
        let longest = longest.unwrap_or(0).min(positions.max(2));
        let mut order = Vec::with_capacity(batch * longest);
        let mut before = 0;
        for (row, windows) in merged.iter().enumerate() {
            let end = windows.last().map_or(1, |one| one.start + one.sizes.iter().sum::<usize>());
            let special = |at: usize| first + row * positions + at.min(positions - 1);
            let own = order.len();
            order.push(special(0));
            for one in windows {
                order.extend((0..one.sizes.len()).map(|unit| before * most + unit));
                before += 1;
            }
            order.push(special(end));
            order.resize(own + longest, special(0));
        }
        select(pooled, order).reshape([batch, longest, hidden])
    }

    /// Multiply-accumulates for one sequence: nucleotide layers and upsampling decoder as elsewhere, p h d for the projection to d numbers, and for each
    /// window of w bases the products with its matrices: 2 w d for each merge, w h for each unit, p being the positions.
    #[must_use]
    pub fn macs(&self, positions: usize, tokens: usize) -> u64 {
        let [hidden, width] = self.projection.weight.dims();
        let merges = positions.saturating_sub(tokens);
        let own = positions * hidden * width
            + merges * 2 * self.window * width
            + tokens.saturating_sub(2) * self.window * hidden;
        self.nucleotides.macs(positions) + own as u64 + self.way_back.macs(positions, tokens)
    }
}

/// Vectors of length 1 in the last dimension.
fn direction(x: Tensor<3>) -> Tensor<3> {
    let length = (x.clone().powi_scalar(2).sum_dim(2) + LEAST).sqrt();
    x / length
}

/// First position and number of bases of each window of a row of `length` positions.
fn windows(length: usize, window: usize) -> impl Iterator<Item = (usize, usize)> {
    let end = length.saturating_sub(1);
    (1..end).step_by(window).map(move |start| (start, window.min(end - start)))
}

/// A window after merging.
#[derive(Clone, Debug, Default, PartialEq)]
struct Merged {
    /// Position of its first base.
    start: usize,
    /// Bases of each unit, from the left.
    sizes: Vec<usize>,
    /// The merges in their order: first base in the window, bases of the left part, bases of the right part.
    merges: Vec<(usize, usize, usize)>,
}

impl Merged {
    fn units(&self) -> impl Iterator<Item = Unit> {
        let unit = |(start, length): (usize, usize)| Unit {
            center: self.start + start + length / 2,
            start: self.start + start,
            length,
        };
        self.spans().into_iter().map(unit)
    }

    /// First base and number of bases of the units.
    fn spans(&self) -> Vec<(usize, usize)> {
        let mut start = 0;
        let span = |size: &usize| {
            start += size;
            (start - size, *size)
        };
        self.sizes.iter().map(span).collect()
    }

    /// First base and number of bases of the left parts of the merges.
    fn lefts(&self) -> Vec<(usize, usize)> {
        self.merges.iter().map(|&(start, left, _)| (start, left)).collect()
    }

    /// First base and number of bases of the right parts.
    fn rights(&self) -> Vec<(usize, usize)> {
        self.merges.iter().map(|&(start, left, right)| (start + left, right)).collect()
    }
}

/// Merges the bases of one window, given their projections of this width, until `units` are left: in each round at most `pairs` pairs of neighbours,
/// the most similar first (of equal ones the left one), no token twice.
fn merge(projections: &[f32], width: usize, units: usize, pairs: usize) -> Merged {
    let mut sizes: Vec<usize> = vec![1; projections.len() / width];
    let mut sums: Vec<Vec<f64>> =
        projections.chunks(width).map(|base| base.iter().map(|&value| f64::from(value)).collect()).collect();
    let mut merges = Vec::new();
    while sizes.len() > units {
        let mut similar: Vec<(usize, f64)> =
            sums.windows(2).enumerate().map(|(at, pair)| (at, cosine(&pair[0], &pair[1]))).collect();
        // Stable.
        similar.sort_by(|a, b| b.1.total_cmp(&a.1));
        let (mut chosen, mut taken) = (Vec::new(), vec![false; sizes.len()]);
        for (at, _) in similar {
            if chosen.len() < pairs.min(sizes.len() - units) && !taken[at] && !taken[at + 1] {
                (taken[at], taken[at + 1]) = (true, true);
                chosen.push(at);
            }
        }
        // From the right, so that places on the left stay.
        chosen.sort_unstable_by(|a, b| b.cmp(a));
        for at in chosen {
            merges.push((sizes[..at].iter().sum(), sizes[at], sizes[at + 1]));
            sizes[at] += sizes.remove(at + 1);
            let right = sums.remove(at + 1);
            sums[at].iter_mut().zip(right).for_each(|(sum, value)| *sum += value);
        }
    }
    Merged { start: 0, sizes, merges }
}

/// The cosine of two vectors; that of sums is that of means.
fn cosine(a: &[f64], b: &[f64]) -> f64 {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    dot(a, b) / ((dot(a, a) + LEAST) * (dot(b, b) + LEAST)).sqrt()
}

#[cfg(test)]
mod tests;
