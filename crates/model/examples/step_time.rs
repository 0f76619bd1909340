//! Measures the time of one step of the shared encoder; prints a JSON line, to compare with the same model in PyTorch.
//!
//! ```text
//! cargo run --release --workspace --example step_time -- --device cpu --size small --what mlm --batch 16 --tokens 128
//! ```
//!
//! `--size small` has 4 layers of width 256, `base` is DNABERT-2 (12 layers of width 768), `comparison` has 2 layers of 64 as `tokbench compare` by
//! default. `--dtype bf16` computes products in bfloat16, on the devices of LibTorch. `--what forward` is a forward pass
//! without autodiff; `mlm` adds the masked-language-model loss on 15 % of the positions, the backward pass and AdamW; `classify` is such a step
//! with the sequence head on \[CLS\] and two classes. `--products true` computes nothing but the matrix products of the linear layers in such a
//! step, on matrices of their own: what a step would take if all else were free. Input
//! are random ids from a vocabulary of 4096, sequences of equal length. Every step ends by copying its loss to the host,
//! so that the device has finished.

use std::collections::HashMap;
use std::time::Instant;

use burn::optim::GradientsParams;
use burn::tensor::{Device, Int, Tensor, TensorData, activation, s};
use experiment::config::{Dtype, EncoderConfig, Position};
use model::config::ModelConfig;
use model::network::Model;
use model::noise::Noise;
use model::optimize::{self, Settings};
use rand::Rng;

const VOCABULARY: usize = 4096;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(pair) = arguments.chunks(2).find(|pair| pair[0] == "--threads") {
        let Some(threads) = pair.get(1).and_then(|number| number.parse().ok()) else {
            eprintln!("error: --threads must be a number");
            std::process::exit(2);
        };
        model::device::threads(threads);
    }
    // On a thread of the pool, as `tokbench` computes.
    if let Err(message) = rayon::scope(|_| measure(&arguments).map_err(|error| error.to_string())) {
        eprintln!("error: {message}");
        std::process::exit(2);
    }
}

