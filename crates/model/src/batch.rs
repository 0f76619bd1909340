//! Batches of windows as tensors, and the loss over candidate tokens (`docs/protocol.md#training-objective`).

use std::ops::Range;

use burn::tensor::{Device, Int, Tensor, TensorData, activation};
use protocol::candidates::CandidateSets;
use protocol::layout::Layout;
use tokenize::vocabulary::PAD;

use crate::encoder::at;
use crate::position::Rows;

/// Added to the logit of a token that is not a candidate at a target: its softmax weight becomes exactly 0 in f32.
const EXCLUDED: f32 = -1e9;

/// Several windows, padded with \[PAD\] on the right.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Token ids `[batch, positions]`.
    pub ids: Tensor<2, Int>,
    /// Positions of each row, padding excluded.
    pub lengths: Vec<usize>,
    /// Centre of each position in bases, padding excluded.
    pub centers: Vec<Vec<f32>>,
    /// Flat rows (`row * positions + position`) of the targets, `[targets]`.
    pub rows: Vec<i64>,
    /// True tokens at the targets.
    pub tokens: Vec<u32>,
}

impl Batch {
    /// Pads layouts to the longest and stacks them.
    #[must_use]
    pub fn new(layouts: &[Layout], device: &Device) -> Batch {
        let positions = layouts.iter().map(|layout| layout.ids.len()).max().unwrap_or(0);
        let mut ids = Vec::with_capacity(layouts.len() * positions);
        let (mut rows, mut tokens) = (Vec::new(), Vec::new());
        for (number, layout) in layouts.iter().enumerate() {
            ids.extend(layout.ids.iter().map(|&id| i64::from(id)));
            ids.resize((number + 1) * positions, i64::from(PAD));
            for target in &layout.targets {
                rows.push((number * positions + target.position) as i64);
                tokens.push(target.token);
            }
        }
        Batch {
            ids: Tensor::from_data(TensorData::new(ids, [layouts.len(), positions]), device),
            lengths: layouts.iter().map(|layout| layout.ids.len()).collect(),
            centers: layouts.iter().map(|layout| layout.centers.clone()).collect(),
            rows,
            tokens,
        }
    }

    /// Lengths and centres of the rows.
    #[must_use]
    pub fn rows(&self) -> Rows<'_> {
        Rows { lengths: &self.lengths, centers: Some(&self.centers) }
    }

    /// The positions of the targets of each row.
    #[must_use]
    pub fn places(&self) -> Vec<Vec<usize>> {
        let [batch, positions] = self.ids.dims();
        let mut places = vec![Vec::new(); batch];
        for &row in &self.rows {
            places[row as usize / positions].push(row as usize % positions);
        }
        places
    }

    /// Selects the states at the targets: `[batch, positions, hidden]` to `[targets, hidden]`.
    #[must_use]
    pub fn gather(&self, states: Tensor<3>) -> Tensor<2> {
        at(states, &self.places())
    }
}

/// The cross-entropy of the targets in nats, summed, `[1]`. `logits` are `[targets, ids]` for the ids in `range`; `prior` is
/// added to them (see [`log_prior`]).
#[must_use]
pub fn loss(logits: Tensor<2>, tokens: &[u32], range: &Range<usize>, prior: Option<Tensor<2>>) -> Tensor<1> {
    let device = logits.device();
    let logits = match prior {
        Some(prior) => logits + prior,
        None => logits,
    };
    let truth: Vec<i64> = tokens.iter().map(|&token| i64::from(token) - range.start as i64).collect();
    let truth = Tensor::<2, Int>::from_data(TensorData::new(truth, [tokens.len(), 1]), &device);
    let chosen = activation::log_softmax(logits, 1).gather(1, truth);
    chosen.reshape([1, tokens.len()]).sum_dim(1).reshape([1]).neg()
}

/// What is added to the logits `[targets, ids]` of the range: the logarithm of the prior of candidate tokens, strongly negative for all
/// others. `None` if every id of the range is an equal candidate (tokens of fixed length under the uniform prior).
pub fn log_prior(
    layouts: &[Layout],
    range: &Range<usize>,
    sets: &mut CandidateSets,
    device: &Device,
) -> Option<Tensor<2>> {
    if sets.fixed_range().is_some() && sets.is_constant() {
        return None;
    }
    let targets: Vec<_> = layouts.iter().flat_map(|layout| &layout.targets).collect();
    let mut row = vec![0.0f32; sets.vocabulary()];
    let mut mask = Vec::with_capacity(targets.len() * range.len());
    for target in &targets {
        sets.fill_prior(target.constraint, &mut row, EXCLUDED);
        mask.extend_from_slice(&row[range.clone()]);
    }
    Some(Tensor::from_data(TensorData::new(mask, [targets.len(), range.len()]), device))
}
