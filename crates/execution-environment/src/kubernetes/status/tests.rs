//! Documents of a real cluster, read as what they mean.
//!
//! Each file in `recorded/` is what Kubernetes 1.36 with containerd answered about a pod made as in
//! production and then brought into that state: without managed fields, addresses and conditions
//! that say nothing here, and with shorter names of images. Nobody but the image source at
//! `localhost:5999`, which was made to answer 404, 401 and 429, was imitated. The pod of `node_silent`
//! only slept: what its conditions say comes from the node controller, whatever runs in a pod.

mod derived;

use failure_classification::{Phase as Stage, classify};

use super::*;

macro_rules! recorded {
    ($($name:literal),+ $(,)?) => {
        /// Every recorded document by name.
        const RECORDED: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("recorded/", $name, ".json")))),+];
    };
}

recorded!(
    "command_missing",
    "created",
    "deadline_exceeded",
    "deleted_and_ended",
    "deleted_while_running",
    "ended_then_deleted",
    "evicted_by_api",
    "evicted_by_api_ended",
    "exited_0",
    "exited_3",
    "gated",
    "image_denied",
    "image_missing",
    "image_name_invalid",
    "image_never_loaded",
    "image_never_loaded_backoff",
    "image_not_preloaded",
    "image_source_unresolved",
    "image_throttled",
    "installer_failed",
    "keeper_image_missing",
    "log_too_long",
    "node_affinity",
    "node_gone",
    "node_out_of_cpu",
    "node_silent",
    "out_of_memory",
    "preempted",
    "preparing",
    "root_image_as_non_root",
    "running",
    "secret_missing",
    "unschedulable",
    "volume_missing",
);

fn recorded(name: &str) -> Pod {
    let (_, document) = RECORDED
        .iter()
        .find(|(known, _)| *known == name)
        .expect(name);
    serde_json::from_str(document).expect(name)
}

/// Long after all recordings: what takes its time has taken it.
const LATE: i64 = 4_000_000_000;

/// The phase's name, and the failure code it means at a stage of the session.
fn read(pod: &Pod, now: Option<DateTime<Utc>>, stage: Stage) -> (&'static str, Option<String>) {
    let phase = phase(pod, now);
    let code = phase
        .signal()
        .map(|signal| classify(&signal, stage).code().as_str().to_owned());
    let name = match phase {
        Phase::Pending { .. } => "pending",
        Phase::Running => "running",
        Phase::Stopped { .. } => "stopped",
    };
    (name, code)
}

/// What the recorded pods are read as, also once their states have lasted, and those derived from them.
pub(in super::super) fn signals() -> Vec<Signal> {
    let recorded = RECORDED.iter().map(|(name, _)| recorded(name));
    let pods = recorded.chain(derived::pods());
    let read = |pod: Pod| [None, DateTime::from_timestamp(LATE, 0)].map(|now| phase(&pod, now));
    pods.flat_map(read)
        .filter_map(|phase| phase.signal())
        .collect()
}

/// What is read before the session is ready.
const BEFORE: [(&str, &str, Option<&str>); 26] = [
    ("created", "pending", None),
    ("preparing", "pending", None),
    ("running", "running", None),
    (
        "image_name_invalid",
        "pending",
        Some("init.image_name_invalid"),
    ),
    ("image_missing", "pending", Some("init.image_missing")),
    ("image_denied", "pending", Some("init.image_denied")),
    (
        "image_throttled",
        "pending",
        Some("infra.image_source_unavailable"),
    ),
    (
        "image_source_unresolved",
        "pending",
        Some("infra.image_source_unavailable"),
    ),
    ("image_never_loaded", "pending", Some("init.image_missing")),
    (
        "image_never_loaded_backoff",
        "pending",
        Some("init.image_missing"),
    ),
    (
        "image_not_preloaded",
        "pending",
        Some("infra.image_not_preloaded"),
    ),
    (
        "keeper_image_missing",
        "pending",
        Some("infra.image_source_unavailable"),
    ),
    ("secret_missing", "pending", Some("init.config_invalid")),
    (
        "root_image_as_non_root",
        "pending",
        Some("init.config_invalid"),
    ),
    ("command_missing", "stopped", Some("init.start_failed")),
    ("installer_failed", "stopped", Some("init.setup_failed")),
    ("exited_0", "stopped", Some("init.exited_early")),
    ("exited_3", "stopped", Some("init.exited_early")),
    ("out_of_memory", "stopped", Some("init.memory_too_small")),
    ("unschedulable", "pending", Some("infra.capacity")),
    ("gated", "pending", Some("infra.gated")),
    ("node_affinity", "stopped", Some("infra.node_rejected")),
    ("node_out_of_cpu", "stopped", Some("infra.node_rejected")),
    (
        "evicted_by_api",
        "stopped",
        Some("infra.disrupted_eviction"),
    ),
    ("preempted", "stopped", Some("infra.disrupted_preemption")),
    (
        "deleted_while_running",
        "stopped",
        Some("infra.pod_vanished"),
    ),
];

