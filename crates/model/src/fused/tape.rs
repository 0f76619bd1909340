//! The fused operations on the gradient tape: each registers what its backward needs and calls it.

use std::sync::Arc;

use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;

use super::Fused;
use super::attention::View;

#[derive(Debug)]
struct Attend;

impl<B: Fused> Backward<B, 1> for Attend {
    type State = ([FloatTensor<B>; 3], Arc<View>);

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<B>(&ops.node);
        let ([parent], ([qkv, context, totals], view)) = (ops.parents, ops.state);
        if let Some(parent) = parent {
            gradients.register::<B>(parent.id, B::attend_back(gradient, qkv, context, totals, view));
        }
    }
}

#[derive(Debug)]
struct AttendAcross;

impl<B: Fused> Backward<B, 2> for AttendAcross {
    type State = ([FloatTensor<B>; 4], Arc<View>);

    fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<B>(&ops.node);
        let (parents, ([query, key_value, context, totals], view)) = (ops.parents, ops.state);
        let (query, key_value) = B::attend_across_back(gradient, query, key_value, context, totals, view);
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
            gradients.register::<B>(parent.id, B::gated_back(gradient, up, gelu));
        }
    }
}

#[derive(Debug)]
struct Normalise;

impl<B: Fused> Backward<B, 3> for Normalise {
    type State = ([FloatTensor<B>; 2], f64);

    fn backward(self, ops: Ops<Self::State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<B>(&ops.node);
        let (parents, ([x, gamma], epsilon)) = (ops.parents, ops.state);
        let (x, gamma, beta) = B::normalise_back(gradient, x, gamma, epsilon);
        for (parent, value) in parents.into_iter().zip([x, gamma, beta]) {
            if let Some(parent) = parent {
                gradients.register::<B>(parent.id, value);
            }
        }
    }
}

impl<B: Fused, C: CheckpointStrategy> Fused for Autodiff<B, C> {
    fn attend(qkv: FloatTensor<Self>, view: Arc<View>) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let prepared = Attend.prepare::<C>([qkv.node()]).compute_bound().stateful();
        let qkv = qkv.into_primitive();
        let (context, totals) = B::attend(qkv.clone(), Arc::clone(&view));
        let out = FloatTensor::<Self>::new(totals.clone());
        match prepared {
            OpsKind::Tracked(prepared) => (prepared.finish(([qkv, context.clone(), totals], view), context), out),
            OpsKind::UnTracked(prepared) => (prepared.finish(context), out),
        }
    }

    fn attend_across(
        query: FloatTensor<Self>,
        key_value: FloatTensor<Self>,
        view: Arc<View>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let prepared = AttendAcross.prepare::<C>([query.node(), key_value.node()]).compute_bound().stateful();
        let (query, key_value) = (query.into_primitive(), key_value.into_primitive());
        let (context, totals) = B::attend_across(query.clone(), key_value.clone(), Arc::clone(&view));
        let out = FloatTensor::<Self>::new(totals.clone());
        match prepared {
            OpsKind::Tracked(prepared) => {
                (prepared.finish(([query, key_value, context.clone(), totals], view), context), out)
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

    fn normalise(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        epsilon: f64,
    ) -> FloatTensor<Self> {
        let prepared = Normalise.prepare::<C>([x.node(), gamma.node(), beta.node()]).compute_bound().stateful();
        let (x, gamma, beta) = (x.into_primitive(), gamma.into_primitive(), beta.into_primitive());
        let out = B::normalise(x.clone(), gamma.clone(), beta, epsilon);
        match prepared {
            OpsKind::Tracked(prepared) => prepared.finish(([x, gamma], epsilon), out),
            OpsKind::UnTracked(prepared) => prepared.finish(out),
        }
    }

    fn attend_back(
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: Arc<View>,
    ) -> FloatTensor<Self> {
        unreachable!("a tape on a tape: tokbench never asks for gradients of gradients")
    }

    fn attend_across_back(
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: Arc<View>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        unreachable!("a tape on a tape: tokbench never asks for gradients of gradients")
    }

    fn gated_back(_: FloatTensor<Self>, _: FloatTensor<Self>, _: bool) -> FloatTensor<Self> {
        unreachable!("a tape on a tape: tokbench never asks for gradients of gradients")
    }

    fn normalise_back(
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: f64,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        unreachable!("a tape on a tape: tokbench never asks for gradients of gradients")
    }
}
