//! The store after crashes and disk errors.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use experiment::record::Outcome;
use experiment::{Found, Record, Sources, Store, read_jsonl, write_jsonl};
use proptest::prelude::*;

use crate::common::{corpus, jobs};

fn new() -> (tempfile::TempDir, Store, Record, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().join("store")).unwrap();
    let record = mock::record(&jobs()[0].run);
    store.put_record(&record).unwrap();
    let path = store.folder(&record.key).join("record.json");
    (folder, store, record, path)
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn stored_files_are_found() {
    let (_folder, store, record, path) = new();
    assert_eq!(store.record(&record.key).unwrap(), Found::Done(record.clone()));
    assert_eq!(store.run(&record.key).unwrap(), Found::Done(record.run.clone()));
    assert_eq!(names(path.parent().unwrap()), ["record.json", "run.json"]);
    let sources = Sources { corpus: Some(corpus("/x")), ..Sources::default() };
    store.put_data(&record.key, &sources).unwrap();
    assert_eq!(store.data(&record.key).unwrap().done().unwrap().corpus.unwrap().name, "/x");
    let other = mock::record(&jobs()[1].run);
    assert_eq!(store.record(&other.key).unwrap(), Found::Missing);
    assert_eq!(store.data(&other.key).unwrap(), Found::Missing);
    store.put_record(&other).unwrap();
    let (mut records, damaged) = store.records().unwrap();
    records.sort_by_key(|r| r.run.subject());
    assert_eq!((records, damaged), (vec![record, other], vec![]));
}

#[test]
fn results_are_not_replaced_by_failures_or_simulated_records() {
    let (_folder, store, simulated, _path) = new();
    let now = || store.record(&simulated.key).unwrap().done().unwrap();
    let mut result = simulated.clone();
    result.provenance.version = "0.1.0".to_owned();
    let failure = Record { outcome: Outcome::Failed { reason: "diverged".to_owned() }, ..result.clone() };
    // A failure may replace a simulated record, and a result replaces a failure.
    for record in [&failure, &simulated, &failure, &result] {
        store.put_record(record).unwrap();
        assert_eq!(now(), *record);
    }
    for weaker in [&failure, &simulated] {
        store.put_record(weaker).unwrap();
        assert_eq!(now(), result);
    }
    result.timing.threads += 1;
    store.put_record(&result).unwrap();
    assert_eq!(now(), result);
}

#[test]
fn a_crash_before_the_rename_leaves_the_old_record() {
    let (_folder, store, record, path) = new();
    let half = path.with_file_name(".tmp-1-2-3");
    fs::write(&half, &fs::read(&path).unwrap()[..100]).unwrap();
    assert_eq!(store.record(&record.key).unwrap(), Found::Done(record.clone()));
    // A recent file may belong to a running process; after a day it is removed.
    Store::open(store.root()).unwrap();
    assert!(half.exists());
    let old = SystemTime::now() - Duration::from_secs(25 * 60 * 60);
    File::options().write(true).open(&half).unwrap().set_modified(old).unwrap();
    File::options().write(true).open(&path).unwrap().set_modified(old).unwrap();
    Store::open(store.root()).unwrap();
    assert!(!half.exists() && path.exists());
}

#[test]
fn a_crash_before_the_first_rename_leaves_nothing() {
    let (_folder, store, record, path) = new();
    fs::rename(&path, path.with_file_name(".tmp-7-7-7")).unwrap();
    assert_eq!(store.record(&record.key).unwrap(), Found::Missing);
}

