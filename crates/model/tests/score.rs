//! Scores against a direct implementation of their definition, for models with known logits: all families, both orders.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::OnceLock;

use model::Error;
use model::score::{EVERY_PASS, Predict, Scorer};
use protocol::layout::{Layout, SegmentedWindow};
use protocol::score::{BIAS_ONLY, CONTENT, COUNT, LENGTH, PARALLEL, ZERO, ZERO_COUNT};
use protocol::weights::ANY_BASE;
use protocol::{Fitted, PriorKind, masking_plan as plan};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokenize::vocabulary::{CLS, MASK, SEP, SPECIALS};
use tokenize::{Reading, Token, registry};

const SPAN: usize = 12;

/// A hash of an input.
fn hash(input: &[u32]) -> u64 {
    input.iter().fold(0, |sum, &id| sum.wrapping_mul(0x100_0000_01b3).wrapping_add(u64::from(id) + 1))
}

/// The stub's logit of an id at a position of the input with hash `input`: an arbitrary function of the three.
fn logit(input: u64, position: usize, id: u32) -> f32 {
    let mixed = (input ^ (position as u64) << 40 ^ u64::from(id) << 8).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((mixed >> 40) % 4000) as f32 / 1000.0 - 2.0
}

/// A model whose logits are a hash of input, position and id.
struct Stub;

impl Predict for Stub {
    fn logits(&self, layouts: &[Layout], ids: Range<usize>) -> Result<Vec<f32>, Error> {
        let mut logits = Vec::new();
        for layout in layouts {
            let input = hash(&layout.ids);
            for target in &layout.targets {
                logits.extend(ids.clone().map(|id| logit(input, target.position, id as u32)));
            }
        }
        Ok(logits)
    }
}

/// The same logit for every id.
struct Uniform;

impl Predict for Uniform {
    fn logits(&self, layouts: &[Layout], ids: Range<usize>) -> Result<Vec<f32>, Error> {
        let targets: usize = layouts.iter().map(|layout| layout.targets.len()).sum();
        Ok(vec![0.25; targets * ids.len()])
    }
}

/// A model that returns one logit too few.
struct Truncated;

impl Predict for Truncated {
    fn logits(&self, layouts: &[Layout], ids: Range<usize>) -> Result<Vec<f32>, Error> {
        let mut logits = Uniform.logits(layouts, ids)?;
        logits.pop();
        Ok(logits)
    }
}

fn dna(length: usize, seed: u64) -> Vec<u8> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut bases = Vec::new();
    while bases.len() < length {
        if rng.random::<f64>() < 0.1 {
            bases.extend_from_slice(b"TATAAACACA");
        }
        bases.push(b"ACGT"[rng.random_range(0..4)]);
    }
    bases.truncate(length);
    bases
}

/// The examples of all registered families, fitted on the same text.
fn families() -> &'static [Fitted] {
    static ALL: OnceLock<Vec<Fitted>> = OnceLock::new();
    ALL.get_or_init(|| {
        let text = dna(400_000, 1);
        let fit = |name| Fitted::fit(&registry::builtin().parse(name).unwrap(), &[&text], SPAN, None).expect(name);
        registry::builtin().examples().map(fit).collect()
    })
}

/// Tokens of a masked span, each with its position in the input.
type Masked = Vec<(usize, Token)>;

/// Input ids and masked spans of a window in which `spans` are masked except for the first `step` tokens of each.
fn input(fitted: &Fitted, bases: &[u8], spans: &[Range<usize>], step: usize) -> (Vec<u32>, Vec<Masked>) {
    let encode = |from: usize, to: usize| {
        let mut tokens = Vec::new();
        fitted.tokenizer.encode(&bases[from..to], &mut tokens);
        tokens
            .iter_mut()
            .for_each(|token| (token.start, token.end) = (token.start + from as u32, token.end + from as u32));
        tokens
    };
    let mut tokens: Vec<Token> = Vec::new();
    match fitted.tokenizer.reading() {
        Reading::Sliding { .. } => tokens = encode(0, bases.len()),
        Reading::Tiling(_) => {
            let borders: Vec<usize> = spans.iter().flat_map(|span| [span.start, span.end]).collect();
            let ends = borders.iter().copied().chain([bases.len()]);
            let mut from = 0;
            for to in ends {
                tokens.extend(encode(from, to));
                from = to;
            }
        }
    }
    let mut ids: Vec<u32> = tokens.iter().map(|token| token.id).collect();
    let mut masked = Vec::new();
    for span in spans {
        let (mut tiles, mut at): (Masked, usize) = (Vec::new(), span.start);
        while at < span.end {
            let index = tokens.iter().position(|token| token.start as usize == at).unwrap();
            tiles.push((index + 1, tokens[index]));
            at = tokens[index].end as usize;
        }
        let masked_bases = tiles.get(step).map_or(span.end, |(_, token)| token.start as usize)..span.end;
        for (id, token) in ids.iter_mut().zip(&tokens) {
            if (token.start as usize) < masked_bases.end && token.end as usize > masked_bases.start {
                *id = MASK;
            }
        }
        masked.push(tiles);
    }
    (std::iter::once(CLS).chain(ids).chain([SEP]).collect(), masked)
}

