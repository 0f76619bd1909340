//! What all figures have in common: a picture with its numbers, and the lines that say what was asked.

use std::fmt::Write as _;

use crate::comparison::Group;

/// A drawing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drawn {
    /// The picture.
    pub svg: String,
    /// The numbers in it, one drawn thing a row.
    pub csv: String,
}

/// A CSV in the making.
pub(super) struct Csv(pub(super) String);

impl Csv {
    pub(super) fn new(header: &str) -> Csv {
        Csv(format!("{header}\n"))
    }

    /// One row: text fields, then numbers (nothing for what is not finite).
    pub(super) fn row(&mut self, fields: &[&str], numbers: &[f64]) {
        let fields = fields.iter().map(|f| crate::table::field(f));
        let numbers = numbers.iter().map(|n| crate::table::number(*n));
        let line = fields.chain(numbers).collect::<Vec<_>>().join(",");
        let _ = writeln!(self.0, "{line}");
    }
}

/// Label of a group in panels: its own, or nothing.
pub(super) fn heading(group: &str, scope: &str) -> String {
    match (group, scope) {
        ("", scope) => scope.to_owned(),
        (group, "") => group.to_owned(),
        (group, scope) => format!("{group} \u{b7} {scope}"),
    }
}

/// What all drawn groups were asked, in one line: the parts of their settings that are the same.
pub(super) fn common<'a>(groups: impl Iterator<Item = &'a Group>) -> String {
    let all: Vec<Vec<&str>> = groups.map(|g| g.setting.split(", ").collect()).collect();
    let shared = |part: &&str| all.iter().all(|other| other.contains(part));
    all.first().map_or_else(String::new, |first| first.iter().copied().filter(shared).collect::<Vec<_>>().join(", "))
}
