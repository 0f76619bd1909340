//! The base policy: how input letters are mapped to `A C G T N`, and what is counted.
//!
//! | input | becomes | counted as |
//! |---|---|---|
//! | `A C G T` | itself | `bases` |
//! | lower case (soft masking) | upper case | `lower` |
//! | `U` (RNA) | `T` | `uracil` |
//! | `R Y S W K M B D H V` (IUPAC ambiguity) | `N` | `iupac` |
//! | `N` | `N` | `n` |
//! | anything else (`-`, `*`, `X`, digits, blanks) | error with file, record, line and letter | |
//!
//! A letter can be counted twice: `u` counts as `lower` and as `uracil`. Every letter counts once in `bases`.
//!
//! ```
//! let mut counts = dna::Counts::default();
//! let mut bases = Vec::new();
//! dna::policy::normalize(b"acgUN", &mut bases, &mut counts).unwrap();
//! assert_eq!(bases, b"ACGTN");
//! assert_eq!((counts.lower, counts.uracil, counts.n), (3, 1, 1));
//! ```

use std::fmt;
use std::ops::AddAssign;

use crate::alphabet::is_base;

/// Counts of input letters and of changes by the policy, in letters except for records and tables.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Counts {
    /// FASTA/FASTQ records or rows of a table.
    pub records: u64,
    /// All letters, `N` included.
    pub bases: u64,
    /// Lower-case letters converted to upper case.
    pub lower: u64,
    /// `U` read as `T`.
    pub uracil: u64,
    /// IUPAC ambiguity codes other than `N`, read as `N`.
    pub iupac: u64,
    /// `N` in the input.
    pub n: u64,
    /// Tables whose columns are separated by tabs.
    #[serde(default)]
    pub tabs: u64,
    /// Tables whose columns are separated by semicolons.
    #[serde(default)]
    pub semicolons: u64,
    /// Records with the name of an earlier record, where names are compared.
    #[serde(default)]
    pub repeated: u64,
    /// Records without a name, where names are checked.
    #[serde(default)]
    pub nameless: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.records += other.records;
        self.bases += other.bases;
        self.lower += other.lower;
        self.uracil += other.uracil;
        self.iupac += other.iupac;
        self.n += other.n;
        self.tabs += other.tabs;
        self.semicolons += other.semicolons;
        self.repeated += other.repeated;
        self.nameless += other.nameless;
    }
}

impl fmt::Display for Counts {
    /// One line; counts of zero are omitted.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.records == 1 { "record" } else { "records" };
        write!(f, "{} {plural}, {} bases", thousands(self.records), thousands(self.bases))?;
        let notes = [
            (self.lower, "lower-case letters raised"),
            (self.uracil, "U read as T"),
            (self.iupac, "IUPAC codes read as N"),
            (self.n, "N"),
            (self.repeated, "with the name of an earlier record"),
            (self.nameless, "without a name"),
        ];
        for (count, what) in notes.into_iter().filter(|(count, _)| *count > 0) {
            write!(f, "; {} {what}", thousands(count))?;
        }
        for (_, what) in [(self.tabs, "tabs"), (self.semicolons, "semicolons")].iter().filter(|(count, _)| *count > 0) {
            write!(f, "; columns separated by {what}")?;
        }
        Ok(())
    }
}

/// Formats a number with thousands separators: `4641652` as `4,641,652`.
#[must_use]
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A byte that is not a nucleotide letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidLetter {
    /// Position in the input bytes, from 0.
    pub offset: usize,
    /// The byte itself.
    pub letter: u8,
}

const REFUSED: u8 = 0;
const BASE: u8 = 1;
const URACIL: u8 = 2;
const IUPAC: u8 = 3;
const ANY: u8 = 4;

/// Kind of each upper-case byte, and the letter to which it is mapped.
const KINDS: [(u8, u8); 256] = {
    let mut table = [(REFUSED, 0); 256];
    let bases = crate::alphabet::BASES;
    let iupac = b"RYSWKMBDHV";
    let mut i = 0;
    while i < bases.len() {
        table[bases[i] as usize] = (BASE, bases[i]);
        i += 1;
    }
    i = 0;
    while i < iupac.len() {
        table[iupac[i] as usize] = (IUPAC, b'N');
        i += 1;
    }
    table[b'U' as usize] = (URACIL, b'T');
    table[b'N' as usize] = (ANY, b'N');
    table
};

