//! Reading and writing the released weights.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::Path;

use burn::tensor::TensorData;

use super::Native;
use super::slots::visit;
use crate::files::{Error, read_file, to_safetensors, values};

impl Native {
    /// Sets all parameters to tensors under the names of the released weights, in any float type.
    ///
    /// # Errors
    /// If tensors are missing, unexpected or of another shape; names them.
    pub fn load(mut self, mut tensors: BTreeMap<String, TensorData>) -> Result<Native, Error> {
        visit(&mut self, &mut |mut slot| {
            let data = tensors.remove(&slot.name).ok_or_else(|| Error::Missing(slot.name.clone()))?;
            if data.shape().to_vec() != slot.shape {
                let found = data.shape().to_vec();
                return Err(Error::Shape { name: slot.name, expected: slot.shape, found });
            }
            let mut own = slot.parameter.values();
            let read = values(&slot.name, data)?;
            read.into_iter().enumerate().for_each(|(at, value)| own[(slot.index)(at)] = value);
            slot.parameter.set(own);
            Ok(())
        })?;
        if tensors.is_empty() { Ok(self) } else { Err(Error::Unexpected(tensors.into_keys().collect())) }
    }

    /// Reads a file of the released weights: safetensors, or (any other extension) a PyTorch file.
    ///
    /// # Errors
    /// As [`Self::load`], and if the file cannot be read.
    pub fn read(self, path: &Path) -> Result<Native, Error> {
        self.load(read_file(path)?.into_iter().collect())
    }

    /// All parameters under the names of the released weights, in f32.
    #[must_use]
    pub fn tensors(&self) -> BTreeMap<String, TensorData> {
        let mut all = BTreeMap::new();
        let Ok(()) = visit::<Infallible>(&mut self.clone(), &mut |slot| {
            let values = slot.parameter.values();
            let count = slot.shape.iter().product();
            let values: Vec<f32> = (0..count).map(|at| values[(slot.index)(at)]).collect();
            all.insert(slot.name, TensorData::new(values, slot.shape));
            Ok(())
        });
        all
    }

    /// Writes them as safetensors.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        let failed = |reason: String| Error::File { path: path.to_owned(), reason };
        let bytes = to_safetensors(&self.tensors(), true).map_err(failed)?;
        experiment::files::write(path, &bytes).map_err(|error| failed(error.to_string()))
    }
}
