//! Synthetic labelled tasks: two classes that differ in one planted signal, and in nothing simpler.
//!
//! | `kind` | class 1 | class 0 | tells whether a model sees |
//! |---|---|---|---|
//! | `motif` | two motifs 10 to 14 bases apart | the same two at another distance, or both with their letters shuffled | spelling and spacing |
//! | `periodic` | codon-like, each of three phases with its own composition | the same bases in random order | periodicity |
//! | `order` | order-2 Markov text | order-1 text with the same base and dinucleotide frequencies | memory of two |
//!
//! Classes alternate, so every split is balanced. Streams are named, so train does not change with `held_out`.
//!
//! ```
//! use dataset::planted::{Signal, SyntheticTaskSpec};
//! let spec = SyntheticTaskSpec { kind: Signal::Motif, rows: 100, held_out: 20, length: 100, seed: 0 };
//! let [train, dev, test] = spec.generate("mine").unwrap();
//! assert_eq!((train.len(), dev.len(), test.len()), (100, 20, 20));
//! ```

use crate::error::{Error, Result};
use crate::labelled::Example;
use crate::markov::{LETTERS, Markov, draw};
use crate::split::Split;
use dna::{shuffle, stream};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// What tells the classes apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Signal {
    /// A pair of motifs at a distance.
    Motif,
    /// Composition with period 3.
    Periodic,
    /// Order-2 statistics.
    Order,
}

/// A synthetic task, as written in TOML.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SyntheticTaskSpec {
    /// What tells the classes apart.
    pub kind: Signal,
    /// Rows of train.
    #[serde(default = "two_thousand")]
    pub rows: usize,
    /// Rows of dev, and of test.
    #[serde(default = "five_hundred")]
    pub held_out: usize,
    /// Bases of every row.
    #[serde(default = "two_hundred")]
    pub length: usize,
    /// Seed of signal and rows.
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

/// Bases of one motif.
const MOTIF: usize = 8;
/// Distances of class 1, in bases between the motifs.
const NEAR: std::ops::RangeInclusive<usize> = 10..=14;
/// Distances of class 0.
const APART: [std::ops::RangeInclusive<usize>; 2] = [2..=6, 18..=30];

impl SyntheticTaskSpec {
    /// Train, dev and test.
    ///
    /// # Errors
    /// [`Error::Spec`] if rows are fewer than 2 or too short for the signal.
    pub fn generate(&self, name: &str) -> Result<[Vec<Example>; 3]> {
        let least = match self.kind {
            Signal::Motif => 2 * MOTIF + 30,
            Signal::Periodic | Signal::Order => 6,
        };
        if self.length < least || self.rows < 2 || self.held_out < 2 {
            return Err(Error::Spec {
                name: format!("task '{name}'"),
                message: format!(
                    "{} and {} rows of {} bases cannot hold the signal",
                    self.rows, self.held_out, self.length
                ),
                help: format!("give at least 2 rows, held_out = 2 and length = {least}"),
            });
        }
        let maker = Maker::new(self);
        Ok(Split::ALL.map(|split| {
            let mut rng = stream(self.seed, &format!("task/{split}"));
            let rows = if split == Split::Train { self.rows } else { self.held_out };
            let label = |i: usize| u32::from(i % 2 == 1);
            (0..rows).map(|i| Example { sequence: maker.row(label(i) == 1, &mut rng), label: label(i) }).collect()
        }))
    }
}

/// The signal itself, shared by all splits.
struct Maker {
    kind: Signal,
    length: usize,
    motifs: [Vec<u8>; 2],
    /// Composition of each phase.
    phases: [[f64; 4]; 3],
    second: Markov,
    first: Markov,
}

