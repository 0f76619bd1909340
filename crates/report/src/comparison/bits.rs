//! Bits per masked base of a group: means, intervals and tests of the pretraining records.
//!
//! Bits and bases are summed over blocks and divided once per species; species have equal weight; seeds are averaged.

use std::collections::{BTreeMap, BTreeSet};

use experiment::Noise;
use experiment::config::MaskingUnit;
use experiment::record::{BlockScore, Outcome, Pretrained, Record};
use experiment::run::Work;
use protocol::score::{COMPONENTS, Component, FLOOR, Score};

use super::noise::Resampled;
use super::pairing::{Shared, State, Uncertainty, estimate, family, reference_among, shared_seeds, tests};
use super::records::{RecordGroup, Runs};
use super::regions::{Regions, regions};
use super::{Bits, CostSummary, Estimate, Group, MarkovScore, Options, SpeciesBits};
use crate::error::Error;
use statistics::bootstrap::{Blocks, blocks, blocks_of_arm, text_error};
use statistics::draws::Draws;
use statistics::{deviation, mean};

/// Masked bases of each scored block, by species and block number.
type Plan = BTreeMap<(String, u32), u64>;

/// Why a record has no usable score; None if it has one.
fn unusable(record: &Record) -> Option<String> {
    match &record.outcome {
        Outcome::Failed { reason } => Some(reason.clone()),
        Outcome::Finetuned(_) => Some("no language-model score in the record".into()),
        Outcome::Pretrained(done) => {
            let scored =
                done.blocks.iter().any(|b| b.score.bases > 0) && done.blocks.iter().all(|b| b.score.is_finite());
            (!scored).then(|| {
                if done.collapsed { "collapsed without a finite score".into() } else { "no finite score".into() }
            })
        }
    }
}

fn pretrained(record: &Record) -> Option<&Pretrained> {
    match &record.outcome {
        Outcome::Pretrained(done) if unusable(record).is_none() => Some(done),
        _ => None,
    }
}

