//! `tokbench tokenizer train`.

use std::path::PathBuf;

use bpe::huggingface::{self, known};
use bpe::train::{Options, train};
use dataset::Counts;
use tokenize::vocabulary::SPECIALS;

use super::{Output, STANDARD_INPUT, is_standard_input, one_input, sample, standard_input, wrong};
use crate::args;
use crate::failure::{Failure, USAGE};
use crate::folders;
use crate::progress;
use crate::stdout::errln;

pub(crate) fn run(args: &args::TrainTokenizer) -> Result<u8, Failure> {
    folders::apart(&args.output, args.files.iter().map(PathBuf::as_path))?;
    one_input("", args.files.iter().chain(&args.continue_from).map(PathBuf::as_path))?;
    let options = Options {
        vocabulary: args.vocab_size as usize,
        min_frequency: args.min_frequency,
        max_token_length: args.max_token_length,
        piece: args.piece_length,
        both_strands: args.both_strands,
        known: match &args.continue_from {
            Some(path) if is_standard_input(path) => known(&standard_input()?, STANDARD_INPUT)?,
            Some(path) => {
                let json = std::fs::read(path).map_err(|error| Failure::file(path, &error))?;
                known(&json, &path.display().to_string())?
            }
            None => Vec::new(),
        },
    };
    if !args.weights.is_empty() && args.weights.len() != args.files.len() {
        return Err(Failure::new(
            USAGE,
            format!("{} weights for {} files", args.weights.len(), args.files.len()),
            "give one weight for each file, in their order",
        ));
    }
    let sampled = !args.weights.is_empty() || args.bases.is_some();
    // Before anything is read: can it be written?
    let mut output = Output::create(&args.output)?;
    let mut counts = Counts::default();
    let sample = if sampled {
        // Without weights all files are sampled alike.
        let shares = if args.weights.is_empty() { None } else { Some(args.weights.as_slice()) };
        sample::take(&args.files, shares, args.bases, args.piece_length, &mut counts)?
    } else {
        Vec::new()
    };
    let mut failure = None;
    let mut files = args.files.iter().take(if sampled { 0 } else { usize::MAX });
    let mut open: Option<dataset::sequences::Sequences> = None;
    // One record in memory at a time; the first error ends the reading and is told.
    let records = std::iter::from_fn(|| {
        loop {
            let Some(sequences) = &mut open else {
                match dataset::sequences::open(files.next()?) {
                    Ok(sequences) => open = Some(sequences),
                    Err(error) => {
                        failure = Some(error.into());
                        return None;
                    }
                }
                continue;
            };
            match sequences.next() {
                Some(Ok(record)) => return Some(record.bases),
                Some(Err(error)) => {
                    failure = Some(error.into());
                    return None;
                }
                None => {
                    counts += *sequences.counts();
                    open = None;
                }
            }
        }
    });
    let bar = progress::bar(u64::from(args.vocab_size), "{wide_bar} {pos}/{len} entries, {eta} left");
    let records = sample.into_iter().chain(records);
    let learned = train(records, &options, &mut |entries| {
        bar.set_position(entries as u64);
        true
    });
    bar.finish_and_clear();
    if let Some(failure) = failure {
        return Err(failure);
    }
    let learned = learned?;
    errln!("{counts}");
    let entries = SPECIALS as usize + learned.tokens.len();
    if entries < args.vocab_size as usize {
        return Err(wrong(
            format!(
                "{} bases give only {entries} entries: no further pair stands at {} places",
                learned.bases, args.min_frequency
            ),
            "ask for a smaller vocabulary, give more text, or lower --min-frequency",
        ));
    }
    let longest = learned.tokens.iter().map(Vec::len).max().unwrap_or(0);
    errln!("{entries} entries learned from {} bases; the longest has {longest} bases", learned.bases);
    if longest > usize::from(u16::MAX) {
        errln!(
            "note: with tokens of more than {} bases encoding is left to the tokenizers crate, which is slower; \
             --max-token-length bounds them",
            u16::MAX
        );
    }
    output.write(&huggingface::to_json(&learned))?;
    output.finish()?;
    Ok(0)
}
