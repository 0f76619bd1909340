//! Axes, ticks, panels and legends shared by the figures.

use super::canvas::{Anchor, Canvas, EDGE, GREY, INK, LIGHT, LINE, Point, SMALL, TEXT, WIDE, width};
use super::measure::wrapped;
use statistics::text::brief;

/// Mapping of values to pixels.
#[derive(Clone, Copy)]
pub(super) struct Scale {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
    log: bool,
}

impl Scale {
    /// A scale that includes all finite values, with some space at both ends.
    pub(super) fn around(values: impl IntoIterator<Item = f64>, log: bool, (from, to): (f64, f64)) -> Scale {
        let known = values.into_iter().filter(|v| v.is_finite() && (!log || *v > 0.0));
        let (low, high) = known.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
        let (low, high) = if low <= high { (low, high) } else { (1.0, 2.0) };
        let (low, high) = if log { (low.ln(), high.ln()) } else { (low, high) };
        let air = if high > low { 0.06 * (high - low) } else { 0.1_f64.max(high.abs() * 0.05) };
        Scale { low: low - air, high: high + air, from, to, log }
    }

    /// A linear scale with exact ends.
    pub(super) fn exact(low: f64, high: f64, (from, to): (f64, f64)) -> Scale {
        Scale { low, high: if high > low { high } else { low + 1.0 }, from, to, log: false }
    }

    /// Whether a value is within the scale; one that is not is drawn at its edge.
    pub(super) fn holds(&self, value: f64) -> bool {
        let value = if self.log { value.ln() } else { value };
        (self.low..=self.high).contains(&value)
    }

    /// Pixel of a value, or of the nearer edge for a value beyond the scale.
    pub(super) fn clamped(&self, value: f64) -> f64 {
        if self.log && value <= 0.0 {
            return self.from;
        }
        self.at(value).clamp(self.from.min(self.to), self.from.max(self.to))
    }

    /// Pixel of a value.
    pub(super) fn at(&self, value: f64) -> f64 {
        let value = if self.log { value.ln() } else { value };
        self.from + (value - self.low) / (self.high - self.low) * (self.to - self.from)
    }

    /// Ticks within the scale and their labels, at most about `most`.
    pub(super) fn ticks(&self, most: usize) -> Vec<(f64, String)> {
        if self.log {
            let (low, high) = (self.low.exp(), self.high.exp());
            for steps in [&[1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0][..], &[1.0, 2.0, 5.0], &[1.0, 3.0], &[1.0]] {
                let inside = decades(low, high, steps);
                if (2..=most).contains(&inside.len()) {
                    return inside.into_iter().map(|v| (v, short(v))).collect();
                }
            }
            let plain = linear(low, high, most);
            return plain.0.into_iter().filter(|v| *v > 0.0).map(|v| (v, short(v))).collect();
        }
        let (values, decimals) = linear(self.low, self.high, most);
        let round = decimals == 0 && self.high.abs() >= 10_000.0;
        values
            .into_iter()
            .map(|v| (v, if round { brief(v) } else { format!("{v:.decimals$}").replace('-', "\u{2212}") }))
            .collect()
    }
}

/// A number with a metric suffix, up to tera.
fn short(value: f64) -> String {
    if value >= 1e12 { format!("{}T", brief(value / 1e12)) } else { brief(value) }
}

fn decades(low: f64, high: f64, steps: &[f64]) -> Vec<f64> {
    let exponents = low.log10().floor() as i32..=high.log10().ceil() as i32;
    let all = exponents.flat_map(|e| steps.iter().map(move |s| s * 10.0_f64.powi(e)));
    all.filter(|v| (low..=high).contains(v)).collect()
}

