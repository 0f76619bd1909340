//! Sequences into tokens, by the fastest way that gives the tokenizer's ids.

use std::cell::RefCell;
use std::iter;
use std::ops::Range;

use bpe::{EncodedBatch, Engine, HuggingFace};
use tokenize::kmer::Kmer;
use tokenize::{Token, Tokenizer};

use super::form::{Form, Part, Piece};
use super::read::Sequence;
use crate::command::tokenizer::Ready;

/// A tokenizer and the form in which its tokens are wanted.
pub(super) struct Cutter<'a> {
    tokenizer: &'a dyn Tokenizer,
    pub(super) file: Option<&'a HuggingFace>,
    kmer: Option<&'a Kmer>,
    form: &'a Form,
}

/// Buffers, one set for each thread.
#[derive(Default)]
struct Room {
    batch: EncodedBatch,
    numbers: Vec<u32>,
    ids: Vec<u32>,
    tokens: Vec<Token>,
}

thread_local! {
    static ROOM: RefCell<Room> = RefCell::default();
}

/// Bases of a part of a long sequence.
const PART: usize = 1 << 18;

impl<'a> Cutter<'a> {
    pub(super) fn new(ready: &'a Ready, form: &'a Form) -> Cutter<'a> {
        Cutter { tokenizer: &*ready.tokenizer, file: ready.file.as_deref(), kmer: ready.kmer.as_deref(), form }
    }

    /// Parts of a sequence that can be cut on their own, at most a few times [`PART`] bases each where its cut allows.
    pub(super) fn pieces<'b>(&self, sequence: &'b Sequence) -> Vec<Piece<'b>> {
        let bases = &sequence.record.bases[..];
        let parts: Vec<Range<usize>> = match self.kmer {
            _ if bases.len() < 2 * PART => Vec::new(),
            Some(kmer) => kmer.parts(bases, PART),
            None => self.file.map_or_else(Vec::new, |file| file.parts(bases, PART)),
        };
        let parts = if parts.is_empty() { iter::once(0..bases.len()).collect() } else { parts };
        let last = parts.len() - 1;
        let piece = |(number, part): (usize, Range<usize>)| Piece {
            name: &sequence.record.name,
            from: part.start as u64,
            bases: &bases[part],
            opens: number == 0,
            closes: number == last,
            strand: sequence.strand,
        };
        parts.into_iter().enumerate().map(piece).collect()
    }

    /// Pieces cut and formed, in order.
    pub(super) fn cut(&self, pieces: &[Piece<'_>]) -> Part {
        let mut part = Part::default();
        let words = self.kmer.filter(|_| !self.form.spans());
        ROOM.with_borrow_mut(|room| {
            let engines: Vec<Option<&Engine>> =
                pieces.iter().map(|piece| self.file.and_then(|file| file.engine_for(piece.bases))).collect();
            let mut rest = pieces;
            for alike in engines.chunk_by(|one, next| one.is_some() == next.is_some()) {
                let run;
                (run, rest) = rest.split_at(alike.len());
                match (alike[0], words) {
                    (Some(engine), _) => self.together(engine, run, room, &mut part),
                    (None, Some(kmer)) => self.words(kmer, run, room, &mut part),
                    (None, None) => self.one_by_one(run, room, &mut part),
                }
            }
        });
        part
    }

    fn together(&self, engine: &Engine, pieces: &[Piece<'_>], room: &mut Room, part: &mut Part) {
        let (sequences, batch) = (pieces.iter().map(|piece| piece.bases), &mut room.batch);
        if self.form.spans() {
            engine.encode_spans(sequences, batch);
        } else {
            engine.encode(sequences, batch);
        }
        for (number, piece) in pieces.iter().enumerate() {
            let ids = batch.ids(number);
            let spans = ids.iter().zip(batch.starts(number));
            // A base that is none of A, C, G, T is one token.
            let spans = spans.map(|(&id, &start)| (start, start + engine.length(id).max(1) as u32));
            self.form.put(piece, ids.iter().map(|&id| u32::from(id)), spans, part);
        }
    }

    fn words(&self, kmer: &Kmer, pieces: &[Piece<'_>], room: &mut Room, part: &mut Part) {
        for piece in pieces {
            room.ids.clear();
            kmer.ids(piece.bases, &mut room.numbers, &mut room.ids);
            self.form.put(piece, room.ids.iter().copied(), std::iter::empty(), part);
        }
    }

    /// Letters at the place of a token that it does not spell. A special id stands for one.
    fn joined(&self, token: &Token) -> u64 {
        let spelled = self.tokenizer.vocabulary().bases(token.id).map_or(1, <[u8]>::len);
        u64::from(token.end - token.start).saturating_sub(spelled as u64)
    }

    fn one_by_one(&self, pieces: &[Piece<'_>], room: &mut Room, part: &mut Part) {
        for piece in pieces {
            self.tokenizer.encode(piece.bases, &mut room.tokens);
            part.joined += room.tokens.iter().map(|token| self.joined(token)).sum::<u64>();
            let ids = room.tokens.iter().map(|token| token.id);
            let spans = room.tokens.iter().map(|token| (token.start, token.end));
            self.form.put(piece, ids, spans, part);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::sync::Arc;

    use super::*;
    use crate::args::TokenFormat;
    use crate::command::tokenizer::Ids;
    use crate::command::tokenizer::encode::form::Strand;
    use bpe::huggingface::to_json;
    use bpe::train::{Options, train};
    use dataset::SequenceRecord;
    use tokenize::kmer;

    /// Reads and long records, with N and without.
    fn records() -> Vec<SequenceRecord> {
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
        let mut records: Vec<SequenceRecord> = lengths
            .into_iter()
            .enumerate()
            .map(|(number, length)| SequenceRecord { name: format!("r{number}"), bases: sequence(length) })
            .collect();
        for number in (0..records.len()).filter(|number| number % 5 == 0) {
            let bases = &mut records[number].bases;
            let place = (number * 7) % bases.len();
            bases[place] = b'N';
        }
        records.push(SequenceRecord { name: "unknown".to_owned(), bases: vec![b'N'; 100] });
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
        Ready {
            ids: Ids::new(file.file_ids()),
            tokenizer: Arc::<HuggingFace>::clone(&file),
            file: Some(file),
            kmer: None,
        }
    }

    fn words(kmer: Kmer) -> Ready {
        let kmer = Arc::new(kmer);
        let ids = Ids::Ours(kmer.vocabulary().len() as u32);
        Ready { tokenizer: Arc::<Kmer>::clone(&kmer), file: None, kmer: Some(kmer), ids }
    }

    /// Text and BED of what the tokenizer says of whole records.
    fn twin(ready: &Ready, records: &[SequenceRecord]) -> [String; 2] {
        let (mut text, mut bed, mut tokens) = (String::new(), String::new(), Vec::new());
        for record in records {
            ready.tokenizer.encode(&record.bases, &mut tokens);
            let ids: Vec<String> = tokens.iter().map(|token| ready.ids.shown(token.id).to_string()).collect();
            writeln!(text, "{}", ids.join(" ")).unwrap();
            for (token, id) in tokens.iter().zip(&ids) {
                writeln!(bed, "{}\t{}\t{}\t{id}", record.name, token.start, token.end).unwrap();
            }
        }
        [text, bed]
    }

    fn all() -> Vec<Ready> {
        let kmers =
            ["base", "kmer4", "kmer6-nonoverlap", "kmer6-stride3", "kmer10"].map(|name| kmer::named(name).unwrap());
        let canonical = kmer::named("kmer5").unwrap().canonical();
        [learned(false), learned(true)].into_iter().chain(kmers.into_iter().chain([canonical]).map(words)).collect()
    }

    #[test]
    fn many_at_a_time_equal_one_by_one() {
        let sequences: Vec<Sequence> =
            records().into_iter().map(|record| Sequence { record, strand: Strand::Only, file: 0 }).collect();
        for ready in all() {
            for (format, expected) in [TokenFormat::Text, TokenFormat::Bed].into_iter().zip(twin(&ready, &records())) {
                let form = Form::new(&ready.ids, format, None);
                let cutter = Cutter::new(&ready, &form);
                let pieces: Vec<Piece<'_>> = sequences.iter().flat_map(|sequence| cutter.pieces(sequence)).collect();
                let part = cutter.cut(&pieces);
                assert!(part.bytes == expected.as_bytes(), "{} {format:?}", ready.tokenizer.name());
                assert_eq!(part.lengths.len(), sequences.len());
                assert_eq!(part.lengths.iter().map(|(length, _)| length).sum::<u64>(), part.tokens);
            }
        }
    }

    #[test]
    fn parts_of_a_long_sequence_equal_the_whole() {
        let mut bases: Vec<u8> = records().iter().flat_map(|record| record.bases.clone()).collect();
        bases = bases.iter().cycle().take(4 * PART + 99).copied().collect();
        let record = SequenceRecord { name: "long".to_owned(), bases };
        for ready in all() {
            let [text, bed] = twin(&ready, std::slice::from_ref(&record));
            let specials: String = format!("1 {} 2\n", text.trim_end());
            for (format, framed, expected) in
                [(TokenFormat::Text, false, text), (TokenFormat::Bed, false, bed), (TokenFormat::Text, true, specials)]
            {
                let form = Form::new(&ready.ids, format, framed.then(|| [vec![1], vec![2]]));
                let cutter = Cutter::new(&ready, &form);
                let sequence = Sequence { record: record.clone(), strand: Strand::Only, file: 0 };
                let pieces = cutter.pieces(&sequence);
                assert!(pieces.len() > 3, "{} in {} parts", ready.tokenizer.name(), pieces.len());
                let parts: Vec<Part> = pieces.chunks(1).map(|piece| cutter.cut(piece)).collect();
                let bytes: Vec<u8> = parts.iter().flat_map(|part| part.bytes.clone()).collect();
                assert!(bytes == expected.as_bytes(), "{} {format:?}", ready.tokenizer.name());
            }
        }
    }

    #[test]
    fn the_other_strand_has_places_of_its_record() {
        let ready = words(kmer::named("kmer2").unwrap());
        let form = Form::new(&ready.ids, TokenFormat::Bed, None);
        let sequence = Sequence {
            record: SequenceRecord { name: "r".to_owned(), bases: b"GGTA".to_vec() },
            strand: Strand::Other(4),
            file: 0,
        };
        let cutter = Cutter::new(&ready, &form);
        let bed = String::from_utf8(cutter.cut(&cutter.pieces(&sequence)).bytes).unwrap();
        assert_eq!(bed, "r\t2\t4\t15\t0\t-\nr\t1\t3\t16\t0\t-\nr\t0\t2\t17\t0\t-\n");
    }
}
