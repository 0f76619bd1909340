//! AdamW with warm-up, linear decay and clipping of the global gradient norm.
//!
//! Decoupled weight decay applies to matrices only; biases and LayerNorms are excluded, as in the published recipe.

use burn::module::{Module, ModuleVisitor, Param, ParamGroup};
use burn::optim::{AdamWConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::Tensor;
use experiment::config::Training;

/// Hyperparameters of AdamW.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Decay rate of the first moment.
    pub beta1: f64,
    /// Decay rate of the second moment.
    pub beta2: f64,
    /// Added to the square root of the second moment.
    pub epsilon: f64,
    /// Decoupled weight decay, multiplied by the learning rate.
    pub weight_decay: f64,
}

impl From<&Training> for Settings {
    fn from(training: &Training) -> Settings {
        let Training { beta1, beta2, epsilon, weight_decay, .. } = *training;
        Settings { beta1, beta2, epsilon, weight_decay }
    }
}

/// AdamW with weight decay on matrices only.
///
/// # Panics
/// Never: the patterns of the parameter group are valid constants.
#[must_use]
pub fn adamw(settings: &Settings) -> ModuleOptimizer {
    let build = |decay: f64| {
        AdamWConfig::new()
            .with_beta_1(settings.beta1 as f32)
            .with_beta_2(settings.beta2 as f32)
            .with_epsilon(settings.epsilon as f32)
            .with_weight_decay(decay as f32)
            .build()
    };
    let undecayed =
        ParamGroup::from_any_regexes(vec![r"(^|\.)bias$", r"(^|\.)gamma$", r"(^|\.)beta$"]).expect("constant patterns");
    ModuleOptimizer::from(build(settings.weight_decay)).with_group(undecayed, build(0.0), None)
}

/// The learning rate at step `step` (from 0) of `steps`: linear warm-up to `peak` over the fraction `warmup` of the steps, then
/// linear decay towards zero.
#[must_use]
pub fn rate(peak: f64, warmup: f64, step: u64, steps: u64) -> f64 {
    let warmup_steps = (warmup * steps as f64).ceil().max(1.0);
    let now = step as f64 + 1.0;
    if now <= warmup_steps {
        peak * now / warmup_steps
    } else {
        peak * (steps as f64 + 1.0 - now) / (steps as f64 + 1.0 - warmup_steps).max(1.0)
    }
}

/// One optimizer step on the gradients of `loss`, whose global L2 norm is clipped at `clip`.
pub fn descend<M: Module>(model: M, optimizer: &mut ModuleOptimizer, loss: &Tensor<1>, clip: f64, rate: f64) -> M {
    let mut gradients = GradientsParams::from_grads(loss.backward(), &model);
    self::clip(&model, &mut gradients, clip);
    optimizer.step(rate, model, gradients)
}

/// Scales all gradients so that their global L2 norm is at most `largest`; returns the norm before clipping.
pub fn clip<M: Module>(module: &M, gradients: &mut GradientsParams, largest: f64) -> f64 {
    let mut squares = Squares { gradients, sum: None };
    module.visit(&mut squares);
    let norm = squares.sum.map_or(0.0, |sum| f64::from(sum.into_scalar::<f32>()).sqrt());
    if norm > largest {
        module.visit(&mut Scale { gradients, factor: largest / norm });
    }
    norm
}

struct Squares<'a> {
    gradients: &'a GradientsParams,
    sum: Option<Tensor<1>>,
}

impl ModuleVisitor for Squares<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.get::<D>(param.id) {
            // Sum one dimension after the other: a full sum of a large tensor depends on the number of threads.
            let dims = gradient.dims();
            let last = dims[D - 1];
            let rows = dims.iter().product::<usize>() / last.max(1);
            let squares =
                gradient.powi_scalar(2).reshape([rows, last]).sum_dim(1).reshape([1, rows]).sum_dim(1).reshape([1]);
            self.sum = Some(match self.sum.take() {
                Some(sum) => sum + squares,
                None => squares,
            });
        }
    }
}

struct Scale<'a> {
    gradients: &'a mut GradientsParams,
    factor: f64,
}

impl ModuleVisitor for Scale<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.remove::<D>(param.id) {
            self.gradients.register(param.id, gradient * self.factor);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn learning_rate_warms_up_then_decays() {
        let rates: Vec<f64> = (0..10).map(|step| rate(1.0, 0.2, step, 10)).collect();
        assert!((rates[0] - 0.5).abs() < 1e-12 && (rates[1] - 1.0).abs() < 1e-12);
        assert!(rates.windows(2).skip(1).all(|pair| pair[1] < pair[0]) && rates[9] > 0.0);
        assert!(rate(1.0, 0.0, 0, 1).is_finite());
    }
}
