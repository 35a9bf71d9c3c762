//! States that one node cannot be brought into within seconds, or not without harm to others: each
//! is a recorded document with only that changed which its cause changes.

use super::*;

type Change = fn(&mut Pod);

/// Recorded document, what is changed, phase and code of an environment that was ready.
const DERIVED: [(&str, Change, &str, &str); 9] = [
    // The kubelet fell silent; the node controller says so.
    (
        "running",
        |pod| status(pod).phase = Some("Unknown".to_owned()),
        "stopped",
        "infra.node_lost",
    ),
    // As older clusters say it.
    (
        "deleted_while_running",
        |pod| status(pod).reason = Some("NodeLost".to_owned()),
        "stopped",
        "infra.node_lost",
    ),
    (
        "evicted_by_api",
        |pod| disrupted(pod, "DeletionByTaintManager"),
        "stopped",
        "infra.disrupted_taint",
    ),
    // The node was shut down: nobody deleted the pod, and it has failed.
    (
        "exited_3",
        |pod| {
            let condition = PodCondition {
                type_: "DisruptionTarget".to_owned(),
                status: "True".to_owned(),
                ..PodCondition::default()
            };
            status(pod).conditions = Some(vec![condition]);
            status(pod).phase = Some("Failed".to_owned());
            disrupted(pod, "TerminationByKubelet");
        },
        "stopped",
        "infra.disrupted_shutdown",
    ),
    // The same eviction, but for the node's need.
    (
        "log_too_long",
        |pod| {
            let low = "The node was low on resource: memory. Threshold quantity: 100Mi.";
            status(pod).message = Some(low.to_owned());
        },
        "stopped",
        "infra.node_pressure",
    ),
    (
        "node_out_of_cpu",
        |pod| status(pod).reason = Some("OutOfpods".to_owned()),
        "stopped",
        "infra.node_rejected",
    ),
    (
        "image_missing",
        |pod| waits(pod, "ImageInspectError"),
        "pending",
        "init.image_rejected",
    ),
    (
        "secret_missing",
        |pod| waits(pod, "CreateContainerError"),
        "pending",
        "init.start_failed",
    ),
    (
        "node_affinity",
        |pod| status(pod).reason = Some("NeverSeen".to_owned()),
        "stopped",
        "infra.unclassified",
    ),
];

/// The pods of the table, in its order.
pub(super) fn pods() -> impl Iterator<Item = Pod> {
    DERIVED.into_iter().map(|(name, change, ..)| {
        let mut pod = recorded(name);
        change(&mut pod);
        pod
    })
}

#[test]
fn a_state_derived_from_a_recorded_one_is_read_as_what_it_means() {
    for (number, (pod, (name, _, phase, code))) in pods().zip(DERIVED).enumerate() {
        let found = read(&pod, None, Stage::AfterReady);
        assert_eq!(found, (phase, Some(code.to_owned())), "{number} {name}");
    }
}

#[test]
fn a_disruption_that_was_only_announced_has_taken_nothing_away_yet() {
    let mut pod = recorded("preempted");
    pod.metadata.deletion_timestamp = None;
    pod.metadata.deletion_grace_period_seconds = None;
    assert_eq!(phase(&pod, None), Phase::Running);
}

#[test]
fn a_condition_that_is_not_true_is_no_disruption() {
    let mut pod = recorded("evicted_by_api");
    disrupted_condition(&mut pod).status = "False".to_owned();
    let vanished = ("stopped", Some("infra.pod_vanished".to_owned()));
    assert_eq!(read(&pod, None, Stage::AfterReady), vanished);
}

#[test]
fn what_is_mixed_into_a_pod_by_others_is_not_the_environment() {
    let mut pod = recorded("running");
    let mut other = environment(status(&mut pod)).expect("it has one").clone();
    other.name = "sidecar".to_owned();
    let ended = recorded("exited_3").status.expect("it has one");
    other.state = environment(&ended).expect("it has one").state.clone();
    let all = status(&mut pod).container_statuses.as_mut();
    all.expect("it has some").insert(0, other);
    assert_eq!(phase(&pod, None), Phase::Running);
}

#[test]
fn a_long_message_is_cut_before_it_is_stored() {
    let mut pod = recorded("unschedulable");
    let conditions = status(&mut pod).conditions.as_mut().expect("it has some");
    conditions[0].message = Some("0/5000 nodes are available. ".repeat(1000));
    let signal = phase(&pod, None).signal().expect("it is unschedulable");
    assert!(signal.said().expect("it says why").len() <= 1024);
}

fn status(pod: &mut Pod) -> &mut PodStatus {
    pod.status.as_mut().expect("a recorded pod has one")
}

fn disrupted_condition(pod: &mut Pod) -> &mut PodCondition {
    let mut all = status(pod).conditions.iter_mut().flatten();
    let disruption = all.find(|condition| condition.type_ == "DisruptionTarget");
    disruption.expect("it was disrupted")
}

fn disrupted(pod: &mut Pod, reason: &str) {
    disrupted_condition(pod).reason = Some(reason.to_owned());
}

fn waits(pod: &mut Pod, reason: &str) {
    let all = status(pod).container_statuses.iter_mut().flatten();
    for container in all {
        let state = container.state.as_mut();
        if let Some(waiting) = state.and_then(|state| state.waiting.as_mut()) {
            waiting.reason = Some(reason.to_owned());
        }
    }
}
