//! Learned tokenizers and their controls of equal size, from the plan to the table.

use experiment::Record;
use experiment::record::Outcome;
use experiment::run::Work;

use crate::dir::{TestDir, small};

/// The mean units of the run of mxdna at a seed, and the controls of that seed: name, units, feed-forward width.
fn followed(records: &[Record], seed: u64) -> (f64, Vec<(String, f64, usize)>) {
    let (mut units, mut controls) = (None, Vec::new());
    for record in records.iter().filter(|record| record.run.seed == seed) {
        let (Work::Pretrain(run), Outcome::Pretrained(done)) = (&record.run.work, &record.outcome) else { continue };
        match (run.tokenizer.as_str(), run.fixed_units) {
            ("mxdna", None) => units = done.unit_bases,
            (name, Some(fixed)) => controls.push((name.to_owned(), fixed.bases, fixed.inner)),
            (_, None) => assert_eq!(done.unit_bases, None),
        }
    }
    (units.unwrap(), controls)
}

#[test]
fn controls_follow_each_run_of_a_learned_tokenizer() {
    let dir = TestDir::new();
    let spec = small("'base', 'mxdna'", "order1", 2_000, 2);
    dir.write("q.toml", spec.replace("exploratory = true", "exploratory = true\ncontrols = true"));
    let plan = dir.run(&["plan", "q.toml"]).success();
    assert!(plan.out.contains("10 runs") && plan.out.contains("* 4 runs follow from others"), "{}", plan.out);
    let first = dir.run(&["compare", "q.toml", "--output", "out"]).success();
    let records = dir.records("out");
    assert_eq!(records.len(), 6 + 4);
    for seed in [1, 2] {
        let (units, controls) = followed(&records, seed);
        let names: Vec<&str> = controls.iter().map(|control| control.0.as_str()).collect();
        assert_eq!(names, ["mxdna-pool-macs", "mxdna-pool-parameters"]);
        for (_, bases, inner) in &controls {
            assert!((bases - units).abs() <= 0.005 * units && *inner > 0, "{bases} {units} {inner}");
        }
    }
    assert!(first.out.contains("mxdna-pool-macs (control)"), "{}", first.out);
    // Everything is known now: nothing is executed, and the plan is complete.
    let again = dir.run(&["compare", "q.toml", "--output", "again"]).success();
    assert!(again.err.contains("10 runs, 10 already finished"), "{}", again.err);
    assert_eq!(again.out, first.out.replace("out/", "again/"));
    // From published records too, although the keys of the controls follow from other records.
    let published = ["compare", "q.toml", "--records", "out/records.jsonl", "--store", "other", "--output", "third"];
    let output = dir.run(&published).success();
    assert!(output.err.contains("10 finished runs reused, 0 records of other runs ignored"), "{}", output.err);
    // A record of an older version does not say how long its units were: the controls cannot be planned, which is told.
    let text = std::fs::read_to_string(dir.path("out/records.jsonl")).unwrap();
    let old: String = text
        .lines()
        .map(|line| {
            let mut record: serde_json::Value = serde_json::from_str(line).unwrap();
            record["outcome"].as_object_mut().unwrap().remove("unit_bases");
            format!("{record}\n")
        })
        .collect();
    dir.write("old.jsonl", old);
    let missing = ["compare", "q.toml", "--records", "old.jsonl", "--store", "third-store", "--output", "fourth"];
    let output = dir.run(&missing).success();
    assert!(output.err.contains("4 planned runs are missing"), "{}", output.err);
}
