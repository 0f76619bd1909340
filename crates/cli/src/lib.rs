//! The command line: arguments, commands, messages, exit codes.
//!
//! Standard output carries data (tables, JSON), standard error everything else (progress, remarks, errors). Exit codes: 0 ok, 1 failed, 2 wrong usage,
//! 3 wrong or damaged data, 4 some runs failed, 130 interrupted. Every error says what is wrong and, where
//! there is a remedy, what to do:
//!
//! ```text
//! error: unknown tokenizer "kmr6"
//! help: did you mean "kmer6"? "tokbench list" shows all
//! ```
//!
//! [`args`] is the only list of flags: help, shell completions and manual pages derive from it.

pub mod args;
mod command;
mod failure;
mod folders;
mod interrupt;
mod progress;
mod stdout;
mod text;
mod threads;
mod workspace;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::ExitCode;
use std::sync::Arc;

use pipeline::Builtin;
use tokenize::families::exec;

use crate::stdout::errln;
use args::{Command, Tokbench, Tokenizer, TokenizerCommand};
use failure::Failure;
use interrupt::Interrupt;

/// Runs the program with these tokenizers, configurations and default experiment, on the arguments of this process.
#[must_use]
pub fn main(builtin: Builtin) -> ExitCode {
    let args = match Tokbench::parse_with(&builtin.tokenizers) {
        Ok(args) => args,
        Err(error) => {
            // clap prints help and version to stdout with code 0, wrong usage to stderr with code 2.
            let plain = error.render().to_string();
            let quoted = text::message(plain.trim_end());
            if error.use_stderr()
                && (quoted != plain.trim_end() || std::env::args_os().any(|arg| text::has_control_characters(&arg)))
            {
                errln!("{quoted}");
            } else {
                // Help that could not be written is a failure.
                if error.print().is_err_and(|cause| cause.kind() != std::io::ErrorKind::BrokenPipe) {
                    return ExitCode::from(failure::code(failure::DATA));
                }
            }
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match args.with_names().and_then(|args| caught(|| run(args, &Arc::new(builtin)))) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            errln!("error: {}", text::message(&failure.message));
            if let Some(remedy) = &failure.remedy {
                errln!("help: {}", text::message(remedy));
            }
            ExitCode::from(failure::code(failure.kind))
        }
    }
}

/// The failure of a tokenizer's program as an error: it unwinds, see [`exec`].
fn caught(run: impl FnOnce() -> Result<u8, Failure>) -> Result<u8, Failure> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|payload| match exec::failure(payload) {
        Ok(error) => Err(error.into()),
        Err(payload) => resume_unwind(payload),
    })
}

fn run(args: Tokbench, builtin: &Arc<Builtin>) -> Result<u8, Failure> {
    let interrupt = Interrupt::listen();
    threads::start(match &args.command {
        Command::Run(run) => run.threads,
        Command::Tokenizer(Tokenizer { command: TokenizerCommand::Encode(encode) }) => encode.threads,
        _ => None,
    });
    match args.command {
        Command::Compare(compare) => command::compare::run(builtin, &compare, &interrupt),
        Command::Plan(plan) => command::plan::run(builtin, &plan),
        Command::Run(run) => threads::within(|| command::run::run(builtin, &run, &interrupt)),
        Command::Report(report) => command::report::run(builtin, &report),
        Command::Look(look) => command::look::run(builtin, &look),
        Command::Audit(audit) => command::audit::run(builtin, &audit),
        Command::List(list) => command::list::run(builtin, &list),
        Command::Model(model) => command::model::run(builtin, &model),
        Command::FillMask(args) => threads::within(|| command::fill_mask::run(builtin, &args)),
        Command::Embed(args) => threads::within(|| command::embed::run(builtin, &args)),
        Command::Finetune(args) => threads::within(|| command::finetune::run(builtin, &args, &interrupt)),
        Command::Predict(args) => threads::within(|| command::predict::run(builtin, &args)),
        Command::Tokenizer(tokenizer) => command::tokenizer::run(&builtin.tokenizers, &tokenizer),
        Command::Completions(completions) => command::completions(&builtin.tokenizers, completions.shell),
        Command::Man(man) => command::man::run(&builtin.tokenizers, &man),
    }
}
