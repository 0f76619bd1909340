//! The fused operations in the autodiff graph: each saves the tensors that its backward pass needs and registers that pass.

use std::sync::Arc;

use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;

use super::Fused;
use super::adamw::AdamStep;
use super::attention::AttentionMask;

#[derive(Debug)]
struct Attend;

impl<B: Fused> Backward<B, 1> for Attend {
    type State = ([FloatTensor<B>; 3], Arc<AttentionMask>);

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<B>(&ops.node);
        let ([parent], ([qkv, context, log_sums], mask)) = (ops.parents, ops.state);
        if let Some(parent) = parent {
            gradients.register::<B>(parent.id, B::attend_backward(gradient, qkv, context, log_sums, mask));
        }
    }
}

#[derive(Debug)]
struct CrossAttend;

impl<B: Fused> Backward<B, 2> for CrossAttend {
    type State = ([FloatTensor<B>; 4], Arc<AttentionMask>);

    fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<B>(&ops.node);
        let (parents, ([query, key_value, context, log_sums], mask)) = (ops.parents, ops.state);
        let (query, key_value) = B::cross_attend_backward(gradient, query, key_value, context, log_sums, mask);
        for (parent, value) in parents.into_iter().zip([query, key_value]) {
            if let Some(parent) = parent {
                gradients.register::<B>(parent.id, value);
            }
        }
    }
}

#[derive(Debug)]
struct Gated;

impl<B: Fused> Backward<B, 1> for Gated {
    type State = (FloatTensor<B>, bool);

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<B>(&ops.node);
        let ([parent], (up, gelu)) = (ops.parents, ops.state);
        if let Some(parent) = parent {
            gradients.register::<B>(parent.id, B::gated_backward(gradient, up, gelu));
        }
    }
}

#[derive(Debug)]
struct Normalize;

impl<B: Fused> Backward<B, 3> for Normalize {
    type State = ([FloatTensor<B>; 2], f64);

    fn backward(self, ops: Ops<Self::State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<B>(&ops.node);
        let (parents, ([x, gamma], epsilon)) = (ops.parents, ops.state);
        let (x, gamma, beta) = B::normalize_backward(gradient, x, gamma, epsilon);
        for (parent, value) in parents.into_iter().zip([x, gamma, beta]) {
            if let Some(parent) = parent {
                gradients.register::<B>(parent.id, value);
            }
        }
    }
}

impl<B: Fused, C: CheckpointStrategy> Fused for Autodiff<B, C> {
    fn attend(qkv: FloatTensor<Self>, mask: Arc<AttentionMask>) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let prepared = Attend.prepare::<C>([qkv.node()]).compute_bound().stateful();
        let qkv = qkv.into_primitive();
        let (context, log_sums) = B::attend(qkv.clone(), Arc::clone(&mask));
        let out = FloatTensor::<Self>::new(log_sums.clone());
        match prepared {
            OpsKind::Tracked(prepared) => (prepared.finish(([qkv, context.clone(), log_sums], mask), context), out),
            OpsKind::UnTracked(prepared) => (prepared.finish(context), out),
        }
    }

    fn cross_attend(
        query: FloatTensor<Self>,
        key_value: FloatTensor<Self>,
        mask: Arc<AttentionMask>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let prepared = CrossAttend.prepare::<C>([query.node(), key_value.node()]).compute_bound().stateful();
        let (query, key_value) = (query.into_primitive(), key_value.into_primitive());
        let (context, log_sums) = B::cross_attend(query.clone(), key_value.clone(), Arc::clone(&mask));
        let out = FloatTensor::<Self>::new(log_sums.clone());
        match prepared {
            OpsKind::Tracked(prepared) => {
                (prepared.finish(([query, key_value, context.clone(), log_sums], mask), context), out)
            }
            OpsKind::UnTracked(prepared) => (prepared.finish(context), out),
        }
    }

    fn gated(up: FloatTensor<Self>, gelu: bool) -> FloatTensor<Self> {
        let prepared = Gated.prepare::<C>([up.node()]).compute_bound().stateful();
        let up = up.into_primitive();
        match prepared {
            OpsKind::Tracked(prepared) => prepared.finish((up.clone(), gelu), B::gated(up, gelu)),
            OpsKind::UnTracked(prepared) => prepared.finish(B::gated(up, gelu)),
        }
    }

    fn normalize(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        epsilon: f64,
    ) -> FloatTensor<Self> {
        let prepared = Normalize.prepare::<C>([x.node(), gamma.node(), beta.node()]).compute_bound().stateful();
        let (x, gamma, beta) = (x.into_primitive(), gamma.into_primitive(), beta.into_primitive());
        let out = B::normalize(x.clone(), gamma.clone(), beta, epsilon);
        match prepared {
            OpsKind::Tracked(prepared) => prepared.finish(([x, gamma], epsilon), out),
            OpsKind::UnTracked(prepared) => prepared.finish(out),
        }
    }

    fn attend_backward(
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: Arc<AttentionMask>,
    ) -> FloatTensor<Self> {
        unreachable!("second-order gradients are not supported")
    }

    fn cross_attend_backward(
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: Arc<AttentionMask>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        unreachable!("second-order gradients are not supported")
    }

    fn gated_backward(_: FloatTensor<Self>, _: FloatTensor<Self>, _: bool) -> FloatTensor<Self> {
        unreachable!("second-order gradients are not supported")
    }

    fn normalize_backward(
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: f64,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        unreachable!("second-order gradients are not supported")
    }

    fn adamw(
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: AdamStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        unreachable!("an optimizer works on tensors outside the graph")
    }
}
