//! Synthetic labeled tasks: two classes that differ in one planted signal, but not in base composition.
//!
//! | `kind` | class 1 | class 0 | tests for |
//! |---|---|---|---|
//! | `motif` | two motifs 10 to 14 bases apart | the same motifs at another distance, or shuffled motifs | motif sequence and spacing |
//! | `periodic` | period 3, each phase with its own base composition | the same bases in random order | periodicity |
//! | `order` | order-2 Markov text | order-1 text with the same base and dinucleotide frequencies | second-order dependence |
//!
//! Classes alternate, so every split is balanced. Random streams are named, so the training split does not depend on
//! `held_out`.
//!
//! ```
//! use dataset::planted::{Signal, SyntheticTaskSpec};
//! let spec = SyntheticTaskSpec { kind: Signal::Motif, rows: 100, held_out: 20, length: 100, seed: 0 };
//! let [train, dev, test] = spec.generate("mine").unwrap();
//! assert_eq!((train.len(), dev.len(), test.len()), (100, 20, 20));
//! ```

use crate::error::{Error, Result};
use crate::labeled::Example;
use crate::markov::{LETTERS, MarkovChain, draw};
use crate::split::Split;
use dna::{shuffle, stream};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// The planted signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Signal {
    /// A pair of motifs at a fixed range of distances.
    Motif,
    /// Base composition with period 3.
    Periodic,
    /// Second-order Markov dependence.
    Order,
}

/// Specification of a synthetic task, as written in TOML.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SyntheticTaskSpec {
    /// The planted signal.
    pub kind: Signal,
    /// Training rows.
    #[serde(default = "two_thousand")]
    pub rows: usize,
    /// Rows of the validation split, and of the test split.
    #[serde(default = "five_hundred")]
    pub held_out: usize,
    /// Bases per row.
    #[serde(default = "two_hundred")]
    pub length: usize,
    /// Seed of the signal and the rows.
    #[serde(default)]
    pub seed: u64,
}

fn two_thousand() -> usize {
    2000
}

fn five_hundred() -> usize {
    500
}

fn two_hundred() -> usize {
    200
}

/// Length of a motif in bases.
const MOTIF: usize = 8;
/// Distances of class 1, in bases between the motifs.
const NEAR: std::ops::RangeInclusive<usize> = 10..=14;
/// Distances of class 0.
const APART: [std::ops::RangeInclusive<usize>; 2] = [2..=6, 18..=30];

impl SyntheticTaskSpec {
    /// The rows of the training, validation and test split.
    ///
    /// # Errors
    /// [`Error::Spec`] if there are fewer than 2 rows, or rows are too short for the signal.
    pub fn generate(&self, name: &str) -> Result<[Vec<Example>; 3]> {
        let least = match self.kind {
            Signal::Motif => 2 * MOTIF + 30,
            Signal::Periodic | Signal::Order => 6,
        };
        if self.length < least || self.rows < 2 || self.held_out < 2 {
            return Err(Error::Spec {
                name: format!("task '{name}'"),
                message: format!(
                    "rows = {}, held_out = {} and length = {} are too small for the signal",
                    self.rows, self.held_out, self.length
                ),
                help: format!("use at least rows = 2, held_out = 2 and length = {least}"),
            });
        }
        let generator = Generator::new(self);
        Ok(Split::ALL.map(|split| {
            let mut rng = stream(self.seed, &format!("task/{split}"));
            let rows = if split == Split::Train { self.rows } else { self.held_out };
            let label = |i: usize| u32::from(i % 2 == 1);
            (0..rows).map(|i| Example { sequence: generator.row(label(i) == 1, &mut rng), label: label(i) }).collect()
        }))
    }
}

/// The planted signal, shared by all splits.
struct Generator {
    kind: Signal,
    length: usize,
    motifs: [Vec<u8>; 2],
    /// Base composition of each phase.
    phases: [[f64; 4]; 3],
    second: MarkovChain,
    first: MarkovChain,
}

impl Generator {
    fn new(spec: &SyntheticTaskSpec) -> Self {
        let mut rng = stream(spec.seed, "task/signal");
        let motifs = [MarkovChain::uniform().sample(MOTIF, &mut rng), MarkovChain::uniform().sample(MOTIF, &mut rng)];
        // Each phase prefers a different base.
        let mut letters = shuffled(&[0, 1, 2, 3], &mut rng);
        letters.truncate(3);
        let phases = std::array::from_fn(|phase| {
            std::array::from_fn(|base| if base == usize::from(letters[phase]) { 0.49 } else { 0.17 })
        });
        let second = MarkovChain::random(2, 1.0, &mut rng).with_entropy(1.75);
        let first = second.first_order();
        Self { kind: spec.kind, length: spec.length, motifs, phases, second, first }
    }

