//! Data sources of a run on this machine. They are not part of the run, whose key identifies data by content.

use std::path::PathBuf;

use dataset::{CorpusSpec, TaskSpec};
use serde::{Deserialize, Serialize};

/// Corpus, task and tokenizer file of a run, if it has them.
///
/// ```
/// let sources: experiment::Sources = serde_json::from_str(r#"{"tokenizer":"/here/tokenizer.json"}"#).unwrap();
/// assert_eq!(sources.tokenizer, Some("/here/tokenizer.json".into()));
/// assert_eq!(serde_json::to_string(&sources).unwrap(), r#"{"tokenizer":"/here/tokenizer.json"}"#);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sources {
    /// The corpus.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub corpus: Option<CorpusSpec>,
    /// The labeled task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskSpec>,
    /// The file of a `file:` tokenizer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokenizer: Option<PathBuf>,
}
