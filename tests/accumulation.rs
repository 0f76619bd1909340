//! Gradient accumulation in pretraining: batches in parts are the same training.

use experiment::record::Outcome;
use experiment::run::Work;

use crate::dir::{TestDir, small};

#[test]
fn a_batch_in_parts_is_the_same_training() {
    let dir = TestDir::new();
    let spec = small("'base', 'bpe64', 'mxdna'", "order1", 20_000, 1);
    let total = |parts: usize| {
        // A batch of five in parts of two, two and one.
        let training = format!("[training]\nbatch = 5\ngradient_accumulation = {parts}\n");
        dir.write("q.toml", spec.replace("[training]\n", &training));
        let out = format!("out-{parts}");
        dir.run(&["compare", "q.toml", "--output", &out]).success();
        let records = dir.records(&out);
        let of = |name: &str| {
            let named = |work: &Work| matches!(work, Work::Pretrain(run) if run.tokenizer == name);
            let record = records.iter().find(|record| named(&record.run.work)).unwrap();
            let Outcome::Pretrained(result) = &record.outcome else { panic!("{name}") };
            let (bits, bases) = result
                .blocks
                .iter()
                .fold((0.0, 0), |(bits, bases), block| (bits + block.total(), bases + block.score.bases));
            (bits / bases as f64, result.curve.last().unwrap().loss, result.hidden_bases)
        };
        ["base", "bpe64", "mxdna"].map(of)
    };
    let (whole, parts) = (total(1), total(3));
    for (number, (whole, parts)) in whole.iter().zip(&parts).enumerate() {
        // Sums in another order; the router of mxdna draws other jitter for each part.
        let tolerance = if number == 2 { 0.05 } else { 2e-4 };
        assert!((whole.0 - parts.0).abs() < tolerance && (whole.1 - parts.1).abs() < tolerance, "{whole:?} {parts:?}");
        assert_eq!(whole.2, parts.2);
        assert_ne!(whole.0, parts.0, "the parts were not used");
    }
    dir.write("q.toml", spec.replace("[training]\n", "[training]\nbatch = 4\ngradient_accumulation = 5\n"));
    dir.run(&["compare", "q.toml", "--output", "out"])
        .failed(2, &["training.gradient_accumulation", "5 is too large: a batch has 4", "use at most 4"]);
}
