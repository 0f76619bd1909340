//! Softmax attention with a position code, all heads of a batch, forward and backward.
//!
//! One task per row of the batch and head. Scores of [`TILE`] queries at a time are computed, turned into weights and used
//! while they are in the cache; the backward pass computes them again from the kept logarithm of each query's total. A head
//! that looks one way skips the tiles it cannot see, and padding is never touched.

use std::sync::Arc;

use rayon::prelude::*;

use super::arithmetic::{LANES, dispatch, exponential, fused, matrix, multiply_add, product, product_transposed};

/// Queries at a time; a multiple of [`LANES`].
const TILE: usize = 32;

/// What a query of one head sees: a bias for each distance.
#[derive(Clone, Debug, PartialEq)]
pub struct Slope {
    /// Bias of key `j` for query `i` at `j - i + tokens - 1`: `2 tokens - 1` values.
    pub values: Arc<Vec<f32>>,
    /// Whether keys to the left are seen.
    pub left: bool,
    /// Whether keys to the right are seen.
    pub right: bool,
}

/// Shape, position code and padding of one forward pass.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// Tokens per row, padding included.
    pub tokens: usize,
    /// Real tokens of each row.
    pub lengths: Vec<usize>,
    /// One entry per head.
    pub heads: Vec<Slope>,
}

impl View {
    /// Rows of the flattened batch.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.tokens * self.lengths.len()
    }
}

/// One row and one head, with sizes rounded up.
#[derive(Clone, Copy)]
struct Task<'a> {
    qkv: &'a [f32],
    view: &'a View,
    row: usize,
    head: usize,
    hidden: usize,
    /// Real tokens, and the same rounded up to a multiple of [`TILE`].
    length: usize,
    padded: usize,
    /// Width of a head, and the same rounded up to a multiple of [`LANES`].
    size: usize,
    width: usize,
}

impl<'a> Task<'a> {
    fn new(qkv: &'a [f32], hidden: usize, view: &'a View, index: usize) -> Task<'a> {
        let (row, head) = (index / view.heads.len(), index % view.heads.len());
        let (length, size) = (view.lengths[row].min(view.tokens), hidden / view.heads.len());
        let (padded, width) = (length.next_multiple_of(TILE), size.next_multiple_of(LANES));
        Task { qkv, view, row, head, hidden, length, padded, size, width }
    }

    /// This head's part of a `[batch * tokens, thirds * hidden]` tensor, as `[padded, width]`.
    #[inline(always)]
    fn part(&self, values: &[f32], thirds: usize, third: usize) -> Vec<f32> {
        let mut out = vec![0.0; self.padded * self.width];
        for (token, out) in out.chunks_exact_mut(self.width).take(self.length).enumerate() {
            let start = ((self.row * self.view.tokens + token) * thirds + third) * self.hidden + self.head * self.size;
            out[..self.size].copy_from_slice(&values[start..start + self.size]);
        }
        out
    }

    /// `[padded, width]` to `[width, padded]`, times `scale`.
    #[inline(always)]
    fn transposed(&self, values: &[f32], scale: f32) -> Vec<f32> {
        let mut out = vec![0.0; values.len()];
        for (token, values) in values.chunks_exact(self.width).enumerate() {
            for (feature, value) in values.iter().enumerate() {
                out[feature * self.padded + token] = value * scale;
            }
        }
        out
    }

    fn scale(&self) -> f32 {
        1.0 / (self.size as f32).sqrt()
    }

    /// Columns that some query of the tile from `first` sees, in whole [`LANES`].
    #[inline(always)]
    fn seen(&self, first: usize) -> (usize, usize) {
        let slope = &self.view.heads[self.head];
        let from = if slope.left { 0 } else { first };
        let to = if slope.right { self.padded } else { first + TILE };
        (from, to.min(self.length.next_multiple_of(LANES)))
    }

    /// Adds the position code to the scores of query `query`, of columns `from` on; padding gets minus infinity.
    #[inline(always)]
    fn bias(&self, scores: &mut [f32], query: usize, from: usize) {
        let zero = self.view.tokens - 1 - query + from;
        let real = scores.len().min(self.length - from);
        let values = &self.view.heads[self.head].values[zero..zero + real];
        for (score, value) in scores.iter_mut().zip(values) {
            *score += value;
        }
        scores[real..].fill(f32::NEG_INFINITY);
    }
}

