//! Position encodings that are selected for each tokenizer on validation: a group of their own.

use experiment::config::Position;
use experiment::record::{Outcome, Record};
use experiment::run::Work;
use protocol::score::CONTENT;
use report::example::{Shape, records};
use report::{Comparison, Options, table};

const POSITIONS: [Position; 2] = [Position::ALIBI, Position::EQUAL_REACH];

/// Two encodings: on validation text the second is better for `base` alone. On test text it is `penalty` bits worse for everybody.
fn two(penalty: f64) -> Vec<Record> {
    let mut records = records(&Shape { positions: POSITIONS.to_vec(), step: 0.03, ..Shape::default() });
    for record in &mut records {
        let Work::Pretrain(pretrain) = &record.run.work else { continue };
        let (base, second) = (pretrain.tokenizer == "base", pretrain.encoder.position == POSITIONS[1]);
        let Outcome::Pretrained(done) = &mut record.outcome else { continue };
        let last = done.curve.last_mut().unwrap();
        last.bits = last.scored as f64 * if base == second { 1.8 } else { 1.9 };
        for block in &mut done.blocks {
            // Whatever the example adds for its second encoding is the same for all.
            block.score.add(CONTENT, if second { penalty * block.score.bases as f64 } else { 0.0 });
        }
    }
    records
}

fn compare(records: Vec<Record>) -> Comparison {
    Comparison::new(records, Options { resamples: 300, ..Options::default() }).unwrap()
}

#[test]
fn each_tokenizer_has_its_best_encoding_on_validation() {
    let comparison = compare(two(0.1));
    assert_eq!(comparison.groups.len(), 3);
    let selected = comparison.groups.iter().find(|group| group.label.contains("selected on validation")).unwrap();
    let of = |position: Position| comparison.groups.iter().find(|group| group.label == position.name()).unwrap();
    let total =
        |group: &report::comparison::Group, name: &str| group.subject(name).unwrap().bits.as_ref().unwrap().total.mean;
    // Selected by validation, although it is worse on the test text.
    assert_eq!(total(selected, "base"), total(of(POSITIONS[1]), "base"));
    assert_eq!(total(selected, "bpe4096"), total(of(POSITIONS[0]), "bpe4096"));
    assert_eq!(selected.tests.len(), of(POSITIONS[0]).tests.len());
    let text = table(&comparison, false);
    let base = &selected.positions.iter().find(|(name, _)| name == "base").unwrap().1;
    assert_eq!(base, &[(POSITIONS[1].name(), 7)]);
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("base alibi-directed-reach252-bases (7 seeds)"), "{text}");
}

#[test]
fn one_encoding_or_unequal_seeds_select_nothing() {
    let one = records(&Shape { positions: vec![Position::EQUAL_REACH], ..Shape::default() });
    assert_eq!(compare(one).groups.len(), 1);
    let mut partly = two(0.0);
    partly.retain(|record| {
        !matches!(&record.run.work, Work::Pretrain(p) if p.encoder.position == POSITIONS[1] && p.tokenizer != "base")
    });
    let groups = compare(partly.clone()).groups;
    assert!(groups.iter().all(|group| !group.label.contains("selected")), "{:?}", groups.len());
    // A third encoding of one tokenizer does not undo the selection among the two that all have.
    let mut third = two(0.0);
    let more = records(&Shape { positions: vec![Position::ALIBI_DIRECTED], ..Shape::default() });
    third.extend(
        more.into_iter().filter(|record| matches!(&record.run.work, Work::Pretrain(p) if p.tokenizer == "base")),
    );
    let groups = compare(third).groups;
    let selected = groups.iter().find(|group| group.label.contains("selected")).unwrap();
    assert_eq!(selected.positions.len(), 3);
}
