//! A sample of files in given shares: evenly spaced pieces of each.

use std::path::PathBuf;

use dataset::Counts;

use crate::failure::{Failure, USAGE};
use crate::stdout::errln;

/// Pieces of A, C, G, T of all files, `shares[i]` of them from file i (by size without shares); at most `bases` in all, else as many as the file
/// that is used up first allows. Says what was taken of each file.
pub(super) fn take(
    files: &[PathBuf],
    shares: Option<&[f64]>,
    bases: Option<u64>,
    piece: usize,
    counts: &mut Counts,
) -> Result<Vec<Vec<u8>>, Failure> {
    if piece == 0 {
        return Err(Failure::new(
            USAGE,
            "a sample consists of pieces, and --piece-length 0 makes none",
            "give --piece-length, or leave --bases and --weights out",
        ));
    }
    let mut all = Vec::new();
    for file in files {
        let mut pieces: Vec<Vec<u8>> = Vec::new();
        let mut sequences = dataset::sequences::open(file)?;
        for record in sequences.by_ref() {
            let record = record?;
            let stretches = record.bases.split(|base| !b"ACGT".contains(base));
            pieces.extend(stretches.flat_map(|stretch| stretch.chunks(piece)).map(<[u8]>::to_vec));
        }
        *counts += *sequences.counts();
        all.push(pieces);
    }
    let held: Vec<u64> = all.iter().map(|pieces| pieces.iter().map(|piece| piece.len() as u64).sum()).collect();
    let by_size: Vec<f64> = held.iter().map(|&held| held as f64).collect();
    let wanted = wanted(&held, shares.unwrap_or(&by_size), bases);
    let mut taken = Vec::new();
    for ((file, pieces), (&held, wanted)) in files.iter().zip(all).zip(held.iter().zip(wanted)) {
        let number = (pieces.len() as f64 * (wanted / held.max(1) as f64).min(1.0)).round() as usize;
        let before = taken.len();
        taken.extend((0..number).map(|i| pieces[(2 * i + 1) * pieces.len() / (2 * number)].clone()));
        let used: usize = taken[before..].iter().map(Vec::len).sum();
        errln!("{}: {used} of {held} bases, {number} pieces", file.display());
    }
    Ok(taken)
}

/// Bases to be taken of each file that holds `held`.
fn wanted(held: &[u64], shares: &[f64], bases: Option<u64>) -> Vec<f64> {
    let sum: f64 = shares.iter().sum();
    let most =
        held.iter().zip(shares).filter(|(_, share)| **share > 0.0).map(|(&held, share)| held as f64 / share * sum);
    let most = most.fold(f64::INFINITY, f64::min);
    let total = bases.map_or(most, |bases| most.min(bases as f64));
    shares.iter().map(|share| share / sum * total).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_kept_until_a_file_is_used_up() {
        assert_eq!(wanted(&[100, 1000], &[1.0, 1.0], None), [100.0, 100.0]);
        assert_eq!(wanted(&[100, 1000], &[1.0, 3.0], None), [100.0, 300.0]);
        assert_eq!(wanted(&[100, 1000], &[1.0, 3.0], Some(40)), [10.0, 30.0]);
        assert_eq!(wanted(&[100, 1000], &[0.0, 1.0], None), [0.0, 1000.0]);
    }
}
