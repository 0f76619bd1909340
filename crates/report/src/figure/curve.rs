//! Validation bits per masked base during training: mean over seeds with markers, and a thin line per seed.
//!
//! Two figures of the same points: against the bases seen, and against the multiply-accumulates (MACs) of training, which are three
//! times those of the forward pass (forward, gradient of the activations, gradient of the weights).

use protocol::score::BIAS_ONLY;
use statistics::text::{list, thousands};

use super::canvas::{Anchor, Canvas, Fill, GREY, INK, Look, Looks, Point, SMALL, WIDE, clipped, sheet, under, width};
use super::drawn::{Drawn, Head, heading, looks, seed_names};
use super::panel::{
    Entry, Others, Panel, Scale, extent, legend, legend_column, legend_height, note_lines, notes, notes_height, spread,
};
use super::words::{self, NULL, UNIFORM, UNIFORM_LEGEND};
use crate::comparison::curves::{mean_curve, value_at};
use crate::comparison::{Bits, Comparison, Group, Subject};
use crate::error::Error;
use crate::tidy::Csv;

const HIGH: f64 = 500.0;
/// Label of the floor in the figure; the CSV has `floor`.
const FLOOR: &str = "entropy floor";
/// The part of training from which on all points of compared tokenizers are within the axis, as a fraction of the bases.
const LATE: f64 = 0.2;
const FLOOR_DASH: (f64, f64) = (9.0, 4.0);
const NULL_DASH: (f64, f64) = (2.0, 2.0);
const BUDGET_DASH: (f64, f64) = (1.0, 4.0);

/// What the horizontal axis shows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Axis {
    Bases,
    /// Multiply-accumulates.
    Macs,
    /// The cost that was given ([`crate::Options::cost`]).
    Cost,
}

impl Axis {
    fn label(self) -> &'static str {
        match self {
            Axis::Bases => "bases seen in training (log)",
            Axis::Macs => "multiply-accumulates of training (log)",
            Axis::Cost => "cost of training, as given (log)",
        }
    }

    /// What is equal at one place of the axis.
    fn unit(self) -> &'static str {
        match self {
            Axis::Bases => "bases",
            Axis::Macs => "multiply-accumulates",
            Axis::Cost => "cost as given",
        }
    }

    /// Its column in the CSV.
    fn column(self) -> &'static str {
        match self {
            Axis::Bases => "bases_seen",
            Axis::Macs => "multiply_accumulates",
            Axis::Cost => "cost",
        }
    }

    /// Value on the axis for each base that a tokenizer sees; None if it is not known.
    fn per_base(self, comparison: &Comparison, subject: &Subject) -> Option<f64> {
        match self {
            Axis::Bases => Some(1.0),
            Axis::Macs | Axis::Cost => comparison.training_cost(subject),
        }
    }
}

/// A tokenizer with its points (axis, bits per masked base): the mean over seeds, and each seed.
struct Curve<'a> {
    subject: &'a Subject,
    bits: &'a Bits,
    mean: Vec<(f64, f64)>,
    seeds: Vec<Vec<(f64, f64)>>,
}

impl Curve<'_> {
    fn end(&self) -> (f64, f64) {
        self.mean.last().copied().unwrap_or((f64::NAN, f64::NAN))
    }

    /// Bits at a place on the axis; not a number before the first point.
    fn at(&self, x: f64) -> f64 {
        value_at(&self.mean, x).unwrap_or(f64::NAN)
    }

    fn null(&self) -> Option<f64> {
        Some(self.bits.score.bits(BIAS_ONLY)).filter(|bits| bits.is_finite())
    }
}

