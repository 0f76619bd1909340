//! The form that tokens have in a file: text, numbers of a NumPy array, lines of BED, rows of a Parquet file.

use std::fmt::Write as _;

use crate::args::TokenFormat;
use crate::command::tokenizer::Ids;

/// A format, and how each id looks in it.
pub(super) struct Form {
    format: TokenFormat,
    /// Ids before and behind a sequence, as the world sees them.
    frame: [Vec<u32>; 2],
    ids: Ids,
    /// Whether they take four bytes in arrays.
    wide: bool,
    /// Their digits and a blank, by ours; none where there are too many.
    words: Vec<Word>,
}

/// Most ids whose digits are kept.
const MOST_WORDS: usize = 1 << 17;

/// A sequence, or a part of a long one.
#[derive(Clone, Copy)]
pub(super) struct Piece<'a> {
    pub(super) name: &'a str,
    pub(super) bases: &'a [u8],
    /// Where it begins in its sequence.
    pub(super) from: u64,
    /// Whether its sequence begins and ends with it.
    pub(super) opens: bool,
    pub(super) closes: bool,
    pub(super) strand: Strand,
}

/// Which strand of a record a sequence is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Strand {
    /// The only one that is asked for.
    Only,
    /// The one that is in the file, of two.
    Given,
    /// Its reverse complement, of so many bases.
    Other(u64),
}

/// What stands behind the name of a record in tables where its other strand is meant.
pub(super) const OTHER_STRAND: &str = "/rc";

/// Pieces cut and formed.
#[derive(Default)]
pub(super) struct Part {
    pub(super) bytes: Vec<u8>,
    /// In place of bytes, for tables: names of the sequences that end here, and ids as the world sees them.
    pub(super) names: Vec<String>,
    pub(super) ids: Vec<u32>,
    /// Ids of each piece, special ones included, and whether its sequence ends with it.
    pub(super) lengths: Vec<(u64, bool)>,
    /// Tokens in all, special ids not counted.
    pub(super) tokens: u64,
    /// Letters that their tokens do not spell, as the file joins runs of them: ids alone do not tell how many there were.
    pub(super) joined: u64,
}

impl Form {
    /// `frame`: ids before and behind a sequence, where they are asked for.
    pub(super) fn new(ids: &Ids, format: TokenFormat, frame: Option<[Vec<u32>; 2]>) -> Form {
        let kept = if ids.len() <= MOST_WORDS { ids.len() as u32 } else { 0 };
        Form {
            format,
            frame: frame.unwrap_or_default(),
            ids: ids.clone(),
            wide: ids.most() > u32::from(u16::MAX),
            words: (0..kept).map(|id| Word::new(ids.shown(id))).collect(),
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

    /// Whether [`Form::put`] needs to know where tokens begin and end.
    pub(super) fn spans(&self) -> bool {
        self.format == TokenFormat::Bed
    }

    /// Appends a piece: our ids, and where in it each token begins and ends.
    pub(super) fn put(
        &self,
        piece: &Piece<'_>,
        ids: impl ExactSizeIterator<Item = u32>,
        spans: impl Iterator<Item = (u32, u32)>,
        part: &mut Part,
    ) {
        let tokens = ids.len() as u64;
        part.tokens += tokens;
        let [opening, closing] = &self.frame;
        let opening = if piece.opens { opening.as_slice() } else { &[] };
        let closing = if piece.closes { closing.as_slice() } else { &[] };
        part.lengths.push((tokens + (opening.len() + closing.len()) as u64, piece.closes));
        let bytes = &mut part.bytes;
        match self.format {
            TokenFormat::Text => {
                let from = bytes.len();
                opening.iter().for_each(|&id| word(id, bytes));
                ids.for_each(|id| self.word(id, bytes));
                closing.iter().for_each(|&id| word(id, bytes));
                if piece.closes {
                    // The line ends in place of the last blank.
                    bytes.truncate(bytes.len().saturating_sub(1).max(from));
                    bytes.push(b'\n');
                }
            }
            TokenFormat::Npy => {
                let ids = ids.map(|id| self.ids.shown(id));
                let ids = opening.iter().copied().chain(ids).chain(closing.iter().copied());
                if self.wide {
                    ids.for_each(|id| bytes.extend_from_slice(&id.to_le_bytes()));
                } else {
                    ids.for_each(|id| bytes.extend_from_slice(&(id as u16).to_le_bytes()));
                }
            }
            TokenFormat::Bed => self.lines(piece, ids.zip(spans), bytes),
            TokenFormat::Parquet => {
                if piece.closes {
                    let mark = if matches!(piece.strand, Strand::Other(_)) { OTHER_STRAND } else { "" };
                    part.names.push(format!("{}{mark}", piece.name));
                }
                part.ids.extend_from_slice(opening);
                part.ids.extend(ids.map(|id| self.ids.shown(id)));
                part.ids.extend_from_slice(closing);
            }
        }
    }

    /// Appends the lines of BED of a piece: our ids, and where in it each token begins and ends.
    fn lines(&self, piece: &Piece<'_>, tokens: impl Iterator<Item = (u32, (u32, u32))>, bytes: &mut Vec<u8>) {
        for (id, (start, end)) in tokens {
            let (start, end) = (piece.from + u64::from(start), piece.from + u64::from(end));
            let (start, end, strand) = match piece.strand {
                Strand::Only => (start, end, ""),
                Strand::Given => (start, end, "\t0\t+"),
                Strand::Other(length) => (length - end, length - start, "\t0\t-"),
            };
            bytes.extend_from_slice(piece.name.as_bytes());
            bytes.push(b'\t');
            number(start, bytes);
            bytes.push(b'\t');
            number(end, bytes);
            bytes.push(b'\t');
            self.word(id, bytes);
            // The line goes on in place of the blank.
            bytes.pop();
            bytes.extend_from_slice(strand.as_bytes());
            bytes.push(b'\n');
        }
    }

    /// Appends the digits of an id and a blank.
    fn word(&self, id: u32, out: &mut Vec<u8>) {
        match self.words.get(id as usize) {
            Some(word) => word.put(out),
            None => word(self.ids.shown(id), out),
        }
    }
}

/// Appends the digits of an id that the world sees, and a blank.
fn word(id: u32, out: &mut Vec<u8>) {
    number(id.into(), out);
    out.push(b' ');
}

/// The digits of an id and a blank. All bytes are copied whatever its length: that is one instruction.
#[derive(Clone, Copy)]
struct Word {
    bytes: [u8; 15],
    length: u8,
}

impl Word {
    fn new(id: u32) -> Word {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = write!(text, "{id} ");
        let mut bytes = [0; 15];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        Word { bytes, length: text.len() as u8 }
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
    fn digits() {
        for value in [0, 1, 9, 10, 99, 100, 65_535, 65_536, 999_999, 1_000_000, u32::MAX - 1, u32::MAX] {
            let (mut word, mut out) = (Vec::new(), Vec::new());
            Word::new(value).put(&mut word);
            number(value.into(), &mut out);
            assert_eq!((word, out), (format!("{value} ").into_bytes(), value.to_string().into_bytes()));
        }
    }
}
