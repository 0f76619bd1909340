//! Files of records, one per line and sorted, so that versions of a committed file differ only where results differ.

use std::fs;
use std::path::Path;

use crate::canonical;
use crate::error::{Error, Result};
use crate::files;
use crate::record::Record;
use crate::run::{Control, Key, Work};

/// Reads and checks records.
///
/// # Errors
/// If the file cannot be read, or a line is truncated, is not a valid record, or has a key that does not match its run.
pub fn read_jsonl(path: impl AsRef<Path>) -> Result<Vec<Record>> {
    let path = path.as_ref();
    let bytes = fs::read(path).map_err(Error::io("read", path))?;
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(Error::Line {
            path: path.to_owned(),
            line: 1,
            cause: "the text is UTF-16, not UTF-8".to_owned(),
            remedy: "save it as UTF-8 (iconv -f UTF-16 -t UTF-8 FILE > NEW)".to_owned(),
        });
    }
    // Some editors add a byte order mark.
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&bytes);
    let mut records = Vec::new();
    let bytes = lines(bytes.to_vec());
    for (i, line) in bytes.split_inclusive(|&b| b == b'\n').enumerate() {
        let invalid = |cause: String, remedy: &str| Error::Line {
            path: path.to_owned(),
            line: i + 1,
            cause,
            remedy: remedy.to_owned(),
        };
        let Some(text) = line.strip_suffix(b"\n") else {
            return Err(invalid(
                "the last line is truncated (no line feed)".to_owned(),
                "remove the line, restore the file (\"git checkout\"), or run the experiment again",
            ));
        };
        if text.trim_ascii().is_empty() {
            continue;
        }
        let record: Record = serde_json::from_slice(text)
            .map_err(|e| invalid(format!("invalid record: {e}"), "restore the file, or run the experiment again"))?;
        if record.run.key() != record.key {
            return Err(invalid(
                format!("the key {} does not match its run", record.key.short()),
                "records must not be edited; restore the file, or run the experiment again",
            ));
        }
        records.push(record);
    }
    Ok(records)
}

/// Replaces lone carriage returns by line feeds; inside JSON strings they are escaped.
fn lines(mut bytes: Vec<u8>) -> Vec<u8> {
    for at in 0..bytes.len() {
        if bytes[at] == b'\r' && bytes.get(at + 1) != Some(&b'\n') {
            bytes[at] = b'\n';
        }
    }
    bytes
}

/// Writes records atomically, one per line, in the order of [`sort`].
///
/// # Errors
/// If the file cannot be written, or a record is invalid.
pub fn write_jsonl(path: impl AsRef<Path>, records: &[Record]) -> Result<()> {
    let mut sorted: Vec<&Record> = records.iter().collect();
    sorted.sort_by_cached_key(|r| order(r));
    let mut text = String::new();
    for record in sorted {
        text.push_str(&canonical::json(&record.to_stored()?));
        text.push('\n');
    }
    files::write_atomic(path.as_ref(), text.as_bytes())
}

/// Sorts records by kind (pretraining, fine-tuning, controls), position encoding, seed, task, subject and learning rate. The
/// order does not depend on a plan, so that the same records always give the same file.
pub fn sort(records: &mut [Record]) {
    records.sort_by_cached_key(order);
}

fn order(record: &Record) -> (u8, String, u64, String, String, u64, Key) {
    let run = &record.run;
    let (kind, model) = match &run.work {
        Work::Pretrain(p) => (0, Some(p)),
        Work::Finetune(f) => (if f.pretrained { 1 } else { 2 }, Some(&f.model)),
        Work::Control(Control::Markov { .. }) => (3, None),
        Work::Control(Control::KmerLogistic { .. }) => (4, None),
        Work::Control(Control::Cnn { .. }) => (5, None),
        Work::Control(Control::SelectedMarkov { .. }) => (6, None),
    };
    let position = model.map_or_else(String::new, |m| m.encoder.position.name());
    let task = run.task().map_or_else(String::new, |t| t.name.clone());
    // The bit patterns of positive floats are ordered like their values.
    let rate = model.map_or(0, |m| m.training.learning_rate.to_bits());
    (kind, position, run.seed, task, run.subject(), rate, record.key.clone())
}
