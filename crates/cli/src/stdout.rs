//! Standard output: data for people and for pipes; standard error: everything else.
//!
//! A reader may close the pipe (`| head`): then the program ends with code 0 instead of panicking as `println!` does.

use std::ffi::OsString;
use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

use crate::failure::Failure;

/// `eprintln!` that ignores write errors: messages are not results.
macro_rules! errln {
    ($($text:tt)*) => { $crate::stdout::message(format_args!($($text)*)) };
}

/// Writes a line to standard error, with control characters escaped.
pub(crate) fn message(text: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{}", crate::text::escaped(&text.to_string()));
}

/// Writes to standard output; ends the program with code 0 if the pipe is closed, and with 3 if writing fails otherwise.
pub(crate) fn write(text: fmt::Arguments<'_>) {
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

/// Whether text on standard output may have colors, see [`allows_color`].
pub(crate) fn color() -> bool {
    io::stdout().is_terminal() && allows_color(|name| std::env::var_os(name))
}

/// Whether progress bars may be drawn on standard error.
pub(crate) fn bars() -> bool {
    io::stderr().is_terminal() && !is_dumb(|name| std::env::var_os(name))
}

/// Whether the environment allows colors: not with a non-empty `NO_COLOR` (no-color.org), and not on a dumb terminal.
fn allows_color(variable: impl Fn(&str) -> Option<OsString>) -> bool {
    variable("NO_COLOR").is_none_or(|value| value.is_empty()) && !is_dumb(variable)
}

/// Whether `TERM` names a terminal without colors and cursor movement.
fn is_dumb(variable: impl Fn(&str) -> Option<OsString>) -> bool {
    variable("TERM").is_some_and(|value| value == "dumb")
}

/// `print!` for data.
macro_rules! out {
    ($($text:tt)*) => { $crate::stdout::write(format_args!($($text)*)) };
}

/// `println!` for data.
macro_rules! outln {
    ($($text:tt)*) => { $crate::stdout::write(format_args!("{}\n", format_args!($($text)*))) };
}

pub(crate) use {errln, out, outln};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_can_turn_colors_off() {
        let with = |pairs: &[(&str, &str)]| {
            let pairs: Vec<(String, String)> =
                pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            allows_color(move |name| pairs.iter().find(|(other, _)| other == name).map(|(_, value)| value.into()))
        };
        assert!(with(&[]) && with(&[("TERM", "xterm")]) && with(&[("NO_COLOR", "")]));
        assert!(!with(&[("TERM", "dumb")]) && !with(&[("NO_COLOR", "1"), ("TERM", "xterm")]));
    }
}
