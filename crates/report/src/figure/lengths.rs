//! Token length distributions: fraction of the bases in tokens of each length. A base in several overlapping tokens counts for each.
//!
//! All rows have one axis. It ends at the highest bar of the tokenizers with several lengths; the single bar of a tokenizer with one
//! length is cut there, with its value.

use super::canvas::{Anchor, Canvas, GREY, INK, LIGHT, Look, Looks, SMALL, TEXT, WHITE, WIDE, sheet, under, width};
use super::drawn::{Drawn, Head, heading, looks};
use super::panel::{Panel, note_lines, notes, notes_height};
use super::words::shortened;
use crate::comparison::{Comparison, Group};
use crate::error::Error;
use crate::tidy::Csv;

const STEP: f64 = 64.0;
/// Height of the highest bar.
const BAR: f64 = STEP - 24.0;
/// Longest token length in bases with its own bar; longer tokens are pooled in the last one.
const LONGEST: usize = 24;
/// Fraction of the bases in units of the greatest length from which a note says so.
const PILED: f64 = 0.1;

/// Fraction of the bases in tokens of each length (index 0: length 1); the last entry pools [`LONGEST`] and more.
pub(super) fn fractions(lengths: &[u64]) -> Vec<f64> {
    let bases = |at: usize, count: &u64| (at as u64 + 1) as f64 * *count as f64;
    let all: f64 = lengths.iter().enumerate().map(|(at, n)| bases(at, n)).sum();
    if all <= 0.0 {
        return Vec::new();
    }
    let mut fractions = vec![0.0; lengths.len().min(LONGEST)];
    for (at, count) in lengths.iter().enumerate() {
        let place = at.min(LONGEST - 1);
        fractions[place] += bases(at, count) / all;
    }
    fractions
}

/// The top of the common axis: the highest bar of the rows with several lengths, or of all rows if there are none.
pub(super) fn common_top<'a>(rows: impl Iterator<Item = &'a [f64]> + Clone) -> f64 {
    let peak = |row: &[f64]| row.iter().copied().fold(0.0, f64::max);
    // Short rests at the ends of spans do not count as lengths.
    let several = rows.clone().map(peak).filter(|peak| *peak < 0.9).fold(0.0, f64::max);
    if several > 0.0 { several } else { rows.map(peak).fold(f64::MIN_POSITIVE, f64::max) }
}

/// Name and fractions.
type Row = (String, Vec<f64>);

fn with_lengths(group: &Group) -> Vec<Row> {
    let own = |s: &'_ crate::comparison::Subject| {
        let fractions = s.bits.as_ref().map(|b| fractions(&b.lengths)).filter(|l| !l.is_empty())?;
        Some((s.name.clone(), fractions))
    };
    group.subjects.iter().filter_map(own).collect()
}

/// Draws one small bar chart per tokenizer, one column per group.
pub(super) fn draw(comparison: &Comparison, title: &'static str) -> Result<Option<Drawn>, Error> {
    let columns: Vec<(String, Vec<Row>)> = comparison
        .groups
        .iter()
        .map(|g| (g.label.clone(), with_lengths(g)))
        .filter(|(_, rows)| !rows.is_empty())
        .collect();
    if columns.is_empty() {
        return Ok(None);
    }
    let message = message(&columns);
    columned(&Head::of(title, message, comparison), &looks(comparison), &columns).map(Some)
}

/// The tokenizer with the longest tokens: in which lengths the middle half of its bases is.
fn message(columns: &[(String, Vec<Row>)]) -> Option<String> {
    let quantile = |row: &[f64], part: f64| {
        let mut sum = 0.0;
        let over = |fraction: &f64| {
            sum += fraction;
            sum >= part
        };
        row.iter().position(over).map_or(row.len(), |at| at + 1)
    };
    let (_, rows) = columns.first()?;
    let peak = |row: &[f64]| row.iter().copied().fold(0.0, f64::max);
    let variable = rows.iter().filter(|(_, row)| peak(row) < 0.9);
    let ranges: Vec<String> = variable
        .map(|(name, row)| format!("{} to {} in {name}", quantile(row, 0.25), quantile(row, 0.75)))
        .take(2)
        .collect();
    (!ranges.is_empty()).then(|| format!("The middle half of the bases is in tokens of {}", ranges.join(", ")))
}

