//! Classes as a table names them: whole numbers from 0, or words. One table holds either, never both.
//! What is which: [`crate::labelled`].

use std::collections::BTreeSet;

use crate::error::{Error, Result};
use crate::labelled::{Example, is_missing};
use std::path::Path;

/// A class, as it stands in a table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Label {
    Number(u32),
    Word(String),
}

/// A row whose class has the name that the table gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) sequence: Vec<u8>,
    pub(crate) label: Label,
    pub(crate) line: u64,
}

const NUMBER: &str = "a whole number from 0";

impl Label {
    /// Reads a field; `before` is a label of the same table, whose kind this one must share.
    ///
    /// # Errors
    /// Why the field is no label.
    pub(crate) fn read(field: &[u8], before: Option<&Label>) -> std::result::Result<Label, &'static str> {
        let Ok(text) = std::str::from_utf8(field) else { return Err("it is not UTF-8") };
        if text.is_empty() {
            return Err("nothing stands there");
        }
        // A class may well be called so, and no program writes a missing value like that.
        if is_missing(field) && field != b"none" {
            return Err("it marks a missing value");
        }
        let label = match text.parse::<u32>() {
            Ok(number) => Label::Number(number),
            Err(_) if text.parse::<f64>().is_ok() => return Err(NUMBER),
            Err(_) => Label::Word(text.to_owned()),
        };
        match before {
            Some(before) => label.like(before).map(|()| label),
            None => Ok(label),
        }
    }

    fn like(&self, before: &Label) -> std::result::Result<(), &'static str> {
        match (before, self) {
            (Label::Number(_), Label::Word(_)) => Err(NUMBER),
            (Label::Word(_), Label::Number(_)) => Err("the labels before it are words"),
            _ => Ok(()),
        }
    }

    fn spelled(&self) -> String {
        match self {
            Label::Number(number) => number.to_string(),
            Label::Word(word) => word.clone(),
        }
    }
}

/// The rows of some tables with numbered classes, and the names of the classes in order of their numbers: none where the
/// tables have numbers. Words are numbered over all tables, sorted by their bytes.
///
/// # Errors
/// [`Error::Label`] where one table has words and another one numbers.
pub(crate) fn number(tables: Vec<(&Path, Vec<Named>)>) -> Result<(Vec<Vec<Example>>, Vec<String>)> {
    let first = tables.iter().find_map(|(_, rows)| rows.first()).map(|row| row.label.clone());
    let mut words = BTreeSet::new();
    for (path, rows) in &tables {
        if let (Some(first), Some(row)) = (&first, rows.first()) {
            row.label.like(first).map_err(|why| {
                let (path, found) = ((*path).to_owned(), row.label.spelled());
                Error::Label { path, line: row.line, found, why }
            })?;
        }
        words.extend(rows.iter().filter_map(|row| match &row.label {
            Label::Word(word) => Some(word.clone()),
            Label::Number(_) => None,
        }));
    }
    let names: Vec<String> = words.into_iter().collect();
    let place = |word: &String| names.binary_search(word).unwrap_or_default() as u32;
    let numbered = |Named { sequence, label, .. }| match label {
        Label::Number(label) => Example { sequence, label },
        Label::Word(word) => Example { sequence, label: place(&word) },
    };
    let tables = tables.into_iter().map(|(_, rows)| rows.into_iter().map(numbered).collect()).collect();
    Ok((tables, names))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_a_number_a_word_or_refused() {
        let read = |text: &str| Label::read(text.as_bytes(), None);
        let word = |text: &str| Ok(Label::Word(text.to_owned()));
        assert_eq!((read("0"), read("17")), (Ok(Label::Number(0)), Ok(Label::Number(17))));
        for text in ["promoter", "non-promoter", "+", "-", "5mC", "none", "3'UTR"] {
            assert_eq!(read(text), word(text));
        }
        for text in ["-1", "0.0", "1.0", "1e3", "4294967296", "inf"] {
            assert_eq!(read(text), Err(NUMBER), "{text}");
        }
        for text in ["NA", "nan", "N/A", "NULL", "<NA>", "#N/A"] {
            assert_eq!(read(text), Err("it marks a missing value"), "{text}");
        }
        assert_eq!(read(""), Err("nothing stands there"));
        assert_eq!(Label::read(b"\xff", None), Err("it is not UTF-8"));
    }

    #[test]
    fn one_table_has_one_kind() {
        let (number, word) = (Label::Number(0), Label::Word("a".to_owned()));
        assert_eq!(Label::read(b"one", Some(&number)), Err(NUMBER));
        assert_eq!(Label::read(b"1", Some(&word)), Err("the labels before it are words"));
        assert_eq!(Label::read(b"b", Some(&word)), Ok(Label::Word("b".to_owned())));
    }
}
