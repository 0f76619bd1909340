//! Bits per masked base against costs that do not depend on the machine: parameters, multiply-accumulates (MACs) per base, forward
//! passes per scored window, and bases per token. Times are not drawn: runs share a machine.

use super::canvas::{Anchor, Canvas, Fill, GREY, INK, Look, Looks, SMALL, WHITE, WIDE, sheet, under};
use super::drawn::{Drawn, Head, heading, looks};
use super::panel::{Entry, Others, Panel, Scale, extent, legend, legend_height};
use super::words::{self, UNIFORM, UNIFORM_LEGEND};
use crate::comparison::{Bits, Comparison, CostSummary, Group};
use crate::error::Error;
use crate::tidy::Csv;

const HIGH: f64 = 330.0;
/// Height of the band for totals beyond the axis.
const BAND: f64 = 32.0;

/// The costs: name in the CSV, label of the axis, value.
type View = (&'static str, &'static str, fn(&CostSummary) -> f64);
const VIEWS: [View; 4] = [
    ("parameters", "parameters (log)", CostSummary::parameters),
    ("macs_per_base", "MACs per base (log)", |c| c.macs_per_base),
    ("passes", "passes per window (log)", |c| c.passes),
    ("bases_per_token", "bases per token", |c| c.bases_per_token),
];

/// Draws four panels per group.
pub(super) fn draw(comparison: &Comparison, title: &'static str) -> Result<Option<Drawn>, Error> {
    let has = |g: &&Group| g.subjects.iter().any(|s| s.bits.is_some());
    let groups: Vec<&Group> = comparison.groups.iter().filter(has).collect();
    if groups.is_empty() {
        return Ok(None);
    }
    let looks = looks(comparison);
    let mut csv = Csv::new("group,subject,cost,value,bits_per_base,low,high");
    let mut named: Vec<(&str, bool)> = Vec::new();
    for group in &groups {
        for (subject, bits) in group.subjects.iter().filter_map(|s| s.bits.as_ref().map(|b| (s, b))) {
            for (name, _, value) in VIEWS.iter().filter(|v| v.2(&bits.cost) > 0.0) {
                let total = &bits.total;
                csv.row(&[&group.label, &subject.name, name], &[value(&bits.cost), total.mean, total.low, total.high]);
            }
            if !named.iter().any(|n| n.0 == subject.name) {
                named.push((&subject.name, subject.control));
            }
        }
    }
    named.sort_by_key(|(_, control)| *control);
    let mut entries: Vec<Entry<'_>> = named
        .iter()
        .map(|(name, control)| -> Entry<'_> {
            let (look, fill) = (looks.look(name), Fill::of(*control));
            let text = if *control { format!("{name} (control)") } else { (*name).to_owned() };
            (text, Box::new(move |c, p| c.marker(p, look, fill, 0.9)))
        })
        .collect();
    // One axis of bits for all groups.
    let values: Vec<f64> = groups.iter().flat_map(|group| range(group)).collect();
    if Scale::around(values.iter().copied(), false, (1.0, 0.0)).holds(UNIFORM) {
        entries.push((UNIFORM_LEGEND.into(), Box::new(|c, (x, y)| c.line((x - 10.0, y), (x + 10.0, y), INK, 1.0))));
    }
    let head = Head::of(title, words::costs(comparison), comparison);
    let top = under(&head);
    let body = HIGH * groups.len() as f64;
    let svg = sheet(&head, (WIDE, top + body + legend_height(&entries, WIDE) + 12.0), |canvas| {
        for (at, group) in groups.iter().enumerate() {
            row(canvas, group, &looks, &values, top + HIGH * at as f64);
        }
        legend(canvas, &entries, WIDE, top + body);
    })?;
    Ok(Some(Drawn { svg, csv: csv.text() }))
}

/// The axis of bits: of the compared tokenizers, and what does not stretch it.
fn range(group: &Group) -> Vec<f64> {
    let ends = |control: bool| {
        let some = group.subjects.iter().filter(move |s| s.control == control).filter_map(|s| s.bits.as_ref());
        some.map(|b| [b.total.mean, b.total.low, b.total.high])
    };
    let controls = ends(true).map(|ends| Others { deciding: vec![ends[0]], values: ends.to_vec() });
    extent(ends(false).flatten(), controls.chain([Others::one(UNIFORM)]))
}

