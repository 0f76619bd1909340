//! Dot plots with intervals in one or several panels, shared by `bits_per_base` and `tasks`.

use super::canvas::{self, Anchor, Canvas, Fill, GREY, INK, LIGHT, SMALL, TEXT, WIDE, color, sheet};
use super::drawn::{Drawn, heading};
use super::panel::{Entry, Panel, Scale, legend, legend_height, subtitle};
use crate::comparison::Estimate;
use crate::error::Error;
use crate::tidy::Csv;

/// One row: a tokenizer or control.
pub(super) struct Row {
    /// Its name, shown in the margin.
    pub(super) name: String,
    /// Index in the order of the tokenizers; None for controls without one.
    pub(super) index: Option<usize>,
    /// True for controls: drawn with a hollow marker.
    pub(super) control: bool,
    /// Mean, 95 % interval and values per seed.
    pub(super) estimate: Estimate,
    /// Names of the seeds, in the order of the values.
    pub(super) seeds: Vec<String>,
    /// Position of the row's tick: its context-free null.
    pub(super) tick: Option<f64>,
}

/// A vertical line through all rows of a panel.
pub(super) struct Line {
    /// Its name in the CSV.
    pub(super) name: String,
    /// Its name in the legend.
    pub(super) legend: String,
    /// Position on the axis.
    pub(super) value: f64,
    /// Lengths of dash and gap in pixels.
    pub(super) dash: (f64, f64),
}

/// One panel.
pub(super) struct Facet {
    /// Label of the group.
    pub(super) group: String,
    /// Species or task.
    pub(super) scope: String,
    /// Its rows, from top to bottom.
    pub(super) rows: Vec<Row>,
    /// Its vertical lines.
    pub(super) lines: Vec<Line>,
    /// Reference of a panel of differences: its row has no dots, but a label at the first line.
    pub(super) reference: Option<String>,
}

/// Vertical positions of the rows of a panel.
struct Heights<'a> {
    /// Name of each row, and whether it is a control.
    names: &'a [(&'a str, bool)],
    step: f64,
    top: f64,
}

impl Heights<'_> {
    fn of(&self, name: &str) -> f64 {
        let place = self.names.iter().position(|(n, _)| *n == name).unwrap_or(0);
        self.top + 5.0 + self.step * (place as f64 + 0.5)
    }
}

/// A name as files and as readers have it.
#[derive(Clone, Copy, Default)]
pub(super) struct Name<'a> {
    /// In the CSV; never changed, because programs read it.
    pub(super) csv: &'a str,
    /// In the legend.
    pub(super) legend: &'a str,
}

/// Text around the panels.
pub(super) struct Labels<'a> {
    pub(super) title: &'a str,
    pub(super) subtitle: &'a str,
    pub(super) axis: &'a str,
    /// What the bootstrap of the intervals resamples.
    pub(super) interval: &'a str,
    /// Name of the ticks, if rows have them.
    pub(super) tick: Name<'a>,
}

/// Fraction of a turn by which the dots of seeds follow each other: the golden ratio spreads any number of them.
const GOLDEN: f64 = 0.618_033_988_749_895;
/// Offset of the dots of seeds below their row, and their spread, in row heights: the mean stays visible.
const BELOW: f64 = 0.33;
const SPREAD: f64 = 0.18;
/// Radius of a dot in pixels, and its opacity.
const DOT: f64 = 2.4;
const FAINT: f64 = 0.55;

