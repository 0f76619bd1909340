//! Fine-tuning on labels of every kind: it learns, reproduces itself, resumes, and is loaded as it was saved.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dataset::targets::{Row, Target};
use dataset::{Metric, TargetKind};
use experiment::config::{EncoderConfig, Finetuning};
use model::config::ModelConfig;
use model::network::Model;
use model::trained::Trained;
use model::tune::{Data, LoraOptions, Options, Report, TunedModel, tune};
use model::{Error, Watch};
use protocol::{Fitted, PriorKind};
use tokenize::registry;

/// A random sequence of 40 bases, with a motif if `motif`.
fn sequence(number: u64, motif: bool) -> Vec<u8> {
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize
    };
    let mut bases: Vec<u8> = (0..40).map(|_| b"ACGT"[next() % 4]).collect();
    if motif {
        let at = 2 + 6 * (next() % 5);
        bases[at..at + 6].copy_from_slice(b"GATTAC");
    }
    bases
}

fn target(kind: TargetKind, bases: &[u8], motif: bool) -> Target {
    let gc = |base: &u8| matches!(base, b'G' | b'C');
    let content = bases.iter().filter(|base| gc(base)).count();
    match kind {
        TargetKind::Class => Target::Class(u32::from(motif)),
        TargetKind::Labels => Target::Labels(vec![content > 20, motif]),
        TargetKind::Numbers => Target::Numbers(vec![content as f64 / 40.0, 100.0 - 3.0 * content as f64]),
        // All pairs of G.
        TargetKind::Contacts => {
            let all: Vec<u32> = (0..40).filter(|&at| bases[at as usize] == b'G').collect();
            let pairs = all.iter().flat_map(|&one| all.iter().map(move |&other| (one, other)));
            Target::Contacts(pairs.filter(|(one, other)| one < other).collect())
        }
        TargetKind::Bases => {
            let class = |(at, base): (usize, &u8)| (at % 7 != 3).then(|| u32::from(gc(base)));
            Target::Bases(bases.iter().enumerate().map(class).collect())
        }
    }
}

fn data(kind: TargetKind, rows: u64) -> Data {
    let row = |number: u64| {
        let motif = number.is_multiple_of(3);
        let sequence = sequence(number, motif);
        Row { target: target(kind, &sequence, motif), sequence }
    };
    let names =
        if kind == TargetKind::Contacts { vec!["contact".to_owned()] } else { ["a", "b"].map(str::to_owned).to_vec() };
    Data {
        train: (0..rows).map(row).collect(),
        dev: (rows..rows + 60).map(row).collect(),
        test: (rows + 60..rows + 140).map(row).collect(),
        names,
    }
}

fn trained(name: &str) -> Trained {
    trained_with(name, 0.1)
}

fn trained_with(name: &str, dropout: f64) -> Trained {
    let recipe = registry::builtin().parse(name).unwrap();
    let text: Vec<u8> = (0..300).flat_map(|number| sequence(number, number % 2 == 0)).collect();
    let fitted = Fitted::fit(&recipe, &[&text], 12, Some(PriorKind::Order1)).unwrap();
    let encoder = EncoderConfig { hidden: 24, layers: 2, intermediate: 48, dropout, ..EncoderConfig::default() };
    let vocabulary = fitted.tokenizer.vocabulary().len();
    let config = ModelConfig { vocabulary, frontend: fitted.frontend.clone(), encoder, classes: None };
    let device = model::device::open("cpu").unwrap();
    Trained::new(&Model::new(&config, 3, &device), fitted, config, &device)
}

fn options(labels: TargetKind, epochs: f64) -> Options {
    let settings = Finetuning { epochs, batch: 16, learning_rate: 4e-3, evaluations: 4, ..Finetuning::default() };
    Options {
        labels,
        settings,
        seed: 5,
        lora: None,
        class_weights: false,
        reverse_complement: false,
        restarts: 0,
        metric: Metric::Mcc,
    }
}

fn run(trained: &Trained, data: &Data, options: &Options) -> (TunedModel, Report, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    tune(trained, data, options, folder.path(), &mut Watch::silent()).unwrap()
}

fn predictions(model: &TunedModel, data: &Data) -> Vec<Vec<f64>> {
    let sequences: Vec<&[u8]> = data.test.iter().map(|row| row.sequence.as_slice()).collect();
    model.predict(&sequences, false).unwrap()
}

