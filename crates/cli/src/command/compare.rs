//! `tokbench compare`: spec, plan, execute, compare, draw.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use experiment::memory::Source;
use experiment::plan::{Job, Plan, choose};
use experiment::record::{Outcome, Record};
use experiment::run::{Key, Work};
use experiment::store::{Found, Store};
use experiment::{Executor, Local, Mock, Spec, Summary, write_jsonl};

use crate::args;
use crate::command::question;
use crate::command::report::{conclude, published};
use crate::failure::{DATA, Failure, INTERRUPTED, SOME_FAILED};
use crate::fitting;
use crate::folders;
use crate::interrupt::Interrupt;
use crate::progress::Board;
use crate::resolve::{self, Data, data_root};
use crate::stdout::{errln, outln};
use crate::threads;

pub(crate) fn run(args: &args::Compare, interrupt: &Interrupt) -> Result<u8, Failure> {
    let spec = question::spec(&args.question)?;
    resolve::refuse_pipes(&spec)?;
    let output = args.output.clone().unwrap_or_else(|| Path::new("tokbench-results").join(&spec.name));
    let data = Data::new(data_root(args.question.data.as_deref()));
    let mut plan = question::plan(&spec, &data)?;
    // Before anything is computed: can the results be written?
    folders::make(&output)?;
    folders::writable(&output, &results())?;
    for file in results() {
        folders::apart(&output.join(file), args.records.iter().map(PathBuf::as_path))?;
    }
    // Made-up records never stand beside real ones.
    let store = if args.mock { args.question.store.join("mock") } else { args.question.store.clone() };
    let store = Store::open(store)?;
    for file in &args.records {
        adopt(file, &plan, &store)?;
    }
    let (before, damaged) = store.records()?;
    for sentence in damaged {
        errln!("warning: damaged: {sentence}");
    }
    plan.calibrate(&before);
    for remark in data.remarks.take() {
        errln!("{remark}");
    }
    let known: HashSet<Key> =
        before.into_iter().filter(|record| !experiment::mock::made_up(record)).map(|record| record.key).collect();
    // What is finished needs no memory; made-up results neither.
    let memory = question::memory(&args.question).filter(|_| !args.mock);
    data.check_memory(&plan, memory.as_ref(), |key| known.contains(key) && !args.retry_failed)?;
    // Before anything is learned: is the device there? What is finished can be concluded from anywhere.
    if args.retry_failed || plan.deferred > 0 || plan.jobs.iter().any(|job| !known.contains(&job.key)) {
        let _ = model::device::open(&spec.device)?;
    }
    announce(&plan, &known);
    let mut summary = execute(args, &spec, &plan, &data, &store, &known, interrupt)?;
    let mut records = collect(&store, &plan.jobs)?;
    if plan.deferred > 0 || spec.grid().len() > 1 {
        let chosen = choose(&records);
        for ((tokenizer, position), rate) in &chosen {
            errln!("learning rate of {tokenizer} ({position}), chosen on the validation split: {rate}");
        }
        data.choose(chosen);
        if plan.deferred > 0 && !summary.interrupted {
            plan = question::plan(&spec, &data)?;
            data.check_memory(&plan, memory.as_ref(), |key| known.contains(key))?;
            summary = execute(args, &spec, &plan, &data, &store, &known, interrupt)?;
            records = collect(&store, &plan.jobs)?;
        }
    }
    if summary.interrupted {
        errln!("interrupted; the same command continues");
        return Ok(INTERRUPTED);
    }
    let file = output.join("records.jsonl");
    write_jsonl(&file, &records)?;
    // Beside its records, the question: `tokbench report` draws the same conclusions from both.
    let question = output.join("records.toml");
    let before = std::fs::read_to_string(&question).ok();
    // A file that asks the same already keeps the words that a person wrote into it.
    if before.and_then(|text| Spec::from_toml(&text, "").ok()).is_none_or(|before| before != spec) {
        experiment::files::write(&question, spec.to_toml()?).map_err(|error| Failure::file(&question, &error))?;
    }
    let options = report::Options {
        order: plan.tokenizers.iter().cloned().chain(sorted(&plan.controls)).collect(),
        reference: Some(plan.reference.clone()),
        controls: sorted(&plan.controls),
        partial: !summary.pending.is_empty(),
        ..report::Options::default()
    };
    if !summary.pending.is_empty() {
        errln!("{} runs are not finished; the same command continues", summary.pending.len());
    }
    if !summary.failed.is_empty() {
        errln!("{} runs failed; --retry-failed tries them again", summary.failed.len());
    }
    if records.is_empty() {
        return Err(Failure::new(SOME_FAILED, "no run has a result", "see the messages above"));
    }
    conclude(records, options, Some(&output), args.question.json)?;
    if !args.question.json {
        outln!("records: {}", file.display());
    }
    if summary.complete() { Ok(0) } else { Ok(SOME_FAILED) }
}

/// Names of the files of results.
fn results() -> Vec<String> {
    let figures = report::figure::FIGURES.iter().flat_map(|f| [format!("{}.svg", f.name), format!("{}.csv", f.name)]);
    let others = ["records.jsonl", "records.toml", "table.csv", "table.txt", "numbers.json"].map(str::to_owned);
    others.into_iter().chain(figures).collect()
}

