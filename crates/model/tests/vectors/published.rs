//! Published checkpoints: both layouts, there and back, and what is refused.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::tensor::TensorData;
use model::published::{Checkpoint, Names};
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;

use crate::files;

/// A folder with the configuration of the vectors, and one of their files of weights under its usual name.
pub(crate) fn folder(weights: &Path) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(
        files::listed(weights.parent().unwrap(), "config", ".json")[0].as_path(),
        folder.path().join("config.json"),
    )
    .unwrap();
    let name = if weights.extension().is_some_and(|e| e == "bin") { "pytorch_model.bin" } else { "model.safetensors" };
    std::fs::copy(weights, folder.path().join(name)).unwrap();
    folder
}

fn weight_files() -> Vec<PathBuf> {
    let of = |folder: &PathBuf| {
        [files::listed(folder, "model", ".safetensors"), files::listed(folder, "pytorch_model", ".bin")].concat()
    };
    files::folders("dnabert2").iter().flat_map(of).collect()
}

/// The tensors of a safetensors file by name: type, shape and bytes.
type FileTensors = BTreeMap<String, (String, Vec<usize>, Vec<u8>)>;

fn tensors(path: &Path) -> FileTensors {
    let bytes = std::fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let entry = |(name, view): (String, TensorView)| {
        (name, (format!("{:?}", view.dtype()), view.shape().to_vec(), view.data().to_vec()))
    };
    file.tensors().into_iter().map(entry).collect()
}

