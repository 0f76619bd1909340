//! A `tokenizer.json` that is no tokenizer of DNA: what the message says, and that nothing panics.

use bpe::train::{Options, train};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use tokenize::huggingface::{HuggingFace, to_json};
use tokenize::{Error, decode, registry};

/// A file of this kind as it should be.
fn file(name: &str) -> Value {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let text: Vec<u8> = (0..20_000).map(|_| b"AATTACGTTA"[rng.random_range(0..10)]).collect();
    let tokenizer = registry::builtin().parse(name).unwrap().fit(&mut text.chunks(1_000)).unwrap();
    serde_json::from_slice(&tokenizer.save().unwrap()).unwrap()
}

fn read(bytes: &[u8]) -> Result<HuggingFace, Error> {
    Ok(HuggingFace::from_json("mine".to_owned(), bytes, "mine.json")?)
}

/// The message and the remedy of a file.
#[track_caller]
fn said(bytes: &[u8]) -> String {
    let error = read(bytes).expect_err("no tokenizer");
    let remedy = error.remedy().expect("a remedy");
    assert!(error.to_string().starts_with("mine.json: "), "{error}");
    assert!(remedy.len() > 10, "{remedy}");
    format!("{error} / {remedy}")
}

/// The message after a change to a file.
#[track_caller]
fn changed(name: &str, change: impl FnOnce(&mut Value)) -> String {
    let mut json = file(name);
    change(&mut json);
    said(json.to_string().as_bytes())
}

#[track_caller]
fn holds(said: &str, words: &[&str]) {
    for word in words {
        assert!(said.contains(word), "{word:?} is not in {said:?}");
    }
}

#[test]
fn what_is_not_json() {
    holds(&said(b""), &["not JSON", "line 1 column 0", "cut off"]);
    holds(&said(b"{\n  \"model\": {\"type\": \"B"), &["ends at line 2 column 22 in the middle", "download it again"]);
    holds(&said(b"{\"version\": \"1.0\",\n}"), &["not JSON", "line 2 column 1"]);
    holds(&said(b">chr1\nACGT\n"), &["not JSON", "line 1 column 1", "tokenizer.json"]);
    holds(&said(b"\xFF\xFE{\0"), &["it is UTF-16", "iconv -f UTF-16"]);
    holds(&said(b"\xFA{"), &["not JSON"]);
    holds(&said(&[b'['; 100_000]), &["not JSON", "recursion limit"]);
    holds(&said(b"{} {}"), &["not JSON", "trailing characters at line 1 column 4"]);
}

/// What a file has neither a token nor an unknown token for is refused where ids of the file are wanted, and takes no base with it.
#[test]
fn letters_without_an_id() {
    for name in ["bpe64", "wordpiece64", "unigram64"] {
        let whole = read(file(name).to_string().as_bytes()).unwrap();
        assert_eq!(whole.refuses(b"ACGNTTA"), None, "{name}");
        let mut json = file(name);
        let model = &mut json["model"];
        match name {
            "unigram64" => model["unk_id"] = Value::Null,
            _ => model["unk_token"] = json!("[NOPE]"),
        }
        let Ok(tokenizer) = read(json.to_string().as_bytes()) else { continue };
        assert_eq!(tokenizer.refuses(b"ACGTTA"), None, "{name}");
        assert_eq!(tokenizer.refuses(b"ACGNTTA"), Some(3), "{name}");
        let mut tokens = Vec::new();
        tokenizer.encode(b"ACGNTTA", &mut tokens);
        assert_eq!(decode(&tokens, tokenizer.vocabulary()), b"ACGNTTA", "{name}");
    }
    let mut json = file("bpe64");
    json["model"]["unk_token"] = json!("[NOPE]");
    assert!(read(json.to_string().as_bytes()).unwrap().refuses(b"N").is_some());
    // What becomes of a letter depends on its neighbours.
    let mut json = file("unigram64");
    json["model"]["unk_id"] = Value::Null;
    json["model"]["vocab"].as_array_mut().unwrap().push(json!(["-", -3.0]));
    json["normalizer"] = json!({"type": "Replace", "pattern": {"Regex": "N{2,}"}, "content": "-"});
    let tokenizer = read(json.to_string().as_bytes()).unwrap();
    assert_eq!((tokenizer.refuses(b"ACGNNAC"), tokenizer.refuses(b"ACGNAC")), (None, Some(3)));
}