/// What is read of an environment that was ready.
const AFTER: [(&str, &str, Option<&str>); 13] = [
    ("running", "running", None),
    ("exited_0", "stopped", Some("runtime.exited")),
    ("exited_3", "stopped", Some("runtime.exited")),
    ("out_of_memory", "stopped", Some("runtime.memory_exceeded")),
    ("log_too_long", "stopped", Some("runtime.disk_exceeded")),
    (
        "deadline_exceeded",
        "stopped",
        Some("runtime.deadline_mismatch"),
    ),
    (
        "evicted_by_api",
        "stopped",
        Some("infra.disrupted_eviction"),
    ),
    (
        "evicted_by_api_ended",
        "stopped",
        Some("infra.disrupted_eviction"),
    ),
    ("preempted", "stopped", Some("infra.disrupted_preemption")),
    ("node_gone", "stopped", Some("infra.disrupted_collection")),
    (
        "deleted_while_running",
        "stopped",
        Some("infra.pod_vanished"),
    ),
    ("deleted_and_ended", "stopped", Some("infra.pod_vanished")),
    // It ended by itself, and was deleted seconds later.
    ("ended_then_deleted", "stopped", Some("runtime.exited")),
];

#[test]
fn a_recorded_pod_is_read_as_what_it_means() {
    let stages = [
        (Stage::BeforeReady, &BEFORE[..]),
        (Stage::AfterReady, &AFTER),
    ];
    for (stage, table) in stages {
        for (name, phase, code) in table {
            let found = read(&recorded(name), None, stage);
            let expected = (*phase, code.map(str::to_owned));
            assert_eq!(found, expected, "{name} {stage:?}");
        }
    }
}

#[test]
fn every_recorded_document_is_looked_at() {
    let tables = BEFORE.iter().chain(&AFTER).map(|(name, ..)| *name);
    let looked_at: Vec<&str> = tables.chain(["volume_missing", "node_silent"]).collect();
    for (name, _) in RECORDED {
        assert!(looked_at.contains(name), "{name}");
    }
}

#[test]
fn how_a_process_ended_is_told_beside_what_it_means() {
    let cases = [
        ("exited_0", Some(0), false, None),
        ("exited_3", Some(3), false, Some("gone wrong\n")),
        ("out_of_memory", Some(137), true, Some("Killed\n")),
        ("deleted_while_running", None, false, None),
        (
            "deadline_exceeded",
            Some(137),
            false,
            Some("Pod was active on the node longer than the specified deadline"),
        ),
    ];
    for (name, code, oom, said) in cases {
        let Phase::Stopped {
            exit_code,
            oom_killed,
            message,
            ..
        } = phase(&recorded(name), None)
        else {
            panic!("{name} has not stopped");
        };
        assert_eq!((exit_code, oom_killed), (code, oom), "{name}");
        assert_eq!(message.as_deref(), said, "{name}");
    }
}

