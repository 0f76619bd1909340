//! From flags to the folders of data and runs.

use std::path::{Path, PathBuf};

use pipeline::{OpenCorpus, Workspace};

use crate::failure::Failure;
use crate::folders;

/// The data root: the flag, the environment, or the folder at hand.
pub(crate) fn data_root(given: Option<&Path>) -> PathBuf {
    given.map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// The folders that flags name.
pub(crate) fn workspace(data: Option<&Path>, store: &Path) -> Workspace {
    Workspace { data: data_root(data), store: store.to_owned() }
}

/// Refuses outputs that are files of a corpus or of tokenizers: results never take the place of what they come from.
pub(crate) fn apart(
    workspace: &Workspace,
    outputs: &[PathBuf],
    name: &str,
    corpus: &OpenCorpus,
    tokenizers: &[String],
) -> Result<(), Failure> {
    let named = std::iter::once(name).chain(tokenizers.iter().map(String::as_str));
    let mut inputs = workspace.files_of(corpus);
    inputs.extend(named.map(|name| file_of(name).to_owned()));
    outputs.iter().try_for_each(|output| folders::apart(output, inputs.iter().map(PathBuf::as_path)))
}

/// The path in the name of a tokenizer, with or without `file:` before it.
pub(crate) fn file_of(name: &str) -> &Path {
    let name = name.trim();
    Path::new(name.strip_prefix("file:").unwrap_or(name))
}
