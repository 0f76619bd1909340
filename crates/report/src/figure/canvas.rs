//! A sheet to draw on: plotters' SVG backend with tenths of a pixel, markers, dashes and text.
//!
//! plotters' backend counts in whole pixels. The sheet is drawn ten times as large and its view box scaled back, so lines
//! are smooth and text keeps its size.

use plotters::backend::SVGBackend;
use plotters::prelude::{
    DrawingBackend, FontDesc, FontFamily, FontStyle, FontTransform, RGBColor, ShapeStyle, TextStyle,
};
use plotters::style::Color;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::error::Error;

/// Drawing units per pixel.
const UNIT: f64 = 10.0;

/// Okabe and Ito's palette, strongest first; yellow is left to the end for it is weak on white.
const COLORS: [RGBColor; 8] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(0, 0, 0),
    RGBColor(190, 175, 20),
];

/// Text and axes.
pub(super) const INK: RGBColor = RGBColor(34, 34, 34);
/// What stands back.
pub(super) const GREY: RGBColor = RGBColor(110, 110, 110);
/// Grid lines.
pub(super) const LIGHT: RGBColor = RGBColor(226, 226, 226);
/// Paper.
pub(super) const WHITE: RGBColor = RGBColor(255, 255, 255);

/// Size of ordinary text in pixels.
pub(super) const TEXT: f64 = 13.0;
/// Size of tick labels.
pub(super) const SMALL: f64 = 12.0;
/// Size of the title.
pub(super) const LARGE: f64 = 16.0;

/// Colour of a tokenizer by its place in the order.
pub(super) fn color(index: usize) -> RGBColor {
    COLORS[index % COLORS.len()]
}

/// Dash pattern (drawn, blank, in pixels) of a tokenizer's line; none for the first ones of each round.
pub(super) fn dash(index: usize) -> Option<(f64, f64)> {
    [None, Some((8.0, 3.0)), Some((2.0, 3.0)), Some((12.0, 4.0)), Some((5.0, 5.0)), Some((3.0, 1.5)), None][index % 7]
}

/// Width that text takes at most, in pixels; a generous guess, for no font is at hand.
pub(super) fn width(text: &str, size: f64) -> f64 {
    text.chars().count() as f64 * size * 0.6
}

/// Where text stands in relation to its point.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Left,
    Middle,
    Right,
}

/// How a thing is filled.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Fill {
    Solid,
    /// White inside: controls.
    Hollow,
}

/// The sheet.
pub(super) struct Canvas<'a> {
    backend: SVGBackend<'a>,
    trouble: Option<String>,
}

/// A point in pixels.
pub(super) type Point = (f64, f64);

fn place(point: Point) -> (i32, i32) {
    ((point.0 * UNIT).round() as i32, (point.1 * UNIT).round() as i32)
}

