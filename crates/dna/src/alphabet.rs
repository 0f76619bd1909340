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

/// Number of a base: `A C G T` are 0 1 2 3, anything else is `None`.
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

/// As [`code`], for a letter that is known to be a base: no branch on what else it could be. (Another letter counts as T.)
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

/// The base on the other strand; a letter that is no base stays.
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

/// The other strand, read forwards; letters that are no base stay, so `N` stays `N`.
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
    fn codes_are_places_in_the_alphabet() {
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
