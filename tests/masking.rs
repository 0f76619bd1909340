//! `masking.unit = "tokens"`: masking as published, different for each tokenizer, beside the plan in bases that all share.

use experiment::record::{Outcome, Pretrained};

use crate::dir::{TestDir, small};

/// Table and results under one unit of masking, in the order of the records.
fn trained(unit: &str) -> (String, Vec<(String, String, Pretrained)>) {
    let dir = TestDir::new();
    let spec = small("'kmer3-nonoverlap', 'bpe64'", "order1", 12_000, 1);
    dir.write("q.toml", spec.replace("[masking]\n", &format!("[masking]\nunit = '{unit}'\n")));
    dir.run(&["compare", "q.toml", "--output", "out"]).success();
    let table = std::fs::read_to_string(dir.path("out/table.txt")).unwrap();
    let result = |record: experiment::Record| match record.outcome {
        Outcome::Pretrained(result) => (record.run.subject(), record.key.to_string(), *result),
        _ => panic!("a run without a score"),
    };
    (table.split_whitespace().collect::<Vec<_>>().join(" "), dir.records("out").into_iter().map(result).collect())
}

#[test]
fn tokens_are_masked_on_request_and_scores_stay_comparable() {
    let (bases, by_bases) = trained("bases");
    let (tokens, by_tokens) = trained("tokens");
    assert_eq!(by_tokens, trained("tokens").1, "the same seed trains the same model");
    for ((name, key, left), (_, other, right)) in by_bases.iter().zip(&by_tokens) {
        assert_ne!(key, other, "{name}: another key");
        let scored = |result: &Pretrained| result.blocks.iter().map(|b| b.score.bases).collect::<Vec<_>>();
        assert_eq!(scored(left), scored(right), "{name}: the same bases are scored");
        let total = |result: &Pretrained| result.blocks.iter().map(experiment::record::BlockScore::total).sum::<f64>();
        assert!((total(left) - total(right)).abs() > 1e-6, "{name}: another model");
        // 30 % of the tokens of 12,000 bases; tokens that are not replaced by [MASK] are predicted as well.
        let planned = right.planned_bases;
        assert!((3_200..4_000).contains(&planned), "{name}: {planned}");
        assert_eq!(right.hidden_bases, planned, "{name}");
    }
    assert_eq!(by_bases[0].2.planned_bases, by_bases[1].2.planned_bases, "one plan in bases for all");
    assert_ne!(by_tokens[0].2.planned_bases, by_tokens[1].2.planned_bases, "each its own tokens");
    assert!(bases.contains("120-base windows, 12-base spans,") && !bases.contains("tokens masked"), "{bases}");
    assert!(tokens.contains("120-base windows, tokens masked in training, scored in 12-base spans,"), "{tokens}");
    assert!(
        tokens.contains("masked bases differed between tokenizers") && !tokens.contains("planned masked bases"),
        "{tokens}"
    );
}
