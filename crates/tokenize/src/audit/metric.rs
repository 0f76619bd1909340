//! The metrics of an audit: names, definitions, and presentation in tables and figures.
//!
//! Tables, files and figures iterate over one list, [`METRICS`]. A new metric is one new entry.
//!
//! ```
//! use tokenize::audit::{Audit, Block, AuditMetric, Unit};
//! let windows = AuditMetric::new("windows", "number of windows", Unit::Count, |audit| audit.windows as f64)
//!     .column(Block::Composition, "windows")
//!     .panel(10, "windows");
//! assert_eq!((windows.value)(&Audit::default()), 0.0);
//! ```

use super::measured::Audit;

/// Number format of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A fraction, shown in percent.
    Percent,
    /// An integer.
    Count,
    /// Fixed number of decimals.
    Decimals(usize),
}

/// The tables of an audit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block {
    /// Token counts and derived statistics.
    Composition,
    /// Stability under small changes.
    Stability,
}

impl Block {
    /// All tables in display order.
    pub const ALL: [Block; 2] = [Block::Composition, Block::Stability];

    /// The title of the table.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Block::Composition => "token composition",
            Block::Stability => "stability under small changes",
        }
    }
}

/// A column of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// The table.
    pub block: Block,
    /// The column heading, short.
    pub heading: &'static str,
}

/// A panel of the figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Panel {
    /// Panels are sorted by this number.
    pub place: u8,
    /// The panel heading.
    pub heading: &'static str,
    /// Whether its axis is logarithmic.
    pub log: bool,
}

/// A table of the metric by species.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpeciesTable {
    /// Tables are sorted by this number.
    pub place: u8,
    /// The title of the table.
    pub heading: &'static str,
}

/// A metric of an [`Audit`].
#[derive(Clone, Copy, Debug)]
pub struct AuditMetric {
    /// Machine-readable name, used in files.
    pub name: &'static str,
    /// Title in tables and figures.
    pub title: &'static str,
    /// Number format.
    pub unit: Unit,
    /// The value; NaN if undefined.
    pub value: fn(&Audit) -> f64,
    /// Its column in a table, if any.
    pub column: Option<Column>,
    /// Its panel in the figure, if any.
    pub panel: Option<Panel>,
    /// Unit at the axis of its panel.
    pub axis: &'static str,
    /// Its table by species, if any.
    pub by_species: Option<SpeciesTable>,
    /// Whether the value is too low if the text is too short for the vocabulary ([`Audit::undersampled`]).
    pub low_if_undersampled: bool,
}

impl AuditMetric {
    /// A metric that is written to files only.
    #[must_use]
    pub const fn new(name: &'static str, title: &'static str, unit: Unit, value: fn(&Audit) -> f64) -> AuditMetric {
        AuditMetric {
            name,
            title,
            unit,
            value,
            column: None,
            panel: None,
            axis: "",
            by_species: None,
            low_if_undersampled: false,
        }
    }

    /// Adds a column in a table.
    #[must_use]
    pub const fn column(mut self, block: Block, heading: &'static str) -> AuditMetric {
        self.column = Some(Column { block, heading });
        self
    }

    /// Adds a panel in the figure.
    #[must_use]
    pub const fn panel(mut self, place: u8, heading: &'static str) -> AuditMetric {
        self.panel = Some(Panel { place, heading, log: false });
        self
    }

    /// The unit at the axis of the panel.
    #[must_use]
    pub const fn axis(mut self, unit: &'static str) -> AuditMetric {
        self.axis = unit;
        self
    }

    /// Adds a panel with a logarithmic axis.
    #[must_use]
    pub const fn log_panel(mut self, place: u8, heading: &'static str) -> AuditMetric {
        self.panel = Some(Panel { place, heading, log: true });
        self
    }

    /// Adds a table by species.
    #[must_use]
    pub const fn by_species(mut self, place: u8, heading: &'static str) -> AuditMetric {
        self.by_species = Some(SpeciesTable { place, heading });
        self
    }

    /// Marks the metric as too low on short texts.
    #[must_use]
    pub const fn low_if_undersampled(mut self) -> AuditMetric {
        self.low_if_undersampled = true;
        self
    }
}

