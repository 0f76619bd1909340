//! Validation bits per masked base against the bases seen in training: mean over seeds, and a thin line per seed.

use super::canvas::{Anchor, Canvas, GREY, INK, SMALL, WIDE, color, dash, sheet, width};
use super::drawn::{Drawn, common};
use super::panel::{Panel, Scale, spread, subtitle};
use crate::comparison::{Bits, Comparison, Group, Subject};
use crate::error::Error;
use crate::tidy::Csv;
use statistics::mean;

const HIGH: f64 = 520.0;
/// Label of the floor in the figure; the CSV has `floor`.
const FLOOR: &str = "entropy floor";

/// The curve of a tokenizer: mean over the seeds at each number of bases that all seeds have.
fn mean_curve(bits: &Bits) -> Vec<(u64, f64)> {
    let Some(first) = bits.curves.first() else { return Vec::new() };
    let at = |bases: u64| -> Option<f64> {
        let values: Option<Vec<f64>> =
            bits.curves.iter().map(|c| c.iter().find(|p| p.0 == bases).map(|p| p.1)).collect();
        values.map(|values| mean(&values))
    };
    first.iter().filter(|p| p.0 > 0).filter_map(|(bases, _)| at(*bases).map(|v| (*bases, v))).collect()
}

/// A tokenizer, its scores and its mean curve.
type Curve<'a> = (&'a Subject, &'a Bits, Vec<(u64, f64)>);

fn with_curves(group: &Group) -> Vec<Curve<'_>> {
    let curve = |s: &'_ Subject| s.bits.as_ref().map(mean_curve).filter(|c| !c.is_empty());
    group.subjects.iter().filter_map(|s| Some((s, s.bits.as_ref()?, curve(s)?))).collect()
}

/// Draws one panel per group.
pub(super) fn draw(comparison: &Comparison, title: &'static str) -> Result<Option<Drawn>, Error> {
    let groups: Vec<&Group> = comparison.groups.iter().filter(|g| !with_curves(g).is_empty()).collect();
    if groups.is_empty() {
        return Ok(None);
    }
    let mut csv = Csv::new("group,subject,kind,seed,bases_seen,bits_per_base");
    for group in &groups {
        rows(&mut csv, group);
    }
    let columns = if groups.len() == 1 { 1 } else { 2 };
    let lines = groups.len().div_ceil(columns);
    let names = groups.iter().flat_map(|g| with_curves(g)).map(|(s, _, _)| width(&s.name, SMALL));
    let floors = groups.iter().filter_map(|g| floor(g)).map(|_| width(FLOOR, SMALL));
    let label = names.chain(floors).fold(30.0, f64::max) + 22.0;
    let high = if columns == 1 { HIGH } else { 390.0 };
    let cell = WIDE / columns as f64;
    let svg = sheet(title, (WIDE, 56.0 + high * lines as f64), |canvas| {
        subtitle(canvas, &common(comparison.groups.iter()));
        for (at, group) in groups.iter().enumerate() {
            let from = ((at % columns) as f64 * cell, 56.0 + (at / columns) as f64 * high);
            let panel = Panel {
                from: (from.0 + 84.0, from.1 + 30.0),
                to: (from.0 + cell - label - 14.0, from.1 + high - 60.0),
            };
            one(canvas, &panel, group);
        }
    })?;
    Ok(Some(Drawn { svg, csv: csv.text() }))
}

fn rows(csv: &mut Csv, group: &Group) {
    for (subject, bits, mean) in with_curves(group) {
        for (bases, value) in &mean {
            csv.row(&[&group.label, &subject.name, "mean", "", &bases.to_string()], &[*value]);
        }
        let known = if subject.control { &[][..] } else { &group.seeds[..] };
        for (at, curve) in bits.curves.iter().enumerate() {
            let seed = known.get(at).map_or_else(|| format!("#{at}"), ToString::to_string);
            for (bases, value) in curve.iter().filter(|p| p.0 > 0) {
                csv.row(&[&group.label, &subject.name, "seed", &seed, &bases.to_string()], &[*value]);
            }
        }
    }
    if let Some(floor) = floor(group) {
        csv.row(&[&group.label, "floor", "line", "", ""], &[floor]);
    }
}

fn floor(group: &Group) -> Option<f64> {
    group.subjects.iter().filter_map(|s| s.bits.as_ref()?.curve_floor).next()
}

fn one(canvas: &mut Canvas<'_>, panel: &Panel, group: &Group) {
    let subjects = with_curves(group);
    let points = || subjects.iter().flat_map(|(_, b, _)| b.curves.iter().flatten().filter(|p| p.0 > 0));
    let x = Scale::around(points().map(|p| p.0 as f64), true, (panel.from.0, panel.to.0));
    let y = Scale::around(points().map(|p| p.1).chain(floor(group)), false, (panel.to.1, panel.from.1));
    panel.heading(canvas, &group.label);
    panel.horizontal(canvas, &x, "bases seen in training (log scale)");
    panel.vertical(canvas, &y, "bits per masked base (validation split)", true);
    panel.axes(canvas);
    let place = |p: &(u64, f64)| (x.at(p.0 as f64), y.at(p.1));
    for (subject, bits, _) in &subjects {
        for curve in &bits.curves {
            let points: Vec<(f64, f64)> = curve.iter().filter(|p| p.0 > 0).map(place).collect();
            canvas.path(&points, color(subject.index), 0.28, 1.0, None);
        }
    }
    let mut wished: Vec<f64> = Vec::new();
    for (subject, _, mean) in &subjects {
        let points: Vec<(f64, f64)> = mean.iter().map(place).collect();
        canvas.path(&points, color(subject.index), 1.0, 2.4, dash(subject.index));
        wished.push(points.last().map_or(panel.to.1, |p| p.1));
    }
    if let Some(floor) = floor(group) {
        canvas.dashed((panel.from.0, y.at(floor)), (panel.to.0, y.at(floor)), INK, 1.3, (9.0, 4.0));
        wished.push(y.at(floor));
    }
    let heights = spread(&wished, 16.0, (panel.from.1, panel.to.1));
    for ((wish, height), subject) in wished.iter().zip(&heights).zip(subjects.iter().map(Some).chain([None])) {
        let (name, paint) = subject.map_or((FLOOR, INK), |(s, _, _)| (s.name.as_str(), color(s.index)));
        canvas.line(
            (panel.to.0 + 2.0, *wish),
            (panel.to.0 + 12.0, *height),
            if subject.is_some() { paint } else { GREY },
            1.0,
        );
        canvas.text((panel.to.0 + 15.0, *height), name, SMALL, INK, Anchor::Left);
    }
}
