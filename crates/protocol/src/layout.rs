//! What a model sees of a window with hidden spans, and what it must pay for (`docs/protocol.md#nothing-masked-is-visible`).

use tokenize::vocabulary::{CLS, MASK, SEP, SPECIALS};
use tokenize::{Reading, Token, Tokenizer};

use crate::candidates::Legal;
use crate::masking_plan::Span;

/// A window cut under a plan: its tokens, and which of them tile each hidden span.
#[derive(Clone, Debug)]
pub struct Cut {
    tokens: Vec<Token>,
    spans: Vec<CutSpan>,
    sliding: bool,
    fixed: bool,
    /// Whether tokens differ by whether they stand first.
    marked: bool,
}

#[derive(Clone, Debug)]
struct CutSpan {
    span: Span,
    /// Indices of the tokens that tile it.
    tokens: Vec<usize>,
}

/// A token that must be paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// Row of the input, \[CLS\] being row 0.
    pub position: usize,
    /// The true token.
    pub token: u32,
    /// Number of the span in the plan.
    pub span: usize,
    /// Place of the token among those that tile the span.
    pub order: usize,
    /// Which tokens could stand here.
    pub legal: Legal,
}

/// Input and targets of one window.
#[derive(Clone, Debug, Default)]
pub struct Layout {
    /// \[CLS\] tokens \[SEP\], hidden ones as \[MASK\].
    pub ids: Vec<u32>,
    /// What is to be paid for; every hidden base exactly once.
    pub targets: Vec<Target>,
    /// Bases that are hidden.
    pub hidden: usize,
}

impl Cut {
    /// Cuts a window under a plan. A tiling tokenizer cuts every stretch between span borders, and every span, on its own;
    /// a sliding one keeps its positions.
    #[must_use]
    pub fn new(tokenizer: &dyn Tokenizer, bases: &[u8], plan: &[Span]) -> Cut {
        let mut tokens = Vec::new();
        let fixed = tokenizer.reading().fixed().is_some();
        if let Reading::Sliding { k, .. } = tokenizer.reading() {
            tokenizer.encode(bases, &mut tokens);
            let spans = plan.iter().map(|&span| CutSpan { span, tokens: tiles(&tokens, span, k) }).collect();
            return Cut { tokens, spans, sliding: true, fixed, marked: false };
        }
        let mut spans = Vec::with_capacity(plan.len());
        let mut part = Vec::new();
        let mut append = |from: usize, to: usize, tokens: &mut Vec<Token>| {
            tokenizer.encode(&bases[from..to], &mut part);
            let first = tokens.len();
            tokens.extend(part.iter().map(|t| Token {
                id: t.id,
                start: t.start + from as u32,
                end: t.end + from as u32,
            }));
            (first..tokens.len()).collect::<Vec<_>>()
        };
        let mut from = 0;
        for &span in plan {
            append(from, span.start, &mut tokens);
            let inside = append(span.start, span.end, &mut tokens);
            spans.push(CutSpan { span, tokens: inside });
            from = span.end;
        }
        append(from, bases.len(), &mut tokens);
        let marked = tokens.iter().any(|token| tokenizer.stands_first(token.id).is_some());
        Cut { tokens, spans, sliding: false, fixed, marked }
    }

