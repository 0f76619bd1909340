//! The score of a model: bits summed over masked bases, component by component, from scoring through records to tables.
//!
//! One list says what is summed: [`COMPONENTS`]. Scores are added, stored, averaged and printed by going through that list.
//! Adding a component is adding it there, and adding its bits where they arise; records, tables and CSV have it then.
//!
//! ```
//! use protocol::score::{CONTENT, COUNT, FLOOR, Score};
//! let mut score = Score::of(12).with(COUNT, 3.0).with(CONTENT, 19.5);
//! score += &score.clone();
//! assert_eq!((score.bases, score.total()), (24, 45.0));
//! assert_eq!(score.get(FLOOR), None); // the source of the text is not known
//! ```

use std::collections::HashSet;
use std::fmt;
use std::ops::AddAssign;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, Visitor};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};

/// A component of the score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Component {
    /// Its name in records and in `numbers.json`.
    pub name: &'static str,
    /// Its name in CSV.
    pub title: &'static str,
    /// How it adds up.
    pub role: Role,
    /// Its column in the table of components, if it has one.
    pub column: Option<Column>,
    /// Whether it is also reported for each species.
    pub by_species: bool,
    /// Its name in the legends of figures.
    pub legend: &'static str,
}

/// How a component adds up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A part of the total.
    Part,
    /// A separate total, not part of the total.
    Beside,
    /// A separate total that some records do not have: absent there, not zero.
    Optional,
    /// A bound, known only where the source of the text is: elsewhere it is absent, not zero.
    Floor,
}

impl Role {
    /// Whether every record has it, so that an absent one is zero.
    #[must_use]
    pub fn is_known(self) -> bool {
        matches!(self, Role::Part | Role::Beside)
    }
}

/// A column of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Columns are in ascending order of their places.
    pub place: u8,
    /// Its heading.
    pub heading: &'static str,
}

/// Bits for the number of tokens of each span (0 for fixed lengths).
pub const COUNT: Component = Component {
    name: "count",
    title: "count",
    role: Role::Part,
    column: Some(Column { place: 0, heading: "count" }),
    by_species: false,
    legend: "number of tokens",
};

/// Bits for the lengths of the tokens, sequential order.
pub const LENGTH: Component = Component {
    name: "length",
    title: "length",
    role: Role::Part,
    column: Some(Column { place: 1, heading: "length" }),
    by_species: false,
    legend: "token lengths",
};

/// Bits for the tokens given their lengths, sequential order.
pub const CONTENT: Component = Component {
    name: "content",
    title: "content",
    role: Role::Part,
    column: Some(Column { place: 2, heading: "content" }),
    by_species: false,
    legend: "token content",
};

/// Total bits of the parallel order (count + tokens).
pub const PARALLEL: Component = Component {
    name: "parallel",
    title: "parallel",
    role: Role::Beside,
    column: Some(Column { place: 4, heading: "parallel" }),
    by_species: false,
    legend: "parallel order",
};

/// Sequential total without the pair rule: in records of protocol 1 only.
pub const NO_PAIR_RULE: Component = Component {
    name: "no_pair_rule",
    title: "no pair rule",
    role: Role::Optional,
    column: None,
    by_species: false,
    legend: "unconstrained",
};

/// Sequential total of the segmentation prior alone: what a network that outputs zeros pays.
pub const ZERO: Component = Component {
    name: "zero",
    title: "zero network",
    role: Role::Optional,
    column: Some(Column { place: 3, heading: "zeros" }),
    by_species: false,
    legend: "network of zeros",
};

/// The part of [`ZERO`] for the number of tokens; its excess over [`COUNT`] is what the fitted code of token counts saves.
pub const ZERO_COUNT: Component = Component {
    name: "zero_count",
    title: "zero network, count",
    role: Role::Optional,
    column: None,
    by_species: false,
    legend: "number of tokens under the prior",
};

/// Sequential total of the context-free null of the same tokenizer.
pub const BIAS_ONLY: Component = Component {
    name: "bias_only",
    title: "bias only",
    role: Role::Beside,
    column: Some(Column { place: 6, heading: "context-free" }),
    by_species: true,
    legend: "context-free null",
};

/// Sequential total of the composition of the window: counts of the visible bases and of the coded prefix of the span.
pub const COMPOSITION: Component = Component {
    name: "composition",
    title: "composition",
    role: Role::Optional,
    column: Some(Column { place: 7, heading: "window" }),
    by_species: true,
    legend: "window composition",
};

/// Exact floor of the sequential order, where the source is known. Tables have it beside the total.
pub const FLOOR: Component = Component {
    name: "floor",
    title: "floor",
    role: Role::Floor,
    column: None,
    by_species: true,
    legend: "entropy floor",
};

