//! Standard output: data for people and for pipes; standard error: everything else.
//!
//! Whoever reads may stop reading (`| head`): then the program ends in good order instead of panicking as `println!` does.

use std::ffi::OsString;
use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

use crate::failure::Failure;

/// `eprintln!` that does not mind if nobody reads: what is said there is no result.
macro_rules! errln {
    ($($text:tt)*) => { $crate::stdout::say(format_args!($($text)*)) };
}

/// Writes a line to standard error; what it quotes does nothing to a terminal.
pub(crate) fn say(text: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{}", crate::text::shown(&text.to_string()));
}

/// Writes to standard output; ends the program with code 0 if nobody reads any more, with 3 if it cannot be written.
pub(crate) fn put(text: fmt::Arguments<'_>) {
    let mut out = io::stdout().lock();
    if let Err(error) = out.write_fmt(text).and_then(|()| out.flush()) {
        if error.kind() == io::ErrorKind::BrokenPipe {
            std::process::exit(0);
        }
        let failure = Failure::file(Path::new("standard output"), &error);
        errln!("error: {}", failure.message);
        errln!("help: {}", failure.remedy.unwrap_or_default());
        std::process::exit(i32::from(crate::failure::code(failure.kind)));
    }
}

/// Whether text for people on standard output may be coloured, see [`dressed`].
pub(crate) fn colour() -> bool {
    io::stdout().is_terminal() && dressed(|name| std::env::var_os(name))
}

/// Whether bars may be drawn on standard error.
pub(crate) fn bars() -> bool {
    io::stderr().is_terminal() && !dumb(|name| std::env::var_os(name))
}

/// Whether the environment leaves a terminal its colours: not with a non-empty `NO_COLOR` (no-color.org), and not where `TERM`
/// says that it has none.
fn dressed(variable: impl Fn(&str) -> Option<OsString>) -> bool {
    variable("NO_COLOR").is_none_or(|value| value.is_empty()) && !dumb(variable)
}

/// A terminal that shows lines of text and nothing else.
fn dumb(variable: impl Fn(&str) -> Option<OsString>) -> bool {
    variable("TERM").is_some_and(|value| value == "dumb")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_colour_where_the_environment_says_so() {
        let with = |pairs: &[(&str, &str)]| {
            let pairs: Vec<(String, String)> =
                pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            dressed(move |name| pairs.iter().find(|(other, _)| other == name).map(|(_, value)| value.into()))
        };
        assert!(with(&[]) && with(&[("TERM", "xterm")]) && with(&[("NO_COLOR", "")]));
        assert!(!with(&[("TERM", "dumb")]) && !with(&[("NO_COLOR", "1"), ("TERM", "xterm")]));
    }
}
