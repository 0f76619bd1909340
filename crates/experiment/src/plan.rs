//! The plan: a spec unfolded into runs, in order, each once, with what each waits for and about what it costs.
//!
//! The plan asks a [`Resolver`] for everything that needs a look at tokenizers or data, so it can be tested and printed
//! without either. Where learning rates are tried and tasks are asked, fine-tuning waits until a rate is chosen
//! ([`Resolver::chosen`], [`choose`]): `plan.deferred` counts those runs; plan again when pretraining is done.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;

use dataset::{CorpusSpec, TaskSpec};
use serde::{Deserialize, Serialize};

use crate::config::{Masking, Position};
use crate::cost::{self, Estimate};
use crate::error::{Error, Result};
use crate::record::{Outcome, Record};
use crate::run::{Control, DataRef, Finetune, Key, PROTOCOL, Pretrain, Run, Work};
use crate::sources::Sources;
use crate::spec::Spec;

/// Why a resolver refuses, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What is wrong.
    pub cause: String,
    /// What to do.
    pub remedy: Option<String>,
}

impl<S: Into<String>> From<S> for Refusal {
    fn from(cause: S) -> Self {
        Refusal { cause: cause.into(), remedy: None }
    }
}

/// What the plan knows of a tokenizer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TokenizerInfo {
    /// Canonical name: what is hashed. `file:` names carry the content hash.
    pub canonical: String,
    /// Where it is found on this machine, if it is a file.
    pub location: Option<PathBuf>,
    /// Tokens in the vocabulary.
    pub vocabulary: usize,
    /// Encoder tokens per base (1 for `base`, about 0.2 for BPE).
    pub tokens_per_base: f64,
    /// Most scored tokens in a masked span.
    pub tokens_per_span: usize,
    /// Layers of the encoder's kind that the front end runs on single bases (0 for lookups).
    pub nucleotide_layers: usize,
}

/// What the plan knows of a corpus.
#[derive(Clone, Debug, PartialEq)]
pub struct CorpusInfo {
    /// Name and content hash.
    pub data: DataRef,
    /// Where it is found on this machine.
    pub location: CorpusSpec,
    /// Number of species.
    pub species: usize,
}

/// What the plan knows of a task.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskInfo {
    /// Name and content hash.
    pub data: DataRef,
    /// Where it is found on this machine.
    pub location: TaskSpec,
    /// Training rows.
    pub rows: usize,
    /// Dev and test rows together.
    pub held_out: usize,
    /// Bases per row, mean.
    pub bases: usize,
    /// Bases of the longest row.
    pub longest: usize,
}

/// Answers what the plan must ask.
pub trait Resolver {
    /// A tokenizer by name; `span` is the length of masked spans in bases.
    ///
    /// # Errors
    /// If there is none of that name.
    fn tokenizer(&self, name: &str, span: usize) -> Result<TokenizerInfo, Refusal>;

    /// A corpus by name or path.
    ///
    /// # Errors
    /// If there is none.
    fn corpus(&self, name: &str) -> Result<CorpusInfo, Refusal>;

    /// A task by name or path.
    ///
    /// # Errors
    /// If there is none.
    fn task(&self, name: &str) -> Result<TaskInfo, Refusal>;

    /// Whether a tokenizer can be scored with spans of that length.
    ///
    /// # Errors
    /// If not; the remedy names a span that does.
    fn check(&self, tokenizer: &str, masking: &Masking) -> Result<(), Refusal>;

    /// The learning rate chosen for a tokenizer (canonical name), once pretraining over the grid is done.
    fn chosen(&self, tokenizer: &str, position: Position) -> Option<f64> {
        let _ = (tokenizer, position);
        None
    }
}

/// A run to be done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// The run's key.
    pub key: Key,
    /// The run.
    pub run: Run,
    /// Runs whose records must exist first.
    pub after: Vec<Key>,
    /// Where its data is found on this machine.
    pub data: Sources,
    /// About what it costs.
    pub estimate: Estimate,
}

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

struct Builder {
    jobs: Vec<Job>,
    seen: HashSet<Key>,
}

impl Builder {
    fn add(&mut self, run: Run, data: Sources, macs: cost::Macs) -> Key {
        let key = run.key();
        if self.seen.insert(key.clone()) {
            let after = run.parent().map(|parent| parent.key()).into_iter().collect();
            let estimate = Estimate::uncalibrated(&run, macs);
            self.jobs.push(Job { key: key.clone(), run, after, data, estimate });
        }
        key
    }
}

