//! Loops that the compiler vectorizes: exponential, normal distribution function, small matrix products.
//!
//! Functions are generic over `FMA`: whether the processor has a fused multiply-add instruction. Their callers are
//! [`Kernel`]s, which `pulp` compiles for each instruction set and selects at run time.

use pulp::Simd;

/// A multiple of the vector width of every processor. The widths of matrices in [`product`] must be multiples of it.
pub(super) const LANES: usize = 16;
/// Rows of a product that are computed together.
const BLOCK: usize = 8;

/// A computation that is compiled for each instruction set. (A closure is not always inlined into the code for the instruction
/// set, and is then a hundred times slower.)
pub(super) trait Kernel {
    /// Result of the computation.
    type Output;
    /// Performs the computation. This function and all vectorized functions it calls must be `#[inline(always)]`.
    fn run<S: Simd, const FMA: bool>(self, simd: S) -> Self::Output;
}

/// Runs the version of `kernel` for the instruction set of this processor.
pub(super) fn dispatch<K: Kernel>(kernel: K) -> K::Output {
    struct Any<K>(K);
    impl<K: Kernel> pulp::WithSimd for Any<K> {
        type Output = K::Output;
        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) -> K::Output {
            // All instruction sets except the scalar one have fused multiply-add.
            if S::IS_SCALAR { self.0.run::<S, false>(simd) } else { self.0.run::<S, true>(simd) }
        }
    }
    pulp::Arch::new().dispatch(Any(kernel))
}

/// The instruction set that the kernels select on this processor, by lanes of f32.
#[must_use]
pub fn instructions() -> &'static str {
    struct Lanes;
    impl pulp::WithSimd for Lanes {
        type Output = usize;
        fn with_simd<S: Simd>(self, _: S) -> usize {
            S::F32_LANES
        }
    }
    match pulp::Arch::new().dispatch(Lanes) {
        16 => "512-bit",
        8 => "256-bit",
        4 => "128-bit",
        _ => "scalar",
    }
}

/// `a b + c`.
#[inline(always)]
pub(super) fn multiply_add<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// The exponential of `x` <= 88: zero below -87, otherwise within 2 units in the last place.
///
/// Range reduction by powers of two, then the Taylor series to the seventh power on |r| <= ln(2) / 2.
#[inline(always)]
pub(super) fn exponential<const FMA: bool>(x: f32) -> f32 {
    // Adding 1.5 * 2^23 rounds to an integer, held in the low bits of the mantissa.
    const SHIFT: f32 = 12_582_912.0;
    // ln 2 as a sum of two numbers, the first with few significant bits.
    const HIGH: f32 = 0.693_359_4;
    const LOW: f32 = -2.121_944_4e-4;
    let clamped = if x < -87.0 { -87.0 } else { x };
    let shifted = multiply_add::<FMA>(clamped, std::f32::consts::LOG2_E, SHIFT);
    let integer = shifted - SHIFT;
    let rest = multiply_add::<FMA>(integer, -LOW, multiply_add::<FMA>(integer, -HIGH, clamped));
    let mut sum = 1.0 / 5040.0;
    for coefficient in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        sum = multiply_add::<FMA>(sum, rest, coefficient);
    }
    let exponent = shifted.to_bits().wrapping_sub(SHIFT.to_bits()).wrapping_add(127);
    let value = sum * f32::from_bits(exponent << 23);
    if x < -87.0 { 0.0 } else { value }
}

/// The standard normal distribution function at `x`, and `exp(-x² / 2)`.
///
/// Formula 7.1.26 of Abramowitz and Stegun, Handbook of Mathematical Functions: absolute error at most 1e-7.
#[inline(always)]
pub(super) fn normal<const FMA: bool>(x: f32) -> (f32, f32) {
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let bell = exponential::<FMA>(-z * z);
    let t = 1.0 / multiply_add::<FMA>(0.327_591_1, z, 1.0);
    let mut sum = 1.061_405_4;
    for coefficient in [-1.453_152, 1.421_413_7, -0.284_496_74, 0.254_829_6] {
        sum = multiply_add::<FMA>(sum, t, coefficient);
    }
    let tail = 0.5 * sum * t * bell;
    (if x < 0.0 { tail } else { 1.0 - tail }, bell)
}

/// The logistic function `1 / (1 + exp(-x))`.
#[inline(always)]
pub(super) fn logistic<const FMA: bool>(x: f32) -> f32 {
    let small = exponential::<FMA>(-x.abs());
    (if x < 0.0 { small } else { 1.0 }) / (1.0 + small)
}

/// A strided matrix: element (row, column) at `row * stride + column`.
#[derive(Clone, Copy)]
pub(super) struct Matrix<'a> {
    pub(super) values: &'a [f32],
    pub(super) stride: usize,
}

