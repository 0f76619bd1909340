//! Token length distributions of an audit: one row per tokenizer over all species, the corpus beside two random texts.

use super::canvas::{self, Anchor, Canvas, GREY, INK, LIGHT, Look, Looks, SMALL, TEXT, WIDE, sheet};
use super::drawn::{Drawn, Head};
use super::lengths::{axis, bar, common_top, fractions, length_label};
use super::panel::{Entry, Panel, legend, legend_height};
use super::words::setting;
use crate::audit::{Sheet, Text};
use crate::error::Error;
use crate::tidy::Csv;

const STEP: f64 = 58.0;
/// Height of the highest bar.
const BAR: f64 = STEP - 24.0;
const CAPTION: &str = "token length in bases; height: fraction of the bases, one axis for all rows";

/// Fraction of the bases in tokens of each length: one list per text, in the order of [`Text::ALL`].
type Row = [Vec<f64>; 3];

/// Draws one panel: all species together, or the only one.
pub(super) fn draw(audit: &Sheet, title: &'static str) -> Result<Option<Drawn>, Error> {
    let species = audit.species();
    let group = if let [only] = species[..] { only } else { "" };
    let row = |at: usize| -> Row {
        Text::ALL.map(|text| audit.cell(at, group, text).map_or_else(Vec::new, |cell| fractions(&cell.lengths)))
    };
    let rows: Vec<Row> = (0..audit.tokenizers.len()).map(row).collect();
    let mut csv = Csv::new("tokenizer,species,text,length,share_of_bases");
    for (label, row) in audit.tokenizers.iter().zip(&rows) {
        for (text, fractions) in Text::ALL.iter().zip(row) {
            for (place, fraction) in fractions.iter().enumerate().filter(|(_, fraction)| **fraction > 0.0) {
                csv.row(&[label, group, text.name(), &length_label(place)], &[*fraction]);
            }
        }
    }
    let looks = Looks::of(audit.tokenizers.iter().map(String::as_str));
    let longest = rows.iter().flatten().map(Vec::len).max().unwrap_or(0).max(6);
    let top_value = common_top(rows.iter().flatten().map(Vec::as_slice));
    let margin = canvas::margin(audit.tokenizers.iter().map(String::as_str));
    let entries = entries();
    let head = Head::new(title, message(audit, &rows), &[setting(&audit.setting)]);
    let top = canvas::under(&head) + 30.0;
    let panel = Panel { from: (margin, top), to: (WIDE - 60.0, top + STEP * audit.tokenizers.len() as f64) };
    let size = (WIDE, panel.to.1 + 58.0 + legend_height(&entries, WIDE) + 12.0);
    let svg = sheet(&head, size, |canvas| {
        panel.heading(canvas, if group.is_empty() { "all species" } else { group });
        for (at, (row, label)) in rows.iter().zip(&audit.tokenizers).enumerate() {
            let baseline = panel.from.1 + STEP * (at + 1) as f64;
            canvas.text((panel.from.0 - 10.0, baseline - 14.0), label, TEXT, INK, Anchor::Right);
            one(canvas, &panel, looks.look(label), row, baseline, (longest, top_value));
        }
        axis(canvas, &panel, longest);
        canvas.text(((panel.from.0 + panel.to.0) / 2.0, panel.to.1 + 36.0), CAPTION, TEXT, INK, Anchor::Middle);
        legend(canvas, &entries, WIDE, panel.to.1 + 52.0);
    })?;
    Ok(Some(Drawn { svg, csv: csv.text() }))
}

/// How much the lengths on the corpus differ from those on noise at most: the fraction of the bases that would have to be in tokens
/// of other lengths.
fn message(audit: &Sheet, rows: &[Row]) -> Option<String> {
    let distance = |[real, _, uniform]: &Row| {
        let at = |row: &Vec<f64>, place: usize| row.get(place).copied().unwrap_or(0.0);
        let places = 0..real.len().max(uniform.len());
        places.map(|place| (at(real, place) - at(uniform, place)).abs()).sum::<f64>() / 2.0
    };
    let known =
        rows.iter().zip(&audit.tokenizers).filter(|([real, _, uniform], _)| !real.is_empty() && !uniform.is_empty());
    let (most, name) = known.map(|(row, name)| (distance(row), name)).max_by(|a, b| a.0.total_cmp(&b.0))?;
    Some(format!("Corpus and noise differ in the lengths of at most {:.0} % of the bases ({name})", most * 100.0))
}

/// One tokenizer: bars for the corpus, a line per length for each random text.
fn one(canvas: &mut Canvas<'_>, panel: &Panel, look: Look, row: &Row, baseline: f64, (longest, top): (usize, f64)) {
    canvas.line((panel.from.0, baseline - BAR), (panel.to.0, baseline - BAR), LIGHT, 0.7);
    canvas.line((panel.from.0, baseline), (panel.to.0, baseline), LIGHT, 1.0);
    canvas.text((panel.to.0 + 5.0, baseline - BAR), &format!("{:.0} %", top * 100.0), SMALL, GREY, Anchor::Left);
    canvas.text((panel.to.0 + 5.0, baseline - 5.0), "0", SMALL, GREY, Anchor::Left);
    let slot = (panel.to.0 - panel.from.0) / longest as f64;
    let left = |place: usize| panel.from.0 + slot * place as f64;
    let [real, order2, uniform] = row;
    for (place, fraction) in real.iter().enumerate().filter(|(_, fraction)| **fraction > 0.0) {
        bar(canvas, (left(place), baseline), slot, fraction / top * BAR, BAR, look);
    }
    for (fractions, line) in [(uniform, GREY), (order2, INK)] {
        for (place, fraction) in fractions.iter().enumerate().filter(|(_, fraction)| **fraction > 0.0) {
            let y = baseline - (fraction / top).min(1.0) * BAR;
            canvas.line((left(place), y), (left(place) + slot, y), line, 1.6);
        }
    }
    let most = real.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1));
    if let Some((place, fraction)) = most {
        // Above all marks of the row.
        let at = (left(place) + slot * 0.5, baseline - BAR - 8.0);
        canvas.text(at, &format!("{:.0} %", fraction * 100.0), SMALL, GREY, Anchor::Middle);
    }
}

fn entries<'a>() -> Vec<Entry<'a>> {
    vec![
        ("corpus".to_owned(), Box::new(|c, (x, y)| c.rect((x - 5.0, y - 6.0), (x + 5.0, y + 6.0), GREY))),
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
