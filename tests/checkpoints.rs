//! `tokbench model`: published checkpoints in and out.

use experiment::Record;
use experiment::run::Work;

use crate::dir::{TestDir, root, small};

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

/// A run with symmetric ALiBi can leave: what is written is read back as the same tensors, with a tokenizer that gives the ids of the run.
#[test]
fn a_trained_model_is_exported_with_its_tokenizer() {
    let dir = TestDir::new();
    let spec = small("'base', 'bpe32', 'kmer2', 'kmer2-nonoverlap'", "order1", 2_000, 1);
    dir.write(
        "q.toml",
        spec.replace("exploratory = true", "exploratory = true\npositions = ['alibi', 'alibi-directed']"),
    );
    dir.run(&["compare", "q.toml", "--output", "out"]).success();
    let records = dir.records("out");
    let key = |name: &str, position: &str| {
        let named = |record: &&Record| match &record.run.work {
            Work::Pretrain(run) => run.tokenizer == name && run.encoder.position.name() == position,
            _ => false,
        };
        records.iter().find(named).unwrap().key.as_str().to_owned()
    };
    let export = |run: &str, to: &str| dir.run(&["model", "export", run, to, "--names", "multimolecule"]);
    for name in ["base", "bpe32", "kmer2-nonoverlap"] {
        let [mm, original, again] = ["mm", "original", "again"].map(|folder| format!("{name}-{folder}"));
        let output = export(&key(name, "alibi")[..12], &mm).success();
        assert!(output.out.contains("the layout has no segmentation prior"), "{}", output.out);
        // Strictly: the reader compares every tensor with the configuration.
        dir.run(&["model", "convert", &mm, &original, "--names", "original"]).success();
        dir.run(&["model", "convert", &original, &again, "--names", "multimolecule"]).success();
        let bytes = |folder: &str| std::fs::read(dir.path(&format!("{folder}/model.safetensors"))).unwrap();
        for folder in [&original, &again] {
            let prior = |folder: &str| std::fs::read(dir.path(&format!("{folder}/prior.json"))).unwrap();
            assert_eq!(prior(folder), prior(&mm), "a conversion keeps the prior");
        }
        assert!(bytes(&mm) == bytes(&again), "{name}");
        let prior: serde_json::Value =
            serde_json::from_slice(&std::fs::read(dir.path(&format!("{mm}/prior.json"))).unwrap()).unwrap();
        assert_eq!((&prior["span"], &prior["total"]), (&12.into(), &1.0.into()));
        let card = std::fs::read_to_string(dir.path(&format!("{mm}/README.md"))).unwrap();
        assert!(card.contains(&format!("tokenizer {name} on 2,000 bases, run {}", key(name, "alibi"))), "{card}");
    }
    // The tokenizers under the names of the original release.
    dir.write("g.fa", ">a\nACGTTGCATTAGCCATAGGACCATTTACGCGCATATTAGG\n");
    let ids = |file: &str| dir.run(&["tokenizer", "encode", "-t", file, "g.fa"]).success().out;
    assert_eq!(ids("base-original/tokenizer.json"), ids("base"));
    let text = std::fs::read(dir.path("bpe32-original/tokenizer.json")).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&text).unwrap();
    assert_eq!((json["model"]["vocab"].as_object().unwrap().len(), &json["model"]["vocab"]["[PAD]"]), (32, &3.into()));
    export(&key("base", "alibi-directed"), "x")
        .failed(2, &["position encoding alibi-directed", "positions = [\"alibi\"]"]);
    export(&key("kmer2", "alibi"), "x").failed(2, &["its k-mers overlap"]);
    export("0123456789ab", "x").failed(2, &["no finished run \"0123456789ab\" in .tokbench"]);
    // A file whose ids the model does not have.
    let other: serde_json::Map<String, serde_json::Value> =
        ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "A", "C", "G", "T"]
            .iter()
            .enumerate()
            .map(|(id, name)| ((*name).to_owned(), id.into()))
            .collect();
    let json = serde_json::json!({"model": {"type": "BPE", "unk_token": "[UNK]", "vocab": other, "merges": []}});
    dir.write("other.json", json.to_string());
    let spec = small("'file:other.json'", "order1", 2_000, 1);
    dir.write("o.toml", spec.replace("exploratory = true", "exploratory = true\npositions = ['alibi']"));
    dir.run(&["compare", "o.toml", "--output", "other"]).success();
    export(dir.records("other")[0].key.as_str(), "x")
        .failed(2, &["the special token [UNK] must have the id 0, found 1"]);
    assert!(!dir.path("x").exists());
}

