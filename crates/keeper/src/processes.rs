//! The processes of this PID namespace, from `/proc`.

use std::collections::HashSet;

use rustix::process::{Pid, Signal};

/// One line of `/proc/<pid>/stat`, as far as needed here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    /// 0: the parent lies outside this PID namespace.
    pub(crate) parent: i32,
}

/// Reads one process; `None` when it is gone or `/proc` does not show it.
pub(crate) fn read(pid: i32) -> Option<Process> {
    parse(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// Sends `signal` to every descendant of this process.
///
/// A process can fork while the list is read: whoever needs certainty calls it again.
pub(crate) fn signal_descendants(signals: &[Signal]) {
    for pid in descendants(&all(), rustix::process::getpid().as_raw_nonzero().get()) {
        let Some(pid) = Pid::from_raw(pid) else {
            continue;
        };
        for signal in signals {
            // Already gone is as good as signalled.
            rustix::process::kill_process(pid, *signal).ok();
        }
    }
}

fn all() -> Vec<Process> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    let pids = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(read).collect()
}

fn descendants(processes: &[Process], ancestor: i32) -> Vec<i32> {
    let mut known = HashSet::from([ancestor]);
    let mut found = Vec::new();
    loop {
        let before = found.len();
        for process in processes {
            if known.contains(&process.parent) && known.insert(process.pid) {
                found.push(process.pid);
            }
        }
        if found.len() == before {
            return found;
        }
    }
}

/// The name in parentheses may hold spaces and parentheses, so the fields count from the last one.
fn parse(stat: &str) -> Option<Process> {
    let pid = stat.split_whitespace().next()?.parse().ok()?;
    let parent = stat
        .rsplit_once(')')?
        .1
        .split_whitespace()
        .nth(1)?
        .parse()
        .ok()?;
    Some(Process { pid, parent })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let parsed = parse("42 (a ) (b) 3) S 7 42 42 0 -1").unwrap();
        assert_eq!(parsed, Process { pid: 42, parent: 7 });
    }

    #[test]
    fn descendants_are_found_through_generations_in_any_order() {
        let tree = [(9, 8), (8, 2), (2, 1), (3, 1), (7, 0)];
        let tree = tree.map(|(pid, parent)| Process { pid, parent });
        let mut found = descendants(&tree, 2);
        found.sort_unstable();
        assert_eq!(found, [8, 9]);
    }
}