/// Notes on learned tokenizers whose units pile up at the greatest length that they can have.
fn piled(columns: &[(String, Vec<Row>)]) -> Vec<String> {
    let cap = |name: &str| match name.strip_prefix("mxdna") {
        Some("") => Some(10),
        Some(rest) => rest.strip_prefix("-max")?.parse::<usize>().ok(),
        None => None,
    };
    let mut notes: Vec<String> = Vec::new();
    for (label, rows) in columns {
        for (name, row) in rows {
            let Some(cap) = cap(name).filter(|cap| row.len() == *cap && row[cap - 1] >= PILED) else { continue };
            let under = if columns.len() > 1 && !label.is_empty() {
                format!(" ({})", heading(label, ""))
            } else {
                String::new()
            };
            notes.push(format!(
                "{name}{under}: {:.0} % of the bases are in units of {cap}, the longest it can form; the distribution is cut \
                 there.",
                row[cap - 1] * 100.0
            ));
        }
    }
    notes
}

fn columned(head: &Head, looks: &Looks, columns: &[(String, Vec<Row>)]) -> Result<Drawn, Error> {
    let mut csv = Csv::new("group,subject,length,share_of_bases");
    let (mut longest, mut most, mut names) = (6, 0, 40.0_f64);
    for (label, rows) in columns {
        most = most.max(rows.len());
        for (name, fractions) in rows {
            longest = longest.max(fractions.len());
            names = names.max(width(name, TEXT));
            for (at, fraction) in fractions.iter().enumerate().filter(|(_, s)| **s > 0.0) {
                csv.row(&[label, name, &length_label(at)], &[*fraction]);
            }
        }
    }
    let peak = common_top(columns.iter().flat_map(|(_, rows)| rows).map(|(_, row)| row.as_slice()));
    let lines = note_lines(&piled(columns));
    // Names once, if all columns have the same.
    let named = |rows: &[Row]| rows.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    let alike = columns.iter().all(|(_, rows)| named(rows) == named(&columns[0].1));
    let margin = names + 34.0;
    let cell = if alike { (WIDE - margin - 16.0) / columns.len() as f64 } else { WIDE / columns.len() as f64 };
    let left = |at: usize| at as f64 * cell + margin;
    let right = |at: usize| left(at) + if alike { cell } else { cell - margin } - 48.0;
    let top = under(head) + 30.0;
    let end = top + STEP * most as f64 + 50.0;
    let svg = sheet(head, (WIDE, end + notes_height(&lines) + 8.0), |canvas| {
        for (at, (label, rows)) in columns.iter().enumerate() {
            let panel = Panel { from: (left(at), top), to: (right(at), top + STEP * most as f64) };
            let full = heading(label, "");
            let label = if width(&full, TEXT) > right(at) - left(at) + 40.0 { shortened(&full) } else { full };
            one(
                canvas,
                &panel,
                (&label, rows),
                looks,
                (longest, peak),
                (at == 0 || !alike, at + 1 == columns.len() || !alike),
            );
        }
        notes(canvas, &lines, end);
    })?;
    Ok(Drawn { svg, csv: csv.text() })
}

/// Label of a bar; the last one pools all longer tokens.
pub(super) fn length_label(at: usize) -> String {
    if at + 1 == LONGEST { format!("{LONGEST}+") } else { (at + 1).to_string() }
}

/// One bar from its left edge; a bar above the common axis is cut, with two strokes.
pub(super) fn bar(canvas: &mut Canvas<'_>, (left, baseline): (f64, f64), slot: f64, high: f64, most: f64, look: Look) {
    let cut = high > most * 1.001;
    let top = baseline - high.min(most).max(0.6);
    canvas.rect((left + slot * 0.12, top), (left + slot * 0.88, baseline), look.color);
    if cut {
        for shift in [12.0, 17.0] {
            canvas.line((left, top + shift + 3.0), (left + slot, top + shift - 3.0), WHITE, 2.0);
        }
    }
}

