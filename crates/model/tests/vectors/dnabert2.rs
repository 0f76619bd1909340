//! DNABERT-2: states, logits, loss, gradients, eight AdamW steps, and the three weight files.

use std::path::Path;

use burn::optim::{AdamWConfig, GradientsParams};
use burn::tensor::{DType, Device, Tensor};
use experiment::config::Dtype;
use model::batch::{self, Batch};
use model::frontend::Frontend;
use model::network::Model;
use model::predict::Predictor;
use model::published::Checkpoint;
use model::score::Predict;
use protocol::candidates::Constraint;
use protocol::code_length::softmax_bits;
use protocol::layout::{Layout, Target};

use crate::files::{self, File, close, close_gradient, numbers, real};

/// The inputs of a file as layouts. Targets are the labeled positions or, if `all` (to compare logits), all positions.
fn layouts(file: &File, all: bool) -> Vec<Layout> {
    let width = file.shape("labels")[1];
    let (labels, inputs) = (file.ints("labels"), file.rows("input_ids", "attention_mask"));
    let rows = inputs.into_iter().zip(labels.chunks_exact(width));
    let row = |(ids, labels): (Vec<u32>, &[i64])| {
        let positions = (0..ids.len()).filter(|&position| all || labels[position] >= 0);
        let target = |position: usize| {
            let token = u32::try_from(labels[position]).unwrap_or(0);
            Target { position, token, span: 0, order: 0, constraint: Constraint::ANY }
        };
        Layout { targets: positions.map(target).collect(), ids, centers: Vec::new(), masked: 0 }
    };
    rows.map(row).collect()
}

/// States of the positions and the mean cross-entropy of a training step with a softmax over all ids.
struct ForwardPass {
    positions: Tensor<3>,
    loss: Tensor<1>,
}

fn forward(model: &Model, file: &File, device: &Device) -> ForwardPass {
    let batch = Batch::new(&layouts(file, false), device);
    let ids = 0..model.head.bias.dims()[0];
    let positions = model.states(batch.ids.clone(), &batch.lengths, None).positions;
    let logits = model.logits(batch.gather(positions.clone()), ids.clone());
    ForwardPass { positions, loss: batch::loss(logits, &batch.tokens, &ids, None) / batch.tokens.len() as f64 }
}

fn loaded(path: &Path, device: &Device) -> Model {
    let folder = crate::published::folder(path);
    let read = Checkpoint::read(folder.path()).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    read.model(device).unwrap()
}

fn weight_files(folder: &Path) -> Vec<std::path::PathBuf> {
    [files::listed(folder, "model", ".safetensors"), files::listed(folder, "pytorch_model", ".bin")].concat()
}

#[test]
fn vectors_states_logits_and_loss() {
    for path in files::found("dnabert2", "masked_lm", ".safetensors") {
        let file = File::read(&path);
        let lengths = file.lengths("attention_mask");
        for (name, device) in files::devices() {
            let mut first: Option<Vec<f32>> = None;
            for weights in weight_files(path.parent().unwrap()) {
                let model = loaded(&weights, &device);
                let ForwardPass { positions, loss } = forward(&model, &file, &device);
                let hidden = positions.dims()[2];
                let batch = Batch::new(&layouts(&file, false), &device);
                let mut worst = 0.0_f32;
                for depth in 0..=model.encoder.layers.len() {
                    let mut truncated = model.clone();
                    truncated.encoder.layers.truncate(depth);
                    let states = numbers(&truncated.states(batch.ids.clone(), &batch.lengths, None).positions);
                    let expected = real(&file.floats(&format!("hidden_states.{depth}")), &lengths, hidden);
                    worst = worst.max(close(
                        &format!("{name}: states {depth}"),
                        &real(&states, &lengths, hidden),
                        &expected,
                        2e-5,
                    ));
                }
                let whole = numbers(&positions);
                // Logits and code length as in scoring.
                let vocabulary = model.head.bias.dims()[0];
                let scored = Predictor::new(&model, &device);
                let logits = scored.logits(&layouts(&file, true), 0..vocabulary).unwrap();
                let expected = real(&file.floats("logits"), &lengths, vocabulary);
                let off = close(&format!("{name}: logits"), &logits, &expected, 2e-5);
                let labeled = layouts(&file, false);
                let rows = scored.logits(&labeled, 0..vocabulary).unwrap();
                let tokens: Vec<u32> = labeled.iter().flat_map(|layout| &layout.targets).map(|t| t.token).collect();
                let targets = rows.chunks_exact(vocabulary).zip(&tokens);
                let bits: f64 = targets.map(|(row, &token)| softmax_bits(row, token as usize)).sum();
                let nats = (bits * std::f64::consts::LN_2 / tokens.len() as f64) as f32;
                close(&format!("{name}: bits"), &[nats], &file.floats("loss"), 1e-5);
                let loss = close(&format!("{name}: loss"), &numbers(&loss), &file.floats("loss"), 1e-5);
                println!("{name} {}: states {worst:e}, logits {off:e}, loss {loss:e}", weights.display());
                match &first {
                    Some(first) => assert_eq!(*first, whole, "{} gives other states", weights.display()),
                    None => first = Some(whole),
                }
            }
        }
    }
}

