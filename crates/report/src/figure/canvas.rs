//! Drawing primitives of figures: lines, dashes, dots, markers and text, in pixels.

use super::drawn::Head;
pub(super) use super::measure::{EDGE, LARGE, LINE, SMALL, TEXT, WIDE, width};
use super::svg::{self, Letters, Svg};
pub(super) use super::svg::{Anchor, Point};
use crate::error::Error;
pub(super) use crate::identity::{Color, Look, Looks};

/// Vertical center of the title.
const TITLE: f64 = 26.0;

/// Text and axes.
pub(super) const INK: Color = Color(34, 34, 34);
/// Secondary text and marks.
pub(super) const GREY: Color = Color(110, 110, 110);
/// Grid lines.
pub(super) const LIGHT: Color = Color(226, 226, 226);
/// Background.
pub(super) const WHITE: Color = Color(255, 255, 255);

/// Top of what is drawn under a head.
pub(super) fn under(head: &Head) -> f64 {
    TITLE + 30.0 + LINE * (head.lines.len().max(1) - 1) as f64
}

/// Width of a margin for these names.
pub(super) fn margin<'a>(names: impl IntoIterator<Item = &'a str>) -> f64 {
    names.into_iter().map(|name| width(name, TEXT)).fold(40.0, f64::max) + 34.0
}

/// Fill of a marker.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Fill {
    Solid,
    /// White inside, for controls.
    Hollow,
}

impl Fill {
    /// Controls are hollow.
    pub(super) fn of(control: bool) -> Fill {
        if control { Fill::Hollow } else { Fill::Solid }
    }
}

/// A figure under construction.
pub(super) struct Canvas<'a>(Svg<'a>);

/// Draws a figure with this head and of the given size in pixels, and returns its SVG.
pub(super) fn sheet(head: &Head, size: (f64, f64), draw: impl FnOnce(&mut Canvas<'_>)) -> Result<String, Error> {
    let drawn = svg::draw(size, |svg| {
        let mut canvas = Canvas(svg);
        canvas.rect((0.0, 0.0), size, WHITE);
        canvas.bold((EDGE, TITLE), &head.title, LARGE);
        for (at, line) in head.lines.iter().enumerate() {
            canvas.text((EDGE, TITLE + 21.0 + LINE * at as f64), line, SMALL, GREY, Anchor::Left);
        }
        draw(&mut canvas);
        canvas.0
    });
    drawn.map_err(|reason| Error::Figure { name: head.title.clone(), reason })
}

impl Canvas<'_> {
    /// A line.
    pub(super) fn line(&mut self, from: Point, to: Point, color: Color, wide: f64) {
        self.path(&[from, to], color, 1.0, wide, None);
    }

    /// A dashed line.
    pub(super) fn dashed(&mut self, from: Point, to: Point, color: Color, wide: f64, dash: (f64, f64)) {
        self.path(&[from, to], color, 1.0, wide, Some(dash));
    }

    /// A line through points, dashed if `dash` is given.
    pub(super) fn path(&mut self, points: &[Point], color: Color, opacity: f64, wide: f64, dash: Option<(f64, f64)>) {
        // A line of infinite length has infinitely many dashes: such points are passed on and rejected.
        let finite = points.iter().all(|p| p.0.is_finite() && p.1.is_finite());
        match dash.filter(|_| finite) {
            Some(dash) => dashes(points, dash).iter().for_each(|segment| self.0.path(segment, color, opacity, wide)),
            None => self.0.path(points, color, opacity, wide),
        }
    }

    /// A filled rectangle.
    pub(super) fn rect(&mut self, from: Point, to: Point, color: Color) {
        self.0.rect(from, to, color);
    }

    /// A dot: one seed.
    pub(super) fn dot(&mut self, at: Point, radius: f64, color: Color, opacity: f64) {
        self.0.circle(at, radius, color, opacity);
    }

    /// The marker of a tokenizer; `size` 1 is about 12 pixels across.
    pub(super) fn marker(&mut self, at: Point, look: Look, fill: Fill, size: f64) {
        let shape: Vec<Point> = look.outline().iter().map(|(x, y)| (at.0 + size * x, at.1 + size * y)).collect();
        let (inside, edge, wide) = match fill {
            Fill::Hollow => (WHITE, look.color, 1.8),
            Fill::Solid => (look.color, WHITE, 0.8),
        };
        self.0.polygon(&shape, inside);
        let closed: Vec<Point> = shape.iter().chain(&shape[..1]).copied().collect();
        self.path(&closed, edge, 1.0, wide, None);
    }

    /// Text, vertically centered on its point.
    pub(super) fn text(&mut self, at: Point, text: &str, size: f64, color: Color, anchor: Anchor) {
        self.0.text(at, text, size, color, anchor, Letters::Plain);
    }

    /// Bold text from the left.
    pub(super) fn bold(&mut self, at: Point, text: &str, size: f64) {
        self.0.text(at, text, size, INK, Anchor::Left, Letters::Bold);
    }

    /// Monospaced text, centered on its point.
    pub(super) fn letter(&mut self, at: Point, text: &str, size: f64, color: Color) {
        self.0.text(at, text, size, color, Anchor::Middle, Letters::Equal);
    }

    /// Text rotated to read upwards.
    pub(super) fn upwards(&mut self, at: Point, text: &str, size: f64) {
        self.0.text(at, text, size, INK, Anchor::Middle, Letters::Upwards);
    }
}

