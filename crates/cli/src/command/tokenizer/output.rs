//! Outputs: standard output, or files that get their names when they are complete.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use experiment::files::Draft;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;

use super::standard::is_standard_output;
use crate::failure::{Failure, USAGE, invalid};
use crate::folders;

/// Standard output, or a file that gets its name only when it is complete.
pub(crate) enum Output {
    Standard(BufWriter<io::Stdout>),
    File { file: BufWriter<Draft>, path: PathBuf },
}

impl Output {
    /// Opens an output and creates its folders.
    pub(crate) fn create(path: &Path) -> Result<Output, Failure> {
        if is_standard_output(path) {
            return Ok(Output::Standard(BufWriter::with_capacity(1 << 16, io::stdout())));
        }
        if path.is_dir() {
            return Err(Failure::new(USAGE, format!("{} is a folder", path.display()), "name a file with --output"));
        }
        if path.file_name().is_none() {
            return Err(Failure::new(USAGE, format!("{} is not a file", path.display()), "name a file"));
        }
        folders::make_for(path)?;
        let file = Draft::create(path).map_err(|error| Failure::file(path, &error))?;
        Ok(Output::File { file: BufWriter::with_capacity(1 << 16, file), path: path.to_owned() })
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        match self {
            Output::Standard(out) => match out.write_all(bytes) {
                // The reader closed the pipe (head, less).
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
                result => result.map_err(|error| Failure::file(Path::new("standard output"), &error)),
            },
            Output::File { file, path } => file.write_all(bytes).map_err(|error| Failure::file(path, &error)),
        }
    }

    /// Completes the file and gives it its name.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        Output::finish_all([(self, None)])
    }

    /// Writes each header over the beginning of its file, and names all files together.
    pub(crate) fn finish_all<const N: usize>(outputs: [(Output, Option<Vec<u8>>); N]) -> Result<(), Failure> {
        let (mut drafts, mut last) = (Vec::new(), PathBuf::new());
        for (output, header) in outputs {
            match output {
                Output::Standard(mut out) => match out.flush() {
                    Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                        return Err(Failure::file(Path::new("standard output"), &error));
                    }
                    _ => {}
                },
                Output::File { file, path } => {
                    drafts.push(complete(file, header.as_deref()).map_err(|error| Failure::file(&path, &error))?);
                    last = path;
                }
            }
        }
        experiment::files::finish_all(drafts).map_err(|error| Failure::file(&last, &error))
    }
}

/// Flushes the file, and writes `header` over its beginning.
pub(crate) fn complete(file: BufWriter<Draft>, header: Option<&[u8]>) -> io::Result<Draft> {
    let mut file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
    if let Some(header) = header {
        io::Seek::rewind(&mut file)?;
        file.write_all(header)?;
    }
    Ok(file)
}

/// The output as a writer for the library.
pub(crate) struct OutputWriter(pub(crate) Output);

impl Write for OutputWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.write(bytes) {
            Ok(()) => Ok(bytes.len()),
            Err(failure) => Err(io::Error::other(failure.message)),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Begins a Parquet file.
pub(crate) fn begin_parquet(output: Output, schema: Type) -> Result<SerializedFileWriter<OutputWriter>, Failure> {
    let properties = Arc::new(WriterProperties::builder().build());
    SerializedFileWriter::new(OutputWriter(output), Arc::new(schema), properties)
        .map_err(|error| failed_parquet(&error))
}

/// The failure for an error of the Parquet library.
pub(crate) fn failed_parquet(error: &ParquetError) -> Failure {
    invalid(format!("the Parquet file could not be written: {error}"), "check the free space on the disk")
}

/// Bytes of the header of a NumPy file.
pub(crate) const NUMPY_HEADER: usize = 128;

/// The header of a NumPy file (format 1.0), padded to [`NUMPY_HEADER`] bytes; `shape` as Python writes a tuple.
pub(crate) fn numpy_header(kind: &str, shape: &str) -> Vec<u8> {
    let text = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}");
    let length_of_text = NUMPY_HEADER - 10;
    let mut header = b"\x93NUMPY\x01\x00".to_vec();
    header.extend((length_of_text as u16).to_le_bytes());
    header.extend(format!("{text:<width$}\n", width = length_of_text - 1).into_bytes());
    header
}

/// A file beside another one: its name with a suffix.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests {
    #[test]
    fn header_of_a_numpy_array() {
        let header = super::numpy_header("<u2", &format!("({},)", u64::MAX));
        assert_eq!(header.len(), super::NUMPY_HEADER);
        assert!(header.starts_with(b"\x93NUMPY\x01\x00") && header.ends_with(b" \n"));
        assert_eq!(u16::from_le_bytes([header[8], header[9]]) as usize, super::NUMPY_HEADER - 10);
    }
}
