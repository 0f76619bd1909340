//! The table of `experiments/pooling/README.md` is what its records give.

use std::collections::BTreeMap;

use experiment::config::Pooling;
use experiment::record::Outcome;
use experiment::run::Work;

use crate::dir::root;

#[test]
fn the_table_is_what_the_records_give() {
    let folder = root().join("experiments/pooling");
    // Of each row: MCC with [CLS] and with the mean, by seed.
    let mut found: BTreeMap<[String; 3], BTreeMap<u64, [f64; 2]>> = BTreeMap::new();
    for record in experiment::read_jsonl(folder.join("records.jsonl")).unwrap() {
        let Work::Finetune(run) = &record.run.work else { continue };
        let Outcome::Finetuned(done) = &record.outcome else { panic!("{}", record.key) };
        let row = [run.task.name.clone(), run.model.tokenizer.clone(), run.model.encoder.position.name()];
        let pair = found.entry(row).or_default().entry(record.run.seed).or_default();
        pair[usize::from(run.finetuning.pooling == Pooling::Mean)] = done.mcc;
    }
    let text = std::fs::read_to_string(folder.join("README.md")).unwrap();
    let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("| gue/")).collect();
    assert_eq!(lines.len(), found.len());
    for (line, (row, seeds)) in lines.iter().zip(&found) {
        assert_eq!(seeds.keys().copied().collect::<Vec<u64>>(), [1, 2, 3, 4, 5, 6]);
        let column = |of: fn(&[f64; 2]) -> f64| seeds.values().map(of).collect::<Vec<f64>>();
        let [cls, mean] = [column(|pair| pair[0]), column(|pair| pair[1])].map(|values| statistics::mean(&values));
        let differences = column(|pair| pair[0] - pair[1]);
        let quantile = statistics::power::t_quantile(differences.len() - 1, 0.05);
        let half = quantile * statistics::deviation(&differences) / (differences.len() as f64).sqrt();
        let difference = format!("{:+.3}", statistics::mean(&differences)).replace('-', "\u{2212}");
        let [task, tokenizer, position] = row;
        let expected =
            format!("| {task} | {tokenizer} | `{position}` | {cls:.3} | {mean:.3} | {difference} ± {half:.3} |");
        assert_eq!(*line, expected);
    }
}
