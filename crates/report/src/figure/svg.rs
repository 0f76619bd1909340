//! SVG output through plotters: the only file that uses the library, and workarounds for it.
//!
//! Only the SVG backend of plotters is used, for paths, rectangles, circles, polygons and text. It needs three workarounds:
//!
//! * Its coordinates are whole pixels. Everything is therefore drawn [`UNIT`] times as large, and width and height in the header
//!   are replaced by the true size; the view box stays large. Lines are then smooth.
//! * It interprets a font size as line height and divides it by [`LINE`]. Sizes are therefore multiplied by it first.
//! * Each call may fail. The first error is kept and returned at the end, so that figures are drawn without checks.

use plotters::backend::SVGBackend;
use plotters::prelude::{
    DrawingBackend, FontDesc, FontFamily, FontStyle, FontTransform, RGBColor, ShapeStyle, TextStyle,
};
use plotters::style::Color as _;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::identity::Color;

/// Drawing units per pixel.
const UNIT: f64 = 10.0;

/// Line height in font sizes, as assumed by plotters.
const LINE: f64 = 1.24;

/// A point in pixels.
pub(super) type Point = (f64, f64);

/// Horizontal alignment of a text to its point.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Left,
    Middle,
    Right,
}

/// Style of a text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Letters {
    Plain,
    Bold,
    /// Monospaced.
    Equal,
    /// Rotated to read upwards.
    Upwards,
}

/// An SVG under construction.
pub(super) struct Svg<'a> {
    backend: SVGBackend<'a>,
    error_message: Option<String>,
}

fn units(pixels: f64) -> u32 {
    (pixels * UNIT).round() as u32
}

fn place(point: Point) -> (i32, i32) {
    ((point.0 * UNIT).round() as i32, (point.1 * UNIT).round() as i32)
}

fn rgb(Color(red, green, blue): Color) -> RGBColor {
    RGBColor(red, green, blue)
}

/// Draws a file of the given size in pixels.
///
/// # Errors
/// The first error of the backend.
pub(super) fn draw(size: Point, draw: impl FnOnce(Svg<'_>) -> Svg<'_>) -> Result<String, String> {
    let mut text = String::new();
    let (wide, high) = (units(size.0), units(size.1));
    let mut svg = draw(Svg { backend: SVGBackend::with_string(&mut text, (wide, high)), error_message: None });
    let done = svg.backend.present().map_err(|error| error.to_string());
    let error_message = svg.error_message.take();
    // Dropping the backend flushes it.
    drop(svg);
    if let Some(reason) = error_message.or(done.err()) {
        return Err(reason);
    }
    let large = format!("width=\"{wide}\" height=\"{high}\"");
    let (wide, high) = (f64::from(wide) / UNIT, f64::from(high) / UNIT);
    Ok(text.replacen(&large, &format!("width=\"{wide}\" height=\"{high}\" role=\"img\""), 1))
}

impl Svg<'_> {
    fn keep<E: std::fmt::Display>(&mut self, result: Result<(), E>) {
        if let Err(error) = result {
            self.error_message.get_or_insert_with(|| error.to_string());
        }
    }

    /// Rejects coordinates that are not finite, so that no figure contains "NaN".
    fn finite(&mut self, points: &[Point]) -> bool {
        let fine = points.iter().all(|p| p.0.is_finite() && p.1.is_finite());
        if !fine {
            self.error_message.get_or_insert_with(|| "a coordinate is not a finite number".into());
        }
        fine
    }

    /// A line through points.
    pub(super) fn path(&mut self, points: &[Point], color: Color, opacity: f64, wide: f64) {
        if self.finite(points) {
            let style = ShapeStyle { color: rgb(color).mix(opacity), filled: false, stroke_width: units(wide) };
            let result = self.backend.draw_path(points.iter().copied().map(place), &style);
            self.keep(result);
        }
    }

    /// A filled rectangle.
    pub(super) fn rect(&mut self, from: Point, to: Point, color: Color) {
        if self.finite(&[from, to]) {
            let result = self.backend.draw_rect(place(from), place(to), &rgb(color).filled(), true);
            self.keep(result);
        }
    }

    /// A filled circle.
    pub(super) fn circle(&mut self, at: Point, radius: f64, color: Color, opacity: f64) {
        if self.finite(&[at]) {
            let style = rgb(color).mix(opacity).filled();
            let result = self.backend.draw_circle(place(at), units(radius), &style, true);
            self.keep(result);
        }
    }

    /// A filled polygon.
    pub(super) fn polygon(&mut self, corners: &[Point], color: Color) {
        if self.finite(corners) {
            let result = self.backend.fill_polygon(corners.iter().copied().map(place), &rgb(color).filled());
            self.keep(result);
        }
    }

    /// Text, vertically centered on its point.
    pub(super) fn text(&mut self, at: Point, text: &str, size: f64, color: Color, anchor: Anchor, letters: Letters) {
        if !self.finite(&[at]) || text.is_empty() {
            return;
        }
        let family = if letters == Letters::Equal { FontFamily::Monospace } else { FontFamily::SansSerif };
        let weight = if letters == Letters::Bold { FontStyle::Bold } else { FontStyle::Normal };
        let mut font = FontDesc::new(family, size * UNIT * LINE, weight);
        if letters == Letters::Upwards {
            font = font.transform(FontTransform::Rotate270);
        }
        let horizontal = match anchor {
            Anchor::Left => HPos::Left,
            Anchor::Middle => HPos::Center,
            Anchor::Right => HPos::Right,
        };
        let color = rgb(color);
        let style = TextStyle::from(font).color(&color).pos(Pos::new(horizontal, VPos::Center));
        let result = self.backend.draw_text(text, &style, place(at));
        self.keep(result);
    }
}
