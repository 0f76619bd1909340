//! The fused operations on burn's pure-Rust tensors: shapes in and out, the loops are next door.

use std::sync::Arc;

use burn::backend::Flex;
use burn::backend::tensor::FloatTensor;
use burn::tensor::{Shape, TensorData};

use super::attention::{self, Inputs, Kept, Source, View};
use super::{Fused, rows};

type Values = FloatTensor<Flex>;

/// The numbers of a contiguous tensor.
fn numbers(tensor: &Values) -> &[f32] {
    let start = tensor.layout().start_offset();
    &tensor.storage::<f32>()[start..start + tensor.layout().num_elements()]
}

fn tensor(values: Vec<f32>, shape: impl Into<Shape>) -> Values {
    Values::from_data(TensorData::new(values, shape))
}

/// Rows and columns.
fn size(tensor: &Values) -> [usize; 2] {
    let shape = tensor.layout().shape();
    [shape[0], shape[1]]
}

fn source(values: &[f32], blocks: usize, block: usize) -> Source<'_> {
    Source { values, blocks, block }
}

/// Queries, keys and values side by side.
fn joined<'a>(qkv: &'a [f32], hidden: usize, view: &'a View) -> Inputs<'a> {
    let [query, key, value] = [0, 1, 2].map(|block| source(qkv, 3, block));
    Inputs { query, key, value, hidden, view }
}

/// Queries apart from keys and values.
fn across<'a>(query: &'a [f32], key_value: &'a [f32], hidden: usize, view: &'a View) -> Inputs<'a> {
    let [key, value] = [0, 1].map(|block| source(key_value, 2, block));
    Inputs { query: source(query, 1, 0), key, value, hidden, view }
}

impl Fused for Flex {
    fn attend(qkv: Values, view: Arc<View>) -> (Values, Values) {
        let (qkv, hidden) = (qkv.to_contiguous(), size(&qkv)[1] / 3);
        let (context, totals) = attention::forward(joined(numbers(&qkv), hidden, &view));
        let count = totals.len();
        (tensor(context, [view.rows(0), hidden]), tensor(totals, [count]))
    }

    fn attend_back(gradient: Values, qkv: Values, context: Values, totals: Values, view: Arc<View>) -> Values {
        let [gradient, qkv, context, totals] = [gradient, qkv, context, totals].map(|tensor| tensor.to_contiguous());
        let hidden = size(&context)[1];
        let kept = Kept { gradient: numbers(&gradient), context: numbers(&context), totals: numbers(&totals) };
        let mut out = [vec![0.0; view.rows(0) * 3 * hidden]];
        let places = [(0, 3, 0), (0, 3, 1), (0, 3, 2)];
        attention::backward(joined(numbers(&qkv), hidden, &view), kept, places, &mut out);
        let [out] = out;
        tensor(out, [view.rows(0), 3 * hidden])
    }

    fn attend_across(query: Values, key_value: Values, view: Arc<View>) -> (Values, Values) {
        let [query, key_value] = [query, key_value].map(|tensor| tensor.to_contiguous());
        let hidden = size(&query)[1];
        let (context, totals) = attention::forward(across(numbers(&query), numbers(&key_value), hidden, &view));
        let count = totals.len();
        (tensor(context, [view.rows(0), hidden]), tensor(totals, [count]))
    }

    fn attend_across_back(
        gradient: Values,
        query: Values,
        key_value: Values,
        context: Values,
        totals: Values,
        view: Arc<View>,
    ) -> (Values, Values) {
        let [gradient, query, key_value] = [gradient, query, key_value].map(|tensor| tensor.to_contiguous());
        let [context, totals] = [context, totals].map(|tensor| tensor.to_contiguous());
        let hidden = size(&context)[1];
        let kept = Kept { gradient: numbers(&gradient), context: numbers(&context), totals: numbers(&totals) };
        let mut out = [vec![0.0; view.rows(0) * hidden], vec![0.0; view.rows(1) * 2 * hidden]];
        let places = [(0, 1, 0), (1, 2, 0), (1, 2, 1)];
        attention::backward(across(numbers(&query), numbers(&key_value), hidden, &view), kept, places, &mut out);
        let [query, key_value] = out;
        (tensor(query, [view.rows(0), hidden]), tensor(key_value, [view.rows(1), 2 * hidden]))
    }

    fn gated(up: Values, gelu: bool) -> Values {
        let [rows, columns] = size(&up);
        tensor(rows::gated(numbers(&up.to_contiguous()), columns / 2, gelu), [rows, columns / 2])
    }

    fn gated_back(gradient: Values, up: Values, gelu: bool) -> Values {
        let [rows, columns] = size(&up);
        let [gradient, up] = [gradient, up].map(|tensor| tensor.to_contiguous());
        tensor(rows::gated_back(numbers(&gradient), numbers(&up), columns / 2, gelu), [rows, columns])
    }

    fn normalise(x: Values, gamma: Values, beta: Values, epsilon: f64) -> Values {
        let shape = size(&x);
        let [x, gamma, beta] = [x, gamma, beta].map(|tensor| tensor.to_contiguous());
        tensor(rows::normalise(numbers(&x), numbers(&gamma), numbers(&beta), epsilon as f32), shape)
    }

    fn normalise_back(gradient: Values, x: Values, gamma: Values, epsilon: f64) -> (Values, Values, Values) {
        let [rows, features] = size(&x);
        let [gradient, x, gamma] = [gradient, x, gamma].map(|tensor| tensor.to_contiguous());
        let (x, gamma, beta) = rows::normalise_back(numbers(&gradient), numbers(&x), numbers(&gamma), epsilon as f32);
        (tensor(x, [rows, features]), tensor(gamma, [features]), tensor(beta, [features]))
    }
}
