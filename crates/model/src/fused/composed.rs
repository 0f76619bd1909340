//! Attention composed from burn's operations, for devices and checks.

use burn::tensor::{Tensor, activation};

/// Softmax attention composed from burn's operations: queries, keys and values `[batch, heads, tokens, size]` and a bias
/// `[batch or 1, heads, tokens, tokens]` to `[batch, heads, tokens, size]`.
#[must_use]
pub fn composed_attention(query: Tensor<4>, key: Tensor<4>, value: Tensor<4>, bias: Tensor<4>) -> Tensor<4> {
    let size = query.dims()[3];
    let scores = (query * (1.0 / (size as f64).sqrt())).matmul(key.swap_dims(2, 3)) + bias;
    activation::softmax(scores, 3).matmul(value)
}
