//! `tokbench tokenizer encode`.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use dataset::{Counts, Record};
use rayon::prelude::*;
use tokenize::Token;
use tokenize::vocabulary::{CLS, SEP};

use super::{Output, Ready, interrupted, is_standard, open};
use crate::args::{self, TokenFormat};
use crate::failure::{Failure, USAGE};

/// Bases that are cut together, shared between threads; memory is bounded by it and by the longest sequence.
const TOGETHER: usize = 1 << 24;
/// Bytes of the header of a NumPy file.
const HEADER: usize = 128;

pub(crate) fn run(args: &args::EncodeFiles, stop: &Arc<AtomicBool>) -> Result<u8, Failure> {
    let ready = open(&args.tokenizer)?;
    if args.format == TokenFormat::Npy && is_standard(&args.output) {
        return Err(Failure::new(
            USAGE,
            "a NumPy array needs its length at its beginning",
            "name a file with --output",
        ));
    }
    if args.format == TokenFormat::Bed && args.specials {
        return Err(Failure::new(USAGE, "special ids stand for no bases", "leave --specials away with --format bed"));
    }
    if let Some(threads) = args.threads {
        model::device::threads(threads.max(1));
    }
    let mut writer = Writer::new(&ready, args)?;
    let mut counts = Counts::default();
    for file in &args.files {
        let mut sequences = dataset::sequences::open(file)?;
        let (mut together, mut bases) = (Vec::new(), 0);
        loop {
            if stop.load(Ordering::Relaxed) {
                return Err(interrupted());
            }
            let record = sequences.next().transpose()?;
            let last = record.is_none();
            if let Some(record) = record {
                bases += record.bases.len();
                together.push(record);
            }
            if bases >= TOGETHER || last {
                writer.write(&together)?;
                together.clear();
                bases = 0;
            }
            if last {
                break;
            }
        }
        counts += *sequences.counts();
    }
    let tokens = writer.finish()?;
    let per_token = counts.bases as f64 / (tokens as f64).max(1.0);
    eprintln!("{counts}; {tokens} tokens, {per_token:.2} bases each");
    Ok(0)
}

struct Writer<'a> {
    ready: &'a Ready,
    format: TokenFormat,
    /// [CLS] and [SEP], where they are asked for.
    frame: Option<[u32; 2]>,
    output: Output,
    /// Where each sequence begins, for arrays.
    offsets: Option<(Output, u64)>,
    /// Whether ids take four bytes in arrays.
    wide: bool,
    tokens: u64,
    ids: u64,
}

impl Writer<'_> {
    fn new<'a>(ready: &'a Ready, args: &args::EncodeFiles) -> Result<Writer<'a>, Failure> {
        let mut output = Output::create(&args.output)?;
        let mut offsets = None;
        if args.format == TokenFormat::Npy {
            let path: PathBuf = format!("{}.offsets.npy", args.output.display()).into();
            let mut file = Output::create(&path)?;
            for file in [&mut output, &mut file] {
                file.write(&[0; HEADER])?;
            }
            file.write(&0u64.to_le_bytes())?;
            offsets = Some((file, 1));
        }
        let special = |id: u32| ready.ids[id as usize];
        Ok(Writer {
            ready,
            format: args.format,
            frame: args.specials.then(|| [special(CLS), special(SEP)]),
            output,
            offsets,
            wide: ready.ids.iter().any(|&id| id > u32::from(u16::MAX)),
            tokens: 0,
            ids: 0,
        })
    }

    /// Cuts records on all threads and writes them in order.
    fn write(&mut self, records: &[Record]) -> Result<(), Failure> {
        let this = &*self;
        let cut: Vec<(Vec<u8>, u64, u64)> = records.par_iter().map(|record| this.cut(record)).collect();
        for (bytes, tokens, ids) in cut {
            self.output.write(&bytes)?;
            self.tokens += tokens;
            self.ids += ids;
            if let Some((offsets, count)) = &mut self.offsets {
                offsets.write(&self.ids.to_le_bytes())?;
                *count += 1;
            }
        }
        Ok(())
    }

    /// One record as bytes, its tokens and its ids.
    fn cut(&self, record: &Record) -> (Vec<u8>, u64, u64) {
        let mut tokens: Vec<Token> = Vec::new();
        self.ready.tokenizer.encode(&record.bases, &mut tokens);
        let id = |token: &Token| self.ready.ids[token.id as usize];
        let [opening, closing] = self.frame.map_or([None, None], |[cls, sep]| [Some(cls), Some(sep)]);
        let ids = opening.into_iter().chain(tokens.iter().map(id)).chain(closing);
        let number = tokens.len() as u64 + if self.frame.is_some() { 2 } else { 0 };
        let bytes = match self.format {
            TokenFormat::Text => {
                let mut line = String::with_capacity(5 * tokens.len() + 16);
                for (place, id) in ids.enumerate() {
                    // Writing to a string cannot fail.
                    let _ = if place == 0 { write!(line, "{id}") } else { write!(line, " {id}") };
                }
                line.push('\n');
                line.into_bytes()
            }
            TokenFormat::Npy if self.wide => ids.flat_map(u32::to_le_bytes).collect(),
            TokenFormat::Npy => ids.flat_map(|id| (id as u16).to_le_bytes()).collect(),
            TokenFormat::Bed => {
                let mut lines = String::new();
                for token in &tokens {
                    let _ = writeln!(lines, "{}\t{}\t{}\t{}", record.name, token.start, token.end, id(token));
                }
                lines.into_bytes()
            }
        };
        (bytes, tokens.len() as u64, number)
    }

    fn finish(self) -> Result<u64, Failure> {
        match self.offsets {
            None => self.output.finish(None)?,
            Some((offsets, count)) => {
                let kind = if self.wide { "<u4" } else { "<u2" };
                self.output.finish(Some(&header(kind, self.ids)))?;
                offsets.finish(Some(&header("<u8", count)))?;
            }
        }
        Ok(self.tokens)
    }
}

/// The header of a NumPy file of one dimension (format 1.0), padded to [`HEADER`] bytes.
fn header(kind: &str, length: u64) -> Vec<u8> {
    let text = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({length},), }}");
    let room = HEADER - 10;
    let mut header = b"\x93NUMPY\x01\x00".to_vec();
    header.extend((room as u16).to_le_bytes());
    header.extend(format!("{text:<width$}\n", width = room - 1).into_bytes());
    header
}

#[cfg(test)]
mod tests {
    #[test]
    fn header_of_an_array() {
        let header = super::header("<u2", u64::MAX);
        assert_eq!(header.len(), super::HEADER);
        assert_eq!(&header[..10], b"\x93NUMPY\x01\x00\x76\x00");
        assert!(header.ends_with(b" \n"));
    }
}
