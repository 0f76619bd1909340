//! An experiment from specification to conclusion: [`Experiment::open`], [`plan`](Experiment::plan),
//! [`execute`](Planned::execute), [`conclude`](Executed::conclude).

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use experiment::memory::{Memory, Source};
use experiment::rates::{Choice, choose};
use experiment::record::Record;
use experiment::run::{Key, Work};
use experiment::store::Found;
use experiment::{Encoders, Event, Executor, Job, Plan, Scheduler, Spec, Store, Summary, write_jsonl};

use crate::conclude::{Conclusion, published};
use crate::error::{Error, ErrorKind, Result};
use crate::fitting;
use crate::follow::{Known, finished_grids, keys, usable};
use crate::inputs::Inputs;
use crate::workspace::{OpenCorpus, Workspace};

/// Files that [`Executed::write`] writes: the records, and the specification.
pub const RECORDS: [&str; 2] = ["records.jsonl", "records.toml"];

/// Observes the execution of an experiment; `()` ignores everything.
pub trait Observer {
    /// A message for the user.
    fn note(&mut self, text: String);

    /// The execution of a plan starts.
    fn begin(&mut self, plan: &Plan);

    /// An event of a run.
    fn event(&mut self, event: Event);

    /// The execution has ended.
    fn end(&mut self);
}

impl Observer for () {
    fn note(&mut self, _: String) {}
    fn begin(&mut self, _: &Plan) {}
    fn event(&mut self, _: Event) {}
    fn end(&mut self) {}
}

/// An experiment with resolved names and open data.
#[derive(Debug)]
pub struct Experiment {
    workspace: Workspace,
    spec: Spec,
    inputs: Inputs,
}

impl Experiment {
    /// Opens the tokenizers, corpus and tasks of a spec.
    ///
    /// # Errors
    /// If the spec is invalid, a name is unknown, or data is invalid.
    pub fn open(spec: Spec, workspace: &Workspace) -> Result<Experiment> {
        spec.validate(&workspace.builtin.encoders)?;
        let spec = spec.with_seeds();
        let inputs = Inputs::open(&spec, workspace)?;
        Ok(Experiment { workspace: workspace.clone(), spec, inputs })
    }

    /// The specification.
    #[must_use]
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// The corpus.
    #[must_use]
    pub fn corpus(&self) -> &OpenCorpus {
        self.inputs.corpus()
    }

    /// Expands the spec into runs, and finds finished ones in the store.
    ///
    /// # Errors
    /// If the experiment is impossible with these data: duplicate tokenizers, a split without a window, a training split too small
    /// for a vocabulary; or if the store cannot be read.
    pub fn plan(mut self) -> Result<Planned> {
        let plan = self.expand()?;
        self.inputs.check_windows(&self.spec)?;
        self.inputs.check_vocabularies(&self.spec)?;
        let (finished, contained, damaged, memory, store, published) = Default::default();
        let scheduler = Scheduler::default();
        let mut planned = Planned {
            experiment: self,
            store,
            plan,
            finished,
            contained,
            damaged,
            memory,
            published,
            fitted: false,
            scheduler,
        };
        if planned.experiment.workspace.store.exists() {
            let store = planned.open_store()?;
            planned.load_records(&store)?;
        }
        Ok(planned)
    }

    /// The plan of the spec, with the kind of the device instead of its name: an ordinal does not change the result.
    fn expand(&self) -> Result<Plan> {
        let spec = Spec { device: model::device::kind(&self.spec.device)?, ..self.spec.clone() };
        Ok(Plan::new(&spec, &self.inputs)?)
    }
}

/// An experiment with its plan.
#[derive(Debug)]
pub struct Planned {
    experiment: Experiment,
    /// The store, once it is open.
    store: Option<Store>,
    plan: Plan,
    finished: HashSet<Key>,
    /// Trials that are in the store as a part of scored runs, to be stored as records of their own.
    contained: Vec<Record>,
    damaged: Vec<String>,
    memory: Option<Memory>,
    /// Published records by file.
    published: Vec<Vec<Record>>,
    /// Whether the vocabularies are learned.
    fitted: bool,
    /// Scheduler, with the retry option and the interrupt flag.
    pub scheduler: Scheduler,
}

impl Planned {
    /// The store of the workspace, opened (and its folder created) at the first call.
    ///
    /// # Errors
    /// If the folder cannot be created or written.
    pub fn open_store(&mut self) -> Result<Store> {
        let store = match self.store.take() {
            Some(store) => store,
            None => self.experiment.workspace.store()?,
        };
        Ok(self.store.insert(store).clone())
    }

