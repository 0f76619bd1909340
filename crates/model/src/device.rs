//! Where a run computes: `--device cpu | tch | tch:cpu | tch:cuda[:N]` turned into a burn [`Device`].
//!
//! The one file with `cfg(feature)`. burn 0.22 has no backend generic: a device is a value, and everything else in this
//! crate is written once. `cpu` is pure Rust (burn-flex); `tch` is LibTorch, the road to a GPU (deprecated upstream,
//! which is why it is named in this file only).
//!
//! ```
//! let device = model::device::open("cpu").unwrap();
//! assert!(!device.is_autodiff());
//! assert_eq!(model::device::kind("tch:cuda:1").unwrap(), "tch-cuda");
//! ```
#![allow(deprecated)]

use burn::tensor::Device;
use thiserror::Error;

/// Why a device could not be opened.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Error {
    /// No such device in any build.
    #[error("unknown device \"{0}\": the devices are cpu, tch, tch:cpu, tch:cuda and tch:cuda:N")]
    Unknown(String),
    /// The device exists, but this program was built without it.
    #[error("device \"{device}\" is not in this build: build with `--features {feature}`")]
    NotBuilt {
        /// What was asked for.
        device: String,
        /// The cargo feature that would bring it.
        feature: &'static str,
    },
    /// The device is known, but tokbench does not offer it.
    #[error(
        "device \"{0}\" is not built here: its dependencies need a download that the package index does not hold; use tch:cuda"
    )]
    NotOffered(String),
    /// The machine does not have it.
    #[error("device \"{device}\": LibTorch sees {found} CUDA device(s) on this machine")]
    Absent {
        /// What was asked for.
        device: String,
        /// Number of CUDA devices that LibTorch sees.
        found: usize,
    },
}

/// A device name, read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Name {
    Cpu,
    TchCpu,
    TchCuda(usize),
}

fn parse(name: &str) -> Result<Name, Error> {
    match name {
        "cpu" => Ok(Name::Cpu),
        "tch" | "tch:cpu" => Ok(Name::TchCpu),
        "tch:cuda" => Ok(Name::TchCuda(0)),
        "cuda" | "wgpu" => Err(Error::NotOffered(name.to_owned())),
        _ => {
            let index = name.strip_prefix("tch:cuda:").and_then(|index| index.parse().ok());
            index.map(Name::TchCuda).ok_or_else(|| Error::Unknown(name.to_owned()))
        }
    }
}

/// Opens a device by name, without a gradient tape (training wants `open(name)?.autodiff()`).
///
/// # Errors
/// An unknown name, a device this program was built without, or a GPU this machine does not have.
pub fn open(name: &str) -> Result<Device, Error> {
    match parse(name)? {
        Name::Cpu => Ok(Device::flex()),
        Name::TchCpu => libtorch(name, None),
        Name::TchCuda(index) => libtorch(name, Some(index)),
    }
}

/// The kind of a device as it stands in run keys and records: `cpu`, `tch-cpu` or `tch-cuda`.
///
/// # Errors
/// An unknown name. A device that is merely absent has a kind.
pub fn kind(name: &str) -> Result<String, Error> {
    let kind = match parse(name)? {
        Name::Cpu => "cpu",
        Name::TchCpu => "tch-cpu",
        Name::TchCuda(_) => "tch-cuda",
    };
    Ok(kind.to_owned())
}

/// The hardware behind a device in words, where the system tells: the processor (Linux), or the GPU as its driver calls it.
#[must_use]
pub fn hardware(name: &str) -> String {
    match parse(name) {
        Ok(Name::TchCuda(index)) => graphics(index).unwrap_or_else(|| format!("CUDA device {index}")),
        _ => processor().unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
    }
}

fn processor() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let model = |line: &str| Some(line.strip_prefix("model name")?.split_once(':')?.1.trim().to_owned());
    text.lines().find_map(model)
}

fn graphics(index: usize) -> Option<String> {
    let index = format!("--id={index}");
    let output = std::process::Command::new("nvidia-smi")
        .args([&index, "--query-gpu=name", "--format=csv,noheader"])
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let name = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (!name.is_empty()).then_some(name)
}

/// Names of the devices that can be opened in this build on this machine.
#[must_use]
pub fn available() -> Vec<&'static str> {
    ["cpu", "tch:cpu", "tch:cuda"].into_iter().filter(|name| open(name).is_ok()).collect()
}

/// Sets the number of threads of this process, once, before anything is computed. Does not change results.
pub fn threads(number: usize) {
    // Fails only if the pool exists already; then RAYON_NUM_THREADS has decided.
    let _ = rayon::ThreadPoolBuilder::new().num_threads(number.max(1)).build_global();
}

#[cfg(feature = "tch")]
fn libtorch(name: &str, cuda: Option<usize>) -> Result<Device, Error> {
    use burn::tensor::DeviceType;
    let Some(index) = cuda else { return Ok(Device::libtorch()) };
    // LibTorch lists its CPU too; only devices beyond it are GPUs.
    let devices = Device::enumerate(DeviceType::LibTorch).into_iter();
    let found = devices.filter(|device| format!("{device:?}").contains("Cuda")).count();
    if index < found { Ok(Device::libtorch_cuda(index)) } else { Err(Error::Absent { device: name.to_owned(), found }) }
}

#[cfg(not(feature = "tch"))]
fn libtorch(name: &str, _cuda: Option<usize>) -> Result<Device, Error> {
    Err(Error::NotBuilt { device: name.to_owned(), feature: "tch" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_or_refused_with_a_reason() {
        assert_eq!(parse("tch:cuda:3"), Ok(Name::TchCuda(3)));
        assert_eq!(kind("tch"), Ok("tch-cpu".to_owned()));
        assert_eq!(parse("tch:cuda:x"), Err(Error::Unknown("tch:cuda:x".to_owned())));
        assert!(matches!(parse("cuda"), Err(Error::NotOffered(_))));
        assert!(open("cpu").is_ok());
        assert!(available().contains(&"cpu"));
        assert!(!hardware("cpu").is_empty());
        assert!(!hardware("tch:cuda:99").is_empty());
    }
}
