//! Family-wise error of the decision rule, by simulation with the bootstrap, the sign-flip test and Holm's method themselves: the
//! probability that at least one of the comparisons of equal tokenizers is called significant.
//!
//! A tokenizer's score at a seed on a block of text is the sum of the effects of text (block), seed, tokenizer x block, tokenizer x
//! seed, and a residual; the first two are common to all tokenizers, as the blocks and the seeds are. Standard deviations are those
//! of committed records, of the *paired difference* of two tokenizers.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;
use statistics::bootstrap::{Blocks, blocks};
use statistics::decision::{Decision, decide};
use statistics::draws::{Interval, TextError};
use statistics::power::{Spread, detectable_effect};
use statistics::stream;
use statrs::distribution::{Beta, ContinuousCDF};

/// What is equal.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Null {
    /// The mean over the blocks that are scored: only seeds vary.
    Text,
    /// The mean over the genome, of which the blocks are a sample.
    Genome,
}

/// Distribution of the effects of blocks.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Shape {
    Normal,
    /// Double-exponential: excess kurtosis 3.
    Laplace,
}

/// Selection of a learning rate for each tokenizer and seed from three, by the score on validation text.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Rates {
    /// By how much the best rate is better than the others, for every tokenizer.
    gap: f64,
    /// Standard deviation of the difference of two rates on the validation text that is common to all seeds.
    validation: f64,
}

#[derive(Clone, Copy, Debug)]
struct Scenario {
    name: &'static str,
    null: Null,
    comparisons: usize,
    seeds: usize,
    /// Blocks of each species.
    blocks: &'static [usize],
    shape: Shape,
    /// Standard deviation of the paired difference over seeds, on all blocks.
    by_seed: f64,
    /// Standard error of the paired difference from the text.
    by_text: f64,
    rates: Option<Rates>,
}

/// Families with an error, of all.
fn errors(scenario: &Scenario, families: usize) -> usize {
    let mut rng = stream(&format!("{scenario:?}"), 0);
    let wrong = |family: &u64| decided(scenario, 0.0, &mut rng, *family).iter().any(Decision::decisive);
    (0..families as u64).filter(wrong).count()
}

/// Simulates one family that is compared with the first tokenizer; the second is worse than the first by `effect`, the others are
/// equal to it.
fn decided(s: &Scenario, effect: f64, rng: &mut ChaCha8Rng, family: u64) -> Vec<Decision> {
    let data = family_of(s, effect, rng);
    let total = |subject: usize, seed: usize| -> f64 {
        let rate = |(bits, bases): (&Vec<f64>, &Vec<f64>)| bits.iter().sum::<f64>() / bases.iter().sum::<f64>();
        data.bits[subject][seed].iter().zip(&data.bases).map(rate).sum::<f64>() / data.bases.len() as f64
    };
    let gap = |t: usize| (0..s.seeds).map(|at| total(t, at) - total(0, at)).collect();
    let gaps: Vec<Vec<f64>> = (1..=s.comparisons).map(gap).collect();
    let decide = |intervals: &[Interval]| decide(&gaps, intervals, 0).unwrap();
    // Without a small p nothing is significant whatever the intervals are: saves most of the time.
    let by_p = decide(&vec![Interval { low: 1.0, high: 1.0 }; s.comparisons]);
    if !by_p.iter().any(Decision::decisive) {
        return by_p;
    }
    // Fewer resamples than by default: the ends are order statistics, whose expected tail probability is exact.
    let draws = blocks(&data, 1000, family).unwrap();
    let intervals: Vec<_> = (1..=s.comparisons).map(|t| draws.simultaneous(t, 0, s.comparisons)).collect();
    decide(&intervals)
}

