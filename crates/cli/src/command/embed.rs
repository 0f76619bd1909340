//! `tokbench embed`: hidden states of sequences.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use model::trained::{SequenceStates, Trained};
use pipeline::Builtin;

use super::fill_mask::open;
use super::vectors::{Label, Vectors};
use crate::args::{self, Level};
use crate::command::tokenizer::standard::one_standard_input;
use crate::failure::{Failure, USAGE};
use crate::stdout::errln;

/// Bases per batch of sequences that are read together, so that they can be grouped by length.
const BATCH: usize = 1 << 18;

/// Writes a row: a stretch of a record, and its vector.
type Row<'a> = dyn FnMut(Range<usize>, &[f32]) -> Result<(), Failure> + 'a;

/// A window of a record.
struct Window {
    record: String,
    /// Its bases in the record.
    range: Range<usize>,
    /// Those of its bases that no other window is better for.
    own: Range<usize>,
    bases: Vec<u8>,
}

pub(crate) fn run(builtin: &Arc<Builtin>, args: &args::Embed) -> Result<u8, Failure> {
    one_standard_input("", args.files.iter().map(PathBuf::as_path))?;
    super::vectors::apart(&args.output, args.files.iter().map(PathBuf::as_path))?;
    if let Some(window) = args.window.filter(|window| args.overlap >= *window) {
        let cause = format!("windows of {window} bases cannot overlap by {}", args.overlap);
        return Err(Failure::new(USAGE, cause, "use an --overlap below --window"));
    }
    let format = super::vectors::format(args.format, &args.output)?;
    let trained = open(builtin, &args.trained)?;
    let names: Vec<String> = (0..trained.config.encoder.hidden).map(|component| format!("e{component}")).collect();
    let mut vectors = Vectors::create(&args.output, format, &names, Some("embedding"), false)?;
    let (mut batch, mut bases, mut records) = (Vec::new(), 0, dataset::sequences::all(&args.files));
    for record in records.by_ref() {
        let record = record?;
        for (range, own) in windows(record.bases.len(), args.window, args.overlap) {
            bases += range.len();
            let (name, text) = (record.name.clone(), record.bases[range.clone()].to_vec());
            batch.push(Window { record: name, range, own, bases: text });
            if bases >= BATCH {
                write(&trained, args.pooling, &std::mem::take(&mut batch), &mut vectors)?;
                bases = 0;
            }
        }
    }
    write(&trained, args.pooling, &batch, &mut vectors)?;
    let rows = vectors.finish()?;
    errln!("{}; {rows} rows of {} components", records.counts(), trained.config.encoder.hidden);
    Ok(0)
}

/// The windows of a sequence: each with its bases, and with those that are farther from its edges than from those of its neighbours.
fn windows(length: usize, window: Option<usize>, overlap: usize) -> Vec<(Range<usize>, Range<usize>)> {
    let Some(window) = window.filter(|&window| window < length) else { return vec![(0..length, 0..length)] };
    let step = window - overlap;
    let mut starts: Vec<usize> =
        (0..).map(|number| number * step).take_while(|start| start + window < length).collect();
    // The last window ends with the sequence, so that none is short.
    starts.push(length - window);
    let border = |at: usize| match (at.checked_sub(1).and_then(|before| starts.get(before)), starts.get(at)) {
        (Some(before), Some(start)) => (start + before + window) / 2,
        (None, _) => 0,
        (_, None) => length,
    };
    (0..starts.len()).map(|at| (starts[at]..starts[at] + window, border(at)..border(at + 1))).collect()
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
                let own = window.own.start - first..window.own.end - first;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_cover_every_base_once() {
        for (length, window, overlap) in [(10, 4, 0), (10, 4, 2), (11, 4, 3), (3, 4, 1), (4, 4, 2), (1000, 96, 17)] {
            let windows = windows(length, Some(window), overlap);
            let mut at = 0;
            for (range, own) in &windows {
                assert!(range.len() == window.min(length) && range.start <= own.start && own.end <= range.end);
                assert_eq!(own.start, at, "{length} {window} {overlap}: {windows:?}");
                at = own.end;
            }
            assert_eq!(at, length);
        }
        assert_eq!(windows(10, None, 0), [(0..10, 0..10)]);
        // In the middle of what two windows share.
        assert_eq!(windows(10, Some(6), 2), [(0..6, 0..5), (4..10, 5..10)]);
    }
}
