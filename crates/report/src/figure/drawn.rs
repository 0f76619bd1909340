//! Shared by all figures: the drawing with its numbers, and the labels that describe the settings.

use crate::comparison::Group;

/// A drawing with its numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drawn {
    /// The figure as SVG.
    pub svg: String,
    /// The plotted numbers as CSV, one mark per row.
    pub csv: String,
}

/// Heading of a panel: group and scope (species or task), where present.
pub(super) fn heading(group: &str, scope: &str) -> String {
    match (group, scope) {
        ("", scope) => scope.to_owned(),
        (group, "") => group.to_owned(),
        (group, scope) => format!("{group} \u{b7} {scope}"),
    }
}

/// The settings that all groups share, in one line.
pub(super) fn common<'a>(groups: impl Iterator<Item = &'a Group>) -> String {
    let all: Vec<Vec<&str>> = groups.map(|g| g.setting.split(", ").collect()).collect();
    let shared = |part: &&str| all.iter().all(|other| other.contains(part));
    all.first().map_or_else(String::new, |first| first.iter().copied().filter(shared).collect::<Vec<_>>().join(", "))
}