/// Puts published records of the plan's runs into the store, so that these runs are not done again.
fn adopt(file: &Path, plan: &Plan, store: &Store) -> Result<(), Failure> {
    let planned: HashSet<&Key> = plan.jobs.iter().map(|job| &job.key).collect();
    let (mut taken, mut others) = (0, 0);
    for record in published(file)? {
        let real = !experiment::mock::made_up(&record) && !matches!(record.outcome, Outcome::Failed { .. });
        if !real || !planned.contains(&record.key) {
            others += 1;
        } else if !matches!(store.record(&record.key)?, Found::Done(_)) {
            store.put_record(&record)?;
            taken += 1;
        }
    }
    errln!("{}: {taken} finished runs taken over, {others} records of other runs left", file.display());
    Ok(())
}

fn sorted(names: &[String]) -> Vec<String> {
    let mut names = names.to_vec();
    names.sort();
    names
}

/// What is about to happen, in a few lines.
fn announce(plan: &Plan, known: &HashSet<Key>) {
    let left: Vec<&Job> = plan.jobs.iter().filter(|job| !known.contains(&job.key)).collect();
    let seconds: f64 = left.iter().map(|job| job.estimate.seconds).sum();
    errln!(
        "{}: {} runs, {} finished before; smallest p that {} {} can reach: {}",
        plan.name,
        plan.jobs.len(),
        plan.jobs.len() - left.len(),
        plan.seeds.len(),
        if plan.seeds.len() == 1 { "seed" } else { "seeds" },
        experiment::describe::p_value(plan.smallest_p)
    );
    if !left.is_empty() {
        let how = if plan.calibrated { "measured" } else { "a guess" };
        errln!("about {} of processor time left ({how})", experiment::describe::duration(seconds));
    }
}

fn execute(
    args: &args::Compare,
    spec: &Spec,
    plan: &Plan,
    data: &Data,
    store: &Store,
    known: &HashSet<Key>,
    interrupt: &Interrupt,
) -> Result<Summary, Failure> {
    let mut board = Board::new(plan);
    let summary = if args.mock {
        Mock::default().execute(&plan.jobs, store, &mut |event| board.event(event))
    } else {
        learn(spec, plan, data, store, known)?;
        let threads = args.threads.unwrap_or_else(threads::processors);
        let program = std::env::current_exe().map_err(|error| Failure::file(Path::new("tokbench"), &error))?;
        let mut local = Local::new(program, threads);
        // Small models gain more from a second run than from a second thread.
        local.workers = args.workers.unwrap_or_else(|| fitting_workers(args, plan, known, threads)).max(1);
        local.retry_failed = args.retry_failed;
        let _saving = interrupt.saving();
        local.stop = Arc::clone(interrupt.stop());
        local.extra_args = vec!["--attached".into(), "--device".into(), spec.device.clone().into()];
        local.extra_args.extend(["--checkpoint-seconds".into(), args.checkpoint_seconds.to_string().into()]);
        let root: PathBuf = std::path::absolute(&data.root).unwrap_or_else(|_| data.root.clone());
        local.extra_args.extend(["--data".into(), root.into_os_string()]);
        local.execute(&plan.jobs, store, &mut |event| board.event(event))
    };
    board.close();
    Ok(summary?)
}

/// Runs at a time that fit into memory together, one per thread at most.
fn fitting_workers(args: &args::Compare, plan: &Plan, known: &HashSet<Key>, threads: usize) -> usize {
    let left = plan.jobs.iter().filter(|job| !known.contains(&job.key) && job.run.device.ends_with("cpu"));
    let most = left.map(|job| job.estimate.mib).fold(0.0, f64::max);
    let Some(memory) = question::memory(&args.question).filter(|_| most > 0.0) else { return threads };
    // "ulimit -v" holds for every process alone.
    let shared = memory.source != Source::Limit;
    let fitting = if shared { (memory.mib / most) as usize } else { threads };
    if fitting < threads {
        errln!(
            "{} at a time: a run may need {most:.0} MiB, and {memory} (--workers decides otherwise)",
            fitting.max(1)
        );
    }
    fitting.clamp(1, threads)
}

/// Learns vocabularies once, before several runs would each do it.
fn learn(spec: &Spec, plan: &Plan, data: &Data, store: &Store, known: &HashSet<Key>) -> Result<(), Failure> {
    let (corpus, _) = data.open_corpus(&spec.corpus)?;
    let mut learned = HashSet::new();
    for job in &plan.jobs {
        let Work::Pretrain(pretrain) = &job.run.work else { continue };
        if known.contains(&job.key) || !learned.insert(pretrain.tokenizer.clone()) {
            continue;
        }
        let recipe = fitting::recipe(&pretrain.tokenizer, job.data["tokenizer"].as_str())?;
        if recipe.learned_vocabulary {
            errln!("vocabulary of {}", recipe.name);
        }
        fitting::fit(store, &recipe, &corpus, pretrain.masking.span)?;
    }
    Ok(())
}

/// The records of a plan that are there.
fn collect(store: &Store, jobs: &[Job]) -> Result<Vec<Record>, Failure> {
    let mut records = Vec::new();
    for job in jobs {
        match store.record(&job.key)? {
            Found::Done(record) => records.push(record),
            Found::Missing => {}
            Found::SetAside { reason, moved_to } => {
                let message = format!("a record was damaged while it was being read: {reason}");
                return Err(Failure::new(
                    DATA,
                    message,
                    format!("it is set aside as {}; start again", moved_to.display()),
                ));
            }
        }
    }
    Ok(records)
}
