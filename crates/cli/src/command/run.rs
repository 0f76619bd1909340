//! `tokbench run KEY`: one run, in this process.

use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use dataset::{Corpus, CorpusSpec, Task, TaskSpec};
use experiment::executor::Progress;
use experiment::record::{Provenance, Record};
use experiment::run::{Control, DataRef, Key, Pretrain, Run, Work};
use experiment::store::{Found, Store};
use model::Watch;
use model::execute::{Inputs, execute};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::args;
use crate::failure::{DATA, Failure, INTERRUPTED};
use crate::fitting;
use crate::interrupt::Interrupt;
use crate::progress::Bar;
use crate::resolve::data_root;
use crate::stdout::errln;

pub(crate) fn run(args: &args::Run, interrupt: &Interrupt) -> Result<u8, Failure> {
    if args.attached {
        end_with_parent(interrupt.stop());
    }
    let store = Store::open(&args.store)?;
    let key = Key(args.key.clone());
    let Some(run) = store.run(&key)?.done() else {
        return Err(Failure::new(
            DATA,
            format!("no run {key} in {}", args.store.display()),
            "\"tokbench plan --json\" shows keys; \"tokbench compare\" prepares runs",
        ));
    };
    if let Found::Done(record) = store.record(&key)?
        && !matches!(record.outcome, experiment::record::Outcome::Failed { .. })
        && !experiment::mock::made_up(&record)
    {
        errln!("{} is finished", key.short());
        return Ok(0);
    }
    let data = store.data(&key)?.done().unwrap_or_default();
    let root = data_root(args.data.as_deref());
    let corpus = wanted_corpus(&run).map(|wanted| open_corpus(wanted, &data, &root)).transpose()?;
    let task = run.task().map(|wanted| open_task(wanted, &data, &root)).transpose()?;
    let fitted = match (model_of(&run), &corpus) {
        (Some(pretrain), Some(corpus)) => {
            let recipe = fitting::recipe(&pretrain.tokenizer, data["tokenizer"].as_str())?;
            Some(fitting::fit(&store, &recipe, corpus, pretrain.masking.span)?)
        }
        _ => None,
    };
    let name = args.device.clone().unwrap_or_else(|| run.device.replacen('-', ":", 1));
    if model::device::kind(&name)? != run.device {
        return Err(Failure::new(
            crate::failure::USAGE,
            format!("the run is for the device kind {}, not {name}", run.device),
            "the device kind is part of a run's key: plan again with --device",
        ));
    }
    let device = model::device::open(&name)?;
    let folder = store.folder(&key)?;
    let parent = run.parent().map(|parent| store.folder(&parent.key())).transpose()?;
    let inputs = Inputs {
        corpus: corpus.as_ref(),
        task: task.as_ref(),
        fitted: fitted.as_ref(),
        folder: &folder,
        parent: parent.as_deref(),
        device: &device,
    };
    let mut bar = (!args.attached).then(|| Bar::single(&run));
    let tell = |progress: model::Progress| match &mut bar {
        Some(bar) => bar.tell(progress.stage, progress.done, progress.of),
        None => {
            let line = Progress { stage: progress.stage.to_owned(), bases: progress.done, of: progress.of }.line();
            // If nobody listens any more, the run goes on to its end or until it is told to stop.
            let _ = writeln!(std::io::stdout(), "{line}");
        }
    };
    let _saving = interrupt.saving();
    let mut watch = Watch::new(tell, Arc::clone(interrupt.stop()));
    watch.checkpoint_every = Duration::from_secs_f64(args.checkpoint_seconds);
    let executed = execute(&run, &inputs, &mut watch)?;
    for note in &executed.notes {
        errln!("warning: {note}");
    }
    let failed = match &executed.outcome {
        experiment::record::Outcome::Failed { reason } => Some(reason.clone()),
        _ => None,
    };
    let record = Record {
        key: key.clone(),
        run,
        outcome: executed.outcome,
        timing: executed.timing,
        provenance: provenance(executed.resumed, model::device::hardware(&name)),
    };
    store.put_record(&record)?;
    // Only now: a run killed between its last step and its record must find its work again.
    model::checkpoint::clear(&folder);
    match failed {
        Some(reason) => Err(Failure { code: crate::failure::FAILED, message: reason, remedy: None }),
        None => Ok(0),
    }
}

/// Ends this process when its parent lets go of it or is gone, even by `kill -9`: then stdin closes. What is done is
/// saved; if that takes long, it ends all the same: files are written so that any moment is a good one.
fn end_with_parent(stop: &Arc<AtomicBool>) {
    let stop = Arc::clone(stop);
    let wait = move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        stop.store(true, Ordering::SeqCst);
        std::thread::sleep(Duration::from_secs(8));
        experiment::files::abandon();
        std::process::exit(i32::from(INTERRUPTED));
    };
    if let Err(error) = std::thread::Builder::new().spawn(wait) {
        // It ends with its work, or when it is killed.
        errln!("note: this run will not see that its comparison is gone: a thread could not be started ({error})");
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
        Work::Control(Control::Markov { corpus, .. }) => Some(corpus),
        _ => model_of(run).map(|pretrain| &pretrain.corpus),
    }
}

fn described<T: DeserializeOwned>(kind: &str, wanted: &DataRef, data: &Value) -> Result<T, Failure> {
    serde_json::from_value(data[kind].clone()).map_err(|error| {
        Failure::new(
            DATA,
            format!("where the {kind} {} lies is not kept with the run ({error})", wanted.name),
            "start it through \"tokbench compare\"",
        )
    })
}

fn changed(kind: &str, wanted: &DataRef) -> Failure {
    Failure::new(
        DATA,
        format!("the {kind} {} is not what the run was planned for: its content has changed", wanted.name),
        "plan again with \"tokbench compare\"",
    )
}

fn open_corpus(wanted: &DataRef, data: &Value, root: &Path) -> Result<Corpus, Failure> {
    let corpus = Corpus::open(&described::<CorpusSpec>("corpus", wanted, data)?, root)?;
    if corpus.hash() == wanted.hash { Ok(corpus) } else { Err(changed("corpus", wanted)) }
}

fn open_task(wanted: &DataRef, data: &Value, root: &Path) -> Result<Task, Failure> {
    let task = Task::open(&described::<TaskSpec>("task", wanted, data)?, root)?;
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
    }
}
