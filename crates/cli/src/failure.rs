//! Errors as the program ends with them: exit codes.

pub(crate) use pipeline::Error as Failure;
use pipeline::Kind;

/// Something failed that should not.
pub(crate) const FAILED: Kind = Kind::Failed;
/// Wrong arguments or an experiment that means nothing.
pub(crate) const USAGE: Kind = Kind::Usage;
/// Wrong or damaged data.
pub(crate) const DATA: Kind = Kind::Data;
/// Some runs failed.
pub(crate) const SOME_FAILED: Kind = Kind::SomeFailed;
/// Interrupted; what was done is kept.
pub(crate) const INTERRUPTED: Kind = Kind::Interrupted;

/// The exit code of a kind of failure: 1 failed, 2 wrong usage, 3 wrong or damaged data, 4 some runs failed, 130 interrupted.
pub(crate) fn code(kind: Kind) -> u8 {
    match kind {
        Kind::Failed => 1,
        Kind::Usage => 2,
        Kind::Data => 3,
        Kind::SomeFailed => 4,
        Kind::Interrupted => 130,
    }
}
