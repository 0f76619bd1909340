//! MxDNA: selection of units, experts, and the whole module in its compact form.

use burn::tensor::{Device, Tensor};
use model::frontend::experts::{self, Expert};
use model::frontend::suppression::{Picked, suppress};
use model::frontend::tokenization::Tokenization;
use model::layers::Init;
use tokenize::Layout;

use crate::deformable;
use crate::files::{self, File, close, close_gradient, numbers};

/// The stored gradients are those of `sum(tokens * probe) + BALANCE * balancing loss`, over tokens without padding.
const BALANCE: f64 = 1.0;

/// `(center, cover)` of a row in the format of the files: expert or -1 at each position.
fn marks(picked: &[Picked], positions: usize) -> (Vec<i64>, Vec<i64>) {
    let (mut center, mut cover) = (vec![-1; positions], vec![-1; positions]);
    for picked in picked {
        center[picked.unit.center] = picked.expert as i64;
        cover[picked.unit.start..][..picked.unit.length].fill(picked.expert as i64);
    }
    (center, cover)
}

#[test]
fn vectors_of_unit_selection() {
    for path in files::found("mxdna", "nms_vectors", ".json") {
        let json: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let ints = |value: &serde_json::Value| -> Vec<i64> {
            value.as_array().unwrap().iter().map(|number| number.as_i64().unwrap()).collect()
        };
        let mut checked = 0;
        for case in json["cases"].as_array().unwrap() {
            let name = case["name"].as_str().unwrap();
            let sizes: Vec<usize> = ints(&case["kernel_sizes"]).iter().map(|&size| size as usize).collect();
            let shape = ints(&case["shape"]);
            let positions = shape[1] as usize;
            let logits: Vec<f32> =
                case["logits"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap() as f32).collect();
            for (row, &length) in ints(&case["lengths"]).iter().enumerate() {
                let width = positions * sizes.len();
                let picked = suppress(&logits[row * width..(row + 1) * width], &sizes, length as usize);
                let (center, cover) = marks(&picked, positions);
                assert_eq!(center, ints(&case["center"][row]), "{name}, row {row}: centers");
                assert_eq!(cover, ints(&case["all"][row]), "{name}, row {row}: cover");
                assert_eq!(picked.len() as i64, ints(&case["n_units"])[row], "{name}, row {row}");
            }
            checked += 1;
        }
        assert!(checked > 0);
        println!("{}: {checked} cases exact", path.display());
    }
}

/// An expert from `pointwise_conv_pre.weight`, `grouped_conv.weight`, `norm.*`, `pointwise_conv_post.weight`.
fn expert(file: &File, device: &Device) -> Expert {
    let shape = file.shape("grouped_conv.weight");
    let (hidden, width, size) = (shape[0], shape[1], shape[2]);
    assert_eq!(experts::groups(hidden, size), hidden / width, "groups of size {size} at {hidden}");
    let mut expert = Expert::new(&Init::new(1, 0.02, device), "expert", hidden, size);
    files::put(&mut expert.pre.weight, file.transposed("pointwise_conv_pre.weight", device));
    files::put(&mut expert.post.weight, file.transposed("pointwise_conv_post.weight", device));
    files::put(&mut expert.norm.gamma, file.tensor("norm.weight", device));
    files::put(&mut expert.norm.beta, file.tensor("norm.bias", device));
    // [groups * out, in, window] to [groups, (window, in), out].
    let grouped = file.tensor::<3>("grouped_conv.weight", device).reshape([hidden / width, width, width, size]);
    files::put(&mut expert.grouped, grouped.permute([0, 3, 2, 1]).reshape([hidden / width, size * width, width]));
    expert
}

#[test]
fn vectors_of_the_experts() {
    for path in files::found("mxdna", "expert_vectors", ".safetensors") {
        let whole = File::read(&path);
        let mut cases: Vec<&str> = whole.tensors.keys().filter_map(|name| name.split('.').next()).collect();
        cases.dedup();
        for (name, device) in files::devices() {
            let mut worst = 0.0_f32;
            for case in &cases {
                let file = whole.part(&format!("{case}."));
                let found = numbers(&expert(&file, &device).forward(file.tensor("x", &device)));
                worst = worst.max(close(case, &found, &file.floats("y"), 2e-5));
            }
            println!("{name}: {} experts off by {worst:e}", cases.len());
        }
    }
}

