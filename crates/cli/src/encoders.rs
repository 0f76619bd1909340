//! The encoders that the program has names for.

use experiment::Encoders;

use crate::failure::Failure;

/// Name and TOML of every one.
const ENCODERS: [(&str, &str); 3] = [
    ("tiny", include_str!("../../../configs/encoder/tiny.toml")),
    ("small", include_str!("../../../configs/encoder/small.toml")),
    ("base", include_str!("../../../configs/encoder/base.toml")),
];

pub(crate) fn built_in() -> Result<Encoders, Failure> {
    Ok(Encoders::from_toml(ENCODERS)?)
}
