//! Code length of held-out text under a model (`docs/protocol.md#code-length`), in sequential and parallel order.
//!
//! A model only has to provide logits at the targets of layouts ([`Predict`]). Sums are computed here in f64 and in a fixed
//! order, so a score does not depend on the number of threads.

use std::ops::Range;

use dataset::ScoringWindow;
use experiment::record::{BlockScore, RegionScore};
use protocol::Fitted;
use protocol::candidates::CandidateSets;
use protocol::code_length::{token_bits, zero_bits};
use protocol::layout::{Layout, SegmentedWindow, Target};
use protocol::masking_plan::{self as plan, Span};
use protocol::score::{BIAS_ONLY, COUNT, PARALLEL, Score, ZERO, ZERO_COUNT};

use crate::error::Error;

/// Layouts per forward pass.
const ROWS: usize = 16;

/// All passes of the scoring plan.
pub const EVERY_PASS: [usize; plan::PASSES] = {
    let mut passes = [0; plan::PASSES];
    let mut pass = 0;
    while pass < plan::PASSES {
        passes[pass] = pass;
        pass += 1;
    }
    passes
};

/// A model that predicts masked tokens.
pub trait Predict {
    /// Logits of the range `ids` at all targets of the layouts, `[targets, ids]` row-major: the targets of the first layout in
    /// order, then those of the second, and so on.
    ///
    /// # Errors
    /// If the logits cannot be computed or read completely.
    fn logits(&self, layouts: &[Layout], ids: Range<usize>) -> Result<Vec<f32>, Error>;
}

/// Scores windows with one model.
#[derive(Debug)]
pub struct Scorer<'a, P> {
    model: P,
    fitted: &'a Fitted,
    sets: CandidateSets,
    span: usize,
    passes: u64,
    /// Bits by offset in the span, see [`Scorer::offsets`].
    offsets: Vec<f64>,
    /// Bits by base of the last window, see [`Scorer::bases`].
    bases: Vec<Option<f64>>,
}

/// The step that a layout is scored at, and the start of each of its spans in the window.
struct Step<'a> {
    order: usize,
    spans: &'a [usize],
}

