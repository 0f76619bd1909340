//! Files of weights: `*.safetensors`, or PyTorch's pickles, read without executing anything.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use burn::module::Param;
use burn::tensor::{DType, Tensor, TensorData};
use burn_store::pytorch_reader::{PickleValue, PytorchReader};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use thiserror::Error;

/// Errors of reading and writing weights; each names the file or the tensor, or what the layout cannot express.
#[derive(Debug, Error)]
pub enum Error {
    /// The file cannot be read or has an unknown format.
    #[error("{path}: {reason}")]
    File {
        /// The file.
        path: PathBuf,
        /// Error of the reader.
        reason: String,
    },
    /// The file lacks a tensor of the model.
    #[error("missing tensor {0}")]
    Missing(String),
    /// The file contains tensors that the model does not have.
    #[error("unexpected tensors: {}", .0.join(", "))]
    Unexpected(Vec<String>),
    /// A tensor has another shape than the model's.
    #[error("tensor {name}: expected shape {expected:?}, found {found:?}")]
    Shape {
        /// Name of the tensor.
        name: String,
        /// Shape in the model.
        expected: Vec<usize>,
        /// Shape in the file.
        found: Vec<usize>,
    },
    /// The output layer in the file is not tied to the embedding matrix.
    #[error(
        "tensor {0} is not tied to the embedding (or bias) that it duplicates: models with an untied output layer are not supported"
    )]
    NotTied(String),
    /// The parts of a tensor have different types.
    #[error("tensor {name}: its parts have the types {types}")]
    Types {
        /// Name of the tensor or of its first part.
        name: String,
        /// The types.
        types: String,
    },
    /// The published layouts have symmetric ALiBi over tokens only.
    #[error("position encoding {0}: the published layouts can express \"alibi\" alone")]
    Position(String),
    /// A tensor cannot be converted to f32.
    #[error("tensor {name}: {reason}")]
    Values {
        /// Name of the tensor.
        name: String,
        /// Error of the conversion.
        reason: String,
    },
    /// The published sequence classifiers pool \[CLS\], and predict classes, labels or numbers of a sequence.
    #[error("{0}: the published layouts have sequence classifiers on [CLS] alone")]
    Classifier(String),
    /// A learned front end has no published DNABERT-2 weights.
    #[error("DNABERT-2 weights require a fixed tokenizer (lookup front end)")]
    Frontend,
}

impl Error {
    /// The message with the folder of the checkpoint, which errors about tensors do not name.
    #[must_use]
    pub fn in_folder(&self, folder: &Path) -> String {
        match self {
            Error::File { .. } => self.to_string(),
            _ => format!("{}: {self}", folder.display()),
        }
    }
}

/// The tensors of a file by name, in their own types.
///
/// # Errors
/// A file that cannot be read, or a tensor that is not of floats.
pub(crate) fn read_file(path: &Path) -> Result<Vec<(String, TensorData)>, Error> {
    let safetensors = path.extension().is_some_and(|extension| extension == "safetensors");
    let raw = if safetensors { read_safetensors(path) } else { read_pytorch(path) };
    raw.map_err(|reason| Error::File { path: path.to_owned(), reason })
}

fn read_safetensors(path: &Path) -> Result<Vec<(String, TensorData)>, String> {
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    let file = SafeTensors::deserialize(&bytes).map_err(|error| error.to_string())?;
    let mut tensors = Vec::new();
    for (name, view) in file.tensors() {
        let kind = match view.dtype() {
            Dtype::F32 => DType::F32,
            Dtype::F16 => DType::F16,
            Dtype::BF16 => DType::BF16,
            Dtype::F64 => DType::F64,
            other => return Err(format!("tensor {name} has type {other:?}, expected a float type")),
        };
        tensors.push((name, TensorData::from_bytes_vec(view.data().to_vec(), view.shape().to_vec(), kind)));
    }
    Ok(tensors)
}

