//! The engine compared with the `tokenizers` crate: ids, spans and merges.
//!
//! `crates/bpe/tests/full` runs everything (`TOKBENCH_FULL=1`) and writes `full.log`; otherwise a sample is tested. Tests that need
//! the public tokenizers and genomes of `TOKBENCH_DATA` are ignored; `-- --ignored` runs them.

use std::path::{Path, PathBuf};

use bpe::Token;
use bpe::huggingface::{HuggingFace, initial_merges, to_json};
use bpe::train::{Options, train};
use bpe::vocabulary::{SPECIAL_NAMES, SPECIALS, UNK};
use bpe::{EncodedBatch, Engine};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use tokenizers::AddedToken;
use tokenizers::models::bpe::{BPE, BpeTrainerBuilder};
use tokenizers::tokenizer::Trainer;

fn full() -> bool {
    std::env::var_os("TOKBENCH_FULL").is_some_and(|value| value != "0")
}

/// Public tokenizers and genomes; used by ignored tests only.
fn data() -> PathBuf {
    let folder = std::env::var_os("TOKBENCH_DATA").map(PathBuf::from).expect("TOKBENCH_DATA names the data");
    assert!(folder.join("tokenizers").is_dir(), "no public tokenizers in {} (set TOKBENCH_DATA)", folder.display());
    folder
}

fn random(length: usize, rng: &mut ChaCha8Rng) -> Vec<u8> {
    (0..length).map(|_| b"ACGT"[rng.random_range(0..4)]).collect()
}

/// Text with repeats, runs and biased composition, as in genomes.
fn structured(length: usize, seed: u64) -> Vec<u8> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut text: Vec<u8> = random(200, &mut rng);
    while text.len() < length {
        let size = rng.random_range(1..60usize);
        match rng.random_range(0..5) {
            0 => {
                let from = rng.random_range(0..text.len() - 60);
                text.extend_from_within(from..from + size);
            }
            1 => text.extend(std::iter::repeat_n(b"ACGT"[rng.random_range(0..4)], size)),
            2 => {
                let unit = random(rng.random_range(2..5), &mut rng);
                text.extend(unit.iter().cycle().take(size));
            }
            _ => text.extend((0..size).map(|_| b"AATTACGTTA"[rng.random_range(0..10)])),
        }
    }
    text.truncate(length);
    text
}

/// A tokenizer learned from a text.
fn learned(text: &[u8], size: usize) -> HuggingFace {
    let options = Options { vocabulary: size, ..Options::default() };
    let json = to_json(&train(text.chunks(10_000), &options, &mut |_| true).unwrap());
    HuggingFace::from_json(format!("bpe{size}"), &json, "test").unwrap()
}

/// The same engine with its automaton compiled, and with the search based on the pair rule.
fn both(tokenizer: &HuggingFace, json: &[u8]) -> [HuggingFace; 2] {
    assert!(tokenizer.engine().is_some(), "{} has no engine", tokenizer.name());
    let again = || HuggingFace::from_json(tokenizer.name().to_owned(), json, "test").unwrap();
    let compiled = again();
    compiled.engine().unwrap().compile().expect("an automaton");
    let by_pairs = again().with_max_states(0);
    assert_eq!(by_pairs.engine().unwrap().compile(), None);
    [compiled, by_pairs]
}

/// Output of the `tokenizers` crate: ids in our vocabulary and start positions.
fn theirs(tokenizer: &HuggingFace, text: &[u8]) -> (Vec<u32>, Vec<u32>) {
    let encoding = tokenizer.inner().encode(std::str::from_utf8(text).unwrap(), false).unwrap();
    let id = |token: &String| {
        let found = tokenizer.vocabulary().ids().find(|&id| tokenizer.vocabulary().bases(id) == Some(token.as_bytes()));
        found.unwrap_or(UNK)
    };
    // The special ids of all files here are ours, so ids are equal except for files with further added tokens.
    let ids = match encoding
        .get_tokens()
        .iter()
        .zip(encoding.get_ids())
        .all(|(token, &own)| own == UNK || tokenizer.vocabulary().bases(own) == Some(token.as_bytes()))
    {
        true => encoding.get_ids().to_vec(),
        false => encoding.get_tokens().iter().map(id).collect(),
    };
    (ids, encoding.get_offsets().iter().map(|&(start, _)| start as u32).collect())
}