/// Computes the pretraining results of a group. Returns its bootstrap.
pub(super) fn fill(
    group: &mut Group,
    records: &RecordGroup,
    scope: &str,
    options: &Options,
) -> Result<Option<Resampled>, Error> {
    let ranked: Vec<String> = group.ranked().map(|s| s.name.clone()).collect();
    let shared = pairing(&ranked, records, scope, options)?;
    group.remarks.extend(shared.remarks);
    if !shared.seeds.is_empty() {
        group.reference = reference_among(group.reference.as_deref(), &shared.names, &mut group.remarks);
    }
    (group.seeds, group.dropped) = (shared.seeds, shared.dropped);
    let plan = plan(records, scope)?;
    let held_out = held_out(records);
    let mut species: Vec<String> = plan.keys().map(|(species, _)| species.clone()).collect();
    species.dedup();
    (group.held_out, group.species) = species.into_iter().partition(|name| held_out.contains(name.as_str()));
    let refuse = |source| Error::Statistics { scope: scope.to_owned(), source };
    let joint: Vec<&str> = shared.names.iter().map(String::as_str).collect();
    let pairs = family(&joint, group.reference.as_deref());
    let all: Vec<Vec<&Record>> = joint.iter().map(|n| at(records, n, &group.seeds)).collect();
    let data = sums(&plan, &group.species, &all);
    let draws = if group.seeds.is_empty() || joint.is_empty() {
        None
    } else {
        let arm = group.noise.map_or("", Noise::name);
        Some(blocks_of_arm(&data, options.resamples_for(pairs.len()), options.seed, arm).map_err(refuse)?)
    };
    let mut incomplete: Vec<(String, String)> = Vec::new();
    for subject in &mut group.subjects {
        let Some(runs) = records.pretrained.get(&subject.name) else { continue };
        subject.failed = runs.values().filter(|r| unusable(r).is_some()).count();
        subject.collapsed = runs.values().filter_map(pretrained).filter(|p| p.collapsed).count();
        let place = joint.iter().position(|n| *n == subject.name);
        subject.bits = match (&draws, place) {
            (Some(draws), Some(place)) => {
                let own = at(records, &subject.name, &group.seeds);
                let apart = apart(&plan, &group.held_out, &own, options).map_err(refuse)?;
                let Regions { bits: regions, incomplete: missing } = regions(&own, options).map_err(refuse)?;
                incomplete.extend(missing.into_iter().map(|class| (subject.name.clone(), class)));
                Some(Bits { regions, ..bits(&own, &group.species, draws, place, apart) })
            }
            _ if subject.control => {
                // A control may have other seeds; it is never paired.
                let own: Vec<&Record> = runs.values().filter(|r| pretrained(r).is_some()).collect();
                if own.is_empty() {
                    None
                } else {
                    let alone = sums(&plan, &group.species, std::slice::from_ref(&own));
                    let draws = blocks(&alone, options.resamples, options.seed).map_err(refuse)?;
                    let apart = apart(&plan, &group.held_out, &own, options).map_err(refuse)?;
                    let Regions { bits: regions, incomplete: missing } = regions(&own, options).map_err(refuse)?;
                    incomplete.extend(missing.into_iter().map(|class| (subject.name.clone(), class)));
                    Some(Bits { regions, ..bits(&own, &group.species, &draws, 0, apart) })
                }
            }
            _ => None,
        };
    }
    if let Some(draws) = &draws {
        let value = |name: &str| group.subject(name).and_then(|s| s.bits.as_ref()).map(|b| b.total.seeds.clone());
        let uncertainty = |left: &str, right: &str, comparisons: usize| {
            let place = |name| joint.iter().position(|n| *n == name).unwrap_or(0);
            let (left, right) = (place(left), place(right));
            Ok(Uncertainty {
                interval: draws.difference(left, right),
                simultaneous: draws.simultaneous(left, right, comparisons),
                text: text_error(&data, left, right)?,
            })
        };
        group.tests = tests(&pairs, value, uncertainty, options.effect, options).map_err(refuse)?;
    }
    group.markov = records.markov.iter().filter_map(|(name, runs)| markov(name, runs, group)).collect();
    let more = remarks(group, records);
    group.remarks.extend(more);
    group.remarks.extend(incomplete.into_iter().map(|(name, class)| {
        format!("region class {class} is not shown for {name}: not all of its runs scored the same bases of it")
    }));
    let names = joint.into_iter().map(str::to_owned).collect();
    Ok(draws.map(|draws| Resampled { names, draws }))
}

/// Tokenizers and their shared seeds. With `partial`, tokenizers of the order without a record count as unfinished.
fn pairing(ranked: &[String], records: &RecordGroup, scope: &str, options: &Options) -> Result<Shared, Error> {
    let mut names: Vec<&str> = ranked.iter().map(String::as_str).collect();
    let runs = |name: &str| records.pretrained.get(name);
    let union: BTreeSet<u64> = names.iter().filter_map(|n| runs(n)).flat_map(|r| r.keys().copied()).collect();
    if union.is_empty() {
        return Ok(Shared::default());
    }
    if options.partial {
        let absent = options.order.iter().filter(|n| !options.controls.contains(n) && !ranked.contains(n));
        names.extend(absent.map(String::as_str));
    }
    shared_seeds(scope, &names, &union, options, |name, seed| match runs(name).and_then(|r| r.get(&seed)) {
        None => State::Missing,
        Some(record) => unusable(record).map_or(State::Usable, State::Failed),
    })
}

fn at<'a>(records: &'a RecordGroup, name: &str, seeds: &[u64]) -> Vec<&'a Record> {
    records.pretrained.get(name).map_or_else(Vec::new, |runs| seeds.iter().filter_map(|s| runs.get(s)).collect())
}

