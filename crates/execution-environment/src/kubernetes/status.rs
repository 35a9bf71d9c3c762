//! How far a pod is, read from its status, conditions and container states. Never from events.

mod node;

use chrono::{DateTime, TimeDelta, Utc};
use failure_classification::{Signal, from_kubernetes_reason};
use k8s_openapi::api::core::v1::{
    ContainerState, ContainerStateTerminated, ContainerStatus, Pod, PodCondition, PodStatus,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::Resource;

use super::CONTAINER;
use super::body::KEEPER_CONTAINER;
use crate::Phase;
use crate::excerpt::bounded;

/// A node prepares network and volumes in well under a second; what takes longer is worth telling.
const SETUP_TAKES: TimeDelta = TimeDelta::seconds(5);
/// Names of images that were loaded onto the machine and that no source has.
const LOADED: &str = "localhost/";

/// Says how far a pod is. `now` is the cluster's time.
pub(super) fn phase(pod: &Pod, now: Option<DateTime<Utc>>) -> Phase {
    let unknown = PodStatus::default();
    let status = pod.status.as_ref().unwrap_or(&unknown);
    let ended = environment(status).and_then(|it| it.state.as_ref()?.terminated.as_ref());
    if let Some(signal) = taken_away(pod, status, ended) {
        return stopped(status, ended, Some(signal));
    }
    if let Some(ended) = ended {
        return stopped(status, Some(ended), start_failure(ended));
    }
    match status.phase.as_deref() {
        Some("Failed" | "Succeeded") => stopped(status, None, Some(failed_before_start(status))),
        _ if is_running(status) => match node::silent(pod, status, now) {
            Some(signal) => stopped(status, None, Some(signal)),
            None => Phase::Running,
        },
        _ => Phase::Pending {
            signal: waiting(pod, status).or_else(|| placement(pod, status, now)),
        },
    }
}

/// What a pod tells of its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NodeHeard {
    /// The cluster hears from it, or the pod is on none.
    Yes,
    /// The cluster does not.
    No,
    /// From this pod it cannot be seen.
    Unknown,
}

/// Tells whether the cluster hears from a pod's node, whatever else is said of the pod.
pub(super) fn node_heard(pod: &Pod) -> NodeHeard {
    let is_silent = pod.status.as_ref().is_some_and(|status| {
        node::reported_lost(pod, status).is_some() || node::marked_silent(status).is_some()
    });
    if is_silent {
        NodeHeard::No
    } else if node::may_be_silent(pod) {
        NodeHeard::Unknown
    } else {
        NodeHeard::Yes
    }
}

fn stopped(
    status: &PodStatus,
    ended: Option<&ContainerStateTerminated>,
    signal: Option<Signal>,
) -> Phase {
    let said = ended.and_then(|ended| ended.message.as_deref());
    Phase::Stopped {
        exit_code: ended.map(|ended| ended.exit_code),
        oom_killed: ended.is_some_and(|ended| ended.reason.as_deref() == Some("OOMKilled")),
        message: said.or(status.message.as_deref()).map(bounded),
        signal,
    }
}

/// What ended a pod from outside, which says more than how its process ended.
///
/// The pod's own reason comes first: an eviction for the pod's own use of disk and one for the
/// node's need are both disruptions by condition.
fn taken_away(
    pod: &Pod,
    status: &PodStatus,
    ended: Option<&ContainerStateTerminated>,
) -> Option<Signal> {
    let going = asked_to_go(pod);
    let is_final = matches!(status.phase.as_deref(), Some("Failed" | "Succeeded"));
    let lost = node::reported_lost(pod, status);
    if going.is_none() && !is_final && lost.is_none() {
        return None;
    }
    lost.or_else(|| own_reason(status))
        .or_else(|| disruption(status))
        .or_else(|| going.and_then(|since| deleted(pod, since, ended)))
}

fn own_reason(status: &PodStatus) -> Option<Signal> {
    let message = bounded(status.message.as_deref().unwrap_or_default());
    from_kubernetes_reason(status.reason.as_deref()?, "", &message)
}

fn disruption(status: &PodStatus) -> Option<Signal> {
    let condition = condition(status, "DisruptionTarget").filter(|it| it.status == "True")?;
    let message = bounded(condition.message.as_deref().unwrap_or_default());
    from_kubernetes_reason(condition.reason.as_deref()?, "", &message)
}

/// When somebody asked for its deletion; the time in the object is the one at which the grace ends.
fn asked_to_go(pod: &Pod) -> Option<i64> {
    let meta = pod.meta();
    let ends = meta.deletion_timestamp.as_ref()?.0.as_second();
    Some(ends - meta.deletion_grace_period_seconds.unwrap_or_default())
}

/// When its deletion began, by the cluster's time.
pub(super) fn going_since(pod: &Pod) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(asked_to_go(pod)?, 0)
}

/// A pod that is being deleted cannot be kept. A process that ended before that ended by itself.
fn deleted(pod: &Pod, since: i64, ended: Option<&ContainerStateTerminated>) -> Option<Signal> {
    let finished = ended.and_then(|ended| ended.finished_at.as_ref());
    if finished.is_some_and(|finished| finished.0.as_second() < since) {
        return None;
    }
    Some(Signal::Vanished {
        expected_uid: pod.meta().uid.clone(),
        found_uid: None,
    })
}

/// A plain end is told by its exit code.
fn start_failure(ended: &ContainerStateTerminated) -> Option<Signal> {
    let message = bounded(ended.message.as_deref().unwrap_or_default());
    let signal = from_kubernetes_reason(ended.reason.as_deref()?, "", &message)?;
    (!matches!(signal, Signal::Exited { .. })).then_some(signal)
}