    /// The plan.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Remarks about the data.
    #[must_use]
    pub fn remarks(&self) -> &[String] {
        &self.experiment.inputs.remarks
    }

    /// Messages about corrupt records of the store.
    #[must_use]
    pub fn damaged(&self) -> &[String] {
        &self.damaged
    }

    /// The unfinished runs.
    pub fn unfinished(&self) -> impl Iterator<Item = &Job> {
        self.plan.jobs.iter().filter(|job| !self.finished.contains(&job.key))
    }

    /// Copies finished runs of the plan from files of published records to the store, so that they are not computed again; also those that
    /// follow from others of the files, as the controls of a learned tokenizer do. Returns for each file the numbers of records that are used
    /// and of others.
    ///
    /// # Errors
    /// If a file is invalid or the store cannot be written.
    pub fn adopt(&mut self, files: &[PathBuf]) -> Result<Vec<(usize, usize)>> {
        let known = self.published.len();
        for file in files {
            self.published.push(published(file)?);
        }
        let planned = self.import()?;
        let used = |record: &Record| usable(record) && keys(record).any(|key| planned.contains(&key));
        let counts = self.published[known..].iter().map(|records| {
            let used = records.iter().filter(|record| used(record)).count();
            (used, records.len() - used)
        });
        Ok(counts.collect())
    }

    /// Copies planned runs from the published records to the store, until no more are planned; returns the keys of the plan.
    fn import(&mut self) -> Result<HashSet<Key>> {
        let store = self.open_store()?;
        loop {
            let planned = keys_of(&self.plan);
            for record in self.published.iter().flatten().filter(|record| usable(record)) {
                let trial = record.trial();
                for record in std::iter::once(record).chain(&trial).filter(|record| planned.contains(&record.key)) {
                    if !matches!(store.record(&record.key)?, Found::Done(_)) {
                        store.put_record(record)?;
                    }
                }
            }
            self.load_records(&store)?;
            if keys_of(&self.plan) == planned {
                return Ok(planned);
            }
        }
    }

    /// Loads the records of the store: what follows from finished runs, which runs are finished, measurements for the estimates.
    fn load_records(&mut self, store: &Store) -> Result<()> {
        let (records, damaged) = store.records()?;
        self.damaged = damaged;
        let known = self.advance(records)?;
        self.contained = known.contained().cloned().collect();
        let records = known.into_records();
        self.plan.calibrate(&records);
        let real = records.into_iter().filter(|record| !record.is_simulated());
        self.finished = real.map(|record| record.key).collect();
        Ok(())
    }

    /// Plans the runs whose learning rate, budget or size follows from finished runs, until there are no more.
    fn advance(&mut self, records: Vec<Record>) -> Result<Known> {
        let mut known = Known::new(records);
        loop {
            known.add_contained(&self.plan.jobs, &self.experiment.spec.scoring);
            if self.plan.deferred.is_empty() && self.experiment.spec.grid().len() < 2 {
                return Ok(known);
            }
            let records = known.of(&self.plan.jobs);
            let chosen = choose(&finished_grids(&records, &self.plan.jobs));
            self.experiment.inputs.follow(&records, chosen);
            let before = keys_of(&self.plan);
            self.plan = self.experiment.expand()?;
            if keys_of(&self.plan) == before {
                return Ok(known);
            }
        }
    }

    /// Rejects a plan with a run that requires more memory than available, now and when deferred runs are added. Finished runs are
    /// ignored, unless failed ones are executed `again`.
    ///
    /// # Errors
    /// If a run requires more; the remedy says how to reduce it.
    pub fn limit_memory(&mut self, memory: &Memory, again: bool) -> Result<()> {
        self.memory = Some(memory.clone());
        self.check_memory(memory, again)
    }

    fn check_memory(&self, memory: &Memory, again: bool) -> Result<()> {
        // GPU memory is not checked.
        let on_cpu = |job: &&Job| job.run.device.ends_with("cpu") && (again || !self.finished.contains(&job.key));
        let largest = self.plan.jobs.iter().filter(on_cpu).max_by(|a, b| a.estimate.mib.total_cmp(&b.estimate.mib));
        match largest.filter(|job| job.estimate.mib > memory.mib) {
            Some(job) => Err(self.too_large(job, memory)),
            None => Ok(()),
        }
    }

