//! Signals: an interrupt (Ctrl-C, SIGTERM, SIGHUP) is heeded at any moment.
//!
//! Most commands have nothing to save: they end at once, and no half of a file stays behind. While runs are computed
//! ([`Interrupt::saving`]), the first signal asks the runs to save and end, the second one ends at once, and so does
//! [`LONGEST`] if saving takes longer: files are written so that any moment is a good one.
//!
//! A signal that was ignored when the program started stays ignored (`nohup`, jobs that a shell put into the background).
//!
//! A file that grows over the limit of its process (`ulimit -f`) is an error of that write, not the end of the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether someone asked the program to stop.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt {
    /// Set by the first signal while something is saved.
    stop: Arc<AtomicBool>,
    /// Whether a signal ends the program at once.
    at_once: Arc<AtomicBool>,
}

/// While it lives, the first signal sets the flag of [`Interrupt::stop`] in place of ending the program.
#[derive(Debug)]
pub(crate) struct Saving(Interrupt);

impl Interrupt {
    /// Listens to signals from now on. Where no thread can be started for it, they still act, but without a word.
    pub(crate) fn listen() -> Interrupt {
        let interrupt = Interrupt { stop: Arc::default(), at_once: Arc::new(AtomicBool::new(true)) };
        #[cfg(unix)]
        unix::listen(&interrupt);
        interrupt
    }

    /// Set when the program should end.
    pub(crate) fn stop(&self) -> &Arc<AtomicBool> {
        &self.stop
    }

    /// From now on there is something to save.
    pub(crate) fn saving(&self) -> Saving {
        self.at_once.store(false, Ordering::SeqCst);
        Saving(self.clone())
    }
}

impl Drop for Saving {
    fn drop(&mut self) {
        self.0.at_once.store(true, Ordering::SeqCst);
    }
}

#[cfg(unix)]
mod unix {
    use super::{Arc, AtomicBool, Interrupt, Ordering};
    use std::time::{Duration, Instant};

    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
    use signal_hook::flag;
    use signal_hook::iterator::Signals;

    use crate::failure::{INTERRUPTED, code};
    use crate::stdout::errln;

    /// The signals that end the program.
    fn ends() -> Vec<i32> {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let ignored = ignored(&status);
        [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|signal| ignored & (1 << (signal - 1)) == 0).collect()
    }

    /// Signals that this process was told to ignore, one bit each, where the system tells (Linux).
    fn ignored(status: &str) -> u64 {
        let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        line.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default()
    }

    /// How long runs may take to save what they have.
    const LONGEST: Duration = Duration::from_secs(30);

    pub(super) fn listen(interrupt: &Interrupt) {
        // Whoever does not handle this signal is killed by it; whoever does gets an error from `write`.
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
        errln!("\ninterrupted: saving what is done (once more to stop at once)");
        let began = Instant::now();
        while began.elapsed() < LONGEST
            && signals.pending().next().is_none()
            && !interrupt.at_once.load(Ordering::SeqCst)
        {
            std::thread::sleep(Duration::from_millis(50));
        }
        // Saved, or out of time; whoever saved may still have a word to say.
        if interrupt.at_once.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_secs(5));
        }
        end();
    }

    fn end() -> ! {
        experiment::files::abandon();
        std::process::exit(i32::from(code(INTERRUPTED)))
    }

    /// The same by flags alone; what is being written stays behind under its temporary name.
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
        fn ignored_signals_are_told_by_the_system() {
            let status = "SigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\nSigCgt:\t0000000000000002\n";
            assert_eq!(ignored(status) & (1 << (SIGHUP - 1)), 1);
            assert_eq!(ignored(status) & (1 << (SIGINT - 1)), 0);
            assert_eq!(ignored(""), 0);
        }
    }
}
