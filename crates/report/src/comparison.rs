//! A comparison: records that were checked, grouped, paired by seed and tested. All numbers of tables and figures come from here.
//!
//! Records are grouped by their settings (encoder with its position encoding, corpus, window, span, budget, scoring ...), without
//! tokenizer, seed and learning rate; numbers are compared only inside a [`Group`]. Device, protocol and number format must be
//! the same in all records, seeds and scored text within a group.
//!
//! ```
//! let records = report::example::records(&report::example::Shape::default());
//! let comparison = report::Comparison::new(records, report::Options::default()).unwrap();
//! let group = &comparison.groups[0];
//! assert_eq!(group.seeds.len(), 7);
//! assert_eq!(group.tests.len(), 2); // two tokenizers against the first
//! ```

mod bits;
mod budgets;
mod compare;
mod compute;
pub(crate) mod curves;
mod engine;
mod noise;
mod pairing;
mod positions;
mod records;
mod regions;
mod settings;
mod task;
mod tasks;
mod tuning;

use std::collections::BTreeMap;

use experiment::Noise;
use experiment::record::Metric;
use protocol::score::{BIAS_ONLY, COMPOSITION, COUNT, Component, LENGTH, Score, ZERO};
use serde::{Serialize, Serializer};

pub use budgets::{BudgetRow, Budgets, Slope};
pub use curves::{AtCost, EqualCost};
pub use noise::{AdjustedTest, Arm, Toll};
pub use regions::RegionBits;
use statistics::bootstrap::{RESAMPLES, least_resamples};
use statistics::{decision::Reason, draws::Interval, friedman::Friedman, wilcoxon::Wilcoxon};
pub use task::{Gain, TaskComparison, TaskScore};
pub use tuning::Tuning;

/// Bits per masked base by which a total must be below the best null for the model to count as using context.
pub const CONTEXT: f64 = 0.005;

/// Bits per base of equally likely bases.
pub const UNIFORM: f64 = 2.0;

/// Options of a comparison.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Options {
    /// Order of the tokenizers; unlisted ones follow in the order of their records.
    pub order: Vec<String>,
    /// Tokenizer that all others are tested against; the first by default.
    pub reference: Option<String>,
    /// Test all pairs of tokenizers instead of each one against the reference.
    pub all_pairs: bool,
    /// Tokenizers that are controls (random segmentation, iso-parameter controls): shown, never ranked or tested.
    pub controls: Vec<String>,
    /// Effect of interest in bits per masked base: power is computed for this difference.
    pub effect: f64,
    /// Effect of interest in the metric of a task.
    pub task_effect: f64,
    /// Cost of training on one base by tokenizer, in any unit, for views at equal cost; empty: multiply-accumulates.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub cost: BTreeMap<String, f64>,
    /// Number of bootstrap resamples.
    pub resamples: usize,
    /// Seed of the bootstrap.
    pub seed: u64,
    /// Accept unfinished runs: compare the seeds that all tokenizers have and add a remark, instead of an error. A name in
    /// `order` without a record is then an unfinished tokenizer; otherwise it is an error.
    pub partial: bool,
    /// The experiment is exploratory: no difference is called significant.
    pub exploratory: bool,
    /// Seeds that were fixed before any result was seen; all others are *later seeds*, excluded from means and tests, with a
    /// remark. Empty: all seeds.
    pub planned: Vec<u64>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            order: Vec::new(),
            reference: None,
            all_pairs: false,
            controls: Vec::new(),
            effect: 0.01,
            task_effect: 0.01,
            cost: BTreeMap::new(),
            resamples: RESAMPLES,
            seed: 0,
            partial: false,
            exploratory: false,
            planned: Vec::new(),
        }
    }
}

impl Options {
    /// Number of bootstrap resamples, enough for the tails of simultaneous intervals of a family of `comparisons`.
    #[must_use]
    pub fn resamples_for(&self, comparisons: usize) -> usize {
        self.resamples.max(least_resamples(comparisons))
    }
}

