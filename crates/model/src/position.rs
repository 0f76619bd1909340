//! Position encoding: one additive attention bias `[batch or 1, heads, tokens, tokens]` per forward pass, shared by all layers.
//!
//! Symmetric ALiBi as published with DNABERT-2, and directed ALiBi, with pairs of one left-to-right head (it attends to itself and
//! the left) and one right-to-left head; see [`Position`]. Distances are in tokens, \[CLS\] and \[SEP\] included, or in bases
//! between the centres of tokens, so that all tokenizers see equally far. Padding is masked here too: a padded key has a bias of minus
//! infinity, so its weight is exactly zero. A padded query attends to itself, so that no softmax is empty.

use std::sync::{Arc, Mutex, PoisonError};

use burn::tensor::{Device, Tensor, TensorData};
use experiment::config::{Position, Slopes};

use crate::fused::{self, AttentionMask, HeadBias};

/// Maximum size of the cache of bias tensors, in floats.
const CACHE_SIZE: usize = 1 << 24;

/// Bias tensors of batches without padding by number of tokens and device, newest last.
type Cache = Vec<((usize, Device), Tensor<4>)>;

/// The ALiBi slopes as published, by head. If the number of heads is not a power of two: the slopes of the next lower power of
/// two, followed by every second slope of twice that power.
#[must_use]
pub fn slopes(heads: usize) -> Vec<f64> {
    let geometric = |count: usize| (1..=count).map(move |i| (-8.0 * i as f64 / count as f64).exp2());
    if heads.is_power_of_two() {
        return geometric(heads).collect();
    }
    let lower = heads.next_power_of_two() / 2;
    geometric(lower).chain(geometric(2 * lower).step_by(2).take(heads - lower)).collect()
}

/// Lengths of the rows of a batch, and where their tokens stand.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    /// Tokens of each row, padding excluded.
    pub lengths: &'a [usize],
    /// Centre of each token of each row in bases; `None`: distances are in tokens.
    pub centers: Option<&'a [Vec<f32>]>,
}

impl<'a> From<&'a [usize]> for Rows<'a> {
    fn from(lengths: &'a [usize]) -> Rows<'a> {
        Rows { lengths, centers: None }
    }
}

impl<'a> From<&'a Vec<usize>> for Rows<'a> {
    fn from(lengths: &'a Vec<usize>) -> Rows<'a> {
        Rows { lengths, centers: None }
    }
}

impl<'a, const N: usize> From<&'a [usize; N]> for Rows<'a> {
    fn from(lengths: &'a [usize; N]) -> Rows<'a> {
        Rows { lengths, centers: None }
    }
}

/// Computes the attention bias of a position encoding, with a cache of its tensors.
#[derive(Clone, Debug)]
pub struct PositionBias {
    position: Position,
    heads: usize,
    cache: Arc<Mutex<Cache>>,
}

/// Position encoding and padding mask of one forward pass, in the form that the device needs.
#[derive(Clone, Debug)]
pub enum AttentionBias {
    /// Description for the fused attention.
    Fused(Arc<AttentionMask>),
    /// Additive bias `[batch or 1, heads, tokens, tokens]`.
    Tensor(Box<Tensor<4>>),
}

impl PositionBias {
    /// The position encoding `position` for `heads` heads.
    #[must_use]
    pub fn new(position: Position, heads: usize) -> PositionBias {
        PositionBias { position, heads, cache: Arc::default() }
    }

