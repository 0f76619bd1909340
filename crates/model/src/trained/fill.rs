//! What stands at masked places: tokens of \[MASK\], or single bases by their marginal probabilities.

use std::collections::HashMap;
use std::ops::Range;

use protocol::candidates::CandidateSets;
use protocol::code_length::token_bits;
use protocol::layout::{Layout, SegmentedWindow, Target};
use protocol::masking_plan::Span;
use tokenize::vocabulary::{CLS, MASK, SEP, SPECIALS};
use tokenize::{Reading, Token};

use super::Trained;
use super::states::batches;
use crate::error::Error;
use crate::predict::Predictor;
use crate::score::Predict;

/// Most masked bases of one span: 4^4 completions are compared.
const MOST: usize = 4;
/// Span around a masked base for tokens of variable length if the prior does not say: that of the protocol.
const SPAN: usize = 12;

/// A text with \[MASK\] tokens in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaskedText {
    /// The stretches before, between and behind the masks: one more than there are masks.
    pub stretches: Vec<Vec<u8>>,
}

/// A \[MASK\] with its most probable tokens.
#[derive(Clone, Debug, PartialEq)]
pub struct Masked {
    /// Number of bases before it that are given.
    pub start: usize,
    /// Ids and probabilities, most probable first.
    pub tokens: Vec<(u32, f64)>,
}

/// A masked base.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Filled {
    /// Position in the sequence, from 0.
    pub position: usize,
    /// Probabilities of A, C, G, T.
    pub probabilities: [f64; 4],
}

/// The masked bases of a sequence.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FilledBases {
    /// Those with probabilities, by position.
    pub filled: Vec<Filled>,
    /// Those that cannot be filled, with the reason.
    pub refused: Vec<(usize, String)>,
}

impl Trained {
    /// The `most` most probable tokens of each \[MASK\] of each text. Probabilities are softmax values: over all ids for a published model; over all
    /// ordinary tokens, with the weights w(v | base on the left) of its prior, for a model of tokbench. The rest of the segmentation prior is not in
    /// them, since it needs the number of masked bases; for tokens of fixed length there is no such rest.
    ///
    /// # Errors
    /// If the tokens of the tokenizer overlap, so that one mask is no token, or the logits cannot be read from the device.
    pub fn fill_tokens(&self, texts: &[MaskedText], most: usize) -> Result<Vec<Vec<Masked>>, Error> {
        if let Reading::Sliding { .. } = self.fitted.tokenizer.reading() {
            let name = self.fitted.tokenizer.name();
            return Err(Error::Missing(format!("the tokens of {name} overlap: one [MASK] is no stretch of bases")));
        }
        let layouts: Vec<(Layout, Vec<usize>)> = texts.iter().map(|text| self.masked_layout(text)).collect();
        let ids = if self.published { 0..self.config.vocabulary } else { SPECIALS as usize..self.vocabulary() };
        let rows = self.rows(&layouts.iter().map(|(layout, _)| layout.clone()).collect::<Vec<_>>(), &ids)?;
        let mut all = Vec::with_capacity(texts.len());
        for ((rows, (_, starts)), text) in rows.into_iter().zip(layouts).zip(texts) {
            let masks = rows.into_iter().zip(starts).zip(&text.stretches).map(|((mut row, start), before)| {
                self.add_weights(&mut row, ids.start, before.last().copied());
                Masked { start, tokens: most_probable(&row, ids.start, most) }
            });
            all.push(masks.collect());
        }
        Ok(all)
    }

    /// Adds the logarithms of the weights of tokens behind a base to a row of logits from id `first` on.
    fn add_weights(&self, row: &mut [f32], first: usize, left: Option<u8>) {
        let Some(prior) = self.fitted.prior.as_ref().filter(|_| !self.published) else { return };
        let left = left.and_then(dna::code).map_or(protocol::weights::ANY_BASE, |code| code as u8);
        for (at, logit) in row.iter_mut().enumerate() {
            let id = (first + at) as u32;
            // Tokens of other letters have no weight.
            let dna = self.fitted.tokenizer.vocabulary().is_dna(id);
            *logit += if dna { prior.weight(id, left).ln() as f32 } else { f32::NEG_INFINITY };
        }
    }

