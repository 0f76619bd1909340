//! Files of bgzf blocks (SAM specification, section 4.1), unpacked by several threads.
//!
//! The blocks are whole gzip members that tell their size in a header field, so that many can be unpacked at a time: that is
//! `noodles-bgzf`. Whatever is no such block, is damaged, or ends too early is left to the plain decoder, from there to the end of
//! the file, so that the bytes and the errors are always those of plain gzip; only that a file of nothing but such blocks must end
//! with an empty one, as it would otherwise lose blocks at its end without a sign.

use super::flaw::Flaw;
use super::members::Members;
use noodles_bgzf::io::{MultithreadedReader, Reader};
use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read};
use std::num::NonZero;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// Most threads that unpack blocks.
const MOST_THREADS: NonZero<usize> = NonZero::new(8).unwrap();

/// Whether a file begins with a block of bgzf.
pub(super) fn is_bgzf(start: &[u8]) -> bool {
    matches!(start, [0x1f, 0x8b, 8, 4, _, _, _, _, _, _, 6, 0, b'B', b'C', 2, 0, _, _, ..])
}

/// A bgzf file, unpacked by several threads, or by whoever reads where they cannot be started.
pub(super) fn unpacked<R: BufRead + Send + 'static>(file: R) -> Blocks<R> {
    let threads = thread::available_parallelism().map_or(NonZero::<usize>::MIN, |all| all.min(MOST_THREADS));
    // One more reads the file.
    Blocks::new(file, can_start(threads.get() + 1).then_some(threads))
}

/// Whether so many threads can be started: the library takes it for granted.
fn can_start(threads: usize) -> bool {
    let gate = Mutex::new(());
    thread::scope(|scope| {
        // All of them wait, so that they are there at the same time.
        let _closed = gate.lock();
        let wait = || drop(gate.lock());
        (0..threads).all(|_| thread::Builder::new().spawn_scoped(scope, wait).is_ok())
    })
}

/// The unpacked bytes of a bgzf file.
pub(super) struct Blocks<R: BufRead + Send + 'static> {
    way: Way<R>,
    /// Packed bytes of the blocks that were unpacked without a fault.
    unpacked: Arc<AtomicU64>,
}

/// How the file is read on.
enum Way<R: BufRead + Send + 'static> {
    Threads(Box<MultithreadedReader<Kept<R>>>),
    Here(Reader<Kept<R>>),
    Plain(Box<dyn BufRead + Send>),
    Ended,
}

impl<R: BufRead + Send + 'static> Blocks<R> {
    fn new(file: R, threads: Option<NonZero<usize>>) -> Blocks<R> {
        let unpacked = Arc::default();
        let kept = Kept::new(file, Arc::clone(&unpacked));
        let way = match threads {
            Some(threads) => Way::Threads(Box::new(MultithreadedReader::with_worker_count(threads, kept))),
            None => Way::Here(Reader::new(kept)),
        };
        Blocks { way, unpacked }
    }

    /// Unpacks the next block if the last one is used up. Where that fails, and behind the last block, the way changes.
    fn next_block(&mut self) -> io::Result<()> {
        let (found, position) = match &mut self.way {
            Way::Threads(reader) => (reader.fill_buf().is_ok_and(|bytes| !bytes.is_empty()), reader.position()),
            Way::Here(reader) => (reader.fill_buf().is_ok_and(|bytes| !bytes.is_empty()), reader.position()),
            Way::Plain(_) | Way::Ended => return Ok(()),
        };
        if found {
            self.unpacked.store(position, Ordering::Relaxed);
            return Ok(());
        }
        let mut way = std::mem::replace(&mut self.way, Way::Ended);
        let kept = match &mut way {
            Way::Threads(reader) => reader.get_mut(),
            Way::Here(reader) => reader.get_mut(),
            Way::Plain(_) | Way::Ended => return Ok(()),
        };
        match kept.rest(position) {
            Some(rest) => self.way = Way::Plain(Box::new(BufReader::new(Members::new(rest)))),
            None if kept.ends_with_an_empty_block() => {}
            None => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, Flaw::NoEnd)),
        }
        Ok(())
    }
}

impl<R: BufRead + Send + 'static> BufRead for Blocks<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.next_block()?;
        match &mut self.way {
            Way::Threads(reader) => reader.fill_buf(),
            Way::Here(reader) => reader.fill_buf(),
            Way::Plain(reader) => reader.fill_buf(),
            Way::Ended => Ok(&[]),
        }
    }

    fn consume(&mut self, amount: usize) {
        match &mut self.way {
            Way::Threads(reader) => reader.consume(amount),
            Way::Here(reader) => reader.consume(amount),
            Way::Plain(reader) => reader.consume(amount),
            Way::Ended => {}
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
        // It waits for its threads, and they may wait for a pipe.
        if let Way::Threads(reader) = std::mem::replace(&mut self.way, Way::Ended) {
            let _ = thread::Builder::new().spawn(move || drop(reader));
        }
    }
}

/// A file whose bytes are kept until they are unpacked, so that another decoder can go on from there.
struct Kept<R> {
    file: Option<R>,
    bytes: VecDeque<u8>,
    /// Bytes before those that are kept.
    before: u64,
    /// Bytes of the file that need not be kept any longer.
    unpacked: Arc<AtomicU64>,
    failed: Option<io::Error>,
}

