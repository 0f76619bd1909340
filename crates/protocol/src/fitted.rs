//! A tokenizer together with what is fitted to the training split: its vocabulary, the code of token counts and the context-free
//! baseline. Stored once under its own key and shared by all runs.

use std::collections::HashMap;
use std::sync::Arc;

use dna::is_dna;
use serde::{Deserialize, Serialize};
use tokenize::{Error, FrontendConfig, Recipe, Tokenizer};

use crate::candidates::{CandidateSets, Constraint};
use crate::code_length::CountCode;
use crate::layout::SegmentedWindow;
use crate::masking_plan::Span;

/// Maximum number of training spans to which counts and the context-free baseline are fitted, evenly spaced.
pub const SPANS: usize = 60_000;
/// Rounds of iterative scaling of the context-free baseline.
const ROUNDS: usize = 30;
/// Pseudo-count of each candidate token in the context-free baseline.
const PSEUDO: f64 = 0.1;

/// A tokenizer and the statistics of its tokens on the training split.
#[derive(Clone, Debug)]
pub struct Fitted {
    /// The tokenizer.
    pub tokenizer: Arc<dyn Tokenizer>,
    /// The front end of the encoder for this tokenizer.
    pub frontend: FrontendConfig,
    /// The code of the number of tokens of a span.
    pub counts: CountCode,
    /// Logits of the context-free baseline, by token id: the maximum-likelihood model that sees nothing of the window.
    pub context_free: Vec<f32>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    name: String,
    span: usize,
    tokenizer: Option<String>,
    counts: CountCode,
    #[serde(rename = "bias")]
    context_free: Vec<f32>,
}

impl Fitted {
    /// Fits vocabulary, counts and context-free baseline to `texts` of the training split, for masked spans of `span` bases.
    ///
    /// # Errors
    /// If the tokenizer does not fit the span or the text.
    pub fn fit(recipe: &Recipe, texts: &[&[u8]], span: usize) -> Result<Fitted, Error> {
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
        let windows: Vec<SegmentedWindow> =
            spans.iter().map(|text| SegmentedWindow::new(&*tokenizer, text, &[Span::masked(0, span)])).collect();
        let counts = match recipe.reading.fixed() {
            Some(_) => CountCode::fixed_length(),
            None => CountCode::fit(span, windows.iter().flat_map(|window| window.counts().collect::<Vec<_>>())),
        };
        let context_free = context_free_logits(&tokenizer, &windows);
        Ok(Fitted { tokenizer, frontend: recipe.frontend.clone(), counts, context_free })
    }

    /// Everything except the training text that determines the result of [`Fitted::fit`].
    #[must_use]
    pub fn fingerprint(recipe: &Recipe, span: usize) -> String {
        format!(
            "{}; spans of {span} bases, {SPANS} of them, {ROUNDS} rounds, pseudo-count {PSEUDO}",
            recipe.fingerprint()
        )
    }

    /// Serializes it for the store.
    ///
    /// # Panics
    /// Never: plain data always serializes.
    #[must_use]
    pub fn save(&self, span: usize) -> Vec<u8> {
        let tokenizer = self.tokenizer.save().map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let name = self.tokenizer.name().to_owned();
        let saved =
            Saved { name, span, tokenizer, counts: self.counts.clone(), context_free: self.context_free.clone() };
        serde_json::to_vec(&saved).expect("plain data")
    }

    /// Restores the result of [`Fitted::save`].
    ///
    /// # Errors
    /// If the bytes belong to another tokenizer or span, or are not valid.
    pub fn load(recipe: &Recipe, bytes: &[u8], span: usize) -> Result<Fitted, Error> {
        let wrong = |reason: String| Error::File {
            path: format!("fitted {}", recipe.name),
            reason,
            remedy: "remove the file; it is created again".to_owned(),
        };
        let saved: Saved = serde_json::from_slice(bytes).map_err(|e| wrong(e.to_string()))?;
        if saved.name != recipe.name || saved.span != span {
            return Err(wrong(format!("contains {} for spans of {} bases", saved.name, saved.span)));
        }
        let tokenizer = recipe.load(saved.tokenizer.unwrap_or_default().as_bytes())?;
        if saved.context_free.len() != tokenizer.vocabulary().len() {
            return Err(wrong("its context-free baseline does not match its vocabulary".into()));
        }
        Ok(Fitted {
            tokenizer,
            frontend: recipe.frontend.clone(),
            counts: saved.counts,
            context_free: saved.context_free,
        })
    }
}

