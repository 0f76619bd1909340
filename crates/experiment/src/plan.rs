//! The plan: a spec expanded into jobs in execution order, each run once, with dependencies and estimated cost.
//!
//! Everything that depends on tokenizers or data comes from a [`Resolver`], so a plan can be tested without either. With
//! several learning rates, each is tried at the smallest budget without a score on the test split (a trial), and all other runs are deferred
//! until a rate is selected ([`Resolver::chosen`], [`choose`](crate::rates::choose)): plan again when the trials are finished.

use std::collections::{BTreeSet, HashSet};

use serde::{Deserialize, Serialize};

use crate::config::{MaskingUnit, Position, Training};
use crate::cost;
use crate::error::{Error, Result};
use crate::info::{CorpusInfo, TaskInfo, TokenizerInfo};
use crate::job::Job;
use crate::rates::Choice;
use crate::resolver::{Refusal, Resolver};
use crate::run::{Control, ENGINE, Finetune, Key, PROTOCOL, Pretrain, Run, Work};
use crate::sources::Sources;
use crate::spec::Spec;

/// Maximum order of the Markov control.
const MAX_ORDER: usize = 11;

/// The jobs of a spec in execution order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Name of the experiment.
    pub name: String,
    /// Canonical name of the reference tokenizer.
    pub reference: String,
    /// Canonical names of the compared tokenizers in the order of the spec, without controls.
    pub tokenizers: Vec<String>,
    /// Canonical names of tokenizers added as controls.
    pub controls: Vec<String>,
    /// Seeds of the replicates.
    pub seeds: Vec<u64>,
    /// The jobs; dependencies come first.
    pub jobs: Vec<Job>,
    /// Runs that have no key until others are finished, because their learning rate, budget or size follows from those: as they would be with the
    /// first learning rate of the grid, for their estimates.
    pub deferred: Vec<Job>,
    /// Number of comparisons with the reference, for Holm's correction.
    pub comparisons: usize,
    /// Minimum attainable Holm-adjusted p-value with these seeds.
    pub smallest_p: f64,
    /// Fewest seeds with which a Holm-adjusted p-value of 0.05 is attainable in the largest family.
    pub fewest_seeds: Option<usize>,
    /// True if the experiment is exploratory: no verdict.
    pub exploratory: bool,
    /// Smallest true difference in bits per base that is detected with power 80 %, at the variation over seeds and text of earlier
    /// records (see [`Plan::calibrate`] and [`statistics::power`]).
    pub detectable: Option<f64>,
    /// True if the run times come from measurements on the device kinds of the plan.
    pub calibrated: bool,
}

impl Plan {
    /// Expands a spec.
    ///
    /// # Errors
    /// If the spec is invalid, too few seeds are given to decide and it is not exploratory, the resolver rejects a tokenizer, corpus or task, two tasks are equal or share a name, or the
    /// reference is not one of the tokenizers.
    pub fn new(spec: &Spec, resolver: &impl Resolver) -> Result<Plan> {
        spec.validate(resolver.encoders())?;
        let spec = &spec.clone().with_seeds();
        let resolved = ResolvedSpec::new(spec, resolver)?;
        spec.validate_seeds()?;
        let mut runs = Runs::default();
        resolved.pretraining(&mut runs)?;
        resolved.finetuning(&mut runs)?;
        if spec.controls {
            resolved.controls(&mut runs);
        }
        let names = |infos: &[TokenizerInfo]| infos.iter().map(|info| info.canonical.clone()).collect();
        let (compared, controls) = resolved.subjects.split_at(resolved.compared);
        let planned = spec.seeds_planned.unwrap_or(spec.seeds.len());
        Ok(Plan {
            name: spec.name.clone(),
            reference: compared[resolved.reference].canonical.clone(),
            tokenizers: names(compared),
            controls: names(controls),
            seeds: spec.seeds.clone(),
            jobs: runs.jobs,
            deferred: runs.deferred,
            comparisons: spec.comparisons(),
            smallest_p: statistics::holm::minimum_attainable_p(planned, spec.comparisons()),
            fewest_seeds: spec.fewest_seeds().filter(|_| spec.comparisons() > 0),
            exploratory: spec.exploratory,
            detectable: None,
            calibrated: false,
        })
    }

