//! Vocabularies of `bpe4096` from random halves of the training split of a corpus, as Hugging Face files: how much of a result is due to the
//! text that a vocabulary was learned from? `experiments/choices/README.md` compares models on them.
//!
//! ```text
//! TOKBENCH_DATA=data cargo run --release --example vocabulary_samples -- six_genomes 4 vocabularies
//! ```

use std::path::PathBuf;
use std::sync::Arc;

use dataset::{Split, stream};
use pipeline::Workspace;
use rand::RngExt;
use tokbench::registry;

/// Bases of text that are taken or left together.
const PIECE: usize = 10_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let usage = "usage: vocabulary_samples CORPUS NUMBER FOLDER";
    let [_, corpus, number, folder] = &std::env::args().collect::<Vec<_>>()[..] else { return Err(usage.into()) };
    let builtin = Arc::new(tokbench::builtin(registry::builtin())?);
    let data = std::env::var_os("TOKBENCH_DATA").map_or_else(PathBuf::new, PathBuf::from);
    let workspace = Workspace { data, builtin, ..Workspace::default() };
    let corpus = workspace.open_corpus(corpus)?.corpus;
    let recipe = workspace.recipe("bpe4096")?;
    std::fs::create_dir_all(folder)?;
    for sample in 1..=number.parse::<u64>()? {
        let mut rng = stream(sample, "vocabulary sample");
        let pieces: Vec<&[u8]> = corpus
            .segments(Split::Train)
            .flat_map(|text| text.chunks(PIECE))
            .filter(|_| rng.random_bool(0.5))
            .collect();
        let tokenizer = recipe.fit(&mut pieces.iter().copied())?;
        let path = PathBuf::from(folder).join(format!("bpe4096-sample{sample}.json"));
        std::fs::write(&path, tokenizer.save().ok_or("no vocabulary")?)?;
        println!("{}: from {} bases", path.display(), pieces.iter().map(|piece| piece.len()).sum::<usize>());
    }
    Ok(())
}
