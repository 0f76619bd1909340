//! Audit of tokenizers without a model: each metric on a text, beside its value on random text.
//!
//! Plain data in ([`Sheet`]), a table for people, a CSV with every number, and figures ([`crate::figure`]) out.
//!
//! Each metric defines its unit, its format and where it is shown ([`tokenize::audit::METRICS`]).
//!
//! ```
//! let sheet = report::example::sheet();
//! assert!(report::audit::table(&sheet, false).contains("unigram"));
//! assert!(report::audit::csv(&sheet).starts_with("tokenizer,species,text,metric,value\n"));
//! ```

use tokenize::audit::{AuditMetric, Block, Unit};

use crate::table::grid::{Grid, bold, chunked, wrap};
use crate::table::{WIDTH, name};
use crate::tidy::Csv;
use statistics::text::thousands;

/// Which text was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Text {
    /// The corpus.
    Real,
    /// A Markov chain of order 2 fitted to the corpus.
    Order2,
    /// Independent, equally likely bases.
    Uniform,
}

impl Text {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Text; 3] = [Text::Real, Text::Order2, Text::Uniform];

    /// Name in tables and in CSV.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Text::Real => "corpus",
            Text::Order2 => "order 2",
            Text::Uniform => "uniform",
        }
    }
}

/// The values of one tokenizer on one text.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// Index of the tokenizer in [`Sheet::tokenizers`].
    pub tokenizer: usize,
    /// Name of the species; empty for all species together.
    pub species: String,
    /// The text.
    pub text: Text,
    /// One value per metric, in the order of [`Sheet::metrics`]; NaN where undefined.
    pub values: Vec<f64>,
    /// Number of tokens of each length in bases; index 0 is length 1.
    pub lengths: Vec<u64>,
    /// Whether the text is too short for the vocabulary ([`tokenize::audit::Audit::undersampled`]).
    pub undersampled: bool,
}

/// The results of an audit.
#[derive(Clone, Debug)]
pub struct Sheet {
    /// Corpus and sample size, in one line.
    pub setting: String,
    /// Names of the tokenizers.
    pub tokenizers: Vec<String>,
    /// The metrics, in the order of the values of a cell.
    pub metrics: Vec<AuditMetric>,
    /// One cell per tokenizer, species and text.
    pub cells: Vec<Cell>,
}

impl Sheet {
    pub(crate) fn cell(&self, tokenizer: usize, species: &str, text: Text) -> Option<&Cell> {
        self.cells.iter().find(|c| c.tokenizer == tokenizer && c.species == species && c.text == text)
    }

    /// The value of a metric by its index in [`Sheet::metrics`]; an empty species stands for all together. NaN if missing.
    pub(crate) fn value(&self, tokenizer: usize, species: &str, text: Text, metric: usize) -> f64 {
        let value = self.cell(tokenizer, species, text).and_then(|cell| cell.values.get(metric).copied());
        value.unwrap_or(f64::NAN)
    }

    /// Index and display settings of the metrics that are shown in one form (column, panel), sorted by place.
    pub(crate) fn shown<F, K: Ord>(
        &self,
        form: impl Fn(&AuditMetric) -> Option<F>,
        place: impl Fn(&F) -> K,
    ) -> Vec<(usize, F)> {
        let all = self.metrics.iter().enumerate();
        let mut shown: Vec<(usize, F)> = all.filter_map(|(at, metric)| Some((at, form(metric)?))).collect();
        shown.sort_by_key(|(_, form)| place(form));
        shown
    }

    /// Names of the species, in the order of the cells.
    pub(crate) fn species(&self) -> Vec<&str> {
        let mut species: Vec<&str> = Vec::new();
        for cell in self.cells.iter().filter(|c| !c.species.is_empty()) {
            if !species.contains(&cell.species.as_str()) {
                species.push(&cell.species);
            }
        }
        species
    }
}

/// The audit as plain text, at most [`WIDTH`] columns wide. `color` turns on ANSI bold.
#[must_use]
pub fn table(sheet: &Sheet, color: bool) -> String {
    let mut blocks = vec![bold(&wrap(&sheet.setting, WIDTH, ""), color)];
    blocks.extend(Block::ALL.map(|block| columns(sheet, block).print(color)));
    if sheet.species().len() > 1 {
        blocks.extend(by_species(sheet).iter().map(|grid| grid.print(color)));
    }
    blocks.push(notes());
    blocks.join("\n\n") + "\n"
}

/// The metrics of a block in columns; every tokenizer on every text.
fn columns(sheet: &Sheet, block: Block) -> Grid {
    let columns = sheet.shown(|metric| metric.column.filter(|column| column.block == block), |_| ());
    let headings = columns.iter().map(|(_, column)| column.heading);
    let mut grid = Grid::new(block.title(), &["tokenizer", "text"].into_iter().chain(headings).collect::<Vec<_>>());
    for (tokenizer, label) in sheet.tokenizers.iter().enumerate() {
        for text in Text::ALL {
            let label = if text == Text::Real { name(label) } else { String::new() };
            let values = columns.iter().map(|(metric, _)| value(sheet, tokenizer, "", text, *metric));
            grid.row([label, text.name().to_owned()].into_iter().chain(values).collect(), &[]);
        }
    }
    grid
}

