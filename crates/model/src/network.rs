//! The model: front end, shared encoder and heads.

use std::ops::Range;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Int, Tensor};

use crate::config::ModelConfig;
use crate::encoder::Encoder;
use crate::frontend::{Embedded, Frontend, Route};
use crate::head::{Classifier, MlmHead};
use crate::layers::Init;
use crate::noise::Noise;
use crate::position::Rows;

/// Front end, shared encoder and heads.
#[derive(Module, Debug)]
pub struct Model {
    /// Ids to token vectors, and token states to positions.
    pub frontend: Frontend,
    /// The shared encoder.
    pub encoder: Encoder,
    /// The masked-language-model head.
    pub head: MlmHead,
    /// The sequence classification head, if the model has classes.
    pub classifier: Option<Classifier>,
}

/// Result of a forward pass: the states of a batch, one per position.
#[derive(Clone, Debug)]
pub struct States {
    /// `[batch, positions, hidden]`, zero at padding.
    pub positions: Tensor<3>,
    /// Auxiliary loss, already weighted: `[1]`.
    pub auxiliary: Option<Tensor<1>>,
    /// Which token covers which positions.
    pub route: Route,
}

impl Model {
    /// A model initialized from `seed`. Parameters of the same name and shape have the same initial values in all models.
    #[must_use]
    pub fn new(config: &ModelConfig, seed: u64, device: &Device) -> Model {
        let encoder = &config.encoder;
        let init = Init::new(seed, encoder.init_std, device).with_dtype(encoder.dtype);
        Model {
            frontend: Frontend::new(&init, config),
            encoder: Encoder::new(&init, encoder),
            head: MlmHead::new(&init, encoder.hidden, config.vocabulary, encoder.layer_norm_eps),
            classifier: config.classes.map(|classes| Classifier::new(&init, encoder.hidden, classes, encoder.dropout)),
        }
    }

    /// Ids `[batch, positions]` to one state per position. `rows.lengths[row]` is the number of positions of a row; the rest is
    /// padding.
    #[must_use]
    pub fn states<'a>(&self, ids: Tensor<2, Int>, rows: impl Into<Rows<'a>>, noise: Option<&Noise>) -> States {
        let rows = rows.into();
        let Embedded { tokens, lengths, route, skip, auxiliary } = self.frontend.embed(ids, rows, noise);
        let centers = rows.centers.map(|centers| route.token_centers(centers));
        let states = self.encoder.forward(tokens, Rows { lengths: &lengths, centers: centers.as_deref() }, noise);
        let positions = self.frontend.restore(states, &route, skip, rows, noise);
        States { positions, auxiliary, route }
    }

    /// States of the positions `places` of each row, ascending, without noise: `[places, hidden]`, row by row. The same as those of
    /// [`Self::states`], but the last layer computes nothing else.
    #[must_use]
    pub fn states_at<'a>(&self, ids: Tensor<2, Int>, rows: impl Into<Rows<'a>>, places: &[Vec<usize>]) -> Tensor<2> {
        let rows = rows.into();
        let Embedded { tokens, lengths, route, skip, .. } = self.frontend.embed(ids, rows, None);
        let centers = rows.centers.map(|centers| route.token_centers(centers));
        let tokens_of = Rows { lengths: &lengths, centers: centers.as_deref() };
        match skip {
            None => self.encoder.forward_at(tokens, tokens_of, places),
            Some(skip) => {
                let states = self.encoder.forward(tokens, tokens_of, None);
                self.frontend.restore_at(states, &route, skip, rows, places)
            }
        }
    }

    /// States at the targets `[targets, hidden]` to logits `[targets, ids]` of the masked-language-model head for the range `ids`.
    #[must_use]
    pub fn logits(&self, gathered: Tensor<2>, ids: Range<usize>) -> Tensor<2> {
        self.head.forward(gathered, self.frontend.embedding(), ids)
    }

    /// Ids `[batch, positions]` to class logits `[batch, classes]` and the auxiliary loss. The classifier reads token states, so
    /// the upsampling decoder of a learned front end is not used.
    ///
    /// # Panics
    /// If the model was built without classes.
    #[must_use]
    pub fn classify<'a>(
        &self,
        ids: Tensor<2, Int>,
        rows: impl Into<Rows<'a>>,
        noise: Option<&Noise>,
    ) -> (Tensor<2>, Option<Tensor<1>>) {
        let Some(classifier) = &self.classifier else { panic!("classify: this model was built without classes") };
        let rows = rows.into();
        let embedded = self.frontend.embed(ids, rows, noise);
        let centers = rows.centers.map(|centers| embedded.route.token_centers(centers));
        let tokens = Rows { lengths: &embedded.lengths, centers: centers.as_deref() };
        let states = self.encoder.forward(embedded.tokens, tokens, noise);
        (classifier.forward(states, &embedded.lengths, noise), embedded.auxiliary)
    }

    /// Number of parameters of front end, encoder and heads.
    #[must_use]
    pub fn parameters(&self) -> (usize, usize, usize) {
        let heads = count(&self.head) + self.classifier.as_ref().map_or(0, count);
        (count(&self.frontend), count(&self.encoder), heads)
    }

    /// Exact multiply-accumulates of one forward pass over one sequence, with logits at `targets` positions.
    ///
    /// With h = hidden, i = intermediate, V = vocabulary: a layer takes t (4 h² + 3 h i) + 2 t² h for t tokens, the
    /// head h² + h V per target. Element-wise operations (norms, softmax, activations, biases) and embedding lookups are not
    /// counted. For front ends see [`Frontend::macs`]. `tokens` is the number of encoder tokens; for a fixed tokenizer it
    /// equals `positions`.
    #[must_use]
    pub fn macs(&self, positions: usize, tokens: usize, targets: usize) -> u64 {
        let encoder: u64 = self.encoder.layers.iter().map(|layer| layer.macs(tokens)).sum();
        let [vocabulary, hidden] = self.frontend.embedding().dims();
        let head = targets * (hidden * hidden + hidden * vocabulary);
        encoder + head as u64 + self.frontend.macs(positions, tokens)
    }
}

/// Number of parameters of a module.
pub fn count<M: Module>(module: &M) -> usize {
    count_if(module, |_| true)
}

/// Number of parameters of a module that are trained: not frozen.
pub fn count_trained<M: Module>(module: &M) -> usize {
    count_if(module, |is_trained| is_trained)
}

/// Number of parameters for which `wanted` holds, given whether they are trained.
fn count_if<M: Module>(module: &M, wanted: fn(bool) -> bool) -> usize {
    struct Count(usize, fn(bool) -> bool);
    impl ModuleVisitor for Count {
        fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
            if self.1(parameter.is_require_grad()) {
                self.0 += parameter.shape().num_elements();
            }
        }
    }
    let mut total = Count(0, wanted);
    module.visit(&mut total);
    total.0
}
