//! Random tokenizer files: every file that loads gives the ids of the `tokenizers` crate with correct spans, and its ids decode to
//! the text; or the text is refused.

use std::collections::BTreeMap;

use bpe::Token;
use bpe::huggingface::file::File;
use bpe::huggingface::{HuggingFace, RefusalReason};
use bpe::vocabulary::UNK;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use tokenizers::{AddedToken, NormalizedString, Normalizer, Tokenizer as HfTokenizer};

/// A random element.
fn one<T: Clone>(rng: &mut ChaCha8Rng, of: &[T]) -> T {
    of[rng.random_range(0..of.len())].clone()
}

/// Each element with this probability.
fn some<T: Clone>(rng: &mut ChaCha8Rng, of: &[T], chance: f64) -> Vec<T> {
    of.iter().filter(|_| rng.random_bool(chance)).cloned().collect()
}

fn replace(pattern: &Value, content: &str) -> Value {
    json!({"type": "Replace", "pattern": pattern, "content": content})
}

fn split(pattern: &Value, behavior: &str) -> Value {
    json!({"type": "Split", "pattern": pattern, "behavior": behavior, "invert": false})
}

fn normalizer(rng: &mut ChaCha8Rng) -> Value {
    let steps = [
        json!({"type": "Lowercase"}),
        json!({"type": "Strip", "strip_left": true, "strip_right": true}),
        json!({"type": "Prepend", "prepend": "N"}),
        json!({"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": false}),
        json!({"type": "NFC"}),
        replace(&json!({"String": "N"}), ""),
        replace(&json!({"String": "N"}), "A"),
        replace(&json!({"String": "N"}), "NN"),
        replace(&json!({"String": "NA"}), "A"),
        replace(&json!({"Regex": "N{2,}"}), "-"),
        replace(&json!({"Regex": "N{2,}"}), ""),
        replace(&json!({"String": "R"}), "N"),
        replace(&json!({"String": "TTCT"}), "A"),
        replace(&json!({"String": "TTCT"}), "ACTG"),
    ];
    match rng.random_range(0..6) {
        0..3 => Value::Null,
        3 | 4 => one(rng, &steps),
        _ => json!({"type": "Sequence", "normalizers": some(rng, &steps, 0.15)}),
    }
}

fn pre_tokenizer(rng: &mut ChaCha8Rng) -> Value {
    let behavior = one(rng, &["Isolated", "Removed", "MergedWithPrevious", "MergedWithNext", "Contiguous"]);
    let apart = split(&json!({"Regex": "[^ACGT]"}), "Isolated");
    let steps = [
        json!({"type": "Whitespace"}),
        json!({"type": "WhitespaceSplit"}),
        json!({"type": "BertPreTokenizer"}),
        json!({"type": "CharDelimiterSplit", "delimiter": "N"}),
        json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}),
        json!({"type": "Punctuation", "behavior": "Removed"}),
        json!({"type": "FixedLength", "length": 3}),
        split(&json!({"String": "N"}), behavior),
        split(&json!({"String": "-"}), behavior),
        split(&json!({"Regex": "."}), "Isolated"),
        split(&json!({"Regex": "[ACGT]{1,2}|[^ACGT]"}), "Isolated"),
        apart.clone(),
    ];
    match rng.random_range(0..6) {
        0 | 1 => Value::Null,
        2 => apart,
        3 | 4 => one(rng, &steps),
        _ => json!({"type": "Sequence", "pretokenizers": some(rng, &steps, 0.2)}),
    }
}