    /// The input of a text, with one target per mask, and the number of given bases before each mask.
    fn masked_layout(&self, text: &MaskedText) -> (Layout, Vec<usize>) {
        let (mut ids, mut centers) = (vec![CLS], vec![-0.5]);
        let (mut targets, mut starts) = (Vec::new(), Vec::new());
        let (mut segment, mut start) = (Vec::new(), 0);
        // A masked token is placed as if it had the mean length of the tokens of a long text.
        let mean = self.fitted.tokenizer.reading().fixed().map_or(5.0, |k| k as f32);
        let mut place = 0.0;
        for (number, stretch) in text.stretches.iter().enumerate() {
            if number > 0 {
                targets.push(Target {
                    position: ids.len(),
                    token: MASK,
                    span: number - 1,
                    order: 0,
                    constraint: protocol::candidates::Constraint::ANY,
                });
                starts.push(start);
                ids.push(MASK);
                centers.push(place + mean / 2.0);
                place += mean;
            }
            self.fitted.tokenizer.encode(stretch, &mut segment);
            for Token { id, start, end } in segment.iter().copied() {
                ids.push(id);
                centers.push(place + (start + end) as f32 / 2.0);
            }
            start += stretch.len();
            place += stretch.len() as f32;
        }
        ids.push(SEP);
        centers.push(place + 0.5);
        let masked = targets.len();
        (Layout { ids, targets, centers, masked }, starts)
    }

    /// The probabilities of A, C, G, T at the positions `masked` of a sequence, ascending: p(x) is proportional to the probability that the
    /// model gives to the span around the base with x in it, coded as in a comparison (`docs/protocol.md#code-length`), so that every
    /// tokenizer can be asked. Spans are one token for fixed lengths, else 12 bases with the base in the middle. Other masked bases of the span are
    /// summed over; those outside of it are shown as N. The model sees about `context` bases around the span.
    ///
    /// Positions that cannot be filled are returned with the reason: more than 4 masked bases in a span, another letter than A, C, G, T beside them,
    /// no token that covers them.
    ///
    /// # Errors
    /// If the logits cannot be read from the device.
    pub fn fill_bases(&self, sequence: &[u8], masked: &[usize], context: usize) -> Result<FilledBases, Error> {
        let mut bases = sequence.to_vec();
        masked.iter().for_each(|&at| bases[at] = b'N');
        let (mut found, mut refused) = (Vec::with_capacity(masked.len()), Vec::new());
        let (mut left, mut sets) = (masked, self.fitted.candidates());
        while let Some(&first) = left.first() {
            let (span, inside, reason) = match self.span_around(first, bases.len()) {
                Err(reason) => (first..first + 1, 1, Some(reason)),
                Ok(span) => {
                    let inside = left.iter().take_while(|&&at| at < span.end).count();
                    let reason = refusal(&bases, masked, &span);
                    (span, inside, reason)
                }
            };
            let (own, rest) = left.split_at(inside);
            left = rest;
            if let Some(reason) = reason {
                refused.extend(own.iter().map(|&at| (at, reason.clone())));
                continue;
            }
            // In the reading frame of the sequence.
            let frame = match self.fitted.tokenizer.reading() {
                Reading::Tiling(Some(k)) => k,
                Reading::Sliding { stride, .. } => stride,
                Reading::Tiling(None) => 1,
            };
            let from = span.start.saturating_sub(context / 2) / frame * frame;
            let to = (span.end + context / 2).min(bases.len());
            let inside: Vec<usize> = within(masked, &span).iter().map(|at| at - from).collect();
            let marginals =
                self.marginals(bases[from..to].to_vec(), span.start - from..span.end - from, &inside, &mut sets)?;
            let marginals = marginals.into_iter().map(|filled| Filled { position: filled.position + from, ..filled });
            found.extend(marginals.filter(|filled| own.contains(&filled.position)));
        }
        Ok(FilledBases { filled: found, refused })
    }

