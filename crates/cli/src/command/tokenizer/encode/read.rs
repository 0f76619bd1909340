//! The sequences of the files that are encoded, many at a time.

use dataset::names::Names;
use dataset::{Counts, SequenceRecord};
use dna::reverse_complement;

use super::form::{OTHER_STRAND, Strand};
use crate::args::{self, TokenFormat};
use crate::failure::Failure;

/// What is cut: a record as it stands, or its reverse complement.
pub(super) struct Sequence {
    pub(super) record: SequenceRecord,
    pub(super) strand: Strand,
    /// Number of the file that it is in.
    pub(super) file: usize,
}

/// Bases that are cut together, shared between threads. Memory is bounded by a few times it and by the longest sequences.
pub(super) const TOGETHER: usize = 1 << 21;
/// Gives the sequences of all files on, many at a time; ends early if nobody takes them.
pub(super) fn read_files(
    args: &args::EncodeFiles,
    give: &mut dyn FnMut(Vec<Sequence>) -> Result<bool, Failure>,
) -> Result<Counts, Failure> {
    let mut counts = Counts::default();
    // Text and arrays hold no names: their rows are records by their order.
    let mut names = matches!(args.format, TokenFormat::Bed | TokenFormat::Parquet).then(Names::default);
    let (mut together, mut bases) = (Vec::new(), 0);
    for (number, file) in args.files.iter().enumerate() {
        let mut sequences = dataset::sequences::open(file)?;
        for record in sequences.by_ref() {
            let mut record = record?;
            if let Some(names) = &mut names {
                // Rows of tables have the names of both strands, lines of BED a column for it.
                let two = args.both_strands && args.format == TokenFormat::Parquet;
                record.name = names.distinct_with(record.name, if two { OTHER_STRAND } else { "" });
            }
            bases += record.bases.len();
            let other = args.both_strands.then(|| Sequence {
                strand: Strand::Other(record.bases.len() as u64),
                record: SequenceRecord { name: record.name.clone(), bases: reverse_complement(&record.bases) },
                file: number,
            });
            let strand = if args.both_strands { Strand::Given } else { Strand::Only };
            together.extend([Sequence { record, strand, file: number }].into_iter().chain(other));
            if bases >= TOGETHER {
                bases = 0;
                if !give(std::mem::take(&mut together))? {
                    return Ok(counts);
                }
            }
        }
        counts += *sequences.counts();
    }
    if let Some(names) = names {
        (counts.repeated, counts.nameless) = (names.repeated(), names.nameless());
    }
    // If nobody takes them, the writer tells why.
    give(together)?;
    Ok(counts)
}
