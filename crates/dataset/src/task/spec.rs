//! What a task is made of, as written in TOML.

use crate::error::{Error, Result};
use crate::planted::SyntheticTaskSpec;
use serde::{Deserialize, Serialize};
use statistics::Metric;
use std::path::{Path, PathBuf};

/// How one table becomes three: every sequence is dealt by a hash of its own content, so that duplicates and reverse
/// complements stay together and a row keeps its split when others are added.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TaskSplit {
    /// Share of dev.
    pub dev: f64,
    /// Share of test.
    pub test: f64,
}

impl Default for TaskSplit {
    fn default() -> Self {
        Self { dev: 0.1, test: 0.1 }
    }
}

/// What a task is made of, as written in TOML: `train`, `dev` and `test`; or `train` alone, split by content; or
/// `synthetic`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskSpec {
    /// Its name in tables and figures.
    pub name: String,
    /// A labelled table, relative to the data root unless absolute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train: Option<PathBuf>,
    /// As `train`, to choose by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dev: Option<PathBuf>,
    /// As `train`, to report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<PathBuf>,
    /// Leave out dev rows whose sequence, or its reverse complement, is in train.
    #[serde(default)]
    pub drop_leaking_dev: bool,
    /// What it is judged by.
    #[serde(default)]
    pub metric: Metric,
    /// For `train` alone; 80/10/10 where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<TaskSplit>,
    /// A generated task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub synthetic: Option<SyntheticTaskSpec>,
}

impl TaskSpec {
    /// Reads a specification.
    ///
    /// # Errors
    /// [`Error::Toml`] with line, column and key: unknown keys are refused.
    pub fn from_toml(text: &str) -> Result<Self> {
        toml::from_str(text).map_err(|error| crate::error::toml("task", text, &error))
    }

    /// A task of one table (`--task my.csv`), split 80/10/10 by content and named by its file up to the first dot; where
    /// several are, [`crate::naming`] tells them apart. The file is not opened yet.
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