/// The results of an experiment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// Kind of device, the same for all runs.
    pub device: String,
    /// Descriptions of the devices in the records; several if machines of the same kind were used.
    pub machines: Vec<String>,
    /// Tokenizers, then control tokenizers: their order in tables and figures.
    pub order: Vec<String>,
    /// The groups, sorted by their settings.
    pub groups: Vec<Group>,
    /// Totals at several budgets, where groups differ in their budget alone.
    pub budgets: Vec<Budgets>,
    /// True if any record was simulated: the numbers are then not measurements.
    pub made_up: bool,
    /// The options that were used.
    pub options: Options,
}

/// Runs of several tokenizers under the same settings.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Group {
    /// Settings in which this group differs from the others (`alibi`, `alibi-directed`); empty for a single group.
    pub label: String,
    /// The settings in one line: corpus, encoder, window, span, budget.
    pub setting: String,
    /// Training budget in bases; at equal compute, that of the tokenizer in `compute`.
    pub budget: u64,
    /// The tokenizer whose multiply-accumulates of training all others have; None at equal bases.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compute: Option<String>,
    /// Reference tokenizer; None if all pairs are tested. If the requested one has no score, the next one, with a remark.
    pub reference: Option<String>,
    /// Seeds at which every compared tokenizer has a score, ascending; all means and tests use these. A ranked tokenizer
    /// without any score is excluded from the comparison, with a remark.
    pub seeds: Vec<u64>,
    /// Seeds excluded from all means and tests of pretraining, with the reasons.
    pub dropped: Vec<Dropped>,
    /// Names of the species that the models were trained on, sorted: totals are means over these.
    pub species: Vec<String>,
    /// Names of the species held out of training, sorted: scored and reported apart.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub held_out: Vec<String>,
    /// Tokenizers in order, then control tokenizers.
    pub subjects: Vec<Subject>,
    /// Markov predictors scored on the same masked bases.
    pub markov: Vec<MarkovScore>,
    /// Tests of the total in bits per masked base, Holm-adjusted over this list.
    pub tests: Vec<Test>,
    /// Classification tasks, sorted by name.
    pub tasks: Vec<TaskComparison>,
    /// Tests across tasks, Holm-adjusted over this list; empty if the tasks have different metrics.
    pub across: Vec<Across>,
    /// Friedman's test over ranked tokenizers and tasks; needs at least three tokenizers and five tasks.
    pub friedman: Option<Friedman>,
    /// Learning-rate search; None if there was only one rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tuning: Option<Tuning>,
    /// The position encodings selected for each tokenizer on the validation split, with the number of seeds; empty if all have the same.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub positions: Vec<(String, Vec<(String, usize)>)>,
    /// Noise of the corpus, if the group is a noise arm: its numbers are shown with the group on real text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub noise: Option<Noise>,
    /// Noise arms with the same settings.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub arms: Vec<Arm>,
    /// Warnings for the notes below the table.
    pub remarks: Vec<String>,
}

impl Group {
    /// The tokenizers that are not controls.
    pub fn ranked(&self) -> impl Iterator<Item = &Subject> {
        self.subjects.iter().filter(|s| !s.control)
    }

    /// The ranked tokenizers with a result on at least one task: those compared across tasks.
    pub fn tasked(&self) -> impl Iterator<Item = &Subject> {
        let has =
            |s: &&Subject| self.tasks.iter().flat_map(|t| &t.scores).any(|r| r.name == s.name && r.score().is_some());
        self.ranked().filter(has)
    }

    /// The metric of the tasks; None without tasks or if metrics differ.
    #[must_use]
    pub fn metric(&self) -> Option<Metric> {
        let first = self.tasks.first()?.metric;
        self.tasks.iter().all(|task| task.metric == first).then_some(first)
    }

    /// The budget in words: `5 million bases`, `the multiply-accumulates of base at 5 million bases`.
    #[must_use]
    pub fn budget_text(&self) -> String {
        let bases = format!("{} bases", statistics::text::magnitude(self.budget as f64));
        match &self.compute {
            None => bases,
            Some(tokenizer) => format!("the multiply-accumulates of {tokenizer} at {bases}"),
        }
    }

    /// The subject with this name.
    #[must_use]
    pub fn subject(&self, name: &str) -> Option<&Subject> {
        self.subjects.iter().find(|s| s.name == name)
    }
}

