//! Tokens of one locus by each tokenizer, aligned under its bases.

use std::ops::Range;

use super::canvas::{self, Anchor, GREY, INK, Looks, SMALL, TEXT, WHITE, WIDE, sheet, under};
use super::drawn::{Drawn, Head};
use super::panel::{note_lines, notes, notes_height};
use crate::error::Error;
use crate::tidy::Csv;

const CELL: f64 = 11.0;
const LANE: f64 = 13.0;

/// A region of a sequence with its segmentations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Locus<'a> {
    /// Which text it is from: corpus, record and coordinates, in words.
    pub place: &'a str,
    /// Coordinate of the first base in that text, from 1.
    pub first: usize,
    /// The bases.
    pub bases: &'a [u8],
    /// Name of each tokenizer and the spans of its tokens, in bases from the start of the locus. Those of a learned
    /// tokenizer are drawn like any others.
    pub segmentations: &'a [(String, Vec<Range<usize>>)],
}

/// Draws the bases and under them the tokens of each tokenizer; long loci are wrapped. Overlapping tokens are drawn in several
/// lanes. Spans are clipped to the locus.
pub(super) fn draw(locus: &Locus<'_>, title: &'static str) -> Result<Option<Drawn>, Error> {
    let Locus { place, first: start, bases, segmentations } = *locus;
    let letters: Vec<String> =
        bases.iter().map(|b| if b.is_ascii_graphic() { (*b as char).to_string() } else { "?".into() }).collect();
    let clipped: Vec<(&str, Vec<Range<usize>>)> = segmentations
        .iter()
        .map(|(name, spans)| {
            let inside = |s: &Range<usize>| s.start.min(bases.len())..s.end.min(bases.len());
            (name.as_str(), spans.iter().map(inside).filter(|s| s.start < s.end).collect())
        })
        .collect();
    let mut csv = Csv::new("subject,start,end,bases");
    for (name, spans) in &clipped {
        for span in spans {
            csv.row(&[name, &span.start.to_string(), &span.end.to_string(), &letters[span.clone()].concat()], &[]);
        }
    }
    let margin = canvas::margin(clipped.iter().map(|(name, _)| *name));
    let across = (((WIDE - margin - 24.0) / CELL) as usize / 10 * 10).max(10);
    let lanes: Vec<Vec<usize>> = clipped.iter().map(|(_, spans)| lanes(spans)).collect();
    let deep: Vec<f64> =
        lanes.iter().map(|l| LANE * (l.iter().max().copied().unwrap_or(0) + 1) as f64 + 10.0).collect();
    let block = 52.0 + deep.iter().sum::<f64>();
    let lines = bases.len().div_ceil(across).max(1);
    let looks = Looks::of(clipped.iter().map(|(name, _)| *name));
    let head = Head::new(title, message(bases.len(), &clipped), &[place.to_owned()]);
    let below = note_lines(&staggered(&clipped, &lanes));
    let top = under(&head) + 18.0;
    let end = top + block * lines as f64;
    let svg = sheet(&head, (WIDE, end + notes_height(&below)), |canvas| {
        for line in 0..lines {
            let (first, last) = (line * across, ((line + 1) * across).min(bases.len()));
            let x = |base: usize| margin + CELL * (base - first) as f64;
            let mut y = top + block * line as f64;
            for at in (first..last).filter(|at| at % 10 == 0) {
                canvas.text((x(at) + CELL / 2.0, y), &(at + start).to_string(), SMALL, GREY, Anchor::Middle);
            }
            y += 16.0;
            for (at, letter) in letters.iter().enumerate().take(last).skip(first) {
                canvas.letter((x(at) + CELL / 2.0, y), letter, TEXT, INK);
            }
            y += 14.0;
            for (row, (name, spans)) in clipped.iter().enumerate() {
                canvas.text((margin - 10.0, y + (deep[row] - 10.0) / 2.0), name, TEXT, INK, Anchor::Right);
                for (span, lane) in spans.iter().zip(&lanes[row]) {
                    let (from, to) = (span.start.max(first), span.end.min(last));
                    if from < to {
                        let top = y + LANE * *lane as f64;
                        canvas.rect((x(from) + 0.7, top), (x(to) - 0.7, top + LANE - 3.0), looks.look(name).color);
                        // A token that continues on the next line has an open end.
                        if to < span.end {
                            canvas.rect((x(to) - 2.5, top + 2.0), (x(to), top + LANE - 5.0), WHITE);
                        }
                    }
                }
                y += deep[row];
            }
        }
        notes(canvas, &below, end - 10.0);
    })?;
    Ok(Some(Drawn { svg, csv: csv.text() }))
}

/// The tokenizers with the fewest and the most tokens.
fn message(bases: usize, clipped: &[(&str, Vec<Range<usize>>)]) -> Option<String> {
    let tokens = |(name, spans): &(&str, Vec<Range<usize>>)| {
        let noun = if spans.len() == 1 { "token" } else { "tokens" };
        format!("{} {noun} of {name}", spans.len())
    };
    let fewest = clipped.iter().filter(|(_, spans)| !spans.is_empty()).min_by_key(|(_, spans)| spans.len())?;
    let most = clipped.iter().max_by_key(|(_, spans)| spans.len())?;
    (fewest.1.len() < most.1.len()).then(|| format!("{bases} bases are {} or {}", tokens(fewest), tokens(most)))
}

/// A note on tokenizers whose tokens overlap.
fn staggered(clipped: &[(&str, Vec<Range<usize>>)], lanes: &[Vec<usize>]) -> Vec<String> {
    let deep = |lanes: &Vec<usize>| lanes.iter().max().map_or(0, |lane| lane + 1);
    let rows = clipped.iter().zip(lanes).filter(|(_, lanes)| deep(lanes) > 1);
    rows.map(|((name, _), lanes)| {
        let rows = deep(lanes);
        format!("The tokens of {name} overlap: they are drawn in {rows} staggered rows, one per offset.")
    })
    .collect()
}

/// Lane of each span: the first one that is free at its start.
fn lanes(spans: &[Range<usize>]) -> Vec<usize> {
    let mut ends: Vec<usize> = Vec::new();
    let lane = |span: &Range<usize>| {
        let free = ends.iter().position(|end| *end <= span.start).unwrap_or(ends.len());
        if free == ends.len() {
            ends.push(0);
        }
        ends[free] = span.end;
        free
    };
    spans.iter().map(lane).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping_tokens_use_several_lanes() {
        assert_eq!(lanes(&[0..3, 1..4, 2..5, 3..6]), vec![0, 1, 2, 0]);
        assert_eq!(lanes(&[0..4, 4..5]), vec![0, 0]);
    }

    #[test]
    fn empty_and_invalid_loci_are_drawn_without_panic() {
        assert!(draw(&Locus { place: "", first: 1, bases: b"", segmentations: &[] }, "t").is_ok());
        let segmentations = [("x".into(), vec![2..9, 7..8])];
        let drawn = draw(&Locus { place: "x:5-7", first: 5, bases: b"AC\xff", segmentations: &segmentations }, "t")
            .unwrap()
            .unwrap();
        assert_eq!(drawn.csv, "subject,start,end,bases\nx,2,3,?\n");
    }
}