/// Whatever a file does with other letters is what the `tokenizers` crate does.
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

/// Added tokens are looked for as they are after the normalizer.
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

/// What the `tokenizers` crate never ends with, leaves to chance, numbers otherwise than the file says, or repeats.
#[test]
fn added_tokens_and_post_processors_that_cannot_be_followed() {
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
    holds(&added(&[("R", 64)], replace("")), &["empty text of an added token", "\"normalized\""]);
    holds(&added(&[("R", 64), ("N", 65)], replace("N")), &["makes \"N\" of two added tokens", "\"normalized\""]);
    holds(&added(&[("R", 70)], Value::Null), &["\"R\" is said to have the id 70", "gives it 64"]);
    let single =
        |parts: &[Value]| changed("bpe64", |file| file["post_processor"]["single"] = parts.iter().cloned().collect());
    let part = |name: &str| json!({"Sequence": {"id": name, "type_id": 0}});
    holds(&single(&[]), &["has sequence A 0 times, not once", "set it to null"]);
    holds(&single(&[part("A"), part("A")]), &["has sequence A 2 times, not once"]);
    holds(&single(&[part("A"), part("B")]), &["wants a second sequence in the template for one"]);
    // What cannot be followed with special ids can be without them.
    let mut json = file("bpe64");
    json["post_processor"]["special_tokens"] = json!({});
    let tokenizer = read(json.to_string().as_bytes()).unwrap();
    let said = tokenizer.single().unwrap_err().to_string();
    assert!(said.contains("names \"[CLS]\""), "{said}");
    assert!(tokenizer.pair().is_err() && tokenizer.input(b"ACGT", None).is_err());
}

