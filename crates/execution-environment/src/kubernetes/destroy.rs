//! Destroys exactly one environment and confirms that it is gone; its anchor goes last.

use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::Resource;
use tokio::time::Instant;

use super::objects::{self, Deletion};
use super::{KubernetesRuntime, body};
use crate::{Destroyed, RuntimeError, RuntimeName, RuntimeUid};

const OPERATION: &str = "destroy";
/// A node takes three seconds to end a pod, and more under load. Whoever destroys waits for it,
/// since almost always that is all there is to wait for.
const FIRST_WAIT: Duration = Duration::from_secs(20);
/// What is still there after that may be so for long (its node is lost): nobody waits for it.
const LATER_WAIT: Duration = Duration::from_secs(1);
/// How long a hint is waited for before a look without one.
const LOOK: Duration = Duration::from_secs(2);

pub(super) async fn destroy(
    runtime: &KubernetesRuntime,
    name: &RuntimeName,
    uid: Option<&RuntimeUid>,
) -> Result<Destroyed, RuntimeError> {
    within(runtime, name, uid, body::GRACE_SECONDS).await
}

/// The API server removes the pod at once, unless somebody else's finalizer holds it; its node, which
/// must answer, ends what runs.
pub(super) async fn by_force(
    runtime: &KubernetesRuntime,
    name: &RuntimeName,
    uid: &RuntimeUid,
) -> Result<Destroyed, RuntimeError> {
    within(runtime, name, Some(uid), 0).await
}

async fn within(
    runtime: &KubernetesRuntime,
    name: &RuntimeName,
    uid: Option<&RuntimeUid>,
    grace: u32,
) -> Result<Destroyed, RuntimeError> {
    let Some(pod) = objects::get::<Pod>(runtime, OPERATION, name.as_str()).await? else {
        return anchor_alone(runtime, name, uid).await;
    };
    let found = objects::uid(&pod);
    if uid.is_none() && objects::labels(&pod).is_none() {
        // Somebody else's, because of which ours was never made; only its anchor was.
        return anchor_alone(runtime, name, uid).await;
    }
    check(&pod, name, uid, &found)?;
    let wait = if pod.meta().deletion_timestamp.is_some() {
        LATER_WAIT
    } else {
        FIRST_WAIT
    };
    let destroyed = end(runtime, name, &found, grace, wait).await?;
    if destroyed == Destroyed::Gone
        && let Some(anchor) = anchor_of(&pod)
    {
        // Another environment under the name would have made this anchor its own, by this uid.
        objects::delete::<ConfigMap>(runtime, OPERATION, name.as_str(), anchor, None).await?;
    }
    Ok(destroyed)
}

/// Only what bears labels of ours that fit its name, and of that only the uid that was meant.
fn check<K: Resource>(
    object: &K,
    name: &RuntimeName,
    uid: Option<&RuntimeUid>,
    found: &str,
) -> Result<(), RuntimeError> {
    let ours = objects::labels(object).is_some_and(|labels| labels.runtime_name() == *name);
    if ours && uid.is_none_or(|uid| uid.as_str() == found) {
        return Ok(());
    }
    Err(objects::conflict(OPERATION, name, found.to_owned(), ours))
}

/// Deletes a pod by its uid and looks until nothing of that uid is there.
async fn end(
    runtime: &KubernetesRuntime,
    name: &RuntimeName,
    uid: &str,
    grace: u32,
    wait: Duration,
) -> Result<Destroyed, RuntimeError> {
    runtime.hints.expect(name);
    let destroyed = end_expected(runtime, name, uid, grace, wait).await;
    runtime.hints.forget(name);
    destroyed
}

async fn end_expected(
    runtime: &KubernetesRuntime,
    name: &RuntimeName,
    uid: &str,
    grace: u32,
    wait: Duration,
) -> Result<Destroyed, RuntimeError> {
    let deletion =
        objects::delete::<Pod>(runtime, OPERATION, name.as_str(), uid, Some(grace)).await?;
    if deletion != Deletion::Taken {
        return Ok(Destroyed::Gone);
    }
    let until = Instant::now() + wait;
    let mut destroyed = Destroyed::StillThere;
    while destroyed == Destroyed::StillThere && Instant::now() < until {
        let left = until - Instant::now();
        let pods = runtime.pods();
        runtime.hints.deleted(pods, name, left.min(LOOK)).await;
        let found = objects::get::<Pod>(runtime, OPERATION, name.as_str()).await?;
        if found.is_none_or(|found| objects::uid(&found) != uid) {
            destroyed = Destroyed::Gone;
        }
    }
    Ok(destroyed)
}

fn anchor_of(pod: &Pod) -> Option<&str> {
    let owners = pod.meta().owner_references.iter().flatten();
    let mut anchors = owners.filter(|owner| owner.kind == "ConfigMap");
    anchors.next().map(|anchor| anchor.uid.as_str())
}

/// A creation that was cut off left its anchor, or somebody deleted the pod and not the anchor.
///
/// The uid that is meant is the pod's, which is not there any more, or the anchor's, as listed.
async fn anchor_alone(
    runtime: &KubernetesRuntime,
    name: &RuntimeName,
    uid: Option<&RuntimeUid>,
) -> Result<Destroyed, RuntimeError> {
    let Some(anchor) = objects::get::<ConfigMap>(runtime, OPERATION, name.as_str()).await? else {
        return Ok(Destroyed::Gone);
    };
    let found = objects::uid(&anchor);
    match check(&anchor, name, None, &found) {
        Ok(()) => {
            objects::delete::<ConfigMap>(runtime, OPERATION, name.as_str(), &found, None).await?;
            Ok(Destroyed::Gone)
        }
        // No pod of that uid is there, and what is there is nobody's to delete.
        Err(_) if uid.is_some() => Ok(Destroyed::Gone),
        Err(foreign) => Err(foreign),
    }
}
