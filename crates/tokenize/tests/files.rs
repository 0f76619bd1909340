//! Invalid `tokenizer.json` files: error messages, and that nothing panics.

use bpe::train::{Options, train};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use tokenize::huggingface::{HuggingFace, to_json};
use tokenize::{Error, decode, registry};

/// A valid file of this family.
fn file(name: &str) -> Value {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let text: Vec<u8> = (0..20_000).map(|_| b"AATTACGTTA"[rng.random_range(0..10)]).collect();
    let tokenizer = registry::builtin().parse(name).unwrap().fit(&mut text.chunks(1_000)).unwrap();
    serde_json::from_slice(&tokenizer.save().unwrap()).unwrap()
}

fn read(bytes: &[u8]) -> Result<HuggingFace, Error> {
    Ok(HuggingFace::from_json("mine".to_owned(), bytes, "mine.json")?)
}

/// The error and the help of an invalid file.
#[track_caller]
fn error_of(bytes: &[u8]) -> String {
    let error = read(bytes).expect_err("an error");
    let remedy = error.remedy().expect("a remedy");
    assert!(error.to_string().starts_with("mine.json: "), "{error}");
    assert!(remedy.len() > 10, "{remedy}");
    format!("{error} / {remedy}")
}

/// The error after a change to a valid file.
#[track_caller]
fn changed(name: &str, change: impl FnOnce(&mut Value)) -> String {
    let mut json = file(name);
    change(&mut json);
    error_of(json.to_string().as_bytes())
}

#[track_caller]
fn contains(message: &str, words: &[&str]) {
    for word in words {
        assert!(message.contains(word), "{word:?} is not in {message:?}");
    }
}

#[test]
fn invalid_json() {
    contains(&error_of(b""), &["invalid JSON", "line 1 column 0", "truncated"]);
    contains(
        &error_of(b"{\n  \"model\": {\"type\": \"B"),
        &["unexpected end of file at line 2 column 22", "download it again"],
    );
    contains(&error_of(b"{\"version\": \"1.0\",\n}"), &["invalid JSON", "line 2 column 1"]);
    contains(&error_of(b">chr1\nACGT\n"), &["invalid JSON", "line 1 column 1", "tokenizer.json"]);
    contains(&error_of(b"\xFF\xFE{\0"), &["it is UTF-16", "iconv -f UTF-16"]);
    contains(&error_of(b"\xFA{"), &["invalid JSON"]);
    contains(&error_of(&[b'['; 100_000]), &["invalid JSON", "recursion limit"]);
    contains(&error_of(b"{} {}"), &["invalid JSON", "trailing characters at line 1 column 4"]);
}

/// A letter with neither a token nor an unknown token is refused where ids of the file are needed, and does not affect adjacent bases.
#[test]
fn letters_without_an_id() {
    for name in ["bpe64", "wordpiece64", "unigram64"] {
        let whole = read(file(name).to_string().as_bytes()).unwrap();
        assert_eq!(whole.first_refused(b"ACGNTTA"), None, "{name}");
        let mut json = file(name);
        let model = &mut json["model"];
        match name {
            "unigram64" => model["unk_id"] = Value::Null,
            _ => model["unk_token"] = json!("[NOPE]"),
        }
        let Ok(tokenizer) = read(json.to_string().as_bytes()) else { continue };
        assert_eq!(tokenizer.first_refused(b"ACGTTA"), None, "{name}");
        assert_eq!(tokenizer.first_refused(b"ACGNTTA"), Some(3), "{name}");
        let mut tokens = Vec::new();
        tokenizer.encode(b"ACGNTTA", &mut tokens);
        assert_eq!(decode(&tokens, tokenizer.vocabulary()), b"ACGNTTA", "{name}");
    }
    let mut json = file("bpe64");
    json["model"]["unk_token"] = json!("[NOPE]");
    assert!(read(json.to_string().as_bytes()).unwrap().first_refused(b"N").is_some());
    // The result for a letter depends on its neighbors.
    let mut json = file("unigram64");
    json["model"]["unk_id"] = Value::Null;
    json["model"]["vocab"].as_array_mut().unwrap().push(json!(["-", -3.0]));
    json["normalizer"] = json!({"type": "Replace", "pattern": {"Regex": "N{2,}"}, "content": "-"});
    let tokenizer = read(json.to_string().as_bytes()).unwrap();
    assert_eq!((tokenizer.first_refused(b"ACGNNAC"), tokenizer.first_refused(b"ACGNAC")), (None, Some(3)));
}

