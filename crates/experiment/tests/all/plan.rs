//! Plans: order, unique runs, controls, dependencies.

use std::collections::HashSet;

use experiment::Plan;
use experiment::rates::choose;
use experiment::record::Outcome;
use experiment::run::Work;

use crate::common::{self, Known, jobs, plan, spec};

#[test]
fn dependencies_come_first_and_runs_are_unique() {
    let plan = plan(
        "tokenizers = ['mxdna', 'bpe4096', 'base', 'kmer6']\nexploratory = true\nseeds = 3\ntasks = ['a', 'b']\ncontrols = true\n\
         positions = ['alibi', 'alibi-directed']",
    );
    let mut seen = HashSet::new();
    for job in &plan.jobs {
        assert_eq!(job.key, job.run.key());
        assert!(job.after.iter().all(|parent| seen.contains(parent)), "a run before its dependency");
        assert!(seen.insert(job.key.clone()), "a run twice");
    }
    assert_eq!(plan.tokenizers, ["mxdna", "bpe4096", "base", "kmer6"]);
    assert_eq!(plan.controls, ["mxdna-pool-macs", "randomcut4096", "unpooled"]);
    // The control that is as large as mxdna waits for its units: 3 seeds, 2 positions; each on 2 tasks.
    assert_eq!(plan.deferred.len(), 6 + 12);
    // 6 other subjects, 3 seeds, 2 positions; each fine-tuned on 2 tasks, the reference also without pretraining;
    // Markov on as much text as the models see and on all, logistic regression once and a CNN per seed for each task.
    assert_eq!(plan.jobs.len(), 36 + 72 + 12 + 2 + 2 + 6);
    assert_eq!(plan.comparisons, 3);
    let corpora = plan.jobs.iter().filter(|j| j.data.corpus.as_ref().is_some_and(|c| c.name == "/here/toy")).count();
    assert_eq!(corpora, 36 + 72 + 12 + 2);
}

#[test]
fn aliases_do_not_matter() {
    let plan = plan("tokenizers = ['MXDNA', 'Bpe4096', 'KMER6']\ncontrols = true\nreference = 'kmer06'");
    assert_eq!(plan.tokenizers, ["mxdna", "bpe4096", "kmer6"]);
    assert_eq!(plan.controls, ["mxdna-pool-macs", "randomcut4096", "unpooled"]);
    assert_eq!(plan.reference, "kmer6");
    // A control that is compared anyway is not added.
    let there = common::plan("tokenizers = ['MXDNA', 'Unpooled', 'mxdna-pool-macs']\ncontrols = true");
    assert_eq!(there.controls, Vec::<String>::new());
}

/// The control that is as large as a learned tokenizer needs its run, and is planned for each budget and rate as soon as that is finished.
#[test]
fn a_control_of_equal_size_follows_its_learned_tokenizer() {
    let alone = spec("tokenizers = ['base', 'mxdna-pool-macs']\nexploratory = true\nseeds = 2");
    let error = Plan::new(&alone, &Known::default()).unwrap_err();
    assert!(
        error.to_string().contains("mxdna-pool-macs is as large as mxdna, which is not one of the tokenizers"),
        "{error}"
    );
    assert_eq!(error.remedy().unwrap(), "add mxdna");

    let both = spec(
        "tokenizers = ['mxdna', 'mxdna-pool-macs']\nexploratory = true\nseeds = 2\nbudgets = [1000000, 2000000]\n\
         learning_rates = [1e-3, 3e-3]",
    );
    let before = Plan::new(&both, &Known::default()).unwrap();
    // mxdna is scored at two budgets; the control is tried at two rates, and scored at two budgets.
    assert_eq!((before.jobs.len(), before.deferred.len()), (4, 2 * 2 + 2 * 4));
    let after = Plan::new(&both, &Known { chosen: Some(3e-3), ..Known::default() }).unwrap();
    assert_eq!((after.jobs.len(), after.deferred.len()), (2 * 2 * 4, 0));
    for job in &after.jobs {
        let Work::Pretrain(run) = &job.run.work else { panic!() };
        let units = run.fixed_units.map(|units| (units.bases, units.inner));
        assert_eq!(units, (run.tokenizer == "mxdna-pool-macs").then_some((7.0, 99)));
    }
}

#[test]
fn a_reference_that_is_not_compared_is_rejected() {
    for name in ["bpe4096", "kmr6"] {
        let spec = spec(&format!("tokenizers = ['base', 'kmer6']\nreference = '{name}'"));
        let error = Plan::new(&spec, &Known::default()).unwrap_err();
        assert_eq!(error.to_string(), format!("reference: {name:?} is not one of the tokenizers"));
        assert_eq!(error.remedy().unwrap(), "add it there, or use one of base, kmer6");
    }
}

