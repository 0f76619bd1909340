//! LibTorch's fused attention with an additive bias: flash attention on the CPU, memory-efficient attention on CUDA.
//!
//! burn leaves LibTorch's kernel as soon as a bias is given, and keeps the scores of all heads for the backward pass. These kernels keep one
//! number per query. They are internal functions of LibTorch whose conventions may change between versions, so they are compared with composed
//! operations on the device before they are used.
#![allow(deprecated)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, LibTorch, backend_extension};
use burn::tensor::{DType, Device, Gradients, Tensor, TensorData};
use burn_tch::TchTensor;

use super::composed::composed_attention;

/// CUDA kernels read rows of the bias in vectors of up to so many numbers.
const ALIGNMENT: i64 = 16;
/// Attention on raw tensors.
#[backend_extension(LibTorch, Autodiff)]
pub(crate) trait Biased: Backend {
    /// Context, and the log-sum-exp of each query's scores.
    fn biased(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);
    /// Gradients of queries, keys and values.
    #[allow(clippy::too_many_arguments)]
    fn biased_backward(
        gradient: FloatTensor<Self>,
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        context: FloatTensor<Self>,
        log_sums: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
}

/// The bias for a CUDA kernel: one for each row and head, each row at an aligned address.
fn aligned(bias: &tch::Tensor, query: &tch::Tensor) -> tch::Tensor {
    let (shape, keys) = (query.size(), bias.size()[3]);
    let padded = (keys + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    let bias = bias.constant_pad_nd([0, padded - keys]);
    bias.narrow(3, 0, keys).expand([shape[0], shape[1], shape[2], keys], false)
}

impl Biased for LibTorch {
    fn biased(query: TchTensor, key: TchTensor, value: TchTensor, bias: TchTensor) -> (TchTensor, TchTensor) {
        let (query, key, value) = (&query.tensor, &key.tensor, &value.tensor);
        let (context, log_sums) = if query.device().is_cuda() {
            let bias = aligned(&bias.tensor, query);
            let (context, log_sums, _, _) = tch::Tensor::internal_scaled_dot_product_efficient_attention(
                query,
                key,
                value,
                Some(bias),
                true,
                0.0,
                false,
                None::<f64>,
            );
            (context, log_sums)
        } else {
            tch::Tensor::internal_scaled_dot_product_flash_attention_for_cpu(
                query,
                key,
                value,
                0.0,
                false,
                Some(&bias.tensor),
                None::<f64>,
            )
        };
        (TchTensor::new(context), TchTensor::new(log_sums))
    }

    fn biased_backward(
        gradient: TchTensor,
        query: TchTensor,
        key: TchTensor,
        value: TchTensor,
        bias: TchTensor,
        context: TchTensor,
        log_sums: TchTensor,
    ) -> (TchTensor, TchTensor, TchTensor) {
        let (query, key, value) = (&query.tensor, &key.tensor, &value.tensor);
        let (gradient, context, log_sums) = (&gradient.tensor, &context.tensor, &log_sums.tensor);
        let (query, key, value) = if query.device().is_cuda() {
            let tokens_first = |tensor: &tch::Tensor| tensor.transpose(1, 2);
            let (queries, keys) = (query.size()[2], key.size()[2]);
            let zero = tch::Tensor::zeros([] as [i64; 0], (tch::Kind::Int64, query.device()));
            let (dq, dk, dv, _) = tch::Tensor::internal_efficient_attention_backward(
                &tokens_first(gradient),
                &tokens_first(query),
                &tokens_first(key),
                &tokens_first(value),
                Some(aligned(&bias.tensor, query)),
                &tokens_first(context),
                None,
                None,
                queries,
                keys,
                log_sums,
                0.0,
                &zero,
                &zero,
                0,
                false,
                None::<f64>,
                // One split: sums in one order, so that gradients are reproducible.
                Some(1_i64),
                None::<i64>,
                false,
            );
            (tokens_first(&dq), tokens_first(&dk), tokens_first(&dv))
        } else {
            tch::Tensor::internal_scaled_dot_product_flash_attention_for_cpu_backward(
                gradient,
                query,
                key,
                value,
                context,
                log_sums,
                0.0,
                false,
                Some(&bias.tensor),
                None::<f64>,
            )
        };
        (TchTensor::new(query), TchTensor::new(key), TchTensor::new(value))
    }
}

#[derive(Debug)]
struct Attention;

impl<B: Biased> Backward<B, 3> for Attention {
    /// Queries, keys, values, bias, context, log-sum-exp.
    type State = [FloatTensor<B>; 6];

    fn backward(self, ops: Ops<Self::State, 3>, gradients: &mut grads::Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<B>(&ops.node);
        let [query, key, value, bias, context, log_sums] = ops.state;
        let (query, key, value) = B::biased_backward(gradient, query, key, value, bias, context, log_sums);
        for (parent, value) in ops.parents.into_iter().zip([query, key, value]) {
            if let Some(parent) = parent {
                gradients.register::<B>(parent.id, value);
            }
        }
    }
}

impl<B: Biased, C: CheckpointStrategy> Biased for Autodiff<B, C> {
    fn biased(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let prepared = Attention.prepare::<C>([query.node(), key.node(), value.node()]).compute_bound().stateful();
        let (query, key, value) = (query.into_primitive(), key.into_primitive(), value.into_primitive());
        let bias = bias.into_primitive();
        let (context, log_sums) = B::biased(query.clone(), key.clone(), value.clone(), bias.clone());
        let out = FloatTensor::<Self>::new(log_sums.clone());
        match prepared {
            OpsKind::Tracked(prepared) => {
                (prepared.finish([query, key, value, bias, context.clone(), log_sums], context), out)
            }
            OpsKind::UnTracked(prepared) => (prepared.finish(context), out),
        }
    }

    fn biased_backward(
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        unreachable!("second-order gradients are not supported")
    }
}

/// See [`super::biased_attention`].
pub(super) fn attend(query: Tensor<4>, key: Tensor<4>, value: Tensor<4>, bias: Tensor<4>) -> Tensor<4> {
    let (query, key, value) = (query.into_dispatch(), key.into_dispatch(), value.into_dispatch());
    Tensor::from_dispatch(<Dispatch as Biased>::biased(query, key, value, bias.into_dispatch()).0)
}

/// Whether the kernels give what composed operations give on a device of LibTorch for heads of `size` in a number format, in states and
/// gradients; told once if not.
pub(super) fn is_right_on(device: &Device, dtype: DType, size: usize) -> bool {
    static CHECKED: Mutex<Vec<((Device, DType, usize), bool)>> = Mutex::new(Vec::new());
    let key = (device.clone().without_autodiff(), dtype, size);
    let mut checked = CHECKED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, right)) = checked.iter().find(|(known, _)| *known == key) {
        return *right;
    }
    let found = catch_unwind(AssertUnwindSafe(|| difference(&key.0, dtype, size)));
    let right = match found {
        Ok(found) if found <= tolerance(dtype) => true,
        Ok(found) => {
            eprintln!(
                "note: LibTorch's fused attention differs by {found:e} from composed operations on this device, and is not used"
            );
            false
        }
        Err(_) => {
            eprintln!("note: LibTorch's fused attention failed on this device, and is not used");
            false
        }
    };
    checked.push((key, right));
    right
}

