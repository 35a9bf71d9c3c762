//! Compares what was found with what was declared. Pure; unknown counts as missing.

mod network;

use carrel_keeper::VerifyReport;
use carrel_keeper::report::DeviceNode;

use super::{Admitted, IsolationGap, IsolationReport, Protection};
use crate::{ExamDefinition, scratch_volumes};

/// Open files a process may have. Many machines' own hard limit is not above a few thousand.
pub const DESCRIPTORS: u64 = 2048;
/// Processes one user may have. The kernel counts them on the whole machine, those of all its
/// environments together, so it only bounds what pids limits let through: 128 times 128.
pub const PROCESSES_PER_USER: u64 = 16_384;

/// Message queues are no storage: the kernel bounds them per user (819,200 bytes by default).
const MESSAGE_QUEUES: &str = "mqueue";

/// Lists every protection that is weaker than declared; empty means that isolation is proven.
///
/// Pure: the same report and definition always give the same gaps, in the order of
/// [`Protection::ALL`].
pub fn judge(report: &IsolationReport, exam: &ExamDefinition) -> Vec<IsolationGap> {
    Protection::ALL
        .into_iter()
        .filter_map(|protection| {
            let (expected, found) = check(protection, report, exam)?;
            Some(IsolationGap {
                protection,
                expected,
                found,
            })
        })
        .collect()
}

type Gap = Option<(String, String)>;

fn check(protection: Protection, report: &IsolationReport, exam: &ExamDefinition) -> Gap {
    let IsolationReport { inside, admitted } = report;
    match protection {
        Protection::OrdinaryUser => ordinary_user(inside, exam),
        Protection::NoCapabilities => no_capabilities(inside, admitted),
        Protection::NoNewPrivileges => must(
            inside.no_new_privs == Some(true),
            "set",
            &inside.no_new_privs,
        ),
        Protection::SeccompFilter => must(
            inside.seccomp_mode == Some(2),
            "mode 2",
            &inside.seccomp_mode,
        ),
        Protection::ReadOnlyRoot => must(
            inside.root_read_only == Some(true),
            "read-only",
            &inside.root_read_only,
        ),
        Protection::BoundedScratch => bounded_scratch(inside, exam),
        Protection::NoNetwork => network::no_network(&inside.network, admitted, exam),
        Protection::MemoryLimit => memory_limit(inside, admitted, exam),
        Protection::CpuLimit => at_most(
            inside.limits.cpu_quota_millis,
            exam.limits.cpu_millis.into(),
        ),
        Protection::PidsLimit => pids_limit(inside, admitted, exam),
        Protection::ResourceLimits => resource_limits(inside, admitted),
        Protection::KeeperFirst => must(
            inside.pid1_is_keeper,
            "keeper is process 1",
            &inside.pid1_is_keeper,
        ),
        Protection::KeeperReadOnly => must(
            admitted.keeper_read_only,
            "mounted read-only",
            &admitted.keeper_read_only,
        ),
        Protection::NoDevices => no_devices(inside, admitted),
        Protection::NoForeignMounts => none(&admitted.foreign_mounts),
        Protection::OwnNamespaces => none(&admitted.shared_namespaces),
        Protection::UserNamespace => user_namespace(inside, exam),
        Protection::NoPlatformToken => must(
            !inside.service_account_token,
            "none",
            &inside.service_account_token,
        ),
        Protection::NoRestart => must(!admitted.restarts, "never restarted", &admitted.restarts),
        Protection::BoundedLog => must(
            admitted.log_bounded != Some(false),
            "bounded",
            &admitted.log_bounded,
        ),
    }
}

fn must(holds: bool, expected: &str, found: &impl std::fmt::Debug) -> Gap {
    (!holds).then(|| (expected.to_owned(), format!("{found:?}")))
}

/// No limit, and a limit nobody could read, are both weaker than the declared one.
fn at_most(found: Option<u64>, declared: u64) -> Gap {
    must(
        found.is_some_and(|found| found <= declared),
        &format!("at most {declared}"),
        &found,
    )
}

fn none(found: &[String]) -> Gap {
    must(found.is_empty(), "none", &found)
}

fn ordinary_user(inside: &VerifyReport, exam: &ExamDefinition) -> Gap {
    let user = &exam.user;
    let only_own_group = inside.groups.iter().all(|group| *group == user.gid);
    must(
        inside.uid == user.uid && inside.gid == user.gid && only_own_group && user.uid != 0,
        &format!("{}:{}", user.uid, user.gid),
        &(inside.uid, inside.gid, &inside.groups),
    )
}

