//! How fast one training step is: forward, backward, AdamW on random ids. `cargo run --release -p tokbench-model --example speed`
//! with, optionally, device, hidden, batch, tokens, steps and front end (base, mxdna, deep).

use std::time::Instant;

use burn::optim::{AdamWConfig, GradientsParams};
use burn::tensor::{Tensor, TensorData, activation};
use experiment::config::Encoder;
use model::network::{Model, ModelConfig};

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let number = |index: usize, default: usize| words.get(index).and_then(|word| word.parse().ok()).unwrap_or(default);
    let device = model::device::open(words.first().map_or("cpu", String::as_str)).expect("a device").autodiff();
    let (hidden, batch, tokens, steps) = (number(1, 64), number(2, 4), number(3, 254), number(4, 50));
    let frontend = match words.get(5).map(String::as_str) {
        Some("mxdna") => tokenize::Frontend::MxDna(tokenize::MxDna::default()),
        Some("deep") => tokenize::Frontend::Deep(tokenize::Deep::default()),
        _ => tokenize::Frontend::Lookup,
    };
    let encoder = Encoder { hidden, heads: 4, intermediate: 4 * hidden, ..Encoder::default() };
    let config = ModelConfig { vocabulary: 9, frontend, encoder, classes: None };
    let mut model = Model::new(&config, 1, &device);
    let mut optimizer = AdamWConfig::new().init();
    let ids: Vec<i64> = (0..batch * tokens).map(|index| 5 + (index * index * 7 % 11 % 4) as i64).collect();
    let targets: Vec<i64> = (0..(batch * tokens) as i64).filter(|index| index % 7 == 0).collect();
    let count = targets.len();
    let (mut forward, mut backward, mut update) = (0.0, 0.0, 0.0);
    for step in 0..steps + 3 {
        if step == 3 {
            (forward, backward, update) = (0.0, 0.0, 0.0);
        }
        let start = Instant::now();
        let ids = Tensor::from_data(TensorData::new(ids.clone(), [batch, tokens]), &device);
        let noise = model::noise::Noise { seed: 1, step: step as u64 };
        let states = model.states(ids, &vec![tokens; batch], Some(&noise));
        let at = Tensor::from_data(TensorData::new(targets.clone(), [count]), &device);
        let logits = model.logits(states.positions.reshape([batch * tokens, hidden]).select(0, at));
        let mut loss = -activation::log_softmax(logits, 1).mean();
        if let Some(auxiliary) = states.auxiliary {
            loss = loss + auxiliary;
        }
        forward += start.elapsed().as_secs_f64();
        let start = Instant::now();
        let gradients = GradientsParams::from_grads(loss.backward(), &model);
        backward += start.elapsed().as_secs_f64();
        let start = Instant::now();
        model = optimizer.step(1e-3, model, gradients);
        update += start.elapsed().as_secs_f64();
    }
    let each = |seconds: f64| seconds * 1e3 / steps as f64;
    let total = forward + backward + update;
    println!(
        "{} hidden {hidden}, {batch} x {tokens}: {:.1} ms forward, {:.1} backward, {:.1} update; {:.0} tokens/s",
        words.get(5).map_or("base", String::as_str),
        each(forward),
        each(backward),
        each(update),
        (steps * batch * tokens) as f64 / total
    );
}
