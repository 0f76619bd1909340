//! Hidden states of sequences, and their pooling.

use std::ops::Range;

use tokenize::Token;

use super::Trained;
use crate::batch::Batch;
use crate::error::Error;
use crate::read_back;

/// Positions of a batch, padding included.
const POSITIONS: usize = 4096;
/// Maximum fraction of the positions of a batch that are padding.
const PADDING: f64 = 0.05;

/// The states of the last layer for one sequence.
#[derive(Clone, Debug, PartialEq)]
pub struct SequenceStates {
    /// The tokens of the sequence, without \[CLS\] and \[SEP\].
    pub tokens: Vec<Token>,
    /// Width of a state.
    pub hidden: usize,
    /// `[2 + tokens, hidden]`: \[CLS\], the tokens, \[SEP\].
    values: Vec<f32>,
}

impl SequenceStates {
    /// The state of \[CLS\].
    #[must_use]
    pub fn cls(&self) -> &[f32] {
        &self.values[..self.hidden]
    }

    /// The state of a token.
    #[must_use]
    pub fn token(&self, token: usize) -> &[f32] {
        &self.values[(token + 1) * self.hidden..(token + 2) * self.hidden]
    }

    /// The mean over all positions, \[CLS\] and \[SEP\] included, as on the model card of DNABERT-2; never over padding.
    #[must_use]
    pub fn mean(&self) -> Vec<f32> {
        let positions = (self.values.len() / self.hidden) as f64;
        let mean = |column: usize| {
            let column = self.values.iter().skip(column).step_by(self.hidden);
            (column.map(|&value| f64::from(value)).sum::<f64>() / positions) as f32
        };
        (0..self.hidden).map(mean).collect()
    }

    /// The maximum over all positions, \[CLS\] and \[SEP\] included.
    #[must_use]
    pub fn max(&self) -> Vec<f32> {
        let max = |column: usize| {
            self.values.iter().skip(column).step_by(self.hidden).copied().fold(f32::NEG_INFINITY, f32::max)
        };
        (0..self.hidden).map(max).collect()
    }

    /// A vector for each base of `range`: the mean of the states of all tokens that cover it, `[bases, hidden]`.
    #[must_use]
    pub fn bases(&self, range: Range<usize>) -> Vec<f32> {
        let mut sums = vec![0.0_f64; range.len() * self.hidden];
        let mut counts = vec![0_u32; range.len()];
        for (number, token) in self.tokens.iter().enumerate() {
            let (start, end) = (token.start as usize, token.end as usize);
            for base in start.max(range.start)..end.min(range.end) {
                let at = base - range.start;
                counts[at] += 1;
                let sums = &mut sums[at * self.hidden..(at + 1) * self.hidden];
                sums.iter_mut().zip(self.token(number)).for_each(|(sum, &value)| *sum += f64::from(value));
            }
        }
        let mean = |(at, sum): (usize, f64)| (sum / f64::from(counts[at / self.hidden].max(1))) as f32;
        sums.into_iter().enumerate().map(mean).collect()
    }
}

/// Groups sequences by length: indices of the sequences of each batch, longest first. A batch has at most 4,096 positions (or
/// one sequence), less than 5 % of them padding.
#[must_use]
pub fn batches(lengths: &[usize]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_key(|&at| std::cmp::Reverse(lengths[at]));
    let mut batches: Vec<Vec<usize>> = Vec::new();
    let (mut longest, mut real) = (0, 0);
    for at in order {
        let (length, rows) = (lengths[at], batches.last().map_or(0, Vec::len) + 1);
        let positions = (longest * rows) as f64;
        let fits = longest * rows <= POSITIONS && positions - (real + length) as f64 <= PADDING * positions;
        match batches.last_mut().filter(|_| fits) {
            Some(batch) => batch.push(at),
            None => {
                batches.push(vec![at]);
                (longest, real) = (length, 0);
            }
        }
        real += length;
    }
    batches
}

impl Trained {
    /// The states of the last layer for each sequence; of a front end that pools, those of its positions.
    ///
    /// # Errors
    /// If the states cannot be read from the device.
    pub fn states(&self, sequences: &[&[u8]]) -> Result<Vec<SequenceStates>, Error> {
        let inputs: Vec<_> = sequences.iter().map(|bases| self.layout(bases)).collect();
        let lengths: Vec<usize> = inputs.iter().map(|(layout, _)| layout.ids.len()).collect();
        let mut found: Vec<Option<SequenceStates>> = vec![None; inputs.len()];
        for batch in batches(&lengths) {
            let layouts: Vec<_> = batch.iter().map(|&at| inputs[at].0.clone()).collect();
            let tensors = Batch::new(&layouts, &self.device);
            let states = self.model.states(tensors.ids.clone(), tensors.rows(), None).positions;
            let [rows, positions, hidden] = states.dims();
            let values = read_back::rows(states.reshape([rows * positions, hidden]), "states")?;
            for (row, &at) in batch.iter().enumerate() {
                let from = row * positions * hidden;
                let values = values[from..from + lengths[at] * hidden].to_vec();
                found[at] = Some(SequenceStates { tokens: inputs[at].1.clone(), hidden, values });
            }
        }
        Ok(found.into_iter().flatten().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn states(tokens: &[(u32, u32)], values: &[f32]) -> SequenceStates {
        let tokens = tokens.iter().map(|&(start, end)| Token { id: 9, start, end }).collect();
        SequenceStates { tokens, hidden: 2, values: values.to_vec() }
    }

    #[test]
    fn pooling() {
        // Two overlapping tokens.
        let states = states(&[(0, 2), (1, 3)], &[9.0, -9.0, 1.0, 2.0, 3.0, 6.0, 3.0, 1.0]);
        assert_eq!(states.cls(), [9.0, -9.0]);
        assert_eq!(states.mean(), [4.0, 0.0]);
        assert_eq!(states.max(), [9.0, 6.0]);
        assert_eq!(states.bases(0..3), [1.0, 2.0, 2.0, 4.0, 3.0, 6.0]);
        assert_eq!(states.bases(1..2), [2.0, 4.0]);
    }

    #[test]
    fn batches_have_little_padding_and_every_sequence_once() {
        let lengths: Vec<usize> = (0..500).map(|at| 5 + (at * 7919) % 400).chain([9000]).collect();
        let batches = batches(&lengths);
        let mut all: Vec<usize> = batches.concat();
        all.sort_unstable();
        assert_eq!(all, (0..lengths.len()).collect::<Vec<_>>());
        let (mut padded, mut real) = (0, 0);
        for batch in &batches {
            let longest = batch.iter().map(|&at| lengths[at]).max().unwrap();
            assert!(batch.len() == 1 || longest * batch.len() <= POSITIONS);
            padded += longest * batch.len();
            real += batch.iter().map(|&at| lengths[at]).sum::<usize>();
        }
        assert!((padded - real) as f64 <= 0.05 * padded as f64, "{padded} {real}");
    }
}
