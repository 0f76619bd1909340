//! `tokbench tokenizer encode`: one thread reads, all threads encode, one thread writes.
//!
//! `encode/read.rs` reads sequences, `encode/encoder.rs` encodes them, `encode/formatter.rs` formats their tokens, and
//! `encode/sink.rs` writes the result (`encode/parquet.rs`: a table).

mod encoder;
mod formatter;
mod parquet;
mod read;
mod sink;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread::{self, ScopedJoinHandle};

use bpe::huggingface::{Refusal, TemplateItem};
use dataset::Counts;
use dataset::text::excerpt;
use rayon::prelude::*;
use tokenize::Registry;
use tokenize::kmer::Kmer;
use tokenize::vocabulary::{CLS, SEP};
use tokenize::{Reading, Tokenizer};

use super::loaded::{Loaded, open};
use super::standard::{is_standard_output, one_standard_input};
use crate::args::{self, TokenFormat};
use crate::failure::{DATA, Failure, USAGE};
use crate::folders;
use crate::stdout::errln;
use crate::workspace::file_of;
use encoder::SequenceEncoder;
use formatter::{Chunk, Formatted, Formatter, Strand};
use read::{BATCH, Sequence, read_files};
use sink::{Sink, Written};

/// Minimum number of bases that a thread encodes at a time.
const TASK: usize = 1 << 15;

pub(crate) fn run(tokenizers: &Registry, args: &args::EncodeFiles) -> Result<u8, Failure> {
    one_standard_input(&args.tokenizer, args.files.iter().map(PathBuf::as_path))?;
    let inputs = || args.files.iter().map(PathBuf::as_path).chain([file_of(&args.tokenizer)]);
    folders::apart(&args.output, inputs())?;
    if args.format == TokenFormat::Npy {
        folders::apart(&sink::offsets(&args.output), inputs())?;
    }
    let mut loaded = open(tokenizers, &args.tokenizer)?;
    if args.canonical {
        let kmer = canonical(&loaded)?;
        (loaded.tokenizer, loaded.kmer) = (Arc::<Kmer>::clone(&kmer), Some(kmer));
    }
    let frame = if args.specials { Some(frame(args, &loaded)?) } else { None };
    check_format(args)?;
    let formatter = Formatter::new(&loaded.ids, args.format, frame);
    let encoder = SequenceEncoder::new(&loaded, &formatter);
    let mut sink = Sink::create(&formatter, &args.output)?;
    let counts = match in_parallel(args, &encoder, &mut sink) {
        Some(counts) => counts?,
        None => {
            let mut write = |chunks: Vec<Formatted>| sink.write_all(&chunks);
            read_files(args, &mut |sequences| encode(args, &sequences, &encoder, &mut write))?
        }
    };
    let Written { tokens, merged } = sink.finish()?;
    let per_token = counts.bases as f64 / (tokens as f64).max(1.0);
    errln!("{counts}; {tokens} tokens, {per_token:.2} bases per token");
    if merged > 0 {
        errln!(
            "note: {merged} letters share a token with the letter before them, because the tokenizer file merges them (unknown letters, or \
             its normalizer): \"decode\" returns each such token as it is spelled; only spans (--format bed) give the number of letters"
        );
    }
    Ok(0)
}

/// Refuses formats that do not go with the output or with another flag.
fn check_format(args: &args::EncodeFiles) -> Result<(), Failure> {
    if args.format == TokenFormat::Npy && is_standard_output(&args.output) {
        return Err(Failure::new(
            USAGE,
            "a NumPy array cannot be written to standard output: its header contains the length",
            "name a file with --output",
        ));
    }
    if args.format == TokenFormat::Parquet && is_standard_output(&args.output) && std::io::stdout().is_terminal() {
        return Err(Failure::new(USAGE, "refusing to write binary Parquet to a terminal", "name a file with --output"));
    }
    if args.format == TokenFormat::Bed && args.specials {
        return Err(Failure::new(
            USAGE,
            "special tokens have no span in the sequence",
            "omit --specials with --format bed",
        ));
    }
    Ok(())
}

/// One thread reads, all threads encode, one thread writes. `None`: no thread could be started, and nothing was read.
fn in_parallel(
    args: &args::EncodeFiles,
    encoder: &SequenceEncoder<'_>,
    sink: &mut Sink,
) -> Option<Result<Counts, Failure>> {
    thread::scope(|scope| {
        let (to_encode, read) = sync_channel(1);
        let (to_write, formatted) = sync_channel::<Vec<Formatted>>(1);
        let write = move || formatted.into_iter().try_for_each(|chunks| sink.write_all(&chunks).map(drop));
        let writing = thread::Builder::new().spawn_scoped(scope, write).ok()?;
        let read_all = move || read_files(args, &mut |sequences| Ok(to_encode.send(sequences).is_ok()));
        let reading = thread::Builder::new().spawn_scoped(scope, read_all).ok()?;
        let mut encoded: Result<(), Failure> = Ok(());
        for sequences in read {
            match encode(args, &sequences, encoder, &mut |chunks| Ok(to_write.send(chunks).is_ok())) {
                Ok(true) => {}
                Ok(false) => break,
                Err(failure) => {
                    encoded = Err(failure);
                    break;
                }
            }
        }
        drop(to_write);
        let (written, counts) = (join(writing), join(reading));
        // If writing fails, reading and encoding stop too: so the error of writing comes first.
        Some(written.and(counts).and_then(|counts| encoded.map(|()| counts)))
    })
}

