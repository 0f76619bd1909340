//! Records that a comparison rejects, with errors that name the runs, and failures that it reports.

use experiment::config::Position;
use experiment::record::{Outcome, Record};
use experiment::run::{Control, Work};
use protocol::score::{BIAS_ONLY, CONTENT};
use report::example::{Shape, finetuned_from, model, record, records};
use report::{Comparison, Error, Options};

fn with_tasks() -> Shape {
    Shape { seeds: 4, tasks: vec!["promoters".into(), "splice".into()], ..Shape::default() }
}

fn fast() -> Options {
    Options { resamples: 100, ..Options::default() }
}

fn error(records: Vec<Record>) -> String {
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
fn mixed_devices_protocols_and_formats_are_errors() {
    let mut all = records(&Shape::default());
    edit(&mut all[3], |r| r.run.device = "tch-cuda".into());
    assert_eq!(
        error(all),
        "records of different devices cannot be compared: cpu (base seed 0, base seed 1, base seed 2 and 17 more) vs tch-cuda (base seed 3)"
    );
    let mut all = records(&Shape::default());
    edit(&mut all[8], |r| r.run.protocol += 1);
    assert!(error(all).contains("different protocols"), "protocol");
    let mut all = records(&Shape::default());
    edit(&mut all[8], |r| r.run.dtype = "bf16".into());
    assert!(error(all).contains("different number formats"), "dtype");
    let mut all = records(&with_tasks());
    for r in &mut all {
        if let Work::Finetune(f) = &mut r.run.work
            && f.model.tokenizer == "kmer6"
            && f.task.name == "splice"
        {
            f.finetuning.epochs = 9.0;
        }
    }
    assert!(error(all).contains("different fine-tuning settings or data of splice"));
    assert!(matches!(Comparison::new(Vec::new(), fast()), Err(Error::Empty)));
}

#[test]
fn tokenizers_without_common_settings_are_an_error() {
    let mut all = records(&Shape { tokenizers: vec!["base".into()], ..Shape::default() });
    for seed in 0..7 {
        let mut other = model("kmer6", Position::ALIBI_DIRECTED);
        other.encoder.hidden = 128;
        let outcome = all[0].outcome.clone();
        all.push(record(seed, Work::Pretrain(other), outcome));
    }
    let text = error(all);
    assert!(
        text.contains("different settings") && text.contains("kmer6 (hidden 128)") && text.contains("base (hidden 64)"),
        "{text}"
    );
}

#[test]
fn unequal_seeds_are_an_error() {
    let mut all = records(&Shape::default());
    all.remove(place(&all, "kmer6", 5));
    all.remove(place(&all, "bpe4096", 2));
    all.remove(place(&all, "bpe4096", 6));
    assert_eq!(error(all), "unequal seeds in pretraining: kmer6 lacks seed 5; bpe4096 lacks seeds 2, 6");
}

#[test]
fn duplicates_are_merged_and_different_settings_are_an_error() {
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
    assert!(error(all).contains("two runs of base, seed 0, with different settings"));
}

#[test]
fn different_text_and_inconsistent_records_are_errors() {
    let mut all = records(&Shape::default());
    let at = place(&all, "kmer6", 1);
    if let Outcome::Pretrained(p) = &mut all[at].outcome {
        p.blocks[4].score.bases += 12;
    }
    let text = error(all);
    assert!(text.contains("kmer6 seed 1") && text.contains("synthetic, block 4"), "{text}");

    let mut all = records(&with_tasks());
    let at = all.iter().position(|r| matches!(r.outcome, Outcome::Finetuned(_))).unwrap();
    if let Outcome::Finetuned(f) = &mut all[at].outcome {
        f.mcc += 0.01;
    }
    let text = error(all);
    assert!(text.contains("is inconsistent: MCC is stored as"), "{text}");
}

#[test]
fn an_unknown_reference_is_an_error_with_the_list() {
    let options = Options { reference: Some("kmr6".into()), ..fast() };
    let text = Comparison::new(records(&Shape::default()), options).unwrap_err().to_string();
    assert_eq!(text, "the reference \"kmr6\" is not among the tokenizers: base, kmer6, bpe4096");
}

#[test]
fn failures_exclude_the_seed_for_all_and_are_reported() {
    let mut all = records(&Shape::default());
    let at = place(&all, "kmer6", 4);
    all[at].outcome = Outcome::Failed { reason: "out of memory".into() };
    let comparison = Comparison::new(all, fast()).unwrap();
    let group = &comparison.groups[0];
    assert_eq!(group.seeds, [0, 1, 2, 3, 5, 6]);
    assert!(group.ranked().all(|s| s.bits.as_ref().unwrap().total.seeds.len() == 6));
    assert_eq!((group.dropped.len(), group.subject("kmer6").unwrap().failed), (1, 1));
    let text = report::table(&comparison, false);
    assert!(text.contains("failed: kmer6 seed 4 (out of memory). Seed 4 is excluded for every tokenizer."), "{text}");
    assert!(text.contains("1 failed"));
}

#[test]
fn collapsed_runs_are_counted_and_included() {
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
        text.contains("collapsed (included in the means): bpe4096 (1 run) and base on promoters (1 run)."),
        "{text}"
    );
}