    /// The span in which a masked base is coded, or why there is none.
    fn span_around(&self, at: usize, length: usize) -> Result<Range<usize>, String> {
        let centered = |span: usize, stride: usize| {
            let start = at.saturating_sub(span / 2).min(length - span) / stride * stride;
            start..start + span
        };
        Ok(match self.fitted.tokenizer.reading() {
            Reading::Tiling(Some(k)) | Reading::Sliding { k, .. } if k > length => {
                let name = self.fitted.tokenizer.name();
                return Err(format!("the sequence has {length} bases, and a token of {name} has {k}"));
            }
            // In the reading frame of the sequence; at its end, the last k bases.
            Reading::Tiling(Some(k)) => {
                let start = (at / k * k).min(length - k);
                start..start + k
            }
            Reading::Sliding { k, stride } => {
                let span = centered(k, stride);
                // Bases behind the last whole token are in none.
                if !span.contains(&at) {
                    return Err(format!("it is in no token of {k} bases: the stride is {stride}"));
                }
                span
            }
            Reading::Tiling(None) => {
                let most = self.fitted.prior.as_ref().map_or(SPAN, |prior| prior.span()).min(SPAN);
                centered(most.min(length), 1)
            }
        })
    }

    /// The marginal probabilities of the masked bases `own` of a span, by enumeration of all their completions.
    fn marginals(
        &self,
        mut bases: Vec<u8>,
        span: Range<usize>,
        own: &[usize],
        sets: &mut CandidateSets,
    ) -> Result<Vec<Filled>, Error> {
        // Completions share most of their inputs: each is computed once.
        let mut known: HashMap<Vec<u32>, usize> = HashMap::new();
        let mut layouts: Vec<Layout> = Vec::new();
        let mut completions: Vec<(f64, Vec<(usize, Target)>)> = Vec::new();
        for code in 0..1_usize << (2 * own.len()) {
            for (number, &at) in own.iter().enumerate() {
                bases[at] = b"ACGT"[code >> (2 * number) & 3];
            }
            let segmented =
                SegmentedWindow::new(&*self.fitted.tokenizer, &bases, &[Span::masked(span.start, span.end)]);
            let counts = segmented.coded_counts().map(|(left, tokens)| self.count_bits(span.len(), left, tokens));
            let mut steps = Vec::new();
            for step in 0..segmented.counts().max().unwrap_or(0) {
                let mut layout = segmented.step(step);
                layout.targets.retain(|target| target.order == step);
                let Some(&target) = layout.targets.first() else { continue };
                let next = layouts.len();
                let at = *known.entry(layout.ids.clone()).or_insert(next);
                if at == next {
                    layouts.push(layout);
                }
                steps.push((at, target));
            }
            completions.push((counts.sum(), steps));
        }
        let rows = self.rows(&layouts, &(0..self.vocabulary()))?;
        let bits = |(count, steps): &(f64, Vec<(usize, Target)>), sets: &mut CandidateSets| {
            let tokens = steps.iter().map(|(at, target)| token_bits(&rows[*at][0], target, sets).total());
            count + tokens.sum::<f64>()
        };
        let bits: Vec<f64> = completions.iter().map(|completion| bits(completion, sets)).collect();
        let least = bits.iter().copied().fold(f64::INFINITY, f64::min);
        let weights: Vec<f64> = bits.iter().map(|bits| (least - bits).exp2()).collect();
        let total: f64 = weights.iter().sum();
        let marginal = |(number, &position): (usize, &usize)| {
            let mut probabilities = [0.0; 4];
            for (code, weight) in weights.iter().enumerate() {
                probabilities[code >> (2 * number) & 3] += weight / total;
            }
            Filled { position, probabilities }
        };
        Ok(own.iter().enumerate().map(marginal).collect())
    }

