//! A comparison: records, checked, grouped, paired by seed and tested. Everything that tables and figures show is here.
//!
//! Records are grouped by everything that defines a question (encoder with its position code, corpus, window, span,
//! budget, scoring ...) except tokenizer, seed and learning rate; numbers are compared only inside a [`Group`].
//! Devices, protocols and number formats must be the same throughout, seeds and scored text inside a group.
//!
//! ```
//! let records = report::example::records(&report::example::Shape::default());
//! let comparison = report::Comparison::new(records, report::Options::default()).unwrap();
//! let group = &comparison.groups[0];
//! assert_eq!(group.seeds.len(), 7);
//! assert_eq!(group.tests.len(), 2); // two tokenizers against the first
//! ```

mod bits;
mod compare;
mod pairing;
mod question;
mod records;
mod tasks;
mod tuning;

use experiment::record::Metric;
use protocol::score::{BIAS_ONLY, Score};
use serde::{Serialize, Serializer};

use statistics::{bootstrap::RESAMPLES, friedman::Friedman, wilcoxon::Wilcoxon};
pub use tuning::Tuning;

/// Bits per base by which a model must beat its bias-only model to count as one that uses context.
pub const CONTEXT: f64 = 0.005;

/// What the caller decides.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Options {
    /// Tokenizers in the order of the experiment; unlisted ones follow in order of their records.
    pub order: Vec<String>,
    /// Tokenizer that all others are tested against; the first by default.
    pub reference: Option<String>,
    /// Test all pairs instead.
    pub all_pairs: bool,
    /// Tokenizers that are controls (random cuts, iso-parameter controls): shown, never ranked or tested.
    pub controls: Vec<String>,
    /// Difference worth seeing in bits per base, for "you would need about N seeds".
    pub effect: f64,
    /// Difference worth seeing in the metric of a task.
    pub task_effect: f64,
    /// Bootstrap resamples.
    pub resamples: usize,
    /// Seed of the bootstrap.
    pub seed: u64,
    /// Some runs are unfinished: compare the seeds that all tokenizers have instead of refusing, and say so. A name in
    /// `order` that has no record yet is then a tokenizer that is missing; otherwise it is an error.
    pub partial: bool,
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
            resamples: RESAMPLES,
            seed: 0,
            partial: false,
        }
    }
}

/// All groups of an experiment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// Device kind, the same for all.
    pub device: String,
    /// Device in words, as far as the records tell; more than one where several machines of a kind took part.
    pub machines: Vec<String>,
    /// Tokenizers and control tokenizers in order: index = colour and marker.
    pub order: Vec<String>,
    /// The groups, in order of their settings.
    pub groups: Vec<Group>,
    /// True if any record was made up: nothing here is a measurement.
    pub made_up: bool,
    /// What the caller decided.
    pub options: Options,
}

/// Tokenizers that were asked the same question.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Group {
    /// What distinguishes this group from the others (`alibi`, `alibi-directed`); empty if it is alone.
    pub label: String,
    /// The question in one line: corpus, encoder, window, span, budget.
    pub setting: String,
    /// Bases seen in training.
    pub budget: u64,
    /// Reference tokenizer, absent with all pairs; the next one, with a remark, if the asked one has no score.
    pub reference: Option<String>,
    /// Seeds at which every compared tokenizer has a score, ascending; all means and tests use these. A ranked tokenizer
    /// without a single score is left out of the comparison, with a remark.
    pub seeds: Vec<u64>,
    /// Seeds left out of all means and tests of the pretraining part, and why.
    pub dropped: Vec<Dropped>,
    /// Species, ascending by name.
    pub species: Vec<String>,
    /// Tokenizers in order, then tokenizers that are controls.
    pub subjects: Vec<Subject>,
    /// Controls without an encoder on the same plan (Markov).
    pub markov: Vec<Markov>,
    /// Tests of the total, bits per base, Holm-adjusted over this list.
    pub tests: Vec<Test>,
    /// Labelled tasks, ascending by name.
    pub tasks: Vec<Task>,
    /// Tests across tasks, Holm-adjusted over this list; none where tasks are judged by different metrics.
    pub across: Vec<Across>,
    /// Friedman's test over all ranked tokenizers and tasks, where there are three and five of them.
    pub friedman: Option<Friedman>,
    /// Learning rates that were tried, where there was more than one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tuning: Option<Tuning>,
    /// Remarks for the notes: things that should not happen and did.
    pub remarks: Vec<String>,
}

