//! A learned tokenizer from another crate: how states of nucleotides become the vectors of units. The nucleotide layers before it and the upsampling
//! decoder after it are those of the other learned tokenizers.
//!
//! burn's `Module` is no trait object (`visit` and `map` are generic over the visitor, and what they visit over the rank of a tensor). So the parameters
//! are kept here, as a list of matrices with names, and a [`Pooling`] is a trait without state that computes with them.
//!
//! ```
//! use model::burn::tensor::{Tensor, activation};
//! use model::frontend::own::{self, Parameter, Pooled, Pooling, Start, Weights};
//! use model::frontend::{Unit, framed};
//! use tokenize::OwnConfig;
//!
//! /// Blocks of N bases, each the sum of its states with softmax weights of a learned score.
//! #[derive(Debug)]
//! struct Blocks;
//!
//! impl Pooling for Blocks {
//!     fn parameters(&self, _: &OwnConfig, hidden: usize) -> Vec<Parameter> {
//!         vec![Parameter { name: "score".into(), shape: [hidden, 1], start: Start::Normal }]
//!     }
//!
//!     fn pool(&self, config: &OwnConfig, weights: &Weights<'_>, states: Tensor<3>, lengths: &[usize], _: Option<&model::noise::Noise>) -> Pooled {
//!         let block = |start: usize, end: usize| {
//!             let length = (config.settings[0] as usize).min(end - start);
//!             Unit { center: start + length / 2, start, length }
//!         };
//!         let of_row = |&length: &usize| {
//!             let end = length.saturating_sub(1);
//!             framed(length, (1..end).step_by(config.settings[0] as usize).map(|start| block(start, end)))
//!         };
//!         let units: Vec<Vec<Unit>> = lengths.iter().map(of_row).collect();
//!         let [batch, positions, hidden] = states.dims();
//!         let scores = states.clone().reshape([batch * positions, hidden]).matmul(weights.get("score"));
//!         let scores = scores.reshape([batch, 1, positions]);
//!         // 0 at the positions of a unit, else so low that the softmax is 0 there.
//!         let members = own::members(&units, positions, &states.device());
//!         let shares = activation::softmax(scores + (members.clone() - 1.0) * 1e4, 2) * members;
//!         Pooled { tokens: shares.matmul(states), units, auxiliary: None }
//!     }
//!
//!     fn macs(&self, _: &OwnConfig, hidden: usize, positions: usize, tokens: usize) -> u64 {
//!         (positions * hidden + tokens * positions * hidden) as u64
//!     }
//! }
//!
//! own::register("blocks", Blocks);
//! let config = OwnConfig { pooling: "blocks".into(), settings: vec![6], nucleotide_layers: 1, summary: "softmax blocks".into() };
//! own::check(&config).unwrap();
//! ```

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, PoisonError, RwLock};

use burn::module::{Module, Param};
use burn::tensor::{Device, Int, Tensor, TensorData};
use experiment::config::EncoderConfig;
use tokenize::OwnConfig;

use super::learned::Nucleotides;
use super::route::{Embedded, Route, Unit};
use super::upsampling::UpsamplingDecoder;
use crate::layers::Init;
use crate::noise::Noise;
use crate::position::Rows;

/// How states of nucleotides become the vectors of units.
pub trait Pooling: Debug + Send + Sync {
    /// The parameters for states of width `hidden`, with unique names.
    fn parameters(&self, config: &OwnConfig, hidden: usize) -> Vec<Parameter>;

    /// Pools `states` `[batch, positions, hidden]`. `lengths` are the positions of each row, \[CLS\] and \[SEP\] included; the rest is padding, on which
    /// nothing may depend, nor on other rows. `noise` is `None` outside of training.
    fn pool(
        &self,
        config: &OwnConfig,
        weights: &Weights<'_>,
        states: Tensor<3>,
        lengths: &[usize],
        noise: Option<&Noise>,
    ) -> Pooled;

    /// Multiply-accumulates for one sequence of `positions` positions that is pooled to `tokens` tokens.
    fn macs(&self, config: &OwnConfig, hidden: usize, positions: usize, tokens: usize) -> u64;
}

/// A parameter: a matrix.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Rows and columns.
    pub shape: [usize; 2],
    /// Its values at the start.
    pub start: Start,
}

/// Values of a parameter at the start.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Start {
    /// Normal, with the standard deviation of the encoder, from a stream that is named after the parameter.
    Normal,
    /// One value.
    Constant(f32),
    /// The identity; for square matrices.
    Identity,
}

