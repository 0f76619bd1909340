//! Number of worker threads: one per processor, or fewer if requested or if more cannot be started.

use std::io;
use std::sync::mpsc::{Sender, channel};

use rayon::{ThreadBuilder, ThreadPoolBuilder};

use crate::stdout::errln;

/// The environment variable with the number of threads, see the documentation of rayon.
const VARIABLE: &str = "RAYON_NUM_THREADS";

/// Stack of a thread in bytes, as large as that of a main thread, unless `RUST_MIN_STACK` says otherwise.
const STACK: usize = 8 << 20;

/// Computes on a thread of the pool: a thread outside has to wake another one for every parallel loop, even if there is only one.
pub(crate) fn within<T: Send>(compute: impl FnOnce() -> T + Send) -> T {
    rayon::scope(|_| compute())
}

/// Starts the worker threads, once, before anything is computed. Results do not depend on their number.
pub(crate) fn start(flag: Option<usize>) {
    let processors = processors();
    let variable = || Some((VARIABLE, std::env::var(VARIABLE).ok()?.trim().parse().ok().filter(|&number| number > 0)?));
    let requested: Option<(&str, usize)> = flag.map(|number| ("--threads", number)).or_else(variable);
    if let Some((name, number)) = requested.filter(|(_, number)| *number > processors) {
        errln!("note: {name} requests {number} threads; using {}, one per processor", processors);
    }
    let wanted = requested.map_or(processors, |(_, number)| number.min(processors));
    // A pool can be built only once, and fails if one of its threads cannot be started: so they are started before.
    let mut threads: Vec<Sender<ThreadBuilder>> = (0..wanted).map_while(|_| waiting().ok()).collect();
    let started = threads.len();
    let pool = ThreadPoolBuilder::new().num_threads(started.max(1));
    let built = if started == 0 {
        // If none can be started, this thread does the work.
        pool.use_current_thread().build_global()
    } else {
        let give = move |thread| {
            let given = threads.pop().is_some_and(|waiting| waiting.send(thread).is_ok());
            if given { Ok(()) } else { Err(io::Error::other("no thread is left")) }
        };
        pool.spawn_handler(give).build_global()
    };
    debug_assert!(built.is_ok(), "{built:?}");
    if started < wanted {
        let reason = if started == 0 { "no thread can be started" } else { "the system allows no more" };
        errln!(
            "note: using {} of {wanted} threads: {reason} (see ulimit -u, or the limits of the container)",
            started.max(1)
        );
    }
}

/// A thread that waits for its role in the pool.
fn waiting() -> io::Result<Sender<ThreadBuilder>> {
    let (give, take) = channel::<ThreadBuilder>();
    let builder = std::thread::Builder::new();
    let builder = if std::env::var_os("RUST_MIN_STACK").is_some() { builder } else { builder.stack_size(STACK) };
    builder.spawn(move || {
        if let Ok(place) = take.recv() {
            place.run();
        }
    })?;
    Ok(give)
}

/// Number of processors that this process may use, at least 1.
pub(crate) fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