/// An unknown token that is part of merges takes letters beside it into it.
#[test]
fn unknown_tokens_that_are_merged_are_refused() {
    let mut json = file("bpe64");
    json["model"]["unk_token"] = json!("N");
    json["model"]["vocab"]["N"] = json!(64);
    json["model"]["vocab"]["NA"] = json!(65);
    json["model"]["merges"].as_array_mut().unwrap().insert(0, json!(["N", "A"]));
    let tokenizer = read(json.to_string().as_bytes()).unwrap();
    assert_eq!(
        (tokenizer.refuses(b"CNAC"), tokenizer.refuses(b"CRCA"), tokenizer.refuses(b"CRAC")),
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

/// A token of a million bases is read as fast as any other.
#[test]
fn very_long_tokens() {
    let options = Options { vocabulary: 29, piece: 0, ..Options::default() };
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
fn what_is_no_tokenizer() {
    holds(&said(b"[]"), &["it holds a list, not an object"]);
    holds(&said(b"{\"hello\": 1}"), &["no \"model\" in it"]);
    holds(&said(b"{\"model\": \"BPE\"}"), &["its \"model\" is a text, not an object"]);
    let kind = changed("bpe64", |file| file["model"]["type"] = json!("BytePair"));
    holds(&kind, &["unknown type \"BytePair\"", "BPE, Unigram, WordPiece, WordLevel"]);
    holds(&changed("bpe64", |file| file["model"]["type"] = json!(7)), &["\"type\" of its model is a number"]);
    holds(&changed("bpe64", |file| file["added_tokens"] = json!(3)), &["not a tokenizer"]);
    holds(&changed("bpe64", |file| file["normalizer"] = json!({"type": "None"})), &["not a tokenizer"]);
}

#[test]
fn vocabularies() {
    let vocab = |name: &str, vocab: Value| changed(name, |file| file["model"]["vocab"] = vocab);
    for name in ["bpe64", "wordpiece64"] {
        holds(&vocab(name, json!(3)), &["the \"vocab\" of its model is a number, not an object", "\"A\": 5"]);
        holds(&vocab(name, json!([])), &["is a list, not an object"]);
        holds(&vocab(name, Value::Null), &["no \"vocab\" in its model"]);
        let id = |id: Value| changed(name, |file| file["model"]["vocab"]["A"] = id);
        holds(&id(json!("5")), &["the id of \"A\" is a text, not a whole number", "from 0 to 4294967295"]);
        holds(&id(json!(-3)), &["the id of \"A\" is -3"]);
        holds(&id(json!(2.5)), &["the id of \"A\" is 2.5"]);
        holds(&id(json!(4_294_967_296u64)), &["the id of \"A\" is 4294967296, which does not fit 32 bits"]);
        holds(&id(json!(6)), &["\"A\" and \"C\" have the same id, 6", "an id of its own"]);
    }
    holds(&vocab("unigram64", json!({"A": 5})), &["is an object, not a list of tokens and scores", "[\"A\", -1.5]"]);
    holds(&vocab("unigram64", Value::Null), &["no \"vocab\" in its model"]);
    let entry = |entry: Value| changed("unigram64", |file| file["model"]["vocab"][7] = entry);
    holds(&entry(json!("A")), &["entry 7 of its vocabulary is no token with a score"]);
    holds(&entry(json!(["A"])), &["entry 7"]);
    holds(&entry(json!(["A", "high"])), &["the score of \"A\" (entry 7) is a text, not a number"]);
    holds(&entry(json!(["A", null])), &["is null, not a number"]);
    holds(&entry(json!(["[CLS]", -1.0])), &["\"[CLS]\" stands twice in its vocabulary, as entries 1 and 7"]);
}

#[test]
fn gaps_between_ids_are_no_error() {
    let mut json = file("bpe64");
    json["model"]["vocab"]["TT"] = json!(4_000_000_000u32);
    assert_eq!(read(json.to_string().as_bytes()).unwrap().vocabulary().len(), 64);
}

#[test]
fn keys_that_stand_twice() {
    let json = serde_json::to_string_pretty(&file("bpe64")).unwrap();
    let twice = json.replacen("\"A\": 5,", "\"A\": 5,\n      \"A\": 9000,", 1);
    assert_ne!(json, twice);
    let line = twice.lines().position(|line| line.contains("9000")).unwrap() + 1;
    holds(&said(twice.as_bytes()), &["the key \"A\" stands twice in one object", &format!("line {line}"), "keep one"]);
    // However it is written.
    let twice = json.replacen("\"A\": 5,", "\"A\": 5,\n      \"\\u0041\": 5,", 1);
    holds(&said(twice.as_bytes()), &["the key \"A\" stands twice"]);
    let model = json.replacen("\"version\"", "\"model\": {},\n  \"version\"", 1);
    holds(&said(model.as_bytes()), &["the key \"model\" stands twice"]);
}

#[test]
fn merges() {
    let merges = |merges: Value| changed("bpe64", |file| file["model"]["merges"] = merges);
    let merge = |number: usize, merge: Value| changed("bpe64", |file| file["model"]["merges"][number] = merge);
    holds(&merges(Value::Null), &["no \"merges\" in its model, which is a BPE", "[\"A\", \"C\"]"]);
    holds(&merges(json!("A C")), &["the \"merges\" of its model are a text, not a list"]);
    holds(&merge(2, json!(7)), &["merge 3 is 7, not two tokens"]);
    holds(&merge(2, json!(["A", "C", "G"])), &["merge 3 is [\"A\",\"C\",\"G\"]"]);
    holds(&merge(2, json!("A C")), &["merge 3 is \"A C\", not two tokens like the others"]);
    holds(&merges(json!(["A A", "A C G"])), &["merge 2 is \"A C G\""]);
    let unknown = merge(2, json!(["A", "X"]));
    holds(&unknown, &["merge 3 joins \"A\" and \"X\", but \"X\" is not in the vocabulary", "from the same file"]);
    holds(&merge(0, json!(["X", "A"])), &["merge 1", "\"X\" is not in the vocabulary"]);
    let result = changed("bpe64", |file| {
        file["model"]["vocab"].as_object_mut().unwrap().remove("TTA");
        file["model"]["merges"] = json!([["T", "T"], ["TT", "A"]]);
    });
    holds(&result, &["merge 2 makes \"TTA\", which is not in the vocabulary"]);
    let twice = changed("bpe64", |file| {
        let first = file["model"]["merges"][0].clone();
        file["model"]["merges"].as_array_mut().unwrap().push(first);
    });
    holds(&twice, &["merges 1 and 56 are the same", "keep the first"]);
    let prefix = changed("bpe64", |file| file["model"]["continuing_subword_prefix"] = json!("##"));
    holds(&prefix, &["merge 1 joins", "does not begin with \"##\""]);
    // As older files write them.
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
    holds(&without("bpe64", "G"), &["no token for the single base(s) G", "upper-case DNA"]);
    holds(&without("wordpiece64", "G"), &["no token for the single base(s) G,"]);
    holds(&without("wordpiece64", "##G"), &["no token for the single base(s) ##G"]);
    let lower = changed("unigram64", |file| {
        for entry in file["model"]["vocab"].as_array_mut().unwrap().iter_mut().skip(5) {
            entry[0] = json!(entry[0].as_str().unwrap().to_lowercase());
        }
    });
    holds(&lower, &["no token for the single base(s) A, C, G, T"]);
}

#[test]
fn cuts_that_do_not_spell_the_text() {
    let lower = |name: &str| changed(name, |file| file["normalizer"] = json!({"type": "Lowercase"}));
    for name in ["bpe64", "unigram64"] {
        holds(&lower(name), &["cuts plain DNA into unknown tokens or leaves bases out", "AAAAACAA begins with [UNK]"]);
    }
    let metaspace = json!({"type": "Metaspace", "replacement": "_", "prepend_scheme": "always", "split": true});
    holds(&changed("bpe64", |file| file["pre_tokenizer"] = metaspace), &["cuts plain DNA", "begins with"]);
    let digits = json!({"type": "Split", "pattern": {"Regex": "A"}, "behavior": "Removed", "invert": false});
    holds(&changed("bpe64", |file| file["pre_tokenizer"] = digits), &["cuts plain DNA", "begins with"]);
    // A WordPiece makes whole words unknown, so it must be known what a word is.
    holds(&lower("wordpiece64"), &["not known to leave A, C, G, T alone", "\"Whitespace\""]);
    let most = |most: Value| changed("wordpiece64", |file| file["model"]["max_input_chars_per_word"] = most);
    holds(&most(json!(100)), &["every stretch of more than 100 bases unknown", "set it to 4294967295"]);
    holds(&most(Value::Null), &["no number as \"max_input_chars_per_word\""]);
    let prefix = changed("wordpiece64", |file| file["model"]["continuing_subword_prefix"] = json!(1));
    holds(&prefix, &["no \"continuing_subword_prefix\""]);
    holds(&changed("bpe64", |file| file["model"]["dropout"] = json!(0.1)), &["dropout", "null"]);
}

/// A pattern that may be empty stands between all bases, so that no token of two is ever cut.
#[test]
fn a_pattern_that_may_be_empty_is_not_left_to_the_engine() {
    let mut json = file("bpe64");
    json["pre_tokenizer"] =
        json!({"type": "Split", "pattern": {"Regex": "N{0,3}"}, "behavior": "Isolated", "invert": false});
    let tokenizer = read(json.to_string().as_bytes()).unwrap();
    let (mut ours, text) = (Vec::new(), "ACGTTTAATTA");
    tokenizer.encode(text.as_bytes(), &mut ours);
    let theirs = tokenizer.inner().encode(text, false).unwrap();
    assert_eq!(ours.iter().map(|token| token.id).collect::<Vec<_>>(), theirs.get_ids());
}

/// Whatever becomes of a file: an error or a tokenizer, never a panic.
#[test]
fn damaged_files_never_panic() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    for name in ["bpe64", "unigram64", "wordpiece64"] {
        let json = file(name);
        let bytes = json.to_string().into_bytes();
        let whole = read(&bytes).unwrap();
        assert_eq!(whole.vocabulary().len(), 64);
        for length in 0..bytes.len() {
            let error = read(&bytes[..length]).expect_err("a part of a file");
            assert!(error.to_string().contains("not JSON"), "{error}");
        }
        let mut read_well = 0;
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
                read_well += 1;
                let mut tokens = Vec::new();
                tokenizer.encode(b"ACGTTACGATTACANACG\xFFTACGTTAAAAAAAAA", &mut tokens);
                assert!(tokens.windows(2).all(|pair| pair[0].start <= pair[1].start));
                for id in tokenizer.vocabulary().ids().take(20) {
                    let _ = tokenizer.may_follow(id, 7);
                }
            }
        }
        println!("{name}: {read_well} of 3000 are tokenizers still");
        // Other values at every place of the file.
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

/// Every place of a file, as JSON pointers; of long lists the first few.
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

/// As GENA's files do with a run of N: one token, which stands for all of it.
#[test]
fn letters_that_a_normalizer_joins_are_not_lost() {
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
fn files_that_cannot_cut_dna_are_refused() {
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
    assert!(open(&json).unwrap_err().contains("cuts plain DNA into unknown tokens"));
    json["normalizer"] = Value::Null;
    json["model"]["dropout"] = json!(0.1);
    assert!(open(&json).unwrap_err().contains("dropout"));
}
