//! Uncached looks at one environment.

use k8s_openapi::api::core::v1::Pod;

use super::node_answers::node_answers;
use super::status::NodeHeard;
use super::{KubernetesRuntime, objects, status};
use crate::{Observation, Observed, Phase, RuntimeError, RuntimeName, RuntimeUid};

const OPERATION: &str = "observe";

pub(super) async fn observe(
    runtime: &KubernetesRuntime,
    name: &RuntimeName,
) -> Result<Observation, RuntimeError> {
    // What changes from here on is worth a hint, also if it happens before anybody waits.
    runtime.hints.expect(name);
    let found = objects::get::<Pod>(runtime, OPERATION, name.as_str()).await;
    let observation = match found {
        Ok(found) => read(runtime, name, found).await,
        Err(error) => Err(error),
    };
    let is_pending = matches!(
        &observation,
        Ok(Observation::Present(Observed {
            phase: Phase::Pending { .. },
            ..
        }))
    );
    if !is_pending {
        runtime.hints.forget(name);
    }
    observation
}

async fn read(
    runtime: &KubernetesRuntime,
    name: &RuntimeName,
    found: Option<Pod>,
) -> Result<Observation, RuntimeError> {
    let Some(pod) = found else {
        return Ok(Observation::Absent);
    };
    let uid = objects::uid(&pod);
    let Some(labels) = objects::labels(&pod) else {
        return Err(objects::conflict(OPERATION, name, uid, false));
    };
    Ok(Observation::Present(Observed {
        uid: RuntimeUid::from_runtime(uid),
        labels,
        phase: status::phase(&pod, runtime.requests.cluster_time()),
        is_place_lost: is_place_lost(runtime, name, &pod).await,
        going_since: status::going_since(&pod),
        place: pod.spec.and_then(|spec| spec.node_name),
    }))
}

/// Asks the node itself where its pod cannot tell.
async fn is_place_lost(runtime: &KubernetesRuntime, name: &RuntimeName, pod: &Pod) -> bool {
    match status::node_heard(pod) {
        NodeHeard::Yes => false,
        NodeHeard::No => true,
        NodeHeard::Unknown => !node_answers(runtime, name).await,
    }
}
