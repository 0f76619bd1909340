//! Encodes sequences with the fastest method that gives the ids of the tokenizer.

use std::cell::RefCell;
use std::iter;
use std::ops::Range;

use bpe::{EncodedBatch, Engine, HuggingFace};
use tokenize::kmer::Kmer;
use tokenize::{Token, Tokenizer};

use super::formatter::{Chunk, Formatted, Formatter};
use super::read::Sequence;
use crate::command::tokenizer::loaded::Loaded;

/// A tokenizer and the formatter of its tokens.
pub(super) struct SequenceEncoder<'a> {
    tokenizer: &'a dyn Tokenizer,
    pub(super) file: Option<&'a HuggingFace>,
    kmer: Option<&'a Kmer>,
    formatter: &'a Formatter,
}

/// Buffers, one set for each thread.
#[derive(Default)]
struct Buffers {
    batch: EncodedBatch,
    numbers: Vec<u32>,
    ids: Vec<u32>,
    tokens: Vec<Token>,
}

thread_local! {
    static BUFFERS: RefCell<Buffers> = RefCell::default();
}

/// Length of a chunk of a long sequence, in bases.
const CHUNK: usize = 1 << 18;

impl<'a> SequenceEncoder<'a> {
    pub(super) fn new(loaded: &'a Loaded, formatter: &'a Formatter) -> SequenceEncoder<'a> {
        SequenceEncoder {
            tokenizer: &*loaded.tokenizer,
            file: loaded.file.as_deref(),
            kmer: loaded.kmer.as_deref(),
            formatter,
        }
    }

    /// Chunks of a sequence that can be encoded independently, of at most a few times [`CHUNK`] bases if the tokenizer allows.
    pub(super) fn chunks<'b>(&self, sequence: &'b Sequence) -> Vec<Chunk<'b>> {
        let bases = &sequence.record.bases[..];
        let ranges: Vec<Range<usize>> = match self.kmer {
            _ if bases.len() < 2 * CHUNK => Vec::new(),
            Some(kmer) => kmer.segments(bases, CHUNK),
            None => self.file.map_or_else(Vec::new, |file| file.segments(bases, CHUNK)),
        };
        let ranges = if ranges.is_empty() { iter::once(0..bases.len()).collect() } else { ranges };
        let last = ranges.len() - 1;
        let chunk = |(number, range): (usize, Range<usize>)| Chunk {
            name: &sequence.record.name,
            start: range.start as u64,
            bases: &bases[range],
            is_first: number == 0,
            is_last: number == last,
            strand: sequence.strand,
        };
        ranges.into_iter().enumerate().map(chunk).collect()
    }

    /// Encodes and formats chunks, in order.
    pub(super) fn encode(&self, chunks: &[Chunk<'_>]) -> Formatted {
        let mut formatted = Formatted::default();
        let kmer = self.kmer.filter(|_| !self.formatter.spans());
        BUFFERS.with_borrow_mut(|buffers| {
            let engines: Vec<Option<&Engine>> =
                chunks.iter().map(|chunk| self.file.and_then(|file| file.engine_for(chunk.bases))).collect();
            let mut rest = chunks;
            for alike in engines.chunk_by(|one, next| one.is_some() == next.is_some()) {
                let run;
                (run, rest) = rest.split_at(alike.len());
                match (alike[0], kmer) {
                    (Some(engine), _) => self.with_engine(engine, run, buffers, &mut formatted),
                    (None, Some(kmer)) => self.kmers(kmer, run, buffers, &mut formatted),
                    (None, None) => self.one_by_one(run, buffers, &mut formatted),
                }
            }
        });
        formatted
    }

    fn with_engine(&self, engine: &Engine, chunks: &[Chunk<'_>], buffers: &mut Buffers, formatted: &mut Formatted) {
        let (sequences, batch) = (chunks.iter().map(|chunk| chunk.bases), &mut buffers.batch);
        if self.formatter.spans() {
            engine.encode_spans(sequences, batch);
        } else {
            engine.encode(sequences, batch);
        }
        for (number, chunk) in chunks.iter().enumerate() {
            let ids = batch.ids(number);
            let spans = ids.iter().zip(batch.starts(number));
            // A base other than A, C, G, T is one token.
            let spans = spans.map(|(&id, &start)| (start, start + engine.length(id).max(1) as u32));
            self.formatter.put(chunk, ids.iter().map(|&id| u32::from(id)), spans, formatted);
        }
    }

    fn kmers(&self, kmer: &Kmer, chunks: &[Chunk<'_>], buffers: &mut Buffers, formatted: &mut Formatted) {
        for chunk in chunks {
            buffers.ids.clear();
            kmer.ids(chunk.bases, &mut buffers.numbers, &mut buffers.ids);
            self.formatter.put(chunk, buffers.ids.iter().copied(), std::iter::empty(), formatted);
        }
    }

    /// Number of letters in the span of a token that it does not spell. A special token spells one.
    fn merged(&self, token: &Token) -> u64 {
        let spelled = self.tokenizer.vocabulary().bases(token.id).map_or(1, <[u8]>::len);
        u64::from(token.end - token.start).saturating_sub(spelled as u64)
    }

    fn one_by_one(&self, chunks: &[Chunk<'_>], buffers: &mut Buffers, formatted: &mut Formatted) {
        for chunk in chunks {
            self.tokenizer.encode(chunk.bases, &mut buffers.tokens);
            formatted.merged += buffers.tokens.iter().map(|token| self.merged(token)).sum::<u64>();
            let ids = buffers.tokens.iter().map(|token| token.id);
            let spans = buffers.tokens.iter().map(|token| (token.start, token.end));
            self.formatter.put(chunk, ids, spans, formatted);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::sync::Arc;

    use super::*;
    use crate::args::TokenFormat;
    use crate::command::tokenizer::encode::formatter::Strand;
    use crate::command::tokenizer::loaded::Ids;
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

    /// A trained tokenizer; `split`: with a pre-tokenizer under which the engine may not encode texts with N.
    fn learned(split: bool) -> Loaded {
        let options = Options { vocabulary: 60, chunk_length: 0, ..Options::default() };
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
        Loaded {
            ids: Ids::new(file.file_ids()),
            tokenizer: Arc::<HuggingFace>::clone(&file),
            file: Some(file),
            kmer: None,
        }
    }

    fn with_kmers(kmer: Kmer) -> Loaded {
        let kmer = Arc::new(kmer);
        let ids = Ids::Internal(kmer.vocabulary().len() as u32);
        Loaded { tokenizer: Arc::<Kmer>::clone(&kmer), file: None, kmer: Some(kmer), ids }
    }

    /// Text and BED from the tokens of whole records: the obvious implementation.
    fn reference(loaded: &Loaded, records: &[SequenceRecord]) -> [String; 2] {
        let (mut text, mut bed, mut tokens) = (String::new(), String::new(), Vec::new());
        for record in records {
            loaded.tokenizer.encode(&record.bases, &mut tokens);
            let ids: Vec<String> = tokens.iter().map(|token| loaded.ids.external(token.id).to_string()).collect();
            writeln!(text, "{}", ids.join(" ")).unwrap();
            for (token, id) in tokens.iter().zip(&ids) {
                writeln!(bed, "{}\t{}\t{}\t{id}", record.name, token.start, token.end).unwrap();
            }
        }
        [text, bed]
    }

    fn all() -> Vec<Loaded> {
        let kmers =
            ["base", "kmer4", "kmer6-nonoverlap", "kmer6-stride3", "kmer10"].map(|name| kmer::named(name).unwrap());
        let canonical = kmer::named("kmer5").unwrap().canonical();
        [learned(false), learned(true)]
            .into_iter()
            .chain(kmers.into_iter().chain([canonical]).map(with_kmers))
            .collect()
    }

    #[test]
    fn batches_equal_single_sequences() {
        let sequences: Vec<Sequence> =
            records().into_iter().map(|record| Sequence { record, strand: Strand::Only, file: 0 }).collect();
        for loaded in all() {
            for (format, expected) in
                [TokenFormat::Text, TokenFormat::Bed].into_iter().zip(reference(&loaded, &records()))
            {
                let formatter = Formatter::new(&loaded.ids, format, None);
                let encoder = SequenceEncoder::new(&loaded, &formatter);
                let chunks: Vec<Chunk<'_>> = sequences.iter().flat_map(|sequence| encoder.chunks(sequence)).collect();
                let formatted = encoder.encode(&chunks);
                assert!(formatted.bytes == expected.as_bytes(), "{} {format:?}", loaded.tokenizer.name());
                assert_eq!(formatted.lengths.len(), sequences.len());
                assert_eq!(formatted.lengths.iter().map(|(length, _)| length).sum::<u64>(), formatted.tokens);
            }
        }
    }

    #[test]
    fn chunks_of_a_long_sequence_equal_the_whole() {
        let mut bases: Vec<u8> = records().iter().flat_map(|record| record.bases.clone()).collect();
        bases = bases.iter().cycle().take(4 * CHUNK + 99).copied().collect();
        let record = SequenceRecord { name: "long".to_owned(), bases };
        for loaded in all() {
            let [text, bed] = reference(&loaded, std::slice::from_ref(&record));
            let specials: String = format!("1 {} 2\n", text.trim_end());
            for (format, framed, expected) in
                [(TokenFormat::Text, false, text), (TokenFormat::Bed, false, bed), (TokenFormat::Text, true, specials)]
            {
                let formatter = Formatter::new(&loaded.ids, format, framed.then(|| [vec![1], vec![2]]));
                let encoder = SequenceEncoder::new(&loaded, &formatter);
                let sequence = Sequence { record: record.clone(), strand: Strand::Only, file: 0 };
                let chunks = encoder.chunks(&sequence);
                assert!(chunks.len() > 3, "{} in {} chunks", loaded.tokenizer.name(), chunks.len());
                let chunks: Vec<Formatted> = chunks.chunks(1).map(|chunk| encoder.encode(chunk)).collect();
                let bytes: Vec<u8> = chunks.iter().flat_map(|formatted| formatted.bytes.clone()).collect();
                assert!(bytes == expected.as_bytes(), "{} {format:?}", loaded.tokenizer.name());
            }
        }
    }

    #[test]
    fn positions_on_the_reverse_strand_are_those_of_the_record() {
        let loaded = with_kmers(kmer::named("kmer2").unwrap());
        let formatter = Formatter::new(&loaded.ids, TokenFormat::Bed, None);
        let sequence = Sequence {
            record: SequenceRecord { name: "r".to_owned(), bases: b"GGTA".to_vec() },
            strand: Strand::Reverse(4),
            file: 0,
        };
        let encoder = SequenceEncoder::new(&loaded, &formatter);
        let bed = String::from_utf8(encoder.encode(&encoder.chunks(&sequence)).bytes).unwrap();
        assert_eq!(bed, "r\t2\t4\t15\t0\t-\nr\t1\t3\t16\t0\t-\nr\t0\t2\t17\t0\t-\n");
    }
}
