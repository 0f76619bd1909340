//! Metrics of an audit: one panel per metric, with the value of each tokenizer on the corpus and on two random texts.

use super::canvas::{self, Anchor, Canvas, Fill, GREY, INK, LIGHT, Look, Looks, SMALL, TEXT, WIDE, sheet};
use super::drawn::{Drawn, Head};
use super::panel::{Entry, Panel, Scale, legend, legend_height};
use super::words::{UNIFORM, UNIFORM_LEGEND, setting};
use crate::audit::{Sheet, Text};
use crate::error::Error;
use crate::tidy::Csv;

const COLUMNS: usize = 3;
const STEP: f64 = 34.0;
/// Shift of the marker of the corpus above its row, and of that of the Markov chain below it: they never cover each other.
const APART: f64 = 6.5;
/// Space above (heading) and below (ticks, unit) a panel, and between panels.
const ABOVE: f64 = 36.0;
const BELOW: f64 = 46.0;
const GAP: f64 = 30.0;
/// The metric in bits per base.
const BITS: &str = "bits_per_base";

/// Draws the metrics of all species together.
pub(super) fn draw(audit: &Sheet, title: &'static str) -> Result<Option<Drawn>, Error> {
    let mut csv = Csv::new("metric,tokenizer,text,value");
    let panels = audit.shown(|metric| metric.panel, |panel| panel.place);
    for (metric, _) in &panels {
        for (at, label) in audit.tokenizers.iter().enumerate() {
            for text in Text::ALL {
                csv.row(&[audit.metrics[*metric].name, label, text.name()], &[audit.value(at, "", text, *metric)]);
            }
        }
    }
    let looks = Looks::of(audit.tokenizers.iter().map(String::as_str));
    let margin = canvas::margin(audit.tokenizers.iter().map(String::as_str));
    let body = STEP * audit.tokenizers.len() as f64 + 8.0;
    let entries = entries();
    let head = Head::new(title, message(audit), &[setting(&audit.setting)]);
    let top = canvas::under(&head);
    let end = top + panels.len().div_ceil(COLUMNS) as f64 * (ABOVE + body + BELOW);
    let high = end + 8.0 + legend_height(&entries, WIDE) + 12.0;
    let svg = sheet(&head, (WIDE, high), |canvas| {
        for (number, (metric, shown)) in panels.iter().enumerate() {
            let (line, column) = (number / COLUMNS, number % COLUMNS);
            let wide = (WIDE - margin - 26.0 - GAP * (COLUMNS - 1) as f64) / COLUMNS as f64;
            let from = (margin + column as f64 * (wide + GAP), top + line as f64 * (ABOVE + body + BELOW) + ABOVE);
            let panel = Panel { from, to: (from.0 + wide, from.1 + body) };
            panel.heading(canvas, shown.heading);
            one(canvas, &panel, audit, &looks, (*metric, shown.log), column == 0);
        }
        legend(canvas, &entries, WIDE, end + 8.0);
    })?;
    Ok(Some(Drawn { svg, csv: csv.text() }))
}

/// The tokenizer whose units save most bits over random text.
fn message(audit: &Sheet) -> Option<String> {
    let metric = audit.metrics.iter().position(|metric| metric.name == BITS)?;
    let saved = |at: usize| audit.value(at, "", Text::Uniform, metric) - audit.value(at, "", Text::Real, metric);
    let known = (0..audit.tokenizers.len()).filter(|at| saved(*at).is_finite());
    let best = known.max_by(|a, b| saved(*a).total_cmp(&saved(*b))).filter(|at| saved(*at) > 0.0)?;
    let name = &audit.tokenizers[best];
    Some(format!("Against noise, {name} saves most: {:.3} unigram bits per base", saved(best)))
}

fn one(
    canvas: &mut Canvas<'_>,
    panel: &Panel,
    audit: &Sheet,
    looks: &Looks,
    (metric, log): (usize, bool),
    margin: bool,
) {
    let value = |at: usize, text: Text| audit.value(at, "", text, metric);
    let all = (0..audit.tokenizers.len()).flat_map(|at| Text::ALL.map(|text| value(at, text)));
    let AuditAxis { unit, uniform } = AuditAxis::of(audit, metric);
    let scale = Scale::around(all, log, (panel.from.0 + 8.0, panel.to.0));
    panel.horizontal(
        canvas,
        &scale,
        &if log { format!("{unit} (log)").trim_start().to_owned() } else { unit.to_owned() },
    );
    if uniform && scale.holds(UNIFORM) {
        canvas.line((scale.at(UNIFORM), panel.from.1), (scale.at(UNIFORM), panel.to.1), INK, 1.0);
    }
    for (at, label) in audit.tokenizers.iter().enumerate() {
        let y = panel.from.1 + 4.0 + STEP * (at as f64 + 0.5);
        canvas.line((panel.from.0, y), (panel.to.0, y), LIGHT, 0.7);
        if margin {
            canvas.text((panel.from.0 - 10.0, y), label, TEXT, INK, Anchor::Right);
        }
        let [real, order2, uniform] = Text::ALL.map(|text| value(at, text));
        if real.is_nan() {
            canvas.text(((panel.from.0 + panel.to.0) / 2.0, y), "undefined", SMALL, GREY, Anchor::Middle);
            continue;
        }
        let look = looks.look(label);
        if uniform.is_finite() {
            let x = scale.clamped(uniform);
            canvas.line((x, y - 0.36 * STEP), (x, y + 0.36 * STEP), GREY, 2.0);
        }
        if order2.is_finite() {
            canvas.marker((scale.clamped(order2), y + APART), look, Fill::Hollow, 0.7);
        }
        canvas.marker((scale.clamped(real), y - APART), look, Fill::Solid, 0.8);
        if log && real <= 0.0 {
            // A logarithmic axis has no zero: it is at its left edge.
            canvas.text((scale.clamped(real) + 10.0, y), "0", SMALL, GREY, Anchor::Left);
        }
    }
    panel.axes(canvas);
}

/// The unit of a metric, and whether the uniform guess is a value on its axis.
struct AuditAxis {
    unit: &'static str,
    uniform: bool,
}

impl AuditAxis {
    fn of(audit: &Sheet, metric: usize) -> AuditAxis {
        let metric = &audit.metrics[metric];
        AuditAxis { unit: metric.axis, uniform: metric.name == BITS }
    }
}

fn entries<'a>() -> Vec<Entry<'a>> {
    vec![
        ("corpus".to_owned(), Box::new(|c, p| c.marker(p, Look::plain(INK), Fill::Solid, 0.72))),
        (
            "Markov chain of order 2 fitted to the corpus".to_owned(),
            Box::new(|c, p| c.marker(p, Look::plain(INK), Fill::Hollow, 0.72)),
        ),
        (
            "independent, equally likely bases".to_owned(),
            Box::new(|c, (x, y)| c.line((x, y - 7.0), (x, y + 7.0), GREY, 2.0)),
        ),
        (UNIFORM_LEGEND.to_owned(), Box::new(|c, (x, y)| c.line((x, y - 9.0), (x, y + 9.0), INK, 1.0))),
    ]
}
