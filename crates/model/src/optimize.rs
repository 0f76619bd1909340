//! AdamW with warm-up, linear decay and clipping of the global gradient norm.
//!
//! Decoupled weight decay applies to matrices only; biases and LayerNorms are excluded, as in the published recipe.

use burn::module::{Module, ModuleVisitor, Param, ParamGroup};
use burn::optim::{
    AdamW, AdamWConfig, AdamWState, AdaptiveMomentumState, GradientsAccumulator, GradientsParams, LearningRate,
    ModuleOptimizer, Optimizer,
};
use burn::tensor::{Device, Tensor};
use experiment::config::Training;

use crate::fused::{self, AdamStep};

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
    let build = |decay: f64| Fused::new(&Settings { weight_decay: decay, ..*settings });
    let undecayed =
        ParamGroup::from_any_regexes(vec![r"(^|\.)bias$", r"(^|\.)gamma$", r"(^|\.)beta$"]).expect("constant patterns");
    ModuleOptimizer::from(build(settings.weight_decay)).with_group(undecayed, build(0.0), None)
}

/// burn's AdamW, on the pure-Rust device in one pass per parameter with equal results.
#[derive(Clone)]
struct Fused {
    composed: AdamW,
    betas: [f32; 2],
    epsilon: f32,
    weight_decay: f32,
}

impl Fused {
    fn new(settings: &Settings) -> Fused {
        let Settings { beta1, beta2, epsilon, weight_decay } = *settings;
        let [beta1, beta2, epsilon, weight_decay] = [beta1, beta2, epsilon, weight_decay].map(|value| value as f32);
        let composed = AdamWConfig::new()
            .with_beta_1(beta1)
            .with_beta_2(beta2)
            .with_epsilon(epsilon)
            .with_weight_decay(weight_decay)
            .build();
        Fused { composed, betas: [beta1, beta2], epsilon, weight_decay }
    }
}

impl Optimizer for Fused {
    type State<const D: usize> = AdamWState<D>;

    fn step<const D: usize>(
        &self,
        rate: LearningRate,
        parameter: Tensor<D>,
        gradient: Tensor<D>,
        state: Option<AdamWState<D>>,
    ) -> (Tensor<D>, Option<AdamWState<D>>) {
        let state = match state {
            // The first step initializes the moments.
            Some(state) if fused::on(&parameter.device()) => state.momentum,
            _ => return self.composed.step(rate, parameter, gradient, state),
        };
        let time = state.time + 1;
        let decay = rate * f64::from(self.weight_decay);
        let step = AdamStep {
            betas: self.betas,
            corrections: self.betas.map(|beta| 1.0 - beta.powi(time as i32)),
            epsilon: self.epsilon,
            keep: (1.0 - decay) as f32,
            rate: rate as f32,
        };
        let (parameter, [first, second]) = fused::adamw(parameter, gradient, [state.moment_1, state.moment_2], step);
        (parameter, Some(AdamWState::new(AdaptiveMomentumState::new(time, first, second))))
    }

    fn to_device<const D: usize>(state: AdamWState<D>, device: &Device) -> AdamWState<D> {
        AdamW::to_device(state, device)
    }
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

/// The gradients of a batch, of which one micro-batch after the other is in memory (gradient accumulation).
pub struct Gradients<M>(GradientsAccumulator<M>);

impl<M> Default for Gradients<M> {
    fn default() -> Gradients<M> {
        Gradients(GradientsAccumulator::new())
    }
}

impl<M: Module> Gradients<M> {
    /// Adds the gradients of the loss of a micro-batch. Their losses sum to that of the batch.
    pub fn add(&mut self, model: &M, loss: &Tensor<1>) {
        self.0.accumulate(model, GradientsParams::from_grads(loss.backward(), model));
    }

    /// One optimizer step on the sum, whose global L2 norm is clipped at `clip`.
    pub fn descend(mut self, model: M, optimizer: &mut ModuleOptimizer, clip: f64, rate: f64) -> M {
        let mut gradients = self.0.grads();
        self::clip(&model, &mut gradients, clip);
        optimizer.step(rate, model, gradients)
    }
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
    fn a_fused_step_equals_the_composed_one_to_the_last_bit() {
        let device = crate::device::open("cpu").unwrap();
        let draw = |name: &str| {
            let values = crate::noise::normal(&mut dataset::stream(5, name), 33_000);
            let values: Vec<f32> = values.iter().map(|value| *value as f32).collect();
            Tensor::<2>::from_data(burn::tensor::TensorData::new(values, [300, 110]), &device)
        };
        for weight_decay in [0.0, 0.1] {
            let optimizer = Fused::new(&Settings { beta1: 0.9, beta2: 0.98, epsilon: 1e-6, weight_decay });
            let (mut fused, mut composed) = (draw("parameter"), draw("parameter"));
            let (mut states, mut last) = ([None, None], composed.to_data());
            for number in 0..20 {
                let rate = 1e-2 / f64::from(number + 1);
                let gradient = draw(&format!("gradient {number}")) * 10_f64.powi(number - 12);
                let [one, two] = states;
                let (next, one) = optimizer.step(rate, fused, gradient.clone(), one);
                let (other, two) = optimizer.composed.step(rate, composed, gradient, two);
                (fused, composed, states) = (next, other, [one, two]);
                assert_eq!(fused.to_data(), composed.to_data(), "step {number}, weight decay {weight_decay}");
                assert_ne!(fused.to_data(), last);
                last = fused.to_data();
            }
            let [one, two] = states.map(|state| state.unwrap().momentum);
            assert_eq!(one.time, two.time);
            assert_eq!(one.moment_1.to_data(), two.moment_1.to_data());
            assert_eq!(one.moment_2.to_data(), two.moment_2.to_data());
        }
    }

    #[test]
    fn learning_rate_warms_up_then_decays() {
        let rates: Vec<f64> = (0..10).map(|step| rate(1.0, 0.2, step, 10)).collect();
        assert!((rates[0] - 0.5).abs() < 1e-12 && (rates[1] - 1.0).abs() < 1e-12);
        assert!(rates.windows(2).skip(1).all(|pair| pair[1] < pair[0]) && rates[9] > 0.0);
        assert!(rate(1.0, 0.0, 0, 1).is_finite());
    }
}
