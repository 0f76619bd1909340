//! The numbers of an audit: what each is called, how it is computed, and where and how it is shown.
//!
//! One list, [`METRICS`]; tables, files and figures iterate over it. Adding a metric = one entry.
//!
//! ```
//! use tokenize::audit::{Audit, Block, Metric, Unit};
//! let windows = Metric::new("windows", "windows asked", Unit::Count, |audit| audit.windows as f64)
//!     .column(Block::Composition, "windows")
//!     .panel(10, "windows");
//! assert_eq!((windows.value)(&Audit::default()), 0.0);
//! ```

use super::measured::Audit;

/// How a number is written for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A share, in per cent.
    Percent,
    /// A whole number.
    Count,
    /// With so many decimals.
    Decimals(usize),
}

/// The tables of an audit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block {
    /// What the text consists of.
    Composition,
    /// How the cut answers to small changes.
    Stability,
}

impl Block {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Block; 2] = [Block::Composition, Block::Stability];

    /// What stands above the table.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Block::Composition => "what the text consists of",
            Block::Stability => "what a small change does to the cut",
        }
    }
}

/// A column of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Which table.
    pub block: Block,
    /// What stands above the column: a few letters.
    pub heading: &'static str,
}

/// A panel of the figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Panel {
    /// Panels stand in the order of this number.
    pub place: u8,
    /// What stands above the panel.
    pub heading: &'static str,
    /// Whether its axis is logarithmic.
    pub log: bool,
}

/// A table of the metric by species.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpeciesTable {
    /// Tables stand in the order of this number.
    pub place: u8,
    /// What stands above the table.
    pub heading: &'static str,
}

/// One number of an [`Audit`].
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Name in files.
    pub name: &'static str,
    /// What it is, for people.
    pub title: &'static str,
    /// How it is written.
    pub unit: Unit,
    /// The number; not finite where it is not defined.
    pub value: fn(&Audit) -> f64,
    /// Its column in a table, if it has one.
    pub column: Option<Column>,
    /// Its panel in the figure, if it has one.
    pub panel: Option<Panel>,
    /// Its table by species, if it has one.
    pub by_species: Option<SpeciesTable>,
    /// Whether the number is too low where the text is too short for the vocabulary ([`Audit::undersampled`]).
    pub low_if_undersampled: bool,
}

impl Metric {
    /// A metric that is in files only.
    #[must_use]
    pub const fn new(name: &'static str, title: &'static str, unit: Unit, value: fn(&Audit) -> f64) -> Metric {
        Metric { name, title, unit, value, column: None, panel: None, by_species: None, low_if_undersampled: false }
    }

    /// With a column in a table.
    #[must_use]
    pub const fn column(mut self, block: Block, heading: &'static str) -> Metric {
        self.column = Some(Column { block, heading });
        self
    }

    /// With a panel in the figure.
    #[must_use]
    pub const fn panel(mut self, place: u8, heading: &'static str) -> Metric {
        self.panel = Some(Panel { place, heading, log: false });
        self
    }

    /// With a panel whose axis is logarithmic.
    #[must_use]
    pub const fn log_panel(mut self, place: u8, heading: &'static str) -> Metric {
        self.panel = Some(Panel { place, heading, log: true });
        self
    }

    /// With a table by species.
    #[must_use]
    pub const fn by_species(mut self, place: u8, heading: &'static str) -> Metric {
        self.by_species = Some(SpeciesTable { place, heading });
        self
    }

    /// Too low where the text is too short.
    #[must_use]
    pub const fn low_if_undersampled(mut self) -> Metric {
        self.low_if_undersampled = true;
        self
    }
}

