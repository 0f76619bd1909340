//! The fused operations on tensors of burn's pure-Rust backend: conversion of shapes; the computation is in the sibling modules.

use std::sync::Arc;

use burn::backend::Flex;
use burn::backend::tensor::FloatTensor;
use burn::tensor::{Shape, TensorData};

use super::adamw::{self, AdamStep};
use super::attention::{self, AttentionMask, ForwardOutputs, Inputs, Source};
use super::{Fused, rows};

type Values = FloatTensor<Flex>;

/// The values of a contiguous tensor.
fn numbers(tensor: &Values) -> &[f32] {
    let start = tensor.layout().start_offset();
    &tensor.storage::<f32>()[start..start + tensor.layout().num_elements()]
}

/// The tensor as the only one in its memory, contiguous.
fn own(tensor: Values) -> Values {
    let whole =
        tensor.layout().contiguous_offsets().is_some_and(|(start, end)| start == 0 && end == tensor.bytes().len() / 4);
    if whole && tensor.is_unique() {
        tensor
    } else {
        self::tensor(numbers(&tensor.to_contiguous()).to_vec(), tensor.layout().shape().clone())
    }
}

fn tensor(values: Vec<f32>, shape: impl Into<Shape>) -> Values {
    Values::from_data(TensorData::new(values, shape))
}

/// Number of rows and columns.
fn size(tensor: &Values) -> [usize; 2] {
    let shape = tensor.layout().shape();
    [shape[0], shape[1]]
}

fn source(values: &[f32], blocks: usize, block: usize) -> Source<'_> {
    Source { values, blocks, block }
}

/// Self-attention: queries, keys and values in the columns of one tensor.
fn joined<'a>(qkv: &'a [f32], hidden: usize, mask: &'a AttentionMask) -> Inputs<'a> {
    let [query, key, value] = [0, 1, 2].map(|block| source(qkv, 3, block));
    Inputs { query, key, value, hidden, mask }
}

/// Cross-attention: queries in one tensor, keys and values in the columns of another.
fn across<'a>(query: &'a [f32], key_value: &'a [f32], hidden: usize, mask: &'a AttentionMask) -> Inputs<'a> {
    let [key, value] = [0, 1].map(|block| source(key_value, 2, block));
    Inputs { query: source(query, 1, 0), key, value, hidden, mask }
}

impl Fused for Flex {
    fn attend(qkv: Values, mask: Arc<AttentionMask>) -> (Values, Values) {
        let (qkv, hidden) = (qkv.to_contiguous(), size(&qkv)[1] / 3);
        let (context, log_sums) = attention::forward(joined(numbers(&qkv), hidden, &mask));
        let count = log_sums.len();
        (tensor(context, [mask.rows(0), hidden]), tensor(log_sums, [count]))
    }

    fn attend_backward(
        gradient: Values,
        qkv: Values,
        context: Values,
        log_sums: Values,
        mask: Arc<AttentionMask>,
    ) -> Values {
        let [gradient, qkv, context, log_sums] =
            [gradient, qkv, context, log_sums].map(|tensor| tensor.to_contiguous());
        let hidden = size(&context)[1];
        let saved =
            ForwardOutputs { gradient: numbers(&gradient), context: numbers(&context), log_sums: numbers(&log_sums) };
        let mut out = [vec![0.0; mask.rows(0) * 3 * hidden]];
        let places = [(0, 3, 0), (0, 3, 1), (0, 3, 2)];
        attention::backward(joined(numbers(&qkv), hidden, &mask), saved, places, &mut out);
        let [out] = out;
        tensor(out, [mask.rows(0), 3 * hidden])
    }

    fn cross_attend(query: Values, key_value: Values, mask: Arc<AttentionMask>) -> (Values, Values) {
        let [query, key_value] = [query, key_value].map(|tensor| tensor.to_contiguous());
        let hidden = size(&query)[1];
        let (context, log_sums) = attention::forward(across(numbers(&query), numbers(&key_value), hidden, &mask));
        let count = log_sums.len();
        (tensor(context, [mask.rows(0), hidden]), tensor(log_sums, [count]))
    }

    fn cross_attend_backward(
        gradient: Values,
        query: Values,
        key_value: Values,
        context: Values,
        log_sums: Values,
        mask: Arc<AttentionMask>,
    ) -> (Values, Values) {
        let [gradient, query, key_value] = [gradient, query, key_value].map(|tensor| tensor.to_contiguous());
        let [context, log_sums] = [context, log_sums].map(|tensor| tensor.to_contiguous());
        let hidden = size(&context)[1];
        let saved =
            ForwardOutputs { gradient: numbers(&gradient), context: numbers(&context), log_sums: numbers(&log_sums) };
        let mut out = [vec![0.0; mask.rows(0) * hidden], vec![0.0; mask.rows(1) * 2 * hidden]];
        let places = [(0, 1, 0), (1, 2, 0), (1, 2, 1)];
        attention::backward(across(numbers(&query), numbers(&key_value), hidden, &mask), saved, places, &mut out);
        let [query, key_value] = out;
        (tensor(query, [mask.rows(0), hidden]), tensor(key_value, [mask.rows(1), 2 * hidden]))
    }

    fn gated(up: Values, gelu: bool) -> Values {
        let [rows, columns] = size(&up);
        tensor(rows::gated(numbers(&up.to_contiguous()), columns / 2, gelu), [rows, columns / 2])
    }

    fn gated_backward(gradient: Values, up: Values, gelu: bool) -> Values {
        let [rows, columns] = size(&up);
        let [gradient, up] = [gradient, up].map(|tensor| tensor.to_contiguous());
        tensor(rows::gated_backward(numbers(&gradient), numbers(&up), columns / 2, gelu), [rows, columns])
    }

    fn normalize(x: Values, gamma: Values, beta: Values, epsilon: f64) -> Values {
        let shape = size(&x);
        let [x, gamma, beta] = [x, gamma, beta].map(|tensor| tensor.to_contiguous());
        tensor(rows::normalize(numbers(&x), numbers(&gamma), numbers(&beta), epsilon as f32), shape)
    }

    fn normalize_backward(gradient: Values, x: Values, gamma: Values, epsilon: f64) -> (Values, Values, Values) {
        let [rows, features] = size(&x);
        let [gradient, x, gamma] = [gradient, x, gamma].map(|tensor| tensor.to_contiguous());
        let (x, gamma, beta) =
            rows::normalize_backward(numbers(&gradient), numbers(&x), numbers(&gamma), epsilon as f32);
        (tensor(x, [rows, features]), tensor(gamma, [features]), tensor(beta, [features]))
    }

    fn adamw(
        parameter: Values,
        gradient: Values,
        first: Values,
        second: Values,
        step: AdamStep,
    ) -> (Values, Values, Values) {
        let gradient = gradient.to_contiguous();
        let [mut parameter, mut first, mut second] = [parameter, first, second].map(own);
        let moments = [first.storage_mut(), second.storage_mut()];
        adamw::step(step, parameter.storage_mut(), numbers(&gradient), moments);
        (parameter, first, second)
    }
}