fn fail(all: &mut [Record], tokenizer: &str, reason: &str) {
    for r in all.iter_mut().filter(|r| matches!(&r.run.work, Work::Pretrain(p) if p.tokenizer == tokenizer)) {
        r.outcome = Outcome::Failed { reason: reason.into() };
    }
}

#[test]
fn failure_of_every_run_is_reported() {
    let mut all = records(&Shape { seeds: 2, ..Shape::default() });
    ["base", "kmer6", "bpe4096"].iter().for_each(|name| fail(&mut all, name, "killed"));
    let comparison = Comparison::new(all, fast()).unwrap();
    assert!(report::sentence(&comparison).starts_with("no conclusion: at least one run failed at every seed"));
    assert!(!report::table(&comparison, false).is_empty());
    for figure in report::FIGURES {
        figure.draw(&comparison).unwrap();
    }
}

#[test]
fn a_tokenizer_that_always_fails_is_excluded() {
    let mut all = records(&with_tasks());
    fail(&mut all, "base", "out of memory");
    // Fine-tuning runs without their pretraining have no record.
    all.retain(|r| !matches!(&r.run.work, Work::Finetune(f) if f.pretrained && f.model.tokenizer == "base"));
    let comparison = Comparison::new(all, fast()).unwrap();
    let group = &comparison.groups[0];
    assert_eq!(group.reference.as_deref(), Some("kmer6"));
    assert_eq!((group.seeds.len(), group.tests.len(), group.dropped.len()), (4, 1, 0));
    assert!(group.subject("base").is_some_and(|s| s.bits.is_none() && s.failed == 4));
    assert!(group.tasks.iter().all(|t| t.tests.len() == 1 && t.seeds.len() == 4));
    assert_eq!(group.across.len(), 1);
    let text = report::table(&comparison, false);
    assert!(
        text.contains("base is excluded from the comparison: no usable run, 4 of 4 failed (out of memory)"),
        "{text}"
    );
    assert!(text.contains("the reference base has no usable runs; kmer6 is the reference instead"), "{text}");
    assert!(text.contains("4 failed") && text.contains("minimum attainable p is 0.12"), "{text}");
    assert!(text.contains("Wilcoxon signed-rank test across 2 tasks: underpowered"), "{text}");
    for figure in report::FIGURES {
        figure.draw(&comparison).unwrap();
    }
}

