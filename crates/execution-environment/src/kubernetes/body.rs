//! From a specification to the objects that are asked for.

mod containers;
mod security;
mod volumes;

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use k8s_openapi::api::core::v1::{ConfigMap, Pod, PodDNSConfig, PodSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

use super::{KubernetesHardening, KubernetesRuntime};
use crate::{EnvironmentSpec, Protection};

pub(super) use containers::{KEEPER_CONTAINER, must_not_answer};
pub(super) use volumes::keeper_folder;

/// Which network policy holds for an environment is chosen by its exam.
const EXAM: &str = "carrel.exam";
/// Long enough for the keeper to end its shell. Zero would make a pod vanish from the API while
/// its processes run on.
pub(super) const GRACE_SECONDS: u32 = 1;
/// The backstop lies behind every end the session can have: Kubernetes lets it only shrink later.
const BACKSTOP_AFTER_END: TimeDelta = TimeDelta::minutes(10);
/// Nothing is made so late that it could not even start.
const SHORTEST: i64 = 60;

/// Describes the anchor of one attempt: it owns the pod, so that whatever is left of a lost
/// creation is one thing to find and delete.
pub(super) fn anchor(runtime: &KubernetesRuntime, spec: &EnvironmentSpec) -> ConfigMap {
    ConfigMap {
        metadata: metadata(runtime, spec),
        immutable: Some(true),
        ..ConfigMap::default()
    }
}

/// Describes the pod of one attempt.
pub(super) fn pod(
    runtime: &KubernetesRuntime,
    spec: &EnvironmentSpec,
    keeper_image: &str,
    anchor_uid: &str,
) -> Pod {
    let mut metadata = metadata(runtime, spec);
    metadata.owner_references = Some(vec![owner(spec, anchor_uid)]);
    Pod {
        metadata,
        spec: Some(pod_spec(runtime, spec, keeper_image)),
        status: None,
    }
}

fn metadata(runtime: &KubernetesRuntime, spec: &EnvironmentSpec) -> ObjectMeta {
    let mut labels = spec.labels().to_map();
    labels.insert(EXAM.to_owned(), spec.exam.name.clone());
    ObjectMeta {
        name: Some(spec.runtime_name().to_string()),
        namespace: Some(runtime.namespace.clone()),
        labels: Some(labels),
        annotations: Some(annotations(spec)),
        ..ObjectMeta::default()
    }
}

/// For people who look at the cluster; nothing is decided by them.
fn annotations(spec: &EnvironmentSpec) -> BTreeMap<String, String> {
    let mut annotations = BTreeMap::from([
        ("carrel.session-id".to_owned(), spec.session_id.to_string()),
        (
            "carrel.environment-id".to_owned(),
            spec.environment_id.to_string(),
        ),
        (
            "carrel.user-id".to_owned(),
            spec.user_id.as_str().to_owned(),
        ),
    ]);
    if let Some(deadline) = spec.deadline {
        annotations.insert("carrel.deadline".to_owned(), deadline.to_rfc3339());
    }
    annotations
}

fn owner(spec: &EnvironmentSpec, anchor_uid: &str) -> OwnerReference {
    OwnerReference {
        api_version: "v1".to_owned(),
        kind: "ConfigMap".to_owned(),
        name: spec.runtime_name().to_string(),
        uid: anchor_uid.to_owned(),
        controller: None,
        block_owner_deletion: None,
    }
}

fn pod_spec(runtime: &KubernetesRuntime, spec: &EnvironmentSpec, keeper_image: &str) -> PodSpec {
    let exam = &spec.exam;
    let hardening = &runtime.hardening;
    let no_network = exam.egress.is_empty();
    let mut pod = PodSpec {
        init_containers: Some(vec![containers::keeper(keeper_image, exam)]),
        containers: vec![containers::environment(runtime, exam)],
        volumes: Some(volumes::volumes(exam, hardening)),
        restart_policy: Some(restart_policy(hardening).to_owned()),
        automount_service_account_token: Some(!hardening.has(Protection::NoPlatformToken)),
        enable_service_links: Some(false),
        active_deadline_seconds: backstop(spec.deadline, runtime.requests.cluster_time()),
        termination_grace_period_seconds: Some(GRACE_SECONDS.into()),
        hostname: Some("carrel".to_owned()),
        // Names are of no use without a network, and the cluster's are nobody's business.
        dns_policy: no_network.then(|| "None".to_owned()),
        dns_config: no_network.then(loopback_only),
        runtime_class_name: exam.runtime_class.clone(),
        host_users: exam.user_namespaces.then_some(false),
        host_pid: (!hardening.has(Protection::OwnNamespaces)).then_some(true),
        security_context: Some(security::of_pod(exam, hardening)),
        ..PodSpec::default()
    };
    runtime.placement.apply_to(&mut pod, &spec.avoid);
    pod
}

fn restart_policy(hardening: &KubernetesHardening) -> &'static str {
    if hardening.has(Protection::NoRestart) {
        "Never"
    } else {
        "Always"
    }
}

fn loopback_only() -> PodDNSConfig {
    PodDNSConfig {
        nameservers: Some(vec!["127.0.0.1".to_owned()]),
        ..PodDNSConfig::default()
    }
}

/// The seconds after which the cluster itself ends a pod that everybody forgot.
///
/// By the cluster's clock, which also counts them; the time of no answer yet cannot happen, since
/// the anchor is made before.
fn backstop(deadline: Option<DateTime<Utc>>, now: Option<DateTime<Utc>>) -> Option<i64> {
    let left = deadline? + BACKSTOP_AFTER_END - now?;
    Some(left.num_seconds().max(SHORTEST))
}

#[cfg(test)]
mod tests;
