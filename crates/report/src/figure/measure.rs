//! Sizes of a figure and its text, in pixels.

/// Width of every figure in pixels.
pub(super) const WIDE: f64 = 900.0;
/// Left edge of title and subtitle.
pub(super) const EDGE: f64 = 24.0;

/// Size of ordinary text in pixels.
pub(super) const TEXT: f64 = 13.0;
/// Size of tick labels.
pub(super) const SMALL: f64 = 12.0;
/// Size of the title.
pub(super) const LARGE: f64 = 16.0;
/// Height of a line of the subtitle or of a note.
pub(super) const LINE: f64 = 16.0;

/// Upper estimate of the width of a text in pixels; the font is not known.
pub(super) fn width(text: &str, size: f64) -> f64 {
    text.chars().count() as f64 * size * 0.6
}

/// A text in lines that are at most `wide` pixels wide, broken at spaces.
pub(super) fn wrapped(text: &str, wide: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        match lines.last_mut() {
            Some(line) if width(line, SMALL) + width(word, SMALL) + SMALL * 0.6 <= wide => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_broken_at_spaces() {
        assert_eq!(wrapped("aa bb cc", 40.0), ["aa bb", "cc"]);
        assert_eq!(wrapped("", 40.0), Vec::<String>::new());
    }
}
