//! BGZF files (SAM specification, section 4.1), decompressed by several threads.
//!
//! BGZF blocks are complete gzip members with their size in a header field, so `noodles-bgzf` can decompress many of them
//! in parallel. From the first block that is not BGZF, is corrupt or is truncated, the plain gzip decoder reads the rest of
//! the file, so that bytes and errors are those of plain gzip. The one exception: a file that consists of BGZF blocks only
//! must end with an empty block, because lost blocks at its end would otherwise go unnoticed.

use super::flaw::Flaw;
use super::members::Members;
use noodles_bgzf::io::{MultithreadedReader, Reader};
use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read};
use std::num::NonZero;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// Maximum number of decompression threads.
const MOST_THREADS: NonZero<usize> = NonZero::new(8).unwrap();

/// Whether a file starts with a BGZF block.
pub(super) fn is_bgzf(start: &[u8]) -> bool {
    matches!(start, [0x1f, 0x8b, 8, 4, _, _, _, _, _, _, 6, 0, b'B', b'C', 2, 0, _, _, ..])
}

/// Decompresses a BGZF file in several threads, or in the reading thread if they cannot be started.
pub(super) fn unpacked<R: BufRead + Send + 'static>(file: R) -> Blocks<R> {
    let threads = thread::available_parallelism().map_or(NonZero::<usize>::MIN, |all| all.min(MOST_THREADS));
    // One additional thread reads the file.
    Blocks::new(file, can_start(threads.get() + 1).then_some(threads))
}

/// Whether `threads` threads can be started; the library would panic if not.
fn can_start(threads: usize) -> bool {
    let gate = Mutex::new(());
    thread::scope(|scope| {
        // All of them block, so that they exist at the same time.
        let _closed = gate.lock();
        let wait = || drop(gate.lock());
        (0..threads).all(|_| thread::Builder::new().spawn_scoped(scope, wait).is_ok())
    })
}

/// The decompressed bytes of a BGZF file.
pub(super) struct Blocks<R: BufRead + Send + 'static> {
    decoder: Decoder<R>,
    /// Compressed bytes of the blocks that were decompressed without error.
    unpacked: Arc<AtomicU64>,
}

/// The current decoder.
enum Decoder<R: BufRead + Send + 'static> {
    Parallel(Box<MultithreadedReader<Buffered<R>>>),
    Serial(Reader<Buffered<R>>),
    Gzip(Box<dyn BufRead + Send>),
    Ended,
}

impl<R: BufRead + Send + 'static> Blocks<R> {
    fn new(file: R, threads: Option<NonZero<usize>>) -> Blocks<R> {
        let unpacked = Arc::default();
        let source = Buffered::new(file, Arc::clone(&unpacked));
        let decoder = match threads {
            Some(threads) => Decoder::Parallel(Box::new(MultithreadedReader::with_worker_count(threads, source))),
            None => Decoder::Serial(Reader::new(source)),
        };
        Blocks { decoder, unpacked }
    }

    /// Decompresses the next block if the current one is consumed. After a failure and after the last block the decoder changes.
    fn next_block(&mut self) -> io::Result<()> {
        let (found, position) = match &mut self.decoder {
            Decoder::Parallel(reader) => (reader.fill_buf().is_ok_and(|bytes| !bytes.is_empty()), reader.position()),
            Decoder::Serial(reader) => (reader.fill_buf().is_ok_and(|bytes| !bytes.is_empty()), reader.position()),
            Decoder::Gzip(_) | Decoder::Ended => return Ok(()),
        };
        if found {
            self.unpacked.store(position, Ordering::Relaxed);
            return Ok(());
        }
        let mut decoder = std::mem::replace(&mut self.decoder, Decoder::Ended);
        let source = match &mut decoder {
            Decoder::Parallel(reader) => reader.get_mut(),
            Decoder::Serial(reader) => reader.get_mut(),
            Decoder::Gzip(_) | Decoder::Ended => return Ok(()),
        };
        match source.rest(position) {
            Some(rest) => self.decoder = Decoder::Gzip(Box::new(BufReader::new(Members::new(rest)))),
            None if source.ends_with_an_empty_block() => {}
            None => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, Flaw::MissingEndMarker)),
        }
        Ok(())
    }
}

impl<R: BufRead + Send + 'static> BufRead for Blocks<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.next_block()?;
        match &mut self.decoder {
            Decoder::Parallel(reader) => reader.fill_buf(),
            Decoder::Serial(reader) => reader.fill_buf(),
            Decoder::Gzip(reader) => reader.fill_buf(),
            Decoder::Ended => Ok(&[]),
        }
    }

    fn consume(&mut self, amount: usize) {
        match &mut self.decoder {
            Decoder::Parallel(reader) => reader.consume(amount),
            Decoder::Serial(reader) => reader.consume(amount),
            Decoder::Gzip(reader) => reader.consume(amount),
            Decoder::Ended => {}
        }
    }
}