/// Round values within a range, and the number of decimals of their labels.
fn linear(low: f64, high: f64, most: usize) -> (Vec<f64>, usize) {
    let rough = (high - low) / most.max(2) as f64;
    let power = rough.log10().floor() as i32;
    let unit = 10.0_f64.powi(power);
    let (step, extra) = [1.0, 2.0, 2.5, 5.0, 10.0]
        .into_iter()
        .find(|s| s * unit >= rough * 0.7)
        .map_or((10.0 * unit, 0), |s| (s * unit, i32::from(s == 2.5) - i32::from(s == 10.0)));
    let first = (low / step).ceil() as i64;
    let last = (high / step).floor() as i64;
    ((first..=last).map(|i| i as f64 * step).collect(), (extra - power).max(0) as usize)
}

/// A rectangle with axes.
#[derive(Clone, Copy)]
pub(super) struct Panel {
    /// Upper left corner.
    pub(super) from: Point,
    /// Lower right corner.
    pub(super) to: Point,
}

impl Panel {
    /// Ticks, grid and label of the horizontal axis.
    pub(super) fn horizontal(&self, canvas: &mut Canvas<'_>, scale: &Scale, label: &str) {
        let mut most = (((self.to.0 - self.from.0) / 56.0) as usize).clamp(2, 8);
        // Fewer ticks rather than ticks without labels, so that zero keeps its own.
        let crowded = |most: usize| {
            let ticks = scale.ticks(most);
            ticks.windows(2).any(|w| {
                let half = (width(&w[0].1, SMALL) + width(&w[1].1, SMALL)) / 2.0;
                (scale.at(w[1].0) - scale.at(w[0].0)).abs() < half + 6.0
            })
        };
        while !scale.log && most > 2 && crowded(most) {
            most -= 1;
        }
        let mut free = f64::NEG_INFINITY;
        for (value, text) in scale.ticks(most) {
            let x = scale.at(value);
            if x < self.from.0 - 0.5 || x > self.to.0 + 0.5 {
                continue;
            }
            canvas.line((x, self.from.1), (x, self.to.1), LIGHT, 1.0);
            let half = width(&text, SMALL) / 2.0;
            if x - half > free {
                canvas.line((x, self.to.1), (x, self.to.1 + 4.0), INK, 1.0);
                canvas.text((x, self.to.1 + 14.0), &text, SMALL, INK, Anchor::Middle);
                free = x + half + 6.0;
            }
        }
        canvas.text(((self.from.0 + self.to.0) / 2.0, self.to.1 + 34.0), label, TEXT, INK, Anchor::Middle);
    }

    /// Ticks, grid and label of the vertical axis; only the grid if `labels` is false.
    pub(super) fn vertical(&self, canvas: &mut Canvas<'_>, scale: &Scale, label: &str, labels: bool) {
        let most = (((self.to.1 - self.from.1) / 50.0) as usize).clamp(2, 8);
        let mut widest = 0.0_f64;
        for (value, text) in scale.ticks(most) {
            let y = scale.at(value);
            canvas.line((self.from.0, y), (self.to.0, y), LIGHT, 1.0);
            if labels {
                canvas.line((self.from.0 - 4.0, y), (self.from.0, y), INK, 1.0);
                canvas.text((self.from.0 - 7.0, y), &text, SMALL, INK, Anchor::Right);
                widest = widest.max(width(&text, SMALL));
            }
        }
        if labels {
            canvas.upwards((self.from.0 - widest - 20.0, (self.from.1 + self.to.1) / 2.0), label, TEXT);
        }
    }

    /// The two axis lines.
    pub(super) fn axes(&self, canvas: &mut Canvas<'_>) {
        canvas.line((self.from.0, self.to.1), self.to, INK, 1.0);
        canvas.line(self.from, (self.from.0, self.to.1), INK, 1.0);
    }

    /// Bold heading above the panel.
    pub(super) fn heading(&self, canvas: &mut Canvas<'_>, text: &str) {
        canvas.bold((self.from.0, self.from.1 - 12.0), text, TEXT);
    }
}

/// A legend entry: its text and a function that draws its symbol centered on a point.
pub(super) type Entry<'a> = (String, Box<dyn Fn(&mut Canvas<'_>, Point) + 'a>);