/// Asserts that ids and start positions of `engines` equal those of the `tokenizers` crate; returns the number of bases compared.
#[track_caller]
fn equal(tokenizer: &HuggingFace, engines: &[&Engine], texts: &[Vec<u8>]) -> usize {
    let expected: Vec<_> = texts.par_iter().map(|text| theirs(tokenizer, text)).collect();
    for engine in engines {
        let mut spans = EncodedBatch::default();
        engine.encode_spans(texts.iter(), &mut spans);
        let mut ids = EncodedBatch::default();
        engine.encode(texts.iter(), &mut ids);
        assert_eq!(spans.len(), texts.len());
        for (number, (text, (expected, starts))) in texts.iter().zip(&expected).enumerate() {
            let same = spans.ids(number).iter().map(|&id| u32::from(id)).eq(expected.iter().copied());
            assert!(same, "{}: {}", tokenizer.name(), String::from_utf8_lossy(text));
            assert_eq!(spans.starts(number), starts);
            assert_eq!(ids.ids(number), spans.ids(number));
        }
    }
    texts.iter().map(Vec::len).sum()
}

fn every_text_of(length: u32) -> Vec<Vec<u8>> {
    (0..4usize.pow(length)).map(|code| (0..length).map(|i| b"ACGT"[code >> (2 * i) & 3]).collect()).collect()
}

fn check(tokenizer: &HuggingFace, json: &[u8]) {
    let longest = if full() { 9 } else { 7 };
    let number = if full() { 1_000_000 } else { 3_000 };
    let ways = both(tokenizer, json);
    let engines = [ways[0].engine().unwrap(), ways[1].engine().unwrap()];
    let mut bases = 0;
    for length in 0..=longest {
        bases += equal(tokenizer, &engines, &every_text_of(length));
    }
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    for part in 0..number / 1_000 {
        let texts: Vec<Vec<u8>> = (0..1_000)
            .map(|i| {
                let length = rng.random_range(0..=500);
                if (part + i) % 2 == 0 { random(length, &mut rng) } else { structured(length, rng.random()) }
            })
            .collect();
        bases += equal(tokenizer, &engines, &texts);
    }
    println!("{}: every text of up to {longest} bases and {number} others, {bases} bases, equal", tokenizer.name());
}

/// The text of a genome, with records separated by N.
fn genome(path: &Path) -> Vec<u8> {
    let mut text = String::new();
    let file = std::fs::File::open(path).unwrap();
    std::io::Read::read_to_string(&mut flate2::read::MultiGzDecoder::new(file), &mut text).unwrap();
    text.lines().map(|line| if line.starts_with('>') { "N" } else { line }).collect::<String>().into_bytes()
}

/// Asserts that a text gives the same ids as a whole, as a stream, and in separately encoded segments.
#[track_caller]
fn whole_equals_stream_and_segments(engine: &Engine, text: &[u8]) {
    let (mut batch, mut ids, mut stream) = (EncodedBatch::default(), Vec::new(), engine.stream().with_step(50_000));
    for bases in text.chunks(7_001) {
        stream.push(bases, &mut ids);
    }
    stream.finish(&mut ids);
    engine.encode([text], &mut batch);
    assert!(ids == batch.ids(0), "a stream");
    let segments: Vec<&[u8]> = engine.segments(text, 30_000).into_iter().map(|segment| &text[segment]).collect();
    let mut separate = EncodedBatch::default();
    engine.encode(segments.iter().copied(), &mut separate);
    assert!(
        (0..separate.len()).flat_map(|segment| separate.ids(segment)).eq(batch.ids(0)),
        "{} segments",
        segments.len()
    );
}

