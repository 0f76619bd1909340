//! Gated activations and LayerNorm by rows, forward and backward.
//!
//! Rows are divided into blocks of fixed size, so that the order of summation does not depend on the number of threads.

use pulp::Simd;
use rayon::prelude::*;

use super::arithmetic::{Kernel, LANES, dispatch, logistic, multiply_add, normal};

/// Rows per block.
const BLOCK: usize = 64;
/// 1 / sqrt(2 pi).
const PEAK: f32 = 0.398_942_3;

/// GELU (or SiLU) of the first half of the columns times the second half: `[rows, 2 inner]` to `[rows, inner]`.
pub(super) fn gated(up: &[f32], inner: usize, gelu: bool) -> Vec<f32> {
    let mut out = vec![0.0; up.len() / 2];
    let inner = inner.max(1);
    let blocks = out.par_chunks_mut(BLOCK * inner).zip(up.par_chunks(BLOCK * 2 * inner));
    blocks.for_each(|(out, up)| dispatch(Gated { out, up, inner, gelu }));
    out
}

struct Gated<'a> {
    out: &'a mut [f32],
    up: &'a [f32],
    inner: usize,
    gelu: bool,
}

impl Kernel for Gated<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd, const FMA: bool>(self, _: S) {
        for (out, up) in self.out.chunks_exact_mut(self.inner).zip(self.up.chunks_exact(2 * self.inner)) {
            let (gate, value) = up.split_at(self.inner);
            if self.gelu {
                for ((out, &gate), &value) in out.iter_mut().zip(gate).zip(value) {
                    *out = gate * normal::<FMA>(gate).0 * value;
                }
            } else {
                for ((out, &gate), &value) in out.iter_mut().zip(gate).zip(value) {
                    *out = gate * logistic::<FMA>(gate) * value;
                }
            }
        }
    }
}

/// Gradient of [`gated`]: from `[rows, inner]` to `[rows, 2 inner]`.
pub(super) fn gated_backward(gradient: &[f32], up: &[f32], inner: usize, gelu: bool) -> Vec<f32> {
    let mut out = vec![0.0; up.len()];
    let inner = inner.max(1);
    let blocks = out.par_chunks_mut(BLOCK * 2 * inner).zip(up.par_chunks(BLOCK * 2 * inner));
    let blocks = blocks.zip(gradient.par_chunks(BLOCK * inner));
    blocks.for_each(|((out, up), gradient)| dispatch(GatedBackward { out, up, gradient, inner, gelu }));
    out
}

struct GatedBackward<'a> {
    out: &'a mut [f32],
    up: &'a [f32],
    gradient: &'a [f32],
    inner: usize,
    gelu: bool,
}

impl Kernel for GatedBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd, const FMA: bool>(self, _: S) {
        let rows = self.out.chunks_exact_mut(2 * self.inner).zip(self.up.chunks_exact(2 * self.inner));
        for ((out, up), gradient) in rows.zip(self.gradient.chunks_exact(self.inner)) {
            let ((gate, value), (to_gate, to_value)) = (up.split_at(self.inner), out.split_at_mut(self.inner));
            let numbers = gate.iter().zip(value).zip(gradient).zip(to_gate.iter_mut().zip(to_value));
            if self.gelu {
                for (((&gate, &value), &gradient), (to_gate, to_value)) in numbers {
                    let (probability, bell) = normal::<FMA>(gate);
                    *to_gate = gradient * value * multiply_add::<FMA>(gate * PEAK, bell, probability);
                    *to_value = gradient * gate * probability;
                }
            } else {
                for (((&gate, &value), &gradient), (to_gate, to_value)) in numbers {
                    let sigmoid = logistic::<FMA>(gate);
                    *to_gate = gradient * value * sigmoid * multiply_add::<FMA>(gate, 1.0 - sigmoid, 1.0);
                    *to_value = gradient * gate * sigmoid;
                }
            }
        }
    }
}

/// LayerNorm over the features: `[rows, features]` to the same shape.
pub(super) fn normalize(x: &[f32], gamma: &[f32], beta: &[f32], epsilon: f32) -> Vec<f32> {
    let mut out = vec![0.0; x.len()];
    let width = BLOCK * gamma.len().max(1);
    let blocks = out.par_chunks_mut(width).zip(x.par_chunks(width));
    blocks.for_each(|(out, x)| dispatch(Normalize { out, x, gamma, beta, epsilon }));
    out
}