/// The module whose parameters are in `file` (`input_layernorm`, `gate`, `conv_moe.experts.N`, `deform_conv`).
fn module(file: &File, layout: Layout, device: &Device) -> Tokenization {
    let part = |number: usize| file.part(&format!("conv_moe.experts.{number}."));
    let count = file.shape("gate.weight")[0];
    let sizes = (0..count).map(|number| part(number).shape("grouped_conv.weight")[2]);
    let config = tokenize::MxDnaConfig {
        kernel_sizes: sizes.collect(),
        deformable: file.shape("deform_conv.regular_conv.weight")[2],
        layout,
        ..tokenize::MxDnaConfig::default()
    };
    let mut module = Tokenization::new(&Init::new(1, 0.02, device), file.shape("gate.weight")[1], &config);
    files::put(&mut module.norm.gamma, file.tensor("input_layernorm.weight", device));
    files::put(&mut module.norm.beta, file.tensor("input_layernorm.bias", device));
    files::put(&mut module.gate.weight, file.transposed("gate.weight", device));
    for (number, own) in module.experts.iter_mut().enumerate() {
        let epsilon = own.norm.epsilon;
        *own = expert(&part(number), device);
        own.norm.epsilon = epsilon;
    }
    module.deformable = deformable::loaded(&file.part("deform_conv."), device);
    module
}

/// The units that stored scores select, with the kernel sizes of the experts in `file`.
fn selected(file: &File, scores: &[f32], lengths: &[usize]) -> Vec<Vec<Picked>> {
    let experts = file.shape("param.gate.weight")[0];
    let size = |number| file.shape(&format!("param.conv_moe.experts.{number}.grouped_conv.weight"))[2];
    let sizes: Vec<usize> = (0..experts).map(size).collect();
    let rows = scores.chunks_exact(scores.len() / lengths.len()).zip(lengths);
    rows.map(|(row, &length)| suppress(row, &sizes, length)).collect()
}

/// The gradients of a module by their names in the files.
fn gradients(module: &Tokenization, grads: &burn::tensor::Gradients) -> Vec<(String, Option<Vec<f32>>)> {
    let vector = |tensor: Tensor<1>| Some(numbers(&tensor.grad(grads)?));
    let matrix = |tensor: Tensor<2>| Some(numbers(&tensor.grad(grads)?.transpose()));
    let mut all = vec![
        ("gate.weight".to_owned(), matrix(module.gate.weight.val())),
        ("input_layernorm.weight".to_owned(), vector(module.norm.gamma.val())),
        ("input_layernorm.bias".to_owned(), vector(module.norm.beta.val())),
    ];
    for (parameter, found) in deformable::gradients(&module.deformable, grads) {
        all.push((format!("deform_conv.{parameter}"), Some(found)));
    }
    for (number, expert) in module.experts.iter().enumerate() {
        let prefix = format!("conv_moe.experts.{number}");
        let [groups, rows, width] = expert.grouped.dims();
        let grouped = expert
            .grouped
            .val()
            .grad(grads)
            .map(|grouped| numbers(&grouped.reshape([groups, rows / width, width, width]).permute([0, 3, 2, 1])));
        all.push((format!("{prefix}.grouped_conv.weight"), grouped));
        all.push((format!("{prefix}.pointwise_conv_pre.weight"), matrix(expert.pre.weight.val())));
        all.push((format!("{prefix}.pointwise_conv_post.weight"), matrix(expert.post.weight.val())));
        all.push((format!("{prefix}.norm.weight"), vector(expert.norm.gamma.val())));
        all.push((format!("{prefix}.norm.bias"), vector(expert.norm.beta.val())));
    }
    all
}

#[test]
fn vectors_of_the_whole_module() {
    for path in files::found("mxdna", "module_vectors", ".safetensors") {
        let file = File::read(&path);
        let lengths = file.lengths("attention_mask");
        for (name, device) in files::devices() {
            let device = device.autodiff();
            let module = module(&file.part("param."), Layout::Compact, &device);
            let x = file.tensor::<3>("x", &device).require_grad();
            let [batch, positions, hidden] = x.dims();
            let flat = x.clone().reshape([batch * positions, hidden]);
            let normed = module.norm.forward(flat.clone());
            let scores = module.scores(normed.clone(), None);
            // Scores at [CLS], [SEP] and padding are not used, so only bases are compared.
            let (found, stored) = (numbers(&scores), file.floats("router_logits"));
            let special = file.ints("special_tokens_mask");
            let experts = found.len() / special.len();
            let bases = |values: &[f32]| -> Vec<f32> {
                let kept = values.chunks_exact(experts).zip(&special).filter(|(_, special)| **special == 0);
                kept.flat_map(|(values, _)| values.to_vec()).collect()
            };
            close("scores", &bases(&found), &bases(&stored), 2e-5);

            // Select units by the stored scores, because recomputed scores may differ in the last digits.
            let picked = selected(&file, &stored, &lengths);
            let (center, cover): (Vec<_>, Vec<_>) = picked.iter().map(|row| marks(row, positions)).unzip();
            assert_eq!(center.concat(), file.ints("center"));
            assert_eq!(cover.concat(), file.ints("all"));

            let made = module.assemble(flat, &normed, scores, &lengths, picked);
            assert_eq!(made.lengths, file.lengths("token_attention_mask"));
            let off = close("tokens", &numbers(&made.tokens), &file.floats("tokens"), 2e-4);
            let balance = made.balance.unwrap();
            let loss = close("balancing loss", &numbers(&balance), &file.floats("balancing_loss"), 1e-5);

            let real: Tensor<2> = file.tensor::<2>("token_attention_mask", &device);
            let probe = file.tensor::<3>("probe", &device) * real.unsqueeze_dim::<3>(2);
            let probed = (made.tokens * probe).sum() + balance * BALANCE;
            let grads = probed.backward();
            let stored = file.part("grad.");
            let mut worst = 0.0_f32;
            let mut check = |name: &str, found: Vec<f32>| {
                worst = worst.max(close_gradient(name, &found, &stored.floats(name), 1e-4));
            };
            check("x", numbers(&x.grad(&grads).unwrap()));
            for (parameter, found) in gradients(&module, &grads) {
                // An expert without units is not part of the graph; its gradient is zero.
                let found = found.unwrap_or_else(|| vec![0.0; stored.floats(&parameter).len()]);
                check(&parameter, found);
            }
            println!(
                "{name}: tokens off by {off:e}, balancing loss by {loss:e}, gradients by {worst:e} of the largest entry"
            );
        }
    }
}

