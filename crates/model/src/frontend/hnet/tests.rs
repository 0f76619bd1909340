//! Routing, smoothing and ratio loss against their definitions; gradients against differences.

use super::*;
use burn::tensor::Device;

fn tensor<const D: usize>(name: &str, shape: [usize; D], device: &Device) -> Tensor<D> {
    let draws = crate::noise::normal(&mut dataset::stream(3, name), shape.iter().product());
    let values: Vec<f32> = draws.iter().map(|value| *value as f32).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

fn front(device: &Device) -> HNet {
    let encoder = EncoderConfig { hidden: 6, heads: 2, intermediate: 8, init_std: 0.4, ..EncoderConfig::default() };
    let config = HNetConfig { floor: 2, ..HNetConfig::default() };
    let mut front = HNet::new(&Init::new(1, 0.4, device), 9, &config, &encoder);
    // Away from the special initial values.
    for (name, linear) in [("q", &mut front.query), ("k", &mut front.key), ("r", &mut front.residual)] {
        linear.weight = linear.weight.clone().map(|weight| {
            let moved = weight.clone().inner() + tensor(name, [6, 6], &device.clone().without_autodiff()) * 0.4;
            Tensor::from_inner(moved).require_grad()
        });
    }
    front
}

fn values<const D: usize>(tensor: &Tensor<D>) -> Vec<f64> {
    tensor.clone().try_into_vec_as::<f32>().unwrap().into_iter().map(f64::from).collect()
}

/// Routing by its definition, in 64 bits.
#[test]
fn probabilities_are_half_of_one_minus_the_mean_cosine() {
    let device = crate::device::open("cpu").unwrap();
    let states = tensor::<3>("states", [2, 9, 6], &device);
    let at_start = {
        let encoder = EncoderConfig { hidden: 6, heads: 2, intermediate: 8, ..EncoderConfig::default() };
        HNet::new(&Init::new(1, 0.4, &device), 9, &HNetConfig::default(), &encoder)
    };
    let found = values(&at_start.probabilities(states.clone(), &[9, 6]));
    let all = values(&states);
    let state = |row: usize, at: usize| &all[(row * 9 + at) * 6..][..6];
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    for (row, length) in [(0, 9), (1, 6)] {
        for at in 0..9 {
            let expected = match at {
                _ if at >= length => 0.0,
                0 | 1 => 1.0,
                _ if at + 1 == length => 1.0,
                // The identity: both products are the cosine.
                _ => {
                    let (a, b) = (state(row, at - 1), state(row, at));
                    (1.0 - dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()) / 2.0
                }
            };
            assert!((found[row * 9 + at] - expected).abs() < 1e-6, "{row} {at}: {} {expected}", found[row * 9 + at]);
        }
    }
}

#[test]
fn units_start_where_the_probability_is_above_one_half_and_are_not_fewer_than_the_floor() {
    let starts =
        |p: &[f32], floor| units(p, p.len(), floor).iter().map(|unit| (unit.start, unit.length)).collect::<Vec<_>>();
    let p = [1.0, 1.0, 0.2, 0.9, 0.5, 0.4, 0.51, 1.0];
    assert_eq!(starts(&p, 1), [(0, 1), (1, 2), (3, 3), (6, 1), (7, 1)], "a tie starts no unit");
    assert_eq!(starts(&p, 5), [(0, 1), (1, 2), (3, 1), (4, 1), (5, 1), (6, 1), (7, 1)]);
    assert_eq!(starts(&p, 99).len(), 8);
    assert_eq!(starts(&[1.0, 1.0], 3), [(0, 1), (1, 1)]);
    assert_eq!(starts(&[1.0], 3), [(0, 1)]);
    assert!(units(&[], 0, 3).is_empty());
}

/// The closed form of the smoothing against the recurrence, in 64 bits.
#[test]
fn smoothing_is_the_mean_of_both_recurrences() {
    let device = crate::device::open("cpu").unwrap();
    let (tokens, lengths) = (70, [70, 41]);
    let p = tensor::<2>("p", [2, tokens], &device).abs().clamp(0.0, 1.0);
    let x = tensor::<3>("x", [2, tokens, 3], &device);
    let real = (0..2 * tokens).map(|at| f32::from(u8::from(at % tokens < lengths[at / tokens])));
    let real = Tensor::from_data(TensorData::new(real.collect::<Vec<f32>>(), [2, tokens]), &device);
    let found = values(&smoothing(p.clone(), real).matmul(x.clone()));
    let (p, x) = (values(&p), values(&x));
    for (row, length) in lengths.into_iter().enumerate() {
        let p = |unit: usize| p[row * tokens + unit].clamp(CLAMP.0, CLAMP.1);
        for feature in 0..3 {
            let x = |unit: usize| x[(row * tokens + unit) * 3 + feature];
            let (mut left, mut right) = (vec![0.0; length], vec![0.0; length]);
            for unit in 0..length {
                left[unit] = p(unit) * x(unit) + (1.0 - p(unit)) * if unit == 0 { 0.0 } else { left[unit - 1] };
            }
            for unit in (0..length).rev() {
                right[unit] =
                    p(unit) * x(unit) + (1.0 - p(unit)) * if unit + 1 == length { 0.0 } else { right[unit + 1] };
            }
            for unit in 0..length {
                let (found, expected) = (found[(row * tokens + unit) * 3 + feature], (left[unit] + right[unit]) / 2.0);
                assert!((found - expected).abs() < 1e-5, "{row} {unit}: {found} {expected}");
            }
        }
    }
}

/// One at F = G = 1 / N, the least on the line F = G.
#[test]
fn ratio_loss_is_one_at_the_target() {
    let device = crate::device::open("cpu").unwrap();
    let loss = |starts: usize, mean: f32, target: f64| {
        let p = Tensor::full([1, 22], mean, &device);
        let unit = Unit { center: 0, start: 0, length: 1 };
        values(&ratio(&p, &[vec![unit; starts + 2]], &[22], target).unwrap())[0]
    };
    assert!((loss(5, 0.25, 4.0) - 1.0).abs() < 1e-6);
    assert!(loss(10, 0.5, 4.0) > 1.05 && loss(2, 0.1, 4.0) > 1.01);
    assert!(ratio(&Tensor::ones([1, 2], &device), &[Vec::new()], &[2], 4.0).is_none());
}

/// Gradients against differences: of the parameters behind the routing through smoothing and decoder, of the routing through a function of its
/// probabilities; those of the smoothing and of the ratio loss are tested below.
#[test]
fn gradients_equal_differences() {
    let device = crate::device::open("cpu").unwrap().autodiff();
    let front = front(&device);
    let ids = || Tensor::<2, Int>::from_data([[2, 5, 6, 7, 8, 8, 5, 6, 3], [2, 8, 7, 5, 6, 3, 0, 0, 0]], &device);
    let lengths = [9, 6];
    let rows = || Rows { lengths: &lengths, centers: None };
    let probe = tensor::<3>("probe", [2, 9, 6], &device);
    let loss = |front: &HNet| {
        let Embedded { tokens, route, skip, auxiliary, .. } = front.embed(ids(), rows(), None);
        let Route::Units(units) = &route else { panic!("units") };
        let out = front.restore(tokens * 1.5, units, skip.unwrap(), rows(), None);
        ((out * probe.clone()).sum().reshape([1]) + auxiliary.unwrap() * 30.0, route)
    };
    let (value, route) = loss(&front);
    let gradients = value.backward();
    // A straight-through factor has a gradient that no difference shows: it is left out by the route of probabilities through it.
    let check = |name: &str, gradient: Tensor<2>, changed: &dyn Fn(usize, f64) -> HNet, tolerance: f64| {
        let found = values(&gradient);
        let largest = found.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
        for at in (0..found.len()).step_by(5) {
            let step = 3e-3;
            let ((above, one), (below, two)) = (loss(&changed(at, step)), loss(&changed(at, -step)));
            assert!(one == route && two == route, "{name}: another segmentation");
            let difference = (values(&above)[0] - values(&below)[0]) / (2.0 * step);
            assert!(
                (difference - found[at]).abs() <= tolerance * largest.max(1.0),
                "{name} {at}: {difference} {}",
                found[at]
            );
        }
    };
    let moved = |weight: &Tensor<2>, at: usize, step: f64| {
        let [rows, columns] = weight.dims();
        let mut change = vec![0.0_f32; rows * columns];
        change[at] = step as f32;
        let change = Tensor::from_data(TensorData::new(change, [rows, columns]), &device.clone().without_autodiff());
        Tensor::from_inner(weight.clone().inner() + change).require_grad()
    };
    macro_rules! parameter {
        ($name:expr, $($path:tt)+) => {
            let gradient = front.$($path)+.val().grad(&gradients).map(Tensor::from_inner).unwrap();
            let changed = |at: usize, step: f64| {
                let mut other = front.clone();
                other.$($path)+ = other.$($path)+.clone().map(|weight| moved(&weight, at, step));
                other
            };
            check($name, gradient, &changed, 2e-2);
        };
    }
    parameter!("residual", residual.weight);
    parameter!("down", decoder[0].down.weight);
    parameter!("up", decoder[0].up.weight);
    parameter!("qkv", decoder[0].qkv.weight);
    // The straight-through estimator adds to the gradient of p: Σ over positions of ± dL/d(factor), which has no difference. So the routing
    // is checked without it.
    let smooth = |front: &HNet| {
        let states = front.nucleotides.forward(ids(), rows(), None);
        let p = front.probabilities(states, &lengths);
        (p.clone() * p).sum().reshape([1])
    };
    let gradients = smooth(&front).backward();
    for (name, which) in [("query", 0), ("key", 1)] {
        let pick = |front: &HNet| if which == 0 { front.query.weight.clone() } else { front.key.weight.clone() };
        let found = values(&pick(&front).val().grad(&gradients).unwrap());
        for (at, found) in found.iter().enumerate() {
            let with = |step: f64| {
                let mut other = front.clone();
                let weight = pick(&other).map(|weight| moved(&weight, at, step));
                if which == 0 {
                    other.query.weight = weight;
                } else {
                    other.key.weight = weight;
                }
                values(&smooth(&other))[0]
            };
            let difference = (with(3e-3) - with(-3e-3)) / 6e-3;
            assert!((difference - found).abs() < 3e-3, "{name} {at}: {difference} {found}");
        }
    }
}

/// The factor is 1, and its gradient reaches the probabilities with the sign of the choice.
#[test]
fn the_choice_has_a_straight_through_gradient() {
    let device = crate::device::open("cpu").unwrap().autodiff();
    let front = front(&device);
    let lengths = [9];
    let rows = Rows { lengths: &lengths, centers: None };
    let ids = Tensor::<2, Int>::from_data([[2, 5, 6, 7, 8, 8, 5, 6, 3]], &device);
    let Embedded { tokens, route, skip, .. } = front.embed(ids, rows, None);
    let Route::Units(route) = &route else { panic!("units") };
    let units = &route[0];
    let skip = skip.unwrap();
    let p = skip.probabilities.clone().unwrap().detach().require_grad();
    let skip = Skip { states: skip.states.detach(), probabilities: Some(p.clone()) };
    let front = HNet { decoder: Vec::new(), ..front };
    let out = front.restore(tokens.detach(), route, skip, rows, None);
    let gradient = values(&p.grad(&out.clone().sum().backward()).unwrap());
    let inside: Vec<usize> = (2..8).filter(|at| units.iter().all(|unit| unit.start != *at)).collect();
    assert!(!inside.is_empty() && units.len() > 3, "{units:?}");
    // Inside a unit only the choice depends on p: minus the sum of the copied state.
    let residual = values(
        &front.residual.forward(
            front
                .nucleotides
                .forward(Tensor::<2, Int>::from_data([[2, 5, 6, 7, 8, 8, 5, 6, 3]], &device), rows, None)
                .reshape([9, 6]),
        ),
    );
    let all = values(&out);
    for at in inside {
        let copied: f64 = (0..6).map(|feature| all[at * 6 + feature] - residual[at * 6 + feature]).sum();
        assert!((gradient[at] + copied).abs() < 1e-4, "{at}: {} {copied}", gradient[at]);
    }
}

/// Gradients of the smoothing and of the ratio loss with respect to the probabilities, against differences.
#[test]
fn smoothing_and_ratio_loss_have_the_gradients_of_differences() {
    let device = crate::device::open("cpu").unwrap().autodiff();
    let inner = device.clone().without_autodiff();
    let start: Vec<f32> = (0..10).map(|at| 0.15 + 0.07 * at as f32).collect();
    let probabilities =
        |values: &[f32]| Tensor::<2>::from_data(TensorData::new(values.to_vec(), [2, 5]), &device).require_grad();
    let real = Tensor::from_data(
        TensorData::new([1.0_f32, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0].to_vec(), [2, 5]),
        &device,
    );
    let (x, probe) = (tensor::<3>("x", [2, 5, 3], &inner), tensor::<3>("probe", [2, 5, 3], &inner));
    let (x, probe) = (Tensor::from_inner(x), Tensor::from_inner(probe));
    let unit = Unit { center: 0, start: 0, length: 1 };
    let loss = |p: &Tensor<2>| {
        let smoothed = (smoothing(p.clone(), real.clone()).matmul(x.clone()) * probe.clone()).sum().reshape([1]);
        smoothed + ratio(p, &[vec![unit; 4], vec![unit; 3]], &[5, 3], 4.0).unwrap() * 3.0
    };
    let p = probabilities(&start);
    let found = values(&p.grad(&loss(&p).backward()).unwrap());
    for at in 0..10 {
        let with = |step: f32| {
            let mut moved = start.clone();
            moved[at] += step;
            values(&loss(&probabilities(&moved)))[0]
        };
        let difference = (with(2e-3) - with(-2e-3)) / 4e-3;
        assert!((difference - found[at]).abs() < 5e-3, "{at}: {difference} {}", found[at]);
    }
}