#[test]
fn equal_runs_are_merged() {
    let one = plan("tokenizers = ['base']\nseeds = 2");
    let same_rate = plan("tokenizers = ['base']\nseeds = 2\nlearning_rates = [1e-3]");
    assert_eq!(one.jobs, same_rate.jobs);
    // Fine-tuning without pretraining does not depend on the grid.
    let grid = spec("tokenizers = ['base']\nseeds = 1\ntasks = ['a']\ncontrols = true\nlearning_rates = [1e-3, 3e-3]");
    let grid = Plan::new(&grid, &Known { chosen: Some(3e-3), ..Known::default() }).unwrap();
    let plain = |job: &&experiment::Job| matches!(&job.run.work, Work::Finetune(f) if !f.pretrained);
    assert_eq!(grid.jobs.iter().filter(plain).count(), 1);
}

#[test]
fn aliases_of_one_tokenizer_are_rejected() {
    let error = Plan::new(&spec("tokenizers = ['kmer6', 'kmer06']"), &Known::default()).unwrap_err();
    assert_eq!(error.to_string(), "tokenizers: duplicate tokenizer: \"kmer06\" is an alias of kmer6");
}

#[test]
fn tasks_with_equal_names_or_rows_are_rejected() {
    let refused = |tasks: &str| {
        let error =
            Plan::new(&spec(&format!("tokenizers = ['base']\ntasks = [{tasks}]")), &Known::default()).unwrap_err();
        assert!(error.remedy().is_some());
        error.to_string()
    };
    assert_eq!(refused("'x/train', 'y/train'"), "tasks: \"x/train\" and \"y/train\" are both named \"train\"");
    let rows = "tasks: \"train again\" contains the same rows in the same splits as \"train\"";
    assert_eq!(refused("'train', 'other', 'train again'"), rows);
}

#[test]
fn a_refusal_keeps_its_remedy() {
    let error = Plan::new(&spec("tokenizers = ['kmr6']"), &Known::default()).unwrap_err();
    assert_eq!(error.to_string(), "unknown tokenizer \"kmr6\"");
    assert_eq!(error.remedy().unwrap(), "did you mean \"kmer6\"?");
    let error = Plan::new(&spec("tokenizers = ['kmer5-nonoverlap']"), &Known::default()).unwrap_err();
    assert_eq!(error.remedy().unwrap(), "use masking.span = 10");
}

#[test]
fn fine_tuning_is_deferred_until_a_learning_rate_is_selected() {
    let spec = spec(
        "tokenizers = ['base', 'kmer6']\nseeds = 2\nexploratory = true\ntasks = ['a']\nlearning_rates = [1e-3, 3e-3]",
    );
    let before = Plan::new(&spec, &Known::default()).unwrap();
    // Every rate is tried; models are scored and fine-tuned when one is selected.
    assert!(before.jobs.iter().all(|job| job.run.is_trial()));
    assert_eq!((before.jobs.len(), before.deferred.len()), (8, 4 + 4));
    let records: Vec<_> = before.jobs.iter().map(|job| mock::record(&job.run)).collect();
    let chosen = choose(&records);
    assert_eq!(chosen.len(), 4, "two tokenizers, two seeds");
    let rate = *chosen.iter().find(|(choice, _)| choice.tokenizer == "base").unwrap().1;
    assert!([1e-3, 3e-3].contains(&rate));
    let after = Plan::new(&spec, &Known { chosen: Some(rate), ..Known::default() }).unwrap();
    assert_eq!((after.jobs.len(), after.deferred.len()), (16, 0));
    assert!(before.jobs.iter().all(|job| after.jobs.contains(job)));
    let parents = after.jobs.iter().flat_map(|job| &job.after);
    assert!(parents.clone().count() == 4 && parents.clone().all(|key| after.jobs.iter().any(|job| job.key == *key)));
}

