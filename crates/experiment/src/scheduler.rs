//! Executes the runs of a plan: order, skipping of finished runs, failures, and resumption.
//!
//! A run starts only when the records of its dependencies exist; finished runs are skipped. A failed record is a result, and
//! only the run itself writes one (its loss diverged). A run that ends without a record for any other reason (signal, panic,
//! missing file, full disk) stays pending, and the next call retries it.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crate::error::{Error, Result};
use crate::event::{Event, Summary};
use crate::executor::{Context, Ending, Executor, Message, Submission, Update};
use crate::job::Job;
use crate::record::{Outcome, Record};
use crate::run::Key;
use crate::store::{Found, Store};

/// Executes the runs of a plan with an [`Executor`].
#[derive(Clone, Debug, Default)]
pub struct Scheduler {
    /// Whether failed runs are executed again.
    pub retry_failed: bool,
    /// Set it (e.g. in a signal handler) to interrupt the execution: runs are asked to save a checkpoint and exit.
    pub stop: Arc<AtomicBool>,
}

impl Scheduler {
    /// Executes every run of `jobs` without a record in the store, and reports events to `events`.
    ///
    /// # Errors
    /// If the store cannot be written, or the executor fails. A failed run is not an error.
    pub fn execute(
        &self,
        jobs: &[Job],
        store: &Store,
        executor: &mut dyn Executor,
        events: &mut dyn FnMut(Event),
    ) -> Result<Summary> {
        let mut call = Call {
            store,
            events,
            retry_failed: self.retry_failed,
            simulated: executor.simulates(),
            summary: Summary::default(),
            waiting: Vec::new(),
            running: Vec::new(),
            full: false,
        };
        call.waiting = call.unfinished(jobs)?;
        let at_once = executor.capacity().clamp(1, call.waiting.len().max(1));
        let context = Context { store, at_once };
        let mut executor = Guard { executor, ended: false };
        loop {
            if self.stop.load(Ordering::Relaxed) {
                executor.ended = true;
                return call.interrupt(executor.executor);
            }
            call.start(executor.executor, &context)?;
            if call.running.is_empty() {
                executor.ended = true;
                return match call.waiting.first() {
                    None => Ok(call.summary),
                    Some(job) => Err(Error::Cycle { key: job.key.short().to_owned() }),
                };
            }
            for message in executor.executor.poll()? {
                call.handle(message)?;
            }
        }
    }
}

/// Cancels active runs when the call ends early, by an error or a panic in `events`.
struct Guard<'a> {
    executor: &'a mut dyn Executor,
    ended: bool,
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if !self.ended {
            let _ = self.executor.cancel();
        }
    }
}

/// An active run.
struct Running {
    key: Key,
    /// The failed record that this session may replace.
    before: Option<Record>,
    began: Instant,
}

/// Whether a run can start.
enum Ready {
    Yes,
    NotYet,
    Never(String),
}

/// One call of [`Scheduler::execute`].
struct Call<'a> {
    store: &'a Store,
    events: &'a mut dyn FnMut(Event),
    /// Whether failed runs are executed again.
    retry_failed: bool,
    /// Whether simulated records count as results: only for an executor that simulates.
    simulated: bool,
    summary: Summary,
    waiting: Vec<&'a Job>,
    running: Vec<Running>,
    /// Whether it was reported that the executor accepts fewer runs than its capacity.
    full: bool,
}

