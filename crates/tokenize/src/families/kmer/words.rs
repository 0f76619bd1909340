//! Numbers of all words of K bases, at the speed of memory.
//!
//! A word's number is its bases as digits to the base four, A 0, C 1, G 2, T 3: the alphabetical order of words. Words of 2
//! bases are made of two neighbouring digits, words of 4 of two words of 2: they are one byte. The last four bases of a word are
//! the lowest byte of its number, those before them the next one, so what is left is to put bytes side by side. The
//! instructions are chosen when the program runs (crate `pulp`); without any the same code is compiled for the plain processor.
//!
//! ```
//! use tokenize::kmer::words::{Strand, words};
//! let mut numbers: Vec<u16> = Vec::new();
//! words(b"ACGTNAC", 2, Strand::Given, &mut numbers);
//! // AC CG GT, and AC behind the N; no word holds the N.
//! assert_eq!(numbers, [1, 6, 11, 1]);
//! words(b"ACGT", 2, Strand::Canonical, &mut numbers);
//! // GT is AC on the other strand.
//! assert_eq!(numbers, [1, 6, 1]);
//! ```

use dna::letters::{self, leading_bases};

/// Most bases of a word.
pub const MOST: usize = 12;
/// Bases that are worked on at a time: they stay in the first cache.
const BLOCK: usize = 2048;

/// Which of a word and its reverse complement counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strand {
    /// The word as it stands.
    Given,
    /// The smaller number of the two, so that both strands of a text give the same numbers in reverse order.
    Canonical,
}

/// A number of a word: `u16` for K of at most 8, `u32` for all.
pub trait Number: Copy + Default + Ord + sealed::Sealed {
    /// Most bases of a word whose number fits.
    const FITS: usize;
    /// From its bytes, the lowest one first; those behind its own are 0.
    #[doc(hidden)]
    fn of(bytes: [u8; 4]) -> Self;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for u16 {}
    impl Sealed for u32 {}
}

impl Number for u16 {
    const FITS: usize = 8;
    #[inline(always)]
    fn of([low, high, ..]: [u8; 4]) -> u16 {
        u16::from_le_bytes([low, high])
    }
}

impl Number for u32 {
    const FITS: usize = MOST;
    #[inline(always)]
    fn of(bytes: [u8; 4]) -> u32 {
        u32::from_le_bytes(bytes)
    }
}

/// Numbers of all words of `k` bases, in order of their starts; `numbers` holds these and nothing else afterwards. Words with a
/// letter other than A, C, G, T are left out. A buffer that is used again is written over without being cleared first.
///
/// # Panics
/// If `k` is 0 or more than [`Number::FITS`].
pub fn words<N: Number>(bases: &[u8], k: usize, strand: Strand, numbers: &mut Vec<N>) {
    assert!((1..=N::FITS).contains(&k), "words of 1 to {} bases, not {k}", N::FITS);
    let most = (bases.len() + 1).saturating_sub(k);
    if numbers.len() < most {
        numbers.resize(most, N::default());
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
            arch.dispatch(Compose { room: &mut room, k, strand, numbers: &mut numbers[done..done + found] });
            done += found;
        }
        // Words that begin in this block and end in the next one belong to the next one.
        from += if known < block.len() { known + 1 } else { (known + 1).saturating_sub(k).max(1) };
    }
    numbers.truncate(done);
}

/// As [`words`], for text of two bits a base: four bases a byte, the first one in the highest bits, A 0, C 1, G 2, T 3. There is
/// nothing but A, C, G, T in such a text, so no word is left out.
///
/// ```
/// use tokenize::kmer::words::{Strand, packed};
/// let mut numbers: Vec<u16> = Vec::new();
/// packed(&[0b00_01_10_11, 0b00_00_00_00], 5, 2, Strand::Given, &mut numbers);
/// // AC CG GT TA
/// assert_eq!(numbers, [1, 6, 11, 12]);
/// ```
///
/// # Panics
/// If `k` is 0 or more than [`Number::FITS`], or if `bytes` holds fewer than `bases` bases.
pub fn packed<N: Number>(bytes: &[u8], bases: usize, k: usize, strand: Strand, numbers: &mut Vec<N>) {
    assert!((1..=N::FITS).contains(&k), "words of 1 to {} bases, not {k}", N::FITS);
    assert!(bases <= 4 * bytes.len(), "{} bytes hold fewer than {bases} bases", bytes.len());
    let count = (bases + 1).saturating_sub(k);
    numbers.resize(count, N::default());
    let arch = pulp::Arch::new();
    let mut room = Room::default();
    // So many words begin in a block and end in it too; a block begins with a byte.
    for (number, chunk) in numbers.chunks_mut(BLOCK - MOST).enumerate() {
        let from = number * (BLOCK - MOST) / 4;
        for (digits, &byte) in room.ones[..BLOCK].chunks_exact_mut(4).zip(&bytes[from..]) {
            digits.copy_from_slice(&[byte >> 6, byte >> 4 & 3, byte >> 2 & 3, byte & 3]);
        }
        arch.dispatch(Compose { room: &mut room, k, strand, numbers: chunk });
    }
}

/// Words of so many bases at each place of a block: the digits of one base, or two, three or four in a byte.
type Bytes = [u8; BLOCK + 16];

/// Working space for one block.
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