#[test]
fn vectors_gradients_of_every_parameter() {
    for path in files::found("dnabert2", "masked_lm", ".safetensors") {
        let file = File::read(&path);
        for (name, device) in files::devices() {
            // LibTorch's attention is right, and so it is used.
            let is_used = |dtype| model::fused::is_libtorch_attention(&device, dtype, 4);
            assert_eq!([is_used(DType::F32), is_used(DType::BF16)], [name != "cpu"; 2]);
            let device = device.autodiff();
            let model = loaded(&weight_files(path.parent().unwrap())[0], &device);
            let gradients = forward(&model, &file, &device).loss.backward();
            let mut worst = 0.0_f32;
            let mut expected = file.part("grad.");
            let mut check = |name: String, found: Vec<f32>| {
                let stored = expected.floats(&name);
                worst = worst.max(close_gradient(&name, &found, &stored, 1e-4));
                expected.tensors.remove(&name);
            };
            let of = |tensor: &Tensor<1>| numbers(&tensor.grad(&gradients).unwrap());
            let matrix = |tensor: &Tensor<2>| numbers(&tensor.grad(&gradients).unwrap().transpose());
            let Frontend::Lookup(lookup) = &model.frontend else { panic!("not a lookup") };
            let (embedding, hidden) = ("model.embeddings", lookup.embedding.weight.dims()[1]);
            let rows = numbers(&lookup.embedding.weight.val().grad(&gradients).unwrap());
            check(format!("{embedding}.word_embeddings.weight"), rows);
            // Row 1 of the token types is not used, so its gradient is zero.
            let mut types = of(&lookup.segment.as_ref().unwrap().val());
            types.resize(2 * hidden, 0.0);
            check(format!("{embedding}.token_type_embeddings.weight"), types);
            let mut norm = |name: String, norm: &model::layers::LayerNorm| {
                check(format!("{name}.weight"), of(&norm.gamma.val()));
                check(format!("{name}.bias"), of(&norm.beta.val()));
            };
            norm(format!("{embedding}.layer_norm"), &model.encoder.norm);
            norm("lm_head.transform.layer_norm".to_owned(), &model.head.norm);
            for (number, layer) in model.encoder.layers.iter().enumerate() {
                let prefix = format!("model.encoder.layer.{number}");
                norm(format!("{prefix}.attention.output.layer_norm"), &layer.attention_norm);
                norm(format!("{prefix}.mlp.layer_norm"), &layer.norm);
            }
            for (number, layer) in model.encoder.layers.iter().enumerate() {
                let prefix = format!("model.encoder.layer.{number}");
                let (weight, bias) = (matrix(&layer.qkv.weight.val()), of(&layer.qkv.bias.as_ref().unwrap().val()));
                for (third, part) in ["query", "key", "value"].into_iter().enumerate() {
                    let rows = third * hidden..(third + 1) * hidden;
                    check(
                        format!("{prefix}.attention.self.{part}.weight"),
                        weight[rows.start * hidden..rows.end * hidden].to_vec(),
                    );
                    check(format!("{prefix}.attention.self.{part}.bias"), bias[rows].to_vec());
                }
                check(format!("{prefix}.attention.output.dense.weight"), matrix(&layer.output.weight.val()));
                check(format!("{prefix}.attention.output.dense.bias"), of(&layer.output.bias.as_ref().unwrap().val()));
                check(format!("{prefix}.mlp.up_proj.weight"), matrix(&layer.up.weight.val()));
                check(format!("{prefix}.mlp.down_proj.weight"), matrix(&layer.down.weight.val()));
                check(format!("{prefix}.mlp.down_proj.bias"), of(&layer.down.bias.as_ref().unwrap().val()));
            }
            check("lm_head.transform.dense.weight".to_owned(), matrix(&model.head.dense.weight.val()));
            check("lm_head.transform.dense.bias".to_owned(), of(&model.head.dense.bias.as_ref().unwrap().val()));
            check("lm_head.bias".to_owned(), of(&model.head.bias.val()));
            assert!(expected.tensors.is_empty(), "not compared: {:?}", expected.tensors.keys());
            println!("{name}: gradients off by {worst:e} of the largest entry");
        }
    }
}