impl<'a> Call<'a> {
    /// Skips finished runs; returns the remaining ones, each once.
    fn unfinished(&mut self, jobs: &'a [Job]) -> Result<Vec<&'a Job>> {
        let mut unfinished = Vec::new();
        let mut seen = HashSet::new();
        let mut simulated = 0;
        for job in jobs {
            if !seen.insert(&job.key) {
                continue;
            }
            if !self.simulated && self.store.set_aside_simulated(&job.key)? {
                simulated += 1;
            }
            if !self.has_record(&job.key)? {
                unfinished.push(job);
            }
        }
        if simulated > 0 {
            let text = format!("{simulated} simulated records were renamed; their runs are computed");
            (self.events)(Event::Warning { text });
        }
        Ok(unfinished)
    }

    /// Whether the store has a record that counts; if so, it is reported and added to the summary.
    fn has_record(&mut self, key: &Key) -> Result<bool> {
        let found = self.store.record(key)?;
        for text in self.store.take_warnings() {
            (self.events)(Event::Warning { text });
        }
        let key = key.clone();
        match found {
            Found::Done(record) if !self.counts(&record) => Ok(false),
            Found::Done(Record { outcome: Outcome::Failed { reason }, .. }) => {
                if !self.retry_failed {
                    (self.events)(Event::Skipped { key: key.clone() });
                    self.summary.failed.push((key, reason));
                }
                Ok(!self.retry_failed)
            }
            Found::Done(_) => {
                (self.events)(Event::Skipped { key: key.clone() });
                self.summary.skipped.push(key);
                Ok(true)
            }
            Found::Missing => Ok(false),
            Found::SetAside { reason, moved_to } => {
                (self.events)(Event::SetAside { key, reason, moved_to });
                Ok(false)
            }
        }
    }

    /// Whether a record counts as a result.
    fn counts(&self, record: &Record) -> bool {
        self.simulated || !record.is_simulated()
    }

    /// Checks the records of the dependencies of a run.
    fn ready(&self, job: &Job) -> Result<Ready> {
        for parent in &job.after {
            let waits = self.waiting.iter().any(|j| j.key == *parent);
            if waits || self.running.iter().any(|r| r.key == *parent) {
                return Ok(Ready::NotYet);
            }
            match self.store.record(parent)? {
                Found::Done(record) if self.counts(&record) => {
                    if let Outcome::Failed { reason } = record.outcome {
                        let reason = format!("depends on run {}, which failed: {reason}", parent.short());
                        return Ok(Ready::Never(reason));
                    }
                }
                Found::Done(_) | Found::Missing | Found::SetAside { .. } => {
                    return Ok(Ready::Never(format!("depends on run {}, which has no record", parent.short())));
                }
            }
        }
        Ok(Ready::Yes)
    }

    /// Submits runs in order while there is capacity and one is ready.
    fn start(&mut self, executor: &mut dyn Executor, context: &Context<'_>) -> Result<()> {
        let mut index = 0;
        while index < self.waiting.len() && self.running.len() < context.at_once {
            let job = self.waiting[index];
            match self.ready(job)? {
                Ready::NotYet => index += 1,
                Ready::Never(reason) => {
                    self.waiting.remove(index);
                    self.pending(&job.key, &reason);
                    // Earlier runs may have waited for it.
                    index = 0;
                }
                Ready::Yes => {
                    self.waiting.remove(index);
                    // Another process may have finished it since this call began.
                    if self.has_record(&job.key)? {
                        index = 0;
                        continue;
                    }
                    self.store.put_run(&job.run)?;
                    self.store.put_data(&job.key, &job.data)?;
                    let before = self.store.record(&job.key)?.done();
                    match executor.submit(job, context)? {
                        Submission::Accepted => {
                            self.running.push(Running { key: job.key.clone(), before, began: Instant::now() });
                        }
                        Submission::Full(error) if self.running.is_empty() => return Err(error),
                        Submission::Full(error) => {
                            self.waiting.insert(index, job);
                            if !std::mem::replace(&mut self.full, true) {
                                let text = format!("limited to {} concurrent runs: {error}", self.running.len());
                                (self.events)(Event::Warning { text });
                            }
                            break;
                        }
                    }
                    (self.events)(Event::Started { key: job.key.clone() });
                }
            }
        }
        Ok(())
    }

    /// Cancels active runs; runs without a record are pending.
    fn interrupt(mut self, executor: &mut dyn Executor) -> Result<Summary> {
        self.summary.interrupted = true;
        if !self.running.is_empty() {
            for message in executor.cancel()? {
                self.handle(message)?;
            }
        }
        for running in std::mem::take(&mut self.running) {
            self.ended(&running, Ending::default())?;
        }
        for job in std::mem::take(&mut self.waiting) {
            self.pending(&job.key, "interrupted");
        }
        Ok(self.summary)
    }

    fn handle(&mut self, Message { key, update }: Message) -> Result<()> {
        match update {
            Update::Progress(p) => {
                (self.events)(Event::Progress { key, stage: p.stage, done: p.bases, of: p.of });
            }
            Update::Stdout(line) => {
                // A failure to write the log must not end a run.
                let _ = self.store.append_log(&key, &serde_json::json!({ "stdout": line }));
                (self.events)(Event::Log { key, line });
            }
            Update::Stderr(line) => {
                let _ = self.store.append_log(&key, &serde_json::json!({ "stderr": line }));
            }
            Update::Ended(ending) => {
                if let Some(at) = self.running.iter().position(|running| running.key == key) {
                    let running = self.running.remove(at);
                    self.ended(&running, ending)?;
                }
            }
        }
        Ok(())
    }

    fn pending(&mut self, key: &Key, reason: &str) {
        (self.events)(Event::Pending { key: key.clone(), reason: reason.to_owned() });
        self.summary.pending.push((key.clone(), reason.to_owned()));
    }

    /// Handles the end of a run; its result is in the store.
    fn ended(&mut self, running: &Running, ending: Ending) -> Result<()> {
        let key = running.key.clone();
        match self.store.record(&key)? {
            Found::Done(record) if !self.counts(&record) => {}
            Found::Done(record) => match &record.outcome {
                Outcome::Failed { reason } => {
                    // An unchanged record is an earlier failure; a new one was written by the run itself.
                    if running.before.as_ref() != Some(&record) {
                        let reason = reason.clone();
                        let stderr = ending.stderr;
                        (self.events)(Event::Failed { key: key.clone(), reason: reason.clone(), stderr });
                        self.summary.failed.push((key, reason));
                        return Ok(());
                    }
                }
                // It may have been written by another process.
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
        let reason = if self.summary.interrupted {
            "interrupted".to_owned()
        } else {
            // Events and summaries may be published: remove the path of the store.
            ending.reason.replace(&self.store.root().display().to_string(), "<store>")
        };
        self.pending(&key, &reason);
        Ok(())
    }
}