/// Applies the policy to `raw`, appends the result to `bases` and updates `counts` (except `counts.records`).
///
/// # Errors
/// The first byte that is not a nucleotide letter; the letters before it have been appended.
pub fn normalize(raw: &[u8], bases: &mut Vec<u8>, counts: &mut Counts) -> Result<(), InvalidLetter> {
    bases.reserve(raw.len());
    for (number, chunk) in raw.chunks(CHUNK).enumerate() {
        // Fast path for A, C, G, T in either case, which is nearly all input; vectorized by the compiler.
        if chunk.iter().fold(true, |all, &byte| all & is_base(byte & !LOWER)) {
            bases.extend(chunk.iter().map(|&byte| byte & !LOWER));
            counts.lower += u64::from(chunk.iter().map(|&byte| (byte & LOWER) / LOWER).sum::<u8>());
            counts.bases += chunk.len() as u64;
            continue;
        }
        normalize_letters(chunk, bases, counts)
            .map_err(|invalid| InvalidLetter { offset: number * CHUNK + invalid.offset, ..invalid })?;
    }
    Ok(())
}

/// The ASCII bit that distinguishes lower case from upper case.
const LOWER: u8 = 0x20;
/// Letters per step of the fast path.
const CHUNK: usize = 64;

/// Applies the policy letter by letter.
fn normalize_letters(raw: &[u8], bases: &mut Vec<u8>, counts: &mut Counts) -> Result<(), InvalidLetter> {
    for (offset, &byte) in raw.iter().enumerate() {
        let (kind, base) = KINDS[usize::from(byte.to_ascii_uppercase())];
        match kind {
            REFUSED => return Err(InvalidLetter { offset, letter: byte }),
            URACIL => counts.uracil += 1,
            IUPAC => counts.iupac += 1,
            ANY => counts.n += 1,
            _ => {}
        }
        counts.lower += u64::from(byte.is_ascii_lowercase());
        counts.bases += 1;
        bases.push(base);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_follows_the_table() {
        for byte in 0..=255u8 {
            let (mut bases, mut counts) = (Vec::new(), Counts::default());
            let result = normalize(&[byte], &mut bases, &mut counts);
            let known = b"ACGTUNRYSWKMBDHV".contains(&byte.to_ascii_uppercase());
            assert_eq!(result.is_ok(), known, "{byte}");
            if known {
                let expected = match byte.to_ascii_uppercase() {
                    base @ (b'A' | b'C' | b'G' | b'T') => base,
                    b'U' => b'T',
                    _ => b'N',
                };
                assert_eq!(bases, [expected]);
                assert_eq!(counts.bases, 1);
            }
        }
    }

    #[test]
    fn chunks_equal_single_letters() {
        let text: Vec<u8> = b"ACGTacgt".iter().copied().cycle().take(3 * CHUNK + 5).collect();
        for place in 0..text.len() {
            for letter in [b'A', b'a', b'N', b'u', b'R', b'!', 0x01, 0xC1] {
                let mut raw = text.clone();
                raw[place] = letter;
                let (mut one, mut other) = ((vec![b'T'], Counts::default()), (vec![b'T'], Counts::default()));
                let results =
                    (normalize(&raw, &mut one.0, &mut one.1), normalize_letters(&raw, &mut other.0, &mut other.1));
                assert_eq!(results.0, results.1);
                assert_eq!(one, other);
            }
        }
    }

    #[test]
    fn zero_counts_are_omitted() {
        let mut counts = Counts { records: 1, bases: 4_641_652, ..Counts::default() };
        assert_eq!(counts.to_string(), "1 record, 4,641,652 bases");
        counts += Counts { records: 1, bases: 10, lower: 3, uracil: 1, iupac: 2, n: 4, ..Counts::default() };
        assert_eq!(
            counts.to_string(),
            "2 records, 4,641,662 bases; 3 lower-case letters raised; 1 U read as T; 2 IUPAC codes read as N; 4 N"
        );
    }
}
