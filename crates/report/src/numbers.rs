//! Every number of a comparison as one JSON document: `--json`, `paper/numbers.json`.
//!
//! ```
//! let comparison = report::Comparison::new(report::example::records(&Default::default()), Default::default()).unwrap();
//! let json = serde_json::to_value(report::numbers(&comparison)).unwrap();
//! assert_eq!(json["groups"][0]["subjects"][0]["name"], "base");
//! ```

use std::collections::BTreeMap;

use serde::Serialize;

use crate::comparison::{Budgets, Comparison, EqualCost, Group, Options};

/// The document. Undefined numbers are `null`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Numbers<'a> {
    /// Version of this layout.
    pub layout: u32,
    /// The conclusion in plain sentences.
    pub sentence: String,
    /// True if any record was simulated by a mock run: the numbers are then not measurements.
    pub made_up: bool,
    /// Kind of device.
    pub device: &'a str,
    /// Descriptions of the devices.
    pub machines: &'a [String],
    /// Options of the comparison.
    pub options: &'a Options,
    /// All groups with their scores and tests.
    pub groups: &'a [Group],
    /// Totals at several budgets, where groups differ in their budget alone.
    #[serde(skip_serializing_if = "<[Budgets]>::is_empty")]
    pub budgets: &'a [Budgets],
    /// Tokenizers at equal cost of training, by the label of their group.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub equal_cost: BTreeMap<&'a str, EqualCost>,
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
        budgets: &comparison.budgets,
        equal_cost: comparison
            .groups
            .iter()
            .filter_map(|group| Some((group.label.as_str(), comparison.equal_cost(group)?)))
            .collect(),
    }
}
