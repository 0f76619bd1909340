//! Where panels and rows of a dot plot are.

use super::canvas::{self, WIDE};
use super::drawn::Head;
use super::facet::Facet;
use super::panel::Panel;

/// Panels in a line at most, and the space between them, above (heading) and below (tick labels).
const COLUMNS: usize = 3;
pub(super) const GAP: f64 = 28.0;
const ABOVE: f64 = 36.0;
const UNDER: f64 = 26.0;
/// Right margin.
pub(super) const RIGHT: f64 = 26.0;

/// Arranges facets in lines of at most three.
pub(super) fn lines(facets: Vec<Facet>) -> Vec<Vec<Facet>> {
    let columns = match facets.len() {
        0 | 1 => 1,
        2 | 4 => 2,
        _ => COLUMNS,
    };
    let mut lines: Vec<Vec<Facet>> = Vec::new();
    for facet in facets {
        match lines.last_mut().filter(|line| line.len() < columns) {
            Some(line) => line.push(facet),
            None => lines.push(vec![facet]),
        }
    }
    lines
}

/// Positions of all panels and rows.
pub(super) struct Layout<'a> {
    /// Name of each row, and whether it is a control; tokenizers before controls, whichever panel they occur in first.
    pub(super) names: Vec<(&'a str, bool)>,
    pub(super) step: f64,
    pub(super) margin: f64,
    body: f64,
    pub(super) top: f64,
    /// Columns of each line of panels.
    columns: Vec<usize>,
}

impl<'a> Layout<'a> {
    pub(super) fn new(head: &Head, lines: &'a [Vec<Facet>]) -> Layout<'a> {
        let mut names: Vec<(&str, bool)> = Vec::new();
        for row in lines.iter().flatten().flat_map(|f| &f.rows) {
            if !names.iter().any(|(n, _)| *n == row.name) {
                names.push((&row.name, row.control));
            }
        }
        names.sort_by_key(|(_, control)| *control);
        let step = if lines.len() < 3 && names.len() < 6 && lines.iter().all(|l| l.len() < 3) {
            52.0
        } else {
            30.0_f64.max(200.0 / names.len() as f64).min(38.0)
        };
        // A line below three panels keeps their columns.
        let columns = (0..lines.len()).map(|line| {
            let below =
                line > 0 && lines[line - 1].len() == COLUMNS && lines[line].iter().all(|f| f.reference.is_none());
            if below { COLUMNS } else { lines[line].len() }
        });
        Layout {
            columns: columns.collect(),
            step,
            margin: canvas::margin(names.iter().map(|(name, _)| *name)),
            body: step * names.len() as f64 + 10.0,
            top: canvas::under(head),
            names,
        }
    }

    pub(super) fn row(&self) -> f64 {
        ABOVE + self.body + UNDER
    }

    pub(super) fn panel(&self, line: usize, column: usize) -> Panel {
        let columns = self.columns[line];
        let wide = (WIDE - self.margin - RIGHT - GAP * (columns - 1) as f64) / columns as f64;
        let from = (self.margin + column as f64 * (wide + GAP), self.top + line as f64 * self.row() + ABOVE);
        Panel { from, to: (from.0 + wide, from.1 + self.body) }
    }

    /// The free place at the end of the last line, where the legend fits.
    pub(super) fn free(&self, lines: &[Vec<Facet>]) -> Option<Panel> {
        let last = lines.len().checked_sub(1)?;
        let used = lines[last].len();
        (used < self.columns[last]).then(|| {
            let (first, end) = (self.panel(last, used), self.panel(last, self.columns[last] - 1));
            Panel { from: (first.from.0 + 6.0, first.from.1 - 12.0), to: end.to }
        })
    }

    pub(super) fn height_of(&self, panel: &Panel, name: &str) -> f64 {
        let place = self.names.iter().position(|(n, _)| *n == name).unwrap_or(0);
        panel.from.1 + 5.0 + self.step * (place as f64 + 0.5)
    }
}