/// The pod has ended and its environment never began: the keeper could not be installed, or the
/// node would not have it.
fn failed_before_start(status: &PodStatus) -> Signal {
    let installers = status.init_container_statuses.iter().flatten();
    let mut failed =
        installers.filter_map(|it| Some((it, it.state.as_ref()?.terminated.as_ref()?)));
    if let Some((step, ended)) = failed.find(|(_, ended)| ended.exit_code != 0) {
        return Signal::SetupFailed {
            step: step.name.clone(),
            exit_code: Some(ended.exit_code),
            tail: bounded(ended.message.as_deref().unwrap_or_default()),
        };
    }
    Signal::Unlisted {
        source: "kubernetes pod".to_owned(),
        reason: status.reason.clone().unwrap_or_default(),
        message: bounded(status.message.as_deref().unwrap_or_default()),
    }
}

fn is_running(status: &PodStatus) -> bool {
    environment(status)
        .and_then(|it| it.state.as_ref())
        .is_some_and(|state| state.running.is_some())
}

/// What a container of the pod waits for, where that is more than its turn.
fn waiting(pod: &Pod, status: &PodStatus) -> Option<Signal> {
    let all = status.init_container_statuses.iter().flatten();
    let mut all = all.chain(status.container_statuses.iter().flatten());
    all.find_map(|it| {
        let waiting = it.state.as_ref().and_then(|state| state.waiting.as_ref())?;
        let message = bounded(waiting.message.as_deref().unwrap_or_default());
        let image = image_of(pod, it);
        let signal = from_kubernetes_reason(waiting.reason.as_deref()?, &image, &message)?;
        Some(of_image(signal, it))
    })
}

/// The image as it was asked for; the status may name another one of the same content.
fn image_of(pod: &Pod, status: &ContainerStatus) -> String {
    let spec = pod.spec.as_ref();
    let all = spec.map(|spec| {
        spec.containers
            .iter()
            .chain(spec.init_containers.iter().flatten())
    });
    let declared = all.and_then(|mut all| all.find(|it| it.name == status.name));
    declared
        .and_then(|it| it.image.clone())
        .unwrap_or_else(|| status.image.clone())
}

/// The keeper's image is the platform's, whatever is wrong with it, and an image that only ever
/// was loaded onto machines is missing where its "source" does not answer.
fn of_image(signal: Signal, status: &ContainerStatus) -> Signal {
    match signal {
        Signal::ImageMissing { image, message } | Signal::ImageDenied { image, message }
            if status.name == KEEPER_CONTAINER =>
        {
            Signal::ImageSourceUnavailable { image, message }
        }
        Signal::ImageSourceUnavailable { image, message }
            if status.name == CONTAINER && image.starts_with(LOADED) =>
        {
            Signal::ImageMissing { image, message }
        }
        other => other,
    }
}

/// What keeps the pod from a node, or the node from preparing it.
fn placement(pod: &Pod, status: &PodStatus, now: Option<DateTime<Utc>>) -> Option<Signal> {
    let scheduled = condition(status, "PodScheduled")?;
    let gates = gates(pod);
    if !gates.is_empty() {
        return Some(Signal::SchedulingGated { gates });
    }
    if scheduled.status == "False" {
        let message = bounded(scheduled.message.as_deref().unwrap_or_default());
        return from_kubernetes_reason(scheduled.reason.as_deref()?, "", &message);
    }
    let prepared = condition(status, "PodReadyToStartContainers");
    let is_prepared = prepared.is_some_and(|it| it.status == "True");
    let since = scheduled
        .last_transition_time
        .as_ref()
        .and_then(chrono_time)?;
    if is_prepared || now? - since < SETUP_TAKES {
        return None;
    }
    let message = prepared
        .and_then(|it| it.message.as_deref())
        .unwrap_or("no network or volumes yet");
    Some(Signal::NodeSetup {
        message: bounded(message),
    })
}

/// Who has to open them is told by their names, which no condition holds.
fn gates(pod: &Pod) -> Vec<String> {
    let spec = pod.spec.as_ref();
    let gates = spec.and_then(|spec| spec.scheduling_gates.as_ref());
    gates
        .into_iter()
        .flatten()
        .map(|gate| gate.name.clone())
        .collect()
}

fn environment(status: &PodStatus) -> Option<&ContainerStatus> {
    let mut all = status.container_statuses.iter().flatten();
    all.find(|it| it.name == CONTAINER)
}

fn condition<'a>(status: &'a PodStatus, kind: &str) -> Option<&'a PodCondition> {
    status
        .conditions
        .iter()
        .flatten()
        .find(|it| it.type_ == kind)
}

pub(super) fn chrono_time(time: &Time) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(time.0.as_second(), 0)
}

/// When the environment's process began and ended, as the node says.
pub(super) fn times(pod: &Pod) -> (Option<&Time>, Option<&Time>) {
    let state = pod.status.as_ref().and_then(environment);
    match state.and_then(|it| it.state.as_ref()) {
        Some(ContainerState {
            running: Some(running),
            ..
        }) => (running.started_at.as_ref(), None),
        Some(ContainerState {
            terminated: Some(ended),
            ..
        }) => (ended.started_at.as_ref(), ended.finished_at.as_ref()),
        _ => (None, None),
    }
}

/// The image that the environment's process runs from, as the node identifies it.
pub(super) fn image_digest(pod: &Pod) -> Option<&str> {
    let image = pod.status.as_ref().and_then(environment)?.image_id.as_str();
    (!image.is_empty()).then_some(image)
}

#[cfg(test)]
pub(super) mod tests;
