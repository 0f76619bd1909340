//! Softmax attention with a position code, all heads of a batch, forward and backward.
//!
//! One task per row of the batch and head. Scores of [`TILE`] queries at a time are computed, turned into weights and used
//! while they are in the cache; the backward pass computes them again from the kept logarithm of each query's total. A head
//! that looks one way skips the tiles it cannot see, and padding is never touched.

use std::sync::Arc;

use pulp::Simd;
use rayon::prelude::*;

use super::arithmetic::{
    Kernel, LANES, Product, dispatch, exponential, matrix, multiply_add, product, product_transposed,
};

/// Queries at a time; a multiple of [`LANES`].
const TILE: usize = 32;

/// What the queries of one head see: a bias for each distance.
#[derive(Clone, Debug, PartialEq)]
pub struct Slope {
    /// Bias of key `j` for query `i` at `j - i + tokens - 1`: `2 tokens - 1` values. Empty: no bias.
    pub values: Arc<Vec<f32>>,
    /// Whether keys to the left are seen.
    pub left: bool,
    /// Whether keys to the right are seen.
    pub right: bool,
}

/// Shape, position code and padding of one forward pass.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// Queries per row and keys per row, padding included.
    pub tokens: [usize; 2],
    /// Real queries and real keys of each row.
    pub lengths: [Vec<usize>; 2],
    /// One entry per head.
    pub heads: Vec<Slope>,
}

impl View {
    /// Number of tasks: rows of the batch times heads.
    fn tasks(&self) -> usize {
        self.lengths[0].len() * self.heads.len()
    }

    /// Rows of the flattened batch of queries (0) or keys (1).
    #[must_use]
    pub fn rows(&self, side: usize) -> usize {
        self.tokens[side] * self.lengths[side].len()
    }
}

/// Where queries, keys or values lie: the columns from `block * hidden` on of a `[batch * tokens, blocks * hidden]` tensor.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) values: &'a [f32],
    pub(super) blocks: usize,
    pub(super) block: usize,
}

/// What attention reads.
#[derive(Clone, Copy)]
pub(super) struct Inputs<'a> {
    pub(super) query: Source<'a>,
    pub(super) key: Source<'a>,
    pub(super) value: Source<'a>,
    pub(super) hidden: usize,
    pub(super) view: &'a View,
}

/// One row of the batch and one head, with sizes rounded up. Sides: 0 queries, 1 keys.
#[derive(Clone, Copy)]
struct Task<'a> {
    inputs: Inputs<'a>,
    row: usize,
    head: usize,
    /// Real tokens of each side, and the same rounded up to a multiple of [`TILE`].
    length: [usize; 2],
    padded: [usize; 2],
    /// Width of a head, and the same rounded up to a multiple of [`LANES`].
    size: usize,
    width: usize,
}

impl<'a> Task<'a> {
    fn new(inputs: Inputs<'a>, index: usize) -> Task<'a> {
        let view = inputs.view;
        let (row, head) = (index / view.heads.len(), index % view.heads.len());
        let length = [0, 1].map(|side| view.lengths[side][row].min(view.tokens[side]));
        let size = inputs.hidden / view.heads.len();
        let padded = length.map(|length| length.next_multiple_of(TILE));
        Task { inputs, row, head, length, padded, size, width: size.next_multiple_of(LANES) }
    }

    /// First number of this head's part of a token.
    #[inline(always)]
    fn start(&self, side: usize, token: usize, blocks: usize, block: usize) -> usize {
        let row = self.row * self.inputs.view.tokens[side] + token;
        (row * blocks + block) * self.inputs.hidden + self.head * self.size
    }

    /// This head's part of a source, times `scale`: `[padded, width]`.
    #[inline(always)]
    fn part(&self, side: usize, source: Source, scale: f32) -> Vec<f32> {
        let mut out = vec![0.0; self.padded[side] * self.width];
        for (token, out) in out.chunks_exact_mut(self.width).take(self.length[side]).enumerate() {
            let start = self.start(side, token, source.blocks, source.block);
            for (out, value) in out.iter_mut().zip(&source.values[start..start + self.size]) {
                *out = value * scale;
            }
        }
        out
    }

    /// `[padded, width]` to `[width, padded]`.
    #[inline(always)]
    fn transposed(&self, side: usize, values: &[f32]) -> Vec<f32> {
        let mut out = vec![0.0; values.len()];
        for (token, values) in values.chunks_exact(self.width).enumerate() {
            for (feature, value) in values.iter().enumerate() {
                out[feature * self.padded[side] + token] = *value;
            }
        }
        out
    }

    /// Writes `[padded, width]` into its place in `[batch * tokens, blocks * hidden]`.
    fn place(&self, out: &mut [f32], part: &[f32], side: usize, blocks: usize, block: usize) {
        for (token, part) in part.chunks_exact(self.width).take(self.length[side]).enumerate() {
            let start = self.start(side, token, blocks, block);
            out[start..start + self.size].copy_from_slice(&part[..self.size]);
        }
    }

    fn scale(&self) -> f32 {
        1.0 / (self.size as f32).sqrt()
    }

    /// Columns that some query of the tile from `first` sees, in whole [`LANES`].
    #[inline(always)]
    fn seen(&self, first: usize) -> (usize, usize) {
        let slope = &self.inputs.view.heads[self.head];
        let from = if slope.left { 0 } else { first };
        let to = if slope.right { self.padded[1] } else { first + TILE };
        (from, to.min(self.length[1].next_multiple_of(LANES)))
    }

    /// Adds the position code to the scores of `query`, of columns `from` on; padding gets minus infinity.
    #[inline(always)]
    fn bias(&self, scores: &mut [f32], query: usize, from: usize) {
        let real = scores.len().min(self.length[1] - from);
        let values = &self.inputs.view.heads[self.head].values;
        if !values.is_empty() {
            let zero = self.inputs.view.tokens[1] - 1 - query + from;
            for (score, value) in scores.iter_mut().zip(&values[zero..zero + real]) {
                *score += value;
            }
        }
        scores[real..].fill(f32::NEG_INFINITY);
    }
}

/// Context `[batch * queries, hidden]`, and the logarithm of each query's total `[batch, heads, queries]`.
pub(super) fn forward(inputs: Inputs) -> (Vec<f32>, Vec<f32>) {
    let view = inputs.view;
    let tasks = (0..view.tasks()).into_par_iter().map(|index| Task::new(inputs, index));
    let parts: Vec<_> = tasks.map(|task| (task, dispatch(Forward(task)))).collect();
    let mut context = vec![0.0; view.rows(0) * inputs.hidden];
    let mut totals = vec![0.0; view.rows(0) * view.heads.len()];
    for (index, (task, (part, total))) in parts.iter().enumerate() {
        totals[index * view.tokens[0]..][..task.length[0]].copy_from_slice(total);
        task.place(&mut context, part, 0, 1, 0);
    }
    (context, totals)
}

struct Forward<'a>(Task<'a>);

