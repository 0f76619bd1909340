//! Uniform line endings for all parsers. A carriage return without a newline (classic Mac OS, files concatenated from several
//! systems) is replaced by a newline; `\r\n` is kept. Every line then has exactly one newline, so line numbers are correct.

use memchr::memchr;
use std::io::{self, BufRead, Read};

/// Reader in which every line ends with `\n` or `\r\n`.
pub(crate) struct Lines<R>(pub(crate) R);

impl<R: BufRead> Read for Lines<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let number = self.0.read(buffer)?;
        let bytes = &mut buffer[..number];
        let mut from = 0;
        while let Some(found) = memchr(b'\r', &bytes[from..]) {
            let at = from + found;
            from = at + 1;
            let newline = bytes.get(from).map_or_else(|| newline_follows(&mut self.0), |&next| next == b'\n');
            if !newline {
                bytes[at] = b'\n';
            }
        }
        Ok(number)
    }
}

/// Whether the next byte is a newline. An error is ignored: it recurs at the next read, or is kept by the reader below.
fn newline_follows(reader: &mut impl BufRead) -> bool {
    loop {
        match reader.fill_buf() {
            Ok(next) => return next.first() == Some(&b'\n'),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return false,
        }
    }
}

/// Reader over [`Lines`] in which every line ends with `\n`, including the last one, for parsers that count line endings.
pub(crate) struct Newlines<R> {
    inner: R,
    /// Whether the last byte returned was a newline.
    ended: bool,
}

impl<R> Newlines<R> {
    pub(crate) fn new(inner: R) -> Newlines<R> {
        Newlines { inner, ended: true }
    }
}

impl<R: Read> Read for Newlines<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let number = self.inner.read(buffer)?;
            if let (0, false, [first, ..]) = (number, self.ended, &mut *buffer) {
                (*first, self.ended) = (b'\n', true);
                return Ok(1);
            }
            let mut kept = 0;
            for at in 0..number {
                buffer[kept] = buffer[at];
                // Every remaining carriage return precedes a newline.
                kept += usize::from(buffer[at] != b'\r');
            }
            if kept > 0 {
                self.ended = buffer[kept - 1] == b'\n';
            }
            if kept > 0 || number == 0 {
                return Ok(kept);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::BufReader;

    #[test]
    fn lone_carriage_returns_become_newlines() {
        for (text, expected) in [
            ("", ""),
            ("\r", "\n"),
            ("\r\n", "\r\n"),
            ("\r\r\n\r", "\n\r\n\n"),
            ("a\rb\r\nc\nd\r\r", "a\nb\r\nc\nd\n\n"),
            ("\n\r", "\n\n"),
        ] {
            let mut found = String::new();
            Lines(text.as_bytes()).read_to_string(&mut found).unwrap();
            assert_eq!(found, expected, "{text:?}");
        }
    }

    proptest! {
        /// For all buffer sizes of the reader above and below.
        #[test]
        fn buffer_sizes_do_not_matter(text in "[AC\r\n]{0,60}", below in 1usize..9, above in 1usize..9) {
            let mut expected = text.clone().into_bytes();
            for at in 0..expected.len() {
                if expected[at] == b'\r' && expected.get(at + 1) != Some(&b'\n') {
                    expected[at] = b'\n';
                }
            }
            let mut lines = Lines(BufReader::with_capacity(below, text.as_bytes()));
            let (mut found, mut buffer) = (Vec::new(), vec![0; above]);
            loop {
                let number = lines.read(&mut buffer).unwrap();
                if number == 0 {
                    break;
                }
                found.extend_from_slice(&buffer[..number]);
            }
            prop_assert_eq!(&found, &expected);
            let mut newlines = Newlines::new(BufReader::with_capacity(below, found.as_slice()));
            let mut plain = Vec::new();
            loop {
                let number = newlines.read(&mut buffer).unwrap();
                if number == 0 {
                    break;
                }
                plain.extend_from_slice(&buffer[..number]);
            }
            expected.retain(|&byte| byte != b'\r');
            if expected.last().is_some_and(|&last| last != b'\n') {
                expected.push(b'\n');
            }
            prop_assert_eq!(plain, expected);
        }
    }
}
