//! Class labels as written in a table: class numbers or class names, never both in one table. The rules are listed in
//! [`crate::labeled`].

/// A class label as written in a table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Label {
    Number(u32),
    Name(String),
}

const NUMBER: &str = "expected a non-negative integer";
const NAMES: &str = "earlier labels are class names";

impl Label {
    /// Parses a field; `before` is an earlier label of the same table, which must be of the same kind.
    ///
    /// # Errors
    /// The reason why the field is not a label.
    pub(crate) fn read(field: &[u8], before: Option<&Label>) -> Result<Label, &'static str> {
        let Ok(text) = std::str::from_utf8(field) else { return Err("not valid UTF-8") };
        if text.is_empty() {
            return Err("empty field");
        }
        // "none" is a plausible class name, and no program writes a missing value like that.
        if is_missing(field) && field != b"none" {
            return Err("missing value");
        }
        let label = match text.parse::<u32>() {
            Ok(number) => Label::Number(number),
            Err(_) if text.parse::<f64>().is_ok() => return Err(NUMBER),
            Err(_) => Label::Name(text.to_owned()),
        };
        match before {
            Some(before) => label.like(before).map(|()| label),
            None => Ok(label),
        }
    }

    pub(crate) fn like(&self, before: &Label) -> Result<(), &'static str> {
        match (before, self) {
            (Label::Number(_), Label::Name(_)) => Err(NUMBER),
            (Label::Name(_), Label::Number(_)) => Err(NAMES),
            _ => Ok(()),
        }
    }

    pub(crate) fn spelled(&self) -> String {
        match self {
            Label::Number(number) => number.to_string(),
            Label::Name(name) => name.clone(),
        }
    }
}

/// Missing-value markers of pandas and R, compared without case.
const MISSING: [&str; 14] = [
    "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA", "NULL", "NaN",
    "None",
];

/// Whether a field is a missing-value marker, in either case.
pub(crate) fn is_missing(field: &[u8]) -> bool {
    // Shortcut: nearly all sequences are longer than any marker.
    field.len() <= 8 && MISSING.iter().any(|mark| field.eq_ignore_ascii_case(mark.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_numbers_or_names() {
        let read = |text: &str| Label::read(text.as_bytes(), None);
        let name = |text: &str| Ok(Label::Name(text.to_owned()));
        assert_eq!((read("0"), read("17")), (Ok(Label::Number(0)), Ok(Label::Number(17))));
        for text in ["promoter", "non-promoter", "+", "-", "5mC", "none", "3'UTR"] {
            assert_eq!(read(text), name(text));
        }
        for text in ["-1", "0.0", "1.0", "1e3", "4294967296", "inf"] {
            assert_eq!(read(text), Err(NUMBER), "{text}");
        }
        for text in ["NA", "nan", "N/A", "NULL", "<NA>", "#N/A"] {
            assert_eq!(read(text), Err("missing value"), "{text}");
        }
        assert_eq!(read(""), Err("empty field"));
        assert_eq!(Label::read(b"\xff", None), Err("not valid UTF-8"));
    }

    #[test]
    fn numbers_and_names_do_not_mix() {
        let (number, name) = (Label::Number(0), Label::Name("a".to_owned()));
        assert_eq!(Label::read(b"one", Some(&number)), Err(NUMBER));
        assert_eq!(Label::read(b"1", Some(&name)), Err(NAMES));
        assert_eq!(Label::read(b"b", Some(&name)), Ok(Label::Name("b".to_owned())));
    }
}
