//! Dot plots with intervals in one or several panels, shared by `bits_per_base` and `tasks`.
//!
//! An axis shows the compared tokenizers. A control, a null or a line that would stretch it is written at its edge, with its value.

use super::canvas::{Anchor, Canvas, Fill, GREY, INK, LIGHT, Look, Looks, SMALL, TEXT, WHITE, WIDE, sheet, width};
use super::drawn::{Drawn, Head, heading};
pub(super) use super::facet::{Facet, Line, Row};
use super::layout::{GAP, Layout, RIGHT};
use super::panel::{
    Entry, Others, Panel, Scale, extent, legend, legend_column, legend_column_height, legend_height, note_lines, notes,
    notes_height,
};
use super::words::{setting, shortened};
use crate::error::Error;
use crate::tidy::Csv;

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
    pub(super) head: &'a Head,
    pub(super) axis: &'a str,
    /// What the bootstrap of the intervals resamples.
    pub(super) interval: &'a str,
    /// Name of the ticks, if rows have them.
    pub(super) tick: Name<'a>,
    /// Notes below the legend.
    pub(super) notes: &'a [String],
}

/// Fraction of a turn by which the dots of seeds follow each other: the golden ratio spreads any number of them.
const GOLDEN: f64 = 0.618_033_988_749_895;
/// Offset of the dots of seeds below their row, and their spread, in row heights: the mean stays visible.
const BELOW: f64 = 0.33;
const SPREAD: f64 = 0.18;
/// Radius of a dot in pixels, and its opacity.
const DOT: f64 = 2.4;
const FAINT: f64 = 0.55;
/// Draws lines of facets; rows with the same name are aligned. The facets of a line share its width. The legend is below, or in
/// the free place at the end of the last line.
pub(super) fn draw(labels: &Labels<'_>, looks: &Looks, lines: &[Vec<Facet>]) -> Result<Drawn, Error> {
    let facets: Vec<&Facet> = lines.iter().flatten().collect();
    let layout = Layout::new(labels.head, lines);
    let scales: Vec<(&str, Vec<f64>)> = facets.iter().map(|f| (f.scale.as_str(), range(&f.scale, &facets))).collect();
    let entries = entries(labels, &facets, &scales);
    let free = layout.free(lines);
    let axis = layout.top + lines.len() as f64 * layout.row() + 16.0;
    let (legend_end, note_lines) = match &free {
        Some(place) => {
            let end = place.from.1 + legend_column_height(&entries, place.to.0 - place.from.0);
            (end.max(axis + 14.0), note_lines(labels.notes))
        }
        None => (axis + 22.0 + legend_height(&entries, WIDE), note_lines(labels.notes)),
    };
    let size = (WIDE, legend_end + notes_height(&note_lines) + 12.0);
    let svg = sheet(labels.head, size, |canvas| {
        for (line, row) in lines.iter().enumerate() {
            for (column, facet) in row.iter().enumerate() {
                let panel = layout.panel(line, column);
                let values = range_of(&scales, &facet.scale).iter().copied();
                let scale = Scale::around(values, false, (panel.from.0, panel.to.0));
                background(canvas, &panel, &scale, facet, &layout, column == 0);
                vertical_lines(canvas, &panel, &scale, facet, &layout);
                for row in &facet.rows {
                    let y = layout.height_of(&panel, &row.name);
                    dots(canvas, &panel, &scale, row, looks.look(&row.name), (y, layout.step));
                }
            }
        }
        let middle = layout.margin + (WIDE - layout.margin - RIGHT) / 2.0;
        canvas.text((middle, axis), labels.axis, TEXT, INK, Anchor::Middle);
        match &free {
            Some(place) => drop(legend_column(canvas, &entries, place.from, place.to.0 - place.from.0)),
            None => legend(canvas, &entries, WIDE, axis + 20.0),
        }
        notes(canvas, &note_lines, legend_end);
    })?;
    Ok(Drawn { svg, csv: csv(labels, &facets, &scales) })
}

impl Row {
    /// Its mean, then all other values of the row itself.
    fn values(&self) -> Vec<f64> {
        let own = [self.estimate.mean, self.estimate.low, self.estimate.high];
        own.into_iter().chain(self.estimate.seeds.iter().copied()).collect()
    }

    /// Whether it or its tick is beyond an axis of these values.
    fn is_beyond(&self, axis: &[f64]) -> bool {
        !holds(axis, self.estimate.mean) || self.tick.is_some_and(|tick| !holds(axis, tick))
    }
}

/// Whether the axis of these values includes a value.
fn holds(axis: &[f64], value: f64) -> bool {
    Scale::around(axis.iter().copied(), false, (0.0, 1.0)).holds(value)
}

