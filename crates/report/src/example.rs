//! Simulated records for documentation, examples and tests: plausible and deterministic, but not measurements. Available with the
//! feature `example`, which the program does not use.
//!
//! ```
//! use report::example::{Shape, records};
//! let shape = Shape { seeds: 3, species: vec!["human".into(), "yeast".into()], ..Shape::default() };
//! assert_eq!(records(&shape).len(), 3 * 3 + 1); // three tokenizers, three seeds, one Markov control
//! ```

use experiment::config::{EncoderConfig, Finetuning, Masking, Position, Scoring, Training};
use experiment::record::{
    BlockScore, Cost, CurvePoint, Finetuned, Metric, Outcome, Pretrained, Provenance, Record, Timing,
};
use experiment::run::{Control, DataRef, ENGINE, Finetune, PROTOCOL, Pretrain, Run, Work};
use protocol::score::{BIAS_ONLY, CONTENT, COUNT, FLOOR, LENGTH, PARALLEL, PARALLEL_FLOOR, Score, ZERO, ZERO_COUNT};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;
use tokenize::audit::{AuditMetric, METRICS};

use crate::audit::{Cell, Sheet, Text};
use statistics::{classes::Confusion, stream};

/// Size and effect sizes of the simulated experiment.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    /// Tokenizers in order.
    pub tokenizers: Vec<String>,
    /// Number of seeds.
    pub seeds: u64,
    /// Species of the corpus.
    pub species: Vec<String>,
    /// Classification tasks; the last has three classes, the others two.
    pub tasks: Vec<String>,
    /// Position encodings of the encoder.
    pub positions: Vec<Position>,
    /// Difference in bits per masked base between a tokenizer and the next, which is better.
    pub step: f64,
    /// Standard deviation of the total of a tokenizer over seeds.
    pub noise: f64,
}

impl Default for Shape {
    fn default() -> Self {
        Shape {
            tokenizers: ["base", "kmer6", "bpe4096"].map(String::from).to_vec(),
            seeds: 7,
            species: vec!["synthetic".into()],
            tasks: Vec::new(),
            positions: vec![Position::ALIBI_DIRECTED],
            step: 0.03,
            noise: 0.004,
        }
    }
}

/// The records of a [`Shape`].
#[must_use]
pub fn records(shape: &Shape) -> Vec<Record> {
    let mut all = Vec::new();
    for (place, position) in shape.positions.iter().enumerate() {
        for (index, tokenizer) in shape.tokenizers.iter().enumerate() {
            let model = model(tokenizer, *position);
            for seed in 0..shape.seeds {
                all.push(record(
                    seed,
                    Work::Pretrain(model.clone()),
                    pretrained(shape, index, seed, place as f64 * 0.05),
                ));
                for (task, name) in shape.tasks.iter().enumerate() {
                    for pretrained in [true, false] {
                        let quality = if pretrained { 0.75 + 0.02 * index as f64 - 0.05 * task as f64 } else { 0.55 };
                        let finetune = Finetune {
                            model: model.clone(),
                            pretrained,
                            task: data(name),
                            finetuning: Finetuning::default(),
                        };
                        if pretrained || index == 0 {
                            let outcome = finetuned(shape, task, quality, seed * 31 + index as u64);
                            all.push(record(seed, Work::Finetune(finetune), outcome));
                        }
                    }
                }
            }
        }
    }
    for (task, name) in shape.tasks.iter().enumerate() {
        let logistic = Control::KmerLogistic { max_k: 6, task: data(name), finetuning: None };
        all.push(record(0, Work::Control(logistic), finetuned(shape, task, 0.68 - 0.05 * task as f64, 901)));
        for seed in 0..shape.seeds {
            let cnn = Control::Cnn { task: data(name), finetuning: Finetuning::default() };
            all.push(record(seed, Work::Control(cnn), finetuned(shape, task, 0.72 - 0.05 * task as f64, 951 + seed)));
        }
    }
    let reference = model("base", Position::ALIBI);
    let (window, span) = (reference.training.window, reference.masking.span);
    let markov = Control::Markov { order: 5, corpus: reference.corpus, window, span, scoring: reference.scoring };
    all.push(record(0, Work::Control(markov), markov_score(shape)));
    all
}

