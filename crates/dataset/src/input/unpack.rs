//! Unpacking gzip in threads of its own, ahead of whoever reads.
//!
//! A gzip stream can only be unpacked from its beginning: one thread does that ([`ahead`]). The blocks of a bgzf file (SAM
//! specification, section 4.1) are whole gzip members that tell their size in a header field: many are unpacked at a time
//! ([`blocks`]). Whatever is no such block, is damaged, or ends too early is left to the plain decoder, from there to the end of
//! the file, so that the bytes and the errors are always those of plain gzip; only that a file of nothing but such blocks must end
//! with an empty one, as it would otherwise lose blocks at its end without a sign.

use super::Flaw;
use super::members::Members;
use std::io::{self, BufRead, BufReader, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// Unpacked bytes that are handed on at a time.
const CHUNK: usize = 1 << 18;
/// Chunks that wait to be read.
const WAITING: usize = 4;
/// Blocks of bgzf that are unpacked together; one has at most 65,536 bytes, packed and unpacked.
const TOGETHER: usize = 16;
/// Most threads that unpack blocks.
const MOST_THREADS: usize = 8;

/// Bytes in chunks, from another thread.
pub(super) struct Chunks<F> {
    next: F,
    chunk: Vec<u8>,
    at: usize,
}

impl<F: FnMut() -> io::Result<Option<Vec<u8>>>> Chunks<F> {
    fn new(next: F) -> Self {
        Chunks { next, chunk: Vec::new(), at: 0 }
    }
}

impl<F: FnMut() -> io::Result<Option<Vec<u8>>>> BufRead for Chunks<F> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.at == self.chunk.len() {
            match (self.next)()? {
                Some(chunk) => (self.chunk, self.at) = (chunk, 0),
                None => return Ok(&[]),
            }
        }
        Ok(&self.chunk[self.at..])
    }

    fn consume(&mut self, amount: usize) {
        self.at = (self.at + amount).min(self.chunk.len());
    }
}

impl<F: FnMut() -> io::Result<Option<Vec<u8>>>> Read for Chunks<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let number = self.fill_buf()?.read(buffer)?;
        self.consume(number);
        Ok(number)
    }
}

/// What a thread sends. The end is told, so that a thread that failed never passes for the end of a file.
enum Message<T> {
    More(T),
    Failed(io::Error),
    End,
}

/// What another thread sends.
struct Inbox<T> {
    messages: Receiver<Message<T>>,
    ended: bool,
}

impl<T> Inbox<T> {
    fn new(messages: Receiver<Message<T>>) -> Self {
        Inbox { messages, ended: false }
    }

    fn next(&mut self) -> io::Result<Option<T>> {
        if self.ended {
            return Ok(None);
        }
        let message = self.messages.recv().map_err(|_| stopped())?;
        self.ended = !matches!(message, Message::More(_));
        match message {
            Message::More(value) => Ok(Some(value)),
            Message::Failed(error) => Err(error),
            Message::End => Ok(None),
        }
    }
}

fn stopped() -> io::Error {
    io::Error::other("a thread that unpacks the file has stopped")
}

/// Hands `value` to a thread of its own; gives it back where none can be started.
fn hand<T: Send + 'static>(value: T, work: impl FnOnce(T) + Send + 'static) -> Result<(), T> {
    let (give, take) = sync_channel(1);
    let thread = thread::Builder::new().spawn(move || {
        if let Ok(value) = take.recv() {
            work(value);
        }
    });
    if thread.is_err() {
        return Err(value);
    }
    give.send(value).map_err(|unsent| unsent.0)
}

/// A gzip stream of any kind, unpacked by one thread, or by whoever reads where none can be started.
pub(super) fn ahead<R: BufRead + Send + 'static>(file: R) -> Box<dyn BufRead + Send> {
    let (sender, chunks) = sync_channel(WAITING);
    let handed = hand(file, move |file| {
        let mut unpacked = Members::new(file);
        loop {
            let mut chunk = Vec::with_capacity(CHUNK);
            let result = unpacked.by_ref().take(CHUNK as u64).read_to_end(&mut chunk);
            let last = chunk.len() < CHUNK;
            // Sending fails when nobody reads any more.
            if !chunk.is_empty() && sender.send(Message::More(chunk)).is_err() {
                return;
            }
            if let Err(error) = result {
                let _ = sender.send(Message::Failed(error));
                return;
            }
            if last {
                let _ = sender.send(Message::End);
                return;
            }
        }
    });
    match handed {
        Ok(()) => {
            let mut inbox = Inbox::new(chunks);
            Box::new(Chunks::new(move || inbox.next()))
        }
        Err(file) => Box::new(BufReader::with_capacity(CHUNK, Members::new(file))),
    }
}