/// Refuses a pickle with entries that are no tensors: such a file is more than weights, and what it is would be lost.
fn refuse_other_entries(path: &Path, tensors: &BTreeSet<&str>) -> Result<(), String> {
    let PickleValue::Dict(entries) = PytorchReader::read_pickle_data(path, None).map_err(|error| error.to_string())?
    else {
        return Err("not a dictionary of tensors".to_owned());
    };
    let mut others: Vec<String> = entries.into_keys().filter(|name| !tensors.contains(name.as_str())).collect();
    others.sort();
    match others.first() {
        None => Ok(()),
        Some(name) => Err(format!("entry {name:?} is no tensor: a file of weights has only tensors")),
    }
}

fn read_pytorch(path: &Path) -> Result<Vec<(String, TensorData)>, String> {
    let size = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
    let file = PytorchReader::new(path).map_err(|error| error.to_string())?;
    let all: Vec<_> = file.into_tensors().into_iter().collect();
    refuse_other_entries(path, &all.iter().map(|(name, _)| name.as_str()).collect())?;
    // Before anything is read. The tied output matrix shares its storage, so that a file may claim its embedding twice.
    let claimed = all.iter().try_fold(0_u64, |sum, (_, tensor)| {
        let elements = tensor.shape().iter().try_fold(1_u64, |product, &n| product.checked_mul(n as u64))?;
        sum.checked_add(elements.checked_mul(2)?)
    });
    if claimed.is_none_or(|claimed| claimed > 2 * size + (1 << 16)) {
        return Err(format!("its tensors claim more values than a file of {size} bytes can hold"));
    }
    let mut tensors = Vec::new();
    for (name, tensor) in all {
        let kind = format!("{:?}", tensor.dtype());
        let kind = match kind.as_str() {
            "F32" => DType::F32,
            "F16" => DType::F16,
            "BF16" => DType::BF16,
            "F64" => DType::F64,
            _ => return Err(format!("tensor {name} has type {kind}, expected a float type")),
        };
        let bytes = tensor.read().map_err(|error| error.to_string())?;
        tensors.push((name, TensorData::from_bytes_vec(bytes, tensor.shape().to_vec(), kind)));
    }
    Ok(tensors)
}

/// Tensors as the bytes of a safetensors file, in their own types; `metadata` as PyTorch's libraries expect it in files of weights, if wanted.
///
/// # Errors
/// If the names or shapes cannot be written.
pub(crate) fn to_safetensors<'a>(
    tensors: impl IntoIterator<Item = (&'a String, &'a TensorData)>,
    metadata: bool,
) -> Result<Vec<u8>, String> {
    let views = tensors.into_iter().map(|(name, data)| {
        let kind = match data.dtype() {
            DType::F16 => Dtype::F16,
            DType::BF16 => Dtype::BF16,
            DType::F64 => Dtype::F64,
            _ => Dtype::F32,
        };
        let view = TensorView::new(kind, data.shape().to_vec(), data.as_bytes());
        (name.as_str(), view.expect("a tensor has as many bytes as its shape and type say"))
    });
    let metadata = metadata.then(|| [("format".to_owned(), "pt".to_owned())].into_iter().collect());
    safetensors::serialize(views, metadata).map_err(|error| error.to_string())
}

/// The values of a tensor of a file in f32.
///
/// # Errors
/// If they cannot be converted; names the tensor.
pub(crate) fn values(name: &str, data: TensorData) -> Result<Vec<f32>, Error> {
    let values = data.convert::<f32>().try_to_vec::<f32>();
    values.map_err(|error| Error::Values { name: name.to_owned(), reason: format!("{error:?}") })
}

/// Sets the values of a parameter; it stays on its device, and as trainable as it was.
pub(crate) fn set<const D: usize>(parameter: &mut Param<Tensor<D>>, values: Vec<f32>) {
    let data = TensorData::new(values, parameter.dims());
    let value = Tensor::from_data(data, &parameter.device()).set_require_grad(parameter.is_require_grad());
    *parameter = parameter.clone().map(|_| value);
}