#[test]
fn evidence_names_what_staff_have_to_look_at() {
    let cases = [
        ("image_missing", "localhost:5999/missing/exam:1"),
        ("image_name_invalid", "localhost/Exam:1"),
        ("keeper_image_missing", "localhost:5999/missing/keeper:1"),
        ("secret_missing", r#"secret "absent" not found"#),
        ("root_image_as_non_root", "image will run as root"),
        ("command_missing", "stat /no/such/keeper"),
        ("installer_failed", "cannot install /nowhere/keeper"),
        ("unschedulable", "Insufficient memory"),
        ("gated", "example.com/seat"),
        ("node_out_of_cpu", "requested: 64000"),
        ("log_too_long", "exceeds the total limit"),
    ];
    for (name, words) in cases {
        let signal = phase(&recorded(name), None).signal().expect(name);
        let said = serde_json::to_string(&signal).expect("a signal is data");
        let words = serde_json::to_string(words).expect("words are data");
        assert!(said.contains(words.trim_matches('"')), "{name}: {said}");
    }
}

#[test]
fn a_node_that_prepares_for_long_is_told_by_the_cluster_s_clock() {
    let pod = recorded("volume_missing");
    let status = pod.status.as_ref().expect("it has one");
    let scheduled = condition(status, "PodScheduled").expect("it was");
    let time = scheduled.last_transition_time.as_ref();
    let scheduled = time.and_then(chrono_time).expect("at some time");
    let after = |seconds| Some(scheduled + TimeDelta::seconds(seconds));
    let still = ("pending", None);
    for now in [None, after(0), after(4)] {
        assert_eq!(read(&pod, now, Stage::BeforeReady), still, "{now:?}");
    }
    let late = ("pending", Some("infra.node_setup".to_owned()));
    assert_eq!(read(&pod, after(5), Stage::BeforeReady), late);
    // What was prepared and only waits for its turn is not late, however long it takes.
    let running = recorded("running");
    assert_eq!(read(&running, after(600), Stage::AfterReady).1, None);
}

#[test]
fn a_node_that_stays_silent_is_lost_once_that_has_lasted() {
    let pod = recorded("node_silent");
    let status = pod.status.as_ref().expect("it has one");
    let marked = condition(status, "Ready").expect("it was");
    let time = marked.last_transition_time.as_ref();
    let marked = time.and_then(chrono_time).expect("at some time");
    let after = |seconds| Some(marked + TimeDelta::seconds(seconds));
    for stage in [Stage::BeforeReady, Stage::AfterReady] {
        for now in [None, after(0), after(29)] {
            assert_eq!(read(&pod, now, stage), ("running", None), "{now:?}");
        }
        let lost = ("stopped", Some("infra.node_lost".to_owned()));
        assert_eq!(read(&pod, after(30), stage), lost);
    }
    let signal = phase(&pod, after(30)).signal().expect("one");
    let said = serde_json::to_string(&signal).expect("a signal is data");
    for words in ["127.0.0.1", "2026-11-29 11:27:29"] {
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn a_place_is_lost_as_soon_as_the_cluster_says_so_also_of_a_pod_that_is_going() {
    for name in ["running", "preparing", "deleted_and_ended", "created"] {
        assert_eq!(node_heard(&recorded(name)), NodeHeard::Yes, "{name}");
    }
    assert_eq!(node_heard(&recorded("node_silent")), NodeHeard::No);
    let mut going = recorded("node_silent");
    going.metadata.deletion_timestamp = recorded("deleted_while_running")
        .metadata
        .deletion_timestamp;
    assert_eq!(node_heard(&going), NodeHeard::No);
    let (phase, code) = read(&going, None, Stage::AfterReady);
    assert_eq!(
        (phase, &*code.expect("one")),
        ("stopped", "infra.pod_vanished")
    );
}

#[test]
fn a_pod_that_was_never_ready_does_not_tell_whether_its_node_is_silent() {
    let deleted = recorded("deleted_while_running")
        .metadata
        .deletion_timestamp;
    for (name, heard) in [
        ("running", NodeHeard::Unknown),
        ("preparing", NodeHeard::Unknown),
        ("image_missing", NodeHeard::Unknown),
        ("exited_3", NodeHeard::Yes),
        ("gated", NodeHeard::Yes),
        ("unschedulable", NodeHeard::Yes),
    ] {
        let mut pod = recorded(name);
        pod.metadata.deletion_timestamp = deleted.clone();
        make_ready(&mut pod, "False");
        assert_eq!(node_heard(&pod), heard, "{name}");
    }
    // Had its node been silent, `Ready` would have gone.
    let mut pod = recorded("deleted_while_running");
    make_ready(&mut pod, "True");
    assert_eq!(node_heard(&pod), NodeHeard::Yes);
}

/// Puts a condition that the recordings were freed of.
fn make_ready(pod: &mut Pod, status: &str) {
    let conditions = &mut pod.status.as_mut().expect("it has one").conditions;
    let conditions = conditions.get_or_insert_default();
    conditions.retain(|it| it.type_ != "ContainersReady");
    conditions.push(PodCondition {
        type_: "ContainersReady".to_owned(),
        status: status.to_owned(),
        ..PodCondition::default()
    });
}

#[test]
fn since_when_a_pod_is_going_is_told_without_its_grace() {
    assert_eq!(going_since(&recorded("running")), None);
    let since = going_since(&recorded("deleted_while_running"));
    assert_eq!(
        since.expect("it goes").to_rfc3339(),
        "2026-11-29T08:36:09+00:00"
    );
}