fn family_of(s: &Scenario, effect: f64, rng: &mut ChaCha8Rng) -> Blocks {
    const BASES: f64 = 252.0;
    let half = 0.5_f64.sqrt();
    // The text error of the mean over species is by_text if that of each species is by_text sqrt(species).
    let species = s.blocks.len() as f64;
    let text = |n: usize| half * s.by_text * (species * n as f64).sqrt();
    let block: Vec<Vec<f64>> = s.blocks.iter().map(|n| (0..*n).map(|_| 0.05 * normal(rng)).collect()).collect();
    let seed: Vec<f64> = (0..s.seeds).map(|_| 0.003 * normal(rng)).collect();
    let one = |rng: &mut ChaCha8Rng| -> Vec<Vec<Vec<f64>>> {
        let own: Vec<Vec<f64>> = s.blocks.iter().map(|n| effects(s, *n, text(*n), rng)).collect();
        let rates: Vec<f64> = (0..3).map(|_| s.rates.map_or(0.0, |r| half * r.validation * normal(rng))).collect();
        let run = |common: &f64| {
            let by_seed = run_of(s, &rates, half * s.by_seed, rng);
            let mut score = |at: usize, b: usize| {
                BASES * (1.9 + block[at][b] + common + own[at][b] + by_seed + 0.2 * text(s.blocks[at]) * normal(rng))
            };
            (0..s.blocks.len()).map(|at| (0..s.blocks[at]).map(|b| score(at, b)).collect()).collect()
        };
        seed.iter().map(run).collect()
    };
    let mut bits: Vec<_> = (0..=s.comparisons).map(|_| one(rng)).collect();
    bits[1].iter_mut().flatten().flatten().for_each(|bits| *bits += BASES * effect);
    Blocks { bases: s.blocks.iter().map(|n| vec![BASES; *n]).collect(), bits }
}

/// Effects of a tokenizer on the blocks of one species; they cancel if tokenizers are equal on these blocks.
fn effects(s: &Scenario, n: usize, sd: f64, rng: &mut ChaCha8Rng) -> Vec<f64> {
    let draw = |rng: &mut ChaCha8Rng| match s.shape {
        Shape::Normal => normal(rng),
        Shape::Laplace => {
            let u = uniform(rng) - 0.5;
            -u.signum() * (1.0 - 2.0 * u.abs()).ln() * 0.5_f64.sqrt()
        }
    };
    let mut all: Vec<f64> = (0..n).map(|_| sd * draw(rng)).collect();
    if s.null == Null::Text {
        let mean = statistics::mean(&all);
        all.iter_mut().for_each(|v| *v -= mean);
    }
    all
}

/// Effect of tokenizer x seed: of the only learning rate, or of the one that is best on the validation text.
fn run_of(s: &Scenario, validation: &[f64], sd: f64, rng: &mut ChaCha8Rng) -> f64 {
    let Some(Rates { gap, .. }) = s.rates else { return sd * normal(rng) };
    let trained: Vec<f64> = (0..3).map(|rate| if rate == 0 { 0.0 } else { gap } + sd * normal(rng)).collect();
    let seen = |rate: &usize| trained[*rate] + validation[*rate];
    let best = (0..3).min_by(|a, b| seen(a).total_cmp(&seen(b))).unwrap();
    trained[best]
}