/// Exact floor of the parallel order for this tokenizer's tokens, where the source is known.
pub const PARALLEL_FLOOR: Component = Component {
    name: "parallel_floor",
    title: "parallel floor",
    role: Role::Floor,
    column: Some(Column { place: 5, heading: "parallel floor" }),
    by_species: false,
    legend: "parallel entropy floor",
};

/// Every component, in the order of records and CSV.
pub const COMPONENTS: &[Component] =
    &[COUNT, LENGTH, CONTENT, PARALLEL, NO_PAIR_RULE, ZERO, ZERO_COUNT, BIAS_ONLY, COMPOSITION, FLOOR, PARALLEL_FLOOR];

/// The components of a list that a table has, in the order of its columns, with their headings.
#[must_use]
pub fn columns(components: &[Component]) -> Vec<(Component, &'static str)> {
    let mut columns: Vec<_> = components.iter().filter_map(|c| c.column.map(|column| (column.place, *c))).collect();
    columns.sort_by_key(|(place, _)| *place);
    columns.into_iter().filter_map(|(_, c)| c.column.map(|column| (c, column.heading))).collect()
}

/// Bits over masked bases: sums in records, means per base in comparisons.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// Masked bases that were scored, each exactly once.
    pub bases: u64,
    components: &'static [Component],
    /// One for each component; `None`: not known.
    bits: Vec<Option<f64>>,
}

impl Default for Score {
    fn default() -> Score {
        Score::over(COMPONENTS)
    }
}

impl Score {
    /// No bits for `bases` masked bases.
    #[must_use]
    pub fn of(bases: u64) -> Score {
        Score { bases, ..Score::default() }
    }

    /// Nothing yet, with a list of components of one's own.
    #[must_use]
    pub fn over(components: &'static [Component]) -> Score {
        let bits = components.iter().map(|component| component.role.is_known().then_some(0.0)).collect();
        Score { bases: 0, components, bits }
    }

    /// What it is made of.
    #[must_use]
    pub fn components(&self) -> &'static [Component] {
        self.components
    }

    /// The same score with the bits of one component replaced.
    #[must_use]
    pub fn with(mut self, component: Component, bits: f64) -> Score {
        self.set(component, bits);
        self
    }

    /// Bits of a component; `None` where it is not known.
    #[must_use]
    pub fn get(&self, component: Component) -> Option<f64> {
        self.place(component.name).and_then(|place| self.bits[place])
    }

    /// Bits of a component; not a number where it is not known.
    #[must_use]
    pub fn bits(&self, component: Component) -> f64 {
        self.get(component).unwrap_or(f64::NAN)
    }

    /// Replaces the bits of a component. A component that is not in the list is not kept.
    pub fn set(&mut self, component: Component, bits: impl Into<Option<f64>>) {
        if let Some(place) = self.place(component.name) {
            self.bits[place] = bits.into();
        }
    }

    /// Adds bits to a component; what was not known begins at 0.
    pub fn add(&mut self, component: Component, bits: f64) {
        self.set(component, self.get(component).unwrap_or(0.0) + bits);
    }

    /// The total in bits: its parts, summed in the order of the list (count + length + content).
    #[must_use]
    pub fn total(&self) -> f64 {
        self.iter().filter(|(component, _)| component.role == Role::Part).filter_map(|(_, bits)| bits).sum()
    }

    /// Whether the total and the totals beside it are numbers.
    #[must_use]
    pub fn is_finite(&self) -> bool {
        let mut beside = self.iter().filter(|(component, _)| component.role == Role::Beside);
        self.total().is_finite() && beside.all(|(_, bits)| bits.is_some_and(f64::is_finite))
    }

    /// Components and their bits, in the order of the list.
    pub fn iter(&self) -> impl Iterator<Item = (Component, Option<f64>)> + '_ {
        self.components.iter().copied().zip(self.bits.iter().copied())
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.components.iter().position(|component| component.name == name)
    }
}

impl AddAssign<&Score> for Score {
    /// Adds bases and bits of the components that this score has; what neither knows stays unknown.
    fn add_assign(&mut self, other: &Score) {
        self.bases += other.bases;
        for (component, bits) in other.iter() {
            if let Some(bits) = bits {
                self.add(component, bits);
            }
        }
    }
}

