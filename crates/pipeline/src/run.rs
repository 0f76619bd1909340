//! Execution of one run in this process, as in `tokbench run KEY` and in every worker of a comparison.

use std::time::SystemTime;

use dataset::{Corpus, Task};
use experiment::record::{Outcome, Provenance, Record};
use experiment::run::{DataRef, ENGINE, Key, PROTOCOL, Pretrain, Run, Work};
use experiment::store::Found;
use experiment::{Sources, Store};
use model::{Inputs, Watch};
use protocol::Fitted;

use crate::error::{Error, ErrorKind, Result};
use crate::fitting;
use crate::workspace::Workspace;

/// Executes a run of the store, or returns its record if it is finished.
///
/// # Errors
/// As [`Prepared::open`] and [`Prepared::execute`].
pub fn run(workspace: &Workspace, key: &Key, watch: &mut Watch<'_>) -> Result<Record> {
    let store = workspace.store()?;
    if let Some(record) = finished(&store, key)? {
        return Ok(record);
    }
    Ok(Prepared::open(workspace, store, key, None, &mut |_| {})?.execute(watch)?.record)
}

/// The record of a finished run. Failed and simulated records do not count.
///
/// # Errors
/// If the store has no such run, or it is corrupt.
pub fn finished(store: &Store, key: &Key) -> Result<Option<Record>> {
    stored_run(store, key)?;
    Ok(store
        .record(key)?
        .done()
        .filter(|record| !matches!(record.outcome, Outcome::Failed { .. }) && !record.is_simulated()))
}

/// A run with its data, fitted tokenizer and device.
#[derive(Debug)]
pub struct Prepared {
    store: Store,
    key: Key,
    run: Run,
    corpus: Option<Corpus>,
    task: Option<Task>,
    fitted: Option<Fitted>,
    device: String,
}

/// Result of an execution.
#[derive(Debug)]
pub struct Ran {
    /// The record, which is also in the store.
    pub record: Record,
    /// Messages, for example about corrupt checkpoints.
    pub notes: Vec<String>,
}

impl Prepared {
    /// Opens the inputs of a run: corpus and task from the stored data sources, the fitted tokenizer (fitted now if needed), and the
    /// device (`device`, or that of the run). `say` receives warnings about corrupt files.
    ///
    /// # Errors
    /// If the store has no such run, its data has changed or cannot be read, or the device kind differs.
    pub fn open(
        workspace: &Workspace,
        store: Store,
        key: &Key,
        device: Option<&str>,
        say: &mut dyn FnMut(String),
    ) -> Result<Prepared> {
        let run = stored_run(&store, key)?;
        for (what, own, known) in [("protocol", run.protocol, PROTOCOL), ("engine", run.engine, ENGINE)] {
            if own != known {
                return Err(Error::new(
                    ErrorKind::Usage,
                    format!("run {} is of {what} {own}, and this program executes {what} {known}", key.short()),
                    "plan the experiment again with \"tokbench compare\": its runs get new keys, and finished records stay",
                ));
            }
        }
        let data = sources(&store, key)?;
        let corpus = wanted_corpus(&run).map(|wanted| open_corpus(wanted, &data, workspace)).transpose()?;
        let task = run.task().map(|wanted| open_task(wanted, &data, workspace)).transpose()?;
        let fitted = match (model_of(&run), &corpus) {
            (Some(pretrain), Some(corpus)) => {
                let recipe =
                    fitting::recipe(&workspace.builtin.tokenizers, &pretrain.tokenizer, data.tokenizer.as_deref())?;
                Some(fitting::fit(&store, &recipe, corpus, pretrain.masking.span, pretrain.prior, say)?)
            }
            _ => None,
        };
        let device = device.map_or_else(|| run.device.replacen('-', ":", 1), str::to_owned);
        if model::device::kind(&device)? != run.device {
            return Err(Error::new(
                ErrorKind::Usage,
                format!("the run is for the device kind {}, not {device}", run.device),
                "the device kind is part of the key of a run; plan again with --device",
            ));
        }
        Ok(Prepared { store, key: key.clone(), run, corpus, task, fitted, device })
    }

