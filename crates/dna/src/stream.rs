//! Named random streams: every random number of the project comes from `stream(seed, name)`.
//!
//! A stream is determined by the seed of the run and by its purpose, never by how many numbers other parts have drawn. Two tokenizers
//! that need different amounts of randomness therefore get the same windows and the same masked spans.
//!
//! ```
//! use rand::Rng;
//! let a = dna::stream(7, "windows").next_u64();
//! let b = dna::stream(7, "spans").next_u64();
//! assert_eq!(a, dna::stream(7, "windows").next_u64());
//! assert_ne!(a, b);
//! ```

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The random stream of `name` under `seed`: ChaCha8 keyed by BLAKE3 of the seed (8 bytes, little endian) and the name.
#[must_use]
pub fn stream(seed: u64, name: &str) -> ChaCha8Rng {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes());
    hasher.update(name.as_bytes());
    ChaCha8Rng::from_seed(*hasher.finalize().as_bytes())
}

/// Shuffles `items` (Fisher-Yates). Implemented here so that the order does not depend on the version of `rand`.
pub fn shuffle<T>(items: &mut [T], rng: &mut impl Rng) {
    for i in (1..items.len()).rev() {
        items.swap(i, rng.random_range(0..=i));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_numbers_never_change() {
        // Records are compared across machines and versions: if this changes, increase PROTOCOL.
        let mut numbers = stream(0, "windows");
        assert_eq!((numbers.next_u64(), numbers.next_u64()), FIRST);
    }

    const FIRST: (u64, u64) = (8_541_168_653_420_616_453, 9_417_760_091_890_661_526);

    #[test]
    fn seed_and_name_both_matter() {
        let first = |seed, name| stream(seed, name).next_u64();
        assert_eq!(first(1, "a"), first(1, "a"));
        assert_ne!(first(1, "a"), first(2, "a"));
        assert_ne!(first(1, "a"), first(1, "b"));
    }

    #[test]
    fn a_shuffle_never_changes_and_is_a_permutation() {
        let mut items = [0, 1, 2, 3, 4, 5, 6, 7];
        shuffle(&mut items, &mut stream(0, "order"));
        assert_eq!(items, ORDER);
        items.sort_unstable();
        assert_eq!(items, [0, 1, 2, 3, 4, 5, 6, 7]);
    }

    const ORDER: [i32; 8] = [4, 6, 7, 0, 2, 1, 5, 3];
}
