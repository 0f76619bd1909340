//! One training run, with its CPU time and peak memory.
//!
//! usage: train ours|theirs CHUNK FILE...     (CHUNK: bases per chunk, 0: whole records; plain FASTA)

use std::time::Instant;

use bpe::train::{Options, train};
use tokenize::vocabulary::SPECIAL_NAMES;
use tokenizers::models::bpe::{BPE, BpeTrainerBuilder};
use tokenizers::{AddedToken, Model, Trainer};

fn status(key: &str) -> f64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default();
    line.trim_start_matches(':').trim().trim_end_matches(" kB").parse().unwrap_or(f64::NAN)
}

/// CPU seconds of this process (ticks are hundredths of a second on Linux).
fn seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    fields[11..13].iter().map(|ticks| ticks.parse::<f64>().unwrap_or(f64::NAN)).sum::<f64>() / 100.0
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (who, chunk) = (arguments[0].as_str(), arguments[1].parse::<usize>().unwrap());
    let mut records: Vec<Vec<u8>> = Vec::new();
    for file in &arguments[2..] {
        let mut reader = needletail::parse_fastx_file(file).unwrap();
        while let Some(record) = reader.next() {
            records.push(record.unwrap().seq().into_owned());
        }
    }
    let bases: usize = records.iter().flatten().filter(|base| b"ACGT".contains(base)).count();
    let (read, before, began) = (status("VmRSS") / 1024.0, seconds(), Instant::now());
    let merges = if who == "ours" {
        train(&records, &Options { chunk_length: chunk, ..Options::default() }, &mut |_| true).unwrap().merges.len()
    } else {
        let mut trainer = BpeTrainerBuilder::new()
            .show_progress(false)
            .vocab_size(4096)
            .min_frequency(2)
            .initial_alphabet(['A', 'C', 'G', 'T'].into())
            .special_tokens(SPECIAL_NAMES.map(|token| AddedToken::from(token, true)).to_vec())
            .build();
        let segments = records.iter().flat_map(|record| record.split(|base| !b"ACGT".contains(base)));
        let chunks = segments.flat_map(|segment| segment.chunks(if chunk == 0 { segment.len().max(1) } else { chunk }));
        let texts = chunks.map(|chunk| std::str::from_utf8(chunk).unwrap());
        trainer.feed(texts, |chunk| Ok(vec![chunk.to_owned()])).unwrap();
        let mut model = BPE::default();
        trainer.train(&mut model).unwrap();
        model.get_vocab_size() - SPECIAL_NAMES.len() - 4
    };
    println!(
        "{who}: {bases} bases, {merges} merges, {:.1} processor seconds, {:.1} seconds, peak {:.0} MiB ({read:.0} of them the text)",
        seconds() - before,
        began.elapsed().as_secs_f64(),
        status("VmHWM") / 1024.0
    );
}
