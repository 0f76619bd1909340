//! Softmax attention with position bias for all heads of a batch, forward and backward.
//!
//! The work is divided into tiles, one per sequence and head. A tile computes the scores of [`QUERIES`] queries at a time and
//! converts them to weights and context while they are in the cache; the backward pass recomputes them from the saved
//! log-sum-exp of each query. Heads that attend in one direction skip masked keys, and padding is never read.

use std::sync::Arc;

use pulp::Simd;
use rayon::prelude::*;

use super::arithmetic::{
    Kernel, LANES, Product, dispatch, exponential, matrix, multiply_add, product, product_transposed,
};

/// Queries that are processed together; a multiple of [`LANES`].
const QUERIES: usize = 32;

/// Attention bias of one head, as a function of the distance between query and key.
#[derive(Clone, Debug, PartialEq)]
pub struct HeadBias {
    /// Bias of key `j` for query `i` at `j - i + tokens - 1`: `2 tokens - 1` values. Empty if there is no bias.
    pub values: Arc<Vec<f32>>,
    /// Bias per unit of distance, with the sign changed; used where tokens have centres.
    pub slope: f32,
    /// Whether queries attend to keys on their left.
    pub left: bool,
    /// Whether queries attend to keys on their right.
    pub right: bool,
}

/// Shape, position bias and padding of one forward pass.
#[derive(Clone, Debug, PartialEq)]
pub struct AttentionMask {
    /// Queries per sequence and keys per sequence, padding included.
    pub tokens: [usize; 2],
    /// Queries and keys of each sequence, padding excluded.
    pub lengths: [Vec<usize>; 2],
    /// Bias of each head.
    pub heads: Vec<HeadBias>,
    /// Centres of the tokens of a self-attention, `[batch * tokens]`: distances are between these instead of between indices.
    pub centers: Option<Vec<f32>>,
    /// Which token each query of a self-attention is, `[batch * queries]`, ascending in each sequence; `None`: query `i` is token `i`.
    pub queries: Option<Vec<usize>>,
}

impl AttentionMask {
    /// The mask for the tokens `places` of each sequence as the only queries, padded to the longest list.
    #[must_use]
    pub fn at(&self, places: &[Vec<usize>]) -> AttentionMask {
        let padded = padded(places);
        AttentionMask {
            tokens: [padded.first().map_or(0, Vec::len), self.tokens[1]],
            lengths: [places.iter().map(Vec::len).collect(), self.lengths[1].clone()],
            queries: Some(padded.concat()),
            ..self.clone()
        }
    }

    /// Number of tiles: sequences times heads.
    fn tiles(&self) -> usize {
        self.lengths[0].len() * self.heads.len()
    }

    /// Rows of the flattened batch of queries (0) or keys (1).
    #[must_use]
    pub fn rows(&self, side: usize) -> usize {
        self.tokens[side] * self.lengths[side].len()
    }
}

/// Lists of token indices, padded with 0 to the longest.
#[must_use]
pub fn padded(places: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let most = places.iter().map(Vec::len).max().unwrap_or(0);
    places.iter().map(|row| row.iter().copied().chain(std::iter::repeat(0)).take(most).collect()).collect()
}

/// Location of queries, keys or values: columns from `block * hidden` of a `[batch * tokens, blocks * hidden]` tensor.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) values: &'a [f32],
    pub(super) blocks: usize,
    pub(super) block: usize,
}

/// Inputs of attention.
#[derive(Clone, Copy)]
pub(super) struct Inputs<'a> {
    pub(super) query: Source<'a>,
    pub(super) key: Source<'a>,
    pub(super) value: Source<'a>,
    pub(super) hidden: usize,
    pub(super) mask: &'a AttentionMask,
}

/// The unit of parallel work: one sequence and one head, with sizes rounded up. Sides: 0 queries, 1 keys.
#[derive(Clone, Copy)]
struct Tile<'a> {
    inputs: Inputs<'a>,
    row: usize,
    head: usize,
    /// Tokens of each side without padding, and the same rounded up to a multiple of [`QUERIES`].
    length: [usize; 2],
    padded: [usize; 2],
    /// Width of a head, and the same rounded up to a multiple of [`LANES`].
    size: usize,
    width: usize,
}