/// The dashes of a line through points.
fn dashes(points: &[Point], (on, off): (f64, f64)) -> Vec<Vec<Point>> {
    let (mut segments, mut segment, mut left, mut drawing) = (Vec::new(), Vec::new(), on, true);
    for pair in points.windows(2) {
        let (mut from, to) = (pair[0], pair[1]);
        if drawing && segment.is_empty() {
            segment.push(from);
        }
        loop {
            let length = (to.0 - from.0).hypot(to.1 - from.1);
            if length <= left {
                left -= length;
                if drawing {
                    segment.push(to);
                }
                break;
            }
            from = (from.0 + (to.0 - from.0) * left / length, from.1 + (to.1 - from.1) * left / length);
            if drawing {
                segment.push(from);
                segments.push(std::mem::take(&mut segment));
            } else {
                segment.push(from);
            }
            drawing = !drawing;
            left = if drawing { on } else { off };
        }
    }
    if segment.len() > 1 {
        segments.push(segment);
    }
    segments
}

/// The pieces of a line whose heights are within a range.
pub(super) fn clipped(points: &[Point], (top, bottom): (f64, f64)) -> Vec<Vec<Point>> {
    let mut pieces: Vec<Vec<Point>> = Vec::new();
    for pair in points.windows(2) {
        let [a, b] = [pair[0], pair[1]];
        let part = |height: f64| (height - a.1) / (b.1 - a.1);
        let (mut first, mut last) = (0.0_f64, 1.0_f64);
        if (a.1 - b.1).abs() > 1e-12 {
            let (one, other) = (part(top), part(bottom));
            first = first.max(one.min(other));
            last = last.min(one.max(other));
        } else if a.1 < top || a.1 > bottom {
            continue;
        }
        if first > last {
            continue;
        }
        let at = |part: f64| (a.0 + part * (b.0 - a.0), a.1 + part * (b.1 - a.1));
        match pieces.last_mut().filter(|piece| first <= 0.0 && piece.last() == Some(&a)) {
            Some(piece) => piece.push(if last >= 1.0 { b } else { at(last) }),
            None => pieces.push(vec![if first <= 0.0 { a } else { at(first) }, if last >= 1.0 { b } else { at(last) }]),
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dashes_cover_their_fraction_of_a_line() {
        let length = |p: &Vec<Point>| p.windows(2).map(|w| (w[1].0 - w[0].0).hypot(w[1].1 - w[0].1)).sum::<f64>();
        let segments = dashes(&[(0.0, 0.0), (50.0, 0.0), (50.0, 50.0)], (6.0, 4.0));
        assert_eq!(segments.len(), 10);
        assert!((segments.iter().map(length).sum::<f64>() - 60.0).abs() < 1e-9);
    }

    #[test]
    fn a_number_that_is_not_finite_is_an_error() {
        let head = Head::new("t", None, &[]);
        let drawn = sheet(&head, (10.0, 10.0), |c| c.line((0.0, f64::NAN), (1.0, 1.0), INK, 1.0));
        assert!(matches!(drawn, Err(Error::Figure { .. })));
        let fine = sheet(&head, (10.5, 10.0), |c| c.line((0.0, 0.0), (1.25, 1.0), INK, 1.0)).unwrap();
        assert!(fine.starts_with("<svg width=\"10.5\" height=\"10\" role=\"img\" viewBox=\"0 0 105 100\""), "{fine}");
    }

    #[test]
    fn lines_are_cut_at_the_edges_of_a_panel() {
        let cut = clipped(&[(0.0, -10.0), (1.0, 10.0), (2.0, 20.0), (3.0, 40.0)], (0.0, 30.0));
        assert_eq!(cut, [vec![(0.5, 0.0), (1.0, 10.0), (2.0, 20.0), (2.5, 30.0)]]);
        assert!(clipped(&[(0.0, -10.0), (1.0, -5.0), (2.0, -5.0)], (0.0, 30.0)).is_empty());
        assert_eq!(clipped(&[(0.0, 5.0), (1.0, 5.0)], (0.0, 30.0)), [vec![(0.0, 5.0), (1.0, 5.0)]]);
    }
}
