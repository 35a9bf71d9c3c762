use std::collections::BTreeMap;

use carrel_keeper::VerifyReport;
use carrel_keeper::report::{
    Capabilities, DeviceNode, IdRange, Interface, Limits, Network, Probe, ProbeOutcome,
    WritablePath,
};

use super::{PROCESSES_PER_USER, judge};
use crate::{Admitted, ExamDefinition, IsolationReport, Protection, scratch_volumes};

fn exam() -> ExamDefinition {
    ExamDefinition::parse(include_str!("../../../tests/exam.json")).expect("the sample is sound")
}

const NONE: &str = "0000000000000000";

fn proven(exam: &ExamDefinition) -> IsolationReport {
    let inside = VerifyReport {
        uid: exam.user.uid,
        gid: exam.user.gid,
        groups: vec![],
        capabilities: Capabilities {
            effective: Some(NONE.to_owned()),
            permitted: Some(NONE.to_owned()),
            inheritable: Some(NONE.to_owned()),
            bounding: Some(NONE.to_owned()),
            ambient: Some(NONE.to_owned()),
        },
        no_new_privs: Some(true),
        seccomp_mode: Some(2),
        root_read_only: Some(true),
        writable_paths: scratch_volumes(exam)
            .into_iter()
            .map(|volume| WritablePath {
                path: volume.path,
                fstype: Some("tmpfs".to_owned()),
                size_bytes: Some(volume.size_bytes),
            })
            .collect(),
        service_account_token: false,
        network: Network {
            interfaces: vec![interface("lo")],
            reachable: vec![],
        },
        limits: Limits {
            memory_bytes: Some(exam.limits.memory_bytes()),
            memory_and_swap_bytes: None,
            pids: Some(exam.limits.pids.into()),
            pids_tried: None,
            cpu_quota_millis: Some(exam.limits.cpu_millis.into()),
        },
        open_files: None,
        processes: None,
        pid1_is_keeper: true,
        device_nodes: vec![device("/dev/null", 1, 3)],
        namespaces: BTreeMap::new(),
        uid_map: Some(vec![IdRange {
            inside: 0,
            outside: 0,
            count: u32::MAX,
        }]),
    };
    let admitted = Admitted {
        keeper_read_only: true,
        memory_and_swap_bytes: Some(exam.limits.memory_bytes()),
        open_files: Some(2048),
        processes: Some(PROCESSES_PER_USER),
        log_bounded: Some(true),
        ..Admitted::default()
    };
    IsolationReport { inside, admitted }
}

fn interface(name: &str) -> Interface {
    Interface {
        name: name.to_owned(),
        ipv6: vec![],
    }
}

fn device(path: &str, major: u32, minor: u32) -> DeviceNode {
    DeviceNode {
        path: path.to_owned(),
        kind: "char".to_owned(),
        major,
        minor,
    }
}

fn writable(path: &str, size_bytes: Option<u64>) -> WritablePath {
    WritablePath {
        path: path.to_owned(),
        fstype: Some("tmpfs".to_owned()),
        size_bytes,
    }
}

type Weakening = fn(&mut IsolationReport);