/// The sizes of the model card.
#[test]
fn list_shows_the_size_of_the_published_encoder() {
    let output = TestDir::new().run(&["list", "encoders"]).success();
    let base = output.out.lines().find(|line| line.starts_with("base")).unwrap();
    assert!(base.contains("117,074,176") && base.contains("62.814"), "{}", output.out);
}

/// The same model as a run and as an exported checkpoint: equal states and probabilities, in every format.
#[test]
fn a_model_is_used_as_a_run_or_as_a_checkpoint() {
    let dir = TestDir::new();
    let spec = small("'base', 'bpe32', 'kmer2'", "order1", 2_000, 1);
    dir.write(
        "q.toml",
        spec.replace("exploratory = true", "exploratory = true\npositions = ['alibi']\nprior = 'uniform'"),
    );
    dir.run(&["compare", "q.toml", "--output", "out"]).success();
    let key = |name: &str| {
        let named = |record: &&Record| matches!(&record.run.work, Work::Pretrain(run) if run.tokenizer == name);
        dir.records("out").iter().find(named).unwrap().key.as_str().to_owned()
    };
    dir.write("g.fa", ">a\nACGTTGCATTAGCCATAGGACCATTTACGCGCATATTAGG\n>b,2\nACGNTTAGCCATTTAGG\n");
    for name in ["base", "bpe32"] {
        let folder = format!("{name}-checkpoint");
        dir.run(&["model", "export", &key(name), &folder, "--names", "original"]).success();
        let run = format!(".tokbench/{}", key(name));
        for level in ["cls", "mean", "max", "tokens", "bases"] {
            let embed = |model: &str| dir.run(&["embed", "--model", model, "--pooling", level, "g.fa"]).success();
            let (own, published) = (embed(&run), embed(&folder));
            assert_eq!(own.out, published.out, "{name} {level}");
            assert!(own.out.starts_with("record,start,end,e0,e1,") && own.out.contains("\"b,2\",0,"), "{}", own.out);
            let rows = own.out.lines().count() - 1;
            assert!(own.err.contains(&format!("2 records, 57 bases; 1 N; {rows} rows")), "{}", own.err);
        }
        // A key of the store, shortened.
        let fill = |model: &str, unit: &str| {
            let sequence = "ACGATT[MASK]GATTAC<mask>GG";
            dir.run(&["fill-mask", "--model", model, "--unit", unit, "-k", "40", "-s", sequence]).success().out
        };
        let (own, published) = (fill(&key(name)[..10], "tokens"), fill(&folder, "tokens"));
        assert!(own.starts_with("sequence,mask,start,rank,token,id,probability\n1,1,6,1,"), "{own}");
        // The prior is beside the exported weights: the same model.
        assert_eq!(own, published, "{name}");
        std::fs::rename(dir.path(&format!("{folder}/prior.json")), dir.path("prior.json")).unwrap();
        let without = fill(&folder, "tokens");
        assert!(without != own && without.contains("[MASK]"), "softmax over all ids: {without}");
        std::fs::rename(dir.path("prior.json"), dir.path(&format!("{folder}/prior.json"))).unwrap();
        let own = fill(&key(name)[..10], "bases");
        assert!(own.starts_with("sequence,position,A,C,G,T\n1,7,") && own.contains("\n1,14,"), "{own}");
        let filled = dir.run(&["fill-mask", "--model", &folder, "--unit", "bases", "g.fa"]).success();
        assert!(
            filled.out.contains("\n\"b,2\",4,") && filled.err.contains("1 of 2 records have no N"),
            "{}",
            filled.err
        );
    }
    // The same numbers in every format, and windows.
    let embed = |more: &[&str]| {
        let run = key("kmer2");
        dir.run(
            &[&["embed", "--model", &run, "g.fa", "--window", "16", "--overlap", "4", "--pooling", "bases"], more]
                .concat(),
        )
    };
    let csv = embed(&[]).success().out;
    assert_eq!(csv.lines().count(), 1 + 40 + 17);
    embed(&["-o", "e.npy"]).success();
    embed(&["-o", "e.parquet"]).success();
    let bytes = std::fs::read(dir.path("e.npy")).unwrap();
    let hidden = csv.lines().next().unwrap().split(',').count() - 3;
    assert!(String::from_utf8_lossy(&bytes[..128]).contains(&format!("'shape': (57, {hidden})")));
    let values: Vec<f32> =
        bytes[128..].chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect();
    let of_csv: Vec<f32> = csv
        .lines()
        .skip(1)
        .flat_map(|line| {
            line.rsplitn(hidden + 1, ',')
                .take(hidden)
                .collect::<Vec<_>>()
                .into_iter()
                .rev()
                .map(|value| value.parse().unwrap())
                .collect::<Vec<f32>>()
        })
        .collect();
    assert_eq!(values, of_csv);
    let rows = std::fs::read_to_string(dir.path("e.npy.rows.csv")).unwrap();
    assert!(rows.starts_with("record,start,end\na,0,1\n") && rows.ends_with("\"b,2\",16,17\n"), "{rows}");
    assert!(std::fs::read(dir.path("e.parquet")).unwrap().starts_with(b"PAR1"));
    embed(&["--format", "npy"]).failed(2, &["cannot be written as", "--format csv"]);
    embed(&["-o", "g.fa"]).failed(2, &["is an input"]);
    dir.run(&["embed", "-m", &key("kmer2"), "g.fa", "--window", "4", "--overlap", "4"])
        .failed(2, &["cannot overlap by 4"]);
    dir.run(&["embed", "-m", "nothing", "g.fa"]).failed(2, &["no finished run \"nothing\" in .tokbench"]);
    dir.write("empty/x", "");
    dir.run(&["embed", "-m", "empty", "g.fa"]).failed(2, &["neither a checkpoint (no config.json) nor a run"]);
    let fill = |more: &[&str]| dir.run(&[&["fill-mask", "-m", &key("kmer2")], more].concat());
    fill(&["-s", "AC[MASK]"]).failed(2, &["the tokens of kmer2 overlap", "--unit bases"]);
    fill(&["-s", "ACGT", "--unit", "bases"]).failed(2, &["sequence 1: no mask in \"ACGT\""]);
    fill(&["-s", "AC[MASK]G!T", "--unit", "bases"]).failed(2, &["unexpected '!' at character 10"]);
    fill(&["g.fa"]).failed(2, &["files have masked bases", "--unit bases"]);
    dir.write("n.fa", ">a\nACGTNNNNNNNNACGT\n");
    // A gap cannot be filled, but the rest of the file can.
    dir.write("n.fa", ">a\nACGTNNNNNNNNACGT\n>b\nACGTTNGATTACAGA\n");
    let filled = dir.run(&["fill-mask", "-m", &key("bpe32"), "--unit", "bases", "n.fa"]).success();
    assert!(filled.out.lines().count() == 2 && filled.out.contains("\nb,6,"), "{}", filled.out);
    assert!(filled.err.contains("8 of 9 masked bases have no row") && filled.err.contains("record \"a\", base 5: "));
    fill(&["-s", "[MASK]", "--unit", "bases"])
        .failed(2, &["sequence 1, base 1: the sequence has 1 bases", "give more bases"]);
    // The other files of an output are not inputs either.
    dir.write("z.npy.rows.csv", "sequence\nACGT\n");
    dir.run(&["embed", "-m", &key("kmer2"), "z.npy.rows.csv", "-o", "z.npy"])
        .failed(2, &["z.npy.rows.csv is an input"]);
}
