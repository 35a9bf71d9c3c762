//! A node that the cluster no longer hears from. Its pods may run on, out of everybody's reach.

use chrono::{DateTime, TimeDelta, Utc};
use failure_classification::Signal;
use k8s_openapi::api::core::v1::{Pod, PodCondition, PodStatus};

use super::{chrono_time, condition};
use crate::excerpt::bounded;

/// A kubelet that restarts is back within seconds, and its pods have lost nothing by it. The cluster
/// itself has waited most of a minute before it marks them.
const SILENCE: TimeDelta = TimeDelta::seconds(30);

/// What the older way of the cluster says of a pod whose node is gone.
pub(super) fn reported_lost(pod: &Pod, status: &PodStatus) -> Option<Signal> {
    let is_lost =
        status.phase.as_deref() == Some("Unknown") || status.reason.as_deref() == Some("NodeLost");
    is_lost.then(|| lost(pod, status.message.as_deref().unwrap_or_default()))
}

/// Tells of a running pod whose node has been silent for too long.
pub(super) fn silent(pod: &Pod, status: &PodStatus, now: Option<DateTime<Utc>>) -> Option<Signal> {
    let since = marked_silent(status)?.last_transition_time.as_ref();
    let since = since.and_then(chrono_time)?;
    let is_over = now? - since >= SILENCE;
    is_over.then(|| {
        lost(
            pod,
            &format!("the node has not been heard from since before {since}"),
        )
    })
}

/// What the cluster marked a pod with when it took its node for silent.
///
/// The node controller takes `Ready` from the pods of such a node. A kubelet takes it only together
/// with `ContainersReady`, since our pods have no readiness gates.
pub(super) fn marked_silent(status: &PodStatus) -> Option<&PodCondition> {
    condition(status, "ContainersReady").filter(|it| it.status == "True")?;
    condition(status, "Ready").filter(|it| it.status == "False")
}

/// Tells of a pod on its way out that a silent node could not be told by.
///
/// From a pod that was never ready the node controller takes nothing. The pod shows that its node answers
/// only once that reports that the container ended; until then the container may run.
pub(super) fn may_be_silent(pod: &Pod) -> bool {
    let is_bound = pod.spec.as_ref().is_some_and(|it| it.node_name.is_some());
    if !is_bound || pod.metadata.deletion_timestamp.is_none() {
        return false;
    }
    let status = pod.status.as_ref();
    let was_ready = status
        .and_then(|status| condition(status, "ContainersReady"))
        .is_some_and(|it| it.status == "True");
    let mut containers = status
        .into_iter()
        .flat_map(|status| status.container_statuses.iter().flatten());
    let has_ended = containers.any(|it| {
        it.state
            .as_ref()
            .is_some_and(|state| state.terminated.is_some())
    });
    !was_ready && !has_ended
}

fn lost(pod: &Pod, message: &str) -> Signal {
    Signal::NodeLost {
        node: pod.spec.as_ref().and_then(|spec| spec.node_name.clone()),
        message: bounded(message),
    }
}