impl<'a> Tile<'a> {
    fn new(inputs: Inputs<'a>, index: usize) -> Tile<'a> {
        let mask = inputs.mask;
        let (row, head) = (index / mask.heads.len(), index % mask.heads.len());
        let length = [0, 1].map(|side| mask.lengths[side][row].min(mask.tokens[side]));
        let size = inputs.hidden / mask.heads.len();
        let padded = length.map(|length| length.next_multiple_of(QUERIES));
        Tile { inputs, row, head, length, padded, size, width: size.next_multiple_of(LANES) }
    }

    /// Index of the first feature of this head for a token.
    #[inline(always)]
    fn start(&self, side: usize, token: usize, blocks: usize, block: usize) -> usize {
        let row = self.row * self.inputs.mask.tokens[side] + token;
        (row * blocks + block) * self.inputs.hidden + self.head * self.size
    }

    /// Features of this head from a source, times `scale`: `[padded, width]`.
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

    /// Copies `[padded, width]` to the columns of this head in `[batch * tokens, blocks * hidden]`.
    fn place(&self, out: &mut [f32], part: &[f32], side: usize, blocks: usize, block: usize) {
        for (token, part) in part.chunks_exact(self.width).take(self.length[side]).enumerate() {
            let start = self.start(side, token, blocks, block);
            out[start..start + self.size].copy_from_slice(&part[..self.size]);
        }
    }

    fn scale(&self) -> f32 {
        1.0 / (self.size as f32).sqrt()
    }

    /// The token that a query is.
    #[inline(always)]
    fn token(&self, query: usize) -> usize {
        match &self.inputs.mask.queries {
            Some(queries) => queries[self.row * self.inputs.mask.tokens[0] + query],
            None => query,
        }
    }

    /// Range of keys that the [`QUERIES`] queries from `first` attend to, rounded to multiples of [`LANES`].
    #[inline(always)]
    fn visible(&self, first: usize) -> (usize, usize) {
        let bias = &self.inputs.mask.heads[self.head];
        let last = (first + QUERIES).min(self.length[0]).max(first + 1) - 1;
        let (first, end) = match &self.inputs.mask.queries {
            Some(_) => (self.token(first) / LANES * LANES, self.token(last) + 1),
            None => (first, first + QUERIES),
        };
        let from = if bias.left { 0 } else { first };
        let to = if bias.right { self.padded[1] } else { end.next_multiple_of(LANES) };
        (from, to.min(self.length[1].next_multiple_of(LANES)))
    }

    /// Adds the position bias to the scores of the token `query` for the keys from `from`; padded keys get minus infinity.
    #[inline(always)]
    fn bias(&self, scores: &mut [f32], query: usize, from: usize) {
        let unpadded = scores.len().min(self.length[1] - from);
        let head = &self.inputs.mask.heads[self.head];
        let values = &head.values;
        if let Some(centers) = &self.inputs.mask.centers {
            let row = &centers[self.row * self.inputs.mask.tokens[1]..][..self.length[1]];
            let own = row[query.min(row.len() - 1)];
            for (score, center) in scores.iter_mut().zip(&row[from..]) {
                *score -= head.slope * (center - own).abs();
            }
            if !head.left {
                scores[..(query - from).min(unpadded)].fill(f32::NEG_INFINITY);
            }
            if !head.right {
                scores[(query + 1 - from).min(unpadded)..unpadded].fill(f32::NEG_INFINITY);
            }
        } else if !values.is_empty() {
            let zero = self.inputs.mask.tokens[1] - 1 - query + from;
            for (score, value) in scores.iter_mut().zip(&values[zero..zero + unpadded]) {
                *score += value;
            }
        }
        scores[unpadded..].fill(f32::NEG_INFINITY);
    }
}

/// Context `[batch * queries, hidden]`, and the log-sum-exp of each query's scores `[batch, heads, queries]`.
pub(super) fn forward(inputs: Inputs) -> (Vec<f32>, Vec<f32>) {
    let mask = inputs.mask;
    let tiles = (0..mask.tiles()).into_par_iter().map(|index| Tile::new(inputs, index));
    let parts: Vec<_> = tiles.map(|tile| (tile, dispatch(Forward(tile)))).collect();
    let mut context = vec![0.0; mask.rows(0) * inputs.hidden];
    let mut log_sums = vec![0.0; mask.rows(0) * mask.heads.len()];
    for (index, (tile, (part, total))) in parts.iter().enumerate() {
        log_sums[index * mask.tokens[0]..][..tile.length[0]].copy_from_slice(total);
        tile.place(&mut context, part, 0, 1, 0);
    }
    (context, log_sums)
}

struct Forward<'a>(Tile<'a>);