/// Up to [`SPANS`] segments of `span` bases without N, evenly spaced over the text.
fn training_spans<'a>(texts: &[&'a [u8]], span: usize) -> Vec<&'a [u8]> {
    let all: Vec<&[u8]> = texts.iter().flat_map(|text| text.chunks_exact(span)).filter(|span| is_dna(span)).collect();
    let count = SPANS.min(all.len());
    (0..count).map(|i| all[i * all.len() / count]).collect()
}

/// Maximum-likelihood logits of the context-free baseline, by generalized iterative scaling over the candidate sets (each event has
/// exactly one feature, so every round increases the likelihood; Darroch and Ratcliff 1972).
fn context_free_logits(tokenizer: &Arc<dyn Tokenizer>, windows: &[SegmentedWindow]) -> Vec<f32> {
    let mut sets = CandidateSets::new(Arc::clone(tokenizer));
    let size = sets.vocabulary();
    let mut groups: HashMap<Constraint, f64> = HashMap::new();
    let mut observed = vec![0.0; size];
    for window in windows {
        let number = window.counts().next().unwrap_or(0);
        for step in 0..number {
            let layout = window.step(step);
            if let Some(target) = layout.targets.first() {
                *groups.entry(target.constraint).or_default() += 1.0;
                observed[target.token as usize] += 1.0;
            }
        }
    }
    let any = match tokenizer.reading().fixed() {
        Some(k) => Constraint { max_length: k as u32, exact: true, ..Constraint::ANY },
        None => Constraint::ANY,
    };
    let mut pseudo_counts = 0.0;
    sets.visit(any, true, |id| {
        observed[id as usize] += PSEUDO;
        pseudo_counts += PSEUDO;
    });
    *groups.entry(any).or_default() += pseudo_counts;
    for &constraint in groups.keys() {
        sets.prepare(constraint);
    }
    // The iteration order of a HashMap is random; sums must not depend on it.
    let mut groups: Vec<(Constraint, f64)> = groups.into_iter().collect();
    groups.sort_by_key(|(of, _)| (of.max_length, of.exact, of.previous, of.first));
    let mut weights: Vec<f64> = observed.clone();
    if tokenizer.reading().fixed().is_none() {
        let mut members = Vec::new();
        for _ in 0..ROUNDS {
            let mut expected = vec![0.0; size];
            for &(constraint, count) in &groups {
                members.clear();
                sets.visit(constraint, true, |id| members.push(id));
                let sum: f64 = members.iter().map(|&id| weights[id as usize]).sum();
                let factor = count / sum;
                for &id in &members {
                    expected[id as usize] += factor * weights[id as usize];
                }
            }
            for ((weight, observed), expected) in weights.iter_mut().zip(&observed).zip(&expected) {
                if *expected > 0.0 {
                    *weight *= observed / expected;
                }
            }
        }
    }
    weights.iter().map(|&weight| if weight > 0.0 { weight.ln() as f32 } else { -50.0 }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokenize::families::{subword, unigram};
    use tokenize::registry;

    #[test]
    fn the_fingerprint_names_everything_that_determines_a_fit() {
        let of = |name: &str, span: usize| Fitted::fingerprint(&registry::builtin().parse(name).unwrap(), span);
        let has = |name: &str, numbers: &[usize]| {
            let own = of(name, 12);
            numbers.iter().all(|number| own.split(|c: char| !c.is_ascii_digit()).any(|part| part == number.to_string()))
        };
        for name in registry::builtin().examples() {
            assert!(
                of(name, 12).starts_with(&registry::builtin().parse(name).unwrap().name)
                    && has(name, &[12, SPANS, ROUNDS]),
                "{name}"
            );
            assert!(of(name, 12).contains(&PSEUDO.to_string()), "{name}");
            assert_ne!(of(name, 12), of(name, 24), "{name}");
        }
        let [most, piece] = [subword::TRAINING_BASES, subword::CHUNK_LENGTH];
        assert!(["bpe512", "randomcut512", "wordpiece512"].iter().all(|name| has(name, &[most, piece])));
        assert!(has("unigram512", &[unigram::TRAINING_BASES, piece]) && !has("unigram512", &[most]));
    }
}
