//! `unigram<V>` and `wordpiece<V>` compared with the `tokenizers` crate, and as files.

use std::sync::Arc;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use tokenize::huggingface::HuggingFace;
use tokenize::{Token, Tokenizer, decode, normalize, registry};
use tokenizers::models::unigram::UnigramTrainer;
use tokenizers::models::wordpiece::WordPieceTrainer;
use tokenizers::pre_tokenizers::whitespace::Whitespace;
use tokenizers::{AddedToken, Model, Tokenizer as HfTokenizer, Trainer};

/// Text with repeats and runs.
fn text(length: usize, seed: u64) -> Vec<u8> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut text: Vec<u8> = (0..100).map(|_| b"ACGT"[rng.random_range(0..4)]).collect();
    while text.len() < length {
        let from = rng.random_range(0..text.len() - 50);
        match rng.random_range(0..6) {
            0 => text.extend_from_within(from..from + rng.random_range(2..50)),
            1 => text.extend(std::iter::repeat_n(b"ACGT"[rng.random_range(0..4)], rng.random_range(1..30))),
            _ => text.extend((0..10).map(|_| b"AATTACGTTA"[rng.random_range(0..10)])),
        }
    }
    text.truncate(length);
    text
}

fn fit(name: &str, text: &[u8]) -> Arc<dyn Tokenizer> {
    registry::builtin().parse(name).unwrap().fit(&mut text.chunks(10_000)).unwrap()
}

fn encode(tokenizer: &dyn Tokenizer, text: &[u8]) -> Vec<Token> {
    let mut tokens = Vec::new();
    tokenizer.encode(text, &mut tokens);
    tokens
}

/// Ids and spans as the `tokenizers` crate gives them.
fn theirs(file: &HfTokenizer, text: &[u8]) -> Vec<Token> {
    let encoding = file.encode(std::str::from_utf8(text).unwrap(), false).unwrap();
    let tokens = encoding.get_ids().iter().zip(encoding.get_offsets());
    tokens.map(|(&id, &(start, end))| Token { id, start: start as u32, end: end as u32 }).collect()
}

fn short_texts() -> Vec<Vec<u8>> {
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    let mut texts: Vec<Vec<u8>> = (0..=6u32)
        .flat_map(|length| {
            (0..4usize.pow(length)).map(move |code| (0..length).map(|i| b"ACGT"[code >> (2 * i) & 3]).collect())
        })
        .collect();
    for seed in 0..300 {
        let mut text = text(rng.random_range(100..600), seed);
        for _ in 0..seed % 5 {
            let place = rng.random_range(0..text.len());
            text[place] = b"NRYacgtn"[rng.random_range(0..8)];
        }
        texts.push(text);
    }
    texts
}

#[test]
fn the_saved_file_gives_the_same_ids_in_the_tokenizers_crate() {
    let training = text(200_000, 1);
    for name in ["unigram9", "unigram100", "unigram512", "wordpiece13", "wordpiece100", "wordpiece512"] {
        let tokenizer = fit(name, &training);
        let saved = tokenizer.save().unwrap();
        let file = HfTokenizer::from_bytes(&saved).unwrap();
        assert_eq!(file.get_vocab_size(true), tokenizer.vocabulary().len());
        assert_eq!(format!("{}{}", name.trim_end_matches(char::is_numeric), tokenizer.vocabulary().len()), name);
        for text in short_texts() {
            assert_eq!(encode(&*tokenizer, &text), theirs(&file, &text), "{name}: {}", String::from_utf8_lossy(&text));
        }
        let again = registry::builtin().parse(name).unwrap().load(&saved).unwrap();
        let long = text(20_000, 9);
        assert_eq!(encode(&*again, &long), encode(&*tokenizer, &long));
        assert_eq!(again.save().unwrap(), saved);
    }
}

