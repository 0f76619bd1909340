//! A plan and a report of the same records state the same power.

use experiment::record::{Outcome, Record};
use experiment::{CostEstimate, Job, Plan};
use report::example::{Shape, records};
use report::{Comparison, Options};
use statistics::power::{Spread, detectable_effect};

fn two(seeds: u64) -> Shape {
    Shape {
        tokenizers: vec!["base".into(), "kmer6".into()],
        species: vec!["yeast".into(), "human".into()],
        seeds,
        ..Shape::default()
    }
}

/// A plan of the runs of these records.
fn plan(records: &[Record], seeds: u64) -> Plan {
    let job = |r: &Record| Job {
        key: r.key.clone(),
        run: r.run.clone(),
        after: Vec::new(),
        data: experiment::Sources::default(),
        estimate: CostEstimate::default(),
    };
    Plan {
        name: "again".into(),
        reference: "base".into(),
        tokenizers: two(seeds).tokenizers,
        controls: Vec::new(),
        seeds: (0..seeds).collect(),
        jobs: records.iter().map(job).collect(),
        deferred: Vec::new(),
        comparisons: 1,
        smallest_p: statistics::holm::minimum_attainable_p(seeds as usize, 1),
        fewest_seeds: statistics::holm::minimum_seeds(1),
        exploratory: false,
        detectable: None,
        calibrated: false,
    }
}

#[test]
fn a_plan_and_its_report_agree() {
    // With a single block in one species, the text error is not known.
    for (seeds, blocks) in [(3, 12), (6, 1), (7, 12), (7, 1), (12, 4)] {
        let mut records = records(&two(seeds));
        for record in &mut records {
            // Species have equal weight in both, regardless of the number of scored bases.
            let Outcome::Pretrained(done) = &mut record.outcome else { continue };
            done.blocks.retain(|block| block.species != "yeast" || block.block < blocks);
        }
        let mut plan = plan(&records, seeds);
        plan.calibrate(&records);
        let options = Options { reference: Some("base".into()), resamples: 50, ..Options::default() };
        let comparison = Comparison::new(records, options).unwrap();
        let test = &comparison.groups[0].tests[0];
        assert_eq!(test.smallest, plan.smallest_p);
        assert_eq!(test.text_error.is_some(), blocks > 1);
        match (test.detectable, plan.detectable) {
            (Some(report), Some(plan)) => assert!((report - plan).abs() < 1e-9, "{seeds} seeds: {report} {plan}"),
            (report, plan) => assert!(report.is_none() && plan.is_none() && seeds == 3, "{report:?} {plan:?}"),
        }
        // The text adds to what the seeds alone would detect.
        let seeds_only = Spread { seeds: test.deviation, text: None };
        let effect = detectable_effect(seeds_only, seeds as usize, 1);
        assert!(test.detectable.is_none() == effect.is_none() && test.detectable >= effect);
        assert_eq!(test.detectable > effect, blocks > 1 && seeds > 3);
        assert_eq!(plan.describe().contains("power 80 %"), effect.is_some());
    }
}
