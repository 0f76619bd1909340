//! Tokens in the format of a file: text, elements of a NumPy array, lines of BED, rows of a Parquet file.

use std::fmt::Write as _;

use crate::args::TokenFormat;
use crate::command::tokenizer::loaded::Ids;

/// An output format, and the external ids as they appear in it.
pub(super) struct Formatter {
    format: TokenFormat,
    /// External ids of the special tokens before and after a sequence.
    frame: [Vec<u32>; 2],
    ids: Ids,
    /// Whether an id takes four bytes in arrays, not two.
    wide: bool,
    /// The digits of each external id and a space, by internal id; empty if there are more than [`MOST_DIGITS`].
    digits: Vec<Digits>,
}

/// Maximum number of ids whose digits are kept.
const MOST_DIGITS: usize = 1 << 17;

/// A sequence, or a chunk of a long one.
#[derive(Clone, Copy)]
pub(super) struct Chunk<'a> {
    pub(super) name: &'a str,
    pub(super) bases: &'a [u8],
    /// Its first base in the sequence, 0-based.
    pub(super) start: u64,
    /// Whether it is the first and the last chunk of its sequence.
    pub(super) is_first: bool,
    pub(super) is_last: bool,
    pub(super) strand: Strand,
}

/// Which strand of a record a sequence is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Strand {
    /// The forward strand, when only this one is requested.
    Only,
    /// The forward strand, of both.
    Forward,
    /// The reverse complement, and the length of the sequence in bases.
    Reverse(u64),
}

/// Suffix of the record name of a reverse complement in tables.
pub(super) const REVERSE_SUFFIX: &str = "/rc";

/// Encoded and formatted chunks.
#[derive(Default)]
pub(super) struct Formatted {
    pub(super) bytes: Vec<u8>,
    /// Instead of bytes, for tables: names of the sequences that end here, and external ids.
    pub(super) names: Vec<String>,
    pub(super) ids: Vec<u32>,
    /// Number of ids of each chunk, special tokens included, and whether it is the last of its sequence.
    pub(super) lengths: Vec<(u64, bool)>,
    /// Total number of tokens, without special tokens.
    pub(super) tokens: u64,
    /// Number of letters that their tokens do not spell, because the tokenizer file merges runs of them: lost in the ids.
    pub(super) merged: u64,
}

impl Formatter {
    /// `frame`: external ids of the special tokens before and after a sequence, if requested.
    pub(super) fn new(ids: &Ids, format: TokenFormat, frame: Option<[Vec<u32>; 2]>) -> Formatter {
        let kept = if ids.len() <= MOST_DIGITS { ids.len() as u32 } else { 0 };
        Formatter {
            format,
            frame: frame.unwrap_or_default(),
            ids: ids.clone(),
            wide: ids.largest() > u32::from(u16::MAX),
            digits: (0..kept).map(|id| Digits::new(ids.external(id))).collect(),
        }
    }

    pub(super) fn ids(&self) -> &Ids {
        &self.ids
    }

    pub(super) fn format(&self) -> TokenFormat {
        self.format
    }

    /// Whether ids take four bytes in arrays, not two.
    pub(super) fn wide(&self) -> bool {
        self.wide
    }

    /// Whether [`Formatter::put`] needs the spans of tokens.
    pub(super) fn spans(&self) -> bool {
        self.format == TokenFormat::Bed
    }

