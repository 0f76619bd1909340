//! What is wrong with a gzip file that its decoder alone would not tell.

/// What is known of a gzip file beyond what its decoder says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Flaw {
    /// The last block of a bgzf file holds something (SAM specification, section 4.1.2).
    #[error("no block that marks the end")]
    NoEnd,
    /// So many bytes behind the last member.
    #[error("{bytes} bytes behind the last member")]
    Behind { bytes: u64 },
}
