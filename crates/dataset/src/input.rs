//! Opens a file, plain or gzip (one or several members, BGZF), detected from its first bytes. Decompression runs in separate
//! threads (`input/unpack.rs`, `input/bgzf.rs`). All line endings reach the parsers as newlines (`lines.rs`).
//!
//! Parsers drop the kind of an input error or take it for the end of the file. [`Fault`] keeps the first one, so that a
//! truncated download is reported as such and never accepted as a shorter file.

mod bgzf;
mod flaw;
mod members;
mod unpack;

use crate::error::{Error, Result};
use crate::kind;
use crate::lines::Lines;
use crate::text::BYTE_ORDER_MARK;
use flaw::Flaw;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// The first input error seen below a parser.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fault(Arc<Mutex<Option<Seen>>>);

/// An input error, and the flaw of the gzip file that caused it.
type Seen = (io::Error, Option<Flaw>);

impl Fault {
    fn keep(&self, error: &io::Error) {
        // Not a failure: the read is retried.
        if error.kind() == io::ErrorKind::Interrupted {
            return;
        }
        let mut first = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if first.is_none() {
            let flaw = error.get_ref().and_then(|source| source.downcast_ref()).copied();
            *first = Some((io::Error::new(error.kind(), error.to_string()), flaw));
        }
    }

    /// The first input error, if any, as an error with the path.
    pub(crate) fn take(&self, path: &Path, gzip: bool) -> Option<Error> {
        let (source, flaw) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        let path = path.to_owned();
        Some(match (flaw, source.kind()) {
            (Some(Flaw::MissingEndMarker), _) => Error::MissingEndMarker { path },
            (Some(Flaw::TrailingBytes { bytes }), _) => Error::TrailingBytes { path, bytes },
            (None, io::ErrorKind::UnexpectedEof) if gzip => Error::TruncatedGzip { path },
            (None, io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData) if gzip => {
                Error::DamagedGzip { path, message: source.to_string() }
            }
            _ => Error::Io { path, source },
        })
    }
}

struct Watched<R> {
    inner: R,
    fault: Fault,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buffer).inspect_err(|error| self.fault.keep(error))
    }
}

impl<R: BufRead> BufRead for Watched<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf().inspect_err(|error| self.fault.keep(error))
    }

    fn consume(&mut self, amount: usize) {
        self.inner.consume(amount);
    }
}

/// An open file, decompressed.
pub(crate) struct Input {
    /// Decompressed bytes without byte order mark and leading blank lines; every line ends with a newline.
    pub(crate) reader: Box<dyn BufRead + Send>,
    /// The first input error below the parser.
    pub(crate) fault: Fault,
    /// Whether it was gzip.
    pub(crate) gzip: bool,
    /// Number of skipped leading lines, to be added to the parser's line numbers.
    pub(crate) skipped_lines: u64,
}

/// Size of the read buffer, and of the prefix from which the format is detected (headers may be long).
const BUFFER: usize = 1 << 18;

/// The path that stands for standard input.
pub(crate) const STANDARD: &str = "-";

/// Opens `path` (`-`: standard input) and skips leading white space. Known binary formats are rejected by name
/// (`kind.rs`).
pub(crate) fn open(path: &Path) -> Result<Input> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => Error::Missing { path: path.to_owned() },
        _ => Error::Io { path: path.to_owned(), source },
    };
    let source: Box<dyn Read + Send> =
        if path == Path::new(STANDARD) { Box::new(io::stdin()) } else { Box::new(File::open(path).map_err(failed)?) };
    let mut file = BufReader::with_capacity(BUFFER, source);
    // A pipe may deliver few bytes at a time; detection must not depend on that.
    let mut start = Vec::new();
    file.by_ref().take(BUFFER as u64).read_to_end(&mut start).map_err(failed)?;
    let (gzip, blocks) = (start.starts_with(&[0x1f, 0x8b]), bgzf::is_bgzf(&start));
    let file = io::Cursor::new(start).chain(file);
    let fault = Fault::default();
    let watched = fault.clone();
    let mut reader: Box<dyn BufRead + Send> = if blocks {
        Box::new(Watched { inner: bgzf::unpacked(file), fault: watched })
    } else if gzip {
        Box::new(Watched { inner: unpack::ahead(file), fault: watched })
    } else {
        Box::new(Watched { inner: file, fault: watched })
    };
    let kept = |source: io::Error| fault.take(path, gzip).unwrap_or_else(|| failed(source));
    let start = reader.fill_buf().map_err(kept)?;
    if start.is_empty() {
        return Err(Error::EmptyFile { path: path.to_owned() });
    }
    if let Some(kind) = kind::of(start, gzip) {
        return Err(Error::UnsupportedFormat { path: path.to_owned(), name: kind.name, help: kind.remedy });
    }
    if start.starts_with(BYTE_ORDER_MARK) {
        reader.consume(BYTE_ORDER_MARK.len());
    }
    let mut reader = BufReader::with_capacity(BUFFER, Lines(reader));
    let mut skipped_lines = 0;
    loop {
        let buffer = reader.fill_buf().map_err(kept)?;
        if buffer.is_empty() {
            return Err(Error::NoRecords { path: path.to_owned() });
        }
        let blank = buffer.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        let found = blank < buffer.len();
        skipped_lines += buffer[..blank].iter().filter(|&&byte| byte == b'\n').count() as u64;
        reader.consume(blank);
        if found {
            return Ok(Input { reader: Box::new(reader), fault, gzip, skipped_lines });
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;
    use std::path::PathBuf;

    /// A file in a new temporary directory.
    pub(crate) fn file(name: &str, content: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        (folder, path)
    }

    /// `content` as one gzip member.
    pub(crate) fn gzip(content: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }
}
