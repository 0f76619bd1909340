//! `tokbench compare`: open the experiment, plan, execute, conclude.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use experiment::{Executor, Local, Plan, Spec, Summary};
use pipeline::conclude::NUMBERS;
use pipeline::experiment::RECORDS;
use pipeline::workspace::refuse_pipes;
use pipeline::{Builtin, Executed, Experiment, Observer, Planned, Workspace};

use crate::args;
use crate::command::report::show;
use crate::command::spec;
use crate::failure::{Failure, INTERRUPTED, SOME_FAILED, code};
use crate::folders;
use crate::interrupt::Interrupt;
use crate::progress::Board;
use crate::stdout::{errln, outln};
use crate::threads;
use crate::workspace::workspace;

pub(crate) fn run(builtin: &Arc<Builtin>, args: &args::Compare, interrupt: &Interrupt) -> Result<u8, Failure> {
    let spec = spec::read(builtin, &args.experiment)?;
    refuse_pipes(&spec)?;
    let output = args.output.clone().unwrap_or_else(|| Path::new("tokbench-results").join(&spec.name));
    let mut workspace = workspace(builtin, args.experiment.data.as_deref(), &args.experiment.store);
    if simulation(args).is_some() {
        // Simulated records are kept apart from real ones.
        workspace.store = workspace.store.join("mock");
    }
    let experiment = Experiment::open(spec.clone(), &workspace)?;
    let mut planned = experiment.plan()?;
    check_output(args, &output)?;
    planned.open_store()?;
    reuse_records(args, &mut planned)?;
    check(args, &spec, &mut planned)?;
    announce(&planned);
    let executed = execute(args, &spec, &workspace, planned, interrupt)?;
    finish(args, executed, &output)
}

/// Checks, before anything is computed, that the results can be written.
fn check_output(args: &args::Compare, output: &Path) -> Result<(), Failure> {
    folders::make(output)?;
    folders::writable(output, &results())?;
    results().iter().try_for_each(|file| folders::apart(&output.join(file), args.records.iter().map(PathBuf::as_path)))
}

/// Names of the result files.
fn results() -> Vec<String> {
    let figures = report::figure::files(report::figure::FigureKind::Comparison);
    RECORDS.into_iter().chain(NUMBERS).map(str::to_owned).chain(figures).collect()
}

/// Takes over published records, and prints damaged records and remarks on the data.
fn reuse_records(args: &args::Compare, planned: &mut Planned) -> Result<(), Failure> {
    let counts = if args.records.is_empty() { Vec::new() } else { planned.adopt(&args.records)? };
    for (file, (taken, others)) in args.records.iter().zip(counts) {
        errln!("{}: {taken} finished runs reused, {others} records of other runs ignored", file.display());
    }
    for sentence in planned.damaged() {
        errln!("warning: damaged: {sentence}");
    }
    for remark in planned.remarks() {
        errln!("{remark}");
    }
    Ok(())
}

/// Checks, before anything is trained, that memory suffices and the device is available.
fn check(args: &args::Compare, spec: &Spec, planned: &mut Planned) -> Result<(), Failure> {
    // Simulated runs need no memory.
    if let Some(memory) = spec::memory(&args.experiment).filter(|_| simulation(args).is_none()) {
        planned.limit_memory(&memory, args.retry_failed)?;
    }
    // Finished runs need no device.
    if args.retry_failed || !planned.plan().deferred.is_empty() || planned.unfinished().next().is_some() {
        let _ = model::device::open(&spec.device)?;
    }
    Ok(())
}