/// Other letters have the ids of the `tokenizers` crate, whatever the file.
#[test]
fn other_letters_as_in_the_tokenizers_crate() {
    let replace = |pattern: Value, content: &str| json!({"type": "Replace", "pattern": pattern, "content": content});
    let normalizers = [
        Value::Null,
        replace(json!({"String": "N"}), "A"),
        replace(json!({"String": "N"}), ""),
        replace(json!({"Regex": "N{2,}"}), "-"),
        replace(json!({"Regex": "N{2}{1,0}"}), "A"),
    ];
    let mut compared = 0;
    for name in ["bpe64", "wordpiece64", "unigram64"] {
        for normalizer in &normalizers {
            for extra in [&[][..], &["N"], &["N", "##N"], &["NA", "-"], &["<unk>"]] {
                let mut json = file(name);
                json["normalizer"] = normalizer.clone();
                for (number, token) in extra.iter().enumerate() {
                    match &mut json["model"]["vocab"] {
                        Value::Object(vocab) => drop(vocab.insert((*token).to_owned(), json!(64 + number))),
                        Value::Array(vocab) => vocab.push(json!([token, -3.0])),
                        _ => unreachable!(),
                    }
                }
                let Ok(tokenizer) = read(json.to_string().as_bytes()) else { continue };
                let ids = tokenizer.file_ids();
                for text in ["ACGTNACGT", "NACG", "ACGNN", "NNN", "ACNNAGT", "N", "ACGTACGT", "ANCNGNT", "ACRGT"] {
                    let theirs = tokenizer.inner().encode(text, false).unwrap();
                    let mut tokens = Vec::new();
                    tokenizer.encode(text.as_bytes(), &mut tokens);
                    let ours: Vec<u32> = tokens.iter().map(|token| ids[token.id as usize].unwrap()).collect();
                    assert_eq!(ours, theirs.get_ids(), "{name} {normalizer} {extra:?} {text}");
                    compared += 1;
                }
            }
        }
    }
    assert!(compared > 300, "{compared}");
}

/// Added tokens are searched for in their normalized form.
#[test]
fn added_tokens_that_become_dna() {
    let normalizers = [
        ("ACGTACGTA ", json!({"type": "Strip", "strip_left": true, "strip_right": true})),
        ("ACGTACGTA1", json!({"type": "Replace", "pattern": {"String": "1"}, "content": ""})),
        ("1", json!({"type": "Replace", "pattern": {"String": "1"}, "content": "ACGTACGTA"})),
    ];
    for (content, normalizer) in normalizers {
        let mut json = file("bpe64");
        json["normalizer"] = normalizer;
        json["added_tokens"].as_array_mut().unwrap().push(json!({
            "id": 64, "content": content, "single_word": false, "lstrip": false, "rstrip": false, "normalized": true,
            "special": false
        }));
        let tokenizer = read(json.to_string().as_bytes()).unwrap();
        let text = "TTACGTACGTACGTACGTTT";
        let theirs = tokenizer.inner().encode(text, false).unwrap();
        assert!(theirs.get_ids().contains(&64), "{content}");
        let (mut tokens, ids) = (Vec::new(), tokenizer.file_ids());
        tokenizer.encode(text.as_bytes(), &mut tokens);
        assert!(
            tokens.iter().map(|token| ids[token.id as usize].unwrap()).eq(theirs.get_ids().iter().copied()),
            "{content}"
        );
    }
}

