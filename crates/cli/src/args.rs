//! Every flag of every command, once: parsing, help, completions and manual pages derive from it. Flags of related commands
//! share a file (`args/experiment.rs`, `args/text.rs`, `args/tokenizer.rs`).

mod apply;
mod experiment;
mod model;
mod names;
mod text;
mod tokenizer;
mod values;

use std::path::PathBuf;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum, ValueHint};

use tokenize::Registry;

use crate::failure::Failure;
use names::names;

pub use apply::{
    Embed, FillMask, Finetune, LabelKind, Level, MaskUnit, PooledState, Predict, SelectionMetric, TrainedModel,
    VectorFormat, Windows,
};
pub use experiment::{Compare, ExperimentArgs, NumberFormat, Plan, Report, Run};
pub use model::{ConvertModel, ExportModel, Model, ModelCommand, TensorNames};
pub use text::{Audit, Look, TokenizerSelection};
pub use tokenizer::{
    ConvertTokenizer, DecodeFile, EncodeFiles, InspectTokenizer, TokenFormat, Tokenizer, TokenizerCommand,
    TokenizerFormat, TrainTokenizer,
};

/// Compare DNA tokenizers in front of one shared DNABERT-2 encoder.
///
/// Every tokenizer gets the same text, the same masked bases, the same encoder and paired seeds. The result is a table, figures
/// and a one-sentence conclusion in bits per masked base: the code length of the bases that the model does not see, which is
/// comparable across vocabularies.
#[derive(Debug, Parser)]
#[command(name = "tokbench", version, propagate_version = true, max_term_width = 100)]
pub struct Tokbench {
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[allow(rustdoc::broken_intra_doc_links)] // help texts show [MASK] and [CLS]
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Compare tokenizers: plan, train, score, and test the differences.
    ///
    /// With --tokenizers alone, the text is a small synthetic genome of tandem repeats: nothing is downloaded, and it takes some
    /// minutes. Finished runs are kept in the store: the same command again reuses them, and an interrupted one is resumed.
    Compare(Compare),
    /// Estimate what `compare` would cost and what it can decide: runs, time, memory, statistical power.
    ///
    /// The detectable difference is the one that a single comparison detects with power 80 %, whatever the other comparisons
    /// show: its exact sign-flip p-value is at most 0.05 divided by the number of comparisons. It is given in standard deviations
    /// of the paired differences over seeds, and in bits per base where earlier records show how much those vary.
    Plan(Plan),
    /// Execute one run of a plan, given its key. `compare` starts one such process per run.
    Run(Run),
    /// Recreate table, figures and conclusion from records. No data and no model are needed.
    Report(Report),
    /// Show how each tokenizer segments one locus, with the tokens aligned under the bases.
    Look(Look),
    /// Measure properties of tokenizers on a text and on random text. No model is needed.
    ///
    /// Bases per token, vocabulary use, token lengths, entropy, unigram bits per base, stability (on the reverse strand, after a
    /// shift, a substitution and a deletion), and whether decoding restores the text. Each number is shown beside the same number
    /// on a Markov chain of order 2 fitted to the corpus and on independent bases, because alone it means little. Where a text is
    /// too short for a vocabulary (undersampled), entropy, unigram bits, Rényi efficiency and types (distinct tokens) are
    /// underestimated, whatever the correction: the table marks them. Memory grows with the vocabulary: 5 GB for kmer12.
    Audit(Audit),
    /// List tokenizers, corpora, tasks, encoders, devices and figures.
    List(List),
    /// Train, apply, inspect and convert tokenizers. No model is needed.
    Tokenizer(Tokenizer),
    /// Published DNABERT-2 checkpoints: convert them, or export a trained model as one.
    Model(Model),
    /// Predict what stands at masked places of a sequence, with a trained model.
    ///
    /// With --unit tokens, each [MASK] is one token: its most probable tokens are printed with their probabilities. For a published checkpoint
    /// these are softmax values over all ids; for a model of tokbench over ordinary tokens, with the weights of its prior (how probable the bases of a
    /// token are under the text model of the prior).
    /// With --unit bases, each [MASK] is one base, for every tokenizer: the probabilities of A, C, G, T are proportional to those that the model
    /// gives to the span around it with that base in it. A span is one token if tokens have a fixed length, else 12 bases; at most 4 bases of a span
    /// can be masked, and masked bases outside of it are seen as N.
    FillMask(FillMask),
    /// Write hidden states of a trained model for sequences: of [CLS], pooled, per token or per base.
    ///
    /// States are those of the last layer. Sequences are batched by length (less than 5 % padding), and padding is never averaged in. In
    /// CSV, start and end are 0-based and half-open, as in BED.
    Embed(Embed),
    /// Fine-tune a trained model on a labeled table: classes, several labels, numbers, a class per base, or contacts.
    ///
    /// The best checkpoint of the validation table is kept and predicts the test table once. A fine-tuning that is interrupted is resumed by
    /// the same command. The folder has the weights (adapters merged; also alone in the form of PEFT), the tokenizer, and finetuned.json:
    /// every setting, seeds of all attempts, validation losses, metrics.
    Finetune(Finetune),
    /// Predict classes, labels, numbers, classes of bases or contacts with a fine-tuned model.
    ///
    /// One row per sequence, per base or per pair of bases (the first and the last of start to end): the predicted class, and the probability of
    /// each class, label or contact; numbers are in their own units. In CSV, start and end are 0-based and half-open, as in BED.
    Predict(Predict),
    /// Print a shell completion script.
    Completions(Completions),
    /// Write manual pages: one for the program and one for each command.
    ///
    /// Without --output all pages are printed: "tokbench man | man -l -" shows them. With --output each page is one file, such as
    /// tokbench-compare.1; "man" finds the files in ~/.local/share/man/man1.
    Man(Man),
}