/// All metrics, in the order of files and tables.
pub const METRICS: &[AuditMetric] = &[
    AuditMetric::new("bases_per_token", "bases per token", Unit::Decimals(2), |a| a.composition.bases_per_token())
        .column(Block::Composition, "bases/token")
        .panel(1, "bases per token")
        .axis("bases")
        .by_species(2, "bases per token, by species"),
    AuditMetric::new("overlap", "tokens per base position", Unit::Decimals(2), |a| a.composition.overlap()),
    AuditMetric::new("used", "fraction of the vocabulary used", Unit::Percent, |a| a.composition.used(1))
        .column(Block::Composition, "used")
        .panel(2, "vocabulary used")
        .axis("fraction of the entries")
        .low_if_undersampled(),
    AuditMetric::new("used_100", "fraction of the vocabulary used at least 100 times", Unit::Percent, |a| {
        a.composition.used(100)
    }),
    AuditMetric::new("types_50", "vocabulary entries covering 50 % of the tokens", Unit::Count, |a| {
        a.composition.covering(0.5)
    })
    .column(Block::Composition, "50 % in")
    .low_if_undersampled(),
    AuditMetric::new("types_90", "vocabulary entries covering 90 % of the tokens", Unit::Count, |a| {
        a.composition.covering(0.9)
    })
    .column(Block::Composition, "90 % in")
    .log_panel(3, "entries for 90 % of tokens")
    .axis("entries")
    .low_if_undersampled(),
    AuditMetric::new("types_99", "vocabulary entries covering 99 % of the tokens", Unit::Count, |a| {
        a.composition.covering(0.99)
    }),
    AuditMetric::new("entropy", "entropy, bits per token", Unit::Decimals(3), |a| a.composition.entropy())
        .column(Block::Composition, "bits/token")
        .low_if_undersampled(),
    AuditMetric::new("unseen", "unseen mass (Good-Turing)", Unit::Percent, |a| a.composition.unseen()),
    AuditMetric::new("renyi", "Rényi efficiency (2.5)", Unit::Decimals(3), |a| a.composition.renyi())
        .column(Block::Composition, "Rényi")
        .panel(5, "Rényi efficiency (2.5)")
        .axis("1: all entries equally often")
        .low_if_undersampled(),
    AuditMetric::new("bits_per_base", "unigram bits per base", Unit::Decimals(3), |a| a.composition.bits_per_base())
        .column(Block::Composition, "unigram")
        .panel(4, "unigram bits per base")
        .axis("bits per base")
        .by_species(1, "unigram bits per base, by species")
        .low_if_undersampled(),
    AuditMetric::new("reverse_jaccard", "strand agreement (Jaccard)", Unit::Decimals(3), |a| {
        a.stability.reverse.jaccard()
    }),
    AuditMetric::new("reverse_kappa", "strand agreement beyond chance (κ)", Unit::Decimals(3), |a| {
        a.stability.reverse.kappa()
    })
    .column(Block::Stability, "strand κ")
    .panel(6, "strand agreement (κ)")
    .axis("κ of the cuts"),
    AuditMetric::new("shift_jaccard", "shift agreement (Jaccard)", Unit::Decimals(3), |a| a.stability.shift.jaccard())
        .column(Block::Stability, "shift J")
        .panel(7, "shift agreement (Jaccard)")
        .axis("Jaccard index of the cuts"),
    AuditMetric::new("shift_kappa", "shift agreement beyond chance (κ)", Unit::Decimals(3), |a| {
        a.stability.shift.kappa()
    })
    .column(Block::Stability, "shift κ"),
    AuditMetric::new("resync", "bases to resynchronize", Unit::Count, |a| a.stability.resync())
        .column(Block::Stability, "resync"),
    AuditMetric::new("substitution", "bases with changed tokens per substitution", Unit::Decimals(1), |a| {
        a.stability.substitution()
    })
    .column(Block::Stability, "SNV")
    .panel(8, "changed by a substitution")
    .axis("bases in other tokens"),
    AuditMetric::new("deletion", "bases with changed tokens per deletion", Unit::Decimals(1), |a| {
        a.stability.deletion()
    })
    .column(Block::Stability, "deletion")
    .log_panel(9, "changed by a deletion")
    .axis("bases in other tokens"),
    AuditMetric::new("round_trip", "lossless round trips", Unit::Percent, |a| a.round_trips as f64 / a.windows as f64)
        .column(Block::Stability, "round trip"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_positions_are_unique() {
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
    fn short_texts_are_undersampled() {
        let mut audit = Audit::default();
        assert!(!audit.undersampled());
        audit.composition.counts = vec![9, 1];
        assert!(!audit.undersampled(), "a tenth is not more than a tenth");
        audit.composition.counts = vec![8, 1];
        assert!(audit.undersampled());
    }
}
