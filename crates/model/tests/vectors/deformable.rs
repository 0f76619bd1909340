//! MxDNA's deformable convolution: offsets, factors, output and all gradients.

use burn::tensor::{Device, Tensor, s};
use model::frontend::deformable::Deformable;
use model::layers::Init;

use crate::files::{self, File, close, close_gradient, numbers};

/// The convolution whose parameters are in `file` (`input_layernorm.*`, `offset_conv.*`, `modulator_conv.*`, `regular_conv.*`).
pub(crate) fn loaded(file: &File, device: &Device) -> Deformable {
    let shape = file.shape("regular_conv.weight");
    let (hidden, taps) = (shape[0], shape[2]);
    let mut module = Deformable::new(&Init::new(1, 0.02, device), "deformable", hidden, taps);
    module.faithful = true;
    files::put(&mut module.norm.gamma, file.tensor("input_layernorm.weight", device));
    files::put(&mut module.norm.beta, file.tensor("input_layernorm.bias", device));
    // [tap, hidden, window] of offsets and factors, to [hidden, (window, offset or factor, tap)].
    let small = ["offset_conv.weight", "modulator_conv.weight"].map(|name| file.tensor::<3>(name, device));
    let small = Tensor::stack::<4>(small.to_vec(), 0).permute([2, 3, 0, 1]).reshape([hidden, 2 * taps * taps]);
    files::put(&mut module.small, small);
    let bias = ["offset_conv.bias", "modulator_conv.bias"].map(|name| file.tensor::<1>(name, device));
    files::put(&mut module.small_bias, Tensor::cat(bias.to_vec(), 0));
    // [out, in, tap, 1] to [(tap, in), out].
    let weight = file.tensor::<4>("regular_conv.weight", device).reshape([hidden, hidden, taps]);
    files::put(&mut module.weight, weight.permute([2, 1, 0]).reshape([taps * hidden, hidden]));
    module
}

/// The gradients of the module by their names in the file.
pub(crate) fn gradients(module: &Deformable, gradients: &burn::tensor::Gradients) -> Vec<(String, Vec<f32>)> {
    let (taps, hidden) = (module.taps(), module.weight.dims()[1]);
    let small = module.small.val().grad(gradients).unwrap().reshape([hidden, taps, 2, taps]).permute([2, 3, 0, 1]);
    let bias = module.small_bias.val().grad(gradients).unwrap();
    let weight = module.weight.val().grad(gradients).unwrap().reshape([taps, hidden, hidden]).permute([2, 1, 0]);
    let mut all = vec![
        ("input_layernorm.weight".to_owned(), numbers(&module.norm.gamma.val().grad(gradients).unwrap())),
        ("input_layernorm.bias".to_owned(), numbers(&module.norm.beta.val().grad(gradients).unwrap())),
        ("regular_conv.weight".to_owned(), numbers(&weight)),
    ];
    for (kind, name) in ["offset_conv", "modulator_conv"].into_iter().enumerate() {
        all.push((format!("{name}.weight"), numbers(&small.clone().slice(s![kind..kind + 1]))));
        all.push((format!("{name}.bias"), numbers(&bias.clone().slice(s![kind * taps..(kind + 1) * taps]))));
    }
    all
}

#[test]
fn vectors_of_the_deformable_convolution() {
    for path in files::found("mxdna", "deform_vectors", ".safetensors") {
        let whole = File::read(&path);
        let mut cases: Vec<&str> = whole.tensors.keys().filter_map(|name| name.split('.').next()).collect();
        cases.dedup();
        for case in cases {
            let file = whole.part(&format!("{case}."));
            let lengths = file.lengths("attention_mask");
            for (name, device) in files::devices() {
                let device = device.autodiff();
                let module = loaded(&file.part("param."), &device);
                let x = file.tensor::<3>("x", &device).require_grad();
                let [batch, tokens, hidden] = x.dims();
                let normed = module.norm.forward(x.clone().reshape([batch * tokens, hidden]));
                let (offset, factor) = module.offsets(normed, batch, &lengths);
                close("offsets", &numbers(&offset.swap_dims(1, 2)), &file.floats("offset"), 2e-5);
                close("factors", &numbers(&factor.swap_dims(1, 2)), &file.floats("modulator"), 2e-5);
                let y = module.forward(x.clone(), &lengths);
                let off = close("output", &numbers(&y), &file.floats("y"), 2e-5);
                let grads = (y * file.tensor("probe", &device)).sum().backward();
                let mut worst = close_gradient("x", &numbers(&x.grad(&grads).unwrap()), &file.floats("grad.x"), 1e-4);
                for (parameter, found) in gradients(&module, &grads) {
                    worst =
                        worst.max(close_gradient(&parameter, &found, &file.floats(&format!("grad.{parameter}")), 1e-4));
                }
                println!("{name} {case}: output off by {off:e}, gradients by {worst:e} of the largest entry");
            }
        }
    }
}
