//! Token length distributions: fraction of the bases in tokens of each length. A base in several overlapping tokens counts for each.

use super::canvas::{Anchor, Canvas, GREY, INK, LIGHT, SMALL, TEXT, WIDE, color, sheet, width};
use super::drawn::{Drawn, common};
use super::panel::{Panel, subtitle};
use crate::comparison::{Comparison, Group, Subject};
use crate::error::Error;
use crate::tidy::Csv;

const STEP: f64 = 58.0;
/// Longest token length in bases with its own bar; longer tokens are pooled in the last one.
const LONGEST: usize = 24;

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

/// Name, color index, fractions.
type Row = (String, usize, Vec<f64>);

fn with_lengths(group: &Group) -> Vec<Row> {
    let own = |s: &'_ Subject| s.bits.as_ref().map(|b| fractions(&b.lengths)).filter(|l| !l.is_empty());
    group.subjects.iter().filter_map(|s| own(s).map(|l| (s.name.clone(), s.index, l))).collect()
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
    columned(title, &common(comparison.groups.iter()), &columns).map(Some)
}

fn columned(title: &str, under: &str, columns: &[(String, Vec<Row>)]) -> Result<Drawn, Error> {
    let mut csv = Csv::new("group,subject,length,share_of_bases");
    let (mut longest, mut most, mut names) = (6, 0, 40.0_f64);
    for (label, rows) in columns {
        most = most.max(rows.len());
        for (name, _, fractions) in rows {
            longest = longest.max(fractions.len());
            names = names.max(width(name, TEXT));
            for (at, fraction) in fractions.iter().enumerate().filter(|(_, s)| **s > 0.0) {
                csv.row(&[label, name, &length_label(at)], &[*fraction]);
            }
        }
    }
    let cell = WIDE / columns.len() as f64;
    let high = 56.0 + 30.0 + STEP * most as f64 + 56.0;
    let svg = sheet(title, (WIDE, high), |canvas| {
        subtitle(canvas, under);
        for (at, (label, rows)) in columns.iter().enumerate() {
            let from = (at as f64 * cell + names + 34.0, 86.0);
            let panel = Panel { from, to: ((at + 1) as f64 * cell - 64.0, from.1 + STEP * most as f64) };
            one(canvas, &panel, label, rows, longest);
        }
    })?;
    Ok(Drawn { svg, csv: csv.text() })
}

/// Label of a bar; the last one pools all longer tokens.
pub(super) fn length_label(at: usize) -> String {
    if at + 1 == LONGEST { format!("{LONGEST}+") } else { (at + 1).to_string() }
}

fn one(canvas: &mut Canvas<'_>, panel: &Panel, label: &str, rows: &[Row], longest: usize) {
    panel.heading(canvas, label);
    let slot = (panel.to.0 - panel.from.0) / longest as f64;
    for (row, (name, index, fractions)) in rows.iter().enumerate() {
        let baseline = panel.from.1 + STEP * (row + 1) as f64;
        canvas.text((panel.from.0 - 10.0, baseline - 16.0), name, TEXT, INK, Anchor::Right);
        canvas.line((panel.from.0, baseline), (panel.to.0, baseline), LIGHT, 1.0);
        let peak = fractions.iter().copied().fold(0.0, f64::max);
        for (at, fraction) in fractions.iter().enumerate().filter(|(_, s)| **s > 0.0) {
            let (left, high) = (panel.from.0 + slot * at as f64, fraction / peak * (STEP - 22.0));
            canvas.rect((left + slot * 0.12, baseline - high.max(0.6)), (left + slot * 0.88, baseline), color(*index));
            if *fraction >= peak {
                canvas.text(
                    (left + slot / 2.0, baseline - high - 8.0),
                    &format!("{:.0} %", fraction * 100.0),
                    SMALL,
                    GREY,
                    Anchor::Middle,
                );
            }
        }
    }
    let every = (22.0 / slot).ceil().max(1.0) as usize;
    for at in (0..longest).filter(|at| *at == 0 || (at + 1) % every == 0) {
        canvas.text(
            (panel.from.0 + slot * (at as f64 + 0.5), panel.to.1 + 14.0),
            &length_label(at),
            SMALL,
            INK,
            Anchor::Middle,
        );
    }
    let texts = [
        "token length in bases; height: fraction of bases (each row scaled to its maximum)",
        "token length in bases; height: fraction of bases",
        "token length in bases",
    ];
    let fits = |text: &&str| width(text, TEXT) < panel.to.0 - panel.from.0 + 80.0;
    let text = texts.into_iter().find(fits).unwrap_or(texts[2]);
    canvas.text(((panel.from.0 + panel.to.0) / 2.0, panel.to.1 + 36.0), text, TEXT, INK, Anchor::Middle);
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
}
