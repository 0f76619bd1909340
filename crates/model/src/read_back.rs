//! Copies values from the device to the host. An incomplete copy is an error, never a shorter list.

use std::fmt::Debug;

use burn::tensor::Tensor;

use crate::error::Error;

/// The values of `tensor`, row-major; `what` names them in errors.
pub(crate) fn rows(tensor: Tensor<2>, what: &'static str) -> Result<Vec<f32>, Error> {
    let [rows, columns] = tensor.dims();
    complete(tensor.into_data().convert::<f32>().try_into_vec(), rows * columns, what)
}

/// Checks that all `expected` values were copied.
fn complete<E: Debug>(values: Result<Vec<f32>, E>, expected: usize, what: &'static str) -> Result<Vec<f32>, Error> {
    let values = values.map_err(|error| Error::ReadBack { what, reason: format!("{error:?}") })?;
    if values.len() == expected {
        return Ok(values);
    }
    Err(Error::ReadBack { what, reason: format!("expected {expected} values, found {}", values.len()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_incomplete_copy_is_an_error() {
        let device = crate::device::open("cpu").unwrap();
        let tensor = Tensor::<2>::from_floats([[1.0, 2.0], [3.0, 4.0]], &device);
        assert_eq!(rows(tensor, "logits").unwrap(), [1.0, 2.0, 3.0, 4.0]);
        let lost = complete(Err("device lost"), 4, "logits").unwrap_err();
        assert_eq!(lost.to_string(), "cannot read the logits from the device: \"device lost\"");
        assert!(lost.remedy().is_some());
        let short = complete(Ok::<_, ()>(vec![1.0; 3]), 4, "logits").unwrap_err();
        assert!(short.to_string().ends_with("expected 4 values, found 3"));
    }
}
