//! Calibration of a plan with earlier records: run times, and the detectable difference.

use crate::cost;
use crate::job::Job;
use crate::plan::Plan;
use crate::power;
use crate::record::{Outcome, Record};
use crate::run::{Run, Work};

impl Plan {
    /// Replaces default estimates by measured speeds and standard deviations of earlier records. Simulated records are ignored.
    pub fn calibrate(&mut self, records: &[Record]) {
        let real: Vec<&Record> = records.iter().filter(|r| !r.is_simulated()).collect();
        self.calibrated = measure(&mut self.jobs, &real);
        self.detectable = power::detectable(self, &real);
    }
}

/// Sets the seconds of each job: the median over records of the same run (any seed) if there are any, otherwise from the median
/// speed of its device kind. Returns whether a measurement was found for every job.
fn measure(jobs: &mut [Job], records: &[&Record]) -> bool {
    let took = |r: &Record| {
        let done = !matches!(r.outcome, Outcome::Failed { .. });
        (done && r.timing.train_seconds > 0.0).then_some(r.timing.train_seconds + r.timing.score_seconds)
    };
    let measured: Vec<(Run, f64)> =
        records.iter().filter_map(|r| Some((Run { seed: 0, ..r.run.clone() }, took(r)?))).collect();
    let mut all = !jobs.is_empty();
    for job in jobs {
        let plain = Run { seed: 0, ..job.run.clone() };
        let mut equal: Vec<f64> = measured.iter().filter(|(run, _)| *run == plain).map(|(_, s)| *s).collect();
        if let Some(seconds) = statistics::median(&mut equal) {
            job.estimate.seconds = seconds;
            job.estimate.measured = true;
            continue;
        }
        let mut speeds: Vec<f64> =
            records.iter().filter(|r| r.run.device == job.run.device).filter_map(|r| speed(r)).collect();
        match statistics::median(&mut speeds) {
            Some(speed) => job.estimate.seconds = cost::seconds(job.estimate.macs, speed),
            None => all &= matches!(&job.run.work, Work::Control(control) if control.text().is_some()),
        }
    }
    all
}

/// Multiply-accumulates per second of a finished pretraining run.
fn speed(record: &Record) -> Option<f64> {
    let (Work::Pretrain(p), Outcome::Pretrained(r)) = (&record.run.work, &record.outcome) else { return None };
    let macs = 3.0 * r.cost.macs_per_base * p.training.bases as f64;
    let speed = macs / record.timing.train_seconds;
    (speed.is_finite() && speed > 0.0).then_some(speed)
}
