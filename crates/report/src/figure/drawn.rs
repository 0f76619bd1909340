//! What all figures have in common: a picture with its numbers, and the lines that say what was asked.

use crate::comparison::Group;

/// A drawing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drawn {
    /// The picture.
    pub svg: String,
    /// The numbers in it, one drawn thing a row.
    pub csv: String,
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