/// A record of the given work and outcome.
#[must_use]
pub fn record(seed: u64, work: Work, outcome: Outcome) -> Record {
    let run = Run { protocol: PROTOCOL, engine: ENGINE, device: "cpu".into(), dtype: "f32".into(), seed, work };
    let speed = 4000.0 + 900.0 * run.subject().len() as f64;
    let timing = Timing {
        train_seconds: 5e5 / speed,
        score_seconds: 20.0,
        bases_per_second: speed,
        peak_mib: 512.0,
        threads: 2,
    };
    let provenance = Provenance {
        version: "0.1.0".into(),
        commit: "unknown".into(),
        device: "simulated".into(),
        ..Provenance::default()
    };
    Record { key: run.key(), run, outcome, timing, provenance }
}

/// Pretraining settings of a tokenizer: all defaults.
#[must_use]
pub fn model(tokenizer: &str, position: Position) -> Pretrain {
    Pretrain {
        tokenizer: tokenizer.into(),
        corpus: data("synthetic"),
        encoder: EncoderConfig { position, ..EncoderConfig::default() },
        fixed_units: None,
        masking: Masking::default(),
        prior: Some(experiment::config::PriorKind::Uniform),
        training: Training::default(),
        scoring: Scoring::default(),
    }
}

fn data(name: &str) -> DataRef {
    let hash: String = name.bytes().map(|b| format!("{b:02x}")).collect();
    DataRef { name: name.into(), hash: format!("{hash:0<64.64}") }
}

/// A uniform random number in -1..1.
fn noise(rng: &mut ChaCha8Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
}

fn pretrained(shape: &Shape, index: usize, seed: u64, shift: f64) -> Outcome {
    let name = shape.tokenizers[index].as_str();
    let mut rng = stream(name, seed);
    let end = 1.85 - shape.step * index as f64 - shift + shape.noise * noise(&mut rng) * 3.0_f64.sqrt();
    let blocks = blocks(shape, index, end, &mut rng);
    let point = |step: u64| {
        let bases = 500_000 >> (5 - step);
        let rate = end + (2.0 - end) * (-(step as f64) / 1.6).exp() + 0.002 * (5 - step) as f64;
        CurvePoint {
            bases,
            bits: rate * 1000.0,
            scored: 1000,
            floor: Some(1530.0),
            loss: rate * std::f64::consts::LN_2,
        }
    };
    let (lengths, token) = match name {
        n if n.starts_with("base") || n.starts_with("mxdna") => (vec![4000], 1.0),
        n if n.starts_with("kmer") => (vec![2, 1, 3, 1, 2, 4000], if n.contains("nonoverlap") { 6.0 } else { 1.0 }),
        _ => (vec![40, 120, 420, 560, 380, 190, 80, 30, 9, 2, 0, 1], 4.4),
    };
    let vocabulary = if name.starts_with("base") { 10 } else { 4101 };
    let cost = Cost {
        frontend_parameters: vocabulary * 64,
        encoder_parameters: 133_000,
        head_parameters: vocabulary + 4160,
        bases_per_token: token,
        macs_per_base: 150_000.0 / token + vocabulary as f64,
        passes: 84.0 / token,
        steps: 497,
    };
    let curve = (0..6).map(point).collect();
    Outcome::Pretrained(Box::new(Pretrained {
        blocks,
        curve,
        cost,
        lengths,
        planned_bases: 75_000,
        hidden_bases: 61_000,
        collapsed: false,
        offsets: Vec::new(),
        regions: Vec::new(),
        prior_total: None,
        selected: None,
        unit_bases: None,
    }))
}

