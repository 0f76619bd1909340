//! Fixed keys: an accidental change would orphan every stored record.

use experiment::config::{EncoderConfig, Finetuning, Masking, Position, Prefixes, PriorKind, Scoring, Training};
use experiment::run::{Control, Finetune, Pretrain, Work};
use experiment::{Run, canonical};
use proptest::prelude::*;

use crate::common::data;

fn pretrain() -> Pretrain {
    Pretrain {
        tokenizer: "bpe4096".to_owned(),
        corpus: data("toy"),
        encoder: EncoderConfig { position: Position::ALIBI_DIRECTED, ..EncoderConfig::default() },
        fixed_units: None,
        masking: Masking { share: 0.15, ..Masking::default() },
        prior: None,
        training: Training::default(),
        scoring: Scoring::default(),
    }
}

fn run(seed: u64, work: Work) -> Run {
    Run { protocol: 1, engine: 0, device: "cpu".to_owned(), dtype: "f32".to_owned(), seed, work }
}

#[test]
fn canonical_json_of_a_run() {
    let text = canonical::json(&serde_json::to_value(run(1, Work::Pretrain(pretrain()))).unwrap());
    assert_eq!(
        text,
        concat!(
            r#"{"device":"cpu","dtype":"f32","protocol":1,"seed":1,"work":{"corpus":{"hash":"746f79","name":"toy"},"#,
            r#""encoder":{"dropout":0.0,"heads":4,"hidden":64,"init_std":0.1,"intermediate":256,"layer_norm_eps":1e-12,"#,
            r#""layers":2,"position":"alibi-directed"},"kind":"pretrain","masking":{"share":0.15,"span":12,"unit":"bases"},"#,
            r#""scoring":{"bases":4032,"curve_points":6,"curve_windows":14},"tokenizer":"bpe4096","#,
            r#""training":{"bases":500000,"batch":4,"beta1":0.9,"beta2":0.98,"clip":1.0,"epsilon":1e-6,"#,
            r#""learning_rate":0.001,"warmup":0.06,"weight_decay":0.00001,"window":252}}}"#
        )
    );
}

#[test]
fn golden_keys() {
    let finetune =
        Finetune { model: pretrain(), pretrained: true, task: data("enhancers"), finetuning: Finetuning::default() };
    let markov = Control::Markov { order: 5, corpus: data("toy"), window: 252, span: 12, scoring: Scoring::default() };
    let keys = [Work::Pretrain(pretrain()), Work::Finetune(finetune), Work::Control(markov)]
        .map(|work| run(1, work).key().to_string());
    assert_eq!(
        keys,
        [
            "18cb19a1d38fce3fae2422f0b1f3f76c36c3c3764e54f1b74b25b9b57ae5ff88",
            "fb0e782505374e84c74358f1d13c1965075ed47053b963ee4b52b5727879ae00",
            "256e7380f747d18e7a2239deb6331013f3cdccb7ea1d950c2a10db11ca6d4b8a"
        ]
    );
}

/// What protocol 2 added is part of the key, and absent from records of protocol 1.
#[test]
fn canonical_json_of_protocol_2() {
    let mut p = pretrain();
    p.prior = Some(PriorKind::Order1);
    p.masking.prefixes = Prefixes::Uniform;
    p.scoring.last_windows = 3;
    p.encoder.position = "alibi-directed-reach252-bases".parse().unwrap();
    let run = Run { protocol: 2, engine: 1, ..run(1, Work::Pretrain(p)) };
    let text = canonical::json(&serde_json::to_value(&run).unwrap());
    for part in [
        r#""engine":1"#,
        r#""prior":"order1""#,
        r#""prefixes":"uniform""#,
        r#""last_windows":3"#,
        r#""position":"alibi-directed-reach252-bases""#,
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert_eq!(run.key().as_str(), "3dbd5b62d8efd2e4b2975aabaa6e72a74e116309f1cb93c016ae96d86c00fc4d", "{text}");
}

proptest! {
    #[test]
    fn keys_survive_a_round_trip(seed: u64, rate in 1e-9..1.0_f64, share in 0.0..1.0_f64, hash in "[0-9a-f]{64}") {
        let mut p = pretrain();
        p.training.learning_rate = rate;
        p.masking.share = share;
        p.corpus.hash = hash;
        let run = run(seed, Work::Pretrain(p));
        for text in [serde_json::to_string(&run).unwrap(), serde_json::to_string_pretty(&run).unwrap()] {
            let again: Run = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(again.key(), run.key());
            prop_assert_eq!(&again, &run);
        }
    }

    #[test]
    fn different_runs_have_different_keys(a: u64, b: u64) {
        let same = run(a, Work::Pretrain(pretrain())).key() == run(b, Work::Pretrain(pretrain())).key();
        prop_assert_eq!(same, a == b);
    }
}
