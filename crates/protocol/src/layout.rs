//! Input and targets of a window with masked spans (`docs/protocol.md#nothing-masked-is-visible`).

use tokenize::vocabulary::{CLS, MASK, SEP, SPECIALS};
use tokenize::{Reading, Token, Tokenizer};

use crate::candidates::Constraint;
use crate::masking_plan::Span;
use crate::prior::Place;
use crate::weights::ANY_BASE;

/// A window tokenized under a masking plan: its tokens, and which of them tile each masked span.
#[derive(Clone, Debug)]
pub struct SegmentedWindow {
    tokens: Vec<Token>,
    spans: Vec<SegmentedSpan>,
    sliding: bool,
    fixed: bool,
    /// Whether the tokenizer spells word-initial tokens differently.
    marked: bool,
    /// Bases of the window.
    bases: usize,
}

#[derive(Clone, Debug)]
struct SegmentedSpan {
    span: Span,
    /// Indices of the tokens that tile it.
    tokens: Vec<usize>,
    /// The base before the span, and the last base of each token (`A C G T` = 0 1 2 3, [`ANY_BASE`] where unknown).
    left: Vec<u8>,
}

impl SegmentedSpan {
    fn new(span: Span, tokens: Vec<usize>, all: &[Token], bases: &[u8]) -> SegmentedSpan {
        let base =
            |end: usize| end.checked_sub(1).and_then(|at| dna::code(bases[at])).map_or(ANY_BASE, |code| code as u8);
        let ends = tokens.iter().map(|&at| all[at].end as usize);
        SegmentedSpan { span, left: std::iter::once(span.start).chain(ends).map(base).collect(), tokens }
    }
}

/// A token that is predicted and coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// Row of the input, \[CLS\] being row 0.
    pub position: usize,
    /// Id of the true token.
    pub token: u32,
    /// Index of the span in the plan.
    pub span: usize,
    /// Index of the token among those that tile the span.
    pub order: usize,
    /// Which tokens are candidates here.
    pub constraint: Constraint,
}

impl Target {
    /// One past the last base of the token, from the start of a span of `span` bases; only for the first masked token of its span.
    #[must_use]
    pub fn end(&self, span: usize, length: usize) -> usize {
        let masked = self.constraint.place.map_or(span, |place| usize::from(place.bases));
        span.saturating_sub(masked) + length
    }
}

/// Input and targets of one window.
#[derive(Clone, Debug, Default)]
pub struct Layout {
    /// \[CLS\] tokens \[SEP\], with \[MASK\] for masked tokens.
    pub ids: Vec<u32>,
    /// Tokens to be coded; together they cover every masked base exactly once.
    pub targets: Vec<Target>,
    /// Where each row of `ids` stands: the centre of its token in bases from the start of the window, \[CLS\] and \[SEP\] half a base
    /// outside of it. Masked tokens are evenly spaced over the masked stretch, so that a place tells nothing about masked bases but
    /// the number of their tokens, which is coded.
    pub centers: Vec<f32>,
    /// Number of masked bases.
    pub masked: usize,
}

impl Layout {
    /// \[CLS\] tokens \[SEP\] of a sequence of `bases` bases, with nothing masked.
    #[must_use]
    pub fn unmasked(tokens: &[Token], bases: usize) -> Layout {
        let ids = std::iter::once(CLS).chain(tokens.iter().map(|token| token.id)).chain(std::iter::once(SEP));
        Layout { ids: ids.collect(), centers: centers(tokens, bases), ..Layout::default() }
    }
}

