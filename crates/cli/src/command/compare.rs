//! `tokbench compare`: open, plan, execute, conclude.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use experiment::{Executor, Local, Plan, Spec, Summary};
use pipeline::conclude::NUMBERS;
use pipeline::experiment::RECORDS;
use pipeline::workspace::refuse_pipes;
use pipeline::{Builtin, Executed, Experiment, Observer, Planned, Workspace};

use crate::args;
use crate::command::question;
use crate::command::report::show;
use crate::failure::{Failure, INTERRUPTED, SOME_FAILED, code};
use crate::folders;
use crate::interrupt::Interrupt;
use crate::progress::Board;
use crate::stdout::{errln, outln};
use crate::threads;
use crate::workspace::workspace;

pub(crate) fn run(builtin: &Arc<Builtin>, args: &args::Compare, interrupt: &Interrupt) -> Result<u8, Failure> {
    let spec = question::spec(builtin, &args.question)?;
    refuse_pipes(&spec)?;
    let output = args.output.clone().unwrap_or_else(|| Path::new("tokbench-results").join(&spec.name));
    let mut workspace = workspace(builtin, args.question.data.as_deref(), &args.question.store);
    if simulation(args).is_some() {
        // Simulated records never stand beside real ones.
        workspace.store = workspace.store.join("mock");
    }
    let experiment = Experiment::open(spec.clone(), &workspace)?;
    let mut planned = experiment.plan()?;
    can_be_written(args, &output)?;
    look_back(args, &mut planned)?;
    check(args, &spec, &mut planned)?;
    announce(&planned);
    let executed = execute(args, &spec, &workspace, planned, interrupt)?;
    finish(args, executed, &output)
}

/// Before anything is computed: can the results be written?
fn can_be_written(args: &args::Compare, output: &Path) -> Result<(), Failure> {
    folders::make(output)?;
    folders::writable(output, &results())?;
    results().iter().try_for_each(|file| folders::apart(&output.join(file), args.records.iter().map(PathBuf::as_path)))
}

/// Names of the files of results.
fn results() -> Vec<String> {
    let figures = report::figure::files(report::figure::FigureKind::Comparison);
    RECORDS.into_iter().chain(NUMBERS).map(str::to_owned).chain(figures).collect()
}

/// Takes over published records, and tells what was read.
fn look_back(args: &args::Compare, planned: &mut Planned) -> Result<(), Failure> {
    for file in &args.records {
        let (taken, others) = planned.adopt(file)?;
        errln!("{}: {taken} finished runs taken over, {others} records of other runs left", file.display());
    }
    for sentence in planned.damaged() {
        errln!("warning: damaged: {sentence}");
    }
    for remark in planned.remarks() {
        errln!("{remark}");
    }
    Ok(())
}

/// Before anything is learned: is there memory, is the device there?
fn check(args: &args::Compare, spec: &Spec, planned: &mut Planned) -> Result<(), Failure> {
    // Simulated results need none.
    if let Some(memory) = question::memory(&args.question).filter(|_| simulation(args).is_none()) {
        planned.limit_memory(&memory, args.retry_failed)?;
    }
    // What is finished can be concluded from anywhere.
    if args.retry_failed || planned.plan().deferred > 0 || planned.left().next().is_some() {
        let _ = model::device::open(&spec.device)?;
    }
    Ok(())
}

/// What is about to happen, in a few lines.
fn announce(planned: &Planned) {
    let plan = planned.plan();
    let (left, seconds) =
        planned.left().fold((0, 0.0), |(count, seconds), job| (count + 1, seconds + job.estimate.seconds));
    errln!(
        "{}: {} runs, {} finished before; smallest p that {} {} can reach: {}",
        plan.name,
        plan.jobs.len(),
        plan.jobs.len() - left,
        plan.seeds.len(),
        if plan.seeds.len() == 1 { "seed" } else { "seeds" },
        experiment::describe::p_value(plan.smallest_p)
    );
    if left > 0 {
        let how = if plan.calibrated { "measured" } else { "a guess" };
        errln!("about {} of processor time left ({how})", experiment::describe::duration(seconds));
    }
}