fn measure(arguments: &[String]) -> Result<(), Box<dyn std::error::Error>> {
    let given: HashMap<&str, &str> = arguments
        .chunks(2)
        .map(|pair| match pair {
            [name, value] => name.strip_prefix("--").map(|name| (name, value.as_str())).ok_or(name),
            _ => Err(&pair[0]),
        })
        .collect::<Result<_, _>>()
        .map_err(|argument| format!("invalid argument \"{argument}\": options have the form --NAME VALUE"))?;
    let text = |name: &str, default: &'static str| given.get(name).map_or(default, |value| *value).to_owned();
    let number = |name: &str, default: &'static str| text(name, default).parse::<usize>();
    let (name, size, what) = (text("device", "cpu"), text("size", "small"), text("what", "mlm"));
    let (batch, tokens) = (number("batch", "16")?, number("tokens", "128")?);
    let (steps, warmup) = (number("iters", "8")?, number("warmup", "2")?);
    let dropout: f64 = text("dropout", "0.1").parse()?;
    let (layers, hidden, heads, intermediate) = match size.as_str() {
        "small" => (4, 256, 4, 1024),
        "base" => (12, 768, 12, 3072),
        "comparison" => (2, 64, 4, 256),
        _ => return Err(format!("invalid --size {size}: must be small, base or comparison").into()),
    };
    let dtype = match text("dtype", "f32").as_str() {
        "f32" => Dtype::F32,
        "bf16" => Dtype::Bf16,
        other => return Err(format!("invalid --dtype {other}: must be f32 or bf16").into()),
    };
    let only_products: bool = text("products", "false").parse()?;
    if !["forward", "mlm", "classify"].contains(&what.as_str()) {
        return Err(format!("invalid --what {what}: must be forward, mlm or classify").into());
    }
    let inference = model::device::open(&name)?;
    let device = if what == "forward" { inference } else { inference.autodiff() };
    let encoder = EncoderConfig {
        layers,
        hidden,
        heads,
        intermediate,
        dropout,
        position: Position::ALIBI,
        dtype,
        ..EncoderConfig::default()
    };
    let frontend = tokenize::FrontendConfig::Lookup;
    let classes = (what == "classify").then_some(2);
    let config = ModelConfig { vocabulary: VOCABULARY, frontend, encoder, classes };
    let mut times = Vec::new();
    let print = |last: f32, times: &mut [f64]| {
        times.sort_by(f64::total_cmp);
        let median = times.get(times.len() / 2).copied().unwrap_or(f64::NAN);
        println!(
            "{}",
            serde_json::json!({
                "who": "tokbench", "device": name, "size": size, "what": what, "batch": batch, "tokens": tokens,
                "dropout": dropout, "iters": steps, "median_ms": (median * 100.0).round() / 100.0, "products": only_products,
                "min_ms": times.first().map(|least| (least * 100.0).round() / 100.0),
                "tokens_per_s": ((batch * tokens) as f64 / median * 1e3).round(), "loss": last,
            })
        );
    };
    if only_products {
        let head = if what == "classify" { batch } else { (batch * tokens * 15 / 100).max(1) };
        let operands = operands(&config, &what, batch * tokens, head, &device.clone().without_autodiff());
        for step in 0..warmup + steps {
            let began = Instant::now();
            let mut last = f32::NAN;
            for [x, w] in &operands {
                last = x.clone().matmul(w.clone()).slice(s![0..1, 0..1]).into_scalar::<f32>();
            }
            if step >= warmup {
                times.push(began.elapsed().as_secs_f64() * 1e3);
            }
            if step + 1 == warmup + steps {
                print(last, &mut times);
            }
        }
        return Ok(());
    }
    let mut model = Model::new(&config, 1, &device);
    let mut optimizer = optimize::adamw(&Settings { beta1: 0.9, beta2: 0.98, epsilon: 1e-6, weight_decay: 1e-5 });
    let mut stream = dataset::stream(1, "step_time");
    let mut draw = |count: usize, below: usize| -> Vec<i64> {
        (0..count).map(|_| 5 + (stream.next_u64() % (below as u64 - 5)) as i64).collect()
    };
    let ids = Tensor::<2, Int>::from_data(TensorData::new(draw(batch * tokens, VOCABULARY), [batch, tokens]), &device);
    let targets = (batch * tokens * 15 / 100).max(1);
    let rows: Vec<i64> = (0..targets).map(|row| (row * batch * tokens / targets) as i64).collect();
    let rows = Tensor::<1, Int>::from_data(TensorData::new(rows, [targets]), &device);
    let truth = Tensor::<2, Int>::from_data(TensorData::new(draw(targets, VOCABULARY), [targets, 1]), &device);
    let lengths = vec![tokens; batch];
    let alternating: Vec<i64> = (0..batch as i64).map(|row| row % 2).collect();
    let classes_of_rows = Tensor::<2, Int>::from_data(TensorData::new(alternating, [batch, 1]), &device);

    let mut last = 0.0;
    for step in 0..warmup + steps {
        let began = Instant::now();
        if what == "forward" {
            let states = model.states(ids.clone(), &lengths, None).positions;
            last = states.abs().mean().into_scalar::<f32>();
        } else {
            let noise = Noise { seed: 1, step: step as u64 };
            let log = if what == "mlm" {
                let states = model.states(ids.clone(), &lengths, Some(&noise)).positions;
                let gathered = states.reshape([batch * tokens, hidden]).select(0, rows.clone());
                activation::log_softmax(model.logits(gathered, 0..VOCABULARY), 1).gather(1, truth.clone())
            } else {
                let (logits, _) = model.classify(ids.clone(), &lengths, Some(&noise));
                activation::log_softmax(logits, 1).gather(1, classes_of_rows.clone())
            };
            let loss = log.mean().neg();
            let gradients = GradientsParams::from_grads(loss.backward(), &model);
            model = optimizer.step(5e-4, model, gradients);
            // Copying a weight to the host waits for the whole step.
            let _ = model.encoder.norm.beta.val().slice(s![0..1]).into_data();
            last = loss.into_scalar::<f32>();
        }
        if step >= warmup {
            times.push(began.elapsed().as_secs_f64() * 1e3);
        }
    }
    print(last, &mut times);
    Ok(())
}

/// The operands of the matrix products of the linear layers in a step on `rows` positions, `head` of them in the head.
fn operands(config: &ModelConfig, what: &str, rows: usize, head: usize, device: &Device) -> Vec<[Tensor<2>; 2]> {
    let EncoderConfig { layers, hidden, intermediate, .. } = config.encoder;
    let layer = [
        (rows, hidden, 3 * hidden),
        (rows, hidden, hidden),
        (rows, hidden, 2 * intermediate),
        (rows, intermediate, hidden),
    ];
    let mut linear: Vec<_> = (0..layers).flat_map(|_| layer).collect();
    match what {
        "mlm" => linear.extend([(head, hidden, hidden), (head, hidden, config.vocabulary)]),
        "classify" => linear.push((head, hidden, hidden)),
        _ => {}
    }
    let matrix = |rows, columns| Tensor::<2>::full([rows, columns], 0.01, device);
    let mut operands = Vec::new();
    for (rows, inputs, outputs) in linear {
        let (x, w) = (matrix(rows, inputs), matrix(inputs, outputs));
        if what != "forward" {
            let gradient = matrix(rows, outputs);
            operands.push([gradient.clone(), w.clone().transpose()]);
            operands.push([x.clone().transpose(), gradient]);
        }
        operands.push([x, w]);
    }
    operands
}