/// Whether a file begins with a block of bgzf.
pub(super) fn is_blocks(start: &[u8]) -> bool {
    extra(start).is_some_and(|length| size(start.get(FIXED..FIXED + length).unwrap_or_default()).is_some())
}

/// Bytes of a gzip header before its extra field.
const FIXED: usize = 12;

/// Bytes of the extra field, if there is one.
fn extra(header: &[u8]) -> Option<usize> {
    match header.get(..FIXED)? {
        [0x1f, 0x8b, 8, flags, .., low, high] if flags & 4 != 0 => Some(usize::from(u16::from_le_bytes([*low, *high]))),
        _ => None,
    }
}

/// Bytes of a block, from its extra field.
fn size(mut extra: &[u8]) -> Option<usize> {
    while let [first, second, low, high, rest @ ..] = extra {
        let length = usize::from(u16::from_le_bytes([*low, *high]));
        if let ([b'B', b'C'], [low, high]) = ([*first, *second], rest.get(..length)?) {
            return Some(usize::from(u16::from_le_bytes([*low, *high])) + 1);
        }
        extra = &rest[length..];
    }
    None
}

/// Some blocks, and what they unpack to; `None`: the plain decoder must see to them.
struct Group {
    packed: Vec<u8>,
    unpacked: Option<Vec<u8>>,
}

impl Group {
    /// Unpacks blocks that seem to be whole.
    fn of(packed: Vec<u8>) -> Group {
        let mut unpacked = Vec::with_capacity(TOGETHER << 16);
        let whole = Members::new(packed.as_slice()).read_to_end(&mut unpacked).is_ok();
        Group { packed, unpacked: whole.then_some(unpacked) }
    }
}

/// The groups in the order of the file.
enum Groups {
    /// From threads; each comes when it is unpacked.
    Threads(Inbox<Receiver<Group>>),
    /// Unpacked by whoever reads, and the error that comes next.
    Here(Box<dyn BufRead + Send>, Option<io::Error>),
}

impl Groups {
    fn next(&mut self) -> io::Result<Option<Group>> {
        match self {
            Groups::Threads(groups) => groups.next()?.map(|group| group.recv().map_err(|_| stopped())).transpose(),
            Groups::Here(file, failed) => {
                if let Some(error) = failed.take() {
                    return Err(error);
                }
                let mut packed = Vec::new();
                let result = collect(file, &mut packed);
                if packed.is_empty() {
                    return result.map(|_| None);
                }
                if let Ok(true) = result {
                    return Ok(Some(Group::of(packed)));
                }
                *failed = result.err();
                Ok(Some(Group { packed, unpacked: None }))
            }
        }
    }
}

/// How a bgzf file is read on.
enum Way {
    Groups(Groups),
    Plain(Box<Members<Box<dyn BufRead + Send>>>),
    Ended,
}

/// A bgzf file, unpacked by several threads, or by whoever reads where none can be started.
pub(super) fn blocks<R: BufRead + Send + 'static>(file: R) -> impl BufRead + Send {
    let threads = thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS);
    let (sender, groups) = sync_channel(2 * threads);
    let handed = hand(file, move |file| {
        let last = deal(file, threads, &sender).map_or_else(Message::Failed, |()| Message::End);
        let _ = sender.send(last);
    });
    one_after_the_other(match handed {
        Ok(()) => Groups::Threads(Inbox::new(groups)),
        Err(file) => Groups::Here(Box::new(file), None),
    })
}