/// Largest difference from composed operations in a number format that is taken for rounding.
fn tolerance(dtype: DType) -> f32 {
    if dtype == DType::F32 { 1e-4 } else { 0.1 }
}

/// Largest difference of contexts and gradients on a small example with padding and a directed head, with one bias per row and with one for all.
fn difference(device: &Device, dtype: DType, size: usize) -> f32 {
    let device = device.clone().autodiff();
    let (batch, heads, tokens) = (2, 3, 37);
    // Fixed values between -2 and 2 without a period of interest.
    let draw = |number: usize| {
        let value = |at: usize| ((at * 7919 + number * 104_729) % 1009) as f32 / 252.0 - 2.0;
        let values: Vec<f32> = (0..batch * heads * tokens * size).map(value).collect();
        let tensor = Tensor::<4>::from_data(TensorData::new(values, [batch, heads, tokens, size]), &device);
        tensor.require_grad()
    };
    let bias = |rows: usize| {
        let values = (0..rows * heads * tokens * tokens).map(|at| {
            let (row, head) = (at / (tokens * tokens * heads), at / (tokens * tokens) % heads);
            let (query, key) = (at / tokens % tokens, at % tokens);
            let hidden = (row == 1 && key >= 30 && key != query) || (head == 2 && key > query);
            if hidden { f32::NEG_INFINITY } else { -0.1 * (head + 1) as f32 * query.abs_diff(key) as f32 }
        });
        let values = TensorData::new(values.collect::<Vec<f32>>(), [rows, heads, tokens, tokens]);
        Tensor::<4>::from_data(values, &device).cast(dtype)
    };
    let of = |attention: fn(Tensor<4>, Tensor<4>, Tensor<4>, Tensor<4>) -> Tensor<4>, dtype: DType, rows: usize| {
        let inputs = [1, 2, 3].map(draw);
        let [query, key, value] = inputs.clone().map(|input| input.cast(dtype));
        let context = attention(query, key, value, bias(rows).cast(dtype)).cast(DType::F32);
        let gradients: Gradients = (context.clone() * draw(4).detach()).sum().backward();
        let gradients = inputs.map(|input| input.grad(&gradients).expect("a gradient of each input"));
        [vec![context.detach().inner()], gradients.to_vec()].concat()
    };
    let both = [1, batch].map(|rows| (of(attend, dtype, rows), of(composed_attention, DType::F32, rows)));
    // Relative to the largest value, and NaN if any is.
    let distances =
        both.into_iter().flat_map(|(own, composed)| own.into_iter().zip(composed)).map(|(own, composed)| {
            let scale = composed.clone().abs().max().into_scalar::<f32>().max(1.0);
            (own - composed).abs().max().into_scalar::<f32>() / scale
        });
    largest(distances)
}

/// The largest of some numbers, or NaN if one is.
fn largest(numbers: impl Iterator<Item = f32>) -> f32 {
    numbers.fold(0.0, |most: f32, next| if most.is_nan() || next <= most { most } else { next })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_is_none_is_not_lost() {
        assert_eq!(largest([1.0, 3.0, 2.0].into_iter()), 3.0);
        assert!(largest([1.0, f32::NAN, 2.0].into_iter()).is_nan());
    }

    #[test]
    fn the_kernels_are_right_on_this_machine() {
        let device = crate::device::open("tch:cpu").unwrap();
        for dtype in [DType::F32, DType::BF16] {
            for size in [8, 16, 64] {
                let found = difference(&device, dtype, size);
                assert!(found <= tolerance(dtype), "{dtype:?} {size}: {found:e}");
                println!("{dtype:?}, heads of {size}: {found:e}");
            }
        }
    }
}
