//! An audit of tokenizers without a model: what they do to a text, each number beside the same on random text.
//!
//! Plain data in ([`Sheet`]), a table for people, a CSV with every number, and figures ([`crate::figure`]) out.
//!
//! What the numbers are, how they are written and where they stand is told by the metrics themselves
//! ([`tokenize::audit::METRICS`]).
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
    /// A Markov chain of order 2 with the frequencies of the corpus.
    Order2,
    /// Independent bases, each as likely.
    Uniform,
}

impl Text {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Text; 3] = [Text::Real, Text::Order2, Text::Uniform];

    /// Name in tables and files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Text::Real => "corpus",
            Text::Order2 => "order 2",
            Text::Uniform => "uniform",
        }
    }
}

/// What was measured of one tokenizer on one text.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// Place of the tokenizer in [`Sheet::tokenizers`].
    pub tokenizer: usize,
    /// The species; empty: all of them together.
    pub species: String,
    /// The text.
    pub text: Text,
    /// One value a metric, in the order of [`Sheet::metrics`]; not finite where it is not defined.
    pub values: Vec<f64>,
    /// Tokens by length in bases, index 0 = one base.
    pub lengths: Vec<u64>,
    /// Whether the text is too short for the vocabulary ([`tokenize::audit::Audit::undersampled`]).
    pub undersampled: bool,
}

/// A whole audit.
#[derive(Clone, Debug)]
pub struct Sheet {
    /// What was measured, in one line.
    pub setting: String,
    /// Names of the tokenizers.
    pub tokenizers: Vec<String>,
    /// The metrics.
    pub metrics: Vec<AuditMetric>,
    /// The numbers.
    pub cells: Vec<Cell>,
}

impl Sheet {
    pub(crate) fn cell(&self, tokenizer: usize, species: &str, text: Text) -> Option<&Cell> {
        self.cells.iter().find(|c| c.tokenizer == tokenizer && c.species == species && c.text == text)
    }

    /// The value of the metric at a place in [`Sheet::metrics`]; no species: all of them together.
    pub(crate) fn value(&self, tokenizer: usize, species: &str, text: Text, metric: usize) -> f64 {
        let value = self.cell(tokenizer, species, text).and_then(|cell| cell.values.get(metric).copied());
        value.unwrap_or(f64::NAN)
    }

    /// Place and form of the metrics that are shown in some way, in the order that they ask for.
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

    /// The species, in their order.
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
    for (tokenizer, called) in sheet.tokenizers.iter().enumerate() {
        for text in Text::ALL {
            let called = if text == Text::Real { name(called) } else { String::new() };
            let values = columns.iter().map(|(metric, _)| value(sheet, tokenizer, "", text, *metric));
            grid.row([called, text.name().to_owned()].into_iter().chain(values).collect(), &[]);
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
            sheet.tokenizers.iter().enumerate().map(|(at, called)| (name(called), row(at))).collect();
        grids.extend(chunked(table.heading, "species", &headings, &rows));
    }
    grids
}

fn notes() -> String {
    [
        "corpus: the text itself; order 2: a Markov chain with its frequencies; uniform: independent bases. A number means \
         something only beside those two.",
        "used: share of the vocabulary that occurs; 50 % in: types that make up half of all tokens. bits/token: entropy with \
         Miller and Madow's correction. Rényi: efficiency of order 2.5 over the whole vocabulary; it can be raised without any \
         gain. unigram: bits per base of a code that knows token frequencies only; of overlapping words of K \
         every K-th counts. >: too low, as more than a tenth of such tokens would be of types that the text has not shown \
         (Turing's estimate, \"unseen\" in the CSV): give more --bases.",
        "J: borders that both cuts have among those that one has; κ: the same beyond chance (- where every place is a border). \
         strand: against the reverse complement, for 12 window lengths; shift: against the text without its first 1 to 12 bases; \
         resync: median bases until that cut is the same again (the whole window: never). SNV, deletion: mean bases in other tokens after one.",
    ]
    .map(|note| wrap(note, WIDTH, "  "))
    .join("\n")
}

/// A value for people, told where it is too low.
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

/// Every number, one a row: `tokenizer,species,text,metric,value`; species empty: all together.
#[must_use]
pub fn csv(sheet: &Sheet) -> String {
    let mut csv = Csv::new("tokenizer,species,text,metric,value");
    for cell in &sheet.cells {
        let called = sheet.tokenizers.get(cell.tokenizer).map_or("", String::as_str);
        for (metric, value) in sheet.metrics.iter().zip(&cell.values) {
            csv.row(&[called, &cell.species, cell.text.name(), metric.name], &[*value]);
        }
    }
    csv.text()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::sheet as example;

    #[test]
    fn the_table_fits_and_says_what_is_not_defined() {
        let text = table(&example(), false);
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
        assert!(text.contains("ecoli") && text.contains("order 2") && text.contains(" - "));
    }

    #[test]
    fn numbers_of_too_little_text_are_told() {
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
    fn every_number_is_in_the_file() {
        let sheet = example();
        let file = csv(&sheet);
        assert_eq!(file.lines().count(), 1 + sheet.cells.len() * sheet.metrics.len());
        assert!(file.contains("base,human,uniform,entropy,"));
    }
}
