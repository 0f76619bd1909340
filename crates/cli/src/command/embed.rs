//! `tokbench embed`: hidden states of sequences.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use model::trained::{SequenceStates, Trained};
use pipeline::Builtin;

use super::fill_mask::open;
use super::vectors::{Label, Vectors};
use super::windows::{Window, each_batch};
use crate::args::{self, Level};
use crate::command::tokenizer::standard::one_standard_input;
use crate::failure::Failure;
use crate::stdout::errln;

/// Writes a row: a stretch of a record, and its vector.
type Row<'a> = dyn FnMut(Range<usize>, &[f32]) -> Result<(), Failure> + 'a;

pub(crate) fn run(builtin: &Arc<Builtin>, args: &args::Embed) -> Result<u8, Failure> {
    one_standard_input("", args.files.iter().map(PathBuf::as_path))?;
    super::vectors::apart(&args.output, args.files.iter().map(PathBuf::as_path))?;
    super::windows::check(&args.windows)?;
    let format = super::vectors::format(args.format, &args.output)?;
    let trained = open(builtin, &args.trained)?;
    let names: Vec<String> = (0..trained.config.encoder.hidden).map(|component| format!("e{component}")).collect();
    let mut vectors = Vectors::create(&args.output, format, &names, Some("embedding"), false)?;
    let write = |windows: &[Window]| write(&trained, args.pooling, windows, &mut vectors);
    let read = each_batch(&args.files, &args.windows, write)?;
    let rows = vectors.finish()?;
    errln!("{read}; {rows} rows of {} components", trained.config.encoder.hidden);
    Ok(0)
}

fn write(trained: &Trained, level: Level, windows: &[Window], vectors: &mut Vectors) -> Result<(), Failure> {
    let texts: Vec<&[u8]> = windows.iter().map(|window| window.bases.as_slice()).collect();
    for (window, states) in windows.iter().zip(trained.states(&texts)?) {
        let mut row = |range: Range<usize>, values: &[f32]| {
            vectors.add(&Label { record: &window.record, start: range.start, end: range.end, label: None }, values)
        };
        match level {
            Level::Cls => row(window.range.clone(), states.cls())?,
            Level::Mean => row(window.range.clone(), &states.mean())?,
            Level::Max => row(window.range.clone(), &states.max())?,
            Level::Tokens => tokens(window, &states, &mut row)?,
            Level::Bases => {
                let first = window.range.start;
                let own = window.inner();
                let values = states.bases(own.clone());
                for (at, values) in own.zip(values.chunks_exact(states.hidden)) {
                    row(first + at..first + at + 1, values)?;
                }
            }
        }
    }
    Ok(())
}

/// The tokens whose middle belongs to the window.
fn tokens(window: &Window, states: &SequenceStates, row: &mut Row<'_>) -> Result<(), Failure> {
    for (number, token) in states.tokens.iter().enumerate() {
        let range = window.range.start + token.start as usize..window.range.start + token.end as usize;
        if window.own.contains(&((range.start + range.end) / 2)) {
            row(range, states.token(number))?;
        }
    }
    Ok(())
}
