//! The pods of sessions, asked of the API server by what a script would do.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use kube::api::{DeleteParams, ListParams, WatchEvent, WatchParams};
use serde_json::{Value, json};
use system_tests::kubernetes::TestCluster;
use system_tests::wait::{in_time, until};

use crate::figures::Figures;

/// Pods that a cluster of two processors starts or ends one after the other.
const PATIENCE: Duration = Duration::from_mins(5);
const LABEL: &str = "carrel-load";
/// Above what it takes, below what an API server allows.
const WATCH_SECONDS: u32 = 290;

/// How much of a session's pod is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// All of it: the keeper's installation, its volumes, its proof.
    Same,
    /// Image, limits and restrictions; one container that sleeps.
    Plain,
}

/// Makes pods after one session's; returns when each was Ready, since the beginning. All are gone
/// when it returns.
pub(crate) async fn measure(
    cluster: &TestCluster,
    of_session: &Pod,
    shape: Shape,
    count: usize,
    at_once: usize,
) -> Figures {
    let spec = spec(of_session, shape);
    let begun = Instant::now();
    let made = stream::iter((0..count).map(|number| {
        let spec = &spec;
        async move { cluster.make_pod(pod(number, spec)).await }
    }));
    let made = made.buffer_unordered(at_once).count();
    let ready = times_to_ready(cluster, count, begun);
    let (times, _) = in_time("pods by hand", PATIENCE, async {
        tokio::join!(ready, made)
    })
    .await;
    remove_all(cluster).await;
    Figures::of(times)
}

async fn times_to_ready(cluster: &TestCluster, count: usize, begun: Instant) -> Vec<Duration> {
    let params = WatchParams::default().labels(LABEL).timeout(WATCH_SECONDS);
    let pods = cluster.pods();
    let events = pods.watch(&params, "0").await;
    let mut events = events.expect("the cluster is watched").boxed();
    let (mut ready, mut times) = (HashSet::new(), Vec::new());
    while times.len() < count {
        let event = events.next().await.expect("the watch lasts");
        if let WatchEvent::Added(pod) | WatchEvent::Modified(pod) =
            event.expect("the watch is whole")
            && is_ready(&pod)
            && ready.insert(pod.name_any())
        {
            times.push(begun.elapsed());
        }
    }
    times
}

fn is_ready(pod: &Pod) -> bool {
    let status = pod.status.as_ref();
    let conditions = status.and_then(|status| status.conditions.as_ref());
    conditions.is_some_and(|conditions| {
        let mut ready = conditions.iter().filter(|one| one.type_ == "Ready");
        ready.any(|one| one.status == "True")
    })
}

async fn remove_all(cluster: &TestCluster) {
    let (pods, ours) = (cluster.pods(), ListParams::default().labels(LABEL));
    let deleted = pods
        .delete_collection(&DeleteParams::default(), &ours)
        .await;
    deleted.expect("the pods can be deleted");
    until("the pods made by hand are gone", PATIENCE, async || {
        let left = pods.list(&ours).await.ok()?;
        left.items.is_empty().then_some(())
    })
    .await;
}

/// What the worker asked for, as the cluster has it, without what the cluster chose.
fn spec(of_session: &Pod, shape: Shape) -> Value {
    let mut spec = serde_json::to_value(&of_session.spec).expect("a pod is data");
    remove(&mut spec, &["nodeName"]);
    if shape == Shape::Plain {
        remove(&mut spec, &["initContainers", "volumes"]);
        let container = &mut spec["containers"][0];
        let of_the_keeper = ["args", "volumeMounts", "terminationMessagePath"];
        remove(container, &of_the_keeper);
        container["command"] = json!(["/bin/sleep", "3600"]);
    }
    spec
}

fn remove(from: &mut Value, fields: &[&str]) {
    let object = from.as_object_mut().expect("it is an object");
    for field in fields {
        object.remove(*field);
    }
}

/// No label of Carrel's: its worker would take it for a session's that was forgotten.
fn pod(number: usize, spec: &Value) -> Value {
    json!({
        "metadata": { "name": format!("by-hand-{number}"), "labels": { LABEL: "by-hand" } },
        "spec": spec,
    })
}
