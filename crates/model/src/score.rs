//! Bits that a model pays for held-out text (`docs/protocol.md#code-length`), sequential and parallel.
//!
//! Logits come from the device; sums are made here in f64 in a fixed order, so a score does not depend on threads.

use std::sync::Arc;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use protocol::candidates::LegalSets;
use protocol::code_length::token_bits;
use protocol::layout::{Cut, Layout, Target};
use protocol::{Fitted, masking_plan as plan};

use crate::batch::Batch;
use crate::error::Error;
use crate::network::Model;
use crate::read_back;

/// Rows of a forward pass in scoring.
const ROWS: usize = 16;

/// Sums over the masked bases of one window.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct WindowScore {
    /// Masked bases paid for.
    pub bases: u64,
    /// Bits for the numbers of tokens.
    pub count: f64,
    /// Bits for token lengths, sequential order.
    pub length: f64,
    /// Bits for tokens given their lengths, sequential order.
    pub content: f64,
    /// Total of the parallel order; 0 where it was not asked for.
    pub parallel: f64,
    /// Sequential total without the pair rule.
    pub no_pair_rule: f64,
    /// Sequential total of the bias-only model.
    pub bias_only: f64,
    /// Forward passes used.
    pub passes: u64,
}

/// Scores windows with one model.
#[derive(Debug)]
pub struct Scorer<'a> {
    model: Model,
    fitted: &'a Fitted,
    sets: LegalSets,
    span: usize,
    device: Device,
}

impl<'a> Scorer<'a> {
    /// A scorer for `model`, whose tokenizer is `fitted`, with hidden spans of `span` bases. `device` has no tape.
    #[must_use]
    pub fn new(model: &Model, fitted: &'a Fitted, span: usize, device: &Device) -> Scorer<'a> {
        let sets = LegalSets::new(Arc::clone(&fitted.tokenizer));
        Scorer { model: model.valid(), fitted, sets, span, device: device.clone() }
    }

    /// The score of one window over the given passes of the plan. `parallel`: also the parallel order.
    ///
    /// # Errors
    /// If the logits cannot be read back from the device.
    pub fn window(&mut self, bases: &[u8], passes: &[usize], parallel: bool) -> Result<WindowScore, Error> {
        let mut score = WindowScore::default();
        let mut work: Vec<(usize, Layout)> = Vec::new();
        for &pass in passes {
            let spans = plan::scoring(bases, self.span, pass);
            let cut = Cut::new(&*self.fitted.tokenizer, bases, &spans);
            score.bases += spans.iter().map(|span| (span.end - span.start) as u64).sum::<u64>();
            let count: f64 = cut.counts().map(|number| self.fitted.counts.bits(number)).sum();
            score.count += count;
            for total in [&mut score.parallel, &mut score.no_pair_rule, &mut score.bias_only] {
                *total += count;
            }
            let steps = cut.counts().max().unwrap_or(0);
            work.extend((0..steps).map(|step| (step, cut.step(step))));
        }
        score.passes = work.len() as u64;
        for part in work.chunks(ROWS) {
            let layouts: Vec<Layout> = part.iter().map(|(_, layout)| layout.clone()).collect();
            let wanted =
                |number: usize, target: &Target| target.order == part[number].0 || (parallel && part[number].0 == 0);
            let targets = part.iter().enumerate().flat_map(|(number, (step, layout))| {
                layout.targets.iter().filter(move |target| wanted(number, target)).map(move |target| (*step, target))
            });
            let targets: Vec<(usize, &Target)> = targets.collect();
            let (rows, width) = self.logits(&Batch::new(&layouts, wanted, &self.device))?;
            for ((step, target), row) in targets.into_iter().zip(rows.chunks_exact(width)) {
                let bits = token_bits(row, target, &mut self.sets);
                if target.order == step {
                    score.length += bits.length;
                    score.content += bits.content;
                    score.no_pair_rule += bits.no_pair_rule;
                    score.bias_only += token_bits(&self.fitted.bias, target, &mut self.sets).total();
                }
                if parallel && step == 0 {
                    score.parallel += bits.total();
                }
            }
        }
        if !parallel {
            score.parallel = 0.0;
        }
        Ok(score)
    }

    /// Logits of a batch's targets, row by row, over the fixed range of ids or over the vocabulary; and values in a row.
    fn logits(&self, batch: &Batch) -> Result<(Vec<f32>, usize), Error> {
        let range = self.sets.ids();
        let width = range.len();
        if batch.rows.is_empty() {
            return Ok((Vec::new(), width));
        }
        let states = self.model.states(batch.ids.clone(), &batch.lengths, None).positions;
        let logits: Tensor<2> = self.model.logits(batch.gather(states), range);
        Ok((read_back::rows(logits, "logits")?, width))
    }
}
