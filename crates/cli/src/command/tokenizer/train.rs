//! `tokbench tokenizer train`: byte-pair encodings from sequence files.

use std::path::PathBuf;

use bpe::huggingface::{self, initial_merges};
use bpe::train::{Learned, Options, train};
use dataset::{Counts, sequences};
use tokenize::vocabulary::SPECIALS;

use super::output::Output;
use super::sample;
use super::standard::{STANDARD_INPUT, is_standard_input, one_standard_input, standard_input};
use crate::args;
use crate::failure::{Failure, USAGE, invalid};
use crate::folders;
use crate::progress;
use crate::stdout::errln;

pub(crate) fn run(args: &args::TrainTokenizer) -> Result<u8, Failure> {
    folders::apart(&args.output, args.files.iter().map(PathBuf::as_path))?;
    one_standard_input("", args.files.iter().chain(&args.continue_from).map(PathBuf::as_path))?;
    let options = options(args)?;
    if !args.weights.is_empty() && args.weights.len() != args.files.len() {
        return Err(Failure::new(
            USAGE,
            format!("{} weights for {} files", args.weights.len(), args.files.len()),
            "give one weight per file, in the same order",
        ));
    }
    // Checked before anything is read: the output can be written.
    let mut output = Output::create(&args.output)?;
    let (learned, counts) = learn(args, &options)?;
    errln!("{counts}");
    summarize(args, &learned)?;
    output.write(&huggingface::to_json(&learned))?;
    output.finish()?;
    Ok(0)
}

fn options(args: &args::TrainTokenizer) -> Result<Options, Failure> {
    let initial_merges = match &args.continue_from {
        Some(path) if is_standard_input(path) => initial_merges(&standard_input()?, STANDARD_INPUT)?,
        Some(path) => {
            let json = std::fs::read(path).map_err(|error| Failure::file(path, &error))?;
            initial_merges(&json, &path.display().to_string())?
        }
        None => Vec::new(),
    };
    Ok(Options {
        vocabulary: args.vocab_size as usize,
        min_frequency: args.min_frequency,
        max_token_length: args.max_token_length,
        chunk_length: args.piece_length,
        both_strands: args.both_strands,
        initial_merges,
    })
}

/// The vocabulary of the files, or of a sample of them, and the counts of what was read.
fn learn(args: &args::TrainTokenizer, options: &Options) -> Result<(Learned, Counts), Failure> {
    let sampled = !args.weights.is_empty() || args.bases.is_some();
    let mut counts = Counts::default();
    let sample = if sampled {
        // Without weights files are sampled in proportion to their sizes.
        let weights = if args.weights.is_empty() { None } else { Some(args.weights.as_slice()) };
        sample::take(&args.files, weights, args.bases, args.piece_length, &mut counts)?
    } else {
        Vec::new()
    };
    // One record in memory at a time; the first error ends the reading and is returned.
    let mut records = sequences::all(if sampled { &[] } else { args.files.as_slice() });
    let mut failure = None;
    let read = records.by_ref().map_while(|record| record.map_err(|error| failure = Some(error)).ok());
    let bar = progress::bar(u64::from(args.vocab_size), "{wide_bar} {pos}/{len} entries, {eta} left");
    let learned = train(sample.into_iter().chain(read.map(|record| record.bases)), options, &mut |entries| {
        bar.set_position(entries as u64);
        true
    });
    bar.finish_and_clear();
    if let Some(failure) = failure {
        return Err(failure.into());
    }
    counts += *records.counts();
    Ok((learned?, counts))
}

/// Prints what was learned.
///
/// # Errors
/// If the vocabulary is smaller than requested.
fn summarize(args: &args::TrainTokenizer, learned: &Learned) -> Result<(), Failure> {
    let entries = SPECIALS as usize + learned.tokens.len();
    if entries < args.vocab_size as usize {
        return Err(invalid(
            format!(
                "{} bases give only {entries} entries: no further pair has the minimum frequency {}",
                learned.bases, args.min_frequency
            ),
            "choose a smaller vocabulary, provide more text, or lower --min-frequency",
        ));
    }
    let longest = learned.tokens.iter().map(Vec::len).max().unwrap_or(0);
    errln!("{entries} entries learned from {} bases; the longest has {longest} bases", learned.bases);
    if longest > usize::from(u16::MAX) {
        errln!(
            "note: with tokens of more than {} bases, sequences are encoded by the tokenizers crate, which is slower; \
             --max-token-length limits them",
            u16::MAX
        );
    }
    Ok(())
}
