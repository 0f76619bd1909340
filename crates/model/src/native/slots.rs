//! Where each tensor of a file stands in the model.

use burn::module::Param;
use burn::tensor::Tensor;

use super::{Classes, MaskedLm, Native, NativeHead, NativeLayer};
use crate::files::set;
use crate::frontend::experts::Expert;
use crate::frontend::upsampling::UpsamplingDecoder;
use crate::layers::{LayerNorm, Linear};

/// A parameter of any rank.
pub(super) enum Parameter<'a> {
    Vector(&'a mut Param<Tensor<1>>),
    Matrix(&'a mut Param<Tensor<2>>),
    Cube(&'a mut Param<Tensor<3>>),
}

impl Parameter<'_> {
    /// Its values, row-major.
    pub(super) fn values(&self) -> Vec<f32> {
        let data = match self {
            Parameter::Vector(parameter) => parameter.val().into_data(),
            Parameter::Matrix(parameter) => parameter.val().into_data(),
            Parameter::Cube(parameter) => parameter.val().into_data(),
        };
        data.convert::<f32>().try_to_vec::<f32>().expect("parameters are in f32")
    }

    /// Sets its values, row-major.
    pub(super) fn set(&mut self, values: Vec<f32>) {
        match self {
            Parameter::Vector(parameter) => set(parameter, values),
            Parameter::Matrix(parameter) => set(parameter, values),
            Parameter::Cube(parameter) => set(parameter, values),
        }
    }
}

/// A tensor of a file.
pub(super) struct Slot<'a> {
    pub(super) name: String,
    pub(super) shape: Vec<usize>,
    pub(super) parameter: Parameter<'a>,
    /// From an index in the tensor of the file to one in the parameter, both row-major.
    pub(super) index: &'a dyn Fn(usize) -> usize,
}

