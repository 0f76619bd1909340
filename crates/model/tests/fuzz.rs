//! Damaged checkpoints: whatever stands in the files of a folder, reading it ends with a result or an error, never with a panic or with more memory
//! than the files could need. Inputs follow from their numbers, so a failure is repeated by its number.
//!
//! `cargo test --release --workspace --test fuzz` reads some thousands of them. A long run: `TOKBENCH_FUZZ=10000000 TMPDIR=/dev/shm cargo test
//! --release --workspace --test fuzz -- --ignored --nocapture`; `docs/checkpoints.md` has the last one.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Instant;

use experiment::config::{EncoderConfig, Position};
use model::config::ModelConfig;
use model::network::Model;
use model::published::{Checkpoint, Names, Outputs};
use rand::{Rng, RngExt};
use rand_chacha::ChaCha8Rng;

/// Most resident memory of the process in MiB.
const MEMORY: f64 = 700.0;
/// Numbers that claim too much, or that are none.
const NUMBERS: [&str; 14] = [
    "0",
    "-1",
    "1e999",
    "1.5",
    "18446744073709551615",
    "18446744073709551616",
    "4294967296",
    "16777216",
    "16777217",
    "1000000000000",
    "null",
    "[]",
    "{}",
    "\"x\"",
];
/// Lengths in headers.
const LENGTHS: [u64; 8] = [0, 1, 7, 1 << 20, 1 << 32, 1 << 40, u64::MAX, u64::MAX / 2];

/// The files of a small checkpoint in its variants.
struct Seeds {
    config: Vec<u8>,
    safetensors: Vec<u8>,
    tokenizer: Vec<u8>,
    index: Vec<u8>,
    /// A published `pytorch_model.bin` with its configuration.
    pickle: Vec<u8>,
    pickle_config: Vec<u8>,
    /// A sequence classifier, with its configuration.
    classifier: Vec<u8>,
    classifier_config: Vec<u8>,
}

impl Seeds {
    fn new() -> Seeds {
        let encoder = EncoderConfig {
            hidden: 4,
            layers: 1,
            heads: 2,
            intermediate: 6,
            position: Position::ALIBI,
            ..EncoderConfig::default()
        };
        let frontend = tokenize::FrontendConfig::Lookup;
        let config = ModelConfig { vocabulary: 9, frontend, encoder: encoder.clone(), classes: None };
        let model = Model::new(&config, 1, &model::device::open("cpu").unwrap());
        let tokens = ["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]", "A", "C", "G", "T"];
        let vocabulary: Vec<String> =
            tokens.iter().enumerate().map(|(id, token)| format!("\"{token}\":{id}")).collect();
        let tokenizer = format!(
            "{{\"added_tokens\":[{{\"id\":3,\"content\":\"[PAD]\"}}],\"model\":{{\"type\":\"BPE\",\"vocab\":{{{}}},\"merges\":[]}}}}",
            vocabulary.join(",")
        );
        let folder = tempfile::tempdir().unwrap();
        let checkpoint = Checkpoint::of(&model, &encoder, tokenizer.as_bytes()).unwrap();
        checkpoint.write(folder.path(), Names::Original).unwrap();
        let read = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
        let classes = ModelConfig { classes: Some(2), ..config };
        let classifier = Model::new(&classes, 1, &model::device::open("cpu").unwrap());
        let outputs = Outputs { kind: dataset::TargetKind::Class, names: vec!["no".to_owned(), "yes".to_owned()] };
        let classifier = Checkpoint::of_classifier(&classifier, &encoder, tokenizer.as_bytes(), outputs, &[]).unwrap();
        let other = tempfile::tempdir().unwrap();
        classifier.write(other.path(), Names::Multimolecule).unwrap();
        let written = |name: &str| std::fs::read(other.path().join(name)).unwrap();
        let names: Vec<String> = checkpoint.tensors(Names::Original).into_keys().collect();
        let map: Vec<String> = names.iter().map(|name| format!("\"{name}\":\"a.safetensors\"")).collect();
        let index = format!("{{\"metadata\":{{\"total_size\":1}},\"weight_map\":{{{}}}}}", map.join(","));
        let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/vectors/dnabert2");
        let vector = |name: &str| std::fs::read(vectors.join(name)).unwrap();
        Seeds {
            config: read("config.json"),
            safetensors: read("model.safetensors"),
            tokenizer: read("tokenizer.json"),
            index: index.into_bytes(),
            pickle: vector("pytorch_model.bin"),
            pickle_config: vector("config.json"),
            classifier: written("model.safetensors"),
            classifier_config: written("config.json"),
        }
    }
}

/// A place in a file: where its structure is more often than in its values.
fn place(length: usize, rng: &mut impl Rng) -> usize {
    let near = length.min(8192);
    match rng.random_range(0..10) {
        0..5 => rng.random_range(0..near),
        5..9 => length - 1 - rng.random_range(0..near),
        _ => rng.random_range(0..length),
    }
}

