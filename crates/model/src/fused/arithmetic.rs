//! Plain loops that compilers turn into vector code: exponential, normal distribution, small matrix products.
//!
//! Everything is generic over `FMA`: whether the processor multiplies and adds in one instruction (see [`fused`]). Callers
//! run inside `pulp`'s dispatch, which compiles the loops for the processor at hand.

/// Columns that are computed together; matrices given to [`product`] have widths that are multiples of it.
pub(super) const LANES: usize = 16;

/// Runs `task` compiled for this processor.
pub(super) fn dispatch<T: pulp::NullaryFnOnce>(task: T) -> T::Output {
    pulp::Arch::new().dispatch(task)
}

/// Whether this processor has a fused multiply-add.
pub(super) fn fused() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::is_x86_feature_detected!("fma");
    #[cfg(not(target_arch = "x86_64"))]
    return cfg!(target_arch = "aarch64");
}

/// `a b + c`.
#[inline(always)]
pub(super) fn multiply_add<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// The exponential of a number up to 88: zero below -87, within 2 units in the last place otherwise.
///
/// Range reduction by powers of two, then the Taylor series to the seventh power on |r| <= ln(2) / 2.
#[inline(always)]
pub(super) fn exponential<const FMA: bool>(x: f32) -> f32 {
    // Adding 1.5 * 2^23 leaves the nearest whole number in the low bits.
    const SHIFT: f32 = 12_582_912.0;
    // ln 2 in two parts, the first exact in few bits.
    const HIGH: f32 = 0.693_359_4;
    const LOW: f32 = -2.121_944_4e-4;
    let clamped = if x < -87.0 { -87.0 } else { x };
    let shifted = multiply_add::<FMA>(clamped, std::f32::consts::LOG2_E, SHIFT);
    let whole = shifted - SHIFT;
    let rest = multiply_add::<FMA>(whole, -LOW, multiply_add::<FMA>(whole, -HIGH, clamped));
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
/// Formula 7.1.26 of Abramowitz and Stegun, Handbook of Mathematical Functions: off by at most 1e-7.
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

/// `C = A B`, or `C += A B` if `add`, where A is given transposed: `a` holds `[inner, rows]`, `b` `[inner, columns]`, `c`
/// `[rows, columns]`. `rows` and `columns` are multiples of [`LANES`].
#[inline(always)]
pub(super) fn product_transposed<const FMA: bool>(
    [rows, columns, inner]: [usize; 3],
    a: Matrix,
    b: Matrix,
    c: &mut [f32],
    stride: usize,
    add: bool,
) {
    const BLOCK: usize = 8;
    for row in (0..rows).step_by(BLOCK) {
        for column in (0..columns).step_by(LANES) {
            let mut sums = [[0.0_f32; LANES]; BLOCK];
            for k in 0..inner {
                let left: &[f32; BLOCK] = array(&a.values[k * a.stride + row..]);
                let right: &[f32; LANES] = array(&b.values[k * b.stride + column..]);
                for (sums, left) in sums.iter_mut().zip(left) {
                    for (sum, right) in sums.iter_mut().zip(right) {
                        *sum = multiply_add::<FMA>(*left, *right, *sum);
                    }
                }
            }
            store(&sums, c, row * stride + column, stride, add);
        }
    }
}

/// `C = A B`, or `C += A B` if `add`, with `a` `[rows, inner]`, `b` `[inner, columns]`, `c` `[rows, columns]`. `rows` and
/// `columns` are multiples of [`LANES`].
#[inline(always)]
pub(super) fn product<const FMA: bool>(
    [rows, columns, inner]: [usize; 3],
    a: Matrix,
    b: Matrix,
    c: &mut [f32],
    stride: usize,
    add: bool,
) {
    const BLOCK: usize = 8;
    for row in (0..rows).step_by(BLOCK) {
        let left: [&[f32]; BLOCK] = std::array::from_fn(|block| &a.values[(row + block) * a.stride..][..inner]);
        for column in (0..columns).step_by(LANES) {
            let mut sums = [[0.0_f32; LANES]; BLOCK];
            for k in 0..inner {
                let right: &[f32; LANES] = array(&b.values[k * b.stride + column..]);
                for (sums, left) in sums.iter_mut().zip(&left) {
                    let left = left[k];
                    for (sum, right) in sums.iter_mut().zip(right) {
                        *sum = multiply_add::<FMA>(left, *right, *sum);
                    }
                }
            }
            store(&sums, c, row * stride + column, stride, add);
        }
    }
}

#[inline(always)]
fn store<const BLOCK: usize>(sums: &[[f32; LANES]; BLOCK], c: &mut [f32], start: usize, stride: usize, add: bool) {
    for (block, sums) in sums.iter().enumerate() {
        let out = &mut c[start + block * stride..][..LANES];
        for (out, sum) in out.iter_mut().zip(sums) {
            *out = if add { *out + sum } else { *sum };
        }
    }
}

/// The first `N` values of a slice that is long enough.
#[inline(always)]
fn array<const N: usize>(values: &[f32]) -> &[f32; N] {
    match values.first_chunk() {
        Some(values) => values,
        None => panic!("a matrix is smaller than its shape says"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponential_and_normal_are_close() {
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
