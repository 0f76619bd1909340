//! The table of `experiments/choices/README.md` is what its records give.

use std::collections::BTreeMap;

use experiment::Record;
use experiment::config::{Prefixes, PriorKind};
use experiment::record::Outcome;
use experiment::run::{Pretrain, Work};

use crate::dir::root;

const TOKENIZERS: [&str; 3] = ["base", "bpe4096", "kmer6-nonoverlap"];

/// The row of a run.
fn row(run: &Pretrain) -> String {
    match (run.prior, run.masking.prefixes, run.encoder.position.name()) {
        (Some(PriorKind::Order0), _, _) => "prior of order 0".to_owned(),
        (Some(PriorKind::Order1), _, _) => "prior of order 1".to_owned(),
        (_, Prefixes::Uniform, _) => "prefixes of all spans".to_owned(),
        (_, _, position) if position == "alibi-directed-reach252-bases" => "uniform prior".to_owned(),
        (_, _, position) => format!("`{position}`"),
    }
}

/// Validation bits per masked base at the end of training.
fn bits(record: &Record) -> f64 {
    let Outcome::Pretrained(done) = &record.outcome else { panic!("{}", record.key) };
    let last = done.curve.last().unwrap();
    assert_eq!(last.scored, 20_160);
    last.bits / last.scored as f64
}

#[test]
fn the_table_is_what_the_records_give() {
    let folder = root().join("experiments/choices");
    // Of each row and tokenizer: bits by seed.
    let mut found: BTreeMap<(String, String), BTreeMap<u64, f64>> = BTreeMap::new();
    for record in experiment::read_jsonl(folder.join("records.jsonl")).unwrap() {
        let Work::Pretrain(run) = &record.run.work else { continue };
        let value = bits(&record);
        found.entry((row(run), run.tokenizer.clone())).or_default().insert(record.run.seed, value);
    }
    let text = std::fs::read_to_string(folder.join("README.md")).unwrap();
    let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| |")).collect();
    assert_eq!(lines.len(), 8);
    for line in lines {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let rows: std::collections::BTreeSet<&String> = found.keys().map(|key| &key.0).collect();
        let named: Vec<&&String> = rows.iter().filter(|row| cells[0].contains(row.as_str())).collect();
        let [row] = named[..] else { panic!("{line}: {named:?}") };
        for (tokenizer, cell) in TOKENIZERS.iter().zip(&cells[1..]) {
            let of = |row: &str| &found[&(row.to_owned(), (*tokenizer).to_owned())];
            let (own, first) = (of(row), of("uniform prior"));
            assert_eq!(own.keys().collect::<Vec<_>>(), [&101, &102, &103]);
            let expected = if *row == "uniform prior" {
                format!("{:.4}", statistics::mean(&own.values().copied().collect::<Vec<_>>()))
            } else {
                let differences: Vec<f64> = own.iter().map(|(seed, bits)| bits - first[seed]).collect();
                let text =
                    format!("{:+.4} ± {:.4}", statistics::mean(&differences), statistics::deviation(&differences));
                text.replace('-', "\u{2212}")
            };
            assert_eq!(*cell, expected, "{line}");
        }
    }
    // Vocabularies from halves of the text: means over seeds, in the order of the files.
    let samples = found.iter().filter(|((_, tokenizer), _)| tokenizer.starts_with("file:bpe4096-sample"));
    let means =
        samples.map(|(_, bits)| format!("{:.4}", statistics::mean(&bits.values().copied().collect::<Vec<_>>())));
    let means: Vec<String> = means.collect();
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        flat.contains(&format!("{}, {}, {} and {} (means over seeds)", means[0], means[1], means[2], means[3])),
        "{means:?}"
    );
}
