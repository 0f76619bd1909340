//! Reads the input sequences in batches.

use dataset::names::Names;
use dataset::{Counts, SequenceRecord};
use dna::reverse_complement;

use super::formatter::{REVERSE_SUFFIX, Strand};
use crate::args::{self, TokenFormat};
use crate::failure::Failure;

/// A sequence to encode: a record, or its reverse complement.
pub(super) struct Sequence {
    pub(super) record: SequenceRecord,
    pub(super) strand: Strand,
    /// Index of its input file.
    pub(super) file: usize,
}

/// Minimum number of bases in a batch, which the threads encode together. Memory is bounded by a few batches and by the longest
/// sequences.
pub(super) const BATCH: usize = 1 << 21;

/// Passes the sequences of all files on in batches; ends early if the receiver has stopped.
pub(super) fn read_files(
    args: &args::EncodeFiles,
    give: &mut dyn FnMut(Vec<Sequence>) -> Result<bool, Failure>,
) -> Result<Counts, Failure> {
    let mut counts = Counts::default();
    // Text and arrays have no names: their rows are in the order of the records.
    let mut names = matches!(args.format, TokenFormat::Bed | TokenFormat::Parquet).then(Names::default);
    let (mut batch, mut bases) = (Vec::new(), 0);
    for (number, file) in args.files.iter().enumerate() {
        let mut sequences = dataset::sequences::open(file)?;
        for record in sequences.by_ref() {
            let mut record = record?;
            if let Some(names) = &mut names {
                // Tables name the strand of a row in its name, BED lines in a column.
                let two = args.both_strands && args.format == TokenFormat::Parquet;
                record.name = names.distinct_with(record.name, if two { REVERSE_SUFFIX } else { "" });
            }
            bases += record.bases.len();
            let other = args.both_strands.then(|| Sequence {
                strand: Strand::Reverse(record.bases.len() as u64),
                record: SequenceRecord { name: record.name.clone(), bases: reverse_complement(&record.bases) },
                file: number,
            });
            let strand = if args.both_strands { Strand::Forward } else { Strand::Only };
            batch.extend([Sequence { record, strand, file: number }].into_iter().chain(other));
            if bases >= BATCH {
                bases = 0;
                if !give(std::mem::take(&mut batch))? {
                    return Ok(counts);
                }
            }
        }
        counts += *sequences.counts();
    }
    if let Some(names) = names {
        (counts.repeated, counts.nameless) = (names.repeated(), names.nameless());
    }
    // If the receiver has stopped, the writer returns the reason.
    give(batch)?;
    Ok(counts)
}
