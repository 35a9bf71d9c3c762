//! Whatever a run left that was killed: its processes, environments and databases.

use std::path::Path;
use std::str::FromStr;

use rustix::process::{Pid, Signal, kill_process};

use crate::process::RUN_MARK;

/// Ends processes whose test run is gone. Only what bears our mark is looked at.
pub(crate) fn end_processes() {
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return;
    };
    let numbered = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    for pid in numbered {
        if run_of(pid).is_some_and(|run| !lives(run))
            && let Some(pid) = Pid::from_raw(pid)
        {
            // It may have ended meanwhile.
            kill_process(pid, Signal::KILL).ok();
        }
    }
}

/// The test run that started a process, if one did.
fn run_of(pid: i32) -> Option<u32> {
    let environment = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
    let mark = format!("{RUN_MARK}=");
    let mut variables = environment.split(|byte| *byte == 0);
    let value = variables.find_map(|variable| variable.strip_prefix(mark.as_bytes()))?;
    u32::from_str(std::str::from_utf8(value).ok()?).ok()
}

/// Tells whether a test run is still there.
pub(crate) fn lives(run: u32) -> bool {
    Path::new(&format!("/proc/{run}")).exists()
}
