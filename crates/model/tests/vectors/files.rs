//! Reads files of reference vectors and compares results with them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use safetensors::{Dtype, SafeTensors};

/// Folders of vectors whose name starts with `prefix`; at least one.
pub(crate) fn folders(prefix: &str) -> Vec<PathBuf> {
    let fixtures = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/vectors");
    let root = std::env::var_os("TOKBENCH_VECTORS").map_or_else(fixtures, PathBuf::from);
    let found = listed(&root, prefix, "");
    assert!(!found.is_empty(), "no vectors \"{prefix}*\" in {} (set TOKBENCH_VECTORS)", root.display());
    found
}

/// The entries of `folder` whose name starts with `prefix` and ends with `end`, sorted.
pub(crate) fn listed(folder: &Path, prefix: &str, end: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let mut found: Vec<PathBuf> = entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
        .map(|entry| entry.path())
        .filter(|path| path.to_string_lossy().ends_with(end))
        .collect();
    found.sort();
    found
}

/// All files `prefix*end` of all folders `folder*`; at least one in each folder.
pub(crate) fn found(folder: &str, prefix: &str, end: &str) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for folder in folders(folder) {
        let files = listed(&folder, prefix, end);
        assert!(!files.is_empty(), "no {prefix}*{end} in {}", folder.display());
        all.extend(files);
    }
    all
}

/// The devices of this build.
pub(crate) fn devices() -> Vec<(&'static str, Device)> {
    let names = model::device::available().into_iter();
    names.map(|name| (name, model::device::open(name).unwrap())).collect()
}

/// The tensors of a safetensors file, or a part of them.
#[derive(Clone, Debug)]
pub(crate) struct File {
    pub(crate) tensors: BTreeMap<String, TensorData>,
}

impl File {
    pub(crate) fn read(path: &Path) -> File {
        let bytes = std::fs::read(path).unwrap();
        let mut tensors = BTreeMap::new();
        for (name, view) in SafeTensors::deserialize(&bytes).unwrap().tensors() {
            let kind = match view.dtype() {
                Dtype::F32 => DType::F32,
                Dtype::I64 => DType::I64,
                Dtype::I32 => DType::I32,
                other => panic!("{}: {name} is {other:?}", path.display()),
            };
            tensors.insert(name, TensorData::from_bytes_vec(view.data().to_vec(), view.shape().to_vec(), kind));
        }
        File { tensors }
    }

    /// The tensors whose name starts with `prefix`, without it.
    pub(crate) fn part(&self, prefix: &str) -> File {
        let strip = |(name, data): (&String, &TensorData)| {
            name.strip_prefix(prefix).map(|name| (name.to_owned(), data.clone()))
        };
        File { tensors: self.tensors.iter().filter_map(strip).collect() }
    }

    pub(crate) fn data(&self, name: &str) -> TensorData {
        self.tensors.get(name).unwrap_or_else(|| panic!("no tensor {name}")).clone()
    }

    pub(crate) fn shape(&self, name: &str) -> Vec<usize> {
        self.data(name).shape().to_vec()
    }

    pub(crate) fn floats(&self, name: &str) -> Vec<f32> {
        self.data(name).convert::<f32>().try_to_vec::<f32>().unwrap()
    }

    pub(crate) fn ints(&self, name: &str) -> Vec<i64> {
        self.data(name).convert::<i64>().try_to_vec::<i64>().unwrap()
    }

    pub(crate) fn tensor<const D: usize>(&self, name: &str, device: &Device) -> Tensor<D> {
        Tensor::from_data(self.data(name), device)
    }

    pub(crate) fn ids(&self, name: &str, device: &Device) -> Tensor<2, Int> {
        Tensor::from_data(self.data(name), device)
    }

    /// Ids of each row, without padding.
    pub(crate) fn rows(&self, ids: &str, mask: &str) -> Vec<Vec<u32>> {
        let (values, width) = (self.ints(ids), self.shape(ids)[1]);
        let rows = values.chunks_exact(width).zip(self.lengths(mask));
        rows.map(|(row, length)| row[..length].iter().map(|&id| id as u32).collect()).collect()
    }

    /// Row sums of a 0/1 mask: positions per row without padding.
    pub(crate) fn lengths(&self, name: &str) -> Vec<usize> {
        let width = self.shape(name)[1];
        self.ints(name).chunks_exact(width).map(|row| row.iter().sum::<i64>() as usize).collect()
    }

    /// A `[out, in]` matrix as `[in, out]`.
    pub(crate) fn transposed(&self, name: &str, device: &Device) -> Tensor<2> {
        self.tensor::<2>(name, device).transpose()
    }
}

pub(crate) fn numbers<const D: usize>(tensor: &Tensor<D>) -> Vec<f32> {
    tensor.to_data().convert::<f32>().try_to_vec::<f32>().unwrap()
}

/// Values `[batch, positions, width]` without those at padding.
pub(crate) fn real(values: &[f32], lengths: &[usize], width: usize) -> Vec<f32> {
    let row = values.len() / lengths.len();
    let rows = values.chunks_exact(row).zip(lengths);
    rows.flat_map(|(values, &length)| values[..length * width].iter().copied()).collect()
}

/// The maximum absolute difference; panics if it exceeds `tolerance`.
pub(crate) fn close(what: &str, found: &[f32], expected: &[f32], tolerance: f32) -> f32 {
    assert_eq!(found.len(), expected.len(), "{what}: number of values");
    let pairs = found.iter().zip(expected);
    let worst = pairs.map(|(found, expected)| if found.is_finite() { (found - expected).abs() } else { f32::INFINITY });
    let worst = worst.fold(0.0, f32::max);
    assert!(worst <= tolerance, "{what}: maximum difference {worst:e}, tolerance {tolerance:e}");
    worst
}

/// The maximum difference of a gradient relative to its largest entry, which is taken to be at least `floor` (some gradients are
/// zero in exact arithmetic, such as that of the key bias); panics if it exceeds 1e-3.
pub(crate) fn close_gradient(what: &str, found: &[f32], expected: &[f32], floor: f32) -> f32 {
    let scale = expected.iter().fold(floor, |scale, value| scale.max(value.abs()));
    close(what, found, expected, 1e-3 * scale) / scale
}

/// Replaces the value of a parameter by a tensor of the same shape.
pub(crate) fn put<const D: usize>(parameter: &mut burn::module::Param<Tensor<D>>, value: Tensor<D>) {
    assert_eq!(parameter.dims(), value.dims());
    *parameter = burn::module::Param::from_tensor(value);
}
