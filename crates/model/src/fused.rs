//! Fused operations of the pure-Rust device: attention, gated activations and LayerNorm, each a single node of the autodiff
//! graph with its own backward pass.
//!
//! Composed from burn's operations, attention reads and writes the scores of all heads about twenty times per training step,
//! each time in newly allocated memory, and every exponential is a scalar call; on one processor this took three quarters
//! of a step. Here the scores of a few queries at a time stay in the processor's cache and are never stored as a tensor.
//! Other devices use the composed operations; tests compare the two.

mod adamw;
mod arithmetic;
mod attention;
mod autodiff;
mod composed;
mod flex;
#[cfg(feature = "tch")]
mod libtorch;
mod rows;

use std::sync::Arc;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::{DType, Device, Tensor};

pub use adamw::AdamStep;
pub use arithmetic::instructions;
pub use attention::{AttentionMask, HeadBias, padded};
pub use composed::composed_attention;

/// Whether `device` supports the fused operations.
#[must_use]
pub fn on(device: &Device) -> bool {
    device.clone().without_autodiff() == Device::flex()
}

/// Softmax attention with an additive bias on the devices without the fused operations of this crate: queries, keys and values
/// `[batch, heads, tokens, size]` and a bias `[batch or 1, heads, tokens, tokens]`, which has no gradient, to
/// `[batch, heads, tokens, size]`; all in one number format. By LibTorch's kernel, which keeps no scores for the backward pass, where
/// [`is_libtorch_attention`]; else composed from burn's operations.
#[must_use]
pub fn biased_attention(query: Tensor<4>, key: Tensor<4>, value: Tensor<4>, bias: Tensor<4>) -> Tensor<4> {
    #[cfg(feature = "tch")]
    if is_libtorch_attention(&query.device(), query.dtype(), query.dims()[3]) {
        return libtorch::attend(query, key, value, bias);
    }
    composed_attention(query, key, value, bias)
}

/// Whether [`biased_attention`] is LibTorch's kernel for heads of `size` in a number format: on its devices, if a comparison with composed
/// operations succeeds there, which is made once per process.
#[must_use]
pub fn is_libtorch_attention(device: &Device, dtype: DType, size: usize) -> bool {
    #[cfg(feature = "tch")]
    return !on(device) && libtorch::is_right_on(device, dtype, size);
    #[cfg(not(feature = "tch"))]
    {
        let _ = (device, dtype, size);
        false
    }
}

/// The operations on raw tensors; `*_backward` return the gradients of the inputs. Second-order gradients are not supported.
#[backend_extension(Flex, Autodiff)]
pub(crate) trait Fused: Backend {
    /// Context, and the log-sum-exp of each query's scores.
    fn attend(qkv: FloatTensor<Self>, mask: Arc<AttentionMask>) -> (FloatTensor<Self>, FloatTensor<Self>);
    fn attend_backward(
        gradient: FloatTensor<Self>,
        qkv: FloatTensor<Self>,
        context: FloatTensor<Self>,
        log_sums: FloatTensor<Self>,
        mask: Arc<AttentionMask>,
    ) -> FloatTensor<Self>;
    /// Context, and the log-sum-exp of each query's scores.
    fn cross_attend(
        query: FloatTensor<Self>,
        key_value: FloatTensor<Self>,
        mask: Arc<AttentionMask>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);
    fn cross_attend_backward(
        gradient: FloatTensor<Self>,
        query: FloatTensor<Self>,
        key_value: FloatTensor<Self>,
        context: FloatTensor<Self>,
        log_sums: FloatTensor<Self>,
        mask: Arc<AttentionMask>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);
    /// GELU or SiLU of the first half of the columns times the second half.
    fn gated(up: FloatTensor<Self>, gelu: bool) -> FloatTensor<Self>;
    fn gated_backward(gradient: FloatTensor<Self>, up: FloatTensor<Self>, gelu: bool) -> FloatTensor<Self>;
    fn normalize(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        epsilon: f64,
    ) -> FloatTensor<Self>;
    fn normalize_backward(
        gradient: FloatTensor<Self>,
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        epsilon: f64,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
    /// The parameter and its two moments after a step of AdamW; not differentiable.
    fn adamw(
        parameter: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        first: FloatTensor<Self>,
        second: FloatTensor<Self>,
        step: AdamStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
}

/// Self-attention with softmax; queries, keys and values in one tensor `[batch * tokens, 3 hidden]`, to
/// `[batch * tokens, hidden]`; zero at padding.
#[must_use]
pub fn attend(qkv: Tensor<2>, mask: &Arc<AttentionMask>) -> Tensor<2> {
    Tensor::from_dispatch(<Dispatch as Fused>::attend(qkv.into_dispatch(), Arc::clone(mask)).0)
}

/// Cross-attention with softmax of queries `[batch * queries, hidden]` to keys and values `[batch * keys, 2 hidden]`, to
/// `[batch * queries, hidden]`; zero at padding.
#[must_use]
pub fn cross_attend(query: Tensor<2>, key_value: Tensor<2>, mask: &Arc<AttentionMask>) -> Tensor<2> {
    let (query, key_value) = (query.into_dispatch(), key_value.into_dispatch());
    Tensor::from_dispatch(<Dispatch as Fused>::cross_attend(query, key_value, Arc::clone(mask)).0)
}

/// GELU of the first half of the columns times the second half: `[rows, 2 inner]` to `[rows, inner]`.
#[must_use]
pub fn geglu(up: Tensor<2>) -> Tensor<2> {
    Tensor::from_dispatch(<Dispatch as Fused>::gated(up.into_dispatch(), true))
}

/// SiLU of the first half of the columns times the second half: `[rows, 2 inner]` to `[rows, inner]`.
#[must_use]
pub fn swiglu(up: Tensor<2>) -> Tensor<2> {
    Tensor::from_dispatch(<Dispatch as Fused>::gated(up.into_dispatch(), false))
}

/// LayerNorm over the columns of `[rows, features]`.
#[must_use]
pub fn normalize(x: Tensor<2>, gamma: Tensor<1>, beta: Tensor<1>, epsilon: f64) -> Tensor<2> {
    let (x, gamma, beta) = (x.into_dispatch(), gamma.into_dispatch(), beta.into_dispatch());
    Tensor::from_dispatch(<Dispatch as Fused>::normalize(x, gamma, beta, epsilon))
}

/// A step of AdamW: a parameter, its gradient and its two moments to the parameter and the moments after the step.
#[must_use]
pub fn adamw<const D: usize>(
    parameter: Tensor<D>,
    gradient: Tensor<D>,
    [first, second]: [Tensor<D>; 2],
    step: AdamStep,
) -> (Tensor<D>, [Tensor<D>; 2]) {
    let [first, second] = [first, second].map(Tensor::into_dispatch);
    let (parameter, gradient) = (parameter.into_dispatch(), gradient.into_dispatch());
    let (parameter, first, second) = <Dispatch as Fused>::adamw(parameter, gradient, first, second, step);
    (Tensor::from_dispatch(parameter), [first, second].map(Tensor::from_dispatch))
}
