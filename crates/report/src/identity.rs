//! Visual identity of a tokenizer: its label, and the color, marker and dash pattern that follow from its index in the order.
//!
//! The index is that in one comparison, audit or locus: a tokenizer may have different colors in different experiments, but only
//! one in each.

/// A color as red, green and blue (0 to 255).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Color(pub(crate) u8, pub(crate) u8, pub(crate) u8);

/// Palette of Okabe and Ito, highest contrast first; yellow is last because it is hard to see on white.
const COLORS: [Color; 8] = [
    Color(0, 114, 178),
    Color(213, 94, 0),
    Color(0, 158, 115),
    Color(204, 121, 167),
    Color(230, 159, 0),
    Color(86, 180, 233),
    Color(0, 0, 0),
    Color(190, 175, 20),
];

/// Lengths of dash and gap in pixels; None is a solid line.
const DASHES: [Option<(f64, f64)>; 7] =
    [None, Some((8.0, 3.0)), Some((2.0, 3.0)), Some((12.0, 4.0)), Some((5.0, 5.0)), Some((3.0, 1.5)), None];

/// Short names for display. A tokenizer read from a file has the name `file:STEM@HASH`; its label is the stem, unless two stems are
/// equal. A comparison keeps full names, because its numbers are read by programs too.
///
/// ```
/// let names = ["base", "file:dnabert2@0123", "file:a@45", "file:a@67"].map(String::from);
/// assert_eq!(report::labels(&names), ["base", "dnabert2", "file:a@45", "file:a@67"]);
/// ```
#[must_use]
pub fn labels(names: &[String]) -> Vec<String> {
    let stem = |name: &String| tokenize::families::file::stem_of(name).unwrap_or(name).to_owned();
    let short: Vec<String> = names.iter().map(stem).collect();
    let only = |label: &String| short.iter().filter(|other| *other == label).count() == 1;
    names.iter().zip(&short).map(|(name, short)| if only(short) { short } else { name }).cloned().collect()
}

/// The order of tokenizers: as requested, then as found; controls last.
pub(crate) fn order(found: Vec<String>, requested: &[String], controls: &[String]) -> Vec<String> {
    let mut order: Vec<String> = Vec::new();
    for name in found {
        if !order.contains(&name) {
            order.push(name);
        }
    }
    let place = |name: &String| requested.iter().position(|other| other == name).unwrap_or(usize::MAX);
    order.sort_by_key(|name| (controls.contains(name), place(name)));
    order
}

/// Color of a tokenizer by its index in the order.
pub(crate) fn color(index: usize) -> Color {
    COLORS[index % COLORS.len()]
}

/// Dash pattern (dash, gap, in pixels) of the line of a tokenizer.
pub(crate) fn dash(index: usize) -> Option<(f64, f64)> {
    DASHES[index % DASHES.len()]
}

/// Corners of the marker of a tokenizer around its center, in pixels; about 12 across.
pub(crate) fn marker(index: usize) -> Vec<(f64, f64)> {
    let regular = |corners: usize, radius: f64, turn: f64| -> Vec<(f64, f64)> {
        let angle = |i: usize| std::f64::consts::TAU * (i as f64 / corners as f64 + turn);
        (0..corners).map(|i| (radius * angle(i).sin(), -radius * angle(i).cos())).collect()
    };
    match index % 8 {
        0 => regular(24, 5.5, 0.0),
        1 => regular(4, 6.8, 0.125),
        2 => regular(3, 7.2, 0.0),
        3 => regular(4, 7.0, 0.0),
        4 => regular(3, 7.2, 0.5),
        5 => regular(5, 6.6, 0.0),
        6 => cross(6.5, 2.2),
        _ => regular(6, 6.2, 0.25),
    }
}

/// A cross: length of its arms from the center, and half of their width.
fn cross(far: f64, half: f64) -> Vec<(f64, f64)> {
    vec![
        (-half, -far),
        (half, -far),
        (half, -half),
        (far, -half),
        (far, half),
        (half, half),
        (half, far),
        (-half, far),
        (-half, half),
        (-far, half),
        (-far, -half),
        (-half, -half),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_as_requested_then_as_found_with_controls_last() {
        let names = |all: &[&str]| all.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let found = names(&["c", "a", "c", "x", "b"]);
        assert_eq!(order(found.clone(), &names(&["b", "a"]), &names(&["a"])), names(&["b", "c", "x", "a"]));
        assert_eq!(order(found, &[], &[]), names(&["c", "a", "x", "b"]));
    }

    #[test]
    fn neighbors_differ_in_color_and_marker() {
        for at in 0..COLORS.len() - 1 {
            assert!(color(at) != color(at + 1) && marker(at) != marker(at + 1));
        }
    }
}
