//! Fine-tuning on a labeled task: all parameters of the model, with a new classification head, by [`fit`].

use burn::tensor::{Device, Int, Tensor, TensorData};
use experiment::run::Finetune;
use protocol::layout::Layout;
use tokenize::vocabulary::PAD;
use tokenize::{Token, Tokenizer};

use crate::config::ModelConfig;
use crate::error::Error;
use crate::fit::{Classify, FitResult, Splits, fit};
use crate::head::Classifier;
use crate::inputs::Inputs;
use crate::layers::Init;
use crate::network::Model;
use crate::noise::Noise;
use crate::position::Rows;
use crate::watch::Watch;

impl Classify for Model {
    type Input = Encoded;

    fn logits(&self, rows: &[&Encoded], noise: Option<&Noise>, device: &Device) -> (Tensor<2>, Option<Tensor<1>>) {
        let Padded { ids, lengths, centers } = Padded::new(rows, device);
        self.classify(ids, Rows { lengths: &lengths, centers: Some(&centers) }, noise)
    }
}

/// Several sequences as a batch, with \[PAD\] on the right.
pub(crate) struct Padded {
    /// `[batch, positions]`
    pub(crate) ids: Tensor<2, Int>,
    /// Positions of each row, padding excluded.
    pub(crate) lengths: Vec<usize>,
    /// Centre of each position in bases, padding excluded.
    pub(crate) centers: Vec<Vec<f32>>,
}

impl Padded {
    pub(crate) fn new(rows: &[&Encoded], device: &Device) -> Padded {
        let positions = rows.iter().map(|row| row.ids.len()).max().unwrap_or(0);
        let padded = rows.iter().flat_map(|row| {
            let padding = std::iter::repeat_n(PAD, positions - row.ids.len());
            row.ids.iter().copied().chain(padding).map(i64::from)
        });
        let data = TensorData::new(padded.collect::<Vec<i64>>(), [rows.len(), positions]);
        Padded {
            ids: Tensor::from_data(data, device),
            lengths: rows.iter().map(|row| row.ids.len()).collect(),
            centers: rows.iter().map(|row| row.centers.clone()).collect(),
        }
    }
}

/// Fine-tunes `pretrained` (or, if `None`, a model with initial weights) on a task.
///
/// # Errors
/// If an input is missing, the loss diverges, a checkpoint cannot be written, or the run is interrupted.
pub fn finetune(
    seed: u64,
    run: &Finetune,
    inputs: &Inputs<'_>,
    pretrained: Option<Model>,
    watch: &mut Watch<'_>,
) -> Result<FitResult, Error> {
    let (task, fitted) = (inputs.task()?, inputs.fitted()?);
    let device = inputs.device.clone().autodiff();
    let mut model = Model::new(&ModelConfig::of(&run.model, fitted), seed, &device);
    if let Some(pretrained) = pretrained {
        model.frontend = pretrained.frontend;
        model.encoder = pretrained.encoder;
    }
    // The head has the published scale of initial weights whether or not the model is pretrained, so that the control differs
    // in nothing else.
    let init = Init::new(seed, 0.02, &device);
    let encoder = &run.model.encoder;
    let mut classifier = Classifier::new(&init, encoder.hidden, task.classes as usize, encoder.dropout);
    classifier.pooling = run.finetuning.pooling;
    model.classifier = Some(classifier);
    let splits = Splits::new(task, |sequence| encode(&*fitted.tokenizer, sequence).0);
    fit(seed, model, &splits, &run.finetuning, inputs, watch)
}

/// A whole sequence as the model reads it, with \[CLS\] and \[SEP\].
#[derive(Clone, Debug, PartialEq)]
pub struct Encoded {
    /// Token ids.
    pub ids: Vec<u32>,
    /// Centres of the tokens in bases.
    pub centers: Vec<f32>,
}

/// A sequence as the model reads it, and its tokens.
pub(crate) fn encode(tokenizer: &dyn Tokenizer, sequence: &[u8]) -> (Encoded, Vec<Token>) {
    let mut tokens: Vec<Token> = Vec::new();
    tokenizer.encode(sequence, &mut tokens);
    let Layout { ids, centers, .. } = Layout::unmasked(&tokens, sequence.len());
    (Encoded { ids, centers }, tokens)
}
