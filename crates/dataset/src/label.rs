//! Classes as a table names them: whole numbers from 0, or words. One table holds either, never both.
//! What is which: [`crate::labelled`].

/// A class, as it stands in a table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Label {
    Number(u32),
    Word(String),
}

const NUMBER: &str = "a whole number from 0";

impl Label {
    /// Reads a field; `before` is a label of the same table, whose kind this one must share.
    ///
    /// # Errors
    /// Why the field is no label.
    pub(crate) fn read(field: &[u8], before: Option<&Label>) -> Result<Label, &'static str> {
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

    pub(crate) fn like(&self, before: &Label) -> Result<(), &'static str> {
        match (before, self) {
            (Label::Number(_), Label::Word(_)) => Err(NUMBER),
            (Label::Word(_), Label::Number(_)) => Err("the labels before it are words"),
            _ => Ok(()),
        }
    }

    pub(crate) fn spelled(&self) -> String {
        match self {
            Label::Number(number) => number.to_string(),
            Label::Word(word) => word.clone(),
        }
    }
}

/// What pandas reads as a missing value or writes for one, and R's name of one; compared without case.
const MISSING: [&str; 14] = [
    "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA", "NULL", "NaN",
    "None",
];

/// Whether a field marks a missing value, in any case.
pub(crate) fn is_missing(field: &[u8]) -> bool {
    // Sequences are longer than any mark, nearly always.
    field.len() <= 8 && MISSING.iter().any(|mark| field.eq_ignore_ascii_case(mark.as_bytes()))
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
