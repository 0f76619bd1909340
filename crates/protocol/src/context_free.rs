//! The context-free null model of a tokenizer: the best model of its tokens that sees nothing of the window
//! (`docs/protocol.md#context-free-null`).
//!
//! It knows how many tokens and bases of the span are left and which token precedes, that is, everything that the segmentation tells.
//! Behind it stands the segmentation prior; for each token at each place (bases left, tokens left) it has a factor, shrunk towards 1:
//! with n observations of a token, and E expected ones under the model, the factor r solves n - E + shrinkage (1 - r) = 0. The shrinkage is
//! chosen by cross-validation on two halves of the training spans.

use std::collections::HashMap;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::candidates::{CandidateSets, Constraint};
use crate::code_length::weighted_bits;
use crate::layout::Target;

/// Shrinkages that are tried.
pub const SHRINKAGES: [f64; 6] = [0.5, 2.0, 8.0, 32.0, 128.0, 512.0];
/// Rounds of iterative scaling.
pub const ROUNDS: usize = 6;

/// Bases left and tokens left; zeros for tokens of fixed length, which are alike everywhere.
type Key = (u16, u16);

/// The context-free null model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContextFree {
    /// The chosen shrinkage, in observations.
    pub shrinkage: f64,
    tables: Vec<Table>,
}

/// Factors of one place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Table {
    bases: u16,
    tokens: u16,
    /// Natural logarithm of the factor, by id.
    log_factors: Vec<f32>,
}

/// What was observed in training spans.
#[derive(Clone, Debug, Default)]
pub(crate) struct Observations {
    places: HashMap<Key, Place>,
}

#[derive(Clone, Debug, Default)]
struct Place {
    /// How often each token was observed.
    tokens: HashMap<u32, u64>,
    /// How often each set of candidates occurred.
    groups: HashMap<Constraint, u64>,
}

impl Observations {
    /// Counts a target whose candidates are those of `group`.
    pub(crate) fn add(&mut self, group: Constraint, fixed: bool, token: u32) {
        let key = group.place.filter(|_| !fixed).map_or((0, 0), |place| (place.bases, place.tokens));
        let place = self.places.entry(key).or_default();
        *place.tokens.entry(token).or_default() += 1;
        *place.groups.entry(group).or_default() += 1;
    }

    /// The sum of two.
    pub(crate) fn merge(mut self, other: Observations) -> Observations {
        for (key, place) in other.places {
            let own = self.places.entry(key).or_default();
            place.tokens.into_iter().for_each(|(token, count)| *own.tokens.entry(token).or_default() += count);
            place.groups.into_iter().for_each(|(group, count)| *own.groups.entry(group).or_default() += count);
        }
        self
    }
}

/// A set of candidates: how often it occurred in each half, and its tokens with their prior.
type Group = ([f64; 2], Vec<(u32, f64)>);

/// The observations of one place in both halves of the training spans, and its sets of candidates.
struct Problem {
    key: Key,
    observed: [Vec<f64>; 2],
    /// Candidates with counts of both halves.
    groups: Vec<Group>,
}

impl ContextFree {
    /// Fits the model to the observations of two halves of the training spans.
    pub(crate) fn fit(halves: [Observations; 2], sets: &mut CandidateSets) -> ContextFree {
        let problems = problems(halves, sets);
        let (both, first) = ([1.0, 1.0], [1.0, 0.0]);
        let size = sets.vocabulary();
        let held_out = |shrinkage: f64| -> f64 {
            let of = |problem: &Problem| problem.held_out(&problem.solve(first, shrinkage, size));
            problems.par_iter().map(of).collect::<Vec<f64>>().iter().sum()
        };
        let best = SHRINKAGES.into_iter().map(|shrinkage| (held_out(shrinkage), shrinkage));
        let (_, shrinkage) = best.fold((f64::NEG_INFINITY, SHRINKAGES[0]), |a, b| if b.0 > a.0 { b } else { a });
        let table = |problem: &Problem| {
            let factors = problem.solve(both, shrinkage, size);
            let log_factors = factors.iter().map(|factor| factor.ln() as f32).collect();
            Table { bases: problem.key.0, tokens: problem.key.1, log_factors }
        };
        ContextFree { shrinkage, tables: problems.par_iter().map(table).collect() }
    }

