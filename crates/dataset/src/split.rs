//! Division of a corpus into training, validation and test split.
//!
//! A species is divided into *blocks* of `block` bases, numbered from 0 over all of its records. A block never crosses a
//! record boundary, and a remainder shorter than half a block is merged into the preceding block. Blocks are assigned to the
//! splits in genome order, so that at every position each split has its fraction of the bases to within one block: held-out
//! text comes from the whole genome. The assignment is deterministic.
//!
//! ```text
//! by = "block", block = 50_000, valid = 0.1, test = 0.1
//! train train VALID train train train train TEST train train train train VALID ...
//! ```

use crate::error::{Error, Result};
use crate::fasta::SequenceRecord;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A part of a corpus or task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// Training split: weights and vocabularies are learned from it.
    Train,
    /// Validation split: used for selection (learning rates, checkpoints), never reported. Tasks call it `dev` in files.
    Valid,
    /// Test split: reported.
    Test,
}

impl Split {
    /// All three, in order.
    pub const ALL: [Self; 3] = [Self::Train, Self::Valid, Self::Test];

    /// Key in files and random streams: `train`, `valid` or `test`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Valid => "valid",
            Self::Test => "test",
        }
    }

    /// Name in messages: `training`, `validation` or `test`.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Train => "training",
            Self::Valid => "validation",
            Self::Test => "test",
        }
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The unit that is assigned to splits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SplitUnit {
    /// Blocks of `block` bases.
    #[default]
    Block,
    /// Whole records; `block` is ignored.
    Record,
}

/// Specification of the splits of a corpus.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SplitSpec {
    /// Unit of assignment.
    pub by: SplitUnit,
    /// Bases per block.
    pub block: usize,
    /// Fraction of the validation split, in [0, 1).
    pub valid: f64,
    /// Fraction of the test split, in [0, 1).
    pub test: f64,
}

impl Default for SplitSpec {
    fn default() -> Self {
        Self { by: SplitUnit::Block, block: 100_000, valid: 0.1, test: 0.1 }
    }
}

impl SplitSpec {
    /// Rejects fractions that leave no training text, and blocks of 0 bases.
    pub(crate) fn check(&self, name: &str) -> Result<()> {
        let fault =
            |message: String, help: &str| Err(Error::Spec { name: name.to_owned(), message, help: help.to_owned() });
        let range = 0.0..1.0;
        if !range.contains(&self.valid) || !range.contains(&self.test) || self.valid + self.test >= 1.0 {
            let message = format!("fractions valid = {} and test = {} leave no training data", self.valid, self.test);
            return fault(message, "use fractions >= 0 with a sum below 1, such as 0.1 and 0.1");
        }
        if self.by == SplitUnit::Block && self.block == 0 {
            return fault("block must be > 0".into(), "set the number of bases per block, such as block = 100000");
        }
        Ok(())
    }
}

/// Consecutive bases of one record that belong to one split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// Index of the species in the corpus.
    pub species: usize,
    /// Number of the block in its species, from 0.
    pub number: u32,
    /// Index of the record in its species.
    pub record: usize,
    /// First base, from 0.
    pub start: usize,
    /// One past the last base.
    pub end: usize,
    /// The split it is assigned to.
    pub split: Split,
}

impl Block {
    /// Number of bases.
    #[must_use]
    pub fn size(&self) -> usize {
        self.end - self.start
    }
}

/// Divides one species into blocks and assigns them to splits.
pub(crate) fn assign(spec: &SplitSpec, species: usize, name: &str, records: &[SequenceRecord]) -> Result<Vec<Block>> {
    let mut blocks = vec![];
    for (record, bases) in records.iter().map(|record| record.bases.len()).enumerate() {
        let count = match spec.by {
            SplitUnit::Record => 1,
            SplitUnit::Block => block_count(bases, spec.block),
        };
        for i in 0..count {
            let start = i * spec.block;
            let end = if i + 1 == count { bases } else { start + spec.block };
            let number = u32::try_from(blocks.len()).unwrap_or(u32::MAX);
            blocks.push(Block { species, number, record, start, end, split: Split::Train });
        }
    }
    let needed = 1 + usize::from(spec.valid > 0.0) + usize::from(spec.test > 0.0);
    if blocks.len() < needed {
        let suggestion = match spec.by {
            SplitUnit::Record => suggestion(records, needed),
            SplitUnit::Block => suggestion(records, needed).filter(|size| *size < spec.block),
        };
        let block = if spec.by == SplitUnit::Record { 0 } else { spec.block };
        return Err(Error::TooFewBlocks {
            species: name.to_owned(),
            blocks: blocks.len(),
            block,
            splits: needed,
            suggestion,
        });
    }
    assign_by_bases(spec, &mut blocks);
    let missing = |split| !blocks.iter().any(|block| block.split == split);
    if missing(Split::Train) || (spec.valid > 0.0 && missing(Split::Valid)) || (spec.test > 0.0 && missing(Split::Test))
    {
        assign_by_count(spec, &mut blocks);
    }
    Ok(blocks)
}

/// Number of blocks of a record: complete ones, and a remainder of at least half a block.
fn block_count(bases: usize, block: usize) -> usize {
    (bases / block + usize::from(bases % block * 2 >= block)).max(1)
}