/// The values that the axis of all facets with this key includes.
fn range(key: &str, facets: &[&Facet]) -> Vec<f64> {
    let own: Vec<&&Facet> = facets.iter().filter(|f| f.scale == key).collect();
    let rows = || own.iter().flat_map(|f| &f.rows);
    let kept = own.iter().flat_map(|f| &f.lines).filter(|l| l.kept).map(|l| l.value);
    let core = rows().filter(|r| !r.control).flat_map(Row::values).chain(kept);
    let mut others: Vec<Others> = rows().filter(|r| !r.control).filter_map(|r| r.tick).map(Others::one).collect();
    // A control is within the axis in all panels or in none.
    let mut controls: Vec<&str> = rows().filter(|r| r.control).map(|r| r.name.as_str()).collect();
    controls.sort_unstable();
    controls.dedup();
    for name in controls {
        let own = || rows().filter(|r| r.name == name);
        others.push(Others {
            deciding: own().flat_map(|r| [r.estimate.mean].into_iter().chain(r.tick)).collect(),
            values: own().flat_map(|r| r.values().into_iter().chain(r.tick)).collect(),
        });
    }
    others.extend(own.iter().flat_map(|f| &f.lines).map(|l| Others::one(l.value)));
    extent(core, others)
}

fn range_of<'a>(scales: &'a [(&str, Vec<f64>)], key: &str) -> &'a [f64] {
    scales.iter().find(|(own, _)| *own == key).map_or(&[], |(_, values)| values)
}

/// Heading, axis and guide line of each row; the first panel of a line has the names in its margin.
fn background(canvas: &mut Canvas<'_>, panel: &Panel, scale: &Scale, facet: &Facet, layout: &Layout<'_>, first: bool) {
    // The panel to the left of the differences names the group.
    let group = if facet.reference.is_some() { "" } else { &facet.group };
    panel.heading(canvas, &fitting_heading(group, facet, panel.to.0 - panel.from.0 + GAP - 8.0));
    panel.horizontal(canvas, scale, "");
    for (name, control) in &layout.names {
        let y = layout.height_of(panel, name);
        canvas.line((panel.from.0, y), (panel.to.0, y), LIGHT, 0.7);
        if first {
            canvas.text((panel.from.0 - 10.0, y), name, TEXT, if *control { GREY } else { INK }, Anchor::Right);
        }
    }
    panel.axes(canvas);
}

/// Group, scope and detail of a panel; less of them if there is no space.
fn fitting_heading(group: &str, facet: &Facet, wide: f64) -> String {
    let detail = if facet.detail.is_empty() { String::new() } else { format!(" ({})", facet.detail) };
    let full = heading(group, &facet.scope);
    let words = shortened(&setting(group));
    let short = heading(&words, &facet.scope);
    // Of several settings the last, where not even their first words fit; that a panel is of all species needs no word then.
    let last = heading(words.rsplit(", ").next().unwrap_or_default(), &facet.scope);
    let least = if facet.scope.starts_with("all species") { words } else { last };
    // The first panel of a line has the setting in any case.
    let all = [format!("{full}{detail}"), format!("{short}{detail}"), full, short, least, facet.scope.clone()];
    all.iter().find(|text| width(text, TEXT) <= wide).unwrap_or(&all[5]).clone()
}

/// Vertical lines within the axis, and the label of the reference at the first of them.
fn vertical_lines(canvas: &mut Canvas<'_>, panel: &Panel, scale: &Scale, facet: &Facet, layout: &Layout<'_>) {
    for line in facet.lines.iter().filter(|line| scale.holds(line.value)) {
        let x = scale.at(line.value);
        canvas.dashed((x, panel.from.1), (x, panel.to.1), INK, 1.3, line.dash);
    }
    if let (Some(name), Some(line)) = (&facet.reference, facet.lines.first()) {
        let (x, y) = (scale.at(line.value), layout.height_of(panel, name));
        let left = x < (panel.from.0 + panel.to.0) / 2.0;
        let (x, anchor) = if left { (x + 8.0, Anchor::Left) } else { (x - 8.0, Anchor::Right) };
        canvas.text((x, y), "reference", SMALL, GREY, anchor);
    }
}

/// A row: its tick, one dot per seed, and the mean with its interval.
fn dots(canvas: &mut Canvas<'_>, panel: &Panel, scale: &Scale, row: &Row, look: Look, (y, step): (f64, f64)) {
    let (mean, small) = (row.estimate.mean, if step > 45.0 { 1.0 } else { 0.72 });
    let null = row.tick.map(|tick| format!("null {tick:.3}"));
    if !scale.holds(mean) {
        let text = null.map_or_else(|| format!("{mean:.3}"), |null| format!("{mean:.3}, {null}"));
        let edge = scale.clamped(mean);
        at_edge(canvas, panel, edge, (y, &text), Some((look, Fill::of(row.control), small)));
        return;
    }
    match row.tick.zip(null) {
        Some((tick, _)) if scale.holds(tick) => {
            let x = scale.at(tick);
            canvas.line((x, y - 0.3 * step), (x, y + 0.3 * step), GREY, 2.0);
        }
        Some((tick, text)) => {
            // Beside the row's own interval, where that is at the edge.
            let (edge, need) = (scale.clamped(tick), width(&text, SMALL) + 12.0);
            let (low, high) = (scale.clamped(row.estimate.low), scale.clamped(row.estimate.high));
            let right = edge > (panel.from.0 + panel.to.0) / 2.0;
            let edge = match right {
                true if high + need > edge => low - 4.0,
                false if low - need < edge => high + 4.0,
                _ => edge,
            };
            at_edge(canvas, panel, edge, (y, &text), None);
        }
        None => {}
    }
    for (at, value) in row.estimate.seeds.iter().enumerate() {
        let turn = (at as f64 * GOLDEN).fract() - 0.5;
        canvas.dot((scale.at(*value), y + step * (BELOW + SPREAD * turn)), DOT, look.color, FAINT);
    }
    let (low, high) = (scale.at(row.estimate.low), scale.at(row.estimate.high));
    canvas.line((low, y), (high, y), look.color, 2.2);
    for end in [low, high] {
        canvas.line((end, y - 4.0), (end, y + 4.0), look.color, 1.6);
    }
    canvas.marker((scale.at(mean), y), look, Fill::of(row.control), small);
}

