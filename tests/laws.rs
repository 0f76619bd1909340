//! Laws of the protocol (`docs/protocol.md#laws-kept-by-tests`) that need trained models: no model is below the entropy floor, nor below 2.0
//! bits on noise.

use experiment::record::{BlockScore, Outcome};
use experiment::{Record, run::Work};
use protocol::score::{BIAS_ONLY, FLOOR, PARALLEL, PARALLEL_FLOOR};

use crate::dir::{TestDir, small};

fn blocks(record: &Record) -> &[BlockScore] {
    match &record.outcome {
        Outcome::Pretrained(result) => &result.blocks,
        other => panic!("{other:?}"),
    }
}

fn name(record: &Record) -> &str {
    match &record.run.work {
        Work::Pretrain(p) => &p.tokenizer,
        _ => panic!("not a pretraining"),
    }
}

/// Bits per base, and its standard error over blocks.
fn mean(blocks: &[BlockScore], bits: impl Fn(&BlockScore) -> f64) -> (f64, f64) {
    let values: Vec<f64> = blocks.iter().map(|block| bits(block) / block.score.bases as f64).collect();
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (values.len() as f64 - 1.0);
    (mean, (variance / values.len() as f64).sqrt())
}

fn records(tokenizers: &str, corpus: &str, bases: u64) -> Vec<Record> {
    let dir = TestDir::new();
    let spec = small(tokenizers, corpus, bases, 1)
        .replace("bases = 480", "bases = 2400")
        .replace("window = 120", "window = 120\nlearning_rate = 3e-3");
    dir.write("q.toml", spec.replace("hidden = 16", "hidden = 32").replace("heads = 2", "heads = 4"));
    dir.run(&["compare", "q.toml", "--output", "out"]).success();
    dir.records("out")
}

#[test]
fn no_model_is_below_two_bits_on_uniform_dna() {
    for record in
        records("'base', 'kmer3', 'kmer6', 'kmer6-nonoverlap', 'bpe256', 'randomcut256', 'mxdna'", "uniform", 60_000)
    {
        let (total, error) = mean(blocks(&record), BlockScore::total);
        let (parallel, _) = mean(blocks(&record), |block| block.score.bits(PARALLEL));
        println!("{}: {total:.4} ± {error:.4}, parallel {parallel:.4}", name(&record));
        assert!(total >= 2.0 - 3.0 * error - 1e-3, "{}: {total} ± {error}", name(&record));
        assert!(parallel >= 2.0 - 3.0 * error - 1e-3, "{}: parallel {parallel} ± {error}", name(&record));
        // Nor far above: undertrained k-mers need more bits, and variable lengths also need bits for the segmentation.
        let most = match name(&record) {
            "base" | "mxdna" | "kmer3" => 2.05,
            "kmer6" | "kmer6-nonoverlap" => 2.12,
            "bpe256" => 2.1,
            _ => 2.5,
        };
        assert!(total < most, "{}: {total} ± {error}", name(&record));
    }
}

#[test]
fn no_model_is_below_the_entropy_floor_and_context_is_learned() {
    let all = records("'base', 'kmer3', 'bpe256', 'mxdna'", "order1", 150_000);
    for record in &all {
        let blocks = blocks(record);
        let (gap, error) = mean(blocks, |block| block.total() - block.score.get(FLOOR).expect("a floor"));
        let (parallel, _) =
            mean(blocks, |block| block.score.bits(PARALLEL) - block.score.get(PARALLEL_FLOOR).expect("a floor"));
        let (gain, _) = mean(blocks, |block| block.score.bits(BIAS_ONLY) - block.total());
        println!(
            "{}: {gap:.3} ± {error:.3} above the entropy floor, parallel {parallel:.3}, {gain:.3} below the context-free null",
            name(record)
        );
        assert!(gap >= -3.0 * error, "{}: {gap} ± {error}", name(record));
        assert!(parallel >= -3.0 * error, "{}: parallel {parallel} ± {error}", name(record));
    }
    for learned in ["base", "mxdna"] {
        let record = all.iter().find(|record| name(record) == learned).expect("a record");
        let (gain, _) = mean(blocks(record), |block| block.score.bits(BIAS_ONLY) - block.total());
        let (gap, _) = mean(blocks(record), |block| block.total() - block.score.get(FLOOR).expect("a floor"));
        // The prior knows the transitions from the left, so only the context on the right is left to be learned.
        assert!(gain >= 0.4 * (gain + gap), "{learned}: {gain} below its context-free null, {gap} above the floor");
    }
    // The same bases for all: masked spans and windows do not depend on the tokenizer.
    let planned = |record: &Record| match &record.outcome {
        Outcome::Pretrained(result) => {
            (result.planned_bases, result.blocks.iter().map(|b| b.score.bases).collect::<Vec<_>>())
        }
        other => panic!("{other:?}"),
    };
    assert!(all.iter().all(|record| planned(record) == planned(&all[0])));
}