    /// Appends a chunk: internal ids, and the span of each token in the chunk.
    pub(super) fn put(
        &self,
        chunk: &Chunk<'_>,
        ids: impl ExactSizeIterator<Item = u32>,
        spans: impl Iterator<Item = (u32, u32)>,
        formatted: &mut Formatted,
    ) {
        let tokens = ids.len() as u64;
        formatted.tokens += tokens;
        let [opening, closing] = &self.frame;
        let opening = if chunk.is_first { opening.as_slice() } else { &[] };
        let closing = if chunk.is_last { closing.as_slice() } else { &[] };
        formatted.lengths.push((tokens + (opening.len() + closing.len()) as u64, chunk.is_last));
        let bytes = &mut formatted.bytes;
        match self.format {
            TokenFormat::Text => {
                let from = bytes.len();
                opening.iter().for_each(|&id| put_id(id, bytes));
                ids.for_each(|id| self.put_id(id, bytes));
                closing.iter().for_each(|&id| put_id(id, bytes));
                if chunk.is_last {
                    // The line end replaces the last space.
                    bytes.truncate(bytes.len().saturating_sub(1).max(from));
                    bytes.push(b'\n');
                }
            }
            TokenFormat::Npy => {
                let ids = ids.map(|id| self.ids.external(id));
                let ids = opening.iter().copied().chain(ids).chain(closing.iter().copied());
                if self.wide {
                    ids.for_each(|id| bytes.extend_from_slice(&id.to_le_bytes()));
                } else {
                    ids.for_each(|id| bytes.extend_from_slice(&(id as u16).to_le_bytes()));
                }
            }
            TokenFormat::Bed => self.lines(chunk, ids.zip(spans), bytes),
            TokenFormat::Parquet => {
                if chunk.is_last {
                    let mark = if matches!(chunk.strand, Strand::Reverse(_)) { REVERSE_SUFFIX } else { "" };
                    formatted.names.push(format!("{}{mark}", chunk.name));
                }
                formatted.ids.extend_from_slice(opening);
                formatted.ids.extend(ids.map(|id| self.ids.external(id)));
                formatted.ids.extend_from_slice(closing);
            }
        }
    }

    /// Appends the BED lines of a chunk: internal ids, and the span of each token in the chunk.
    fn lines(&self, chunk: &Chunk<'_>, tokens: impl Iterator<Item = (u32, (u32, u32))>, bytes: &mut Vec<u8>) {
        for (id, (start, end)) in tokens {
            let (start, end) = (chunk.start + u64::from(start), chunk.start + u64::from(end));
            let (start, end, strand) = match chunk.strand {
                Strand::Only => (start, end, ""),
                Strand::Forward => (start, end, "\t0\t+"),
                Strand::Reverse(length) => (length - end, length - start, "\t0\t-"),
            };
            bytes.extend_from_slice(chunk.name.as_bytes());
            bytes.push(b'\t');
            number(start, bytes);
            bytes.push(b'\t');
            number(end, bytes);
            bytes.push(b'\t');
            self.put_id(id, bytes);
            // The strand or the line end replaces the space.
            bytes.pop();
            bytes.extend_from_slice(strand.as_bytes());
            bytes.push(b'\n');
        }
    }

    /// Appends the digits of an internal id's external id, and a space.
    fn put_id(&self, id: u32, out: &mut Vec<u8>) {
        match self.digits.get(id as usize) {
            Some(digits) => digits.put(out),
            None => put_id(self.ids.external(id), out),
        }
    }
}

/// Appends the digits of an external id, and a space.
fn put_id(id: u32, out: &mut Vec<u8>) {
    number(id.into(), out);
    out.push(b' ');
}

/// The digits of an id and a space. All bytes are copied whatever the length: that is a single instruction.
#[derive(Clone, Copy)]
struct Digits {
    bytes: [u8; 15],
    length: u8,
}

impl Digits {
    fn new(id: u32) -> Digits {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = write!(text, "{id} ");
        let mut bytes = [0; 15];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        Digits { bytes, length: text.len() as u8 }
    }

    #[inline(always)]
    fn put(&self, out: &mut Vec<u8>) {
        let end = out.len() + usize::from(self.length);
        out.extend_from_slice(&self.bytes);
        out.truncate(end);
    }
}

/// Appends the digits of a number.
fn number(mut number: u64, out: &mut Vec<u8>) {
    let mut digits = [b'0'; 20];
    let mut from = digits.len();
    loop {
        from -= 1;
        digits[from] += (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[from..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_of_ids_and_numbers() {
        for value in [0, 1, 9, 10, 99, 100, 65_535, 65_536, 999_999, 1_000_000, u32::MAX - 1, u32::MAX] {
            let (mut id, mut out) = (Vec::new(), Vec::new());
            Digits::new(value).put(&mut id);
            number(value.into(), &mut out);
            assert_eq!((id, out), (format!("{value} ").into_bytes(), value.to_string().into_bytes()));
        }
    }
}