    /// Bias and padding mask of a batch of `tokens` tokens per row.
    #[must_use]
    pub fn attention_bias<'a>(&self, tokens: usize, rows: impl Into<Rows<'a>>, device: &Device) -> AttentionBias {
        let rows = rows.into();
        if !fused::on(device) {
            return AttentionBias::Tensor(Box::new(self.composed(tokens, rows, device)));
        }
        let lengths = [rows.lengths.to_vec(), rows.lengths.to_vec()];
        let (heads, centers) = (self.head_biases(tokens), self.centers(tokens, &rows));
        AttentionBias::Fused(Arc::new(AttentionMask { tokens: [tokens; 2], lengths, heads, centers, queries: None }))
    }

    /// The bias of a batch as a tensor, `[batch or 1, heads, tokens, tokens]`.
    #[must_use]
    pub fn composed(&self, tokens: usize, rows: Rows, device: &Device) -> Tensor<4> {
        match self.centers(tokens, &rows) {
            Some(centers) => self.tensor_at(tokens, rows.lengths, centers, device),
            None => self.tensor(tokens, rows.lengths, device),
        }
    }

    /// Centres of the tokens `[batch * tokens]`, if distances are in bases and differ from those in tokens.
    fn centers(&self, tokens: usize, rows: &Rows) -> Option<Vec<f32>> {
        let centers = rows.centers.filter(|_| self.position.bases)?;
        let padded =
            |row: &Vec<f32>| row.iter().copied().chain(std::iter::repeat(0.0)).take(tokens).collect::<Vec<_>>();
        Some(centers.iter().flat_map(padded).collect())
    }

    /// The slope of each head, and whether it attends to the left and to the right.
    fn heads(&self) -> Vec<(f64, bool, bool)> {
        let published = slopes(self.heads);
        let groups = if self.position.directed { (self.heads / 2).max(1) } else { self.heads };
        let head = |head: usize| {
            let slope = match self.position.slopes {
                Slopes::Published => published[head],
                Slopes::Steep => 2.0 * 0.25_f64.powi((head / 2) as i32),
                Slopes::Reach(reach) => {
                    let group = if self.position.directed { head / 2 } else { head };
                    let part = if groups > 1 { group as f64 / (groups - 1) as f64 } else { 0.5 };
                    2.0 * f64::from(reach).powf(-part)
                }
            };
            let directed = self.position.directed;
            (slope, !directed || head.is_multiple_of(2), !directed || head % 2 == 1)
        };
        (0..self.heads).map(head).collect()
    }

    /// The bias of each head as a function of the distance between query and key.
    #[must_use]
    pub fn head_biases(&self, tokens: usize) -> Vec<HeadBias> {
        let head_bias = |(slope, left, right): (f64, bool, bool)| {
            let values = (1 - tokens as i64..tokens as i64).map(|distance| match distance {
                ..=-1 if !left => f32::NEG_INFINITY,
                1.. if !right => f32::NEG_INFINITY,
                _ => (-slope * distance.abs() as f64) as f32,
            });
            HeadBias { values: Arc::new(values.collect()), slope: slope as f32, left, right }
        };
        self.heads().into_iter().map(head_bias).collect()
    }

    /// The bias of one forward pass with distances between `centers` `[batch * tokens]`: `[batch, heads, tokens, tokens]`.
    fn tensor_at(&self, tokens: usize, lengths: &[usize], centers: Vec<f32>, device: &Device) -> Tensor<4> {
        let batch = lengths.len();
        let heads = self.heads();
        let slopes: Vec<f32> = heads.iter().map(|head| head.0 as f32).collect();
        let slopes = Tensor::<4>::from_data(TensorData::new(slopes, [1, heads.len(), 1, 1]), device);
        let centers = TensorData::new(centers, [batch, 1, tokens]);
        let keys: Tensor<3> = Tensor::from_data(centers, device);
        let distances = (keys.clone() - keys.swap_dims(1, 2)).abs().reshape([batch, 1, tokens, tokens]);
        let mut visible = vec![0.0_f32; heads.len() * tokens * tokens];
        for (at, value) in visible.iter_mut().enumerate() {
            let ((_, left, right), query, key) = (heads[at / (tokens * tokens)], at / tokens % tokens, at % tokens);
            if (key < query && !left) || (key > query && !right) {
                *value = f32::NEG_INFINITY;
            }
        }
        let visible = Tensor::<4>::from_data(TensorData::new(visible, [1, heads.len(), tokens, tokens]), device);
        visible - distances * slopes + padding(tokens, lengths, device)
    }

    /// The bias of one forward pass: `[1, heads, tokens, tokens]` if no row has padding, else
    /// `[batch, heads, tokens, tokens]`.
    #[must_use]
    pub fn tensor(&self, tokens: usize, lengths: &[usize], device: &Device) -> Tensor<4> {
        let full = self.full(tokens, device);
        if lengths.iter().all(|&length| length == tokens) {
            return full;
        }
        full + padding(tokens, lengths, device)
    }

    /// The bias of rows without padding, `[1, heads, tokens, tokens]`.
    fn full(&self, tokens: usize, device: &Device) -> Tensor<4> {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, table)) = cache.iter().find(|(key, _)| key.0 == tokens && key.1 == *device) {
            return table.clone();
        }
        let shape = [1, self.heads, tokens, tokens];
        let table = Tensor::from_data(TensorData::new(self.values(tokens), shape), device);
        while !cache.is_empty() && cache.iter().map(|(key, _)| key.0 * key.0 * self.heads).sum::<usize>() > CACHE_SIZE {
            cache.remove(0);
        }
        cache.push(((tokens, device.clone()), table.clone()));
        table
    }

    /// The bias of rows without padding as `heads * tokens * tokens` values, row-major.
    #[must_use]
    pub fn values(&self, tokens: usize) -> Vec<f32> {
        let mut values = Vec::with_capacity(self.heads * tokens * tokens);
        for bias in self.head_biases(tokens) {
            for query in 0..tokens {
                values.extend_from_slice(&bias.values[tokens - 1 - query..][..tokens]);
            }
        }
        values
    }
}