#[test]
fn unfinished_runs_are_compared_only_with_partial() {
    let partial = Options { partial: true, ..fast() };
    let mut all = records(&Shape::default());
    all.remove(place(&all, "kmer6", 5));
    all.remove(place(&all, "bpe4096", 2));
    let comparison = Comparison::new(all.clone(), partial.clone()).unwrap();
    let group = &comparison.groups[0];
    assert_eq!((group.seeds.clone(), group.tests.len()), (vec![0, 1, 3, 4, 6], 2));
    let remark = "2 runs are unfinished (kmer6 lacks seed 5; bpe4096 lacks seed 2); only complete seeds are compared";
    assert_eq!(group.remarks, [remark]);
    // The reference has no record yet.
    let all: Vec<Record> = all.into_iter().filter(|r| r.run.subject() != "base").collect();
    let order = ["base", "kmer6", "bpe4096"].map(String::from).to_vec();
    let options = Options { order: order.clone(), reference: Some("base".into()), ..partial.clone() };
    let comparison = Comparison::new(all.clone(), options.clone()).unwrap();
    let group = &comparison.groups[0];
    assert_eq!((group.reference.as_deref(), group.tests.len()), (Some("kmer6"), 1));
    assert!(group.remarks[0].contains("base is excluded from the comparison: none of its runs has finished"));
    assert!(Comparison::new(all.clone(), Options { partial: false, ..options.clone() }).is_err());
    // No seed in common.
    let all: Vec<Record> =
        all.into_iter().filter(|r| r.run.subject() == if r.run.seed < 3 { "kmer6" } else { "bpe4096" }).collect();
    let text = Comparison::new(all, options).unwrap_err().to_string();
    assert!(
        text.starts_with("no complete seeds to compare yet: ") && text.contains("kmer6 lacks seeds 3, 4"),
        "{text}"
    );
}

#[test]
fn unknown_names_are_errors_with_the_list() {
    let refuse = |options| Comparison::new(records(&Shape::default()), options).unwrap_err().to_string();
    let known = "is not among the tokenizers: base, kmer6, bpe4096";
    let text = refuse(Options { order: vec!["kmr6".into()], ..fast() });
    assert_eq!(text, format!("\"kmr6\" in the order {known}"));
    let text = refuse(Options { controls: vec!["bsae".into()], partial: true, ..fast() });
    assert_eq!(text, format!("\"bsae\" in the controls {known}"));
}

#[test]
fn a_model_that_ignores_context_is_reported() {
    let mut all = records(&Shape::default());
    for r in all.iter_mut().filter(|r| r.run.subject() == "base") {
        if let Outcome::Pretrained(done) = &mut r.outcome {
            done.blocks.iter_mut().for_each(|b| b.score.set(BIAS_ONLY, b.total()));
        }
    }
    let comparison = Comparison::new(all, fast()).unwrap();
    assert!(comparison.groups[0].remarks[0].starts_with("base has not learned to use context"));
    let text = report::sentence(&comparison);
    assert!(text.ends_with(" base has not learned to use context at this budget and is not ranked."), "{text}");
}

#[test]
fn simulated_records_are_marked() {
    let mut all = records(&Shape::default());
    let marked = |all: Vec<Record>| {
        let comparison = Comparison::new(all, fast()).unwrap();
        serde_json::to_value(report::numbers(&comparison)).unwrap()["made_up"].clone()
    };
    assert_eq!(marked(all.clone()), false);
    all[1].provenance.version = experiment::record::SIMULATED.into();
    assert_eq!(marked(all), true);
}

