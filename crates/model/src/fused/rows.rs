//! GEGLU and LayerNorm, row by row, forward and backward.
//!
//! Rows are cut into blocks of a fixed number, so sums over rows are added in the same order whatever the number of threads.

use rayon::prelude::*;

use super::arithmetic::{LANES, dispatch, fused, multiply_add, normal};

/// Rows per block.
const BLOCK: usize = 64;
/// 1 / sqrt(2 pi).
const PEAK: f32 = 0.398_942_3;

/// `[rows, 2 inner]` to `[rows, inner]`.
pub(super) fn geglu(up: &[f32], inner: usize) -> Vec<f32> {
    let mut out = vec![0.0; up.len() / 2];
    let width = inner.max(1);
    out.par_chunks_mut(BLOCK * width).zip(up.par_chunks(BLOCK * 2 * width)).for_each(|(out, up)| {
        if fused() {
            dispatch(
                #[inline(always)]
                || geglu_block::<true>(out, up, width),
            );
        } else {
            dispatch(
                #[inline(always)]
                || geglu_block::<false>(out, up, width),
            );
        }
    });
    out
}

#[inline(always)]
fn geglu_block<const FMA: bool>(out: &mut [f32], up: &[f32], inner: usize) {
    for (out, up) in out.chunks_exact_mut(inner).zip(up.chunks_exact(2 * inner)) {
        let (gate, value) = up.split_at(inner);
        for ((out, &gate), &value) in out.iter_mut().zip(gate).zip(value) {
            *out = gate * normal::<FMA>(gate).0 * value;
        }
    }
}

/// Gradient of `[rows, inner]` to that of `[rows, 2 inner]`.
pub(super) fn geglu_back(gradient: &[f32], up: &[f32], inner: usize) -> Vec<f32> {
    let mut out = vec![0.0; up.len()];
    let width = inner.max(1);
    let blocks = out.par_chunks_mut(BLOCK * 2 * width).zip(up.par_chunks(BLOCK * 2 * width));
    blocks.zip(gradient.par_chunks(BLOCK * width)).for_each(|((out, up), gradient)| {
        if fused() {
            dispatch(
                #[inline(always)]
                || geglu_back_block::<true>(out, up, gradient, width),
            );
        } else {
            dispatch(
                #[inline(always)]
                || geglu_back_block::<false>(out, up, gradient, width),
            );
        }
    });
    out
}

#[inline(always)]
fn geglu_back_block<const FMA: bool>(out: &mut [f32], up: &[f32], gradient: &[f32], inner: usize) {
    let rows = out.chunks_exact_mut(2 * inner).zip(up.chunks_exact(2 * inner)).zip(gradient.chunks_exact(inner));
    for ((out, up), gradient) in rows {
        let ((gate, value), (to_gate, to_value)) = (up.split_at(inner), out.split_at_mut(inner));
        let numbers = gate.iter().zip(value).zip(gradient);
        for (((&gate, &value), &gradient), (to_gate, to_value)) in numbers.zip(to_gate.iter_mut().zip(to_value)) {
            let (share, bell) = normal::<FMA>(gate);
            *to_gate = gradient * value * multiply_add::<FMA>(gate * PEAK, bell, share);
            *to_value = gradient * gate * share;
        }
    }
}

/// `[rows, features]` to the same shape.
pub(super) fn normalise(x: &[f32], gamma: &[f32], beta: &[f32], epsilon: f32) -> Vec<f32> {
    let features = gamma.len().max(1);
    let mut out = vec![0.0; x.len()];
    out.par_chunks_mut(BLOCK * features).zip(x.par_chunks(BLOCK * features)).for_each(|(out, x)| {
        dispatch(
            #[inline(always)]
            || {
                for (out, x) in out.chunks_exact_mut(features).zip(x.chunks_exact(features)) {
                    let (mean, scale) = moments(x, epsilon);
                    for (((out, x), gamma), beta) in out.iter_mut().zip(x).zip(gamma).zip(beta) {
                        *out = (x - mean) * scale * gamma + beta;
                    }
                }
            },
        );
    });
    out
}

/// Gradients of input, gain and offset.
pub(super) fn normalise_back(
    gradient: &[f32],
    x: &[f32],
    gamma: &[f32],
    epsilon: f32,
) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
    let features = gamma.len().max(1);
    let mut out = vec![0.0; x.len()];
    let blocks = out.par_chunks_mut(BLOCK * features).zip(x.par_chunks(BLOCK * features));
    let parts: Vec<Vec<f32>> = blocks
        .zip(gradient.par_chunks(BLOCK * features))
        .map(|((out, x), gradient)| {
            dispatch(
                #[inline(always)]
                || normalise_back_block(out, x, gradient, gamma, epsilon),
            )
        })
        .collect();
    let mut sums = vec![0.0; 2 * features];
    for part in parts {
        sums.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
    }
    let to_beta = sums.split_off(features);
    (out, sums, to_beta)
}

/// Writes the gradient of the input; gives those of gain and offset, one after the other.
#[inline(always)]
fn normalise_back_block(out: &mut [f32], x: &[f32], gradient: &[f32], gamma: &[f32], epsilon: f32) -> Vec<f32> {
    let features = gamma.len();
    let mut sums = vec![0.0; 2 * features];
    let (to_gamma, to_beta) = sums.split_at_mut(features);
    let mut weighted = vec![0.0; features];
    let mut unit = vec![0.0; features];
    let rows = out.chunks_exact_mut(features).zip(x.chunks_exact(features)).zip(gradient.chunks_exact(features));
    for ((out, x), gradient) in rows {
        let (mean, scale) = moments(x, epsilon);
        for (unit, x) in unit.iter_mut().zip(x) {
            *unit = (x - mean) * scale;
        }
        for (((weighted, gradient), gamma), (unit, (to_gamma, to_beta))) in weighted
            .iter_mut()
            .zip(gradient)
            .zip(gamma)
            .zip(unit.iter().zip(to_gamma.iter_mut().zip(to_beta.iter_mut())))
        {
            *weighted = gradient * gamma;
            *to_gamma += gradient * unit;
            *to_beta += gradient;
        }
        let share = 1.0 / features as f32;
        let first = sum(&weighted, |_, value| value) * share;
        let second = sum(&weighted, |index, value| value * unit[index]) * share;
        for ((out, weighted), unit) in out.iter_mut().zip(&weighted).zip(&unit) {
            *out = scale * (weighted - first - unit * second);
        }
    }
    sums
}

/// Mean and one over the standard deviation.
#[inline(always)]
fn moments(x: &[f32], epsilon: f32) -> (f32, f32) {
    let share = 1.0 / x.len() as f32;
    let mean = sum(x, |_, value| value) * share;
    let variance = sum(x, |_, value| (value - mean) * (value - mean)) * share;
    (mean, 1.0 / (variance + epsilon).sqrt())
}

/// Sum of `f(index, value)`, in lanes.
#[inline(always)]
fn sum(values: &[f32], f: impl Fn(usize, f32) -> f32) -> f32 {
    let mut lanes = [0.0_f32; LANES];
    let mut chunks = values.chunks_exact(LANES);
    let mut start = 0;
    for chunk in &mut chunks {
        for (lane, (sum, value)) in lanes.iter_mut().zip(chunk).enumerate() {
            *sum += f(start + lane, *value);
        }
        start += LANES;
    }
    let rest: f32 = chunks.remainder().iter().enumerate().map(|(lane, value)| f(start + lane, *value)).sum();
    lanes.iter().sum::<f32>() + rest
}