#[test]
fn truncated_records_are_detected() {
    let (_folder, store, record, path) = new();
    let whole = fs::read(&path).unwrap();
    let mut n = 0;
    // The last byte is the line feed, which carries no information.
    for length in (0..whole.len() - 1).step_by(97).chain([whole.len() - 2]) {
        fs::write(&path, &whole[..length]).unwrap();
        let Found::SetAside { moved_to, reason } = store.record(&record.key).unwrap() else { panic!("{length}") };
        n += 1;
        assert!(reason.starts_with("invalid JSON: "), "{reason}");
        assert_eq!(moved_to, path.with_file_name(format!("record.json.corrupt-{n}")));
        assert_eq!(fs::read(moved_to).unwrap(), &whole[..length]);
        assert_eq!(store.record(&record.key).unwrap(), Found::Missing);
    }
    store.put_record(&record).unwrap();
    assert_eq!(store.record(&record.key).unwrap(), Found::Done(record));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]
    #[test]
    fn flipped_bits_are_detected(at in any::<prop::sample::Index>(), bit in 0..8_u32) {
        let (_folder, store, record, path) = new();
        let mut bytes = fs::read(&path).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        fs::write(&path, &bytes).unwrap();
        match store.record(&record.key).unwrap() {
            // Harmless: white space, or another spelling of the same value.
            Found::Done(found) => prop_assert_eq!(found, record),
            Found::SetAside { moved_to, .. } => prop_assert_eq!(fs::read(moved_to).unwrap(), bytes),
            Found::Missing => prop_assert!(false, "missing"),
        }
    }
}

#[test]
fn edited_records_are_detected() {
    let (_folder, store, record, path) = new();
    let text = fs::read_to_string(&path).unwrap();
    let edited = text.replace("\"collapsed\":false", "\"collapsed\":true");
    assert_ne!(text, edited);
    fs::write(&path, edited).unwrap();
    let (records, damaged) = store.records().unwrap();
    assert!(records.is_empty() && damaged.len() == 1 && path.exists(), "listing does not rename");
    let Found::SetAside { reason, .. } = store.record(&record.key).unwrap() else { panic!() };
    assert_eq!(reason, "checksum mismatch");
}

#[test]
fn records_in_the_wrong_folder_are_detected() {
    let (_folder, store, record, path) = new();
    let other = jobs()[1].run.clone();
    store.put_run(&other).unwrap();
    let wrong = store.folder(&other.key()).join("record.json");
    fs::copy(&path, &wrong).unwrap();
    let Found::SetAside { reason, .. } = store.record(&other.key()).unwrap() else { panic!() };
    assert_eq!(reason, format!("record of another run ({})", record.key.short()));
    assert!(path.exists());
}

#[test]
fn a_corrupt_run_is_restored_from_its_record() {
    let (_folder, store, record, path) = new();
    let run = path.with_file_name("run.json");
    let text = fs::read_to_string(&run).unwrap();
    fs::write(&run, text.replace("\"seed\": 1", "\"seed\": 2")).unwrap();
    assert_eq!(store.record(&record.key).unwrap(), Found::Done(record.clone()));
    let warnings = store.take_warnings();
    assert!(
        warnings.len() == 1 && warnings[0].contains("the key of the run does not match its folder"),
        "{warnings:?}"
    );
    assert!(path.with_file_name("run.json.corrupt-1").exists());
    assert_eq!(store.run(&record.key).unwrap(), Found::Done(record.run));
    assert!(store.take_warnings().is_empty());
}

#[test]
fn fitted_vocabularies_are_verified() {
    let (_folder, store, ..) = new();
    let bytes = b"merges\x00\xff".to_vec();
    assert_eq!(store.fitted("abc", "tokenizer.json").unwrap(), Found::Missing);
    store.put_fitted("abc", "tokenizer.json", &bytes).unwrap();
    assert_eq!(store.fitted("abc", "tokenizer.json").unwrap(), Found::Done(bytes.clone()));
    let path = store.root().join("fitted/abc/tokenizer.json");
    fs::write(&path, &bytes[..4]).unwrap();
    let Found::SetAside { reason, moved_to } = store.fitted("abc", "tokenizer.json").unwrap() else { panic!() };
    assert_eq!((reason.as_str(), moved_to.exists(), path.exists()), ("checksum mismatch", true, false));
    assert_eq!(store.fitted("abc", "tokenizer.json").unwrap(), Found::Missing);
    // A crash between blob and checksum.
    fs::write(&path, &bytes).unwrap();
    assert_eq!(store.fitted("abc", "tokenizer.json").unwrap(), Found::Missing);
    store.put_fitted("abc", "tokenizer.json", &bytes).unwrap();
    assert_eq!(store.fitted("abc", "tokenizer.json").unwrap(), Found::Done(bytes));
    for (key, name) in [("..", "x"), ("a/b", "x"), ("a", "../x"), ("", "x"), ("a", "")] {
        assert!(store.put_fitted(key, name, b"").is_err(), "{key:?} {name:?}");
    }
}

