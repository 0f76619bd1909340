//! Fused operations of the pure-Rust device: attention, GEGLU and LayerNorm, each one node of the tape with its own backward.
//!
//! Composed from burn's operations, attention passes over all heads' scores about twenty times a training step, in freshly
//! allocated memory, and each exponential is a scalar call: on one processor that was three quarters of a step. Here the
//! scores of a few queries at a time stay in the processor's cache and never become a tensor. Other devices use the
//! composed road, which the tests compare with this one.

mod arithmetic;
mod attention;
mod rows;

use std::sync::Arc;

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::{Device, Tensor, TensorData};

pub use attention::{Slope, View};

/// Whether the fused operations exist on `device`.
#[must_use]
pub fn on(device: &Device) -> bool {
    device.clone().without_autodiff() == Device::flex()
}

/// The operations on raw tensors. Gradients of gradients are not defined.
#[backend_extension(Flex, Autodiff)]
pub(crate) trait Fused: Backend {
    fn attend(qkv: FloatTensor<Self>, view: Arc<View>) -> (FloatTensor<Self>, FloatTensor<Self>);
    fn attend_back(
        gradient: FloatTensor<Self>,
        qkv: FloatTensor<Self>,
        context: FloatTensor<Self>,
        totals: FloatTensor<Self>,
        view: Arc<View>,
    ) -> FloatTensor<Self>;
    fn geglu(up: FloatTensor<Self>) -> FloatTensor<Self>;
    fn geglu_back(gradient: FloatTensor<Self>, up: FloatTensor<Self>) -> FloatTensor<Self>;
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

/// GELU of the first half of the columns times the second half: `[rows, 2 inner]` to `[rows, inner]`.
#[must_use]
pub fn geglu(up: Tensor<2>) -> Tensor<2> {
    Tensor::from_dispatch(<Dispatch as Fused>::geglu(up.into_dispatch()))
}

/// LayerNorm over the columns of `[rows, features]`.
#[must_use]
pub fn normalise(x: Tensor<2>, gamma: Tensor<1>, beta: Tensor<1>, epsilon: f64) -> Tensor<2> {
    let out = <Dispatch as Fused>::normalise(x.into_dispatch(), gamma.into_dispatch(), beta.into_dispatch(), epsilon);
    Tensor::from_dispatch(out)
}

/// The numbers of a tensor, without a copy where it is contiguous.
fn with<R>(tensor: FloatTensor<Flex>, read: impl FnOnce(&[f32]) -> R) -> R {
    let tensor = tensor.to_contiguous();
    let start = tensor.layout().start_offset();
    let count = tensor.layout().num_elements();
    read(&tensor.storage::<f32>()[start..start + count])
}

fn tensor(values: Vec<f32>, shape: impl Into<burn::tensor::Shape>) -> FloatTensor<Flex> {
    FloatTensor::<Flex>::from_data(TensorData::new(values, shape))
}

impl Fused for Flex {
    fn attend(qkv: FloatTensor<Flex>, view: Arc<View>) -> (FloatTensor<Flex>, FloatTensor<Flex>) {
        let [rows, hidden] = [view.rows(), qkv.layout().shape()[1] / 3];
        let (context, totals) = with(qkv, |qkv| attention::forward(qkv, hidden, &view));
        let count = totals.len();
        (tensor(context, [rows, hidden]), tensor(totals, [count]))
    }

    fn attend_back(
        gradient: FloatTensor<Flex>,
        qkv: FloatTensor<Flex>,
        context: FloatTensor<Flex>,
        totals: FloatTensor<Flex>,
        view: Arc<View>,
    ) -> FloatTensor<Flex> {
        let [rows, hidden] = [view.rows(), context.layout().shape()[1]];
        let values = with(gradient, |gradient| {
            with(qkv, |qkv| {
                with(context, |context| {
                    with(totals, |totals| attention::backward(gradient, qkv, context, totals, hidden, &view))
                })
            })
        });
        tensor(values, [rows, 3 * hidden])
    }

    fn geglu(up: FloatTensor<Flex>) -> FloatTensor<Flex> {
        let [rows, inner] = [up.layout().shape()[0], up.layout().shape()[1] / 2];
        tensor(with(up, |up| rows::geglu(up, inner)), [rows, inner])
    }

    fn geglu_back(gradient: FloatTensor<Flex>, up: FloatTensor<Flex>) -> FloatTensor<Flex> {
        let [rows, inner] = [up.layout().shape()[0], up.layout().shape()[1] / 2];
        tensor(with(gradient, |gradient| with(up, |up| rows::geglu_back(gradient, up, inner))), [rows, 2 * inner])
    }

