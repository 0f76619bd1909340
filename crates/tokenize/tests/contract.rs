//! The contract of [`Tokenizer`], for every tokenizer of the registry (`docs/protocol.md#laws-kept-by-tests`) and for a custom one.

mod toy;

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokenize::vocabulary::UNK;
use tokenize::{Reading, Token, Tokenizer, decode, normalize};
use tokenize::{Recipe, registry};

fn dna(length: usize, seed: u64) -> Vec<u8> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    // A little structure, so that merges of different lengths are learned.
    let mut out: Vec<u8> = Vec::with_capacity(length);
    while out.len() < length {
        if rng.random::<f64>() < 0.1 {
            out.extend_from_slice(b"TATAAACACA");
        }
        out.push(b"ACGT"[rng.random_range(0..4)]);
    }
    out.truncate(length);
    out
}

/// Every example of the registry, fitted on the same text.
fn fitted() -> &'static [(Recipe, Arc<dyn Tokenizer>)] {
    static ALL: OnceLock<Vec<(Recipe, Arc<dyn Tokenizer>)>> = OnceLock::new();
    ALL.get_or_init(|| {
        let text = dna(400_000, 1);
        let registry = registry::builtin().with(toy::RUNS);
        registry
            .examples()
            .chain([
                "kmer1",
                "kmer2",
                "kmer4",
                "kmer6-stride2",
                "kmer4-stride2",
                "kmer5",
                "kmer10",
                "bpe64",
                "randomcut64",
            ])
            .map(|name| {
                let recipe = registry.parse(name).expect(name);
                let tokenizer = recipe.fit(&mut text.chunks(40_000)).expect(name);
                (recipe, tokenizer)
            })
            .collect()
    })
}

fn any_text() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(
            prop_oneof![9 => proptest::sample::select(b"ACGT".to_vec()), 1 => Just(b'N')],
            0..300
        ),
        proptest::collection::vec(proptest::sample::select(b"ACGT".to_vec()), 0..300),
        proptest::collection::vec(proptest::sample::select(b"ACGTNacgtRYKM".to_vec()), 0..60),
    ]
}

/// Any bytes, with the names of special tokens among them.
fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    let names = proptest::sample::select(vec!["[MASK]", "[UNK]", "[PAD]", "##A", "N", "\u{c4}", "\u{2581}"]);
    let part = prop_oneof![
        4 => proptest::sample::select(b"ACGT".to_vec()).prop_map(|base| vec![base]),
        4 => any::<u8>().prop_map(|byte| vec![byte]),
        1 => names.prop_map(|name| name.as_bytes().to_vec()),
    ];
    proptest::collection::vec(part, 0..120).prop_map(|parts| parts.concat())
}

/// Whitespace, which the pre-tokenizer of a BPE removes, as in DNABERT-2. Readers reject it.
fn is_space(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0B
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_give_valid_tokens(text in any_bytes()) {
        for (recipe, tokenizer) in fitted() {
            let mut tokens = Vec::new();
            tokenizer.encode(&text, &mut tokens);
            let (mut start, mut covered) = (0, 0);
            for token in &tokens {
                prop_assert!(token.id == UNK || tokenizer.vocabulary().is_dna(token.id), "{}", recipe.name);
                let inside = token.end > token.start && token.end as usize <= text.len();
                prop_assert!(token.start >= start && inside, "{}", recipe.name);
                let left_out = text.get(covered..token.start as usize).unwrap_or_default();
                prop_assert!(left_out.iter().all(|&byte| is_space(byte)), "{}: a base is lost", recipe.name);
                (start, covered) = (token.start, token.end as usize);
            }
            prop_assert!(text[covered..].iter().all(|&byte| is_space(byte)), "{}: a base is lost", recipe.name);
            if !text.iter().any(|&byte| is_space(byte)) {
                prop_assert_eq!(decode(&tokens, tokenizer.vocabulary()), normalize(&text), "{}", recipe.name);
            }
        }
    }

    #[test]
    fn spans_are_in_order_and_decoding_restores_the_text(text in any_text()) {
        for (recipe, tokenizer) in fitted() {
            let mut tokens = vec![Token { id: 9, start: 9, end: 9 }];
            tokenizer.encode(&text, &mut tokens);
            let (mut start, mut covered) = (0, 0);
            for token in &tokens {
                prop_assert!(token.start >= start && token.end > token.start && token.end as usize <= text.len(), "{}", recipe.name);
                prop_assert!(token.start <= covered, "{}: a base is lost", recipe.name);
                if matches!(tokenizer.reading(), Reading::Tiling(_)) {
                    prop_assert_eq!(token.start, covered);
                }
                (start, covered) = (token.start, token.end);
            }
            prop_assert_eq!(covered as usize, text.len());
            prop_assert_eq!(decode(&tokens, tokenizer.vocabulary()), normalize(&text), "{}", recipe.name);
        }
    }
}