impl Group {
    /// The ranked tokenizers.
    pub fn ranked(&self) -> impl Iterator<Item = &Subject> {
        self.subjects.iter().filter(|s| !s.control)
    }

    /// The ranked tokenizers that have a result on any task: those compared across tasks.
    pub fn tasked(&self) -> impl Iterator<Item = &Subject> {
        let has =
            |s: &&Subject| self.tasks.iter().flat_map(|t| &t.scores).any(|r| r.name == s.name && r.score().is_some());
        self.ranked().filter(has)
    }

    /// The metric of all tasks; absent if there is no task, or if they differ.
    #[must_use]
    pub fn metric(&self) -> Option<Metric> {
        let first = self.tasks.first()?.metric;
        self.tasks.iter().all(|task| task.metric == first).then_some(first)
    }

    /// A subject by name.
    #[must_use]
    pub fn subject(&self, name: &str) -> Option<&Subject> {
        self.subjects.iter().find(|s| s.name == name)
    }
}

/// A seed that cannot be paired.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Dropped {
    /// Tokenizer that failed.
    pub tokenizer: String,
    /// Its seed.
    pub seed: u64,
    /// Why.
    pub reason: String,
}

/// One tokenizer in one group.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Subject {
    /// Canonical name.
    pub name: String,
    /// Place in [`Comparison::order`]: colour and marker.
    pub index: usize,
    /// True for a tokenizer that is a control.
    pub control: bool,
    /// Its scores; absent if there is no seed at which all have one, or if only tasks were run.
    pub bits: Option<Bits>,
    /// Runs that collapsed: counted, kept in the means.
    pub collapsed: usize,
    /// Runs that failed.
    pub failed: usize,
}

/// Mean over seeds with a 95 % interval.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Estimate {
    /// Mean.
    pub mean: f64,
    /// Half the width of the interval: the number behind `±`.
    pub half_width: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
    /// Value of each seed, in the order of the seeds it belongs to.
    pub seeds: Vec<f64>,
}

/// Scores of one tokenizer, bits per masked base; means over seeds of the means over species.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bits {
    /// Sequential total: the only number that is compared.
    pub total: Estimate,
    /// The same per species.
    pub species: Vec<SpeciesBits>,
    /// Its components, per masked base.
    #[serde(flatten, serialize_with = "components")]
    pub score: Score,
    /// Validation bits per base along the run, one per seed: (bases seen, bits per base).
    pub curves: Vec<Vec<(u64, f64)>>,
    /// Exact floor of the curves (validation text, not the scored text), where known.
    pub curve_floor: Option<f64>,
    /// Tokens of each length (index 0 = length 1), summed over seeds.
    pub lengths: Vec<u64>,
    /// What it costs.
    pub cost: Cost,
}

impl Bits {
    /// False if the model is no better than its bias-only model (within [`CONTEXT`]): it has not learned to use context.
    #[must_use]
    pub fn uses_context(&self) -> bool {
        let bias_only = self.score.bits(BIAS_ONLY);
        !bias_only.is_finite() || self.total.mean < bias_only - CONTEXT
    }
}

/// Scores on one species.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SpeciesBits {
    /// Its name.
    pub species: String,
    /// Sequential total.
    pub total: Estimate,
    /// Its components, per masked base; those that are told for each species are written down.
    #[serde(flatten, serialize_with = "components_by_species")]
    pub score: Score,
}

/// Means by component; `null` where a floor is not known.
fn components<S: Serializer>(score: &Score, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(score.iter().map(|(component, mean)| (component.name, mean)))
}

fn components_by_species<S: Serializer>(score: &Score, serializer: S) -> Result<S::Ok, S::Error> {
    let told = score.iter().filter(|(component, _)| component.by_species);
    serializer.collect_map(told.map(|(component, mean)| (component.name, mean)))
}