/// What is done with each tensor.
pub(super) type Each<'a, E> = &'a mut dyn FnMut(Slot<'_>) -> Result<(), E>;

/// Visits all tensors of a model, by the names of the released weights.
pub(super) fn visit<E>(model: &mut Native, each: Each<'_, E>) -> Result<(), E> {
    let hidden = model.config.hidden;
    let root = "model";
    table(each, &format!("{root}.embed_tokens.weight"), &mut model.embedding.weight)?;
    for (kind, layers) in
        [("nucleotide_layers", &mut model.nucleotide_layers), ("token_layers", &mut model.token_layers)]
    {
        for (number, own) in layers.iter_mut().enumerate() {
            layer(each, &format!("{root}.{kind}.{number}"), own)?;
        }
    }
    norm(each, &format!("{root}.norm.norm"), &mut model.norm)?;
    let module = format!("{root}.conversion_layer");
    vector(each, &format!("{module}.basic_unit_masked_token_embedding"), &mut model.unused)?;
    let tokenization = &mut model.tokenization;
    norm(each, &format!("{module}.input_layernorm"), &mut tokenization.norm)?;
    linear(each, &format!("{module}.gate"), &mut tokenization.gate)?;
    for (number, own) in tokenization.experts.iter_mut().enumerate() {
        expert(each, &format!("{module}.conv_moe.experts.{number}"), own)?;
    }
    let (name, own) = (format!("{module}.deform_conv"), &mut tokenization.deformable);
    let taps = own.taps();
    norm(each, &format!("{name}.input_layernorm"), &mut own.norm)?;
    for (kind, part) in ["offset_conv", "modulator_conv"].into_iter().enumerate() {
        // [tap, hidden, window] to [hidden, (window, offset or factor, tap)].
        let index = |at: usize| {
            let (tap, feature, window) = (at / (hidden * taps), at / taps % hidden, at % taps);
            feature * 2 * taps * taps + window * 2 * taps + kind * taps + tap
        };
        let (weight, shape) = (format!("{name}.{part}.weight"), vec![taps, hidden, taps]);
        each(Slot { name: weight, shape, parameter: Parameter::Matrix(&mut own.small), index: &index })?;
        let (bias, index) = (format!("{name}.{part}.bias"), |at: usize| kind * taps + at);
        let parameter = Parameter::Vector(&mut own.small_bias);
        each(Slot { name: bias, shape: vec![taps], parameter, index: &index })?;
    }
    // [out, in, tap, 1] to [(tap, in), out].
    let index = |at: usize| {
        let (out, from, tap) = (at / (hidden * taps), at / taps % hidden, at % taps);
        (tap * hidden + from) * hidden + out
    };
    let (weight, shape) = (format!("{name}.regular_conv.weight"), vec![hidden, hidden, taps, 1]);
    each(Slot { name: weight, shape, parameter: Parameter::Matrix(&mut own.weight), index: &index })?;
    match &mut model.head {
        NativeHead::MaskedLm(MaskedLm { decoder, head, output }) => {
            upsampling(each, decoder)?;
            linear(each, "lm_head.dense", &mut head.dense)?;
            norm(each, "lm_head.layer_norm", &mut head.norm)?;
            table(each, "lm_head.decoder.weight", output)?;
            vector(each, "lm_head.bias", &mut head.bias)
        }
        NativeHead::Classes(Classes { norm: own, dense, linear: last }) => {
            norm(each, "norm.norm", own)?;
            linear(each, "classifier.dense", dense)?;
            linear(each, "classifier.out_proj", last)
        }
    }
}

fn layer<E>(each: Each<'_, E>, name: &str, own: &mut NativeLayer) -> Result<(), E> {
    norm(each, &format!("{name}.input_layernorm.norm"), &mut own.attention_norm)?;
    for (third, part) in ["q", "k", "v"].into_iter().enumerate() {
        columns(each, &format!("{name}.self_attn.projection_{part}.weight"), &mut own.qkv.weight, third, 3)?;
    }
    linear(each, &format!("{name}.self_attn.projection_o"), &mut own.output)?;
    norm(each, &format!("{name}.post_attention_layernorm.norm"), &mut own.norm)?;
    feed_forward(each, name, &mut own.up, &mut own.down)
}

fn upsampling<E>(each: Each<'_, E>, own: &mut UpsamplingDecoder) -> Result<(), E> {
    let name = "decoder";
    norm(each, &format!("{name}.input_layernorm.norm"), &mut own.norm)?;
    linear(each, &format!("{name}.cross_attn.projection_q"), &mut own.query)?;
    for (half, part) in ["k", "v"].into_iter().enumerate() {
        columns(each, &format!("{name}.cross_attn.projection_{part}.weight"), &mut own.key_value.weight, half, 2)?;
    }
    linear(each, &format!("{name}.cross_attn.projection_o"), &mut own.output)?;
    norm(each, &format!("{name}.post_attention_layernorm.norm"), &mut own.inner_norm)?;
    feed_forward(each, name, &mut own.up, &mut own.down)?;
    norm(each, "norm.norm", &mut own.last_norm)
}

fn feed_forward<E>(each: Each<'_, E>, name: &str, up: &mut Linear, down: &mut Linear) -> Result<(), E> {
    columns(each, &format!("{name}.ffn.ffn.w1.weight"), &mut up.weight, 0, 2)?;
    columns(each, &format!("{name}.ffn.ffn.w3.weight"), &mut up.weight, 1, 2)?;
    linear(each, &format!("{name}.ffn.ffn.w2"), down)
}

fn expert<E>(each: Each<'_, E>, name: &str, own: &mut Expert) -> Result<(), E> {
    linear(each, &format!("{name}.pointwise_conv_pre"), &mut own.pre)?;
    let [groups, rows, width] = own.grouped.dims();
    let size = rows / width;
    // [groups * out, in, window] to [groups, (window, in), out].
    let index = |at: usize| {
        let (out, from, window) = (at / (width * size), at / size % width, at % size);
        (out / width * rows + window * width + from) * width + out % width
    };
    let (weight, shape) = (format!("{name}.grouped_conv.weight"), vec![groups * width, width, size]);
    each(Slot { name: weight, shape, parameter: Parameter::Cube(&mut own.grouped), index: &index })?;
    norm(each, &format!("{name}.norm"), &mut own.norm)?;
    linear(each, &format!("{name}.pointwise_conv_post"), &mut own.post)
}

fn norm<E>(each: Each<'_, E>, name: &str, own: &mut LayerNorm) -> Result<(), E> {
    vector(each, &format!("{name}.weight"), &mut own.gamma)?;
    vector(each, &format!("{name}.bias"), &mut own.beta)
}

fn linear<E>(each: Each<'_, E>, name: &str, own: &mut Linear) -> Result<(), E> {
    columns(each, &format!("{name}.weight"), &mut own.weight, 0, 1)?;
    match &mut own.bias {
        Some(bias) => vector(each, &format!("{name}.bias"), bias),
        None => Ok(()),
    }
}

/// One of several matrices `[out, in]` that stand beside each other in `[in, parts * out]`.
fn columns<E>(
    each: Each<'_, E>,
    name: &str,
    parameter: &mut Param<Tensor<2>>,
    part: usize,
    parts: usize,
) -> Result<(), E> {
    let [inputs, all] = parameter.dims();
    let outputs = all / parts;
    let index = |at: usize| at % inputs * all + part * outputs + at / inputs;
    let (name, shape) = (name.to_owned(), vec![outputs, inputs]);
    each(Slot { name, shape, parameter: Parameter::Matrix(parameter), index: &index })
}

fn table<E>(each: Each<'_, E>, name: &str, parameter: &mut Param<Tensor<2>>) -> Result<(), E> {
    let (name, shape) = (name.to_owned(), parameter.dims().to_vec());
    each(Slot { name, shape, parameter: Parameter::Matrix(parameter), index: &|at| at })
}

fn vector<E>(each: Each<'_, E>, name: &str, parameter: &mut Param<Tensor<1>>) -> Result<(), E> {
    let (name, shape) = (name.to_owned(), parameter.dims().to_vec());
    each(Slot { name, shape, parameter: Parameter::Vector(parameter), index: &|at| at })
}
