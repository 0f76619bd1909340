//! Vectorized conversion of DNA letters to 2-bit codes.
//!
//! The low four bits of A, C, G and T differ. One look-up in a table of sixteen entries gives the only base that a byte can be, and
//! another one the code of that base. Processors with AVX2 (x86-64-v3) look up 32 bytes at once (crate `pulp`, which makes the
//! instructions callable without `unsafe` once the processor is known to support them); other processors use scalar code.

use crate::alphabet::is_base;

/// Two bits of the ASCII code of a base: A 0, C 1, T 2, G 3. **Not** [`crate::code`], whose order is alphabetical: these take one shift
/// and no comparison. Only the byte-pair engine uses them, internally.
#[inline(always)]
#[must_use]
pub const fn ascii_bits(base: u8) -> u8 {
    base >> 1 & 3
}

/// Length of the longest prefix of a sequence that contains only A, C, G, T.
#[must_use]
pub fn leading_bases(sequence: &[u8]) -> usize {
    #[cfg(target_arch = "x86_64")]
    if let Some(simd) = *x86::SIMD {
        return x86::leading_bases(simd, sequence);
    }
    scalar::leading_bases(sequence)
}

/// Writes the alphabetical codes ([`crate::code`]) of `bases` to the first entries of `digits`.
///
/// # Panics
/// If there are fewer digits than bases.
pub fn digits(bases: &[u8], digits: &mut [u8]) {
    let digits = &mut digits[..bases.len()];
    #[cfg(target_arch = "x86_64")]
    if let Some(simd) = *x86::SIMD {
        return x86::digits(simd, bases, digits);
    }
    scalar::digits(bases, digits);
}

/// Appends the [`ascii_bits`] of bases, two in a byte: the first one times 4 plus the second one. An odd last base is stored times 4.
pub fn pairs(bases: &[u8], pairs: &mut Vec<u8>) {
    let from = pairs.len();
    pairs.resize(from + bases.len().div_ceil(2), 0);
    #[cfg(target_arch = "x86_64")]
    if let Some(simd) = *x86::SIMD {
        return x86::pairs(simd, bases, &mut pairs[from..]);
    }
    scalar::pairs(bases, &mut pairs[from..]);
}

/// Scalar code: for any processor, and for the remainder of the last vector.
mod scalar {
    use super::{ascii_bits, is_base};

    #[inline(always)]
    pub(super) fn leading_bases(sequence: &[u8]) -> usize {
        let mut known = 0;
        for chunk in sequence.chunks(64) {
            if chunk.iter().fold(true, |all, &base| all & is_base(base)) {
                known += chunk.len();
            } else {
                return known + chunk.iter().take_while(|&&base| is_base(base)).count();
            }
        }
        known
    }

    #[inline(always)]
    pub(super) fn digits(bases: &[u8], digits: &mut [u8]) {
        for (digit, &base) in digits.iter_mut().zip(bases) {
            let code = ascii_bits(base);
            *digit = code ^ code >> 1;
        }
    }

    /// Eight bases per step, in one register.
    #[inline(always)]
    pub(super) fn pairs(bases: &[u8], pairs: &mut [u8]) {
        let (eights, rest) = bases.as_chunks::<8>();
        let (fours, last) = pairs.split_at_mut(4 * eights.len());
        for (eight, four) in eights.iter().zip(fours.as_chunks_mut::<4>().0) {
            // `ascii_bits` in every byte; then both letters of a pair are combined in the even bytes, which are packed.
            let letters = u64::from_le_bytes(*eight) >> 1 & 0x0303_0303_0303_0303;
            let both = (letters << 2 | letters >> 8) & 0x000F_000F_000F_000F;
            let halves = (both | both >> 8) & 0x0000_FFFF_0000_FFFF;
            *four = ((halves | halves >> 16) as u32).to_le_bytes();
        }
        for (two, pair) in rest.chunks(2).zip(last) {
            *pair = ascii_bits(two[0]) << 2 | two.get(1).map_or(0, |&base| ascii_bits(base));
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::__m256i;
    use std::sync::LazyLock;

    use pulp::x86::V3;
    use pulp::{Simd, WithSimd, cast};

    use super::scalar;

    /// Evidence that this processor supports x86-64-v3 (including AVX2), if it does.
    pub(super) static SIMD: LazyLock<Option<V3>> = LazyLock::new(V3::try_new);

    /// Look-up table by the low four bits: the values of A, C, T, G, and `other` elsewhere.
    const fn table(other: u8, [a, c, t, g]: [u8; 4]) -> [u8; 32] {
        let mut table = [other; 32];
        let mut half = 0;
        while half < 32 {
            (table[half + 1], table[half + 3], table[half + 4], table[half + 7]) = (a, c, t, g);
            half += 16;
        }
        table
    }

    /// The only base that a byte can be. Every other byte differs from its entry: the low bits of A differ from those filled with A, and
    /// bytes above 127 give 0.
    const LETTERS: [u8; 32] = table(b'A', *b"ACTG");
    const CODES: [u8; 32] = table(0, [0, 1, 2, 3]);
    const DIGITS: [u8; 32] = table(0, [0, 1, 3, 2]);

    #[inline(always)]
    fn look_up(simd: V3, table: [u8; 32], bases: [u8; 32]) -> __m256i {
        simd.avx2._mm256_shuffle_epi8(cast(table), cast(bases))
    }

    // Each function body is the method of a type: a closure is not always compiled for the instructions with which it is called.

    pub(super) fn leading_bases(simd: V3, sequence: &[u8]) -> usize {
        struct LeadingBases<'a>(V3, &'a [u8]);

        impl LeadingBases<'_> {
            /// One bit per byte: whether it is a base.
            #[inline(always)]
            fn known(&self, bases: [u8; 32]) -> u32 {
                let same = self.0.avx2._mm256_cmpeq_epi8(look_up(self.0, LETTERS, bases), cast(bases));
                self.0.avx2._mm256_movemask_epi8(same).cast_unsigned()
            }
        }

        impl WithSimd for LeadingBases<'_> {
            type Output = usize;

            #[inline(always)]
            fn with_simd<S: Simd>(self, _: S) -> usize {
                let (chunks, rest) = self.1.as_chunks::<32>();
                for (number, &bases) in chunks.iter().enumerate() {
                    let known = self.known(bases);
                    if known != u32::MAX {
                        return 32 * number + known.trailing_ones() as usize;
                    }
                }
                match self.1.last_chunk::<32>() {
                    // Overlaps bases that were already checked.
                    Some(&last) => self.1.len() - 32 + self.known(last).trailing_ones() as usize,
                    None => scalar::leading_bases(rest),
                }
            }
        }