/// Species in columns, for the metrics that have such tables.
fn by_species(sheet: &Sheet) -> Vec<Grid> {
    let species = sheet.species();
    let headings: Vec<String> = species.iter().map(|s| (*s).to_owned()).collect();
    let mut grids = Vec::new();
    for (metric, table) in sheet.shown(|metric| metric.by_species, |table| table.place) {
        let row = |tokenizer| species.iter().map(|s| value(sheet, tokenizer, s, Text::Real, metric)).collect();
        let rows: Vec<(String, Vec<String>)> =
            sheet.tokenizers.iter().enumerate().map(|(at, label)| (name(label), row(at))).collect();
        grids.extend(chunked(table.heading, "species", &headings, &rows));
    }
    grids
}

fn notes() -> String {
    [
        "corpus: the text itself; order 2: a Markov chain of order 2 fitted to it; uniform: independent, equally likely bases. \
         Compare a value with those of the two random texts: alone it says little.",
        "used: fraction of the vocabulary that occurs; 50 % in: number of vocabulary entries that make up half of all tokens. \
         bits/token: entropy with the Miller-Madow correction. Rényi: efficiency of order 2.5 over the whole vocabulary; it can be \
         raised without any improvement. unigram: bits per base of a code that uses token frequencies only; of overlapping k-mers, \
         every k-th is counted. >: underestimated, because more than a tenth of the tokens belong to entries that the sample does \
         not contain (Good-Turing estimate, \"unseen\" in the CSV): increase --bases.",
        "J: Jaccard index of the token boundaries of two segmentations; κ: the same, corrected for chance (- if every position is a \
         boundary). strand: vs the reverse complement, for 12 window lengths; shift: vs the text without its first 1 to 12 bases; \
         resync: median number of bases until both segmentations agree again (the window length: never). SNV, deletion: mean number \
         of bases in changed tokens after one substitution or deletion.",
    ]
    .map(|note| wrap(note, WIDTH, "  "))
    .join("\n")
}

/// A formatted value, preceded by `>` where it is underestimated.
fn value(sheet: &Sheet, tokenizer: usize, species: &str, text: Text, metric: usize) -> String {
    let known = &sheet.metrics[metric];
    let undersampled = sheet.cell(tokenizer, species, text).is_some_and(|cell| cell.undersampled);
    let written = written(sheet.value(tokenizer, species, text, metric), known.unit);
    if known.low_if_undersampled && undersampled { format!(">{written}") } else { written }
}

fn written(value: f64, unit: Unit) -> String {
    match unit {
        _ if !value.is_finite() => "-".to_owned(),
        Unit::Percent => format!("{:.1} %", value * 100.0),
        Unit::Count => thousands(value),
        Unit::Decimals(decimals) => format!("{value:.decimals$}").replace('-', "\u{2212}"),
    }
}

/// Every number, one per row: `tokenizer,species,text,metric,value`; an empty species stands for all of them.
#[must_use]
pub fn csv(sheet: &Sheet) -> String {
    let mut csv = Csv::new("tokenizer,species,text,metric,value");
    for cell in &sheet.cells {
        let label = sheet.tokenizers.get(cell.tokenizer).map_or("", String::as_str);
        for (metric, value) in sheet.metrics.iter().zip(&cell.values) {
            csv.row(&[label, &cell.species, cell.text.name(), metric.name], &[*value]);
        }
    }
    csv.text()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::sheet as example;

    #[test]
    fn table_fits_and_marks_undefined_values() {
        let text = table(&example(), false);
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
        assert!(text.contains("ecoli") && text.contains("order 2") && text.contains(" - "));
    }

    #[test]
    fn undersampled_values_are_marked() {
        let mut sheet = example();
        assert!(!table(&sheet, false).contains(">1.4"));
        for cell in &mut sheet.cells {
            cell.undersampled = cell.tokenizer == 0 && cell.species != "human";
        }
        // Six numbers of the first tokenizer on three texts, and its unigram bits on one of two species.
        let shown = table(&sheet, false);
        let marked = shown.split_whitespace().filter(|word| word.starts_with('>') && *word != ">:").count();
        assert_eq!(marked, 6 * 3 + 1, "{shown}");
    }

    #[test]
    fn csv_contains_every_number() {
        let sheet = example();
        let file = csv(&sheet);
        assert_eq!(file.lines().count(), 1 + sheet.cells.len() * sheet.metrics.len());
        assert!(file.contains("base,human,uniform,entropy,"));
    }
}