/// Files with which the `tokenizers` crate would not terminate, would be ambiguous, would change ids, or would repeat a sequence.
#[test]
fn unsupported_added_tokens_and_post_processors() {
    let added = |tokens: &[(&str, u64)], normalizer: Value| {
        changed("bpe64", |file| {
            file["normalizer"] = normalizer;
            let list = file["added_tokens"].as_array_mut().unwrap();
            list.extend(tokens.iter().map(|(content, id)| {
                json!({"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
                       "normalized": true, "special": true})
            }));
        })
    };
    let replace = |content: &str| json!({"type": "Replace", "pattern": {"String": "R"}, "content": content});
    contains(&added(&[("R", 64)], replace("")), &["changes an added token to an empty text", "\"normalized\""]);
    contains(&added(&[("R", 64), ("N", 65)], replace("N")), &["changes two added tokens to \"N\"", "\"normalized\""]);
    contains(&added(&[("R", 70)], Value::Null), &["gives the added token \"R\" the id 70", "gives it 64"]);
    let single =
        |parts: &[Value]| changed("bpe64", |file| file["post_processor"]["single"] = parts.iter().cloned().collect());
    let part = |name: &str| json!({"Sequence": {"id": name, "type_id": 0}});
    contains(&single(&[]), &["contains sequence A 0 times, not once", "set it to null"]);
    contains(&single(&[part("A"), part("A")]), &["contains sequence A 2 times, not once"]);
    contains(&single(&[part("A"), part("B")]), &["uses a second sequence in the template for one"]);
    // Unsupported with special ids, but supported without them.
    let mut json = file("bpe64");
    json["post_processor"]["special_tokens"] = json!({});
    let tokenizer = read(json.to_string().as_bytes()).unwrap();
    let message = tokenizer.single().unwrap_err().to_string();
    assert!(message.contains("uses \"[CLS]\""), "{message}");
    assert!(tokenizer.pair().is_err() && tokenizer.input(b"ACGT", None).is_err());
}

/// An unknown token that occurs in merges absorbs adjacent letters.
#[test]
fn unknown_tokens_that_are_merged_are_refused() {
    let mut json = file("bpe64");
    json["model"]["unk_token"] = json!("N");
    json["model"]["vocab"]["N"] = json!(64);
    json["model"]["vocab"]["NA"] = json!(65);
    json["model"]["merges"].as_array_mut().unwrap().insert(0, json!(["N", "A"]));
    let tokenizer = read(json.to_string().as_bytes()).unwrap();
    assert_eq!(
        (tokenizer.first_refused(b"CNAC"), tokenizer.first_refused(b"CRCA"), tokenizer.first_refused(b"CRAC")),
        (None, None, Some(1))
    );
    let theirs = tokenizer.inner().encode("CRCNA", false).unwrap();
    let mut tokens = Vec::new();
    tokenizer.encode(b"CRCNA", &mut tokens);
    let ids = tokenizer.file_ids();
    assert!(tokens.iter().map(|token| ids[token.id as usize]).eq(theirs.get_ids().iter().map(|&id| Some(id))));
    tokenizer.encode(b"CRACA", &mut tokens);
    assert_eq!(decode(&tokens, tokenizer.vocabulary()), b"CNACA");
}

/// A token of a million bases.
#[test]
fn very_long_tokens() {
    let options = Options { vocabulary: 29, chunk_length: 0, ..Options::default() };
    let learned = train([vec![b'A'; 3_000_000]], &options, &mut |_| true).unwrap();
    let json = to_json(&learned);
    let tokenizer = read(&json).unwrap();
    assert_eq!(learned.tokens.iter().map(Vec::len).max(), Some(1 << 20));
    let marked = read(&["\u{feff}".as_bytes(), &json].concat()).unwrap();
    let text = vec![b'A'; 70_001];
    let mut tokens = Vec::new();
    for tokenizer in [tokenizer, marked] {
        tokenizer.encode(&text, &mut tokens);
        let lengths: Vec<u32> = tokens.iter().map(|token| token.end - token.start).collect();
        assert_eq!(lengths, [65_536, 4_096, 256, 64, 32, 16, 1]);
    }
}

#[test]
fn files_that_are_not_tokenizers() {
    contains(&error_of(b"[]"), &["expected an object, found an array"]);
    contains(&error_of(b"{\"hello\": 1}"), &["missing \"model\""]);
    contains(&error_of(b"{\"model\": \"BPE\"}"), &["\"model\": expected an object, found a string"]);
    let kind = changed("bpe64", |file| file["model"]["type"] = json!("BytePair"));
    contains(&kind, &["unknown model type \"BytePair\"", "BPE, Unigram, WordPiece, WordLevel"]);
    contains(
        &changed("bpe64", |file| file["model"]["type"] = json!(7)),
        &["model \"type\": expected a string, found a number"],
    );
    contains(&changed("bpe64", |file| file["added_tokens"] = json!(3)), &["not a valid tokenizer"]);
    contains(&changed("bpe64", |file| file["normalizer"] = json!({"type": "None"})), &["not a valid tokenizer"]);
}