    fn too_large(&self, job: &Job, memory: &Memory) -> Error {
        let lead = |what: &str| {
            format!("{what}: a run of {} needs about {:.0} MiB, but {memory}", job.run.subject(), job.estimate.mib)
        };
        let Some(task) = job.run.task() else {
            return Error::new(
                ErrorKind::Usage,
                lead("pretraining"),
                "use a shorter --window, a smaller --batch or --encoder; set --memory if more is available",
            );
        };
        let longest = self.experiment.inputs.longest(&task.name);
        let row = match &longest.path {
            Some(path) => format!("row {} of {} (line {})", longest.row, path.display(), longest.line),
            None => "the longest row".to_owned(),
        };
        Error::new(
            ErrorKind::Data,
            format!(
                "{}; {row} has {} bases, and rows are not truncated",
                lead(&format!("task {}", task.name)),
                longest.bases
            ),
            "shorten or remove long rows; or set a smaller batch under [finetuning] in an experiment file, or use a smaller \
             --encoder; set --memory if more is available",
        )
    }

    /// Number of unfinished runs that fit into memory concurrently, at most one per thread; with a note if memory is the limit.
    #[must_use]
    pub fn workers(&self, threads: usize, memory: Option<&Memory>) -> (usize, Option<String>) {
        let unfinished = self.unfinished().filter(|job| job.run.device.ends_with("cpu"));
        let most = unfinished.map(|job| job.estimate.mib).fold(0.0, f64::max);
        let Some(memory) = memory.filter(|_| most > 0.0) else { return (threads, None) };
        // "ulimit -v" applies to each process separately.
        let shared = memory.source != Source::Limit;
        let fitting = if shared { (memory.mib / most) as usize } else { threads };
        let note = (fitting < threads).then(|| {
            format!(
                "{} concurrent runs: a run may need {most:.0} MiB, and {memory} (override with --workers)",
                fitting.max(1)
            )
        });
        (fitting.clamp(1, threads), note)
    }

    /// Number of unfinished runs that share GPUs with so much free memory, see [`experiment::memory::sharing`].
    #[must_use]
    pub fn workers_on_gpus(&self, threads: usize, free: &[Option<f64>]) -> usize {
        let most = self.unfinished().map(|job| job.estimate.mib).fold(0.0, f64::max);
        experiment::memory::sharing(most, threads, free)
    }

    /// Learns the vocabularies of unfinished runs once, before concurrent runs need them. Called by [`Planned::execute`] if needed.
    ///
    /// # Errors
    /// If a vocabulary cannot be learned from the training split, or the store cannot be written.
    pub fn fit(&mut self, observer: &mut dyn Observer) -> Result<()> {
        let store = self.open_store()?;
        let mut learned = HashSet::new();
        for job in self.unfinished() {
            let Work::Pretrain(pretrain) = &job.run.work else { continue };
            let Some(corpus) = self.experiment.inputs.corpus_of(&pretrain.corpus) else { continue };
            if !learned.insert((pretrain.tokenizer.clone(), pretrain.corpus.clone())) {
                continue;
            }
            let recipe = match self.experiment.inputs.canonical(&pretrain.tokenizer) {
                Some(recipe) => recipe.clone(),
                // A control.
                None => self.experiment.workspace.recipe(&pretrain.tokenizer)?,
            };
            if recipe.learned_vocabulary {
                observer.note(format!("vocabulary of {} on {}", recipe.name, corpus.name()));
            }
            fitting::fit(&store, &recipe, corpus, pretrain.masking.span, pretrain.prior, &mut |text| {
                observer.note(text);
            })?;
        }
        self.fitted = true;
        Ok(())
    }

    /// Executes unfinished runs and collects all records; vocabularies are learned first. With several learning rates, the best is
    /// selected after their trials, and then everything else is planned and executed. An interrupted experiment is resumed by calling
    /// this again.
    ///
    /// # Errors
    /// If the store cannot be written or a run cannot be started. A failed run is not an error.
    pub fn execute(mut self, executor: &mut dyn Executor, observer: &mut dyn Observer) -> Result<Executed> {
        if !self.fitted && !executor.simulates() {
            self.fit(observer)?;
        }
        let store = self.open_store()?;
        let mut summary = self.pass(executor, &store, observer)?;
        // What failed again in this call is not repeated a third time.
        self.scheduler.retry_failed = false;
        // Runs that follow from other runs are planned as soon as those are finished; a repeated trial can change what was selected.
        while !summary.interrupted {
            let before = keys_of(&self.plan);
            self.import()?;
            if keys_of(&self.plan) == before {
                break;
            }
            if let Some(memory) = &self.memory {
                self.check_memory(memory, false)?;
            }
            summary = self.pass(executor, &store, observer)?;
        }
        if !self.plan.deferred.is_empty() && !summary.interrupted {
            observer.note(format!(
                "warning: {} planned runs are missing, because a run that they follow failed, or its record is of an older version without \
                 unit_bases; remove that run from the store to execute it again",
                self.plan.deferred.len()
            ));
        }
        let records = collect(&store, &self.plan.jobs)?;
        let grid = self.experiment.spec.grid().len() > 1;
        let chosen = if grid { choose(&records) } else { BTreeMap::new() };
        let mut rates: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
        for (choice, rate) in &chosen {
            let rates = rates.entry((&choice.tokenizer, &choice.position)).or_default();
            rates.push(format!("{rate}"));
        }
        for ((tokenizer, position), mut rates) in rates {
            rates.sort();
            rates.dedup();
            let rates = rates.join(", ");
            observer.note(format!(
                "learning rates of {tokenizer} ({position}), selected per seed on the validation split: {rates}"
            ));
        }
        let encoders = self.experiment.workspace.builtin.encoders.clone();
        Ok(Executed { spec: self.experiment.spec, encoders, plan: self.plan, records, summary, chosen })
    }