impl Plan {
    /// Unfolds a spec.
    ///
    /// # Errors
    /// If the spec means nothing, the resolver refuses a tokenizer, corpus or task, two tasks are the same or have one
    /// name, or the reference is none of the tokenizers.
    pub fn new(spec: &Spec, resolver: &impl Resolver) -> Result<Plan> {
        spec.validate()?;
        let span = spec.masking.span;
        let look_up = |name: &str| -> Result<TokenizerInfo> {
            let info = resolver.tokenizer(name, span).map_err(|r| refused("tokenizers", r))?;
            resolver.check(name, &spec.masking).map_err(|r| refused("tokenizers", r))?;
            Ok(info)
        };
        let mut subjects = Vec::new();
        for name in &spec.tokenizers {
            let info = look_up(name)?;
            if subjects.iter().any(|s: &TokenizerInfo| s.canonical == info.canonical) {
                let cause = format!("{name:?} is {} once more", info.canonical);
                return Err(Error::invalid("tokenizers", cause, "name it once"));
            }
            subjects.push(info);
        }
        let compared = subjects.len();
        let reference = reference(spec, &subjects, resolver)?;
        for name in if spec.controls { control_tokenizers(&subjects) } else { Vec::new() } {
            let info = look_up(&name)?;
            if subjects.iter().all(|s| s.canonical != info.canonical) {
                subjects.push(info);
            }
        }
        let corpus = resolver.corpus(&spec.corpus).map_err(|r| refused("corpus", r))?;
        let tasks = tasks(spec, resolver)?;

        let mut builder = Builder { jobs: Vec::new(), seen: HashSet::new() };
        let grid = spec.grid();
        let of = |seed: u64, work: Work| Run {
            protocol: PROTOCOL,
            device: spec.device.clone(),
            dtype: "f32".to_owned(),
            seed,
            work,
        };
        let model = |info: &TokenizerInfo, position: Position, rate: f64| -> Result<Pretrain> {
            let mut training = spec.training.clone();
            training.learning_rate = rate;
            Ok(Pretrain {
                tokenizer: info.canonical.clone(),
                corpus: corpus.data.clone(),
                encoder: spec.encoder(position)?,
                masking: spec.masking.clone(),
                training,
                scoring: spec.scoring.clone(),
            })
        };
        // Seeds outermost: whatever is finished when a person looks is paired across tokenizers.
        for &seed in &spec.seeds {
            for &position in &spec.positions {
                for info in &subjects {
                    for &rate in &grid {
                        let pretrain = model(info, position, rate)?;
                        let macs = cost::pretrain(&pretrain, info, corpus.species, &spec.device);
                        builder.add(of(seed, Work::Pretrain(pretrain)), located(info, Some(&corpus), None), macs);
                    }
                }
            }
        }
        let mut deferred = 0;
        for &seed in &spec.seeds {
            for &position in &spec.positions {
                for task in &tasks {
                    for (i, info) in subjects.iter().enumerate() {
                        let rate = match grid.as_slice() {
                            [only] => Some(*only),
                            _ => resolver.chosen(&info.canonical, position),
                        };
                        deferred += usize::from(rate.is_none());
                        // The encoder without pretraining: the reference tokenizer stands for all.
                        let plain = (spec.controls && i == reference).then_some((spec.training.learning_rate, false));
                        for (rate, pretrained) in rate.map(|r| (r, true)).into_iter().chain(plain) {
                            let finetune = Finetune {
                                model: model(info, position, rate)?,
                                pretrained,
                                task: task.data.clone(),
                                finetuning: spec.finetuning.clone(),
                            };
                            let macs = cost::finetune(&finetune, info, task, &spec.device);
                            let data = located(info, Some(&corpus), Some(task));
                            builder.add(of(seed, Work::Finetune(finetune)), data, macs);
                        }
                    }
                }
            }
        }
        if spec.controls {
            let none = TokenizerInfo::default();
            // Nothing in these two is drawn: one seed says all.
            let first = spec.seeds[0];
            let markov = Control::Markov {
                order: 5,
                corpus: corpus.data.clone(),
                window: spec.training.window,
                span,
                scoring: spec.scoring.clone(),
            };
            builder.add(of(first, Work::Control(markov)), located(&none, Some(&corpus), None), cost::Macs::default());
            for task in &tasks {
                let logistic = Control::KmerLogistic { max_k: 6, task: task.data.clone() };
                let macs = cost::kmer_logistic(task);
                builder.add(of(first, Work::Control(logistic)), located(&none, None, Some(task)), macs);
                for &seed in &spec.seeds {
                    let cnn = Control::Cnn { task: task.data.clone(), finetuning: spec.finetuning.clone() };
                    let macs = cost::cnn(task, &spec.finetuning);
                    builder.add(of(seed, Work::Control(cnn)), located(&none, None, Some(task)), macs);
                }
            }
        }
        Ok(Plan {
            name: spec.name.clone(),
            reference: subjects[reference].canonical.clone(),
            tokenizers: subjects[..compared].iter().map(|s| s.canonical.clone()).collect(),
            controls: subjects[compared..].iter().map(|s| s.canonical.clone()).collect(),
            seeds: spec.seeds.clone(),
            jobs: builder.jobs,
            deferred,
            comparisons: spec.comparisons(),
            smallest_p: statistics::holm::smallest_reachable(spec.seeds.len(), spec.comparisons()),
            detectable: None,
            calibrated: false,
        })
    }

