//! `tokbench tokenizer decode`: lines of ids to sequences.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use tokenize::Reading;
use tokenize::Registry;
use tokenize::vocabulary::UNK;

use super::loaded::{Loaded, open};
use super::output::Output;
use super::standard::{is_standard_input, one_standard_input};
use crate::args;
use crate::failure::{Failure, invalid};
use crate::stdout::errln;

pub(crate) fn run(tokenizers: &Registry, args: &args::DecodeFile) -> Result<u8, Failure> {
    one_standard_input(&args.tokenizer, std::iter::once(args.file.as_path()))?;
    let loaded = open(tokenizers, &args.tokenizer)?;
    let failed = |error: io::Error| Failure::file(&args.file, &error);
    let input: Box<dyn BufRead> = if is_standard_input(&args.file) {
        Box::new(BufReader::new(io::stdin()))
    } else {
        Box::new(BufReader::new(File::open(&args.file).map_err(failed)?))
    };
    let mut unknown = 0u64;
    let mut output = Output::create(Path::new("-"))?;
    for (number, line) in dataset::text::lines(input).map_err(failed)?.lines().enumerate() {
        let place = || format!("{}: line {}", args.file.display(), number + 1);
        let line = line.map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => invalid(
                format!("{}: not text (UTF-8)", place()),
                "give lines of ids as \"tokbench tokenizer encode --format text\" writes them, not compressed",
            ),
            _ => failed(error),
        })?;
        let mut bases = sequence(&loaded, &line, &mut unknown)
            .map_err(|(what, remedy)| invalid(format!("{}: {what}", place()), remedy))?;
        bases.push(b'\n');
        output.write(&bases)?;
    }
    output.finish()?;
    if unknown > 0 && loaded.file.as_ref().is_some_and(|file| file.joins_unknown()) {
        errln!(
            "note: {unknown} unknown tokens may stand for several letters each, because {} merges them; each is decoded as one N",
            args.tokenizer
        );
    }
    Ok(0)
}

/// The sequence of a line of ids, or the fault of the line and its remedy. Adds the number of unknown tokens to `unknown`.
fn sequence(loaded: &Loaded, line: &str, unknown: &mut u64) -> Result<Vec<u8>, (String, &'static str)> {
    let (mut bases, mut fresh): (Vec<u8>, bool) = (Vec::new(), true);
    for word in line.split_whitespace() {
        let id = word.parse().ok().and_then(|external| internal_id(loaded, external)).ok_or_else(|| {
            let remedy = "ids are integers separated by spaces; name the tokenizer that produced them";
            (format!("invalid id {word:?} for {}", loaded.tokenizer.name()), remedy)
        })?;
        *unknown += u64::from(id == UNK);
        let spelling = spelling(loaded, id);
        match loaded.tokenizer.reading() {
            // An overlapping k-mer adds the bases that the preceding one did not spell.
            Reading::Sliding { k, stride } if spelling.len() == k => {
                if !fresh && !bases.ends_with(&spelling[..k - stride]) {
                    let remedy = "give all ids as \"tokbench tokenizer encode\" wrote them with the same tokenizer";
                    let spelled = String::from_utf8_lossy(spelling);
                    return Err((format!("{word:?} ({spelled}) does not overlap the preceding k-mer"), remedy));
                }
                bases.extend_from_slice(if fresh { spelling } else { &spelling[k - stride..] });
                fresh = false;
            }
            _ => {
                bases.extend_from_slice(spelling);
                fresh = true;
            }
        }
    }
    Ok(bases)
}

/// The internal id of an external one.
fn internal_id(loaded: &Loaded, external: u32) -> Option<u32> {
    match &loaded.file {
        Some(file) => file.own_id(external),
        None => (external < loaded.ids.len() as u32).then_some(external),
    }
}

/// The bases of an id. [UNK] is one base other than A, C, G, T; other special tokens have none.
fn spelling(loaded: &Loaded, id: u32) -> &[u8] {
    match &loaded.file {
        Some(file) => file.spelling(id),
        None if id == UNK => b"N",
        None => loaded.tokenizer.vocabulary().bases(id).unwrap_or_default(),
    }
}
