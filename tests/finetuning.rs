//! `tokbench finetune` and `tokbench predict`.

use experiment::run::Work;

use crate::dir::{TestDir, small};

/// A folder with a finished run of `name`, and its key.
fn pretrained(name: &str) -> (TestDir, String) {
    let dir = TestDir::new();
    dir.write("q.toml", small(&format!("'{name}'"), "order1", 2_000, 1));
    dir.run(&["compare", "q.toml", "--output", "out"]).success();
    let records = dir.records("out");
    let run = records.iter().find(|record| matches!(record.run.work, Work::Pretrain(_))).unwrap();
    (dir, run.key.as_str().to_owned())
}

/// A table with a label for each row, as `label` gives it from the number of G and C and from a motif.
fn table(rows: usize, label: impl Fn(&str, usize, bool) -> String) -> String {
    let mut text = "sequence,label\n".to_owned();
    for row in 0..rows {
        let mut state = (row as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut bases: String = (0..30)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                char::from(b"ACGT"[(state >> 33) as usize % 4])
            })
            .collect();
        let motif = row % 2 == 0;
        if motif {
            bases.replace_range(10..16, "GATTAC");
        }
        let gc = bases.bytes().filter(|base| b"GC".contains(base)).count();
        text += &format!("{bases},{}\n", label(&bases, gc, motif));
    }
    text
}

#[test]
fn a_model_is_fine_tuned_and_predicts() {
    let (dir, key) = pretrained("kmer3");
    dir.write("c.csv", table(300, |_, _, motif| if motif { "motif, yes" } else { "none" }.replace(',', ";")));
    dir.write(
        "l.csv",
        table(300, |_, gc, motif| {
            format!("{}{}", if motif { "motif" } else { "" }, if gc > 15 { "|rich" } else { "" })
        }),
    );
    dir.write("n.csv", table(300, |_, gc, _| format!("{gc}")));
    dir.write("b.csv", table(300, |bases, _, _| bases.replace(['G', 'C'], "S").replace(['A', 'T'], "W")));
    dir.write(
        "k.csv",
        table(300, |bases, _, motif| if motif { format!("11-16|1-{}", bases.len()) } else { String::new() }),
    );
    dir.write("new.fa", ">x one\nACGTACGTACGATTACACGTACGTACGTAA\n>y\nACGTN\n");
    for (kind, columns) in [
        ("class", "record,start,end,label,motif; yes,none\nx,0,30,"),
        ("labels", "record,start,end,motif,rich\nx,0,30,"),
        ("numbers", "record,start,end,1\nx,0,30,"),
        ("bases", "record,start,end,label,S,W\nx,0,1,"),
        ("contacts", "record,start,end,contact\nx,0,2,"),
    ] {
        let train = format!("{}.csv", if kind == "contacts" { "k" } else { &kind[..1] });
        let out = format!("tuned-{kind}");
        let tuned = dir
            .run(&["finetune", "-m", &key, "--train", &train, "--labels", kind, "--epochs", "2", "-o", &out])
            .success();
        assert!(
            tuned.out.contains("training, ") && tuned.out.contains("\nvalidation: ") && tuned.out.contains("\ntest: ")
        );
        let json: serde_json::Value =
            serde_json::from_slice(&std::fs::read(dir.path(&format!("{out}/finetuned.json"))).unwrap()).unwrap();
        assert_eq!(
            (&json["base"], &json["goal"]["kind"], &json["options"]["seed"]),
            (&key.clone().into(), &kind.into(), &1.into())
        );
        let rows = json["report"]["rows"].as_array().unwrap().iter().map(|rows| rows.as_u64().unwrap());
        assert_eq!(rows.sum::<u64>(), 300);
        let predicted = dir.run(&["predict", "-m", &out, "new.fa"]).success();
        assert!(predicted.out.starts_with(columns), "{}", predicted.out);
        let lines = match kind {
            "bases" => 30 + 5,
            "contacts" => 30 * 29 / 2 + 5 * 4 / 2,
            _ => 2,
        };
        assert_eq!(predicted.out.lines().count(), 1 + lines);
        // Again: the same numbers.
        dir.run(&["finetune", "-m", &key, "--train", &train, "--labels", kind, "--epochs", "2", "-o", "again"])
            .success();
        let again = dir.run(&["predict", "-m", "again", "new.fa"]).success();
        assert_eq!(again.out, predicted.out);
        std::fs::remove_dir_all(dir.path("again")).unwrap();
        dir.run(&["predict", "-m", &out, "new.fa", "-o", "p.parquet"]).success();
        dir.run(&["predict", "-m", &out, "new.fa", "-o", "p.npy", "--reverse-complement"]).success();
    }
    assert!(std::fs::read_to_string(dir.path("p.npy.rows.csv")).unwrap().starts_with("record,start,end\nx,0,2\n"));
    let lora = ["--lora", "--class-weights", "--reverse-complement", "--pooling", "cls", "--patience", "2"];
    let tuned = dir
        .run(&[&["finetune", "-m", &key, "--train", "c.csv", "--epochs", "1", "-o", "lora"], &lora[..]].concat())
        .success();
    assert!(tuned.out.contains(" of them trained") && dir.path("lora/adapter_model.safetensors").exists());
    let json = std::fs::read_to_string(dir.path("lora/finetuned.json")).unwrap();
    assert!(json.contains("\"rank\": 8") && json.contains("\"alpha\": 16.0") && json.contains("\"pooling\": \"cls\""));
    let peft = std::fs::read_to_string(dir.path("lora/adapter_config.json")).unwrap();
    assert!(peft.contains("\"r\": 8") && peft.contains("\"Wqkv\""), "{peft}");
    assert!(!dir.path("lora/request.json").exists());
    dir.run(&["predict", "-m", "lora", "new.fa"]).success();
    // Any class name is a column, and validation rows that were seen in training are told.
    let names = ["record", "a,b", "a\"b", "label"];
    dir.write("names.csv", table(120, |_, gc, _| format!("\"{}\"", names[gc % 4].replace('"', "\"\""))));
    let tuned = dir.run(&[
        "finetune",
        "-m",
        &key,
        "--train",
        "names.csv",
        "--dev",
        "names.csv",
        "--epochs",
        "1",
        "-o",
        "named",
    ]);
    assert!(tuned.success().err.contains("note: 120 of 120 validation rows are also in the training table"));
    let predicted = dir.run(&["predict", "-m", "named", "new.fa"]).success();
    assert!(
        predicted.out.starts_with("record,start,end,label,\"a\"\"b\",\"a,b\",label_2,record_2\n"),
        "{}",
        predicted.out
    );
    dir.run(&["predict", "-m", "named", "new.fa", "-o", "n.parquet"]).success();
    dir.run(&["predict", "-m", "named", "new.fa", "-o", "n.npy"]).success();
    assert_eq!(
        std::fs::read_to_string(dir.path("n.npy.columns.csv")).unwrap(),
        "column\n\"a\"\"b\"\n\"a,b\"\nlabel_2\nrecord_2\n"
    );
    // The folder is only read.
    std::fs::write(dir.path("named/weights.b3"), "0").unwrap();
    dir.run(&["predict", "-m", "named", "new.fa"]).failed(3, &["weights.bpk", "checksum"]);
    assert!(dir.path("named/weights.bpk").exists());
    dir.run(&["embed", "-m", "named", "new.fa"]).failed(2, &["named is a fine-tuned model", "tokbench predict"]);
}

