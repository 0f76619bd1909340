//! The total as a stack: bits paid for the number of tokens, their lengths, their content; beside floor and bias-only model.

use plotters::style::RGBColor;
use protocol::score::{BIAS_ONLY, CONTENT, COUNT, FLOOR, LENGTH};

use super::canvas::{Anchor, GREY, INK, SMALL, TEXT, sheet, width};
use super::drawn::{Drawn, common};
use super::panel::{Entry, Panel, Scale, legend, legend_height, subtitle};
use crate::comparison::Comparison;
use crate::error::Error;
use crate::tidy::Csv;

const WIDE: f64 = 900.0;
const STEP: f64 = 40.0;
const DASH: (f64, f64) = (5.0, 3.0);

/// The parts: name and colour (Okabe-Ito; not those of the first tokenizers' markers, for these are no tokenizers).
const PARTS: [(&str, RGBColor); 3] =
    [("count", RGBColor(230, 159, 0)), ("length", RGBColor(170, 170, 170)), ("content", RGBColor(86, 180, 233))];

/// A bar: name, parts, total, floor and bias-only model where known.
struct Bar<'a> {
    name: &'a str,
    parts: [f64; 3],
    total: f64,
    floor: Option<f64>,
    bias_only: Option<f64>,
}

/// Draws one block of bars per group.
pub(super) fn draw(comparison: &Comparison, title: &'static str) -> Result<Option<Drawn>, Error> {
    let mut csv = Csv::new("group,subject,part,bits_per_base");
    let mut blocks = Vec::new();
    for group in &comparison.groups {
        let bar = |s: &'_ crate::comparison::Subject| {
            let b = s.bits.as_ref()?;
            let [count, length, content, bias_only] = [COUNT, LENGTH, CONTENT, BIAS_ONLY].map(|c| b.score.bits(c));
            Some((count, length, content, b.total.mean, b.score.get(FLOOR), bias_only))
        };
        let mut bars = Vec::new();
        for subject in &group.subjects {
            let Some((count, length, content, total, floor, bias_only)) = bar(subject) else { continue };
            let bias_only = bias_only.is_finite().then_some(bias_only);
            let bar = Bar { name: &subject.name, parts: [count, length, content], total, floor, bias_only };
            for ((part, _), value) in PARTS.iter().zip(&bar.parts) {
                csv.row(&[&group.label, bar.name, part], &[*value]);
            }
            for (mark, value) in [("total", Some(total)), ("floor", floor), ("bias only", bias_only)] {
                if let Some(value) = value {
                    csv.row(&[&group.label, bar.name, mark], &[value]);
                }
            }
            bars.push(bar);
        }
        if !bars.is_empty() {
            blocks.push((group, bars));
        }
    }
    if blocks.is_empty() {
        return Ok(None);
    }
    let names = blocks.iter().flat_map(|(_, bars)| bars.iter().map(|b| b.name));
    let margin = names.map(|n| width(n, TEXT)).fold(40.0, f64::max) + 34.0;
    let far = |b: &Bar<'_>| b.parts.iter().sum::<f64>().max(b.floor.unwrap_or(0.0)).max(b.bias_only.unwrap_or(0.0));
    let most = blocks.iter().flat_map(|(_, bars)| bars.iter().map(far)).fold(0.0, f64::max);
    let mut entries: Vec<Entry<'_>> = PARTS
        .iter()
        .map(|(name, paint)| -> Entry<'_> {
            ((*name).to_owned(), Box::new(|c, (x, y)| c.rect((x - 9.0, y - 6.0), (x + 9.0, y + 6.0), *paint)))
        })
        .collect();
    if blocks.iter().any(|(_, bars)| bars.iter().any(|b| b.floor.is_some())) {
        entries.push(("floor".into(), Box::new(|c, (x, y)| c.dashed((x, y - 8.0), (x, y + 8.0), INK, 1.3, DASH))));
    }
    if blocks.iter().any(|(_, bars)| bars.iter().any(|b| b.bias_only.is_some())) {
        entries.push(("bias only".into(), Box::new(|c, (x, y)| c.line((x, y - 7.0), (x, y + 7.0), GREY, 2.0))));
    }
    let high = |bars: usize| 34.0 + STEP * bars as f64 + 34.0;
    let body: f64 = blocks.iter().map(|(_, bars)| high(bars.len())).sum();
    let size = (WIDE, 56.0 + body + 28.0 + legend_height(&entries, WIDE) + 12.0);
    let svg = sheet(title, size, |canvas| {
        subtitle(canvas, &common(comparison.groups.iter()));
        let mut top = 56.0;
        for (group, bars) in &blocks {
            let panel = Panel { from: (margin, top + 30.0), to: (WIDE - 76.0, top + 30.0 + STEP * bars.len() as f64) };
            let scale = Scale::exact(0.0, most * 1.02, (panel.from.0, panel.to.0));
            panel.heading(canvas, &group.label);
            panel.horizontal(canvas, &scale, "");
            for (row, bar) in bars.iter().enumerate() {
                let y = panel.from.1 + STEP * (row as f64 + 0.5);
                canvas.text((margin - 10.0, y), bar.name, TEXT, INK, Anchor::Right);
                let (mut start, mut labels) = (0.0, Vec::new());
                for ((_, paint), value) in PARTS.iter().zip(&bar.parts) {
                    if *value > 0.0 {
                        canvas.rect((scale.at(start), y - 12.0), (scale.at(start + value), y + 12.0), *paint);
                        let label = format!("{value:.2}");
                        if scale.at(start + value) - scale.at(start) > width(&label, SMALL) + 8.0 {
                            labels.push((scale.at(start + value / 2.0), label));
                        }
                    }
                    start += value;
                }
                // A mark that would cross a number is drawn above and below it.
                let crossed = |x: f64| labels.iter().any(|(at, text)| (x - at).abs() < width(text, SMALL) / 2.0 + 2.0);
                let pieces = |x: f64, half: f64| {
                    if crossed(x) { vec![(y - half, y - 8.0), (y + 8.0, y + half)] } else { vec![(y - half, y + half)] }
                };
                if let Some(x) = bar.bias_only.map(|v| scale.at(v)) {
                    pieces(x, 16.0).into_iter().for_each(|(a, b)| canvas.line((x, a), (x, b), GREY, 2.0));
                }
                if let Some(x) = bar.floor.map(|v| scale.at(v)) {
                    pieces(x, STEP / 2.0).into_iter().for_each(|(a, b)| canvas.dashed((x, a), (x, b), INK, 1.3, DASH));
                }
                for (x, label) in &labels {
                    canvas.text((*x, y), label, SMALL, INK, Anchor::Middle);
                }
                let text = format!("{:.3}", bar.total);
                // The total follows its bar, unless a mark stands there.
                let end = scale.at(bar.parts.iter().sum()) + 6.0;
                let taken = end - 6.0..end + width(&text, SMALL) + 4.0;
                let marks = [bar.bias_only, bar.floor].into_iter().flatten().map(|v| scale.at(v));
                let x = marks.filter(|x| taken.contains(x)).fold(end, |far, x| far.max(x + 6.0));
                canvas.text((x, y), &text, SMALL, INK, Anchor::Left);
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
    Ok(Some(Drawn { svg, csv: csv.text() }))
}