impl Kernel for Forward<'_> {
    /// Context of the head, `[padded, width]`, and the logarithm of each query's total.
    type Output = (Vec<f32>, Vec<f32>);

    #[inline(always)]
    fn run<S: Simd, const FMA: bool>(self, simd: S) -> (Vec<f32>, Vec<f32>) {
        let task = self.0;
        let ([queries, keys], width) = (task.padded, task.width);
        let mut context = vec![0.0; queries * width];
        let mut totals = vec![0.0; task.length[0]];
        if keys == 0 {
            return (context, totals);
        }
        let query = task.transposed(0, &task.part(0, task.inputs.query, task.scale()));
        let key = task.transposed(1, &task.part(1, task.inputs.key, 1.0));
        let value = task.part(1, task.inputs.value, 1.0);
        let mut scores = vec![0.0; TILE * keys];
        for first in (0..queries).step_by(TILE) {
            let (from, to) = task.seen(first);
            let (left, right) = (matrix(&query, first, queries), matrix(&key, from, keys));
            let shape = Product { rows: TILE, columns: to - from, inner: width, add: false };
            product_transposed(simd, shape, left, right, &mut scores, keys);
            let mut inverse = [0.0_f32; TILE];
            for (index, scores) in scores.chunks_exact_mut(keys).enumerate() {
                let scores = &mut scores[..to - from];
                let query = first + index;
                if query >= task.length[0] {
                    scores.fill(0.0);
                    continue;
                }
                task.bias(scores, query, from);
                let high = highest(scores);
                let total = exponentials::<FMA>(scores, high);
                inverse[index] = 1.0 / total;
                totals[query] = high + total.ln();
            }
            let (weights, right) = (matrix(&scores, 0, keys), matrix(&value, from * width, width));
            let out = &mut context[first * width..(first + TILE) * width];
            let shape = Product { rows: TILE, columns: width, inner: to - from, add: false };
            product(simd, shape, weights, right, out, width);
            for (out, inverse) in out.chunks_exact_mut(width).zip(inverse) {
                out.iter_mut().for_each(|value| *value *= inverse);
            }
        }
        (context, totals)
    }
}

/// The highest score, found in lanes.
#[inline(always)]
fn highest(scores: &[f32]) -> f32 {
    let mut high = [f32::NEG_INFINITY; LANES];
    for scores in scores.chunks_exact(LANES) {
        for (high, score) in high.iter_mut().zip(scores) {
            *high = if *score > *high { *score } else { *high };
        }
    }
    high.iter().fold(f32::NEG_INFINITY, |a, &b| if b > a { b } else { a })
}

/// Turns scores into `exp(score - high)` and gives their sum.
#[inline(always)]
fn exponentials<const FMA: bool>(scores: &mut [f32], high: f32) -> f32 {
    let mut sums = [0.0_f32; LANES];
    for scores in scores.chunks_exact_mut(LANES) {
        for (sum, score) in sums.iter_mut().zip(scores) {
            *score = exponential::<FMA>(*score - high);
            *sum += *score;
        }
    }
    sums.iter().sum()
}

