//! The total as a stacked bar (token count, token lengths, token content), with entropy floor, context-free null and uniform guess.
//! Totals and nulls are numbers in columns of their own, away from all marks.

use protocol::score::{BIAS_ONLY, Component, FLOOR, Role, Score};

use super::canvas::{self, Anchor, Canvas, Color, GREY, INK, SMALL, TEXT, WIDE, sheet, width};
use super::drawn::{Drawn, Head, heading};
use super::panel::{Entry, Panel, Scale, legend, legend_height};
use super::words::{self, NULL, UNIFORM, UNIFORM_LEGEND};
use crate::comparison::{Bits, Comparison, Group};
use crate::error::Error;
use crate::tidy::Csv;

/// Height of a row in pixels.
const STEP: f64 = 40.0;
/// Half the height of a bar.
const BAR: f64 = 12.0;
/// Half the height of the mark of a context-free null.
const MARK: f64 = 16.0;
/// Half the height around a number that is kept free of marks.
const NUMBER: f64 = 8.0;
/// Space above the bars of a block (heading) and below them (tick labels).
const AROUND: f64 = 34.0;
/// From the top of a block to its bars.
const HEADING: f64 = 30.0;
/// Space for the columns of numbers to the right of the bars, and the right ends of the columns from the right edge.
const RIGHT: f64 = 190.0;
const TOTAL: f64 = 118.0;
const OWN_NULL: f64 = 24.0;
const DASH: (f64, f64) = (5.0, 3.0);

/// Colors of the components, in their order: light enough for numbers, different in grey, and none of a tokenizer.
const COLORS: [Color; 5] =
    [Color(214, 134, 66), Color(245, 208, 128), Color(214, 232, 246), Color(160, 190, 160), Color(200, 170, 210)];

/// A bar: components, total, and where known entropy floor and context-free null, in bits per masked base.
struct Bar<'a> {
    name: &'a str,
    parts: Vec<(Component, f64)>,
    total: f64,
    floor: Option<f64>,
    bias_only: Option<f64>,
}

impl Bar<'_> {
    fn new<'a>(name: &'a str, bits: &Bits) -> Bar<'a> {
        Bar {
            name,
            parts: components(&bits.score).map(|component| (component, bits.score.bits(component))).collect(),
            total: bits.total.mean,
            floor: bits.score.get(FLOOR),
            bias_only: Some(bits.score.bits(BIAS_ONLY)).filter(|bits| bits.is_finite()),
        }
    }

    fn sum(&self) -> f64 {
        self.parts.iter().map(|(_, value)| value).sum()
    }

    /// The largest value that the axis must include.
    fn end(&self) -> f64 {
        self.sum().max(self.floor.unwrap_or(0.0)).max(self.bias_only.unwrap_or(0.0)).max(UNIFORM)
    }
}

/// The bars of a group.
struct Block<'a> {
    group: &'a Group,
    bars: Vec<Bar<'a>>,
}

impl Block<'_> {
    fn height(&self) -> f64 {
        AROUND + STEP * self.bars.len() as f64 + AROUND
    }
}

/// Draws one block of bars per group.
pub(super) fn draw(comparison: &Comparison, title: &'static str) -> Result<Option<Drawn>, Error> {
    let blocks = blocks(comparison);
    if blocks.is_empty() {
        return Ok(None);
    }
    let bars = || blocks.iter().flat_map(|block| &block.bars);
    let margin = canvas::margin(bars().map(|bar| bar.name));
    let most = bars().map(Bar::end).fold(0.0, f64::max);
    let parts = bars().next().map_or(&[][..], |bar| &bar.parts);
    let entries = entries(parts, bars().any(|bar| bar.floor.is_some()), bars().any(|bar| bar.bias_only.is_some()));
    let body: f64 = blocks.iter().map(Block::height).sum();
    let head = Head::of(title, words::cuts(comparison), comparison);
    let first = canvas::under(&head);
    let size = (WIDE, first + body + 28.0 + legend_height(&entries, WIDE) + 12.0);
    let svg = sheet(&head, size, |canvas| {
        let mut top = first;
        for block in &blocks {
            let (left, from) = (margin, top + HEADING);
            let panel = Panel { from: (left, from), to: (WIDE - RIGHT, from + STEP * block.bars.len() as f64) };
            draw_block(canvas, &panel, block, most);
            top += block.height();
        }
        let middle = margin + (WIDE - RIGHT - margin) / 2.0;
        let axis = "bits per masked base (only totals can be compared between tokenizers)";
        canvas.text((middle, top + 8.0), axis, TEXT, INK, Anchor::Middle);
        legend(canvas, &entries, WIDE, top + 26.0);
    })?;
    Ok(Some(Drawn { svg, csv: csv(&blocks) }))
}

fn blocks(comparison: &Comparison) -> Vec<Block<'_>> {
    let block = |group| Block { group, bars: bars(group) };
    comparison.groups.iter().map(block).filter(|block| !block.bars.is_empty()).collect()
}

fn bars(group: &Group) -> Vec<Bar<'_>> {
    group.subjects.iter().filter_map(|s| Some(Bar::new(&s.name, s.bits.as_ref()?))).collect()
}