impl<R: BufRead + Send + 'static> Kept<R> {
    fn new(file: R, unpacked: Arc<AtomicU64>) -> Kept<R> {
        Kept { file: Some(file), bytes: VecDeque::new(), before: 0, unpacked, failed: None }
    }

    /// What is left from a place on, with the error that ended it; `None` if that is nothing.
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

    /// Whether the last block, once all are unpacked, holds nothing: a block ends with the number of bytes that it unpacks to.
    fn ends_with_an_empty_block(&self) -> bool {
        self.bytes.len() >= 4 && self.bytes.range(self.bytes.len() - 4..).all(|&byte| byte == 0)
    }
}

impl<R: BufRead> Read for Kept<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(file) = &mut self.file else { return Ok(0) };
        let number = match file.read(buffer) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                let told = io::Error::from(error.kind());
                self.failed = Some(error);
                return Err(told);
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

/// An error that is told once.
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

    /// A text that cannot be packed well, so that damage has many places.
    fn text(length: usize) -> Vec<u8> {
        let mut state = 1u64;
        let mut letter = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            b"ACGT\n"[(state >> 33) as usize % 5]
        };
        (0..length).map(|_| letter()).collect()
    }

    /// A block of bgzf: a gzip member with its size in its header.
    fn block(content: &[u8]) -> Vec<u8> {
        let plain = gzip(content);
        let size = (plain.len() + 8 - 1) as u16;
        let extra = [&[6, 0, b'B', b'C', 2, 0][..], &size.to_le_bytes()].concat();
        [&plain[..3], &[4], &plain[4..10], &extra, &plain[10..]].concat()
    }

    fn bgzf(content: &[u8]) -> Vec<u8> {
        content.chunks(3_000).chain([&[][..]]).flat_map(block).collect()
    }

    /// What was read before the end or the error, and the error.
    fn all(mut reader: impl Read) -> (Vec<u8>, Option<(io::ErrorKind, String)>) {
        let mut bytes = Vec::new();
        let error = reader.read_to_end(&mut bytes).err().map(|error| (error.kind(), error.to_string()));
        (bytes, error)
    }

    fn same(packed: &[u8], what: &str) {
        let expected = all(Members::new(packed));
        let file = || io::Cursor::new(packed.to_vec());
        let here = Blocks::new(file(), None);
        for (way, found) in [("ahead", all(ahead(file()))), ("blocks", all(unpacked(file()))), ("here", all(here))] {
            if way != "ahead" && found.1 == Some((io::ErrorKind::UnexpectedEof, Flaw::NoEnd.to_string())) {
                assert!(expected.1.is_none() && found.0 == expected.0 && !packed.ends_with(&[0; 4]), "{what}");
                continue;
            }
            assert_eq!(found.1, expected.1, "{way}: {what}");
            // How much comes before an error depends on the size of buffers; what comes does not.
            let (longer, shorter) =
                if found.0.len() > expected.0.len() { (&found, &expected) } else { (&expected, &found) };
            assert!(longer.0.starts_with(&shorter.0), "{way}: {what}");
            assert!(expected.1.is_some() || longer.0.len() == shorter.0.len(), "{way}: {what}");
        }
    }

    #[test]
    fn whole_files() {
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
    fn truncated_and_damaged_files_are_told_as_before() {
        let packed = bgzf(&text(100_000));
        for cut in (1..packed.len()).step_by(487).chain(packed.len() - 60..packed.len()) {
            same(&packed[..cut], &format!("cut at {cut}"));
        }
        for place in (0..packed.len()).step_by(389).chain(0..40).chain(packed.len() - 40..packed.len()) {
            let mut damaged = packed.clone();
            damaged[place] ^= 0x55;
            same(&damaged, &format!("damaged at {place}"));
        }
        for behind in [&b"rubbish"[..], b"\0\0rubbish", &[7; 100_000]] {
            let packed = [&packed, behind].concat();
            same(&packed, "rubbish behind it");
            let told = Flaw::Behind { bytes: behind.len() as u64 }.to_string();
            assert_eq!(all(unpacked(io::Cursor::new(packed))).1, Some((io::ErrorKind::InvalidData, told)));
        }
    }

    /// A file that lost blocks at its end is plain gzip without a flaw.
    #[test]
    fn lost_blocks_are_told() {
        let text = text(100_000);
        for left in [1, 15, 16, 17, 32, 33] {
            let text = &text[..3_000 * left];
            let packed = bgzf(text);
            let cut = packed[..packed.len() - block(&[]).len()].to_vec();
            assert_eq!(all(Members::new(cut.as_slice())), (text.to_vec(), None));
            let told = Some((io::ErrorKind::UnexpectedEof, Flaw::NoEnd.to_string()));
            assert_eq!(all(unpacked(io::Cursor::new(cut))), (text.to_vec(), told));
        }
    }

    /// A source that fails, and one that is let go before its end.
    #[test]
    fn failures_of_the_source_and_early_ends() {
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

    /// A pipe whose writer pauses does not hold up who no longer reads.
    #[test]
    fn an_early_end_waits_for_nobody() {
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