    /// Number of ids for which there are factors; `None` before anything was observed.
    pub(crate) fn size(&self) -> Option<usize> {
        self.tables.first().map(|table| table.log_factors.len())
    }

    /// Code length of a target, in bits.
    #[must_use]
    pub fn bits(&self, target: &Target, sets: &mut CandidateSets) -> f64 {
        let key = target.constraint.place.map_or((0, 0), |place| (place.bases, place.tokens));
        let table = match &self.tables[..] {
            [only] if (only.bases, only.tokens) == (0, 0) => Some(only),
            tables => tables.binary_search_by_key(&key, |table| (table.bases, table.tokens)).ok().map(|at| &tables[at]),
        };
        let factor = |id: u32| table.and_then(|t| t.log_factors.get(id as usize)).map_or(0.0, |&log| f64::from(log));
        weighted_bits(factor, target, sets).total()
    }
}

/// The problems by place, sorted. Sums must not depend on the order of hash maps, so groups are sorted too.
fn problems(halves: [Observations; 2], sets: &mut CandidateSets) -> Vec<Problem> {
    let [mut first, mut second] = halves.map(|half| half.places);
    let mut keys: Vec<Key> = first.keys().chain(second.keys()).copied().collect();
    keys.sort_unstable();
    keys.dedup();
    let mut problem = |key: Key| {
        let places = [&mut first, &mut second].map(|half| half.remove(&key).unwrap_or_default());
        let observed = [0, 1].map(|half| {
            let mut observed = vec![0.0; sets.vocabulary()];
            places[half].tokens.iter().for_each(|(&token, &count)| observed[token as usize] = count as f64);
            observed
        });
        let mut constraints: Vec<Constraint> = places.iter().flat_map(|place| place.groups.keys().copied()).collect();
        let order = |c: &Constraint| (c.place, c.max_length, c.exact, c.previous, c.first);
        constraints.sort_unstable_by_key(order);
        constraints.dedup();
        let mut group = |constraint: Constraint| {
            sets.prepare(constraint);
            let mut members = Vec::new();
            sets.visit(constraint, |id, log| members.push((id, log.exp())));
            ([0, 1].map(|half| places[half].groups.get(&constraint).copied().unwrap_or(0) as f64), members)
        };
        let groups = constraints.into_iter().map(&mut group).collect();
        Problem { key, observed, groups }
    };
    keys.into_iter().map(&mut problem).collect()
}

impl Problem {
    /// Factors by id for observations of the halves with these weights.
    fn solve(&self, halves: [f64; 2], shrinkage: f64, size: usize) -> Vec<f64> {
        let mut factors = vec![1.0; size];
        for _ in 0..ROUNDS {
            let mut expected = vec![0.0; size];
            for (counts, members) in &self.groups {
                let count = counts[0] * halves[0] + counts[1] * halves[1];
                if count == 0.0 {
                    continue;
                }
                let total: f64 = members.iter().map(|&(id, prior)| prior * factors[id as usize]).sum();
                let scale = count / total;
                members.iter().for_each(|&(id, prior)| expected[id as usize] += scale * prior * factors[id as usize]);
            }
            for (id, factor) in factors.iter_mut().enumerate() {
                let observed = self.observed[0][id] * halves[0] + self.observed[1][id] * halves[1];
                *factor *= (observed + shrinkage) / (expected[id] + shrinkage * *factor);
            }
        }
        factors
    }

    /// Logarithm of the likelihood of the second half, without the part of the prior.
    fn held_out(&self, factors: &[f64]) -> f64 {
        let own: f64 = self.observed[1].iter().zip(factors).map(|(count, factor)| count * factor.ln()).sum();
        let totals: f64 = (self.groups.iter().filter(|(counts, _)| counts[1] > 0.0))
            .map(|(counts, members)| {
                let sum = |weight: &dyn Fn(u32) -> f64| members.iter().map(|&(id, p)| p * weight(id)).sum::<f64>();
                counts[1] * (sum(&|id| factors[id as usize]) / sum(&|_| 1.0)).ln()
            })
            .sum();
        own - totals
    }
}
