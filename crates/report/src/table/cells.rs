//! Names in cells of tables.

use crate::comparison::{Bits, Group, Subject};

/// Length in characters of the longest tokenizer name that is printed in full.
const NAME: usize = 30;

/// A name, truncated with an ellipsis if it is longer than its column.
pub(crate) fn name(text: &str) -> String {
    if text.chars().count() <= NAME {
        return text.to_owned();
    }
    text.chars().take(NAME - 1).chain(['\u{2026}']).collect()
}

pub(super) fn shown(group: &Group) -> impl Iterator<Item = (&Subject, Option<&Bits>)> {
    group.subjects.iter().map(|s| (s, s.bits.as_ref()))
}

pub(super) fn title(subject: &Subject) -> String {
    if subject.control { name(&format!("{} (control)", subject.name)) } else { name(&subject.name) }
}