/// Whether a learned tokenizer is no better than fixed pooling of equal size: at its own seeds, in the mean.
fn not_below_pooling(group: &Group, subject: &super::Subject) -> Option<String> {
    let own = subject.bits.as_ref()?.total.mean;
    let controls = group
        .subjects
        .iter()
        .filter(|other| other.name.strip_prefix(&subject.name).is_some_and(|rest| rest.starts_with("-pool-")));
    let totals: Vec<(&str, f64)> =
        controls.filter_map(|control| Some((control.name.as_str(), control.bits.as_ref()?.total.mean))).collect();
    if totals.iter().all(|(_, total)| own < *total) {
        return None;
    }
    let totals: Vec<String> = totals.iter().map(|(name, total)| format!("{name} {total:.3}")).collect();
    Some(format!(
        "{} ({own:.3}) is not below fixed pooling of its size ({}): nothing here speaks for learned units",
        subject.name,
        totals.join(", ")
    ))
}

/// The scored blocks; all usable records must have scored the same number of bases in each.
fn plan(records: &RecordGroup, scope: &str) -> Result<Plan, Error> {
    let mut first: Option<(Plan, String)> = None;
    for record in records.pretrained.records() {
        let Some(done) = pretrained(record) else { continue };
        let name = format!("{} seed {}", record.run.subject(), record.run.seed);
        let mut own = Plan::new();
        for block in &done.blocks {
            *own.entry((block.species.clone(), block.block)).or_default() += block.score.bases;
        }
        match &first {
            None => first = Some((own, name)),
            Some((plan, left)) if *plan != own => {
                let differs = plan.keys().chain(own.keys()).find(|k| plan.get(*k) != own.get(*k));
                let what = differs.map_or_else(String::new, |(s, b)| format!("masked bases of {s}, block {b}"));
                return Err(Error::DifferentText { scope: scope.into(), left: left.clone(), right: name, what });
            }
            Some(_) => {}
        }
    }
    Ok(first.map(|(plan, _)| plan).unwrap_or_default())
}

/// Bits and bases as input of the bootstrap; `records[subject][seed]`.
fn sums(plan: &Plan, species: &[String], records: &[Vec<&Record>]) -> Blocks {
    let keys = |name: &String| plan.iter().filter(|((s, _), _)| s == name).collect::<Vec<_>>();
    let bases = species.iter().map(|s| keys(s).iter().map(|(_, bases)| **bases as f64).collect()).collect();
    let one = |record: &&Record| -> Vec<Vec<f64>> {
        let mut totals: BTreeMap<(String, u32), f64> = BTreeMap::new();
        for block in pretrained(record).map_or(&[][..], |p| &p.blocks) {
            *totals.entry((block.species.clone(), block.block)).or_default() += block.total();
        }
        species
            .iter()
            .map(|s| keys(s).iter().map(|(key, _)| totals.get(*key).copied().unwrap_or(f64::NAN)).collect())
            .collect()
    };
    Blocks { bases, bits: records.iter().map(|seeds| seeds.iter().map(one).collect()).collect() }
}

/// Bits per masked base of one record on one species.
fn rate(record: &Record, species: &str, value: impl Fn(&BlockScore) -> f64) -> f64 {
    let (mut bits, mut bases) = (0.0, 0.0);
    for block in pretrained(record).map_or(&[][..], |p| &p.blocks).iter().filter(|b| b.species == species) {
        bits += value(block);
        bases += block.score.bases as f64;
    }
    bits / bases
}

/// Names of the species that were held out of training.
fn held_out(records: &RecordGroup) -> BTreeSet<&str> {
    let blocks = records.pretrained.records().filter_map(pretrained).flat_map(|done| &done.blocks);
    blocks.filter(|block| block.held_out).map(|block| block.species.as_str()).collect()
}

/// The scores on each species held out of training, with the intervals of a bootstrap of its own.
fn apart(
    plan: &Plan,
    held_out: &[String],
    records: &[&Record],
    options: &Options,
) -> Result<Vec<SpeciesBits>, statistics::Error> {
    let one = |name: &String| {
        let species = std::slice::from_ref(name);
        let draws = blocks(&sums(plan, species, &[records.to_vec()]), options.resamples, options.seed)?;
        Ok(species_bits(records, name, components_of(records), |seeds| estimate(seeds, draws.species(0, 0))))
    };
    held_out.iter().map(one).collect()
}

