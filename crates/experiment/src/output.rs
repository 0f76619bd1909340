//! Output of child processes: stdout as progress or lines, and the last lines of stderr.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read};
use std::process::{ChildStderr, ChildStdout};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::executor::{Message, Update};
use crate::run::Key;

/// Number of stderr lines that are kept.
const LINES: usize = 20;

/// Maximum line length in bytes.
const MAX_LINE: u64 = 4096;

/// The last lines of stderr, updated while the child runs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tail {
    lines: Arc<Mutex<VecDeque<String>>>,
    /// The out-of-memory message of the allocator, which a backtrace may push out of the last lines.
    memory: Arc<Mutex<Option<String>>>,
    readers: Arc<AtomicUsize>,
}

impl Tail {
    /// Waits until both pipes are read to their end, at most `longest`: a grandchild may hold them open.
    pub(crate) fn settle(&self, longest: Duration) {
        let began = Instant::now();
        while self.readers.load(Ordering::Acquire) > 0 && began.elapsed() < longest {
            thread::sleep(Duration::from_millis(1));
        }
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let pushed_out = memory.iter().filter(|line| !lines.contains(line));
        pushed_out.chain(lines.iter()).cloned().collect()
    }
}

/// Reads both pipes in separate threads, so that a child never blocks on a full pipe.
///
/// # Errors
/// If a thread cannot be started.
pub(crate) fn follow(
    key: &Key,
    out: ChildStdout,
    err: ChildStderr,
    sender: &Sender<Message>,
    tail: &Tail,
) -> io::Result<()> {
    tail.readers.store(2, Ordering::Release);
    let (key_out, sender_out, tail_out) = (key.clone(), sender.clone(), tail.clone());
    thread::Builder::new().spawn(move || {
        each_line(out, |line| {
            // The receiver is gone once the call has ended.
            let _ = sender_out.send(Message { key: key_out.clone(), update: Update::stdout(line) });
        });
        tail_out.readers.fetch_sub(1, Ordering::Release);
    })?;
    let (key_err, sender_err, tail_err) = (key.clone(), sender.clone(), tail.clone());
    thread::Builder::new().spawn(move || {
        each_line(err, |line| {
            {
                let mut lines = tail_err.lines.lock().unwrap_or_else(PoisonError::into_inner);
                if lines.len() == LINES {
                    lines.pop_front();
                }
                lines.push_back(line.clone());
            }
            if out_of_memory(&line) {
                *tail_err.memory.lock().unwrap_or_else(PoisonError::into_inner) = Some(line.clone());
            }
            let _ = sender_err.send(Message { key: key_err.clone(), update: Update::Stderr(line) });
        });
        tail_err.readers.fetch_sub(1, Ordering::Release);
    })?;
    Ok(())
}

/// Whether a line is the out-of-memory message of Rust's allocator.
pub(crate) fn out_of_memory(line: &str) -> bool {
    line.trim().starts_with("memory allocation of") && line.contains("failed")
}

/// Calls `line` for each line of a pipe. Invalid UTF-8 is replaced, and longer lines are split at [`MAX_LINE`] bytes.
fn each_line(pipe: impl Read, mut line: impl FnMut(String)) {
    let mut pipe = BufReader::new(pipe);
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        match (&mut pipe).take(MAX_LINE).read_until(b'\n', &mut bytes) {
            Ok(0) | Err(_) => return,
            Ok(_) => line(String::from_utf8_lossy(&bytes).trim_end_matches(['\n', '\r']).to_owned()),
        }
    }
}