/// Code lengths of a token in bits (-log2 p): of its length, and of the token given its length. The
/// first `shown` tokens of the span are known.
fn token_code_lengths(
    fitted: &Fitted,
    tiles: &Masked,
    order: usize,
    shown: usize,
    logit: impl Fn(u32) -> f32,
) -> [f64; 2] {
    let tokenizer = &fitted.tokenizer;
    let bases = |id: u32| tokenizer.vocabulary().length(id);
    let (left, total) = (tiles.len() - shown, tiles[shown..].iter().map(|(_, token)| bases(token.id)).sum::<usize>());
    let before = (order == shown && order > 0).then(|| tiles[order - 1].1.id);
    let candidate = |id: u32| {
        let length = match tokenizer.reading().fixed() {
            Some(k) => bases(id) == k,
            None if left == 1 => bases(id) == total,
            None => bases(id) + left <= total + 1,
        };
        let place = tokenizer.is_word_initial(id).is_none_or(|first| first == (order == 0));
        let pair = tokenizer.reading().fixed().is_some() || before.is_none_or(|b| tokenizer.may_follow(b, id));
        tokenizer.vocabulary().is_dna(id) && length && place && pair
    };
    let own = tiles[order].1.id;
    let sum = |keep: &dyn Fn(u32) -> bool| {
        let all = SPECIALS..tokenizer.vocabulary().len() as u32;
        all.filter(|&id| keep(id)).map(|id| f64::from(logit(id)).exp()).sum::<f64>()
    };
    let probability = f64::from(logit(own)).exp();
    let all = sum(&candidate);
    let same = sum(&|id| candidate(id) && bases(id) == bases(own));
    [-(same / all).log2(), -(probability / same).log2()]
}

/// The sums of the components of a window by name, token by token.
fn expected(fitted: &Fitted, bases: &[u8]) -> HashMap<&'static str, f64> {
    let mut sums: HashMap<&'static str, f64> = HashMap::new();
    let mut add = |name: &'static str, value: f64| *sums.entry(name).or_default() += value;
    for pass in 0..plan::PASSES {
        let cells = (0..bases.len() / SPAN).filter(|cell| cell % plan::PASSES == pass);
        let cells = cells.map(|cell| cell * SPAN..(cell + 1) * SPAN);
        let spans: Vec<Range<usize>> = cells.filter(|cell| !bases[cell.clone()].contains(&b'N')).collect();
        let (first, masked) = input(fitted, bases, &spans, 0);
        let first = hash(&first);
        let most = masked.iter().map(Vec::len).max().unwrap_or(0);
        add("passes", most as f64);
        let steps: Vec<u64> = (0..most).map(|step| hash(&input(fitted, bases, &spans, step).0)).collect();
        for tiles in &masked {
            add("bases", SPAN as f64);
            let count = fitted.counts.bits(tiles.len(), ANY_BASE);
            ["count", "parallel", "bias_only"].into_iter().for_each(|name| add(name, count));
            for (order, &(place, _)) in tiles.iter().enumerate() {
                let logits = |id| logit(steps[order], place, id);
                let [length, content] = token_code_lengths(fitted, tiles, order, order, logits);
                add("length", length);
                add("content", content);
                let [length, content] = token_code_lengths(fitted, tiles, order, 0, |id| logit(first, place, id));
                add("parallel", length + content);
            }
        }
        let window = SegmentedWindow::new(&*fitted.tokenizer, bases, &plan::scoring(bases, SPAN, pass));
        let targets = window.sequential_targets();
        add("bias_only", targets.map(|target| fitted.context_free.bits(&target, &mut fitted.candidates())).sum());
    }
    sums
}