#[test]
fn freshly_learned_vocabularies_equal_the_tokenizers_crate() {
    for (seed, size) in [(1, 10), (2, 16), (3, 32), (4, 64), (5, 200), (6, 512), (7, 1500), (8, 4096)] {
        let text = structured(400_000, seed);
        let tokenizer = learned(&text, size);
        check(&tokenizer, tokenizer.json());
    }
}

#[test]
fn dnabert2_equals_the_tokenizers_crate() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/tokenizers/dnabert2_bpe4096.json");
    file_equals_the_tokenizers_crate(&path);
}

#[test]
#[ignore = "needs TOKBENCH_DATA: genomes and public tokenizers"]
fn public_tokenizers_equal_the_tokenizers_crate() {
    for file in ["gena_human_bpe32k_newline", "gena_t2t_1000h_multi_32k"] {
        file_equals_the_tokenizers_crate(&data().join("tokenizers").join(file).with_extension("json"));
    }
}

fn file_equals_the_tokenizers_crate(path: &Path) {
    let json = std::fs::read(path).unwrap();
    let name = path.file_stem().unwrap().to_string_lossy().into_owned();
    let tokenizer = HuggingFace::from_json(name.clone(), &json, &name).unwrap();
    check(&tokenizer, &json);
}

/// Every available genome, in chunks of 10 kb: longer ones take that crate too long.
#[test]
#[ignore = "needs TOKBENCH_DATA: genomes and public tokenizers"]
fn genomes_equal_the_tokenizers_crate() {
    let data = data();
    let mut genomes: Vec<PathBuf> =
        std::fs::read_dir(data.join("genomes")).unwrap().map(|entry| entry.unwrap().path()).collect();
    genomes.sort();
    for file in ["dnabert2_bpe4096", "gena_human_bpe32k_newline", "gena_t2t_1000h_multi_32k"] {
        let json = std::fs::read(data.join("tokenizers").join(file).with_extension("json")).unwrap();
        let tokenizer = HuggingFace::from_json(file.to_owned(), &json, file).unwrap();
        let mut bases = 0;
        for path in &genomes {
            let mut text = genome(path);
            text.truncate(if full() { usize::MAX } else { 100_000 });
            // The token of N differs between these files; other tests cover it.
            let runs = text.split(|base| !b"ACGT".contains(base)).flat_map(|run| run.chunks(10_000));
            let chunks: Vec<Vec<u8>> = runs.map(<[u8]>::to_vec).collect();
            bases += equal(&tokenizer, &[tokenizer.engine().unwrap()], &chunks);
            whole_equals_stream_and_segments(tokenizer.engine().unwrap(), &text);
        }
        println!("{file}: {} genomes, {bases} bases, equal", genomes.len());
    }
}

/// Letters other than A, C, G, T, and long segments that are encoded in chunks.
#[test]
fn unknown_bases_and_long_texts() {
    let text = structured(400_000, 11);
    let tokenizer = learned(&text, 700);
    for way in both(&tokenizer, tokenizer.json()) {
        let engine = way.engine().unwrap();
        let texts = [b"".as_slice(), b"N", b"NNACGTN", b"NACGTACGTTTTAAACCC", b"ACGTxacgtNRYK", b"AAAAAAAAAAAAN"];
        equal(&tokenizer, &[engine], &texts.map(<[u8]>::to_vec));
        for length in [4_095, 4_096, 4_097, 4_352, 4_353, 8_449, 50_001] {
            let mut long = structured(length, length as u64);
            equal(&tokenizer, &[engine], &[long.clone()]);
            long[length / 2] = b'N';
            long[length - 1] = b'N';
            equal(&tokenizer, &[engine], &[long, b"A".to_vec()]);
        }
    }
}

