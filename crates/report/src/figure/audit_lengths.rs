//! Token length distributions of an audit: one panel per species, the corpus beside two random texts.

use super::canvas::{self, Anchor, Canvas, GREY, INK, LIGHT, SMALL, TEXT, WIDE, color, sheet};
use super::drawn::Drawn;
use super::lengths::{fractions, length_label};
use super::panel::{Entry, Panel, legend, legend_height, subtitle};
use crate::audit::{Sheet, Text};
use crate::error::Error;
use crate::tidy::Csv;

const COLUMNS: usize = 3;
const STEP: f64 = 48.0;
const CAPTION: &str = "token length in bases; height: fraction of bases, each row scaled to its maximum";

/// Fraction of the bases in tokens of each length: one list per text, in the order of [`Text::ALL`].
type Row = [Vec<f64>; 3];

/// Draws one panel for all species together and one for each species.
pub(super) fn draw(audit: &Sheet, title: &'static str) -> Result<Option<Drawn>, Error> {
    let mut groups = audit.species();
    // With one species, the panel of all species would repeat it.
    if groups.len() != 1 {
        groups.insert(0, "");
    }
    let row = |at: usize, species: &str| -> Row {
        Text::ALL.map(|text| audit.cell(at, species, text).map_or_else(Vec::new, |cell| fractions(&cell.lengths)))
    };
    let panels: Vec<Vec<Row>> =
        groups.iter().map(|group| (0..audit.tokenizers.len()).map(|at| row(at, group)).collect()).collect();
    let mut csv = Csv::new("tokenizer,species,text,length,share_of_bases");
    for (at, label) in audit.tokenizers.iter().enumerate() {
        for (group, rows) in groups.iter().zip(&panels) {
            for (text, fractions) in Text::ALL.iter().zip(&rows[at]) {
                for (place, fraction) in fractions.iter().enumerate().filter(|(_, fraction)| **fraction > 0.0) {
                    csv.row(&[label, group, text.name(), &length_label(place)], &[*fraction]);
                }
            }
        }
    }
    let longest = panels.iter().flatten().flatten().map(Vec::len).max().unwrap_or(0).max(6);
    let margin = canvas::margin(audit.tokenizers.iter().map(String::as_str));
    let (above, below, gap) = (30.0, 40.0, 26.0);
    let body = STEP * audit.tokenizers.len() as f64;
    let (entries, top) = (entries(), 60.0);
    let end = top + panels.len().div_ceil(COLUMNS) as f64 * (above + body + below);
    let high = end + 30.0 + legend_height(&entries, WIDE) + 12.0;
    let svg = sheet(title, (WIDE, high), |canvas| {
        subtitle(canvas, &audit.setting);
        for (number, (group, rows)) in groups.iter().zip(&panels).enumerate() {
            let (line, column) = (number / COLUMNS, number % COLUMNS);
            let wide = (WIDE - margin - 26.0 - gap * (COLUMNS - 1) as f64) / COLUMNS as f64;
            let from = (margin + column as f64 * (wide + gap), top + line as f64 * (above + body + below) + above);
            let panel = Panel { from, to: (from.0 + wide, from.1 + body) };
            panel.heading(canvas, if group.is_empty() { "all species" } else { group });
            for (at, row) in rows.iter().enumerate() {
                let baseline = panel.from.1 + STEP * (at + 1) as f64;
                if column == 0 {
                    canvas.text(
                        (panel.from.0 - 10.0, baseline - 14.0),
                        &audit.tokenizers[at],
                        TEXT,
                        INK,
                        Anchor::Right,
                    );
                }
                one(canvas, &panel, at, row, baseline, longest);
            }
            axis(canvas, &panel, longest);
        }
        canvas.text(((margin + WIDE - 26.0) / 2.0, end + 8.0), CAPTION, TEXT, INK, Anchor::Middle);
        legend(canvas, &entries, WIDE, end + 26.0);
    })?;
    Ok(Some(Drawn { svg, csv: csv.text() }))
}

/// One tokenizer on one species: bars for the corpus, a line per length for each random text.
fn one(canvas: &mut Canvas<'_>, panel: &Panel, at: usize, row: &Row, baseline: f64, longest: usize) {
    canvas.line((panel.from.0, baseline), (panel.to.0, baseline), LIGHT, 1.0);
    let slot = (panel.to.0 - panel.from.0) / longest as f64;
    let peak = row.iter().flatten().copied().fold(f64::MIN_POSITIVE, f64::max);
    let height = |fraction: f64| baseline - (fraction / peak * (STEP - 20.0)).max(0.6);
    let [real, order2, uniform] = row;
    let drawn = |fractions: &[f64]| -> Vec<(f64, f64)> {
        let places = fractions.iter().enumerate().filter(|(_, fraction)| **fraction > 0.0);
        places.map(|(place, fraction)| (panel.from.0 + slot * place as f64, height(*fraction))).collect()
    };
    for (left, y) in drawn(real) {
        canvas.rect((left + slot * 0.12, y), (left + slot * 0.88, baseline), color(at));
    }
    for (fractions, line) in [(uniform, GREY), (order2, INK)] {
        for (left, y) in drawn(fractions) {
            canvas.line((left, y), (left + slot, y), line, 1.6);
        }
    }
    let most = real.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1));
    if let Some((place, fraction)) = most {
        let middle = panel.from.0 + slot * (place as f64 + 0.5);
        let text = format!("{:.0} %", fraction * 100.0);
        // Above all marks of the row.
        canvas.text((middle, height(peak) - 8.0), &text, SMALL, GREY, Anchor::Middle);
    }
}

fn axis(canvas: &mut Canvas<'_>, panel: &Panel, longest: usize) {
    let slot = (panel.to.0 - panel.from.0) / longest as f64;
    let every = (22.0 / slot).ceil().max(1.0) as usize;
    for place in (0..longest).filter(|place| *place == 0 || (place + 1) % every == 0) {
        let middle = panel.from.0 + slot * (place as f64 + 0.5);
        canvas.text((middle, panel.to.1 + 14.0), &length_label(place), SMALL, INK, Anchor::Middle);
    }
}

fn entries<'a>() -> Vec<Entry<'a>> {
    vec![
        ("corpus".to_owned(), Box::new(|c, (x, y)| c.rect((x - 5.0, y - 6.0), (x + 5.0, y + 6.0), color(0)))),
        (
            "Markov chain of order 2 fitted to the corpus".to_owned(),
            Box::new(|c, (x, y)| c.line((x - 7.0, y), (x + 7.0, y), INK, 1.6)),
        ),
        (
            "independent, equally likely bases".to_owned(),
            Box::new(|c, (x, y)| c.line((x - 7.0, y), (x + 7.0, y), GREY, 1.6)),
        ),
    ]
}
