//! Predictors of masked bases without an encoder, under the same masking plan: two-sided Markov chains (a chain fitted on the training split,
//! scored by the exact posterior of a span given all unmasked bases on both sides), and the composition of the window, which every run
//! scores beside its model.

use std::ops::Range;

use dataset::{Composition, Corpus, MarkovChain, Split, TwoSided};
use experiment::record::BlockScore;
use experiment::run::{Control, ScoredText};
use protocol::masking_plan::{self as plan, Span};
use protocol::score::{CONTENT, Score};
use rayon::prelude::*;

use crate::error::Error;
use crate::inputs::Inputs;
use crate::score::block_of;
use crate::watch::{Stopwatch, Watch};

/// Pseudocount of the back-off from each context to the next shorter one.
const PSEUDOCOUNT: f64 = 4.0;
/// Validation bases on which a hyperparameter is selected: whole windows, one scoring pass each.
const VALIDATION: usize = 350_000;

/// Validation windows on which the order of a chain is selected, evenly spaced; with three masked spans each.
const ORDER_WINDOWS: usize = 150;

/// A window and its masked spans.
type MaskedWindow = (Vec<u8>, Vec<Range<usize>>);

/// Result of a predictor.
#[derive(Debug)]
pub struct Predicted {
    /// Code length per species and block.
    pub blocks: Vec<BlockScore>,
    /// Number of free parameters.
    pub parameters: u64,
    /// What was selected on the validation split.
    pub selected: Option<f64>,
    /// Seconds of fitting and scoring.
    pub seconds: f64,
}

/// Runs a control that predicts masked bases.
///
/// # Errors
/// If the corpus is missing or has no scoring windows, or the run is interrupted.
pub fn run(control: &Control, inputs: &Inputs<'_>, watch: &mut Watch<'_>) -> Result<Predicted, Error> {
    let mut clock = Stopwatch::start();
    let corpus = inputs.corpus()?;
    let Some(text) = control.text() else {
        return Err(Error::Missing("this control does not score a text".to_owned()));
    };
    let (blocks, parameters, selected) = match control {
        Control::Markov { order, .. } => {
            let chain = MarkovChain::fit(corpus.training_segments(), *order, PSEUDOCOUNT);
            let bits = |window: &[u8], spans: &[Range<usize>]| chain.sequential_bits(window, spans);
            (score(corpus, &text, watch, bits)?, 3 << (2 * order), None)
        }
        Control::SelectedMarkov { max_order, bases, .. } => {
            let predictor = TwoSided::fit(corpus.training_segments(), *max_order, *bases);
            let validation = validation(corpus, text.window, text.span)?;
            let step = validation.len().div_ceil(ORDER_WINDOWS).max(1);
            let (order, _) = predictor.select(&validation.into_iter().step_by(step).collect::<Vec<_>>());
            let bits = |window: &[u8], spans: &[Range<usize>]| predictor.sequential_bits(order, window, spans);
            (score(corpus, &text, watch, bits)?, 3 << (2 * order), Some(order as f64))
        }
        _ => return Err(Error::Missing("this control does not score a text".to_owned())),
    };
    Ok(Predicted { blocks, parameters, selected, seconds: clock.lap() })
}

/// The masked spans of a scoring pass.
pub(crate) fn ranges(bases: &[u8], span: usize, pass: usize) -> Vec<Range<usize>> {
    plan::scoring(bases, span, pass).iter().map(Span::range).collect()
}

/// The predictor of the composition of the window, fitted to a corpus.
///
/// # Errors
/// If the validation split has no window.
pub(crate) fn composition(corpus: &Corpus, window: usize, span: usize) -> Result<Composition, Error> {
    Ok(Composition::fit(corpus, &validation(corpus, window, span)?))
}

/// Validation windows with their masked spans, each under one pass of the scoring plan, in turn.
fn validation(corpus: &Corpus, window: usize, span: usize) -> Result<Vec<MaskedWindow>, Error> {
    let windows = corpus.scoring_windows(Split::Valid, window, VALIDATION)?.into_iter().enumerate();
    Ok(windows
        .map(|(number, window)| {
            let spans = ranges(&window.bases, span, number % plan::PASSES);
            (window.bases, spans)
        })
        .collect())
}

/// Code length per species and block.
fn score(
    corpus: &Corpus,
    text: &ScoredText,
    watch: &mut Watch<'_>,
    bits: impl Fn(&[u8], &[Range<usize>]) -> f64 + Sync,
) -> Result<Vec<BlockScore>, Error> {
    let windows = corpus.scoring_windows(Split::Test, text.window, text.scoring.bases)?;
    let mut blocks: Vec<BlockScore> = Vec::new();
    for (number, window) in windows.iter().enumerate() {
        if watch.stopped() {
            return Err(Error::Interrupted { step: number as u64, steps: windows.len() as u64 });
        }
        watch.report("score", number as u64, windows.len() as u64);
        let all: Vec<Vec<Range<usize>>> =
            (0..plan::PASSES).map(|pass| ranges(&window.bases, text.span, pass)).collect();
        let bases = all.iter().flatten().map(|span| span.len() as u64).sum();
        let sums: Vec<f64> = all.par_iter().map(|spans| bits(&window.bases, spans)).collect();
        *block_of(&mut blocks, window) += &Score::of(bases).with(CONTENT, sums.iter().sum());
    }
    Ok(blocks)
}
