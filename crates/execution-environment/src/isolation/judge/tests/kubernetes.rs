//! Where the runtime sets no limit of processes, counts no swap and gives a filtered network.

use super::*;
use crate::{AdmittedNetwork, IsolationGap};

const NODE: &str = "fd00::1:10250";
const SERVER: &str = "10.96.0.1:443";

fn pod(exam: &ExamDefinition) -> IsolationReport {
    let mut report = proven(exam);
    report.admitted.network = AdmittedNetwork::Filtered {
        must_not_answer: vec![NODE.to_owned(), SERVER.to_owned()],
    };
    report.admitted.memory_and_swap_bytes = None;
    report.admitted.open_files = None;
    report.admitted.processes = None;
    let inside = &mut report.inside;
    inside.open_files = Some(2048);
    inside.processes = Some(PROCESSES_PER_USER);
    inside.limits.memory_and_swap_bytes = inside.limits.memory_bytes;
    inside.limits.pids = None;
    inside.limits.pids_tried = Some(u64::from(exam.limits.pids) - 1);
    inside.network.interfaces.push(interface("eth0"));
    inside.network.reachable = vec![
        silence("[fd00::1]:10250"),
        silence(SERVER),
        answer("127.0.0.1:10250"),
    ];
    report
}

fn silence(target: &str) -> Probe {
    Probe {
        ok: false,
        outcome: ProbeOutcome::TimedOut,
        ..answer(target)
    }
}

fn gaps(report: &IsolationReport) -> Vec<IsolationGap> {
    judge(report, &exam())
}

#[test]
fn a_filtered_network_is_proven_by_silence_where_an_answer_could_come_from() {
    assert_eq!(gaps(&pod(&exam())), []);
}

const WEAKENINGS: [(Protection, Weakening); 13] = [
    (Protection::NoNetwork, |r| {
        r.inside.network.reachable.push(answer("10.250.0.9:80"));
    }),
    (Protection::NoNetwork, |r| {
        r.inside.network.reachable[1] = answer(SERVER);
    }),
    (Protection::NoNetwork, |r| {
        r.inside.network.reachable.remove(0);
    }),
    (Protection::NoNetwork, |r| {
        r.inside.network.reachable.clear();
    }),
    (Protection::NoNetwork, |r| {
        r.admitted.network = AdmittedNetwork::Filtered {
            must_not_answer: vec![],
        };
    }),
    (Protection::NoNetwork, |r| {
        r.admitted.network = AdmittedNetwork::Filtered {
            must_not_answer: vec!["a-name:80".to_owned()],
        };
    }),
    (Protection::NoNetwork, |r| {
        r.admitted.network = AdmittedNetwork::None;
    }),
    (Protection::PidsLimit, |r| {
        r.inside.limits.pids_tried = None;
    }),
    (Protection::PidsLimit, |r| {
        r.inside.limits.pids_tried = Some(256);
    }),
    (Protection::ResourceLimits, |r| r.inside.open_files = None),
    (Protection::ResourceLimits, |r| {
        r.inside.processes = Some(1 << 20);
    }),
    (Protection::MemoryLimit, |r| {
        r.inside.limits.memory_and_swap_bytes = None;
    }),
    (Protection::MemoryLimit, |r| {
        r.inside.limits.memory_and_swap_bytes = Some(u64::MAX);
    }),
];

#[test]
fn each_weakening_of_a_pod_is_noticed_by_its_protection_alone() {
    for (number, (protection, weaken)) in WEAKENINGS.into_iter().enumerate() {
        let mut report = pod(&exam());
        weaken(&mut report);
        let found: Vec<_> = gaps(&report).iter().map(|gap| gap.protection).collect();
        assert_eq!(found, [protection], "weakening {number}");
    }
}

#[test]
fn a_larger_limit_of_the_nodes_counts_only_where_it_is_accepted() {
    let mut report = pod(&exam());
    report.inside.limits.pids_tried = Some(255);
    assert_eq!(gaps(&report)[0].protection, Protection::PidsLimit);
    report.admitted.node_pids = Some(256);
    assert_eq!(gaps(&report), []);
    // A limit of its own that can be read is the exam's matter alone.
    report.inside.limits.pids = Some(200);
    assert_eq!(gaps(&report)[0].protection, Protection::PidsLimit);
}

#[test]
fn a_declared_destination_may_answer_and_nothing_else() {
    let mut exam = exam();
    exam.egress = vec!["192.0.2.9:443".to_owned()];
    let mut report = pod(&exam);
    report
        .inside
        .network
        .reachable
        .push(answer("192.0.2.9:443"));
    assert_eq!(judge(&report, &exam), []);
    report.inside.network.reachable.push(answer("192.0.2.9:80"));
    assert_eq!(judge(&report, &exam)[0].protection, Protection::NoNetwork);
}

/// What earlier versions stored has none of the newer fields, and means the same as it did.
#[test]
fn evidence_stored_before_kubernetes_is_read_and_judged_as_it_was() {
    let exam = exam();
    let mut stored = serde_json::to_value(proven(&exam)).expect("a report can be written");
    for (part, field) in [
        ("inside", "open_files"),
        ("inside", "processes"),
        ("admitted", "network"),
        ("admitted", "node_pids"),
    ] {
        let part = stored[part].as_object_mut().expect("an object");
        part.remove(field).expect("was there");
    }
    let limits = stored["inside"]["limits"].as_object_mut();
    let limits = limits.expect("an object");
    limits.remove("pids_tried").expect("was there");
    limits.remove("memory_and_swap_bytes").expect("was there");
    let mut read: IsolationReport = serde_json::from_value(stored).expect("old evidence is read");
    assert_eq!(judge(&read, &exam), []);
    read.inside.network.interfaces.push(interface("eth0"));
    assert_eq!(judge(&read, &exam)[0].protection, Protection::NoNetwork);
}