    fn pass(&self, executor: &mut dyn Executor, store: &Store, observer: &mut dyn Observer) -> Result<Summary> {
        for trial in &self.contained {
            store.put_record(trial)?;
        }
        observer.begin(&self.plan);
        let summary = self.scheduler.execute(&self.plan.jobs, store, executor, &mut |event| observer.event(event));
        observer.end();
        Ok(summary?)
    }
}

/// The keys of the jobs of a plan.
fn keys_of(plan: &Plan) -> HashSet<Key> {
    plan.jobs.iter().map(|job| job.key.clone()).collect()
}

/// The available records of a plan.
fn collect(store: &Store, jobs: &[Job]) -> Result<Vec<Record>> {
    let mut records = Vec::new();
    for job in jobs {
        match store.record(&job.key)? {
            Found::Done(record) => records.push(record),
            Found::Missing => {}
            Found::SetAside { reason, moved_to } => {
                let message = format!("a record became corrupt during execution: {reason}");
                return Err(Error::new(
                    ErrorKind::Data,
                    message,
                    format!("it was renamed to {}; run the command again", moved_to.display()),
                ));
            }
        }
    }
    Ok(records)
}

/// An executed experiment; some runs may be unfinished.
#[derive(Debug)]
pub struct Executed {
    spec: Spec,
    encoders: Encoders,
    /// The plan, including runs that were deferred at first.
    pub plan: Plan,
    /// The records, in the order of the plan.
    pub records: Vec<Record>,
    /// Summary of the execution.
    pub summary: Summary,
    /// Selected learning rates.
    pub chosen: BTreeMap<Choice, f64>,
}

impl Executed {
    /// Writes the records and the specification, from which the conclusion can be reproduced. Returns the path of the records.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<PathBuf> {
        let [records, spec] = RECORDS.map(|name| folder.join(name));
        write_jsonl(&records, &self.records)?;
        let before = std::fs::read_to_string(&spec).ok();
        // An existing file with an equal specification is kept with its comments.
        let read = |text: String| Spec::from_toml(&text, "", &self.encoders).ok();
        if before.and_then(read).is_none_or(|before| before != self.spec) {
            experiment::files::write(&spec, self.spec.to_toml()?).map_err(|error| Error::file(&spec, &error))?;
        }
        Ok(records)
    }

    /// Analyzes the records.
    ///
    /// # Errors
    /// If no run has a record, or the records are not comparable.
    pub fn conclude(self) -> Result<Conclusion> {
        if self.records.iter().all(|record| record.run.is_trial()) {
            return Err(Error::new(ErrorKind::SomeFailed, "no run has a result", "see the messages above"));
        }
        // Of controls that could not be planned there is no record, which was told.
        let recorded: HashSet<String> = self.records.iter().map(|record| record.run.subject()).collect();
        let mut controls: Vec<String> =
            self.plan.controls.iter().filter(|name| recorded.contains(*name)).cloned().collect();
        controls.sort();
        let options = report::Options {
            order: self.plan.tokenizers.iter().chain(&controls).cloned().collect(),
            reference: Some(self.plan.reference.clone()),
            controls,
            partial: !self.summary.pending.is_empty(),
            exploratory: self.spec.exploratory,
            planned: self
                .spec
                .seeds_planned
                .map_or_else(Vec::new, |n| self.spec.seeds.iter().take(n).copied().collect()),
            ..report::Options::default()
        };
        Conclusion::new(self.records, options)
    }
}