fn rewrite(path: &Path, change: impl FnOnce(&mut FileTensors)) {
    let mut all = tensors(path);
    change(&mut all);
    let views = all.iter().map(|(name, (_, shape, bytes))| {
        (name.as_str(), TensorView::new(safetensors::Dtype::F32, shape.clone(), bytes).unwrap())
    });
    std::fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

#[test]
fn vectors_published_layouts_go_there_and_back() {
    let mut layouts = Vec::new();
    for weights in weight_files() {
        let folder = folder(&weights);
        let read = Checkpoint::read(folder.path()).unwrap();
        layouts.push(read.names);
        let (there, back) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (own, other) = match read.names {
            Names::Original => (Names::Original, Names::Multimolecule),
            Names::Multimolecule => (Names::Multimolecule, Names::Original),
        };
        read.write(there.path(), other).unwrap();
        let converted = Checkpoint::read(there.path()).unwrap();
        assert_eq!(
            (converted.names, converted.config, converted.parameters()),
            (other, read.config, read.parameters())
        );
        converted.write(back.path(), own).unwrap();
        let returned = tensors(&back.path().join("model.safetensors"));
        if weights.extension().is_some_and(|extension| extension == "safetensors") {
            // Tied duplicates are written by the original layout only.
            let mut expected = tensors(&weights);
            expected.retain(|name, _| returned.contains_key(name) || !name.contains("decoder."));
            let mut returned = returned.clone();
            returned.retain(|name, _| expected.contains_key(name) || !name.contains("decoder.weight"));
            assert_eq!(returned, expected, "{}", weights.display());
        }
        // Both are the same model.
        let device = model::device::open("cpu").unwrap();
        let load = |folder: &Path| Checkpoint::read(folder).unwrap().model(&device).unwrap();
        let values = |model: &model::network::Model| files::numbers(&model.encoder.layers[1].qkv.weight.val());
        let loaded = values(&load(folder.path()));
        for folder in [&there, &back] {
            assert_eq!(values(&load(folder.path())), loaded);
        }
    }
    assert!(layouts.contains(&Names::Original) && layouts.contains(&Names::Multimolecule));
}

/// `save_pretrained` of the encoder alone writes no prefix, and no head.
#[test]
fn vectors_an_encoder_alone_is_read_without_prefixes() {
    for weights in weight_files().into_iter().filter(|path| path.extension().is_some_and(|e| e == "safetensors")) {
        let folder = folder(&weights);
        let whole = Checkpoint::read(folder.path()).unwrap();
        let prefix = if whole.names == Names::Original { "bert." } else { "model." };
        rewrite(&folder.path().join("model.safetensors"), |all| {
            let bare =
                |(name, entry): (&String, &_)| Some((name.strip_prefix(prefix)?.to_owned(), Clone::clone(entry)));
            *all = all.iter().filter_map(bare).collect();
        });
        let bare = Checkpoint::read(folder.path()).unwrap();
        assert_eq!((bare.names, bare.has_head()), (whole.names, false), "{}", weights.display());
        let mut expected = whole.tensors(whole.names);
        expected.retain(|name, _| name.starts_with(prefix));
        assert_eq!(bare.tensors(whole.names), expected);
    }
}

/// A loaded model gives the tensors that it was loaded from, and the logits of the written file are the same.
#[test]
fn vectors_a_model_leaves_as_it_came() {
    let weights = weight_files().into_iter().find(|path| path.ends_with("model_original_names.safetensors")).unwrap();
    let device = model::device::open("cpu").unwrap();
    let folder = folder(&weights);
    let read = Checkpoint::read(folder.path()).unwrap();
    let (loaded, encoder) = (read.model(&device).unwrap(), read.config.encoder());
    let tokenizer = br#"{"model": {"vocab": {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "[PAD]": 3, "[MASK]": 4, "A": 5}}}"#;
    let left = Checkpoint::of(&loaded, &encoder, tokenizer).unwrap();
    let mut expected = read.tensors(Names::Original);
    let mut found = left.tensors(Names::Original);
    // Of the token types only the first is used.
    let types = "bert.embeddings.token_type_embeddings.weight";
    let first = |data: TensorData| data.as_bytes()[..data.as_bytes().len() / 2].to_vec();
    assert_eq!(first(found.remove(types).unwrap()), first(expected.remove(types).unwrap()));
    assert_eq!(found, expected);
    let out = tempfile::tempdir().unwrap();
    left.write(out.path(), Names::Multimolecule).unwrap();
    let again = Checkpoint::read(out.path()).unwrap().model(&device).unwrap();
    let ids = || burn::tensor::Tensor::from_data([[1, 5, 9, 33, 2]], &device);
    let states = |model: &model::network::Model| files::numbers(&model.states(ids(), &[5], None).positions);
    assert_eq!(states(&again), states(&loaded));
    let directed = experiment::config::EncoderConfig { position: "alibi-directed".parse().unwrap(), ..encoder };
    let refused = Checkpoint::of(&loaded, &directed, tokenizer).unwrap_err().to_string();
    assert!(refused.contains("position encoding alibi-directed"), "{refused}");
}

/// The number of tensors and of parameters of the published model, from its shapes alone.
#[test]
fn vectors_published_layouts_have_the_published_keys() {
    for weights in weight_files() {
        let read = Checkpoint::read(folder(&weights).path()).unwrap();
        let layers = read.config.layers;
        // reference: 142 keys with 12 layers, and 189 without tied duplicates.
        assert_eq!(read.tensors(Names::Original).len(), 10 + 11 * layers);
        assert_eq!(read.tensors(Names::Multimolecule).len(), 9 + 15 * layers);
    }
}

#[test]
fn vectors_shards_are_read_as_one_file() {
    let weights = weight_files().into_iter().find(|path| path.ends_with("model.safetensors")).unwrap();
    let folder = folder(&weights);
    let whole = Checkpoint::read(folder.path()).unwrap().tensors(Names::Original);
    let path = folder.path().join("model.safetensors");
    let mut map = serde_json::Map::new();
    for shard in 0..2 {
        let name = format!("model-0000{}-of-00002.safetensors", shard + 1);
        let part = folder.path().join(&name);
        std::fs::copy(&path, &part).unwrap();
        rewrite(&part, |all| {
            let mut at = 0;
            all.retain(|_, _| {
                at += 1;
                at % 2 == shard
            });
        });
        map.extend(tensors(&part).into_keys().map(|tensor| (tensor, serde_json::json!(name))));
    }
    std::fs::remove_file(&path).unwrap();
    let index = |map: &serde_json::Map<String, serde_json::Value>| {
        let text = serde_json::json!({ "weight_map": map }).to_string();
        std::fs::write(folder.path().join("model.safetensors.index.json"), text).unwrap();
    };
    index(&map);
    assert_eq!(Checkpoint::read(folder.path()).unwrap().tensors(Names::Original), whole);
    map.insert("lm_head.bias".to_owned(), serde_json::json!("../elsewhere.safetensors"));
    index(&map);
    let error = Checkpoint::read(folder.path()).unwrap_err().to_string();
    assert!(error.contains("tensor lm_head.bias: \"../elsewhere.safetensors\" is not the name of a file"), "{error}");
}

#[test]
fn vectors_faults_of_a_checkpoint_are_named() {
    let weights = weight_files().into_iter().find(|path| path.ends_with("model.safetensors")).unwrap();
    let told = |change: &dyn Fn(&Path)| {
        let folder = folder(&weights);
        change(folder.path());
        Checkpoint::read(folder.path()).unwrap_err().to_string()
    };
    let tensors = |change: fn(&mut FileTensors)| told(&|folder| rewrite(&folder.join("model.safetensors"), change));
    let layer = "model.encoder.layer.1.attention.self";
    let missing = tensors(|all| drop(all.remove("model.encoder.layer.1.attention.self.key.bias")));
    assert_eq!(missing, format!("missing tensor {layer}.key.bias"));
    let extra = tensors(|all| {
        let copy = all["lm_head.bias"].clone();
        all.insert("classifier.bias".to_owned(), copy);
    });
    assert_eq!(extra, "unexpected tensors: classifier.bias");
    let misshapen = tensors(|all| {
        let entry = all.get_mut("model.encoder.layer.1.attention.self.query.bias").unwrap();
        (entry.1, entry.2) = (vec![2], vec![0; 8]);
    });
    assert!(
        misshapen.starts_with(&format!("tensor {layer}.query.bias: expected shape [48], found [2]")),
        "{misshapen}"
    );
    let untied = tensors(|all| {
        let mut copy = all["model.embeddings.word_embeddings.weight"].clone();
        copy.2[0] ^= 1;
        all.insert("lm_head.decoder.weight".to_owned(), copy);
    });
    assert!(untied.contains("lm_head.decoder.weight is not tied"), "{untied}");
    let truncated = told(&|folder| {
        let path = folder.join("model.safetensors");
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 100]).unwrap();
    });
    assert!(truncated.contains("model.safetensors: "), "{truncated}");
    // A header that claims more than the file has, and one that claims to be enormous.
    for header in [
        b"\xff\xff\xff\xff\xff\xff\x00\x00{}".to_vec(),
        [
            &80_u64.to_le_bytes()[..],
            br#"{"a":{"dtype":"F32","shape":[99999999,99999999],"data_offsets":[0,8]}}        "#,
        ]
        .concat(),
    ] {
        let lying = told(&|folder| std::fs::write(folder.join("model.safetensors"), &header).unwrap());
        assert!(lying.contains("model.safetensors: "), "{lying}");
    }
    let pickle = told(&|folder| {
        std::fs::remove_file(folder.join("model.safetensors")).unwrap();
        // A pickle that would call os.system.
        std::fs::write(folder.join("pytorch_model.bin"), b"\x80\x02cos\nsystem\nX\x04\x00\x00\x00echo\x85R.").unwrap();
    });
    assert!(pickle.contains("pytorch_model.bin: "), "{pickle}");
    let number = told(&|folder| {
        std::fs::remove_file(folder.join("model.safetensors")).unwrap();
        // {"epoch": 1}
        std::fs::write(folder.join("pytorch_model.bin"), b"\x80\x02}X\x05\x00\x00\x00epochK\x01s.").unwrap();
    });
    assert!(number.contains("entry \"epoch\" is no tensor"), "{number}");
    let none = told(&|folder| std::fs::remove_file(folder.join("model.safetensors")).unwrap());
    assert!(none.contains("no weights: none of model.safetensors,"), "{none}");
    let config = told(&|folder| std::fs::remove_file(folder.join("config.json")).unwrap());
    assert!(config.contains("config.json: "), "{config}");
    let vocabulary = told(&|folder| {
        std::fs::write(
            folder.join("tokenizer.json"),
            r#"{"model": {"vocab": {"<unk>": 0, "<cls>": 1, "<eos>": 2, "<pad>": 3, "<mask>": 4, "A": 64}}}"#,
        )
        .unwrap();
    });
    assert!(vocabulary.contains("tokenizer.json: the largest id is 64, but the model has 64 entries"), "{vocabulary}");
}