/// Arranges facets in lines of at most three.
pub(super) fn lines(facets: Vec<Facet>) -> Vec<Vec<Facet>> {
    let columns = match facets.len() {
        0 | 1 => 1,
        2 | 4 => 2,
        _ => 3,
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

/// Draws lines of facets; rows with the same name are aligned. The facets of a line share its width; a line below three facets
/// keeps their columns.
pub(super) fn draw(labels: &Labels<'_>, lines: &[Vec<Facet>]) -> Result<Drawn, Error> {
    let facets: Vec<&Facet> = lines.iter().flatten().collect();
    let mut names: Vec<(&str, bool)> = Vec::new();
    for row in facets.iter().flat_map(|f| &f.rows) {
        if !names.iter().any(|(n, _)| *n == row.name) {
            names.push((&row.name, row.control));
        }
    }
    // Tokenizers before controls, whichever panel they occur in first.
    names.sort_by_key(|(_, control)| *control);
    let step = if lines.len() < 3 && names.len() < 6 && lines.iter().all(|l| l.len() < 3) {
        52.0
    } else {
        30.0_f64.max(200.0 / names.len() as f64).min(38.0)
    };
    let margin = canvas::margin(names.iter().map(|(name, _)| *name));
    let body = step * names.len() as f64 + 10.0;
    let (above, below, gap) = (36.0, 26.0, 28.0);
    let entries = entries(labels, &facets);
    let top = 56.0;
    let axis = top + lines.len() as f64 * (above + body + below) + 16.0;
    let high = axis + 22.0 + legend_height(&entries, WIDE) + 12.0;
    let svg = sheet(labels.title, (WIDE, high), |canvas| {
        subtitle(canvas, labels.subtitle);
        let places = lines.iter().enumerate().flat_map(|(line, row)| (0..row.len()).map(move |column| (line, column)));
        for (line, column) in places {
            let facet = &lines[line][column];
            let before = if line > 0 { lines[line - 1].len() } else { 0 };
            let columns = if before == 3 && facet.reference.is_none() { 3 } else { lines[line].len() };
            let wide = (WIDE - margin - 26.0 - gap * (columns - 1) as f64) / columns as f64;
            let from = (margin + column as f64 * (wide + gap), top + line as f64 * (above + body + below) + above);
            let panel = Panel { from, to: (from.0 + wide, from.1 + body) };
            // Panels of the same scope share a scale, so that groups can be compared.
            let values = facets.iter().filter(|f| f.scope == facet.scope).flat_map(|f| values(f));
            let scale = Scale::around(values, false, (panel.from.0, panel.to.0));
            let heights = Heights { names: &names, step, top: panel.from.1 };
            background(canvas, &panel, &scale, facet, &heights, column == 0);
            lines_of(canvas, &panel, &scale, facet, &heights);
            facet.rows.iter().for_each(|row| dots(canvas, &scale, row, heights.of(&row.name), step));
        }
        canvas.text((margin + (WIDE - margin - 26.0) / 2.0, axis), labels.axis, TEXT, INK, Anchor::Middle);
        legend(canvas, &entries, WIDE, axis + 20.0);
    })?;
    Ok(Drawn { svg, csv: csv(labels, &facets) })
}

/// All values that the axis of a facet must include.
fn values(facet: &Facet) -> Vec<f64> {
    let row = |r: &Row| {
        let own = [r.estimate.mean, r.estimate.low, r.estimate.high, r.tick.unwrap_or(f64::NAN)];
        own.into_iter().chain(r.estimate.seeds.clone()).collect::<Vec<_>>()
    };
    facet.rows.iter().flat_map(row).chain(facet.lines.iter().map(|l| l.value)).collect()
}

/// Heading, axis and guide line of each row; the first panel of a line has the names in its margin.
fn background(
    canvas: &mut Canvas<'_>,
    panel: &Panel,
    scale: &Scale,
    facet: &Facet,
    heights: &Heights<'_>,
    first: bool,
) {
    // The panel to the left of the differences names the group.
    let group = if facet.reference.is_some() { "" } else { &facet.group };
    panel.heading(canvas, &heading(group, &facet.scope));
    panel.horizontal(canvas, scale, "");
    for (name, control) in heights.names {
        let y = heights.of(name);
        canvas.line((panel.from.0, y), (panel.to.0, y), LIGHT, 0.7);
        if first {
            canvas.text((panel.from.0 - 10.0, y), name, TEXT, if *control { GREY } else { INK }, Anchor::Right);
        }
    }
    panel.axes(canvas);
}

/// Vertical lines, and the label of the reference at the first of them.
fn lines_of(canvas: &mut Canvas<'_>, panel: &Panel, scale: &Scale, facet: &Facet, heights: &Heights<'_>) {
    for line in &facet.lines {
        let x = scale.at(line.value);
        canvas.dashed((x, panel.from.1), (x, panel.to.1), INK, 1.3, line.dash);
    }
    if let (Some(name), Some(line)) = (&facet.reference, facet.lines.first()) {
        let (x, y) = (scale.at(line.value), heights.of(name));
        let left = x < (panel.from.0 + panel.to.0) / 2.0;
        let (x, anchor) = if left { (x + 8.0, Anchor::Left) } else { (x - 8.0, Anchor::Right) };
        canvas.text((x, y), "reference", SMALL, GREY, anchor);
    }
}

/// A row: its tick, one dot per seed, and the mean with its interval.
fn dots(canvas: &mut Canvas<'_>, scale: &Scale, row: &Row, y: f64, step: f64) {
    let paint = row.index.map_or(GREY, color);
    if let Some(tick) = row.tick {
        let x = scale.at(tick);
        canvas.line((x, y - 0.3 * step), (x, y + 0.3 * step), GREY, 2.0);
    }
    for (at, value) in row.estimate.seeds.iter().enumerate() {
        let turn = (at as f64 * GOLDEN).fract() - 0.5;
        canvas.dot((scale.at(*value), y + step * (BELOW + SPREAD * turn)), DOT, paint, FAINT);
    }
    let (low, high) = (scale.at(row.estimate.low), scale.at(row.estimate.high));
    canvas.line((low, y), (high, y), paint, 2.2);
    for end in [low, high] {
        canvas.line((end, y - 4.0), (end, y + 4.0), paint, 1.6);
    }
    let size = if step > 45.0 { 1.0 } else { 0.72 };
    canvas.marker((scale.at(row.estimate.mean), y), row.index.unwrap_or(0), paint, Fill::of(row.control), size);
}

fn entries<'a>(labels: &Labels<'_>, facets: &[&Facet]) -> Vec<Entry<'a>> {
    let mut entries: Vec<Entry<'a>> = vec![
        (
            format!("mean and 95 % bootstrap interval ({})", labels.interval),
            Box::new(|c, (x, y)| {
                c.line((x - 12.0, y), (x + 12.0, y), INK, 2.2);
                c.marker((x, y), 0, INK, Fill::Solid, 0.8);
            }),
        ),
        ("one seed".into(), Box::new(|c, p| c.dot(p, DOT, INK, FAINT))),
    ];
    if facets.iter().flat_map(|f| &f.rows).any(|r| r.control) {
        entries.push((
            "control (not ranked)".into(),
            Box::new(|c, (x, y)| {
                c.line((x - 12.0, y), (x + 12.0, y), GREY, 2.2);
                c.marker((x, y), 0, GREY, Fill::Hollow, 0.8);
            }),
        ));
    }
    if facets.iter().flat_map(|f| &f.rows).any(|r| r.tick.is_some()) {
        entries
            .push((labels.tick.legend.to_owned(), Box::new(|c, (x, y)| c.line((x, y - 7.0), (x, y + 7.0), GREY, 2.0))));
    }
    for line in facets.iter().flat_map(|f| &f.lines) {
        if !entries.iter().any(|(name, _)| *name == line.legend) {
            let dash = line.dash;
            entries.push((
                line.legend.clone(),
                Box::new(move |c, (x, y)| c.dashed((x, y - 8.0), (x, y + 8.0), INK, 1.3, dash)),
            ));
        }
    }
    entries
}

fn csv(labels: &Labels<'_>, facets: &[&Facet]) -> String {
    let mut csv = Csv::new("group,scope,subject,kind,seed,value");
    for facet in facets {
        for row in &facet.rows {
            let mut put = |kind: &str, seed: &str, value: f64| {
                csv.row(&[&facet.group, &facet.scope, &row.name, kind, seed], &[value]);
            };
            put("mean", "", row.estimate.mean);
            put("low", "", row.estimate.low);
            put("high", "", row.estimate.high);
            for (seed, value) in row.seeds.iter().zip(&row.estimate.seeds) {
                put("seed", seed, *value);
            }
            if let Some(tick) = row.tick {
                put(labels.tick.csv, "", tick);
            }
        }
        for line in &facet.lines {
            csv.row(&[&facet.group, &facet.scope, &line.name, "line", ""], &[line.value]);
        }
    }
    csv.text()
}
