//! Position and cause of TOML errors.

/// An error of the TOML parser, with position and key.
///
/// ```
/// #[derive(Debug, serde::Deserialize)]
/// #[serde(deny_unknown_fields)]
/// struct Shape { width: u32, height: u32, depth: u32 }
///
/// let text = "height = 1\nwidht = 2";
/// let error = dataset::explain::TomlError::new(&toml::from_str::<Shape>(text).unwrap_err(), text);
/// assert_eq!((error.line, error.key.as_deref()), (2, Some("widht")));
/// assert_eq!(error.cause, "unknown field `widht`");
/// let known = ["width", "height", "depth"].map(str::to_owned).to_vec();
/// assert_eq!(error.unknown, Some(("widht".to_owned(), known)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TomlError {
    /// Line, counted from 1.
    pub line: usize,
    /// Key on that line, prefixed by its table.
    pub key: Option<String>,
    /// What is wrong, in one line.
    pub cause: String,
    /// An unknown key or variant, and the known ones at that position.
    pub unknown: Option<(String, Vec<String>)>,
}

impl TomlError {
    /// Locates `error` in `text`.
    #[must_use]
    pub fn new(error: &toml::de::Error, text: &str) -> TomlError {
        let start = error.span().map_or(0, |span| span.start.min(text.len()));
        let before = text.get(..start).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let here = text.lines().nth(line - 1).unwrap_or_default();
        let key = here.split_once('=').map(|(key, _)| key.trim().to_owned()).filter(|key| !key.is_empty());
        let table = before.lines().rev().find_map(|l| l.trim().strip_prefix('[')?.strip_suffix(']'));
        let key = key.map(|key| match table {
            Some(table) => format!("{}.{key}", table.trim()),
            None => key,
        });
        let message = error.message();
        let cause = message.split(", expected one of").next().unwrap_or(message).replace('\n', " ");
        let quoted: Vec<String> = message.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        let unknown = match quoted.split_first() {
            Some((word, known)) if message.starts_with("unknown ") && !known.is_empty() => {
                Some((word.clone(), known.to_vec()))
            }
            _ => None,
        };
        TomlError { line, key, cause, unknown }
    }
}
