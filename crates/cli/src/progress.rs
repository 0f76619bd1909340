//! Progress on standard error: bars on a terminal, plain lines elsewhere.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use crate::stdout::{bars, errln};
use experiment::Event;
use experiment::plan::Plan;
use experiment::run::{Key, Run, Work};
use indicatif::{HumanDuration, ProgressBar, ProgressStyle};

/// A progress bar with this number of steps on a terminal, hidden elsewhere.
pub(crate) fn bar(steps: u64, template: &str) -> ProgressBar {
    let bar = if bars() { ProgressBar::new(steps) } else { ProgressBar::hidden() };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

/// The name of a run for people: `mxdna alibi-directed seed 3`, `tf/2 kmer6 seed 1`.
pub(crate) fn name(run: &Run) -> String {
    let task = run.task().map_or_else(String::new, |task| format!("{} ", task.name));
    let position = match &run.work {
        // Trials of one seed differ in their learning rate.
        Work::Pretrain(p) if p.is_trial() => {
            format!(" {} rate {}", p.encoder.position.name(), p.training.learning_rate)
        }
        Work::Pretrain(p) => format!(" {}", p.encoder.position.name()),
        _ => String::new(),
    };
    format!("{task}{}{position} seed {}", run.subject(), run.seed)
}

/// The progress bar of a single run in this process.
pub(crate) struct Bar {
    bar: ProgressBar,
    name: String,
    began: Instant,
}

impl Bar {
    pub(crate) fn single(run: &Run) -> Bar {
        errln!("{}", name(run));
        Bar::of(&name(run))
    }

    /// The progress bar of a task of this name.
    pub(crate) fn of(name: &str) -> Bar {
        let bar = bar(1, "{wide_bar} {percent:>3}%  {msg}");
        Bar { bar, name: name.to_owned(), began: Instant::now() }
    }

    pub(crate) fn update(&mut self, stage: &str, done: u64, of: u64) {
        self.bar.set_length(of.max(1));
        self.bar.set_position(done);
        let rate = done as f64 / self.began.elapsed().as_secs_f64().max(1e-9);
        self.bar.set_message(format!("{} {stage} {}", self.name, speed(stage, rate)));
    }
}

fn speed(stage: &str, rate: f64) -> String {
    let unit = match stage {
        "train" => "bases/s",
        "score" => "windows/s",
        _ => "rows/s",
    };
    match rate {
        r if r >= 1e6 => format!("{:.1} M{unit}", r / 1e6),
        r if r >= 1e3 => format!("{:.1} k{unit}", r / 1e3),
        r => format!("{r:.1} {unit}"),
    }
}

/// The progress of all runs of a plan.
pub(crate) struct Board {
    bar: ProgressBar,
    terminal: bool,
    names: HashMap<Key, String>,
    /// Estimated seconds of each run, and their sums over all (deferred ones included), finished and skipped runs.
    cost: HashMap<Key, f64>,
    all: f64,
    finished: f64,
    skipped: f64,
    /// Stage, fraction done, start of the stage, and units done at that time, of each run in progress.
    running: HashMap<Key, (String, f64, Instant, f64)>,
    /// Runs that have reported training: others only score the model of their trial.
    trained: HashSet<Key>,
    count: usize,
    of: usize,
    began: Instant,
    last_line: Instant,
}

impl Board {
    pub(crate) fn new(plan: &Plan) -> Board {
        let terminal = bars();
        let bar = bar(1000, "{wide_bar:.cyan} {msg}");
        // The ticker needs a thread, and indicatif panics if none can be started.
        if terminal && std::thread::Builder::new().spawn(|| ()).is_ok() {
            bar.enable_steady_tick(Duration::from_millis(250));
        }
        let cost: HashMap<Key, f64> =
            plan.jobs.iter().map(|job| (job.key.clone(), job.estimate.seconds.max(1e-6))).collect();
        Board {
            bar,
            terminal,
            names: plan.jobs.iter().map(|job| (job.key.clone(), name(&job.run))).collect(),
            all: cost.values().sum::<f64>() + plan.deferred.iter().map(|job| job.estimate.seconds).sum::<f64>(),
            cost,
            finished: 0.0,
            skipped: 0.0,
            running: HashMap::new(),
            trained: HashSet::new(),
            count: 0,
            of: plan.all_jobs().count(),
            began: Instant::now(),
            last_line: Instant::now(),
        }
    }

    fn say(&self, line: &str) {
        if self.terminal {
            self.bar.suspend(|| errln!("{line}"));
        } else {
            errln!("{line}");
        }
    }

    pub(crate) fn event(&mut self, event: Event) {
        match event {
            Event::Skipped { key } => {
                let cost = self.cost.get(&key).copied().unwrap_or(0.0);
                self.finished += cost;
                self.skipped += cost;
                self.count += 1;
            }
            Event::SetAside { key, reason, moved_to } => self.say(&format!(
                "warning: the record of {} is damaged ({reason}); moved to {}, and the run is repeated",
                self.name(&key),
                moved_to.display()
            )),
            Event::Warning { text } => self.say(&format!("warning: {text}")),
            Event::Started { key } => {
                if !self.terminal {
                    self.say(&format!("started {}", self.name(&key)));
                }
                self.running.insert(key, ("start".to_owned(), 0.0, Instant::now(), 0.0));
            }
            Event::Progress { key, stage, done, of } => self.advance(&key, stage, done, of),
            Event::Log { key, line } => self.say(&format!("{}: {line}", self.name(&key))),
            Event::Finished { key, seconds } => {
                self.end(&key);
                self.say(&format!(
                    "{:>3}/{} {} in {}",
                    self.count,
                    self.of,
                    self.name(&key),
                    HumanDuration(Duration::from_secs_f64(seconds))
                ));
            }
            Event::Failed { key, reason, stderr } => {
                self.end(&key);
                self.say(&format!("failed: {}: {reason}", self.name(&key)));
                for line in stderr.iter().filter(|line| !line.contains(&reason)) {
                    self.say(&format!("    {line}"));
                }
            }
            Event::Pending { key, reason } => {
                self.running.remove(&key);
                self.say(&format!("not finished: {}: {reason}", self.name(&key)));
            }
        }
    }

    /// Updates the progress of a run: its stage, and units done of all units of that stage.
    fn advance(&mut self, key: &Key, stage: String, done: u64, of: u64) {
        let Some(entry) = self.running.get_mut(key) else { return };
        if stage == "train" {
            self.trained.insert(key.clone());
        }
        if entry.0 != stage {
            *entry = (stage, 0.0, Instant::now(), done as f64);
        }
        entry.1 = done as f64 / of.max(1) as f64;
        let seconds = entry.2.elapsed().as_secs_f64();
        if seconds > 0.5 {
            let rate = (done as f64 - entry.3) / seconds;
            let name = self.names.get(key).map_or("", String::as_str);
            let text = format!("{name} {} {}", entry.0, speed(&entry.0, rate));
            self.show(&text);
        }
    }

    fn name(&self, key: &Key) -> String {
        self.names.get(key).cloned().unwrap_or_else(|| key.short().to_owned())
    }

    fn end(&mut self, key: &Key) {
        self.running.remove(key);
        self.finished += self.cost.get(key).copied().unwrap_or(0.0);
        self.count += 1;
    }

    fn show(&mut self, text: &str) {
        let running: f64 = self
            .running
            .iter()
            .map(|(key, (stage, fraction, _, _))| {
                // Scoring counts as the last tenth of a run that trains.
                let fraction = match stage.as_str() {
                    "score" if self.trained.contains(key) => 0.9 + 0.1 * fraction,
                    "score" => *fraction,
                    _ => 0.9 * fraction,
                };
                self.cost.get(key).copied().unwrap_or(0.0) * fraction
            })
            .sum();
        let done = (self.finished + running) / self.all.max(1e-9);
        let now = (self.finished + running - self.skipped).max(1e-9);
        let left = self.began.elapsed().as_secs_f64() * (self.all - self.finished - running).max(0.0) / now;
        let left = HumanDuration(Duration::from_secs_f64(left.min(1e8)));
        self.bar.set_position((done * 1000.0) as u64);
        self.bar.set_message(format!("{}/{} runs, {text}, about {left} left", self.count, self.of));
        // Without a terminal: a line every 30 seconds.
        if !self.terminal && self.last_line.elapsed() > Duration::from_secs(30) {
            self.last_line = Instant::now();
            errln!("{:.0} % done, {}/{} runs, {text}, about {left} left", done * 100.0, self.count, self.of);
        }
    }

    pub(crate) fn close(&self) {
        self.bar.finish_and_clear();
    }
}