/// Adjacent tokens of a tokenization must satisfy the pair rule: otherwise the true token could not be coded.
#[test]
fn adjacent_tokens_satisfy_the_pair_rule() {
    let repeats = [b"A".as_slice(), b"AC", b"AAT", b"TATAAACACA"].map(|unit| unit.repeat(2_000));
    let texts: Vec<Vec<u8>> = repeats.into_iter().chain([dna(20_000, 21), dna(20_000, 22)]).collect();
    for (recipe, tokenizer) in fitted().iter().filter(|(recipe, _)| recipe.reading.fixed().is_none()) {
        let mut tokens = Vec::new();
        for text in &texts {
            tokenizer.encode(text, &mut tokens);
            for (number, token) in tokens.iter().enumerate() {
                let place = tokenizer.is_word_initial(token.id);
                assert!(place.is_none_or(|first| first == (number == 0)), "{}: {token:?}", recipe.name);
            }
            for pair in tokens.windows(2) {
                assert!(tokenizer.may_follow(pair[0].id, pair[1].id), "{}: {pair:?}", recipe.name);
            }
        }
    }
}

/// The empty sequence, and every single byte.
#[test]
fn the_shortest_sequences() {
    for (recipe, tokenizer) in fitted() {
        let mut tokens = vec![Token { id: 9, start: 9, end: 9 }];
        tokenizer.encode(b"", &mut tokens);
        assert!(tokens.is_empty(), "{}", recipe.name);
        for byte in 0..=u8::MAX {
            tokenizer.encode(&[byte], &mut tokens);
            let expected = if is_space(byte) { tokens.len() } else { 1 };
            assert_eq!(tokens.len(), expected, "{} {byte}", recipe.name);
            for token in &tokens {
                assert_eq!((token.start, token.end), (0, 1), "{} {byte}", recipe.name);
                let known = b"ACGT".contains(&byte).then(|| vec![byte]);
                assert_eq!(tokenizer.vocabulary().bases(token.id).map(<[u8]>::to_vec), known, "{} {byte}", recipe.name);
            }
        }
    }
}

/// Repeats must not take more time than other text: ten million bases, but one million for random segmentation.
#[test]
fn long_repeats_take_linear_time() {
    for (recipe, tokenizer) in fitted() {
        let length = if recipe.name.starts_with("randomcut") { 1_000_000 } else { 10_000_000 };
        let mut tokens = Vec::new();
        for unit in [b"A".as_slice(), b"CA", b"N"] {
            let text: Vec<u8> = unit.iter().copied().cycle().take(length).collect();
            tokenizer.encode(&text, &mut tokens);
            assert_eq!(decode(&tokens, tokenizer.vocabulary()), text, "{}", recipe.name);
        }
    }
}

/// The pair rule, evaluated on the merges, equals encoding the two tokens together.
#[test]
fn pair_rule_equals_encoding() {
    let exact = |name: &str| name.starts_with("bpe") || name.starts_with("unigram");
    for (recipe, tokenizer) in fitted().iter().filter(|(recipe, _)| exact(&recipe.name)) {
        let vocabulary = tokenizer.vocabulary();
        let ids: Vec<u32> = vocabulary.ids().collect();
        let mut rng = ChaCha8Rng::seed_from_u64(11);
        let mut tokens = Vec::new();
        let (mut yes, mut no) = (0, 0);
        for _ in 0..30_000 {
            let (a, b) = (ids[rng.random_range(0..ids.len())], ids[rng.random_range(0..ids.len())]);
            let text = [vocabulary.bases(a).unwrap(), vocabulary.bases(b).unwrap()].concat();
            tokenizer.encode(&text, &mut tokens);
            let truth = tokens.len() == 2 && tokens[0].id == a && tokens[1].id == b;
            assert_eq!(tokenizer.may_follow(a, b), truth, "{}: {}", recipe.name, String::from_utf8_lossy(&text));
            if truth { yes += 1 } else { no += 1 }
        }
        assert!(yes > 100 && no > 100, "{}: {yes} {no}", recipe.name);
    }
}

