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

/// A fine-tuned model leaves as a published checkpoint with a sequence classifier, in both layouts, and predicts the same when it comes back.
#[test]
fn a_fine_tuned_model_is_exported_with_its_classifier() {
    let dir = TestDir::new();
    let spec = small("'bpe32'", "order1", 2_000, 1);
    dir.write("q.toml", spec.replace("exploratory = true", "exploratory = true\npositions = ['alibi']"));
    dir.run(&["compare", "q.toml", "--output", "out"]).success();
    let key = dir.records("out")[0].key.as_str().to_owned();
    dir.write("class.csv", table(120, |_, _, motif| if motif { "motif" } else { "none" }.to_owned()));
    dir.write("labels.csv", table(120, |_, gc, motif| if motif { "motif" } else { ["", "rich"][gc % 2] }.to_owned()));
    dir.write("numbers.csv", table(120, |_, gc, _| format!("{}", 1000 + 50 * gc)));
    dir.write("new.fa", ">x\nACGTACGTACGATTACACGTACGTACGTAA\n>y\nACGTN\n");
    let tune = |labels: &str, pooling: &str, out: &str| {
        let train = format!("{labels}.csv");
        let common = ["finetune", "-m", &key, "--train", &train, "--labels", labels, "--epochs", "1"];
        dir.run(&[&common[..], &["--pooling", pooling, "-o", out]].concat()).success()
    };
    for labels in ["class", "labels", "numbers"] {
        tune(labels, "cls", labels);
        let expected = dir.run(&["predict", "-m", labels, "new.fa"]).success().out;
        for names in ["original", "multimolecule"] {
            let out = format!("{labels}-{names}");
            let exported = dir.run(&["model", "export", labels, &out, "--names", names]).success();
            assert!(exported.out.contains("without masked-language-model head, a classifier of "), "{}", exported.out);
            let found = dir.run(&["predict", "-m", &out, "new.fa"]).success().out;
            let fields = |text: &str| text.split([',', '\n']).map(str::to_owned).collect::<Vec<_>>();
            let same = |(one, other): (&String, &String)| match (one.parse::<f64>(), other.parse::<f64>()) {
                // Numbers in their own units are scaled in the classifier, in f32.
                (Ok(one), Ok(other)) => (one - other).abs() <= 1e-5 * one.abs().max(1.0),
                _ => one == other,
            };
            let (one, other) = (fields(&found), fields(&expected));
            assert!(one.len() == other.len() && one.iter().zip(&other).all(same), "{found}\n{expected}");
        }
        // Its encoder can be fine-tuned again, and embeds.
        dir.run(&["embed", "-m", &format!("{labels}-original"), "new.fa"]).success();
        let again = format!("{labels}-again");
        let train = format!("{labels}.csv");
        let model = format!("{labels}-multimolecule");
        dir.run(&["finetune", "-m", &model, "--train", &train, "--labels", labels, "--epochs", "1", "-o", &again])
            .success();
    }
    let export = |from: &str| dir.run(&["model", "export", from, "x", "--names", "original"]);
    tune("class", "mean", "pooled");
    export("pooled").failed(2, &["pooled: it pools the mean of all tokens", "--pooling cls"]);
    dir.write("bases.csv", table(60, |bases, _, _| bases.replace(['G', 'C'], "S").replace(['A', 'T'], "W")));
    tune("bases", "cls", "bases");
    export("bases").failed(2, &["bases: it predicts bases or contacts"]);
    assert!(!dir.path("x").exists());
    dir.run(&["model", "export", &key, "plain", "--names", "original"]).success();
    dir.run(&["predict", "-m", "plain", "new.fa"])
        .failed(2, &["plain has no sequence classifier", "tokbench finetune"]);
    // Windows: of whole sequences a row each, of bases each base once.
    dir.write("long.fa", format!(">x\n{}\n", "ACGGATTACA".repeat(10)));
    let windowed = ["--window", "40", "--overlap", "20"];
    let predicted = dir.run(&[&["predict", "-m", "class", "long.fa"], &windowed[..]].concat()).success();
    let places: Vec<String> =
        predicted.out.lines().skip(1).map(|line| line.split(',').take(3).collect::<Vec<_>>().join(",")).collect();
    assert_eq!(places, ["x,0,40", "x,20,60", "x,40,80", "x,60,100"]);
    let predicted = dir.run(&[&["predict", "-m", "bases", "long.fa"], &windowed[..]].concat()).success();
    let starts: Vec<usize> =
        predicted.out.lines().skip(1).map(|line| line.split(',').nth(1).unwrap().parse().unwrap()).collect();
    assert_eq!(starts, (0..100).collect::<Vec<_>>());
    dir.write("contacts.csv", table(60, |_, _, _| "11-16".to_owned()));
    tune("contacts", "cls", "contacts");
    dir.run(&[&["predict", "-m", "contacts", "long.fa"], &windowed[..]].concat())
        .failed(2, &["contacts of bases in different windows", "omit --window"]);
    dir.run(&["predict", "-m", "class", "long.fa", "--window", "40", "--overlap", "40"])
        .failed(2, &["windows of 40 bases cannot overlap by 40"]);
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
    dir.run(&["predict", "-m", "full", "c.csv"])
        .failed(2, &["full has neither finetuned.json nor config.json", "tokbench finetune"]);
}
