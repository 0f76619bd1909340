//! What a comparison refuses, and what it keeps but never hides. Every refusal names its offenders.

use experiment::config::Position;
use experiment::record::{Outcome, Record};
use experiment::run::Work;
use report::example::{Shape, finetuned_from, model, record, records};
use report::{Comparison, Error, Options};

fn with_tasks() -> Shape {
    Shape { seeds: 4, tasks: vec!["promoters".into(), "splice".into()], ..Shape::default() }
}

fn fast() -> Options {
    Options { resamples: 100, ..Options::default() }
}

fn refused(records: Vec<Record>) -> String {
    Comparison::new(records, fast()).unwrap_err().to_string()
}

/// Changes a run and gives it its new key.
fn edit(record: &mut Record, change: impl FnOnce(&mut Record)) {
    change(record);
    record.key = record.run.key();
}

fn place(records: &[Record], tokenizer: &str, seed: u64) -> usize {
    records
        .iter()
        .position(|r| matches!(&r.run.work, Work::Pretrain(p) if p.tokenizer == tokenizer) && r.run.seed == seed)
        .unwrap()
}

#[test]
fn mixes_are_refused_by_name() {
    let mut all = records(&Shape::default());
    edit(&mut all[3], |r| r.run.device = "tch-cuda".into());
    assert_eq!(
        refused(all),
        "records of different devices cannot be compared: cpu (base seed 0, base seed 1, base seed 2 and 17 more) against tch-cuda (base seed 3)"
    );
    let mut all = records(&Shape::default());
    edit(&mut all[8], |r| r.run.protocol += 1);
    assert!(refused(all).contains("different protocols"), "protocol");
    let mut all = records(&Shape::default());
    edit(&mut all[8], |r| r.run.dtype = "bf16".into());
    assert!(refused(all).contains("different number formats"), "dtype");
    let mut all = records(&with_tasks());
    for r in &mut all {
        if let Work::Finetune(f) = &mut r.run.work
            && f.model.tokenizer == "kmer6"
            && f.task.name == "splice"
        {
            f.finetuning.epochs = 9.0;
        }
    }
    assert!(refused(all).contains("different fine-tuning settings or data of splice"));
    assert!(matches!(Comparison::new(Vec::new(), fast()), Err(Error::Empty)));
}

#[test]
fn tokenizers_that_share_no_question_are_refused() {
    let mut all = records(&Shape { tokenizers: vec!["base".into()], ..Shape::default() });
    for seed in 0..7 {
        let mut other = model("kmer6", Position::AlibiDirected);
        other.encoder.hidden = 128;
        let outcome = all[0].outcome.clone();
        all.push(record(seed, Work::Pretrain(other), outcome));
    }
    let text = refused(all);
    assert!(
        text.contains("different settings") && text.contains("kmer6 (hidden 128)") && text.contains("base (hidden 64)"),
        "{text}"
    );
}

#[test]
fn unequal_seeds_are_refused_by_name() {
    let mut all = records(&Shape::default());
    all.remove(place(&all, "kmer6", 5));
    all.remove(place(&all, "bpe4096", 2));
    all.remove(place(&all, "bpe4096", 6));
    assert_eq!(refused(all), "unequal seeds in pretraining: kmer6 lacks 5; bpe4096 lacks 2, 6");
}

#[test]
fn the_same_run_twice_is_one_and_two_settings_are_refused() {
    let mut all = records(&Shape::default());
    all.push(all[0].clone());
    assert!(Comparison::new(all.clone(), fast()).is_ok());
    let mut again = all[0].clone();
    edit(&mut again, |r| {
        if let Work::Pretrain(p) = &mut r.run.work {
            p.training.learning_rate = 3e-3;
        }
    });
    all.push(again);
    assert!(refused(all).contains("base, seed 0, was run twice with different settings"));
}

#[test]
fn different_text_and_contradictions_are_refused() {
    let mut all = records(&Shape::default());
    let at = place(&all, "kmer6", 1);
    if let Outcome::Pretrained(p) = &mut all[at].outcome {
        p.blocks[4].bases += 12;
    }
    let text = refused(all);
    assert!(text.contains("kmer6 seed 1") && text.contains("synthetic, block 4"), "{text}");

    let mut all = records(&with_tasks());
    let at = all.iter().position(|r| matches!(r.outcome, Outcome::Finetuned(_))).unwrap();
    if let Outcome::Finetuned(f) = &mut all[at].outcome {
        f.mcc += 0.01;
    }
    let text = refused(all);
    assert!(text.contains("contradicts itself: MCC is stored as"), "{text}");
}

#[test]
fn an_unknown_reference_is_refused_with_the_list() {
    let options = Options { reference: Some("kmr6".into()), ..fast() };
    let text = Comparison::new(records(&Shape::default()), options).unwrap_err().to_string();
    assert_eq!(text, "the reference \"kmr6\" is not among the tokenizers: base, kmer6, bpe4096");
}