/// A seed that is excluded because a run failed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Dropped {
    /// Tokenizer whose run failed.
    pub tokenizer: String,
    /// Seed of that run.
    pub seed: u64,
    /// Reason of the failure.
    pub reason: String,
}

/// A tokenizer or control tokenizer in one group.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Subject {
    /// Canonical name.
    pub name: String,
    /// Index in [`Comparison::order`].
    pub index: usize,
    /// True for controls: shown, never ranked or tested.
    pub control: bool,
    /// Its scores; None if no seed has a score of every tokenizer, or if only tasks were run.
    pub bits: Option<Bits>,
    /// Number of collapsed runs; they are included in the means.
    pub collapsed: usize,
    /// Number of failed runs.
    pub failed: usize,
}

/// Mean over seeds with a 95 % interval.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Estimate {
    /// Mean over seeds.
    pub mean: f64,
    /// Half-width of the interval: the number after `±`.
    pub half_width: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
    /// One value per seed, in the order of the seeds of the group or task.
    pub seeds: Vec<f64>,
}

/// Scores of one tokenizer, bits per masked base; means over seeds of the means over species.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bits {
    /// Total code length in sequential order: the only number that is compared.
    pub total: Estimate,
    /// Scores per species.
    pub species: Vec<SpeciesBits>,
    /// Scores per species held out of training.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub held_out: Vec<SpeciesBits>,
    /// Components, bits per masked base.
    #[serde(flatten, serialize_with = "components")]
    pub score: Score,
    /// Validation curves, one per seed: (bases seen, bits per masked base).
    pub curves: Vec<Vec<(u64, f64)>>,
    /// Number of masked bases that each point of a validation curve rests on, in the order of its points; the largest over seeds.
    #[serde(skip)]
    pub curve_scored: Vec<u64>,
    /// Entropy floor of the validation text (not of the scored text), where known.
    pub curve_floor: Option<f64>,
    /// Bits per masked base by offset in the masked span, from its first base; means over species in training and over seeds. Empty where
    /// records have none. Bits of a token are shared equally among its bases, those of the number of tokens among all bases.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub offsets: Vec<f64>,
    /// Scores by region class, for species with a BED file.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub regions: Vec<RegionBits>,
    /// Number of tokens of each length in bases (index 0: length 1), summed over seeds.
    pub lengths: Vec<u64>,
    /// Total weight of the token sequences of a span under the segmentation prior; 1 if the total is a code length of the bases.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prior_total: Option<f64>,
    /// Parameters, operations and time.
    pub cost: CostSummary,
}

impl Bits {
    /// The scores on each species: those in training, then those held out of it.
    pub fn scored_species(&self) -> impl Iterator<Item = &SpeciesBits> {
        self.species.iter().chain(&self.held_out)
    }

    /// Whether the total is only an upper bound on the code length of the bases: for variable lengths, unless the segmentation prior is exact.
    #[must_use]
    pub fn is_upper_bound(&self) -> bool {
        let variable = self.score.bits(COUNT) + self.score.bits(LENGTH) > 0.0;
        variable && self.prior_total.is_none_or(|total| (total - 1.0).abs() > 1e-9)
    }

    /// The best null and its bits per masked base: of the network of zeros, the context-free null and the composition of the window, those that
    /// are known.
    #[must_use]
    pub fn best_null(&self) -> Option<(Component, f64)> {
        let known = [ZERO, BIAS_ONLY, COMPOSITION].into_iter().filter_map(|null| Some((null, self.score.get(null)?)));
        known.filter(|(_, bits)| bits.is_finite()).min_by(|a, b| a.1.total_cmp(&b.1))
    }

    /// Whether the model has learned to use context: its total is below the best null by more than [`CONTEXT`], and not above two bits, which
    /// equally likely bases cost.
    #[must_use]
    pub fn uses_context(&self) -> bool {
        self.best_null().is_none_or(|(_, bits)| self.total.mean < bits - CONTEXT) && self.total.mean <= UNIFORM
    }
}