fn execute(
    args: &args::Compare,
    spec: &Spec,
    workspace: &Workspace,
    mut planned: Planned,
    interrupt: &Interrupt,
) -> Result<Executed, Failure> {
    if let Some(mut executor) = simulation(args) {
        return planned.execute(executor.as_mut(), &mut Talk::default());
    }
    // There is nothing to save yet: an interrupt ends it at once.
    planned.fit(&mut Talk::default())?;
    let mut local = local(args, spec, workspace, &planned)?;
    planned.scheduler.retry_failed = args.retry_failed;
    planned.scheduler.stop = Arc::clone(interrupt.stop());
    let _saving = interrupt.saving();
    planned.execute(&mut local, &mut Talk::default())
}

/// Who simulates results, where that was asked for: builds for tests only.
#[cfg(feature = "mock")]
fn simulation(args: &args::Compare) -> Option<Box<dyn Executor>> {
    args.mock.then(|| Box::new(mock::Mock::default()) as Box<dyn Executor>)
}

#[cfg(not(feature = "mock"))]
fn simulation(_: &args::Compare) -> Option<Box<dyn Executor>> {
    None
}

/// Child processes of this program.
fn local(args: &args::Compare, spec: &Spec, workspace: &Workspace, planned: &Planned) -> Result<Local, Failure> {
    let threads = args.threads.unwrap_or_else(threads::processors);
    let program = std::env::current_exe().map_err(|error| Failure::file(Path::new("tokbench"), &error))?;
    let mut local = Local::new(program, threads);
    // Small models gain more from a second run than from a second thread.
    let fitting = || {
        let (workers, note) = planned.workers(threads, question::memory(&args.question).as_ref());
        if let Some(note) = note {
            errln!("{note}");
        }
        workers
    };
    local.workers = args.workers.unwrap_or_else(fitting).max(1);
    local.extra_args = vec!["--attached".into(), "--device".into(), spec.device.clone().into()];
    local.extra_args.extend(["--checkpoint-seconds".into(), args.checkpoint_seconds.to_string().into()]);
    let root: PathBuf = std::path::absolute(&workspace.data).unwrap_or_else(|_| workspace.data.clone());
    local.extra_args.extend(["--data".into(), root.into_os_string()]);
    Ok(local)
}

/// Records, table, sentence, figures.
fn finish(args: &args::Compare, executed: Executed, output: &Path) -> Result<u8, Failure> {
    let summary: Summary = executed.summary.clone();
    if summary.interrupted {
        errln!("interrupted; the same command continues");
        return Ok(code(INTERRUPTED));
    }
    let file = executed.write(output)?;
    if !summary.pending.is_empty() {
        errln!("{} runs are not finished; the same command continues", summary.pending.len());
    }
    if !summary.failed.is_empty() {
        errln!("{} runs failed; --retry-failed tries them again", summary.failed.len());
    }
    show(&executed.conclude()?, Some(output), args.question.json)?;
    if !args.question.json {
        outln!("records: {}", file.display());
    }
    if summary.complete() { Ok(0) } else { Ok(code(SOME_FAILED)) }
}

/// Progress for a person.
#[derive(Default)]
struct Talk {
    board: Option<Board>,
}

impl Observer for Talk {
    fn note(&mut self, text: String) {
        errln!("{text}");
    }

    fn begin(&mut self, plan: &Plan) {
        self.board = Some(Board::new(plan));
    }

    fn event(&mut self, event: experiment::Event) {
        if let Some(board) = &mut self.board {
            board.event(event);
        }
    }

    fn end(&mut self) {
        if let Some(board) = self.board.take() {
            board.close();
        }
    }
}