        Simd::vectorize(simd, LeadingBases(simd, sequence))
    }

    pub(super) fn digits(simd: V3, bases: &[u8], digits: &mut [u8]) {
        struct Digits<'a>(V3, &'a [u8], &'a mut [u8]);

        impl WithSimd for Digits<'_> {
            type Output = ();

            #[inline(always)]
            fn with_simd<S: Simd>(self, _: S) {
                let ((chunks, rest), (results, last)) = (self.1.as_chunks::<32>(), self.2.as_chunks_mut::<32>());
                for (result, &bases) in results.iter_mut().zip(chunks) {
                    *result = cast(look_up(self.0, DIGITS, bases));
                }
                scalar::digits(rest, last);
            }
        }

        Simd::vectorize(simd, Digits(simd, bases, digits));
    }

    pub(super) fn pairs(simd: V3, bases: &[u8], pairs: &mut [u8]) {
        struct Pairs<'a>(V3, &'a [u8], &'a mut [u8]);

        impl Pairs<'_> {
            /// For each pair of adjacent bases: four times the first code plus the second one, in 16 bits.
            #[inline(always)]
            fn pairs(&self, bases: &[u8; 32]) -> __m256i {
                self.0.avx2._mm256_maddubs_epi16(look_up(self.0, CODES, *bases), cast([[4u8, 1]; 16]))
            }
        }

        impl WithSimd for Pairs<'_> {
            type Output = ();

            #[inline(always)]
            fn with_simd<S: Simd>(mut self, _: S) {
                let pairs = std::mem::take(&mut self.2);
                let (chunks, rest) = self.1.as_chunks::<32>();
                let (results, last) = pairs.split_at_mut(16 * chunks.len());
                for (result, bases) in results.as_chunks_mut::<16>().0.iter_mut().zip(chunks) {
                    let pairs = self.pairs(bases);
                    // The lower bytes; packing has put eight of them into each half.
                    let bytes = self.0.avx2._mm256_packus_epi16(pairs, pairs);
                    [*result, _] = cast(self.0.avx2._mm256_permute4x64_epi64::<0b1000>(bytes));
                }
                scalar::pairs(rest, last);
            }
        }

        Simd::vectorize(simd, Pairs(simd, bases, pairs));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Every byte value at every position, in texts of up to two and a half vectors.
    #[test]
    fn only_a_c_g_t_are_bases() {
        let text: Vec<u8> = (0..80).map(|at| b"ACGT"[at * 7 % 11 % 4]).collect();
        for length in 0..=text.len() {
            assert_eq!(leading_bases(&text[..length]), length);
        }
        for byte in (0..=255).filter(|&byte| !is_base(byte)) {
            for position in 0..text.len() {
                let mut text = text.clone();
                text[position] = byte;
                assert_eq!(leading_bases(&text), position, "{byte}");
                assert_eq!(scalar::leading_bases(&text), position, "{byte}");
            }
        }
    }

    proptest! {
        #[test]
        fn vector_code_equals_scalar_code(bases in prop::collection::vec(prop::sample::select(b"ACGT".to_vec()), 0..200)) {
            let (mut found, mut expected) = (vec![9; bases.len() + 3], vec![9; bases.len() + 3]);
            digits(&bases, &mut found);
            scalar::digits(&bases, &mut expected[..bases.len()]);
            prop_assert_eq!(&found, &expected);
            let alphabetical = |base: &u8| b"ACGT".iter().position(|letter| letter == base).unwrap() as u8;
            prop_assert_eq!(&found[..bases.len()], bases.iter().map(alphabetical).collect::<Vec<_>>());
            let (mut found, mut expected) = (vec![7], vec![0; bases.len().div_ceil(2)]);
            pairs(&bases, &mut found);
            scalar::pairs(&bases, &mut expected);
            prop_assert_eq!(found[0], 7);
            prop_assert_eq!(&found[1..], &expected);
            let pair = |two: &[u8]| ascii_bits(two[0]) << 2 | two.get(1).map_or(0, |&base| ascii_bits(base));
            prop_assert_eq!(expected, bases.chunks(2).map(pair).collect::<Vec<_>>());
        }
    }
}
