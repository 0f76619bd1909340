//! A tokenizer together with what is fitted to the training split: its vocabulary, its segmentation prior, the code of token counts and
//! the context-free null model. Stored once under its own key and shared by all runs.

use std::sync::Arc;

use dna::is_dna;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use tokenize::{Error, FrontendConfig, Recipe, Tokenizer};

use crate::candidates::{CandidateSets, Constraint};
use crate::code_length::{COUNT_PSEUDO, CountCode};
use crate::context_free::{self, ContextFree, Observations};
use crate::layout::SegmentedWindow;
use crate::masking_plan::Span;
use crate::prior::{PriorKind, SegmentationPrior};
use crate::weights::{ANY_BASE, Weights};

/// Spans that belong to the same half in the cross-validation of the context-free null: neighbours resemble each other.
const HALF_RUN: usize = 1024;

/// A tokenizer and the statistics of its tokens on the training split.
#[derive(Clone, Debug)]
pub struct Fitted {
    /// The tokenizer.
    pub tokenizer: Arc<dyn Tokenizer>,
    /// The front end of the encoder for this tokenizer.
    pub frontend: FrontendConfig,
    /// The segmentation prior; `None` for masking in tokens, which has none.
    pub prior: Option<Arc<SegmentationPrior>>,
    /// The code of the number of tokens of a span.
    pub counts: CountCode,
    /// The context-free null model.
    pub context_free: ContextFree,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    name: String,
    span: usize,
    tokenizer: Option<String>,
    weights: Option<Weights>,
    counts: CountCode,
    context_free: ContextFree,
}

impl Fitted {
    /// Fits vocabulary, prior, counts and context-free null to `texts` of the training split, for masked spans of `span` bases. `prior`:
    /// its weights, or `None` for no prior (masking in tokens).
    ///
    /// # Errors
    /// If the tokenizer does not fit the span or the text.
    pub fn fit(recipe: &Recipe, texts: &[&[u8]], span: usize, prior: Option<PriorKind>) -> Result<Fitted, Error> {
        recipe.check_span(span)?;
        let tokenizer = recipe.fit(&mut texts.iter().copied())?;
        let spans = training_spans(texts, span);
        if spans.is_empty() {
            return Err(Error::Fit {
                name: recipe.name.clone(),
                reason: format!("the training text contains no {span} consecutive bases without N"),
                remedy: "use more training text".to_owned(),
            });
        }
        let weights = prior.map(|kind| Weights::fit(kind, texts));
        let prior = weights.map(|weights| Arc::new(SegmentationPrior::new(&*tokenizer, span, weights)));
        let (counts, halves) = observe(&*tokenizer, prior.as_deref(), &spans, span);
        let counts = match recipe.reading.fixed() {
            Some(_) => CountCode::fixed_length(),
            None => CountCode::fit(counts, prior.as_deref()),
        };
        let mut sets = CandidateSets::new(Arc::clone(&tokenizer), prior.clone());
        let context_free = ContextFree::fit(halves, &mut sets);
        Ok(Fitted { tokenizer, frontend: recipe.frontend.clone(), prior, counts, context_free })
    }

    /// A tokenizer that needs no training text, with a prior of these weights for masked spans of up to `span` bases, its own distribution of
    /// token counts and an empty context-free null: for published models, whose training text is not at hand.
    ///
    /// # Errors
    /// If the tokenizer is learned on text.
    pub fn without_text(recipe: &Recipe, span: usize, weights: Weights) -> Result<Fitted, Error> {
        let tokenizer = recipe.fit(&mut std::iter::empty())?;
        let prior = Some(Arc::new(SegmentationPrior::new(&*tokenizer, span, weights)));
        let counts = match recipe.reading.fixed() {
            Some(_) => CountCode::fixed_length(),
            None => CountCode::fit(vec![vec![0; span]; 5], prior.as_deref()),
        };
        let mut sets = CandidateSets::new(Arc::clone(&tokenizer), prior.clone());
        let context_free = ContextFree::fit(<[Observations; 2]>::default(), &mut sets);
        Ok(Fitted { tokenizer, frontend: recipe.frontend.clone(), prior, counts, context_free })
    }

    /// The candidate tokens with their prior.
    #[must_use]
    pub fn candidates(&self) -> CandidateSets {
        CandidateSets::new(Arc::clone(&self.tokenizer), self.prior.clone())
    }

    /// Everything except the training text that determines the result of [`Fitted::fit`].
    #[must_use]
    pub fn fingerprint(recipe: &Recipe, span: usize, prior: Option<PriorKind>) -> String {
        format!(
            "{}; spans of {span} bases, prior {}, {COUNT_PSEUDO} pseudo-counts, shrinkage of {:?}, {} rounds, runs of {HALF_RUN}",
            recipe.fingerprint(),
            prior.map_or("none", PriorKind::name),
            context_free::SHRINKAGES,
            context_free::ROUNDS
        )
    }

    /// Serializes it for the store. The tables of the prior are not stored: they follow from the vocabulary.
    ///
    /// # Panics
    /// Never: plain data always serializes.
    #[must_use]
    pub fn save(&self, span: usize) -> Vec<u8> {
        let tokenizer = self.tokenizer.save().map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let weights = self.prior.as_ref().map(|prior| prior.weights().clone());
        let name = self.tokenizer.name().to_owned();
        let (counts, context_free) = (self.counts.clone(), self.context_free.clone());
        let saved = Saved { name, span, tokenizer, weights, counts, context_free };
        serde_json::to_vec(&saved).expect("plain data")
    }

