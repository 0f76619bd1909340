//! How much memory a run may take on this machine: the least of what there is (physical memory), what a container grants
//! (cgroup) and what the shell allows (`ulimit -v`). Linux tells; elsewhere nothing is known and nothing refused.

use std::fmt;
use std::path::Path;

/// An upper bound on the memory of a process.
#[derive(Clone, Debug, PartialEq)]
pub struct Memory {
    /// In MiB.
    pub mib: f64,
    /// Who says so.
    pub source: Source,
}

/// Who bounds the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The machine.
    Physical,
    /// The container or control group.
    Group,
    /// `ulimit -v`.
    Limit,
    /// The person, with `--memory`.
    Asked,
}

impl fmt::Display for Memory {
    /// `the machine has 7,953 MiB`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = match self.source {
            Source::Physical => "this machine has",
            Source::Group => "the control group of this process grants",
            Source::Limit => "\"ulimit -v\" allows",
            Source::Asked => "--memory allows",
        };
        write!(f, "{who} {:.0} MiB", self.mib)
    }
}

impl Memory {
    /// What a person said, in bytes.
    #[must_use]
    pub fn asked(bytes: u64) -> Memory {
        Memory { mib: bytes as f64 / f64::from(1 << 20), source: Source::Asked }
    }

    /// The bound of this process; `None` where the system does not tell.
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

/// The least bytes that a control group, or one it lies in, grants: version 2 (`0::/a/b`) and version 1 (`7:memory:/a/b`).
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
        // Inside a container the path may be that of the host: then only the top is there.
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
    fn what_the_system_says() {
        assert_eq!(physical("MemFree: 1 kB\nMemTotal:       16384000 kB\n"), Some(16_384_000.0 * 1024.0));
        assert_eq!(physical(""), None);
        let line = "Max address space         6144000000           unlimited            bytes     \n";
        assert_eq!(limit(line), Some(6_144_000_000.0));
        assert_eq!(limit("Max address space         unlimited            unlimited            bytes\n"), None);
    }

    #[test]
    fn the_tightest_group_counts() {
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
    fn this_machine_has_some() {
        let here = Memory::here().unwrap();
        assert!(here.mib > 64.0 && here.mib < 1e9, "{here}");
    }
}
