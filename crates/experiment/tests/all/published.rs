//! Records that are published, as files beside the experiments: what reads them writes them as they were.

use std::path::Path;

use experiment::{read_jsonl, write_jsonl};

#[test]
fn committed_records_are_written_back_byte_for_byte() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../experiments");
    let both = [folder.join("protocol1"), folder].map(|folder| std::fs::read_dir(folder).unwrap());
    let (temporary, mut files) = (tempfile::tempdir().unwrap(), 0);
    for entry in both.into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "jsonl") {
            let again = temporary.path().join("again.jsonl");
            write_jsonl(&again, &read_jsonl(&path).unwrap()).unwrap();
            assert!(std::fs::read(&again).unwrap() == std::fs::read(&path).unwrap(), "{}", path.display());
            files += 1;
        }
    }
    assert!(files >= 5, "{files} files of records");
}
