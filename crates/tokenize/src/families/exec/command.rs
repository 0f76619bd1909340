//! The command of a program: words as in a shell, and the folder in which it is started.

use std::path::{Path, PathBuf};

use crate::error::Error;

/// Prefix of a command in a name.
pub const PREFIX: &str = "exec:";

/// A command: program, arguments, folder.
#[derive(Clone, Debug)]
pub(super) struct Command {
    words: Vec<String>,
    folder: PathBuf,
}

impl Command {
    /// Parses words that are separated by white space, or quoted as in a shell; a first word `@FOLDER` is the folder in which the program is
    /// started, by default the current one.
    pub(super) fn parse(text: &str) -> Result<Command, Error> {
        let refuse = |reason: &str| Error::Name {
            name: format!("{PREFIX}{text}"),
            reason: reason.to_owned(),
            remedy: "write \"exec:PROGRAM ARGS\", for example \"exec:python3 mine.py\"".to_owned(),
        };
        let mut words = shlex::split(text).ok_or_else(|| refuse("has a quotation mark without its pair"))?;
        let named = words.first().and_then(|word| word.strip_prefix('@')).map(PathBuf::from);
        if named.is_some() {
            words.remove(0);
        }
        if words.is_empty() {
            return Err(refuse("names no program"));
        }
        let folder =
            std::path::absolute(named.unwrap_or_else(|| ".".into())).map_err(|error| refuse(&error.to_string()))?;
        Ok(Command { words, folder })
    }

    pub(super) fn program(&self) -> &str {
        &self.words[0]
    }

    pub(super) fn arguments(&self) -> &[String] {
        &self.words[1..]
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The name under which it is started from any folder.
    pub(super) fn located(&self) -> String {
        let folder = format!("@{}", self.folder.display());
        let words = std::iter::once(&folder).chain(&self.words);
        let quoted = words.map(|word| shlex::try_quote(word).unwrap_or_else(|_| word.into()));
        format!("{PREFIX}{}", quoted.collect::<Vec<_>>().join(" "))
    }

    /// The name as it is written, without the folder.
    pub(super) fn shown(&self) -> String {
        format!("{PREFIX}{}", self.words.join(" "))
    }

    /// The file name of the first word that is a file, else of the program.
    pub(super) fn stem(&self) -> String {
        let file = self.words.iter().find(|word| self.folder.join(word.as_str()).is_file());
        stem(file.unwrap_or(&self.words[0]))
    }

    /// The file names of all words, for a program that is not there.
    pub(super) fn stems(&self) -> impl Iterator<Item = String> {
        self.words.iter().map(|word| stem(word))
    }
}

fn stem(word: &str) -> String {
    let stem = Path::new(word).file_stem().unwrap_or_default().to_string_lossy();
    stem.chars().map(|c| if plain(c) { c } else { '_' }).collect()
}

/// Whether the name of a program may have this character.
pub(super) fn plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_-.".contains(c)
}
