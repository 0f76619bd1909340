//! What so many seeds can show, in bits per base: the spread of earlier records, put into [`statistics::power`].

use std::collections::BTreeMap;

use crate::plan::Plan;
use crate::record::{BlockScore, Outcome, Record};
use crate::run::{Key, Run, Work};

/// Difference in bits per base that is decisive with a chance of 80 % ([`statistics::power`]), from the largest spread
/// of paired differences in earlier records that ask the same but for the seed. None without such records, or if so few
/// seeds can never be decisive.
pub(crate) fn detectable(plan: &Plan, records: &[&Record]) -> Option<f64> {
    let mut bits: BTreeMap<Key, BTreeMap<u64, f64>> = BTreeMap::new();
    for record in records {
        let (Work::Pretrain(_), Outcome::Pretrained(r)) = (&record.run.work, &record.outcome) else { continue };
        let total = total(&r.blocks);
        if total.is_finite() && !r.collapsed {
            let asked = Run { seed: 0, ..record.run.clone() };
            bits.entry(asked.key()).or_default().insert(record.run.seed, total);
        }
    }
    let asked: Vec<Run> = plan.jobs.iter().map(|job| Run { seed: 0, ..job.run.clone() }).collect();
    let mut spreads = Vec::new();
    for run in &asked {
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
            spreads.push(statistics::deviation(&differences));
        }
    }
    let spread = spreads.into_iter().max_by(f64::total_cmp)?;
    statistics::power::detectable_effect(spread, plan.seeds.len(), plan.comparisons)
}

/// Bits per base as a report counts them: one quotient per species, species alike. Not a number without masked bases.
fn total(blocks: &[BlockScore]) -> f64 {
    let mut species: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    for block in blocks {
        let (bits, bases) = species.entry(&block.species).or_default();
        *bits += block.total();
        *bases += block.score.bases as f64;
    }
    statistics::mean(&species.values().map(|(bits, bases)| bits / bases).collect::<Vec<_>>())
}
