//! The plan: a spec unfolded into runs, in order, each once, with what each waits for and about what it costs.
//!
//! The plan asks a [`Resolver`] for everything that needs a look at tokenizers or data, so it can be tested and printed
//! without either. Where learning rates are tried and tasks are asked, fine-tuning waits until a rate is chosen
//! ([`Resolver::chosen`], [`choose`](crate::rates::choose)): `plan.deferred` counts those runs; plan again when pretraining is done.

use std::collections::{BTreeSet, HashSet};

use serde::{Deserialize, Serialize};

use crate::config::Position;
use crate::cost;
use crate::error::{Error, Result};
use crate::info::{CorpusInfo, TaskInfo, TokenizerInfo};
use crate::job::Job;
use crate::resolver::{Refusal, Resolver};
use crate::run::{Control, Finetune, Key, PROTOCOL, Pretrain, Run, Work};
use crate::sources::Sources;
use crate::spec::Spec;

/// The ordered runs of a spec.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Name of the experiment.
    pub name: String,
    /// Canonical name of the reference tokenizer.
    pub reference: String,
    /// Canonical names of the compared tokenizers, in the spec's order, without controls.
    pub tokenizers: Vec<String>,
    /// Canonical names of tokenizers added as controls.
    pub controls: Vec<String>,
    /// Seeds.
    pub seeds: Vec<u64>,
    /// The runs: a run never stands before one that it waits for.
    pub jobs: Vec<Job>,
    /// Fine-tuning runs that cannot be named before a learning rate is chosen.
    pub deferred: usize,
    /// Comparisons in the family.
    pub comparisons: usize,
    /// Smallest Holm-adjusted p that these seeds can reach.
    pub smallest_p: f64,
    /// Smallest difference in bits per base that is decisive with a chance of 80 %, by the spread of earlier records (see
    /// [`Plan::calibrate`] and [`statistics::power`]).
    pub detectable: Option<f64>,
    /// True if hours were measured on this device kind, false if they are a guess.
    pub calibrated: bool,
}

impl Plan {
    /// Unfolds a spec.
    ///
    /// # Errors
    /// If the spec means nothing, the resolver refuses a tokenizer, corpus or task, two tasks are the same or have one
    /// name, or the reference is none of the tokenizers.
    pub fn new(spec: &Spec, resolver: &impl Resolver) -> Result<Plan> {
        spec.validate(resolver.encoders())?;
        let question = Question::new(spec, resolver)?;
        let mut runs = Runs::default();
        question.pretraining(&mut runs)?;
        let deferred = question.finetuning(&mut runs)?;
        if spec.controls {
            question.controls(&mut runs);
        }
        let names = |infos: &[TokenizerInfo]| infos.iter().map(|info| info.canonical.clone()).collect();
        let (compared, controls) = question.subjects.split_at(question.compared);
        Ok(Plan {
            name: spec.name.clone(),
            reference: compared[question.reference].canonical.clone(),
            tokenizers: names(compared),
            controls: names(controls),
            seeds: spec.seeds.clone(),
            jobs: runs.jobs,
            deferred,
            comparisons: spec.comparisons(),
            smallest_p: statistics::holm::smallest_reachable(spec.seeds.len(), spec.comparisons()),
            detectable: None,
            calibrated: false,
        })
    }

    /// Seconds of all runs one after another.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.jobs.iter().map(|job| job.estimate.seconds).sum()
    }
}

/// Runs in order, each once.
#[derive(Default)]
struct Runs {
    jobs: Vec<Job>,
    seen: HashSet<Key>,
}

impl Runs {
    fn add(&mut self, run: Run, data: Sources, macs: cost::Macs) {
        let key = run.key();
        if self.seen.insert(key.clone()) {
            let after = run.parent().map(|parent| parent.key()).into_iter().collect();
            let estimate = cost::estimate(&run, macs);
            self.jobs.push(Job { key, run, after, data, estimate });
        }
    }
}

/// A spec whose names are looked up.
struct Question<'a> {
    spec: &'a Spec,
    resolver: &'a dyn Resolver,
    /// The compared tokenizers, then those that are added as controls.
    subjects: Vec<TokenizerInfo>,
    /// How many are compared.
    compared: usize,
    /// Which of them is the reference.
    reference: usize,
    corpus: CorpusInfo,
    tasks: Vec<TaskInfo>,
}

