//! `tokbench model`: published checkpoints in and out.

use crate::dir::{TestDir, root};

/// The small published checkpoint of the test vectors, and DNABERT-2's kind of tokenizer.
fn checkpoint(dir: &TestDir) {
    let from = root().join("tests/fixtures/vectors/dnabert2");
    for file in ["config.json", "model.safetensors"] {
        dir.write(&format!("mm/{file}"), std::fs::read(from.join(file)).unwrap());
    }
    let specials = ["<unk>", "<cls>", "<eos>", "<pad>", "<mask>"].iter().enumerate();
    let vocabulary: serde_json::Map<String, serde_json::Value> =
        specials.map(|(id, name)| ((*name).to_owned(), id.into())).chain([("A".to_owned(), 5.into())]).collect();
    let tokenizer = serde_json::json!({"model": {"type": "BPE", "vocab": vocabulary, "merges": []}});
    dir.write("mm/tokenizer.json", tokenizer.to_string());
}

#[test]
fn a_checkpoint_is_converted_with_its_tokenizer() {
    let dir = TestDir::new();
    checkpoint(&dir);
    let output = dir.run(&["model", "convert", "mm", "original", "--names", "original"]).success();
    assert!(output.out.contains("with masked-language-model head, with tokenizer"), "{}", output.out);
    assert!(output.out.contains("written: original, names of the original release: model.safetensors, config.json"));
    let text = |path: &str| std::fs::read_to_string(dir.path(path)).unwrap();
    assert!(text("original/tokenizer.json").contains("\"[PAD]\": 3"));
    assert!(text("original/config.json").contains("\"pad_token_id\": 3"));
    assert!(text("original/README.md").contains("12 heads, 64 vocabulary entries"));
    dir.run(&["model", "convert", "original", "back", "--names", "multimolecule"]).success();
    assert!(text("back/tokenizer.json").contains("\"<pad>\": 3"));
    // Again from there: nothing changes any more.
    dir.run(&["model", "convert", "back", "again", "--names", "multimolecule"]).success();
    for file in ["model.safetensors", "config.json", "tokenizer.json"] {
        let bytes = |folder: &str| std::fs::read(dir.path(&format!("{folder}/{file}"))).unwrap();
        assert!(bytes("back") == bytes("again"), "{file}");
    }
}

#[test]
fn wrong_checkpoints_and_folders_are_refused() {
    let dir = TestDir::new();
    checkpoint(&dir);
    let convert = |from: &str, to: &str| dir.run(&["model", "convert", from, to, "--names", "original"]);
    convert("nowhere", "out").failed(3, &["nowhere is not a folder"]);
    convert("mm", "mm").failed(2, &["mm is not empty", "new folder"]);
    dir.run(&["model", "convert", "mm", "out"]).failed(2, &["--names"]);
    let path = dir.path("mm/config.json");
    let config = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, config.replace("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3")).unwrap();
    convert("mm", "out").failed(3, &["mm: missing tensor model.encoder.layer.2.attention.self.query.weight"]);
    std::fs::write(&path, config.replace("\"hidden_size\": 48", "\"hidden_size\": 60")).unwrap();
    convert("mm", "out").failed(3, &["word_embeddings.weight: expected shape [64, 60], found [64, 48]"]);
    assert!(!dir.path("out").exists());
}

/// The sizes of the model card.
#[test]
fn list_shows_the_size_of_the_published_encoder() {
    let output = TestDir::new().run(&["list", "encoders"]).success();
    let base = output.out.lines().find(|line| line.starts_with("base")).unwrap();
    assert!(base.contains("117,074,176") && base.contains("62.814"), "{}", output.out);
}
