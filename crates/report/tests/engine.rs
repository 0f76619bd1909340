//! Records of two engines stand in one comparison only if a repeated run agrees.

use experiment::record::{Outcome, Record};
use experiment::run::ENGINE;
use protocol::score::CONTENT;
use report::example::{Shape, records};
use report::{Comparison, Error, Options};

/// The records of seven seeds, those of the last three with the next engine; `repeated` of `base` at seed 0 with both, different by `bits`
/// per masked base.
fn mixed(repeated: Option<f64>) -> Vec<Record> {
    let mut all = records(&Shape::default());
    let second = |record: &mut Record| {
        record.run.engine += 1;
        record.key = record.run.key();
    };
    if let Some(bits) = repeated {
        let mut again = all.iter().find(|r| r.run.subject() == "base" && r.run.seed == 0).unwrap().clone();
        let Outcome::Pretrained(done) = &mut again.outcome else { panic!() };
        done.blocks.iter_mut().for_each(|block| block.score.add(CONTENT, bits * block.score.bases as f64));
        second(&mut again);
        all.push(again);
    }
    all.iter_mut().filter(|record| record.run.seed > 3).for_each(second);
    all
}

fn compare(records: Vec<Record>) -> Result<Comparison, Error> {
    Comparison::new(records, Options { resamples: 300, ..Options::default() })
}

#[test]
fn engines_mix_only_if_a_repeated_run_agrees() {
    let comparison = compare(mixed(Some(4e-4))).unwrap();
    let group = &comparison.groups[0];
    assert_eq!(group.seeds.len(), 7);
    let engines = format!("records of engines {ENGINE} and {}: 1 repeated run", ENGINE + 1);
    assert_eq!(group.remarks[0], format!("{engines} with both, different by at most 4.0e-4"));
    let error = compare(mixed(Some(2e-3))).unwrap_err();
    assert!(error.to_string().contains("base seed 0 differs by 0.0020 between engines"), "{error}");
    let error = compare(mixed(None)).unwrap_err();
    let engines = format!("no run was repeated with engines {ENGINE} and with {}", ENGINE + 1);
    assert!(error.to_string().contains(&engines), "{error}");
    assert!(error.remedy().is_some());
}
