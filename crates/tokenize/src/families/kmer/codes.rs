//! 2-bit codes of all k-mers of a text, at memory speed.
//!
//! The code of a k-mer is the number whose digits to base four are its bases, A 0, C 1, G 2, T 3: codes are in alphabetical order
//! of k-mers. 2-mers are combined from two adjacent digits, 4-mers from two 2-mers: they take one byte. The last four bases of a
//! k-mer are the lowest byte of its code, those before them the next one, so codes are concatenated from bytes. The instruction set
//! is selected at run time (crate `pulp`), with the same code compiled for the baseline processor as fallback.
//!
//! ```
//! use tokenize::kmer::codes::{Strand, codes};
//! let mut out: Vec<u16> = Vec::new();
//! codes(b"ACGTNAC", 2, Strand::Given, &mut out);
//! // AC CG GT, then AC after the N; no k-mer contains the N.
//! assert_eq!(out, [1, 6, 11, 1]);
//! codes(b"ACGT", 2, Strand::Canonical, &mut out);
//! // GT is the reverse complement of AC.
//! assert_eq!(out, [1, 6, 1]);
//! ```

use dna::letters::{self, leading_bases};

/// Largest k.
pub const MAX_K: usize = 12;
/// Bases per block, so that a block stays in the first-level cache.
const BLOCK: usize = 2048;

/// Whether k-mers are canonical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strand {
    /// The k-mer as given.
    Given,
    /// Canonical: the smaller code of the k-mer and its reverse complement, so that both strands of a text give the same codes in
    /// reverse order.
    Canonical,
}

/// Integer type of codes: `u16` for k of at most 8, `u32` for all.
pub trait Code: Copy + Default + Ord + sealed::Sealed {
    /// Largest k whose codes fit.
    const MAX_K: usize;
    /// From bytes, lowest first; bytes beyond its size are 0.
    #[doc(hidden)]
    fn of(bytes: [u8; 4]) -> Self;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for u16 {}
    impl Sealed for u32 {}
}

impl Code for u16 {
    const MAX_K: usize = 8;
    #[inline(always)]
    fn of([low, high, ..]: [u8; 4]) -> u16 {
        u16::from_le_bytes([low, high])
    }
}

impl Code for u32 {
    const MAX_K: usize = MAX_K;
    #[inline(always)]
    fn of(bytes: [u8; 4]) -> u32 {
        u32::from_le_bytes(bytes)
    }
}

/// Writes the codes of all k-mers of `bases`, in order of their starts, as the new content of `codes`. k-mers with a letter other than
/// A, C, G, T are omitted. A reused buffer is overwritten without being cleared first.
///
/// # Panics
/// If `k` is 0 or more than [`Code::MAX_K`].
pub fn codes<N: Code>(bases: &[u8], k: usize, strand: Strand, codes: &mut Vec<N>) {
    assert!((1..=N::MAX_K).contains(&k), "k must be from 1 to {}, not {k}", N::MAX_K);
    let most = (bases.len() + 1).saturating_sub(k);
    if codes.len() < most {
        codes.resize(most, N::default());
    }
    let arch = pulp::Arch::new();
    let mut room = Room::default();
    let (mut from, mut done) = (0, 0);
    while from < bases.len() {
        let block = &bases[from..(from + BLOCK).min(bases.len())];
        let known = leading_bases(block);
        if known >= k {
            let found = known - k + 1;
            letters::digits(&block[..known], &mut room.ones);
            arch.dispatch(Compose { room: &mut room, k, strand, codes: &mut codes[done..done + found] });
            done += found;
        }
        // k-mers that start in this block and end in the next one belong to the next one.
        from += if known < block.len() { known + 1 } else { (known + 1).saturating_sub(k).max(1) };
    }
    codes.truncate(done);
}