/// A value beyond the axis: an arrow at the nearer edge and its number, with its marker or, for a null, without.
fn at_edge(
    canvas: &mut Canvas<'_>,
    panel: &Panel,
    edge: f64,
    (y, text): (f64, &str),
    marker: Option<(Look, Fill, f64)>,
) {
    let (inward, anchor) =
        if edge > (panel.from.0 + panel.to.0) / 2.0 { (-1.0, Anchor::Right) } else { (1.0, Anchor::Left) };
    let color = marker.map_or(GREY, |(look, ..)| look.color);
    let tip = edge - inward * 2.0;
    canvas.line((tip, y), (tip + inward * 7.0, y - 4.5), color, 1.6);
    canvas.line((tip, y), (tip + inward * 7.0, y + 4.5), color, 1.6);
    let mut x = edge + inward * 9.0;
    if let Some((look, fill, size)) = marker {
        canvas.marker((x + inward * 7.0, y), look, fill, size);
        x += inward * 17.0;
    }
    let far = x + inward * width(text, SMALL);
    canvas.rect((x.min(far) - 1.0, y - 7.0), (x.max(far) + 1.0, y + 7.0), WHITE);
    canvas.text((x, y), text, SMALL, GREY, anchor);
}

fn entries<'a>(labels: &Labels<'_>, facets: &[&Facet], scales: &[(&str, Vec<f64>)]) -> Vec<Entry<'a>> {
    let mut entries: Vec<Entry<'a>> = vec![
        (
            format!("mean and 95 % bootstrap interval ({})", labels.interval),
            Box::new(|c, (x, y)| {
                c.line((x - 12.0, y), (x + 12.0, y), INK, 2.2);
                c.marker((x, y), Look::plain(INK), Fill::Solid, 0.8);
            }),
        ),
        ("one seed".into(), Box::new(|c, p| c.dot(p, DOT, INK, FAINT))),
    ];
    if facets.iter().flat_map(|f| &f.rows).any(|r| r.control) {
        entries.push((
            "control (not ranked)".into(),
            Box::new(|c, (x, y)| {
                c.line((x - 12.0, y), (x + 12.0, y), GREY, 2.2);
                c.marker((x, y), Look::plain(GREY), Fill::Hollow, 0.8);
            }),
        ));
    }
    if facets.iter().flat_map(|f| &f.rows).any(|r| r.tick.is_some()) {
        entries
            .push((labels.tick.legend.to_owned(), Box::new(|c, (x, y)| c.line((x, y - 7.0), (x, y + 7.0), GREY, 2.0))));
    }
    if facets.iter().any(|f| f.rows.iter().any(|row| row.is_beyond(range_of(scales, &f.scale)))) {
        entries.push((
            "beyond the axis, with its value".into(),
            Box::new(|c, (x, y)| {
                c.line((x + 4.0, y), (x - 3.0, y - 4.5), GREY, 1.6);
                c.line((x + 4.0, y), (x - 3.0, y + 4.5), GREY, 1.6);
            }),
        ));
    }
    let shown = |f: &&&Facet, line: &&Line| holds(range_of(scales, &f.scale), line.value);
    for line in facets.iter().flat_map(|f| f.lines.iter().filter(move |line| shown(&f, line))) {
        if !line.legend.is_empty() && !entries.iter().any(|(name, _)| *name == line.legend) {
            let dash = line.dash;
            entries.push((
                line.legend.clone(),
                Box::new(move |c, (x, y)| c.dashed((x, y - 8.0), (x, y + 8.0), INK, 1.3, dash)),
            ));
        }
    }
    entries
}

fn csv(labels: &Labels<'_>, facets: &[&Facet], scales: &[(&str, Vec<f64>)]) -> String {
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
        for line in facet.lines.iter().filter(|line| holds(range_of(scales, &facet.scale), line.value)) {
            csv.row(&[&facet.group, &facet.scope, &line.name, "line", ""], &[line.value]);
        }
    }
    csv.text()
}
