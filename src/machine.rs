//! machine: how much memory this process may have: the machine's, or what its control group leaves of it; and how much of that is free.

use std::path::{Path, PathBuf};

/// Bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    pub total: u64,
    pub free: u64,
}

/// None where the system does not tell.
pub fn memory() -> Option<Memory> {
    let read = |path: &Path| std::fs::read_to_string(path).ok();
    let own = whole(&read(Path::new("/proc/meminfo"))?)?;
    let group = read(Path::new("/proc/self/cgroup")).unwrap_or_default();
    let limits = folders(&group)
        .into_iter()
        .filter_map(|folder| limit(&|file| read(&folder.join(file))));
    Some(limits.fold(own, |a, b| Memory {
        total: a.total.min(b.total),
        free: a.free.min(b.free),
    }))
}

/// What /proc/meminfo says.
fn whole(text: &str) -> Option<Memory> {
    let kib = |key: &str| {
        text.lines().find_map(|l| {
            l.strip_prefix(key)?
                .trim()
                .strip_suffix("kB")?
                .trim()
                .parse::<u64>()
                .ok()
        })
    };
    Some(Memory {
        total: kib("MemTotal:")? << 10,
        free: kib("MemAvailable:")? << 10,
    })
}

/// The folders of the control groups that hold this process, from what /proc/self/cgroup says: each of them may limit it.
fn folders(group: &str) -> Vec<PathBuf> {
    let below = |root: &str, path: &str| {
        let path = Path::new(path.trim_start_matches('/')).to_path_buf();
        path.ancestors()
            .map(|p| Path::new(root).join(p))
            .collect::<Vec<_>>()
    };
    let of = |line: &str| match line.splitn(3, ':').collect::<Vec<_>>().as_slice() {
        ["0", "", path] => below("/sys/fs/cgroup", path),
        [_, "memory", path] => below("/sys/fs/cgroup/memory", path),
        _ => vec![],
    };
    group.lines().flat_map(of).collect()
}

/// What one control group leaves, in the files of version 2 or 1; what the system caches of files is free.
fn limit(file: &dyn Fn(&str) -> Option<String>) -> Option<Memory> {
    let number = |name: &str| file(name)?.trim().parse::<u64>().ok();
    let total = number("memory.max").or_else(|| number("memory.limit_in_bytes"))?;
    let used = number("memory.current")
        .or_else(|| number("memory.usage_in_bytes"))
        .unwrap_or(0);
    let cached = |text: String| {
        text.lines()
            .find_map(|l| l.strip_prefix("inactive_file ")?.parse::<u64>().ok())
    };
    let cached = file("memory.stat").and_then(cached).unwrap_or(0);
    Some(Memory {
        total,
        free: total.saturating_sub(used.saturating_sub(cached)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_of_machine_and_control_groups_counts() {
        let machine =
            whole("MemTotal:        2048 kB\nMemFree:          10 kB\nMemAvailable:    1024 kB\n")
                .unwrap();
        assert_eq!(
            machine,
            Memory {
                total: 2 << 20,
                free: 1 << 20
            }
        );
        let file = |name: &str| match name {
            "memory.max" => Some("1000\n".to_string()),
            "memory.current" => Some("900\n".into()),
            "memory.stat" => Some("anon 400\ninactive_file 300\n".into()),
            _ => None,
        };
        assert_eq!(
            limit(&file),
            Some(Memory {
                total: 1000,
                free: 400
            })
        );
        assert_eq!(
            limit(&|name| (name == "memory.max").then(|| "max\n".to_string())),
            None,
            "no limit"
        );
        let old = |name: &str| (name == "memory.limit_in_bytes").then(|| "77\n".to_string());
        assert_eq!(
            limit(&old),
            Some(Memory {
                total: 77,
                free: 77
            })
        );
    }

    #[test]
    fn every_control_group_above_the_process_is_asked() {
        let paths = |text: &str| {
            folders(text)
                .iter()
                .map(|p| p.display().to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            paths("0::/a/b\n"),
            ["/sys/fs/cgroup/a/b", "/sys/fs/cgroup/a", "/sys/fs/cgroup/"]
        );
        assert_eq!(paths("0::/\n"), ["/sys/fs/cgroup/"]);
        assert_eq!(
            paths("3:cpu:/x\n7:memory:/x\n"),
            ["/sys/fs/cgroup/memory/x", "/sys/fs/cgroup/memory/"]
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_machine_tells() {
        let memory = memory().unwrap();
        assert!(
            memory.free <= memory.total && memory.total > 1 << 28,
            "{memory:?}"
        );
    }
}