/// Context `[batch * tokens, hidden]`, and the logarithm of each query's total `[batch, heads, tokens]`.
pub(super) fn forward(qkv: &[f32], hidden: usize, view: &View) -> (Vec<f32>, Vec<f32>) {
    let heads = view.heads.len();
    let parts: Vec<(Vec<f32>, Vec<f32>)> = (0..view.lengths.len() * heads)
        .into_par_iter()
        .map(|index| {
            let task = Task::new(qkv, hidden, view, index);
            if fused() {
                dispatch(
                    #[inline(always)]
                    || forward_head::<true>(task),
                )
            } else {
                dispatch(
                    #[inline(always)]
                    || forward_head::<false>(task),
                )
            }
        })
        .collect();
    let mut context = vec![0.0; view.rows() * hidden];
    let mut totals = vec![0.0; view.rows() * heads];
    for (index, (part, total)) in parts.into_iter().enumerate() {
        let task = Task::new(qkv, hidden, view, index);
        totals[index * view.tokens..][..task.length].copy_from_slice(&total);
        place(&mut context, &part, &task, 1, 0);
    }
    (context, totals)
}

/// Writes `[padded, width]` of a task into its place in `[batch * tokens, thirds * hidden]`.
fn place(out: &mut [f32], part: &[f32], task: &Task, thirds: usize, third: usize) {
    for (token, part) in part.chunks_exact(task.width).take(task.length).enumerate() {
        let start = ((task.row * task.view.tokens + token) * thirds + third) * task.hidden + task.head * task.size;
        out[start..start + task.size].copy_from_slice(&part[..task.size]);
    }
}

#[inline(always)]
fn forward_head<const FMA: bool>(task: Task) -> (Vec<f32>, Vec<f32>) {
    let (padded, width) = (task.padded, task.width);
    let query = task.transposed(&task.part(task.qkv, 3, 0), task.scale());
    let key = task.transposed(&task.part(task.qkv, 3, 1), 1.0);
    let value = task.part(task.qkv, 3, 2);
    let mut context = vec![0.0; padded * width];
    let mut totals = vec![0.0; task.length];
    let mut scores = vec![0.0; TILE * padded];
    for first in (0..padded).step_by(TILE) {
        let (from, to) = task.seen(first);
        let (left, right) = (matrix(&query, first, padded), matrix(&key, from, padded));
        product_transposed::<FMA>([TILE, to - from, width], left, right, &mut scores, padded, false);
        let mut inverse = [0.0_f32; TILE];
        for (index, scores) in scores.chunks_exact_mut(padded).enumerate() {
            let scores = &mut scores[..to - from];
            let query = first + index;
            if query >= task.length {
                scores.fill(0.0);
                continue;
            }
            task.bias(scores, query, from);
            let mut high = [f32::NEG_INFINITY; LANES];
            for scores in scores.chunks_exact(LANES) {
                for (high, score) in high.iter_mut().zip(scores) {
                    *high = if *score > *high { *score } else { *high };
                }
            }
            let high = high.iter().fold(f32::NEG_INFINITY, |a, &b| if b > a { b } else { a });
            let mut sums = [0.0_f32; LANES];
            for scores in scores.chunks_exact_mut(LANES) {
                for (sum, score) in sums.iter_mut().zip(scores) {
                    *score = exponential::<FMA>(*score - high);
                    *sum += *score;
                }
            }
            let total: f32 = sums.iter().sum();
            inverse[index] = 1.0 / total;
            totals[query] = high + total.ln();
        }
        let (weights, right) = (matrix(&scores, 0, padded), matrix(&value, from * width, width));
        let out = &mut context[first * width..(first + TILE) * width];
        product::<FMA>([TILE, width, to - from], weights, right, out, width, false);
        for (out, inverse) in out.chunks_exact_mut(width).zip(inverse) {
            out.iter_mut().for_each(|value| *value *= inverse);
        }
    }
    (context, totals)
}