    /// Estimated seconds of all runs in sequence, deferred ones included.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.all_jobs().map(|job| job.estimate.seconds).sum()
    }

    /// The jobs, then the deferred ones.
    pub fn all_jobs(&self) -> impl Iterator<Item = &Job> {
        self.jobs.iter().chain(&self.deferred)
    }
}

/// Jobs in order, each run once.
#[derive(Default)]
struct Runs {
    jobs: Vec<Job>,
    deferred: Vec<Job>,
    seen: HashSet<Key>,
}

impl Runs {
    fn add(&mut self, run: Run, data: Sources, macs: cost::Macs) {
        let job = job(run, data, macs);
        if self.seen.insert(job.key.clone()) {
            self.jobs.push(job);
        }
    }

    /// Adds a run if its settings are `known`, and otherwise keeps what is assumed of it.
    fn add_or_defer(&mut self, known: bool, run: Run, data: Sources, macs: cost::Macs) {
        if known { self.add(run, data, macs) } else { self.deferred.push(job(run, data, macs)) }
    }
}

fn job(run: Run, data: Sources, macs: cost::Macs) -> Job {
    let after = run.parent().map(|parent| parent.key()).into_iter().collect();
    Job { key: run.key(), estimate: cost::estimate(&run, macs), run, after, data }
}

/// What runs are compared within.
#[derive(Clone, Copy)]
struct Arm<'a> {
    corpus: &'a CorpusInfo,
    position: Position,
    seed: u64,
}

/// A spec with resolved names.
struct ResolvedSpec<'a> {
    spec: &'a Spec,
    resolver: &'a dyn Resolver,
    /// The compared tokenizers, followed by those added as controls.
    subjects: Vec<TokenizerInfo>,
    /// Number of compared tokenizers.
    compared: usize,
    /// Index of the reference among them.
    reference: usize,
    /// The corpus, then those of the noise arms.
    corpora: Vec<CorpusInfo>,
    tasks: Vec<TaskInfo>,
    /// Canonical names of the reference of equal compute and of a tokenizer that is trained with it.
    equal_compute: Vec<(String, String)>,
}