/// Without the head nothing of it is written, and keys of the configuration that the program does not know stay in the same layout.
#[test]
fn vectors_an_encoder_alone_stays_one() {
    let weights = weight_files().into_iter().find(|path| path.ends_with("model_original_names.safetensors")).unwrap();
    let folder = folder(&weights);
    rewrite(&folder.path().join("model.safetensors"), |all| all.retain(|name, _| !name.starts_with("cls.")));
    let path = folder.path().join("config.json");
    let mut config: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    config["auto_map"] = serde_json::json!({"AutoModel": "bert_layers.BertModel"});
    std::fs::write(&path, config.to_string()).unwrap();
    let read = Checkpoint::read(folder.path()).unwrap();
    assert!(!read.has_head());
    for (names, kept) in [(Names::Original, true), (Names::Multimolecule, false)] {
        let out = tempfile::tempdir().unwrap();
        read.write(out.path(), names).unwrap();
        let all = tensors(&out.path().join("model.safetensors"));
        assert!(all.keys().all(|name| !name.contains("decoder") && !name.contains("lm_head")), "{names:?}");
        assert_eq!(Checkpoint::read(out.path()).unwrap().parameters(), read.parameters());
        let config = std::fs::read_to_string(out.path().join("config.json")).unwrap();
        assert_eq!(config.contains("bert_layers.BertModel"), kept, "{config}");
    }
}