/// Two strokes across the axis line: the axis is broken here.
fn break_axis(canvas: &mut Canvas<'_>, x: f64, y: f64) {
    canvas.rect((x - 2.0, y - 2.5), (x + 2.0, y + 2.5), WHITE);
    for shift in [-2.5, 2.5] {
        canvas.line((x - 6.0, y + shift + 2.5), (x + 6.0, y + shift - 2.5), INK, 1.0);
    }
}

fn row(canvas: &mut Canvas<'_>, group: &Group, looks: &Looks, values: &[f64], top: f64) {
    let of = |control: bool| group.subjects.iter().filter(move |s| s.control == control);
    // Controls below the compared tokenizers, where they share a point.
    let subjects: Vec<(Look, bool, &Bits)> =
        of(true).chain(of(false)).filter_map(|s| Some((looks.look(&s.name), s.control, s.bits.as_ref()?))).collect();
    let (left, gap) = (84.0, 22.0);
    let wide = (WIDE - left - 24.0 - gap * (VIEWS.len() - 1) as f64) / VIEWS.len() as f64;
    for (at, (_, label, value)) in VIEWS.iter().enumerate() {
        let x0 = left + at as f64 * (wide + gap);
        let panel = Panel { from: (x0, top + 32.0), to: (x0 + wide, top + HIGH - 62.0) };
        let known = || subjects.iter().filter(|(_, _, b)| value(&b.cost) > 0.0);
        let log = label.ends_with("(log)");
        // Air, so that no marker is on the frame.
        let inner = (panel.from.0 + 10.0, panel.to.0 - 10.0);
        let x = Scale::around(known().map(|(_, _, b)| value(&b.cost)), log, inner);
        // Totals beyond the axis are in a band of their own at its end.
        let y = Scale::around(values.iter().copied(), false, (panel.to.1, panel.from.1));
        let (low, high) = (y.clamped(f64::NEG_INFINITY), y.clamped(f64::INFINITY));
        let beyond =
            |edge: f64| subjects.iter().any(|(.., b)| !y.holds(b.total.mean) && y.clamped(b.total.mean) == edge);
        let [below, above] = [low, high].map(|edge| if beyond(edge) { BAND } else { 0.0 });
        let y = Scale::around(values.iter().copied(), false, (panel.to.1 - below, panel.from.1 + above));
        if at == 0 {
            panel.heading(canvas, &heading(&group.label, ""));
        }
        panel.horizontal(canvas, &x, label);
        panel.vertical(canvas, &y, "bits per masked base", at == 0);
        panel.axes(canvas);
        for (band, edge) in [(below, panel.to.1 - below), (above, panel.from.1 + above)] {
            if band > 0.0 {
                break_axis(canvas, panel.from.0, edge);
            }
        }
        if y.holds(UNIFORM) {
            canvas.line((panel.from.0, y.at(UNIFORM)), (panel.to.0, y.at(UNIFORM)), INK, 1.0);
        }
        for (look, control, bits) in known() {
            let (px, total) = (x.at(value(&bits.cost)), &bits.total);
            if y.holds(total.mean) {
                canvas.line((px, y.at(total.low)), (px, y.at(total.high)), look.color, 2.0);
                canvas.marker((px, y.at(total.mean)), *look, Fill::of(*control), 0.8);
                continue;
            }
            // In its band, with an arrow and the value.
            let up = y.clamped(total.mean) < (panel.from.1 + panel.to.1) / 2.0;
            let (edge, down) = if up { (panel.from.1, 1.0) } else { (panel.to.1, -1.0) };
            canvas.line((px, edge + down * 2.0), (px - 4.5, edge + down * 8.0), look.color, 1.6);
            canvas.line((px, edge + down * 2.0), (px + 4.5, edge + down * 8.0), look.color, 1.6);
            canvas.marker((px, edge + down * 16.0), *look, Fill::of(*control), 0.8);
            let right = px < (panel.from.0 + panel.to.0) / 2.0;
            let (tx, anchor) = if right { (px + 10.0, Anchor::Left) } else { (px - 10.0, Anchor::Right) };
            canvas.text((tx, edge + down * 16.0), &format!("{:.3}", total.mean), SMALL, GREY, anchor);
        }
    }
}