/// Height of a legend in a figure of the given width.
pub(super) fn legend_height(entries: &[Entry<'_>], wide: f64) -> f64 {
    rows(entries, wide).len() as f64 * 22.0
}

/// Draws a legend from `top` down, in rows that fit the width.
pub(super) fn legend(canvas: &mut Canvas<'_>, entries: &[Entry<'_>], wide: f64, top: f64) {
    for (row, places) in rows(entries, wide).into_iter().enumerate() {
        let y = top + 11.0 + 22.0 * row as f64;
        for (at, x) in places {
            (entries[at].1)(canvas, (x + 14.0, y));
            canvas.text((x + 32.0, y), &entries[at].0, SMALL, INK, Anchor::Left);
        }
    }
}

fn rows(entries: &[Entry<'_>], wide: f64) -> Vec<Vec<(usize, f64)>> {
    let (mut rows, mut row, mut x) = (Vec::new(), Vec::new(), 24.0);
    for (at, (text, _)) in entries.iter().enumerate() {
        let need = 46.0 + width(text, SMALL);
        if !row.is_empty() && x + need > wide - 16.0 {
            rows.push(std::mem::take(&mut row));
            x = 24.0;
        }
        row.push((at, x));
        x += need;
    }
    if !row.is_empty() {
        rows.push(row);
    }
    rows
}

/// Separates labels: returns positions at least `gap` apart and within the range, in the order of the desired ones.
pub(super) fn spread(desired: &[f64], gap: f64, (top, bottom): (f64, f64)) -> Vec<f64> {
    let mut order: Vec<usize> = (0..desired.len()).collect();
    order.sort_by(|&a, &b| desired[a].total_cmp(&desired[b]));
    let mut heights = desired.to_vec();
    let mut last = f64::NEG_INFINITY;
    for &at in &order {
        heights[at] = desired[at].max(top).max(last + gap);
        last = heights[at];
    }
    let mut next = bottom + gap;
    for &at in order.iter().rev() {
        heights[at] = heights[at].min(next - gap);
        next = heights[at];
    }
    heights
}

/// Draws a legend in a column of the given width, with long texts on several lines; returns its lower end.
pub(super) fn legend_column(canvas: &mut Canvas<'_>, entries: &[Entry<'_>], (left, top): Point, wide: f64) -> f64 {
    let mut y = top;
    for (text, symbol) in entries {
        let lines = wrapped(text, wide - 32.0);
        symbol(canvas, (left + 14.0, y));
        for (at, line) in lines.iter().enumerate() {
            canvas.text((left + 32.0, y + LINE * at as f64), line, SMALL, INK, Anchor::Left);
        }
        y += LINE * lines.len() as f64 + 8.0;
    }
    y
}

