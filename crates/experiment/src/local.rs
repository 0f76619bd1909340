//! Runs as child processes on this machine: `<program> run KEY --store S --threads T`, several in parallel.
//!
//! Each run has its own time, memory and crashes. A child whose loss diverged writes a failed record. A child that ends
//! without a record (signal, error, panic) leaves its run pending, and the next call retries it. A child must save a
//! checkpoint and exit when its stdin is closed: this signals an interrupt, or that the parent has died, even by `kill -9`.

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

/// Polling interval when there is no output.
const TICK: Duration = Duration::from_millis(20);

/// How long to wait for the remaining output of a child that has ended.
const SETTLE: Duration = Duration::from_millis(300);

/// Child processes on this machine.
#[derive(Debug)]
pub struct Local {
    /// Path of the program, usually tokbench itself.
    pub program: PathBuf,
    /// Arguments before `run KEY ...`, for wrappers such as `nice` or `sh -c`.
    pub leading_args: Vec<String>,
    /// Arguments after `run KEY --store S --threads T`.
    pub extra_args: Vec<OsString>,
    /// Devices, of which each run gets the one with the fewest active runs, as `--device`. Empty: the argument is not given.
    pub devices: Vec<String>,
    /// Number of concurrent runs on all devices together.
    pub workers: usize,
    /// Total number of threads, divided among the workers; each gets at least one.
    pub threads: usize,
    /// How long children may take to exit before they are killed; 10 seconds by default.
    pub grace: Duration,
    children: Vec<Running>,
    sender: Sender<Message>,
    receiver: Receiver<Message>,
}

#[derive(Debug)]
struct Running {
    key: Key,
    /// Which of the devices it has.
    device: usize,
    child: Child,
    tail: Tail,
}

impl Local {
    /// An executor with one worker that uses all `threads`.
    #[must_use]
    pub fn new(program: impl Into<PathBuf>, threads: usize) -> Local {
        let (sender, receiver) = channel();
        Local {
            program: program.into(),
            leading_args: Vec::new(),
            extra_args: Vec::new(),
            devices: Vec::new(),
            workers: 1,
            threads,
            grace: Duration::from_secs(10),
            children: Vec::new(),
            sender,
            receiver,
        }
    }

    fn spawn(&self, job: &Job, context: &Context<'_>) -> Result<Running> {
        let count = (self.threads / context.at_once).max(1).to_string();
        let failed = |cause| Error::Spawn { program: self.program.clone(), cause };
        let active = |device: &usize| self.children.iter().filter(|running| running.device == *device).count();
        let device = (0..self.devices.len()).min_by_key(active).unwrap_or(0);
        let device_args = self.devices.get(device).into_iter().flat_map(|name| ["--device", name.as_str()]);
        let mut child = Command::new(&self.program)
            .args(&self.leading_args)
            .args(["run", job.key.as_str(), "--store"])
            .arg(context.store.root())
            .args(["--threads", &count])
            .args(&self.extra_args)
            .args(device_args)
            .env("RAYON_NUM_THREADS", &count)
            .env("OMP_NUM_THREADS", &count)
            .env("OMP_WAIT_POLICY", "passive")
            // Training frees and allocates the same megabytes at every step. By default glibc returns them to the system, and
            // page faults take 40 % of the step time of a small model. Other C libraries ignore these variables.
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
            && let Err(cause) = follow(&job.key, stdout, stderr, &self.sender, &tail)
        {
            // Its output would be lost. It has not started training, or saves a checkpoint when its stdin is closed.
            let _ = child.kill();
            let _ = child.wait();
            return Err(failed(cause));
        }
        // `child.stdin` stays open in `child` until this process ends, in whatever way.
        Ok(Running { key: job.key.clone(), device, child, tail })
    }