/// The bounding set too: with it empty, not even a set-user-id program gains anything.
fn no_capabilities(inside: &VerifyReport, admitted: &Admitted) -> Gap {
    let sets = &inside.capabilities;
    let empty = [
        &sets.effective,
        &sets.permitted,
        &sets.inheritable,
        &sets.bounding,
        &sets.ambient,
    ]
    .into_iter()
    .all(|set| {
        set.as_deref()
            .is_some_and(|set| !set.is_empty() && set.bytes().all(|digit| digit == b'0'))
    });
    must(empty && !admitted.privileged, "none", sets)
}

fn bounded_scratch(inside: &VerifyReport, exam: &ExamDefinition) -> Gap {
    let declared = scratch_volumes(exam);
    let unbounded: Vec<String> = inside
        .writable_paths
        .iter()
        .filter(|found| found.fstype.as_deref() != Some(MESSAGE_QUEUES))
        .filter(|found| {
            let declared = declared.iter().find(|volume| volume.path == found.path);
            !declared.is_some_and(|volume| {
                found
                    .size_bytes
                    .is_some_and(|size| size <= volume.size_bytes)
            })
        })
        .map(|found| {
            format!(
                "{} ({}, {:?} bytes)",
                found.path,
                found.fstype.as_deref().unwrap_or("?"),
                found.size_bytes
            )
        })
        .collect();
    must(
        unbounded.is_empty(),
        "declared scratch volumes of declared size",
        &unbounded,
    )
}

/// Open files and processes as this runtime limits them, or as they were found inside.
fn resource_limits(inside: &VerifyReport, admitted: &Admitted) -> Gap {
    at_most(admitted.open_files.or(inside.open_files), DESCRIPTORS)
        .or_else(|| at_most(admitted.processes.or(inside.processes), PROCESSES_PER_USER))
}

/// Where no limit of its own can be given or read, the one that was met by trying counts, and the
/// nodes' may be accepted in place of a smaller one.
fn pids_limit(inside: &VerifyReport, admitted: &Admitted, exam: &ExamDefinition) -> Gap {
    let declared = exam.limits.pids.into();
    if let Some(own) = inside.limits.pids {
        return at_most(Some(own), declared);
    }
    let accepted = admitted.node_pids.unwrap_or_default();
    at_most(inside.limits.pids_tried, accepted.max(declared))
}

fn memory_limit(inside: &VerifyReport, admitted: &Admitted, exam: &ExamDefinition) -> Gap {
    let declared = exam.limits.memory_bytes();
    at_most(inside.limits.memory_bytes, declared).or_else(|| {
        let with_swap = admitted.memory_and_swap_bytes;
        at_most(with_swap.or(inside.limits.memory_and_swap_bytes), declared)
    })
}

fn no_devices(inside: &VerifyReport, admitted: &Admitted) -> Gap {
    let mut found: Vec<String> = inside
        .device_nodes
        .iter()
        .filter(|node| !is_harmless(node))
        .map(|node| node.path.clone())
        .collect();
    found.extend(admitted.devices.iter().cloned());
    must(
        found.is_empty(),
        "null, zero, full, random, urandom and terminals",
        &found,
    )
}

/// What every container has: null, zero, full, random, urandom, tty, console, ptmx and the
/// terminals below `/dev/pts`, each at its own place.
fn is_harmless(node: &DeviceNode) -> bool {
    const ORDINARY: [(&str, u32, u32); 8] = [
        ("/dev/null", 1, 3),
        ("/dev/zero", 1, 5),
        ("/dev/full", 1, 7),
        ("/dev/random", 1, 8),
        ("/dev/urandom", 1, 9),
        ("/dev/tty", 5, 0),
        ("/dev/ptmx", 5, 2),
        ("/dev/pts/ptmx", 5, 2),
    ];
    let terminal = |path: &str| path == "/dev/console" || path.starts_with("/dev/pts/");
    node.kind == "char"
        && (ORDINARY.contains(&(node.path.as_str(), node.major, node.minor))
            || (terminal(&node.path) && (node.major == 136 || (node.major, node.minor) == (5, 1))))
}

fn user_namespace(inside: &VerifyReport, exam: &ExamDefinition) -> Gap {
    if !exam.user_namespaces {
        return None;
    }
    let mapped = inside.uid_map.as_ref().is_some_and(|map| {
        !map.is_empty() && map.iter().all(|range| range.inside != range.outside)
    });
    must(mapped, "ids mapped away from the host's", &inside.uid_map)
}

#[cfg(test)]
mod tests;