/// Entries that a larger engine left in the buffers must not be read by a smaller one, including by idle streams: here all are read
/// at the same time, and end at different positions.
#[test]
fn a_batch_serves_one_engine_after_another() {
    let text = structured(400_000, 21);
    let [large, small] = [learned(&text, 4096), learned(&text, 12)];
    let [large, small] = [&large, &small].map(|tokenizer| tokenizer.engine().unwrap());
    large.compile().expect("an automaton");
    small.compile().expect("an automaton");
    for reads_per_batch in [1, 8, 10, 12, 20, 40] {
        let mut batch = EncodedBatch::default();
        for length in [50, 300, 301, 2_000] {
            let reads: Vec<&[u8]> = text.chunks(length).take(reads_per_batch).collect();
            let mut fresh = EncodedBatch::default();
            small.encode_spans(reads.iter().copied(), &mut fresh);
            large.encode(text.chunks(777).take(reads_per_batch + 3), &mut batch);
            small.encode_spans(reads.iter().copied(), &mut batch);
            for read in 0..reads_per_batch {
                assert_eq!((batch.ids(read), batch.starts(read)), (fresh.ids(read), fresh.starts(read)));
            }
        }
    }
}

/// A tokenizer with merges of other letters, trained by the `tokenizers` crate, with a normalizer.
fn learned_with_others(text: &[u8], size: usize, normalizer: serde_json::Value) -> HuggingFace {
    let mut trainer = BpeTrainerBuilder::new()
        .vocab_size(size)
        .show_progress(false)
        .special_tokens(SPECIAL_NAMES.map(|name| AddedToken::from(name, true)).to_vec())
        .build();
    let chunks: Vec<&str> = text.chunks(600).map(|chunk| std::str::from_utf8(chunk).unwrap()).collect();
    trainer.feed(chunks.iter(), |chunk| Ok(vec![(*chunk).to_owned()])).unwrap();
    let mut model = BPE::builder().unk_token("[UNK]".to_owned()).build().unwrap();
    trainer.train(&mut model).unwrap();
    let model: serde_json::Value = serde_json::to_value(&model).unwrap();
    let mut json: serde_json::Value = serde_json::from_slice(learned(b"ACGTACGTACGTAC", 10).json()).unwrap();
    json["model"] = model;
    json["normalizer"] = normalizer;
    json["pre_tokenizer"] = serde_json::Value::Null;
    HuggingFace::from_json("others".to_owned(), json.to_string().as_bytes(), "test").unwrap()
}

