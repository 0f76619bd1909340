//! An executor that runs jobs sequentially in this process, for Rust programs without the `tokbench` binary.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use experiment::executor::{Context, Ending, Executor, Message, ProgressLine, Submission, Update};
use experiment::run::Key;
use experiment::{Error, Job, Result};
use model::Watch;

use crate::run::Prepared;
use crate::workspace::Workspace;

/// How long [`Executor::poll`] blocks without messages.
const TICK: Duration = Duration::from_millis(20);

/// Executes one run at a time on a thread of this process. If a run crashes the process, the program crashes; use
/// `experiment::Local` for separate processes.
#[derive(Debug)]
pub struct InProcess {
    workspace: Workspace,
    current: Option<Current>,
}

/// The active run.
#[derive(Debug)]
struct Current {
    key: Key,
    updates: Receiver<Update>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl InProcess {
    /// An executor for the runs of a workspace.
    #[must_use]
    pub fn new(workspace: &Workspace) -> InProcess {
        InProcess { workspace: workspace.clone(), current: None }
    }

    /// Messages of the active run; the last one is its end.
    fn messages(&mut self, wait: bool) -> Vec<Message> {
        let Some(current) = &self.current else { return Vec::new() };
        let mut updates = Vec::new();
        if wait {
            match current.updates.recv_timeout(TICK) {
                Ok(update) => updates.push(update),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
            }
        }
        updates.extend(current.updates.try_iter());
        let ended = updates.iter().any(|update| matches!(update, Update::Ended(_)));
        let messages = updates.into_iter().map(|update| Message { key: current.key.clone(), update }).collect();
        if ended && let Some(current) = self.current.take() {
            // The thread has sent its last message; panics are caught inside.
            let _ = current.thread.join();
        }
        messages
    }
}

impl Executor for InProcess {
    fn capacity(&self) -> usize {
        1
    }

    fn submit(&mut self, job: &Job, _: &Context<'_>) -> Result<Submission> {
        let (sender, updates) = channel();
        let stop: Arc<AtomicBool> = Arc::default();
        let (workspace, key, stop_flag) = (self.workspace.clone(), job.key.clone(), Arc::clone(&stop));
        let work = move || {
            let ran = catch_unwind(AssertUnwindSafe(|| execute(&workspace, &key, stop_flag, &sender)));
            let reason = match ran {
                Ok(Ok(())) => "ended without a record".to_owned(),
                Ok(Err(error)) => error.message,
                Err(payload) => match tokenize::families::exec::failure(payload) {
                    Ok(error) => error.to_string(),
                    Err(_) => "panicked".to_owned(),
                },
            };
            let _ = sender.send(Update::Ended(Ending { reason, stderr: Vec::new() }));
        };
        let thread = Builder::new().name("run".to_owned()).spawn(work);
        let thread = thread.map_err(|cause| Error::Spawn { program: "a thread".into(), cause })?;
        self.current = Some(Current { key: job.key.clone(), updates, stop, thread });
        Ok(Submission::Accepted)
    }

    fn poll(&mut self) -> Result<Vec<Message>> {
        Ok(self.messages(true))
    }

    fn cancel(&mut self) -> Result<Vec<Message>> {
        let mut messages = Vec::new();
        if let Some(current) = &self.current {
            current.stop.store(true, Ordering::SeqCst);
        }
        // The run saves a checkpoint at its next step and ends.
        while self.current.is_some() {
            messages.extend(self.messages(true));
        }
        Ok(messages)
    }
}

/// Executes a run, and sends its progress and notes.
fn execute(workspace: &Workspace, key: &Key, stop: Arc<AtomicBool>, sender: &Sender<Update>) -> crate::Result<()> {
    let note = |text: String| {
        let _ = sender.send(Update::Stdout(text));
    };
    let progress = |progress: model::Progress| {
        let progress = ProgressLine { stage: progress.stage.to_owned(), bases: progress.done, of: progress.of };
        let _ = sender.send(Update::Progress(progress));
    };
    let prepared = Prepared::open(workspace, workspace.store()?, key, None, &mut |text| note(text))?;
    let ran = prepared.execute(&mut Watch::new(progress, stop))?;
    ran.notes.into_iter().for_each(note);
    Ok(())
}