impl Kernel for Forward<'_> {
    /// Context of the tile, `[padded, width]`, and the log-sum-exp of each query's scores.
    type Output = (Vec<f32>, Vec<f32>);

    #[inline(always)]
    fn run<S: Simd, const FMA: bool>(self, simd: S) -> (Vec<f32>, Vec<f32>) {
        let tile = self.0;
        let ([queries, keys], width) = (tile.padded, tile.width);
        let mut context = vec![0.0; queries * width];
        let mut log_sums = vec![0.0; tile.length[0]];
        if keys == 0 {
            return (context, log_sums);
        }
        let query = tile.transposed(0, &tile.part(0, tile.inputs.query, tile.scale()));
        let key = tile.transposed(1, &tile.part(1, tile.inputs.key, 1.0));
        let value = tile.part(1, tile.inputs.value, 1.0);
        let mut scores = vec![0.0; QUERIES * keys];
        for first in (0..queries).step_by(QUERIES) {
            let (from, to) = tile.visible(first);
            let (left, right) = (matrix(&query, first, queries), matrix(&key, from, keys));
            let shape = Product { rows: QUERIES, columns: to - from, inner: width, add: false };
            product_transposed(simd, shape, left, right, &mut scores, keys);
            let mut inverse = [0.0_f32; QUERIES];
            for (index, scores) in scores.chunks_exact_mut(keys).enumerate() {
                let scores = &mut scores[..to - from];
                let query = first + index;
                if query >= tile.length[0] {
                    scores.fill(0.0);
                    continue;
                }
                tile.bias(scores, tile.token(query), from);
                let high = maximum(scores);
                let total = exponentials::<FMA>(scores, high);
                inverse[index] = 1.0 / total;
                log_sums[query] = high + total.ln();
            }
            let (weights, right) = (matrix(&scores, 0, keys), matrix(&value, from * width, width));
            let out = &mut context[first * width..(first + QUERIES) * width];
            let shape = Product { rows: QUERIES, columns: width, inner: to - from, add: false };
            product(simd, shape, weights, right, out, width);
            for (out, inverse) in out.chunks_exact_mut(width).zip(inverse) {
                out.iter_mut().for_each(|value| *value *= inverse);
            }
        }
        (context, log_sums)
    }
}

/// The maximum of the scores, computed in vector lanes.
#[inline(always)]
fn maximum(scores: &[f32]) -> f32 {
    let mut high = [f32::NEG_INFINITY; LANES];
    for scores in scores.chunks_exact(LANES) {
        for (high, score) in high.iter_mut().zip(scores) {
            *high = if *score > *high { *score } else { *high };
        }
    }
    high.iter().fold(f32::NEG_INFINITY, |a, &b| if b > a { b } else { a })
}

/// Replaces each score by `exp(score - high)` and returns their sum.
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

/// Outputs of the forward pass that the backward pass needs, and the gradient of the context: `[batch * queries, hidden]`, except
/// `log_sums` `[batch, heads, queries]`.
#[derive(Clone, Copy)]
pub(super) struct ForwardOutputs<'a> {
    pub(super) gradient: &'a [f32],
    pub(super) context: &'a [f32],
    pub(super) log_sums: &'a [f32],
}

/// Gradients of queries, keys and values, written to `outs`. For each of the three, `place` is the index in `outs`, the number
/// of blocks of `hidden` columns of that output, and the index of the block.
pub(super) fn backward(
    inputs: Inputs,
    saved: ForwardOutputs,
    place: [(usize, usize, usize); 3],
    outs: &mut [Vec<f32>],
) {
    let mask = inputs.mask;
    let tiles = (0..mask.tiles()).into_par_iter().map(|index| {
        let tile = Tile::new(inputs, index);
        let log_sums = &saved.log_sums[index * mask.tokens[0]..][..tile.length[0]];
        (tile, ForwardOutputs { log_sums, ..saved })
    });
    let parts: Vec<(Tile, [Vec<f32>; 3])> =
        tiles.map(|(tile, saved)| (tile, dispatch(Backward { tile, saved }))).collect();
    for (tile, parts) in &parts {
        for (which, (part, (out, blocks, block))) in parts.iter().zip(place).enumerate() {
            tile.place(&mut outs[out], part, usize::from(which > 0), blocks, block);
        }
    }
}

