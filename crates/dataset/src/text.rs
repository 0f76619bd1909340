//! Text from users: decoding of text files as UTF-8, and escaping of user text for messages.
//!
//! ```
//! use dataset::text::{decode, excerpt};
//! assert_eq!(decode(b"\xef\xbb\xbfname = 'x'").unwrap(), "name = 'x'");
//! assert!(decode(b"\xff\xfen\0").unwrap_err().to_string().contains("UTF-16"));
//! assert_eq!(excerpt("a\x1b[31m"), "a\\u{1b}[31m");
//! ```

use crate::lines::Lines;
use std::io::{self, BufRead, BufReader};

/// UTF-8 byte order mark, written by some editors and spreadsheets.
pub const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Why bytes are not UTF-8 text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotText {
    /// UTF-16.
    #[error("the text is UTF-16, not UTF-8")]
    Utf16,
    /// Latin-1, Windows-1252 or binary data; position and value of the first invalid byte.
    #[error("line {line}: byte 0x{byte:02x} is not UTF-8")]
    Other {
        /// Line, counted from 1.
        line: usize,
        /// The byte.
        byte: u8,
    },
}

impl NotText {
    /// How to fix the file.
    #[must_use]
    pub fn remedy(&self) -> String {
        let from = if *self == NotText::Utf16 { "UTF-16" } else { "LATIN1" };
        format!("save it as UTF-8 (iconv -f {from} -t UTF-8 FILE > NEW)")
    }
}

/// Name of an unsupported format (compressed, archive, binary) detected from the first bytes, and how to convert it.
#[must_use]
pub fn unsupported_format(start: &[u8]) -> Option<(&'static str, &'static str)> {
    // Where plain text is required, gzip is not supported either.
    let gzip = start.starts_with(b"\x1f\x8b").then_some(("gzip", "unpack it: gunzip -c FILE > NEW"));
    gzip.or_else(|| crate::kind::of(start, false).map(|kind| (kind.name, kind.remedy)))
}

/// The text of a file, without a byte order mark.
///
/// # Errors
/// If it is UTF-16 or otherwise not valid UTF-8.
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

/// Wraps `reader`: skips a byte order mark, and replaces a `\r` that ends a line by `\n`.
///
/// # Errors
/// If the first bytes cannot be read.
pub fn lines(mut reader: impl BufRead) -> io::Result<impl BufRead> {
    if reader.fill_buf()?.starts_with(BYTE_ORDER_MARK) {
        reader.consume(BYTE_ORDER_MARK.len());
    }
    Ok(BufReader::new(Lines(reader)))
}

/// Maximum number of characters of an [`excerpt`].
const MAX: usize = 120;

/// User text for quoting in a message: [`printable`], truncated if it is long.
#[must_use]
pub fn excerpt(text: &str) -> String {
    match text.char_indices().nth(MAX) {
        Some((end, _)) => format!("{}... ({} characters)", printable(&text[..end]), text.chars().count()),
        None => printable(text),
    }
}

/// Text that is safe to print on a terminal: control and invisible characters are escaped (`\u{1b}`, `\n`).
#[must_use]
pub fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_control() || is_invisible(letter) {
            out.extend(letter.escape_default());
        } else {
            out.push(letter);
        }
    }
    out
}

/// Zero-width characters, and those that change the writing direction.
fn is_invisible(letter: char) -> bool {
    matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsupported_formats_are_detected() {
        assert_eq!(unsupported_format(b"\x1f\x8b\x08").unwrap().0, "gzip");
        assert_eq!(unsupported_format(b"BZh91AY").unwrap().0, "bzip2");
        assert_eq!(unsupported_format(b"\xff\xfe\0\0a\0\0\0").unwrap().0, "UTF-32 text");
        assert_eq!((unsupported_format(b"{\"version\": 1}"), unsupported_format(b"")), (None, None));
    }

    #[test]
    fn invalid_text_is_reported() {
        assert_eq!(decode("é".as_bytes()), Ok("é"));
        assert_eq!(decode(b""), Ok(""));
        assert_eq!(decode(b"\xfe\xff\0a"), Err(NotText::Utf16));
        let latin = decode(b"a\nb\nc \xe9\n").unwrap_err();
        assert_eq!(latin.to_string(), "line 3: byte 0xe9 is not UTF-8");
        assert!(latin.remedy().contains("iconv -f LATIN1"));
    }

    #[test]
    fn line_endings_are_uniform() {
        let read =
            |text: &str| -> Vec<String> { lines(text.as_bytes()).unwrap().lines().map(Result::unwrap).collect() };
        assert_eq!(read("\u{feff}a\rb\r\nc\nd\r"), ["a", "b", "c", "d"]);
        assert_eq!(read("\ra"), ["", "a"]);
    }

    #[test]
    fn excerpts_are_truncated_and_escaped() {
        assert_eq!(excerpt("chr1 é"), "chr1 é");
        assert_eq!(excerpt("\u{1b}[2J\r\n\t\u{202e}\u{9b}"), "\\u{1b}[2J\\r\\n\\t\\u{202e}\\u{9b}");
        assert_eq!(excerpt(&"é".repeat(MAX)), "é".repeat(MAX));
        assert_eq!(excerpt(&"é".repeat(MAX + 1)), "é".repeat(MAX) + "... (121 characters)");
    }
}