/// [`Room::compose`] for whatever processor. (A closure in its place need not be compiled for the instructions it is called with.)
struct Compose<'a, N> {
    room: &'a mut Room,
    k: usize,
    strand: Strand,
    numbers: &'a mut [N],
}

impl<N: Number> pulp::WithSimd for Compose<'_, N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        self.room.compose(self.k, self.strand, self.numbers);
    }
}

impl Room {
    /// Numbers of the words that begin at the first digits.
    #[inline(always)]
    fn compose<N: Number>(&mut self, k: usize, strand: Strand, numbers: &mut [N]) {
        self.join(k, false);
        self.number(k, false, numbers);
        if strand == Strand::Canonical {
            self.ones.iter_mut().for_each(|digit| *digit ^= 3);
            self.join(k, true);
            let mut other = [N::default(); BLOCK];
            self.number(k, true, &mut other[..numbers.len()]);
            for (number, &other) in numbers.iter_mut().zip(&other) {
                *number = (*number).min(other);
            }
        }
    }

    /// Makes longer words of the digits. `reverse`: the first base is the last digit.
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

    /// Puts the bytes of each word of `k` side by side.
    #[inline(always)]
    fn number<N: Number>(&self, k: usize, reverse: bool, numbers: &mut [N]) {
        let highest = [&self.fours, &self.ones, &self.twos, &self.threes][k % 4];
        let bytes = k.div_ceil(4);
        // Where in a word the bases of a byte begin.
        let bases = |byte: usize| match (reverse, byte + 1 == bytes) {
            (true, _) => 4 * byte,
            (false, true) => 0,
            (false, false) => k - 4 * (byte + 1),
        };
        let high = &highest[bases(bytes - 1)..];
        let byte = |number: usize| &self.fours[bases(number)..];
        match bytes {
            1 => numbers.iter_mut().zip(high).for_each(|(number, &high)| *number = N::of([high, 0, 0, 0])),
            2 => numbers.iter_mut().zip(byte(0).iter().zip(high)).for_each(|(number, (&low, &high))| {
                *number = N::of([low, high, 0, 0]);
            }),
            _ => numbers
                .iter_mut()
                .zip(byte(0).iter().zip(byte(1)).zip(high))
                .for_each(|(number, ((&low, &middle), &high))| *number = N::of([low, middle, high, 0])),
        }
    }
}

/// Words of a few bases and the words of a few bases behind them as one word.
#[inline(always)]
fn join((words, bases): (&Bytes, usize), (behind, more): (&Bytes, usize), reverse: bool, whole: &mut Bytes) {
    let (left, right) = if reverse { (0, 2 * bases) } else { (2 * more, 0) };
    for ((whole, &word), &behind) in whole.iter_mut().zip(words).zip(&behind[bases..]) {
        *whole = word << left | behind << right;
    }
}
#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The obvious twin: every window, digit by digit.
    fn twin(bases: &[u8], k: usize, strand: Strand) -> Vec<u32> {
        let number = |word: &mut dyn Iterator<Item = usize>| word.fold(0, |number, digit| number * 4 + digit as u32);
        let digits: Vec<Option<usize>> = bases.iter().map(|base| b"ACGT".iter().position(|b| b == base)).collect();
        let windows = digits.windows(k).filter_map(|window| window.iter().copied().collect::<Option<Vec<usize>>>());
        windows
            .map(|word| {
                let given = number(&mut word.iter().copied());
                let other = number(&mut word.iter().rev().map(|digit| 3 - digit));
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
        for k in 1..=MOST {
            for strand in [Strand::Given, Strand::Canonical] {
                let expected = twin(bases, k, strand);
                let mut wide: Vec<u32> = vec![7];
                words(bases, k, strand, &mut wide);
                assert_eq!(wide, expected, "{k} {strand:?} {}", bases.len());
                if k <= u16::FITS {
                    let mut narrow: Vec<u16> = Vec::new();
                    words(bases, k, strand, &mut narrow);
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
    fn packed_text_has_the_same_words() {
        let text = random(2 * BLOCK + 77, 9);
        let code = |base: &u8| b"ACGT".iter().position(|b| b == base).unwrap_or(0) as u8;
        let bytes: Vec<u8> = text
            .chunks(4)
            .map(|four| four.iter().enumerate().fold(0, |byte, (at, base)| byte | code(base) << (6 - 2 * at)))
            .collect();
        for length in [0, 1, 5, 12, 13, BLOCK - 12, BLOCK - 11, BLOCK, BLOCK + 1, 2 * BLOCK + 77] {
            for k in 1..=MOST {
                for strand in [Strand::Given, Strand::Canonical] {
                    let (mut plain, mut found): (Vec<u32>, Vec<u32>) = (Vec::new(), vec![3; 9]);
                    words(&text[..length], k, strand, &mut plain);
                    packed(&bytes, length, k, strand, &mut found);
                    assert_eq!(plain, found, "{length} {k} {strand:?}");
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "words of 1 to 8 bases, not 9")]
    fn numbers_that_do_not_fit_are_refused() {
        words(b"ACGT", 9, Strand::Given, &mut Vec::<u16>::new());
    }

    proptest! {
        #[test]
        fn equals_its_twin(bases in prop::collection::vec(prop::sample::select(b"ACGTACGTACGTNa-".to_vec()), 0..300)) {
            check(&bases);
        }
    }
}