/// Half-precision files keep their type: converted, each value is the same number.
#[test]
fn vectors_types_are_kept() {
    let weights = weight_files().into_iter().find(|path| path.ends_with("model.safetensors")).unwrap();
    let folder = folder(&weights);
    let path = folder.path().join("model.safetensors");
    let all = tensors(&path);
    let half: Vec<(&String, Vec<usize>, Vec<u8>)> = all
        .iter()
        // The upper half of a float32 is a bfloat16.
        .map(|(name, (_, shape, bytes))| (name, shape.clone(), bytes.chunks(4).flat_map(|b| [b[2], b[3]]).collect()))
        .collect();
    let views = half.iter().map(|(name, shape, bytes)| {
        (name.as_str(), TensorView::new(safetensors::Dtype::BF16, shape.clone(), bytes).unwrap())
    });
    std::fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
    let out = tempfile::tempdir().unwrap();
    Checkpoint::read(folder.path()).unwrap().write(out.path(), Names::Original).unwrap();
    let written = tensors(&out.path().join("model.safetensors"));
    assert!(written.values().all(|(kind, _, _)| kind == "BF16"));
    let name = "model.embeddings.layer_norm.weight";
    let expected = half.iter().find(|(own, _, _)| *own == name).unwrap();
    assert_eq!(written["bert.embeddings.LayerNorm.weight"].2, expected.2);
    let values = |data: &TensorData| data.clone().convert::<f32>().try_to_vec::<f32>().unwrap();
    let read = Checkpoint::read(out.path()).unwrap().tensors(Names::Multimolecule);
    let float: Vec<f32> = expected.2.chunks(2).map(|b| f32::from_le_bytes([0, 0, b[0], b[1]])).collect();
    assert_eq!(values(&read[name]), float);
}

/// A sequence classifier, in both layouts: the logits of the vectors, tensors that come back, and outputs as `config.json` describes them.
#[test]
fn vectors_a_classifier_goes_there_and_back() {
    for path in files::found("dnabert2", "heads", ".safetensors") {
        let source = path.parent().unwrap();
        let text = std::fs::read(&files::listed(source, "config", ".json")[0]).unwrap();
        let tensors = files::File::read(&path).part("sequence.param.").tensors;
        let mut own = Checkpoint::new(model::published::Config::parse(&text).unwrap(), tensors.clone()).unwrap();
        let outputs = own.outputs.as_mut().unwrap();
        outputs.names.iter_mut().enumerate().for_each(|(at, name)| *name = format!("class {at}"));
        let outputs = outputs.clone();
        for names in [Names::Original, Names::Multimolecule] {
            let out = tempfile::tempdir().unwrap();
            own.write(out.path(), names).unwrap();
            let read = Checkpoint::read(out.path()).unwrap();
            assert_eq!((read.names, read.outputs.as_ref()), (names, Some(&outputs)));
            assert_eq!(read.tensors(Names::Multimolecule), tensors, "{names:?}");
            // The model, as it is after fine-tuning.
            let model = read.model(&model::device::open("cpu").unwrap()).unwrap();
            let tokenizer =
                br#"{"model": {"vocab": {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "[PAD]": 3, "[MASK]": 4, "A": 5}}}"#;
            let encoder = read.config.encoder();
            let left =
                |scale: &[[f64; 2]]| Checkpoint::of_classifier(&model, &encoder, tokenizer, outputs.clone(), scale);
            let (plain, scaled) = (left(&[]).unwrap(), left(&vec![[3.0, 2.0]; outputs.names.len()]).unwrap());
            let values = |read: &Checkpoint, end: &str| {
                let tensors = read.tensors(Names::Original);
                tensors[&format!("classifier.{end}")].clone().convert::<f32>().try_to_vec::<f32>().unwrap()
            };
            for end in ["weight", "bias"] {
                let own = values(&plain, end);
                assert_eq!(own, values(&read, end));
                let center = if end == "bias" { 3.0 } else { 0.0 };
                let expected: Vec<f32> = own.iter().map(|value| value * 2.0 + center).collect();
                assert_eq!(values(&scaled, end), expected);
            }
            let mut pooled = model.clone();
            pooled.classifier.as_mut().unwrap().pooling = experiment::config::Pooling::Mean;
            let refused = Checkpoint::of_classifier(&pooled, &encoder, tokenizer, outputs.clone(), &[]).unwrap_err();
            assert!(refused.to_string().contains("classifiers on [CLS] alone"), "{refused}");
        }
    }
}