/// Lower end of [`legend_column`].
pub(super) fn legend_column_height(entries: &[Entry<'_>], wide: f64) -> f64 {
    entries.iter().map(|(text, _)| LINE * wrapped(text, wide - 32.0).len() as f64 + 8.0).sum()
}

/// The lines of notes below a figure.
pub(super) fn note_lines(notes: &[String]) -> Vec<String> {
    notes.iter().flat_map(|note| wrapped(note, WIDE - 2.0 * EDGE)).collect()
}

/// Height of [`notes`].
pub(super) fn notes_height(lines: &[String]) -> f64 {
    if lines.is_empty() { 0.0 } else { LINE * lines.len() as f64 + 8.0 }
}

/// Draws notes from `top` down.
pub(super) fn notes(canvas: &mut Canvas<'_>, lines: &[String], top: f64) {
    for (at, line) in lines.iter().enumerate() {
        canvas.text((EDGE, top + 12.0 + LINE * at as f64), line, SMALL, GREY, Anchor::Left);
    }
}

/// How far beyond the compared values, in units of their range, a control or a reference may lie to be within the axis.
const REACH: f64 = 0.7;
/// The same for values that are all equal.
const LEAST_REACH: f64 = 0.02;

/// Values that an axis shows together or not at all.
pub(super) struct Others {
    /// All of these must be near the compared values.
    pub(super) deciding: Vec<f64>,
    /// What the axis then includes.
    pub(super) values: Vec<f64>,
}

impl Others {
    /// A single value.
    pub(super) fn one(value: f64) -> Others {
        Others { deciding: vec![value], values: vec![value] }
    }
}

/// Values that an axis includes: all of the `core`, and those `others` that do not stretch it.
pub(super) fn extent(core: impl IntoIterator<Item = f64>, others: impl IntoIterator<Item = Others>) -> Vec<f64> {
    let mut inside: Vec<f64> = core.into_iter().filter(|value| value.is_finite()).collect();
    let low = inside.iter().copied().fold(f64::INFINITY, f64::min);
    let high = inside.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let none = inside.is_empty();
    let reach = if none { 0.0 } else { (REACH * (high - low)).max(LEAST_REACH) };
    let near = |value: &f64| (low - reach..=high + reach).contains(value);
    for Others { deciding, values } in others {
        if none || deciding.iter().filter(|value| value.is_finite()).all(near) {
            inside.extend(values.iter().filter(|value| value.is_finite()));
        }
    }
    inside
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_within_the_scale() {
        let labels = |s: Scale, n| s.ticks(n).into_iter().map(|t| t.1).collect::<Vec<_>>();
        assert_eq!(labels(Scale::exact(0.0, 1.0, (0.0, 1.0)), 5), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(Scale::exact(1.512, 1.98, (0.0, 1.0)), 5), ["1.6", "1.7", "1.8", "1.9"]);
        assert_eq!(labels(Scale::around([1e4, 1e6], true, (0.0, 1.0)), 4), ["10k", "100k", "1M"]);
        assert_eq!(labels(Scale::around([2e11, 4e12], true, (0.0, 1.0)), 4), ["200G", "500G", "1T", "2T"]);
        for (low, high) in [(0.0, 1e-6), (1.7, 1.701), (-3.0, 900.0), (4e9, 5e9)] {
            for (value, _) in Scale::exact(low, high, (0.0, 1.0)).ticks(6) {
                assert!(value >= low && value <= high);
            }
        }
        assert!(Scale::around([5900.0, 10300.0], true, (0.0, 1.0)).ticks(5).len() >= 2);
    }

    #[test]
    fn labels_are_moved_apart() {
        let heights = spread(&[10.0, 10.0, 11.0, 95.0], 14.0, (0.0, 100.0));
        let mut sorted = heights.clone();
        sorted.sort_by(f64::total_cmp);
        assert!(sorted.windows(2).all(|w| w[1] - w[0] >= 14.0 - 1e-9), "{heights:?}");
        assert!(sorted[0] >= 0.0 && sorted[3] <= 100.0);
    }

    #[test]
    fn what_would_stretch_an_axis_is_beyond_it() {
        let far = || {
            let control = Others { deciding: vec![2.1, 2.2], values: vec![2.1, 2.2, 2.3, f64::NAN] };
            [control, Others::one(2.0), Others { deciding: vec![1.8, f64::NAN], values: vec![1.8, 1.7] }]
        };
        assert_eq!(extent([1.9, 1.95, f64::NAN], far()), [1.9, 1.95]);
        assert_eq!(extent([1.9, 2.0], far()), [1.9, 2.0, 2.0]);
        assert_eq!(extent([1.7, 2.0], far()), [1.7, 2.0, 2.1, 2.2, 2.3, 2.0, 1.8, 1.7]);
        assert_eq!(extent([], far()).len(), 6);
        let scale = Scale::around([1.9, 2.0], false, (0.0, 100.0));
        assert!(!scale.holds(2.1) && scale.holds(1.9) && scale.clamped(2.1) == 100.0);
        assert_eq!(Scale::around([1.0, 10.0], true, (5.0, 100.0)).clamped(0.0), 5.0);
    }

    #[test]
    fn a_scale_of_one_value_is_finite() {
        let scale = Scale::around([2.0], false, (0.0, 100.0));
        assert_eq!(scale.at(2.0), 50.0);
        assert!(Scale::around([f64::NAN], false, (0.0, 100.0)).at(1.5).is_finite());
    }
}
