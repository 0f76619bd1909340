//! A small convolutional network on one-hot bases: two convolutions, global max pooling, linear layer.

use burn::module::{Module, Param};
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Tensor, TensorData, activation, module};
use experiment::config::Finetuning;

use crate::error::Error;
use crate::fit::{Classify, FitResult, Splits, fit};
use crate::inputs::Inputs;
use crate::layers::{Init, Linear};
use crate::noise::Noise;
use crate::watch::Watch;

/// Filters of each convolution.
const FILTERS: usize = 64;
/// Width of the filters of the first convolution, in bases.
const WIDTH: usize = 11;

/// The small convolutional network.
#[derive(Module, Debug)]
pub struct Cnn {
    first: Param<Tensor<3>>,
    first_bias: Param<Tensor<1>>,
    second: Param<Tensor<3>>,
    second_bias: Param<Tensor<1>>,
    linear: Linear,
}

impl Cnn {
    /// A network with He initialization (He et al. 2015).
    #[must_use]
    pub fn new(seed: u64, classes: usize, device: &Device) -> Cnn {
        let init = |inputs: usize| Init::new(seed, (2.0 / inputs as f64).sqrt(), device);
        Cnn {
            first: init(4 * WIDTH).normal("cnn.first.weight", [FILTERS, 4, WIDTH]),
            first_bias: init(1).constant("cnn.first.bias", [FILTERS], 0.0),
            second: init(FILTERS * 5).normal("cnn.second.weight", [FILTERS, FILTERS, 5]),
            second_bias: init(1).constant("cnn.second.bias", [FILTERS], 0.0),
            linear: Linear::new(&init(2 * FILTERS), "cnn.linear", FILTERS, classes, true),
        }
    }
}

impl Classify for Cnn {
    /// Bases of the sequence.
    type Input = Vec<u8>;

    fn logits(&self, rows: &[&Vec<u8>], _noise: Option<&Noise>, device: &Device) -> (Tensor<2>, Option<Tensor<1>>) {
        let length = rows.iter().map(|row| row.len()).max().unwrap_or(0).max(1);
        let mut one_hot = vec![0.0f32; rows.len() * 4 * length];
        for (number, row) in rows.iter().enumerate() {
            for (i, &base) in row.iter().enumerate() {
                // N and padding are zero in all four channels.
                if let Some(letter) = dna::code(base) {
                    one_hot[(number * 4 + letter) * length + i] = 1.0;
                }
            }
        }
        let x = Tensor::<3>::from_data(TensorData::new(one_hot, [rows.len(), 4, length]), device);
        let same = |width: usize| ConvOptions::<1>::new([1], [width / 2], [1], 1);
        let x = activation::relu(module::conv1d(x, self.first.val(), Some(self.first_bias.val()), same(WIDTH)));
        let x = activation::relu(module::conv1d(x, self.second.val(), Some(self.second_bias.val()), same(5)));
        let pooled = x.max_dim(2).reshape([rows.len(), FILTERS]);
        (self.linear.forward(pooled), None)
    }
}

/// Trains and evaluates the network on a task.
///
/// # Errors
/// As [`fit`], or if there is no task.
pub fn run(seed: u64, settings: &Finetuning, inputs: &Inputs<'_>, watch: &mut Watch<'_>) -> Result<FitResult, Error> {
    let task = inputs.task()?;
    let model = Cnn::new(seed, task.classes as usize, &inputs.device.clone().autodiff());
    fit(seed, model, &Splits::new(task, <[u8]>::to_vec), settings, inputs, watch)
}
