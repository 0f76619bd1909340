//! Signals: an interrupt (Ctrl-C, SIGTERM, SIGHUP) takes effect at any moment.
//!
//! Most commands have nothing to save: they end at once and leave no partial file. While runs are executed
//! ([`Interrupt::saving`]), the first signal makes the runs save their state and end, and the second one ends the program at
//! once, as does a save that takes longer than [`LONGEST`]: files are written atomically, so ending is safe at any moment.
//!
//! A signal that was ignored when the program started stays ignored (`nohup`, background jobs of a shell).
//!
//! A file that exceeds the size limit of the process (`ulimit -f`) is an error of that write and does not end the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::failure::{INTERRUPTED, code};

/// Whether the program was requested to stop.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt {
    /// Set by the first signal while there is something to save.
    stop: Arc<AtomicBool>,
    /// Whether a signal ends the program at once.
    at_once: Arc<AtomicBool>,
}

/// While this guard exists, the first signal sets the flag of [`Interrupt::stop`] instead of ending the program.
#[derive(Debug)]
pub(crate) struct Saving(Interrupt);

impl Interrupt {
    /// Handles signals from now on. If no thread can be started for it, signals take effect without a message.
    pub(crate) fn listen() -> Interrupt {
        let interrupt = Interrupt { stop: Arc::default(), at_once: Arc::new(AtomicBool::new(true)) };
        #[cfg(unix)]
        unix::listen(&interrupt);
        interrupt
    }

    /// Set when the program is to end.
    pub(crate) fn stop(&self) -> &Arc<AtomicBool> {
        &self.stop
    }

    /// Marks, while the guard exists, that there is something to save.
    pub(crate) fn saving(&self) -> Saving {
        self.at_once.store(false, Ordering::SeqCst);
        Saving(self.clone())
    }
}

/// Ends the process at once, without partial files and without programs that it started.
pub(crate) fn end() -> ! {
    experiment::files::abandon();
    tokenize::families::exec::end_all();
    std::process::exit(i32::from(code(INTERRUPTED)))
}

impl Drop for Saving {
    fn drop(&mut self) {
        self.0.at_once.store(true, Ordering::SeqCst);
    }
}

#[cfg(unix)]
mod unix {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::{Duration, Instant};

    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
    use signal_hook::flag;
    use signal_hook::iterator::Signals;

    use crate::failure::{INTERRUPTED, code};
    use crate::interrupt::{Interrupt, end};
    use crate::stdout::errln;

    /// The signals that end the program.
    fn ends() -> Vec<i32> {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let ignored = ignored(&status);
        [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|signal| ignored & (1 << (signal - 1)) == 0).collect()
    }

    /// Signals that this process ignores, one bit each, where `/proc` shows them (Linux).
    fn ignored(status: &str) -> u64 {
        let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        line.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default()
    }

    /// Maximum time that runs may take to save their state.
    const LONGEST: Duration = Duration::from_secs(30);

    pub(super) fn listen(interrupt: &Interrupt) {
        // Without a handler this signal kills the process; with one, `write` returns an error.
        let _ = flag::register(SIGXFSZ, Arc::default());
        let ends = ends();
        let Ok(signals) = Signals::new(&ends) else { return without_thread(&ends, interrupt) };
        let listener = interrupt.clone();
        let thread = std::thread::Builder::new().name("signals".to_owned());
        if thread.spawn(move || wait(signals, &listener)).is_err() {
            without_thread(&ends, interrupt);
        }
    }

    fn wait(mut signals: Signals, interrupt: &Interrupt) {
        if signals.forever().next().is_none() {
            return;
        }
        if interrupt.at_once.load(Ordering::SeqCst) {
            errln!("\ninterrupted");
            end();
        }
        interrupt.stop.store(true, Ordering::SeqCst);
        errln!("\ninterrupted: saving the state of the runs (interrupt again to abort)");
        let began = Instant::now();
        while began.elapsed() < LONGEST
            && signals.pending().next().is_none()
            && !interrupt.at_once.load(Ordering::SeqCst)
        {
            std::thread::sleep(Duration::from_millis(50));
        }
        // Saved, or out of time; the command that saved may still print a message.
        if interrupt.at_once.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_secs(5));
        }
        end();
    }

    /// The same with flags alone; a file that is being written stays behind under its temporary name.
    fn without_thread(ends: &[i32], interrupt: &Interrupt) {
        for &signal in ends {
            let code = i32::from(code(INTERRUPTED));
            let _ = flag::register_conditional_shutdown(signal, code, Arc::clone(&interrupt.at_once));
            let _ = flag::register_conditional_shutdown(signal, code, Arc::clone(&interrupt.stop));
            let _: Result<_, _> = flag::register(signal, Arc::<AtomicBool>::clone(&interrupt.stop));
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn ignored_signals_are_read_from_proc() {
            let status = "SigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\nSigCgt:\t0000000000000002\n";
            assert_eq!(ignored(status) & (1 << (SIGHUP - 1)), 1);
            assert_eq!(ignored(status) & (1 << (SIGINT - 1)), 0);
            assert_eq!(ignored(""), 0);
        }
    }
}
