//! Separately encoded segments and streams give the ids of the whole text.

use bpe::train::{Options, train};
use bpe::vocabulary::SPECIALS;
use bpe::{EncodedBatch, Engine};
use proptest::prelude::*;

/// An engine learned from a text; `pairs`: without automaton.
fn learned(text: &[u8], size: usize, pairs: bool) -> Engine {
    let options = Options { vocabulary: size, chunk_length: 0, min_frequency: 1, ..Options::default() };
    let learned = train([text], &options, &mut |_| true).unwrap();
    let merges = learned.merges.iter().zip(SPECIALS + 4..).map(|(&(left, right), token)| (left, right, token));
    let tokens: Vec<Vec<u8>> = vec![Vec::new(); SPECIALS as usize].into_iter().chain(learned.tokens).collect();
    let engine = Engine::new(&tokens, &merges.collect::<Vec<_>>(), 60_000).unwrap();
    let engine = if pairs { engine.with_max_states(0) } else { engine };
    assert_eq!(engine.compile().is_none(), pairs);
    engine
}

fn whole(engine: &Engine, text: &[u8]) -> Vec<u16> {
    let mut batch = EncodedBatch::default();
    engine.encode([text], &mut batch);
    batch.ids(0).to_vec()
}

/// The ids of a text that arrives in chunks of these lengths, and the maximum number of buffered bases.
fn streamed(engine: &Engine, text: &[u8], chunks: &[usize], step: usize) -> (Vec<u16>, usize) {
    let mut stream = engine.stream().with_step(step);
    let (mut ids, mut pending, mut rest) = (Vec::new(), 0, text);
    for &chunk in chunks.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (now, later) = rest.split_at(chunk.min(rest.len()));
        stream.push(now, &mut ids);
        pending = pending.max(stream.pending());
        rest = later;
    }
    stream.finish(&mut ids);
    assert_eq!(stream.pending(), 0);
    (ids, pending)
}

fn in_segments(engine: &Engine, text: &[u8], every: usize) -> (Vec<u16>, usize) {
    let segments = engine.segments(text, every);
    (segments.iter().flat_map(|segment| whole(engine, &text[segment.clone()])).collect(), segments.len())
}

/// Repeats of short units, in which boundaries are rarely certain.
fn text() -> impl Strategy<Value = Vec<u8>> {
    let unit = prop::collection::vec(prop::sample::select(b"AAACCGT".to_vec()), 1..5);
    prop::collection::vec((unit, 1usize..12), 1..40)
        .prop_map(|segments| segments.into_iter().flat_map(|(unit, times)| unit.repeat(times)).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn segments_and_streams_give_the_ids_of_the_whole(
        learn in text(), mut text in text(), others in prop::collection::vec(any::<prop::sample::Index>(), 0..3),
        size in 9usize..120, chunks in prop::collection::vec(1usize..50, 1..5), step in 1usize..200, every in 1usize..300,
    ) {
        others.iter().for_each(|place| { let place = place.index(text.len()); text[place] = b'N'; });
        for pairs in [false, true] {
            let engine = learned(&learn, size, pairs);
            let expected = whole(&engine, &text);
            prop_assert_eq!(&streamed(&engine, &text, &chunks, step).0, &expected, "pairs {}", pairs);
            prop_assert_eq!(&in_segments(&engine, &text, every).0, &expected, "pairs {}", pairs);
        }
    }
}

/// Text with copies and runs, as in genomes.
fn structured(length: usize) -> Vec<u8> {
    let mut state = 5u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as usize % below
    };
    let mut text = b"ACGTTGCATCAG".repeat(10);
    while text.len() < length {
        let size = 1 + random(60);
        match random(4) {
            0 => {
                let from = random(text.len() - 60);
                text.extend_from_within(from..from + size);
            }
            1 => text.extend(std::iter::repeat_n(b"ACGT"[random(4)], size)),
            _ => text.extend((0..size).map(|_| b"AATTACGTTA"[random(10)])),
        }
    }
    text.truncate(length);
    text
}

/// The number of buffered bases does not grow with the text, not even in endless repeats.
#[test]
fn memory_is_bounded() {
    let text: Vec<u8> = structured(200_000).into_iter().chain([b'A'; 50_000]).chain(b"AC".repeat(20_000)).collect();
    let step = 20_000;
    for (pairs, length) in [(false, 600_000), (true, 100_000)] {
        let engine = learned(&text, 600, pairs);
        let mut texts: Vec<Vec<u8>> =
            [b"A".as_slice(), b"AC", b"CA", b"AAC", b"ACGGT"].map(|unit| unit.repeat(length / unit.len())).to_vec();
        texts.push(structured(length));
        texts.push([structured(length), b"AC".repeat(length), structured(length)].concat());
        for (number, text) in texts.iter().enumerate() {
            let (ids, pending) = streamed(&engine, text, &[777, 60_000], step);
            assert!(ids == whole(&engine, text), "{number}");
            assert!(pending <= 2 * step, "{number}: {pending} bases pending");
        }
        // The tokens of thousands of bases above are longer than the window.
        let engine = learned(&structured(200_000), 600, pairs);
        let (ids, segments) = in_segments(&engine, &texts[5], step);
        assert!(ids == whole(&engine, &texts[5]));
        // Without automaton no boundary is certain.
        assert_eq!(segments, if pairs { 1 } else { (length - 1) / step + 1 });
    }
}
