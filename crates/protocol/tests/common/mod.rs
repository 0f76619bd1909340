//! Text for the laws.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Text of `letters`, equally likely, with a little structure, so that merges of different lengths are learned.
pub(crate) fn text(letters: &[u8], length: usize, seed: u64) -> Vec<u8> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut out: Vec<u8> = Vec::with_capacity(length + 10);
    while out.len() < length {
        if rng.random::<f64>() < 0.1 {
            out.extend_from_slice(b"TATAAACACA");
        }
        out.push(letters[rng.random_range(0..letters.len())]);
    }
    out.truncate(length);
    out
}
