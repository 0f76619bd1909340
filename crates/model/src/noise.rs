//! Named random streams: initial weights, dropout and router jitter.
//!
//! All values are drawn from `dataset::stream(seed, name)` on the host and copied to the device, so no value depends on the
//! order in which layers are built or run, nor on another run in the same process. One exception: on LibTorch's devices
//! dropout is drawn on the device, because a large encoder needs a hundred million values per step. LibTorch's generator is
//! global, so it is seeded from the named stream at every draw, under a lock.
//!
//! ```
//! use model::noise::Noise;
//! let device = model::device::open("cpu").unwrap();
//! let noise = Noise { seed: 7, step: 3 };
//! let a = noise.uniform("router", [2, 3], 0.99, 1.01, &device);
//! let b = noise.uniform("router", [2, 3], 0.99, 1.01, &device);
//! assert_eq!(a.to_data(), b.to_data());
//! ```

use std::sync::{Mutex, PoisonError};

use burn::tensor::{Device, Distribution, Tensor, TensorData};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::fused;

/// Locked from the seeding of a device's generator to the end of the draw.
static GENERATOR: Mutex<()> = Mutex::new(());

/// The noise of one training step. In evaluation, functions that take an `Option<&Noise>` get `None`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Noise {
    /// Seed of the run.
    pub seed: u64,
    /// Number of the step (or micro-batch); each number has its own streams.
    pub step: u64,
}

impl Noise {
    /// Factors of inverted dropout: 0 with probability `rate`, else `1 / (1 - rate)`.
    #[must_use]
    pub fn dropout<const D: usize>(&self, name: &str, shape: [usize; D], rate: f64, device: &Device) -> Tensor<D> {
        if !fused::on(device) {
            let _held = GENERATOR.lock().unwrap_or_else(PoisonError::into_inner);
            device.seed(self.stream(name).next_u64());
            return Tensor::random(shape, Distribution::Bernoulli(1.0 - rate), device) / (1.0 - rate);
        }
        // 16 random bits per value suffice: the rate is exact to 1 in 65536, and drawing takes half the bytes of 32-bit values.
        let threshold = (rate * 65536.0).round().clamp(0.0, 65535.0) as u16;
        let keep = 65536.0 / (65536.0 - f32::from(threshold));
        let count = shape.iter().product::<usize>();
        let mut bytes = vec![0_u8; count * 2];
        self.stream(name).fill_bytes(&mut bytes);
        let factor = |pair: &[u8]| if u16::from_le_bytes([pair[0], pair[1]]) < threshold { 0.0 } else { keep };
        let values: Vec<f32> = bytes.chunks_exact(2).map(factor).collect();
        Tensor::from_data(TensorData::new(values, shape), device)
    }

    /// Values uniform in `low..high`.
    #[must_use]
    pub fn uniform<const D: usize>(
        &self,
        name: &str,
        shape: [usize; D],
        low: f64,
        high: f64,
        device: &Device,
    ) -> Tensor<D> {
        let mut stream = self.stream(name);
        let values: Vec<f32> =
            (0..shape.iter().product()).map(|_| (low + (high - low) * unit(&mut stream)) as f32).collect();
        Tensor::from_data(TensorData::new(values, shape), device)
    }

    fn stream(&self, name: &str) -> ChaCha8Rng {
        dataset::stream(self.seed, &format!("noise/{}/{name}", self.step))
    }
}

/// Dropout at the layer `name`: the identity without noise or at rate 0.
#[must_use]
pub fn dropout<const D: usize>(states: Tensor<D>, noise: Option<&Noise>, name: &str, rate: f64) -> Tensor<D> {
    match noise {
        Some(noise) if rate > 0.0 => {
            let factors = noise.dropout(name, states.dims(), rate, &states.device());
            states * factors
        }
        _ => states,
    }
}

/// `count` draws of the standard normal distribution (Box-Muller on 32-bit uniforms, both values of each pair used).
#[must_use]
pub fn normal(stream: &mut ChaCha8Rng, count: usize) -> Vec<f64> {
    let mut values = Vec::with_capacity(count + 1);
    while values.len() < count {
        // 1 - u is in (0, 1], so the logarithm is finite.
        let radius = (-2.0 * (1.0 - unit(stream)).ln()).sqrt();
        let angle = std::f64::consts::TAU * unit(stream);
        values.push(radius * angle.cos());
        values.push(radius * angle.sin());
    }
    values.truncate(count);
    values
}

/// A uniform number in `0..1`, from 32 bits.
fn unit(stream: &mut ChaCha8Rng) -> f64 {
    f64::from(stream.next_u32()) / 4_294_967_296.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dropout_has_its_rate_keeps_the_mean_and_depends_only_on_the_name() {
        for name in crate::device::available() {
            let device = crate::device::open(name).unwrap();
            let draw =
                |site| Noise { seed: 1, step: 2 }.dropout(site, [100, 1000], 0.1, &device).try_into_vec_as::<f32>();
            let values = draw("x").unwrap();
            let zeros = values.iter().filter(|&&value| value == 0.0).count();
            assert!((9_600..10_400).contains(&zeros), "{name}: {zeros}");
            let mean = values.iter().map(|&value| f64::from(value)).sum::<f64>() / 1e5;
            assert!((mean - 1.0).abs() < 5e-3, "{name}: {mean}");
            assert_ne!(draw("y").unwrap(), values, "{name}");
            assert_eq!(draw("x").unwrap(), values, "{name}");
        }
    }

    #[test]
    fn normal_has_unit_variance() {
        let values = normal(&mut dataset::stream(1, "normal"), 100_001);
        let mean = values.iter().sum::<f64>() / 1e5;
        let variance = values.iter().map(|value| value * value).sum::<f64>() / 1e5;
        assert_eq!(values.len(), 100_001);
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.03, "{mean} {variance}");
    }
}
