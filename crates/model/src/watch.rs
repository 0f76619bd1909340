//! How a run is watched from outside: progress, interruption, how often work is saved.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// What a run tells while it works.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// `train`, `score`, `finetune` ...
    pub stage: &'static str,
    /// Work done: bases for `train`, windows for `score`, rows for `finetune`.
    pub done: u64,
    /// All the work of the stage.
    pub of: u64,
}

/// Seconds of work, lap by lap.
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

/// Progress out, interruption in.
pub struct Watch<'a> {
    tell: Box<dyn FnMut(Progress) + 'a>,
    stop: Arc<AtomicBool>,
    /// Time between checkpoints. Does not change the answer.
    pub checkpoint_every: Duration,
    told: Option<Instant>,
}

impl std::fmt::Debug for Watch<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").field("checkpoint_every", &self.checkpoint_every).finish_non_exhaustive()
    }
}

impl<'a> Watch<'a> {
    /// Tells progress to `tell` (a few times a second at most) and stops soon after `stop` is set.
    pub fn new(tell: impl FnMut(Progress) + 'a, stop: Arc<AtomicBool>) -> Watch<'a> {
        Watch { tell: Box::new(tell), stop, checkpoint_every: Duration::from_secs(20), told: None }
    }

    /// Nobody watches.
    #[must_use]
    pub fn silent() -> Watch<'static> {
        Watch::new(|_| {}, Arc::new(AtomicBool::new(false)))
    }

    pub(crate) fn tell(&mut self, stage: &'static str, done: u64, of: u64) {
        let now = Instant::now();
        if done == of || done == 0 || self.told.is_none_or(|told| now - told > Duration::from_millis(200)) {
            (self.tell)(Progress { stage, done, of });
            self.told = Some(now);
        }
    }

    pub(crate) fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}