impl<R: BufRead + Send + 'static> Read for Blocks<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let number = self.fill_buf()?.read(buffer)?;
        self.consume(number);
        Ok(number)
    }
}

impl<R: BufRead + Send + 'static> Drop for Blocks<R> {
    fn drop(&mut self) {
        // Dropping it joins its threads, which may block on a pipe.
        if let Decoder::Parallel(reader) = std::mem::replace(&mut self.decoder, Decoder::Ended) {
            let _ = thread::Builder::new().spawn(move || drop(reader));
        }
    }
}

/// A file whose bytes are buffered until they are decompressed, so that another decoder can resume from there.
struct Buffered<R> {
    file: Option<R>,
    bytes: VecDeque<u8>,
    /// Position of the first buffered byte in the file.
    before: u64,
    /// Position up to which the file is decompressed; bytes before it are dropped.
    unpacked: Arc<AtomicU64>,
    failed: Option<io::Error>,
}

impl<R: BufRead + Send + 'static> Buffered<R> {
    fn new(file: R, unpacked: Arc<AtomicU64>) -> Buffered<R> {
        Buffered { file: Some(file), bytes: VecDeque::new(), before: 0, unpacked, failed: None }
    }

    /// The rest of the file from a position, with the error that ended it; `None` if nothing is left.
    fn rest(&mut self, from: u64) -> Option<impl BufRead + Send + use<R>> {
        let from =
            usize::try_from(from.saturating_sub(self.before)).map_or(self.bytes.len(), |at| at.min(self.bytes.len()));
        let bytes: Vec<u8> = self.bytes.range(from..).copied().collect();
        let failed = self.failed.take();
        if bytes.is_empty() && failed.is_none() {
            return None;
        }
        Some(io::Cursor::new(bytes).chain(BufReader::new(Failing(failed))).chain(self.file.take()?))
    }

    /// Whether the last block is empty: a block ends with its decompressed size.
    fn ends_with_an_empty_block(&self) -> bool {
        self.bytes.len() >= 4 && self.bytes.range(self.bytes.len() - 4..).all(|&byte| byte == 0)
    }
}

impl<R: BufRead> Read for Buffered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(file) = &mut self.file else { return Ok(0) };
        let number = match file.read(buffer) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                let reported = io::Error::from(error.kind());
                self.failed = Some(error);
                return Err(reported);
            }
            result => result?,
        };
        let done = self.unpacked.load(Ordering::Relaxed) - self.before;
        self.bytes.drain(..done as usize);
        self.before += done;
        self.bytes.extend(&buffer[..number]);
        Ok(number)
    }
}

/// A reader that returns an error once, then the end of the file.
struct Failing(Option<io::Error>);

