//! Draws all figures of simulated records into a folder: `cargo run --release -p tokbench-report --example draw -- FOLDER`.
//! Two sets: `small` (3 tokenizers, 7 seeds, two position encodings) and `large` (7 tokenizers, 3 seeds, 5 species, 4 tasks).

use experiment::config::Position;
use report::example::{Shape, records};
use report::{Comparison, Options};

/// The control among these tokenizers.
fn controls(tokenizers: &[String]) -> Vec<String> {
    tokenizers.iter().filter(|name| *name == "unpooled").cloned().collect()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder =
        std::path::PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| "figures-of-simulated-records".into()));
    let strings = |all: &[&str]| all.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
    let positions = vec![Position::ALIBI, Position::ALIBI_DIRECTED];
    let sets = [
        ("small", Shape::default()),
        ("positions", Shape { positions, tasks: strings(&["a", "b", "c", "d", "e"]), ..Shape::default() }),
        (
            "large",
            Shape {
                tokenizers: strings(&["base", "kmer6", "kmer6-nonoverlap", "bpe512", "bpe4096", "mxdna", "unpooled"]),
                seeds: 3,
                species: strings(&["human", "mouse", "fly", "yeast", "ecoli"]),
                tasks: strings(&["prom_core_all", "prom_300_notata", "tf_human_0", "splice_reconstructed"]),
                ..Shape::default()
            },
        ),
    ];
    for (name, shape) in sets {
        let options =
            Options { order: shape.tokenizers.clone(), controls: controls(&shape.tokenizers), ..Options::default() };
        let comparison = Comparison::new(records(&shape), options)?;
        print!("{}", report::table(&comparison, false));
        println!("\n{}\n", report::sentence(&comparison));
        report::figure::write_all(&comparison, &folder.join(name))?;
    }
    // Figures of record files named after the folder, each into a folder with the name of the file.
    for file in std::env::args().skip(2).map(std::path::PathBuf::from) {
        let records = experiment::read_jsonl(&file)?;
        let comparison = Comparison::new(records, Options::default())?;
        print!("{}", report::table(&comparison, false));
        println!("\n{}\n", report::sentence(&comparison));
        report::figure::write_all(&comparison, &folder.join(file.file_stem().unwrap_or_default()))?;
    }
    let bases: Vec<u8> = (0..130_usize).map(|i| b"ACGT"[(i * i / 3 + i) % 4]).collect();
    let bpe = (0..130).step_by(5).map(|i| i..i + 3 + i % 3).scan(0, |from, r| {
        let span = *from..(*from + r.len()).min(130);
        *from = span.end;
        Some(span)
    });
    let segmentations = vec![
        ("base".to_owned(), (0..130).map(|i| i..i + 1).collect()),
        ("kmer6".to_owned(), (0..125).map(|i| i..i + 6).collect()),
        ("kmer6-nonoverlap".to_owned(), (0..130).step_by(6).map(|i| i..(i + 6).min(130)).collect()),
        ("bpe4096".to_owned(), bpe.collect()),
    ];
    let place = "simulated, bases 1 to 130";
    let locus = report::figure::Locus { place, first: 1, bases: &bases, segmentations: &segmentations };
    report::figure::write_all(&locus, &folder)?;
    Ok(())
}
