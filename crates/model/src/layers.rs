//! Building blocks: linear layer, LayerNorm, embedding; and [`Init`], which initializes each parameter by its name.
//!
//! Weights are stored `[in, out]`. A parameter's id (the key of its optimizer state) is also derived from its name, so a
//! model that is built again matches its saved optimizer state.
//!
//! ```
//! use model::layers::{Init, Linear};
//! let device = model::device::open("cpu").unwrap();
//! let init = Init::new(7, 0.02, &device);
//! let linear = Linear::new(&init, "head.dense", 4, 3, true);
//! let y = linear.forward(burn::tensor::Tensor::<2>::ones([5, 4], &device));
//! assert_eq!(y.dims(), [5, 3]);
//! ```

use burn::module::{Module, Param, ParamId};
use burn::tensor::{DType, Device, Int, Tensor, TensorData, activation, module};
use experiment::config::Dtype;

use crate::fused;

/// Initial values of parameters, each from its own named stream of the run's seed.
#[derive(Clone, Debug)]
pub struct Init {
    /// Seed of the run.
    pub seed: u64,
    /// Standard deviation of the initial weights.
    pub std: f64,
    /// Device of the parameters.
    pub device: Device,
    /// Number format of the products of linear layers.
    pub dtype: Dtype,
}

impl Init {
    /// Initial values on `device` from `seed`, weights with standard deviation `std`.
    #[must_use]
    pub fn new(seed: u64, std: f64, device: &Device) -> Init {
        Init { seed, std, device: device.clone(), dtype: Dtype::F32 }
    }

    /// The same initial values, for layers whose products are in another number format.
    #[must_use]
    pub fn with_dtype(self, dtype: Dtype) -> Init {
        Init { dtype, ..self }
    }

    /// A parameter drawn from N(0, std²).
    #[must_use]
    pub fn normal<const D: usize>(&self, name: &str, shape: [usize; D]) -> Param<Tensor<D>> {
        let mut stream = dataset::stream(self.seed, &format!("init/{name}"));
        let draws = crate::noise::normal(&mut stream, shape.iter().product());
        let values: Vec<f32> = draws.iter().map(|value| (value * self.std) as f32).collect();
        self.parameter(name, Tensor::from_data(TensorData::new(values, shape), &self.device))
    }

    /// A parameter filled with `value`.
    #[must_use]
    pub fn constant<const D: usize>(&self, name: &str, shape: [usize; D], value: f32) -> Param<Tensor<D>> {
        self.parameter(name, Tensor::full(shape, value, &self.device))
    }

    /// The identity matrix `[size, size]`.
    #[must_use]
    pub fn identity(&self, name: &str, size: usize) -> Param<Tensor<2>> {
        self.parameter(name, Tensor::eye(size, &self.device))
    }

    fn parameter<const D: usize>(&self, name: &str, value: Tensor<D>) -> Param<Tensor<D>> {
        let mut parameter = Param::from_tensor(value);
        parameter.id = identity(name);
        parameter
    }
}

/// The number format of products in mixed precision, and of those of their gradients.
pub const BF16: DType = DType::BF16;

/// Whether products are in [`BF16`]: as the format says, but never on the pure-Rust device, which has no such kernels. What flows back to
/// parameters and states is f32.
#[must_use]
pub fn in_bf16(dtype: Dtype, device: &Device) -> bool {
    dtype == Dtype::Bf16 && !fused::on(device)
}

/// SiLU of the first half of the columns times the second half: `[rows, 2 inner]` to `[rows, inner]`, in one operation on the CPU.
#[must_use]
pub fn swiglu(up: Tensor<2>) -> Tensor<2> {
    if fused::on(&up.device()) {
        return fused::swiglu(up);
    }
    let inner = up.dims()[1] / 2;
    activation::silu(up.clone().narrow(1, 0, inner)) * up.narrow(1, inner, inner)
}

/// The id of the parameter `name`: the first 8 bytes of the BLAKE3 hash of the name.
pub(crate) fn identity(name: &str) -> ParamId {
    let mut id = [0; 8];
    id.copy_from_slice(&blake3::hash(name.as_bytes()).as_bytes()[..8]);
    ParamId::from(u64::from_le_bytes(id))
}

