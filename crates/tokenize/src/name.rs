//! Names of tokenizers: `NAME := STEM [NUMBER] ("-" WORD [NUMBER])*`, parsed once.

/// A parsed name: `kmer6-stride3` has the stem `kmer`, the number 6, and the words `[(stride, 3)]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The name as given.
    pub written: String,
    /// The stem, lower case.
    pub stem: String,
    /// The stem's number.
    pub number: Option<u64>,
    /// The words after the stem, each with its number.
    pub words: Vec<(String, Option<u64>)>,
}

impl Name {
    /// Parses a name; `None` if it is not of that form.
    #[must_use]
    pub fn parse(written: &str) -> Option<Name> {
        let mut parts = written.trim().split('-').map(parse_word);
        let (stem, number) = parts.next()??;
        let words = parts.collect::<Option<Vec<_>>>()?;
        Some(Name { written: written.trim().to_owned(), stem, number, words })
    }
}

fn parse_word(text: &str) -> Option<(String, Option<u64>)> {
    let split = text.find(|c: char| c.is_ascii_digit()).unwrap_or(text.len());
    let (word, digits) = text.split_at(split);
    if word.is_empty() || !word.chars().all(|c| c.is_ascii_alphabetic()) {
        return None;
    }
    let number = if digits.is_empty() { None } else { Some(digits.parse().ok()?) };
    Some((word.to_ascii_lowercase(), number))
}

#[cfg(test)]
mod tests {
    use super::Name;

    #[test]
    fn names_are_parsed() {
        let name = Name::parse("kmer6-stride3").unwrap();
        assert_eq!((name.stem.as_str(), name.number), ("kmer", Some(6)));
        assert_eq!(name.words, [("stride".to_owned(), Some(3))]);
        assert!(Name::parse("6kmer").is_none());
        assert!(Name::parse("kmer6--x").is_none());
        assert!(Name::parse("").is_none());
        assert!(Name::parse("kmer99999999999999999999").is_none());
    }
}
