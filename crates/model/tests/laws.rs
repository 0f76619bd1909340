//! Invariants of all front ends and encoders, on random weights.

use burn::module::Param;
use burn::optim::{AdamWConfig, GradientsParams};
use burn::tensor::{Device, Int, Tensor, TensorData, s};
use experiment::config::{EncoderConfig, Position};
use model::batch::Batch;
use model::config::ModelConfig;
use model::frontend::deformable::Deformable;
use model::frontend::{Frontend, Route};
use model::layers::Init;
use model::network::{Model, count};
use model::noise::Noise;
use model::position::Rows;
use protocol::layout::SegmentedWindow;
use protocol::masking_plan::Span;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn devices() -> Vec<Device> {
    model::device::available().into_iter().map(|name| model::device::open(name).unwrap()).collect()
}

fn frontends() -> Vec<tokenize::FrontendConfig> {
    let sizes = tokenize::MxDnaConfig { kernel_sizes: vec![1, 2, 3, 5], ..tokenize::MxDnaConfig::default() };
    let pool = tokenize::PoolConfig { bases: 3.4, inner: 11, ..tokenize::PoolConfig::default() };
    let unpooled = tokenize::UnpooledConfig::default();
    let hnet = tokenize::HNetConfig { floor: 3, ..tokenize::HNetConfig::default() };
    vec![
        tokenize::FrontendConfig::Lookup,
        tokenize::FrontendConfig::MxDna(sizes),
        tokenize::FrontendConfig::HNet(hnet),
        tokenize::FrontendConfig::Gbst(tokenize::GbstConfig::default()),
        tokenize::FrontendConfig::Merge(tokenize::MergeConfig::default()),
        tokenize::FrontendConfig::Pool(pool),
        tokenize::FrontendConfig::Unpooled(unpooled),
    ]
}

fn config(frontend: tokenize::FrontendConfig, position: Position) -> ModelConfig {
    let encoder =
        EncoderConfig { hidden: 16, heads: 4, intermediate: 24, position, init_std: 0.3, ..EncoderConfig::default() };
    ModelConfig { vocabulary: 9, frontend, encoder, classes: Some(3) }
}

/// `[CLS] bases [SEP] [PAD]...` of the given lengths, padded to the longest.
fn ids(lengths: &[usize], seed: u64, device: &Device) -> Tensor<2, Int> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let width = lengths.iter().copied().max().unwrap();
    let mut values = Vec::new();
    for &length in lengths {
        let bases = (2..length).map(|_| 5 + i64::from(random.next_u32() % 4));
        values.extend([1].into_iter().chain(bases.collect::<Vec<_>>()).chain([2]));
        values.resize(values.len() + width - length, 3);
    }
    Tensor::from_data(TensorData::new(values, [lengths.len(), width]), device)
}

fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.try_into_vec_as::<f32>().unwrap()
}

