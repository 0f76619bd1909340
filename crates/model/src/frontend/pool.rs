//! Fixed pooling between the layers around a learned tokenizer: [`Pool`], and [`fixed_units`], which makes it as large as a learned front
//! end (`docs/protocol.md#controls-of-learned-tokenizers`).
//!
//! The units of a sequence of b bases are round(b / bases per unit) stretches of nearly equal length, wherever they fall. A unit's vector is
//! the mean m of its nucleotides plus a SwiGLU feed-forward block of LayerNorm(m). \[CLS\] and \[SEP\] are units of their own.

use burn::module::Module;
use burn::tensor::{Int, Tensor, TensorData};
use experiment::config::{EncoderConfig, FixedUnits};
use tokenize::{FrontendConfig, PoolConfig, Quantity};

use super::Frontend;
use super::experts::EPSILON;
use super::learned::Nucleotides;
use super::route::{Embedded, Route, Unit, framed};
use super::upsampling::UpsamplingDecoder;
use crate::config::ModelConfig;
use crate::encoder::select;
use crate::layers::{Init, LayerNorm, Linear, swiglu};
use crate::network::count;
use crate::noise::Noise;
use crate::position::Rows;

/// Nucleotide layers, fixed pooling and upsampling decoder.
#[derive(Module, Debug)]
pub struct Pool {
    /// Embedding and nucleotide layers.
    pub nucleotides: Nucleotides,
    /// Feed-forward block of the units, if it has a width.
    pub feed_forward: Option<FeedForward>,
    /// Upsampling decoder: token states to nucleotide states.
    pub way_back: UpsamplingDecoder,
    /// Mean bases per unit.
    #[module(skip)]
    bases: f64,
}

/// SwiGLU feed-forward block of the units.
#[derive(Module, Debug)]
pub struct FeedForward {
    /// Input LayerNorm.
    pub norm: LayerNorm,
    /// `[hidden, 2 inner]`, without bias: gate, then values.
    pub up: Linear,
    /// `[inner, hidden]`, without bias.
    pub down: Linear,
}

impl Pool {
    /// A front end with the given hyperparameters; parameters `frontend.*`.
    #[must_use]
    pub fn new(init: &Init, vocabulary: usize, config: &PoolConfig, encoder: &EncoderConfig) -> Pool {
        let (hidden, inner) = (encoder.hidden, config.inner);
        let linear =
            |part: &str, inputs, outputs| Linear::new(init, &format!("frontend.pool.{part}"), inputs, outputs, false);
        Pool {
            nucleotides: Nucleotides::new(init, vocabulary, config.nucleotide_layers, encoder),
            feed_forward: (inner > 0).then(|| FeedForward {
                norm: LayerNorm::new(init, "frontend.pool.norm", hidden, EPSILON),
                up: linear("up", hidden, 2 * inner),
                down: linear("down", inner, hidden),
            }),
            way_back: UpsamplingDecoder::new(init, hidden, encoder.heads, encoder.intermediate),
            bases: config.bases,
        }
    }

    /// See [`Frontend::embed`].
    #[must_use]
    pub fn embed(&self, ids: Tensor<2, Int>, rows: Rows<'_>, noise: Option<&Noise>) -> Embedded {
        let skip = self.nucleotides.forward(ids, rows, noise);
        let units: Vec<Vec<Unit>> = rows.lengths.iter().map(|&length| units(length, self.bases)).collect();
        let means = means(skip.clone(), &units);
        let [batch, tokens, hidden] = means.dims();
        let tokens = match &self.feed_forward {
            None => means,
            Some(block) => {
                let flat = means.reshape([batch * tokens, hidden]);
                let up = block.up.forward(block.norm.forward(flat.clone()));
                (flat + block.down.forward(swiglu(up))).reshape([batch, tokens, hidden])
            }
        };
        let lengths = units.iter().map(Vec::len).collect();
        Embedded { tokens, lengths, route: Route::Units(units), skip: Some(skip.into()), auxiliary: None }
    }