/// The matrix that starts at `start` of `values`.
#[inline(always)]
pub(super) fn matrix(values: &[f32], start: usize, stride: usize) -> Matrix<'_> {
    Matrix { values: &values[start..], stride }
}

/// Shape of a matrix product, and whether it accumulates; see [`product`].
#[derive(Clone, Copy)]
pub(super) struct Product {
    /// Rows of C, a multiple of 8.
    pub(super) rows: usize,
    /// Columns of C, a multiple of [`LANES`].
    pub(super) columns: usize,
    /// Columns of A and rows of B.
    pub(super) inner: usize,
    /// Whether to add to C or to overwrite it.
    pub(super) add: bool,
}

/// `C = A B` with `a` `[rows, inner]`, `b` `[inner, columns]`, `c` `[rows, columns]`.
#[inline(always)]
pub(super) fn product<S: Simd>(simd: S, shape: Product, a: Matrix, b: Matrix, c: &mut [f32], stride: usize) {
    for row in (0..shape.rows).step_by(BLOCK) {
        let [r0, r1, r2, r3, r4, r5, r6, r7]: [&[f32]; BLOCK] =
            std::array::from_fn(|block| &a.values[(row + block) * a.stride..][..shape.inner]);
        for column in (0..shape.columns).step_by(S::F32_LANES) {
            let mut sums = [simd.splat_f32s(0.0); BLOCK];
            // Zipped, so that no index is checked in the loop.
            let lefts = r0.iter().zip(r1).zip(r2).zip(r3).zip(r4).zip(r5).zip(r6).zip(r7);
            for (right, (((((((l0, l1), l2), l3), l4), l5), l6), l7)) in b.values[column..].chunks(b.stride).zip(lefts)
            {
                let right = load::<S>(right);
                for (sum, left) in sums.iter_mut().zip([l0, l1, l2, l3, l4, l5, l6, l7]) {
                    *sum = simd.mul_add_f32s(simd.splat_f32s(*left), right, *sum);
                }
            }
            store(simd, &sums, c, row * stride + column, stride, shape.add);
        }
    }
}

/// As [`product`] with the transpose of A: `a` is `[inner, rows]`.
#[inline(always)]
pub(super) fn product_transposed<S: Simd>(simd: S, shape: Product, a: Matrix, b: Matrix, c: &mut [f32], stride: usize) {
    for row in (0..shape.rows).step_by(BLOCK) {
        for column in (0..shape.columns).step_by(S::F32_LANES) {
            let mut sums = [simd.splat_f32s(0.0); BLOCK];
            let lefts = a.values[row..].chunks(a.stride).take(shape.inner);
            for (left, right) in lefts.zip(b.values[column..].chunks(b.stride)) {
                let left: &[f32; BLOCK] = match left.first_chunk() {
                    Some(left) => left,
                    None => panic!("a matrix is smaller than its shape"),
                };
                let right = load::<S>(right);
                for (sum, left) in sums.iter_mut().zip(left) {
                    *sum = simd.mul_add_f32s(simd.splat_f32s(*left), right, *sum);
                }
            }
            store(simd, &sums, c, row * stride + column, stride, shape.add);
        }
    }
}

#[inline(always)]
fn load<S: Simd>(values: &[f32]) -> S::f32s {
    S::as_simd_f32s(&values[..S::F32_LANES]).0[0]
}

#[inline(always)]
fn store<S: Simd>(simd: S, sums: &[S::f32s; BLOCK], c: &mut [f32], start: usize, stride: usize, add: bool) {
    for (block, sum) in sums.iter().enumerate() {
        let out = &mut S::as_mut_simd_f32s(&mut c[start + block * stride..][..S::F32_LANES]).0[0];
        *out = if add { simd.add_f32s(*out, *sum) } else { *sum };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponential_and_normal_are_accurate() {
        for step in 0..200_000 {
            let x = -100.0 + step as f32 * 1e-3 * 0.9;
            let expected = if x < -87.0 { 0.0 } else { f64::from(x).exp() };
            let found = f64::from(exponential::<false>(x));
            assert!((found - expected).abs() <= 3e-7 * expected, "{x}: {found} {expected}");
        }
        assert_eq!(exponential::<false>(f32::NEG_INFINITY), 0.0);
        assert!(exponential::<false>(f32::NAN).is_nan());
        assert_eq!(exponential::<false>(0.0), 1.0);
        for (x, expected) in
            [(0.0, 0.5), (1.0, 0.841_344_746), (-1.0, 0.158_655_254), (3.0, 0.998_650_102), (-12.0, 0.0)]
        {
            assert!((f64::from(normal::<false>(x).0) - expected).abs() < 1.5e-7, "{x}");
        }
    }
}
