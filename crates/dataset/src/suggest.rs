//! Suggestions for unknown names.
//!
//! ```
//! use dataset::suggest::nearest;
//! assert_eq!(nearest("ordre1", ["order1", "uniform"]), Some("order1"));
//! assert_eq!(nearest("wheat", ["order1", "uniform"]), None);
//! ```

/// Damerau-Levenshtein distance of two names: insertions, deletions, substitutions and transpositions.
#[must_use]
pub fn distance(a: &str, b: &str) -> usize {
    strsim::damerau_levenshtein(a, b)
}

/// The known name most similar to `word` (the first of several); `None` if its distance exceeds both 2 and a third of its
/// length.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let far = |name: &&str| distance(word, name);
    known.into_iter().min_by_key(far).filter(|name| far(name) <= 2.max(name.len() / 3))
}
