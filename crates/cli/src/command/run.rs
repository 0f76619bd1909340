//! `tokbench run KEY`: execute one run in this process.

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use experiment::executor::ProgressLine;
use experiment::record::Outcome;
use experiment::run::Key;
use model::Watch;
use pipeline::Builtin;
use pipeline::run::{Prepared, finished};

use crate::args;
use crate::failure::{FAILED, Failure};
use crate::interrupt::{self, Interrupt};
use crate::progress::Bar;
use crate::stdout::errln;
use crate::workspace::workspace;

pub(crate) fn run(builtin: &Arc<Builtin>, args: &args::Run, interrupt: &Interrupt) -> Result<u8, Failure> {
    if args.attached {
        end_with_parent(interrupt.stop());
    }
    let workspace = workspace(builtin, args.data.as_deref(), &args.store);
    let key: Key = args.key.parse()?;
    let store = workspace.store()?;
    if finished(&store, &key)?.is_some() {
        errln!("run {} is already finished", key.short());
        return Ok(0);
    }
    let prepared = Prepared::open(&workspace, store, &key, args.device.as_deref(), &mut |text| errln!("{text}"))?;
    let mut bar = (!args.attached).then(|| Bar::single(prepared.run()));
    let report = |progress: model::Progress| match &mut bar {
        Some(bar) => bar.update(progress.stage, progress.done, progress.of),
        None => {
            let line = ProgressLine { stage: progress.stage.to_owned(), bases: progress.done, of: progress.of }.line();
            // If the pipe is closed, the run continues to its end or until it is stopped.
            let _ = writeln!(std::io::stdout(), "{line}");
        }
    };
    let _saving = interrupt.saving();
    let mut watch = Watch::new(report, Arc::clone(interrupt.stop()));
    watch.checkpoint_every = Duration::from_secs_f64(args.checkpoint_seconds);
    let ran = prepared.execute(&mut watch)?;
    for note in &ran.notes {
        errln!("warning: {note}");
    }
    match ran.record.outcome {
        Outcome::Failed { reason } => Err(Failure { kind: FAILED, message: reason, remedy: None }),
        _ => Ok(0),
    }
}

/// Ends this process when its parent closes standard input or is gone, even by `kill -9`. The state of the run is saved first,
/// for at most 8 seconds: files are written atomically, so ending is safe at any moment.
fn end_with_parent(stop: &Arc<AtomicBool>) {
    let stop = Arc::clone(stop);
    let wait = move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        stop.store(true, Ordering::SeqCst);
        std::thread::sleep(Duration::from_secs(8));
        interrupt::end();
    };
    if let Err(error) = std::thread::Builder::new().spawn(wait) {
        // The run then ends when it is finished, or when it is killed.
        errln!("note: this run cannot detect that its comparison has ended: no thread can be started ({error})");
    }
}
