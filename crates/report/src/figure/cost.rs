//! Bits per masked base against three costs: training speed, parameters, multiply-accumulates (MACs) per base.

use super::canvas::{Canvas, Fill, WIDE, color, sheet};
use super::drawn::{Drawn, common, heading};
use super::panel::{Entry, Panel, Scale, legend, legend_height, subtitle};
use crate::comparison::{Bits, Comparison, CostSummary, Group};
use crate::error::Error;
use crate::tidy::Csv;

const HIGH: f64 = 360.0;

/// The costs: name in the CSV, label of the axis, value.
type View = (&'static str, &'static str, fn(&CostSummary) -> f64);
const VIEWS: [View; 3] = [
    ("bases_per_second", "training bases/s (log scale)", |c| c.bases_per_second),
    ("parameters", "parameters (log scale)", CostSummary::parameters),
    ("macs_per_base", "forward MACs/base (log scale)", |c| c.macs_per_base),
];

/// Draws three panels per group.
pub(super) fn draw(comparison: &Comparison, title: &'static str) -> Result<Option<Drawn>, Error> {
    let has = |g: &&Group| g.subjects.iter().any(|s| s.bits.is_some());
    let groups: Vec<&Group> = comparison.groups.iter().filter(has).collect();
    if groups.is_empty() {
        return Ok(None);
    }
    let mut csv = Csv::new("group,subject,cost,value,bits_per_base,low,high");
    let mut named: Vec<(usize, &str, bool)> = Vec::new();
    for group in &groups {
        for (subject, bits) in group.subjects.iter().filter_map(|s| s.bits.as_ref().map(|b| (s, b))) {
            for (name, _, value) in VIEWS.iter().filter(|v| v.2(&bits.cost) > 0.0) {
                let total = &bits.total;
                csv.row(&[&group.label, &subject.name, name], &[value(&bits.cost), total.mean, total.low, total.high]);
            }
            if !named.iter().any(|n| n.0 == subject.index) {
                named.push((subject.index, &subject.name, subject.control));
            }
        }
    }
    let entries: Vec<Entry<'_>> = named
        .iter()
        .map(|(index, name, control)| -> Entry<'_> {
            ((*name).to_owned(), Box::new(|c, p| c.marker(p, *index, color(*index), Fill::of(*control), 0.9)))
        })
        .collect();
    let body = HIGH * groups.len() as f64;
    let svg = sheet(title, (WIDE, 56.0 + body + legend_height(&entries, WIDE) + 12.0), |canvas| {
        subtitle(canvas, &common(comparison.groups.iter()));
        for (at, group) in groups.iter().enumerate() {
            row(canvas, group, 56.0 + HIGH * at as f64);
        }
        legend(canvas, &entries, WIDE, 56.0 + body);
    })?;
    Ok(Some(Drawn { svg, csv: csv.text() }))
}

fn row(canvas: &mut Canvas<'_>, group: &Group, top: f64) {
    let subjects: Vec<(usize, bool, &Bits)> =
        group.subjects.iter().filter_map(|s| s.bits.as_ref().map(|b| (s.index, s.control, b))).collect();
    let (left, gap) = (84.0, 26.0);
    let wide = (WIDE - left - 24.0 - 2.0 * gap) / 3.0;
    for (at, (_, label, value)) in VIEWS.iter().enumerate() {
        let x0 = left + at as f64 * (wide + gap);
        let panel = Panel { from: (x0, top + 32.0), to: (x0 + wide, top + HIGH - 62.0) };
        let known = || subjects.iter().filter(|(_, _, b)| value(&b.cost) > 0.0);
        let x = Scale::around(known().map(|(_, _, b)| value(&b.cost)), true, (panel.from.0, panel.to.0));
        let ends = subjects.iter().flat_map(|(_, _, b)| [b.total.low, b.total.high, b.total.mean]);
        let y = Scale::around(ends, false, (panel.to.1, panel.from.1));
        if at == 0 {
            panel.heading(canvas, &heading(&group.label, ""));
        }
        panel.horizontal(canvas, &x, label);
        panel.vertical(canvas, &y, "bits per masked base", at == 0);
        panel.axes(canvas);
        for (index, control, bits) in known() {
            let (px, total) = (x.at(value(&bits.cost)), &bits.total);
            canvas.line((px, y.at(total.low)), (px, y.at(total.high)), color(*index), 2.0);
            canvas.marker((px, y.at(total.mean)), *index, color(*index), Fill::of(*control), 0.8);
        }
    }
}
