//! An experiment from its question to its conclusion: [`Experiment::open`], [`plan`](Experiment::plan),
//! [`execute`](Planned::execute), [`conclude`](Executed::conclude).

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use experiment::memory::{Memory, Source};
use experiment::rates::choose;
use experiment::record::{Outcome, Record};
use experiment::run::{Key, Work};
use experiment::store::Found;
use experiment::{Encoders, Event, Executor, Job, Plan, Scheduler, Spec, Store, Summary, write_jsonl};

use crate::conclude::{Conclusion, published};
use crate::error::{Error, ErrorKind, Result};
use crate::fitting;
use crate::inputs::Inputs;
use crate::workspace::{OpenCorpus, Workspace};

/// Names of the files that [`Executed::write`] writes: the records, and beside them the question.
pub const RECORDS: [&str; 2] = ["records.jsonl", "records.toml"];

/// Hears what happens while an experiment is executed. `()` hears nothing.
pub trait Observer {
    /// A sentence for a person.
    fn note(&mut self, text: String);

    /// These runs are about to be executed.
    fn begin(&mut self, plan: &Plan);

    /// Something happened to one of them.
    fn event(&mut self, event: Event);

    /// All of them have ended.
    fn end(&mut self);
}

impl Observer for () {
    fn note(&mut self, _: String) {}
    fn begin(&mut self, _: &Plan) {}
    fn event(&mut self, _: Event) {}
    fn end(&mut self) {}
}

/// A question whose names are resolved and whose data is open.
#[derive(Debug)]
pub struct Experiment {
    workspace: Workspace,
    spec: Spec,
    inputs: Inputs,
}

impl Experiment {
    /// Opens every tokenizer, corpus and task that a spec names.
    ///
    /// # Errors
    /// If the spec means nothing, a name is unknown, or data cannot be used.
    pub fn open(spec: Spec, workspace: &Workspace) -> Result<Experiment> {
        spec.validate(&workspace.builtin.encoders)?;
        let inputs = Inputs::open(&spec, workspace)?;
        Ok(Experiment { workspace: workspace.clone(), spec, inputs })
    }

    /// The question.
    #[must_use]
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// The corpus.
    #[must_use]
    pub fn corpus(&self) -> &OpenCorpus {
        &self.inputs.corpus
    }

    /// Unfolds the question into runs. Finished ones are known by the store, where there is one.
    ///
    /// # Errors
    /// If the question cannot be answered with these data: a tokenizer twice, a split without a window, a vocabulary that
    /// the text cannot give, a damaged store.
    pub fn plan(mut self) -> Result<Planned> {
        let plan = self.unfold()?;
        self.inputs.check_windows(&self.spec)?;
        self.inputs.check_vocabularies(&self.spec)?;
        let (known, damaged, memory) = (HashSet::new(), Vec::new(), None);
        let scheduler = Scheduler::default();
        let mut planned = Planned { experiment: self, plan, known, damaged, memory, fitted: false, scheduler };
        if planned.experiment.workspace.store.exists() {
            planned.look_back(&planned.experiment.workspace.store()?)?;
        }
        Ok(planned)
    }

    /// The plan of the spec: with the device's kind instead of its name, since an ordinal does not change the answer.
    fn unfold(&self) -> Result<Plan> {
        let spec = Spec { device: model::device::kind(&self.spec.device)?, ..self.spec.clone() };
        Ok(Plan::new(&spec, &self.inputs)?)
    }
}

/// An experiment whose runs are known.
#[derive(Debug)]
pub struct Planned {
    experiment: Experiment,
    plan: Plan,
    known: HashSet<Key>,
    damaged: Vec<String>,
    memory: Option<Memory>,
    /// Whether vocabularies were learned.
    fitted: bool,
    /// Whether failed runs are executed again, and how the call is interrupted.
    pub scheduler: Scheduler,
}

impl Planned {
    /// The runs.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Sentences about what was read.
    #[must_use]
    pub fn remarks(&self) -> &[String] {
        &self.experiment.inputs.remarks
    }

    /// Records of the store that are damaged, a sentence each.
    #[must_use]
    pub fn damaged(&self) -> &[String] {
        &self.damaged
    }

    /// The runs that are not finished yet.
    pub fn left(&self) -> impl Iterator<Item = &Job> {
        self.plan.jobs.iter().filter(|job| !self.known.contains(&job.key))
    }