fn one(
    canvas: &mut Canvas<'_>,
    panel: &Panel,
    (label, rows): (&str, &[Row]),
    looks: &Looks,
    (longest, peak): (usize, f64),
    (names, scale): (bool, bool),
) {
    panel.heading(canvas, label);
    let slot = (panel.to.0 - panel.from.0) / longest as f64;
    for (row, (name, fractions)) in rows.iter().enumerate() {
        let baseline = panel.from.1 + STEP * (row + 1) as f64;
        if names {
            canvas.text((panel.from.0 - 10.0, baseline - 16.0), name, TEXT, INK, Anchor::Right);
        }
        canvas.line((panel.from.0, baseline - BAR), (panel.to.0, baseline - BAR), LIGHT, 0.7);
        if scale {
            canvas.text(
                (panel.to.0 + 5.0, baseline - BAR),
                &format!("{:.0} %", peak * 100.0),
                SMALL,
                GREY,
                Anchor::Left,
            );
            canvas.text((panel.to.0 + 5.0, baseline - 5.0), "0", SMALL, GREY, Anchor::Left);
        }
        canvas.line((panel.from.0, baseline), (panel.to.0, baseline), LIGHT, 1.0);
        for (at, fraction) in fractions.iter().enumerate().filter(|(_, s)| **s > 0.0) {
            let left = panel.from.0 + slot * at as f64;
            bar(canvas, (left, baseline), slot, fraction / peak * BAR, BAR, looks.look(name));
        }
        let highest = fractions.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
        if let Some((at, fraction)) = highest {
            let (x, y) = (panel.from.0 + slot * (at as f64 + 0.5), baseline - (fraction / peak).min(1.0) * BAR - 8.0);
            canvas.text((x, y), &format!("{:.0} %", fraction * 100.0), SMALL, GREY, Anchor::Middle);
        }
    }
    axis(canvas, panel, longest);
    let texts =
        ["token length in bases; height: fraction of the bases, one axis for all rows", "token length in bases"];
    let fits = |text: &&str| width(text, TEXT) < panel.to.0 - panel.from.0 + 80.0;
    let text = texts.into_iter().find(fits).unwrap_or(texts[1]);
    canvas.text(((panel.from.0 + panel.to.0) / 2.0, panel.to.1 + 36.0), text, TEXT, INK, Anchor::Middle);
}

/// Lengths under the bars.
pub(super) fn axis(canvas: &mut Canvas<'_>, panel: &Panel, longest: usize) {
    let slot = (panel.to.0 - panel.from.0) / longest as f64;
    let every = (22.0 / slot).ceil().max(1.0) as usize;
    for place in (0..longest).filter(|place| *place == 0 || (place + 1) % every == 0) {
        let middle = panel.from.0 + slot * (place as f64 + 0.5);
        canvas.text((middle, panel.to.1 + 14.0), &length_label(place), SMALL, INK, Anchor::Middle);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_sum_to_one_and_long_tokens_are_pooled() {
        let mut lengths = vec![0; 40];
        lengths[0] = 10;
        lengths[29] = 1;
        lengths[39] = 1;
        let found = fractions(&lengths);
        assert_eq!(found.len(), LONGEST);
        assert!((found.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert!((found[LONGEST - 1] - 70.0 / 80.0).abs() < 1e-12);
        assert!(fractions(&[0, 0]).is_empty());
    }

    #[test]
    fn the_axis_is_that_of_tokenizers_with_several_lengths() {
        let rows = [vec![1.0], vec![0.2, 0.3, 0.5], vec![0.01, 0.99]];
        assert_eq!(common_top(rows.iter().map(Vec::as_slice)), 0.5);
        assert_eq!(common_top(rows[..1].iter().map(Vec::as_slice)), 1.0);
    }

    #[test]
    fn units_at_the_cap_are_commented() {
        let mut row = vec![0.08; 10];
        row[9] = 0.28;
        let note =
            piled(&[(String::new(), vec![("mxdna".to_owned(), row.clone()), ("bpe512".to_owned(), row.clone())])]);
        assert_eq!(note.len(), 1);
        assert!(note[0].starts_with("mxdna: 28 % of the bases are in units of 10, the longest"), "{note:?}");
        assert!(piled(&[(String::new(), vec![("mxdna-max12".to_owned(), row)])]).is_empty());
    }
}
