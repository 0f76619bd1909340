//! Encodes sequences with a `tokenizer.json` and prints the span and the id of every token as BED.
//!
//! ```text
//! cargo run --release -p tokbench-bpe --example spans -- tokenizer.json ACGTACGTTGCA
//! ```

use bpe::{EncodedBatch, HuggingFace, Token};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, sequences @ ..] = arguments.as_slice() else { return Err("usage: spans TOKENIZER SEQUENCE...".into()) };
    let tokenizer = HuggingFace::from_json(file.clone(), &std::fs::read(file)?, file)?;
    let supported = sequences.iter().all(|sequence| tokenizer.engine_for(sequence.as_bytes()).is_some());
    match tokenizer.engine().filter(|_| supported) {
        // Many sequences at once: the buffers of a batch are reused.
        Some(engine) => {
            let mut batch = EncodedBatch::default();
            engine.encode_spans(sequences.iter(), &mut batch);
            for (number, sequence) in sequences.iter().enumerate() {
                let starts = batch.starts(number);
                let ends = starts.iter().skip(1).copied().chain([sequence.len() as u32]);
                for ((start, end), id) in starts.iter().zip(ends).zip(batch.ids(number)) {
                    println!("sequence{}\t{start}\t{end}\t{id}", number + 1);
                }
            }
        }
        // Other files, and texts that the normalizer changes.
        None => {
            let mut tokens: Vec<Token> = Vec::new();
            for (number, sequence) in sequences.iter().enumerate() {
                tokenizer.encode(sequence.as_bytes(), &mut tokens);
                for Token { id, start, end } in &tokens {
                    println!("sequence{}\t{start}\t{end}\t{id}", number + 1);
                }
            }
        }
    }
    Ok(())
}
