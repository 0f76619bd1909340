//! The store at every point where a crash or a bad disk can leave it.

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
fn what_is_put_is_found() {
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
fn a_result_outlasts_failures_and_made_up_records() {
    let (_folder, store, made_up, _path) = new();
    let now = || store.record(&made_up.key).unwrap().done().unwrap();
    let mut result = made_up.clone();
    result.provenance.version = "0.1.0".to_owned();
    let failure = Record { outcome: Outcome::Failed { reason: "diverged".to_owned() }, ..result.clone() };
    // A failure may replace what is made up, and a result replaces a failure.
    for record in [&failure, &made_up, &failure, &result] {
        store.put_record(record).unwrap();
        assert_eq!(now(), *record);
    }
    for weaker in [&failure, &made_up] {
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
    // Young: may belong to a living process. A day later it goes.
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
fn every_truncation_is_set_aside() {
    let (_folder, store, record, path) = new();
    let whole = fs::read(&path).unwrap();
    let mut n = 0;
    // The last byte is the end of line, which says nothing.
    for length in (0..whole.len() - 1).step_by(97).chain([whole.len() - 2]) {
        fs::write(&path, &whole[..length]).unwrap();
        let Found::SetAside { moved_to, reason } = store.record(&record.key).unwrap() else { panic!("{length}") };
        n += 1;
        assert!(reason.starts_with("no JSON: "), "{reason}");
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
    fn a_flipped_bit_is_never_believed(at in any::<prop::sample::Index>(), bit in 0..8_u32) {
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
fn an_edited_number_is_noticed() {
    let (_folder, store, record, path) = new();
    let text = fs::read_to_string(&path).unwrap();
    let edited = text.replace("\"collapsed\":false", "\"collapsed\":true");
    assert_ne!(text, edited);
    fs::write(&path, edited).unwrap();
    let (records, damaged) = store.records().unwrap();
    assert!(records.is_empty() && damaged.len() == 1 && path.exists(), "listing only tells");
    let Found::SetAside { reason, .. } = store.record(&record.key).unwrap() else { panic!() };
    assert_eq!(reason, "the checksum does not fit");
}

#[test]
fn a_record_in_the_wrong_folder_is_set_aside() {
    let (_folder, store, record, path) = new();
    let other = jobs()[1].run.clone();
    store.put_run(&other).unwrap();
    let wrong = store.folder(&other.key()).join("record.json");
    fs::copy(&path, &wrong).unwrap();
    let Found::SetAside { reason, .. } = store.record(&other.key()).unwrap() else { panic!() };
    assert_eq!(reason, format!("the record of another run ({})", record.key.short()));
    assert!(path.exists());
}

#[test]
fn a_damaged_run_is_mended_from_its_record() {
    let (_folder, store, record, path) = new();
    let run = path.with_file_name("run.json");
    let text = fs::read_to_string(&run).unwrap();
    fs::write(&run, text.replace("\"seed\": 1", "\"seed\": 2")).unwrap();
    assert_eq!(store.record(&record.key).unwrap(), Found::Done(record.clone()));
    let warnings = store.take_warnings();
    assert!(warnings.len() == 1 && warnings[0].contains("the run has another key than its folder"), "{warnings:?}");
    assert!(path.with_file_name("run.json.corrupt-1").exists());
    assert_eq!(store.run(&record.key).unwrap(), Found::Done(record.run));
    assert!(store.take_warnings().is_empty());
}

#[test]
fn fitted_blobs_are_checked() {
    let (_folder, store, ..) = new();
    let bytes = b"merges\x00\xff".to_vec();
    assert_eq!(store.fitted("abc", "tokenizer.json").unwrap(), Found::Missing);
    store.put_fitted("abc", "tokenizer.json", &bytes).unwrap();
    assert_eq!(store.fitted("abc", "tokenizer.json").unwrap(), Found::Done(bytes.clone()));
    let path = store.root().join("fitted/abc/tokenizer.json");
    fs::write(&path, &bytes[..4]).unwrap();
    let Found::SetAside { reason, moved_to } = store.fitted("abc", "tokenizer.json").unwrap() else { panic!() };
    assert_eq!((reason.as_str(), moved_to.exists(), path.exists()), ("the checksum does not fit", true, false));
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
fn what_json_cannot_hold() {
    let (_folder, store, mut record, path) = new();
    let Outcome::Pretrained(p) = &mut record.outcome else { panic!() };
    // A collapsed run is data.
    p.curve[0].loss = f64::NAN;
    store.put_record(&record).unwrap();
    let Outcome::Pretrained(back) = store.record(&record.key).unwrap().done().unwrap().outcome else { panic!() };
    assert!(back.curve[0].loss.is_nan());
    // A score that is no number is not.
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
    assert!(full.remedy().unwrap().starts_with("free some space on the disk of /s/record.json"));
    let error = "../up".parse::<experiment::Key>().unwrap_err();
    assert_eq!(error.to_string(), "\"../up\" is no run key");
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
    let path = folder.path().join("answer.jsonl");
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
    assert_eq!(error.to_string(), format!("{}:8: the last line is torn (it has no end)", path.display()));
    assert!(error.remedy().unwrap().contains("remove that line"));
    fs::write(&path, text.replacen("\"seed\":1", "\"seed\":9", 1)).unwrap();
    let error = read_jsonl(&path).unwrap_err().to_string();
    assert!(error.contains(":1: the key ") && error.ends_with("is not that of the run beside it"), "{error}");
    fs::write(&path, format!("{}\n{{\"key\": 3}}\n", text.lines().next().unwrap())).unwrap();
    assert!(read_jsonl(&path).unwrap_err().to_string().contains(":2: no record: "));
}
