//! What a panel of a dot plot shows.

use crate::comparison::Estimate;

/// One row: a tokenizer or control.
pub(super) struct Row {
    /// Its name, shown in the margin.
    pub(super) name: String,
    /// True for controls: drawn with a hollow marker.
    pub(super) control: bool,
    /// Mean, 95 % interval and values per seed.
    pub(super) estimate: Estimate,
    /// Names of the seeds, in the order of the values.
    pub(super) seeds: Vec<String>,
    /// Position of the row's tick: its context-free null.
    pub(super) tick: Option<f64>,
}

/// A vertical line through all rows of a panel.
pub(super) struct Line {
    /// Its name in the CSV.
    pub(super) name: String,
    /// Its name in the legend; empty if it needs none.
    pub(super) legend: String,
    /// Position on the axis.
    pub(super) value: f64,
    /// Lengths of dash and gap in pixels.
    pub(super) dash: (f64, f64),
    /// Whether the axis includes it however far it is.
    pub(super) kept: bool,
}

/// One panel.
pub(super) struct Facet {
    /// Label of the group.
    pub(super) group: String,
    /// Species or task.
    pub(super) scope: String,
    /// What the heading says of it in brackets.
    pub(super) detail: String,
    /// Panels with the same key have the same axis.
    pub(super) scale: String,
    /// Its rows, from top to bottom.
    pub(super) rows: Vec<Row>,
    /// Its vertical lines.
    pub(super) lines: Vec<Line>,
    /// Reference of a panel of differences: its row has no dots, but a label at the first line.
    pub(super) reference: Option<String>,
}