/// What the forward pass left for the backward pass, and the gradient of the context, all `[batch * queries, hidden]` but
/// the totals `[batch, heads, queries]`.
#[derive(Clone, Copy)]
pub(super) struct Kept<'a> {
    pub(super) gradient: &'a [f32],
    pub(super) context: &'a [f32],
    pub(super) totals: &'a [f32],
}

/// Gradients of queries, keys and values, added to nothing: `place` says for each of the three which of `outs` it goes to,
/// how many blocks of `hidden` columns that has, and which block it is.
pub(super) fn backward(inputs: Inputs, kept: Kept, place: [(usize, usize, usize); 3], outs: &mut [Vec<f32>]) {
    let view = inputs.view;
    let tasks = (0..view.tasks()).into_par_iter().map(|index| {
        let task = Task::new(inputs, index);
        let totals = &kept.totals[index * view.tokens[0]..][..task.length[0]];
        (task, Kept { totals, ..kept })
    });
    let parts: Vec<(Task, [Vec<f32>; 3])> =
        tasks.map(|(task, kept)| (task, dispatch(Backward { task, kept }))).collect();
    for (task, parts) in &parts {
        for (which, (part, (out, blocks, block))) in parts.iter().zip(place).enumerate() {
            task.place(&mut outs[out], part, usize::from(which > 0), blocks, block);
        }
    }
}

struct Backward<'a> {
    task: Task<'a>,
    kept: Kept<'a>,
}

impl Kernel for Backward<'_> {
    /// Gradients of queries, keys and values of the head, `[padded, width]` each.
    type Output = [Vec<f32>; 3];

    #[inline(always)]
    fn run<S: Simd, const FMA: bool>(self, simd: S) -> [Vec<f32>; 3] {
        let Backward { task, kept } = self;
        let ([queries, keys], width, inputs) = (task.padded, task.width, task.inputs);
        let mut to_query = vec![0.0; queries * width];
        let [mut to_key, mut to_value] = [(); 2].map(|()| vec![0.0; keys * width]);
        if keys == 0 {
            return [to_query, to_key, to_value];
        }
        let whole = |values| Source { values, blocks: 1, block: 0 };
        let query = task.part(0, inputs.query, task.scale());
        let (key, value) = (task.part(1, inputs.key, 1.0), task.part(1, inputs.value, 1.0));
        let gradient = task.part(0, whole(kept.gradient), 1.0);
        let context = task.part(0, whole(kept.context), 1.0);
        let (query_t, gradient_t) = (task.transposed(0, &query), task.transposed(0, &gradient));
        let (key_t, value_t) = (task.transposed(1, &key), task.transposed(1, &value));
        let mut weights = vec![0.0; TILE * keys];
        let mut slopes = vec![0.0; TILE * keys];
        for first in (0..queries).step_by(TILE) {
            let (from, to) = task.seen(first);
            let shape = Product { rows: TILE, columns: to - from, inner: width, add: false };
            let (left, right) = (matrix(&query_t, first, queries), matrix(&key_t, from, keys));
            product_transposed(simd, shape, left, right, &mut weights, keys);
            let (left, right) = (matrix(&gradient_t, first, queries), matrix(&value_t, from, keys));
            product_transposed(simd, shape, left, right, &mut slopes, keys);
            let rows = weights.chunks_exact_mut(keys).zip(slopes.chunks_exact_mut(keys));
            for (query, (weights, slopes)) in (first..).zip(rows) {
                let (weights, slopes) = (&mut weights[..to - from], &mut slopes[..to - from]);
                if query >= task.length[0] {
                    weights.fill(0.0);
                    slopes.fill(0.0);
                    continue;
                }
                task.bias(weights, query, from);
                let (own, out) = (&gradient[query * width..][..width], &context[query * width..][..width]);
                let mean = own.iter().zip(out).fold(0.0, |sum, (a, b)| multiply_add::<FMA>(*a, *b, sum));
                let total = kept.totals[query];
                for (weight, slope) in weights.iter_mut().zip(slopes) {
                    *weight = exponential::<FMA>(*weight - total);
                    *slope = *weight * (*slope - mean);
                }
            }
            // Keys are the rows here: as many as were seen, a multiple of LANES.
            let shape = Product { rows: to - from, columns: width, inner: TILE, add: true };
            let (weights, slopes) = (matrix(&weights, 0, keys), matrix(&slopes, 0, keys));
            let (own, start) = (first * width, from * width);
            product_transposed(simd, shape, weights, matrix(&gradient, own, width), &mut to_value[start..], width);
            product_transposed(simd, shape, slopes, matrix(&query, own, width), &mut to_key[start..], width);
            let shape = Product { rows: TILE, columns: width, inner: to - from, add: false };
            let out = &mut to_query[own..own + TILE * width];
            product(simd, shape, slopes, matrix(&key, start, width), out, width);
        }
        to_query.iter_mut().for_each(|value| *value *= task.scale());
        [to_query, to_key, to_value]
    }
}