#[test]
fn controls_join_a_task_with_the_same_data() {
    let mut all = records(&with_tasks());
    for r in &mut all {
        match &mut r.run.work {
            // The same data under another name, and different data under the same name.
            Work::Control(Control::Cnn { task, .. }) => task.name = format!("{} (renamed)", task.name),
            Work::Control(Control::KmerLogistic { task, .. }) => task.hash = "f".repeat(64),
            _ => {}
        }
        r.key = r.run.key();
    }
    let comparison = Comparison::new(all, fast()).unwrap();
    let group = &comparison.groups[0];
    assert_eq!(group.tasks.len(), 2);
    for task in &group.tasks {
        assert!(task.scores.iter().any(|s| s.name == "cnn") && task.scores.iter().all(|s| s.name != "kmer-logistic6"));
    }
    assert!(
        group.remarks[0]
            .contains("kmer-logistic6 on promoters is excluded: it was run on different data of the same name")
    );
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
fn a_total_below_the_floor_is_reported() {
    let mut all = records(&Shape::default());
    for r in &mut all {
        if let (Work::Pretrain(p), Outcome::Pretrained(done)) = (&r.run.work, &mut r.outcome)
            && p.tokenizer == "kmer6"
        {
            done.blocks.iter_mut().for_each(|b| b.score.set(CONTENT, b.score.bits(CONTENT) * 0.5));
        }
    }
    let text = report::table(&Comparison::new(all, fast()).unwrap(), false);
    assert!(text.contains("WARNING: kmer6 is below the entropy floor"), "{text}");
}

#[test]
fn groups_are_separate() {
    let shape = Shape { positions: vec![Position::ALIBI, Position::ALIBI_DIRECTED], ..with_tasks() };
    let comparison = Comparison::new(records(&shape), fast()).unwrap();
    let labels: Vec<&str> = comparison.groups.iter().map(|g| g.label.as_str()).collect();
    assert_eq!(labels, ["alibi", "alibi-directed", "position encoding selected on validation"]);
    assert!(comparison.groups.iter().all(|g| g.tests.len() == 2 && g.markov.len() == 1));
    // Tasks are not part of the selection.
    assert_eq!(comparison.groups.iter().map(|g| g.tasks.len()).collect::<Vec<_>>(), [2, 2, 0]);
}

#[test]
fn the_learning_rate_is_selected_on_validation_and_its_cost_reported() {
    let all = records(&Shape::default());
    let mut grid = all.clone();
    for record in &all {
        if let (Work::Pretrain(_), Outcome::Pretrained(_)) = (&record.run.work, &record.outcome) {
            let mut other = record.clone();
            edit(&mut other, |record| {
                let Work::Pretrain(p) = &mut record.run.work else { unreachable!() };
                p.training.learning_rate *= 3.0;
                // Better on the scored text, worse on the validation split: only the latter selects.
                let Outcome::Pretrained(done) = &mut record.outcome else { unreachable!() };
                done.blocks.iter_mut().for_each(|b| b.score.set(CONTENT, b.score.bits(CONTENT) * 0.99));
                done.curve.iter_mut().for_each(|point| point.bits *= 1.1);
            });
            grid.push(other);
        }
    }
    let (plain, tuned) = (Comparison::new(all, fast()).unwrap(), Comparison::new(grid, fast()).unwrap());
    assert_eq!(plain.groups[0].tests, tuned.groups[0].tests);
    assert_eq!(plain.groups[0].tuning, None);
    let tuning = tuned.groups[0].tuning.as_ref().unwrap();
    assert_eq!((tuning.runs, tuning.rates.len(), tuning.chosen.len()), (21, 2, 3));
    assert!(tuning.seconds > 0.0 && tuning.chosen.iter().all(|(_, rates)| *rates == tuning.rates[..1]));
}

/// Trials, which were not scored on the test split, select as scored runs do; a selected end of the grid is told.
#[test]
fn trials_select_the_learning_rate() {
    let all = records(&Shape::default());
    let mut grid = all.clone();
    for record in all.iter().filter(|record| matches!(record.run.work, Work::Pretrain(_))) {
        for (number, factor) in [1.0, 3.0, 10.0].into_iter().enumerate() {
            let mut trial = record.trial().unwrap();
            edit(&mut trial, |record| {
                let Work::Pretrain(p) = &mut record.run.work else { unreachable!() };
                p.training.learning_rate *= factor;
                let Outcome::Pretrained(done) = &mut record.outcome else { unreachable!() };
                done.curve.iter_mut().for_each(|point| point.bits *= 1.0 + 0.1 * number as f64);
            });
            grid.push(trial);
        }
    }
    let (plain, tuned) =
        (Comparison::new(all.clone(), fast()).unwrap(), Comparison::new(grid.clone(), fast()).unwrap());
    assert_eq!(plain.groups[0].tests, tuned.groups[0].tests);
    let tuning = tuned.groups[0].tuning.as_ref().unwrap();
    assert_eq!((tuning.runs, tuning.rates.len(), tuning.chosen.len()), (2 * 21, 3, 3));
    let table = report::table(&tuned, false).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        table.contains("the lowest learning rate of the grid was selected at every seed for base, bpe4096 and kmer6"),
        "{table}"
    );
    assert!(!report::table(&plain, false).contains("of the grid"));
    // A scored run stands for its own trial: the file need not have it. Seeds whose rates were all scored go with others.
    let first = |record: &Record| record.run.seed < 3;
    let lowest = |record: &Record| matches!(&record.run.work, Work::Pretrain(p) if p.training.learning_rate < 2e-3);
    let without: Vec<Record> = grid.iter().filter(|r| !(r.run.is_trial() && lowest(r))).cloned().collect();
    let mixed: Vec<Record> = grid
        .iter()
        .cloned()
        .map(|mut record| {
            // As in older records: scored at every rate.
            if record.run.is_trial() && first(&record) && !lowest(&record) {
                let of = |r: &&Record| r.run.subject() == record.run.subject() && r.run.seed == record.run.seed;
                let scored = all.iter().find(of).unwrap();
                let (Work::Pretrain(to), Work::Pretrain(from)) = (&mut record.run.work, &scored.run.work) else {
                    panic!()
                };
                to.scoring = from.scoring.clone();
                let (Outcome::Pretrained(to), Outcome::Pretrained(from)) = (&mut record.outcome, &scored.outcome)
                else {
                    panic!()
                };
                to.blocks.clone_from(&from.blocks);
                record.key = record.run.key();
            }
            record
        })
        .filter(|record| !(record.run.is_trial() && first(record)))
        .collect();
    for records in [without, mixed] {
        let other = Comparison::new(records, fast()).unwrap();
        assert_eq!(
            (&other.groups[0].tests, &other.groups[0].tuning.as_ref().unwrap().rates),
            (&plain.groups[0].tests, &tuning.rates)
        );
    }
    // A tokenizer that was tried and not scored is missed.
    let unscored =
        |r: &Record| r.run.subject() != "kmer6" || r.run.is_trial() || !matches!(r.run.work, Work::Pretrain(_));
    let unscored: Vec<Record> = grid.iter().filter(|r| unscored(r)).cloned().collect();
    assert_eq!(error(unscored), "unequal seeds in pretraining: kmer6 has trials of learning rates and no scored run");
    // Trials alone are no result.
    let trials: Vec<Record> = all.iter().filter_map(Record::trial).collect();
    assert!(Comparison::new(trials, fast()).is_err());
}

#[test]
fn later_seeds_are_excluded_with_a_remark() {
    let all = records(&Shape { seeds: 9, ..Shape::default() });
    let planned = Options { planned: (0..7).collect(), ..fast() };
    let comparison = Comparison::new(all, planned).unwrap();
    let group = &comparison.groups[0];
    assert_eq!(group.seeds, [0, 1, 2, 3, 4, 5, 6]);
    assert_eq!(group.tests[0].difference.seeds.len(), 7);
    let remark = "later seeds 7 and 8: added after 7 were planned, excluded from means and tests";
    assert_eq!(group.remarks, [remark]);
    let first = records(&Shape { seeds: 7, ..Shape::default() });
    let alone = Comparison::new(first, fast()).unwrap();
    assert_eq!(alone.groups[0].tests, group.tests, "later seeds change nothing");
}
