//! Who a process is. Numbers of processes are used again, so a number alone proves nothing.

use std::fs;

/// When a process started, in clock ticks after boot; `None` when it is gone or a zombie.
pub(crate) fn start_time(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in parentheses and may hold anything, even parentheses.
    let (_, after_name) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    if *fields.first()? == "Z" {
        return None;
    }
    fields.get(19)?.parse().ok()
}

/// Names this process, so that a later run can tell whether it still lives.
pub(crate) fn own_mark() -> String {
    let pid = std::process::id();
    let start = i32::try_from(pid)
        .ok()
        .and_then(start_time)
        .unwrap_or_default();
    format!("{pid}-{start}")
}

/// Whether the process that made a mark still lives. What is no mark counts as living: it is not
/// ours to judge.
pub(crate) fn lives(mark: &str) -> bool {
    let parts = mark
        .split_once('-')
        .and_then(|(pid, start)| Some((pid.parse::<i32>().ok()?, start.parse::<u64>().ok()?)));
    parts.is_none_or(|(pid, start)| start_time(pid) == Some(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_lives_as_long_as_its_process() {
        assert!(lives(&own_mark()));
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        child.wait().unwrap();
        assert!(!lives(&format!("{pid}-1")));
    }

    #[test]
    fn what_is_no_mark_is_left_alone() {
        assert!(lives("somebody's label"));
    }
}