#[test]
fn non_finite_scores_are_rejected() {
    let (_folder, store, mut record, path) = new();
    let Outcome::Pretrained(p) = &mut record.outcome else { panic!() };
    // A loss of NaN is valid in a collapsed run.
    p.curve[0].loss = f64::NAN;
    store.put_record(&record).unwrap();
    let Outcome::Pretrained(back) = store.record(&record.key).unwrap().done().unwrap().outcome else { panic!() };
    assert!(back.curve[0].loss.is_nan());
    // A score of NaN is not.
    let before = fs::read(&path).unwrap();
    let Outcome::Pretrained(p) = &mut record.outcome else { panic!() };
    p.blocks[0].score.set(protocol::score::CONTENT, f64::NAN);
    assert!(store.put_record(&record).unwrap_err().to_string().contains("not-a-number"));
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn errors_name_the_path() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = Store::open(file.join("store")).unwrap_err();
    assert!(error.to_string().starts_with(&format!("cannot create the store {}", file.join("store").display())));
    assert!(error.remedy().is_some());
    let full = experiment::Error::Io {
        action: "write",
        path: "/s/record.json".into(),
        cause: std::io::ErrorKind::StorageFull.into(),
    };
    assert!(full.remedy().unwrap().starts_with("free disk space for /s/record.json"));
    let error = "../up".parse::<experiment::Key>().unwrap_err();
    assert_eq!(error.to_string(), "invalid run key \"../up\"");
}

#[test]
fn many_writers_need_no_lock() {
    let (_folder, store, ..) = new();
    let records: Vec<Record> = jobs().iter().map(|job| mock::record(&job.run)).collect();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for record in &records {
                    store.put_record(record).unwrap();
                    assert_eq!(store.record(&record.key).unwrap(), Found::Done(record.clone()));
                }
            });
        }
    });
    let (found, damaged) = store.records().unwrap();
    assert_eq!((found.len(), damaged.len()), (records.len(), 0));
}

#[test]
fn files_of_records() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records.jsonl");
    let records: Vec<Record> = jobs().iter().map(|job| mock::record(&job.run)).collect();
    write_jsonl(&path, &records).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let back = read_jsonl(&path).unwrap();
    let mut sorted = records.clone();
    experiment::jsonl::sort(&mut sorted);
    assert_eq!(back, sorted);
    let reversed: Vec<Record> = records.iter().rev().cloned().collect();
    write_jsonl(&path, &reversed).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), text, "the order of writing does not matter");

    fs::write(&path, text.trim_end()).unwrap();
    let error = read_jsonl(&path).unwrap_err();
    assert_eq!(error.to_string(), format!("{}:8: the last line is truncated (no line feed)", path.display()));
    assert!(error.remedy().unwrap().contains("remove the line"));
    fs::write(&path, text.replacen("\"seed\":1", "\"seed\":9", 1)).unwrap();
    let error = read_jsonl(&path).unwrap_err().to_string();
    assert!(error.contains(":1: the key ") && error.ends_with("does not match its run"), "{error}");
    fs::write(&path, format!("{}\n{{\"key\": 3}}\n", text.lines().next().unwrap())).unwrap();
    assert!(read_jsonl(&path).unwrap_err().to_string().contains(":2: invalid record: "));
}