/// What a [`Pooling`] makes of nucleotide states.
#[derive(Clone, Debug)]
pub struct Pooled {
    /// The vectors of the units `[batch, tokens, hidden]`, where `tokens` is the largest number of units of a row; values at padding are arbitrary, but
    /// finite.
    pub tokens: Tensor<3>,
    /// The units of each row: \[CLS\], units that tile the bases, \[SEP\] ([`framed`](super::framed)).
    pub units: Vec<Vec<Unit>>,
    /// Auxiliary loss `[1]` of the batch, already weighted.
    pub auxiliary: Option<Tensor<1>>,
}

/// The parameters of a [`Pooling`] by name.
#[derive(Clone, Copy, Debug)]
pub struct Weights<'a> {
    names: &'a [String],
    values: &'a [Param<Tensor<2>>],
}

impl Weights<'_> {
    /// The parameter with this name.
    ///
    /// # Panics
    /// If [`Pooling::parameters`] has none of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Tensor<2> {
        let at = self.names.iter().position(|known| known == name);
        let at = at.unwrap_or_else(|| panic!("no parameter {name:?} (known: {})", self.names.join(", ")));
        self.values[at].val()
    }
}

/// 1 at the positions of each unit, else 0: `[batch, tokens, positions]`.
#[must_use]
pub fn members(units: &[Vec<Unit>], positions: usize, device: &Device) -> Tensor<3> {
    let tokens = units.iter().map(Vec::len).max().unwrap_or(0);
    let mut values = vec![0.0_f32; units.len() * tokens * positions];
    for (row, units) in units.iter().enumerate() {
        for (number, unit) in units.iter().enumerate() {
            let first = (row * tokens + number) * positions + unit.start;
            values[first..first + unit.length].fill(1.0);
        }
    }
    Tensor::from_data(TensorData::new(values, [units.len(), tokens, positions]), device)
}

/// The poolings that the program knows.
static KNOWN: RwLock<BTreeMap<String, Arc<dyn Pooling>>> = RwLock::new(BTreeMap::new());

/// Makes a pooling known to this program under a name, which [`OwnConfig::pooling`] refers to; before `tokbench::main`.
pub fn register(name: &str, pooling: impl Pooling + 'static) {
    KNOWN.write().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), Arc::new(pooling));
}

fn known(name: &str) -> Option<Arc<dyn Pooling>> {
    KNOWN.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
}

/// Nucleotide layers, a pooling of another crate, and upsampling decoder.
#[derive(Module, Debug)]
pub struct Own {
    /// Embedding and nucleotide layers.
    pub nucleotides: Nucleotides,
    /// The parameters of the pooling.
    pub weights: Vec<Param<Tensor<2>>>,
    /// Upsampling decoder: token states to nucleotide states.
    pub way_back: UpsamplingDecoder,
    #[module(skip)]
    names: Vec<String>,
    #[module(skip)]
    config: OwnConfig,
    #[module(skip)]
    pooling: Arc<dyn Pooling>,
}

impl Own {
    /// A front end with the given pooling; parameters `frontend.*`.
    ///
    /// # Panics
    /// If the pooling was not registered in this program; [`check`] tells.
    #[must_use]
    pub fn new(init: &Init, vocabulary: usize, config: &OwnConfig, encoder: &EncoderConfig) -> Own {
        let hidden = encoder.hidden;
        let pooling = known(&config.pooling).unwrap_or_else(|| panic!("{}", unknown(config)));
        let parameters = pooling.parameters(config, hidden);
        let value = |parameter: &Parameter| {
            let name = format!("frontend.own.{}", parameter.name);
            match parameter.start {
                Start::Normal => init.normal(&name, parameter.shape),
                Start::Constant(value) => init.constant(&name, parameter.shape, value),
                Start::Identity => init.identity(&name, parameter.shape[0]),
            }
        };
        Own {
            nucleotides: Nucleotides::new(init, vocabulary, config.nucleotide_layers, encoder),
            weights: parameters.iter().map(value).collect(),
            way_back: UpsamplingDecoder::new(init, hidden, encoder.heads, encoder.intermediate),
            names: parameters.into_iter().map(|parameter| parameter.name).collect(),
            config: config.clone(),
            pooling,
        }
    }

    /// See [`super::Frontend::embed`].
    #[must_use]
    pub fn embed(&self, ids: Tensor<2, Int>, rows: Rows<'_>, noise: Option<&Noise>) -> Embedded {
        let states = self.nucleotides.forward(ids, rows, noise);
        let Pooled { tokens, units, auxiliary } = self.pool(states.clone(), rows.lengths, noise);
        let lengths = units.iter().map(Vec::len).collect();
        Embedded { tokens, lengths, route: Route::Units(units), skip: Some(states.into()), auxiliary }
    }