/// A text with letters that the engine does not support is split around them; its tokens are those of the whole.
#[test]
fn texts_with_tokens_of_other_letters_are_segmented() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    // Other letters are part of repeated strings, so that long tokens contain them.
    let words: Vec<Vec<u8>> = (0..6)
        .map(|_| {
            let mut word = random(rng.random_range(5..20), &mut rng);
            let place = rng.random_range(0..word.len());
            word[place] = b"NNR"[rng.random_range(0..3)];
            word
        })
        .collect();
    let mut text = |runs: &[usize]| -> Vec<u8> {
        let mut text = structured(runs[0], rng.random());
        for &run in &runs[1..] {
            match rng.random_range(0..4) {
                0 => text.extend(vec![b'N'; rng.random_range(1..50)]),
                _ => text.extend_from_slice(&words[rng.random_range(0..words.len())]),
            }
            text.extend(structured(run, rng.random()));
        }
        text
    };
    let dash = serde_json::json!({"type": "Replace", "pattern": {"Regex": "N{10,}"}, "content": "-"});
    for (size, normalizer) in
        [(40, serde_json::Value::Null), (200, dash.clone()), (600, serde_json::Value::Null), (1500, dash)]
    {
        let learn = text(&[300; 300]);
        let tokenizer = learned_with_others(&learn, size, normalizer);
        let engine = tokenizer.engine().unwrap();
        let longest = tokenizer.vocabulary().ids().filter_map(|id| tokenizer.vocabulary().bases(id));
        let longest = longest.filter(|token| token.iter().any(|base| b"NR".contains(base))).map(<[u8]>::len).max();
        assert!(longest >= Some(if size > 100 { 5 } else { 1 }), "{longest:?}");
        let texts = [
            text(&[40_000, 90_000, 20, 33_000]),
            text(&[10, 100_000, 300, 0, 50_000, 5]),
            [b"N".as_slice(), &text(&[35_000, 70_000]), b"RN"].concat(),
        ];
        let whole = |text: &Vec<u8>| -> Vec<(u32, u32)> {
            let encoding = tokenizer.inner().encode(std::str::from_utf8(text).unwrap(), false).unwrap();
            encoding.get_ids().iter().zip(encoding.get_offsets()).map(|(&id, &(_, end))| (id, end as u32)).collect()
        };
        let expected: Vec<Vec<(u32, u32)>> = texts.par_iter().map(whole).collect();
        let ids = tokenizer.file_ids();
        let seen = |tokens: &[Token], from: usize| -> Vec<(u32, u32)> {
            tokens.iter().map(|token| (ids[token.id as usize].unwrap(), token.end + from as u32)).collect()
        };
        for compiled in [false, true] {
            if compiled {
                engine.compile().expect("an automaton");
            }
            for (text, expected) in texts.iter().zip(&expected) {
                assert!(tokenizer.engine_for(text).is_none());
                let mut tokens = Vec::new();
                tokenizer.encode(text, &mut tokens);
                let found = seen(&tokens, 0);
                let differ = found.iter().zip(expected).position(|(one, other)| one != other);
                assert!(found == *expected, "{size}, compiled: {compiled}, token {differ:?}");
                let segments = tokenizer.segments(text, 20_000);
                assert!(segments.len() > 4 || !compiled, "{segments:?}");
                assert_eq!((segments[0].start, segments[segments.len() - 1].end), (0, text.len()));
                assert!(segments.windows(2).all(|two| two[0].end == two[1].start));
                let fast: usize = segments
                    .iter()
                    .filter(|segment| tokenizer.engine_for(&text[(*segment).clone()]).is_some())
                    .map(ExactSizeIterator::len)
                    .sum();
                assert!(2 * fast > text.len() || !compiled, "{fast} of {}", text.len());
                let mut joined = Vec::new();
                for segment in segments {
                    tokenizer.encode(&text[segment.clone()], &mut tokens);
                    joined.extend(seen(&tokens, segment.start));
                }
                assert!(joined == *expected, "{size}");
            }
        }
    }
}

/// Long segments are encoded in blocks; repeats across a block boundary must not change the tokens.
#[test]
fn long_texts_equal_short_ones() {
    let text: Vec<u8> = structured(200_000, 3).into_iter().chain([b'A'; 50_000]).chain(b"AC".repeat(20_000)).collect();
    let tokenizer = learned(&text, 600);
    let ways = both(&tokenizer, tokenizer.json());
    let engines = [ways[0].engine().unwrap(), ways[1].engine().unwrap()];
    let part = 1 << 17;
    let mut texts = Vec::new();
    for length in [2 * part - 1, 2 * part, 3 * part + 1, 5 * part + 777] {
        texts.push(structured(length, length as u64));
        for (unit, run) in [(b"A".as_slice(), 9_000), (b"AC", 9_000), (b"A", 3_000), (b"ACGGT", part + 20_000)] {
            let mut text = structured(length, 5 + length as u64);
            let from = (2 * part).min(length) - (run / 2).min(part / 2);
            let until = (from + run).min(length);
            text[from..until].iter_mut().zip(unit.iter().cycle()).for_each(|(base, &other)| *base = other);
            texts.push(text);
        }
        let mut text = structured(length, 6);
        text[10] = b'N';
        text[length - 1] = b'N';
        texts.push(text);
    }
    for text in &texts {
        let [mut fast, mut slow] = [EncodedBatch::default(), EncodedBatch::default()];
        engines[0].encode_spans([b"ACGNN".as_slice(), text, b"", b"TTACG"], &mut fast);
        engines[1].encode_spans([b"ACGNN".as_slice(), text, b"", b"TTACG"], &mut slow);
        for number in 0..4 {
            assert!(fast.ids(number) == slow.ids(number) && fast.starts(number) == slow.starts(number), "{number}");
        }
        engines[0].encode([text], &mut fast);
        assert!(fast.ids(0) == slow.ids(1));
    }
}