struct Normalize<'a> {
    out: &'a mut [f32],
    x: &'a [f32],
    gamma: &'a [f32],
    beta: &'a [f32],
    epsilon: f32,
}

impl Kernel for Normalize<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd, const FMA: bool>(self, _: S) {
        let features = self.gamma.len();
        for (out, x) in self.out.chunks_exact_mut(features).zip(self.x.chunks_exact(features)) {
            let (mean, scale) = moments(x, self.epsilon);
            for (((out, x), gamma), beta) in out.iter_mut().zip(x).zip(self.gamma).zip(self.beta) {
                *out = (x - mean) * scale * gamma + beta;
            }
        }
    }
}

/// Gradients of input, gain and offset.
pub(super) fn normalize_backward(
    gradient: &[f32],
    x: &[f32],
    gamma: &[f32],
    epsilon: f32,
) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
    let mut out = vec![0.0; x.len()];
    let width = BLOCK * gamma.len().max(1);
    let blocks = out.par_chunks_mut(width).zip(x.par_chunks(width)).zip(gradient.par_chunks(width));
    let parts: Vec<Vec<f32>> =
        blocks.map(|((out, x), gradient)| dispatch(NormalizeBackward { out, x, gradient, gamma, epsilon })).collect();
    let mut sums = vec![0.0; 2 * gamma.len()];
    for part in parts {
        sums.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
    }
    let to_beta = sums.split_off(gamma.len());
    (out, sums, to_beta)
}

struct NormalizeBackward<'a> {
    out: &'a mut [f32],
    x: &'a [f32],
    gradient: &'a [f32],
    gamma: &'a [f32],
    epsilon: f32,
}

impl Kernel for NormalizeBackward<'_> {
    /// Gradients of gain and offset, concatenated.
    type Output = Vec<f32>;

    #[inline(always)]
    fn run<S: Simd, const FMA: bool>(self, _: S) -> Vec<f32> {
        let features = self.gamma.len();
        let mut sums = vec![0.0; 2 * features];
        let (to_gamma, to_beta) = sums.split_at_mut(features);
        let (mut weighted, mut unit) = (vec![0.0; features], vec![0.0; features]);
        let rows = self.out.chunks_exact_mut(features).zip(self.x.chunks_exact(features));
        for ((out, x), gradient) in rows.zip(self.gradient.chunks_exact(features)) {
            let (mean, scale) = moments(x, self.epsilon);
            for (unit, x) in unit.iter_mut().zip(x) {
                *unit = (x - mean) * scale;
            }
            for ((weighted, gradient), gamma) in weighted.iter_mut().zip(gradient).zip(self.gamma) {
                *weighted = gradient * gamma;
            }
            for ((to_gamma, gradient), unit) in to_gamma.iter_mut().zip(gradient).zip(&unit) {
                *to_gamma += gradient * unit;
            }
            for (to_beta, gradient) in to_beta.iter_mut().zip(gradient) {
                *to_beta += gradient;
            }
            let inverse = 1.0 / features as f32;
            let first = sum(&weighted, &weighted, |value, _| value) * inverse;
            let second = sum(&weighted, &unit, |value, unit| value * unit) * inverse;
            for ((out, weighted), unit) in out.iter_mut().zip(&weighted).zip(&unit) {
                *out = scale * (weighted - first - unit * second);
            }
        }
        sums
    }
}

/// Mean and reciprocal of the standard deviation.
#[inline(always)]
fn moments(x: &[f32], epsilon: f32) -> (f32, f32) {
    let inverse = 1.0 / x.len() as f32;
    let mean = sum(x, x, |value, _| value) * inverse;
    let variance = sum(x, x, |value, _| (value - mean) * (value - mean)) * inverse;
    (mean, 1.0 / (variance + epsilon).sqrt())
}

/// Sum of `f(a, b)` over two slices of equal length, computed in vector lanes.
#[inline(always)]
fn sum(a: &[f32], b: &[f32], f: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = [0.0_f32; LANES];
    for (a, b) in a.chunks_exact(LANES).zip(b.chunks_exact(LANES)) {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += f(*a, *b);
        }
    }
    let whole = a.len() / LANES * LANES;
    let rest: f32 = a[whole..].iter().zip(&b[whole..]).map(|(a, b)| f(*a, *b)).sum();
    lanes.iter().sum::<f32>() + rest
}