/// A round block size that gives a species about ten blocks, or at least `needed` ones.
fn suggestion(records: &[SequenceRecord], needed: usize) -> Option<usize> {
    let total: usize = records.iter().map(|record| record.bases.len()).sum();
    (needed..=10).rev().map(|parts| round_down(total / parts)).find(|&size| {
        size > 0 && records.iter().map(|record| block_count(record.bases.len(), size)).sum::<usize>() >= needed
    })
}

/// Rounds down to one significant digit.
pub(crate) fn round_down(number: usize) -> usize {
    let unit = 10usize.pow(number.checked_ilog10().unwrap_or(0));
    number / unit * unit
}

/// Holds out a block whenever that brings the held-out bases closer to their target fraction, and divides the held-out
/// blocks between validation and test by the same rule.
fn assign_by_bases(spec: &SplitSpec, blocks: &mut [Block]) {
    let fraction = spec.valid + spec.test;
    let (mut seen, mut held, mut test) = (0.0, 0.0, 0.0);
    for block in blocks {
        let size = block.size() as f64;
        seen += size;
        if fraction > 0.0 && held + 0.5 * size <= fraction * seen {
            held += size;
            // With equal fractions, the first held-out block is validation.
            if spec.test > 0.0 && test + 0.5 * size < spec.test / fraction * held || spec.valid == 0.0 {
                test += size;
                block.split = Split::Test;
            } else {
                block.split = Split::Valid;
            }
        }
    }
}

/// For genomes of few blocks: at least one block per requested split, evenly spaced.
fn assign_by_count(spec: &SplitSpec, blocks: &mut [Block]) {
    let total = blocks.len();
    let wanted = |fraction: f64| if fraction > 0.0 { ((fraction * total as f64).round() as usize).max(1) } else { 0 };
    let (mut valid, mut test) = (wanted(spec.valid), wanted(spec.test));
    while valid + test >= total {
        if valid >= test { valid -= 1 } else { test -= 1 }
    }
    let held = valid + test;
    for block in blocks.iter_mut() {
        block.split = Split::Train;
    }
    for i in 0..held {
        let split = if (i + 1) * test / held > i * test / held { Split::Test } else { Split::Valid };
        blocks[(2 * i + 1) * total / (2 * held)].split = split;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn records(lengths: &[usize]) -> Vec<SequenceRecord> {
        lengths.iter().map(|&n| SequenceRecord { name: "r".into(), bases: vec![b'A'; n] }).collect()
    }

    #[test]
    fn too_few_blocks_suggest_a_block_size() {
        let spec = SplitSpec::default();
        let error = assign(&spec, 0, "phage", &records(&[5386])).unwrap_err();
        assert_eq!(error.to_string(), "species 'phage': too few blocks for 3 splits: 1 block of 100000 bases");
        assert_eq!(
            error.remedy().unwrap(),
            "set split = { by = \"block\", block = 500 }, or set a held-out fraction to 0"
        );
        assert!(assign(&SplitSpec { block: 500, ..spec.clone() }, 0, "phage", &records(&[5386])).is_ok());
        let none = assign(&spec, 0, "dot", &records(&[2])).unwrap_err();
        assert!(matches!(none, Error::TooFewBlocks { suggestion: None, .. }));
        let by = SplitSpec { by: SplitUnit::Record, ..spec };
        assert!(matches!(
            assign(&by, 0, "x", &records(&[900])).unwrap_err(),
            Error::TooFewBlocks { suggestion: Some(90), .. }
        ));
    }

    #[test]
    fn held_out_blocks_are_evenly_spaced() {
        let blocks = assign(&SplitSpec { block: 10, ..SplitSpec::default() }, 0, "x", &records(&[1000])).unwrap();
        let held: Vec<_> = blocks.iter().filter(|b| b.split != Split::Train).map(|b| b.number).collect();
        assert_eq!(held.len(), 20);
        assert!(held.windows(2).all(|pair| pair[1] - pair[0] == 5), "{held:?}");
    }

    proptest! {
        #[test]
        fn blocks_tile_the_genome_and_meet_their_fractions(
            lengths in prop::collection::vec(1usize..5000, 1..12), block in 1usize..400,
            valid in 0.0f64..0.45, test in 0.0f64..0.45,
        ) {
            let spec = SplitSpec { by: SplitUnit::Block, block, valid, test };
            let genome = records(&lengths);
            let Ok(blocks) = assign(&spec, 0, "x", &genome) else {
                return Ok(());
            };
            // Blocks tile each record in order.
            for (record, length) in lengths.iter().enumerate() {
                let mut at = 0;
                for block in blocks.iter().filter(|block| block.record == record) {
                    prop_assert_eq!(block.start, at);
                    at = block.end;
                    prop_assert!(block.size() <= spec.block * 3 / 2);
                }
                prop_assert_eq!(at, *length);
            }
            prop_assert!(blocks.iter().enumerate().all(|(i, block)| block.number as usize == i));
            // Fractions to within one block, and no requested split is empty.
            let total: usize = lengths.iter().sum();
            let largest = blocks.iter().map(Block::size).max().unwrap() as f64;
            for (split, fraction) in [(Split::Valid, valid), (Split::Test, test)] {
                let bases: usize = blocks.iter().filter(|b| b.split == split).map(Block::size).sum();
                prop_assert!((bases as f64 - fraction * total as f64).abs() <= 1.5 * largest, "{split} {bases}");
                prop_assert_eq!(bases > 0, fraction > 0.0);
            }
            prop_assert!(blocks.iter().any(|block| block.split == Split::Train));
        }
    }
}
