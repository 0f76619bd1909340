//! Learns a byte-pair vocabulary from a FASTA file and writes it as a Hugging Face `tokenizer.json`.
//!
//! ```text
//! cargo run --release -p tokbench-bpe --example learn -- genome.fa 4096 tokenizer.json
//! ```

use bpe::huggingface::to_json;
use bpe::train::{Options, train};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [fasta, size, output] = arguments.as_slice() else { return Err("usage: learn FASTA SIZE OUTPUT".into()) };
    let text = std::fs::read_to_string(fasta)?.to_ascii_uppercase();
    // One record per sequence; every letter other than A, C, G, T splits it.
    let records = text.split('>').skip(1).map(|record| {
        let (_header, sequence) = record.split_once('\n').unwrap_or((record, ""));
        sequence.split_whitespace().collect::<String>()
    });
    let options = Options { vocabulary: size.parse()?, ..Options::default() };
    let learned = train(records, &options, &mut |_entries| true)?;
    std::fs::write(output, to_json(&learned))?;
    println!("{} merges from {} bases", learned.merges.len(), learned.bases);
    Ok(())
}