/// The in-place layout: inputs and weights are those of the compact file of the same folder.
#[test]
fn vectors_of_the_whole_module_in_place() {
    for path in files::found("mxdna", "inplace_module_vectors", ".safetensors") {
        let stored = File::read(&path);
        let inputs = File::read(&files::listed(path.parent().unwrap(), "module_vectors", ".safetensors")[0]);
        let lengths = inputs.lengths("attention_mask");
        for (name, device) in files::devices() {
            let device = device.autodiff();
            let module = module(&inputs.part("param."), Layout::InPlace, &device);
            let x = inputs.tensor::<3>("x", &device).require_grad();
            let [batch, positions, hidden] = x.dims();
            let flat = x.clone().reshape([batch * positions, hidden]);
            let normed = module.norm.forward(flat.clone());
            let scores = module.scores(normed.clone(), None);
            let picked = selected(&inputs, &stored.floats("router_logits"), &lengths);
            let centers: Vec<i64> = picked.iter().flat_map(|row| marks(row, positions).0).collect();
            assert_eq!(centers, stored.ints("center"));
            let made = module.assemble(flat, &normed, scores, &lengths, picked);
            // Tokens side by side, where the file has them among nucleotides.
            let places = made.places(&lengths);
            let mask = stored.ints("token_mask");
            let at_tokens = |values: &[f32]| -> Vec<f32> {
                let rows = values.chunks_exact(hidden).zip(&mask);
                rows.filter(|(_, token)| **token == 1).flat_map(|(values, _)| values.to_vec()).collect()
            };
            let found_mask: Vec<i64> =
                places.iter().flat_map(|row| (0..positions).map(move |at| i64::from(row.contains(&at)))).collect();
            assert_eq!(found_mask, mask);
            let most = made.tokens.dims()[1];
            let found: Vec<f32> = numbers(&made.tokens)
                .chunks_exact(hidden)
                .enumerate()
                .filter(|(row, _)| row % most < places[row / most].len())
                .flat_map(|(_, values)| values.to_vec())
                .collect();
            let off = close("tokens", &found, &at_tokens(&stored.floats("tokens_in_place")), 2e-4);

            // The probe at the tokens, side by side.
            let probe = at_tokens(&stored.floats("probe"));
            let mut rows = probe.chunks_exact(hidden);
            let mut values = vec![0.0_f32; batch * most * hidden];
            for (row, tokens) in places.iter().enumerate() {
                for token in 0..tokens.len() {
                    values[(row * most + token) * hidden..][..hidden].copy_from_slice(rows.next().unwrap());
                }
            }
            let probe = burn::tensor::TensorData::new(values, [batch, most, hidden]);
            // This file has no balancing loss, neither as a number nor in its gradients.
            let grads = (made.tokens * Tensor::from_data(probe, &device)).sum().backward();
            let expected = stored.part("grad.");
            let mut worst = close_gradient("x", &numbers(&x.grad(&grads).unwrap()), &expected.floats("x"), 1e-4);
            for (parameter, found) in gradients(&module, &grads) {
                let other = expected.floats(&parameter);
                let found = found.unwrap_or_else(|| vec![0.0; other.len()]);
                worst = worst.max(close_gradient(&parameter, &found, &other, 1e-4));
            }
            println!("{name}, in place: tokens off by {off:e}, gradients by {worst:e} of the largest entry");
        }
    }
}
