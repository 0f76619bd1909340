//! Batches of windows as tensors, and the loss over candidate tokens (`docs/protocol.md#training-objective`).

use std::ops::Range;

use burn::tensor::{Device, Int, Tensor, TensorData, activation};
use protocol::candidates::CandidateSets;
use protocol::layout::Layout;
use tokenize::vocabulary::PAD;

/// Added to the logit of a token that is not a candidate at a target: its softmax weight becomes exactly 0 in f32.
const EXCLUDED: f32 = -1e9;

/// Several windows, padded with \[PAD\] on the right.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Token ids `[batch, positions]`.
    pub ids: Tensor<2, Int>,
    /// Positions of each row, padding excluded.
    pub lengths: Vec<usize>,
    /// Flat rows (`row * positions + position`) of the targets, `[targets]`.
    pub rows: Vec<i64>,
    /// True tokens at the targets.
    pub tokens: Vec<u32>,
    /// Masked bases in the batch.
    pub masked: usize,
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
            rows,
            tokens,
            masked: layouts.iter().map(|layout| layout.masked).sum(),
        }
    }

    /// Selects the states at the targets: `[batch, positions, hidden]` to `[targets, hidden]`.
    #[must_use]
    pub fn gather(&self, states: Tensor<3>) -> Tensor<2> {
        let [batch, positions, hidden] = states.dims();
        let rows = TensorData::new(self.rows.clone(), [self.rows.len()]);
        let device = states.device();
        states.reshape([batch * positions, hidden]).select(0, Tensor::from_data(rows, &device))
    }
}

/// The cross-entropy of the targets in nats, summed, `[1]`. `logits` are `[targets, ids]` for the ids in `range`; `mask` restricts
/// the softmax to candidate tokens (see [`candidate_mask`]).
#[must_use]
pub fn loss(logits: Tensor<2>, tokens: &[u32], range: &Range<usize>, mask: Option<Tensor<2>>) -> Tensor<1> {
    let device = logits.device();
    let logits = match mask {
        Some(mask) => logits + mask,
        None => logits,
    };
    let truth: Vec<i64> = tokens.iter().map(|&token| i64::from(token) - range.start as i64).collect();
    let truth = Tensor::<2, Int>::from_data(TensorData::new(truth, [tokens.len(), 1]), &device);
    let chosen = activation::log_softmax(logits, 1).gather(1, truth);
    chosen.reshape([1, tokens.len()]).sum_dim(1).reshape([1]).neg()
}

/// The additive logit mask `[targets, ids]`: 0 for candidate tokens, strongly negative for all others. `None` if every id of the
/// range is a candidate (tokens of fixed length).
pub fn candidate_mask(layouts: &[Layout], sets: &mut CandidateSets, device: &Device) -> Option<Tensor<2>> {
    if sets.fixed_range().is_some() {
        return None;
    }
    let width = sets.vocabulary();
    let targets: Vec<_> = layouts.iter().flat_map(|layout| &layout.targets).collect();
    let mut mask = vec![0.0f32; targets.len() * width];
    for (row, target) in mask.chunks_exact_mut(width).zip(&targets) {
        sets.fill_mask(target.constraint, row, EXCLUDED);
    }
    Some(Tensor::from_data(TensorData::new(mask, [targets.len(), width]), device))
}
