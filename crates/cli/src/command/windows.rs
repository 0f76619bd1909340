//! Sequences of files in windows, for commands that apply a model.

use std::ops::Range;
use std::path::PathBuf;

use crate::args;
use crate::failure::{Failure, USAGE};

/// Bases of sequences that are read together, so that they can be grouped by length.
const BATCH: usize = 1 << 18;

/// A window of a record.
pub(crate) struct Window {
    /// Name of the record.
    pub(crate) record: String,
    /// Its bases in the record.
    pub(crate) range: Range<usize>,
    /// Those of its bases that no other window is better for.
    pub(crate) own: Range<usize>,
    pub(crate) bases: Vec<u8>,
}

impl Window {
    /// The bases that no other window is better for, from its own first base.
    pub(crate) fn inner(&self) -> Range<usize> {
        self.own.start - self.range.start..self.own.end - self.range.start
    }
}

/// Refuses windows that do not advance.
pub(crate) fn check(args: &args::Windows) -> Result<(), Failure> {
    let Some(window) = args.window.filter(|window| args.overlap >= *window) else { return Ok(()) };
    let cause = format!("windows of {window} bases cannot overlap by {}", args.overlap);
    Err(Failure::new(USAGE, cause, "use an --overlap below --window"))
}

/// Gives the windows of all records of the files to `each`, many at a time. Returns what was read, for a message.
pub(crate) fn each_batch(
    files: &[PathBuf],
    args: &args::Windows,
    mut each: impl FnMut(&[Window]) -> Result<(), Failure>,
) -> Result<String, Failure> {
    let (mut batch, mut bases, mut records) = (Vec::new(), 0, dataset::sequences::all(files));
    for record in records.by_ref() {
        let record = record?;
        for (range, own) in windows(record.bases.len(), args.window, args.overlap) {
            bases += range.len();
            let (record, bases_of) = (record.name.clone(), record.bases[range.clone()].to_vec());
            batch.push(Window { record, range, own, bases: bases_of });
            if bases >= BATCH {
                each(&std::mem::take(&mut batch))?;
                bases = 0;
            }
        }
    }
    each(&batch)?;
    Ok(records.counts().to_string())
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