    fn normalise(
        x: FloatTensor<Flex>,
        gamma: FloatTensor<Flex>,
        beta: FloatTensor<Flex>,
        epsilon: f64,
    ) -> FloatTensor<Flex> {
        let [rows, features] = [x.layout().shape()[0], x.layout().shape()[1]];
        let values =
            with(x, |x| with(gamma, |gamma| with(beta, |beta| rows::normalise(x, gamma, beta, epsilon as f32))));
        tensor(values, [rows, features])
    }

    fn normalise_back(
        gradient: FloatTensor<Flex>,
        x: FloatTensor<Flex>,
        gamma: FloatTensor<Flex>,
        epsilon: f64,
    ) -> (FloatTensor<Flex>, FloatTensor<Flex>, FloatTensor<Flex>) {
        let [rows, features] = [x.layout().shape()[0], x.layout().shape()[1]];
        let (x, gamma, beta) = with(gradient, |gradient| {
            with(x, |x| with(gamma, |gamma| rows::normalise_back(gradient, x, gamma, epsilon as f32)))
        });
        (tensor(x, [rows, features]), tensor(gamma, [features]), tensor(beta, [features]))
    }
}

impl<B: Fused, C: CheckpointStrategy> Fused for Autodiff<B, C> {
    fn attend(qkv: FloatTensor<Self>, view: Arc<View>) -> (FloatTensor<Self>, FloatTensor<Self>) {
        #[derive(Debug)]
        struct Attend;
        impl<B: Fused> Backward<B, 1> for Attend {
            type State = (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>, Arc<View>);
            fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
                let gradient = gradients.consume::<B>(&ops.node);
                let ([parent], (qkv, context, totals, view)) = (ops.parents, ops.state);
                if let Some(parent) = parent {
                    gradients.register::<B>(parent.id, B::attend_back(gradient, qkv, context, totals, view));
                }
            }
        }
        match Attend.prepare::<C>([qkv.node()]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let qkv = qkv.into_primitive();
                let (context, totals) = B::attend(qkv.clone(), Arc::clone(&view));
                let state = (qkv, context.clone(), totals.clone(), view);
                (prepared.finish(state, context), FloatTensor::<Self>::new(totals))
            }
            OpsKind::UnTracked(prepared) => {
                let (context, totals) = B::attend(qkv.into_primitive(), view);
                (prepared.finish(context), FloatTensor::<Self>::new(totals))
            }
        }
    }

    fn geglu(up: FloatTensor<Self>) -> FloatTensor<Self> {
        #[derive(Debug)]
        struct Geglu;
        impl<B: Fused> Backward<B, 1> for Geglu {
            type State = FloatTensor<B>;
            fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
                let gradient = gradients.consume::<B>(&ops.node);
                let ([parent], up) = (ops.parents, ops.state);
                if let Some(parent) = parent {
                    gradients.register::<B>(parent.id, B::geglu_back(gradient, up));
                }
            }
        }
        match Geglu.prepare::<C>([up.node()]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let up = up.into_primitive();
                prepared.finish(up.clone(), B::geglu(up))
            }
            OpsKind::UnTracked(prepared) => prepared.finish(B::geglu(up.into_primitive())),
        }
    }

    fn normalise(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        epsilon: f64,
    ) -> FloatTensor<Self> {
        #[derive(Debug)]
        struct Normalise;
        impl<B: Fused> Backward<B, 3> for Normalise {
            type State = (FloatTensor<B>, FloatTensor<B>, f64);
            fn backward(self, ops: Ops<Self::State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
                let gradient = gradients.consume::<B>(&ops.node);
                let (parents, (x, gamma, epsilon)) = (ops.parents, ops.state);
                let (x, gamma, beta) = B::normalise_back(gradient, x, gamma, epsilon);
                for (parent, value) in parents.into_iter().zip([x, gamma, beta]) {
                    if let Some(parent) = parent {
                        gradients.register::<B>(parent.id, value);
                    }
                }
            }
        }
        let prepared = Normalise.prepare::<C>([x.node(), gamma.node(), beta.node()]).compute_bound().stateful();
        let (x, gamma, beta) = (x.into_primitive(), gamma.into_primitive(), beta.into_primitive());
        match prepared {
            OpsKind::Tracked(prepared) => {
                let state = (x.clone(), gamma.clone(), epsilon);
                prepared.finish(state, B::normalise(x, gamma, beta, epsilon))
            }
            OpsKind::UnTracked(prepared) => prepared.finish(B::normalise(x, gamma, beta, epsilon)),
        }
    }

    fn attend_back(
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: Arc<View>,
    ) -> FloatTensor<Self> {
        unimplemented!("gradients of gradients")
    }

    fn geglu_back(_: FloatTensor<Self>, _: FloatTensor<Self>) -> FloatTensor<Self> {
        unimplemented!("gradients of gradients")
    }

    fn normalise_back(
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: f64,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        unimplemented!("gradients of gradients")
    }
}