/// Cost of one tokenizer; means over seeds.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Cost {
    /// Parameters of the front end.
    pub frontend_parameters: f64,
    /// Parameters of the encoder.
    pub encoder_parameters: f64,
    /// Parameters of the head.
    pub head_parameters: f64,
    /// Bases per encoder token.
    pub bases_per_token: f64,
    /// Multiply-accumulates of a forward pass per base.
    pub macs_per_base: f64,
    /// Forward passes per scored window.
    pub passes: f64,
    /// Training bases per wall second.
    pub bases_per_second: f64,
    /// Hours of training and scoring per run.
    pub hours: f64,
    /// Peak memory in MiB.
    pub peak_mib: f64,
}

impl Cost {
    /// All parameters.
    #[must_use]
    pub fn parameters(&self) -> f64 {
        self.frontend_parameters + self.encoder_parameters + self.head_parameters
    }
}

/// A Markov control on the plan of a group.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Markov {
    /// `markov5`.
    pub name: String,
    /// Bits per base, mean of species.
    pub total: f64,
    /// Bits per base in the order of [`Group::species`]; absent where it was not scored.
    pub species: Vec<Option<f64>>,
}

/// One comparison of a family.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Test {
    /// Tokenizer.
    pub left: String,
    /// What it is compared with.
    pub right: String,
    /// `left` minus `right`: interval by bootstrap, per-seed differences in `seeds`.
    pub difference: Estimate,
    /// Standard deviation of the per-seed differences.
    pub deviation: f64,
    /// Sign-flip p.
    pub p: f64,
    /// Holm-adjusted p.
    pub adjusted: f64,
    /// True if `adjusted` is at most 0.05.
    pub decisive: bool,
    /// Smallest adjusted p that these seeds could have given.
    pub smallest: f64,
    /// Seeds needed to see the effect of the options; None if hopelessly many.
    pub needed: Option<usize>,
    /// Difference that these seeds show with power 0.8; None if they can never be decisive.
    pub detectable: Option<f64>,
}

/// One labelled task in a group.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Task {
    /// Its name.
    pub name: String,
    /// What it is judged by: the scores that are shown, drawn and tested.
    #[serde(skip_serializing_if = "Metric::is_default")]
    pub metric: Metric,
    /// Seeds at which every ranked tokenizer has a result.
    pub seeds: Vec<u64>,
    /// Seeds left out, and why.
    pub dropped: Vec<Dropped>,
    /// Results of tokenizers in order, then controls.
    pub scores: Vec<TaskScore>,
    /// Tests of the task's metric, Holm-adjusted over this list.
    pub tests: Vec<Test>,
}

/// Result of a tokenizer or control on a task.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TaskScore {
    /// Tokenizer or control.
    pub name: String,
    /// Place in [`Comparison::order`], of the tokenizer inside the model; None for controls without one.
    pub index: Option<usize>,
    /// True for controls: shown, never ranked.
    pub control: bool,
    /// Test MCC (R_K); absent if no run can be shown.
    pub mcc: Option<Estimate>,
    /// The test score by the task's metric, where that is not the MCC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub judged: Option<Estimate>,
    /// Mean macro F1.
    pub f1: f64,
    /// Mean accuracy.
    pub accuracy: f64,
    /// Runs that collapsed to one class: counted, kept in the means.
    pub collapsed: usize,
    /// Runs that failed.
    pub failed: usize,
}

impl TaskScore {
    /// The test score by the task's metric; absent if no run can be shown.
    #[must_use]
    pub fn score(&self) -> Option<&Estimate> {
        self.judged.as_ref().or(self.mcc.as_ref())
    }
}

/// A comparison across tasks.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Across {
    /// Tokenizer.
    pub left: String,
    /// What it is compared with.
    pub right: String,
    /// Mean over tasks of the difference of mean scores.
    pub difference: f64,
    /// Wilcoxon's signed-rank test over tasks.
    pub test: Wilcoxon,
    /// Holm-adjusted p.
    pub adjusted: f64,
}
