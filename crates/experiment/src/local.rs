//! Runs as child processes on this machine: `<program> run KEY --store S --threads T`, several at a time.
//!
//! Time, memory and crashes of a run are its own. A child that writes a failed record itself (its loss diverged) has
//! answered. One that ends without a record, by a signal, an error or a panic, is pending and is taken up again by the next
//! call. A child must save what it has and end when its stdin closes: that is how it learns of an interrupt, and that its
//! parent is gone, even by `kill -9`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::executor::{Context, Ending, Executor, Message, Submission, Update};
use crate::job::Job;
use crate::output::{Tail, follow, out_of_memory};
use crate::run::Key;

/// Between two looks at the children when none says anything.
const TICK: Duration = Duration::from_millis(20);

/// How long what a child said is waited for once it has ended.
const SETTLE: Duration = Duration::from_millis(300);

/// Child processes on this machine.
#[derive(Debug)]
pub struct Local {
    /// The program; usually tokbench itself.
    pub program: PathBuf,
    /// Arguments before `run KEY ...`, for a program that wraps another one (`nice`, `sh -c`).
    pub leading_args: Vec<String>,
    /// Arguments after `run KEY --store S --threads T`.
    pub extra_args: Vec<OsString>,
    /// Runs at a time.
    pub workers: usize,
    /// Threads of all workers together; each gets its share, at least one.
    pub threads: usize,
    /// How long children that are told to end have for that before they are killed; 10 seconds at first.
    pub grace: Duration,
    children: Vec<Running>,
    tell: Sender<Message>,
    told: Receiver<Message>,
}

#[derive(Debug)]
struct Running {
    key: Key,
    child: Child,
    tail: Tail,
}

impl Local {
    /// One worker with all `threads`.
    #[must_use]
    pub fn new(program: impl Into<PathBuf>, threads: usize) -> Local {
        let (tell, told) = channel();
        Local {
            program: program.into(),
            leading_args: Vec::new(),
            extra_args: Vec::new(),
            workers: 1,
            threads,
            grace: Duration::from_secs(10),
            children: Vec::new(),
            tell,
            told,
        }
    }

    fn spawn(&self, job: &Job, context: &Context<'_>) -> Result<Running> {
        let count = (self.threads / context.at_once).max(1).to_string();
        let failed = |cause| Error::Spawn { program: self.program.clone(), cause };
        let mut child = Command::new(&self.program)
            .args(&self.leading_args)
            .args(["run", job.key.as_str(), "--store"])
            .arg(context.store.root())
            .args(["--threads", &count])
            .args(&self.extra_args)
            .env("RAYON_NUM_THREADS", &count)
            .env("OMP_NUM_THREADS", &count)
            .env("OMP_WAIT_POLICY", "passive")
            // Training frees and takes the same megabytes at every step. By default glibc gives them back to the system each
            // time and page faults take 40 % of a small model's step; other C libraries ignore these.
            .env("MALLOC_TRIM_THRESHOLD_", "2000000000")
            .env("MALLOC_MMAP_THRESHOLD_", "2000000000")
            .env("MALLOC_TOP_PAD_", "67108864")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let tail = Tail::default();
        if let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take())
            && let Err(cause) = follow(&job.key, stdout, stderr, &self.tell, &tail)
        {
            // Nobody would hear it: it has not begun yet, or saves what it has when its stdin closes.
            let _ = child.kill();
            let _ = child.wait();
            return Err(failed(cause));
        }
        // `child.stdin` stays in `child`: it closes when this process ends, however it ends.
        Ok(Running { key: job.key.clone(), child, tail })
    }

    /// Tells all children to save and end, waits for a while, and kills those that are still there.
    fn end(&mut self) {
        for running in &mut self.children {
            drop(running.child.stdin.take());
        }
        let began = Instant::now();
        let gone = |running: &mut Running| matches!(running.child.try_wait(), Ok(Some(_)));
        while !self.children.iter_mut().all(gone) && began.elapsed() < self.grace {
            std::thread::sleep(TICK);
        }
        for running in &mut self.children {
            let _ = running.child.kill();
            let _ = running.child.wait();
        }
    }

    /// The last that is heard of a child: what is still in its pipes, and that it has ended.
    fn last_of(&self, running: &Running, reason: impl FnOnce(&[String]) -> String, messages: &mut Vec<Message>) {
        running.tail.settle(SETTLE);
        messages.extend(self.told.try_iter());
        let stderr = running.tail.lines();
        let ending = Ending { reason: reason(&stderr), stderr };
        messages.push(Message { key: running.key.clone(), update: Update::Ended(ending) });
    }
}

