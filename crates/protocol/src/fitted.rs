//! A tokenizer together with what is learned about it on the training split: the price of token counts and the
//! bias-only model. Kept once under its own key, shared by all runs.

use std::collections::HashMap;
use std::sync::Arc;

use dna::is_dna;
use serde::{Deserialize, Serialize};
use tokenize::{Error, Frontend, Recipe, Tokenizer};

use crate::candidates::{Legal, LegalSets};
use crate::code_length::CountBill;
use crate::layout::Cut;
use crate::masking_plan::Span;

/// Most training spans used for counts and for the bias-only model, evenly spaced.
pub const SPANS: usize = 60_000;
/// Rounds of iterative scaling of the bias-only model.
const ROUNDS: usize = 30;
/// Pseudo-count of each legal token in the bias-only model.
const PSEUDO: f64 = 0.1;

/// A tokenizer and what the training split says about it.
#[derive(Clone, Debug)]
pub struct Fitted {
    /// The tokenizer.
    pub tokenizer: Arc<dyn Tokenizer>,
    /// What stands in front of the encoder.
    pub frontend: Frontend,
    /// The price of token counts.
    pub counts: CountBill,
    /// Logits of the bias-only model: the maximum-likelihood model that sees nothing of the window.
    pub bias: Vec<f32>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    name: String,
    span: usize,
    tokenizer: Option<String>,
    counts: CountBill,
    bias: Vec<f32>,
}

impl Fitted {
    /// Learns vocabulary, counts and bias from the training text, for hidden spans of `span` bases.
    ///
    /// # Errors
    /// If the tokenizer does not fit the span or the text.
    pub fn fit(recipe: &Recipe, pieces: &[&[u8]], span: usize) -> Result<Fitted, Error> {
        recipe.check_span(span)?;
        let tokenizer = recipe.fit(&mut pieces.iter().copied())?;
        let spans = training_spans(pieces, span);
        if spans.is_empty() {
            return Err(Error::Fit {
                name: recipe.name.clone(),
                reason: format!("no {span} bases without N in the training text"),
                remedy: "give more text".to_owned(),
            });
        }
        let cuts: Vec<Cut> = spans.iter().map(|text| Cut::new(&*tokenizer, text, &[Span::hidden(0, span)])).collect();
        let counts = match recipe.reading.fixed() {
            Some(_) => CountBill::free(),
            None => CountBill::fit(span, cuts.iter().flat_map(|cut| cut.counts().collect::<Vec<_>>())),
        };
        let bias = bias_only(&tokenizer, &cuts);
        Ok(Fitted { tokenizer, frontend: recipe.frontend.clone(), counts, bias })
    }

    /// Whatever determines what [`Fitted::fit`] gives, the training text aside.
    #[must_use]
    pub fn fingerprint(recipe: &Recipe, span: usize) -> String {
        format!(
            "{}; spans of {span} bases, {SPANS} of them, {ROUNDS} rounds, pseudo-count {PSEUDO}",
            recipe.fingerprint()
        )
    }

    /// As bytes for the store.
    ///
    /// # Panics
    /// Never: it is plain data.
    #[must_use]
    pub fn save(&self, span: usize) -> Vec<u8> {
        let tokenizer = self.tokenizer.save().map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let name = self.tokenizer.name().to_owned();
        let saved = Saved { name, span, tokenizer, counts: self.counts.clone(), bias: self.bias.clone() };
        serde_json::to_vec(&saved).expect("plain data")
    }

    /// From what [`Fitted::save`] gave.
    ///
    /// # Errors
    /// If the bytes are of something else.
    pub fn load(recipe: &Recipe, bytes: &[u8], span: usize) -> Result<Fitted, Error> {
        let wrong = |reason: String| Error::File {
            path: format!("fitted {}", recipe.name),
            reason,
            remedy: "remove it; it is learned again".to_owned(),
        };
        let saved: Saved = serde_json::from_slice(bytes).map_err(|e| wrong(e.to_string()))?;
        if saved.name != recipe.name || saved.span != span {
            return Err(wrong(format!("holds {} for spans of {}", saved.name, saved.span)));
        }
        let tokenizer = recipe.load(saved.tokenizer.unwrap_or_default().as_bytes())?;
        if saved.bias.len() != tokenizer.vocabulary().len() {
            return Err(wrong("its bias does not fit its vocabulary".into()));
        }
        Ok(Fitted { tokenizer, frontend: recipe.frontend.clone(), counts: saved.counts, bias: saved.bias })
    }
}

/// Up to [`SPANS`] stretches of `span` bases without N, evenly spaced over the text.
fn training_spans<'a>(pieces: &[&'a [u8]], span: usize) -> Vec<&'a [u8]> {
    let all: Vec<&[u8]> =
        pieces.iter().flat_map(|piece| piece.chunks_exact(span)).filter(|text| is_dna(text)).collect();
    let count = SPANS.min(all.len());
    (0..count).map(|i| all[i * all.len() / count]).collect()
}

/// Maximum-likelihood logits of a model that sees nothing: iterative scaling over the legal sets (each event has exactly
/// one feature, so every round raises the likelihood; Darroch and Ratcliff 1972).
fn bias_only(tokenizer: &Arc<dyn Tokenizer>, cuts: &[Cut]) -> Vec<f32> {
    let mut sets = LegalSets::new(Arc::clone(tokenizer));
    let size = sets.vocabulary();
    let mut groups: HashMap<Legal, f64> = HashMap::new();
    let mut observed = vec![0.0; size];
    for cut in cuts {
        let number = cut.counts().next().unwrap_or(0);
        for step in 0..number {
            let layout = cut.step(step);
            if let Some(target) = layout.targets.first() {
                *groups.entry(target.legal).or_default() += 1.0;
                observed[target.token as usize] += 1.0;
            }
        }
    }
    let any = match tokenizer.reading().fixed() {
        Some(k) => Legal { longest: k as u32, exact: true, ..Legal::ANY },
        None => Legal::ANY,
    };
    let mut legal_ids = 0.0;
    sets.visit(any, true, |id| {
        observed[id as usize] += PSEUDO;
        legal_ids += PSEUDO;
    });
    *groups.entry(any).or_default() += legal_ids;
    for &legal in groups.keys() {
        sets.prepare(legal);
    }
    // A HashMap's order is random; sums must not depend on it.
    let mut groups: Vec<(Legal, f64)> = groups.into_iter().collect();
    groups.sort_by_key(|(legal, _)| (legal.longest, legal.exact, legal.after, legal.first));
    let mut weights: Vec<f64> = observed.clone();
    if tokenizer.reading().fixed().is_none() {
        let mut members = Vec::new();
        for _ in 0..ROUNDS {
            let mut expected = vec![0.0; size];
            for &(legal, count) in &groups {
                members.clear();
                sets.visit(legal, true, |id| members.push(id));
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
    fn a_fingerprint_names_what_determines_a_fit() {
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
        let [most, piece] = [subword::TRAINING_BASES, subword::PIECE];
        assert!(["bpe512", "randomcut512", "wordpiece512"].iter().all(|name| has(name, &[most, piece])));
        assert!(has("unigram512", &[unigram::TRAINING_BASES, piece]) && !has("unigram512", &[most]));
    }
}
