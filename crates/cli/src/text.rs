//! Words that are shown to people.

use std::ffi::OsStr;

use dataset::text::printable;

/// Lines without control characters but their ends.
pub(crate) fn shown(text: &str) -> String {
    text.split('\n').map(printable).collect::<Vec<_>>().join("\n")
}

/// Whether an argument would do something to a terminal.
pub(crate) fn is_wild(argument: &OsStr) -> bool {
    let argument = argument.to_string_lossy();
    printable(&argument) != argument
}

/// Characters of a message at most.
const MOST: usize = 2_000;

/// A message as a terminal may see it, whatever it quotes: no control characters but the ends of its own lines, and no more than
/// a person reads. Most parts of a message are cut where it is made; this holds for all.
pub(crate) fn message(text: &str) -> String {
    let letters = text.chars().count();
    let place = |number: usize| text.char_indices().nth(number).map_or(text.len(), |(at, _)| at);
    if letters <= MOST {
        return shown(text);
    }
    // A cause often stands at the end.
    let (begin, end) = (place(MOST / 2), place(letters - MOST / 2));
    format!("{} [... {} characters ...] {}", shown(&text[..begin]), letters - MOST / 2 * 2, shown(&text[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_do_nothing_to_a_terminal() {
        assert_eq!(message("a.fa: no such file"), "a.fa: no such file");
        assert_eq!(message("two\nlines \u{1b}[31m\r\u{7}"), "two\nlines \\u{1b}[31m\\r\\u{7}");
        let long = message(&format!("é{}z", "\u{1b}".repeat(5_000)));
        assert!(long.starts_with("é\\u{1b}") && long.ends_with("\\u{1b}z"), "{long}");
        assert!(long.contains(" [... 3002 characters ...] ") && !long.contains('\u{1b}'));
    }
}