/// Whether a child could not be started because there are as many processes as the system allows.
fn busy(error: &Error) -> bool {
    matches!(error, Error::Spawn { cause, .. } if cause.kind() == std::io::ErrorKind::WouldBlock)
}

impl Drop for Local {
    fn drop(&mut self) {
        self.end();
    }
}

impl Executor for Local {
    fn capacity(&self) -> usize {
        self.workers
    }

    fn submit(&mut self, job: &Job, context: &Context<'_>) -> Result<Submission> {
        match self.spawn(job, context) {
            Ok(running) => {
                self.children.push(running);
                Ok(Submission::Accepted)
            }
            Err(error) if busy(&error) => Ok(Submission::Full(error)),
            Err(error) => Err(error),
        }
    }

    fn poll(&mut self) -> Result<Vec<Message>> {
        let mut messages: Vec<Message> = self.told.recv_timeout(TICK).into_iter().collect();
        messages.extend(self.told.try_iter());
        let mut index = 0;
        while index < self.children.len() {
            let status = self.children[index].child.try_wait().map_err(Error::io("wait for", &self.program))?;
            match status {
                None => index += 1,
                Some(status) => {
                    let running = self.children.remove(index);
                    let reason = |stderr: &[String]| killed(status, stderr).unwrap_or_else(|| why(status, stderr));
                    self.last_of(&running, reason, &mut messages);
                }
            }
        }
        Ok(messages)
    }

    fn cancel(&mut self) -> Result<Vec<Message>> {
        self.end();
        let mut messages = self.told.try_iter().collect();
        for running in std::mem::take(&mut self.children) {
            self.last_of(&running, |_| "cancelled".to_owned(), &mut messages);
        }
        Ok(messages)
    }
}

/// Why a child ended without leaving a record: its last `error` line, or what it panicked with, or its last line.
fn why(status: ExitStatus, stderr: &[String]) -> String {
    let cause = match status.code() {
        Some(0) | None => "ended without leaving a record".to_owned(),
        Some(code) => format!("exited with code {code}"),
    };
    let lines: Vec<&str> = stderr.iter().map(|line| line.trim()).filter(|line| !line.is_empty()).collect();
    let error = lines.iter().rposition(|line| line.starts_with("error"));
    // The message stands below the place; a note about RUST_BACKTRACE follows.
    let panic = || lines.iter().rposition(|line| line.contains("panicked at")).map(|at| (at + 1).min(lines.len() - 1));
    let last = || lines.iter().rposition(|line| !line.starts_with("note: "));
    match error.or_else(panic).or_else(last) {
        Some(at) => format!("{cause}: {}", lines[at]),
        None => cause,
    }
}

/// How a child was killed, and of what where that can be told; `None` if it ended by itself. A shell reports a signal as
/// 128 + its number.
fn killed(status: ExitStatus, stderr: &[String]) -> Option<String> {
    #[cfg(unix)]
    let signal = std::os::unix::process::ExitStatusExt::signal(&status);
    #[cfg(not(unix))]
    let signal: Option<i32> = None;
    let signal = match (signal, status.code()) {
        (Some(signal), _) => signal,
        (None, Some(code @ 129..=159)) => code - 128,
        (None, Some(_)) => return None,
        (None, None) => return Some("killed".to_owned()),
    };
    let said = stderr.iter().rev().find(|line| out_of_memory(line)).map(|line| line.trim());
    Some(match (said, signal) {
        (Some(line), _) => format!("killed by signal {signal}: out of memory ({line})"),
        (None, 9) => "killed by signal 9: most likely out of memory, unless a person did it".to_owned(),
        (None, _) => format!("killed by signal {signal}"),
    })
}