#[test]
fn failures_drop_the_seed_for_all_and_are_told() {
    let mut all = records(&Shape::default());
    let at = place(&all, "kmer6", 4);
    all[at].outcome = Outcome::Failed { reason: "out of memory".into() };
    let comparison = Comparison::new(all, fast()).unwrap();
    let group = &comparison.groups[0];
    assert_eq!(group.seeds, [0, 1, 2, 3, 5, 6]);
    assert!(group.ranked().all(|s| s.bits.as_ref().unwrap().total.seeds.len() == 6));
    assert_eq!((group.dropped.len(), group.subject("kmer6").unwrap().failed), (1, 1));
    let text = report::table(&comparison, false);
    assert!(
        text.contains("failed: kmer6 seed 4 (out of memory). So seed 4 is left out for every tokenizer."),
        "{text}"
    );
    assert!(text.contains("1 failed"));
}

#[test]
fn collapses_are_counted_and_kept() {
    let mut all = records(&with_tasks());
    let at = place(&all, "bpe4096", 1);
    if let Outcome::Pretrained(p) = &mut all[at].outcome {
        p.collapsed = true;
    }
    let task = |r: &Record| matches!(&r.run.work, Work::Finetune(f) if f.pretrained && f.model.tokenizer == "base" && f.task.name == "promoters");
    let at = all.iter().position(task).unwrap();
    if let Outcome::Finetuned(f) = &all[at].outcome {
        all[at].outcome = finetuned_from(f.labels.clone(), vec![1; f.labels.len()], f.classes);
    }
    let comparison = Comparison::new(all, fast()).unwrap();
    let group = &comparison.groups[0];
    assert_eq!(group.subject("bpe4096").unwrap().collapsed, 1);
    assert_eq!(group.seeds.len(), 4);
    let score = group.tasks[0].scores.iter().find(|s| s.name == "base").unwrap();
    assert_eq!((score.collapsed, score.mcc.as_ref().unwrap().seeds[0]), (1, 0.0));
    let text = report::table(&comparison, false);
    assert!(
        text.contains("collapsed, and counted in the means: bpe4096 (1 run) and base on promoters (1 run)."),
        "{text}"
    );
}

#[test]
fn every_seed_failed_is_a_conclusion_not_a_crash() {
    let mut all = records(&Shape { seeds: 2, ..Shape::default() });
    for seed in 0..2 {
        let at = place(&all, "base", seed);
        all[at].outcome = Outcome::Failed { reason: "killed".into() };
    }
    let comparison = Comparison::new(all, fast()).unwrap();
    assert!(report::sentence(&comparison).starts_with("nothing to conclude: at every seed a run failed"));
    assert!(!report::table(&comparison, false).is_empty());
    for figure in report::FIGURES {
        figure.draw(&comparison).unwrap();
    }
}

#[test]
fn controls_are_shown_and_never_ranked() {
    let options = Options { controls: vec!["kmer6".into()], ..fast() };
    let comparison = Comparison::new(records(&with_tasks()), options).unwrap();
    let group = &comparison.groups[0];
    assert_eq!(group.ranked().map(|s| s.name.as_str()).collect::<Vec<_>>(), ["base", "bpe4096"]);
    assert_eq!(group.subjects.last().unwrap().name, "kmer6");
    assert!(group.subject("kmer6").unwrap().bits.is_some());
    assert_eq!(group.tests.len(), 1);
    assert!(group.tasks.iter().all(|t| t.tests.len() == 1));
    let names: Vec<&str> = group.tasks[0].scores.iter().filter(|s| s.control).map(|s| s.name.as_str()).collect();
    assert_eq!(names, ["base (not pretrained)", "kmer6", "cnn", "kmer-logistic6"]);
    assert_eq!(group.markov[0].name, "markov5");
    assert!(!report::sentence(&comparison).contains("kmer6"));
}

#[test]
fn a_leak_is_remarked() {
    let mut all = records(&Shape::default());
    for r in &mut all {
        if let (Work::Pretrain(p), Outcome::Pretrained(done)) = (&r.run.work, &mut r.outcome)
            && p.tokenizer == "kmer6"
        {
            done.blocks.iter_mut().for_each(|b| b.content *= 0.5);
        }
    }
    let text = report::table(&Comparison::new(all, fast()).unwrap(), false);
    assert!(text.contains("WARNING: kmer6 is below the floor"), "{text}");
}

#[test]
fn groups_are_kept_apart() {
    let shape = Shape { positions: vec![Position::Alibi, Position::AlibiDirected], ..with_tasks() };
    let comparison = Comparison::new(records(&shape), fast()).unwrap();
    let labels: Vec<&str> = comparison.groups.iter().map(|g| g.label.as_str()).collect();
    assert_eq!(labels, ["alibi", "alibi-directed"]);
    assert!(comparison.groups.iter().all(|g| g.tests.len() == 2 && g.tasks.len() == 2 && g.markov.len() == 1));
}