    /// The tokens, hidden ones included.
    #[must_use]
    pub fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    /// Tokens that tile each span.
    pub fn counts(&self) -> impl Iterator<Item = usize> + '_ {
        self.spans.iter().map(|span| span.tokens.len())
    }

    /// Spans of bases of the tokens that tile the plan's spans, in order: what the parallel order pays for.
    #[must_use]
    pub fn parts(&self) -> Vec<std::ops::Range<usize>> {
        self.spans
            .iter()
            .flat_map(|span| span.tokens.iter().map(|&i| self.tokens[i].start as usize..self.tokens[i].end as usize))
            .collect()
    }

    /// The layout in which every span shows the prefix that the plan drew for it (training).
    #[must_use]
    pub fn training(&self) -> Layout {
        self.layout(Span::shown)
    }

    /// The layout in which every span shows its first `step` tokens (scoring; step 0: nothing).
    #[must_use]
    pub fn step(&self, step: usize) -> Layout {
        self.layout(|_, tokens| step.min(tokens))
    }

    fn layout(&self, shown: impl Fn(&Span, usize) -> usize) -> Layout {
        let mut ids: Vec<u32> = Vec::with_capacity(self.tokens.len() + 2);
        ids.push(CLS);
        ids.extend(self.tokens.iter().map(|token| token.id));
        ids.push(SEP);
        let (mut targets, mut hidden) = (Vec::new(), 0);
        for (number, CutSpan { span, tokens }) in self.spans.iter().enumerate() {
            let shown = shown(span, tokens.len());
            let Some(&first) = tokens.get(shown) else {
                continue;
            };
            let border = self.tokens[first].start as usize;
            let bases = span.end - border;
            hidden += bases;
            for (order, &index) in tokens.iter().enumerate().skip(shown) {
                let after = if order == shown && order > 0 { Some(self.tokens[tokens[order - 1]].id) } else { None };
                let length = (self.tokens[index].end - self.tokens[index].start) as usize;
                let legal = if self.fixed {
                    Legal { longest: length as u32, exact: true, ..Legal::ANY }
                } else {
                    Legal { first: self.marked.then_some(order == 0), ..Legal::of(bases, tokens.len() - shown, after) }
                };
                targets.push(Target { position: index + 1, token: self.tokens[index].id, span: number, order, legal });
            }
            if self.sliding {
                // Tokens are ordered by start and by end, so those that touch border..span.end lie side by side.
                let from = self.tokens.partition_point(|t| t.end as usize <= border);
                let to = self.tokens.partition_point(|t| (t.start as usize) < span.end);
                ids[from + 1..to + 1].fill(MASK);
            } else {
                for &index in &tokens[shown..] {
                    ids[index + 1] = MASK;
                }
            }
        }
        Layout { ids, targets, hidden }
    }
}

/// Fixed tokens at span offsets 0, K, 2K ...
fn tiles(tokens: &[Token], span: Span, k: usize) -> Vec<usize> {
    (span.start..span.end)
        .step_by(k)
        .filter_map(|start| {
            let first = tokens.partition_point(|t| (t.start as usize) < start);
            let token = tokens.get(first)?;
            (token.start as usize == start && token.end as usize == start + k).then_some(first)
        })
        .collect()
}

/// The published way (`docs/protocol.md#masking-in-tokens`): `share` of the tokens is drawn; of these 80 % become \[MASK\], 10 % a random
/// ordinary token, 10 % stay. Comparable within one tokenizer only.
#[must_use]
pub fn token_masking(tokens: &[Token], share: f64, vocabulary: usize, rng: &mut impl rand::Rng) -> Layout {
    use rand::RngExt;
    let mut ids: Vec<u32> = Vec::with_capacity(tokens.len() + 2);
    ids.push(CLS);
    let (mut targets, mut hidden) = (Vec::new(), 0);
    for (index, token) in tokens.iter().enumerate() {
        let (draw, kind, other) = (rng.random::<f64>(), rng.random::<f64>(), rng.random::<f64>());
        if draw >= share || token.id < SPECIALS {
            ids.push(token.id);
            continue;
        }
        let ordinary = vocabulary - SPECIALS as usize;
        ids.push(match kind {
            k if k < 0.8 => MASK,
            k if k < 0.9 => SPECIALS + (other * ordinary as f64) as u32,
            _ => token.id,
        });
        hidden += (token.end - token.start) as usize;
        targets.push(Target { position: index + 1, token: token.id, span: index, order: 0, legal: Legal::ANY });
    }
    ids.push(SEP);
    Layout { ids, targets, hidden }
}
