//! The three downstream heads of DNABERT-2 on top of the encoder.

use burn::tensor::Device;
use model::finetune::Encoded;
use model::fit::Classify;
use model::head::{ContactHead, TokenHead};
use model::layers::{Init, Linear};
use model::network::Model;
use model::published::{Checkpoint, Config};

use crate::files::{self, File, close, numbers, real};

/// The model under `prefix`, and the tensors of its head.
fn loaded(file: &File, prefix: &str, head: &str, folder: &std::path::Path, device: &Device) -> (Model, File) {
    let mut whole = file.part(&format!("{prefix}.param."));
    let own = whole.part(&format!("{head}."));
    // Only a sequence classifier is part of a checkpoint.
    whole.tensors.retain(|name, _| name.starts_with("model.") || head == "sequence_head");
    let text = std::fs::read(&files::listed(folder, "config", ".json")[0]).unwrap();
    let checkpoint = Checkpoint::new(Config::parse(&text).unwrap(), whole.tensors).unwrap();
    (checkpoint.model(device).unwrap(), own)
}

/// The linear layer of a head.
fn decoder(head: &File, device: &Device) -> Linear {
    let [outputs, hidden] = [0, 1].map(|side| head.shape("decoder.weight")[side]);
    let mut linear = Linear::new(&Init::new(1, 1.0, device), "head", hidden, outputs, true);
    files::put(&mut linear.weight, head.transposed("decoder.weight", device));
    files::put(linear.bias.as_mut().unwrap(), head.tensor("decoder.bias", device));
    linear
}

#[test]
fn vectors_of_downstream_heads() {
    for path in files::found("dnabert2", "heads", ".safetensors") {
        let folder = path.parent().unwrap();
        let (file, input) = (File::read(&path), File::read(&files::listed(folder, "masked_lm", ".safetensors")[0]));
        let lengths = input.lengths("attention_mask");
        for (name, device) in files::devices() {
            let ids = || input.ids("input_ids", &device);

            let (model, _) = loaded(&file, "sequence", "sequence_head", folder, &device);
            let rows = input.rows("input_ids", "attention_mask");
            let rows: Vec<Encoded> = rows.into_iter().map(|ids| Encoded { ids, centers: Vec::new() }).collect();
            let rows: Vec<&Encoded> = rows.iter().collect();
            let found = numbers(&Classify::logits(&model, &rows, None, &device).0);
            let sequence = close(&format!("{name}: sequence head"), &found, &file.floats("sequence"), 2e-5);

            let (model, head) = loaded(&file, "token", "token_head", folder, &device);
            let linear = decoder(&head, &device);
            let head = TokenHead { linear: linear.clone() };
            let found = numbers(&head.forward(model.states(ids(), &lengths, None).positions));
            let classes = linear.weight.dims()[1];
            let expected = real(&file.floats("token"), &lengths, classes);
            let token = close(&format!("{name}: token head"), &real(&found, &lengths, classes), &expected, 2e-5);

            let (model, head) = loaded(&file, "contact", "contact_head", folder, &device);
            let linear = decoder(&head, &device);
            let states = model.states(ids(), &lengths, None).positions;
            let found = numbers(&ContactHead { linear }.forward(&states));
            // Pairs without padding: rows and columns at padding are undefined.
            let tokens = input.shape("input_ids")[1];
            let kept = |values: &[f32]| -> Vec<f32> {
                let at = |index: usize| {
                    (index / classes / tokens / tokens, index / classes / tokens % tokens, index / classes % tokens)
                };
                let real = |index: &usize| matches!(at(*index), (row, i, j) if i < lengths[row] && j < lengths[row]);
                (0..values.len()).filter(real).map(|index| values[index]).collect()
            };
            let contact = close(&format!("{name}: contact head"), &kept(&found), &kept(&file.floats("contact")), 2e-5);
            println!("{name}: sequence {sequence:e}, token {token:e}, contact {contact:e}");
        }
    }
}