fn post_processor(rng: &mut ChaCha8Rng, ids: &BTreeMap<String, u64>) -> Value {
    let names: Vec<&String> = ids.keys().filter(|token| token.contains(['[', '<'])).collect();
    let Some(&any) = names.first() else { return Value::Null };
    let special =
        |rng: &mut ChaCha8Rng| json!({"SpecialToken": {"id": one(rng, &names), "type_id": rng.random_range(0..2)}});
    let sequence =
        |name: &str, rng: &mut ChaCha8Rng| json!({"Sequence": {"id": name, "type_id": rng.random_range(0..2)}});
    let entries: serde_json::Map<String, Value> = names
        .iter()
        .map(|name| ((*name).clone(), json!({"id": name, "ids": [ids[*name]], "tokens": [name]})))
        .collect();
    let around = |parts: &[&str], rng: &mut ChaCha8Rng| -> Vec<Value> {
        let mut pieces = Vec::new();
        for part in parts {
            for _ in 0..rng.random_range(0..2) {
                pieces.push(special(rng));
            }
            pieces.push(sequence(part, rng));
        }
        pieces.extend((0..rng.random_range(0..3)).map(|_| special(rng)));
        pieces
    };
    let single: &[&str] = if rng.random_bool(0.05) { one(rng, &[&["A", "A"][..], &["B"], &[]]) } else { &["A"] };
    let pair: &[&str] = one(rng, &[&["A", "B"][..], &["A", "B"], &["B", "A"], &["A"]]);
    let template = json!({
        "type": "TemplateProcessing", "single": around(single, rng), "pair": around(pair, rng), "special_tokens": entries,
    });
    let last = *names.last().unwrap_or(&any);
    let [open, close] = [json!([any, ids[any]]), json!([last, ids[last]])];
    let bytes = json!({"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true});
    let bert = json!({"type": "BertProcessing", "cls": open, "sep": close});
    let roberta =
        json!({"type": "RobertaProcessing", "cls": open, "sep": close, "trim_offsets": true, "add_prefix_space": true});
    match rng.random_range(0..7) {
        0 => Value::Null,
        1 | 2 => template,
        3 => bert,
        4 => roberta,
        5 => bytes,
        _ => json!({"type": "Sequence", "processors": some(rng, &[bytes, bert, template, roberta], 0.5)}),
    }
}

/// A file and its model type; `bare`: without other steps that affect tokenization.
fn file(rng: &mut ChaCha8Rng, bare: bool) -> (&'static str, Value) {
    let kind = one(rng, &["BPE", "BPE", "BPE", "Unigram", "Unigram", "WordPiece", "WordLevel"]);
    let names = ["[UNK]", "<unk>", "[CLS]", "<s>", "[SEP]", "</s>", "<eos>", "[PAD]", "[MASK]", "[BOS]"];
    let mut tokens: Vec<String> = some(rng, &names, 0.4).into_iter().map(str::to_owned).collect();
    let own = one(rng, &["[UNK]", "<unk>", "N", "[WHAT]"]);
    if rng.random_bool(0.5) && !tokens.iter().any(|token| token == own) {
        tokens.push(own.to_owned());
    }
    tokens.extend(["A", "C", "G", "T"].map(str::to_owned));
    let others = ["N", "R", "-", "n", "<0x4E>", "<0x52>", "<0x6E>"];
    let chance = one(rng, &[0.1, 0.6]);
    tokens.extend(some(rng, &others, chance).into_iter().map(str::to_owned));
    if kind == "WordPiece" {
        tokens.extend(["##A", "##C", "##G", "##T"].map(str::to_owned));
        tokens.extend(some(rng, &["##N", "##ACA", "ACG", "##R"], 0.4).into_iter().map(str::to_owned));
    }
    let mut merges = Vec::new();
    if kind != "WordPiece" {
        let letters: Vec<String> = tokens.iter().filter(|token| token.len() == 1).cloned().collect();
        let mut parts = letters.clone();
        for _ in 0..rng.random_range(0..8) {
            let pair = [one(rng, &parts), one(rng, &parts)];
            parts.push(pair.concat());
            tokens.push(pair.concat());
            merges.push(pair);
        }
    }
    let mut seen = std::collections::HashSet::new();
    tokens.retain(|token| seen.insert(token.clone()));
    merges.dedup();
    let shuffled = rng.random_bool(0.3);
    if shuffled {
        let places = rng.random_range(0..tokens.len());
        tokens.rotate_left(places);
    }
    let ids: BTreeMap<String, u64> = tokens.iter().cloned().zip(0..).collect();
    let unknown = if rng.random_bool(0.7) { json!(own) } else { Value::Null };
    let fallback = rng.random_bool(0.3);
    let model = match kind {
        "BPE" => json!({
            "type": kind, "dropout": null, "unk_token": unknown, "continuing_subword_prefix": null, "end_of_word_suffix": null,
            "fuse_unk": rng.random_bool(0.3), "byte_fallback": fallback, "ignore_merges": rng.random_bool(0.2),
            "vocab": ids, "merges": merges,
        }),
        "Unigram" => {
            let scored: Vec<Value> =
                tokens.iter().map(|token| json!([token, -f64::from(rng.random_range(1..40u8)) / 8.0])).collect();
            let place = unknown.as_str().and_then(|own| ids.get(own));
            json!({"type": kind, "unk_id": place, "vocab": scored, "byte_fallback": fallback})
        }
        "WordPiece" => json!({
            "type": kind, "unk_token": own, "continuing_subword_prefix": "##", "max_input_chars_per_word": 1_000_000, "vocab": ids,
        }),
        _ => json!({"type": kind, "unk_token": own, "vocab": ids}),
    };
    let mut added = Vec::new();
    let more = ["N", "R", "NN", "AN", "ACG", "-", "[BOS]", "[CLS]", "<s>", "XX", "n"];
    let chance = if bare { 0.0 } else { one(rng, &[0.0, 0.2]) };
    for token in some(rng, &more, chance) {
        let beyond = tokens.len() as u64
            + added.iter().filter(|t: &&Value| t["id"].as_u64() >= Some(tokens.len() as u64)).count() as u64;
        added.push(json!({
            "id": ids.get(token).copied().unwrap_or(beyond), "content": token, "single_word": rng.random_bool(0.2),
            "lstrip": rng.random_bool(0.2), "rstrip": rng.random_bool(0.2), "normalized": rng.random_bool(0.5),
            "special": rng.random_bool(0.5),
        }));
    }
    let post = post_processor(rng, &ids);
    let steps = if bare { [Value::Null, Value::Null] } else { [normalizer(rng), pre_tokenizer(rng)] };
    let file = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added, "normalizer": steps[0],
        "pre_tokenizer": steps[1], "post_processor": post, "decoder": null, "model": model,
    });
    (kind, file)
}

