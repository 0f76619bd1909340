//! Merges against their definition; vectors as means; gradients of the relaxed weights against differences.

use super::*;
use burn::tensor::Device;

fn tensor<const D: usize>(name: &str, shape: [usize; D], device: &Device) -> Tensor<D> {
    let draws = crate::noise::normal(&mut dataset::stream(3, name), shape.iter().product());
    let values: Vec<f32> = draws.iter().map(|value| *value as f32).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

fn front(device: &Device) -> Merge {
    let encoder = EncoderConfig { hidden: 4, heads: 2, intermediate: 6, ..EncoderConfig::default() };
    let config = MergeConfig { window: 6, bases: 2, projection: 3, ..MergeConfig::default() };
    Merge::new(&Init::new(1, 0.6, device), 9, &config, &encoder)
}

fn values<const D: usize>(tensor: &Tensor<D>) -> Vec<f64> {
    tensor.clone().try_into_vec_as::<f32>().unwrap().into_iter().map(f64::from).collect()
}

#[test]
fn windows_cover_all_bases() {
    let of = |length, window| windows(length, window).collect::<Vec<_>>();
    assert_eq!(of(9, 3), [(1, 3), (4, 3), (7, 1)]);
    assert_eq!(of(5, 16), [(1, 3)]);
    assert!(of(2, 16).is_empty() && of(1, 16).is_empty() && of(0, 16).is_empty());
}

/// The plane: similarity is the angle. Two pairs per round, none of which shares a token; sums of merged vectors have their own angle.
#[test]
fn the_most_similar_neighbours_are_merged_first() {
    let at = |degrees: f64| [degrees.to_radians().cos() as f32, degrees.to_radians().sin() as f32];
    let bases = [0.0, 40.0, 50.0, 55.0, 90.0, 91.0].map(at).concat();
    // Round 1: 90 and 91, then 50 and 55. Round 2 of 0, 40, (50 55), (90 91): 40 and (50 55), which the two other pairs have a token of. Round 3
    // of 0, (40 50 55), (90 91): the latter two.
    let found = merge(&bases, 2, 2, 2);
    assert_eq!(found.merges, [(4, 1, 1), (2, 1, 1), (1, 1, 2), (1, 3, 2)]);
    assert_eq!(found.sizes, [1, 5]);
    assert_eq!(merge(&bases, 2, 3, 2).sizes, [1, 3, 2]);
    assert_eq!(merge(&bases, 2, 5, 2).sizes, [1, 1, 1, 1, 2], "no more than needed");
    assert_eq!(merge(&bases, 2, 5, 2).units().map(|unit| unit.start).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    // Equal similarities: from the left.
    let equal = [at(10.0); 5].concat();
    assert_eq!(merge(&equal, 2, 3, 2).merges, [(2, 1, 1), (0, 1, 1)]);
}

/// Units tile the sequence in windows of 6, one for two bases; a vector is the mean of the states of its bases, those of padding aside.
#[test]
fn a_vector_is_the_mean_of_its_bases() {
    let device = crate::device::open("cpu").unwrap();
    let front = front(&device);
    let ids = Tensor::<2, Int>::from_data(
        [[1, 5, 6, 7, 8, 8, 5, 6, 5, 2], [1, 8, 7, 5, 6, 2, 3, 3, 3, 3], [1, 2, 3, 3, 3, 3, 3, 3, 3, 3]],
        &device,
    );
    let lengths = [10, 6, 2];
    let rows = Rows { lengths: &lengths, centers: None };
    let embedded = front.embed(ids, rows, None);
    let Route::Units(route) = &embedded.route else { panic!() };
    // Windows of 6 and 2 bases: 3 + 1 units; of 4: 2 units; of none.
    assert_eq!(embedded.lengths, [6, 4, 2]);
    let (states, tokens) = (values(&embedded.skip.unwrap().states), values(&embedded.tokens));
    let most = embedded.tokens.dims()[1];
    for (row, units) in route.iter().enumerate() {
        let covered: Vec<usize> = units.iter().flat_map(|unit| unit.start..unit.start + unit.length).collect();
        assert_eq!(covered, (0..lengths[row]).collect::<Vec<_>>());
        for (token, unit) in units.iter().enumerate() {
            for feature in 0..4 {
                let sum: f64 =
                    (unit.start..unit.start + unit.length).map(|at| states[(row * 10 + at) * 4 + feature]).sum();
                let found = tokens[(row * most + token) * 4 + feature];
                assert!((found - sum / unit.length as f64).abs() < 1e-5, "row {row} token {token}");
            }
        }
    }
}

/// With the merges and the stopped p as they are, the vectors are a smooth function of the projection, and its gradient is the one that is
/// used.
#[test]
fn gradients_equal_differences_of_the_relaxed_weights() {
    let device = crate::device::open("cpu").unwrap().autodiff();
    let front = front(&device);
    let states = tensor::<3>("states", [2, 10, 4], &device.clone().without_autodiff());
    let states = Tensor::from_inner(states);
    let project = |front: &Merge| front.projection.forward(states.clone().reshape([20, 4]));
    let found = project(&front).try_into_vec_as::<f32>().unwrap();
    let window = |row: usize, start: usize, bases: usize| Merged {
        start,
        ..merge(&found[(row * 10 + start) * 3..(row * 10 + start + bases) * 3], 3, bases / 2, 2)
    };
    let merged = [vec![window(0, 1, 6), window(0, 7, 2)], vec![window(1, 1, 4)]];
    let merges = merged.iter().flatten().map(|one| one.merges.len()).max().unwrap();
    // p of each merge, 1/2 + cosine / 2, by its definition.
    let stopped: Vec<f32> = [(0, 0), (0, 1), (1, 0)]
        .into_iter()
        .flat_map(|(row, number): (usize, usize)| {
            let one = &merged[row][number];
            let sum = |start: usize, length: usize| -> Vec<f64> {
                let first = row * 10 + one.start + start;
                (0..3).map(|at| (first..first + length).map(|base| f64::from(found[base * 3 + at])).sum()).collect()
            };
            let mut all: Vec<f32> = one
                .merges
                .iter()
                .map(|&(start, left, right)| (0.5 + cosine(&sum(start, left), &sum(start + left, right)) / 2.0) as f32)
                .collect();
            // Rows without a merge compare the first base with itself.
            all.resize(merges, 1.0);
            all
        })
        .collect();
    let stopped = Tensor::<3>::from_data(TensorData::new(stopped, [3, merges, 1]), &device);
    let probe = tensor::<3>("probe", [2, 6, 4], &device.clone().without_autodiff());
    let probe = Tensor::<3>::from_inner(probe);
    let loss = |front: &Merge, stopped: Option<Tensor<3>>| {
        (front.vectors(&states, project(front), &merged, stopped) * probe.clone()).sum().reshape([1])
    };
    let used = values(&front.projection.weight.val().grad(&loss(&front, None).backward()).unwrap());
    assert!(used.iter().any(|value| value.abs() > 0.05), "{used:?}");
    let plain = values(&loss(&front, None))[0];
    assert!((values(&loss(&front, Some(stopped.clone())))[0] - plain).abs() < 1e-4, "the weights are 1");
    for (at, found) in used.iter().enumerate() {
        let with = |step: f32| {
            let mut other = front.clone();
            other.projection.weight = other.projection.weight.clone().map(|weight| {
                let mut change = vec![0.0_f32; 12];
                change[at] = step;
                let change = Tensor::from_data(TensorData::new(change, [4, 3]), &device.clone().without_autodiff());
                Tensor::from_inner(weight.inner() + change).require_grad()
            });
            values(&loss(&other, Some(stopped.clone())))[0]
        };
        let difference = (with(3e-3) - with(-3e-3)) / 6e-3;
        assert!((difference - found).abs() < 5e-3 * found.abs().max(1.0), "{at}: {difference} {found}");
    }
}
