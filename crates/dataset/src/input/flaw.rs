//! Flaws of a gzip file that the decoder alone does not report.

/// A flaw of a gzip file that the decoder alone does not report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Flaw {
    /// A BGZF file without the empty end-of-file block (SAM specification, section 4.1.2).
    #[error("no end-of-file marker")]
    MissingEndMarker,
    /// Bytes after the last member that are not zero padding.
    #[error("{bytes} bytes after the last member")]
    TrailingBytes { bytes: u64 },
}
