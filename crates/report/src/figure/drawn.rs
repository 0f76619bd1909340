//! Shared by all figures: the drawing with its numbers, its head, and headings of panels.

use super::measure::{EDGE, LARGE, WIDE, width, wrapped};
use super::words::setting;
use crate::comparison::{Comparison, Group};
use crate::identity::Looks;

/// A drawing with its numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drawn {
    /// The figure as SVG.
    pub svg: String,
    /// The plotted numbers as CSV, one mark per row.
    pub csv: String,
}

/// What stands above a figure: its message, and below that what it shows and the settings.
#[derive(Clone, Debug)]
pub(super) struct Head {
    pub(super) title: String,
    pub(super) lines: Vec<String>,
}

impl Head {
    /// The message as title if there is one and it fits, and what the figure shows (`kind`) below it; otherwise `kind` as title.
    pub(super) fn new(kind: &str, message: Option<String>, below: &[String]) -> Head {
        let message = message.filter(|text| width(text, LARGE) <= WIDE - 2.0 * EDGE);
        let kind_below = message.is_some().then(|| kind.to_owned());
        let below: Vec<&str> = kind_below.iter().chain(below).map(String::as_str).filter(|l| !l.is_empty()).collect();
        let lines = wrapped(&below.join(" \u{b7} "), WIDE - 2.0 * EDGE);
        Head { title: message.unwrap_or_else(|| kind.to_owned()), lines }
    }

    /// The head of a figure of a comparison.
    pub(super) fn of(kind: &str, message: Option<String>, comparison: &Comparison) -> Head {
        Head::new(kind, message, &[common(comparison.groups.iter())])
    }
}

/// Heading of a panel: group and scope (species or task), where present.
pub(super) fn heading(group: &str, scope: &str) -> String {
    let group = setting(group);
    match (group.as_str(), scope) {
        ("", scope) => scope.to_owned(),
        (group, "") => group.to_owned(),
        (group, scope) => format!("{group} \u{b7} {scope}"),
    }
}

/// The settings that all groups share, in words.
fn common<'a>(groups: impl Iterator<Item = &'a Group>) -> String {
    let all: Vec<Vec<&str>> = groups.map(|g| g.setting.split(", ").collect()).collect();
    let shared = |part: &&str| all.iter().all(|other| other.contains(part));
    let shared = all
        .first()
        .map_or_else(String::new, |first| first.iter().copied().filter(shared).collect::<Vec<_>>().join(", "));
    setting(&shared)
}

/// The looks of the tokenizers and controls of a comparison.
pub(super) fn looks(comparison: &Comparison) -> Looks {
    let tasks = comparison.groups.iter().flat_map(|group| &group.tasks).flat_map(|task| &task.scores);
    Looks::of(comparison.order.iter().chain(tasks.map(|score| &score.name)).map(String::as_str))
}

/// Names of the seeds of a row, in the order of its values; numbers for a control, which may have other seeds than the tokenizers.
pub(super) fn seed_names(control: bool, known: &[u64], count: usize) -> Vec<String> {
    let known = if control { &[][..] } else { known };
    (0..count).map(|at| known.get(at).map_or_else(|| format!("#{at}"), ToString::to_string)).collect()
}