#[test]
fn larger_budgets_and_equal_compute_wait_for_what_they_need() {
    let text = "tokenizers = ['base', 'kmer6']\nseeds = 2\nexploratory = true\nlearning_rates = [1e-3, 3e-3]\nbudgets = [100_000, 400_000]\n\
                noise = ['uniform']\n[equal_compute]\nreference = 'base'\ntokenizers = ['kmer6']";
    let spec = spec(text);
    let before = Plan::new(&spec, &Known::default()).unwrap();
    // 2 seeds, 2 texts, 2 tokenizers, 2 rates at the smallest budget.
    assert_eq!((before.jobs.len(), before.deferred.len()), (16, 16 + 4));
    let after = Plan::new(&spec, &Known { chosen: Some(3e-3), ..Known::default() }).unwrap();
    assert_eq!((after.jobs.len(), after.deferred.len()), (36, 0));
    let bases = |job: &experiment::Job| match &job.run.work {
        Work::Pretrain(p) => (p.training.bases, p.training.learning_rate),
        _ => (0, 0.0),
    };
    // Deferred runs are estimated as if the rate were known.
    let seconds = |plan: &Plan| -> f64 {
        let budgets = plan.all_jobs().filter(|job| [100_000, 400_000].contains(&bases(job).0));
        budgets.map(|job| job.estimate.seconds).sum()
    };
    assert_eq!(seconds(&before), seconds(&after));
    assert!(after.jobs.iter().any(|job| bases(job) == (1_600_000, 3e-3)), "4 times the bases at a quarter of the cost");
    assert!(
        after.jobs.iter().all(|job| job.run.is_trial() || bases(job).1 == 3e-3),
        "only the selected rate is scored"
    );
    assert!(after.jobs.iter().all(|job| !job.run.is_trial() || bases(job).0 == 100_000));
}

#[test]
fn a_failed_learning_rate_is_not_selected() {
    let plan = plan("tokenizers = ['base']\nseeds = 2\nlearning_rates = [1e-3, 3e-3]");
    for bad in [1e-3, 3e-3] {
        let records: Vec<_> = plan
            .jobs
            .iter()
            .map(|job| {
                let mut record = mock::record(&job.run);
                let Work::Pretrain(p) = &job.run.work else { return record };
                if p.training.learning_rate == bad && job.run.seed == 2 {
                    record.outcome = experiment::record::Outcome::Failed { reason: "loss is NaN".to_owned() };
                }
                record
            })
            .collect();
        let chosen: Vec<f64> = choose(&records).into_values().collect();
        assert_eq!(chosen.len(), 2, "one for each seed");
        assert_eq!(chosen[1], if bad == 1e-3 { 3e-3 } else { 1e-3 });
    }
}

#[test]
fn forward_passes_of_the_protocol() {
    let passes = experiment::cost::passes;
    assert_eq!((passes(12), passes(2)), (84, 14));
}

#[test]
fn costs_follow_the_shapes() {
    let of = |more: &str| plan(&format!("tokenizers = ['base', 'bpe4096']\nseeds = 1\nexploratory = true\n{more}"));
    let tiny = of("");
    assert!(tiny.jobs[0].estimate.macs > tiny.jobs[1].estimate.macs, "84 passes over 252 tokens, or 28 over 50");
    let base = of("encoder = 'base'");
    assert!(base.jobs[0].estimate.mib > 1_000.0, "4 x 4 bytes x 85 M weights and more");
    assert!(base.seconds() > 100.0 * tiny.seconds());
}

#[test]
fn memory_is_linear_in_the_row_length() {
    let mib = |longest: usize, device: &str| {
        let spec = spec(&format!("tokenizers = ['base']\nseeds = 1\ntasks = ['a']\ndevice = '{device}'"));
        let plan = Plan::new(&spec, &Known { longest, ..Known::default() }).unwrap();
        plan.jobs.last().unwrap().estimate.mib
    };
    let (short, long) = (mib(1_000, "cpu"), mib(10_000, "cpu"));
    assert!((9.0..10.0).contains(&(long / short)), "{short} {long}");
    // Composed attention keeps a weight for every pair of tokens.
    assert!(mib(10_000, "tch-cpu") > 5.0 * long);
}

#[test]
fn times_and_deviations_come_from_records() {
    let mut plan = plan("tokenizers = ['base', 'kmer6']\nseeds = 6");
    let mut records: Vec<_> = plan.jobs.iter().map(|job| mock::record(&job.run)).collect();
    let guess = plan.clone();
    plan.calibrate(&records);
    assert_eq!(plan, guess, "simulated records are ignored");
    for record in &mut records {
        record.provenance.version = "0.1.0".to_owned();
        record.timing.train_seconds = 59.0;
    }
    plan.calibrate(&records);
    assert!(plan.calibrated);
    assert!(plan.jobs.iter().all(|job| job.estimate.measured && job.estimate.seconds == 60.0));
    let bits = plan.detectable.unwrap();
    assert!(bits > 0.0 && bits < 0.1, "{bits}");
}