/// Changes bytes of a file in one of many ways.
fn damage(bytes: &mut Vec<u8>, text: bool, rng: &mut impl Rng) {
    if bytes.is_empty() {
        return;
    }
    let at = place(bytes.len(), rng);
    match rng.random_range(0..9) {
        0 => bytes[at] ^= 1 << rng.random_range(0..8),
        1 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff, b'"', b'{', b'.'][rng.random_range(0..8)],
        2 => bytes.truncate(at),
        3 => drop(bytes.drain(at..(at + rng.random_range(1..32)).min(bytes.len()))),
        4 => {
            let copied = bytes[at..(at + rng.random_range(1..32)).min(bytes.len())].to_vec();
            let to = place(bytes.len(), rng);
            drop(bytes.splice(to..to, copied));
        }
        5 => {
            let inserted: Vec<u8> = (0..rng.random_range(1..16)).map(|_| rng.random::<u8>()).collect();
            drop(bytes.splice(at..at, inserted));
        }
        6 if !text => {
            let length = LENGTHS[rng.random_range(0..LENGTHS.len())].to_le_bytes();
            let end = (at + 8).min(bytes.len());
            bytes[at..end].copy_from_slice(&length[..end - at]);
        }
        // A number of a JSON text becomes another one.
        _ => {
            let start = (at..bytes.len()).find(|&at| bytes[at].is_ascii_digit());
            if let Some(start) = start {
                let end = (start..bytes.len()).find(|&at| !bytes[at].is_ascii_digit()).unwrap_or(bytes.len());
                drop(bytes.splice(start..end, NUMBERS[rng.random_range(0..NUMBERS.len())].bytes()));
            }
        }
    }
}

/// Writes the folder of input `number` and reads it; returns whether it was accepted.
fn read(seeds: &Seeds, number: u64, folder: &Path) -> bool {
    let mut rng: ChaCha8Rng = dataset::stream(number, "fuzz/checkpoint");
    let kind = rng.random_range(0..16);
    let mut files: Vec<(&str, Vec<u8>)> = match kind {
        // The pickle is large, so it is less often read.
        0 => vec![("config.json", seeds.pickle_config.clone()), ("pytorch_model.bin", seeds.pickle.clone())],
        1..3 => vec![
            ("config.json", seeds.config.clone()),
            ("a.safetensors", seeds.safetensors.clone()),
            ("model.safetensors.index.json", seeds.index.clone()),
        ],
        3..6 => vec![("config.json", seeds.classifier_config.clone()), ("model.safetensors", seeds.classifier.clone())],
        _ => vec![
            ("config.json", seeds.config.clone()),
            ("model.safetensors", seeds.safetensors.clone()),
            ("tokenizer.json", seeds.tokenizer.clone()),
        ],
    };
    let which = if kind == 0 { usize::from(rng.random_range(0..4) > 0) } else { rng.random_range(0..files.len()) };
    let text = files[which].0.ends_with(".json");
    for _ in 0..rng.random_range(1..4) {
        damage(&mut files[which].1, text, &mut rng);
    }
    for entry in std::fs::read_dir(folder).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    for (name, bytes) in &files {
        std::fs::write(folder.join(name), bytes).unwrap();
    }
    let Ok(read) = Checkpoint::read(folder) else { return false };
    // What is accepted is a model, and a classifier has outputs.
    let model = read.model(&model::device::open("cpu").unwrap()).unwrap();
    assert!(read.outputs.as_ref().is_none_or(|outputs| !outputs.names.is_empty() && model.classifier.is_some()));
    true
}

/// Peak resident memory of this process in MiB; 0 where it is not known.
fn peak() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok()).map_or(0.0, |kib| kib / 1024.0)
}

/// Reads `count` inputs and returns how many were accepted. A panic keeps the folder and names the number.
fn run(first: u64, count: u64) -> u64 {
    let seeds = Seeds::new();
    let folder = tempfile::tempdir().unwrap();
    let (began, mut accepted) = (Instant::now(), 0);
    for number in first..first + count {
        match catch_unwind(AssertUnwindSafe(|| read(&seeds, number, folder.path()))) {
            Ok(was) => accepted += u64::from(was),
            Err(_) => {
                let kept: PathBuf = folder.keep();
                panic!("input {number} ends with a panic: {}", kept.display());
            }
        }
        if number % 1000 == 0 {
            assert!(peak() < MEMORY, "{} MiB after input {number}", peak());
        }
        if count > 100_000 && (number - first + 1).is_multiple_of(100_000) {
            let (done, seconds) = (number - first + 1, began.elapsed().as_secs_f64());
            println!("{done} inputs in {seconds:.0} s, {accepted} accepted, peak memory {:.0} MiB", peak());
        }
    }
    accepted
}

#[test]
fn damaged_checkpoints_are_refused_or_read() {
    let accepted = run(0, 4000);
    // A flipped bit of a weight is no fault that a reader could see; a damaged header is.
    assert!((200..3600).contains(&accepted), "{accepted}");
}

#[test]
#[ignore = "a long run: TOKBENCH_FUZZ is the number of inputs"]
fn long_run_of_damaged_checkpoints() {
    let count = std::env::var("TOKBENCH_FUZZ").ok().and_then(|text| text.parse().ok()).unwrap_or(100_000);
    println!("{} of {count} accepted, peak memory {:.0} MiB", run(0, count), peak());
}
