//! Numbers from the device to the host. What does not come back whole is an error, never a shorter list.

use std::fmt::Debug;

use burn::tensor::Tensor;

use crate::error::Error;

/// The values of `tensor`, row by row.
pub(crate) fn rows(tensor: Tensor<2>, what: &'static str) -> Result<Vec<f32>, Error> {
    let [rows, columns] = tensor.dims();
    whole(tensor.into_data().convert::<f32>().try_into_vec(), rows * columns, what)
}

/// As many values as were asked for, or an error.
fn whole<E: Debug>(values: Result<Vec<f32>, E>, expected: usize, what: &'static str) -> Result<Vec<f32>, Error> {
    let values = values.map_err(|error| Error::ReadBack { what, reason: format!("{error:?}") })?;
    if values.len() == expected {
        return Ok(values);
    }
    Err(Error::ReadBack { what, reason: format!("{} values in place of {expected}", values.len()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_come_back_is_an_error() {
        let device = crate::device::open("cpu").unwrap();
        let tensor = Tensor::<2>::from_floats([[1.0, 2.0], [3.0, 4.0]], &device);
        assert_eq!(rows(tensor, "logits").unwrap(), [1.0, 2.0, 3.0, 4.0]);
        let lost = whole(Err("device lost"), 4, "logits").unwrap_err();
        assert_eq!(lost.to_string(), "the logits could not be read back from the device: \"device lost\"");
        assert!(lost.remedy().is_some());
        let cut = whole(Ok::<_, ()>(vec![1.0; 3]), 4, "logits").unwrap_err();
        assert!(cut.to_string().ends_with("3 values in place of 4"));
    }
}
