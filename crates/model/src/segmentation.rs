//! Which tokens a model makes of a text: those of its tokenizer, or, where the front end learns its units, those of its route.

use std::ops::Range;

use burn::module::Module;
use burn::tensor::Device;
use dataset::ScoringWindow;
use protocol::layout::{Layout, SegmentedWindow};
use protocol::{Fitted, masking_plan as plan};
use tokenize::Token;
use tokenize::vocabulary::{CLS, SEP};

use crate::batch::Batch;
use crate::frontend::Route;
use crate::network::Model;

/// What a forward pass of scoring sees, means over windows.
pub(crate) struct Seen {
    /// Input positions, frame included.
    pub(crate) positions: usize,
    /// Tokens of the encoder, frame included.
    pub(crate) tokens: usize,
    /// Targets.
    pub(crate) targets: usize,
}

/// What a forward pass sees of the windows, each under one pass of the plan (they take turns).
pub(crate) fn seen(model: &Model, fitted: &Fitted, windows: &[ScoringWindow], span: usize, device: &Device) -> Seen {
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
    Seen { positions: mean(positions), tokens: mean(tokens), targets: mean(targets) }
}

/// Which token owns which positions of one row. Only a front end that learns its units has to be asked.
fn route(model: &Model, fitted: &Fitted, layout: &Layout, device: &Device) -> Route {
    if !fitted.frontend.learns_units() {
        return Route::Same;
    }
    let batch = Batch::new(std::slice::from_ref(layout), device);
    model.valid().states(batch.ids, &batch.lengths, None).route
}

/// Tokens of each length that the scored windows are cut into (learned units where the front end learns them), and the
/// number of encoder tokens.
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
        for range in cut(model, fitted, &window.bases, device) {
            number += 1;
            add(range.len());
        }
    }
    (counts, number)
}

/// The cut of a sequence: spans of bases, from the tokenizer or, for a learned front end, from its route.
pub fn cut(model: &Model, fitted: &Fitted, bases: &[u8], device: &Device) -> Vec<Range<usize>> {
    let mut tokens: Vec<Token> = Vec::new();
    fitted.tokenizer.encode(bases, &mut tokens);
    let ids = std::iter::once(CLS).chain(tokens.iter().map(|token| token.id)).chain(std::iter::once(SEP)).collect();
    let layout = Layout { ids, targets: Vec::new(), masked: 0 };
    match route(model, fitted, &layout, device) {
        Route::Same => tokens.iter().map(|token| token.start as usize..token.end as usize).collect(),
        // Position 0 is [CLS], the last one [SEP]: they stand for no base.
        Route::Units(rows) => rows
            .first()
            .into_iter()
            .flatten()
            .filter(|unit| unit.start > 0 && unit.start <= bases.len())
            .map(|unit| unit.start - 1..unit.start - 1 + unit.length)
            .collect(),
    }
}
