//! Single bases and both strands.

/// The four bases in the order of their [`code`].
pub const BASES: [u8; 4] = *b"ACGT";

/// Whether it is A, C, G or T.
#[inline(always)]
#[must_use]
pub const fn is_base(letter: u8) -> bool {
    matches!(letter, b'A' | b'C' | b'G' | b'T')
}

/// Whether every letter is A, C, G or T.
#[inline]
#[must_use]
pub fn is_dna(letters: &[u8]) -> bool {
    letters.iter().all(|&letter| is_base(letter))
}

/// Code of a base in alphabetical order: 0, 1, 2, 3 for A, C, G, T; `None` for any other letter.
#[inline(always)]
#[must_use]
pub const fn code(base: u8) -> Option<usize> {
    match base {
        b'A' => Some(0),
        b'C' => Some(1),
        b'G' => Some(2),
        b'T' => Some(3),
        _ => None,
    }
}

/// As [`code`], for a letter that is known to be A, C, G or T: not checked. (Any other letter gives the code of T.)
#[inline(always)]
#[must_use]
pub const fn digit(base: u8) -> u8 {
    match base {
        b'A' => 0,
        b'C' => 1,
        b'G' => 2,
        _ => 3,
    }
}

/// The complementary base; any other letter is returned unchanged.
#[inline(always)]
#[must_use]
pub const fn complement(letter: u8) -> u8 {
    match letter {
        b'A' => b'T',
        b'C' => b'G',
        b'G' => b'C',
        b'T' => b'A',
        other => other,
    }
}

/// The reverse complement; letters other than A, C, G, T are kept, so `N` stays `N`.
///
/// ```
/// assert_eq!(dna::reverse_complement(b"AACGN"), b"NCGTT");
/// ```
#[must_use]
pub fn reverse_complement(letters: &[u8]) -> Vec<u8> {
    letters.iter().rev().map(|&letter| complement(letter)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn codes_are_in_alphabetical_order() {
        for letter in 0..=255 {
            let place = BASES.iter().position(|&base| base == letter);
            assert_eq!((code(letter), is_base(letter)), (place, place.is_some()));
            assert!(place.is_none_or(|place| place == usize::from(digit(letter))));
            assert_eq!(code(complement(letter)), place.map(|place| 3 - place));
        }
    }

    proptest! {
        #[test]
        fn reverse_complement_is_its_own_inverse(bases in "[ACGTN]{0,60}") {
            let twice = reverse_complement(&reverse_complement(bases.as_bytes()));
            prop_assert_eq!(twice, bases.into_bytes());
        }
    }
}
