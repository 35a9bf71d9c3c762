//! Uncached reads and writes of one object.
//!
//! No read names a resource version: then the API server asks its store, never a cache.

use std::collections::HashMap;

use failure_classification::Signal;
use k8s_openapi::NamespaceResourceScope;
use kube::Resource;
use kube::api::{DeleteParams, GetParams, PostParams, Preconditions};
use kube::core::Request;
use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::KubernetesRuntime;
use super::call::{Fault, QUICK, ask};
use super::refusal::Refusal;
use crate::{OwnerLabels, RuntimeError, RuntimeName, RuntimeUid};

/// What lies in the namespace of environments.
pub(super) trait Kept: Resource<DynamicType = (), Scope = NamespaceResourceScope> {}

impl<K: Resource<DynamicType = (), Scope = NamespaceResourceScope>> Kept for K {}

/// Requests for one kind of object in the runtime's namespace.
pub(super) fn requests<K: Kept>(runtime: &KubernetesRuntime) -> Request {
    Request::new(K::url_path(&(), Some(&runtime.namespace)))
}

/// Reads one object; `None` when there is none.
pub(super) async fn get<K: Kept + DeserializeOwned>(
    runtime: &KubernetesRuntime,
    operation: &'static str,
    name: &str,
) -> Result<Option<K>, RuntimeError> {
    let request = requests::<K>(runtime).get(name, &GetParams::default());
    match ask(runtime, operation, QUICK, request).await {
        Ok(found) => Ok(Some(found)),
        Err(fault) if fault.status() == Some(404) => Ok(None),
        Err(fault) => Err(fault.into_error(name)),
    }
}

/// Reads the object of a uid, which must be there.
pub(super) async fn get_uid<K: Kept + DeserializeOwned>(
    runtime: &KubernetesRuntime,
    operation: &'static str,
    name: &RuntimeName,
    uid: &RuntimeUid,
) -> Result<K, RuntimeError> {
    let found = get::<K>(runtime, operation, name.as_str()).await?;
    let found_uid = found.as_ref().and_then(|found| found.meta().uid.clone());
    match found {
        Some(found) if found_uid.as_deref() == Some(uid.as_str()) => Ok(found),
        _ => Err(vanished(operation, uid, found_uid)),
    }
}

pub(super) fn vanished(
    operation: &'static str,
    expected: &RuntimeUid,
    found_uid: Option<String>,
) -> RuntimeError {
    let signal = Signal::Vanished {
        expected_uid: Some(expected.to_string()),
        found_uid,
    };
    RuntimeError::new(operation, signal)
}

/// Creates one object, or only asks whether it would be.
pub(super) async fn create<K: Kept + Serialize + DeserializeOwned>(
    runtime: &KubernetesRuntime,
    operation: &'static str,
    wanted: &K,
    dry_run: bool,
) -> Result<K, Fault> {
    let params = PostParams {
        dry_run,
        field_manager: Some("carrel".to_owned()),
    };
    let request = serde_json::to_vec(wanted)
        .map_err(kube::core::request::Error::SerializeBody)
        .and_then(|body| requests::<K>(runtime).create(&params, body));
    ask(runtime, operation, QUICK, request).await
}

/// How a deletion was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deletion {
    /// It is going, or has gone just now.
    Taken,
    /// There was nothing.
    Absent,
    /// Something else bears the name by now; it was not touched.
    OtherUid,
}

/// Deletes exactly one uid. What it owns is deleted by the cluster afterwards.
pub(super) async fn delete<K: Kept>(
    runtime: &KubernetesRuntime,
    operation: &'static str,
    name: &str,
    uid: &str,
    grace_seconds: Option<u32>,
) -> Result<Deletion, RuntimeError> {
    let mut params = DeleteParams::background().preconditions(Preconditions {
        uid: Some(uid.to_owned()),
        resource_version: None,
    });
    params.grace_period_seconds = grace_seconds;
    let request = requests::<K>(runtime).delete(name, &params);
    // The answer is the object or a status; either way it was taken.
    match ask::<IgnoredAny>(runtime, operation, QUICK, request).await {
        Ok(_) => Ok(Deletion::Taken),
        Err(fault) if fault.status() == Some(404) => Ok(Deletion::Absent),
        Err(fault) if fault.refusal().is_some_and(Refusal::is_other_uid) => Ok(Deletion::OtherUid),
        Err(fault) => Err(fault.into_error(name)),
    }
}

/// Whose an object is; `None` when it is not ours.
pub(super) fn labels<K: Resource>(object: &K) -> Option<OwnerLabels> {
    let labels = object.meta().labels.as_ref()?;
    let labels: HashMap<String, String> = labels.clone().into_iter().collect();
    OwnerLabels::from_map(&labels)
}

/// The uid of an object as the server returned it.
pub(super) fn uid<K: Resource>(object: &K) -> String {
    object.meta().uid.clone().unwrap_or_default()
}

/// The name is borne by something else.
pub(super) fn conflict(
    operation: &'static str,
    name: &RuntimeName,
    existing_uid: String,
    ours: bool,
) -> RuntimeError {
    let signal = Signal::NameConflict {
        name: name.to_string(),
        existing_uid: Some(existing_uid),
        ours,
    };
    RuntimeError::new(operation, signal)
}