    /// Multiply-accumulates for one sequence that is pooled to `tokens` tokens.
    #[must_use]
    pub fn macs(&self, positions: usize, tokens: usize) -> u64 {
        let block = self.feed_forward.as_ref().map_or(0, |block| {
            let [inner, hidden] = block.down.weight.dims();
            3 * hidden * inner
        });
        self.nucleotides.macs(positions) + (tokens * block) as u64 + self.way_back.macs(positions, tokens)
    }
}

/// \[CLS\], the units of a row of `length` positions, \[SEP\].
fn units(length: usize, bases: f64) -> Vec<Unit> {
    let inner = length.saturating_sub(2);
    let number = if inner == 0 { 0 } else { ((inner as f64 / bases).round() as usize).clamp(1, inner) };
    let edge = |unit: usize| 1 + unit * inner / number;
    let units = (0..number).map(|unit| {
        let (start, end) = (edge(unit), edge(unit + 1));
        Unit { center: start + (end - start) / 2, start, length: end - start }
    });
    framed(length, units)
}

/// Mean states of the units of each row, `[batch, positions, hidden]` to `[batch, tokens, hidden]`; zero at padding.
pub(super) fn means(states: Tensor<3>, units: &[Vec<Unit>]) -> Tensor<3> {
    let ([batch, positions, hidden], device) = (states.dims(), states.device());
    let tokens = units.iter().map(Vec::len).max().unwrap_or(0).max(1);
    let longest = units.iter().flatten().map(|unit| unit.length).max().unwrap_or(1);
    let (mut rows, mut weights) = (Vec::new(), Vec::new());
    for (row, units) in units.iter().enumerate() {
        for token in 0..tokens {
            let unit = units.get(token);
            for offset in 0..longest {
                let inside = unit.filter(|unit| offset < unit.length);
                rows.push(row * positions + inside.map_or(0, |unit| unit.start + offset));
                weights.push(inside.map_or(0.0, |unit| 1.0 / unit.length as f32));
            }
        }
    }
    let count = weights.len();
    let weights = Tensor::<2>::from_data(TensorData::new(weights, [count, 1]), &device);
    let read = select(states.reshape([batch * positions, hidden]), rows) * weights;
    read.reshape([batch * tokens, longest, hidden]).sum_dim(1).reshape([batch, tokens, hidden])
}

