//! The network as scoring sees it: layouts in, logits out.

use std::ops::Range;

use burn::module::Module;
use burn::tensor::Device;
use protocol::layout::Layout;

use crate::batch::Batch;
use crate::error::Error;
use crate::network::Model;
use crate::read_back;
use crate::score::Predict;

/// A model that is only asked, on a device without a tape.
#[derive(Debug)]
pub struct Predictor {
    model: Model,
    device: Device,
}

impl Predictor {
    /// From a model that may still be training. `device` has no tape.
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
        let states = self.model.states(batch.ids.clone(), &batch.lengths, None).positions;
        read_back::rows(self.model.logits(batch.gather(states), ids), "logits")
    }
}