#[test]
fn vocabularies() {
    let vocab = |name: &str, vocab: Value| changed(name, |file| file["model"]["vocab"] = vocab);
    for name in ["bpe64", "wordpiece64"] {
        contains(&vocab(name, json!(3)), &["\"vocab\": expected an object, found a number", "\"A\": 5"]);
        contains(&vocab(name, json!([])), &["expected an object, found an array"]);
        contains(&vocab(name, Value::Null), &["missing \"vocab\" in the model"]);
        let id = |id: Value| changed(name, |file| file["model"]["vocab"]["A"] = id);
        contains(
            &id(json!("5")),
            &["id of \"A\": expected a non-negative integer, found a string", "from 0 to 4294967295"],
        );
        contains(&id(json!(-3)), &["id of \"A\": expected a non-negative integer, found -3"]);
        contains(&id(json!(2.5)), &["id of \"A\": expected a non-negative integer, found 2.5"]);
        contains(&id(json!(4_294_967_296u64)), &["id of \"A\": 4294967296 exceeds u32"]);
        contains(&id(json!(6)), &["\"A\" and \"C\" have the same id, 6", "a distinct id"]);
    }
    contains(
        &vocab("unigram64", json!({"A": 5})),
        &["expected an array of tokens and scores, found an object", "[\"A\", -1.5]"],
    );
    contains(&vocab("unigram64", Value::Null), &["missing \"vocab\" in the model"]);
    let entry = |entry: Value| changed("unigram64", |file| file["model"]["vocab"][7] = entry);
    contains(&entry(json!("A")), &["vocabulary entry 7: expected a token and a score"]);
    contains(&entry(json!(["A"])), &["entry 7"]);
    contains(&entry(json!(["A", "high"])), &["score of \"A\" (entry 7): expected a number, found a string"]);
    contains(&entry(json!(["A", null])), &["expected a number, found null"]);
    contains(&entry(json!(["[CLS]", -1.0])), &["duplicate token \"[CLS]\" in the vocabulary: entries 1 and 7"]);
}

#[test]
fn gaps_between_ids_are_no_error() {
    let mut json = file("bpe64");
    json["model"]["vocab"]["TT"] = json!(4_000_000_000u32);
    assert_eq!(read(json.to_string().as_bytes()).unwrap().vocabulary().len(), 64);
}

#[test]
fn duplicate_keys() {
    let json = serde_json::to_string_pretty(&file("bpe64")).unwrap();
    let twice = json.replacen("\"A\": 5,", "\"A\": 5,\n      \"A\": 9000,", 1);
    assert_ne!(json, twice);
    let line = twice.lines().position(|line| line.contains("9000")).unwrap() + 1;
    contains(&error_of(twice.as_bytes()), &["duplicate key \"A\" in one object", &format!("line {line}"), "keep one"]);
    // Also with an escape sequence.
    let twice = json.replacen("\"A\": 5,", "\"A\": 5,\n      \"\\u0041\": 5,", 1);
    contains(&error_of(twice.as_bytes()), &["duplicate key \"A\""]);
    let model = json.replacen("\"version\"", "\"model\": {},\n  \"version\"", 1);
    contains(&error_of(model.as_bytes()), &["duplicate key \"model\""]);
}

#[test]
fn merges() {
    let merges = |merges: Value| changed("bpe64", |file| file["model"]["merges"] = merges);
    let merge = |number: usize, merge: Value| changed("bpe64", |file| file["model"]["merges"][number] = merge);
    contains(&merges(Value::Null), &["missing \"merges\" in the BPE model", "[\"A\", \"C\"]"]);
    contains(&merges(json!("A C")), &["\"merges\": expected an array, found a string"]);
    contains(&merge(2, json!(7)), &["merge 3: expected two tokens", "found 7"]);
    contains(&merge(2, json!(["A", "C", "G"])), &["merge 3: expected two tokens", "found [\"A\",\"C\",\"G\"]"]);
    contains(&merge(2, json!("A C")), &["merge 3: expected two tokens in the form of the first merge, found \"A C\""]);
    contains(&merges(json!(["A A", "A C G"])), &["merge 2: expected two tokens", "found \"A C G\""]);
    let unknown = merge(2, json!(["A", "X"]));
    contains(&unknown, &["merge 3 joins \"A\" and \"X\", but \"X\" is not in the vocabulary", "from the same file"]);
    contains(&merge(0, json!(["X", "A"])), &["merge 1", "\"X\" is not in the vocabulary"]);
    let result = changed("bpe64", |file| {
        file["model"]["vocab"].as_object_mut().unwrap().remove("TTA");
        file["model"]["merges"] = json!([["T", "T"], ["TT", "A"]]);
    });
    contains(&result, &["merge 2 creates \"TTA\", which is not in the vocabulary"]);
    let twice = changed("bpe64", |file| {
        let first = file["model"]["merges"][0].clone();
        file["model"]["merges"].as_array_mut().unwrap().push(first);
    });
    contains(&twice, &["merges 1 and 56 are identical", "keep the first"]);
    let prefix = changed("bpe64", |file| file["model"]["continuing_subword_prefix"] = json!("##"));
    contains(&prefix, &["merge 1 joins", "does not start with \"##\""]);
    // The notation of older files.
    let mut json = file("bpe64");
    json["model"]["merges"] = json!(["#version: 0.2", "T T", "A A"]);
    read(json.to_string().as_bytes()).unwrap();
}