/// Of a run that takes over the trained model of its trial only the scoring takes time.
#[test]
fn a_run_after_its_trial_takes_the_time_of_its_scoring() {
    let spec = spec("tokenizers = ['base']\nseeds = 1\nexploratory = true\nlearning_rates = [1e-3, 3e-3]");
    let mut plan = Plan::new(&spec, &Known { chosen: Some(3e-3), ..Known::default() }).unwrap();
    assert_eq!(plan.jobs.iter().map(|job| job.run.is_trial()).collect::<Vec<_>>(), [true, true, false]);
    let [trial, _, scored] = &plan.jobs[..] else { panic!() };
    assert!(scored.estimate.macs < trial.estimate.macs);
    let mut record = mock::record(&scored.run);
    record.provenance.version = "0.1.0".to_owned();
    (record.timing.train_seconds, record.timing.score_seconds) = (100.0, 7.0);
    plan.calibrate(&[record]);
    assert_eq!(plan.jobs[2].estimate.seconds, 7.0);
}

#[test]
fn a_scored_record_contains_its_trial() {
    let plan = plan("tokenizers = ['base']\nseeds = 1\nexploratory = true");
    let scored = mock::record(&plan.jobs[0].run);
    let trial = scored.trial().unwrap();
    assert_eq!(trial.key, scored.run.trial().unwrap().key());
    assert!(trial.run.is_trial() && trial.trial().is_none() && trial.run.trial().is_none());
    let (Outcome::Pretrained(scored), Outcome::Pretrained(trial)) = (&scored.outcome, &trial.outcome) else { panic!() };
    assert!(trial.blocks.is_empty() && trial.curve == scored.curve && !trial.curve.is_empty());
}

#[test]
fn the_table_shows_cost_and_power() {
    let six = "tokenizers = ['base', 'kmer6', 'bpe4096']\nseeds = 6\ntasks = ['enhancers']\nexploratory = true";
    let text = plan(six).describe();
    for part in [
        "pretrain  base              alibi-directed-reach252-bases               6     84 ",
        "pretrain  kmer6             alibi-directed-reach252-bases               6     14 ",
        "finetune  bpe4096           enhancers alibi-directed-reach252-bases     6      - ",
        "36 runs, ",
        "default speed, no finished run yet",
        "minimum attainable Holm-adjusted p-value: 0.0625 (2 comparisons with base, 6 seeds)",
        "fewest seeds that can decide: 7\nexploratory: no verdict",
    ] {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
    let seven = plan("tokenizers = ['base', 'kmer6', 'bpe4096']\nseeds = 7").describe();
    assert!(seven.contains("p-value: 0.0313") && !seven.contains("underpowered"), "{seven}");
    // All seven must agree, which alone needs Phi(1.86)^7 = 0.8, and the interval must exclude 0.
    assert!(
        seven.contains(
            "power 80 % (sign-flip test and interval, strictest Holm step): over seeds alone, a true difference of 1.87 standard"
        ),
        "{seven}"
    );
    let many = plan("tokenizers = ['base', 'kmer6']\nseeds = 20").describe();
    assert!(many.contains("Holm-adjusted p-value: < 0.0001 (1 comparison with base, 20 seeds)"), "{many}");
}

#[test]
fn seeds_that_cannot_decide_are_refused() {
    let refused = |more: &str| {
        let error = Plan::new(&spec(&format!("tokenizers = ['base', 'kmer6', 'bpe4096']\n{more}")), &Known::default());
        let error = error.unwrap_err();
        (error.to_string(), error.remedy().unwrap().to_string())
    };
    let (cause, remedy) = refused("seeds = 6");
    let expected = "seeds: 6 seeds cannot decide 2 comparisons: the minimum attainable Holm-adjusted p-value is 0.0625";
    assert_eq!(cause, expected);
    assert_eq!(remedy, "use at least 7, or exploratory = true (--exploratory) for results without a verdict");
    assert!(refused("seeds = 8\nseeds_planned = 6").0.contains("6 seeds cannot decide"), "later seeds do not count");
    // One tokenizer is not a comparison; by default, there are as many seeds as can decide.
    assert_eq!(plan("tokenizers = ['base']\nseeds = 1").fewest_seeds, None);
    for (tokenizers, seeds) in [("'base'", 3), ("'base', 'kmer6'", 6), ("'base', 'kmer6', 'bpe4096'", 7)] {
        let plan = plan(&format!("tokenizers = [{tokenizers}]"));
        assert_eq!(plan.seeds.len(), seeds, "{tokenizers}");
    }
    let plan = plan("tokenizers = ['base', 'kmer6']\nexploratory = true");
    assert_eq!((plan.seeds.len(), plan.exploratory, plan.fewest_seeds), (3, true, Some(6)));
}

#[test]
fn a_plan_can_be_serialized() {
    let plan = plan("tokenizers = ['base', 'kmer6']\ntasks = ['a']");
    let text = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), plan);
    assert_eq!(jobs().len(), 8);
}