#[test]
fn every_kind_of_label_is_learned_and_kept() {
    for (name, kind, epochs, metric, least) in [
        ("kmer3", TargetKind::Class, 8.0, "mcc", 0.5),
        ("kmer3", TargetKind::Labels, 8.0, "mcc", 0.4),
        ("bpe32", TargetKind::Numbers, 8.0, "pearson", 0.6),
        ("kmer3", TargetKind::Bases, 3.0, "mcc", 0.5),
        ("bpe32", TargetKind::Bases, 3.0, "mcc", 0.4),
        ("mxdna", TargetKind::Bases, 1.0, "mcc", 0.5),
        ("kmer3", TargetKind::Contacts, 4.0, "auroc", 0.8),
    ] {
        let (trained, data) = (trained(name), data(kind, 360));
        let (model, report, notes) = run(&trained, &data, &options(kind, epochs));
        assert!(report.test[metric] > least, "{name} {kind:?}: {:?} {:?}", report.dev, report.test);
        assert!(notes.is_empty() && report.attempts.len() == 1 && !report.attempts[0].collapsed);
        assert_eq!((report.rows, report.parameters), ([360, 60, 80], report.trained));
        // Saved and loaded: the same predictions, to the last bit.
        let folder = tempfile::tempdir().unwrap();
        model.save(folder.path(), "base", &report).unwrap();
        let device = model::device::open("cpu").unwrap();
        let (again, recorded) = TunedModel::load(folder.path(), &registry::builtin(), &device).unwrap();
        assert_eq!(recorded, report);
        let found = predictions(&model, &data);
        assert_eq!(predictions(&again, &data), found, "{name} {kind:?}");
        let width = match kind {
            TargetKind::Bases => 40 * 2,
            TargetKind::Contacts => 40 * 39 / 2,
            _ => 2,
        };
        assert!(found.iter().all(|row| row.len() == width));
    }
}

#[test]
fn it_reproduces_itself_and_resumes() {
    let (trained, data) = (trained("kmer3"), data(TargetKind::Class, 96));
    let options = Options { reverse_complement: true, class_weights: true, ..options(TargetKind::Class, 3.0) };
    let (whole, report, _) = run(&trained, &data, &options);
    let expected = predictions(&whole, &data);
    assert_eq!(predictions(&run(&trained, &data, &options).0, &data), expected);
    // Stopped after each step, with a checkpoint each time.
    let folder = tempfile::tempdir().unwrap();
    let mut interruptions = 0;
    let resumed = loop {
        let stop = Arc::new(AtomicBool::new(false));
        let setter = Arc::clone(&stop);
        // The first step is always reported.
        let mut watch = Watch::new(move |_| setter.store(true, Ordering::Relaxed), stop);
        watch.checkpoint_every = Duration::ZERO;
        match tune(&trained, &data, &options, folder.path(), &mut watch) {
            Ok(done) => break done,
            Err(Error::Interrupted { .. }) => interruptions += 1,
            Err(error) => panic!("{error}"),
        }
        assert!(interruptions < 50);
    };
    assert!(interruptions > 0);
    assert_eq!(resumed.1, report);
    assert_eq!(predictions(&resumed.0, &data), expected);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "checkpoints are removed");
}

/// Only the adapters and the head are trained, and merging them changes no prediction.
#[test]
fn low_rank_adapters_of_the_attention() {
    let (trained, data) = (trained("kmer3"), data(TargetKind::Class, 360));
    let lora = LoraOptions { rank: 4, alpha: 16.0 };
    let options = Options { lora: Some(lora), ..options(TargetKind::Class, 8.0) };
    let (model, report, _) = run(&trained, &data, &options);
    // Two layers of [24, 4] and [4, 72]; pooler and linear.
    assert_eq!(report.trained, 2 * (24 * 4 + 4 * 72) + (24 * 24 + 24) + (24 * 2 + 2));
    assert!(report.trained < report.parameters && report.test["mcc"] > 0.3, "{:?}", report.test);
    let folder = tempfile::tempdir().unwrap();
    model.save(folder.path(), "base", &report).unwrap();
    let file = std::fs::read(folder.path().join("adapter_model.safetensors")).unwrap();
    let file = safetensors::SafeTensors::deserialize(&file).unwrap();
    let name = "base_model.model.bert.encoder.layer.1.attention.self.Wqkv";
    assert_eq!(file.tensor(&format!("{name}.lora_A.weight")).unwrap().shape(), [4, 24]);
    assert_eq!((file.tensor(&format!("{name}.lora_B.weight")).unwrap().shape(), file.len()), (&[72, 4][..], 4));
    // The test metrics are those of the network before its adapters were merged.
    let predicted: Vec<u32> = predictions(&model, &data).iter().map(|row| u32::from(row[1] > row[0])).collect();
    let truth: Vec<u32> =
        data.test.iter().map(|row| if let Target::Class(class) = row.target { class } else { panic!() }).collect();
    let table = statistics::classes::Confusion::new(&truth, &predicted, 2).unwrap();
    assert!((table.mcc() - report.test["mcc"]).abs() < 1e-9);
}