    /// The run.
    #[must_use]
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// Trains, scores, and stores the record. A diverged loss gives a failed record.
    ///
    /// # Errors
    /// If the run is interrupted, a file cannot be written, or an input is invalid.
    pub fn execute(self, watch: &mut Watch<'_>) -> Result<Ran> {
        let device = model::device::open(&self.device)?;
        let folder = self.store.folder(&self.key);
        let parent = self.run.parent().map(|parent| self.store.folder(&parent.key()));
        let trial = self.run.trial().and_then(|trial| {
            let key = trial.key();
            let record = self.store.record(&key).ok()?.done().filter(|record| !record.is_simulated())?;
            Some((self.store.folder(&key), record))
        });
        let inputs = Inputs {
            corpus: self.corpus.as_ref(),
            task: self.task.as_ref(),
            fitted: self.fitted.as_ref(),
            folder: &folder,
            parent: parent.as_deref(),
            trial: trial.as_ref().map(|(folder, record)| (folder.as_path(), record)),
            device: &device,
        };
        let executed = model::execute::execute(&self.run, &inputs, watch)?;
        let record = Record {
            key: self.key,
            run: self.run,
            outcome: executed.outcome,
            timing: executed.timing,
            provenance: provenance(executed.resumed, model::device::hardware(&self.device)),
        };
        self.store.put_record(&record)?;
        // After storing the record: a run killed before must be able to resume.
        model::checkpoint::clear(&folder);
        Ok(Ran { record, notes: executed.notes })
    }
}

fn stored_run(store: &Store, key: &Key) -> Result<Run> {
    match store.run(key)? {
        Found::Done(run) => Ok(run),
        Found::Missing | Found::SetAside { .. } => Err(Error::new(
            ErrorKind::Data,
            format!("no run {key} in {}", store.root().display()),
            "\"tokbench plan --json\" shows keys; \"tokbench compare\" prepares runs",
        )),
    }
}

/// Where the data of a run was found when it was planned.
pub(crate) fn sources(store: &Store, key: &Key) -> Result<Sources> {
    match store.data(key)? {
        Found::Done(sources) => Ok(sources),
        // Some runs need none; those that do say what is missing.
        Found::Missing => Ok(Sources::default()),
        Found::SetAside { reason, moved_to } => Err(Error::new(
            ErrorKind::Data,
            format!("the data sources of run {} are corrupt ({reason}); moved to {}", key.short(), moved_to.display()),
            "start it through \"tokbench compare\"",
        )),
    }
}

fn model_of(run: &Run) -> Option<&Pretrain> {
    match &run.work {
        Work::Pretrain(pretrain) => Some(pretrain),
        Work::Finetune(finetune) => Some(&finetune.model),
        Work::Control(_) => None,
    }
}

fn wanted_corpus(run: &Run) -> Option<&DataRef> {
    match &run.work {
        Work::Control(control) => control.text().map(|text| text.corpus),
        _ => model_of(run).map(|pretrain| &pretrain.corpus),
    }
}

fn described<'a, T>(kind: &str, wanted: &DataRef, source: Option<&'a T>) -> Result<&'a T> {
    source.ok_or_else(|| {
        Error::new(
            ErrorKind::Data,
            format!("the path of the {kind} {} is not stored with the run", wanted.name),
            "start the run with \"tokbench compare\"",
        )
    })
}

fn changed(kind: &str, wanted: &DataRef) -> Error {
    Error::new(
        ErrorKind::Data,
        format!("the content of the {kind} {} has changed since the run was planned", wanted.name),
        "plan again with \"tokbench compare\"",
    )
}

pub(crate) fn open_corpus(wanted: &DataRef, data: &Sources, workspace: &Workspace) -> Result<Corpus> {
    let corpus = Corpus::open(described("corpus", wanted, data.corpus.as_ref())?, &workspace.data)?;
    if corpus.hash() == wanted.hash { Ok(corpus) } else { Err(changed("corpus", wanted)) }
}

fn open_task(wanted: &DataRef, data: &Sources, workspace: &Workspace) -> Result<Task> {
    let task = Task::open(described("task", wanted, data.task.as_ref())?, &workspace.data)?;
    if task.hash == wanted.hash { Ok(task) } else { Err(changed("task", wanted)) }
}

fn provenance(resumed: u32, device: String) -> Provenance {
    let finished = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_secs());
    Provenance {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        commit: env!("TOKBENCH_COMMIT").to_owned(),
        device,
        finished,
        resumed,
        instructions: model::device::instructions().to_owned(),
    }
}