impl<'a, P: Predict> Scorer<'a, P> {
    /// A scorer for `model`, whose tokenizer is `fitted`, with masked spans of `span` bases.
    #[must_use]
    pub fn new(model: P, fitted: &'a Fitted, span: usize) -> Scorer<'a, P> {
        let sets = fitted.candidates();
        Scorer { model, fitted, sets, span, passes: 0, offsets: vec![0.0; span], bases: Vec::new() }
    }

    /// Number of forward passes so far, counted per input sequence.
    #[must_use]
    pub fn passes(&self) -> u64 {
        self.passes
    }

    /// Bits by offset in the masked span, summed over everything scored so far: the bits of a token are shared equally among its bases, those
    /// of the number of tokens among all bases of the span.
    #[must_use]
    pub fn offsets(&self) -> &[f64] {
        &self.offsets
    }

    /// Bits of each base of the window that was scored last, shared as in [`Scorer::offsets`]; `None` where it was not masked.
    #[must_use]
    pub fn bases(&self) -> &[Option<f64>] {
        &self.bases
    }

    /// The score of one window over the given passes of the scoring plan. The component of the parallel order is computed if
    /// `parallel`, else it is 0.
    ///
    /// # Errors
    /// If the model returns no logits or an incomplete list.
    pub fn window(&mut self, bases: &[u8], passes: &[usize], parallel: bool) -> Result<Score, Error> {
        let mut score = Score::default();
        self.bases.clear();
        self.bases.resize(bases.len(), None);
        let plans: Vec<Vec<Span>> = passes.iter().map(|&pass| plan::scoring(bases, self.span, pass)).collect();
        let starts: Vec<Vec<usize>> = plans.iter().map(|spans| spans.iter().map(|span| span.start).collect()).collect();
        let (mut steps, mut layouts) = (Vec::new(), Vec::new());
        for (spans, starts) in plans.iter().zip(&starts) {
            let segmented = SegmentedWindow::new(&*self.fitted.tokenizer, bases, spans);
            score.bases += spans.iter().map(|span| (span.end - span.start) as u64).sum::<u64>();
            let code = &self.fitted.counts;
            let counts = segmented.coded_counts().map(|(left, number)| code.bits(number, left));
            let counts: Vec<f64> = counts.collect();
            for (span, bits) in spans.iter().zip(&counts) {
                let each = bits / (span.end - span.start) as f64;
                self.bases[span.range()].iter_mut().for_each(|sum| *sum.get_or_insert(0.0) += each);
            }
            let count: f64 = counts.iter().sum();
            score.add(COUNT, count);
            score.add(BIAS_ONLY, count);
            self.offsets.iter_mut().for_each(|bits| *bits += count / self.span as f64);
            if parallel {
                score.add(PARALLEL, count);
            }
            if self.fitted.prior.is_some() {
                let count = segmented.coded_counts().map(|(left, number)| code.prior_bits(number, left)).sum();
                score.add(ZERO, count);
                score.add(ZERO_COUNT, count);
            }
            let most = segmented.counts().max().unwrap_or(0);
            steps.extend((0..most).map(|order| Step { order, spans: starts }));
            layouts.extend((0..most).map(|step| scored_targets(segmented.step(step), step, parallel)));
        }
        self.passes += layouts.len() as u64;
        for (steps, layouts) in steps.chunks(ROWS).zip(layouts.chunks(ROWS)) {
            self.add_code_lengths(steps, layouts, parallel, &mut score)?;
        }
        Ok(score)
    }

    /// As [`Scorer::window`] over all passes, without a part in [`Scorer::offsets`]: for a species held out of training.
    ///
    /// # Errors
    /// As [`Scorer::window`].
    pub fn window_apart(&mut self, bases: &[u8], parallel: bool) -> Result<Score, Error> {
        let offsets = self.offsets.clone();
        let score = self.window(bases, &EVERY_PASS, parallel);
        self.offsets = offsets;
        score
    }

    /// Adds the code lengths of the targets of some layouts to `score`; `steps` holds the decoding step of each layout.
    fn add_code_lengths(
        &mut self,
        steps: &[Step<'_>],
        layouts: &[Layout],
        parallel: bool,
        score: &mut Score,
    ) -> Result<(), Error> {
        let ids = self.sets.ids();
        let logits = self.model.logits(layouts, ids.clone())?;
        let rows = steps.iter().zip(layouts);
        let targets: Vec<(&Step<'_>, &Target)> =
            rows.flat_map(|(step, layout)| layout.targets.iter().map(move |target| (step, target))).collect();
        if logits.len() != targets.len() * ids.len() {
            let reason = format!("{} values for {} targets and {} ids", logits.len(), targets.len(), ids.len());
            return Err(Error::ReadBack { what: "logits", reason });
        }
        for ((step, target), row) in targets.into_iter().zip(logits.chunks_exact(ids.len())) {
            let bits = token_bits(row, target, &mut self.sets);
            if target.order == step.order {
                *score += &bits;
                let length = self.sets.length(target.token) as usize;
                let end = target.end(self.span, length);
                let each = bits.total() / length as f64;
                self.offsets[end - length..end].iter_mut().for_each(|sum| *sum += each);
                let start = step.spans[target.span];
                let own = &mut self.bases[start + end - length..start + end];
                own.iter_mut().for_each(|sum| *sum.get_or_insert(0.0) += each);
                score.add(BIAS_ONLY, self.fitted.context_free.bits(target, &mut self.sets));
                if self.fitted.prior.is_some() {
                    score.add(ZERO, zero_bits(target, &mut self.sets));
                }
            }
            if parallel && step.order == 0 {
                score.add(PARALLEL, bits.total());
            }
        }
        Ok(())
    }
}

/// Keeps the targets that are scored at a step: the next token of each span and, at step 0 of the parallel order, all tokens.
fn scored_targets(mut layout: Layout, step: usize, parallel: bool) -> Layout {
    layout.targets.retain(|target| target.order == step || (parallel && step == 0));
    layout
}

/// Adds the bits of each base of a window to the sums of its region class.
pub(crate) fn add_regions(
    regions: &mut Vec<RegionScore>,
    window: &ScoringWindow,
    (names, classes): (&[String], &[u8]),
    bits: &[Option<f64>],
) {
    for (class, bits) in classes.iter().zip(bits).filter_map(|(class, bits)| Some((&names[*class as usize], (*bits)?)))
    {
        let same = |region: &&mut RegionScore| {
            region.species == window.species && region.block == window.block && region.class == *class
        };
        // The windows of a block follow one another.
        match regions.iter_mut().rev().find(same) {
            Some(region) => {
                region.bases += 1;
                region.bits += bits;
            }
            None => regions.push(RegionScore {
                species: window.species.clone(),
                block: window.block,
                class: class.clone(),
                bases: 1,
                bits,
            }),
        }
    }
}

/// The sums of the block that contains a window; a new entry if the block has none yet.
pub(crate) fn block_of<'b>(blocks: &'b mut Vec<BlockScore>, window: &ScoringWindow) -> &'b mut Score {
    let found = blocks.iter().position(|block| block.species == window.species && block.block == window.block);
    let index = found.unwrap_or_else(|| {
        let ScoringWindow { species, held_out, block, .. } = window;
        blocks.push(BlockScore {
            species: species.clone(),
            held_out: *held_out,
            block: *block,
            score: Score::default(),
        });
        blocks.len() - 1
    });
    &mut blocks[index].score
}
