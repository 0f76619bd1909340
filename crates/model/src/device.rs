//! Devices: parses `--device cpu | tch | tch:cpu | tch:cuda[:N]` to a burn [`Device`].
//!
//! With [`crate::fused`], which has LibTorch's attention, the only place with `cfg(feature)`. In burn 0.22 a device is a value, not a generic parameter, so the rest of this crate is
//! independent of the backend. `cpu` is pure Rust (burn-flex); `tch` is LibTorch, which supports GPUs (deprecated by burn,
//! therefore confined to these).
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
    /// No build has a device of this name.
    #[error("unknown device \"{0}\": must be one of cpu, tch, tch:cpu, tch:cuda or tch:cuda:N")]
    Unknown(String),
    /// The device is supported, but this program was built without it.
    #[error("device \"{device}\" is not in this build: build with `--features {feature}`")]
    NotBuilt {
        /// Requested device.
        device: String,
        /// The cargo feature that enables it.
        feature: &'static str,
    },
    /// burn has such a device, but tokbench does not support it.
    #[error("device \"{0}\" is not supported: its dependencies are not available from the package index; use tch:cuda")]
    NotOffered(String),
    /// The machine has no such GPU.
    #[error("device \"{device}\" not found: LibTorch reports {found} CUDA device(s) on this machine")]
    Absent {
        /// Requested device.
        device: String,
        /// Number of CUDA devices reported by LibTorch.
        found: usize,
    },
}

/// A parsed device name.
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

/// Opens a device by name, without autodiff (for training use `open(name)?.autodiff()`).
///
/// # Errors
/// If the name is unknown, the program was built without the device, or the machine has no such GPU.
pub fn open(name: &str) -> Result<Device, Error> {
    match parse(name)? {
        Name::Cpu => Ok(Device::flex()),
        Name::TchCpu => libtorch(name, None),
        Name::TchCuda(index) => libtorch(name, Some(index)),
    }
}

/// The kind of a device as written to run keys and records: `cpu`, `tch-cpu` or `tch-cuda`.
///
/// # Errors
/// If the name is unknown. A device that is absent on this machine has a kind.
pub fn kind(name: &str) -> Result<String, Error> {
    let kind = match parse(name)? {
        Name::Cpu => "cpu",
        Name::TchCpu => "tch-cpu",
        Name::TchCuda(_) => "tch-cuda",
    };
    Ok(kind.to_owned())
}

/// Name of the hardware behind a device: the processor model (on Linux, else the architecture), or the GPU as its driver names it.
#[must_use]
pub fn hardware(name: &str) -> String {
    match parse(name) {
        Ok(Name::TchCuda(index)) => graphics(index, "name").unwrap_or_else(|| format!("CUDA device {index}")),
        _ => processor().unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
    }
}

/// The devices that a name stands for: all GPUs of this machine for `tch:cuda`, else the device itself.
#[must_use]
pub fn all(name: &str) -> Vec<String> {
    match parse(name) {
        Ok(Name::TchCuda(_)) if name == "tch:cuda" => {
            (0..gpus().max(1)).map(|index| format!("{name}:{index}")).collect()
        }
        _ => vec![name.to_owned()],
    }
}

/// Free memory of a GPU in MiB, as its driver says; `None` if unknown, or no GPU.
#[must_use]
pub fn free_memory(name: &str) -> Option<f64> {
    let Ok(Name::TchCuda(index)) = parse(name) else { return None };
    graphics(index, "memory.free")?.parse().ok()
}

fn processor() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let model = |line: &str| Some(line.strip_prefix("model name")?.split_once(':')?.1.trim().to_owned());
    text.lines().find_map(model)
}

/// What the driver calls the GPU with an index among those that `CUDA_VISIBLE_DEVICES` lists, if it is set.
fn physical(index: usize, visible: Option<&str>) -> Option<String> {
    match visible {
        None => Some(index.to_string()),
        Some(list) => list.split(',').map(str::trim).nth(index).filter(|id| !id.is_empty()).map(str::to_owned),
    }
}

/// What the driver says of a GPU: its `name`, or `memory.free` in MiB.
fn graphics(index: usize, what: &str) -> Option<String> {
    // LibTorch counts the GPUs that are visible to it, the driver all.
    let visible = std::env::var("CUDA_VISIBLE_DEVICES").ok();
    let id = physical(index, visible.as_deref())?;
    let arguments = [format!("--id={id}"), format!("--query-gpu={what}"), "--format=csv,noheader,nounits".to_owned()];
    let output = std::process::Command::new("nvidia-smi")
        .args(arguments)
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let value = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (!value.is_empty()).then_some(value)
}

/// Vector instructions of this processor that the fused operations of the device `cpu` use.
#[must_use]
pub fn instructions() -> &'static str {
    crate::fused::instructions()
}

/// Names of the devices that this build can open on this machine.
#[must_use]
pub fn available() -> Vec<&'static str> {
    ["cpu", "tch:cpu", "tch:cuda"].into_iter().filter(|name| open(name).is_ok()).collect()
}

/// Sets the number of threads of this process; call it once, before any computation. Results do not depend on it.
pub fn threads(number: usize) {
    // Fails only if the thread pool already exists; its size is then set by RAYON_NUM_THREADS.
    let _ = rayon::ThreadPoolBuilder::new().num_threads(number.max(1)).build_global();
}

#[cfg(feature = "tch")]
fn libtorch(name: &str, cuda: Option<usize>) -> Result<Device, Error> {
    let Some(index) = cuda else { return Ok(Device::libtorch()) };
    let found = gpus();
    if index < found { Ok(Device::libtorch_cuda(index)) } else { Err(Error::Absent { device: name.to_owned(), found }) }
}

/// Number of GPUs that LibTorch finds.
#[cfg(feature = "tch")]
fn gpus() -> usize {
    // It also lists the CPU.
    let devices = Device::enumerate(burn::tensor::DeviceType::LibTorch).into_iter();
    devices.filter(|device| format!("{device:?}").contains("Cuda")).count()
}

#[cfg(not(feature = "tch"))]
fn gpus() -> usize {
    0
}

#[cfg(not(feature = "tch"))]
fn libtorch(name: &str, _cuda: Option<usize>) -> Result<Device, Error> {
    Err(Error::NotBuilt { device: name.to_owned(), feature: "tch" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_names_are_parsed_or_rejected() {
        assert_eq!(parse("tch:cuda:3"), Ok(Name::TchCuda(3)));
        assert_eq!(kind("tch"), Ok("tch-cpu".to_owned()));
        assert_eq!(parse("tch:cuda:x"), Err(Error::Unknown("tch:cuda:x".to_owned())));
        assert!(matches!(parse("cuda"), Err(Error::NotOffered(_))));
        assert!(open("cpu").is_ok());
        assert!(available().contains(&"cpu"));
        assert!(!hardware("cpu").is_empty());
        assert!(!hardware("tch:cuda:99").is_empty());
        assert_eq!(all("cpu"), ["cpu"]);
        assert_eq!(all("tch:cuda:3"), ["tch:cuda:3"]);
        assert_eq!(all("tch:cuda")[0], "tch:cuda:0");
        assert_eq!(free_memory("cpu"), None);
        assert_eq!(physical(1, None).as_deref(), Some("1"));
        assert_eq!(physical(1, Some("3, GPU-8932f937")).as_deref(), Some("GPU-8932f937"));
        assert_eq!(physical(2, Some("3,5")), None);
    }
}
