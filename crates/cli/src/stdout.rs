//! Standard output: data for people and for pipes; standard error: everything else.
//!
//! Whoever reads may stop reading (`| head`): then the program ends in good order instead of panicking as `println!` does.

use std::fmt;
use std::io::{self, Write};

/// `eprintln!` that does not mind if nobody reads: what is said there is no result.
macro_rules! errln {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), $($text)*);
    }};
}

/// Writes to standard output; ends the program with code 0 if nobody reads any more, with 1 if it cannot be written.
pub(crate) fn put(text: fmt::Arguments<'_>) {
    let mut out = io::stdout().lock();
    if let Err(error) = out.write_fmt(text).and_then(|()| out.flush()) {
        if error.kind() == io::ErrorKind::BrokenPipe {
            std::process::exit(0);
        }
        errln!("error: standard output: {error}");
        std::process::exit(1);
    }
}

/// `print!` for data.
macro_rules! out {
    ($($text:tt)*) => { $crate::stdout::put(format_args!($($text)*)) };
}

/// `println!` for data.
macro_rules! outln {
    ($($text:tt)*) => { $crate::stdout::put(format_args!("{}\n", format_args!($($text)*))) };
}

pub(crate) use {errln, out, outln};