impl<'a> Question<'a> {
    fn new(spec: &'a Spec, resolver: &'a dyn Resolver) -> Result<Question<'a>> {
        let mut subjects = compared(spec, resolver)?;
        let compared = subjects.len();
        let reference = reference(spec, &subjects, resolver)?;
        for name in if spec.controls { control_tokenizers(&subjects) } else { Vec::new() } {
            let info = look_up(&name, spec, resolver)?;
            if subjects.iter().all(|s| s.canonical != info.canonical) {
                subjects.push(info);
            }
        }
        let corpus = resolver.corpus(&spec.corpus).map_err(|r| refused("corpus", r))?;
        let tasks = tasks(spec, resolver)?;
        Ok(Question { spec, resolver, subjects, compared, reference, corpus, tasks })
    }

    fn run(&self, seed: u64, work: Work) -> Run {
        Run { protocol: PROTOCOL, device: self.spec.device.clone(), dtype: "f32".to_owned(), seed, work }
    }

    fn model(&self, info: &TokenizerInfo, position: Position, rate: f64) -> Result<Pretrain> {
        let mut training = self.spec.training.clone();
        training.learning_rate = rate;
        Ok(Pretrain {
            tokenizer: info.canonical.clone(),
            corpus: self.corpus.data.clone(),
            encoder: self.spec.encoder(position, self.resolver.encoders())?,
            masking: self.spec.masking.clone(),
            training,
            scoring: self.spec.scoring.clone(),
        })
    }

    /// Every tokenizer with every learning rate. Seeds outermost: whatever is finished when a person looks is paired across
    /// tokenizers.
    fn pretraining(&self, runs: &mut Runs) -> Result<()> {
        let grid = self.spec.grid();
        for &seed in &self.spec.seeds {
            for &position in &self.spec.positions {
                for info in &self.subjects {
                    for &rate in &grid {
                        let pretrain = self.model(info, position, rate)?;
                        let macs = cost::pretrain(&pretrain, info, self.corpus.species, &self.spec.device);
                        let data = located(Some(info), Some(&self.corpus), None);
                        runs.add(self.run(seed, Work::Pretrain(pretrain)), data, macs);
                    }
                }
            }
        }
        Ok(())
    }

    /// Every tokenizer on every task. Gives the number of runs that wait for the choice of a learning rate.
    fn finetuning(&self, runs: &mut Runs) -> Result<usize> {
        let mut deferred = 0;
        for &seed in &self.spec.seeds {
            for &position in &self.spec.positions {
                for task in &self.tasks {
                    for (i, info) in self.subjects.iter().enumerate() {
                        let rate = self.rate(info, position);
                        deferred += usize::from(rate.is_none());
                        // The encoder without pretraining: the reference tokenizer stands for all.
                        let plain = self.spec.controls && i == self.reference;
                        let plain = plain.then_some((self.spec.training.learning_rate, false));
                        for (rate, pretrained) in rate.map(|r| (r, true)).into_iter().chain(plain) {
                            let (model, finetuning) = (self.model(info, position, rate)?, self.spec.finetuning.clone());
                            let finetune = Finetune { model, pretrained, task: task.data.clone(), finetuning };
                            let macs = cost::finetune(&finetune, info, task, &self.spec.device);
                            let data = located(Some(info), Some(&self.corpus), Some(task));
                            runs.add(self.run(seed, Work::Finetune(finetune)), data, macs);
                        }
                    }
                }
            }
        }
        Ok(deferred)
    }

    /// The learning rate of the model that is fine-tuned, once it is known.
    fn rate(&self, info: &TokenizerInfo, position: Position) -> Option<f64> {
        match self.spec.grid().as_slice() {
            [only] => Some(*only),
            _ => self.resolver.chosen(&info.canonical, position),
        }
    }

    /// Runs that need no encoder.
    fn controls(&self, runs: &mut Runs) {
        let spec = self.spec;
        // Nothing is drawn in a Markov chain and a regression: one seed says all.
        let first = spec.seeds[0];
        let markov = Control::Markov {
            order: 5,
            corpus: self.corpus.data.clone(),
            window: spec.training.window,
            span: spec.masking.span,
            scoring: spec.scoring.clone(),
        };
        let data = located(None, Some(&self.corpus), None);
        runs.add(self.run(first, Work::Control(markov)), data, cost::Macs::default());
        for task in &self.tasks {
            let logistic = Control::KmerLogistic { max_k: 6, task: task.data.clone() };
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
            let cause = format!("{name:?} is {} once more", info.canonical);
            return Err(Error::invalid("tokenizers", cause, "name it once"));
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

/// The tasks of a spec: each of its own name and its own rows. Records know a task by its name, and what the same rows say
/// twice must not count twice.
fn tasks(spec: &Spec, resolver: &dyn Resolver) -> Result<Vec<TaskInfo>> {
    let mut tasks: Vec<TaskInfo> = Vec::new();
    for name in &spec.tasks {
        let task = resolver.task(name).map_err(|r| refused("tasks", r))?;
        if let Some(at) = tasks.iter().position(|other| other.data.hash == task.data.hash) {
            let cause = format!("{name:?} holds the same rows in the same splits as {:?}", spec.tasks[at]);
            return Err(Error::invalid("tasks", cause, "name it once"));
        }
        if let Some(at) = tasks.iter().position(|other| other.data.name == task.data.name) {
            let cause = format!("{:?} and {name:?} are both named {:?}", spec.tasks[at], task.data.name);
            return Err(Error::invalid("tasks", cause, "give one of them another name, in its task file (TOML)"));
        }
        tasks.push(task);
    }
    Ok(tasks)
}

/// Which of the looked-up tokenizers is the reference, however it is spelled.
fn reference(spec: &Spec, subjects: &[TokenizerInfo], resolver: &dyn Resolver) -> Result<usize> {
    let Some(name) = &spec.reference else { return Ok(0) };
    let spelled = spec.tokenizers.iter().position(|t| t == name);
    let meant = || {
        let info = resolver.tokenizer(name, spec.masking.span).ok()?;
        subjects.iter().position(|s| s.canonical == info.canonical)
    };
    spelled.or_else(meant).ok_or_else(|| {
        let remedy = format!("add it there, or choose among {}", spec.tokenizers.join(", "));
        Error::invalid("reference", format!("{name:?} is not among the tokenizers"), remedy)
    })
}

/// What stands beside the tokenizers as controls, canonical names in alphabetical order: of several tokenizers of one family the first
/// one's (so one random segmentation is enough for several vocabularies), and none that is compared anyway.
fn control_tokenizers(subjects: &[TokenizerInfo]) -> Vec<String> {
    let first = |(at, info): &(usize, &TokenizerInfo)| subjects[..*at].iter().all(|s| s.family != info.family);
    let controls = subjects.iter().enumerate().filter(first).flat_map(|(_, info)| &info.controls);
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
