//! `tokbench audit`: known text, known numbers.

use crate::dir::TestDir;

fn uniform(dir: &TestDir) {
    dir.write("q.toml", "name = 'noise'\nsplit = { by = 'block', block = 5_000, valid = 0.1, test = 0.2 }\nsynthetic = { kind = 'uniform', bases = 400_000, seed = 3 }\n");
}

#[test]
fn noise_has_the_numbers_of_noise() {
    let dir = TestDir::new();
    uniform(&dir);
    let args = ["audit", "--tokenizers", "base,kmer6-nonoverlap,bpe64", "--corpus", "q.toml", "--bases", "60k"];
    let output = dir.run(&[&args[..], &["--output", "out"]].concat()).success();
    assert!(output.out.lines().all(|line| line.chars().count() <= 110), "{}", output.out);
    let json = dir.run(&[&args[..], &["--json"]].concat()).success();
    let json: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    let value = |tokenizer: &str, text: &str, metric: &str| {
        let cells = json["cells"].as_array().unwrap();
        let cell = cells.iter().find(|c| c["tokenizer"] == tokenizer && c["text"] == text && c["species"] == "");
        cell.unwrap()["values"][metric].as_f64()
    };
    let near = |found: Option<f64>, expected: f64, by: f64| {
        assert!((found.unwrap() - expected).abs() < by, "{found:?} {expected}");
    };
    for text in ["corpus", "order 2", "uniform"] {
        near(value("base", text, "bits_per_base"), 2.0, 0.01);
        near(value("kmer6-nonoverlap", text, "bits_per_base"), 2.0, 0.03);
        // Calibrated elsewhere: 2.141 bits, of which 0.14 are lost to the segmentation.
        near(value("bpe64", text, "bits_per_base"), 2.141, 0.03);
        near(value("bpe64", text, "bases_per_token"), 2.52, 0.1);
        assert_eq!(value("base", text, "reverse_kappa"), None);
        assert_eq!(value("bpe64", text, "round_trip"), Some(1.0));
    }
    let all = std::fs::read_to_string(dir.path("out/audit_all.csv")).unwrap();
    assert!(
        all.starts_with("tokenizer,species,text,metric,value\n") && all.contains("bpe64,,order 2,renyi,0."),
        "{all}"
    );
    for file in ["audit.svg", "audit.csv", "audit_lengths.svg", "audit_lengths.csv"] {
        assert!(dir.path("out").join(file).exists(), "{file}");
    }
    let lengths = std::fs::read_to_string(dir.path("out/audit_lengths.csv")).unwrap();
    for text in ["corpus", "order 2", "uniform"] {
        assert!(lengths.contains(&format!("\nbpe64,synthetic,{text},3,0.")), "{lengths}");
    }
    // The same question, the same bytes.
    dir.run(&[&args[..], &["--output", "again"]].concat()).success();
    let read = |folder: &str| std::fs::read(dir.path(folder).join("audit_all.csv")).unwrap();
    assert!(read("out") == read("again"));
}

#[test]
fn what_cannot_be_audited_is_refused() {
    let dir = TestDir::new();
    uniform(&dir);
    let refused = |more: &[&str], words: &str| {
        let output = dir.run(&[&["audit"], more].concat());
        assert_ne!(output.code, 0);
        assert!(output.err.contains(words), "{}", output.err);
    };
    refused(&["-t", "mxdna", "--corpus", "q.toml"], "mxdna is a learned front end");
    refused(&["-t", "kmr6", "--corpus", "q.toml"], "did you mean \"kmer");
    refused(&["-t", "base", "--window", "9000", "--corpus", "q.toml"], "no window of 9000 bases");
    refused(&["-t", "base", "--probes", "0", "--corpus", "q.toml"], "must be a positive integer");
    refused(&["-t", "base", "--corpus", "absent.fa"], "absent.fa");
}
