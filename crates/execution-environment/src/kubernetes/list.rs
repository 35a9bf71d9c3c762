//! Everything that bears the labels of one install, page by page.

use std::collections::HashSet;

use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::Resource;
use kube::api::{ListParams, ObjectList, PartialObjectMeta};
use serde::de::DeserializeOwned;
use session_identity::InstallId;

use super::call::{Built, Fault, SLOW, ask};
use super::objects;
use super::{KubernetesRuntime, status};
use crate::spec::{INSTALL, MANAGED_BY};
use crate::{Listed, Phase, RuntimeError, RuntimeName, RuntimeUid};

const OPERATION: &str = "list";
/// What the API server's own clients ask for at once.
const PAGE: u32 = 500;
/// A list so long that its beginning is forgotten before its end is read is begun anew.
const TRIES: u32 = 3;

pub(super) async fn list(
    runtime: &KubernetesRuntime,
    install_id: InstallId,
) -> Result<Vec<Listed>, RuntimeError> {
    // The anchors first: one whose pod is not in the later list has none, or none any more.
    let anchors: Vec<PartialObjectMeta<ConfigMap>> = whole(runtime, install_id, |params| {
        objects::requests::<ConfigMap>(runtime).list_metadata(params)
    })
    .await?;
    let pods: Vec<Pod> = whole(runtime, install_id, |params| {
        objects::requests::<Pod>(runtime).list(params)
    })
    .await?;
    let now = runtime.requests.cluster_time();
    let mut listed: Vec<Listed> = pods
        .iter()
        .filter_map(|pod| listed(pod, status::phase(pod, now)))
        .collect();
    let with_pod: HashSet<_> = listed.iter().map(|one| one.name.clone()).collect();
    let alone = anchors
        .iter()
        .filter_map(|anchor| self::listed(anchor, Phase::Pending { signal: None }))
        .filter(|anchor| !with_pod.contains(&anchor.name));
    listed.extend(alone);
    Ok(listed)
}

async fn whole<K: Clone + DeserializeOwned>(
    runtime: &KubernetesRuntime,
    install_id: InstallId,
    request: impl Fn(&ListParams) -> Built,
) -> Result<Vec<K>, RuntimeError> {
    let mut tries = TRIES;
    loop {
        tries -= 1;
        match pages(runtime, install_id, &request).await {
            Err(fault) if fault.status() == Some(410) && tries > 0 => {}
            answer => return answer.map_err(|fault| fault.into_error(OPERATION)),
        }
    }
}

async fn pages<K: Clone + DeserializeOwned>(
    runtime: &KubernetesRuntime,
    install_id: InstallId,
    request: &impl Fn(&ListParams) -> Built,
) -> Result<Vec<K>, Fault> {
    let (key, value) = MANAGED_BY;
    let mut params = ListParams::default()
        .labels(&format!("{INSTALL}={install_id},{key}={value}"))
        .limit(PAGE);
    let mut items = Vec::new();
    loop {
        let page: ObjectList<K> = ask(runtime, OPERATION, SLOW, request(&params)).await?;
        items.extend(page.items);
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => return Ok(items),
        }
    }
}

/// What bears our install id but not the rest of our labels is somebody else's mistake: it is
/// left alone.
fn listed<K: Resource>(object: &K, phase: Phase) -> Option<Listed> {
    let meta = object.meta();
    Some(Listed {
        name: RuntimeName::from_runtime(meta.name.clone()?),
        uid: RuntimeUid::from_runtime(meta.uid.clone()?),
        labels: objects::labels(object)?,
        created_at: meta
            .creation_timestamp
            .as_ref()
            .and_then(status::chrono_time),
        phase,
    })
}
