//! The detectable difference of a plan in bits per base, from the standard deviation of earlier records.

use std::collections::BTreeMap;

use crate::plan::Plan;
use crate::record::{BlockScore, Outcome, Record};
use crate::run::{Key, Run, Work};

/// Smallest true difference in bits per base that is detected with power 80 % ([`statistics::power`]), from the largest standard
/// deviation of paired differences over seeds in earlier records of the same runs. None without such records, or if no
/// difference can be significant with the planned seeds.
pub(crate) fn detectable(plan: &Plan, records: &[&Record]) -> Option<f64> {
    let mut bits: BTreeMap<Key, BTreeMap<u64, f64>> = BTreeMap::new();
    for record in records {
        let (Work::Pretrain(_), Outcome::Pretrained(r)) = (&record.run.work, &record.outcome) else { continue };
        let total = total(&r.blocks);
        if total.is_finite() && !r.collapsed {
            let run = Run { seed: 0, ..record.run.clone() };
            bits.entry(run.key()).or_default().insert(record.run.seed, total);
        }
    }
    let runs: Vec<Run> = plan.jobs.iter().map(|job| Run { seed: 0, ..job.run.clone() }).collect();
    let mut deviations = Vec::new();
    for run in &runs {
        let Work::Pretrain(p) = &run.work else { continue };
        if p.tokenizer == plan.reference || !plan.tokenizers.contains(&p.tokenizer) {
            continue;
        }
        let mut other = p.clone();
        other.tokenizer.clone_from(&plan.reference);
        let other = Run { work: Work::Pretrain(other), ..run.clone() };
        let (Some(a), Some(b)) = (bits.get(&run.key()), bits.get(&other.key())) else { continue };
        let differences: Vec<f64> = a.iter().filter_map(|(seed, x)| Some(x - b.get(seed)?)).collect();
        if differences.len() >= 3 {
            deviations.push(statistics::deviation(&differences));
        }
    }
    let deviation = deviations.into_iter().max_by(f64::total_cmp)?;
    statistics::power::detectable_effect(deviation, plan.seeds.len(), plan.comparisons)
}

/// Bits per masked base as in reports: the unweighted mean over species. NaN without masked bases.
fn total(blocks: &[BlockScore]) -> f64 {
    let mut species: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    for block in blocks {
        let (bits, bases) = species.entry(&block.species).or_default();
        *bits += block.total();
        *bases += block.score.bases as f64;
    }
    statistics::mean(&species.values().map(|(bits, bases)| bits / bases).collect::<Vec<_>>())
}
