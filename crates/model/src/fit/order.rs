//! The order of training examples.

use dataset::stream;
use rand::RngExt;

/// The order of training examples: a new permutation for each epoch, from a stream named by the epoch's number. If lengths are known, rows of
/// similar length share a batch.
pub(super) struct EpochOrder {
    seed: u64,
    rows: usize,
    /// Positions of each row; empty: they do not matter.
    lengths: Vec<usize>,
    epoch: u64,
    order: Vec<usize>,
}

/// Batches whose rows are sorted by length together.
const POOL: usize = 16;

impl EpochOrder {
    pub(super) fn new(seed: u64, rows: usize, lengths: Vec<usize>) -> EpochOrder {
        EpochOrder { seed, rows, lengths, epoch: u64::MAX, order: Vec::new() }
    }

    /// Indices of the `size` examples of a step.
    pub(super) fn batch(&mut self, step: u64, size: usize) -> Vec<usize> {
        let mut picked = Vec::with_capacity(size);
        for draw in step * size as u64..(step + 1) * size as u64 {
            if draw / self.rows as u64 != self.epoch {
                self.epoch = draw / self.rows as u64;
                self.order = shuffled(self.rows, self.seed, self.epoch);
                self.bucket(size);
            }
            picked.push(self.order[(draw % self.rows as u64) as usize]);
        }
        picked
    }

    /// Sorts the rows of each few batches by length, and shuffles these batches.
    fn bucket(&mut self, size: usize) {
        if self.lengths.is_empty() {
            return;
        }
        let mut rng = stream(self.seed, &format!("finetune/batches/{}", self.epoch));
        // The first rows fill the batch that the epoch before has begun.
        let begun = (self.epoch * self.rows as u64 % size as u64) as usize;
        let first = ((size - begun) % size).min(self.rows);
        for pool in self.order[first..].chunks_mut(POOL * size) {
            pool.sort_by_key(|&row| self.lengths[row]);
            let mut batches: Vec<Vec<usize>> = pool.chunks(size).map(<[usize]>::to_vec).collect();
            let full = pool.len() / size;
            for i in (1..full).rev() {
                batches.swap(i, rng.random_range(0..=i));
            }
            pool.copy_from_slice(&batches.concat());
        }
    }
}

fn shuffled(rows: usize, seed: u64, epoch: u64) -> Vec<usize> {
    let mut rng = stream(seed, &format!("finetune/epoch/{epoch}"));
    let mut order: Vec<usize> = (0..rows).collect();
    for i in (1..rows).rev() {
        order.swap(i, rng.random_range(0..=i));
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every row once an epoch, and less than 5 % padding for lengths as those of BPE on rows of equally many bases.
    #[test]
    fn batches_of_similar_length() {
        let (rows, size) = (1003, 32);
        let lengths: Vec<usize> = (0..rows).map(|row| 18 + row * 7919 % 13).collect();
        let padding = |order: &mut EpochOrder| {
            let (mut padded, mut real, mut seen) = (0, 0, vec![0; rows]);
            for step in 0..rows as u64 {
                let batch = order.batch(step, size);
                padded += size * batch.iter().map(|&row| lengths[row]).max().unwrap();
                real += batch.iter().map(|&row| lengths[row]).sum::<usize>();
                batch.iter().for_each(|&row| seen[row] += 1);
            }
            // As many steps as rows are as many epochs as the batch has rows.
            assert!(seen.iter().all(|&count| count == size));
            (padded - real) as f64 / padded as f64
        };
        let plain = padding(&mut EpochOrder::new(3, rows, Vec::new()));
        let bucketed = padding(&mut EpochOrder::new(3, rows, lengths.clone()));
        assert!(plain > 0.15 && bucketed < 0.05, "{plain} {bucketed}");
        // A resumed run has the same batches.
        let whole: Vec<Vec<usize>> = {
            let mut order = EpochOrder::new(3, rows, lengths.clone());
            (0..80).map(|step| order.batch(step, size)).collect()
        };
        assert_eq!(EpochOrder::new(3, rows, lengths.clone()).batch(77, size), whole[77]);
    }
}