impl Maker {
    fn new(spec: &SyntheticTaskSpec) -> Self {
        let mut rng = stream(spec.seed, "task/signal");
        let motifs = [Markov::uniform().sample(MOTIF, &mut rng), Markov::uniform().sample(MOTIF, &mut rng)];
        // Each phase prefers another base.
        let mut letters = shuffled(&[0, 1, 2, 3], &mut rng);
        letters.truncate(3);
        let phases = std::array::from_fn(|phase| {
            std::array::from_fn(|base| if base == usize::from(letters[phase]) { 0.49 } else { 0.17 })
        });
        let second = Markov::random(2, 1.0, &mut rng).with_entropy(1.75);
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
        let mut bases = Markov::uniform().sample(self.length, rng);
        let spelled = positive || rng.random::<bool>();
        let distance = if positive || !spelled {
            rng.random_range(NEAR)
        } else {
            let apart = APART[rng.random_range(0..APART.len())].clone();
            rng.random_range(apart)
        };
        let start = rng.random_range(0..=self.length - 2 * MOTIF - distance);
        for (motif, at) in self.motifs.iter().zip([start, start + MOTIF + distance]) {
            let word = if spelled { motif.clone() } else { shuffled(motif, rng) };
            bases[at..at + MOTIF].copy_from_slice(&word);
        }
        bases
    }
}

/// A copy in random order.
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

    /// Share of each base in each class.
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
    fn composition_does_not_tell_the_classes_apart() {
        for kind in [Signal::Motif, Signal::Periodic, Signal::Order] {
            let [train, dev, test] = spec(kind).generate("t").unwrap();
            assert!([&train, &dev, &test].iter().all(|rows| rows.iter().all(|row| row.sequence.len() == 120)));
            assert_eq!(train.iter().filter(|row| row.label == 1).count(), 1000);
            let [zero, one] = composition(&train);
            assert!((0..4).all(|base| (zero[base] - one[base]).abs() < 0.012), "{kind:?} {zero:?} {one:?}");
        }
    }

    #[test]
    fn the_motif_pair_tells_them_apart() {
        let spec = spec(Signal::Motif);
        let maker = Maker::new(&spec);
        let found = |row: &Example| {
            let at = |motif: &[u8]| {
                (0..=row.sequence.len() - MOTIF).filter(|&i| &row.sequence[i..i + MOTIF] == motif).collect::<Vec<_>>()
            };
            let seconds = at(&maker.motifs[1]);
            at(&maker.motifs[0]).iter().any(|a| seconds.iter().any(|b| b > a && NEAR.contains(&(b - a - MOTIF))))
        };
        let [_, _, test] = spec.generate("t").unwrap();
        assert!(test.iter().filter(|row| found(row) == (row.label == 1)).count() >= 998);
    }

    #[test]
    fn the_period_tells_them_apart() {
        let [_, _, test] = spec(Signal::Periodic).generate("t").unwrap();
        let same =
            |row: &Example, lag: usize| row.sequence.iter().zip(&row.sequence[lag..]).filter(|(a, b)| a == b).count();
        let right = test.iter().filter(|row| (same(row, 3) + same(row, 6) > 70) == (row.label == 1)).count();
        assert!(right > 650, "{right} of 1000");
    }

    #[test]
    fn the_likelihood_ratio_tells_orders_apart() {
        let spec = spec(Signal::Order);
        let maker = Maker::new(&spec);
        let [_, _, test] = spec.generate("t").unwrap();
        let ratio = |row: &Example| {
            let known: Vec<_> = row.sequence.iter().copied().map(Some).collect();
            maker.second.log2_probability(&known) - maker.first.log2_probability(&known)
        };
        let right = test.iter().filter(|row| (ratio(row) > 0.0) == (row.label == 1)).count();
        assert!(right > 800, "{right} of 1000");
    }

    #[test]
    fn too_short_is_refused() {
        let error = SyntheticTaskSpec { length: 20, ..spec(Signal::Motif) }.generate("t").unwrap_err();
        assert!(error.remedy().unwrap().contains("length = 46"));
    }
}
