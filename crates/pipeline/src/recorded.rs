//! Tokenizer names in records. A `file:` tokenizer is recorded with its file name and content hash, so the file itself is not
//! needed to refer to it.

use std::collections::BTreeSet;
use std::path::Path;

use experiment::record::Record;
use experiment::run::Work;
use tokenize::Registry;
use tokenize::families::{exec, file};

use crate::error::{Error, ErrorKind, Result};

/// The canonical names of the tokenizers in records.
#[derive(Clone, Debug)]
pub struct Recorded {
    tokenizers: Registry,
    names: BTreeSet<String>,
}

impl Recorded {
    /// Collects the tokenizers of records.
    #[must_use]
    pub fn new(records: &[Record], tokenizers: &Registry) -> Recorded {
        let name = |record: &Record| match &record.run.work {
            Work::Pretrain(pretrain) => Some(pretrain.tokenizer.clone()),
            Work::Finetune(finetune) => Some(finetune.model.tokenizer.clone()),
            Work::Control(_) => None,
        };
        Recorded { tokenizers: tokenizers.clone(), names: records.iter().filter_map(name).collect() }
    }

    /// All canonical names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &String> {
        self.names.iter()
    }

    /// Resolves names to canonical names without duplicates. `file:PATH` refers to the recorded tokenizer with that file name.
    ///
    /// # Errors
    /// If a name is invalid, or a file name matches no recorded tokenizer or several.
    pub fn all(&self, names: &[String]) -> Result<Vec<String>> {
        let mut found: Vec<String> = Vec::new();
        for name in names {
            let one = self.one(name)?;
            if !found.contains(&one) {
                found.push(one);
            }
        }
        Ok(found)
    }

    /// As [`Recorded::one`], but a file name without a recorded tokenizer is returned unchanged: its runs are unfinished.
    ///
    /// # Errors
    /// As [`Recorded::one`], except for a file name without records.
    pub fn one_or_absent(&self, name: &str) -> Result<String> {
        let absent = |path: &str| !self.files().any(|(stem, _)| stem == stem_of(path));
        match self.tokenizers.path_in(name) {
            Some(path) if !self.names.contains(name) && absent(path) => Ok(name.to_owned()),
            _ => self.one(name),
        }
    }

    /// Resolves a name to a canonical name.
    ///
    /// # Errors
    /// As [`Recorded::all`].
    pub fn one(&self, name: &str) -> Result<String> {
        if self.names.contains(name) {
            return Ok(name.to_owned());
        }
        if let Some(command) = exec::command_in(name) {
            return self.program(name, command);
        }
        let stem = |recorded: &&String| exec::stem_of(recorded) == Some(name);
        if let (Some(only), None) = (self.names.iter().find(stem), self.names.iter().filter(stem).nth(1)) {
            return Ok(only.clone());
        }
        let Some(path) = self.tokenizers.path_in(name) else { return Ok(self.tokenizers.parse(name)?.name) };
        let stem = stem_of(path);
        let same: Vec<&str> = self.files().filter(|(recorded, _)| *recorded == stem).map(|(_, name)| name).collect();
        match same.as_slice() {
            [one] => Ok((*one).to_owned()),
            [] => {
                let files: Vec<&str> = self.files().map(|(_, name)| name).collect();
                let remedy = match files.as_slice() {
                    [] => "the records contain no tokenizer from a file".to_owned(),
                    files => format!("tokenizers from files in the records: {}", files.join(", ")),
                };
                Err(Error::new(ErrorKind::Usage, format!("the records contain no tokenizer {name}"), remedy))
            }
            // Only the content distinguishes them, if the file is available.
            several => match self.tokenizers.parse(name) {
                Ok(recipe) if several.contains(&recipe.name.as_str()) => Ok(recipe.name),
                _ => Err(Error::new(
                    ErrorKind::Usage,
                    format!("{name} is ambiguous: {} tokenizers of the records match", several.len()),
                    format!("use one of {}", several.join(", ")),
                )),
            },
        }
    }

    /// The canonical name of a program: as it answers now or, if it cannot be started here, the only one of the records with its file name.
    fn program(&self, name: &str, command: &str) -> Result<String> {
        let mut recorded = self.names.iter().filter(|name| exec::may_be(command, name));
        match (self.tokenizers.parse(name), recorded.next(), recorded.next()) {
            (Ok(recipe), ..) => Ok(recipe.name),
            (Err(_), Some(only), None) => Ok(only.clone()),
            (Err(error), ..) => {
                let programs: Vec<&str> =
                    self.names.iter().map(String::as_str).filter(|name| exec::stem_of(name).is_some()).collect();
                let remedy = match programs.as_slice() {
                    [] => "the records contain no program".to_owned(),
                    programs => format!("name it as in the records: {}", programs.join(", ")),
                };
                Err(Error::new(ErrorKind::Usage, error.to_string(), remedy))
            }
        }
    }

    /// File name and canonical name of each tokenizer from a file.
    fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.names.iter().filter_map(|name| Some((file::stem_of(name)?, name.as_str())))
    }
}

fn stem_of(path: &str) -> String {
    Path::new(path).file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(names: &[&str]) -> Recorded {
        Recorded {
            tokenizers: tokenize::registry::builtin(),
            names: names.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    #[test]
    fn files_are_identified_by_name() {
        let here = recorded(&["base", "file:a@0123456789ab", "file:b.v2@00aa00aa00aa", "file:c@d@111111111111"]);
        for (name, canonical) in [
            ("base", "base"),
            ("KMER06", "kmer6"),
            ("file:a@0123456789ab", "file:a@0123456789ab"),
            ("file:nowhere/a.json", "file:a@0123456789ab"),
            ("file:/x@y/b.v2.json", "file:b.v2@00aa00aa00aa"),
            ("file:c@d.json", "file:c@d@111111111111"),
        ] {
            assert_eq!(here.one(name).unwrap(), canonical);
        }
        let names = ["file:a", "base", "file:x/a.json"].map(String::from);
        assert_eq!(here.all(&names).unwrap(), ["file:a@0123456789ab", "base"]);
    }

    #[test]
    fn unknown_and_ambiguous_names_list_the_known_ones() {
        let here = recorded(&["file:a@0123456789ab", "file:a@999999999999", "base"]);
        let failure = here.one("file:nowhere/a.json").unwrap_err();
        assert_eq!(failure.message, "file:nowhere/a.json is ambiguous: 2 tokenizers of the records match");
        assert_eq!(failure.remedy.unwrap(), "use one of file:a@0123456789ab, file:a@999999999999");
        let failure = here.one("file:b.json").unwrap_err();
        assert_eq!(
            (failure.kind, failure.message.as_str()),
            (ErrorKind::Usage, "the records contain no tokenizer file:b.json")
        );
        assert!(failure.remedy.unwrap().ends_with("in the records: file:a@0123456789ab, file:a@999999999999"));
        assert!(here.one("kmr6").unwrap_err().remedy.unwrap().contains("kmer6"));
    }
}