fn csv(blocks: &[Block<'_>]) -> String {
    let mut csv = Csv::new("group,subject,part,bits_per_base");
    for Block { group, bars } in blocks {
        for bar in bars {
            let marks = [("total", Some(bar.total)), ("floor", bar.floor), ("bias only", bar.bias_only)];
            let marks = marks.into_iter().filter_map(|(name, value)| Some((name, value?)));
            for (part, value) in bar.parts.iter().map(|(component, value)| (component.title, *value)).chain(marks) {
                csv.row(&[&group.label, bar.name, part], &[value]);
            }
        }
    }
    csv.row(&["", "", "uniform"], &[UNIFORM]);
    csv.text()
}

/// The components that add up to the total.
fn components(score: &Score) -> impl Iterator<Item = Component> + '_ {
    score.iter().map(|(component, _)| component).filter(|component| component.role == Role::Part)
}

fn color(index: usize) -> Color {
    COLORS[index % COLORS.len()]
}

fn entries<'a>(parts: &[(Component, f64)], floor: bool, bias_only: bool) -> Vec<Entry<'a>> {
    let entry = |(index, (component, _)): (usize, &(Component, f64))| -> Entry<'a> {
        let color = color(index);
        (component.legend.to_owned(), Box::new(move |c, (x, y)| c.rect((x - 9.0, y - 6.0), (x + 9.0, y + 6.0), color)))
    };
    let mut entries: Vec<Entry<'_>> = parts.iter().enumerate().map(entry).collect();
    if floor {
        entries
            .push(("entropy floor".into(), Box::new(|c, (x, y)| c.dashed((x, y - 8.0), (x, y + 8.0), INK, 1.3, DASH))));
    }
    if bias_only {
        entries.push((NULL.into(), Box::new(|c, (x, y)| c.line((x, y - 7.0), (x, y + 7.0), GREY, 3.5))));
    }
    entries.push((UNIFORM_LEGEND.into(), Box::new(|c, (x, y)| c.line((x, y - 8.0), (x, y + 8.0), INK, 1.0))));
    entries
}

fn draw_block(canvas: &mut Canvas<'_>, panel: &Panel, block: &Block<'_>, most: f64) {
    let scale = Scale::exact(0.0, most * 1.02, (panel.from.0, panel.to.0));
    panel.heading(canvas, &heading(&block.group.label, ""));
    let above = panel.from.1 - 8.0;
    canvas.text((WIDE - TOTAL, above), "total", SMALL, INK, Anchor::Right);
    if block.bars.iter().any(|bar| bar.bias_only.is_some()) {
        canvas.text((WIDE - OWN_NULL, above), "null", SMALL, GREY, Anchor::Right);
    }
    panel.horizontal(canvas, &scale, "");
    let uniform = scale.at(UNIFORM);
    canvas.line((uniform, panel.from.1), (uniform, panel.to.1), INK, 1.0);
    for (row, bar) in block.bars.iter().enumerate() {
        let y = panel.from.1 + STEP * (row as f64 + 0.5);
        canvas.text((panel.from.0 - 10.0, y), bar.name, TEXT, INK, Anchor::Right);
        draw_bar(canvas, &scale, bar, y);
    }
    panel.axes(canvas);
}

fn draw_bar(canvas: &mut Canvas<'_>, scale: &Scale, bar: &Bar<'_>, y: f64) {
    let (mut start, mut numbers) = (0.0, Vec::new());
    for (index, &(_, value)) in bar.parts.iter().enumerate() {
        if value > 0.0 {
            let (from, to) = (scale.at(start), scale.at(start + value));
            canvas.rect((from, y - BAR), (to, y + BAR), color(index));
            let number = format!("{value:.2}");
            if to - from > width(&number, SMALL) + 2.0 {
                numbers.push((scale.at(start + value / 2.0), number));
            }
        }
        start += value;
    }
    draw_marks(canvas, scale, bar, y, &numbers);
    for (x, number) in &numbers {
        canvas.text((*x, y), number, SMALL, INK, Anchor::Middle);
    }
    canvas.text((WIDE - TOTAL, y), &format!("{:.3}", bar.total), TEXT, INK, Anchor::Right);
    if let Some(bias_only) = bar.bias_only {
        canvas.text((WIDE - OWN_NULL, y), &format!("{bias_only:.3}"), TEXT, GREY, Anchor::Right);
    }
}

/// Entropy floor and context-free null. A mark that would cross a number is interrupted there.
fn draw_marks(canvas: &mut Canvas<'_>, scale: &Scale, bar: &Bar<'_>, y: f64, numbers: &[(f64, String)]) {
    let crossed = |x: f64| numbers.iter().any(|(at, text)| (x - at).abs() < width(text, SMALL) / 2.0 + 2.0);
    let segments = |x: f64, half: f64| {
        if crossed(x) { vec![(y - half, y - NUMBER), (y + NUMBER, y + half)] } else { vec![(y - half, y + half)] }
    };
    if let Some(x) = bar.bias_only.map(|v| scale.at(v)) {
        segments(x, MARK).into_iter().for_each(|(a, b)| canvas.line((x, a), (x, b), GREY, 3.5));
    }
    if let Some(x) = bar.floor.map(|v| scale.at(v)) {
        segments(x, STEP / 2.0).into_iter().for_each(|(a, b)| canvas.dashed((x, a), (x, b), INK, 1.3, DASH));
    }
}