/// What the scores of records are made of.
fn components_of(records: &[&Record]) -> &'static [Component] {
    let first = records.iter().find_map(|r| pretrained(r)?.blocks.first());
    first.map_or(COMPONENTS, |block| block.score.components())
}

/// The scores on one species.
fn species_bits(
    records: &[&Record],
    name: &str,
    components: &'static [Component],
    estimate: impl Fn(Vec<f64>) -> Estimate,
) -> SpeciesBits {
    let each = |value: &dyn Fn(&BlockScore) -> f64| records.iter().map(|r| rate(r, name, value)).collect::<Vec<f64>>();
    SpeciesBits {
        species: name.to_owned(),
        total: estimate(each(&BlockScore::total)),
        score: means(components, |c| mean(&each(&|b| b.score.bits(c)))),
    }
}

fn bits(records: &[&Record], species: &[String], draws: &Draws, place: usize, apart: Vec<SpeciesBits>) -> Bits {
    let over_species = |r: &Record, value: &dyn Fn(&BlockScore) -> f64| {
        mean(&species.iter().map(|s| rate(r, s, value)).collect::<Vec<_>>())
    };
    let overall =
        |value: &dyn Fn(&BlockScore) -> f64| mean(&records.iter().map(|r| over_species(r, value)).collect::<Vec<_>>());
    let components = components_of(records);
    let one = |(at, name): (usize, &String)| {
        species_bits(records, name, components, |seeds| estimate(seeds, draws.species(place, at)))
    };
    let done: Vec<&Pretrained> = records.iter().filter_map(|r| pretrained(r)).collect();
    let mut lengths: Vec<u64> = Vec::new();
    for run in &done {
        lengths.resize(lengths.len().max(run.lengths.len()), 0);
        lengths.iter_mut().zip(&run.lengths).for_each(|(sum, count)| *sum += count);
    }
    let curve = |p: &&Pretrained| {
        let point = |c: &experiment::record::CurvePoint| (c.bases, c.bits / c.scored as f64);
        p.curve.iter().filter(|c| c.scored > 0 && c.bits.is_finite()).map(point).collect()
    };
    let offsets: Vec<Vec<f64>> = done.iter().filter_map(|p| by_offset(p)).collect();
    let span = offsets.iter().map(Vec::len).min().unwrap_or(0);
    Bits {
        total: estimate(records.iter().map(|r| over_species(r, &BlockScore::total)).collect(), draws.total(place)),
        species: species.iter().enumerate().map(one).collect(),
        held_out: apart,
        score: means(components, |c| overall(&|b| b.score.bits(c))),
        curves: done.iter().map(curve).collect(),
        curve_scored: scored_points(&done),
        curve_floor: done.iter().find_map(|p| p.curve.last().and_then(|c| Some(c.floor? / c.scored as f64))),
        offsets: (0..span).map(|at| mean(&offsets.iter().map(|run| run[at]).collect::<Vec<_>>())).collect(),
        regions: Vec::new(),
        lengths,
        prior_total: done.iter().find_map(|p| p.prior_total),
        cost: cost(records, &done),
    }
}

/// Bits per masked base by offset in the span; None where the record has no sums.
fn by_offset(done: &Pretrained) -> Option<Vec<f64>> {
    let trained = done.blocks.iter().filter(|block| !block.held_out);
    let spans = trained.map(|block| block.score.bases).sum::<u64>() as f64 / done.offsets.len() as f64;
    (spans.is_finite() && spans > 0.0).then(|| done.offsets.iter().map(|bits| bits / spans).collect())
}

/// Masked bases of each point of the validation curves, the largest over seeds.
fn scored_points(done: &[&Pretrained]) -> Vec<u64> {
    let mut points: Vec<u64> = Vec::new();
    for run in done {
        points.resize(points.len().max(run.curve.len()), 0);
        points.iter_mut().zip(&run.curve).for_each(|(most, point)| *most = (*most).max(point.scored));
    }
    points
}

/// A score of means by component; what is not known in every block is not known.
fn means(components: &'static [Component], mean: impl Fn(Component) -> f64) -> Score {
    let mut means = Score::over(components);
    for &component in components {
        let mean = mean(component);
        means.set(component, (component.role.is_known() || mean.is_finite()).then_some(mean));
    }
    means
}

