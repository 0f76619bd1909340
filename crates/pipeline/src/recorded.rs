//! Names of tokenizers as records have them. A `file:` tokenizer stands there by its file name and the hash of its content,
//! so the file itself is not needed to name it.

use std::collections::BTreeSet;
use std::path::Path;

use experiment::record::Record;
use experiment::run::Work;
use tokenize::Registry;
use tokenize::families::file;

use crate::error::{Error, ErrorKind, Result};

/// The tokenizers of some records, by their canonical names.
#[derive(Clone, Debug)]
pub struct Recorded {
    tokenizers: Registry,
    names: BTreeSet<String>,
}

impl Recorded {
    /// The tokenizers of these records.
    #[must_use]
    pub fn new(records: &[Record], tokenizers: &Registry) -> Recorded {
        let name = |record: &Record| match &record.run.work {
            Work::Pretrain(pretrain) => Some(pretrain.tokenizer.clone()),
            Work::Finetune(finetune) => Some(finetune.model.tokenizer.clone()),
            Work::Control(_) => None,
        };
        Recorded { tokenizers: tokenizers.clone(), names: records.iter().filter_map(name).collect() }
    }

    /// The names behind what a person wrote, each once. `file:PATH` means the recorded tokenizer of that file name.
    ///
    /// # Errors
    /// A name that no tokenizer can have; a file whose name is that of no recorded tokenizer, or of several.
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

    /// As [`Recorded::one`]; a file whose name no recorded tokenizer has stays as it is written: its runs are still to come.
    ///
    /// # Errors
    /// As [`Recorded::one`], but for a file that no record knows.
    pub fn one_or_absent(&self, name: &str) -> Result<String> {
        let absent = |path: &str| !self.files().any(|(stem, _)| stem == stem_of(path));
        match self.tokenizers.path_in(name) {
            Some(path) if !self.names.contains(name) && absent(path) => Ok(name.to_owned()),
            _ => self.one(name),
        }
    }

    /// The name behind what a person wrote.
    ///
    /// # Errors
    /// As [`Recorded::all`].
    pub fn one(&self, name: &str) -> Result<String> {
        if self.names.contains(name) {
            return Ok(name.to_owned());
        }
        let Some(path) = self.tokenizers.path_in(name) else { return Ok(self.tokenizers.parse(name)?.name) };
        let stem = stem_of(path);
        let same: Vec<&str> = self.files().filter(|(recorded, _)| *recorded == stem).map(|(_, name)| name).collect();
        match same.as_slice() {
            [one] => Ok((*one).to_owned()),
            [] => {
                let files: Vec<&str> = self.files().map(|(_, name)| name).collect();
                let remedy = match files.as_slice() {
                    [] => "no tokenizer of the records was read from a file".to_owned(),
                    files => format!("tokenizers of the records that were read from files: {}", files.join(", ")),
                };
                Err(Error::new(ErrorKind::Usage, format!("the records hold no tokenizer {name}"), remedy))
            }
            // Only the content tells them apart, where it is at hand.
            several => match self.tokenizers.parse(name) {
                Ok(recipe) if several.contains(&recipe.name.as_str()) => Ok(recipe.name),
                _ => Err(Error::new(
                    ErrorKind::Usage,
                    format!("{name} may be any of {} tokenizers of the records", several.len()),
                    format!("name one of {}", several.join(", ")),
                )),
            },
        }
    }

    /// File name and canonical name of each tokenizer that was read from a file.
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
    fn a_file_is_known_by_its_name() {
        let here = recorded(&["base", "file:a@0123456789ab", "file:b.v2@00aa00aa00aa", "file:c@d@111111111111"]);
        for (said, meant) in [
            ("base", "base"),
            ("KMER06", "kmer6"),
            ("file:a@0123456789ab", "file:a@0123456789ab"),
            ("file:nowhere/a.json", "file:a@0123456789ab"),
            ("file:/x@y/b.v2.json", "file:b.v2@00aa00aa00aa"),
            ("file:c@d.json", "file:c@d@111111111111"),
        ] {
            assert_eq!(here.one(said).unwrap(), meant);
        }
        let said = ["file:a", "base", "file:x/a.json"].map(String::from);
        assert_eq!(here.all(&said).unwrap(), ["file:a@0123456789ab", "base"]);
    }

    #[test]
    fn what_is_not_one_of_them_is_refused_with_those_that_are() {
        let here = recorded(&["file:a@0123456789ab", "file:a@999999999999", "base"]);
        let failure = here.one("file:nowhere/a.json").unwrap_err();
        assert_eq!(failure.message, "file:nowhere/a.json may be any of 2 tokenizers of the records");
        assert_eq!(failure.remedy.unwrap(), "name one of file:a@0123456789ab, file:a@999999999999");
        let failure = here.one("file:b.json").unwrap_err();
        assert_eq!(
            (failure.kind, failure.message.as_str()),
            (ErrorKind::Usage, "the records hold no tokenizer file:b.json")
        );
        assert!(failure.remedy.unwrap().ends_with("files: file:a@0123456789ab, file:a@999999999999"));
        assert!(here.one("kmr6").unwrap_err().remedy.unwrap().contains("kmer6"));
    }
}
