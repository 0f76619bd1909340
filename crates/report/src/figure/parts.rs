//! The total as a stack: bits paid for the number of tokens, their lengths, their content.

use plotters::style::RGBColor;

use super::canvas::{Anchor, INK, SMALL, TEXT, sheet, width};
use super::panel::{Entry, Panel, Scale, legend, legend_height, subtitle};
use super::{Csv, Drawn};
use crate::comparison::Comparison;
use crate::error::Error;

const WIDE: f64 = 900.0;
const STEP: f64 = 40.0;

/// The parts: name and colour (Okabe-Ito; not those of the first tokenizers' markers, for these are no tokenizers).
const PARTS: [(&str, RGBColor); 3] =
    [("count", RGBColor(230, 159, 0)), ("length", RGBColor(170, 170, 170)), ("content", RGBColor(86, 180, 233))];

/// Draws one block of bars per group.
pub(super) fn draw(comparison: &Comparison, title: &'static str) -> Result<Option<Drawn>, Error> {
    let mut csv = Csv::new("group,subject,part,bits_per_base");
    let mut blocks = Vec::new();
    for group in &comparison.groups {
        let bars: Vec<(&str, [f64; 3], f64)> = group
            .subjects
            .iter()
            .filter_map(|s| s.bits.as_ref().map(|b| (s.name.as_str(), [b.count, b.length, b.content], b.total.mean)))
            .collect();
        for (name, parts, _) in &bars {
            for ((part, _), value) in PARTS.iter().zip(parts) {
                csv.row(&[&group.label, name, part], &[*value]);
            }
        }
        if !bars.is_empty() {
            blocks.push((group, bars));
        }
    }
    if blocks.is_empty() {
        return Ok(None);
    }
    let names = blocks.iter().flat_map(|(_, bars)| bars.iter().map(|b| b.0));
    let margin = names.map(|n| width(n, TEXT)).fold(40.0, f64::max) + 34.0;
    let most = blocks.iter().flat_map(|(_, bars)| bars.iter().map(|b| b.1.iter().sum::<f64>())).fold(0.0, f64::max);
    let entries: Vec<Entry<'_>> = PARTS
        .iter()
        .map(|(name, paint)| -> Entry<'_> {
            ((*name).to_owned(), Box::new(|c, (x, y)| c.rect((x - 9.0, y - 6.0), (x + 9.0, y + 6.0), *paint)))
        })
        .collect();
    let high = |bars: usize| 34.0 + STEP * bars as f64 + 34.0;
    let body: f64 = blocks.iter().map(|(_, bars)| high(bars.len())).sum();
    let size = (WIDE, 56.0 + body + 28.0 + legend_height(&entries, WIDE) + 12.0);
    let svg = sheet(title, size, |canvas| {
        subtitle(canvas, &super::common(comparison.groups.iter()));
        let mut top = 56.0;
        for (group, bars) in &blocks {
            let panel = Panel { from: (margin, top + 30.0), to: (WIDE - 76.0, top + 30.0 + STEP * bars.len() as f64) };
            let scale = Scale::exact(0.0, most * 1.02, (panel.from.0, panel.to.0));
            panel.heading(canvas, &group.label);
            panel.horizontal(canvas, &scale, "");
            for (row, (name, parts, total)) in bars.iter().enumerate() {
                let y = panel.from.1 + STEP * (row as f64 + 0.5);
                canvas.text((margin - 10.0, y), name, TEXT, INK, Anchor::Right);
                let mut start = 0.0;
                for ((_, paint), value) in PARTS.iter().zip(parts) {
                    if *value > 0.0 {
                        canvas.rect((scale.at(start), y - 12.0), (scale.at(start + value), y + 12.0), *paint);
                        let label = format!("{value:.2}");
                        if scale.at(start + value) - scale.at(start) > width(&label, SMALL) + 8.0 {
                            canvas.text((scale.at(start + value / 2.0), y), &label, SMALL, INK, Anchor::Middle);
                        }
                    }
                    start += value;
                }
                canvas.text((scale.at(start) + 6.0, y), &format!("{total:.3}"), SMALL, INK, Anchor::Left);
            }
            panel.axes(canvas);
            top += high(bars.len());
        }
        canvas.text(
            (margin + (WIDE - 76.0 - margin) / 2.0, top + 8.0),
            "bits per masked base; only the total is comparable",
            TEXT,
            INK,
            Anchor::Middle,
        );
        legend(canvas, &entries, WIDE, top + 26.0);
    })?;
    Ok(Some(Drawn { svg, csv: csv.0 }))
}
