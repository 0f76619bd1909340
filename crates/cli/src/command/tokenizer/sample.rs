//! A sample of files with given weights: evenly spaced chunks of each.

use std::path::PathBuf;

use dataset::Counts;

use crate::failure::{Failure, USAGE};
use crate::stdout::errln;

/// Chunks of at most `chunk` bases (A, C, G, T) from all files, in proportion to `weights` (to file sizes without them). Takes at
/// most `bases` bases in total, or as many as possible until one file is used up. Prints what was taken from each file.
pub(super) fn take(
    files: &[PathBuf],
    weights: Option<&[f64]>,
    bases: Option<u64>,
    chunk: usize,
    counts: &mut Counts,
) -> Result<Vec<Vec<u8>>, Failure> {
    if chunk == 0 {
        return Err(Failure::new(
            USAGE,
            "a sample consists of chunks, but --piece-length 0 means whole sequences",
            "set --piece-length, or omit --bases and --weights",
        ));
    }
    let mut all = Vec::new();
    for file in files {
        let mut chunks: Vec<Vec<u8>> = Vec::new();
        let mut sequences = dataset::sequences::open(file)?;
        for record in sequences.by_ref() {
            let record = record?;
            let segments = record.bases.split(|base| !b"ACGT".contains(base));
            chunks.extend(segments.flat_map(|segment| segment.chunks(chunk)).map(<[u8]>::to_vec));
        }
        *counts += *sequences.counts();
        all.push(chunks);
    }
    let available: Vec<u64> = all.iter().map(|chunks| chunks.iter().map(|chunk| chunk.len() as u64).sum()).collect();
    let by_size: Vec<f64> = available.iter().map(|&available| available as f64).collect();
    let wanted = wanted(&available, weights.unwrap_or(&by_size), bases);
    let mut taken = Vec::new();
    for ((file, chunks), (&available, wanted)) in files.iter().zip(all).zip(available.iter().zip(wanted)) {
        let number = (chunks.len() as f64 * (wanted / available.max(1) as f64).min(1.0)).round() as usize;
        let before = taken.len();
        taken.extend((0..number).map(|i| chunks[(2 * i + 1) * chunks.len() / (2 * number)].clone()));
        let used: usize = taken[before..].iter().map(Vec::len).sum();
        errln!("{}: {used} of {available} bases, {number} chunks", file.display());
    }
    Ok(taken)
}

/// Number of bases to take from each file, given the number it contains.
fn wanted(available: &[u64], weights: &[f64], bases: Option<u64>) -> Vec<f64> {
    let sum: f64 = weights.iter().sum();
    let most = available
        .iter()
        .zip(weights)
        .filter(|(_, weight)| **weight > 0.0)
        .map(|(&available, weight)| available as f64 / weight * sum);
    let most = most.fold(f64::INFINITY, f64::min);
    let total = bases.map_or(most, |bases| most.min(bases as f64));
    weights.iter().map(|weight| weight / sum * total).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_kept_until_a_file_is_used_up() {
        assert_eq!(wanted(&[100, 1000], &[1.0, 1.0], None), [100.0, 100.0]);
        assert_eq!(wanted(&[100, 1000], &[1.0, 3.0], None), [100.0, 300.0]);
        assert_eq!(wanted(&[100, 1000], &[1.0, 3.0], Some(40)), [10.0, 30.0]);
        assert_eq!(wanted(&[100, 1000], &[0.0, 1.0], None), [0.0, 1000.0]);
    }
}