/// The canonical k-mers of a tokenizer.
///
/// # Errors
/// If the two strands of a sequence do not have the same canonical k-mers.
fn canonical(loaded: &Loaded) -> Result<Arc<Kmer>, Failure> {
    let kmer = loaded.kmer.as_deref().ok_or_else(|| {
        let remedy = "use k-mers of stride 1 (kmer6), or --both-strands";
        Failure::new(USAGE, format!("{} has no canonical k-mers", loaded.tokenizer.name()), remedy)
    })?;
    if matches!(kmer.reading(), Reading::Sliding { stride: 2.., .. } | Reading::Tiling(Some(2..))) {
        let remedy = "use k-mers of stride 1 (kmer6), or --both-strands";
        let reason = format!("{} does not have the same k-mers on both strands", kmer.name());
        return Err(Failure::new(USAGE, reason, remedy));
    }
    Ok(Arc::new(kmer.clone().canonical()))
}

/// External ids of the special tokens before and after a sequence: those of the file, or [CLS] and [SEP].
fn frame(args: &args::EncodeFiles, loaded: &Loaded) -> Result<[Vec<u32>; 2], Failure> {
    let Some(file) = &loaded.file else { return Ok([vec![CLS], vec![SEP]]) };
    let mut frame = [vec![], vec![]];
    let mut side = 0;
    for place in file.single()? {
        match *place {
            TemplateItem::Special { id, .. } => frame[side].push(id),
            TemplateItem::Sequence { .. } => side = 1,
        }
    }
    if frame.iter().all(Vec::is_empty) {
        errln!("note: the post_processor of {} adds no special tokens, so there are none", args.tokenizer);
    }
    Ok(frame)
}

/// The failure for a letter without an id; its position is 1-based, on the forward strand.
fn refused(args: &args::EncodeFiles, sequence: &Sequence, refusal: &Refusal) -> Failure {
    let bases = &sequence.record.bases;
    let (place, strand) = match sequence.strand {
        Strand::Reverse(length) => (length as usize - refusal.position, " on the reverse strand"),
        Strand::Only | Strand::Forward => (refusal.position + 1, ""),
    };
    let name = &sequence.record.name;
    let named = if name.is_empty() { String::new() } else { format!("record {:?}, ", excerpt(name)) };
    let record = format!("{}: {named}base {place}{strand}", args.files[sequence.file].display());
    let reason = refusal.reason.describe(bases[refusal.position], &args.tokenizer);
    Failure::new(DATA, format!("{record}: {reason}"), refusal.reason.remedy())
}

/// Encodes sequences on all threads and passes the results on in order; `false`: the receiver has stopped.
fn encode(
    args: &args::EncodeFiles,
    sequences: &[Sequence],
    encoder: &SequenceEncoder<'_>,
    give: &mut dyn FnMut(Vec<Formatted>) -> Result<bool, Failure>,
) -> Result<bool, Failure> {
    if let Some(file) = encoder.file {
        let refusals = sequences.par_iter().map(|sequence| (sequence, file.refusal(&sequence.record.bases)));
        let first = refusals.find_map_first(|(sequence, refusal)| Some((sequence, refusal?)));
        if let Some((sequence, refusal)) = first {
            return Err(refused(args, sequence, &refusal));
        }
    }
    let chunks: Vec<Chunk<'_>> = sequences.iter().flat_map(|sequence| encoder.chunks(sequence)).collect();
    for batch in groups(&chunks, BATCH) {
        let tasks: Vec<&[Chunk<'_>]> = groups(batch, TASK).collect();
        if !give(tasks.into_par_iter().map(|chunks| encoder.encode(chunks)).collect())? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Chunks in groups of at least `least` bases, except the last group.
fn groups<'a, 'b>(chunks: &'a [Chunk<'b>], least: usize) -> impl Iterator<Item = &'a [Chunk<'b>]> {
    let mut bases = 0;
    chunks.chunk_by(move |chunk, _| {
        bases += chunk.bases.len();
        let more = bases < least;
        bases = if more { bases } else { 0 };
        more
    })
}

/// The result of a thread; if it panicked, this one panics too.
fn join<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
