//! Monitoring of a run: progress reports, interruption, and the interval of checkpoints.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A progress report of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// `train`, `score` or `finetune`.
    pub stage: &'static str,
    /// Work done: bases for `train`, windows for `score`, examples for `finetune`.
    pub done: u64,
    /// Total work of the stage, in the same unit.
    pub of: u64,
}

/// Measures seconds, lap by lap.
#[derive(Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    pub(crate) fn start() -> Stopwatch {
        Stopwatch(Instant::now())
    }

    /// Seconds since the start or the last lap.
    pub(crate) fn lap(&mut self) -> f64 {
        let seconds = self.0.elapsed().as_secs_f64();
        self.0 = Instant::now();
        seconds
    }
}

/// Reports progress of a run and passes an interruption to it.
pub struct Watch<'a> {
    callback: Box<dyn FnMut(Progress) + 'a>,
    stop: Arc<AtomicBool>,
    /// Minimum time between checkpoints. Does not affect results.
    pub checkpoint_every: Duration,
    last_report: Option<Instant>,
}

impl std::fmt::Debug for Watch<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").field("checkpoint_every", &self.checkpoint_every).finish_non_exhaustive()
    }
}

impl<'a> Watch<'a> {
    /// Reports progress to `callback` (at most five times a second) and stops the run soon after `stop` is set.
    pub fn new(callback: impl FnMut(Progress) + 'a, stop: Arc<AtomicBool>) -> Watch<'a> {
        Watch { callback: Box::new(callback), stop, checkpoint_every: Duration::from_secs(20), last_report: None }
    }

    /// No reports and no interruption.
    #[must_use]
    pub fn silent() -> Watch<'static> {
        Watch::new(|_| {}, Arc::new(AtomicBool::new(false)))
    }

    pub(crate) fn report(&mut self, stage: &'static str, done: u64, of: u64) {
        let now = Instant::now();
        if done == of || done == 0 || self.last_report.is_none_or(|last| now - last > Duration::from_millis(200)) {
            (self.callback)(Progress { stage, done, of });
            self.last_report = Some(now);
        }
    }

    pub(crate) fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}
