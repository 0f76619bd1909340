//! Fused operations of the pure-Rust device: attention, gated activations and LayerNorm, each one node of the tape with its
//! own backward.
//!
//! Composed from burn's operations, attention passes over all heads' scores about twenty times a training step, in freshly
//! allocated memory, and each exponential is a scalar call: on one processor that was three quarters of a step. Here the
//! scores of a few queries at a time stay in the processor's cache and never become a tensor. Other devices use the
//! composed road, which the tests compare with this one.

mod arithmetic;
mod attention;
mod flex;
mod rows;
mod tape;

use std::sync::Arc;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::{Device, Tensor};

pub use attention::{Slope, View};

/// Whether the fused operations exist on `device`.
#[must_use]
pub fn on(device: &Device) -> bool {
    device.clone().without_autodiff() == Device::flex()
}

/// The operations on raw tensors; `*_back` give the gradients of the inputs. Gradients of gradients are not defined.
#[backend_extension(Flex, Autodiff)]
pub(crate) trait Fused: Backend {
    /// Context, and the logarithm of each query's total.
    fn attend(qkv: FloatTensor<Self>, view: Arc<View>) -> (FloatTensor<Self>, FloatTensor<Self>);
    fn attend_back(
        gradient: FloatTensor<Self>,
        qkv: FloatTensor<Self>,
        context: FloatTensor<Self>,
        totals: FloatTensor<Self>,
        view: Arc<View>,
    ) -> FloatTensor<Self>;
    /// Context, and the logarithm of each query's total.
    fn attend_across(
        query: FloatTensor<Self>,
        key_value: FloatTensor<Self>,
        view: Arc<View>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);
    fn attend_across_back(
        gradient: FloatTensor<Self>,
        query: FloatTensor<Self>,
        key_value: FloatTensor<Self>,
        context: FloatTensor<Self>,
        totals: FloatTensor<Self>,
        view: Arc<View>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);
    /// GELU or SiLU of the first half of the columns times the second half.
    fn gated(up: FloatTensor<Self>, gelu: bool) -> FloatTensor<Self>;
    fn gated_back(gradient: FloatTensor<Self>, up: FloatTensor<Self>, gelu: bool) -> FloatTensor<Self>;
    fn normalise(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        epsilon: f64,
    ) -> FloatTensor<Self>;
    fn normalise_back(
        gradient: FloatTensor<Self>,
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        epsilon: f64,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
}

/// Softmax attention of fused queries, keys and values `[batch * tokens, 3 hidden]`, to `[batch * tokens, hidden]`; zero at
/// padding.
#[must_use]
pub fn attend(qkv: Tensor<2>, view: &Arc<View>) -> Tensor<2> {
    Tensor::from_dispatch(<Dispatch as Fused>::attend(qkv.into_dispatch(), Arc::clone(view)).0)
}

/// Softmax attention of queries `[batch * queries, hidden]` to keys and values `[batch * keys, 2 hidden]`, to
/// `[batch * queries, hidden]`; zero at padding.
#[must_use]
pub fn attend_across(query: Tensor<2>, key_value: Tensor<2>, view: &Arc<View>) -> Tensor<2> {
    let (query, key_value) = (query.into_dispatch(), key_value.into_dispatch());
    Tensor::from_dispatch(<Dispatch as Fused>::attend_across(query, key_value, Arc::clone(view)).0)
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
pub fn normalise(x: Tensor<2>, gamma: Tensor<1>, beta: Tensor<1>, epsilon: f64) -> Tensor<2> {
    let (x, gamma, beta) = (x.into_dispatch(), gamma.into_dispatch(), beta.into_dispatch());
    Tensor::from_dispatch(<Dispatch as Fused>::normalise(x, gamma, beta, epsilon))
}