/// Loaded from its file it is the same tokenizer, except for its name.
#[test]
fn files_of_both_kinds_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let long = [text(5_000, 3), b"NNN".to_vec(), text(3_000, 4)].concat();
    for name in ["unigram200", "wordpiece200"] {
        let tokenizer = fit(name, &text(100_000, 1));
        let path = folder.path().join(format!("{name}.json"));
        std::fs::write(&path, tokenizer.save().unwrap()).unwrap();
        let recipe = registry::builtin().parse(&format!("file:{}", path.display())).unwrap();
        assert!(recipe.name.starts_with(&format!("file:{name}@")));
        let file = recipe.fit(&mut std::iter::empty()).unwrap();
        assert_eq!(encode(&*file, &long), encode(&*tokenizer, &long));
        assert_eq!(decode(&encode(&*file, &long), file.vocabulary()), long);
    }
}

/// Files from other sources: trainers of the `tokenizers` crate, another order of special tokens, N in the vocabulary.
#[test]
fn files_trained_by_the_tokenizers_crate() {
    let training = String::from_utf8([text(30_000, 1), b"NNNN".to_vec(), text(30_000, 2)].concat()).unwrap();
    let chunks: Vec<&str> = training.as_bytes().chunks(300).map(|p| std::str::from_utf8(p).unwrap()).collect();
    let specials: Vec<AddedToken> =
        ["<pad>", "[UNK]", "<s>", "</s>"].map(|token| AddedToken::from(token, true)).to_vec();
    let mut wordpiece =
        WordPieceTrainer::builder().show_progress(false).vocab_size(200).special_tokens(specials.clone()).build();
    wordpiece.feed(chunks.iter(), |chunk| Ok(vec![chunk.to_owned()])).unwrap();
    let mut model = tokenizers::models::wordpiece::WordPiece::default();
    wordpiece.train(&mut model).unwrap();
    model.max_input_chars_per_word = 1_000_000;
    let by_wordpiece = HfTokenizer::new(model);
    let mut unigram = UnigramTrainer::builder();
    unigram.show_progress(false).vocab_size(200).special_tokens(specials).unk_token(Some("[UNK]".to_owned()));
    let unigram = unigram.build().unwrap();
    let mut model = tokenizers::models::unigram::Unigram::default();
    unigram.do_train(chunks.iter().map(|chunk| ((*chunk).to_owned(), 1)).collect(), &mut model).unwrap();
    let by_unigram = HfTokenizer::new(model);
    for mut hf in [by_wordpiece, by_unigram] {
        hf.with_pre_tokenizer(Some(Whitespace {}));
        let json = hf.to_string(false).unwrap();
        let tokenizer = HuggingFace::from_json("file".to_owned(), json.as_bytes(), "file").unwrap();
        let ids = tokenizer.file_ids();
        let others =
            [b"ACGTNACGTRACGT".as_slice(), b"N", b"NN", b"R", b"RR", b"ACRRGT", b"acgtACGT", b"ACG TNA", b"RN-ACGT"];
        for text in short_texts().into_iter().chain(others.map(<[u8]>::to_vec)) {
            let mut ours = encode(&tokenizer, &text);
            ours.iter_mut().for_each(|token| token.id = ids[token.id as usize].unwrap());
            assert_eq!(ours, theirs(&hf, &text), "{}", String::from_utf8_lossy(&text));
        }
        // A letter with a token is not [UNK].
        let n = encode(&tokenizer, b"ACGTNACGTNNACGT");
        assert_eq!(decode(&n, tokenizer.vocabulary()), normalize(b"ACGTNACGTNNACGT"));
        assert!(
            n.iter().any(|token| tokenizer.vocabulary().bases(token.id).is_some_and(|bases| bases.contains(&b'N')))
        );
    }
}

#[test]
fn learning_does_not_depend_on_threads() {
    let training = text(60_000, 5);
    for name in ["unigram300", "wordpiece300"] {
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| fit(name, &training).save().unwrap())
        };
        let one = with(1);
        // Several times: the order of the trainer's hash tables varies.
        for threads in [1, 1, 2, 2, 3, 8] {
            assert!(with(threads) == one, "{name} with {threads} threads");
        }
    }
}

