//! Noise arms: what of a difference is there on noise as well (`docs/protocol.md#noise-arms`).
//!
//! An arm is a group with the settings of another one except its corpus, which is noise of the same shape. Differences are subtracted seed by
//! seed; resamples share their seeds between the arms and draw blocks in each arm by itself.

use experiment::Noise;
use serde::Serialize;
use statistics::draws::{Draws, Interval};
use statistics::{decision, mean};

use super::pairing::estimate;
use super::settings::Settings;
use super::{Estimate, Group, Options, Test};
use crate::error::Error;

/// The bootstrap of a group: names of its subjects, in the order of their resamples.
#[derive(Clone, Debug)]
pub(super) struct Resampled {
    pub(super) names: Vec<String>,
    pub(super) draws: Draws,
}

/// The results of a noise arm, seen from the group on real text.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Arm {
    /// Text of the arm.
    pub noise: Noise,
    /// The toll of each tokenizer: what it pays on the arm above 2.0 bits (uniform DNA), or above the entropy floor (Markov text).
    pub tolls: Vec<Toll>,
    /// The noise-adjusted differences, in the order of [`Group::tests`].
    pub tests: Vec<AdjustedTest>,
}

/// What a tokenizer pays for reasons that have nothing to do with DNA, in bits per masked base.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Toll {
    /// The tokenizer.
    pub name: String,
    /// Its total on the arm.
    pub total: Estimate,
    /// Its total minus what the text costs.
    pub toll: f64,
}

/// A difference on real text minus the same difference on noise.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AdjustedTest {
    /// First tokenizer.
    pub left: String,
    /// Second tokenizer.
    pub right: String,
    /// The noise-adjusted difference: mean, interval and values by seed.
    pub difference: Estimate,
    /// Its simultaneous interval.
    pub simultaneous: Interval,
    /// Holm-adjusted p-value.
    pub adjusted: f64,
    /// True if it is significant by the decision rule.
    pub decisive: bool,
    /// True if the raw and the adjusted difference have one sign and both are significant: the difference is about DNA (uniform arm), or
    /// beyond order 2 (Markov arm).
    pub holds: bool,
}

/// Adds its noise arms to every group on real text.
pub(super) fn fill(
    groups: &mut [Group],
    settings: &[Option<&Settings>],
    resampled: &[Option<Resampled>],
    options: &Options,
) -> Result<(), Error> {
    for at in 0..groups.len() {
        let Some((own, draws)) = settings[at].zip(resampled[at].as_ref()) else { continue };
        let mut arms = Vec::new();
        for other in 0..groups.len() {
            let Some((noise, theirs)) = settings[other].and_then(|s| s.noise_of(own)).zip(resampled[other].as_ref())
            else {
                continue;
            };
            if groups[other].seeds != groups[at].seeds {
                groups[at].remarks.push(format!("the {} arm has other seeds and is not subtracted", noise.name()));
                continue;
            }
            let scope = groups[at].label.clone();
            let refuse = |source| Error::Statistics { scope: scope.clone(), source };
            let arm = arm(noise, &groups[at], &groups[other], [draws, theirs], options).map_err(refuse)?;
            arms.push(arm);
        }
        arms.sort_by_key(|arm| arm.noise);
        groups[at].arms = arms;
    }
    Ok(())
}

fn arm(
    noise: Noise,
    group: &Group,
    other: &Group,
    [own, theirs]: [&Resampled; 2],
    options: &Options,
) -> Result<Arm, statistics::Error> {
    let tolls = other.ranked().filter_map(|subject| {
        let bits = subject.bits.as_ref()?;
        let floor = if noise == Noise::Uniform { Some(super::UNIFORM) } else { bits.score.get(protocol::score::FLOOR) };
        let toll = bits.total.mean - floor?;
        Some(Toll { name: subject.name.clone(), total: bits.total.clone(), toll })
    });
    let values = |group: &Group, name: &str| Some(group.subject(name)?.bits.as_ref()?.total.seeds.clone());
    let place = |of: &Resampled, name: &str| of.names.iter().position(|known| known == name);
    let known: Vec<(&Test, Vec<f64>, [usize; 4])> = (group.tests.iter())
        .filter_map(|test| {
            let noise = values(other, &test.left)?.into_iter().zip(values(other, &test.right)?);
            let adjusted = test.difference.seeds.iter().zip(noise).map(|(raw, (left, right))| raw - (left - right));
            let places = [
                place(own, &test.left)?,
                place(own, &test.right)?,
                place(theirs, &test.left)?,
                place(theirs, &test.right)?,
            ];
            Some((test, adjusted.collect(), places))
        })
        .collect();
    let interval = |places: &[usize; 4], comparisons: usize| {
        let [left, right, noise_left, noise_right] = *places;
        own.draws.beyond([left, right], &theirs.draws, [noise_left, noise_right], comparisons)
    };
    let comparisons = known.len();
    let simultaneous: Vec<Interval> = known.iter().map(|(_, _, places)| interval(places, comparisons)).collect();
    let differences: Vec<Vec<f64>> = known.iter().map(|(_, differences, _)| differences.clone()).collect();
    let decisions = decision::decide(&differences, &simultaneous, options.seed)?;
    let tests =
        known.iter().zip(simultaneous).zip(decisions).map(|(((test, seeds, places), simultaneous), decision)| {
            let decisive = decision.decisive() && !options.exploratory;
            let holds = decisive && test.decisive && mean(seeds).signum() == test.difference.mean.signum();
            AdjustedTest {
                left: test.left.clone(),
                right: test.right.clone(),
                difference: estimate(seeds.clone(), interval(places, 1)),
                simultaneous,
                adjusted: decision.adjusted,
                decisive,
                holds,
            }
        });
    Ok(Arm { noise, tolls: tolls.collect(), tests: tests.collect() })
}
