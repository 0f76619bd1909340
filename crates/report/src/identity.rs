//! How a tokenizer is told apart from others wherever it is shown: what it is called, its place in the order, and by that
//! place its colour, its marker and the dashes of its line.
//!
//! The place is that in one comparison, or in the list of an audit or a locus: the same tokenizer may have another colour in
//! another experiment, but never two in one.

/// A colour: red, green, blue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Color(pub(crate) u8, pub(crate) u8, pub(crate) u8);

/// Okabe and Ito's palette, strongest first; yellow is left to the end for it is weak on white.
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

/// Drawn and blank pixels of lines; the first ones of each round are whole.
const DASHES: [Option<(f64, f64)>; 7] =
    [None, Some((8.0, 3.0)), Some((2.0, 3.0)), Some((12.0, 4.0)), Some((5.0, 5.0)), Some((3.0, 1.5)), None];

/// Names as people know them. A tokenizer that was read from a file is `file:STEM@HASH`: its stem is enough, unless two have the
/// same. A comparison keeps the whole name, for its numbers are read by machines too.
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

/// The order of tokenizers: as asked, then as met; controls last.
pub(crate) fn order(met: Vec<String>, asked: &[String], controls: &[String]) -> Vec<String> {
    let mut order: Vec<String> = Vec::new();
    for name in met {
        if !order.contains(&name) {
            order.push(name);
        }
    }
    let place = |name: &String| asked.iter().position(|other| other == name).unwrap_or(usize::MAX);
    order.sort_by_key(|name| (controls.contains(name), place(name)));
    order
}

/// Colour of a tokenizer by its place in the order.
pub(crate) fn color(index: usize) -> Color {
    COLORS[index % COLORS.len()]
}

/// Dash pattern (drawn, blank, in pixels) of a tokenizer's line.
pub(crate) fn dash(index: usize) -> Option<(f64, f64)> {
    DASHES[index % DASHES.len()]
}

/// Corners of a tokenizer's marker around its centre, in pixels; about 12 across.
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

/// A cross of four arms: how far they reach, and half of how wide they are.
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
    fn the_order_is_as_asked_then_as_met_and_controls_are_last() {
        let names = |all: &[&str]| all.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let met = names(&["c", "a", "c", "x", "b"]);
        assert_eq!(order(met.clone(), &names(&["b", "a"]), &names(&["a"])), names(&["b", "c", "x", "a"]));
        assert_eq!(order(met, &[], &[]), names(&["c", "a", "x", "b"]));
    }

    #[test]
    fn neighbours_differ_in_colour_and_marker() {
        for at in 0..COLORS.len() - 1 {
            assert!(color(at) != color(at + 1) && marker(at) != marker(at + 1));
        }
    }
}