#[test]
fn a_vocabulary_that_is_too_large_for_the_text_is_an_error() {
    for name in ["unigram4096", "wordpiece4096"] {
        let error = registry::builtin().parse(name).unwrap().fit(&mut text(2_000, 1).chunks(500)).unwrap_err();
        assert!(error.to_string().contains("gives only") && error.remedy().unwrap().contains("smaller vocabulary"));
        let nothing = registry::builtin().parse(name).unwrap().fit(&mut std::iter::empty()).unwrap_err();
        assert!(nothing.to_string().contains("gives only"), "{nothing}");
    }
    let message = |name: &str| registry::builtin().parse(name).unwrap_err().to_string();
    assert!(message("wordpiece12").contains("a vocabulary of 12 is smaller than the alphabet"));
    assert!(message("unigram8").contains("a vocabulary of 8 is smaller than the alphabet"));
    assert!(message("unigram").contains("missing"));
    assert!(message("wordpiece70000").contains("too large"));
}

/// The same bases can be two tokens: one that starts a word, and one that continues it.
#[test]
fn wordpiece_marks_word_initial_tokens() {
    let tokenizer = fit("wordpiece100", &text(100_000, 1));
    let tokens = encode(&*tokenizer, b"ACGTTANACGTTA");
    let bases = |token: &Token| tokenizer.vocabulary().bases(token.id).unwrap_or(b"N").to_vec();
    assert_eq!(tokens.iter().flat_map(bases).collect::<Vec<u8>>(), b"ACGTTANACGTTA");
    let n = tokens.iter().position(|token| token.id == 0).unwrap();
    let ids = |part: &[Token]| part.iter().map(|token| token.id).collect::<Vec<_>>();
    assert_eq!(ids(&tokens[..n]), ids(&tokens[n + 1..]));
    let first: Vec<Option<bool>> = tokens[..n].iter().map(|token| tokenizer.is_word_initial(token.id)).collect();
    assert_eq!(first[0], Some(true));
    assert!(first.len() > 1 && first[1..].iter().all(|first| *first == Some(false)));
}

/// With scores that are not multiples of 2^-16, rounding decides between segmentations of equal score, so pairs of equal score must
/// satisfy the pair rule.
#[test]
fn rounding_never_violates_the_pair_rule() {
    let mut json: Value = serde_json::from_slice(&fit("unigram100", &text(100_000, 1)).save().unwrap()).unwrap();
    for (number, entry) in json["model"]["vocab"].as_array_mut().unwrap().iter_mut().enumerate().skip(5) {
        entry[1] = json!(entry[1].as_f64().unwrap() - number as f64 / 7e5);
    }
    let tokenizer = HuggingFace::from_json("file".to_owned(), json.to_string().as_bytes(), "file").unwrap();
    for unit in [b"A".as_slice(), b"T", b"AC", b"AAT", b"TTA"] {
        for length in 1..600 {
            let text: Vec<u8> = unit.iter().copied().cycle().take(length).collect();
            for pair in encode(&tokenizer, &text).windows(2) {
                assert!(tokenizer.may_follow(pair[0].id, pair[1].id), "{pair:?} in {}", String::from_utf8_lossy(&text));
            }
        }
    }
}

#[test]
fn a_trained_wordpiece_has_the_entries_of_the_trainer() {
    let training = text(30_000, 8);
    let tokenizer = fit("wordpiece64", &training);
    let json: Value = serde_json::from_slice(&tokenizer.save().unwrap()).unwrap();
    let mut entries: Vec<(u64, String)> = json["model"]["vocab"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(token, id)| (id.as_u64().unwrap(), token.clone()))
        .collect();
    entries.sort_unstable();
    let first: Vec<&str> = entries.iter().take(13).map(|(_, token)| token.as_str()).collect();
    assert_eq!(first[5..], ["A", "C", "G", "T", "##A", "##C", "##G", "##T"]);
    let file = HfTokenizer::from_bytes(tokenizer.save().unwrap()).unwrap();
    assert_eq!(file.get_model().get_vocab_size(), 64);
    // The decoder of the `tokenizers` crate restores the text.
    let encoding = file.encode("ACGTTACGATTACA", false).unwrap();
    assert_eq!(file.decode(encoding.get_ids(), true).unwrap(), "ACGTTACGATTACA");
}