/// What groups unpack to.
fn one_after_the_other(groups: Groups) -> impl BufRead + Send {
    let mut way = Way::Groups(groups);
    let mut ended = false;
    Chunks::new(move || {
        loop {
            way = match std::mem::replace(&mut way, Way::Ended) {
                Way::Groups(mut groups) => match groups.next()? {
                    Some(Group { packed, unpacked: None }) => {
                        let rest = Chunks::new(move || Ok(groups.next()?.map(|group| group.packed)));
                        Way::Plain(Box::new(Members::new(Box::new(io::Cursor::new(packed).chain(rest)))))
                    }
                    Some(Group { packed, unpacked }) => {
                        way = Way::Groups(groups);
                        // A block ends with the number of bytes that it unpacks to.
                        ended = packed.ends_with(&[0; 4]);
                        return Ok(unpacked);
                    }
                    None if ended => Way::Ended,
                    None => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, Flaw::NoEnd)),
                },
                Way::Plain(mut plain) => {
                    let mut chunk = vec![0; CHUNK];
                    let number = plain.read(&mut chunk)?;
                    chunk.truncate(number);
                    way = if number > 0 { Way::Plain(plain) } else { Way::Ended };
                    return Ok(Some(chunk));
                }
                Way::Ended => return Ok(None),
            };
        }
    })
}

type Job = (Vec<u8>, SyncSender<Group>);

/// Reads the file and deals its groups out to threads.
fn deal(mut file: impl BufRead, mut threads: usize, groups: &SyncSender<Message<Receiver<Group>>>) -> io::Result<()> {
    let (jobs, waiting) = sync_channel::<Job>(threads);
    let waiting = Arc::new(Mutex::new(waiting));
    let mut started = 0;
    loop {
        let mut packed = Vec::new();
        let result = collect(&mut file, &mut packed);
        if packed.is_empty() {
            return result.map(drop);
        }
        let (done, group) = sync_channel(1);
        if groups.send(Message::More(group)).is_err() {
            // Nobody reads any more.
            return Ok(());
        }
        if let Ok(true) = result {
            if started < threads {
                let waiting = Arc::clone(&waiting);
                match thread::Builder::new().spawn(move || work(&waiting)) {
                    Ok(_) => started += 1,
                    // No more of them can be started; this one does the work of the first.
                    Err(_) => threads = started,
                }
            }
            if started == 0 {
                let _ = done.send(Group::of(packed));
            } else {
                jobs.send((packed, done)).map_err(|_| stopped())?;
            }
        } else {
            let _ = done.send(Group { packed, unpacked: None });
            result?;
        }
    }
}

/// Reads some blocks. Whether they are whole, and nothing else was met.
fn collect(file: &mut impl BufRead, packed: &mut Vec<u8>) -> io::Result<bool> {
    let mut more = |packed: &mut Vec<u8>, bytes: usize| -> io::Result<bool> {
        Ok(file.by_ref().take(bytes as u64).read_to_end(packed)? == bytes)
    };
    for _ in 0..TOGETHER {
        let from = packed.len();
        if !more(packed, FIXED)? {
            return Ok(packed.len() == from);
        }
        let rest = match extra(&packed[from..]) {
            None => None,
            Some(extra) if !more(packed, extra)? => return Ok(false),
            Some(extra) => size(&packed[from + FIXED..]).and_then(|size| size.checked_sub(FIXED + extra)),
        };
        let Some(rest) = rest else {
            more(packed, CHUNK)?;
            return Ok(false);
        };
        if !more(packed, rest)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Unpacks groups until there are no more.
fn work(waiting: &Mutex<Receiver<Job>>) {
    loop {
        let job = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((packed, done)) = job else { return };
        let _ = done.send(Group::of(packed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::tests::gzip;
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
        let here = one_after_the_other(Groups::Here(Box::new(file()), None));
        for (way, found) in [("ahead", all(ahead(file()))), ("blocks", all(blocks(file()))), ("here", all(here))] {
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
            assert!(is_blocks(&packed) && !is_blocks(&gzip(&text)));
            assert_eq!(all(blocks(io::Cursor::new(packed.clone()))), (text.clone(), None));
            same(&packed, "bgzf");
            for zeros in [1, 11, 12, 13, 1000, 300_000] {
                let padded = [packed.clone(), vec![0; zeros]].concat();
                assert_eq!(all(blocks(io::Cursor::new(padded.clone()))), (text.clone(), None));
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
            assert_eq!(all(blocks(io::Cursor::new(packed))).1, Some((io::ErrorKind::InvalidData, told)));
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
            assert_eq!(all(blocks(io::Cursor::new(cut))), (text.to_vec(), told));
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
        assert_eq!((all(ahead(file())).1, all(blocks(file())).1), (expected.1.clone(), expected.1));
        let mut ten = [0; 10];
        blocks(io::Cursor::new(packed.clone())).read_exact(&mut ten).unwrap();
        ahead(io::Cursor::new(packed)).read_exact(&mut ten).unwrap();
    }
}