/// A batch in parts is the same step: without dropout, whose draws differ, only the order of sums does.
#[test]
fn a_batch_in_parts_is_the_same_fine_tuning() {
    let (trained, data) = (trained_with("kmer3", 0.0), data(TargetKind::Numbers, 100));
    let losses = |gradient_accumulation: usize| {
        let mut options = options(TargetKind::Numbers, 2.0);
        options.settings.gradient_accumulation = gradient_accumulation;
        let (_, report, _) = run(&trained, &data, &options);
        report.attempts[0].dev_losses.iter().map(|loss| loss.unwrap()).collect::<Vec<f64>>()
    };
    let whole = losses(1);
    for parts in [2, 3] {
        let found = losses(parts);
        assert!(found != whole, "the parts were not used");
        let close = |(one, other): (&f64, &f64)| (one - other).abs() < 1e-4 * other;
        assert!(found.len() == whole.len() && found.iter().zip(&whole).all(close), "{parts}: {found:?} {whole:?}");
    }
}

/// Batches without anything to predict are steps without a loss, not a failure.
#[test]
fn rows_without_a_label_are_no_failure() {
    let trained = trained("kmer3");
    let row = |sequence: &[u8], target: Target| Row { sequence: sequence.to_vec(), target };
    for (kind, none) in
        [(TargetKind::Bases, Target::Bases(vec![None])), (TargetKind::Contacts, Target::Contacts(Vec::new()))]
    {
        let labeled = match kind {
            TargetKind::Bases => Target::Bases(vec![Some(0), Some(1), None, Some(1)]),
            _ => Target::Contacts(vec![(0, 2)]),
        };
        let rows = vec![row(b"A", none.clone()), row(b"ACGT", labeled), row(b"C", none)];
        let names = data(kind, 1).names;
        let data = Data { train: rows.clone(), dev: rows.clone(), test: rows, names };
        let mut options = options(kind, 2.0);
        options.settings.batch = 1;
        let (_, report, _) = run(&trained, &data, &options);
        assert!(report.attempts[0].dev_losses.iter().flatten().all(|loss| loss.is_finite()), "{kind:?}");
    }
}

/// Rows that cannot be told apart: every attempt collapses, and each is recorded.
#[test]
fn a_collapse_is_told_and_restarted() {
    let trained = trained("kmer3");
    let row = |number: u32| Row { sequence: b"ACGTACGTAC".to_vec(), target: Target::Class(number % 2) };
    let rows = |count: u32| (0..count).map(row).collect::<Vec<Row>>();
    let names = ["a", "b"].map(str::to_owned).to_vec();
    let data = Data { train: rows(32), dev: rows(8), test: Vec::new(), names };
    let (_, report, notes) = run(&trained, &data, &Options { restarts: 2, ..options(TargetKind::Class, 1.0) });
    assert_eq!(report.attempts.len(), 3);
    assert!(report.attempts.iter().all(|attempt| attempt.collapsed));
    assert_eq!((report.attempts[0].seed, report.attempts[1].seed), (5, 1_000_008));
    assert!(notes.len() == 2 && notes[0].starts_with("seed 5 collapsed"), "{notes:?}");
    assert!(report.test.is_empty());
    let error = tune(
        &trained,
        &Data { dev: Vec::new(), ..data },
        &options(TargetKind::Class, 1.0),
        std::path::Path::new("nowhere"),
        &mut Watch::silent(),
    );
    assert_eq!(error.err().unwrap().to_string(), "the validation split has no rows");
}