#[test]
fn scores_equal_a_direct_implementation() {
    let mut bases = dna(2 * SPAN * plan::PASSES + 5, 3);
    bases[30] = b'N';
    for fitted in families() {
        let name = fitted.tokenizer.name();
        let expected = expected(fitted, &bases);
        for parallel in [false, true] {
            let mut scorer = Scorer::new(Stub, fitted, SPAN);
            let score = scorer.window(&bases, &EVERY_PASS, parallel).unwrap();
            let found = [
                ("bases", score.bases as f64),
                ("passes", scorer.passes() as f64),
                ("count", score.bits(COUNT)),
                ("length", score.bits(LENGTH)),
                ("content", score.bits(CONTENT)),
                ("bias_only", score.bits(BIAS_ONLY)),
            ];
            for (component, value) in found {
                let expected = expected[component];
                assert!(
                    (value - expected).abs() < 1e-9 * expected.abs().max(1.0),
                    "{name} {component}: {value}, {expected}"
                );
            }
            let (found, expected) = (score.bits(PARALLEL), if parallel { expected["parallel"] } else { 0.0 });
            assert!((found - expected).abs() < 1e-9 * expected.max(1.0), "{name} parallel: {found}, {expected}");
        }
        assert_eq!(expected["bases"], (2 * plan::PASSES - 1) as f64 * SPAN as f64, "one cell contains an N");
        assert!(expected["length"] == 0.0 || fitted.tokenizer.reading().fixed().is_none());
    }
}

#[test]
fn uniform_logits_cost_two_bits_with_fixed_lengths() {
    let bases = dna(252, 4);
    for fitted in families().iter().filter(|fitted| fitted.tokenizer.reading().fixed().is_some()) {
        let score = Scorer::new(Uniform, fitted, SPAN).window(&bases, &EVERY_PASS, true).unwrap();
        for bits in [score.total(), score.bits(PARALLEL)] {
            assert!((bits / score.bases as f64 - 2.0).abs() < 1e-12, "{}: {bits}", fitted.tokenizer.name());
        }
    }
}

/// The first law of the segmentation prior through the scorer, with q = p for the number of tokens.
#[test]
fn uniform_logits_cost_two_bits_with_the_prior() {
    let (text, bases) = (dna(400_000, 1), dna(252, 4));
    for name in registry::builtin().examples() {
        let recipe = registry::builtin().parse(name).unwrap();
        let fitted = Fitted::fit(&recipe, &[&text], SPAN, Some(PriorKind::Uniform)).unwrap();
        let mut scorer = Scorer::new(Uniform, &fitted, SPAN);
        let score = scorer.window(&bases, &EVERY_PASS, false).unwrap();
        let offsets: f64 = scorer.offsets().iter().sum();
        assert!((offsets - score.total()).abs() < 1e-9, "{name}: {offsets}, {}", score.total());
        // The bits of the bases of a window are those of its tokens, and every masked base has some.
        let bits: f64 = scorer.bases().iter().flatten().sum();
        assert!((bits - score.total()).abs() < 1e-9, "{name}: {bits}, {}", score.total());
        assert_eq!(scorer.bases().iter().flatten().count() as u64, score.bases);
        let own = score.total() - score.bits(COUNT) + score.bits(ZERO_COUNT);
        assert!((own - score.bits(ZERO)).abs() < 1e-9, "{name}: {own}, {}", score.bits(ZERO));
        if fitted.prior.as_ref().is_some_and(|prior| prior.is_exact()) {
            assert!((own / score.bases as f64 - 2.0).abs() < 1e-11, "{name}: {own}");
        }
        assert!(score.bits(BIAS_ONLY) < score.bits(ZERO), "{name}: the null knows the composition");
    }
}

#[test]
fn incomplete_logits_are_an_error() {
    let fitted = &families()[0];
    let error = Scorer::new(Truncated, fitted, SPAN).window(&dna(252, 4), &[0], false).unwrap_err();
    assert!(error.to_string().contains("logits") && error.remedy().is_some(), "{error}");
}