    /// Code length of the number of tokens of a span: as in scoring for the spans of the run, by the prior for others.
    fn count_bits(&self, span: usize, left: u8, tokens: usize) -> f64 {
        match &self.fitted.prior {
            Some(prior) if self.fitted.tokenizer.reading().fixed().is_none() && prior.span() != span => {
                let counts = prior.counts(span, left);
                let total: f64 = counts.iter().sum();
                -(counts.get(tokens.wrapping_sub(1)).copied().unwrap_or(0.0) / total).log2()
            }
            _ => self.fitted.counts.bits(tokens, left),
        }
    }

    /// Number of ids that the tokenizer can give.
    fn vocabulary(&self) -> usize {
        self.fitted.tokenizer.vocabulary().len()
    }

    /// The logits of the targets of each layout.
    fn rows(&self, layouts: &[Layout], ids: &Range<usize>) -> Result<Vec<Vec<Vec<f32>>>, Error> {
        let predictor = Predictor::new(&self.model, &self.device);
        let lengths: Vec<usize> = layouts.iter().map(|layout| layout.ids.len()).collect();
        let mut rows: Vec<Vec<Vec<f32>>> = vec![Vec::new(); layouts.len()];
        for batch in batches(&lengths) {
            let own: Vec<Layout> = batch.iter().map(|&at| layouts[at].clone()).collect();
            let logits = predictor.logits(&own, ids.clone())?;
            let mut logits = logits.chunks_exact(ids.len().max(1));
            for &at in &batch {
                rows[at] = logits.by_ref().take(layouts[at].targets.len()).map(<[f32]>::to_vec).collect();
            }
        }
        Ok(rows)
    }
}

/// The masked positions of a span.
fn within<'a>(masked: &'a [usize], span: &Range<usize>) -> &'a [usize] {
    let below = |end: usize| masked.partition_point(|&at| at < end);
    &masked[below(span.start)..below(span.end)]
}

/// Why the masked bases of a span cannot be filled, if so.
fn refusal(bases: &[u8], masked: &[usize], span: &Range<usize>) -> Option<String> {
    let own = within(masked, span);
    let place = format!("bases {} to {}", span.start + 1, span.end);
    if own.len() > MOST {
        return Some(format!("{} of {place} are masked, and at most {MOST} can be", own.len()));
    }
    let other = span.clone().find(|at| !own.contains(at) && dna::code(bases[*at]).is_none())?;
    Some(format!("base {} is {}, not A, C, G or T, beside it in {place}", other + 1, bases[other] as char))
}

/// The most probable ids under the softmax over a row that begins with id `first`; equal ones by id.
fn most_probable(row: &[f32], first: usize, most: usize) -> Vec<(u32, f64)> {
    let highest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let weights: Vec<f64> = row.iter().map(|&logit| f64::from(logit - highest).exp()).collect();
    let total: f64 = weights.iter().sum();
    let mut order: Vec<usize> = (0..row.len()).collect();
    order.sort_by(|&a, &b| row[b].total_cmp(&row[a]).then(a.cmp(&b)));
    order.truncate(most);
    order.into_iter().map(|at| ((first + at) as u32, weights[at] / total)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_are_softmax_values_in_order() {
        let found = most_probable(&[0.0, 1.0, 1.0, -1.0], 5, 3);
        let e = std::f64::consts::E;
        let total = 1.0 + 2.0 * e + 1.0 / e;
        assert_eq!(found.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [6, 7, 5]);
        assert!((found[0].1 - e / total).abs() < 1e-12 && (found[2].1 - 1.0 / total).abs() < 1e-12);
    }
}