#[test]
fn wrong_tables_and_folders_are_refused() {
    let (dir, key) = pretrained("kmer3");
    dir.write("c.csv", table(60, |_, _, motif| if motif { "a" } else { "b" }.to_owned()));
    dir.write("one.csv", table(60, |_, _, _| "a".to_owned()));
    dir.write("few.csv", "sequence,label\nACGT,a\n");
    let tune = |train: &str, more: &[&str]| {
        dir.run(&[&["finetune", "-m", &key, "--train", train, "-o", "out2"], more].concat())
    };
    tune("missing.csv", &[]).failed(3, &["missing.csv"]);
    tune("one.csv", &[]).failed(3, &["one.csv: 1 different labels, and at least 2 are needed"]);
    tune("few.csv", &[]).failed(3, &["the validation split has no rows", "--dev"]);
    dir.write("n.csv", table(60, |bases, _, _| format!("{}", f64::from(bases.as_bytes()[0]) + bases.len() as f64)));
    dir.write("u.csv", table(60, |bases, _, _| bases.to_owned()));
    dir.write("d.csv", table(60, |bases, _, _| ".".repeat(bases.len())));
    tune("u.csv", &[]).failed(3, &["60 different labels in 60 rows are no classes", "--labels numbers"]);
    tune("d.csv", &["--labels", "bases"]).failed(3, &["no row of the training split has anything to predict"]);
    tune("n.csv", &["--labels", "numbers", "--class-weights"])
        .failed(2, &["--class-weights has no effect with --labels numbers"]);
    tune("b.csv", &["--labels", "bases", "--metric", "f1"]).failed(2, &["--metric has no effect with --labels bases"]);
    tune("c.csv", &["--lora", "5000"]).failed(2, &["adapters of rank 5000 are no smaller"]);
    tune("c.csv", &["--labels", "numbers"]).failed(3, &["c.csv: line 2: invalid label 'a'", "--labels"]);
    tune("c.csv", &["--labels", "bases"]).failed(3, &["not one letter per base"]);
    tune("c.csv", &["--lora-alpha", "4"]).failed(2, &["--lora"]);
    dir.write("full/x", "");
    dir.run(&["finetune", "-m", &key, "--train", "c.csv", "-o", "full"]).failed(2, &["full is not empty"]);
    dir.write("begun/request.json", "{}");
    dir.run(&["finetune", "-m", &key, "--train", "c.csv", "-o", "begun"])
        .failed(2, &["another fine-tuning was begun in begun"]);
    dir.write("done/finetuned.json", "{\"version\": 99}");
    dir.run(&["finetune", "-m", &key, "--train", "c.csv", "-o", "done"])
        .failed(2, &["done has a fine-tuned model already"]);
    dir.run(&["predict", "-m", "done", "c.csv"]).failed(3, &["version 99 of the folder, and this program reads 1"]);
    dir.run(&["predict", "-m", "full", "c.csv"]).failed(2, &["full has no finetuned.json", "tokbench finetune"]);
}
