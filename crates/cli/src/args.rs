//! Every flag of every command, once: parsing, help, completions and manual pages derive from it. Those of commands that belong together are in
//! a file of their own (`args/experiment.rs`, `args/text.rs`, `args/tokenizer.rs`).

mod experiment;
mod names;
mod text;
mod tokenizer;
mod values;

use std::path::PathBuf;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueHint};

use tokenize::Registry;

use crate::failure::Failure;
use names::names;

pub use experiment::{Compare, Plan, Question, Report, Run};
pub use text::{Audit, Cutting, Look};
pub use tokenizer::{
    ConvertTokenizer, DecodeFile, EncodeFiles, InspectTokenizer, TokenFormat, Tokenizer, TokenizerCommand,
    TokenizerFormat, TrainTokenizer,
};

/// Fair comparison of DNA tokenizers in front of one shared DNABERT-2 encoder.
///
/// Every tokenizer gets the same bases, the same hidden bases, the same encoder and paired seeds. The answer is a table,
/// figures and one plain sentence, in bits per base: what the model pays for a base it cannot see, whatever the vocabulary.
#[derive(Debug, Parser)]
#[command(name = "tokbench", version, propagate_version = true, max_term_width = 100)]
pub struct Tokbench {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Compare tokenizers: plan, train, score, conclude.
    ///
    /// Without any flag but --tokenizers it compares them on a small synthetic genome whose true entropy is known: no download,
    /// some minutes. Finished runs are kept in the store; the same command again only draws the conclusions.
    Compare(Compare),
    /// Show what `compare` would do: runs, hours, memory, and what the seeds can decide.
    ///
    /// The difference that the seeds show with a chance of 80 % is one with which a given comparison is decisive whatever the
    /// other comparisons show: its exact sign-flip p is at most 0.05 divided by their number. It is in standard deviations of
    /// the paired differences over seeds, and in bits per base where earlier records tell how much those vary.
    Plan(Plan),
    /// Do one run of a plan by its key. `compare` starts one such process per run.
    Run(Run),
    /// Draw table, figures and sentence again from records, without data or model.
    Report(Report),
    /// Show one stretch of DNA as each tokenizer cuts it, aligned under its bases.
    Look(Look),
    /// Measure what tokenizers do to a text, beside what they do to random text. No model is needed.
    ///
    /// Bases per token, use of the vocabulary, lengths, entropy, unigram bits per base, stability on the other strand, after
    /// a shift, a substitution and a deletion, and whether text comes back from its tokens. Each number stands beside the
    /// same on a Markov chain of order 2 with the corpus's frequencies and on independent bases: alone it means little. Where
    /// a text shows too few of the tokens, entropy, unigram bits, Rényi efficiency and types come out too low, whatever the
    /// correction: the table marks them. Memory grows with the vocabulary: 5 GB for kmer12.
    Audit(Audit),
    /// List tokenizers, corpora, tasks, encoders, devices and figures.
    List(List),
    /// Learn tokenizers from sequence files, apply them, and look into them. No model is needed.
    Tokenizer(Tokenizer),
    /// Print a completion script for a shell.
    Completions(Completions),
    /// Write manual pages: the program's, and one of each command.
    ///
    /// Without --output all of them are printed, one after the other: "tokbench man | man -l -" shows them. In a folder each has
    /// a file of its own, such as tokbench-compare.1; "man" finds those in ~/.local/share/man/man1.
    Man(Man),
}

/// The command line of a program with these tokenizers: its help names every family.
pub(crate) fn command(tokenizers: &Registry) -> clap::Command {
    let families: Vec<String> =
        tokenizers.families().iter().map(|kind| format!("  {}: {}", kind.pattern, kind.help)).collect();
    let families = families.join("\n");
    let known = |arg: clap::Arg| {
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        arg.long_help(format!("{help}\n\n{families}"))
    };
    ["compare", "plan", "look", "audit"].into_iter().fold(Tokbench::command(), |command, name| {
        command.mut_subcommand(name, |command| command.mut_arg("tokenizers", known))
    })
}

impl Tokbench {
    /// Parses the arguments of this process.
    ///
    /// # Errors
    /// Wrong usage, and requests for help or the version.
    pub(crate) fn parse_with(tokenizers: &Registry) -> Result<Tokbench, clap::Error> {
        let mut command = command(tokenizers);
        let matches = command.try_get_matches_from_mut(std::env::args_os())?;
        Tokbench::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
    }

    /// Splits lists of tokenizers at their commas, but not inside the path of a file that is there.
    ///
    /// # Errors
    /// What may have been a path with a comma, and is not there.
    pub(crate) fn with_names(mut self) -> Result<Tokbench, Failure> {
        let lists = match &mut self.command {
            Command::Compare(Compare { question, .. }) | Command::Plan(Plan { question }) => {
                vec![&mut question.tokenizers]
            }
            Command::Report(report) => vec![&mut report.tokenizers, &mut report.controls],
            Command::Look(Look { cutting, .. }) | Command::Audit(Audit { cutting, .. }) => {
                vec![&mut cutting.tokenizers]
            }
            _ => Vec::new(),
        };
        for list in lists {
            let mut all = Vec::new();
            for text in &*list {
                all.extend(names(text)?);
            }
            *list = all;
        }
        Ok(self)
    }
}

/// Arguments of `list`.
#[derive(Debug, Args)]
pub struct List {
    /// Machine-readable answer on stdout.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `completions`.
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell.
    pub shell: clap_complete::Shell,
}

/// Arguments of `man`.
#[derive(Debug, Args)]
pub struct Man {
    /// Folder for the pages, made where there is none [default: standard output].
    #[arg(long, short, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub output: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn flags_are_consistent() {
        Tokbench::command().debug_assert();
    }
}