#[test]
fn alphabets() {
    let without = |name: &str, token: &str| {
        changed(name, |file| {
            file["model"]["vocab"].as_object_mut().unwrap().remove(token);
            file["model"]["merges"] = json!([]);
        })
    };
    contains(&without("bpe64", "G"), &["missing tokens for single bases: G", "upper-case DNA"]);
    contains(&without("wordpiece64", "G"), &["missing tokens for single bases: G / "]);
    contains(&without("wordpiece64", "##G"), &["missing tokens for single bases: ##G"]);
    let lower = changed("unigram64", |file| {
        for entry in file["model"]["vocab"].as_array_mut().unwrap().iter_mut().skip(5) {
            entry[0] = json!(entry[0].as_str().unwrap().to_lowercase());
        }
    });
    contains(&lower, &["missing tokens for single bases: A, C, G, T"]);
}

#[test]
fn tokens_that_do_not_spell_the_text() {
    let lower = |name: &str| changed(name, |file| file["normalizer"] = json!({"type": "Lowercase"}));
    for name in ["bpe64", "unigram64"] {
        contains(
            &lower(name),
            &["encodes DNA as unknown tokens or drops bases", "the first token of AAAAACAA is [UNK]"],
        );
    }
    let metaspace = json!({"type": "Metaspace", "replacement": "_", "prepend_scheme": "always", "split": true});
    contains(
        &changed("bpe64", |file| file["pre_tokenizer"] = metaspace),
        &["encodes DNA as unknown tokens", "the first token of"],
    );
    let digits = json!({"type": "Split", "pattern": {"Regex": "A"}, "behavior": "Removed", "invert": false});
    contains(
        &changed("bpe64", |file| file["pre_tokenizer"] = digits),
        &["encodes DNA as unknown tokens", "the first token of"],
    );
    // A WordPiece model makes whole words unknown, so word boundaries must be known.
    contains(&lower("wordpiece64"), &["known to keep A, C, G, T unchanged", "\"Whitespace\""]);
    let most = |most: Value| changed("wordpiece64", |file| file["model"]["max_input_chars_per_word"] = most);
    contains(&most(json!(100)), &["sequences of more than 100 bases become unknown", "set it to 4294967295"]);
    contains(&most(Value::Null), &["\"max_input_chars_per_word\": expected a number"]);
    let prefix = changed("wordpiece64", |file| file["model"]["continuing_subword_prefix"] = json!(1));
    contains(&prefix, &["missing \"continuing_subword_prefix\""]);
    contains(&changed("bpe64", |file| file["model"]["dropout"] = json!(0.1)), &["dropout", "null"]);
}

/// A pattern that can be empty matches between all bases, so that there are no tokens of two bases.
#[test]
fn a_pattern_that_can_be_empty_is_not_supported_by_the_engine() {
    let mut json = file("bpe64");
    json["pre_tokenizer"] =
        json!({"type": "Split", "pattern": {"Regex": "N{0,3}"}, "behavior": "Isolated", "invert": false});
    let tokenizer = read(json.to_string().as_bytes()).unwrap();
    let (mut ours, text) = (Vec::new(), "ACGTTTAATTA");
    tokenizer.encode(text.as_bytes(), &mut ours);
    let theirs = tokenizer.inner().encode(text, false).unwrap();
    assert_eq!(ours.iter().map(|token| token.id).collect::<Vec<_>>(), theirs.get_ids());
}

