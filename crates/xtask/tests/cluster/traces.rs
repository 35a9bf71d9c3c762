//! Where a cluster could have left something, looked at without asking its own scripts.

use std::fs;
use std::path::{Path, PathBuf};

/// Everything outside the network namespace.
pub(crate) fn on_the_machine(folder: &Path, name: &str) -> Vec<String> {
    let mut found = Vec::new();
    for cgroup in cgroups(name) {
        found.push(format!("cgroup {}", cgroup.display()));
    }
    let path = format!("{}/", folder.display());
    let mounts = fs::read_to_string("/proc/self/mountinfo").expect("the kernel lists mounts");
    let mounts = mounts.lines().filter(|line| line.contains(&path));
    found.extend(mounts.map(|line| format!("mount {line}")));
    for entry in entries(Path::new("/proc")) {
        let arguments = fs::read(entry.join("cmdline")).unwrap_or_default();
        let inside = fs::read_link(entry.join("cwd")).is_ok_and(|it| it.starts_with(folder));
        if inside || String::from_utf8_lossy(&arguments).contains(&path) {
            found.push(format!("process {}", entry.display()));
        }
    }
    for address in entries(Path::new("/var/lib/cni/results")) {
        if address.to_string_lossy().contains(name) {
            found.push(format!("address {}", address.display()));
        }
    }
    for entry in entries(folder) {
        if !entry.ends_with("log") && !entry.ends_with("lock") {
            found.push(format!("file {}", entry.display()));
        }
    }
    found
}

/// Processes of the cluster, by its cgroup.
pub(crate) fn processes(name: &str) -> Vec<i32> {
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = cgroups(name);
    while let Some(folder) = folders.pop() {
        let members = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
        found.extend(members.lines().filter_map(|line| line.parse::<i32>().ok()));
        folders.extend(entries(&folder).into_iter().filter(|it| it.is_dir()));
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// Version 1 has one in each hierarchy, version 2 only one.
fn cgroups(name: &str) -> Vec<PathBuf> {
    let root = Path::new("/sys/fs/cgroup");
    let hierarchies = entries(root).into_iter().chain([root.to_owned()]);
    hierarchies
        .map(|at| at.join(name))
        .filter(|at| at.is_dir())
        .collect()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}