/// Draws a sheet of the given size in pixels and returns its SVG.
pub(super) fn sheet(title: &str, size: (f64, f64), draw: impl FnOnce(&mut Canvas<'_>)) -> Result<String, Error> {
    let (wide, high) = ((size.0 * UNIT).round() as u32, (size.1 * UNIT).round() as u32);
    let mut svg = String::new();
    let mut canvas = Canvas { backend: SVGBackend::with_string(&mut svg, (wide, high)), trouble: None };
    canvas.rect((0.0, 0.0), size, WHITE);
    canvas.bold((24.0, 26.0), title, LARGE);
    draw(&mut canvas);
    let done = canvas.backend.present().map_err(|e| e.to_string());
    let trouble = canvas.trouble.take();
    drop(canvas);
    if let Some(reason) = trouble.or(done.err()) {
        return Err(Error::Figure { name: title.to_owned(), reason });
    }
    let tenfold = format!("width=\"{wide}\" height=\"{high}\"");
    let (w, h) = (f64::from(wide) / UNIT, f64::from(high) / UNIT);
    Ok(svg.replacen(&tenfold, &format!("width=\"{w}\" height=\"{h}\" role=\"img\""), 1))
}

impl Canvas<'_> {
    fn keep<E: std::fmt::Display>(&mut self, result: Result<(), E>) {
        if let Err(error) = result {
            self.trouble.get_or_insert_with(|| error.to_string());
        }
    }

    /// Refuses what is not finite, so that no figure holds "NaN".
    fn finite(&mut self, points: &[Point]) -> bool {
        let fine = points.iter().all(|p| p.0.is_finite() && p.1.is_finite());
        if !fine {
            self.trouble.get_or_insert_with(|| "a coordinate is not a finite number".into());
        }
        fine
    }

    fn stroke(color: RGBColor, opacity: f64, wide: f64) -> ShapeStyle {
        ShapeStyle { color: color.mix(opacity), filled: false, stroke_width: (wide * UNIT).round() as u32 }
    }

    /// A line.
    pub(super) fn line(&mut self, from: Point, to: Point, color: RGBColor, wide: f64) {
        self.path(&[from, to], color, 1.0, wide, None);
    }

    /// A line of dashes.
    pub(super) fn dashed(&mut self, from: Point, to: Point, color: RGBColor, wide: f64, dash: (f64, f64)) {
        self.path(&[from, to], color, 1.0, wide, Some(dash));
    }

    /// A line through points, dashed if asked.
    pub(super) fn path(
        &mut self,
        points: &[Point],
        color: RGBColor,
        opacity: f64,
        wide: f64,
        dash: Option<(f64, f64)>,
    ) {
        if !self.finite(points) {
            return;
        }
        let style = Self::stroke(color, opacity, wide);
        let pieces = dash.map_or_else(|| vec![points.to_vec()], |dash| dashes(points, dash));
        for piece in pieces {
            let result = self.backend.draw_path(piece.into_iter().map(place), &style);
            self.keep(result);
        }
    }

    /// A filled rectangle.
    pub(super) fn rect(&mut self, from: Point, to: Point, color: RGBColor) {
        if self.finite(&[from, to]) {
            let result = self.backend.draw_rect(place(from), place(to), &color.filled(), true);
            self.keep(result);
        }
    }

    /// A dot: one seed.
    pub(super) fn dot(&mut self, at: Point, radius: f64, color: RGBColor, opacity: f64) {
        if self.finite(&[at]) {
            let result =
                self.backend.draw_circle(place(at), (radius * UNIT).round() as u32, &color.mix(opacity).filled(), true);
            self.keep(result);
        }
    }

    /// The marker of a tokenizer: its own shape, by place in the order; `size` 1 is about 12 pixels across.
    pub(super) fn marker(&mut self, at: Point, index: usize, color: RGBColor, fill: Fill, size: f64) {
        if !self.finite(&[at]) {
            return;
        }
        let shape: Vec<Point> = shape(index).iter().map(|(x, y)| (at.0 + size * x, at.1 + size * y)).collect();
        let paint = if fill == Fill::Hollow { WHITE } else { color };
        let result = self.backend.fill_polygon(shape.iter().copied().map(place), &paint.filled());
        self.keep(result);
        let closed: Vec<Point> = shape.iter().chain(&shape[..1]).copied().collect();
        self.path(
            &closed,
            if fill == Fill::Hollow { color } else { WHITE },
            1.0,
            if fill == Fill::Hollow { 1.8 } else { 0.8 },
            None,
        );
    }

    fn write(
        &mut self,
        at: Point,
        text: &str,
        size: f64,
        color: RGBColor,
        anchor: Anchor,
        style: (FontFamily<'_>, FontStyle, bool),
    ) {
        if !self.finite(&[at]) || text.is_empty() {
            return;
        }
        let (family, weight, upright) = style;
        // The backend divides by 1.24 (plotters counts the line, SVG the letter).
        let mut font = FontDesc::new(family, size * UNIT * 1.24, weight);
        if upright {
            font = font.transform(FontTransform::Rotate270);
        }
        let horizontal = match anchor {
            Anchor::Left => HPos::Left,
            Anchor::Middle => HPos::Center,
            Anchor::Right => HPos::Right,
        };
        let style = TextStyle::from(font).color(&color).pos(Pos::new(horizontal, VPos::Center));
        let result = self.backend.draw_text(text, &style, place(at));
        self.keep(result);
    }

    /// Text, centred on its point in height.
    pub(super) fn text(&mut self, at: Point, text: &str, size: f64, color: RGBColor, anchor: Anchor) {
        self.write(at, text, size, color, anchor, (FontFamily::SansSerif, FontStyle::Normal, false));
    }

    /// Bold text from the left.
    pub(super) fn bold(&mut self, at: Point, text: &str, size: f64) {
        self.write(at, text, size, INK, Anchor::Left, (FontFamily::SansSerif, FontStyle::Bold, false));
    }

    /// Text of equal letters, each centred on its point.
    pub(super) fn letter(&mut self, at: Point, text: &str, size: f64, color: RGBColor) {
        self.write(at, text, size, color, Anchor::Middle, (FontFamily::Monospace, FontStyle::Normal, false));
    }

    /// Text that reads upwards.
    pub(super) fn upwards(&mut self, at: Point, text: &str, size: f64) {
        self.write(at, text, size, INK, Anchor::Middle, (FontFamily::SansSerif, FontStyle::Normal, true));
    }
}

/// Corners of a marker around its centre, in pixels.
fn shape(index: usize) -> Vec<Point> {
    let regular = |corners: usize, radius: f64, turn: f64| -> Vec<Point> {
        let angle = |i: usize| std::f64::consts::TAU * (i as f64 / corners as f64 + turn);
        (0..corners).map(|i| (radius * angle(i).sin(), -radius * angle(i).cos())).collect()
    };
    match index % 8 {
        0 => regular(24, 5.5, 0.0),
        1 => regular(4, 6.8, 0.125),
        2 => regular(3, 7.2, 0.0),
        3 => regular(4, 7.0, 0.0),
        4 => regular(3, 7.2, 0.5),
        5 => regular(5, 6.6, 0.0),
        6 => vec![
            (-2.2, -6.5),
            (2.2, -6.5),
            (2.2, -2.2),
            (6.5, -2.2),
            (6.5, 2.2),
            (2.2, 2.2),
            (2.2, 6.5),
            (-2.2, 6.5),
            (-2.2, 2.2),
            (-6.5, 2.2),
            (-6.5, -2.2),
            (-2.2, -2.2),
        ],
        _ => regular(6, 6.2, 0.25),
    }
}

/// The drawn pieces of a dashed line through points.
fn dashes(points: &[Point], (on, off): (f64, f64)) -> Vec<Vec<Point>> {
    let (mut pieces, mut piece, mut left, mut drawing) = (Vec::new(), Vec::new(), on, true);
    for pair in points.windows(2) {
        let (mut from, to) = (pair[0], pair[1]);
        if drawing && piece.is_empty() {
            piece.push(from);
        }
        loop {
            let length = (to.0 - from.0).hypot(to.1 - from.1);
            if length <= left {
                left -= length;
                if drawing {
                    piece.push(to);
                }
                break;
            }
            from = (from.0 + (to.0 - from.0) * left / length, from.1 + (to.1 - from.1) * left / length);
            if drawing {
                piece.push(from);
                pieces.push(std::mem::take(&mut piece));
            } else {
                piece.push(from);
            }
            drawing = !drawing;
            left = if drawing { on } else { off };
        }
    }
    if piece.len() > 1 {
        pieces.push(piece);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dashes_cover_their_share() {
        let length = |p: &Vec<Point>| p.windows(2).map(|w| (w[1].0 - w[0].0).hypot(w[1].1 - w[0].1)).sum::<f64>();
        let pieces = dashes(&[(0.0, 0.0), (50.0, 0.0), (50.0, 50.0)], (6.0, 4.0));
        assert_eq!(pieces.len(), 10);
        assert!((pieces.iter().map(length).sum::<f64>() - 60.0).abs() < 1e-9);
    }

    #[test]
    fn a_bad_number_is_an_error_and_never_drawn() {
        let drawn = sheet("t", (10.0, 10.0), |c| c.line((0.0, f64::NAN), (1.0, 1.0), INK, 1.0));
        assert!(matches!(drawn, Err(Error::Figure { .. })));
        let fine = sheet("t", (10.5, 10.0), |c| c.line((0.0, 0.0), (1.25, 1.0), INK, 1.0)).unwrap();
        assert!(fine.starts_with("<svg width=\"10.5\" height=\"10\" role=\"img\" viewBox=\"0 0 105 100\""), "{fine}");
    }
}
