//! The published MxDNA model: states, logits and loss from ids, and its weights in and out.

use std::path::Path;

use burn::tensor::{Device, Tensor, activation};
use model::frontend::suppression::suppress;
use model::layers::Init;
use model::native::{Config, Native};
use tokenize::{Layout, MxDnaConfig};

use crate::files::{self, File, close, numbers, real};

/// The sizes that the weights of a file have, with so many heads, which the file does not say.
fn config(file: &File, heads: usize) -> Config {
    let count = |name: &str, end: &str| {
        (0..).take_while(|number| file.tensors.contains_key(&format!("{name}.{number}.{end}"))).count()
    };
    let module = "model.conversion_layer";
    let experts = count(&format!("{module}.conv_moe.experts"), "norm.weight");
    let size = |number| file.shape(&format!("{module}.conv_moe.experts.{number}.grouped_conv.weight"))[2];
    let norm = "input_layernorm.norm.weight";
    let classes = "classifier.out_proj.weight";
    Config {
        vocabulary: file.shape("model.embed_tokens.weight")[0],
        hidden: file.shape("model.embed_tokens.weight")[1],
        heads,
        intermediate: file.shape("model.token_layers.0.ffn.ffn.w1.weight")[0],
        token_layers: count("model.token_layers", norm),
        module: MxDnaConfig {
            nucleotide_layers: count("model.nucleotide_layers", norm),
            kernel_sizes: (0..experts).map(size).collect(),
            deformable: file.shape(&format!("{module}.deform_conv.regular_conv.weight"))[2],
            layout: Layout::Compact,
            ..MxDnaConfig::default()
        },
        classes: file.tensors.contains_key(classes).then(|| file.shape(classes)[0]),
    }
}

fn new(config: &Config, device: &Device) -> Native {
    Native::new(&Init::new(1, 0.02, device), config)
}

#[test]
fn vectors_of_the_published_model() {
    for path in files::found("mxdna", "mlm_model_vectors", ".safetensors") {
        let file = File::read(&path);
        let (weights, lengths) = (file.part("param."), file.lengths("attention_mask"));
        let token_lengths = file.lengths("token_attention_mask");
        let hidden = weights.shape("model.embed_tokens.weight")[1];
        for (name, device) in files::devices() {
            let mut best: Option<(f32, usize)> = None;
            // All divisors are tried; only the right number of heads reproduces the logits.
            for heads in (1..=hidden / 2).filter(|heads| hidden % (2 * heads) == 0) {
                let config = config(&weights, heads);
                let model = new(&config, &device).load(weights.tensors.clone()).unwrap();
                let trunk = model.trunk(file.ids("input_ids", &device), &lengths, None);
                let found = real(&numbers(&model.outputs(&trunk)), &lengths, config.vocabulary);
                let expected = real(&file.floats("logits"), &lengths, config.vocabulary);
                let off = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                if best.is_none_or(|(least, _)| off < least) {
                    best = Some((off, heads));
                }
            }
            let (off, heads) = best.unwrap();
            close(&format!("{name}: logits"), &[off], &[0.0], 2e-4);
            let config = config(&weights, heads);
            let model = new(&config, &device).load(weights.tensors.clone()).unwrap();
            let trunk = model.trunk(file.ids("input_ids", &device), &lengths, None);
            let states = real(&numbers(&trunk.nucleotides), &lengths, hidden);
            close("nucleotides", &states, &real(&file.floats("nucleotide_hidden"), &lengths, hidden), 2e-4);
            let tokens = real(&numbers(&trunk.tokens), &token_lengths, hidden);
            close("tokens", &tokens, &real(&file.floats("token_hidden"), &token_lengths, hidden), 2e-4);
            let balance = trunk.balance.clone().unwrap();
            close("balancing loss", &numbers(&balance), &file.floats("aux_loss"), 1e-4);
            // The loss of the file is over labeled positions, with the weighted balancing loss.
            let labels = file.ints("labels");
            let logits: Tensor<2> = activation::log_softmax(model.outputs(&trunk), 1);
            let logits = numbers(&logits);
            let labeled = labels.iter().enumerate().filter(|(_, label)| **label >= 0);
            let terms: Vec<f32> =
                labeled.map(|(at, label)| -logits[at * config.vocabulary + *label as usize]).collect();
            let loss =
                terms.iter().sum::<f32>() / terms.len() as f32 + config.module.balance as f32 * numbers(&balance)[0];
            close("loss", &[loss], &file.floats("loss"), 1e-4);
            // The units are those of the file.
            let stored = file.floats("router_logits");
            let (positions, sizes) = (file.shape("input_ids")[1], &config.module.kernel_sizes);
            let rows = stored.chunks_exact(positions * sizes.len()).zip(&lengths);
            for ((row, &length), &tokens) in rows.zip(&token_lengths) {
                assert_eq!(suppress(row, sizes, length).len() + 2, tokens);
            }
            // Written and read again: the same tensors under the same names.
            assert_eq!(model.tensors(), weights.tensors);
            let folder = tempfile::tempdir().unwrap();
            let out = folder.path().join("model.safetensors");
            model.write(&out).unwrap();
            assert_eq!(new(&config, &device).read(&out).unwrap().tensors(), weights.tensors);
            println!("{name}: logits off by {off:e} with {heads} heads");
        }
    }
}

#[test]
fn vectors_wrong_weights_of_the_published_model_are_named() {
    for path in files::found("mxdna", "mlm_model_vectors", ".safetensors") {
        let weights = File::read(&path).part("param.");
        let device = model::device::open("cpu").unwrap();
        let load = |change: &dyn Fn(&mut File)| {
            let mut changed = weights.clone();
            change(&mut changed);
            new(&config(&weights, 1), &device).load(changed.tensors).unwrap_err().to_string()
        };
        let gate = "model.conversion_layer.gate.weight";
        assert_eq!(load(&|file| drop(file.tensors.remove(gate))), format!("missing tensor {gate}"));
        let other = weights.tensors["lm_head.bias"].clone();
        let extra = load(&|file| drop(file.tensors.insert("lm_head.more".to_owned(), other.clone())));
        assert_eq!(extra, "unexpected tensors: lm_head.more");
        let wrong = load(&|file| drop(file.tensors.insert(gate.to_owned(), other.clone())));
        assert!(wrong.starts_with(&format!("tensor {gate}: expected shape ")), "{wrong}");
    }
}

/// The published sizes, by part, as counted from the public code (`configs/native/mxdna.toml` has them).
#[test]
fn the_released_model_has_its_published_number_of_parameters() {
    let text = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs/native/mxdna.toml");
    let config: Config = toml::from_str(&std::fs::read_to_string(text).unwrap()).unwrap();
    assert_eq!(config, Config::default());
    assert_eq!(config.parameters(), 100_090_895);
    assert_eq!(Config { classes: Some(2), ..config.clone() }.parameters(), 95_889_928);
    // The count by formula is that of a model.
    for classes in [None, Some(3)] {
        let module = MxDnaConfig { nucleotide_layers: 2, kernel_sizes: vec![1, 3, 5], ..config.module.clone() };
        let small =
            Config { hidden: 24, heads: 4, intermediate: 20, token_layers: 1, module, classes, ..config.clone() };
        let model = new(&small, &model::device::open("cpu").unwrap());
        let counted: usize = model.tensors().values().map(|data| data.shape().num_elements()).sum();
        assert_eq!((counted, model::network::count(&model)), (small.parameters(), small.parameters()));
    }
}
