//! Sequences into tokens, by the fastest way that gives the tokenizer's ids.

use std::cell::RefCell;

use dataset::Record;
use tokenize::bpe::{Batch, Engine};
use tokenize::huggingface::HuggingFace;
use tokenize::kmer::Kmer;
use tokenize::{Token, Tokenizer};

use super::form::{Form, Part};
use crate::command::tokenizer::Ready;

/// A tokenizer and the form in which its tokens are wanted.
pub(super) struct Cutter<'a> {
    tokenizer: &'a dyn Tokenizer,
    file: Option<&'a HuggingFace>,
    /// Words whose ids are asked for alone.
    kmer: Option<&'a Kmer>,
    form: &'a Form,
}

/// Buffers, one set for each thread.
#[derive(Default)]
struct Room {
    batch: Batch,
    numbers: Vec<u16>,
    ids: Vec<u32>,
    tokens: Vec<Token>,
}

thread_local! {
    static ROOM: RefCell<Room> = RefCell::default();
}

impl Cutter<'_> {
    pub(super) fn new<'a>(ready: &'a Ready, form: &'a Form) -> Cutter<'a> {
        Cutter {
            tokenizer: &*ready.tokenizer,
            file: ready.file.as_deref(),
            kmer: ready.kmer.as_ref().filter(|_| !form.spans()),
            form,
        }
    }

    /// Records cut and formed, in order.
    pub(super) fn cut(&self, records: &[Record]) -> Part {
        let mut part = Part::default();
        ROOM.with_borrow_mut(|room| {
            let engine = |record: &Record| self.file.and_then(|file| file.engine_for(&record.bases));
            for run in records.chunk_by(|record, next| engine(record).is_some() == engine(next).is_some()) {
                match (run.first().and_then(engine), self.kmer) {
                    (Some(engine), _) => self.together(engine, run, room, &mut part),
                    (None, Some(kmer)) => self.words(kmer, run, room, &mut part),
                    (None, None) => self.one_by_one(run, room, &mut part),
                }
            }
        });
        part
    }

    fn together(&self, engine: &Engine, records: &[Record], room: &mut Room, part: &mut Part) {
        let (sequences, batch) = (records.iter().map(|record| &record.bases), &mut room.batch);
        if self.form.spans() {
            engine.encode_spans(sequences, batch);
        } else {
            engine.encode(sequences, batch);
        }
        for (number, record) in records.iter().enumerate() {
            let ids = batch.ids(number);
            let spans = ids.iter().zip(batch.starts(number));
            // A base that is none of A, C, G, T is one token.
            let spans = spans.map(|(&id, &start)| (start, start + engine.length(id).max(1) as u32));
            self.form.put(&record.name, ids.iter().map(|&id| u32::from(id)), spans, part);
        }
    }

    fn words(&self, kmer: &Kmer, records: &[Record], room: &mut Room, part: &mut Part) {
        for record in records {
            room.ids.clear();
            kmer.ids(&record.bases, &mut room.numbers, &mut room.ids);
            self.form.put(&record.name, room.ids.iter().copied(), std::iter::empty(), part);
        }
    }

    fn one_by_one(&self, records: &[Record], room: &mut Room, part: &mut Part) {
        for record in records {
            self.tokenizer.encode(&record.bases, &mut room.tokens);
            let ids = room.tokens.iter().map(|token| token.id);
            let spans = room.tokens.iter().map(|token| (token.start, token.end));
            self.form.put(&record.name, ids, spans, part);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::sync::Arc;

    use super::*;
    use crate::args::TokenFormat;
    use tokenize::bpe::train::{Options, train};
    use tokenize::huggingface::to_json;
    use tokenize::kmer;

    /// Reads and long records, with N and without.
    fn records() -> Vec<Record> {
        let mut state = 1u64;
        let mut random = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) as usize % below
        };
        let lengths: Vec<usize> = (0..200).map(|i| [1, 2, 7, 300, 301, 5000][i % 6]).chain([60_000]).collect();
        let mut sequence = |length: usize| -> Vec<u8> {
            let word = [b"ACGTTGCA".as_slice(), b"TTTTTTTT", b"GATTACAG", b"CCGGAATT"];
            (0..length.div_ceil(8)).flat_map(|_| word[random(4)].to_vec()).take(length).collect()
        };
        let mut records: Vec<Record> = lengths
            .into_iter()
            .enumerate()
            .map(|(number, length)| Record { name: format!("r{number}"), bases: sequence(length) })
            .collect();
        for number in (0..records.len()).filter(|number| number % 5 == 0) {
            let bases = &mut records[number].bases;
            let place = (number * 7) % bases.len();
            bases[place] = b'N';
        }
        records.push(Record { name: "unknown".to_owned(), bases: vec![b'N'; 100] });
        records
    }

    /// A learned tokenizer; `split`: with a pre-tokenizer under which the engine may not cut texts with N.
    fn learned(split: bool) -> Ready {
        let options = Options { vocabulary: 60, piece: 0, ..Options::default() };
        let records = records();
        let learned = train(records.iter().map(|record| &record.bases), &options, &mut |_| true).unwrap();
        let mut json: serde_json::Value = serde_json::from_slice(&to_json(&learned)).unwrap();
        if split {
            json["pre_tokenizer"] = serde_json::json!({
                "type": "Split", "pattern": {"String": "N"}, "behavior": "Isolated", "invert": false
            });
        }
        let file = HuggingFace::from_json("mine".to_owned(), json.to_string().as_bytes(), "test").unwrap();
        assert_eq!(file.engine_for(b"ACN").is_none(), split);
        assert!(file.engine_for(b"AC").is_some());
        let file = Arc::new(file);
        Ready { ids: file.file_ids(), tokenizer: Arc::<HuggingFace>::clone(&file), file: Some(file), kmer: None }
    }

    fn words(name: &str) -> Ready {
        let kmer = kmer::named(name).unwrap();
        let ids = (0..kmer.vocabulary().len() as u32).collect();
        Ready { tokenizer: Arc::new(kmer::named(name).unwrap()), file: None, kmer: Some(kmer), ids }
    }

    #[test]
    fn many_at_a_time_equal_one_by_one() {
        let records = records();
        for ready in [learned(false), learned(true), words("base"), words("kmer4"), words("kmer6-nonoverlap")] {
            let (mut text, mut bed, mut tokens) = (String::new(), String::new(), Vec::new());
            for record in &records {
                ready.tokenizer.encode(&record.bases, &mut tokens);
                let ids: Vec<String> = tokens.iter().map(|token| ready.ids[token.id as usize].to_string()).collect();
                writeln!(text, "{}", ids.join(" ")).unwrap();
                for (token, id) in tokens.iter().zip(&ids) {
                    writeln!(bed, "{}\t{}\t{}\t{id}", record.name, token.start, token.end).unwrap();
                }
            }
            for (format, expected) in [(TokenFormat::Text, text), (TokenFormat::Bed, bed)] {
                let form = Form::new(&ready.ids, format, false);
                let part = Cutter::new(&ready, &form).cut(&records);
                assert!(part.bytes == expected.as_bytes(), "{} {format:?}", ready.tokenizer.name());
                assert_eq!(part.lengths.len(), records.len());
                assert_eq!(part.lengths.iter().sum::<u64>(), part.tokens);
            }
        }
    }
}
