//! Calibration of a plan with earlier records: run times, and the detectable difference.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::cost;
use crate::job::Job;
use crate::plan::Plan;
use crate::power;
use crate::record::{Outcome, Record, Timing};
use crate::run::{Key, Run, Work};

impl Plan {
    /// Replaces default estimates by measured speeds and standard deviations of earlier records. Simulated records are ignored.
    pub fn calibrate(&mut self, records: &[Record]) {
        let real: Vec<&Record> = records.iter().filter(|r| !r.is_simulated()).collect();
        let planned: HashSet<Key> = self.jobs.iter().map(|job| job.key.clone()).collect();
        let mut jobs: Vec<&mut Job> = self.jobs.iter_mut().chain(&mut self.deferred).collect();
        self.calibrated = !jobs.is_empty() && measure(&mut jobs, &planned, &real);
        self.detectable = power::detectable(self, &real);
    }
}

/// Sets the seconds of each job: the median over records of the same run (any seed) if there are any, otherwise from the median
/// speed of its device kind. A run whose trial is `planned` takes over the trained model. Returns whether a measurement was found for every job.
fn measure(jobs: &mut [&mut Job], planned: &HashSet<Key>, records: &[&Record]) -> bool {
    let mut measured: HashMap<Key, Vec<[f64; 2]>> = HashMap::new();
    for record in records {
        let Timing { train_seconds, score_seconds, .. } = record.timing;
        if !matches!(record.outcome, Outcome::Failed { .. }) && train_seconds > 0.0 {
            measured.entry(any_seed(&record.run).key()).or_default().push([train_seconds, score_seconds]);
        }
    }
    for job in jobs.iter_mut() {
        let taken_over = job.run.trial().is_some_and(|trial| planned.contains(&trial.key()));
        let seconds = |[train, score]: &[f64; 2]| if taken_over { *score } else { train + score };
        let equal = measured.get(&any_seed(&job.run).key()).map(Vec::as_slice).unwrap_or_default();
        if let Some(seconds) = statistics::median(&mut equal.iter().map(seconds).collect::<Vec<_>>()) {
            job.estimate.seconds = seconds;
            job.estimate.measured = true;
        }
    }
    let mut speeds: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for record in records {
        speeds.entry(record.run.device.clone()).or_default().extend(speed(record));
    }
    speeds.retain(|_, speeds| !speeds.is_empty());
    // Before the first record with exact costs: by the estimated ones.
    let exact: HashSet<String> = speeds.keys().cloned().collect();
    let pretraining = |job: &&&mut Job| matches!(job.run.work, Work::Pretrain(_)) && job.estimate.measured;
    for job in jobs.iter().filter(pretraining).filter(|job| !exact.contains(&job.run.device)) {
        speeds.entry(job.run.device.clone()).or_default().push(job.estimate.macs / job.estimate.seconds);
    }
    let speeds: BTreeMap<String, f64> = speeds
        .into_iter()
        .filter_map(|(device, mut speeds)| Some((device, statistics::median(&mut speeds)?)))
        .collect();
    let mut all = true;
    for job in jobs.iter_mut().filter(|job| !job.estimate.measured) {
        match speeds.get(&job.run.device) {
            Some(speed) => job.estimate.seconds = cost::seconds(job.estimate.macs, *speed),
            None => all &= matches!(&job.run.work, Work::Control(control) if control.text().is_some()),
        }
    }
    all
}

/// A run without its seed.
fn any_seed(run: &Run) -> Run {
    Run { seed: 0, ..run.clone() }
}

/// Multiply-accumulates per second of a finished pretraining run.
fn speed(record: &Record) -> Option<f64> {
    let (Work::Pretrain(p), Outcome::Pretrained(r)) = (&record.run.work, &record.outcome) else { return None };
    let macs = 3.0 * r.cost.macs_per_base * p.training.bases as f64;
    let speed = macs / record.timing.train_seconds;
    (speed.is_finite() && speed > 0.0).then_some(speed)
}
