//! `tokbench tokenizer encode`: a thread reads, all threads cut, a thread writes.
//!
//! `encode/read.rs` reads sequences, `encode/cut.rs` cuts sequences, `encode/form.rs` gives tokens the form of a format, `encode/sink.rs` writes what was formed
//! (`encode/parquet.rs`: a table).

mod cut;
mod form;
mod parquet;
mod read;
mod sink;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread::{self, ScopedJoinHandle};

use bpe::huggingface::{Place, Refusal};
use dataset::Counts;
use dataset::text::excerpt;
use rayon::prelude::*;
use tokenize::Registry;
use tokenize::kmer::Kmer;
use tokenize::vocabulary::{CLS, SEP};
use tokenize::{Reading, Tokenizer};

use super::{Ready, is_standard_output, one_input, open};
use crate::args::{self, TokenFormat};
use crate::failure::{DATA, Failure, USAGE};
use crate::folders;
use crate::stdout::errln;
use crate::workspace::file_of;
use cut::Cutter;
use form::{Form, Part, Piece, Strand};
use read::{Sequence, TOGETHER, read_files};
use sink::{Sink, Written};

/// Bases that a thread cuts at a time.
const SHARE: usize = 1 << 15;

pub(crate) fn run(tokenizers: &Registry, args: &args::EncodeFiles) -> Result<u8, Failure> {
    one_input(&args.tokenizer, args.files.iter().map(PathBuf::as_path))?;
    let inputs = || args.files.iter().map(PathBuf::as_path).chain([file_of(&args.tokenizer)]);
    folders::apart(&args.output, inputs())?;
    if args.format == TokenFormat::Npy {
        folders::apart(&sink::offsets(&args.output), inputs())?;
    }
    let mut ready = open(tokenizers, &args.tokenizer)?;
    if args.canonical {
        let kmer = canonical(&ready)?;
        (ready.tokenizer, ready.kmer) = (Arc::<Kmer>::clone(&kmer), Some(kmer));
    }
    let frame = if args.specials { Some(frame(args, &ready)?) } else { None };
    fits(args)?;
    let form = Form::new(&ready.ids, args.format, frame);
    let cutter = Cutter::new(&ready, &form);
    let mut sink = Sink::create(&form, &args.output)?;
    let counts = match at_once(args, &cutter, &mut sink) {
        Some(counts) => counts?,
        None => {
            let mut write = |parts: Vec<Part>| sink.write_all(&parts);
            read_files(args, &mut |sequences| cut(args, &sequences, &cutter, &mut write))?
        }
    };
    let Written { tokens, joined } = sink.finish()?;
    let per_token = counts.bases as f64 / (tokens as f64).max(1.0);
    errln!("{counts}; {tokens} tokens, {per_token:.2} bases each");
    if joined > 0 {
        errln!(
            "note: {joined} letters share a token with those before them, as the file joins them (unknown letters, or its normalizer): \
             \"decode\" gives each such token as it is spelled, and only spans (--format bed) tell how many letters there were"
        );
    }
    Ok(0)
}

/// Refuses formats for which the output or another flag is none.
fn fits(args: &args::EncodeFiles) -> Result<(), Failure> {
    if args.format == TokenFormat::Npy && is_standard_output(&args.output) {
        return Err(Failure::new(
            USAGE,
            "a NumPy array needs its length at its beginning",
            "name a file with --output",
        ));
    }
    if args.format == TokenFormat::Parquet && is_standard_output(&args.output) && std::io::stdout().is_terminal() {
        return Err(Failure::new(
            USAGE,
            "a Parquet file is nothing to read on a terminal",
            "name a file with --output",
        ));
    }
    if args.format == TokenFormat::Bed && args.specials {
        return Err(Failure::new(USAGE, "special ids stand for no bases", "leave --specials away with --format bed"));
    }
    Ok(())
}

/// A thread reads, all threads cut, a thread writes. `None`: no thread could be started, and nothing was read.
fn at_once(args: &args::EncodeFiles, cutter: &Cutter<'_>, sink: &mut Sink) -> Option<Result<Counts, Failure>> {
    thread::scope(|scope| {
        let (ahead, read) = sync_channel(1);
        let (formed, behind) = sync_channel::<Vec<Part>>(1);
        let write = move || behind.into_iter().try_for_each(|parts| sink.write_all(&parts).map(drop));
        let writing = thread::Builder::new().spawn_scoped(scope, write).ok()?;
        let read_all = move || read_files(args, &mut |sequences| Ok(ahead.send(sequences).is_ok()));
        let reading = thread::Builder::new().spawn_scoped(scope, read_all).ok()?;
        let mut cut: Result<(), Failure> = Ok(());
        for sequences in read {
            match self::cut(args, &sequences, cutter, &mut |parts| Ok(formed.send(parts).is_ok())) {
                Ok(true) => {}
                Ok(false) => break,
                Err(failure) => {
                    cut = Err(failure);
                    break;
                }
            }
        }
        drop(formed);
        let (written, counts) = (joined(writing), joined(reading));
        // Where nothing can be written any more, nothing more is read either: then that is the cause.
        Some(written.and(counts).and_then(|counts| cut.map(|()| counts)))
    })
}