fn uniform(rng: &mut ChaCha8Rng) -> f64 {
    ((rng.next_u64() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
}

fn normal(rng: &mut ChaCha8Rng) -> f64 {
    (-2.0 * uniform(rng).ln()).sqrt() * (std::f64::consts::TAU * uniform(rng)).cos()
}

/// Upper 95 % confidence limit of a proportion (one-sided, Clopper and Pearson 1934).
fn upper(hits: usize, all: usize) -> f64 {
    if hits == all { 1.0 } else { Beta::new(hits as f64 + 1.0, (all - hits) as f64).unwrap().inverse_cdf(0.95) }
}

/// Seed standard deviation and text standard error of paired differences in bits per base.
const VARIANCES: [(&str, f64, f64); 4] = [
    ("genomes, mostly seeds", 0.0040, 0.0018),
    ("genomes, both alike", 0.0030, 0.0030),
    ("genomes, mostly text", 0.0018, 0.0041),
    ("larger", 0.0006, 0.0045),
];

/// Blocks of the experiments `default` and `genomes`.
const DEFAULT: &[usize] = &[16];
const GENOMES: &[usize] = &[24, 20, 40, 40, 40];

fn scenario(
    (name, by_seed, by_text): (&'static str, f64, f64),
    null: Null,
    comparisons: usize,
    seeds: usize,
) -> Scenario {
    let (blocks, shape) = (DEFAULT, Shape::Normal);
    Scenario { name, null, comparisons, seeds, blocks, shape, by_seed, by_text, rates: None }
}

/// All scenarios of the table: equal on the fixed text and on the genome, then variations of the second.
fn scenarios() -> Vec<Scenario> {
    let mut all = Vec::new();
    for null in [Null::Text, Null::Genome] {
        for variances in VARIANCES {
            for (comparisons, seeds) in [(2, 7), (2, 8), (3, 7), (3, 8), (4, 8), (6, 8)] {
                all.push(scenario(variances, null, comparisons, seeds));
            }
        }
    }
    for comparisons in [2, 6] {
        let plain = scenario(VARIANCES[2], Null::Genome, comparisons, 8);
        all.push(Scenario { name: "five genomes", blocks: GENOMES, ..plain });
        all.push(Scenario { name: "heavy tails", shape: Shape::Laplace, ..plain });
        for (name, gap) in [("three equal rates", 0.0), ("best rate by 0.002", 0.002), ("best rate by 0.005", 0.005)] {
            for (_, by_seed, by_text) in [VARIANCES[1], VARIANCES[3]] {
                let rates = Some(Rates { gap, validation: 0.001 });
                all.push(Scenario { name, by_seed, by_text, rates, ..plain });
            }
        }
    }
    all
}

/// Prints one row of the table; returns the upper confidence limit.
fn row(s: &Scenario, families: usize) -> f64 {
    let wrong = errors(s, families);
    let upper = upper(wrong, families);
    let null = if s.null == Null::Text { "text" } else { "genome" };
    println!(
        "| {} | {null} | {:.4} / {:.4} | {} | {} | {} | {:.3} | {upper:.3} |",
        s.name,
        s.by_seed,
        s.by_text,
        s.blocks.iter().sum::<usize>(),
        s.comparisons,
        s.seeds,
        wrong as f64 / families as f64
    );
    upper
}

/// The table of `docs/statistics.md`: `just error-rates`.
#[test]
#[ignore = "simulates 10,000 families per row: about ten minutes; run by name (`just error-rates`)"]
fn long_table_of_family_wise_errors() {
    println!("| variances | equal on | seed sd / text error | blocks | comparisons | seeds | error | upper bound |");
    println!("|---|---|---|---|---|---|---|---|");
    let above: Vec<_> = scenarios().iter().filter(|s| row(s, 10_000) > 0.06).copied().collect();
    assert!(above.is_empty(), "{above:#?}");
}

/// `statistics::power` models the interval instead of resampling; at its detectable difference, the rule itself has power 0.8.
#[test]
fn the_power_of_the_rule_is_80_percent() {
    for (variances, comparisons, seeds) in [(0, 2, 7), (1, 3, 8), (2, 2, 8), (3, 1, 6)] {
        let s = scenario(VARIANCES[variances], Null::Genome, comparisons, seeds);
        // The residual adds to both: 0.2 times the text error, over the blocks of one seed or of all.
        let residual = 0.2 * s.by_text;
        let text = TextError { error: s.by_text.hypot(residual / (seeds as f64).sqrt()), freedom: DEFAULT[0] - 1 };
        let spread = Spread { seeds: s.by_seed.hypot(residual), text: Some(text) };
        let effect = detectable_effect(spread, seeds, comparisons).unwrap();
        let mut rng = stream("power of the rule", variances as u64);
        let hits = (0..600).filter(|family| decided(&s, effect, &mut rng, *family)[0].decisive()).count();
        // The standard error is 0.016.
        let power = hits as f64 / 600.0;
        assert!((0.74..0.87).contains(&power), "{s:?}: {effect:.4} gives {power}");
    }
}

/// A short version: an error of 0.05 passes with certainty, an error of 0.15 fails.
#[test]
fn the_family_wise_error_is_at_most_five_percent() {
    for s in scenarios().iter().filter(|s| s.seeds == 8 && [2, 6].contains(&s.comparisons) && s.blocks == DEFAULT) {
        let wrong = errors(s, 200);
        assert!(wrong <= 21, "{wrong} of 200: {s:?}");
    }
}