fn text(rng: &mut ChaCha8Rng) -> String {
    let letters = one(rng, &["ACGT", "ACGTN", "ACGTACGTACGTN", "ACGTNRn", "NNNAC"]);
    let length = rng.random_range(0..24);
    (0..length).map(|_| char::from(letters.as_bytes()[rng.random_range(0..letters.len())])).collect()
}

fn bases(text: &[u8]) -> Vec<u8> {
    text.iter().copied().filter(|letter| b"ACGT".contains(letter)).collect()
}

/// Asserts that tokens are in order and inside the text. Returns which letters they cover.
#[track_caller]
fn covered(tokens: &[Token], text: &str, what: &str) -> Vec<bool> {
    let (mut end, mut covered) = (0, vec![false; text.len()]);
    for token in tokens {
        assert!(
            end <= token.start && token.start < token.end && token.end as usize <= text.len(),
            "{what}: {tokens:?}"
        );
        covered[token.start as usize..token.end as usize].fill(true);
        end = token.end;
    }
    covered
}

/// Asserts the properties of a text that is not refused.
fn check(tokenizer: &HuggingFace, theirs: &HfTokenizer, text: &str, what: &str) {
    let mut tokens = Vec::new();
    tokenizer.encode(text.as_bytes(), &mut tokens);
    let all = covered(&tokens, text, what);
    assert!(all.iter().all(|&covered| covered), "{what}: a letter is lost: {tokens:?}");
    let ids: Vec<u32> = tokens.iter().map(|token| tokenizer.file_ids()[token.id as usize].expect(what)).collect();
    let expected = theirs.encode(text, false).expect(what);
    assert_eq!(ids, expected.get_ids(), "{what}");
    // Decoding from ids alone.
    let own: Vec<u32> = ids.iter().map(|&id| tokenizer.own_id(id).expect(what)).collect();
    assert!(own.iter().eq(tokens.iter().map(|token| &token.id)), "{what}");
    let decoded: Vec<u8> = own.iter().flat_map(|&id| tokenizer.spelling(id).to_vec()).collect();
    let normal = |text: &[u8]| -> Vec<u8> {
        let mut normal = NormalizedString::from(std::str::from_utf8(text).unwrap());
        theirs.get_normalizer().map_or(Ok(()), |normalizer| normalizer.normalize(&mut normal)).unwrap();
        normal.get().as_bytes().to_vec()
    };
    let odd = |token: &AddedToken| !token.normalized || normal(token.content.as_bytes()) != token.content.as_bytes();
    if theirs.get_normalizer().is_none() || !theirs.get_added_tokens_decoder().values().any(odd) {
        // A prefix that is added and removed again is not in the result.
        let (expected, again) = (normal(text.as_bytes()), normal(&decoded));
        let right = |found: &[u8]| bases(found) == bases(&expected) && (own.contains(&UNK) || found == expected);
        assert!(right(&decoded) || right(&again), "{what}: {}", String::from_utf8_lossy(&decoded));
    }
    if theirs.get_normalizer().is_none() {
        for token in &tokens {
            let span = &text.as_bytes()[token.start as usize..token.end as usize];
            let spelled = tokenizer.spelling(token.id);
            assert!(token.id == UNK && bases(span).is_empty() || spelled == span, "{what}: {token:?}");
        }
    }
}

