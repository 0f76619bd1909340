//! Every number of a comparison as one JSON document: `--json`, `paper/numbers.json`.
//!
//! ```
//! let comparison = report::Comparison::new(report::example::records(&Default::default()), Default::default()).unwrap();
//! let json = serde_json::to_value(report::numbers(&comparison)).unwrap();
//! assert_eq!(json["groups"][0]["subjects"][0]["name"], "base");
//! ```

use serde::Serialize;

use crate::comparison::{Comparison, Group, Options};

/// The document. Numbers that do not exist are `null`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Numbers<'a> {
    /// Version of this layout.
    pub layout: u32,
    /// The closing sentence.
    pub sentence: String,
    /// True if any record was made up by a mock run: nothing here is a measurement.
    pub made_up: bool,
    /// Device kind.
    pub device: &'a str,
    /// Machines in words.
    pub machines: &'a [String],
    /// What the caller decided.
    pub options: &'a Options,
    /// Everything else.
    pub groups: &'a [Group],
}

/// The document of a comparison.
#[must_use]
pub fn numbers(comparison: &Comparison) -> Numbers<'_> {
    Numbers {
        layout: 1,
        sentence: crate::sentence::sentence(comparison),
        made_up: comparison.made_up,
        device: &comparison.device,
        machines: &comparison.machines,
        options: &comparison.options,
        groups: &comparison.groups,
    }
}
