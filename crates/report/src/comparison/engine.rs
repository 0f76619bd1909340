//! Records of several engines (versions of the arithmetic) in one comparison: allowed only if runs repeated with both agree.

use std::collections::{BTreeMap, BTreeSet};

use experiment::rates::validation_bits;
use experiment::record::{Outcome, Record};
use experiment::run::Run;
use statistics::text::{count, list};

use super::records::run_name;
use crate::error::Error;

/// Largest difference of a repeated run: bits per masked base, or the score of a task.
const TOLERANCE: f64 = 1e-3;

/// The records with one engine per run, the newest, and a remark if there are several engines.
///
/// # Errors
/// If there are several engines, and no run was repeated with each of them, or a repeated run differs.
pub(super) fn checked(records: Vec<Record>) -> Result<(Vec<Record>, Option<String>), Error> {
    let engines: BTreeSet<u32> = records.iter().map(|record| record.run.engine).collect();
    if engines.len() < 2 {
        return Ok((records, None));
    }
    // In the order of the first record of each run.
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut runs: Vec<Vec<Record>> = Vec::new();
    for record in records {
        let run = Run { engine: 0, ..record.run.clone() };
        let place = *places.entry(run.key().as_str().to_owned()).or_insert(runs.len());
        if place == runs.len() {
            runs.push(Vec::new());
        }
        runs[place].push(record);
    }
    let (mut repeated, mut largest) = (0, 0.0f64);
    // Engines that repeated runs connect, each with the ones it is connected to.
    let mut connected: Vec<BTreeSet<u32>> = engines.iter().map(|engine| BTreeSet::from([*engine])).collect();
    for group in runs.iter_mut().filter(|group| group.len() > 1) {
        // Failed runs first, so that the last is the newest finished one.
        group.sort_by_key(|record| (value(record).is_some(), record.run.engine));
        let values: Vec<f64> = group.iter().filter_map(value).collect();
        if values.len() < 2 {
            continue;
        }
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let difference = values.iter().copied().fold(f64::NEG_INFINITY, f64::max) - least;
        if difference.is_nan() || difference > TOLERANCE {
            let offenders = format!("{} differs by {difference:.4} between engines", run_name(&group[0]));
            return Err(Error::Mixed { what: "engines".into(), offenders });
        }
        repeated += 1;
        largest = largest.max(difference);
        let own: BTreeSet<u32> = group.iter().filter(|r| value(r).is_some()).map(|r| r.run.engine).collect();
        let (meet, mut apart): (Vec<_>, Vec<_>) = connected.into_iter().partition(|set| !set.is_disjoint(&own));
        apart.push(meet.into_iter().flatten().collect());
        connected = apart;
    }
    if connected.len() > 1 {
        let sets = connected.iter().map(|set| list(&set.iter().map(u32::to_string).collect::<Vec<_>>()));
        let offenders = format!("no run was repeated with engines {}", sets.collect::<Vec<_>>().join(" and with "));
        return Err(Error::Mixed { what: "engines".into(), offenders });
    }
    let names: Vec<String> = engines.iter().map(u32::to_string).collect();
    let remark = format!(
        "records of engines {}: {} with both, different by at most {largest:.1e}",
        list(&names),
        count(repeated, "repeated run")
    );
    Ok((runs.into_iter().filter_map(|mut group| group.pop()).collect(), Some(remark)))
}

/// Total bits per masked base, of a trial those on the validation split, or the score on the task; None for a failed run.
fn value(record: &Record) -> Option<f64> {
    match &record.outcome {
        Outcome::Pretrained(_) if record.run.is_trial() => {
            Some(validation_bits(record)).filter(|bits| bits.is_finite())
        }
        Outcome::Pretrained(done) => {
            let blocks = || done.blocks.iter().filter(|block| !block.held_out);
            let bits: f64 = blocks().map(|block| block.score.total()).sum();
            Some(bits / blocks().map(|block| block.score.bases as f64).sum::<f64>())
        }
        Outcome::Finetuned(done) => Some(done.score(done.metric)),
        Outcome::Failed { .. } => None,
    }
}
