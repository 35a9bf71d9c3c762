use std::fs;
use std::path::{Path, PathBuf};

use carrel_keeper::report::Limits;

use super::mounts::Mounts;

/// Above this a v1 memory limit means "none": the kernel stores the largest page-aligned number.
const V1_UNLIMITED: u64 = 1 << 60;

/// Reads the limits of this process's control groups, in either version.
pub(super) fn limits(mounts: &Mounts) -> Limits {
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let groups = Groups { own: &own, mounts };
    Limits {
        memory_bytes: groups.memory(),
        memory_and_swap_bytes: groups.memory_and_swap(),
        pids: groups.number("pids", "pids.max", "pids.max"),
        cpu_quota_millis: groups.cpu(),
        pids_tried: None,
    }
}

struct Groups<'a> {
    /// `/proc/self/cgroup`.
    own: &'a str,
    mounts: &'a Mounts,
}

impl Groups<'_> {
    fn memory(&self) -> Option<u64> {
        self.number("memory", "memory.max", "memory.limit_in_bytes")
            .filter(|bytes| *bytes < V1_UNLIMITED)
    }

    /// The kernel counts both together in version 1 and swap apart in version 2.
    fn memory_and_swap(&self) -> Option<u64> {
        let memory = self.memory()?;
        if !has_swap(&fs::read_to_string("/proc/swaps").unwrap_or_default()) {
            return Some(memory);
        }
        if let Some(swap) = self.read("", "memory.swap.max") {
            return swap.trim().parse::<u64>().ok()?.checked_add(memory);
        }
        let both = self.read("memory", "memory.memsw.limit_in_bytes")?;
        both.trim().parse().ok().filter(|both| *both < V1_UNLIMITED)
    }

    fn cpu(&self) -> Option<u64> {
        if let Some(line) = self.read("", "cpu.max") {
            return quota_millis(&line);
        }
        let quota = self.read("cpu", "cpu.cfs_quota_us")?;
        let period = self.read("cpu", "cpu.cfs_period_us")?;
        quota_millis(&format!("{} {}", quota.trim(), period.trim()))
    }

    fn number(&self, controller: &str, unified: &str, v1: &str) -> Option<u64> {
        let text = self
            .read("", unified)
            .or_else(|| self.read(controller, v1))?;
        text.trim().parse().ok()
    }

    /// Reads `file` of the group of `controller`; the empty name is the unified hierarchy.
    ///
    /// The group's path and the mount may each be seen from inside or outside the namespace, so
    /// the path is tried below the mount first and the mount itself after.
    fn read(&self, controller: &str, file: &str) -> Option<String> {
        let mount = self.mounts.iter().find(|mount| {
            if controller.is_empty() {
                return mount.fstype == "cgroup2";
            }
            mount.fstype == "cgroup" && mount.options.split(',').any(|name| name == controller)
        })?;
        let group = self.path(controller)?;
        let below = group
            .strip_prefix(&mount.root)
            .or_else(|_| group.strip_prefix("/"))
            .ok()?;
        let places = [mount.point.join(below), mount.point.clone()];
        places
            .iter()
            .find_map(|place| fs::read_to_string(place.join(file)).ok())
    }

    fn path(&self, controller: &str) -> Option<PathBuf> {
        self.own.lines().find_map(|line| {
            let mut fields = line.splitn(3, ':').skip(1);
            let (controllers, path) = (fields.next()?, fields.next()?);
            let ours = controllers.split(',').any(|name| name == controller);
            ours.then(|| Path::new(path).to_path_buf())
        })
    }
}

/// `200000 100000` → 2000; `max 100000` and `-1 100000` → none.
fn quota_millis(line: &str) -> Option<u64> {
    let (quota, period) = line.trim().split_once(' ')?;
    let (quota, period): (u64, u64) = (quota.parse().ok()?, period.parse().ok()?);
    quota.checked_mul(1000)?.checked_div(period)
}

/// Every line but the heading is one place of swap. Without even a heading nothing is known.
fn has_swap(swaps: &str) -> bool {
    swaps.lines().count() != 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn swap_is_known_to_be_absent_only_by_an_empty_list() {
        assert!(!has_swap("Filename Type Size Used Priority\n"));
        assert!(has_swap(
            "Filename Type Size Used Priority\n/swap file 1 0 -2\n"
        ));
        assert!(has_swap(""));
    }

    #[test]
    fn a_quota_is_told_in_thousandths_of_a_cpu() {
        assert_eq!(quota_millis("150000 100000\n"), Some(1500));
        assert_eq!(quota_millis("max 100000"), None);
        assert_eq!(quota_millis("-1 100000"), None);
        assert_eq!(quota_millis("1 0"), None);
    }
}
