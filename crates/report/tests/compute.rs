//! Tokenizers trained with the multiply-accumulates of another one are compared with it, in a group of their own.

use experiment::record::{Outcome, Record};
use experiment::run::Work;
use report::example::{Shape, records};
use report::{Comparison, Options, sentence, table};

/// Records at one budget; `base` takes five times the multiply-accumulates per base of the others. And `kmer6` at five times the budget.
fn at_equal_compute() -> Vec<Record> {
    let mut all = records(&Shape::default());
    for record in &mut all {
        let fivefold = record.run.subject() == "base";
        let Outcome::Pretrained(done) = &mut record.outcome else { continue };
        done.cost.macs_per_base = if fivefold { 5000.0 } else { 1000.0 };
    }
    let again: Vec<Record> = all.iter().filter(|r| r.run.subject() == "kmer6").cloned().collect();
    all.extend(again.into_iter().map(|mut record| {
        if let Work::Pretrain(p) = &mut record.run.work {
            p.training.bases = p.training.bases * 5 + 1000;
        }
        record.key = record.run.key();
        record
    }));
    all
}

fn compare(records: Vec<Record>) -> Comparison {
    let reference = Some("base".to_owned());
    Comparison::new(records, Options { reference, resamples: 300, ..Options::default() }).unwrap()
}

#[test]
fn equal_compute_is_a_group_of_its_own() {
    let comparison = compare(at_equal_compute());
    let [bases, compute] = &comparison.groups[..] else { panic!("{} groups", comparison.groups.len()) };
    assert_eq!((bases.compute.as_deref(), compute.compute.as_deref()), (None, Some("base")));
    let names: Vec<&str> = compute.ranked().map(|s| s.name.as_str()).collect();
    assert_eq!((names, bases.ranked().count(), compute.tests.len()), (vec!["base", "kmer6"], 3, 1));
    let seeds =
        |group: &report::comparison::Group| group.subject("base").unwrap().bits.as_ref().unwrap().total.seeds.clone();
    assert_eq!(seeds(compute), seeds(bases));
    assert!(compute.label.contains("multiply-accumulates of base at 0.5 million bases"), "{}", compute.label);
    let said = sentence(&comparison);
    assert!(said.contains("after training with the multiply-accumulates of base at 0.5 million bases."), "{said}");
    assert!(table(&comparison, false).lines().all(|line| line.chars().count() <= report::table::WIDTH));
}

#[test]
fn the_nearest_compute_decides() {
    let mut all = at_equal_compute();
    // bpe4096 has almost the compute of base, but not as nearly as kmer6 at five times the bases.
    for record in all.iter_mut().filter(|record| record.run.subject() == "bpe4096") {
        let Outcome::Pretrained(done) = &mut record.outcome else { continue };
        done.cost.macs_per_base = 5080.0;
    }
    let comparison = compare(all);
    let groups: Vec<Option<&str>> = comparison.groups.iter().map(|group| group.compute.as_deref()).collect();
    assert_eq!(groups, [None, Some("base")]);
    assert_eq!(comparison.groups[1].ranked().count(), 2);
}

#[test]
fn another_budget_is_not_equal_compute() {
    let mut all = at_equal_compute();
    for record in &mut all {
        if let (Work::Pretrain(p), Outcome::Pretrained(done)) = (&record.run.work, &mut record.outcome)
            && p.training.bases > 1_000_000
        {
            done.cost.macs_per_base *= 1.03;
        }
    }
    let comparison = compare(all);
    assert!(comparison.groups.iter().all(|group| group.compute.is_none()));
}
