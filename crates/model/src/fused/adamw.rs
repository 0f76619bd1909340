//! One step of AdamW on one parameter, in one pass over its values.
//!
//! Composed from burn's operations a step reads and writes each value a dozen times, on one thread. The arithmetic here is that of burn's `AdamW`,
//! operation by operation in 32 bits, so that the results are equal to the last bit (tested).

use pulp::Simd;
use rayon::prelude::*;

use super::arithmetic::{Kernel, dispatch};

/// Values that one task computes.
const BLOCK: usize = 1 << 14;

/// The coefficients of one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamStep {
    /// Decay rates of the moments.
    pub betas: [f32; 2],
    /// Corrections of the bias of the moments, `1 - beta^t` at step t.
    pub corrections: [f32; 2],
    /// Added to the square root of the second moment.
    pub epsilon: f32,
    /// Factor of the parameter by decoupled weight decay; 1 without decay, an exact product.
    pub keep: f32,
    /// Learning rate.
    pub rate: f32,
}

/// Updates a parameter and its moments.
pub(super) fn step(step: AdamStep, parameter: &mut [f32], gradient: &[f32], moments: [&mut [f32]; 2]) {
    let [first, second] = moments;
    let blocks = parameter.par_chunks_mut(BLOCK).zip(gradient.par_chunks(BLOCK));
    let blocks = blocks.zip(first.par_chunks_mut(BLOCK).zip(second.par_chunks_mut(BLOCK)));
    blocks.for_each(|((parameter, gradient), (first, second))| {
        dispatch(Update { step, parameter, gradient, first, second });
    });
}

struct Update<'a> {
    step: AdamStep,
    parameter: &'a mut [f32],
    gradient: &'a [f32],
    first: &'a mut [f32],
    second: &'a mut [f32],
}

impl Kernel for Update<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd, const FMA: bool>(self, _: S) {
        let AdamStep { betas, corrections, epsilon, keep, rate } = self.step;
        let news = betas.map(|beta| 1.0 - beta);
        let moments = self.first.iter_mut().zip(self.second);
        for ((value, &gradient), (first, second)) in self.parameter.iter_mut().zip(self.gradient).zip(moments) {
            *first = *first * betas[0] + gradient * news[0];
            *second = *second * betas[1] + gradient * gradient * news[1];
            let delta = *first / corrections[0] / ((*second / corrections[1]).sqrt() + epsilon);
            *value = *value * keep - delta * rate;
        }
    }
}
