//! The members of a gzip stream (RFC 1952, section 2.2), decompressed in sequence, and the bytes after the last one.
//!
//! Trailing zeros are padding (tapes and some tools fill their last block with them) and are skipped, as gzip does. Anything
//! else may be a member with a corrupt header: it is an error with the number of bytes, never ignored.

use super::flaw::Flaw;
use flate2::bufread::GzDecoder;
use std::io::{self, BufRead, Read};
use std::mem;

/// The decompressed members of a gzip stream.
pub(super) struct Members<R>(State<R>);

enum State<R> {
    Between(R),
    Inside(Box<GzDecoder<R>>),
    Ended,
}

impl<R: BufRead> Members<R> {
    /// Starts at the header of a member, or after the last one.
    pub(super) fn new(reader: R) -> Members<R> {
        Members(State::Between(reader))
    }
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            // The stream has ended after an error.
            match mem::replace(&mut self.0, State::Ended) {
                State::Between(mut reader) => {
                    if peek(&mut reader)?.first() != Some(&MAGIC) {
                        return trailing(reader).map(|()| 0);
                    }
                    self.0 = State::Inside(Box::new(GzDecoder::new(reader)));
                }
                State::Inside(mut decoder) => match decoder.read(buffer) {
                    Ok(0) => self.0 = State::Between(decoder.into_inner()),
                    Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                    result => {
                        self.0 = State::Inside(decoder);
                        return result;
                    }
                },
                State::Ended => return Ok(0),
            }
        }
    }
}

/// First byte of a member.
const MAGIC: u8 = 0x1f;

/// The buffered bytes, without consuming them.
fn peek(reader: &mut impl BufRead) -> io::Result<&[u8]> {
    // Called twice: returning from the loop would borrow the reader for its whole lifetime.
    while let Err(error) = reader.fill_buf() {
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    reader.fill_buf()
}

/// Reads to the end; only zeros are accepted.
fn trailing(mut reader: impl BufRead) -> io::Result<()> {
    let (mut bytes, mut zeros) = (0, true);
    loop {
        let next = peek(&mut reader)?;
        match next.len() {
            0 if zeros => return Ok(()),
            0 => return Err(io::Error::new(io::ErrorKind::InvalidData, Flaw::TrailingBytes { bytes })),
            length => {
                zeros &= next.iter().all(|&byte| byte == 0);
                bytes += length as u64;
                reader.consume(length);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::tests::gzip;
    use flate2::bufread::MultiGzDecoder;
    use std::io::BufReader;

    /// The bytes read before the end or the error, and the error.
    fn all(mut reader: impl Read) -> (Vec<u8>, Option<String>) {
        let mut bytes = Vec::new();
        let error = reader.read_to_end(&mut bytes).err().map(|error| error.to_string());
        (bytes, error)
    }

    #[test]
    fn members_are_decompressed_as_by_flate2() {
        let packed = [gzip(b"ACGT"), gzip(b""), gzip(&b"GATTACA".repeat(999))].concat();
        let whole = [&b"ACGT"[..], &b"GATTACA".repeat(999)].concat();
        assert_eq!(all(Members::new(packed.as_slice())), (whole, None));
        for cut in 1..packed.len() {
            let expected = all(MultiGzDecoder::new(&packed[..cut]));
            assert_eq!(all(Members::new(&packed[..cut])), expected, "truncated at {cut}");
            let small = BufReader::with_capacity(3, &packed[..cut]);
            assert_eq!(all(Members::new(small)).1, expected.1, "truncated at {cut}, small buffers");
        }
    }

    #[test]
    fn only_padding_is_skipped() {
        let packed = gzip(b"ACGT");
        for zeros in [1, 2, 511, 100_000] {
            let padded = [packed.clone(), vec![0; zeros]].concat();
            assert_eq!(all(Members::new(padded.as_slice())), (b"ACGT".to_vec(), None));
            let more = [padded, packed.clone()].concat();
            let expected = Flaw::TrailingBytes { bytes: (zeros + packed.len()) as u64 }.to_string();
            assert_eq!(all(Members::new(more.as_slice())), (b"ACGT".to_vec(), Some(expected)));
        }
        let mut damaged = packed.clone();
        damaged[0] ^= 0x10;
        let expected = Flaw::TrailingBytes { bytes: damaged.len() as u64 }.to_string();
        assert_eq!(all(Members::new([packed, damaged].concat().as_slice())), (b"ACGT".to_vec(), Some(expected)));
    }
}