/// As [`codes`], for text with two bits per base: four bases per byte, the first one in the highest bits, A 0, C 1, G 2, T 3. Such
/// text contains A, C, G, T only, so no k-mer is omitted.
///
/// ```
/// use tokenize::kmer::codes::{Strand, codes_from_packed};
/// let mut codes: Vec<u16> = Vec::new();
/// codes_from_packed(&[0b00_01_10_11, 0b00_00_00_00], 5, 2, Strand::Given, &mut codes);
/// // AC CG GT TA
/// assert_eq!(codes, [1, 6, 11, 12]);
/// ```
///
/// # Panics
/// If `k` is 0 or more than [`Code::MAX_K`], or if `bytes` holds fewer than `bases` bases.
pub fn codes_from_packed<N: Code>(bytes: &[u8], bases: usize, k: usize, strand: Strand, codes: &mut Vec<N>) {
    assert!((1..=N::MAX_K).contains(&k), "k must be from 1 to {}, not {k}", N::MAX_K);
    assert!(bases <= 4 * bytes.len(), "{} bytes contain fewer than {bases} bases", bytes.len());
    let count = (bases + 1).saturating_sub(k);
    codes.resize(count, N::default());
    let arch = pulp::Arch::new();
    let mut room = Room::default();
    // This many k-mers start in a block and also end in it; a block starts at a byte.
    for (number, chunk) in codes.chunks_mut(BLOCK - MAX_K).enumerate() {
        let from = number * (BLOCK - MAX_K) / 4;
        for (digits, &byte) in room.ones[..BLOCK].chunks_exact_mut(4).zip(&bytes[from..]) {
            digits.copy_from_slice(&[byte >> 6, byte >> 4 & 3, byte >> 2 & 3, byte & 3]);
        }
        arch.dispatch(Compose { room: &mut room, k, strand, codes: chunk });
    }
}

/// k-mers at each position of a block, one byte each: of one, two, three or four bases.
type Bytes = [u8; BLOCK + 16];

/// Scratch space for one block.
struct Room {
    ones: Bytes,
    twos: Bytes,
    threes: Bytes,
    fours: Bytes,
}

impl Default for Room {
    fn default() -> Self {
        let [ones, twos, threes, fours] = [[0; BLOCK + 16]; 4];
        Room { ones, twos, threes, fours }
    }
}

/// [`Room::compose`] for any instruction set. (A closure is not always compiled for the instructions with which it is called.)
struct Compose<'a, N> {
    room: &'a mut Room,
    k: usize,
    strand: Strand,
    codes: &'a mut [N],
}

impl<N: Code> pulp::WithSimd for Compose<'_, N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        self.room.compose(self.k, self.strand, self.codes);
    }
}

impl Room {
    /// Codes of the k-mers that start at the first digits.
    #[inline(always)]
    fn compose<N: Code>(&mut self, k: usize, strand: Strand, codes: &mut [N]) {
        self.join(k, false);
        self.combine(k, false, codes);
        if strand == Strand::Canonical {
            self.ones.iter_mut().for_each(|digit| *digit ^= 3);
            self.join(k, true);
            let mut other = [N::default(); BLOCK];
            self.combine(k, true, &mut other[..codes.len()]);
            for (number, &other) in codes.iter_mut().zip(&other) {
                *number = (*number).min(other);
            }
        }
    }

    /// Combines the digits to 2-mers, 3-mers and 4-mers. `reverse`: the first base is the last digit.
    #[inline(always)]
    fn join(&mut self, k: usize, reverse: bool) {
        join((&self.ones, 1), (&self.ones, 1), reverse, &mut self.twos);
        if k % 4 == 3 {
            join((&self.twos, 2), (&self.ones, 1), reverse, &mut self.threes);
        }
        if k >= 4 {
            join((&self.twos, 2), (&self.twos, 2), reverse, &mut self.fours);
        }
    }

    /// Concatenates the bytes of each k-mer.
    #[inline(always)]
    fn combine<N: Code>(&self, k: usize, reverse: bool, codes: &mut [N]) {
        let highest = [&self.fours, &self.ones, &self.twos, &self.threes][k % 4];
        let bytes = k.div_ceil(4);
        // Offset in a k-mer of the bases of a byte.
        let bases = |byte: usize| match (reverse, byte + 1 == bytes) {
            (true, _) => 4 * byte,
            (false, true) => 0,
            (false, false) => k - 4 * (byte + 1),
        };
        let high = &highest[bases(bytes - 1)..];
        let byte = |number: usize| &self.fours[bases(number)..];
        match bytes {
            1 => codes.iter_mut().zip(high).for_each(|(number, &high)| *number = N::of([high, 0, 0, 0])),
            2 => codes.iter_mut().zip(byte(0).iter().zip(high)).for_each(|(number, (&low, &high))| {
                *number = N::of([low, high, 0, 0]);
            }),
            _ => codes
                .iter_mut()
                .zip(byte(0).iter().zip(byte(1)).zip(high))
                .for_each(|(number, ((&low, &middle), &high))| *number = N::of([low, middle, high, 0])),
        }
    }
}

