//! The data folder and the store that flags name.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pipeline::{Builtin, OpenCorpus, Workspace};

use crate::failure::Failure;
use crate::folders;

/// The workspace of these flags.
pub(crate) fn workspace(builtin: &Arc<Builtin>, data: Option<&Path>, store: &Path) -> Workspace {
    // The current folder, if neither flag nor environment names one.
    let data = data.map_or_else(|| PathBuf::from("."), Path::to_path_buf);
    Workspace { builtin: Arc::clone(builtin), data, store: store.to_owned() }
}

/// Refuses outputs that are files of the corpus or of tokenizers: results never overwrite their inputs.
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

/// The path in a tokenizer name, with or without the prefix `file:`.
pub(crate) fn file_of(name: &str) -> &Path {
    Path::new(tokenize::families::file::without_prefix(name))
}