/// The canonical words of a tokenizer, where both strands have the same ones.
fn canonical(ready: &Ready) -> Result<Arc<Kmer>, Failure> {
    let kmer = ready.kmer.as_deref().ok_or_else(|| {
        let remedy = "give words of a fixed number of bases (kmer6), or use --both-strands";
        Failure::new(USAGE, format!("{} has no canonical words", ready.tokenizer.name()), remedy)
    })?;
    if matches!(kmer.reading(), Reading::Sliding { stride: 2.., .. } | Reading::Tiling(Some(2..))) {
        let remedy = "give words that begin at every base (kmer6), or use --both-strands";
        let reason = format!("{} does not have the same words on both strands", kmer.name());
        return Err(Failure::new(USAGE, reason, remedy));
    }
    Ok(Arc::new(kmer.clone().canonical()))
}

/// The ids before and behind a sequence: those of the file, or ours.
fn frame(args: &args::EncodeFiles, ready: &Ready) -> Result<[Vec<u32>; 2], Failure> {
    let Some(file) = &ready.file else { return Ok([vec![CLS], vec![SEP]]) };
    let mut frame = [vec![], vec![]];
    let mut side = 0;
    for place in file.single()? {
        match *place {
            Place::Special { id, .. } => frame[side].push(id),
            Place::Sequence { .. } => side = 1,
        }
    }
    if frame.iter().all(Vec::is_empty) {
        errln!("note: the post_processor of {} puts no ids around a sequence, so there are none", args.tokenizer);
    }
    Ok(frame)
}

/// A letter that has no id, counted from 1 on the strand given.
fn refused(args: &args::EncodeFiles, sequence: &Sequence, refusal: &Refusal) -> Failure {
    let bases = &sequence.record.bases;
    let (place, strand) = match sequence.strand {
        Strand::Other(length) => (length as usize - refusal.place, " on the other strand"),
        Strand::Only | Strand::Given => (refusal.place + 1, ""),
    };
    let name = &sequence.record.name;
    let named = if name.is_empty() { String::new() } else { format!("record {:?}, ", excerpt(name)) };
    let record = format!("{}: {named}base {place}{strand}", args.files[sequence.file].display());
    let reason = refusal.why.of(bases[refusal.place], &args.tokenizer);
    Failure::new(DATA, format!("{record}: {reason}"), refusal.why.remedy())
}

/// Cuts what was read on all threads and gives it on in order; `false`: nobody takes it any more.
fn cut(
    args: &args::EncodeFiles,
    sequences: &[Sequence],
    cutter: &Cutter<'_>,
    give: &mut dyn FnMut(Vec<Part>) -> Result<bool, Failure>,
) -> Result<bool, Failure> {
    if let Some(file) = cutter.file {
        let refusals = sequences.par_iter().map(|sequence| (sequence, file.refusal(&sequence.record.bases)));
        let first = refusals.find_map_first(|(sequence, refusal)| Some((sequence, refusal?)));
        if let Some((sequence, refusal)) = first {
            return Err(refused(args, sequence, &refusal));
        }
    }
    let pieces: Vec<Piece<'_>> = sequences.iter().flat_map(|sequence| cutter.pieces(sequence)).collect();
    for together in groups(&pieces, TOGETHER) {
        let shares: Vec<&[Piece<'_>]> = groups(together, SHARE).collect();
        if !give(shares.into_par_iter().map(|share| cutter.cut(share)).collect())? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Pieces in groups of at least so many bases.
fn groups<'a, 'b>(pieces: &'a [Piece<'b>], least: usize) -> impl Iterator<Item = &'a [Piece<'b>]> {
    let mut bases = 0;
    pieces.chunk_by(move |piece, _| {
        bases += piece.bases.len();
        let more = bases < least;
        bases = if more { bases } else { 0 };
        more
    })
}

/// What a thread gave; if it panicked, so does this one.
fn joined<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