    /// Puts measured speeds and spreads of earlier records in place of guesses. Records of the mock executor say nothing.
    pub fn calibrate(&mut self, records: &[Record]) {
        let real: Vec<&Record> = records.iter().filter(|r| !r.is_made_up()).collect();
        self.calibrated = cost::calibrate(&mut self.jobs, &real);
        self.detectable = crate::power::detectable(self, &real);
    }

    /// Seconds of all runs one after another.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.jobs.iter().map(|job| job.estimate.seconds).sum()
    }
}

/// The learning rate with the fewest mean validation bits per base at the end of the curve, per canonical tokenizer name
/// and position code. A rate that collapsed or failed for any seed is not chosen while another one is left; records of
/// fine-tuning are ignored.
#[must_use]
pub fn choose(records: &[Record]) -> BTreeMap<(String, &'static str), f64> {
    let mut tried: BTreeMap<(String, &'static str), BTreeMap<u64, Vec<f64>>> = BTreeMap::new();
    for record in records {
        let Work::Pretrain(p) = &record.run.work else { continue };
        let bits = match &record.outcome {
            Outcome::Pretrained(r) if !r.collapsed => {
                r.curve.last().filter(|c| c.scored > 0).map_or(f64::INFINITY, |c| c.bits / c.scored as f64)
            }
            _ => f64::INFINITY,
        };
        let bits = if bits.is_nan() { f64::INFINITY } else { bits };
        let rates = tried.entry((p.tokenizer.clone(), p.encoder.position.name())).or_default();
        rates.entry(p.training.learning_rate.to_bits()).or_default().push(bits);
    }
    let mean = |bits: &[f64]| bits.iter().sum::<f64>() / bits.len() as f64;
    tried
        .into_iter()
        .filter_map(|(who, rates)| {
            let best = rates.iter().min_by(|a, b| mean(a.1).total_cmp(&mean(b.1)))?;
            Some((who, f64::from_bits(*best.0)))
        })
        .collect()
}

/// The tasks of a spec: each of its own name and its own rows. Records know a task by its name, and what the same rows say
/// twice must not count twice.
fn tasks(spec: &Spec, resolver: &impl Resolver) -> Result<Vec<TaskInfo>> {
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
fn reference(spec: &Spec, subjects: &[TokenizerInfo], resolver: &impl Resolver) -> Result<usize> {
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

/// `base-deep` beside `mxdna`, and `randomcut<V>` beside the first `bpe<V>`; canonical names.
fn control_tokenizers(subjects: &[TokenizerInfo]) -> Vec<String> {
    let mut names = Vec::new();
    if subjects.iter().any(|s| s.canonical == "mxdna" || s.canonical.starts_with("mxdna-")) {
        names.push("base-deep".to_owned());
    }
    let vocabulary = |s: &TokenizerInfo| -> Option<String> {
        let digits: String = s.canonical.strip_prefix("bpe")?.chars().take_while(char::is_ascii_digit).collect();
        (!digits.is_empty()).then_some(digits)
    };
    names.extend(subjects.iter().find_map(vocabulary).map(|v| format!("randomcut{v}")));
    names.retain(|name| subjects.iter().all(|s| s.canonical != *name));
    names
}

fn located(info: &TokenizerInfo, corpus: Option<&CorpusInfo>, task: Option<&TaskInfo>) -> Sources {
    Sources {
        corpus: corpus.map(|corpus| corpus.location.clone()),
        task: task.map(|task| task.location.clone()),
        tokenizer: info.location.clone(),
    }
}

fn refused(key: &str, refusal: Refusal) -> Error {
    Error::Refused { key: key.to_owned(), cause: refusal.cause, remedy: refusal.remedy }
}