/// The units with which a control is as large as a learned front end: as long as its own, `bases` on average in windows of
/// `window` bases, and the width of the feed-forward block for which `quantity` is equal (0 if the learned front end is smaller than
/// the layers around it). The encoder and the head are the same for both.
#[must_use]
pub fn fixed_units(
    learned: &FrontendConfig,
    quantity: Quantity,
    vocabulary: usize,
    encoder: &EncoderConfig,
    window: usize,
    bases: f64,
) -> FixedUnits {
    // To three digits, so that a run key does not depend on the last ones.
    let unit = 10f64.powf(bases.max(1.0).log10().floor() - 2.0);
    let bases = ((bases / unit).round() * unit * 1e6).round() / 1e6;
    let plain =
        PoolConfig { bases, nucleotide_layers: learned.nucleotide_layers().saturating_sub(1), ..PoolConfig::default() };
    let init = Init::new(0, encoder.init_std, &burn::tensor::Device::flex());
    let frontend = |frontend: FrontendConfig| {
        Frontend::new(&init, &ModelConfig { vocabulary, frontend, encoder: encoder.clone(), classes: None })
    };
    let (learned, plain) = (frontend(learned.clone()), frontend(FrontendConfig::Pool(plain)));
    let (positions, tokens) = (window + 2, units(window + 2, bases).len());
    let hidden = encoder.hidden as f64;
    let inner = match quantity {
        // The LayerNorm of the block has 2 hidden parameters.
        Quantity::Parameters => (count(&learned) as f64 - count(&plain) as f64 - 2.0 * hidden) / (3.0 * hidden),
        Quantity::Macs => {
            let macs = |front: &Frontend| front.macs(positions, tokens) as f64;
            (macs(&learned) - macs(&plain)) / (3.0 * hidden * tokens as f64)
        }
    };
    FixedUnits { bases, inner: inner.round().max(0.0) as usize }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_tile_a_sequence_and_differ_by_at_most_one_base() {
        assert_eq!(units(0, 6.0), []);
        assert_eq!(units(2, 6.0).len(), 2);
        let lengths = |length, bases| units(length, bases).iter().map(|unit| unit.length).collect::<Vec<_>>();
        assert_eq!(lengths(14, 5.0), [1, 6, 6, 1]);
        assert_eq!(lengths(15, 2.2), [1, 2, 2, 2, 2, 2, 3, 1]);
    }

    #[test]
    fn every_position_is_in_one_unit() {
        for (length, bases) in (3..300).flat_map(|length| [1.0, 1.7, 4.0, 9.3, 60.0].map(|bases| (length, bases))) {
            let units = units(length, bases);
            let covered: Vec<usize> = units.iter().flat_map(|unit| unit.start..unit.start + unit.length).collect();
            assert_eq!(covered, (0..length).collect::<Vec<_>>());
            let lengths = || units[1..units.len() - 1].iter().map(|unit| unit.length);
            assert!(lengths().max().unwrap() - lengths().min().unwrap() <= 1);
            assert!(units.iter().all(|unit| unit.center < unit.start + unit.length));
        }
    }

    /// The means of a unit, and no other position, reach its vector.
    #[test]
    fn a_vector_is_the_mean_of_its_unit() {
        let device = crate::device::open("cpu").unwrap();
        let values: Vec<f32> = (0..2 * 9).map(|at| (at * at) as f32).collect();
        let states = Tensor::<3>::from_data(TensorData::new(values, [2, 9, 1]), &device);
        let rows = [units(9, 3.0), units(5, 3.0)];
        let found = means(states, &rows).try_into_vec_as::<f32>().unwrap();
        // Rows: 0 | 1 4 9, 16 25 36 (with 49 in the second unit) | 64.
        let mean = |values: &[f32]| values.iter().sum::<f32>() / values.len() as f32;
        let second: Vec<f32> = (9..18).map(|at| (at * at) as f32).collect();
        let expected = [
            0.0,
            mean(&[1.0, 4.0, 9.0]),
            mean(&[16.0, 25.0, 36.0, 49.0]),
            64.0,
            81.0,
            mean(&second[1..4]),
            second[4],
            0.0,
        ];
        assert!(found.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-3), "{found:?} {expected:?}");
    }

    /// The point of the controls: the whole model has the parameters, or the multiply-accumulates, of the learned one.
    #[test]
    fn controls_are_as_large_as_the_learned_front_end() {
        for (hidden, heads, intermediate, vocabulary) in [(64, 4, 256, 9), (128, 8, 512, 9), (256, 8, 1024, 9)] {
            let encoder = EncoderConfig { hidden, heads, intermediate, ..EncoderConfig::default() };
            for bases in [2.2, 5.83, 9.41] {
                for name in ["mxdna", "mxdna-max6", "hnet", "gbst", "merge"] {
                    let learned = tokenize::registry::builtin().parse(name).unwrap().frontend;
                    for quantity in [Quantity::Parameters, Quantity::Macs] {
                        let FixedUnits { bases, inner } =
                            fixed_units(&learned, quantity, vocabulary, &encoder, 252, bases);
                        let control = FrontendConfig::Pool(PoolConfig { bases, inner, ..PoolConfig::default() });
                        let size = |frontend: &FrontendConfig| {
                            let init = Init::new(0, 0.1, &crate::device::open("cpu").unwrap());
                            let config = ModelConfig {
                                vocabulary,
                                frontend: frontend.clone(),
                                encoder: encoder.clone(),
                                classes: None,
                            };
                            let front = Frontend::new(&init, &config);
                            match quantity {
                                Quantity::Parameters => count(&front) as f64,
                                Quantity::Macs => front.macs(254, units(254, bases).len()) as f64,
                            }
                        };
                        let ratio = size(&control) / size(&learned);
                        assert!((ratio - 1.0).abs() < 0.01, "{hidden} {bases} {name} {quantity:?}: {ratio} {inner}");
                    }
                }
            }
        }
    }
}