/// In runs and short repeats the state never becomes independent of the start: chunks are read again, and time stays linear.
#[test]
fn ten_million_bases_of_repeats() {
    // A vocabulary with long tokens that are runs.
    let text: Vec<u8> = structured(200_000, 3).into_iter().chain([b'A'; 50_000]).chain(b"AC".repeat(20_000)).collect();
    let tokenizer = learned(&text, 600);
    let [compiled, by_pairs] = both(&tokenizer, tokenizer.json());
    for (way, length) in [(compiled, 10_000_000), (by_pairs, 500_000)] {
        for unit in [b"A".as_slice(), b"AC", b"AAC", b"ACGGT"] {
            let long: Vec<u8> = unit.iter().copied().cycle().take(length).collect();
            let mut batch = EncodedBatch::default();
            way.engine().unwrap().encode([&long], &mut batch);
            let bases: usize = batch.ids(0).iter().map(|&id| way.engine().unwrap().length(id)).sum();
            assert_eq!(bases, long.len());
            // A prefix short enough for the `tokenizers` crate gives the same ids.
            equal(&tokenizer, &[way.engine().unwrap()], &[long[..20_000].to_vec()]);
        }
    }
}

fn merges_of_the_tokenizers_crate(chunks: &[&[u8]], size: usize, longest: usize) -> Vec<[String; 2]> {
    let trainer = BpeTrainerBuilder::new()
        .show_progress(false)
        .vocab_size(size)
        .min_frequency(2)
        .initial_alphabet(['A', 'C', 'G', 'T'].into())
        .special_tokens(SPECIAL_NAMES.map(|token| AddedToken::from(token, true)).to_vec());
    let mut trainer = match longest {
        0 => trainer.build(),
        longest => trainer.max_token_length(Some(longest)).build(),
    };
    let chunks = chunks.iter().map(|chunk| std::str::from_utf8(chunk).unwrap());
    trainer.feed(chunks, |chunk| Ok(vec![chunk.to_owned()])).unwrap();
    let mut model = BPE::default();
    trainer.train(&mut model).unwrap();
    let model = serde_json::to_value(&model).unwrap();
    serde_json::from_value(model["merges"].clone()).unwrap()
}

#[track_caller]
fn same_merges(text: &[u8], size: usize, chunk_length: usize, longest: usize) -> usize {
    let options = Options { vocabulary: size, chunk_length, max_token_length: longest, ..Options::default() };
    let ours = train([text], &options, &mut |_| true).unwrap();
    let width = if chunk_length == 0 { text.len() } else { chunk_length };
    let runs = text.split(|base| !b"ACGT".contains(base));
    let chunks: Vec<&[u8]> = runs.flat_map(|run| run.chunks(width)).collect();
    let spelling = |id: u32| String::from_utf8(ours.tokens[(id - SPECIALS) as usize].clone()).unwrap();
    let own: Vec<[String; 2]> = ours.merges.iter().map(|&(left, right)| [spelling(left), spelling(right)]).collect();
    assert_eq!(own, merges_of_the_tokenizers_crate(&chunks, size, longest), "{size} {chunk_length} {longest}");
    own.len()
}

#[test]
fn merges_equal_the_tokenizers_crate() {
    let mut corpora = vec![
        structured(60_000, 1),
        structured(60_000, 2),
        random(60_000, &mut ChaCha8Rng::seed_from_u64(3)),
        [b"ACGT".repeat(4_000), vec![b'A'; 5_001], b"AAC".repeat(2_000), structured(20_000, 4)].concat(),
    ];
    let mut with_unknown = structured(60_000, 5);
    with_unknown.iter_mut().step_by(997).for_each(|base| *base = b'N');
    corpora.push(with_unknown);
    merges_equal(&corpora);
}

#[test]
#[ignore = "needs TOKBENCH_DATA: genomes and public tokenizers"]
fn merges_of_genomes_equal_the_tokenizers_crate() {
    let one = |file: &str| {
        let path = data().join("genomes").join(file).with_extension("fa.gz");
        let mut text = genome(&path);
        text.truncate(if full() { usize::MAX } else { 300_000 });
        text
    };
    merges_equal(&["ecoli_k12_mg1655", "human_3regions", "saccharomyces_cerevisiae_r64", "celegans_1pct"].map(one));
}

