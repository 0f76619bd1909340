//! `tokbench tokenizer decode`.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use tokenize::Reading;
use tokenize::Registry;
use tokenize::vocabulary::UNK;

use super::{Output, Ready, is_standard_input, one_input, open, wrong};
use crate::args;
use crate::failure::Failure;
use crate::stdout::errln;

pub(crate) fn run(tokenizers: &Registry, args: &args::DecodeFile) -> Result<u8, Failure> {
    one_input(&args.tokenizer, std::iter::once(args.file.as_path()))?;
    let ready = open(tokenizers, &args.tokenizer)?;
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
            io::ErrorKind::InvalidData => wrong(
                format!("{}: not text (UTF-8)", place()),
                "give lines of ids as \"tokbench tokenizer encode --format text\" writes them, not packed",
            ),
            _ => failed(error),
        })?;
        let mut bases = sequence(&ready, &line, &mut unknown)
            .map_err(|(what, remedy)| wrong(format!("{}: {what}", place()), remedy))?;
        bases.push(b'\n');
        output.write(&bases)?;
    }
    output.finish()?;
    if unknown > 0 && ready.file.as_ref().is_some_and(|file| file.joins_unknown()) {
        errln!(
            "note: {unknown} unknown tokens may stand for several letters each, as {} joins them, and are given as one N each",
            args.tokenizer
        );
    }
    Ok(0)
}

/// The sequence of a line of ids, or what is wrong with the line and what to do; unknown tokens are counted.
fn sequence(ready: &Ready, line: &str, unknown: &mut u64) -> Result<Vec<u8>, (String, &'static str)> {
    let (mut bases, mut fresh): (Vec<u8>, bool) = (Vec::new(), true);
    for word in line.split_whitespace() {
        let id = word.parse().ok().and_then(|shown| own_id(ready, shown)).ok_or_else(|| {
            let remedy = "ids are whole numbers separated by blanks; give the tokenizer that made them";
            (format!("{word:?} is no id of {}", ready.tokenizer.name()), remedy)
        })?;
        *unknown += u64::from(id == UNK);
        let spelling = spelling(ready, id);
        match ready.tokenizer.reading() {
            // Overlapping words add what the word before them did not spell.
            Reading::Sliding { k, stride } if spelling.len() == k => {
                if !fresh && !bases.ends_with(&spelling[..k - stride]) {
                    let remedy = "give the ids as \"tokbench tokenizer encode\" wrote them, none left out, for the same tokenizer";
                    let spelled = String::from_utf8_lossy(spelling);
                    return Err((format!("{word:?} ({spelled}) does not overlap the word before it"), remedy));
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

/// Our id of one that the world sees.
fn own_id(ready: &Ready, shown: u32) -> Option<u32> {
    match &ready.file {
        Some(file) => file.own_id(shown),
        None => (shown < ready.ids.len() as u32).then_some(shown),
    }
}

/// What an id spells. [UNK] stands for one base that is none of A, C, G, T; names of special ids for none.
fn spelling(ready: &Ready, id: u32) -> &[u8] {
    match &ready.file {
        Some(file) => file.spelling(id),
        None if id == UNK => b"N",
        None => ready.tokenizer.vocabulary().bases(id).unwrap_or_default(),
    }
}
