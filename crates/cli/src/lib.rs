//! The front door: arguments, commands, messages, exit codes.
//!
//! stdout is data (tables, JSON), stderr is talk (progress, remarks, errors). Exit codes: 0 ok, 1 failed, 2 wrong usage,
//! 3 wrong or damaged data, 4 some runs failed, 130 interrupted. Every error says what is wrong and, where there is one,
//! what to do:
//!
//! ```text
//! error: unknown tokenizer "kmr6"
//! help: did you mean "kmer6"? "tokbench list" shows all
//! ```
//!
//! [`args`] is the one list of flags: help and shell completions derive from it.

pub mod args;
mod command;
mod failure;
mod fitting;
mod folders;
mod progress;
mod resolve;
mod stdout;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Parser;

use crate::stdout::errln;
use args::{Command, Tokbench};
use failure::Failure;

/// Runs the program.
#[must_use]
pub fn main() -> ExitCode {
    let args = match Tokbench::try_parse() {
        Ok(args) => args,
        Err(error) => {
            // clap prints help and version to stdout with code 0, wrong usage to stderr with code 2.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match run(args) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            errln!("error: {}", failure.message);
            if let Some(remedy) = &failure.remedy {
                errln!("help: {remedy}");
            }
            ExitCode::from(failure.code)
        }
    }
}

fn run(args: Tokbench) -> Result<u8, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    // The first interrupt stops in good order, the second at once. Without a handler the system's default holds.
    let _ = ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::SeqCst) {
            std::process::exit(i32::from(failure::INTERRUPTED));
        }
        errln!("\ninterrupted: ending in good order (once more to stop at once)");
    });
    match args.command {
        Command::Compare(compare) => command::compare::run(&compare, &stop),
        Command::Plan(plan) => command::plan::run(&plan),
        Command::Run(run) => command::run::run(&run, &stop),
        Command::Report(report) => command::report::run(&report),
        Command::Look(look) => command::look::run(&look),
        Command::Audit(audit) => command::audit::run(&audit, &stop),
        Command::List(list) => command::list::run(&list),
        Command::Tokenizer(tokenizer) => command::tokenizer::run(&tokenizer, &stop),
        Command::Completions(completions) => command::completions(completions.shell),
    }
}
