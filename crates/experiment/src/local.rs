//! Runs as child processes on this machine: `<program> run KEY --store S --threads T`, several at a time.
//!
//! Time, memory and crashes of a run are its own. A child that writes a failed record itself (its loss diverged) has
//! answered. One that ends without a record, by a signal, an error or a panic, is pending and is taken up again by the next
//! call. A child must save what it has and end when its stdin closes: that is how it learns of an interrupt, and that its
//! parent is gone, even by `kill -9`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::executor::{Event, Executor, Ready, Rules, Summary, answered, ready, unfinished};
use crate::output::{Said, Tail, follow, out_of_memory};
use crate::plan::Job;
use crate::record::{Outcome, Record};
use crate::run::Key;
use crate::store::{Found, Store};

/// Between two looks at the children when none says anything.
const TICK: Duration = Duration::from_millis(20);

/// Child processes on this machine.
#[derive(Clone, Debug)]
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
    /// Answers failed runs again.
    pub retry_failed: bool,
    /// Set it (from a signal handler, say) to stop: children are told to save what they have and to end.
    pub stop: Arc<AtomicBool>,
    /// How long they have for that before they are killed; 10 seconds at first.
    pub grace: Duration,
}

impl Local {
    /// One worker with all `threads`.
    #[must_use]
    pub fn new(program: impl Into<PathBuf>, threads: usize) -> Local {
        Local {
            program: program.into(),
            leading_args: Vec::new(),
            extra_args: Vec::new(),
            workers: 1,
            threads,
            retry_failed: false,
            stop: Arc::default(),
            grace: Duration::from_secs(10),
        }
    }

    fn spawn(&self, job: &Job, threads: usize, store: &Store, tell: &Sender<(Key, Said)>) -> Result<Running> {
        store.put_run(&job.run)?;
        store.put_data(&job.key, &job.data)?;
        let before = store.record(&job.key)?.done();
        let count = threads.to_string();
        let failed = |cause| Error::Spawn { program: self.program.clone(), cause };
        let mut child = Command::new(&self.program)
            .args(&self.leading_args)
            .args(["run", &job.key.0, "--store"])
            .arg(store.root())
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
            && let Err(cause) = follow(&job.key, stdout, stderr, tell, &tail)
        {
            // Nobody would hear it: it has not begun yet, or saves what it has when its stdin closes.
            let _ = child.kill();
            let _ = child.wait();
            return Err(failed(cause));
        }
        // `child.stdin` stays in `child`: it closes when this process ends, however it ends.
        Ok(Running { key: job.key.clone(), child, tail, before, began: Instant::now() })
    }
}

/// Whether a child could not be started because there are as many processes as the system allows.
fn busy(error: &Error) -> bool {
    matches!(error, Error::Spawn { cause, .. } if cause.kind() == std::io::ErrorKind::WouldBlock)
}

struct Running {
    key: Key,
    child: Child,
    tail: Tail,
    /// The failed record that this sitting is to replace.
    before: Option<Record>,
    began: Instant,
}

/// Children that are ended when the call ends early, by an error or a panic in `events`.
struct Children {
    running: Vec<Running>,
    grace: Duration,
}

impl Children {
    /// Tells all to save and end, waits for a while, and kills those that are still there.
    fn end(&mut self) {
        for running in &mut self.running {
            drop(running.child.stdin.take());
        }
        let began = Instant::now();
        let gone = |running: &mut Running| matches!(running.child.try_wait(), Ok(Some(_)));
        while !self.running.iter_mut().all(gone) && began.elapsed() < self.grace {
            std::thread::sleep(TICK);
        }
        for running in &mut self.running {
            let _ = running.child.kill();
            let _ = running.child.wait();
        }
    }
}

impl Drop for Children {
    fn drop(&mut self) {
        self.end();
    }
}

