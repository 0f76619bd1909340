//! The detectable difference of a plan in bits per base, from the variation of earlier records over seeds and text.

use std::collections::BTreeMap;

use statistics::bootstrap::{Blocks, text_error};
use statistics::power::{Spread, detectable_effect};

use crate::plan::Plan;
use crate::record::{Outcome, Pretrained, Record};
use crate::run::{Key, Run, Work};

/// Records of the same run by seed.
type BySeed<'a> = BTreeMap<u64, &'a Pretrained>;

/// Smallest true difference in bits per base that is detected with power 80 % ([`statistics::power`]) in the comparison that varies
/// most, from earlier records of the same runs. None without at least three paired records, or if no difference can be significant
/// with the planned seeds.
pub(crate) fn detectable(plan: &Plan, records: &[&Record]) -> Option<f64> {
    let mut known: BTreeMap<Key, BySeed<'_>> = BTreeMap::new();
    for record in records {
        let (Work::Pretrain(_), Outcome::Pretrained(done)) = (&record.run.work, &record.outcome) else { continue };
        if !done.collapsed && !record.run.is_trial() && done.blocks.iter().all(|block| block.total().is_finite()) {
            let run = Run { seed: 0, ..record.run.clone() };
            known.entry(run.key()).or_default().insert(record.run.seed, done);
        }
    }
    let runs: BTreeMap<Key, Run> =
        plan.jobs.iter().map(|job| Run { seed: 0, ..job.run.clone() }).map(|run| (run.key(), run)).collect();
    let mut largest: Option<f64> = None;
    for run in runs.values().filter(|run| !run.is_trial()) {
        let Work::Pretrain(p) = &run.work else { continue };
        if p.tokenizer == plan.reference || !plan.tokenizers.contains(&p.tokenizer) {
            continue;
        }
        let mut other = p.clone();
        other.tokenizer.clone_from(&plan.reference);
        let other = Run { work: Work::Pretrain(other), ..run.clone() };
        let (Some(a), Some(b)) = (known.get(&run.key()), known.get(&other.key())) else { continue };
        let effect = spread(a, b).and_then(|spread| detectable_effect(spread, plan.seeds.len(), plan.comparisons));
        largest = largest.into_iter().chain(effect).max_by(f64::total_cmp);
    }
    largest
}

/// Variation of the paired difference over at least three shared seeds, and over the blocks.
fn spread(left: &BySeed<'_>, right: &BySeed<'_>) -> Option<Spread> {
    let pairs: Vec<_> = left.iter().filter_map(|(seed, a)| Some([*a, *right.get(seed)?])).collect();
    let [first, _] = pairs.first()?;
    let mut places: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    for block in first.blocks.iter().filter(|block| !block.held_out) {
        places.entry(&block.species).or_default().push(block.block);
    }
    // Bits, or bases, of each block by species.
    let table = |done: &Pretrained, bits: bool| -> Vec<Vec<f64>> {
        let mut values: BTreeMap<(&str, u32), f64> = BTreeMap::new();
        for block in &done.blocks {
            let value = if bits { block.total() } else { block.score.bases as f64 };
            *values.entry((&block.species, block.block)).or_default() += value;
        }
        let value = |species, at| values.get(&(species, at)).copied().unwrap_or_default();
        places.iter().map(|(species, blocks)| blocks.iter().map(|at| value(*species, *at)).collect()).collect()
    };
    let bases = table(first, false);
    let alike =
        pairs.iter().flatten().all(|done| done.blocks.len() == first.blocks.len() && table(done, false) == bases);
    if pairs.len() < 3 || !alike {
        return None;
    }
    let side = |at: usize| pairs.iter().map(|pair| table(pair[at], true)).collect();
    let data = Blocks { bases, bits: vec![side(0), side(1)] };
    let total = |done: &[Vec<f64>]| {
        let rate = |(bits, bases): (&Vec<f64>, &Vec<f64>)| bits.iter().sum::<f64>() / bases.iter().sum::<f64>();
        statistics::mean(&done.iter().zip(&data.bases).map(rate).collect::<Vec<_>>())
    };
    let differences: Vec<f64> = data.bits[0].iter().zip(&data.bits[1]).map(|(a, b)| total(a) - total(b)).collect();
    let text = text_error(&data, 0, 1).ok()?;
    Some(Spread { seeds: statistics::deviation(&differences), text })
}
