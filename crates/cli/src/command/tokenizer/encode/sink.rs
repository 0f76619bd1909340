//! Output files of formatted tokens: one file, or two for NumPy arrays.

use std::path::{Path, PathBuf};

use super::formatter::{Formatted, Formatter};
use super::parquet::Table;
use crate::args::TokenFormat;
use crate::command::tokenizer::output::{NUMPY_HEADER, Output, beside, numpy_header};
use crate::failure::{Failure, USAGE};

/// The open output files, and the counts of what was written.
pub(super) struct Sink {
    kind: SinkKind,
    written: Written,
}

/// Total counts of what was written, as in [`Formatted`].
#[derive(Clone, Copy, Default)]
pub(super) struct Written {
    pub(super) tokens: u64,
    pub(super) merged: u64,
}

enum SinkKind {
    /// Text or BED, as formatted.
    Plain(Output),
    /// Ids, and the offsets of sequences in them.
    Arrays {
        ids: Output,
        offsets: Output,
        kind: &'static str,
        length: u64,
        sequences: u64,
    },
    Table(Box<Table>),
}

impl Sink {
    pub(super) fn create(formatter: &Formatter, path: &Path) -> Result<Sink, Failure> {
        if formatter.format() == TokenFormat::Npy && experiment::files::in_place(path) {
            return Err(Failure::new(
                USAGE,
                format!("{} is not a regular file, but the header of an array is written last", path.display()),
                "name a file with --output, or write text",
            ));
        }
        let mut output = Output::create(path)?;
        let kind = match formatter.format() {
            TokenFormat::Text | TokenFormat::Bed => SinkKind::Plain(output),
            TokenFormat::Parquet => SinkKind::Table(Box::new(Table::begin(output, formatter.ids())?)),
            TokenFormat::Npy => {
                let mut offsets = Output::create(&offsets(path))?;
                for file in [&mut output, &mut offsets] {
                    file.write(&[0; NUMPY_HEADER])?;
                }
                offsets.write(&0u64.to_le_bytes())?;
                let kind = if formatter.wide() { "<u4" } else { "<u2" };
                SinkKind::Arrays { ids: output, offsets, kind, length: 0, sequences: 0 }
            }
        };
        Ok(Sink { kind, written: Written::default() })
    }

    fn write(&mut self, formatted: &Formatted) -> Result<(), Failure> {
        self.written.tokens += formatted.tokens;
        self.written.merged += formatted.merged;
        match &mut self.kind {
            SinkKind::Plain(output) => output.write(&formatted.bytes),
            SinkKind::Table(table) => table.add(formatted),
            SinkKind::Arrays { ids, offsets, length, sequences, .. } => {
                ids.write(&formatted.bytes)?;
                for (ids, is_last) in &formatted.lengths {
                    *length += ids;
                    if *is_last {
                        *sequences += 1;
                        offsets.write(&length.to_le_bytes())?;
                    }
                }
                Ok(())
            }
        }
    }

    /// Writes formatted chunks in order. Always `true`: the sink accepts more.
    pub(super) fn write_all(&mut self, chunks: &[Formatted]) -> Result<bool, Failure> {
        chunks.iter().try_for_each(|formatted| self.write(formatted)).map(|()| true)
    }

    /// Completes the files and gives them their names.
    pub(super) fn finish(self) -> Result<Written, Failure> {
        match self.kind {
            SinkKind::Plain(output) => output.finish()?,
            SinkKind::Table(table) => table.finish()?,
            SinkKind::Arrays { ids, offsets, kind, length, sequences } => {
                let header = |kind, length: u64| numpy_header(kind, &format!("({length},)"));
                let headers = [header(kind, length), header("<u8", sequences + 1)];
                let [of_ids, of_offsets] = headers.map(Some);
                // Named together: ids with the offsets of another file would be misread without an error.
                Output::finish_all([(ids, of_ids), (offsets, of_offsets)])?;
            }
        }
        Ok(self.written)
    }
}

/// The file with the offsets of the sequences in the ids of `path`.
pub(super) fn offsets(path: &Path) -> PathBuf {
    beside(path, ".offsets.npy")
}
