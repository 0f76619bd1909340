//! The position code: one additive bias `[batch or 1, heads, tokens, tokens]` per forward pass, shared by all layers.
//!
//! Two codes, see [`Position`]: ALiBi as published with DNABERT-2, symmetric, and the directed one, in which the heads come
//! in pairs and each looks one way. Distances count tokens, \[CLS\] and \[SEP\] included. Padding enters here too: a padded key
//! has a bias of minus infinity, so its weight is exactly zero. A padded query may look at itself, so no row is empty.

use std::sync::{Arc, Mutex, PoisonError};

use burn::tensor::{Device, Tensor, TensorData};
use experiment::config::Position;

use crate::fused::{self, Slope, View};

/// Tables kept at most, in floats.
const KEPT: usize = 1 << 24;

/// Tables of equal-length batches, newest last.
type Kept = Vec<((usize, Device), Tensor<4>)>;

/// The slopes of published ALiBi, in head order. A number of heads that is no power of two takes the list of the next
/// lower power, then every second slope of twice that power.
#[must_use]
pub fn slopes(heads: usize) -> Vec<f64> {
    let geometric = |count: usize| (1..=count).map(move |i| (-8.0 * i as f64 / count as f64).exp2());
    if heads.is_power_of_two() {
        return geometric(heads).collect();
    }
    let lower = heads.next_power_of_two() / 2;
    geometric(lower).chain(geometric(2 * lower).step_by(2).take(heads - lower)).collect()
}

/// Makes the bias of a position code and keeps the tables it has made.
#[derive(Clone, Debug)]
pub struct PositionBias {
    position: Position,
    heads: usize,
    kept: Arc<Mutex<Kept>>,
}

/// The position code and the padding of one forward pass, in the form the device takes.
#[derive(Clone, Debug)]
pub enum Sight {
    /// Plain data for the fused attention.
    Fused(Arc<View>),
    /// An additive bias `[batch or 1, heads, tokens, tokens]`.
    Bias(Box<Tensor<4>>),
}

impl PositionBias {
    /// The bias of `position` for `heads` heads.
    #[must_use]
    pub fn new(position: Position, heads: usize) -> PositionBias {
        PositionBias { position, heads, kept: Arc::default() }
    }

    /// What `tokens` tokens a row, of which `lengths[row]` are real, see on `device`.
    #[must_use]
    pub fn sight(&self, tokens: usize, lengths: &[usize], device: &Device) -> Sight {
        if fused::on(device) {
            let lengths = [lengths.to_vec(), lengths.to_vec()];
            Sight::Fused(Arc::new(View { tokens: [tokens; 2], lengths, heads: self.slopes(tokens) }))
        } else {
            Sight::Bias(Box::new(self.tensor(tokens, lengths, device)))
        }
    }

    /// One table of distances per head.
    #[must_use]
    pub fn slopes(&self, tokens: usize) -> Vec<Slope> {
        let published = slopes(self.heads);
        let slope = |head: usize| {
            let (slope, left, right) = match self.position {
                Position::Alibi => (published[head], true, true),
                Position::AlibiDirected => {
                    (2.0 * 0.25_f64.powi((head / 2) as i32), head.is_multiple_of(2), head % 2 == 1)
                }
            };
            let values = (1 - tokens as i64..tokens as i64).map(|distance| match distance {
                ..=-1 if !left => f32::NEG_INFINITY,
                1.. if !right => f32::NEG_INFINITY,
                _ => (-slope * distance.abs() as f64) as f32,
            });
            Slope { values: Arc::new(values.collect()), left, right }
        };
        (0..self.heads).map(slope).collect()
    }

    /// The bias of one forward pass: `[1, heads, tokens, tokens]` where all rows are full, else
    /// `[batch, heads, tokens, tokens]`.
    #[must_use]
    pub fn tensor(&self, tokens: usize, lengths: &[usize], device: &Device) -> Tensor<4> {
        let table = self.table(tokens, device);
        if lengths.iter().all(|&length| length == tokens) {
            return table;
        }
        let mut padding = vec![0.0_f32; lengths.len() * tokens * tokens];
        for (row, values) in padding.chunks_exact_mut(tokens).enumerate() {
            let (length, query) = (lengths[row / tokens], row % tokens);
            let own = values[query];
            values[length.min(tokens)..].fill(f32::NEG_INFINITY);
            values[query] = own;
        }
        table + Tensor::from_data(TensorData::new(padding, [lengths.len(), 1, tokens, tokens]), device)
    }

    fn table(&self, tokens: usize, device: &Device) -> Tensor<4> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, table)) = kept.iter().find(|(key, _)| key.0 == tokens && key.1 == *device) {
            return table.clone();
        }
        let shape = [1, self.heads, tokens, tokens];
        let table = Tensor::from_data(TensorData::new(self.values(tokens), shape), device);
        while !kept.is_empty() && kept.iter().map(|(key, _)| key.0 * key.0 * self.heads).sum::<usize>() > KEPT {
            kept.remove(0);
        }
        kept.push(((tokens, device.clone()), table.clone()));
        table
    }

    /// The bias of full rows as numbers, `heads * tokens * tokens`, row-major.
    #[must_use]
    pub fn values(&self, tokens: usize) -> Vec<f32> {
        let mut values = Vec::with_capacity(self.heads * tokens * tokens);
        for slope in self.slopes(tokens) {
            for query in 0..tokens {
                values.extend_from_slice(&slope.values[tokens - 1 - query..][..tokens]);
            }
        }
        values
    }
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
    fn directed_heads_look_one_way() {
        let values = PositionBias::new(Position::AlibiDirected, 4).values(3);
        let none = f32::NEG_INFINITY;
        assert_eq!(values[..9], [0.0, none, none, -2.0, 0.0, none, -4.0, -2.0, 0.0]);
        assert_eq!(values[9..12], [0.0, -2.0, -4.0]);
        assert_eq!(values[18 + 6..18 + 9], [-1.0, -0.5, 0.0]);
    }

    #[test]
    fn padded_keys_are_out_of_sight_and_no_row_is_empty() {
        let device = crate::device::open("cpu").unwrap();
        let bias = PositionBias::new(Position::AlibiDirected, 2).tensor(3, &[3, 1], &device);
        assert_eq!(bias.dims(), [2, 2, 3, 3]);
        let values = bias.try_into_vec_as::<f32>().unwrap();
        assert!(values.chunks_exact(3).all(|row| row.iter().any(|value| value.is_finite())));
        assert_eq!(values[27..30], [0.0, f32::NEG_INFINITY, f32::NEG_INFINITY]);
    }
}
