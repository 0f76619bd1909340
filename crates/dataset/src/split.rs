//! Which stretch of a genome is for training, which for choosing, which for scoring.
//!
//! A species is cut into *blocks*: `block` bases each, numbered over its records from 0; a block never crosses a
//! record, and a remainder shorter than half a block joins the block before it. Blocks are dealt to the splits in order,
//! so that at every point of the genome each split has its share of the bases to within a block: held-out text comes
//! from everywhere. There is no randomness in it.
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
    /// To learn from, weights and vocabularies alike.
    Train,
    /// To choose by (learning rates), never to report. A task calls it dev.
    Valid,
    /// To report.
    Test,
}

impl Split {
    /// All three, in order.
    pub const ALL: [Self; 3] = [Self::Train, Self::Valid, Self::Test];

    /// `train`, `valid` or `test`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Valid => "valid",
            Self::Test => "test",
        }
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What one block is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// A stretch of `block` bases.
    #[default]
    Block,
    /// A whole record; `block` is not used.
    SequenceRecord,
}

/// The recipe of a split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SplitSpec {
    /// What is dealt out: stretches or records.
    pub by: By,
    /// Bases in a block.
    pub block: usize,
    /// Share of the validation split, 0 to 1.
    pub valid: f64,
    /// Share of the test split, 0 to 1.
    pub test: f64,
}

impl Default for SplitSpec {
    fn default() -> Self {
        Self { by: By::Block, block: 100_000, valid: 0.1, test: 0.1 }
    }
}

impl SplitSpec {
    /// Refuses shares that leave no training text, and blocks of no bases.
    pub(crate) fn check(&self, name: &str) -> Result<()> {
        let fault =
            |message: String, help: &str| Err(Error::Spec { name: name.to_owned(), message, help: help.to_owned() });
        let share = 0.0..1.0;
        if !share.contains(&self.valid) || !share.contains(&self.test) || self.valid + self.test >= 1.0 {
            let message = format!("shares valid = {} and test = {} leave nothing to train on", self.valid, self.test);
            return fault(message, "give shares from 0 that sum to less than 1, such as 0.1 and 0.1");
        }
        if self.by == By::Block && self.block == 0 {
            return fault("a block of 0 bases".into(), "give the bases of a block, such as block = 100000");
        }
        Ok(())
    }
}

/// A stretch of one record that belongs to one split.
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
    /// Where it belongs.
    pub split: Split,
}

impl Block {
    /// Bases in the block.
    #[must_use]
    pub fn size(&self) -> usize {
        self.end - self.start
    }
}

