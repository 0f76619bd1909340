//! The number that a labelled task is judged by; how it is computed: [`crate::classes`].

use serde::{Deserialize, Serialize};

/// The number that a labelled task is judged by: in tables, figures, tests and sentences, and in the choice of the checkpoint on
/// the dev split (with `mcc`, the default, that is chosen by loss). Scores of rows are not kept in records, so areas under curves
/// (AUROC, AUPRC) are not offered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// Matthews' correlation coefficient; R_K for several classes.
    #[default]
    Mcc,
    /// Mean over the classes of the F1 score.
    F1,
    /// Share of rows that are right.
    Accuracy,
}

impl Metric {
    /// All, in the order of tables.
    pub const ALL: [Metric; 3] = [Metric::Mcc, Metric::F1, Metric::Accuracy];

    /// `mcc`, `f1` or `accuracy`, as in task files and in CSV.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Metric::Mcc => "mcc",
            Metric::F1 => "f1",
            Metric::Accuracy => "accuracy",
        }
    }

    /// In tables and sentences: `MCC`, `F1`, `accuracy`.
    #[must_use]
    pub fn short(self) -> &'static str {
        match self {
            Metric::Mcc => "MCC",
            Metric::F1 => "F1",
            Metric::Accuracy => "accuracy",
        }
    }

    /// In headings: `Matthews correlation`, `macro F1`, `accuracy`.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Metric::Mcc => "Matthews correlation",
            Metric::F1 => "macro F1",
            Metric::Accuracy => "accuracy",
        }
    }

    /// The smallest value there is; the largest is 1.
    #[must_use]
    pub fn least(self) -> f64 {
        match self {
            Metric::Mcc => -1.0,
            Metric::F1 | Metric::Accuracy => 0.0,
        }
    }

    /// True for what is not written down because it is meant where nothing stands.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Metric::default()
    }
}