/// The loss before each of some AdamW steps, with the hyperparameters from the README of the vectors, and the model after them.
fn adamw_losses(mut model: Model, file: &File, steps: usize, device: &Device) -> (Vec<f32>, Model) {
    let settings = AdamWConfig::new().with_beta_1(0.9).with_beta_2(0.98).with_epsilon(1e-6).with_weight_decay(1e-2);
    let (mut optimizer, mut losses) = (settings.init(), Vec::new());
    for _ in 0..steps {
        let loss = forward(&model, file, device).loss;
        losses.extend(numbers(&loss));
        let gradients = GradientsParams::from_grads(loss.backward(), &model);
        model = optimizer.step(1e-3, model, gradients);
    }
    (losses, model)
}

#[test]
fn vectors_eight_adamw_steps() {
    for path in files::found("dnabert2", "masked_lm", ".safetensors") {
        let file = File::read(&path);
        for (name, device) in files::devices() {
            let device = device.autodiff();
            let model = loaded(&weight_files(path.parent().unwrap())[0], &device);
            let expected = file.floats("adamw_losses");
            let (losses, _) = adamw_losses(model, &file, expected.len(), &device);
            let worst = close(&format!("{name}: AdamW losses"), &losses, &expected, 1e-4);
            println!("{name}: AdamW losses off by {worst:e}");
        }
    }
}

/// Mixed precision: products in bfloat16, whose unit roundoff is 2^-8, on the devices that have them.
#[test]
fn vectors_eight_adamw_steps_in_bf16() {
    for path in files::found("dnabert2", "masked_lm", ".safetensors") {
        let file = File::read(&path);
        for (name, device) in files::devices() {
            let device = device.autodiff();
            let mut model = loaded(&weight_files(path.parent().unwrap())[0], &device);
            for layer in &mut model.encoder.layers {
                for linear in [&mut layer.qkv, &mut layer.output, &mut layer.up, &mut layer.down] {
                    linear.dtype = Dtype::Bf16;
                }
            }
            model.head.dense.dtype = Dtype::Bf16;
            let expected = file.floats("adamw_losses");
            let (losses, model) = adamw_losses(model, &file, expected.len(), &device);
            let worst = close(&format!("{name}: AdamW losses in bf16"), &losses, &expected, 5e-3);
            // The pure-Rust device has no such products, and computes in f32.
            assert_eq!(worst < 1e-4, name == "cpu", "{name}: {worst:e}");
            assert_eq!(model.encoder.layers[0].qkv.weight.val().dtype(), DType::F32);
            println!("{name}: AdamW losses in bf16 off by {worst:e}");
        }
    }
}
