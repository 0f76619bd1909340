//! An executor outside of this crate: the public interface is sufficient.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use experiment::executor::{Context, Ending, Executor, Message, Submission, Update};
use experiment::{Error, Event, Job, ProgressLine, Result, Scheduler, Store};

use crate::common::jobs;

/// A cluster queue: one script per job in a folder, with `room` jobs at a time. At each poll the oldest job ends.
struct Queue {
    folder: PathBuf,
    room: usize,
    queued: VecDeque<Job>,
    cancelled: usize,
}

impl Queue {
    fn new(folder: PathBuf, room: usize) -> Queue {
        Queue { folder, room, queued: VecDeque::new(), cancelled: 0 }
    }
}

fn message(job: &Job, update: Update) -> Message {
    Message { key: job.key.clone(), update }
}

impl Executor for Queue {
    fn capacity(&self) -> usize {
        3
    }

    fn submit(&mut self, job: &Job, context: &Context<'_>) -> Result<Submission> {
        if self.queued.len() == self.room {
            let cause = ErrorKind::QuotaExceeded.into();
            return Ok(Submission::Full(Error::Spawn { program: "sbatch".into(), cause }));
        }
        let script = format!("tokbench run {} --store {}", job.key, context.store.root().display());
        let path = self.folder.join(format!("{}.sh", job.key));
        std::fs::write(&path, script).map_err(|cause| Error::Io { action: "write", path, cause })?;
        // The run itself, as on another machine.
        if job.run.seed == 1 {
            let mut record = mock::record(&job.run);
            record.provenance.version = "0.1.0".to_owned();
            context.store.put_record(&record)?;
        }
        self.queued.push_back(job.clone());
        Ok(Submission::Accepted)
    }

    fn poll(&mut self) -> Result<Vec<Message>> {
        let Some(job) = self.queued.pop_front() else { return Ok(Vec::new()) };
        let progress = ProgressLine { stage: "train".to_owned(), bases: 1, of: 2 };
        let ending = Ending { reason: "the node failed".to_owned(), stderr: Vec::new() };
        let updates = [Update::stdout(progress.line()), Update::stdout("hello".to_owned()), Update::Ended(ending)];
        Ok(updates.map(|update| message(&job, update)).to_vec())
    }

    fn cancel(&mut self) -> Result<Vec<Message>> {
        self.cancelled += self.queued.len();
        Ok(self.queued.drain(..).map(|job| message(&job, Update::Ended(Ending::default()))).collect())
    }
}

#[test]
fn a_queue_is_an_executor() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().join("store")).unwrap();
    let jobs = jobs();
    let mut queue = Queue::new(folder.path().to_owned(), 2);
    let mut events = Vec::new();
    let summary = Scheduler::default().execute(&jobs, &store, &mut queue, &mut |e| events.push(e)).unwrap();
    // The runs of seed 1 have records. Pretraining of seed 2 has none, so its dependents do not start.
    assert_eq!((summary.done.len(), summary.pending.len()), (4, 4));
    let reasons: Vec<&str> = summary.pending.iter().map(|(_, reason)| reason.as_str()).collect();
    assert_eq!(reasons.iter().filter(|reason| **reason == "the node failed").count(), 2);
    assert_eq!(reasons.iter().filter(|reason| reason.ends_with("which has no record")).count(), 2);
    assert_eq!(events.iter().filter(|e| matches!(e, Event::Progress { done: 1, of: 2, .. })).count(), 6);
    assert_eq!(events.iter().filter(|e| matches!(e, Event::Log { line, .. } if line == "hello")).count(), 6);
    let full = |e: &&Event| matches!(e, Event::Warning { text } if text.starts_with("limited to 2 concurrent runs: cannot start sbatch"));
    assert_eq!(events.iter().filter(full).count(), 1, "reported once: {events:?}");
    let scripts = std::fs::read_dir(folder.path()).unwrap().filter(|e| e.as_ref().unwrap().path().is_file()).count();
    assert_eq!((scripts, queue.cancelled), (6, 0));
}

#[test]
fn a_queue_without_capacity_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().join("store")).unwrap();
    let mut queue = Queue::new(folder.path().to_owned(), 0);
    let error = Scheduler::default().execute(&jobs(), &store, &mut queue, &mut |_| {}).unwrap_err();
    assert!(error.to_string().starts_with("cannot start sbatch"), "{error}");
}

#[test]
fn queued_jobs_are_cancelled() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().join("store")).unwrap();
    let jobs = jobs();
    let stop = Arc::new(AtomicBool::new(false));
    let scheduler = Scheduler { stop: Arc::clone(&stop), ..Scheduler::default() };
    let mut queue = Queue::new(folder.path().to_owned(), 3);
    let mut at_end = |e: Event| {
        stop.fetch_or(matches!(e, Event::Finished { .. }), Ordering::Relaxed);
    };
    let summary = scheduler.execute(&jobs, &store, &mut queue, &mut at_end).unwrap();
    assert!(summary.interrupted);
    assert_eq!(queue.cancelled, 2);
    assert_eq!(summary.done.len() + summary.pending.len(), 8);
    assert!(summary.pending.iter().all(|(_, reason)| reason == "interrupted"));

    // An error or a panic of the caller cancels them too.
    let mut queue = Queue::new(folder.path().to_owned(), 3);
    let fails = std::panic::AssertUnwindSafe(|| {
        let second = |e: Event| assert!(!matches!(e, Event::Progress { .. }), "enough");
        Scheduler::default().execute(&jobs, &store, &mut queue, &mut { second })
    });
    assert!(std::panic::catch_unwind(fails).is_err());
    assert!(queue.cancelled > 0 && queue.queued.is_empty());
}