fn distance(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn a_sequence_never_depends_on_the_rest_of_its_batch() {
    for (device, frontend) in
        devices().iter().flat_map(|device| frontends().into_iter().map(move |front| (device, front)))
    {
        for position in ["alibi", "alibi-directed", "alibi-directed-reach100-bases"] {
            let position: Position = position.parse().unwrap();
            let mut model = Model::new(&config(frontend.clone(), position), 5, device);
            // With offsets of zero the deformable convolution would not depend on them.
            if let Frontend::MxDna(front) = &mut model.frontend {
                let small = &mut front.tokenization.deformable.small;
                *small = Init::new(9, 0.5, device).normal("small", small.dims());
            }
            let lengths = [9, 31, 5, 2];
            let all = ids(&lengths, 3, device);
            let together = model.states(all.clone(), &lengths, None).positions;
            let classes = model.classify(all.clone(), &lengths, None).0;
            for (row, &length) in lengths.iter().enumerate() {
                let own = all.clone().slice(s![row..row + 1, ..length]);
                let alone = numbers(model.states(own.clone(), &[length], None).positions);
                let batched = numbers(together.clone().slice(s![row..row + 1, ..length]));
                assert!(distance(&alone, &batched) < 2e-5, "{frontend:?} {position:?} row {row}");
                let alone = numbers(model.classify(own, &[length], None).0);
                assert!(distance(&alone, &numbers(classes.clone().slice(s![row..row + 1]))) < 2e-5);
                let padding = numbers(together.clone().slice(s![row..row + 1, length..]));
                assert!(padding.iter().all(|&value| value == 0.0), "states at padding are zero");
            }
        }
    }
}

/// A masked token's place tells nothing about the masked bases: texts that differ only there, with the same number of masked tokens, get the
/// same logits from every tokenizer and front end, with distances in tokens and in bases.
#[test]
fn logits_do_not_depend_on_masked_bases() {
    let device = model::device::open("cpu").unwrap();
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let mut dna =
        |length: usize| -> Vec<u8> { (0..length).map(|_| b"AACTTGTA"[random.next_u32() as usize % 8]).collect() };
    let (training, text) = (dna(400_000), dna(180));
    let spans = [Span::masked(24, 36), Span::masked(96, 108)];
    for name in tokenize::registry::builtin().examples() {
        let recipe = tokenize::registry::builtin().parse(name).unwrap();
        if recipe.check_span(12).is_err() {
            continue;
        }
        let tokenizer = recipe.fit(&mut std::iter::once(&training[..])).unwrap();
        let window = SegmentedWindow::new(&*tokenizer, &text, &spans);
        let counts: Vec<usize> = window.counts().collect();
        // Other bases in the spans with the same number of tokens.
        let mut others = Vec::new();
        for _ in 0..4_000 {
            let mut other = text.clone();
            for span in &spans {
                other[span.start..span.end].copy_from_slice(&dna(12));
            }
            let window = SegmentedWindow::new(&*tokenizer, &other, &spans);
            if window.counts().collect::<Vec<_>>() == counts {
                others.push(window);
            }
            if others.len() == 3 {
                break;
            }
        }
        assert_eq!(others.len(), 3, "{name}");
        for position in ["alibi-directed", "alibi-directed-reach180-bases", "alibi-steep-bases"] {
            let mut config = config(recipe.frontend.clone(), position.parse().unwrap());
            config.vocabulary = tokenizer.vocabulary().len();
            let model = Model::new(&config, 5, &device);
            let logits = |window: &SegmentedWindow| {
                let batch = Batch::new(&[window.step(0)], &device);
                let states = model.states(batch.ids.clone(), batch.rows(), None).positions;
                numbers(model.logits(batch.gather(states), 0..config.vocabulary))
            };
            let expected = logits(&window);
            for other in &others {
                assert_eq!(logits(other), expected, "{name} {position}");
            }
        }
    }
}

/// What scoring computes, only at the targets, is to the last bit what the complete pass has there.
#[test]
fn states_at_places_are_those_of_the_complete_pass() {
    for device in devices() {
        for position in ["alibi-directed", "alibi-directed-reach100-bases", "alibi-bases"] {
            for frontend in frontends() {
                let model = Model::new(&config(frontend.clone(), position.parse().unwrap()), 5, &device);
                let lengths = [90, 41, 70, 3];
                let centers: Vec<Vec<f32>> =
                    lengths.iter().map(|&length| (0..length).map(|at| at as f32 * 1.5).collect()).collect();
                let rows = Rows { lengths: &lengths, centers: Some(&centers) };
                let places = [(2..80).step_by(7).collect(), vec![40], vec![], vec![0, 1, 2]];
                let found = numbers(model.states_at(ids(&lengths, 3, &device), rows, &places));
                let all = model.states(ids(&lengths, 3, &device), rows, None).positions;
                let expected = numbers(model::encoder::at(all, &places));
                assert_eq!(found.len(), expected.len());
                let fused = device == model::device::open("cpu").unwrap();
                if fused {
                    assert_eq!(found, expected, "{frontend:?} {position}");
                }
                assert!(distance(&found, &expected) < 2e-5, "{frontend:?} {position}");
            }
        }
    }
}

/// For single bases distances in bases and in tokens are the same.
#[test]
fn single_bases_are_one_base_apart() {
    for device in devices() {
        for frontend in frontends() {
            let states = |position: &str| {
                let model = Model::new(&config(frontend.clone(), position.parse().unwrap()), 5, &device);
                let lengths = [31, 9];
                let centers: Vec<Vec<f32>> =
                    lengths.iter().map(|&length| (0..length).map(|at| at as f32 - 0.5).collect()).collect();
                let rows = Rows { lengths: &lengths, centers: Some(&centers) };
                numbers(model.states(ids(&lengths, 3, &device), rows, None).positions)
            };
            for name in ["alibi-directed", "alibi", "alibi-directed-reach100"] {
                let off = distance(&states(name), &states(&format!("{name}-bases")));
                // Centres of units are between bases.
                assert!(frontend.pools() || off < 2e-5, "{frontend:?} {name}: {off}");
            }
        }
    }
}

#[test]
fn only_directed_alibi_distinguishes_left_from_right() {
    for device in devices() {
        for (position, symmetric) in [(Position::ALIBI, true), (Position::ALIBI_DIRECTED, false)] {
            let model = Model::new(&config(tokenize::FrontendConfig::Lookup, position), 5, &device);
            let ids = ids(&[40], 3, &device);
            let forward = numbers(model.states(ids.clone(), &[40], None).positions);
            let reversed = model.states(ids.flip([1]), &[40], None).positions.flip([1]);
            let off = distance(&forward, &numbers(reversed));
            assert!(if symmetric { off < 1e-5 } else { off > 1e-2 }, "{position:?}: {off}");
        }
    }
}

#[test]
fn deformable_gradients_equal_finite_differences() {
    for device in devices() {
        let device = device.autodiff();
        let (hidden, taps, lengths) = (4, 3, [9, 6]);
        let init = Init::new(4, 0.4, &device);
        let mut module = Deformable::new(&init, "deformable", hidden, taps);
        module.small = init.normal("small", module.small.dims());
        module.small_bias = init.normal("small_bias", module.small_bias.dims());
        let x = init.normal("x", [2, 9, hidden]).val() * 3.0;
        let probe = init.normal("probe", [2, 9, hidden]).val();
        let loss = |module: &Deformable, x: Tensor<3>| (module.forward(x, &lengths) * probe.clone()).sum();
        let x = x.detach().require_grad();
        let gradients = loss(&module, x.clone()).backward();
        let analytic = numbers(x.grad(&gradients).unwrap());
        let bias = numbers(module.small_bias.val().grad(&gradients).unwrap());
        let at = |values: Vec<f32>| {
            numbers(loss(&module, Tensor::from_data(TensorData::new(values, [2, 9, hidden]), &device)))[0]
        };
        let values = numbers(x);
        let values_of_x = values.clone();
        let step = 1e-3;
        let difference = |index: usize| {
            let moved =
                |by: f32| at(values.iter().enumerate().map(|(i, v)| if i == index { v + by } else { *v }).collect());
            (moved(step) - moved(-step)) / (2.0 * step)
        };
        // The interpolation is not differentiable at integer positions, which some steps may cross: 95 % must agree.
        let good = (0..values.len()).filter(|&index| (difference(index) - analytic[index]).abs() < 2e-2).count();
        assert!(good * 100 >= values.len() * 95, "{good} of {}", values.len());
        for (index, gradient) in bias.iter().enumerate() {
            let moved = |by: f32| {
                let mut module = module.clone();
                let mut values = numbers(module.small_bias.val());
                values[index] += by;
                module.small_bias = Param::from_tensor(Tensor::from_data(TensorData::new(values, [2 * taps]), &device));
                numbers(loss(&module, Tensor::from_data(TensorData::new(values_of_x.clone(), [2, 9, hidden]), &device)))
                    [0]
            };
            let difference = (moved(step) - moved(-step)) / (2.0 * step);
            assert!(
                (difference - gradient).abs() < 3e-2 * gradient.abs().max(1.0),
                "bias {index}: {difference} {gradient}"
            );
        }
    }
}

#[test]
fn units_tile_the_bases_and_training_works_with_unused_experts() {
    for device in devices() {
        let device = device.autodiff();
        let mut model = Model::new(&config(frontends()[1].clone(), Position::ALIBI_DIRECTED), 5, &device);
        let mut optimizer = AdamWConfig::new().init();
        for step in 0..3 {
            let noise = Noise { seed: 2, step };
            // Three bases leave most experts without a unit.
            let lengths = [5, 3];
            let states = model.states(ids(&lengths, step, &device), &lengths, Some(&noise));
            let Route::Units(rows) = &states.route else { panic!("units") };
            for (units, length) in rows.iter().zip(lengths) {
                let mut covered = vec![0; length];
                units
                    .iter()
                    .for_each(|unit| covered[unit.start..][..unit.length].iter_mut().for_each(|times| *times += 1));
                assert_eq!(covered, vec![1; length]);
            }
            let loss = states.positions.powf_scalar(2.0).mean() + states.auxiliary.unwrap();
            let gradients = GradientsParams::from_grads(loss.backward(), &model);
            model = optimizer.step(1e-2, model, gradients);
        }
        let states = model.states(ids(&[8], 1, &device), &[8], None).positions;
        assert!(numbers(states).iter().all(|value| value.is_finite()));
    }
}

#[test]
fn initial_values_depend_on_the_seed_and_are_shared_between_front_ends() {
    let device = model::device::open("cpu").unwrap();
    let built = |front: usize, seed| Model::new(&config(frontends()[front].clone(), Position::ALIBI), seed, &device);
    let first = |model: &Model| numbers(model.encoder.layers[0].qkv.weight.val());
    assert_eq!(first(&built(0, 1)), first(&built(1, 1)));
    assert_ne!(first(&built(0, 1)), first(&built(0, 2)));
    let (front, encoder, head) = built(1, 1).parameters();
    assert_eq!(front + encoder + head, count(&built(1, 1)));
    assert!(built(1, 1).macs(100, 40, 10) > built(0, 1).macs(100, 40, 10));
}

#[test]
fn parameters_and_macs_equal_those_of_dnabert2() {
    // DNABERT-2 as published: parameters of a layer, and multiply-accumulates of the encoder at 512 tokens.
    let device = model::device::open("cpu").unwrap();
    let encoder = EncoderConfig {
        hidden: 768,
        layers: 1,
        heads: 12,
        intermediate: 3072,
        position: Position::ALIBI,
        ..EncoderConfig::default()
    };
    let config = ModelConfig { vocabulary: 10, frontend: tokenize::FrontendConfig::Lookup, encoder, classes: None };
    let model = Model::new(&config, 1, &device);
    assert_eq!(count(&model.encoder), 9_444_096 + 2 * 768);
    assert_eq!(model.macs(512, 512, 0) * 12, 57_982_058_496 + 4_831_838_208);
}