impl Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::tests::gzip;
    use crate::input::unpack::ahead;
    use std::io::BufReader;

    /// Text that compresses badly, so that there are many positions to corrupt.
    fn text(length: usize) -> Vec<u8> {
        let mut state = 1u64;
        let mut letter = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            b"ACGT\n"[(state >> 33) as usize % 5]
        };
        (0..length).map(|_| letter()).collect()
    }

    /// A BGZF block: a gzip member with its size in its header.
    fn block(content: &[u8]) -> Vec<u8> {
        let plain = gzip(content);
        let size = (plain.len() + 8 - 1) as u16;
        let extra = [&[6, 0, b'B', b'C', 2, 0][..], &size.to_le_bytes()].concat();
        [&plain[..3], &[4], &plain[4..10], &extra, &plain[10..]].concat()
    }

    fn bgzf(content: &[u8]) -> Vec<u8> {
        content.chunks(3_000).chain([&[][..]]).flat_map(block).collect()
    }

    /// The bytes read before the end or the error, and the error.
    fn all(mut reader: impl Read) -> (Vec<u8>, Option<(io::ErrorKind, String)>) {
        let mut bytes = Vec::new();
        let error = reader.read_to_end(&mut bytes).err().map(|error| (error.kind(), error.to_string()));
        (bytes, error)
    }

    fn same(packed: &[u8], what: &str) {
        let expected = all(Members::new(packed));
        let file = || io::Cursor::new(packed.to_vec());
        let serial = Blocks::new(file(), None);
        for (decoder, found) in
            [("ahead", all(ahead(file()))), ("parallel", all(unpacked(file()))), ("serial", all(serial))]
        {
            if decoder != "ahead" && found.1 == Some((io::ErrorKind::UnexpectedEof, Flaw::MissingEndMarker.to_string()))
            {
                assert!(expected.1.is_none() && found.0 == expected.0 && !packed.ends_with(&[0; 4]), "{what}");
                continue;
            }
            assert_eq!(found.1, expected.1, "{decoder}: {what}");
            // The number of bytes before an error depends on buffer sizes; their values do not.
            let (longer, shorter) =
                if found.0.len() > expected.0.len() { (&found, &expected) } else { (&expected, &found) };
            assert!(longer.0.starts_with(&shorter.0), "{decoder}: {what}");
            assert!(expected.1.is_some() || longer.0.len() == shorter.0.len(), "{decoder}: {what}");
        }
    }

    #[test]
    fn intact_files() {
        for length in [0, 1, 2_999, 3_000, 3_001, 48_000, 48_001, 400_000] {
            let text = text(length);
            let packed = bgzf(&text);
            assert!(is_bgzf(&packed) && !is_bgzf(&gzip(&text)));
            assert_eq!(all(unpacked(io::Cursor::new(packed.clone()))), (text.clone(), None));
            same(&packed, "bgzf");
            for zeros in [1, 11, 12, 13, 1000, 300_000] {
                let padded = [packed.clone(), vec![0; zeros]].concat();
                assert_eq!(all(unpacked(io::Cursor::new(padded.clone()))), (text.clone(), None));
                same(&padded, "bgzf and padding");
                same(&[gzip(&text), vec![0; zeros]].concat(), "one member and padding");
            }
            same(&gzip(&text), "one member");
            same(&[packed, gzip(b"ACGT"), bgzf(b"TTT"), gzip(&text)].concat(), "mixed members");
        }
    }

    #[test]
    fn truncated_and_corrupt_files_give_the_errors_of_plain_gzip() {
        let packed = bgzf(&text(100_000));
        for cut in (1..packed.len()).step_by(487).chain(packed.len() - 60..packed.len()) {
            same(&packed[..cut], &format!("truncated at {cut}"));
        }
        for place in (0..packed.len()).step_by(389).chain(0..40).chain(packed.len() - 40..packed.len()) {
            let mut damaged = packed.clone();
            damaged[place] ^= 0x55;
            same(&damaged, &format!("corrupt at {place}"));
        }
        for behind in [&b"garbage"[..], b"\0\0garbage", &[7; 100_000]] {
            let packed = [&packed, behind].concat();
            same(&packed, "trailing garbage");
            let expected = Flaw::TrailingBytes { bytes: behind.len() as u64 }.to_string();
            assert_eq!(all(unpacked(io::Cursor::new(packed))).1, Some((io::ErrorKind::InvalidData, expected)));
        }
    }

    /// A file that lost whole blocks at its end is still valid gzip.
    #[test]
    fn missing_blocks_are_detected() {
        let text = text(100_000);
        for left in [1, 15, 16, 17, 32, 33] {
            let text = &text[..3_000 * left];
            let packed = bgzf(text);
            let cut = packed[..packed.len() - block(&[]).len()].to_vec();
            assert_eq!(all(Members::new(cut.as_slice())), (text.to_vec(), None));
            let expected = Some((io::ErrorKind::UnexpectedEof, Flaw::MissingEndMarker.to_string()));
            assert_eq!(all(unpacked(io::Cursor::new(cut))), (text.to_vec(), expected));
        }
    }

    /// A source that fails, and one that is dropped before its end.
    #[test]
    fn source_errors_and_early_drops() {
        struct Failing;
        impl Read for Failing {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::new(io::ErrorKind::PermissionDenied, "no longer"))
            }
        }
        let packed = bgzf(&text(100_000));
        let file = || BufReader::new(io::Cursor::new(packed[..packed.len() - 500].to_vec()).chain(Failing));
        let expected = all(Members::new(file()));
        assert_eq!(expected.1, Some((io::ErrorKind::PermissionDenied, "no longer".to_owned())));
        assert_eq!((all(ahead(file())).1, all(unpacked(file())).1), (expected.1.clone(), expected.1));
        let mut ten = [0; 10];
        unpacked(io::Cursor::new(packed.clone())).read_exact(&mut ten).unwrap();
        ahead(io::Cursor::new(packed)).read_exact(&mut ten).unwrap();
    }

    /// Dropping the reader does not block on a pipe whose writer pauses.
    #[test]
    fn an_early_drop_does_not_block() {
        struct Paused(std::sync::mpsc::Receiver<()>);
        impl Read for Paused {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                let _ = self.0.recv();
                Ok(0)
            }
        }
        let (writer, pause) = std::sync::mpsc::channel();
        let packed = bgzf(&text(100_000));
        let mut file = unpacked(BufReader::new(io::Cursor::new(packed).chain(Paused(pause))));
        file.read_exact(&mut [0; 10]).unwrap();
        drop(file);
        drop(writer);
    }
}
