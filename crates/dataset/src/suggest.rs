//! The name that was probably meant by one that is unknown.
//!
//! ```
//! use dataset::suggest::nearest;
//! assert_eq!(nearest("ordre1", ["order1", "uniform"]), Some("order1"));
//! assert_eq!(nearest("wheat", ["order1", "uniform"]), None);
//! ```

/// How far two names are from each other: letters to insert, to delete, to replace, or to swap with their neighbour.
#[must_use]
pub fn distance(a: &str, b: &str) -> usize {
    strsim::damerau_levenshtein(a, b)
}

/// The known name nearest to `word`, the first of several; `None` if it differs in more than two letters and in more than a
/// third of its own.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let far = |name: &&str| distance(word, name);
    known.into_iter().min_by_key(far).filter(|name| far(name) <= 2.max(name.len() / 3))
}
