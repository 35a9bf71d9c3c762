//! Evidence before destruction: status, conditions, the end of the log and recent events.

use std::time::Duration;

use failure_classification::Signal;
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::api::{ListParams, ObjectList};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::call::{QUICK, ask};
use super::{KubernetesRuntime, log, objects, status};
use crate::excerpt::bounded;
use crate::{RuntimeError, RuntimeName, RuntimeUid};

const OPERATION: &str = "snapshot";
/// Evidence must not hold up a destruction.
const LIMIT: Duration = Duration::from_secs(5);
/// Of that, what the log and the events may take: without them there still is the status.
const DETAILS: Duration = Duration::from_secs(3);
const LINES: i64 = 50;
const BYTES: usize = 16 * 1024;
const EVENTS: u32 = 50;

pub(super) async fn snapshot(
    runtime: &KubernetesRuntime,
    name: &RuntimeName,
    uid: &RuntimeUid,
) -> Result<Value, RuntimeError> {
    let taken = tokio::time::timeout(LIMIT, take(runtime, name, uid)).await;
    taken.unwrap_or_else(|_| {
        let signal = Signal::RuntimeUnavailable {
            operation: OPERATION.to_owned(),
            status: None,
            message: format!("no snapshot within {} s", LIMIT.as_secs()),
            retry_after_ms: None,
        };
        Err(RuntimeError::new(OPERATION, signal))
    })
}

async fn take(
    runtime: &KubernetesRuntime,
    name: &RuntimeName,
    uid: &RuntimeUid,
) -> Result<Value, RuntimeError> {
    let pod: Pod = objects::get_uid(runtime, OPERATION, name, uid).await?;
    let (log_tail, events) = tokio::join!(log_tail(runtime, name), events(runtime, uid));
    let (started_at, finished_at) = status::times(&pod);
    Ok(json!({
        "uid": uid,
        "phase": status::phase(&pod, runtime.requests.cluster_time()),
        "node": pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()),
        "started_at": started_at,
        "finished_at": finished_at,
        "image_digest": status::image_digest(&pod),
        "status": pod.status,
        "log_tail": log_tail,
        "events": events,
    }))
}

/// The keeper's diagnostics; terminal output never goes there. A log that cannot be read is part
/// of the evidence, not a failure.
async fn log_tail(runtime: &KubernetesRuntime, name: &RuntimeName) -> String {
    let bounds = log::Bounds {
        lines: LINES,
        bytes: BYTES,
        until: Instant::now() + DETAILS,
    };
    let tail = log::tail(runtime, OPERATION, name, &bounds);
    // The tail tells by itself what it has read until its time is over.
    match tokio::time::timeout(DETAILS + DETAILS / 10, tail).await {
        Ok(Ok(tail)) => tail,
        Ok(Err(fault)) => format!("(log not readable: {})", fault.into_error(name.as_str())),
        Err(_) => "(log not readable in time)".to_owned(),
    }
}

/// What the cluster remarked. Events are lossy and counted unreliably: for people only.
async fn events(runtime: &KubernetesRuntime, uid: &RuntimeUid) -> Value {
    let params = ListParams::default()
        .fields(&format!("involvedObject.uid={uid}"))
        .limit(EVENTS);
    let request = objects::requests::<Event>(runtime).list(&params);
    let found = ask::<ObjectList<Event>>(runtime, OPERATION, QUICK, request);
    match tokio::time::timeout(DETAILS, found).await {
        Ok(Ok(events)) => events.items.iter().map(remark).collect(),
        Ok(Err(fault)) => json!(fault.into_error(uid.as_str()).to_string()),
        Err(_) => json!("not readable in time"),
    }
}

fn remark(event: &Event) -> Value {
    json!({
        "reason": event.reason,
        "message": event.message.as_deref().map(bounded),
        "count": event.count,
        "last": event.last_timestamp,
    })
}