    fn row(&self, positive: bool, rng: &mut ChaCha8Rng) -> Vec<u8> {
        match self.kind {
            Signal::Motif => self.motif_row(positive, rng),
            Signal::Periodic => {
                let phase = rng.random_range(0..3usize);
                let bases = (0..self.length).map(|i| LETTERS[draw(&self.phases[(i + phase) % 3], rng)]).collect();
                if positive { bases } else { shuffled(&bases, rng) }
            }
            Signal::Order => if positive { &self.second } else { &self.first }.sample(self.length, rng),
        }
    }

    fn motif_row(&self, positive: bool, rng: &mut ChaCha8Rng) -> Vec<u8> {
        let mut bases = MarkovChain::uniform().sample(self.length, rng);
        let intact = positive || rng.random::<bool>();
        let distance = if positive || !intact {
            rng.random_range(NEAR)
        } else {
            let apart = APART[rng.random_range(0..APART.len())].clone();
            rng.random_range(apart)
        };
        let start = rng.random_range(0..=self.length - 2 * MOTIF - distance);
        for (motif, at) in self.motifs.iter().zip([start, start + MOTIF + distance]) {
            let bytes = if intact { motif.clone() } else { shuffled(motif, rng) };
            bases[at..at + MOTIF].copy_from_slice(&bytes);
        }
        bases
    }
}

/// A randomly permuted copy.
fn shuffled(bytes: &[u8], rng: &mut ChaCha8Rng) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    shuffle(&mut bytes, rng);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(kind: Signal) -> SyntheticTaskSpec {
        SyntheticTaskSpec { kind, rows: 2000, held_out: 1000, length: 120, seed: 1 }
    }

    /// Fraction of each base in each class.
    fn composition(rows: &[Example]) -> [[f64; 4]; 2] {
        let mut counts = [[0.0; 4]; 2];
        for row in rows {
            for &base in &row.sequence {
                let code = dna::code(base).unwrap();
                counts[row.label as usize][code] += 1.0;
            }
        }
        counts.map(|class| class.map(|count| count / class.iter().sum::<f64>()))
    }

    #[test]
    fn classes_have_equal_composition() {
        for kind in [Signal::Motif, Signal::Periodic, Signal::Order] {
            let [train, dev, test] = spec(kind).generate("t").unwrap();
            assert!([&train, &dev, &test].iter().all(|rows| rows.iter().all(|row| row.sequence.len() == 120)));
            assert_eq!(train.iter().filter(|row| row.label == 1).count(), 1000);
            let [zero, one] = composition(&train);
            assert!((0..4).all(|base| (zero[base] - one[base]).abs() < 0.012), "{kind:?} {zero:?} {one:?}");
        }
    }

    #[test]
    fn motif_pairs_separate_the_classes() {
        let spec = spec(Signal::Motif);
        let generator = Generator::new(&spec);
        let found = |row: &Example| {
            let at = |motif: &[u8]| {
                (0..=row.sequence.len() - MOTIF).filter(|&i| &row.sequence[i..i + MOTIF] == motif).collect::<Vec<_>>()
            };
            let seconds = at(&generator.motifs[1]);
            at(&generator.motifs[0]).iter().any(|a| seconds.iter().any(|b| b > a && NEAR.contains(&(b - a - MOTIF))))
        };
        let [_, _, test] = spec.generate("t").unwrap();
        assert!(test.iter().filter(|row| found(row) == (row.label == 1)).count() >= 998);
    }

    #[test]
    fn periodicity_separates_the_classes() {
        let [_, _, test] = spec(Signal::Periodic).generate("t").unwrap();
        let same =
            |row: &Example, lag: usize| row.sequence.iter().zip(&row.sequence[lag..]).filter(|(a, b)| a == b).count();
        let right = test.iter().filter(|row| (same(row, 3) + same(row, 6) > 70) == (row.label == 1)).count();
        assert!(right > 650, "{right} of 1000");
    }

    #[test]
    fn the_likelihood_ratio_separates_the_orders() {
        let spec = spec(Signal::Order);
        let generator = Generator::new(&spec);
        let [_, _, test] = spec.generate("t").unwrap();
        let ratio = |row: &Example| {
            let known: Vec<_> = row.sequence.iter().copied().map(Some).collect();
            generator.second.log2_probability(&known) - generator.first.log2_probability(&known)
        };
        let right = test.iter().filter(|row| (ratio(row) > 0.0) == (row.label == 1)).count();
        assert!(right > 800, "{right} of 1000");
    }

    #[test]
    fn too_short_rows_are_rejected() {
        let error = SyntheticTaskSpec { length: 20, ..spec(Signal::Motif) }.generate("t").unwrap_err();
        assert!(error.remedy().unwrap().contains("length = 46"));
    }
}