fn curves<'a>(comparison: &Comparison, group: &'a Group, axis: Axis) -> Vec<Curve<'a>> {
    let one = |subject| -> Option<Curve<'a>> {
        let subject: &Subject = subject;
        let (bits, each) = (subject.bits.as_ref()?, axis.per_base(comparison, subject)?);
        let placed = |points: &[(u64, f64)]| -> Vec<(f64, f64)> {
            points.iter().filter(|p| p.0 > 0).map(|p| (each * p.0 as f64, p.1)).collect()
        };
        let mean = placed(&mean_curve(bits));
        let seeds = bits.curves.iter().map(|curve| placed(curve)).collect();
        (!mean.is_empty()).then_some(Curve { subject, bits, mean, seeds })
    };
    group.subjects.iter().filter_map(one).collect()
}

/// The largest budget that every compared tokenizer has reached.
fn shared_budget(curves: &[Curve<'_>]) -> f64 {
    curves.iter().filter(|c| !c.subject.control).map(|c| c.end().0).fold(f64::INFINITY, f64::min)
}

/// Against the bases seen in training.
pub(super) fn draw(comparison: &Comparison, title: &'static str) -> Result<Option<Drawn>, Error> {
    drawn(comparison, title, Axis::Bases)
}

/// Against the multiply-accumulates of training, or the cost that was given.
pub(super) fn draw_macs(comparison: &Comparison, title: &'static str) -> Result<Option<Drawn>, Error> {
    if comparison.options.cost.is_empty() {
        drawn(comparison, title, Axis::Macs)
    } else {
        drawn(comparison, "Validation score by the cost of training", Axis::Cost)
    }
}

fn drawn(comparison: &Comparison, title: &str, axis: Axis) -> Result<Option<Drawn>, Error> {
    let all: Vec<(&Group, Vec<Curve<'_>>)> = comparison
        .groups
        .iter()
        .map(|g| (g, curves(comparison, g, axis)))
        .filter(|(_, curves)| !curves.is_empty())
        .collect();
    if all.is_empty() {
        return Ok(None);
    }
    let looks = looks(comparison);
    let known = |curves: &[Curve<'_>]| {
        let budget = shared_budget(curves);
        curves.iter().filter(|c| !c.subject.control).all(|c| c.at(budget).is_finite())
    };
    let all_known = all.iter().all(|(_, curves)| known(curves));
    let message = words::curves(comparison, axis.unit(), |group, subject| {
        let curves = curves(comparison, group, axis);
        let budget = shared_budget(&curves);
        curves.iter().find(|c| c.subject.name == subject.name).map_or(f64::INFINITY, |c| c.at(budget))
    });
    let head = Head::of(title, message.filter(|_| all_known), comparison);
    let values = common_range(&all);
    let labels = all.iter().flat_map(|(g, curves)| labels(g, curves, &values));
    let label = labels.map(|(text, _)| width(&text, SMALL)).fold(30.0, f64::max) + 44.0;
    let (columns, high) = if all.len() == 1 { (1, HIGH) } else { (2, 390.0) };
    let cell = WIDE / columns as f64;
    let entries = entries(&all, axis);
    let notes_below = note_lines(&sizes(&all));
    let (top, lines) = (under(&head), all.len().div_ceil(columns) as f64);
    // The legend is below, or in the free place at the end.
    let free = !all.len().is_multiple_of(columns);
    let end = top + high * lines;
    let legend_end = end + if free { 0.0 } else { legend_height(&entries, WIDE) };
    let size = (WIDE, legend_end + notes_height(&notes_below) + 12.0);
    let svg = sheet(&head, size, |canvas| {
        for (at, (group, curves)) in all.iter().enumerate() {
            let from = ((at % columns) as f64 * cell, top + (at / columns) as f64 * high);
            let panel = Panel {
                from: (from.0 + 84.0, from.1 + 30.0),
                to: (from.0 + cell - label - 10.0, from.1 + high - 60.0),
            };
            one(canvas, &panel, (group, curves), &looks, (axis, &values));
        }
        if free {
            legend_column(canvas, &entries, (cell + 84.0, end - high + 40.0), cell - 100.0);
        } else {
            legend(canvas, &entries, WIDE, end);
        }
        notes(canvas, &notes_below, legend_end);
    })?;
    Ok(Some(Drawn { svg, csv: csv(&all, axis.column()) }))
}

fn csv(all: &[(&Group, Vec<Curve<'_>>)], x: &str) -> String {
    let mut csv = Csv::new(&format!("group,subject,kind,seed,{x},bits_per_base"));
    for (group, curves) in all {
        for Curve { subject, mean, seeds, .. } in curves {
            for (x, value) in mean {
                csv.row(&[&group.label, &subject.name, "mean", "", &x.to_string()], &[*value]);
            }
            let names = seed_names(subject.control, &group.seeds, seeds.len());
            for (seed, points) in names.iter().zip(seeds) {
                for (x, value) in points {
                    csv.row(&[&group.label, &subject.name, "seed", seed, &x.to_string()], &[*value]);
                }
            }
        }
        for curve in curves {
            if let Some(null) = curve.null() {
                csv.row(&[&group.label, &curve.subject.name, "bias only", "", ""], &[null]);
            }
        }
        if let Some(floor) = floor(group) {
            csv.row(&[&group.label, "floor", "line", "", ""], &[floor]);
        }
        if y_scale(&common_range(all), (1.0, 0.0)).holds(UNIFORM) {
            csv.row(&[&group.label, "uniform", "line", "", ""], &[UNIFORM]);
        }
    }
    csv.text()
}

fn floor(group: &Group) -> Option<f64> {
    group.subjects.iter().filter_map(|s| s.bits.as_ref()?.curve_floor).next()
}

/// How many masked bases the points rest on.
fn sizes(all: &[(&Group, Vec<Curve<'_>>)]) -> Vec<String> {
    let mut points: Vec<&[u64]> = all.iter().flat_map(|(_, c)| c).map(|c| c.bits.curve_scored.as_slice()).collect();
    points.retain(|scored| scored.iter().any(|n| *n > 0));
    points.sort_unstable();
    points.dedup();
    let number = |n: u64| thousands(n as f64);
    let mut texts: Vec<String> = Vec::new();
    for scored in points {
        let (last, front) = (scored[scored.len() - 1], &scored[..scored.len() - 1]);
        let mut before: Vec<u64> = front.to_vec();
        before.sort_unstable();
        before.dedup();
        let text = match before.as_slice() {
            [] => number(last),
            [same] if *same == last => number(last),
            several => {
                let several: Vec<String> = several.iter().map(|n| number(*n)).collect();
                format!("{} (the last one on {})", list(&several), number(last))
            }
        };
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    if texts.is_empty() {
        return Vec::new();
    }
    let scale = y_scale(&common_range(all), (1.0, 0.0));
    let cut = all.iter().any(|(_, curves)| {
        curves.iter().filter(|c| scale.holds(c.end().1)).flat_map(|c| &c.mean).any(|p| !scale.holds(p.1))
    });
    let cut = if cut { " Early points beyond the axis are in the CSV only." } else { "" };
    vec![format!(
        "Each point of a seed rests on {} masked bases of the validation split. The nulls are those of the test split.{cut}",
        texts.join(" or ")
    )]
}

/// The values of one group on the vertical axis: those of the later part of training. Earlier points that would stretch it are cut off.
fn range(group: &Group, curves: &[Curve<'_>]) -> Vec<f64> {
    let late = |c: &Curve<'_>| -> Vec<f64> {
        let from = c.end().0 * LATE;
        c.mean.iter().chain(c.seeds.iter().flatten()).filter(|p| p.0 >= from).map(|p| p.1).collect()
    };
    let early = |c: &Curve<'_>| -> Vec<Others> {
        let from = c.end().0 * LATE;
        c.mean.iter().chain(c.seeds.iter().flatten()).filter(|p| p.0 < from).map(|p| Others::one(p.1)).collect()
    };
    let ranked = || curves.iter().filter(|c| !c.subject.control);
    let core = ranked().flat_map(late).chain(floor(group));
    let mut others: Vec<Others> = curves.iter().filter_map(Curve::null).map(Others::one).collect();
    others.extend(ranked().flat_map(early));
    others.push(Others::one(UNIFORM));
    let controls = curves.iter().filter(|c| c.subject.control);
    others.extend(controls.map(|c| Others { deciding: vec![c.end().1], values: late(c) }));
    extent(core, others)
}

/// The values of the one vertical axis of all panels.
fn common_range(all: &[(&Group, Vec<Curve<'_>>)]) -> Vec<f64> {
    all.iter().flat_map(|(group, curves)| range(group, curves)).collect()
}

fn y_scale(values: &[f64], ends: (f64, f64)) -> Scale {
    Scale::around(values.iter().copied(), false, ends)
}

/// What is written at the right end of each curve, and its height in bits; then the floor.
fn labels(group: &Group, curves: &[Curve<'_>], values: &[f64]) -> Vec<(String, f64)> {
    let scale = y_scale(values, (1.0, 0.0));
    let of = |curve: &Curve<'_>| {
        let (name, end) = (&curve.subject.name, curve.end().1);
        let text = if scale.holds(end) { name.clone() } else { format!("{name} ({end:.3})") };
        (text, end)
    };
    curves.iter().map(of).chain(floor(group).map(|floor| (FLOOR.to_owned(), floor))).collect()
}

fn one(
    canvas: &mut Canvas<'_>,
    panel: &Panel,
    (group, curves): (&Group, &[Curve<'_>]),
    looks: &Looks,
    (axis, values): (Axis, &[f64]),
) {
    let points = curves.iter().flat_map(|c| c.mean.iter().chain(c.seeds.iter().flatten()));
    let x = Scale::around(points.map(|p| p.0), true, (panel.from.0, panel.to.0));
    let y = y_scale(values, (panel.to.1, panel.from.1));
    panel.heading(canvas, &heading(&group.label, ""));
    panel.horizontal(canvas, &x, axis.label());
    panel.vertical(canvas, &y, "bits per masked base (validation split)", true);
    panel.axes(canvas);
    let across = |canvas: &mut Canvas<'_>, value: f64, wide: f64, dash| {
        canvas.path(&[(panel.from.0, y.at(value)), (panel.to.0, y.at(value))], INK, 1.0, wide, dash);
    };
    if y.holds(UNIFORM) {
        across(canvas, UNIFORM, 1.0, None);
    }
    if let Some(floor) = floor(group) {
        across(canvas, floor, 1.3, Some(FLOOR_DASH));
    }
    let budget = shared_budget(curves);
    if axis != Axis::Bases && budget.is_finite() {
        canvas.dashed((x.at(budget), panel.from.1), (x.at(budget), panel.to.1), GREY, 1.5, BUDGET_DASH);
    }
    let place = |p: &(f64, f64)| (x.at(p.0), y.at(p.1));
    for curve in curves {
        let look = looks.look(&curve.subject.name);
        for seed in &curve.seeds {
            let points: Vec<Point> = seed.iter().map(place).collect();
            for piece in clipped(&points, (panel.from.1, panel.to.1)) {
                canvas.path(&piece, look.color, 0.28, 1.0, None);
            }
        }
    }
    // Controls below the compared tokenizers.
    let of = |control: bool| curves.iter().filter(move |c| c.subject.control == control);
    for curve in of(true).chain(of(false)) {
        let look = looks.look(&curve.subject.name);
        if let Some(null) = curve.null().filter(|null| y.holds(*null)) {
            canvas.dashed((panel.from.0, y.at(null)), (panel.from.0 + 34.0, y.at(null)), look.color, 2.0, NULL_DASH);
        }
        let points: Vec<Point> = curve.mean.iter().map(place).collect();
        for piece in clipped(&points, (panel.from.1, panel.to.1)) {
            canvas.path(&piece, look.color, 1.0, 2.2, look.dash);
        }
        for (point, (_, value)) in points.iter().zip(&curve.mean) {
            if y.holds(*value) {
                canvas.marker(*point, look, Fill::of(curve.subject.control), 0.6);
            }
        }
    }
    at_the_end(canvas, panel, (group, curves), looks, (&y, values));
}

/// Names at the right ends of the curves, with line and marker.
fn at_the_end(
    canvas: &mut Canvas<'_>,
    panel: &Panel,
    (group, curves): (&Group, &[Curve<'_>]),
    looks: &Looks,
    (y, values): (&Scale, &[f64]),
) {
    let labels = labels(group, curves, values);
    let wished: Vec<f64> = labels.iter().map(|(_, value)| y.clamped(*value)).collect();
    let heights = spread(&wished, 16.0, (panel.from.1, panel.to.1));
    for (at, ((text, value), (wish, height))) in labels.iter().zip(wished.iter().zip(&heights)).enumerate() {
        let curve = curves.get(at);
        let look = curve.map_or(Look::plain(INK), |c| looks.look(&c.subject.name));
        let x = panel.to.0;
        canvas.line((x + 2.0, *wish), (x + 9.0, *height), if curve.is_some() { look.color } else { GREY }, 1.0);
        if let Some(curve) = curve {
            canvas.path(&[(x + 9.0, *height), (x + 31.0, *height)], look.color, 1.0, 2.2, look.dash);
            canvas.marker((x + 20.0, *height), look, Fill::of(curve.subject.control), 0.6);
            if !y.holds(*value) {
                let up = if *wish < (panel.from.1 + panel.to.1) / 2.0 { 1.0 } else { -1.0 };
                canvas.line((x - 6.0, *wish), (x - 10.5, wish + up * 7.0), look.color, 1.6);
                canvas.line((x - 6.0, *wish), (x - 1.5, wish + up * 7.0), look.color, 1.6);
            }
        } else {
            canvas.dashed((x + 9.0, *height), (x + 31.0, *height), INK, 1.3, FLOOR_DASH);
        }
        canvas.text((x + 35.0, *height), text, SMALL, INK, Anchor::Left);
    }
}

fn entries<'a>(all: &[(&Group, Vec<Curve<'_>>)], axis: Axis) -> Vec<Entry<'a>> {
    let mut entries: Vec<Entry<'a>> = vec![
        (
            "mean over seeds (full marker)".into(),
            Box::new(|c, (x, y)| {
                c.line((x - 12.0, y), (x + 12.0, y), INK, 2.2);
                c.marker((x, y), Look::plain(INK), Fill::Solid, 0.6);
            }),
        ),
        ("one seed".into(), Box::new(|c, (x, y)| c.path(&[(x - 12.0, y), (x + 12.0, y)], INK, 0.4, 1.0, None))),
    ];
    if all.iter().flat_map(|(_, curves)| curves).any(|c| c.subject.control) {
        entries.push((
            "control (hollow)".into(),
            Box::new(|c, (x, y)| {
                c.line((x - 12.0, y), (x + 12.0, y), GREY, 2.2);
                c.marker((x, y), Look::plain(GREY), Fill::Hollow, 0.6);
            }),
        ));
    }
    entries.push((
        format!("{NULL} of each tokenizer"),
        Box::new(|c, (x, y)| c.dashed((x - 12.0, y), (x + 12.0, y), GREY, 2.0, NULL_DASH)),
    ));
    if y_scale(&common_range(all), (1.0, 0.0)).holds(UNIFORM) {
        entries.push((UNIFORM_LEGEND.into(), Box::new(|c, (x, y)| c.line((x - 12.0, y), (x + 12.0, y), INK, 1.0))));
    }
    if axis != Axis::Bases {
        entries.push((
            "largest budget reached by all".into(),
            Box::new(|c, (x, y)| c.dashed((x, y - 8.0), (x, y + 8.0), GREY, 1.5, BUDGET_DASH)),
        ));
    }
    entries
}