/// Prints what is about to be executed.
fn announce(planned: &Planned) {
    let plan = planned.plan();
    let (left, seconds) = planned
        .unfinished()
        .chain(&plan.deferred)
        .fold((0, 0.0), |(count, seconds), job| (count + 1, seconds + job.estimate.seconds));
    let runs = plan.all_jobs().count();
    errln!(
        "{}: {} runs, {} already finished; minimum attainable p-value with {} {}: {}",
        plan.name,
        runs,
        runs - left,
        plan.seeds.len(),
        if plan.seeds.len() == 1 { "seed" } else { "seeds" },
        experiment::describe::p_value(plan.smallest_p)
    );
    if left > 0 {
        let how = if plan.calibrated { "from measured speed" } else { "rough estimate" };
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
        return planned.execute(executor.as_mut(), &mut Terminal::default());
    }
    // There is nothing to save yet: an interrupt ends the program at once.
    planned.fit(&mut Terminal::default())?;
    let mut local = local(args, spec, workspace, &planned)?;
    planned.scheduler.retry_failed = args.retry_failed;
    planned.scheduler.stop = Arc::clone(interrupt.stop());
    let _saving = interrupt.saving();
    planned.execute(&mut local, &mut Terminal::default())
}

/// The executor that simulates results, if requested; only in builds for tests.
#[cfg(feature = "mock")]
fn simulation(args: &args::Compare) -> Option<Box<dyn Executor>> {
    args.mock.then(|| Box::new(mock::Mock::default()) as Box<dyn Executor>)
}

#[cfg(not(feature = "mock"))]
fn simulation(_: &args::Compare) -> Option<Box<dyn Executor>> {
    None
}

/// The executor that starts child processes of this program.
fn local(args: &args::Compare, spec: &Spec, workspace: &Workspace, planned: &Planned) -> Result<Local, Failure> {
    let threads = args.threads.unwrap_or_else(threads::processors);
    let program = std::env::current_exe().map_err(|error| Failure::file(Path::new("tokbench"), &error))?;
    let mut local = Local::new(program, threads);
    let devices = model::device::all(&spec.device);
    let on_gpus = model::device::kind(&spec.device)?.ends_with("cuda");
    let fitting = || {
        if on_gpus {
            let free: Vec<Option<f64>> = devices.iter().map(|device| model::device::free_memory(device)).collect();
            let workers = planned.workers_on_gpus(threads, &free);
            errln!(
                "{workers} concurrent runs on {} GPU(s), by their free memory (override with --workers)",
                free.len()
            );
            return workers;
        }
        // A second concurrent run speeds up small models more than a second thread does.
        let (workers, note) = planned.workers(threads, spec::memory(&args.experiment).as_ref());
        if let Some(note) = note {
            errln!("{note}");
        }
        workers
    };
    local.workers = args.workers.unwrap_or_else(fitting).max(1);
    local.devices = devices;
    local.extra_args =
        vec!["--attached".into(), "--checkpoint-seconds".into(), args.checkpoint_seconds.to_string().into()];
    let root: PathBuf = std::path::absolute(&workspace.data).unwrap_or_else(|_| workspace.data.clone());
    local.extra_args.extend(["--data".into(), root.into_os_string()]);
    Ok(local)
}

/// Writes records, table, conclusion and figures.
fn finish(args: &args::Compare, executed: Executed, output: &Path) -> Result<u8, Failure> {
    let summary: Summary = executed.summary.clone();
    if summary.interrupted {
        errln!("interrupted; run the same command again to resume");
        return Ok(code(INTERRUPTED));
    }
    let file = executed.write(output)?;
    if !summary.pending.is_empty() {
        errln!("{} runs are unfinished; run the same command again to resume", summary.pending.len());
    }
    if !summary.failed.is_empty() {
        errln!("{} runs failed; --retry-failed repeats them", summary.failed.len());
    }
    show(&executed.conclude()?, Some(output), args.experiment.json)?;
    if !args.experiment.json {
        outln!("records: {}", file.display());
    }
    if summary.complete() { Ok(0) } else { Ok(code(SOME_FAILED)) }
}

/// Shows notes and progress on standard error.
#[derive(Default)]
struct Terminal {
    board: Option<Board>,
}

impl Observer for Terminal {
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