/// Joins k-mers with the k-mers after them.
#[inline(always)]
fn join((first, bases): (&Bytes, usize), (behind, more): (&Bytes, usize), reverse: bool, whole: &mut Bytes) {
    let (left, right) = if reverse { (0, 2 * bases) } else { (2 * more, 0) };
    for ((whole, &first), &behind) in whole.iter_mut().zip(first).zip(&behind[bases..]) {
        *whole = first << left | behind << right;
    }
}
#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Reference implementation: every window, digit by digit.
    fn reference(bases: &[u8], k: usize, strand: Strand) -> Vec<u32> {
        let code_of = |kmer: &mut dyn Iterator<Item = usize>| kmer.fold(0, |number, digit| number * 4 + digit as u32);
        let digits: Vec<Option<usize>> = bases.iter().map(|base| b"ACGT".iter().position(|b| b == base)).collect();
        let windows = digits.windows(k).filter_map(|window| window.iter().copied().collect::<Option<Vec<usize>>>());
        windows
            .map(|kmer| {
                let given = code_of(&mut kmer.iter().copied());
                let other = code_of(&mut kmer.iter().rev().map(|digit| 3 - digit));
                if strand == Strand::Canonical { given.min(other) } else { given }
            })
            .collect()
    }

    fn random(length: usize, seed: u64) -> Vec<u8> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            b"ACGT"[(state >> 33) as usize % 4]
        };
        (0..length).map(|_| next()).collect()
    }

    fn check(bases: &[u8]) {
        for k in 1..=MAX_K {
            for strand in [Strand::Given, Strand::Canonical] {
                let expected = reference(bases, k, strand);
                let mut wide: Vec<u32> = vec![7];
                codes(bases, k, strand, &mut wide);
                assert_eq!(wide, expected, "{k} {strand:?} {}", bases.len());
                if k <= u16::MAX_K {
                    let mut narrow: Vec<u16> = Vec::new();
                    codes(bases, k, strand, &mut narrow);
                    assert!(narrow.iter().map(|&number| u32::from(number)).eq(expected));
                }
            }
        }
    }

    #[test]
    fn every_length_and_block_borders() {
        let text = random(3 * BLOCK + 50, 1);
        for length in (0..130).chain(BLOCK - 13..BLOCK + 14).chain([2 * BLOCK, 3 * BLOCK + 50]) {
            check(&text[..length]);
        }
        for place in [0, 5, BLOCK - 2, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK - 3] {
            let mut text = text[..2 * BLOCK + 20].to_vec();
            text[place] = b'N';
            check(&text);
        }
    }

    #[test]
    fn packed_text_has_the_same_codes() {
        let text = random(2 * BLOCK + 77, 9);
        let code = |base: &u8| b"ACGT".iter().position(|b| b == base).unwrap_or(0) as u8;
        let bytes: Vec<u8> = text
            .chunks(4)
            .map(|four| four.iter().enumerate().fold(0, |byte, (at, base)| byte | code(base) << (6 - 2 * at)))
            .collect();
        for length in [0, 1, 5, 12, 13, BLOCK - 12, BLOCK - 11, BLOCK, BLOCK + 1, 2 * BLOCK + 77] {
            for k in 1..=MAX_K {
                for strand in [Strand::Given, Strand::Canonical] {
                    let (mut plain, mut found): (Vec<u32>, Vec<u32>) = (Vec::new(), vec![3; 9]);
                    codes(&text[..length], k, strand, &mut plain);
                    codes_from_packed(&bytes, length, k, strand, &mut found);
                    assert_eq!(plain, found, "{length} {k} {strand:?}");
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "k must be from 1 to 8, not 9")]
    fn codes_that_do_not_fit_are_refused() {
        codes(b"ACGT", 9, Strand::Given, &mut Vec::<u16>::new());
    }

    proptest! {
        #[test]
        fn codes_equal_the_reference(bases in prop::collection::vec(prop::sample::select(b"ACGTACGTACGTNa-".to_vec()), 0..300)) {
            check(&bases);
        }
    }
}