impl SegmentedWindow {
    /// Tokenizes a window under a masking plan. A tiling tokenizer encodes every segment between masked spans, and every span, as a
    /// sequence of its own; a sliding one keeps its positions.
    #[must_use]
    pub fn new(tokenizer: &dyn Tokenizer, bases: &[u8], plan: &[Span]) -> SegmentedWindow {
        let mut tokens = Vec::new();
        let fixed = tokenizer.reading().fixed().is_some();
        if let Reading::Sliding { k, .. } = tokenizer.reading() {
            tokenizer.encode(bases, &mut tokens);
            let span = |&span: &Span| SegmentedSpan::new(span, tiles(&tokens, span, k), &tokens, bases);
            let spans = plan.iter().map(span).collect();
            return SegmentedWindow { tokens, spans, sliding: true, fixed, marked: false, bases: bases.len() };
        }
        let mut spans = Vec::with_capacity(plan.len());
        let mut segment = Vec::new();
        let mut append = |from: usize, to: usize, tokens: &mut Vec<Token>| {
            tokenizer.encode(&bases[from..to], &mut segment);
            let first = tokens.len();
            tokens.extend(segment.iter().map(|t| Token {
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
            spans.push(SegmentedSpan::new(span, inside, &tokens, bases));
            from = span.end;
        }
        append(from, bases.len(), &mut tokens);
        let marked = tokens.iter().any(|token| tokenizer.is_word_initial(token.id).is_some());
        SegmentedWindow { tokens, spans, sliding: false, fixed, marked, bases: bases.len() }
    }

    /// All tokens, masked ones included.
    #[must_use]
    pub fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    /// The number of tokens that tile each span.
    pub fn counts(&self) -> impl Iterator<Item = usize> + '_ {
        self.spans.iter().map(|span| span.tokens.len())
    }

    /// The base before each span and the number of tokens that tile it: what the code of token counts takes.
    pub fn coded_counts(&self) -> impl Iterator<Item = (u8, usize)> + '_ {
        self.spans.iter().map(|span| (span.left[0], span.tokens.len()))
    }

    /// Ranges of bases of the tokens that tile the masked spans, in order: the targets of the parallel order.
    #[must_use]
    pub fn target_ranges(&self) -> Vec<std::ops::Range<usize>> {
        self.spans
            .iter()
            .flat_map(|span| span.tokens.iter().map(|&i| self.tokens[i].start as usize..self.tokens[i].end as usize))
            .collect()
    }

    /// The layout for training: every span reveals the prefix that the plan drew for it.
    #[must_use]
    pub fn training(&self) -> Layout {
        self.layout(Span::revealed)
    }

    /// The layout of a scoring step: every span reveals its first `step` tokens (none in step 0).
    #[must_use]
    pub fn step(&self, step: usize) -> Layout {
        self.layout(|_, tokens| step.min(tokens))
    }

    fn layout(&self, revealed: impl Fn(&Span, usize) -> usize) -> Layout {
        let mut ids: Vec<u32> = Vec::with_capacity(self.tokens.len() + 2);
        ids.push(CLS);
        ids.extend(self.tokens.iter().map(|token| token.id));
        ids.push(SEP);
        let mut centers = self.centers();
        let (mut targets, mut masked) = (Vec::new(), 0);
        for (number, SegmentedSpan { span, tokens, .. }) in self.spans.iter().enumerate() {
            let revealed = revealed(span, tokens.len());
            let Some(&first) = tokens.get(revealed) else {
                continue;
            };
            let masked_start = self.tokens[first].start as usize;
            let bases = span.end - masked_start;
            masked += bases;
            targets.extend((revealed..tokens.len()).map(|order| self.target(number, revealed, order)));
            if self.sliding {
                // Tokens are sorted by start and by end, so those that overlap masked_start..span.end are consecutive.
                let from = self.tokens.partition_point(|t| t.end as usize <= masked_start);
                let to = self.tokens.partition_point(|t| (t.start as usize) < span.end);
                ids[from + 1..to + 1].fill(MASK);
            } else {
                let each = bases as f32 / (tokens.len() - revealed) as f32;
                for (number, &index) in tokens[revealed..].iter().enumerate() {
                    ids[index + 1] = MASK;
                    centers[index + 1] = masked_start as f32 + (number as f32 + 0.5) * each;
                }
            }
        }
        Layout { ids, targets, centers, masked }
    }

    /// The targets of the sequential order: every token of every span, each after those before it.
    pub fn sequential_targets(&self) -> impl Iterator<Item = Target> + '_ {
        let of = move |number: usize| {
            (0..self.spans[number].tokens.len()).map(move |order| self.target(number, order, order))
        };
        (0..self.spans.len()).flat_map(of)
    }

    /// Token `order` of span `number` as a target, if the first `revealed` tokens of the span are known.
    fn target(&self, number: usize, revealed: usize, order: usize) -> Target {
        let SegmentedSpan { span, tokens, left } = &self.spans[number];
        let index = tokens[order];
        let bases = span.end - self.tokens[tokens[revealed]].start as usize;
        let place = Some(Place {
            bases: bases as u16,
            tokens: (tokens.len() - revealed) as u16,
            index: (order - revealed) as u16,
            left: left[revealed],
            start: revealed == 0,
        });
        let constraint = if self.fixed {
            let length = self.tokens[index].end - self.tokens[index].start;
            Constraint { max_length: length, exact: true, place, ..Constraint::ANY }
        } else {
            let previous = (order == revealed && order > 0).then(|| self.tokens[tokens[order - 1]].id);
            let first = self.marked.then_some(order == 0);
            Constraint { first, place, ..Constraint::new(bases, tokens.len() - revealed, previous) }
        };
        Target { position: index + 1, token: self.tokens[index].id, span: number, order, constraint }
    }

    /// Centres of all tokens and of the special tokens around them, see [`Layout::centers`].
    fn centers(&self) -> Vec<f32> {
        centers(&self.tokens, self.bases)
    }
}

/// The centres of \[CLS\], tokens and \[SEP\] of a sequence of `bases` bases, see [`Layout::centers`].
#[must_use]
pub fn centers(tokens: &[Token], bases: usize) -> Vec<f32> {
    let inner = tokens.iter().map(|token| (token.start + token.end) as f32 / 2.0);
    std::iter::once(-0.5).chain(inner).chain(std::iter::once(bases as f32 + 0.5)).collect()
}

/// Indices of the tokens of k bases at offsets 0, k, 2k, ... of a span.
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

/// BERT-style masking in tokens (`docs/protocol.md#masking-in-tokens`): each token is selected with probability `ratio`; of these 80 %
/// become \[MASK\], 10 % a random ordinary token, and 10 % stay. Comparable within one tokenizer only.
#[must_use]
pub fn token_masking(tokens: &[Token], ratio: f64, vocabulary: usize, rng: &mut impl rand::Rng) -> Layout {
    use rand::RngExt;
    let mut ids: Vec<u32> = Vec::with_capacity(tokens.len() + 2);
    ids.push(CLS);
    let (mut targets, mut masked) = (Vec::new(), 0);
    for (index, token) in tokens.iter().enumerate() {
        let (draw, kind, other) = (rng.random::<f64>(), rng.random::<f64>(), rng.random::<f64>());
        if draw >= ratio || token.id < SPECIALS {
            ids.push(token.id);
            continue;
        }
        let ordinary = vocabulary - SPECIALS as usize;
        ids.push(match kind {
            k if k < 0.8 => MASK,
            k if k < 0.9 => SPECIALS + (other * ordinary as f64) as u32,
            _ => token.id,
        });
        masked += (token.end - token.start) as usize;
        targets.push(Target {
            position: index + 1,
            token: token.id,
            span: index,
            order: 0,
            constraint: Constraint::ANY,
        });
    }
    ids.push(SEP);
    let bases = tokens.last().map_or(0, |token| token.end as usize);
    Layout { ids, targets, centers: centers(tokens, bases), masked }
}