impl Serialize for Score {
    /// Bases and bits by name; what is not known is left out.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("bases", &self.bases)?;
        for (component, bits) in self.iter() {
            if let Some(bits) = bits {
                map.serialize_entry(component.name, &bits)?;
            }
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Score {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Score, D::Error> {
        Over(COMPONENTS).deserialize(deserializer)
    }
}

/// Reads a score with a list of components. Absent ones are zero, absent floors unknown, other names refused.
#[derive(Clone, Copy, Debug)]
pub struct Over(pub &'static [Component]);

impl<'de> DeserializeSeed<'de> for Over {
    type Value = Score;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Score, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Over {
    type Value = Score;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bits by component")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Score, A::Error> {
        let mut score = Score::over(self.0);
        let mut seen = HashSet::new();
        while let Some(name) = map.next_key::<String>()? {
            match score.place(&name) {
                _ if name == "bases" => score.bases = map.next_value()?,
                Some(place) if !self.0[place].role.is_known() => score.bits[place] = map.next_value()?,
                Some(place) => score.bits[place] = Some(map.next_value()?),
                None => {
                    let known: Vec<String> = self.0.iter().map(|component| format!("`{}`", component.name)).collect();
                    let known = known.join(", ");
                    return Err(A::Error::custom(format!("unknown field `{name}`, expected one of `bases`, {known}")));
                }
            }
            if !seen.insert(name.clone()) {
                return Err(A::Error::custom(format!("duplicate field `{name}`")));
            }
        }
        Ok(score)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_places_are_unique() {
        for (number, one) in COMPONENTS.iter().enumerate() {
            for other in &COMPONENTS[..number] {
                assert!(one.name != other.name && one.title != other.title, "{one:?} {other:?}");
                assert!(
                    one.column.is_none() || one.column.map(|c| c.place) != other.column.map(|c| c.place),
                    "{one:?}"
                );
            }
        }
        let headings: Vec<&str> = columns(COMPONENTS).into_iter().map(|(_, heading)| heading).collect();
        assert_eq!(
            headings,
            ["count", "length", "content", "zeros", "parallel", "parallel floor", "context-free", "window"]
        );
    }

    #[test]
    fn what_is_not_known_is_not_zero() {
        let mut sum = Score::of(3).with(COUNT, 1.0);
        sum += &Score::of(2).with(LENGTH, 0.5);
        assert_eq!((sum.get(FLOOR), sum.bases, sum.total()), (None, 5, 1.5));
        sum += &Score::of(0).with(FLOOR, 4.0);
        sum += &Score::of(0);
        assert_eq!(sum.get(FLOOR), Some(4.0));
        assert!(sum.is_finite() && !sum.clone().with(PARALLEL, f64::NAN).is_finite());
        assert!(!sum.clone().with(CONTENT, f64::INFINITY).is_finite() && sum.with(FLOOR, f64::NAN).is_finite());
    }

    #[test]
    fn json_is_flat_and_strict() {
        let score = Score::of(12).with(COUNT, 0.1).with(CONTENT, 1e-7);
        let text = serde_json::to_string(&score).unwrap();
        let expected =
            concat!(r#"{"bases":12,"count":0.1,"length":0.0,"content":1e-7,"parallel":0.0,"#, r#""bias_only":0.0}"#);
        assert_eq!(text, expected);
        let read = |text: &str| serde_json::from_str::<Score>(text).map_err(|error| error.to_string());
        assert_eq!(read(&text), Ok(score));
        assert_eq!(read("{}"), Ok(Score::default()));
        assert_eq!(read(r#"{"floor":2.5,"parallel_floor":null}"#), Ok(Score::default().with(FLOOR, 2.5)));
        assert!(
            read(r#"{"toll":1.0}"#).unwrap_err().starts_with("unknown field `toll`, expected one of `bases`, `count`")
        );
        assert!(read(r#"{"count":1.0,"count":1.0}"#).unwrap_err().starts_with("duplicate field `count`"));
        assert!(read(r#"{"count":null}"#).is_err(), "a sum that is no number");
    }

    #[test]
    fn another_list_has_other_components() {
        const TOLL: Component = Component {
            name: "toll",
            title: "toll",
            role: Role::Part,
            column: None,
            by_species: false,
            legend: "toll",
        };
        const LIST: &[Component] = &[COUNT, TOLL];
        let score = Score::over(LIST).with(COUNT, 1.0).with(TOLL, 0.5).with(CONTENT, 9.0);
        assert_eq!((score.total(), score.get(CONTENT)), (1.5, None));
        let text = serde_json::to_string(&score).unwrap();
        assert_eq!(text, r#"{"bases":0,"count":1.0,"toll":0.5}"#);
        assert_eq!(Over(LIST).deserialize(&mut serde_json::Deserializer::from_str(&text)).unwrap(), score);
    }
}
