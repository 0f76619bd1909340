//! Metrics of an audit: one panel per metric, with the value of each tokenizer on the corpus and on two random texts.

use super::canvas::{self, Anchor, Canvas, Fill, GREY, INK, LIGHT, TEXT, WIDE, color, sheet};
use super::drawn::Drawn;
use super::panel::{Entry, Panel, Scale, legend, legend_height, subtitle};
use crate::audit::{Sheet, Text};
use crate::error::Error;
use crate::tidy::Csv;

const COLUMNS: usize = 3;

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
    let step = 30.0;
    let margin = canvas::margin(audit.tokenizers.iter().map(String::as_str));
    let (above, below, gap) = (36.0, 28.0, 30.0);
    let body = step * audit.tokenizers.len() as f64 + 8.0;
    let entries = entries();
    let top = 56.0;
    let end = top + panels.len().div_ceil(COLUMNS) as f64 * (above + body + below);
    let high = end + 16.0 + legend_height(&entries, WIDE) + 12.0;
    let svg = sheet(title, (WIDE, high), |canvas| {
        subtitle(canvas, &audit.setting);
        for (number, (metric, shown)) in panels.iter().enumerate() {
            let (line, column) = (number / COLUMNS, number % COLUMNS);
            let wide = (WIDE - margin - 26.0 - gap * (COLUMNS - 1) as f64) / COLUMNS as f64;
            let from = (margin + column as f64 * (wide + gap), top + line as f64 * (above + body + below) + above);
            let panel = Panel { from, to: (from.0 + wide, from.1 + body) };
            panel.heading(canvas, shown.heading);
            one(canvas, &panel, audit, *metric, shown.log, step, column == 0);
        }
        legend(canvas, &entries, WIDE, end + 14.0);
    })?;
    Ok(Some(Drawn { svg, csv: csv.text() }))
}

fn one(canvas: &mut Canvas<'_>, panel: &Panel, audit: &Sheet, metric: usize, log: bool, step: f64, margin: bool) {
    let value = |at: usize, text: Text| audit.value(at, "", text, metric);
    let all = (0..audit.tokenizers.len()).flat_map(|at| Text::ALL.map(|text| value(at, text)));
    let scale = Scale::around(all, log, (panel.from.0, panel.to.0));
    panel.horizontal(canvas, &scale, "");
    for (at, label) in audit.tokenizers.iter().enumerate() {
        let y = panel.from.1 + 4.0 + step * (at as f64 + 0.5);
        canvas.line((panel.from.0, y), (panel.to.0, y), LIGHT, 0.7);
        if margin {
            canvas.text((panel.from.0 - 10.0, y), label, TEXT, INK, Anchor::Right);
        }
        let [real, order2, uniform] = Text::ALL.map(|text| value(at, text));
        if real.is_nan() {
            canvas.text(
                ((panel.from.0 + panel.to.0) / 2.0, y),
                "undefined",
                super::canvas::SMALL,
                GREY,
                Anchor::Middle,
            );
            continue;
        }
        if uniform.is_finite() {
            let x = scale.at(uniform);
            canvas.line((x, y - 0.3 * step), (x, y + 0.3 * step), GREY, 2.0);
        }
        if order2.is_finite() {
            canvas.marker((scale.at(order2), y), at, color(at), Fill::Hollow, 0.72);
        }
        canvas.marker((scale.at(real), y), at, color(at), Fill::Solid, 0.72);
    }
    panel.axes(canvas);
}

fn entries<'a>() -> Vec<Entry<'a>> {
    vec![
        ("corpus".to_owned(), Box::new(|c, p| c.marker(p, 0, INK, Fill::Solid, 0.72))),
        (
            "Markov chain of order 2 fitted to the corpus".to_owned(),
            Box::new(|c, p| c.marker(p, 0, INK, Fill::Hollow, 0.72)),
        ),
        (
            "independent, equally likely bases".to_owned(),
            Box::new(|c, (x, y)| c.line((x, y - 7.0), (x, y + 7.0), GREY, 2.0)),
        ),
    ]
}