/// Compares model inputs for one sequence and for two.
fn compare_model_inputs(tokenizer: &HuggingFace, theirs: &HfTokenizer, texts: [&str; 2], what: &str) -> usize {
    let mut compared = 0;
    let listed = |encoding: tokenizers::Encoding| -> Vec<(u32, u32)> {
        encoding.get_ids().iter().copied().zip(encoding.get_type_ids().iter().copied()).collect()
    };
    if tokenizer.single().is_ok() {
        let expected = listed(theirs.encode(texts[0], true).expect(what));
        assert_eq!(tokenizer.input(texts[0].as_bytes(), None).expect(what), expected, "{what}");
        compared += 1;
    }
    if tokenizer.pair().is_ok() {
        let expected = listed(theirs.encode((texts[0], texts[1]), true).expect(what));
        let input = tokenizer.input(texts[0].as_bytes(), Some(texts[1].as_bytes())).expect(what);
        assert_eq!(input, expected, "{what}");
        compared += 1;
    }
    compared
}

#[test]
fn ids_equal_the_tokenizers_crate_or_the_text_is_refused() {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let mut loaded: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut accepted, mut inputs, mut reasons) = (0, 0, Vec::new());
    for _ in 0..6_000 {
        let (kind, json) = file(&mut rng, false);
        let bytes = json.to_string().into_bytes();
        let Ok(tokenizer) = HuggingFace::from_json("mine".to_owned(), &bytes, "mine.json") else { continue };
        *loaded.entry(kind).or_default() += 1;
        let theirs = HfTokenizer::from_bytes(&bytes).unwrap();
        let mut whole = Vec::new();
        for _ in 0..12 {
            let text = text(&mut rng);
            let what = format!("{text} in {json}");
            match tokenizer.refusal(text.as_bytes()) {
                None => {
                    check(&tokenizer, &theirs, &text, &what);
                    accepted += 1;
                    whole.push(text);
                }
                Some(refusal) => {
                    assert!(refusal.position < text.len(), "{what}");
                    reasons.push(refusal.reason);
                    let mut tokens = Vec::new();
                    tokenizer.encode(text.as_bytes(), &mut tokens);
                    covered(&tokens, &text, &what);
                    for token in tokens.iter().filter(|token| tokenizer.vocabulary().is_dna(token.id)) {
                        let span = &text.as_bytes()[token.start as usize..token.end as usize];
                        let plain = json["normalizer"].is_null();
                        assert!(!plain || tokenizer.vocabulary().bases(token.id) == Some(span), "{what}: {token:?}");
                    }
                }
            }
        }
        if let [.., first, second] = whole.as_slice() {
            inputs += compare_model_inputs(&tokenizer, &theirs, [first, second], &json.to_string());
        }
    }
    println!("{loaded:?}, {accepted} texts accepted, {} refused, {inputs} model inputs", reasons.len());
    assert!(["BPE", "Unigram", "WordPiece", "WordLevel"].iter().all(|kind| loaded[kind] > 20), "{loaded:?}");
    assert!(accepted > 10_000 && inputs > 1_000, "{accepted} {inputs}");
    for reason in [RefusalReason::NoToken, RefusalReason::AbsorbsBases, RefusalReason::Dropped, RefusalReason::Changed]
    {
        assert!(reasons.contains(&reason), "{reason:?}");
    }
}

