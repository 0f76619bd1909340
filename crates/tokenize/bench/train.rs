//! One training, to be measured from outside: processor seconds and peak memory.
//!
//! usage: train ours|theirs PIECE FILE...     (PIECE 0: whole records; plain FASTA)

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

/// Processor seconds of this process (ticks are hundredths of a second on Linux).
fn seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    fields[11..13].iter().map(|ticks| ticks.parse::<f64>().unwrap_or(f64::NAN)).sum::<f64>() / 100.0
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (who, piece) = (arguments[0].as_str(), arguments[1].parse::<usize>().unwrap());
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
        train(&records, &Options { piece, ..Options::default() }, &mut |_| true).unwrap().merges.len()
    } else {
        let mut trainer = BpeTrainerBuilder::new()
            .show_progress(false)
            .vocab_size(4096)
            .min_frequency(2)
            .initial_alphabet(['A', 'C', 'G', 'T'].into())
            .special_tokens(SPECIAL_NAMES.map(|token| AddedToken::from(token, true)).to_vec())
            .build();
        let stretches = records.iter().flat_map(|record| record.split(|base| !b"ACGT".contains(base)));
        let pieces =
            stretches.flat_map(|stretch| stretch.chunks(if piece == 0 { stretch.len().max(1) } else { piece }));
        let texts = pieces.map(|piece| std::str::from_utf8(piece).unwrap());
        trainer.feed(texts, |piece| Ok(vec![piece.to_owned()])).unwrap();
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