    fn pool(&self, states: Tensor<3>, lengths: &[usize], noise: Option<&Noise>) -> Pooled {
        let weights = Weights { names: &self.names, values: &self.weights };
        self.pooling.pool(&self.config, &weights, states, lengths, noise)
    }

    /// Multiply-accumulates for one sequence that is pooled to `tokens` tokens.
    #[must_use]
    pub fn macs(&self, positions: usize, tokens: usize) -> u64 {
        let hidden = self.nucleotides.lookup.embedding.weight.dims()[1];
        let own = self.pooling.macs(&self.config, hidden, positions, tokens);
        self.nucleotides.macs(positions) + own + self.way_back.macs(positions, tokens)
    }
}

fn unknown(config: &OwnConfig) -> String {
    format!("the pooling {:?} is not known to this program", config.pooling)
}

/// Checks that a pooling is registered and keeps its contract, on states of width 8: parameters with unique names; units that tile the positions of
/// each row; finite vectors of the right shape, which depend on their own row alone.
///
/// # Errors
/// The first point that does not hold, in one sentence.
pub fn check(config: &OwnConfig) -> Result<(), String> {
    const HIDDEN: usize = 8;
    let name = &config.pooling;
    if known(name).is_none() {
        return Err(format!("{}: call model::frontend::own::register first", unknown(config)));
    }
    if config.nucleotide_layers == 0 {
        return Err(format!("{name}: needs at least one nucleotide layer, or neighbouring [MASK] positions are equal"));
    }
    let device = Device::flex();
    let encoder = EncoderConfig { hidden: HIDDEN, heads: 2, intermediate: 16, ..EncoderConfig::default() };
    let own = Own::new(&Init::new(0, 0.5, &device), 9, config, &encoder);
    let unique: std::collections::BTreeSet<&String> = own.names.iter().collect();
    if unique.len() < own.names.len() {
        return Err(format!("{name}: two parameters have the same name"));
    }
    let lengths = [40, 2, 3, 17];
    let states = |rows: &[usize], positions: usize| {
        let row = |row: usize| {
            let draws = crate::noise::normal(&mut dataset::stream(0, &format!("own/{row}")), positions * HIDDEN);
            draws.into_iter().map(|value| value as f32)
        };
        let values: Vec<f32> = rows.iter().flat_map(|&number| row(number)).collect();
        Tensor::<3>::from_data(TensorData::new(values, [rows.len(), positions, HIDDEN]), &device)
    };
    let values = |tokens: &Tensor<3>| tokens.clone().try_into_vec_as::<f32>().map_err(|error| format!("{error:?}"));
    let all = own.pool(states(&[0, 1, 2, 3], 40), &lengths, None);
    let most = all.units.iter().map(Vec::len).max().unwrap_or(0);
    if all.tokens.dims() != [lengths.len(), most, HIDDEN] {
        let expected = [lengths.len(), most, HIDDEN];
        return Err(format!("{name}: vectors have the shape {:?}, and their units {expected:?}", all.tokens.dims()));
    }
    let of_all = values(&all.tokens)?;
    for (row, (units, &length)) in all.units.iter().zip(&lengths).enumerate() {
        let tiled = units.iter().try_fold(0, |end, unit| {
            (unit.start == end && unit.length > 0 && (unit.start..unit.start + unit.length).contains(&unit.center))
                .then_some(end + unit.length)
        });
        let special = |unit: Option<&Unit>| unit.is_some_and(|unit| unit.length == 1);
        if tiled != Some(length) || !special(units.first()) || !special(units.last()) {
            let found: Vec<_> = units.iter().map(|unit| (unit.start, unit.length)).collect();
            return Err(format!(
                "{name}: the units of {length} positions are {found:?} (start, length); they must be [CLS], units that tile the bases with their centers, [SEP]"
            ));
        }
        // The same row alone, without padding.
        let alone = own.pool(states(&[row], 40).narrow(1, 0, length), &[length], None);
        let of_row = &of_all[row * most * HIDDEN..][..units.len() * HIDDEN];
        let of_alone = values(&alone.tokens)?;
        if alone.units[0] != *units || of_alone.len() != of_row.len() {
            return Err(format!("{name}: the units of a row depend on other rows or on padding"));
        }
        for (a, b) in of_row.iter().zip(&of_alone) {
            if !a.is_finite() || (a - b).abs() > 1e-4 * (1.0 + b.abs()) {
                return Err(format!(
                    "{name}: a vector is not finite, or depends on other rows or on padding ({a}, alone {b})"
                ));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frontend::framed;

    /// Blocks of two bases with a fault.
    #[derive(Debug)]
    struct Faulty(&'static str);

    impl Pooling for Faulty {
        fn parameters(&self, _: &OwnConfig, hidden: usize) -> Vec<Parameter> {
            let one = |name: &str| Parameter { name: name.into(), shape: [hidden, hidden], start: Start::Identity };
            vec![one("a"), one(if self.0 == "names" { "a" } else { "b" })]
        }

        fn pool(
            &self,
            _: &OwnConfig,
            weights: &Weights<'_>,
            states: Tensor<3>,
            lengths: &[usize],
            _: Option<&Noise>,
        ) -> Pooled {
            let [batch, positions, hidden] = states.dims();
            let of_row = |&length: &usize| {
                let end = length.saturating_sub(1);
                let last = if self.0 == "gap" { end.saturating_sub(2) } else { end };
                let unit = |start: usize| Unit { center: start, start, length: 2.min(end - start) };
                framed(length, (1..last).step_by(2).map(unit))
            };
            let units: Vec<Vec<Unit>> = lengths.iter().map(of_row).collect();
            let states = states.reshape([batch * positions, hidden]).matmul(weights.get("b"));
            let mut tokens =
                members(&units, positions, &states.device()).matmul(states.reshape([batch, positions, hidden]));
            match self.0 {
                "shape" => tokens = tokens.narrow(1, 0, 1),
                "rows" => tokens = tokens.clone() + tokens.mean_dim(0),
                "finite" => tokens = tokens * f32::NAN,
                _ => {}
            }
            Pooled { tokens, units, auxiliary: None }
        }

        fn macs(&self, _: &OwnConfig, hidden: usize, positions: usize, _: usize) -> u64 {
            (positions * hidden * hidden) as u64
        }
    }

    fn config(pooling: &str) -> OwnConfig {
        OwnConfig { pooling: pooling.into(), settings: Vec::new(), nucleotide_layers: 1, summary: String::new() }
    }

    #[test]
    fn faults_are_told() {
        let told = |fault: &'static str| {
            register(fault, Faulty(fault));
            check(&config(fault))
        };
        assert_eq!(told("none"), Ok(()));
        for (fault, part) in [
            ("gap", "the units of 40 positions are [(0, 1), (1, 2)"),
            ("shape", "vectors have the shape [4, 1, 8], and their units [4, 21, 8]"),
            ("rows", "depends on other rows"),
            ("finite", "is not finite"),
        ] {
            let error = told(fault).unwrap_err();
            assert!(error.starts_with(fault) && error.contains(part), "{fault}: {error}");
        }
        register("names", Faulty("names"));
        let twice = std::panic::catch_unwind(|| check(&config("names")));
        assert!(twice.is_ok_and(|told| told.unwrap_err().contains("two parameters have the same name")));
        assert!(check(&config("nobody")).unwrap_err().contains("is not known to this program"));
        let error = check(&OwnConfig { nucleotide_layers: 0, ..config("none") }).unwrap_err();
        assert!(error.contains("at least one nucleotide layer"), "{error}");
    }

    /// Parameters of another crate are parameters of the model: trained, counted, and cloned with it.
    #[test]
    fn its_parameters_are_those_of_the_model() {
        register("trained", Faulty("none"));
        let device = Device::flex().autodiff();
        let encoder = EncoderConfig { hidden: 8, heads: 2, intermediate: 16, ..EncoderConfig::default() };
        let own = Own::new(&Init::new(0, 0.5, &device), 9, &config("trained"), &encoder);
        let ids = Tensor::<2, Int>::from_data([[1, 5, 6, 7, 8, 2]], &device);
        let embedded = own.embed(ids, Rows { lengths: &[6], centers: None }, None);
        assert_eq!((embedded.tokens.dims(), embedded.lengths), ([1, 4, 8], vec![4]));
        let gradients = embedded.tokens.powi_scalar(2).sum().backward();
        let gradient = own.weights[1].val().grad(&gradients).expect("a gradient").try_into_vec_as::<f32>().unwrap();
        assert!(gradient.iter().any(|value| value.abs() > 1e-3));
        let rest = crate::network::count(&own.nucleotides) + crate::network::count(&own.way_back);
        assert_eq!(crate::network::count(&own), rest + 2 * 64);
        assert_eq!(own.macs(6, 4) - own.nucleotides.macs(6) - own.way_back.macs(6, 4), 6 * 64);
    }
}