impl Executor for Local {
    fn execute(&self, plan: &[Job], store: &Store, events: &mut dyn FnMut(Event)) -> Result<Summary> {
        let mut summary = Summary::default();
        let rules = Rules { retry_failed: self.retry_failed, made_up: false };
        let mut waiting = unfinished(plan, store, rules, &mut summary, events)?;
        let workers = self.workers.clamp(1, waiting.len().max(1));
        let threads = (self.threads / workers).max(1);
        let (tell, said) = channel();
        let mut children = Children { running: Vec::new(), grace: self.grace };
        let mut call = Call { store, summary, events };
        let mut full = false;
        loop {
            if self.stop.load(Ordering::Relaxed) {
                call.summary.interrupted = true;
                children.end();
                call.collect(&said);
                for running in std::mem::take(&mut children.running) {
                    // It may have finished in this very moment.
                    call.ended(&running, None, &said)?;
                }
                for job in waiting {
                    call.pending(&job.key, "interrupted");
                }
                return Ok(call.summary);
            }
            let mut index = 0;
            while index < waiting.len() && children.running.len() < workers {
                let job = waiting[index];
                let unanswered =
                    |key: &Key| waiting.iter().any(|j| j.key == *key) || children.running.iter().any(|r| r.key == *key);
                match ready(job, store, rules, unanswered)? {
                    Ready::NotYet => index += 1,
                    Ready::Never(reason) => {
                        waiting.remove(index);
                        call.pending(&job.key, &reason);
                        // Those before it may have waited for it.
                        index = 0;
                    }
                    Ready::Yes => {
                        waiting.remove(index);
                        // Another process may have answered it since this call began.
                        if answered(&job.key, store, rules, &mut call.summary, call.events)? {
                            index = 0;
                            continue;
                        }
                        match self.spawn(job, threads, store, &tell) {
                            Ok(running) => children.running.push(running),
                            // The system starts no more processes for now: it waits for one that runs to end.
                            Err(error) if busy(&error) && !children.running.is_empty() => {
                                waiting.insert(index, job);
                                if !std::mem::replace(&mut full, true) {
                                    let text = format!("{} runs at a time: {error}", children.running.len());
                                    (call.events)(Event::Warning { text });
                                }
                                break;
                            }
                            Err(error) => return Err(error),
                        }
                        (call.events)(Event::Started { key: job.key.clone() });
                    }
                }
            }
            if children.running.is_empty() {
                return match waiting.first() {
                    None => Ok(call.summary),
                    Some(job) => Err(Error::Cycle { key: job.key.short().to_owned() }),
                };
            }
            match said.recv_timeout(TICK) {
                Ok((key, line)) => call.heard(key, line),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
            }
            call.collect(&said);
            let mut index = 0;
            while index < children.running.len() {
                let status = children.running[index].child.try_wait().map_err(Error::io("wait for", &self.program))?;
                match status {
                    None => index += 1,
                    Some(status) => {
                        let running = children.running.remove(index);
                        call.ended(&running, Some(status), &said)?;
                    }
                }
            }
        }
    }
}

/// One call of `execute`.
struct Call<'a> {
    store: &'a Store,
    summary: Summary,
    events: &'a mut dyn FnMut(Event),
}

impl Call<'_> {
    fn heard(&mut self, key: Key, said: Said) {
        match said {
            Said::Progress(p) => {
                (self.events)(Event::Progress { key, stage: p.stage, done: p.bases, of: p.of });
            }
            Said::Line(line) => {
                // A log that cannot be written must not end a run.
                let _ = self.store.append_log(&key, &serde_json::json!({ "stdout": line }));
                (self.events)(Event::Log { key, line });
            }
            Said::Stderr(line) => {
                let _ = self.store.append_log(&key, &serde_json::json!({ "stderr": line }));
            }
        }
    }

    fn collect(&mut self, said: &Receiver<(Key, Said)>) {
        while let Ok((key, line)) = said.try_recv() {
            self.heard(key, line);
        }
    }

    fn pending(&mut self, key: &Key, reason: &str) {
        (self.events)(Event::Pending { key: key.clone(), reason: reason.to_owned() });
        self.summary.pending.push((key.clone(), reason.to_owned()));
    }

    /// A child has ended, by itself with a status or because it was told to.
    fn ended(&mut self, running: &Running, status: Option<ExitStatus>, said: &Receiver<(Key, Said)>) -> Result<()> {
        let key = running.key.clone();
        running.tail.settle(Duration::from_millis(300));
        self.collect(said);
        let stderr = running.tail.lines();
        match self.store.record(&key)? {
            Found::Done(record) if record.is_made_up() => {}
            Found::Done(record) => match &record.outcome {
                Outcome::Failed { reason } => {
                    // A failure from before is no news; another one was written by the child itself.
                    if running.before.as_ref() != Some(&record) {
                        let reason = reason.clone();
                        (self.events)(Event::Failed { key: key.clone(), reason: reason.clone(), stderr });
                        self.summary.failed.push((key, reason));
                        return Ok(());
                    }
                }
                // Whoever wrote it: another process may have been faster.
                Outcome::Pretrained(_) | Outcome::Finetuned(_) => {
                    (self.events)(Event::Finished { key: key.clone(), seconds: running.began.elapsed().as_secs_f64() });
                    self.summary.done.push(key);
                    return Ok(());
                }
            },
            Found::Missing => {}
            Found::SetAside { reason, moved_to } => {
                (self.events)(Event::SetAside { key: key.clone(), reason, moved_to });
            }
        }
        let reason = match status {
            None => "interrupted".to_owned(),
            Some(status) => killed(status, &stderr)
                .unwrap_or_else(|| why(status, &stderr).replace(&self.store.root().display().to_string(), "<store>")),
        };
        self.pending(&key, &reason);
        Ok(())
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
