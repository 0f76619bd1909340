//! Views of the same runs: by budget, at equal cost of training, by position in the span.

use experiment::record::{Outcome, Record};
use experiment::run::Work;
use protocol::score::CONTENT;
use report::example::{Shape, records};
use report::{Comparison, Options, csv, numbers, table};

/// Records at two budgets: at four times the bases, every tokenizer needs 0.08 bits per masked base fewer.
fn two_budgets() -> Vec<Record> {
    let mut all = records(&Shape::default());
    all.retain(|record| matches!(record.run.work, Work::Pretrain(_)));
    let more = all.clone().into_iter().map(|mut record| {
        if let (Work::Pretrain(p), Outcome::Pretrained(done)) = (&mut record.run.work, &mut record.outcome) {
            p.training.bases *= 4;
            done.blocks.iter_mut().for_each(|block| block.score.add(CONTENT, -0.08 * block.score.bases as f64));
        }
        record.key = record.run.key();
        record
    });
    let more: Vec<Record> = more.collect();
    all.extend(more);
    all
}

fn compare(records: Vec<Record>, cost: &[(&str, f64)]) -> Comparison {
    let cost = cost.iter().map(|(name, cost)| ((*name).to_owned(), *cost)).collect();
    let reference = Some("base".to_owned());
    Comparison::new(records, Options { reference, cost, resamples: 300, ..Options::default() }).unwrap()
}

#[test]
fn slopes_are_changes_per_doubling() {
    let comparison = compare(two_budgets(), &[]);
    let [budgets] = &comparison.budgets[..] else { panic!("{:?}", comparison.budgets) };
    assert_eq!((budgets.budgets.as_slice(), budgets.label.as_str()), (&[500_000, 2_000_000][..], ""));
    assert_eq!(budgets.rows.len(), 3);
    for row in &budgets.rows {
        let slope = row.slopes[0].unwrap();
        assert!((slope.mean + 0.04).abs() < 1e-9 && slope.deviation.unwrap() < 1e-9, "{slope:?}");
        assert!((row.totals[0].unwrap() - row.totals[1].unwrap() - 0.08).abs() < 1e-9);
    }
    let text = table(&comparison, false);
    assert!(text.contains("by training budget in bases") && text.contains("\u{2212}0.040"), "{text}");
    assert!(compare(records(&Shape::default()), &[]).budgets.is_empty());
}

#[test]
fn equal_cost_is_that_of_the_records_or_of_the_reader() {
    let mut all = records(&Shape::default());
    for record in &mut all {
        let per_base = if record.run.subject() == "base" { 4000.0 } else { 1000.0 };
        if let Outcome::Pretrained(done) = &mut record.outcome {
            done.cost.macs_per_base = per_base;
        }
    }
    let of = |comparison: &Comparison| comparison.equal_cost(&comparison.groups[0]).unwrap();
    let macs = compare(all.clone(), &[]);
    let equal = of(&macs);
    // Three passes of training; all but `base` end at 3 · 1000 · 500,000.
    assert!((equal.cost / 1.5e9 - 1.0).abs() < 1e-9, "{}", equal.cost);
    let bases: Vec<f64> = equal.rows.iter().map(|row| row.bases).collect();
    assert_eq!(bases, [125_000.0, 500_000.0, 500_000.0]);
    // At a quarter of its bases `base` is where its curve was there.
    let base = macs.groups[0].subject("base").unwrap().bits.as_ref().unwrap();
    let at = |bases| base.curves.iter().map(|c| c.iter().find(|p| p.0 == bases).unwrap().1).sum::<f64>() / 7.0;
    assert!((equal.rows[0].bits - at(125_000)).abs() < 1e-9);
    let same = compare(all, &[("base", 2.0), ("kmer6", 2.0), ("bpe4096", 1.0)]);
    let bases: Vec<f64> = of(&same).rows.iter().map(|row| row.bases).collect();
    assert_eq!(bases, [250_000.0, 250_000.0, 500_000.0]);
    let text = table(&same, false);
    assert!(text.contains("units of the given cost") && text.contains("cost/base"), "{text}");
    let json = serde_json::to_value(numbers(&same)).unwrap();
    assert_eq!(json["equal_cost"][""]["rows"][2]["per_base"], 1.0);
}

#[test]
fn bits_by_position_are_means_over_spans() {
    let mut all = records(&Shape::default());
    for record in &mut all {
        let Outcome::Pretrained(done) = &mut record.outcome else { continue };
        let bases: u64 = done.blocks.iter().map(|block| block.score.bases).sum();
        let spans = bases as f64 / 12.0;
        done.offsets = (0..12).map(|offset| spans * (2.0 - 0.01 * f64::from(offset))).collect();
    }
    let comparison = compare(all, &[]);
    let offsets = &comparison.groups[0].subject("kmer6").unwrap().bits.as_ref().unwrap().offsets;
    assert!(offsets.len() == 12 && (offsets[3] - 1.97).abs() < 1e-9, "{offsets:?}");
    let text = table(&comparison, false);
    let row = text.lines().skip_while(|line| !line.contains("by position in the span")).nth(2).unwrap();
    assert_eq!(row.split_whitespace().collect::<Vec<_>>(), ["base", "1.990", "1.960", "1.930", "1.900"]);
    assert!(csv(&comparison).contains("bits per base by position in the span,12,"));
}
