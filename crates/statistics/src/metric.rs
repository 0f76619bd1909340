//! Metrics of labeled tasks, computed in [`crate::classes`].

use serde::{Deserialize, Serialize};

/// Metric of a labeled task: used in tables, figures and tests, and to select the checkpoint on the validation split (with `mcc`,
/// the default, the checkpoint is selected by loss). AUROC and AUPRC are not available, because records contain predicted classes
/// but no class probabilities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// Matthews correlation coefficient; R_K for more than two classes.
    #[default]
    Mcc,
    /// Macro F1: the mean of the F1 scores of the classes.
    F1,
    /// Fraction of correct predictions.
    Accuracy,
}

impl Metric {
    /// All metrics, in the order of tables.
    pub const ALL: [Metric; 3] = [Metric::Mcc, Metric::F1, Metric::Accuracy];

    /// Key in task files and CSV: `mcc`, `f1` or `accuracy`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Metric::Mcc => "mcc",
            Metric::F1 => "f1",
            Metric::Accuracy => "accuracy",
        }
    }

    /// Short name for tables: `MCC`, `F1`, `accuracy`.
    #[must_use]
    pub fn short(self) -> &'static str {
        match self {
            Metric::Mcc => "MCC",
            Metric::F1 => "F1",
            Metric::Accuracy => "accuracy",
        }
    }

    /// Name for headings: `Matthews correlation`, `macro F1`, `accuracy`.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Metric::Mcc => "Matthews correlation",
            Metric::F1 => "macro F1",
            Metric::Accuracy => "accuracy",
        }
    }

    /// Minimum value; the maximum is 1.
    #[must_use]
    pub fn least(self) -> f64 {
        match self {
            Metric::Mcc => -1.0,
            Metric::F1 | Metric::Accuracy => 0.0,
        }
    }

    /// True for the default, which is omitted in records.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Metric::default()
    }
}
