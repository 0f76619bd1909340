//! Text that people wrote: bytes of a file as UTF-8, and words of a file or of an argument as they may stand in a message.
//!
//! ```
//! use dataset::text::{decode, excerpt};
//! assert_eq!(decode(b"\xef\xbb\xbfname = 'x'").unwrap(), "name = 'x'");
//! assert!(decode(b"\xff\xfen\0").unwrap_err().to_string().contains("UTF-16"));
//! assert_eq!(excerpt("a\x1b[31m"), "a\\u{1b}[31m");
//! ```

use crate::lines::Lines;
use std::io::{self, BufRead, BufReader};

/// What some editors and spreadsheets put in front of UTF-8.
pub const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Bytes that are no UTF-8 text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotText {
    /// Two bytes a letter.
    #[error("the text is UTF-16, not UTF-8")]
    Utf16,
    /// Latin-1, Windows-1252 or no text at all; line and value of the first byte that tells.
    #[error("line {line}: byte 0x{byte:02x} is not UTF-8")]
    Other {
        /// Line, counted from 1.
        line: usize,
        /// The byte.
        byte: u8,
    },
}

impl NotText {
    /// What a person can do about it.
    #[must_use]
    pub fn remedy(&self) -> String {
        let from = if *self == NotText::Utf16 { "UTF-16" } else { "LATIN1" };
        format!("save it as UTF-8 (iconv -f {from} -t UTF-8 FILE > NEW)")
    }
}

/// What a file is that is no text at all, by its first bytes, and what makes text of it: packings, archives, binary formats.
#[must_use]
pub fn foreign(start: &[u8]) -> Option<(&'static str, &'static str)> {
    // Where text is wanted, gzip is no more read than another packing.
    let gzip = start.starts_with(b"\x1f\x8b").then_some(("gzip", "unpack it: gunzip -c FILE > NEW"));
    gzip.or_else(|| crate::kind::of(start, false).map(|kind| (kind.name, kind.remedy)))
}

/// The text of a file, without a byte order mark.
///
/// # Errors
/// If it is UTF-16 or no UTF-8 for another reason.
pub fn decode(bytes: &[u8]) -> Result<&str, NotText> {
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(NotText::Utf16);
    }
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    std::str::from_utf8(bytes).map_err(|error| {
        let (before, rest) = bytes.split_at(error.valid_up_to());
        let line = 1 + before.iter().filter(|&&byte| byte == b'\n').count();
        NotText::Other { line, byte: rest.first().copied().unwrap_or_default() }
    })
}

/// The text that `reader` gives, without a byte order mark; every line ends with `\n` or `\r\n`, those too that ended with `\r`.
///
/// # Errors
/// If its beginning cannot be read.
pub fn lines(mut reader: impl BufRead) -> io::Result<impl BufRead> {
    if reader.fill_buf()?.starts_with(BYTE_ORDER_MARK) {
        reader.consume(BYTE_ORDER_MARK.len());
    }
    Ok(BufReader::new(Lines(reader)))
}

/// Characters of an [`excerpt`].
const MOST: usize = 120;

/// What is quoted in a message: [`printable`], and its beginning alone where it is long.
#[must_use]
pub fn excerpt(text: &str) -> String {
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}... ({} characters)", printable(&text[..end]), text.chars().count()),
        None => printable(text),
    }
}

/// Text that does nothing to a terminal: whatever is no letter, mark or blank is spelled (`\u{1b}`, `\n`).
#[must_use]
pub fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_control() || is_hidden(letter) {
            out.extend(letter.escape_default());
        } else {
            out.push(letter);
        }
    }
    out
}

/// Letters without width and those that turn the direction of a line.
fn is_hidden(letter: char) -> bool {
    matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_files_are_no_text() {
        assert_eq!(foreign(b"\x1f\x8b\x08").unwrap().0, "gzip");
        assert_eq!(foreign(b"BZh91AY").unwrap().0, "bzip2");
        assert_eq!(foreign(b"\xff\xfe\0\0a\0\0\0").unwrap().0, "UTF-32 text");
        assert_eq!((foreign(b"{\"version\": 1}"), foreign(b"")), (None, None));
    }

    #[test]
    fn what_is_no_text_is_named() {
        assert_eq!(decode("é".as_bytes()), Ok("é"));
        assert_eq!(decode(b""), Ok(""));
        assert_eq!(decode(b"\xfe\xff\0a"), Err(NotText::Utf16));
        let latin = decode(b"a\nb\nc \xe9\n").unwrap_err();
        assert_eq!(latin.to_string(), "line 3: byte 0xe9 is not UTF-8");
        assert!(latin.remedy().contains("iconv -f LATIN1"));
    }

    #[test]
    fn lines_end_alike() {
        let read =
            |text: &str| -> Vec<String> { lines(text.as_bytes()).unwrap().lines().map(Result::unwrap).collect() };
        assert_eq!(read("\u{feff}a\rb\r\nc\nd\r"), ["a", "b", "c", "d"]);
        assert_eq!(read("\ra"), ["", "a"]);
    }

    #[test]
    fn quotes_are_cut_and_spelled() {
        assert_eq!(excerpt("chr1 é"), "chr1 é");
        assert_eq!(excerpt("\u{1b}[2J\r\n\t\u{202e}\u{9b}"), "\\u{1b}[2J\\r\\n\\t\\u{202e}\\u{9b}");
        assert_eq!(excerpt(&"é".repeat(MOST)), "é".repeat(MOST));
        assert_eq!(excerpt(&"é".repeat(MOST + 1)), "é".repeat(MOST) + "... (121 characters)");
    }
}