    /// Restores the result of [`Fitted::save`].
    ///
    /// # Errors
    /// If the bytes belong to another tokenizer, span or prior, or are not valid.
    pub fn load(recipe: &Recipe, bytes: &[u8], span: usize, prior: Option<PriorKind>) -> Result<Fitted, Error> {
        let wrong = |reason: String| Error::File {
            path: format!("fitted {}", recipe.name),
            reason,
            remedy: "remove the file; it is created again".to_owned(),
        };
        let saved: Saved = serde_json::from_slice(bytes).map_err(|e| wrong(e.to_string()))?;
        if saved.name != recipe.name || saved.span != span {
            return Err(wrong(format!("contains {} for spans of {} bases", saved.name, saved.span)));
        }
        if saved.weights.as_ref().map(Weights::kind) != prior {
            return Err(wrong("contains another segmentation prior".into()));
        }
        let tokenizer = recipe.load(saved.tokenizer.unwrap_or_default().as_bytes())?;
        if saved.context_free.size().is_some_and(|size| size != tokenizer.vocabulary().len()) {
            return Err(wrong("its context-free null does not match its vocabulary".into()));
        }
        let prior = saved.weights.map(|weights| Arc::new(SegmentationPrior::new(&*tokenizer, span, weights)));
        Ok(Fitted {
            tokenizer,
            frontend: recipe.frontend.clone(),
            counts: saved.counts.with_prior(prior.as_deref()),
            prior,
            context_free: saved.context_free,
        })
    }
}

/// All segments of `span` bases without N, each behind the segment before it where there is one: positions of a stride stay aligned.
fn training_spans<'a>(texts: &[&'a [u8]], span: usize) -> Vec<&'a [u8]> {
    let with_left = |text: &'a [u8]| {
        (0..text.len() / span).filter(move |i| is_dna(&text[i * span..(i + 1) * span])).map(move |i| {
            let start = i * span;
            &text[start.saturating_sub(span)..start + span]
        })
    };
    texts.iter().flat_map(|text| with_left(text)).collect()
}

/// Numbers of tokens by the base on the left, and the targets of the sequential order in two halves of the spans.
fn observe(
    tokenizer: &dyn Tokenizer,
    prior: Option<&SegmentationPrior>,
    spans: &[&[u8]],
    span: usize,
) -> (Vec<Vec<u64>>, [Observations; 2]) {
    type Counted = (Vec<Vec<u64>>, [Observations; 2]);
    let fixed = tokenizer.reading().fixed().is_some();
    let constant = prior.is_none_or(SegmentationPrior::is_constant);
    let empty = || (vec![vec![0; span]; 5], <[Observations; 2]>::default());
    let count = |(number, run): (usize, &[&[u8]])| {
        let (mut counts, mut halves): Counted = empty();
        for text in run {
            let start = text.len() - span;
            let window = SegmentedWindow::new(tokenizer, text, &[Span::masked(start, text.len())]);
            for (left, tokens) in window.coded_counts() {
                let left = prior.map_or(ANY_BASE, |prior| prior.canonical(left));
                counts[usize::from(left)][tokens - 1] += 1;
            }
            for target in window.sequential_targets() {
                let mut group = target.constraint;
                if let (Some(prior), Some(place)) = (prior, &mut group.place) {
                    place.left = prior.canonical(place.left);
                }
                if fixed && constant {
                    group = Constraint { place: None, ..group };
                }
                // The candidates are the same behind all tokens of a class.
                group.previous = group.previous.map(|id| prior.map_or(id, |prior| prior.representative(id)));
                halves[number % 2].add(group, fixed, target.token);
            }
        }
        (counts, halves)
    };
    let add = |(mut counts, [a, b]): Counted, (other, [c, d]): Counted| {
        counts.iter_mut().flatten().zip(other.into_iter().flatten()).for_each(|(sum, count)| *sum += count);
        (counts, [a.merge(c), b.merge(d)])
    };
    let runs: Vec<&[&[u8]]> = spans.chunks(HALF_RUN).collect();
    runs.par_iter().enumerate().map(|(number, run)| count((number, run))).reduce(empty, add)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokenize::families::{subword, unigram};
    use tokenize::registry;

    #[test]
    fn the_fingerprint_names_everything_that_determines_a_fit() {
        let of = |name: &str, span: usize, prior| {
            Fitted::fingerprint(&registry::builtin().parse(name).unwrap(), span, Some(prior))
        };
        let has = |name: &str, numbers: &[usize]| {
            let own = of(name, 12, PriorKind::Uniform);
            numbers.iter().all(|number| own.split(|c: char| !c.is_ascii_digit()).any(|part| part == number.to_string()))
        };
        for name in registry::builtin().examples() {
            let own = of(name, 12, PriorKind::Uniform);
            assert!(own.starts_with(&registry::builtin().parse(name).unwrap().name));
            assert!(has(name, &[12, context_free::ROUNDS, HALF_RUN]), "{name}");
            assert_ne!(own, of(name, 24, PriorKind::Uniform), "{name}");
            assert_ne!(own, of(name, 12, PriorKind::Order1), "{name}");
        }
        let [most, piece] = [subword::TRAINING_BASES, subword::CHUNK_LENGTH];
        assert!(["bpe512", "randomcut512", "wordpiece512"].iter().all(|name| has(name, &[most, piece])));
        assert!(has("unigram512", &[unigram::TRAINING_BASES, piece]) && !has("unigram512", &[most]));
    }
}