fn cost(records: &[&Record], done: &[&Pretrained]) -> CostSummary {
    let model = |value: &dyn Fn(&experiment::record::Cost) -> f64| {
        mean(&done.iter().map(|p| value(&p.cost)).collect::<Vec<_>>())
    };
    let time = |value: &dyn Fn(&experiment::record::Timing) -> f64| {
        mean(&records.iter().map(|r| value(&r.timing)).collect::<Vec<_>>())
    };
    CostSummary {
        frontend_parameters: model(&|c| c.frontend_parameters as f64),
        encoder_parameters: model(&|c| c.encoder_parameters as f64),
        head_parameters: model(&|c| c.head_parameters as f64),
        bases_per_token: model(&|c| c.bases_per_token),
        macs_per_base: model(&|c| c.macs_per_base),
        passes: model(&|c| c.passes),
        bases_per_second: time(&|t| t.bases_per_second),
        hours: time(&|t| (t.train_seconds + t.score_seconds) / 3600.0),
        peak_mib: time(&|t| t.peak_mib),
    }
}

fn markov(name: &str, runs: &Runs, group: &Group) -> Option<MarkovScore> {
    let usable: Vec<&Record> = runs.values().filter(|r| pretrained(r).is_some()).collect();
    if usable.is_empty() {
        return None;
    }
    let each = |s: &String| {
        let value = mean(&usable.iter().map(|r| rate(r, s, BlockScore::total)).collect::<Vec<_>>());
        value.is_finite().then_some(value)
    };
    let [species, held_out] = [&group.species, &group.held_out].map(|names| names.iter().map(each).collect::<Vec<_>>());
    let known: Vec<f64> = species.iter().flatten().copied().collect();
    (!known.is_empty()).then(|| MarkovScore { name: name.to_owned(), total: mean(&known), species, held_out })
}

/// Warnings about results that the protocol should rule out, and about models that do not use context.
fn remarks(group: &Group, records: &RecordGroup) -> Vec<String> {
    let mut remarks = Vec::new();
    for subject in &group.subjects {
        let Some(bits) = &subject.bits else { continue };
        let error = deviation(&bits.total.seeds) / (bits.total.seeds.len() as f64).sqrt();
        if bits.score.get(FLOOR).is_some_and(|floor| bits.total.mean < floor - 3.0 * error) {
            remarks.push(format!(
                "{} is below the entropy floor by more than 3 standard errors: masked bases may leak into the input",
                subject.name
            ));
        }
    }
    for subject in &group.subjects {
        let Some(bits) = subject.bits.as_ref().filter(|bits| !bits.uses_context()) else { continue };
        let null = bits.best_null().map_or_else(String::new, |(null, bits)| format!("; {} {bits:.3}", null.legend));
        remarks.push(format!(
            "{} has not learned to use context at this budget ({:.3}{null}) and is not ranked",
            subject.name, bits.total.mean
        ));
    }
    remarks.extend(group.subjects.iter().filter_map(|subject| not_below_pooling(group, subject)));
    let by_token = |r: &Record| matches!(&r.run.work, Work::Pretrain(p) if p.masking.unit == MaskingUnit::Tokens);
    if records.pretrained.records().any(by_token) {
        remarks.push(
            "tokens were masked in training, so masked bases differed between tokenizers; all are scored on the same bases"
                .into(),
        );
        return remarks;
    }
    // At equal compute, budgets in bases differ by intention.
    let at_equal_bases = group.seeds.iter().filter(|_| group.compute.is_none());
    for seed in at_equal_bases {
        let planned = |s: &super::Subject| {
            records.pretrained.get(&s.name)?.get(seed).and_then(pretrained).map(|p| p.planned_bases)
        };
        let mut seen: Vec<u64> = group.ranked().filter_map(planned).collect();
        seen.dedup();
        if seen.len() > 1 {
            remarks.push(format!("seed {seed}: tokenizers were trained on different numbers of planned masked bases"));
        }
    }
    remarks
}
