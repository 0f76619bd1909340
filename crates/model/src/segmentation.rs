//! Segmentation of sequences by a model: the tokens of its tokenizer or, for a front end that learns units, its route.

use std::ops::Range;

use burn::module::Module;
use burn::tensor::Device;
use dataset::ScoringWindow;
use protocol::layout::{Layout, SegmentedWindow};
use protocol::{Fitted, masking_plan as plan};
use tokenize::Token;

use crate::batch::Batch;
use crate::frontend::Route;
use crate::network::Model;

/// Size of a forward pass of scoring, mean over windows.
pub(crate) struct PassSize {
    /// Input positions, \[CLS\] and \[SEP\] included.
    pub(crate) positions: usize,
    /// Tokens of the encoder, \[CLS\] and \[SEP\] included.
    pub(crate) tokens: usize,
    /// Targets, the masked tokens.
    pub(crate) targets: usize,
}

/// The mean size of a forward pass over windows, each under one pass of the scoring plan, in turn.
pub(crate) fn mean_pass_size(
    model: &Model,
    fitted: &Fitted,
    windows: &[ScoringWindow],
    span: usize,
    device: &Device,
) -> PassSize {
    let (mut positions, mut tokens, mut targets) = (0, 0, 0);
    for (number, window) in windows.iter().enumerate() {
        let spans = plan::scoring(&window.bases, span, number % plan::PASSES);
        let layout = SegmentedWindow::new(&*fitted.tokenizer, &window.bases, &spans).step(0);
        positions += layout.ids.len();
        targets += layout.targets.len();
        tokens += match route(model, fitted, &layout, device) {
            Route::Units(rows) => rows.first().map_or(0, Vec::len),
            Route::Same => layout.ids.len(),
        };
    }
    let mean = |sum: usize| (sum as f64 / windows.len().max(1) as f64).round() as usize;
    PassSize { positions: mean(positions), tokens: mean(tokens), targets: mean(targets) }
}

/// Which token covers which positions of one sequence. Needs a forward pass only if the front end pools.
fn route(model: &Model, fitted: &Fitted, layout: &Layout, device: &Device) -> Route {
    if !fitted.frontend.pools() {
        return Route::Same;
    }
    let batch = Batch::new(std::slice::from_ref(layout), device);
    model.valid().states(batch.ids.clone(), batch.rows(), None).route
}

/// Mean bases per unit of a front end that learns units, over windows of `bases` bases, each masked under one pass of the scoring plan,
/// in turn; `None` for other front ends.
pub(crate) fn unit_bases(
    model: &Model,
    fitted: &Fitted,
    windows: &[ScoringWindow],
    span: usize,
    device: &Device,
) -> Option<f64> {
    let (mut units, mut bases) = (0, 0);
    for (number, window) in windows.iter().enumerate().filter(|_| fitted.frontend.learns_units()) {
        let spans = plan::scoring(&window.bases, span, number % plan::PASSES);
        let layout = SegmentedWindow::new(&*fitted.tokenizer, &window.bases, &spans).step(0);
        let Route::Units(rows) = route(model, fitted, &layout, device) else { continue };
        units += rows.first().map_or(0, Vec::len).saturating_sub(2);
        bases += window.bases.len();
    }
    (units > 0).then(|| bases as f64 / units as f64)
}

/// Number of tokens by length in bases (index 0: one base) over the scored windows (learned units if the front end learns them),
/// and their total number.
pub(crate) fn lengths(model: &Model, fitted: &Fitted, windows: &[ScoringWindow], device: &Device) -> (Vec<u64>, usize) {
    let mut counts: Vec<u64> = Vec::new();
    let mut add = |length: usize| {
        if counts.len() < length {
            counts.resize(length, 0);
        }
        if length > 0 {
            counts[length - 1] += 1;
        }
    };
    let mut number = 0;
    for window in windows {
        for range in segment(model, fitted, &window.bases, device) {
            number += 1;
            add(range.len());
        }
    }
    (counts, number)
}

/// The segmentation of a sequence: ranges of bases, from the tokenizer or, for a learned front end, from its route.
pub fn segment(model: &Model, fitted: &Fitted, bases: &[u8], device: &Device) -> Vec<Range<usize>> {
    let mut tokens: Vec<Token> = Vec::new();
    fitted.tokenizer.encode(bases, &mut tokens);
    let layout = Layout::unmasked(&tokens, bases.len());
    match route(model, fitted, &layout, device) {
        Route::Same => tokens.iter().map(|token| token.start as usize..token.end as usize).collect(),
        // Positions 0 and last are [CLS] and [SEP], which cover no base.
        Route::Units(rows) => rows
            .first()
            .into_iter()
            .flatten()
            .filter(|unit| unit.start > 0 && unit.start <= bases.len())
            .map(|unit| unit.start - 1..unit.start - 1 + unit.length)
            .collect(),
    }
}