/// Cuts and deals one species.
pub(crate) fn deal(spec: &SplitSpec, species: usize, name: &str, records: &[SequenceRecord]) -> Result<Vec<Block>> {
    let mut blocks = vec![];
    for (record, bases) in records.iter().map(|record| record.bases.len()).enumerate() {
        let count = match spec.by {
            By::SequenceRecord => 1,
            By::Block => pieces(bases, spec.block),
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
        let works = match spec.by {
            By::SequenceRecord => works(records, needed),
            By::Block => works(records, needed).filter(|size| *size < spec.block),
        };
        let block = if spec.by == By::SequenceRecord { 0 } else { spec.block };
        return Err(Error::TooFewBlocks {
            species: name.to_owned(),
            blocks: blocks.len(),
            block,
            splits: needed,
            works,
        });
    }
    by_bases(spec, &mut blocks);
    let missing = |split| !blocks.iter().any(|block| block.split == split);
    if missing(Split::Train) || (spec.valid > 0.0 && missing(Split::Valid)) || (spec.test > 0.0 && missing(Split::Test))
    {
        by_count(spec, &mut blocks);
    }
    Ok(blocks)
}

/// Blocks in a record: whole ones, and a remainder of at least half a block.
fn pieces(bases: usize, block: usize) -> usize {
    (bases / block + usize::from(bases % block * 2 >= block)).max(1)
}

/// A round block size that gives a species about ten blocks, or at least the `needed` ones.
fn works(records: &[SequenceRecord], needed: usize) -> Option<usize> {
    let total: usize = records.iter().map(|record| record.bases.len()).sum();
    (needed..=10).rev().map(|parts| round_down(total / parts)).find(|&size| {
        size > 0 && records.iter().map(|record| pieces(record.bases.len(), size)).sum::<usize>() >= needed
    })
}

/// The number with all digits but the first set to 0.
pub(crate) fn round_down(number: usize) -> usize {
    let unit = 10usize.pow(number.checked_ilog10().unwrap_or(0));
    number / unit * unit
}

/// Takes a block for the held-out side whenever that brings its bases nearer to their share, and shares the held-out
/// blocks between valid and test in the same way.
fn by_bases(spec: &SplitSpec, blocks: &mut [Block]) {
    let share = spec.valid + spec.test;
    let (mut seen, mut held, mut test) = (0.0, 0.0, 0.0);
    for block in blocks {
        let size = block.size() as f64;
        seen += size;
        if share > 0.0 && held + 0.5 * size <= share * seen {
            held += size;
            // The first goes to valid where the shares are equal.
            if spec.test > 0.0 && test + 0.5 * size < spec.test / share * held || spec.valid == 0.0 {
                test += size;
                block.split = Split::Test;
            } else {
                block.split = Split::Valid;
            }
        }
    }
}

/// For genomes of a few blocks: at least one block for each share, spread evenly.
fn by_count(spec: &SplitSpec, blocks: &mut [Block]) {
    let total = blocks.len();
    let wanted = |share: f64| if share > 0.0 { ((share * total as f64).round() as usize).max(1) } else { 0 };
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
    fn a_small_genome_names_a_block_size_that_works() {
        let spec = SplitSpec::default();
        let error = deal(&spec, 0, "phage", &records(&[5386])).unwrap_err();
        assert_eq!(error.to_string(), "species 'phage': 1 block of 100000 bases cannot give 3 splits one each");
        assert_eq!(error.remedy().unwrap(), "set split = { by = \"block\", block = 500 }, or a held-out share to 0");
        assert!(deal(&SplitSpec { block: 500, ..spec.clone() }, 0, "phage", &records(&[5386])).is_ok());
        let none = deal(&spec, 0, "dot", &records(&[2])).unwrap_err();
        assert!(matches!(none, Error::TooFewBlocks { works: None, .. }));
        let by = SplitSpec { by: By::SequenceRecord, ..spec };
        assert!(matches!(
            deal(&by, 0, "x", &records(&[900])).unwrap_err(),
            Error::TooFewBlocks { works: Some(90), .. }
        ));
    }

    #[test]
    fn held_out_blocks_are_spread() {
        let blocks = deal(&SplitSpec { block: 10, ..SplitSpec::default() }, 0, "x", &records(&[1000])).unwrap();
        let held: Vec<_> = blocks.iter().filter(|b| b.split != Split::Train).map(|b| b.number).collect();
        assert_eq!(held.len(), 20);
        assert!(held.windows(2).all(|pair| pair[1] - pair[0] == 5), "{held:?}");
    }

    proptest! {
        #[test]
        fn blocks_tile_the_genome_and_meet_their_shares(
            lengths in prop::collection::vec(1usize..5000, 1..12), block in 1usize..400,
            valid in 0.0f64..0.45, test in 0.0f64..0.45,
        ) {
            let spec = SplitSpec { by: By::Block, block, valid, test };
            let genome = records(&lengths);
            let Ok(blocks) = deal(&spec, 0, "x", &genome) else {
                return Ok(());
            };
            // Tiling, in order, inside the records.
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
            // Shares to within a block, none empty that has a share.
            let total: usize = lengths.iter().sum();
            let largest = blocks.iter().map(Block::size).max().unwrap() as f64;
            for (split, share) in [(Split::Valid, valid), (Split::Test, test)] {
                let bases: usize = blocks.iter().filter(|b| b.split == split).map(Block::size).sum();
                prop_assert!((bases as f64 - share * total as f64).abs() <= 1.5 * largest, "{split} {bases}");
                prop_assert_eq!(bases > 0, share > 0.0);
            }
            prop_assert!(blocks.iter().any(|block| block.split == Split::Train));
        }
    }
}