    /// Puts finished runs of the plan from a file of published records into the store, so that they are not done again. Gives
    /// the number of runs taken over, and of records left out.
    ///
    /// # Errors
    /// If the file is damaged or the store cannot be written.
    pub fn adopt(&mut self, file: &Path) -> Result<(usize, usize)> {
        let store = self.experiment.workspace.store()?;
        let planned: HashSet<&Key> = self.plan.jobs.iter().map(|job| &job.key).collect();
        let (mut taken, mut others) = (0, 0);
        for record in published(file)? {
            let real = !record.is_made_up() && !matches!(record.outcome, Outcome::Failed { .. });
            if !real || !planned.contains(&record.key) {
                others += 1;
            } else if !matches!(store.record(&record.key)?, Found::Done(_)) {
                store.put_record(&record)?;
                taken += 1;
            }
        }
        self.look_back(&store)?;
        Ok((taken, others))
    }

    /// What earlier runs tell: which of the plan are finished, and how long such runs take.
    fn look_back(&mut self, store: &Store) -> Result<()> {
        let (records, damaged) = store.records()?;
        self.plan.calibrate(&records);
        let real = records.into_iter().filter(|record| !record.is_made_up());
        self.known = real.map(|record| record.key).collect();
        self.damaged = damaged;
        Ok(())
    }

    /// Refuses a plan with a run that needs more memory than there is, now and when fine-tuning is planned later. Finished runs
    /// need none, unless failed ones are executed `again`.
    ///
    /// # Errors
    /// If a run needs more; the remedy says what makes it smaller.
    pub fn limit_memory(&mut self, memory: &Memory, again: bool) -> Result<()> {
        self.memory = Some(memory.clone());
        self.check_memory(memory, again)
    }

    fn check_memory(&self, memory: &Memory, again: bool) -> Result<()> {
        // A GPU has its own.
        let here = |job: &&Job| job.run.device.ends_with("cpu") && (again || !self.known.contains(&job.key));
        let needy = self.plan.jobs.iter().filter(here).max_by(|a, b| a.estimate.mib.total_cmp(&b.estimate.mib));
        match needy.filter(|job| job.estimate.mib > memory.mib) {
            Some(job) => Err(self.too_large(job, memory)),
            None => Ok(()),
        }
    }

    fn too_large(&self, job: &Job, memory: &Memory) -> Error {
        let lead = |what: &str| {
            format!("{what}: a run of {} needs about {:.0} MiB, and {memory}", job.run.subject(), job.estimate.mib)
        };
        let Some(task) = job.run.task() else {
            return Error::new(
                ErrorKind::Usage,
                lead("pretraining"),
                "use a shorter --window, a smaller --batch or --encoder; --memory if there is more",
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
                "{}; {row} has {} bases, and rows are trained on whole, in batches",
                lead(&format!("task {}", task.name)),
                longest.bases
            ),
            "shorten or leave out long rows; or write a smaller batch under [finetuning] in an experiment file, or use a smaller \
             --encoder; --memory if there is more",
        )
    }

    /// How many unfinished runs fit into memory together, one per thread at most; a sentence where that is fewer.
    #[must_use]
    pub fn workers(&self, threads: usize, memory: Option<&Memory>) -> (usize, Option<String>) {
        let left = self.left().filter(|job| job.run.device.ends_with("cpu"));
        let most = left.map(|job| job.estimate.mib).fold(0.0, f64::max);
        let Some(memory) = memory.filter(|_| most > 0.0) else { return (threads, None) };
        // "ulimit -v" holds for every process alone.
        let shared = memory.source != Source::Limit;
        let fitting = if shared { (memory.mib / most) as usize } else { threads };
        let note = (fitting < threads).then(|| {
            format!(
                "{} at a time: a run may need {most:.0} MiB, and {memory} (--workers decides otherwise)",
                fitting.max(1)
            )
        });
        (fitting.clamp(1, threads), note)
    }

    /// Learns the vocabularies of unfinished runs, once, before several runs would each do it. [`Planned::execute`] begins with
    /// it if it was not called before.
    ///
    /// # Errors
    /// If the training split cannot give one, or the store cannot be written.
    pub fn fit(&mut self, observer: &mut dyn Observer) -> Result<()> {
        let store = self.experiment.workspace.store()?;
        let corpus = &self.experiment.inputs.corpus.corpus;
        let mut learned = HashSet::new();
        for job in self.left() {
            let Work::Pretrain(pretrain) = &job.run.work else { continue };
            if !learned.insert(pretrain.tokenizer.clone()) {
                continue;
            }
            let recipe = fitting::recipe(
                &self.experiment.workspace.builtin.tokenizers,
                &pretrain.tokenizer,
                job.data.tokenizer.as_deref(),
            )?;
            if recipe.learned_vocabulary {
                observer.note(format!("vocabulary of {}", recipe.name));
            }
            fitting::fit(&store, &recipe, corpus, pretrain.masking.span, &mut |text| observer.note(text))?;
        }
        self.fitted = true;
        Ok(())
    }

