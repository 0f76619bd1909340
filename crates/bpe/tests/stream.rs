//! Parts of a text, cut one by one, and texts that come bit by bit: the ids of the whole.

use bpe::train::{Options, train};
use bpe::vocabulary::SPECIALS;
use bpe::{EncodedBatch, Engine};
use proptest::prelude::*;

/// The engine of what is learned from a text; `pairs`: without automaton.
fn learned(text: &[u8], size: usize, pairs: bool) -> Engine {
    let options = Options { vocabulary: size, piece: 0, min_frequency: 1, ..Options::default() };
    let learned = train([text], &options, &mut |_| true).unwrap();
    let merges = learned.merges.iter().zip(SPECIALS + 4..).map(|(&(left, right), token)| (left, right, token));
    let tokens: Vec<Vec<u8>> = vec![Vec::new(); SPECIALS as usize].into_iter().chain(learned.tokens).collect();
    let engine = Engine::new(&tokens, &merges.collect::<Vec<_>>(), 60_000).unwrap();
    let engine = if pairs { engine.with_most_states(0) } else { engine };
    assert_eq!(engine.compile().is_none(), pairs);
    engine
}

fn whole(engine: &Engine, text: &[u8]) -> Vec<u16> {
    let mut batch = EncodedBatch::default();
    engine.encode([text], &mut batch);
    batch.ids(0).to_vec()
}

/// The ids of a text that comes in bits of these lengths, and the most bases that ever waited.
fn streamed(engine: &Engine, text: &[u8], bits: &[usize], step: usize) -> (Vec<u16>, usize) {
    let mut stream = engine.stream().with_step(step);
    let (mut ids, mut waited, mut rest) = (Vec::new(), 0, text);
    for &bit in bits.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (now, later) = rest.split_at(bit.min(rest.len()));
        stream.push(now, &mut ids);
        waited = waited.max(stream.waiting());
        rest = later;
    }
    stream.finish(&mut ids);
    assert_eq!(stream.waiting(), 0);
    (ids, waited)
}

fn in_parts(engine: &Engine, text: &[u8], every: usize) -> (Vec<u16>, usize) {
    let parts = engine.parts(text, every);
    (parts.iter().flat_map(|part| whole(engine, &text[part.clone()])).collect(), parts.len())
}

/// Words of a few units: full of repeats, so that borders are far from certain.
fn text() -> impl Strategy<Value = Vec<u8>> {
    let unit = prop::collection::vec(prop::sample::select(b"AAACCGT".to_vec()), 1..5);
    prop::collection::vec((unit, 1usize..12), 1..40)
        .prop_map(|parts| parts.into_iter().flat_map(|(unit, times)| unit.repeat(times)).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn parts_and_bits_give_the_ids_of_the_whole(
        learn in text(), mut text in text(), others in prop::collection::vec(any::<prop::sample::Index>(), 0..3),
        size in 9usize..120, bits in prop::collection::vec(1usize..50, 1..5), step in 1usize..200, every in 1usize..300,
    ) {
        others.iter().for_each(|place| { let place = place.index(text.len()); text[place] = b'N'; });
        for pairs in [false, true] {
            let engine = learned(&learn, size, pairs);
            let expected = whole(&engine, &text);
            prop_assert_eq!(&streamed(&engine, &text, &bits, step).0, &expected, "pairs {}", pairs);
            prop_assert_eq!(&in_parts(&engine, &text, every).0, &expected, "pairs {}", pairs);
        }
    }
}

/// Structure as in genomes: copies, runs, and what is in between.
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

/// What waits does not grow with the text, in endless repeats neither.
#[test]
fn memory_does_not_grow() {
    let text: Vec<u8> = structured(200_000).into_iter().chain([b'A'; 50_000]).chain(b"AC".repeat(20_000)).collect();
    let step = 20_000;
    for (pairs, length) in [(false, 600_000), (true, 100_000)] {
        let engine = learned(&text, 600, pairs);
        let mut texts: Vec<Vec<u8>> =
            [b"A".as_slice(), b"AC", b"CA", b"AAC", b"ACGGT"].map(|unit| unit.repeat(length / unit.len())).to_vec();
        texts.push(structured(length));
        texts.push([structured(length), b"AC".repeat(length), structured(length)].concat());
        for (number, text) in texts.iter().enumerate() {
            let (ids, waited) = streamed(&engine, text, &[777, 60_000], step);
            assert!(ids == whole(&engine, text), "{number}");
            assert!(waited <= 2 * step, "{number}: {waited} bases waited");
        }
        // Tokens of thousands of bases, as above, are longer than what is looked at.
        let engine = learned(&structured(200_000), 600, pairs);
        let (ids, parts) = in_parts(&engine, &texts[5], step);
        assert!(ids == whole(&engine, &texts[5]));
        // Without automaton there is nothing to tell by.
        assert_eq!(parts, if pairs { 1 } else { (length - 1) / step + 1 });
    }
}
