//! Speed compared with the `tokenizers` crate, in one run. `bench/ratios.py` prints the ratios.
//!
//! Public tokenizers and genomes are read from `TOKBENCH_DATA`; without it, text is random and vocabularies are learned from it.

use std::hint::black_box;
use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

use bpe::train::{Options, train};
use bpe::{EncodedBatch, HuggingFace};
use candidate::pipeline::{EncodeOptions, PipelineTokenizer};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use tokenize::kmer::codes::{Strand, codes};
use tokenize::vocabulary::SPECIAL_NAMES;
use tokenizers::models::bpe::{BPE, BpeTrainerBuilder};
use tokenizers::{AddedToken, Trainer};

/// Bases of a read.
const READ: usize = 300;
/// Bases per chunk in which the `tokenizers` crate gets a chromosome.
const CHUNK: usize = 10_000;

fn data(name: &str) -> Option<PathBuf> {
    let folder = PathBuf::from(std::env::var_os("TOKBENCH_DATA")?);
    Some(folder.join(name)).filter(|path| path.exists())
}

/// The bases of a genome, or as many random ones.
fn genome() -> Vec<u8> {
    let Some(path) = data("genomes/ecoli_k12_mg1655.fa.gz") else {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        return (0..4_600_000).map(|_| b"ACGT"[rng.random_range(0..4)]).collect();
    };
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(std::fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    text.lines().filter(|line| !line.starts_with('>')).collect::<String>().into_bytes()
}

fn tokenizer(file: &str, size: usize, genome: &[u8]) -> HuggingFace {
    let json = data(&format!("tokenizers/{file}.json")).map_or_else(
        || tokenize::families::bpe::train("bpe", size, &mut genome.chunks(CHUNK)).unwrap(),
        |path| std::fs::read(path).unwrap(),
    );
    let tokenizer = HuggingFace::from_json(file.to_owned(), &json, file).unwrap();
    tokenizer.engine().unwrap().compile().expect("an automaton");
    tokenizer
}

/// The release candidate of the next version of the `tokenizers` crate, verified to give the same ids.
fn candidate(tokenizer: &HuggingFace, texts: &[&str]) -> PipelineTokenizer {
    let json = String::from_utf8(tokenizer.json().to_vec()).unwrap();
    let candidate = candidate::from_json(&candidate::canonicalize_str(&json).unwrap()).unwrap();
    let mut out = Vec::new();
    for text in texts {
        out.clear();
        candidate.encode_into(text, &EncodeOptions::no_specials(), &mut out).unwrap();
        let expected = tokenizer.inner().encode_fast(*text, false).unwrap();
        assert!(out.iter().map(|token| token.id()).eq(expected.get_ids().iter().copied()));
    }
    candidate
}

fn encoding(criterion: &mut Criterion) {
    let genome = genome();
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let reads: Vec<&[u8]> = (0..4_000)
        .map(|_| {
            let start = rng.random_range(0..genome.len() - READ);
            &genome[start..start + READ]
        })
        .collect();
    let text = |bases: &'static [u8]| std::str::from_utf8(bases).unwrap();
    let genome: &'static [u8] = Vec::leak(genome.clone());
    let texts: Vec<&str> = reads.iter().map(|read| std::str::from_utf8(read).unwrap()).collect();
    let chunks: Vec<&str> = genome.chunks(CHUNK).map(text).collect();
    for (file, size) in [("dnabert2_bpe4096", 4096), ("gena_t2t_1000h_multi_32k", 32_000)] {
        let tokenizer = tokenizer(file, size, genome);
        let (engine, theirs) = (tokenizer.engine().unwrap(), tokenizer.inner());
        let mut batch = EncodedBatch::default();
        let mut group = criterion.benchmark_group(format!("encode/{file}/reads"));
        group.throughput(Throughput::Bytes((reads.len() * READ) as u64));
        group.bench_function("ids", |b| b.iter(|| engine.encode(black_box(&reads), &mut batch)));
        group.bench_function("spans", |b| b.iter(|| engine.encode_spans(black_box(&reads), &mut batch)));
        // A tenth of the reads: the throughput is per base.
        group.throughput(Throughput::Bytes((reads.len() / 10 * READ) as u64));
        let few = &texts[..texts.len() / 10];
        group.bench_function("tokenizers ids", |b| {
            b.iter(|| few.iter().map(|read| theirs.encode_fast(*read, false).unwrap().len()).sum::<usize>());
        });
        // It caches earlier results, so it gets other reads each time, as from a file.
        group.bench_function("tokenizers 1.0 ids", |b| {
            let (theirs, options) = (candidate(&tokenizer, few), EncodeOptions::no_specials());
            let (mut out, mut shift) = (Vec::new(), 0);
            b.iter(|| {
                shift += 1;
                let one = |number: usize| {
                    let start = (number * 7_919 + shift * 31) % (genome.len() - READ);
                    out.clear();
                    theirs.encode_into(text(&genome[start..start + READ]), &options, &mut out).unwrap();
                    out.len()
                };
                (0..few.len()).map(one).sum::<usize>()
            });
        });
        group.bench_function("tokenizers spans", |b| {
            b.iter(|| few.iter().map(|read| theirs.encode(*read, false).unwrap().len()).sum::<usize>());
        });
        group.finish();
        let mut group = criterion.benchmark_group(format!("encode/{file}/chromosome"));
        group.throughput(Throughput::Bytes(genome.len() as u64));
        group.bench_function("ids", |b| b.iter(|| engine.encode([black_box(genome)], &mut batch)));
        let few = &chunks[..chunks.len().min(40)];
        group.throughput(Throughput::Bytes(few.iter().map(|chunk| chunk.len() as u64).sum()));
        group.bench_function("tokenizers ids", |b| {
            b.iter(|| few.iter().map(|chunk| theirs.encode_fast(*chunk, false).unwrap().len()).sum::<usize>());
        });
        group.finish();
    }
    from_file(criterion, &reads, genome);
}

/// From the bytes of a FASTA file to ids, on all threads.
fn from_file(criterion: &mut Criterion, reads: &[&[u8]], genome: &[u8]) {
    let tokenizer = tokenizer("dnabert2_bpe4096", 4096, genome);
    let (engine, theirs) = (tokenizer.engine().unwrap(), tokenizer.inner());
    let fasta = |reads: &[&[u8]]| -> Vec<u8> {
        reads.iter().flat_map(|read| [b">read\n".as_slice(), read, b"\n"].concat()).collect()
    };
    let read = |fasta: &[u8]| -> Vec<Vec<u8>> {
        let mut reader = needletail::parse_fastx_reader(std::io::Cursor::new(fasta.to_vec())).unwrap();
        let mut reads = Vec::new();
        while let Some(record) = reader.next() {
            reads.push(record.unwrap().seq().into_owned());
        }
        reads
    };
    let (all, few) = (fasta(reads), fasta(&reads[..reads.len() / 10]));
    let mut group = criterion.benchmark_group("encode/dnabert2_bpe4096/fasta on all threads");
    group.throughput(Throughput::Bytes((reads.len() * READ) as u64));
    group.bench_function("ids", |b| {
        b.iter(|| {
            read(&all)
                .par_chunks(256)
                .map_init(EncodedBatch::default, |batch, reads| {
                    engine.encode(reads, batch);
                    batch.len()
                })
                .sum::<usize>()
        });
    });
    group.throughput(Throughput::Bytes((reads.len() / 10 * READ) as u64));
    group.bench_function("tokenizers ids", |b| {
        b.iter(|| {
            let reads = read(&few);
            let one = |read: &Vec<u8>| theirs.encode_fast(std::str::from_utf8(read).unwrap(), false).unwrap().len();
            reads.par_iter().map(one).sum::<usize>()
        });
    });
    group.finish();
}

fn training(criterion: &mut Criterion) {
    let genome = genome();
    let text = &genome[..2_000_000];
    let chunks: Vec<&str> = text.chunks(512).map(|chunk| std::str::from_utf8(chunk).unwrap()).collect();
    let mut group = criterion.benchmark_group("train/4096 on 2 Mb in pieces of 512");
    group.sample_size(10).throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("merges", |b| b.iter(|| train([text], &Options::default(), &mut |_| true).unwrap()));
    group.bench_function("tokenizers merges", |b| {
        let trainer = || {
            BpeTrainerBuilder::new()
                .show_progress(false)
                .vocab_size(4096)
                .min_frequency(2)
                .initial_alphabet(['A', 'C', 'G', 'T'].into())
                .special_tokens(SPECIAL_NAMES.map(|token| AddedToken::from(token, true)).to_vec())
                .build()
        };
        b.iter_batched(
            trainer,
            |mut trainer| {
                trainer.feed(chunks.iter(), |chunk| Ok(vec![chunk.to_owned()])).unwrap();
                trainer.train(&mut BPE::default()).unwrap();
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

/// The straightforward rolling implementation: base by base, two bits each.
fn rolling(bases: &[u8], k: usize, out: &mut Vec<u16>) {
    out.clear();
    let (mask, mut number) = ((1u32 << (2 * k)) - 1, 0u32);
    for (place, base) in bases.iter().enumerate() {
        let digit = match base {
            b'A' => 0,
            b'C' => 1,
            b'G' => 2,
            _ => 3,
        };
        number = (number << 2 | digit) & mask;
        if place + 1 >= k {
            out.push(number as u16);
        }
    }
}

/// 6-mers of a text four times as large as most last-level caches.
fn kmers(criterion: &mut Criterion) {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let text: Vec<u8> = (0..128 << 20).map(|_| b"ACGT"[rng.random_range(0..4)]).collect();
    let mut out = Vec::with_capacity(text.len());
    let mut group = criterion.benchmark_group("kmer6 of 128 Mb");
    group.sample_size(10).throughput(Throughput::Bytes(3 * text.len() as u64));
    group.bench_function("ids", |b| b.iter(|| codes(black_box(&text), 6, Strand::Given, &mut out)));
    group.bench_function("rolling ids", |b| b.iter(|| rolling(black_box(&text), 6, &mut out)));
    // A copy of the same number of bytes: the memory speed of the machine.
    let source = vec![1u8; 3 * text.len() / 2];
    let mut target = vec![0u8; source.len()];
    group.bench_function("copy", |b| b.iter(|| black_box(&mut target).copy_from_slice(black_box(&source))));
    group.finish();
}

criterion_group! {
    name = speed;
    config = Criterion::default().sample_size(20).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(3));
    targets = encoding, training, kmers
}
criterion_main!(speed);
