//! `verify`: looks at this environment from inside and tries what must not work.
//!
//! It never fails because something is missing; what it cannot learn is `null`.

mod cgroups;
mod devices;
mod mounts;
mod network;
mod status;
mod tasks;
mod writable;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;

use carrel_keeper::VerifyReport;
use carrel_keeper::report::Limits;

use crate::{Failure, limits};
use mounts::Mounts;
pub(crate) use network::{anything_answers, look};
use status::Status;
pub(crate) use tasks::try_to_exceed;

/// Prints the report as one line of JSON.
pub(crate) fn print_report(probes: &[SocketAddr]) -> Result<(), Failure> {
    let mut line = serde_json::to_vec(&report(probes, None))
        .map_err(|error| Failure::broken("report", &error.into()))?;
    line.push(b'\n');
    std::io::stdout()
        .write_all(&line)
        .map_err(|error| Failure::broken("standard output", &error))
}

/// Looks at everything; `pids_tried`: what [`try_to_exceed`] found before.
pub(crate) fn report(probes: &[SocketAddr], pids_tried: Option<u64>) -> VerifyReport {
    let status = Status::read();
    let mounts = Mounts::read();
    let writable_paths = writable::find(&mounts);
    let inherited = limits::found();
    let root_is_writable = writable_paths.iter().any(|found| found.path == "/");
    VerifyReport {
        uid: rustix::process::geteuid().as_raw(),
        gid: rustix::process::getegid().as_raw(),
        groups: groups(),
        capabilities: status.capabilities(),
        no_new_privs: status.number("NoNewPrivs").map(|value| value == 1),
        seccomp_mode: status
            .number("Seccomp")
            .and_then(|value| value.try_into().ok()),
        root_read_only: mounts
            .root_is_read_only()
            .map(|read_only| read_only && !root_is_writable),
        writable_paths,
        service_account_token: has_service_account(),
        network: look(probes),
        limits: Limits {
            pids_tried,
            ..cgroups::limits(&mounts)
        },
        open_files: inherited.open_files,
        processes: inherited.processes,
        pid1_is_keeper: pid1_is_keeper(),
        device_nodes: devices::list(),
        namespaces: namespaces(),
        uid_map: status::uid_map(),
    }
}

fn groups() -> Vec<u32> {
    let groups = rustix::process::getgroups().unwrap_or_default();
    groups
        .into_iter()
        .map(rustix::process::Gid::as_raw)
        .collect()
}

fn has_service_account() -> bool {
    [
        "/var/run/secrets/kubernetes.io",
        "/run/secrets/kubernetes.io",
    ]
    .iter()
    .any(|path| fs::symlink_metadata(path).is_ok())
}

/// Before the first attach nothing of the candidate runs, so the command line can be believed.
fn pid1_is_keeper() -> bool {
    let Ok(line) = fs::read("/proc/1/cmdline") else {
        return false;
    };
    let mut words = line.split(|byte| *byte == 0).map(String::from_utf8_lossy);
    let name = words.next().unwrap_or_default().into_owned();
    let name = Path::new(&name).file_name().unwrap_or_default();
    (name == "keeper" || name == "carrel-keeper") && words.next().is_some_and(|verb| verb == "run")
}

fn namespaces() -> BTreeMap<String, String> {
    let Ok(entries) = fs::read_dir("/proc/self/ns") else {
        return BTreeMap::new();
    };
    let named = entries.flatten().filter_map(|entry| {
        let identity = fs::read_link(entry.path()).ok()?;
        Some((
            entry.file_name().into_string().ok()?,
            identity.to_str()?.to_owned(),
        ))
    });
    named.collect()
}
