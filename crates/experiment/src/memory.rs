//! Memory limit of a run on this machine: the minimum of physical memory, the limit of the control group (container) and
//! `ulimit -v`. Only known on Linux; elsewhere there is no limit.

use std::fmt;
use std::path::Path;

/// An upper bound on the memory of a process.
#[derive(Clone, Debug, PartialEq)]
pub struct Memory {
    /// Limit in MiB.
    pub mib: f64,
    /// Origin of the limit.
    pub source: Source,
}

/// Origin of a memory limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Physical memory.
    Physical,
    /// Control group (container).
    Group,
    /// `ulimit -v`.
    Limit,
    /// `--memory`.
    Requested,
}

impl fmt::Display for Memory {
    /// `this machine has 7953 MiB`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = match self.source {
            Source::Physical => "this machine has",
            Source::Group => "the control group of this process allows",
            Source::Limit => "\"ulimit -v\" allows",
            Source::Requested => "--memory allows",
        };
        write!(f, "{who} {:.0} MiB", self.mib)
    }
}

impl Memory {
    /// A limit set by the user, in bytes.
    #[must_use]
    pub fn requested(bytes: u64) -> Memory {
        Memory { mib: bytes as f64 / f64::from(1 << 20), source: Source::Requested }
    }

    /// The limit of this process; `None` if it is unknown.
    #[must_use]
    pub fn here() -> Option<Memory> {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let known = [
            (Source::Physical, physical(&read("/proc/meminfo"))),
            (Source::Group, group(&read("/proc/self/cgroup"), Path::new("/sys/fs/cgroup"))),
            (Source::Limit, limit(&read("/proc/self/limits"))),
        ];
        let known = known.into_iter().filter_map(|(source, bytes)| Some((source, bytes?)));
        let (source, bytes) = known.min_by(|a, b| a.1.total_cmp(&b.1))?;
        Some(Memory { mib: bytes / f64::from(1 << 20), source })
    }
}

/// Memory in MiB that a process takes of a GPU before any tensor: the CUDA context and LibTorch's kernels. A round number on the safe side.
const CUDA_CONTEXT_MIB: f64 = 1024.0;

/// Number of runs that share GPUs with so much free memory (MiB, `None` if unknown), if a run needs `most` MiB for its tensors: on each as
/// many as fit into the fullest, one if its memory is unknown or it fits nowhere; at most one per thread, but one on each.
#[must_use]
pub fn sharing(most: f64, threads: usize, free: &[Option<f64>]) -> usize {
    let fitting = |free: &Option<f64>| free.map_or(1, |free| (free / (most + CUDA_CONTEXT_MIB)) as usize);
    let each = free.iter().map(fitting).min().unwrap_or(1).max(1);
    (each * free.len()).min(threads.max(free.len())).max(1)
}

/// Bytes of the line `MemTotal:  16384000 kB`.
fn physical(meminfo: &str) -> Option<f64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok()? * 1024.0)
}

/// Bytes of the soft limit in the line `Max address space  6144000000  unlimited  bytes`.
fn limit(limits: &str) -> Option<f64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max address space"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Minimum limit in bytes of a control group and its ancestors: version 2 (`0::/a/b`) and version 1 (`7:memory:/a/b`).
fn group(groups: &str, root: &Path) -> Option<f64> {
    let mut least: Option<f64> = None;
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        let (top, file) = match controllers {
            "" => (root.to_owned(), "memory.max"),
            _ if controllers.split(',').any(|name| name == "memory") => (root.join("memory"), "memory.limit_in_bytes"),
            _ => continue,
        };
        // Inside a container the path may be that of the host; then only the root exists.
        let folder = top.join(path.trim_start_matches('/'));
        for folder in folder.ancestors().take_while(|folder| folder.starts_with(&top)) {
            let text = std::fs::read_to_string(folder.join(file)).unwrap_or_default();
            if let Ok(bytes) = text.trim().parse::<f64>() {
                least = Some(least.map_or(bytes, |least| least.min(bytes)));
            }
        }
    }
    least
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_parsed() {
        assert_eq!(physical("MemFree: 1 kB\nMemTotal:       16384000 kB\n"), Some(16_384_000.0 * 1024.0));
        assert_eq!(physical(""), None);
        let line = "Max address space         6144000000           unlimited            bytes     \n";
        assert_eq!(limit(line), Some(6_144_000_000.0));
        assert_eq!(limit("Max address space         unlimited            unlimited            bytes\n"), None);
    }

    #[test]
    fn runs_share_gpus_as_far_as_they_fit() {
        let free = Some(10_000.0);
        // A run takes 2,000 MiB with its context.
        assert_eq!(sharing(976.0, 16, &[free]), 5);
        assert_eq!(sharing(976.0, 4, &[free]), 4);
        assert_eq!(sharing(976.0, 16, &[free, free]), 10);
        // The fullest decides, because runs are spread evenly.
        assert_eq!(sharing(976.0, 16, &[free, Some(4_000.0)]), 4);
        assert_eq!(sharing(976.0, 16, &[free, None]), 2);
        assert_eq!(sharing(99_999.0, 16, &[free, free]), 2);
        assert_eq!(sharing(976.0, 1, &[free; 4]), 4);
        assert_eq!(sharing(976.0, 3, &[]), 1);
    }

    #[test]
    fn the_smallest_group_limit_counts() {
        let root = tempfile::tempdir().unwrap();
        let put = |path: &str, text: &str| {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        put("a/memory.max", "5000\n");
        put("a/b/memory.max", "max\n");
        put("memory/c/memory.limit_in_bytes", "9223372036854771712\n");
        assert_eq!(group("0::/a/b\n", root.path()), Some(5000.0));
        assert_eq!(group("0::/\n", root.path()), None);
        assert_eq!(group("7:cpu:/c\n6:memory:/c\n0::/not/here\n", root.path()), Some(9_223_372_036_854_771_712.0));
        put("memory.max", "4000\n");
        assert_eq!(group("0::/not/here\n", root.path()), Some(4000.0));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_machine_has_a_limit() {
        let here = Memory::here().unwrap();
        assert!(here.mib > 64.0 && here.mib < 1e9, "{here}");
    }
}
