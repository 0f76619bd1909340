//! Specification of a task, as written in TOML.

use crate::error::{Error, Result};
use crate::planted::SyntheticTaskSpec;
use serde::{Deserialize, Serialize};
use statistics::Metric;
use std::path::{Path, PathBuf};

/// Fractions for splitting one table. Every sequence is assigned by a hash of its content, so that duplicates and reverse
/// complements stay in one split, and a row keeps its split when rows are added.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TaskSplit {
    /// Fraction of validation rows, in [0, 1).
    pub dev: f64,
    /// Fraction of test rows, in [0, 1).
    pub test: f64,
}

impl Default for TaskSplit {
    fn default() -> Self {
        Self { dev: 0.1, test: 0.1 }
    }
}

/// Specification of a task, as written in TOML: `train`, `dev` and `test`; or only `train`, split by content; or `synthetic`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskSpec {
    /// Name in tables and figures.
    pub name: String,
    /// Labeled table of the training split, relative to the data folder unless absolute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train: Option<PathBuf>,
    /// Labeled table of the validation split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dev: Option<PathBuf>,
    /// Labeled table of the test split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<PathBuf>,
    /// Drop validation rows whose sequence, or its reverse complement, occurs in the training split.
    #[serde(default)]
    pub drop_leaking_dev: bool,
    /// Metric of the task.
    #[serde(default)]
    pub metric: Metric,
    /// Fractions for splitting `train`; 80/10/10 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<TaskSplit>,
    /// A generated task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub synthetic: Option<SyntheticTaskSpec>,
}

impl TaskSpec {
    /// Parses a specification.
    ///
    /// # Errors
    /// [`Error::Toml`] with line and key; unknown keys are rejected.
    pub fn from_toml(text: &str) -> Result<Self> {
        toml::from_str(text).map_err(|error| crate::error::toml("task", text, &error))
    }

    /// A task of one table (`--task my.csv`), split 80/10/10 by content and named after the file name up to the first dot;
    /// [`crate::naming`] makes the names of several tables unique. The file is not opened.
    ///
    /// # Errors
    /// [`Error::Io`] if there is no current directory to make the path absolute with.
    pub fn from_csv(path: &Path) -> Result<Self> {
        let name = crate::naming::stem(path).unwrap_or_else(|| "task".to_owned());
        let path = std::path::absolute(path).map_err(|source| Error::Io { path: path.to_owned(), source })?;
        Ok(Self { name, train: Some(path), split: Some(TaskSplit::default()), ..Self::default() })
    }

    pub(super) fn fault<T>(&self, message: impl Into<String>, help: &str) -> Result<T> {
        Err(Error::Spec { name: format!("task '{}'", self.name), message: message.into(), help: help.to_owned() })
    }
}