/// All numbers, in the order in which files and tables show them.
pub const METRICS: &[Metric] = &[
    Metric::new("bases_per_token", "bases per token", Unit::Decimals(2), |a| a.composition.bases_per_token())
        .column(Block::Composition, "bases/token")
        .panel(1, "bases per token")
        .by_species(2, "bases per token, by species"),
    Metric::new("overlap", "tokens over a base", Unit::Decimals(2), |a| a.composition.overlap()),
    Metric::new("used", "share of the vocabulary used", Unit::Percent, |a| a.composition.used(1))
        .column(Block::Composition, "used")
        .panel(2, "vocabulary used")
        .low_if_undersampled(),
    Metric::new("used_100", "share used 100 times or more", Unit::Percent, |a| a.composition.used(100)),
    Metric::new("types_50", "types covering half of the tokens", Unit::Count, |a| a.composition.covering(0.5))
        .column(Block::Composition, "50 % in")
        .low_if_undersampled(),
    Metric::new("types_90", "types covering 90 % of the tokens", Unit::Count, |a| a.composition.covering(0.9))
        .column(Block::Composition, "90 % in")
        .log_panel(3, "types in 90 % of tokens")
        .low_if_undersampled(),
    Metric::new("types_99", "types covering 99 % of the tokens", Unit::Count, |a| a.composition.covering(0.99)),
    Metric::new("entropy", "entropy, bits per token", Unit::Decimals(3), |a| a.composition.entropy())
        .column(Block::Composition, "bits/token")
        .low_if_undersampled(),
    Metric::new("unseen", "share of tokens of types not met (Turing)", Unit::Percent, |a| a.composition.unseen()),
    Metric::new("renyi", "Rényi efficiency (2.5)", Unit::Decimals(3), |a| a.composition.renyi())
        .column(Block::Composition, "Rényi")
        .panel(5, "Rényi efficiency (2.5)")
        .low_if_undersampled(),
    Metric::new("bits_per_base", "unigram bits per base", Unit::Decimals(3), |a| a.composition.bits_per_base())
        .column(Block::Composition, "unigram")
        .panel(4, "unigram bits per base")
        .by_species(1, "unigram bits per base, by species")
        .low_if_undersampled(),
    Metric::new("reverse_jaccard", "strand agreement", Unit::Decimals(3), |a| a.stability.reverse.jaccard()),
    Metric::new("reverse_kappa", "strand agreement over chance", Unit::Decimals(3), |a| a.stability.reverse.kappa())
        .column(Block::Stability, "strand κ")
        .panel(6, "strand agreement (κ)"),
    Metric::new("shift_jaccard", "shift agreement", Unit::Decimals(3), |a| a.stability.shift.jaccard())
        .column(Block::Stability, "shift J")
        .panel(7, "agreement after a shift"),
    Metric::new("shift_kappa", "shift agreement over chance", Unit::Decimals(3), |a| a.stability.shift.kappa())
        .column(Block::Stability, "shift κ"),
    Metric::new("resync", "bases until the cut is found again", Unit::Count, |a| a.stability.resync())
        .column(Block::Stability, "resync"),
    Metric::new("substitution", "bases recut by a substitution", Unit::Decimals(1), |a| a.stability.substitution())
        .column(Block::Stability, "SNV")
        .panel(8, "recut by a substitution"),
    Metric::new("deletion", "bases recut by a deletion", Unit::Decimals(1), |a| a.stability.deletion())
        .column(Block::Stability, "deletion")
        .panel(9, "recut by a deletion"),
    Metric::new("round_trip", "round trips", Unit::Percent, |a| a.round_trips as f64 / a.windows as f64)
        .column(Block::Stability, "round trip"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_places_are_there_once() {
        let once = |mut all: Vec<String>| {
            let count = all.len();
            all.sort();
            all.dedup();
            assert_eq!(all.len(), count, "{all:?}");
        };
        once(METRICS.iter().map(|m| m.name.to_owned()).collect());
        once(METRICS.iter().filter_map(|m| Some(m.panel?.place.to_string())).collect());
        once(METRICS.iter().filter_map(|m| Some(m.by_species?.place.to_string())).collect());
    }

    #[test]
    fn a_text_that_shows_too_few_types_is_told() {
        let mut audit = Audit::default();
        assert!(!audit.undersampled());
        audit.composition.counts = vec![9, 1];
        assert!(!audit.undersampled(), "a tenth is not more than a tenth");
        audit.composition.counts = vec![8, 1];
        assert!(audit.undersampled());
    }
}
