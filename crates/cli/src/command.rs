//! The commands, one file each. Each `run` returns the exit code.

pub(crate) mod audit;
pub(crate) mod compare;
pub(crate) mod embed;
pub(crate) mod fill_mask;
pub(crate) mod finetune;
pub(crate) mod list;
pub(crate) mod look;
pub(crate) mod man;
pub(crate) mod model;
pub(crate) mod plan;
pub(crate) mod predict;
pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod spec;
pub(crate) mod tokenizer;
mod vectors;
mod windows;

use tokenize::Registry;

use crate::args;
use crate::failure::Failure;

/// Prints a shell completion script.
pub(crate) fn completions(tokenizers: &Registry, shell: clap_complete::Shell) -> Result<u8, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut args::command(tokenizers), "tokbench", &mut script);
    crate::stdout::out!("{}", String::from_utf8_lossy(&script));
    Ok(0)
}