struct Backward<'a> {
    tile: Tile<'a>,
    saved: ForwardOutputs<'a>,
}

impl Kernel for Backward<'_> {
    /// Gradients of queries, keys and values of the tile, `[padded, width]` each.
    type Output = [Vec<f32>; 3];

    #[inline(always)]
    fn run<S: Simd, const FMA: bool>(self, simd: S) -> [Vec<f32>; 3] {
        let Backward { tile, saved } = self;
        let ([queries, keys], width, inputs) = (tile.padded, tile.width, tile.inputs);
        let mut to_query = vec![0.0; queries * width];
        let [mut to_key, mut to_value] = [(); 2].map(|()| vec![0.0; keys * width]);
        if keys == 0 {
            return [to_query, to_key, to_value];
        }
        let whole = |values| Source { values, blocks: 1, block: 0 };
        let query = tile.part(0, inputs.query, tile.scale());
        let (key, value) = (tile.part(1, inputs.key, 1.0), tile.part(1, inputs.value, 1.0));
        let gradient = tile.part(0, whole(saved.gradient), 1.0);
        let context = tile.part(0, whole(saved.context), 1.0);
        let (query_t, gradient_t) = (tile.transposed(0, &query), tile.transposed(0, &gradient));
        let (key_t, value_t) = (tile.transposed(1, &key), tile.transposed(1, &value));
        let mut weights = vec![0.0; QUERIES * keys];
        let mut score_gradients = vec![0.0; QUERIES * keys];
        for first in (0..queries).step_by(QUERIES) {
            let (from, to) = tile.visible(first);
            let shape = Product { rows: QUERIES, columns: to - from, inner: width, add: false };
            let (left, right) = (matrix(&query_t, first, queries), matrix(&key_t, from, keys));
            product_transposed(simd, shape, left, right, &mut weights, keys);
            let (left, right) = (matrix(&gradient_t, first, queries), matrix(&value_t, from, keys));
            product_transposed(simd, shape, left, right, &mut score_gradients, keys);
            let rows = weights.chunks_exact_mut(keys).zip(score_gradients.chunks_exact_mut(keys));
            for (query, (weights, score_gradients)) in (first..).zip(rows) {
                let (weights, score_gradients) = (&mut weights[..to - from], &mut score_gradients[..to - from]);
                if query >= tile.length[0] {
                    weights.fill(0.0);
                    score_gradients.fill(0.0);
                    continue;
                }
                tile.bias(weights, tile.token(query), from);
                let (own, out) = (&gradient[query * width..][..width], &context[query * width..][..width]);
                let mean = own.iter().zip(out).fold(0.0, |sum, (a, b)| multiply_add::<FMA>(*a, *b, sum));
                let total = saved.log_sums[query];
                for (weight, score_gradient) in weights.iter_mut().zip(score_gradients) {
                    *weight = exponential::<FMA>(*weight - total);
                    *score_gradient = *weight * (*score_gradient - mean);
                }
            }
            // Rows are the visible keys here; their number is a multiple of LANES.
            let shape = Product { rows: to - from, columns: width, inner: QUERIES, add: true };
            let (weights, score_gradients) = (matrix(&weights, 0, keys), matrix(&score_gradients, 0, keys));
            let (own, start) = (first * width, from * width);
            product_transposed(simd, shape, weights, matrix(&gradient, own, width), &mut to_value[start..], width);
            product_transposed(simd, shape, score_gradients, matrix(&query, own, width), &mut to_key[start..], width);
            let shape = Product { rows: QUERIES, columns: width, inner: to - from, add: false };
            let out = &mut to_query[own..own + QUERIES * width];
            product(simd, shape, score_gradients, matrix(&key, start, width), out, width);
        }
        to_query.iter_mut().for_each(|value| *value *= tile.scale());
        [to_query, to_key, to_value]
    }
}