/// Every way a report can be weaker than declared, and the protection that must notice.
const WEAKENINGS: [(Protection, Weakening); 35] = [
    (Protection::OrdinaryUser, |r| r.inside.uid = 0),
    (Protection::OrdinaryUser, |r| r.inside.gid = 0),
    (Protection::OrdinaryUser, |r| r.inside.groups = vec![0]),
    (Protection::NoCapabilities, |r| {
        r.inside.capabilities.bounding = Some("00000000a80425fb".to_owned());
    }),
    (Protection::NoCapabilities, |r| {
        r.inside.capabilities.effective = None;
    }),
    (Protection::NoCapabilities, |r| {
        r.inside.capabilities.ambient = Some(String::new());
    }),
    (Protection::NoCapabilities, |r| r.admitted.privileged = true),
    (Protection::NoNewPrivileges, |r| {
        r.inside.no_new_privs = Some(false);
    }),
    (Protection::NoNewPrivileges, |r| {
        r.inside.no_new_privs = None;
    }),
    (Protection::SeccompFilter, |r| {
        r.inside.seccomp_mode = Some(0);
    }),
    (Protection::SeccompFilter, |r| r.inside.seccomp_mode = None),
    (Protection::ReadOnlyRoot, |r| {
        r.inside.root_read_only = Some(false);
    }),
    (Protection::ReadOnlyRoot, |r| r.inside.root_read_only = None),
    (Protection::BoundedScratch, |r| {
        r.inside.writable_paths.push(writable("/opt", Some(1)));
    }),
    (Protection::BoundedScratch, |r| {
        r.inside.writable_paths[0].size_bytes = None;
    }),
    (Protection::BoundedScratch, |r| {
        r.inside.writable_paths[1].size_bytes = Some(u64::MAX);
    }),
    (Protection::NoNetwork, |r| {
        r.inside.network.interfaces.push(interface("eth0"));
    }),
    (Protection::NoNetwork, |r| {
        r.inside
            .network
            .reachable
            .push(answer("169.254.169.254:80"));
    }),
    (Protection::MemoryLimit, |r| {
        r.inside.limits.memory_bytes = None;
    }),
    (Protection::MemoryLimit, |r| {
        r.inside.limits.memory_bytes = Some(u64::MAX);
    }),
    (Protection::MemoryLimit, |r| {
        r.admitted.memory_and_swap_bytes = None;
    }),
    (Protection::CpuLimit, |r| {
        r.inside.limits.cpu_quota_millis = None;
    }),
    (Protection::CpuLimit, |r| {
        r.inside.limits.cpu_quota_millis = Some(64_000);
    }),
    (Protection::PidsLimit, |r| r.inside.limits.pids = None),
    (Protection::ResourceLimits, |r| r.admitted.open_files = None),
    (Protection::ResourceLimits, |r| {
        r.admitted.processes = Some(1 << 20);
    }),
    (Protection::KeeperFirst, |r| r.inside.pid1_is_keeper = false),
    (Protection::KeeperReadOnly, |r| {
        r.admitted.keeper_read_only = false;
    }),
    (Protection::NoDevices, |r| {
        r.inside.device_nodes.push(device("/dev/kmsg", 1, 11));
    }),
    (Protection::NoDevices, |r| {
        r.admitted.devices.push("/dev/fuse".to_owned());
    }),
    (Protection::NoForeignMounts, |r| {
        r.admitted.foreign_mounts.push("/host".to_owned());
    }),
    (Protection::OwnNamespaces, |r| {
        r.admitted.shared_namespaces.push("pid".to_owned());
    }),
    (Protection::NoPlatformToken, |r| {
        r.inside.service_account_token = true;
    }),
    (Protection::NoRestart, |r| r.admitted.restarts = true),
    (Protection::BoundedLog, |r| {
        r.admitted.log_bounded = Some(false);
    }),
];

fn answer(target: &str) -> Probe {
    Probe {
        target: target.to_owned(),
        ok: true,
        outcome: ProbeOutcome::Connected,
    }
}

#[test]
fn what_is_as_declared_is_proven() {
    let exam = exam();
    assert_eq!(judge(&proven(&exam), &exam), []);
}

#[test]
fn each_weakening_is_noticed_by_its_protection_alone() {
    let exam = exam();
    for (number, (protection, weaken)) in WEAKENINGS.into_iter().enumerate() {
        let mut report = proven(&exam);
        weaken(&mut report);
        let gaps: Vec<_> = judge(&report, &exam)
            .into_iter()
            .map(|gap| gap.protection)
            .collect();
        assert_eq!(gaps, [protection], "weakening {number}");
    }
}

#[test]
fn every_protection_has_a_weakening() {
    let tried: Vec<_> = WEAKENINGS
        .into_iter()
        .map(|(protection, _)| protection)
        .collect();
    let untried: Vec<_> = Protection::ALL
        .into_iter()
        .filter(|one| !tried.contains(one))
        .collect();
    // The user namespace is a protection only where the exam asks for it.
    assert_eq!(untried, [Protection::UserNamespace]);
}

#[test]
fn a_user_namespace_is_demanded_where_the_exam_asks_for_one() {
    let mut exam = exam();
    exam.user_namespaces = true;
    let mut report = proven(&exam);
    assert_eq!(
        judge(&report, &exam)[0].protection,
        Protection::UserNamespace
    );
    report.inside.uid_map = Some(vec![IdRange {
        inside: 0,
        outside: 100_000,
        count: 65_536,
    }]);
    assert_eq!(judge(&report, &exam), []);
}

#[test]
fn with_egress_only_declared_destinations_may_answer() {
    let mut exam = exam();
    exam.egress = vec!["mirror.example:443".to_owned()];
    let mut report = proven(&exam);
    report.inside.network.interfaces.push(interface("eth0"));
    report
        .inside
        .network
        .reachable
        .push(answer("mirror.example:443"));
    assert_eq!(judge(&report, &exam), []);
    report
        .inside
        .network
        .reachable
        .push(answer("10.96.0.1:443"));
    assert_eq!(judge(&report, &exam)[0].protection, Protection::NoNetwork);
}

mod kubernetes;