/// Twelve blocks of each species with about `end` bits per masked base.
fn blocks(shape: &Shape, index: usize, end: f64, rng: &mut ChaCha8Rng) -> Vec<BlockScore> {
    let variable = shape.tokenizers[index].starts_with("bpe");
    let mut blocks = Vec::new();
    for (at, species) in shape.species.iter().enumerate() {
        let mut text = stream(species, 0);
        for block in 0..12 {
            let bases = 160 + (text.next_u64() % 60);
            let rate = end + 0.02 * at as f64 + 0.03 * noise(&mut text) + 0.01 * noise(rng);
            let total = rate * bases as f64;
            let (count, length) = if variable { (0.12 * bases as f64, 0.37 * bases as f64) } else { (0.0, 0.0) };
            let extra = if variable { 0.005 * bases as f64 } else { 0.0 };
            blocks.push(BlockScore {
                species: species.clone(),
                held_out: false,
                block,
                score: Score::of(bases)
                    .with(COUNT, count)
                    .with(LENGTH, length)
                    .with(CONTENT, total - count - length)
                    .with(PARALLEL, total + 0.15 * bases as f64)
                    .with(ZERO, 2.0 * bases as f64)
                    .with(ZERO_COUNT, count + extra)
                    .with(BIAS_ONLY, (1.96 - 0.01 * index as f64) * bases as f64)
                    .with(FLOOR, (1.52 + 0.02 * at as f64) * bases as f64)
                    .with(PARALLEL_FLOOR, 1.6 * bases as f64),
            });
        }
    }
    blocks
}

fn markov_score(shape: &Shape) -> Outcome {
    let Outcome::Pretrained(mut score) = pretrained(shape, 0, 0, 0.0) else {
        return Outcome::Failed { reason: "never".into() };
    };
    for block in &mut score.blocks {
        let content = 1.79 * block.score.bases as f64;
        block.score = block.score.clone().with(CONTENT, content).with(COUNT, 0.0).with(LENGTH, 0.0);
    }
    Outcome::Pretrained(score)
}

fn finetuned(shape: &Shape, task: usize, quality: f64, seed: u64) -> Outcome {
    let classes: u32 = if task + 1 == shape.tasks.len() { 3 } else { 2 };
    let (mut truth, mut rng) = (stream("labels", task as u64), stream("predictions", seed * 100 + task as u64));
    let labels: Vec<u32> = (0..200).map(|_| (truth.next_u64() % u64::from(classes)) as u32).collect();
    let guess = |label: &u32| {
        let right = noise(&mut rng) < 2.0 * quality - 1.0;
        if right { *label } else { (rng.next_u64() % u64::from(classes)) as u32 }
    };
    let predicted: Vec<u32> = labels.iter().map(guess).collect();
    finetuned_from(labels, predicted, classes as usize)
}

/// A result with the metrics of its predictions; class numbers must be below `classes`.
#[must_use]
pub fn finetuned_from(labels: Vec<u32>, predicted: Vec<u32>, classes: usize) -> Outcome {
    let table = match Confusion::new(&labels, &predicted, classes) {
        Ok(table) => table,
        Err(error) => return Outcome::Failed { reason: error.to_string() },
    };
    let collapsed = predicted.windows(2).all(|w| w[0] == w[1]);
    Outcome::Finetuned(Box::new(Finetuned {
        classes,
        names: Vec::new(),
        metric: Metric::default(),
        rows: 1000,
        dev_losses: vec![0.6, 0.5, 0.52],
        best: 1,
        dev_mcc: table.mcc(),
        mcc: table.mcc(),
        f1: table.f1(),
        accuracy: table.accuracy(),
        collapsed,
        parameters: 140_000,
        labels,
        predicted,
    }))
}

/// Simulated audit of three tokenizers on two species.
#[must_use]
pub fn sheet() -> Sheet {
    let metrics: Vec<AuditMetric> = METRICS.iter().filter(|metric| metric.column.is_some()).copied().collect();
    let tokenizers: Vec<String> =
        ["base", "kmer6-nonoverlap", "a tokenizer with quite a long name"].map(str::to_owned).to_vec();
    let mut cells = Vec::new();
    for tokenizer in 0..tokenizers.len() {
        for species in ["", "ecoli", "human"] {
            for (place, text) in Text::ALL.into_iter().enumerate() {
                let value = |at: usize| match metrics[at].name {
                    "reverse_kappa" | "shift_kappa" if tokenizer == 0 => f64::NAN,
                    "used" | "round_trip" | "shift_jaccard" => 1.0 / (1 + at) as f64,
                    _ => (1 + tokenizer * 7 + place) as f64 + at as f64 / 10.0,
                };
                let values = (0..metrics.len()).map(value).collect();
                let lengths = (0..=tokenizer * 5).map(|at| 10 + at as u64).collect();
                cells.push(Cell { tokenizer, species: species.to_owned(), text, values, lengths, undersampled: false });
            }
        }
    }
    Sheet { setting: "simulated, 2 species".to_owned(), tokenizers, metrics, cells }
}
