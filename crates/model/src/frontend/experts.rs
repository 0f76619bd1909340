//! MxDNA's convolution experts: each maps windows of its kernel size to one vector per window.
//!
//! `y = Wpost SiLU(LayerNorm(c))`, where `c` is a grouped convolution of `GLU(Wpre w)` over the whole window. Windows do not
//! overlap, so the strided convolution is a batched matrix product over the groups.

use burn::module::{Module, Param};
use burn::tensor::{Tensor, activation};

use crate::layers::{Init, LayerNorm, Linear};

/// Epsilon of the LayerNorms in the published module.
pub const EPSILON: f64 = 1e-5;
/// Epsilon of the LayerNorms of experts in the in-place layout.
pub const EPSILON_IN_PLACE: f64 = 1e-6;

/// One convolution expert.
#[derive(Module, Debug)]
pub struct Expert {
    /// `[hidden, 2 hidden]`, without bias: values, then gates.
    pub pre: Linear,
    /// `[groups, size * hidden / groups, hidden / groups]`: within a group, rows are ordered by window position, then by feature.
    pub grouped: Param<Tensor<3>>,
    /// LayerNorm after the convolution.
    pub norm: LayerNorm,
    /// `[hidden, hidden]`, without bias.
    pub post: Linear,
    #[module(skip)]
    size: usize,
}

/// Number of groups of an expert: the divisor of `hidden` closest to `size`. Of equally close divisors, the first in the order 1,
/// hidden, 2, hidden / 2, ... as in the published code.
#[must_use]
pub fn groups(hidden: usize, size: usize) -> usize {
    let pairs = (1..=hidden).take_while(|low| low * low <= hidden).filter(|low| hidden.is_multiple_of(*low));
    // `min_by_key` returns the first minimum.
    pairs.flat_map(|low| [low, hidden / low]).min_by_key(|divisor| divisor.abs_diff(size)).unwrap_or(1)
}

impl Expert {
    /// An expert for windows of `size` positions; parameters `NAME.*`.
    #[must_use]
    pub fn new(init: &Init, name: &str, hidden: usize, size: usize) -> Expert {
        let groups = groups(hidden, size);
        let width = hidden / groups;
        Expert {
            pre: Linear::new(init, &format!("{name}.pre"), hidden, 2 * hidden, false),
            grouped: init.normal(&format!("{name}.grouped"), [groups, size * width, width]),
            norm: LayerNorm::new(init, &format!("{name}.norm"), hidden, EPSILON),
            post: Linear::new(init, &format!("{name}.post"), hidden, hidden, false),
            size,
        }
    }

    /// Concatenated windows `[units * size, hidden]` to one vector per window `[units, hidden]`.
    #[must_use]
    pub fn forward(&self, windows: Tensor<2>) -> Tensor<2> {
        let [rows, hidden] = windows.dims();
        let [groups, _, width] = self.grouped.dims();
        let units = rows / self.size;
        let gated = activation::glu(self.pre.forward(windows), 1);
        let grouped = gated.reshape([units, self.size, groups, width]).permute([2, 0, 1, 3]);
        let convolved = grouped.reshape([groups, units, self.size * width]).matmul(self.grouped.val());
        let convolved = convolved.swap_dims(0, 1).reshape([units, hidden]);
        self.post.forward(activation::silu(self.norm.forward(convolved)))
    }

    /// Multiply-accumulates for one unit.
    #[must_use]
    pub fn macs(&self) -> usize {
        let hidden = self.post.weight.dims()[0];
        let [_, _, width] = self.grouped.dims();
        self.size * hidden * (2 * hidden + width) + hidden * hidden
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_groups_equal_the_published_ones() {
        let table = |hidden| (1..=16).map(|size| groups(hidden, size)).collect::<Vec<_>>();
        assert_eq!(table(512), [1, 2, 2, 4, 4, 4, 8, 8, 8, 8, 8, 8, 16, 16, 16, 16]);
        assert_eq!(table(768), [1, 2, 3, 4, 4, 6, 6, 8, 8, 8, 12, 12, 12, 12, 16, 16]);
        assert_eq!(table(24)[..10], [1, 2, 3, 4, 4, 6, 8, 8, 8, 12]);
        assert_eq!(table(32)[..10], [1, 2, 2, 4, 4, 4, 8, 8, 8, 8]);
    }
}