#[test]
fn random_segmentation_has_the_token_lengths_of_bpe() {
    let text = dna(60_000, 9);
    let fractions = |name: &str| {
        let (_, tokenizer) = fitted().iter().find(|(recipe, _)| recipe.name == name).unwrap();
        let (mut counts, mut tokens) = (vec![0.0f64; 40], Vec::new());
        for window in text.chunks(240) {
            tokenizer.encode(window, &mut tokens);
            tokens.iter().for_each(|t| counts[((t.end - t.start) as usize).min(39)] += 1.0);
        }
        let total: f64 = counts.iter().sum();
        counts.iter().map(|c| c / total).collect::<Vec<_>>()
    };
    let (bpe, random) = (fractions("bpe512"), fractions("randomcut512"));
    let distance: f64 = bpe.iter().zip(&random).map(|(a, b)| (a - b).abs()).sum::<f64>() / 2.0;
    assert!(distance < 0.03, "total variation {distance}");
    // But the segmentations differ.
    assert_ne!(bpe, random);
}

#[test]
fn names_and_their_errors() {
    let message = |name: &str| {
        let error = registry::builtin().parse(name).unwrap_err();
        format!("{error} / {}", error.remedy().unwrap())
    };
    assert_eq!(registry::builtin().parse("KMER6-Stride6").unwrap().name, "kmer6-nonoverlap");
    assert_eq!(registry::builtin().parse("kmer1").unwrap().name, "base");
    assert_eq!(message("kmr6"), "unknown tokenizer \"kmr6\" / did you mean \"kmer6\"? \"tokbench list\" shows all");
    assert!(message("kmer13").contains("K = 13 is not between 1 and 12"));
    let large = registry::builtin().parse("kmer9").unwrap().check_span(18).unwrap_err();
    assert!(large.to_string().contains("a vocabulary of all 9-mers is too large for a model"));
    assert!(message("kmer6-stride7").contains("would skip bases"));
    assert!(message("bpe4").contains("smaller than the alphabet"));
    assert!(message("kmer").contains("missing"));
    assert!(message("mxdna-max99").contains("not supported"));
    assert!(message("file:/nowhere/tokenizer.json").contains("/nowhere/tokenizer.json"));
    let stride = registry::builtin().parse("kmer6-stride4").unwrap().check_span(12).unwrap_err();
    assert!(stride.to_string().contains("the stride 4 does not divide K = 6"));
}

#[test]
fn published_ids_of_dnabert2() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/tokenizers/dnabert2_bpe4096.json");
    let tokenizer =
        registry::builtin().parse(&format!("file:{}", path.display())).unwrap().fit(&mut std::iter::empty()).unwrap();
    let ids = |text: &str| {
        let mut tokens = Vec::new();
        tokenizer.encode(text.as_bytes(), &mut tokens);
        tokens.iter().map(|t| t.id).collect::<Vec<_>>()
    };
    assert_eq!(ids("ATCGATCG"), [5, 359, 16, 7]);
    assert_eq!(
        ids("ACGTAGCATCGGATCTATCTATCGACACTTGGTTATCGATCTACGAGCATCTCGTTAGC"),
        [5, 194, 32, 757, 1239, 2092, 294, 24, 359, 88, 93, 32, 75, 77, 19]
    );
    assert_eq!(ids("atcg"), [0, 0, 0, 0]);
    assert_eq!(ids("ATCGNNNNATCG"), [5, 16, 7, 0, 0, 0, 0, 5, 16, 7]);
    assert_eq!(ids("AUCG"), [5, 0, 3206]);
    assert_eq!(ids("ATCG ATCG"), [5, 16, 7, 5, 16, 7]);
    assert_eq!(ids(""), [0u32; 0]);
}

#[test]
#[ignore = "needs TOKBENCH_DATA: public tokenizers"]
fn published_tokens_of_gena() {
    let data = std::env::var_os("TOKBENCH_DATA").map(PathBuf::from).expect("TOKBENCH_DATA names the data");
    for public in ["gena_human_bpe32k_newline.json", "gena_t2t_1000h_multi_32k.json"] {
        let recipe =
            registry::builtin().parse(&format!("file:{}", data.join("tokenizers").join(public).display())).unwrap();
        let tokenizer = recipe.fit(&mut std::iter::empty()).unwrap();
        let hf = tokenizers::Tokenizer::from_file(data.join("tokenizers").join(public)).unwrap();
        let text = String::from_utf8(dna(3_000, 8)).unwrap();
        let mut tokens = Vec::new();
        tokenizer.encode(text.as_bytes(), &mut tokens);
        let theirs = hf.encode(text.as_str(), false).unwrap();
        assert_eq!(tokens.len(), theirs.len());
        for (token, theirs) in tokens.iter().zip(theirs.get_tokens()) {
            assert_eq!(tokenizer.vocabulary().bases(token.id), Some(theirs.as_bytes()));
        }
    }
}