impl<'a> ResolvedSpec<'a> {
    fn new(spec: &'a Spec, resolver: &'a dyn Resolver) -> Result<ResolvedSpec<'a>> {
        let mut subjects = compared(spec, resolver)?;
        let compared = subjects.len();
        let reference = reference(spec, &subjects, resolver)?;
        for name in if spec.controls { control_tokenizers(&subjects) } else { Vec::new() } {
            let info = look_up(&name, spec, resolver)?;
            if subjects.iter().all(|s| s.canonical != info.canonical) {
                subjects.push(info);
            }
        }
        let corpora = spec.corpora();
        let corpora = corpora.iter().map(|name| resolver.corpus(name).map_err(|r| refused("corpus", r)));
        let corpora = corpora.collect::<Result<Vec<_>>>()?;
        let tasks = tasks(spec, resolver)?;
        for (control, equal) in subjects.iter().filter_map(|info| Some((&info.canonical, info.equal.as_ref()?))) {
            if subjects.iter().all(|info| info.canonical != equal.to) {
                let cause = format!("{control} is as large as {}, which is not one of the tokenizers", equal.to);
                return Err(Error::invalid("tokenizers", cause, format!("add {}", equal.to)));
            }
        }
        let equal_compute = equal_compute(spec, resolver)?;
        Ok(ResolvedSpec { spec, resolver, subjects, compared, reference, corpora, tasks, equal_compute })
    }

    fn run(&self, seed: u64, work: Work) -> Run {
        Run {
            protocol: PROTOCOL,
            engine: ENGINE,
            device: self.spec.device.clone(),
            dtype: self.spec.dtype.name().to_owned(),
            seed,
            work,
        }
    }

    /// The pretraining run of a tokenizer, and whether the runs on which it depends are finished; without a `rate` it is that with the first one
    /// of the grid.
    fn model(&self, info: &TokenizerInfo, arm: Arm<'_>, bases: u64, rate: Option<f64>) -> Result<(Pretrain, bool)> {
        let Arm { corpus, position, seed } = arm;
        let mut known = rate.is_some();
        let fixed_units = match &info.equal {
            None => None,
            Some(equal) => {
                let learned = self.subjects.iter().find(|info| info.canonical == equal.to);
                // The run at its own learning rate with as many bases, or with the most.
                let budgets = self.spec.budgets();
                let most = budgets.iter().copied().max().unwrap_or(bases);
                let of = if budgets.contains(&bases) { bases } else { most };
                let learned = learned.map(|info| self.model(info, arm, of, self.rate(info, arm))).transpose()?;
                let units = learned.filter(|(_, known)| *known).and_then(|(learned, _)| {
                    let key = self.run(seed, Work::Pretrain(learned)).key();
                    self.resolver.fixed_units(&key, equal.quantity)
                });
                known &= units.is_some();
                units
            }
        };
        let rate = rate.unwrap_or(self.spec.grid()[0]);
        let training = Training { learning_rate: rate, bases, ..self.spec.training.clone() };
        let masking = self.spec.masking.clone();
        let pretrain = Pretrain {
            tokenizer: info.canonical.clone(),
            corpus: corpus.data.clone(),
            encoder: self.spec.encoder(position, self.resolver.encoders())?,
            fixed_units,
            prior: (masking.unit == MaskingUnit::Bases).then_some(self.spec.prior),
            masking,
            training,
            scoring: self.spec.scoring.clone(),
        };
        Ok((pretrain, known))
    }

    /// Every tokenizer: a trial of every learning rate of a grid at the smallest budget, then the selected rate at all budgets. Seeds are the
    /// outer loop, so that partial results are paired across tokenizers. Runs are deferred until a rate is selected, or until the cost or the
    /// units of another tokenizer are known.
    fn pretraining(&self, runs: &mut Runs) -> Result<()> {
        let (grid, budgets) = (self.spec.grid(), self.spec.budgets());
        for &seed in &self.spec.seeds {
            for corpus in &self.corpora {
                // Controls are for the text in question; noise arms have only what is compared.
                let subjects = if corpus.data == self.corpus().data {
                    &self.subjects[..]
                } else {
                    &self.subjects[..self.compared]
                };
                for &position in &self.spec.positions {
                    let arm = Arm { corpus, position, seed };
                    for info in subjects {
                        let mut add = |bases: (u64, bool), rate: Option<f64>, trial: bool| -> Result<()> {
                            let (mut pretrain, known) = self.model(info, arm, bases.0, rate)?;
                            if trial {
                                pretrain = pretrain.trial();
                            }
                            let mut macs = cost::pretrain(&pretrain, info, corpus, &self.spec.device);
                            if grid.len() > 1 && !trial && bases.0 == budgets[0] {
                                // The trained model is that of the trial.
                                macs.train = 0.0;
                            }
                            let data = located(Some(info), Some(corpus), None);
                            runs.add_or_defer(known && bases.1, self.run(seed, Work::Pretrain(pretrain)), data, macs);
                            Ok(())
                        };
                        if grid.len() > 1 {
                            for &rate in &grid {
                                add((budgets[0], true), Some(rate), true)?;
                            }
                        }
                        let rate = self.rate(info, arm);
                        for &bases in &budgets {
                            add((bases, true), rate, false)?;
                        }
                        for (reference, _) in self.equal_compute.iter().filter(|(_, of)| *of == info.canonical) {
                            add(self.equal_compute(reference, info, arm)?, rate, false)?;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn corpus(&self) -> &CorpusInfo {
        &self.corpora[0]
    }

    /// The bases for which `info` takes as many multiply-accumulates as the reference of equal compute at the largest budget, and whether the cost
    /// of both is measured; it is estimated until then.
    fn equal_compute(&self, reference: &str, info: &TokenizerInfo, arm: Arm<'_>) -> Result<(u64, bool)> {
        let largest = self.spec.budgets().last().copied().unwrap_or_default();
        let measured = |name: &str| self.resolver.macs_per_base(name, arm.position);
        let (ratio, known) = match (measured(reference), measured(&info.canonical)) {
            (Some(reference), Some(own)) => (reference / own, true),
            _ => {
                let estimated = |info: &TokenizerInfo| -> Result<f64> {
                    let (pretrain, _) = self.model(info, arm, largest, None)?;
                    Ok(cost::pretrain(&pretrain, info, arm.corpus, &self.spec.device).train)
                };
                let reference = self.subjects.iter().find(|info| info.canonical == reference).unwrap_or(info);
                (estimated(reference)? / estimated(info)?, false)
            }
        };
        // Rounded to three digits, so that the budget does not depend on details of the scored text.
        let bases = largest as f64 * ratio;
        let unit = 10f64.powf(bases.log10().floor() - 2.0);
        Ok((((bases / unit).round() * unit) as u64, known))
    }

    /// Every tokenizer on every task. Runs are deferred until a learning rate is selected.
    fn finetuning(&self, runs: &mut Runs) -> Result<()> {
        let bases = self.spec.budgets().last().copied().unwrap_or_default();
        for &seed in &self.spec.seeds {
            for &position in &self.spec.positions {
                let arm = Arm { corpus: self.corpus(), position, seed };
                for task in &self.tasks {
                    for (i, info) in self.subjects.iter().enumerate() {
                        // Control without pretraining, for the reference tokenizer only.
                        let untrained = self.spec.controls && i == self.reference;
                        let untrained = untrained.then_some((Some(self.spec.training.learning_rate), false));
                        for (rate, pretrained) in std::iter::once((self.rate(info, arm), true)).chain(untrained) {
                            let (model, known) = self.model(info, arm, bases, rate)?;
                            let finetuning = self.spec.finetuning.clone();
                            let finetune = Finetune { model, pretrained, task: task.data.clone(), finetuning };
                            let macs = cost::finetune(&finetune, info, task, &self.spec.device);
                            let data = located(Some(info), Some(self.corpus()), Some(task));
                            runs.add_or_defer(known, self.run(seed, Work::Finetune(finetune)), data, macs);
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// The learning rate of the pretrained model, if it is known.
    fn rate(&self, info: &TokenizerInfo, arm: Arm<'_>) -> Option<f64> {
        match self.spec.grid().as_slice() {
            [only] => Some(*only),
            _ => self.resolver.chosen(&Choice::new(&info.canonical, &arm.corpus.data.hash, arm.position, arm.seed)),
        }
    }

    /// Controls without an encoder.
    fn controls(&self, runs: &mut Runs) {
        let spec = self.spec;
        // The Markov predictors and the regression are deterministic: one seed is enough.
        let first = spec.seeds[0];
        for bases in [spec.budgets().last().copied(), None] {
            let markov = Control::SelectedMarkov {
                max_order: MAX_ORDER,
                bases,
                corpus: self.corpus().data.clone(),
                window: spec.training.window,
                span: spec.masking.span,
                scoring: spec.scoring.clone(),
            };
            let data = located(None, Some(self.corpus()), None);
            runs.add(self.run(first, Work::Control(markov)), data, cost::Macs::default());
        }
        for task in &self.tasks {
            let logistic =
                Control::KmerLogistic { max_k: 6, task: task.data.clone(), finetuning: Some(spec.finetuning.clone()) };
            let data = located(None, None, Some(task));
            runs.add(self.run(first, Work::Control(logistic)), data.clone(), cost::kmer_logistic(task));
            for &seed in &spec.seeds {
                let cnn = Control::Cnn { task: task.data.clone(), finetuning: spec.finetuning.clone() };
                let macs = cost::cnn(task, &spec.finetuning);
                runs.add(self.run(seed, Work::Control(cnn)), data.clone(), macs);
            }
        }
    }
}

/// The tokenizers of a spec, each once.
fn compared(spec: &Spec, resolver: &dyn Resolver) -> Result<Vec<TokenizerInfo>> {
    let mut subjects: Vec<TokenizerInfo> = Vec::new();
    for name in &spec.tokenizers {
        let info = look_up(name, spec, resolver)?;
        if subjects.iter().any(|s| s.canonical == info.canonical) {
            let cause = format!("duplicate tokenizer: {name:?} is an alias of {}", info.canonical);
            return Err(Error::invalid("tokenizers", cause, "list it once"));
        }
        subjects.push(info);
    }
    Ok(subjects)
}

fn look_up(name: &str, spec: &Spec, resolver: &dyn Resolver) -> Result<TokenizerInfo> {
    let info = resolver.tokenizer(name, spec.masking.span).map_err(|r| refused("tokenizers", r))?;
    resolver.check(name, &spec.masking).map_err(|r| refused("tokenizers", r))?;
    Ok(info)
}

/// The pairs of equal compute: canonical names of the reference and of each other tokenizer.
fn equal_compute(spec: &Spec, resolver: &dyn Resolver) -> Result<Vec<(String, String)>> {
    let Some(equal) = &spec.equal_compute else { return Ok(Vec::new()) };
    let reference = look_up(&equal.reference, spec, resolver)?.canonical;
    let others = equal.tokenizers.iter().map(|name| Ok(look_up(name, spec, resolver)?.canonical));
    let others = others.collect::<Result<BTreeSet<String>>>()?;
    Ok(others.into_iter().filter(|of| *of != reference).map(|of| (reference.clone(), of)).collect())
}

/// The tasks of a spec, with unique names and unique rows: records identify a task by name, and equal rows must not count
/// twice.
fn tasks(spec: &Spec, resolver: &dyn Resolver) -> Result<Vec<TaskInfo>> {
    let mut tasks: Vec<TaskInfo> = Vec::new();
    for name in &spec.tasks {
        let task = resolver.task(name).map_err(|r| refused("tasks", r))?;
        if let Some(at) = tasks.iter().position(|other| other.data.hash == task.data.hash) {
            let cause = format!("{name:?} contains the same rows in the same splits as {:?}", spec.tasks[at]);
            return Err(Error::invalid("tasks", cause, "list it once"));
        }
        if let Some(at) = tasks.iter().position(|other| other.data.name == task.data.name) {
            let cause = format!("{:?} and {name:?} are both named {:?}", spec.tasks[at], task.data.name);
            return Err(Error::invalid("tasks", cause, "set another name in one of the task files (TOML)"));
        }
        tasks.push(task);
    }
    Ok(tasks)
}

/// Index of the reference tokenizer, which may be written as an alias.
fn reference(spec: &Spec, subjects: &[TokenizerInfo], resolver: &dyn Resolver) -> Result<usize> {
    let Some(name) = &spec.reference else { return Ok(0) };
    let literal = spec.tokenizers.iter().position(|t| t == name);
    let alias = || {
        let info = resolver.tokenizer(name, spec.masking.span).ok()?;
        subjects.iter().position(|s| s.canonical == info.canonical)
    };
    literal.or_else(alias).ok_or_else(|| {
        let remedy = format!("add it there, or use one of {}", spec.tokenizers.join(", "));
        Error::invalid("reference", format!("{name:?} is not one of the tokenizers"), remedy)
    })
}

/// Canonical names of the control tokenizers, sorted. Of fixed tokenizers only the controls of the first of each family are used (one
/// random segmentation for several vocabularies), without those that are compared anyway.
fn control_tokenizers(subjects: &[TokenizerInfo]) -> Vec<String> {
    let first = |(at, info): &(usize, &TokenizerInfo)| subjects[..*at].iter().all(|s| s.family != info.family);
    // The controls of a learned tokenizer are as large as itself, so each has its own.
    let own = |at: &(usize, &TokenizerInfo)| at.1.nucleotide_layers > 0 || first(at);
    let controls = subjects.iter().enumerate().filter(own).flat_map(|(_, info)| &info.controls);
    let names: BTreeSet<&String> = controls.filter(|name| subjects.iter().all(|s| s.canonical != **name)).collect();
    names.into_iter().cloned().collect()
}

fn located(info: Option<&TokenizerInfo>, corpus: Option<&CorpusInfo>, task: Option<&TaskInfo>) -> Sources {
    Sources {
        corpus: corpus.map(|corpus| corpus.location.clone()),
        task: task.map(|task| task.location.clone()),
        tokenizer: info.and_then(|info| info.location.clone()),
    }
}

fn refused(key: &str, refusal: Refusal) -> Error {
    Error::Refused { key: key.to_owned(), cause: refusal.cause, remedy: refusal.remedy }
}