/// Minus infinity at padded keys, except for the padded query itself: `[batch, 1, tokens, tokens]`.
fn padding(tokens: usize, lengths: &[usize], device: &Device) -> Tensor<4> {
    let mut padding = vec![0.0_f32; lengths.len() * tokens * tokens];
    for (row, values) in padding.chunks_exact_mut(tokens).enumerate() {
        let (length, query) = (lengths[row / tokens], row % tokens);
        let own = values[query];
        values[length.min(tokens)..].fill(f32::NEG_INFINITY);
        values[query] = own;
    }
    Tensor::from_data(TensorData::new(padding, [lengths.len(), 1, tokens, tokens]), device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twelve_heads_have_the_published_slopes() {
        let expected = [
            0.5,
            0.25,
            0.125,
            0.0625,
            0.03125,
            0.015625,
            0.0078125,
            0.00390625,
            0.5_f64.sqrt(),
            0.35355339,
            0.1767767,
            0.08838835,
        ];
        for (slope, expected) in slopes(12).iter().zip(expected) {
            assert!((slope - expected).abs() < 1e-8, "{slope} {expected}");
        }
        assert_eq!(slopes(4), [0.25, 0.0625, 0.015625, 0.00390625]);
    }

    #[test]
    fn directed_heads_attend_in_one_direction() {
        let values = PositionBias::new(Position::ALIBI_DIRECTED, 4).values(3);
        let none = f32::NEG_INFINITY;
        assert_eq!(values[..9], [0.0, none, none, -2.0, 0.0, none, -4.0, -2.0, 0.0]);
        assert_eq!(values[9..12], [0.0, -2.0, -4.0]);
        assert_eq!(values[18 + 6..18 + 9], [-1.0, -0.5, 0.0]);
    }

    #[test]
    fn reaches_span_from_one_base_to_the_window() {
        for (name, heads, expected) in [
            ("alibi-reach256", 3, vec![1.0, 16.0, 256.0]),
            ("alibi-directed-reach256", 6, vec![1.0, 1.0, 16.0, 16.0, 256.0, 256.0]),
            ("alibi-directed-reach256-bases", 2, vec![16.0, 16.0]),
        ] {
            let heads = PositionBias::new(name.parse().unwrap(), heads).heads();
            let reaches: Vec<f64> = heads.iter().map(|(slope, _, _)| 2.0 / slope).collect();
            assert!(reaches.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-9), "{name}: {reaches:?}");
        }
    }

    #[test]
    fn padded_keys_are_masked_and_no_softmax_is_empty() {
        let device = crate::device::open("cpu").unwrap();
        let bias = PositionBias::new(Position::ALIBI_DIRECTED, 2).tensor(3, &[3, 1], &device);
        assert_eq!(bias.dims(), [2, 2, 3, 3]);
        let values = bias.try_into_vec_as::<f32>().unwrap();
        assert!(values.chunks_exact(3).all(|row| row.iter().any(|value| value.is_finite())));
        assert_eq!(values[27..30], [0.0, f32::NEG_INFINITY, f32::NEG_INFINITY]);
    }
}
