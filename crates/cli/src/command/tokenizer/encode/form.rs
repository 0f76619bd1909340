//! The form that tokens have in a file: text, numbers of a NumPy array, lines of BED, rows of a Parquet file.

use std::fmt::Write as _;

use tokenize::vocabulary::{CLS, SEP};

use crate::args::TokenFormat;

/// A format, and how each id looks in it.
pub(super) struct Form {
    format: TokenFormat,
    /// [CLS] and [SEP], where they are asked for.
    frame: Option<[u32; 2]>,
    /// The ids that the world sees, by ours.
    ids: Vec<u32>,
    /// Whether they take four bytes in arrays.
    wide: bool,
    /// Their digits and a blank, by ours.
    words: Vec<Word>,
}

/// Sequences cut and formed.
#[derive(Default)]
pub(super) struct Part {
    pub(super) bytes: Vec<u8>,
    /// In place of bytes, for tables: names and our ids.
    pub(super) names: Vec<String>,
    pub(super) ids: Vec<u32>,
    /// Ids of each sequence, special ones included.
    pub(super) lengths: Vec<u64>,
    /// Tokens in all, special ids not counted.
    pub(super) tokens: u64,
}

impl Form {
    pub(super) fn new(ids: &[u32], format: TokenFormat, specials: bool) -> Form {
        Form {
            format,
            frame: specials.then_some([CLS, SEP]),
            ids: ids.to_vec(),
            wide: ids.iter().any(|&id| id > u32::from(u16::MAX)),
            words: ids.iter().map(|&id| Word::new(id)).collect(),
        }
    }

    /// The ids that the world sees, by ours.
    pub(super) fn ids(&self) -> &[u32] {
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

    /// Appends a sequence: our ids, and where each token begins and ends.
    pub(super) fn put(
        &self,
        name: &str,
        ids: impl ExactSizeIterator<Item = u32>,
        spans: impl Iterator<Item = (u32, u32)>,
        part: &mut Part,
    ) {
        let tokens = ids.len() as u64;
        part.tokens += tokens;
        part.lengths.push(tokens + if self.frame.is_some() { 2 } else { 0 });
        let [opening, closing] = self.frame.map_or([None, None], |frame| frame.map(Some));
        let bytes = &mut part.bytes;
        match self.format {
            TokenFormat::Text => {
                let from = bytes.len();
                opening.into_iter().chain(ids).chain(closing).for_each(|id| self.words[id as usize].put(bytes));
                // The line ends in place of the last blank.
                bytes.truncate(bytes.len().saturating_sub(1).max(from));
                bytes.push(b'\n');
            }
            TokenFormat::Npy => {
                let ids = opening.into_iter().chain(ids).chain(closing).map(|id| self.ids[id as usize]);
                if self.wide {
                    ids.for_each(|id| bytes.extend_from_slice(&id.to_le_bytes()));
                } else {
                    ids.for_each(|id| bytes.extend_from_slice(&(id as u16).to_le_bytes()));
                }
            }
            TokenFormat::Bed => {
                for (id, (start, end)) in ids.zip(spans) {
                    bytes.extend_from_slice(name.as_bytes());
                    bytes.push(b'\t');
                    number(start, bytes);
                    bytes.push(b'\t');
                    number(end, bytes);
                    bytes.push(b'\t');
                    self.words[id as usize].put(bytes);
                    // The line ends in place of the blank.
                    bytes.pop();
                    bytes.push(b'\n');
                }
            }
            TokenFormat::Parquet => {
                part.names.push(name.to_owned());
                part.ids.extend(opening.into_iter().chain(ids).chain(closing));
            }
        }
    }
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
fn number(mut number: u32, out: &mut Vec<u8>) {
    let mut digits = [b'0'; 10];
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
            number(value, &mut out);
            assert_eq!((word, out), (format!("{value} ").into_bytes(), value.to_string().into_bytes()));
        }
    }
}