fn merges_equal(corpora: &[Vec<u8>]) {
    for (number, corpus) in corpora.iter().enumerate() {
        for size in [12, 64, 512, 4096] {
            let merges = same_merges(corpus, size, 512, 0);
            println!("corpus {number}, {} bases, vocabulary of {size}: {merges} merges, equal", corpus.len());
        }
        same_merges(corpus, 512, 100, 7);
        // Whole long records take the `tokenizers` crate too long.
        same_merges(&corpus[..20_000], 300, 0, 0);
    }
}

#[test]
fn every_smaller_vocabulary_is_a_prefix() {
    let text = structured(200_000, 8);
    let learn =
        |size| train([text.as_slice()], &Options { vocabulary: size, ..Options::default() }, &mut |_| true).unwrap();
    let (large, small) = (learn(900), learn(300));
    assert_eq!(large.merges[..small.merges.len()], small.merges);
    assert_eq!(small.merges.len(), 291);
    assert!(learn(9).merges.is_empty());
    let refused =
        train([text.as_slice()], &Options { vocabulary: 8, ..Options::default() }, &mut |_| true).unwrap_err();
    assert!(refused.to_string().contains("a vocabulary of 8 is not between 9 and 65536"), "{refused}");
    let stopped = train([text.as_slice()], &Options::default(), &mut |entries| entries < 50).unwrap_err();
    assert!(stopped.to_string().contains("interrupted"));
}

#[test]
fn a_vocabulary_can_be_continued() {
    let text = structured(300_000, 21);
    for (chunk_length, longest, both_strands) in [(512, 0, false), (100, 9, true), (0, 0, false)] {
        let options = |size| Options {
            vocabulary: size,
            chunk_length,
            max_token_length: longest,
            both_strands,
            ..Options::default()
        };
        let at_once = train([text.as_slice()], &options(1_000), &mut |_| true).unwrap();
        for first in [10, 64, 700] {
            let begun = train([text.as_slice()], &options(first), &mut |_| true).unwrap();
            let known = initial_merges(&to_json(&begun), "begun").unwrap();
            assert_eq!(known, begun.merges);
            let options = Options { initial_merges: known, ..options(1_000) };
            let continued = train([text.as_slice()], &options, &mut |_| true).unwrap();
            assert_eq!(continued.merges, at_once.merges, "{chunk_length} {longest} {first}");
            assert_eq!(continued.tokens, at_once.tokens);
        }
    }
    let refused = |known: Vec<(u32, u32)>, vocabulary, words: &str| {
        let options = Options { initial_merges: known, vocabulary, ..Options::default() };
        let error = train([b"ACGT"], &options, &mut |_| true).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    };
    refused(vec![(5, 9)], 20, "the initial merge of 5 and 9");
    refused(vec![(5, 6), (5, 7)], 10, "already has 11 entries");
}

#[test]
fn both_strands_are_the_text_and_its_reverse_complement() {
    let text = structured(100_000, 22);
    let complement = |base: &u8| b"TGCA"[b"ACGT".iter().position(|b| b == base).unwrap()];
    let chunks = text.chunks(512);
    let reversed = chunks.clone().map(|chunk| chunk.iter().rev().map(complement).collect::<Vec<u8>>());
    let both: Vec<Vec<u8>> = chunks.map(<[u8]>::to_vec).zip(reversed).flat_map(|(one, other)| [one, other]).collect();
    let options = Options { vocabulary: 600, ..Options::default() };
    let added = train(&both, &options, &mut |_| true).unwrap();
    let counted = train([&text], &Options { both_strands: true, ..options }, &mut |_| true).unwrap();
    assert_eq!((counted.merges, counted.counts), (added.merges, added.counts));
    assert_eq!((counted.bases, added.bases), (100_000, 200_000));
}
