//! Decompression of gzip in a separate thread, ahead of the reader. A gzip stream can only be decompressed serially; BGZF
//! files, whose blocks are independent, are read by `input/bgzf.rs`.

use super::members::Members;
use std::io::{self, BufRead, BufReader, Read};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

/// Decompressed bytes per message.
const CHUNK: usize = 1 << 18;
/// Capacity of the queue in chunks.
const WAITING: usize = 4;

/// What the thread sends. The end is explicit, so that a thread that panicked is not taken for the end of the file.
enum Message {
    More(Vec<u8>),
    Failed(io::Error),
    End,
}

/// Reader of the chunks of the decompression thread.
struct Chunks {
    messages: Receiver<Message>,
    chunk: Vec<u8>,
    at: usize,
    ended: bool,
}

impl BufRead for Chunks {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.at == self.chunk.len() && !self.ended {
            let message = self.messages.recv();
            let message = message.map_err(|_| io::Error::other("the decompression thread has stopped"))?;
            self.ended = !matches!(message, Message::More(_));
            match message {
                Message::More(chunk) => (self.chunk, self.at) = (chunk, 0),
                Message::Failed(error) => return Err(error),
                Message::End => {}
            }
        }
        Ok(&self.chunk[self.at..])
    }

    fn consume(&mut self, amount: usize) {
        self.at = (self.at + amount).min(self.chunk.len());
    }
}

impl Read for Chunks {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let number = self.fill_buf()?.read(buffer)?;
        self.consume(number);
        Ok(number)
    }
}

/// Moves `value` to a new thread; returns it if none can be started.
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

/// Decompresses any gzip stream in a separate thread, or in the reading thread if none can be started.
pub(super) fn ahead<R: BufRead + Send + 'static>(file: R) -> Box<dyn BufRead + Send> {
    let (sender, messages) = sync_channel(WAITING);
    let handed = hand(file, move |file| {
        let mut unpacked = Members::new(file);
        loop {
            let mut chunk = Vec::with_capacity(CHUNK);
            let result = unpacked.by_ref().take(CHUNK as u64).read_to_end(&mut chunk);
            let last = chunk.len() < CHUNK;
            // Sending fails once the reader is dropped.
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
        Ok(()) => Box::new(Chunks { messages, chunk: Vec::new(), at: 0, ended: false }),
        Err(file) => Box::new(BufReader::with_capacity(CHUNK, Members::new(file))),
    }
}