    /// Executes what is not finished and collects all records; vocabularies are learned first. Where several learning rates are tried, the best is chosen when
    /// pretraining is done, and fine-tuning is planned and executed then. An experiment is interrupted and taken up again by
    /// calling this again.
    ///
    /// # Errors
    /// If the store cannot be written or a run cannot be started. A run that fails is no error.
    pub fn execute(mut self, executor: &mut dyn Executor, observer: &mut dyn Observer) -> Result<Executed> {
        if !self.fitted && !executor.simulates() {
            self.fit(observer)?;
        }
        let store = self.experiment.workspace.store()?;
        let mut summary = self.pass(executor, &store, observer)?;
        let mut records = collect(&store, &self.plan.jobs)?;
        let mut chosen = BTreeMap::new();
        if self.plan.deferred > 0 || self.experiment.spec.grid().len() > 1 {
            chosen = choose(&records);
            for ((tokenizer, position), rate) in &chosen {
                observer
                    .note(format!("learning rate of {tokenizer} ({position}), chosen on the validation split: {rate}"));
            }
            self.experiment.inputs.chosen.clone_from(&chosen);
            if self.plan.deferred > 0 && !summary.interrupted {
                self.plan = self.experiment.unfold()?;
                if let Some(memory) = &self.memory {
                    self.check_memory(memory, false)?;
                }
                summary = self.pass(executor, &store, observer)?;
                records = collect(&store, &self.plan.jobs)?;
            }
        }
        let encoders = self.experiment.workspace.builtin.encoders.clone();
        Ok(Executed { spec: self.experiment.spec, encoders, plan: self.plan, records, summary, chosen })
    }

    fn pass(&self, executor: &mut dyn Executor, store: &Store, observer: &mut dyn Observer) -> Result<Summary> {
        observer.begin(&self.plan);
        let summary = self.scheduler.execute(&self.plan.jobs, store, executor, &mut |event| observer.event(event));
        observer.end();
        Ok(summary?)
    }
}

/// The records of a plan that are there.
fn collect(store: &Store, jobs: &[Job]) -> Result<Vec<Record>> {
    let mut records = Vec::new();
    for job in jobs {
        match store.record(&job.key)? {
            Found::Done(record) => records.push(record),
            Found::Missing => {}
            Found::SetAside { reason, moved_to } => {
                let message = format!("a record was damaged while it was being read: {reason}");
                return Err(Error::new(
                    ErrorKind::Data,
                    message,
                    format!("it is set aside as {}; start again", moved_to.display()),
                ));
            }
        }
    }
    Ok(records)
}

/// An experiment that was executed, as far as its runs went.
#[derive(Debug)]
pub struct Executed {
    spec: Spec,
    encoders: Encoders,
    /// The runs, fine-tuning after a choice of learning rates included.
    pub plan: Plan,
    /// Their records, in the order of the plan.
    pub records: Vec<Record>,
    /// What came of the call.
    pub summary: Summary,
    /// Learning rates that were chosen, by canonical tokenizer name and position code.
    pub chosen: BTreeMap<(String, &'static str), f64>,
}

impl Executed {
    /// Writes the records and, beside them, the question: from both, the same conclusion is drawn again. Gives the path of the
    /// records.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<PathBuf> {
        let [records, question] = RECORDS.map(|name| folder.join(name));
        write_jsonl(&records, &self.records)?;
        let before = std::fs::read_to_string(&question).ok();
        // A file that asks the same already keeps the words that a person wrote into it.
        let read = |text: String| Spec::from_toml(&text, "", &self.encoders).ok();
        if before.and_then(read).is_none_or(|before| before != self.spec) {
            experiment::files::write(&question, self.spec.to_toml()?)
                .map_err(|error| Error::file(&question, &error))?;
        }
        Ok(records)
    }

    /// Compares the records.
    ///
    /// # Errors
    /// If no run has a record, or the records cannot be compared.
    pub fn conclude(self) -> Result<Conclusion> {
        if self.records.is_empty() {
            return Err(Error::new(ErrorKind::SomeFailed, "no run has a result", "see the messages above"));
        }
        let mut controls = self.plan.controls.clone();
        controls.sort();
        let options = report::Options {
            order: self.plan.tokenizers.iter().chain(&controls).cloned().collect(),
            reference: Some(self.plan.reference.clone()),
            controls,
            partial: !self.summary.pending.is_empty(),
            ..report::Options::default()
        };
        Conclusion::new(self.records, options)
    }
}
