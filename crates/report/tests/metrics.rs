//! Table, numbers, tests, figure and conclusion use the metric of the task.

use experiment::record::{Metric, Outcome, Record};
use experiment::run::{Finetune, Work};
use report::example::{finetuned_from, model, record};
use report::{Comparison, Options, csv, figure, sentence, table};

/// Two tokenizers on a task with few rows of class 1: `guesser` predicts 1 often and finds all of them, `miser` rarely does and has
/// the higher accuracy.
fn records(metric: Metric, task: &str) -> Vec<Record> {
    let labels: Vec<u32> = (0..100).map(|row| u32::from(row % 10 == 0)).collect();
    let mut all = Vec::new();
    for (name, wrong) in [("guesser", 3), ("miser", 0)] {
        for seed in 0..7 {
            let finetune = Finetune {
                model: model(name, experiment::config::Position::ALIBI_DIRECTED),
                pretrained: true,
                task: experiment::run::DataRef { name: task.to_owned(), hash: task.repeat(4) },
                finetuning: experiment::config::Finetuning::default(),
            };
            let predicted = (0..100).map(|row| match (wrong, row % 10) {
                (0, _) => u32::from(row == 50 + 10 * (seed as usize % 2)),
                (_, 0) => 1,
                (wrong, digit) => u32::from(digit <= wrong && row % 20 < 10),
            });
            let mut outcome = finetuned_from(labels.clone(), predicted.collect(), 2);
            let Outcome::Finetuned(done) = &mut outcome else { panic!("a result") };
            done.metric = metric;
            all.push(record(seed, Work::Finetune(finetune), outcome));
        }
    }
    all
}

fn compared(records: Vec<Record>) -> Comparison {
    Comparison::new(records, Options { resamples: 200, ..Options::default() }).unwrap()
}

#[test]
fn the_same_predictions_give_two_orders_by_two_metrics() {
    let best = |metric| {
        let comparison = compared(records(metric, "t"));
        let scores = &comparison.groups[0].tasks[0].scores;
        let mean = |at: usize| scores[at].score().unwrap().mean;
        assert_eq!(scores[0].name, "guesser");
        (if mean(0) > mean(1) { "guesser" } else { "miser" }, mean(0))
    };
    // guesser: 10 hits, 15 false alarms, 75 right; F1 20/35 and 150/165.
    let f1 = (20.0 / 35.0 + 150.0 / 165.0) / 2.0;
    let (first, value) = best(Metric::F1);
    assert_eq!(first, "guesser");
    assert!((value - f1).abs() < 1e-12, "{value}");
    let (first, value) = best(Metric::Accuracy);
    assert_eq!(first, "miser");
    assert!((value - 0.85).abs() < 1e-12, "{value}");
    assert_eq!(best(Metric::Mcc).0, "guesser");
}

#[test]
fn all_output_names_the_metric() {
    let comparison = compared(records(Metric::Accuracy, "t"));
    let text = table(&comparison, false);
    assert!(text.contains("tasks: accuracy on the test split") && text.contains("0.850"), "{text}");
    let numbers = csv(&comparison);
    assert!(numbers.contains(",guesser,false,accuracy,t,0,0.85,,\n"), "the seeds of the metric: {numbers}");
    assert!(numbers.contains(",miser - guesser,false,accuracy difference,t,,"), "{numbers}");
    assert!(numbers.contains(",guesser,false,mcc,t,,") && !numbers.contains(",mcc,t,0,"), "{numbers}");
    let conclusion = sentence(&comparison);
    // All seeds agree, but 100 test rows are too few.
    let start = "not significant on t (+0.060 ± 0.0";
    let end = " accuracy, 7 seeds, p = 0.016, but the simultaneous interval over seeds and text (\u{2212}0.0";
    assert!(conclusion.starts_with(start) && conclusion.contains(end), "{conclusion}");
    let drawn = figure::find("tasks").unwrap().draw(&comparison).unwrap().unwrap();
    assert!(drawn.svg.contains("Accuracy on the test split") && drawn.csv.contains(",t,guesser,seed,0,0.85\n"));
    let json = serde_json::to_value(report::numbers(&comparison)).unwrap();
    let task = &json["groups"][0]["tasks"][0];
    let score = &task["scores"][0];
    assert!((score["judged"]["mean"].as_f64().unwrap() - 0.85).abs() < 1e-12);
    assert_eq!(task["metric"], "accuracy");
    let test = &task["tests"][0];
    assert_eq!((&test["decisive"], &test["reason"]), (&false.into(), &"interval".into()));
    assert_eq!((&test["rank_biserial"], &test["superiority"]), (&1.0.into(), &1.0.into()));
    assert!(test["simultaneous"]["low"].as_f64().unwrap() < 0.0 && test["text_error"].as_f64().unwrap() > 0.0);
}

#[test]
fn tasks_with_different_metrics_are_separate() {
    let mut all = records(Metric::Mcc, "a");
    all.extend(records(Metric::F1, "b"));
    let comparison = compared(all);
    let text = table(&comparison, false);
    for part in [
        "tasks: Matthews correlation on the test split",
        "tasks: macro F1 on the test split",
        "WARNING: tasks have different metrics (MCC, F1), so there is no test across tasks.",
    ] {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
    assert!(comparison.groups[0].across.is_empty());
    let drawn = figure::find("tasks").unwrap().draw(&comparison).unwrap().unwrap();
    assert!(drawn.svg.contains("Score on the test split") && drawn.svg.contains("b (F1, "));
    // Records of one task with different metrics cannot be compared.
    let mut mixed = records(Metric::Mcc, "a");
    let Outcome::Finetuned(done) = &mut mixed[3].outcome else { panic!("a result") };
    done.metric = Metric::F1;
    let error = Comparison::new(mixed, Options::default()).unwrap_err().to_string();
    assert!(
        error.starts_with("records of different metrics of a cannot be compared: f1 (guesser seed 3) vs mcc"),
        "{error}"
    );
}