/// `x W + b`, with `W` of shape `[in, out]`.
#[derive(Module, Debug)]
pub struct Linear {
    /// `[in, out]`
    pub weight: Param<Tensor<2>>,
    /// `[out]`
    pub bias: Option<Param<Tensor<1>>>,
    /// Number format of the product.
    #[module(skip)]
    pub dtype: Dtype,
}

impl Linear {
    /// A linear layer from `inputs` to `outputs` features; parameters `NAME.weight` and `NAME.bias` (initially zero).
    #[must_use]
    pub fn new(init: &Init, name: &str, inputs: usize, outputs: usize, bias: bool) -> Linear {
        let weight = init.normal(&format!("{name}.weight"), [inputs, outputs]);
        let bias = bias.then(|| init.constant(&format!("{name}.bias"), [outputs], 0.0));
        Linear { weight, bias, dtype: init.dtype }
    }

    /// `[..., in]` to `[..., out]`.
    #[must_use]
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let (weight, bias) = (self.weight.val(), self.bias.as_ref().map(Param::val));
        if !in_bf16(self.dtype, &x.device()) {
            return module::linear(x, weight, bias);
        }
        module::linear(x.cast(BF16), weight.cast(BF16), bias.map(|bias| bias.cast(BF16))).cast(DType::F32)
    }
}

/// Layer normalization over the last dimension, with gain and offset.
#[derive(Module, Debug)]
pub struct LayerNorm {
    /// Gain, `[features]`, initially one.
    pub gamma: Param<Tensor<1>>,
    /// Offset, `[features]`, initially zero.
    pub beta: Param<Tensor<1>>,
    /// Added to the variance for numerical stability.
    #[module(skip)]
    pub epsilon: f64,
}

impl LayerNorm {
    /// A LayerNorm over `features`; parameters `NAME.gamma` and `NAME.beta`.
    #[must_use]
    pub fn new(init: &Init, name: &str, features: usize, epsilon: f64) -> LayerNorm {
        LayerNorm {
            gamma: init.constant(&format!("{name}.gamma"), [features], 1.0),
            beta: init.constant(&format!("{name}.beta"), [features], 0.0),
            epsilon,
        }
    }

    /// `[..., features]` to the same shape.
    #[must_use]
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let (gamma, beta) = (self.gamma.val(), self.beta.val());
        if !fused::on(&x.device()) {
            return module::layer_norm(x, gamma, Some(beta), self.epsilon);
        }
        let shape = x.dims();
        let features = shape[D - 1];
        let rows = shape.iter().product::<usize>() / features.max(1);
        fused::normalize(x.reshape([rows, features]), gamma, beta, self.epsilon).reshape(shape)
    }
}

/// Embedding table: one vector per id.
#[derive(Module, Debug)]
pub struct Embedding {
    /// `[ids, features]`
    pub weight: Param<Tensor<2>>,
}

impl Embedding {
    /// A table for `ids` ids with vectors of `features`; parameter `NAME.weight`.
    #[must_use]
    pub fn new(init: &Init, name: &str, ids: usize, features: usize) -> Embedding {
        Embedding { weight: init.normal(&format!("{name}.weight"), [ids, features]) }
    }

    /// Ids `[batch, positions]` to vectors `[batch, positions, features]`.
    #[must_use]
    pub fn forward(&self, ids: Tensor<2, Int>) -> Tensor<3> {
        module::embedding(self.weight.val(), ids)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn initial_values_and_ids_depend_only_on_the_name() {
        let device = crate::device::open("cpu").unwrap();
        let init = Init::new(3, 0.5, &device);
        let (a, b) = (init.normal("a", [40, 50]), init.normal("b", [40, 50]));
        let again = Init::new(3, 0.5, &device).normal("a", [40, 50]);
        assert_eq!(a.val().to_data(), again.val().to_data());
        assert_eq!(a.id, again.id);
        assert_ne!(a.val().to_data(), b.val().to_data());
        assert_ne!(a.id, b.id);
        let values = a.val().try_into_vec_as::<f32>().unwrap();
        let variance = values.iter().map(|value| value * value).sum::<f32>() / 2000.0;
        assert!((variance - 0.25).abs() < 0.03, "{variance}");
    }
}