    /// Asks all children to save and exit, waits for the grace period, and kills the remaining ones.
    fn stop(&mut self) {
        for running in &mut self.children {
            drop(running.child.stdin.take());
        }
        let began = Instant::now();
        let exited = |running: &mut Running| matches!(running.child.try_wait(), Ok(Some(_)));
        while !self.children.iter_mut().all(exited) && began.elapsed() < self.grace {
            std::thread::sleep(TICK);
        }
        for running in &mut self.children {
            let _ = running.child.kill();
            let _ = running.child.wait();
        }
    }

    /// The final messages of a child: remaining output, and its end.
    fn final_messages(&self, running: &Running, reason: impl FnOnce(&[String]) -> String, messages: &mut Vec<Message>) {
        running.tail.settle(SETTLE);
        messages.extend(self.receiver.try_iter());
        let stderr = running.tail.lines();
        let ending = Ending { reason: reason(&stderr), stderr };
        messages.push(Message { key: running.key.clone(), update: Update::Ended(ending) });
    }
}

/// Whether a child could not be started because of the process limit of the system.
fn process_limit(error: &Error) -> bool {
    matches!(error, Error::Spawn { cause, .. } if cause.kind() == std::io::ErrorKind::WouldBlock)
}

impl Drop for Local {
    fn drop(&mut self) {
        self.stop();
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
            Err(error) if process_limit(&error) => Ok(Submission::Full(error)),
            Err(error) => Err(error),
        }
    }

    fn poll(&mut self) -> Result<Vec<Message>> {
        let mut messages: Vec<Message> = self.receiver.recv_timeout(TICK).into_iter().collect();
        messages.extend(self.receiver.try_iter());
        let mut index = 0;
        while index < self.children.len() {
            let status = self.children[index].child.try_wait().map_err(Error::io("wait for", &self.program))?;
            match status {
                None => index += 1,
                Some(status) => {
                    let running = self.children.remove(index);
                    let reason =
                        |stderr: &[String]| kill_reason(status, stderr).unwrap_or_else(|| exit_reason(status, stderr));
                    self.final_messages(&running, reason, &mut messages);
                }
            }
        }
        Ok(messages)
    }

    fn cancel(&mut self) -> Result<Vec<Message>> {
        self.stop();
        let mut messages = self.receiver.try_iter().collect();
        for running in std::mem::take(&mut self.children) {
            self.final_messages(&running, |_| "cancelled".to_owned(), &mut messages);
        }
        Ok(messages)
    }
}

/// Why a child ended without a record: exit code, and its last `error` line, panic message or last line.
fn exit_reason(status: ExitStatus, stderr: &[String]) -> String {
    let cause = match status.code() {
        Some(0) | None => "ended without a record".to_owned(),
        Some(code) => format!("exited with code {code}"),
    };
    let lines: Vec<&str> = stderr.iter().map(|line| line.trim()).filter(|line| !line.is_empty()).collect();
    let error = lines.iter().rposition(|line| line.starts_with("error"));
    // The panic message follows the location; a note about RUST_BACKTRACE comes after it.
    let panic = || lines.iter().rposition(|line| line.contains("panicked at")).map(|at| (at + 1).min(lines.len() - 1));
    let last = || lines.iter().rposition(|line| !line.starts_with("note: "));
    match error.or_else(panic).or_else(last) {
        Some(at) => format!("{cause}: {}", lines[at]),
        None => cause,
    }
}

/// The signal that killed a child, and the cause if it is known; `None` if it exited. A shell reports a signal as exit code
/// 128 + signal.
fn kill_reason(status: ExitStatus, stderr: &[String]) -> Option<String> {
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
    let allocation = stderr.iter().rev().find(|line| out_of_memory(line)).map(|line| line.trim());
    Some(match (allocation, signal) {
        (Some(line), _) => format!("killed by signal {signal}: out of memory ({line})"),
        (None, 9) => "killed by signal 9: probably out of memory".to_owned(),
        (None, _) => format!("killed by signal {signal}"),
    })
}
