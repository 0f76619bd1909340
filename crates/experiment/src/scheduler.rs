//! Answers the runs of a plan: their order, what is finished, what failed, and how a call that was ended goes on.
//!
//! A run starts only when the records it waits for exist, and what is finished is skipped. A failed record is data, and only
//! the run itself writes one (its loss diverged). Whatever else ends a run without a record (a signal, a panic, a missing
//! file, a full disk) says nothing about the question: the run stays pending and the next call takes it up again.

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

/// Has the runs of a plan answered by an [`Executor`].
#[derive(Clone, Debug, Default)]
pub struct Scheduler {
    /// Answers failed runs again.
    pub retry_failed: bool,
    /// Set it (from a signal handler, say) to stop: runs are told to save what they have and to end.
    pub stop: Arc<AtomicBool>,
}

impl Scheduler {
    /// Answers every run of `jobs` that the store has no record of, telling `events` what happens.
    ///
    /// # Errors
    /// If the store cannot be written, or the executor fails. A run that fails is no error.
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
                call.hear(message)?;
            }
        }
    }
}

/// Cancels what is on its way when the call ends early, by an error or a panic in `events`.
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

/// A run on its way.
struct Running {
    key: Key,
    /// The failed record that this sitting is to replace.
    before: Option<Record>,
    began: Instant,
}

/// Whether a run may start.
enum Ready {
    Yes,
    NotYet,
    Never(String),
}

/// One call of [`Scheduler::execute`].
struct Call<'a> {
    store: &'a Store,
    events: &'a mut dyn FnMut(Event),
    /// Failed runs are answered again.
    retry_failed: bool,
    /// Made-up records are answers too: only for an executor that makes them up itself.
    simulated: bool,
    summary: Summary,
    waiting: Vec<&'a Job>,
    running: Vec<Running>,
    /// Whether it was told that the executor takes fewer runs than it said.
    full: bool,
}

impl<'a> Call<'a> {
    /// Sorts out what is finished; gives what is left to do, each run once.
    fn unfinished(&mut self, jobs: &'a [Job]) -> Result<Vec<&'a Job>> {
        let mut left = Vec::new();
        let mut seen = HashSet::new();
        let mut made_up = 0;
        for job in jobs {
            if !seen.insert(&job.key) {
                continue;
            }
            if !self.simulated && self.store.set_aside_made_up(&job.key)? {
                made_up += 1;
            }
            if !self.answered(&job.key)? {
                left.push(job);
            }
        }
        if made_up > 0 {
            let text = format!("{made_up} made-up records were set aside; these runs are computed");
            (self.events)(Event::Warning { text });
        }
        Ok(left)
    }

    /// Whether the store has the answer by now; if so, that is told and counted.
    fn answered(&mut self, key: &Key) -> Result<bool> {
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

    /// Whether a record is an answer.
    fn counts(&self, record: &Record) -> bool {
        self.simulated || !record.is_made_up()
    }

    /// Looks at the records that a run waits for.
    fn ready(&self, job: &Job) -> Result<Ready> {
        for parent in &job.after {
            let waits = self.waiting.iter().any(|j| j.key == *parent);
            if waits || self.running.iter().any(|r| r.key == *parent) {
                return Ok(Ready::NotYet);
            }
            match self.store.record(parent)? {
                Found::Done(record) if self.counts(&record) => {
                    if let Outcome::Failed { reason } = record.outcome {
                        let reason = format!("it starts from run {}, which failed: {reason}", parent.short());
                        return Ok(Ready::Never(reason));
                    }
                }
                Found::Done(_) | Found::Missing | Found::SetAside { .. } => {
                    return Ok(Ready::Never(format!("it starts from run {}, which has no record", parent.short())));
                }
            }
        }
        Ok(Ready::Yes)
    }

    /// Submits runs, in order, as long as there is room and one is ready.
    fn start(&mut self, executor: &mut dyn Executor, context: &Context<'_>) -> Result<()> {
        let mut index = 0;
        while index < self.waiting.len() && self.running.len() < context.at_once {
            let job = self.waiting[index];
            match self.ready(job)? {
                Ready::NotYet => index += 1,
                Ready::Never(reason) => {
                    self.waiting.remove(index);
                    self.pending(&job.key, &reason);
                    // Those before it may have waited for it.
                    index = 0;
                }
                Ready::Yes => {
                    self.waiting.remove(index);
                    // Another process may have answered it since this call began.
                    if self.answered(&job.key)? {
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
                                let text = format!("{} runs at a time: {error}", self.running.len());
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

    /// Cancels what is on its way; what has no record by then is pending.
    fn interrupt(mut self, executor: &mut dyn Executor) -> Result<Summary> {
        self.summary.interrupted = true;
        if !self.running.is_empty() {
            for message in executor.cancel()? {
                self.hear(message)?;
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

    fn hear(&mut self, Message { key, update }: Message) -> Result<()> {
        match update {
            Update::Progress(p) => {
                (self.events)(Event::Progress { key, stage: p.stage, done: p.bases, of: p.of });
            }
            Update::Stdout(line) => {
                // A log that cannot be written must not end a run.
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

    /// A run has ended, by itself or because it was told to: what came of it is in the store.
    fn ended(&mut self, running: &Running, ending: Ending) -> Result<()> {
        let key = running.key.clone();
        match self.store.record(&key)? {
            Found::Done(record) if !self.counts(&record) => {}
            Found::Done(record) => match &record.outcome {
                Outcome::Failed { reason } => {
                    // A failure from before is no news; another one was written by the run itself.
                    if running.before.as_ref() != Some(&record) {
                        let reason = reason.clone();
                        let stderr = ending.stderr;
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
        let reason = if self.summary.interrupted {
            "interrupted".to_owned()
        } else {
            // Events and summaries are shown to others: no path of this machine.
            ending.reason.replace(&self.store.root().display().to_string(), "<store>")
        };
        self.pending(&key, &reason);
        Ok(())
    }
}
