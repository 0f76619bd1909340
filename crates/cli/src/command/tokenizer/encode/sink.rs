//! Where formed tokens go: one file, or two for NumPy arrays.

use std::path::{Path, PathBuf};

use super::form::{Form, Part};
use super::parquet::Table;
use crate::args::TokenFormat;
use crate::command::tokenizer::Output;
use crate::failure::{Failure, USAGE};

/// Bytes of the header of a NumPy file.
const HEADER: usize = 128;

/// Open files.
pub(super) struct Sink {
    kind: SinkKind,
    written: Written,
}

/// What was written in all, as in [`Part`].
#[derive(Clone, Copy, Default)]
pub(super) struct Written {
    pub(super) tokens: u64,
    pub(super) joined: u64,
}

enum SinkKind {
    /// Text: as it was formed.
    Plain(Output),
    /// Ids, and where each sequence begins among them.
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
    pub(super) fn create(form: &Form, path: &Path) -> Result<Sink, Failure> {
        if form.format() == TokenFormat::Npy && experiment::files::in_place(path) {
            return Err(Failure::new(
                USAGE,
                format!("{} is no file, and the header of an array is written last", path.display()),
                "name a file with --output, or write text",
            ));
        }
        let mut output = Output::create(path)?;
        let kind = match form.format() {
            TokenFormat::Text | TokenFormat::Bed => SinkKind::Plain(output),
            TokenFormat::Parquet => SinkKind::Table(Box::new(Table::begin(output, form.ids())?)),
            TokenFormat::Npy => {
                let mut offsets = Output::create(&offsets(path))?;
                for file in [&mut output, &mut offsets] {
                    file.write(&[0; HEADER])?;
                }
                offsets.write(&0u64.to_le_bytes())?;
                let kind = if form.wide() { "<u4" } else { "<u2" };
                SinkKind::Arrays { ids: output, offsets, kind, length: 0, sequences: 0 }
            }
        };
        Ok(Sink { kind, written: Written::default() })
    }

    fn write(&mut self, part: &Part) -> Result<(), Failure> {
        self.written.tokens += part.tokens;
        self.written.joined += part.joined;
        match &mut self.kind {
            SinkKind::Plain(output) => output.write(&part.bytes),
            SinkKind::Table(table) => table.add(part),
            SinkKind::Arrays { ids, offsets, length, sequences, .. } => {
                ids.write(&part.bytes)?;
                for (ids, closes) in &part.lengths {
                    *length += ids;
                    if *closes {
                        *sequences += 1;
                        offsets.write(&length.to_le_bytes())?;
                    }
                }
                Ok(())
            }
        }
    }

    /// Writes parts in order. Always `true`: there is room for more.
    pub(super) fn write_all(&mut self, parts: &[Part]) -> Result<bool, Failure> {
        parts.iter().try_for_each(|part| self.write(part)).map(|()| true)
    }

    /// Gives the files their names.
    pub(super) fn finish(self) -> Result<Written, Failure> {
        match self.kind {
            SinkKind::Plain(output) => output.finish()?,
            SinkKind::Table(table) => table.finish()?,
            SinkKind::Arrays { ids, offsets, kind, length, sequences } => {
                let headers = [header(kind, length), header("<u8", sequences + 1)];
                let [of_ids, of_offsets] = headers.map(Some);
                // Ids with the offsets of others would be misread without a sign.
                Output::finish_all([(ids, of_ids), (offsets, of_offsets)])?;
            }
        }
        Ok(self.written)
    }
}

/// The file that says where each sequence begins among the ids of `path`.
pub(super) fn offsets(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".offsets.npy");
    name.into()
}

/// The header of a NumPy file of one dimension (format 1.0), padded to [`HEADER`] bytes.
fn header(kind: &str, length: u64) -> Vec<u8> {
    let text = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({length},), }}");
    let room = HEADER - 10;
    let mut header = b"\x93NUMPY\x01\x00".to_vec();
    header.extend((room as u16).to_le_bytes());
    header.extend(format!("{text:<width$}\n", width = room - 1).into_bytes());
    header
}

#[cfg(test)]
mod tests {
    #[test]
    fn header_of_an_array() {
        let header = super::header("<u2", u64::MAX);
        assert_eq!(header.len(), super::HEADER);
        assert!(header.starts_with(b"\x93NUMPY\x01\x00") && header.ends_with(b" \n"));
        assert_eq!(u16::from_le_bytes([header[8], header[9]]) as usize, super::HEADER - 10);
    }
}