/// Our ids map one to one to those of the file, and all tokens are listed.
#[test]
fn every_format_of_a_file_has_its_ids_or_is_refused() {
    let mut rng = ChaCha8Rng::seed_from_u64(12);
    let mut forms: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let same = |one: &HuggingFace, other: &HuggingFace, texts: &[String], what: &str| {
        for text in texts {
            assert_eq!(one.refusal(text.as_bytes()), other.refusal(text.as_bytes()), "{text}: {what}");
            let ids = |tokenizer: &HuggingFace| -> Vec<(Option<u32>, u32, u32)> {
                let mut tokens = Vec::new();
                tokenizer.encode(text.as_bytes(), &mut tokens);
                let known = |token: &Token| (tokenizer.file_ids()[token.id as usize], token.start, token.end);
                tokens.iter().map(known).collect()
            };
            assert_eq!(ids(one), ids(other), "{text}: {what}");
        }
    };
    for number in 0..4_000 {
        let (kind, json) = file(&mut rng, number % 2 == 0);
        let bytes = json.to_string().into_bytes();
        let Ok(tokenizer) = HuggingFace::from_json("mine".to_owned(), &bytes, "mine.json") else { continue };
        let what = json.to_string();
        let read = |json: &[u8]| HuggingFace::from_json("mine".to_owned(), json, "mine.json");
        let texts: Vec<String> = (0..6).map(|_| text(&mut rng)).collect();
        let file = File::parse(&bytes, "mine.json").unwrap();
        same(&tokenizer, &read(&file.to_json()).expect(&what), &texts, &what);
        // Every token is listed, in the order of ids.
        let mut all: Vec<(u32, String)> =
            tokenizer.inner().get_vocab(true).into_iter().map(|(token, id)| (id, token)).collect();
        all.sort();
        assert!(all.iter().map(|(id, _)| Some(*id)).eq({
            let mut ids: Vec<Option<u32>> = tokenizer.file_ids().iter().copied().filter(Option::is_some).collect();
            ids.sort_unstable();
            ids
        }));
        assert!(all.iter().all(|(id, _)| tokenizer.file_ids()[tokenizer.own_id(*id).unwrap() as usize] == Some(*id)));
        let listed: Vec<&str> = all.iter().map(|(_, token)| token.as_str()).collect();
        assert_eq!(file.to_lines().unwrap().lines().collect::<Vec<_>>(), listed, "{what}");
        *forms.entry((kind, "text")).or_default() += 1;
        if let Ok([vocab, merges]) = file.to_vocab_merges() {
            let back = File::from_vocab_merges(&vocab, std::str::from_utf8(&merges).unwrap(), "pair").expect(&what);
            same(&tokenizer, &read(&back.to_json()).expect(&what), &texts, &what);
            *forms.entry((kind, "vocab-merges")).or_default() += 1;
        }
        if let Ok(first) = file.first(file.tokens().len() - 1)
            && let Ok(smaller) = read(&first.to_json())
        {
            assert_eq!(first.tokens().len(), file.tokens().len() - 1, "{what}");
            assert!(first.tokens().iter().all(|(id, token)| file.tokens().get(id) == Some(token)), "{what}");
            assert_eq!(smaller.file_ids().iter().flatten().count(), first.tokens().len(), "{what}");
            *forms.entry((kind, "first")).or_default() += 1;
        }
    }
    println!("{forms:?}");
    assert!(["BPE", "Unigram", "WordPiece", "WordLevel"].iter().all(|kind| forms[&(*kind, "text")] > 3), "{forms:?}");
    assert!(forms[&("BPE", "vocab-merges")] > 20 && forms[&("BPE", "first")] > 20, "{forms:?}");
    assert_eq!(forms.iter().filter(|((_, form), _)| *form != "text").count(), 2, "only a BPE has merges: {forms:?}");
}