/// A damaged file gives an error or a tokenizer, never a panic.
#[test]
fn damaged_files_never_panic() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    for name in ["bpe64", "unigram64", "wordpiece64"] {
        let json = file(name);
        let bytes = json.to_string().into_bytes();
        let whole = read(&bytes).unwrap();
        assert_eq!(whole.vocabulary().len(), 64);
        for length in 0..bytes.len() {
            let error = read(&bytes[..length]).expect_err("a truncated file");
            assert!(error.to_string().contains("invalid JSON"), "{error}");
        }
        let mut valid = 0;
        for _ in 0..3_000 {
            let mut bytes = bytes.clone();
            for _ in 0..rng.random_range(1..4) {
                let place = rng.random_range(0..bytes.len());
                match rng.random_range(0..4) {
                    0 => bytes[place] ^= 1 << rng.random_range(0..8),
                    1 => bytes[place] = b"0123456789-{}[]\",:ACGT#"[rng.random_range(0..23)],
                    2 => drop(bytes.remove(place)),
                    _ => {
                        let end = (place + rng.random_range(1..40)).min(bytes.len());
                        bytes.extend_from_within(place..end);
                        let tail = bytes.split_off(bytes.len() - (end - place));
                        bytes.splice(place..place, tail);
                    }
                }
            }
            if let Ok(tokenizer) = read(&bytes) {
                valid += 1;
                let mut tokens = Vec::new();
                tokenizer.encode(b"ACGTTACGATTACANACG\xFFTACGTTAAAAAAAAA", &mut tokens);
                assert!(tokens.windows(2).all(|pair| pair[0].start <= pair[1].start));
                for id in tokenizer.vocabulary().ids().take(20) {
                    let _ = tokenizer.may_follow(id, 7);
                }
            }
        }
        println!("{name}: {valid} of 3000 are still tokenizers");
        // Other values at every position of the file.
        for value in
            [Value::Null, json!(true), json!(-1), json!(1e300), json!("A"), json!([]), json!({}), json!([["A"]])]
        {
            for path in paths(&json) {
                let mut json = json.clone();
                *json.pointer_mut(&path).unwrap() = value.clone();
                drop(read(json.to_string().as_bytes()));
            }
        }
    }
}

/// JSON pointers to every value of a file; of long arrays the first few.
fn paths(value: &Value) -> Vec<String> {
    let children: Vec<(String, &Value)> = match value {
        Value::Array(list) => list.iter().take(8).enumerate().map(|(i, value)| (i.to_string(), value)).collect(),
        Value::Object(map) => {
            map.iter().take(16).map(|(key, value)| (key.replace('~', "~0").replace('/', "~1"), value)).collect()
        }
        _ => Vec::new(),
    };
    let below =
        children.into_iter().flat_map(|(key, value)| paths(value).into_iter().map(move |path| format!("/{key}{path}")));
    std::iter::once(String::new()).chain(below).collect()
}

/// As in GENA's files, where one token stands for a run of N.
#[test]
fn letters_joined_by_a_normalizer_are_not_lost() {
    let mut json = file("bpe64");
    json["normalizer"] = json!({"type": "Replace", "pattern": {"Regex": "N{3,}"}, "content": "-"});
    json["pre_tokenizer"] =
        json!({"type": "Split", "pattern": {"String": "-"}, "behavior": "Isolated", "invert": false});
    let tokenizer = read(json.to_string().as_bytes()).unwrap();
    let mut tokens = Vec::new();
    for (text, joined) in [("ANNNNNC", (1, 6)), ("NNNN", (0, 4)), ("NNNNC", (0, 4)), ("ANNN", (1, 4)), ("ANNC", (1, 2))]
    {
        tokenizer.encode(text.as_bytes(), &mut tokens);
        assert!(tokens.iter().any(|token| (token.start, token.end) == joined), "{text}: {tokens:?}");
        let covered = tokens.iter().fold(0, |covered, token| if token.start == covered { token.end } else { 99 });
        assert_eq!(covered as usize, text.len(), "{text}: {tokens:?}");
    }
}

#[test]
fn files_that_cannot_encode_dna_are_refused() {
    let mut json = file("bpe64");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    let open = |json: &Value| {
        std::fs::write(&path, json.to_string()).unwrap();
        registry::builtin()
            .parse(&format!("file:{}", path.display()))
            .map(|recipe| recipe.name)
            .map_err(|error| error.to_string())
    };
    assert!(open(&json).unwrap().starts_with("file:tokenizer@"));
    json["normalizer"] = json!({"type": "Lowercase"});
    assert!(open(&json).unwrap_err().contains("encodes DNA as unknown tokens"));
    json["normalizer"] = Value::Null;
    json["model"]["dropout"] = json!(0.1);
    assert!(open(&json).unwrap_err().contains("dropout"));
}
