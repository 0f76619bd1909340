//! Text that is safe to show on a terminal.

use std::ffi::OsStr;

use dataset::text::printable;

/// Text with control characters escaped, except line ends.
pub(crate) fn escaped(text: &str) -> String {
    text.split('\n').map(printable).collect::<Vec<_>>().join("\n")
}

/// Whether an argument contains control characters, which could change the state of a terminal.
pub(crate) fn has_control_characters(argument: &OsStr) -> bool {
    let argument = argument.to_string_lossy();
    printable(&argument) != argument
}

/// Maximum length of a message in characters.
const MOST: usize = 2_000;

/// A message as it is shown on a terminal, whatever it quotes: control characters are escaped, except line ends, and the middle
/// of a message of more than [`MOST`] characters is left out. Most messages shorten what they quote; this applies to all.
pub(crate) fn message(text: &str) -> String {
    let letters = text.chars().count();
    let place = |number: usize| text.char_indices().nth(number).map_or(text.len(), |(at, _)| at);
    if letters <= MOST {
        return escaped(text);
    }
    // The cause is often at the end.
    let (begin, end) = (place(MOST / 2), place(letters - MOST / 2));
    format!("{} [... {} characters ...] {}", escaped(&text[..begin]), letters - MOST / 2 * 2, escaped(&text[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_of_messages_are_escaped() {
        assert_eq!(message("a.fa: no such file"), "a.fa: no such file");
        assert_eq!(message("two\nlines \u{1b}[31m\r\u{7}"), "two\nlines \\u{1b}[31m\\r\\u{7}");
        let long = message(&format!("é{}z", "\u{1b}".repeat(5_000)));
        assert!(long.starts_with("é\\u{1b}") && long.ends_with("\\u{1b}z"), "{long}");
        assert!(long.contains(" [... 3002 characters ...] ") && !long.contains('\u{1b}'));
    }
}
