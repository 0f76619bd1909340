//! Inference for scoring: layouts to logits.

use std::ops::Range;

use burn::module::Module;
use burn::tensor::Device;
use protocol::layout::Layout;

use crate::batch::Batch;
use crate::error::Error;
use crate::network::Model;
use crate::read_back;
use crate::score::Predict;

/// A model for inference, on a device without autodiff.
#[derive(Debug)]
pub struct Predictor {
    model: Model,
    device: Device,
}

impl Predictor {
    /// A copy of `model`, which may still be trained, for inference. `device` is without autodiff.
    #[must_use]
    pub fn new(model: &Model, device: &Device) -> Predictor {
        Predictor { model: model.valid(), device: device.clone() }
    }
}

impl Predict for Predictor {
    fn logits(&self, layouts: &[Layout], ids: Range<usize>) -> Result<Vec<f32>, Error> {
        let batch = Batch::new(layouts, &self.device);
        if batch.rows.is_empty() {
            return Ok(Vec::new());
        }
        let states = self.model.states_at(batch.ids.clone(), batch.rows(), &batch.places());
        read_back::rows(self.model.logits(states, ids), "logits")
    }
}