/// Gradient of the context to that of `qkv`, `[batch * tokens, 3 hidden]`.
pub(super) fn backward(
    gradient: &[f32],
    qkv: &[f32],
    context: &[f32],
    totals: &[f32],
    hidden: usize,
    view: &View,
) -> Vec<f32> {
    let heads = view.heads.len();
    let parts: Vec<[Vec<f32>; 3]> = (0..view.lengths.len() * heads)
        .into_par_iter()
        .map(|index| {
            let task = Task::new(qkv, hidden, view, index);
            let totals = &totals[index * view.tokens..][..task.length];
            if fused() {
                dispatch(
                    #[inline(always)]
                    || backward_head::<true>(task, gradient, context, totals),
                )
            } else {
                dispatch(
                    #[inline(always)]
                    || backward_head::<false>(task, gradient, context, totals),
                )
            }
        })
        .collect();
    let mut out = vec![0.0; view.rows() * 3 * hidden];
    for (index, parts) in parts.into_iter().enumerate() {
        let task = Task::new(qkv, hidden, view, index);
        for (third, part) in parts.into_iter().enumerate() {
            place(&mut out, &part, &task, 3, third);
        }
    }
    out
}

#[inline(always)]
fn backward_head<const FMA: bool>(task: Task, gradient: &[f32], context: &[f32], totals: &[f32]) -> [Vec<f32>; 3] {
    let (padded, width) = (task.padded, task.width);
    let mut query = task.part(task.qkv, 3, 0);
    query.iter_mut().for_each(|value| *value *= task.scale());
    let (key, value) = (task.part(task.qkv, 3, 1), task.part(task.qkv, 3, 2));
    let (gradient, context) = (task.part(gradient, 1, 0), task.part(context, 1, 0));
    let query_t = task.transposed(&query, 1.0);
    let key_t = task.transposed(&key, 1.0);
    let value_t = task.transposed(&value, 1.0);
    let gradient_t = task.transposed(&gradient, 1.0);

    let [mut to_query, mut to_key, mut to_value] = [(); 3].map(|()| vec![0.0; padded * width]);
    let mut weights = vec![0.0; TILE * padded];
    let mut slopes = vec![0.0; TILE * padded];
    for first in (0..padded).step_by(TILE) {
        let (from, to) = task.seen(first);
        let shape = [TILE, to - from, width];
        let (left, right) = (matrix(&query_t, first, padded), matrix(&key_t, from, padded));
        product_transposed::<FMA>(shape, left, right, &mut weights, padded, false);
        let (left, right) = (matrix(&gradient_t, first, padded), matrix(&value_t, from, padded));
        product_transposed::<FMA>(shape, left, right, &mut slopes, padded, false);
        for (index, (weights, slopes)) in
            weights.chunks_exact_mut(padded).zip(slopes.chunks_exact_mut(padded)).enumerate()
        {
            let (weights, slopes) = (&mut weights[..to - from], &mut slopes[..to - from]);
            let query = first + index;
            if query >= task.length {
                weights.fill(0.0);
                slopes.fill(0.0);
                continue;
            }
            task.bias(weights, query, from);
            let (own, out) = (&gradient[query * width..][..width], &context[query * width..][..width]);
            let mean = own.iter().zip(out).fold(0.0, |sum, (a, b)| multiply_add::<FMA>(*a, *b, sum));
            let total = totals[query];
            for (weight, slope) in weights.iter_mut().zip(slopes) {
                *weight = exponential::<FMA>(*weight - total);
                *slope = *weight * (*slope - mean);
            }
        }
        // Keys are rows here: as many as were seen, which is a multiple of LANES.
        let shape = [to - from, width, TILE];
        let (weights, slopes) = (matrix(&weights, 0, padded), matrix(&slopes, 0, padded));
        let (own, start) = (first * width, from * width);
        product_transposed::<FMA>(shape, weights, matrix(&gradient, own, width), &mut to_value[start..], width, true);
        product_transposed::<FMA>(shape, slopes, matrix(&query, own, width), &mut to_key[start..], width, true);
        let out = &mut to_query[own..own + TILE * width];
        product::<FMA>([TILE, width, to - from], slopes, matrix(&key, start, width), out, width, false);
    }
    to_query.iter_mut().for_each(|value| *value *= task.scale());
    [to_query, to_key, to_value]
}