/// Scores on one species, bits per masked base.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SpeciesBits {
    /// Name of the species.
    pub species: String,
    /// Total code length in sequential order.
    pub total: Estimate,
    /// Components; only those that are reported by species are serialized.
    #[serde(flatten, serialize_with = "components_by_species")]
    pub score: Score,
}

/// Serializes the means by component; `null` for an unknown floor.
fn components<S: Serializer>(score: &Score, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(score.iter().map(|(component, mean)| (component.name, mean)))
}

fn components_by_species<S: Serializer>(score: &Score, serializer: S) -> Result<S::Ok, S::Error> {
    let reported = score.iter().filter(|(component, _)| component.by_species);
    serializer.collect_map(reported.map(|(component, mean)| (component.name, mean)))
}

/// Cost of the runs of one tokenizer, means over seeds.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct CostSummary {
    /// Parameters of the front end.
    pub frontend_parameters: f64,
    /// Parameters of the encoder.
    pub encoder_parameters: f64,
    /// Parameters of the head.
    pub head_parameters: f64,
    /// Bases per encoder token.
    pub bases_per_token: f64,
    /// Multiply-accumulates (MACs) of a forward pass per base.
    pub macs_per_base: f64,
    /// Forward passes per scored window.
    pub passes: f64,
    /// Training speed in bases per second of wall time.
    pub bases_per_second: f64,
    /// Wall time of training and scoring per run, in hours.
    pub hours: f64,
    /// Peak memory in MiB.
    pub peak_mib: f64,
}

impl CostSummary {
    /// Parameters of front end, encoder and head together.
    #[must_use]
    pub fn parameters(&self) -> f64 {
        self.frontend_parameters + self.encoder_parameters + self.head_parameters
    }
}

/// Score of a Markov predictor on the masked bases of a group.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MarkovScore {
    /// Name with the order: `markov5`.
    pub name: String,
    /// Bits per masked base, mean over species.
    pub total: f64,
    /// Bits per masked base in the order of [`Group::species`]; None where it was not scored.
    pub species: Vec<Option<f64>>,
    /// Bits per masked base in the order of [`Group::held_out`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub held_out: Vec<Option<f64>>,
}

/// A paired test of two tokenizers, one of a family of comparisons.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Test {
    /// First tokenizer.
    pub left: String,
    /// Second tokenizer: the reference, or any other if all pairs are tested.
    pub right: String,
    /// `left` minus `right`: mean, bootstrap interval and the difference at each seed.
    pub difference: Estimate,
    /// Standard deviation of the per-seed differences.
    pub deviation: f64,
    /// p-value of the paired sign-flip test.
    pub p: f64,
    /// Holm-adjusted p-value.
    pub adjusted: f64,
    /// True if the difference is significant by the decision rule ([`statistics::decision`]).
    pub decisive: bool,
    /// Minimum attainable adjusted p-value at this number of seeds.
    pub smallest: f64,
    /// Number of seeds for power 0.8 at the effect of interest of the options; None if there is no such number within reason, for
    /// example because the test text is too short.
    pub needed: Option<usize>,
    /// Difference that is detected with power 0.8 at this number of seeds; None if underpowered for any difference.
    pub detectable: Option<f64>,
    /// Simultaneous interval of the difference: bootstrap over seeds and blocks (test rows) at level 1 - 0.05 / comparisons.
    pub simultaneous: Interval,
    /// Standard error of the difference from the test text alone; None if it has a single block.
    pub text_error: Option<f64>,
    /// Effect size: matched-pairs rank-biserial correlation of the differences over seeds, from -1 to 1.
    pub rank_biserial: f64,
    /// Effect size P(`left` > `right`): fraction of seeds at which the score of `left` is larger, ties counted half.
    pub superiority: f64,
    /// Why the difference is not significant; None if it is.
    pub reason: Option<Reason>,
}

/// A test of two tokenizers across tasks.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Across {
    /// First tokenizer.
    pub left: String,
    /// Second tokenizer: the reference, or any other if all pairs are tested.
    pub right: String,
    /// `left` minus `right`: difference of the scores, mean over tasks.
    pub difference: f64,
    /// Wilcoxon's signed-rank test over tasks.
    pub test: Wilcoxon,
    /// Holm-adjusted p-value.
    pub adjusted: f64,
}