/// The command line of a program with these tokenizers: the help of --tokenizers lists every family.
pub(crate) fn command(tokenizers: &Registry) -> clap::Command {
    let families: Vec<String> =
        tokenizers.families().iter().map(|kind| format!("  {}: {}", kind.pattern, kind.help)).collect();
    let families = families.join("\n");
    let with_families = |arg: clap::Arg| {
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        arg.long_help(format!("{help}\n\n{families}"))
    };
    ["compare", "plan", "look", "audit"].into_iter().fold(Tokbench::command(), |command, name| {
        command.mut_subcommand(name, |command| command.mut_arg("tokenizers", with_families))
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

    /// Splits lists of tokenizers at commas, but not inside the path of an existing file.
    ///
    /// # Errors
    /// If a name looks like a path with a comma and there is no such file.
    pub(crate) fn with_names(mut self) -> Result<Tokbench, Failure> {
        let lists = match &mut self.command {
            Command::Compare(Compare { experiment, .. }) | Command::Plan(Plan { experiment }) => {
                vec![&mut experiment.tokenizers]
            }
            Command::Report(report) => vec![&mut report.tokenizers, &mut report.controls],
            Command::Look(Look { selection, .. }) | Command::Audit(Audit { selection, .. }) => {
                vec![&mut selection.tokenizers]
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
    /// Print only this list; encoders with sizes, parameters and multiply-accumulates.
    #[arg(value_name = "WHAT", conflicts_with = "json")]
    pub what: Option<Listed>,
    /// Print the result as JSON on standard output.
    #[arg(long)]
    pub json: bool,
}

/// The lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Listed {
    /// Families of tokenizers.
    Tokenizers,
    /// Built-in corpora.
    Corpora,
    /// Built-in tasks.
    Tasks,
    /// Built-in encoders.
    Encoders,
    /// Devices of this build on this machine.
    Devices,
    /// Figures.
    Figures,
}

/// Arguments of `completions`.
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell that the script is for.
    pub shell: clap_complete::Shell,
}

/// Arguments of `man`.
#[derive(Debug, Args)]
pub struct Man {
    /// Output folder for the pages, created if needed [default: standard output].
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
