//! The namespace of environments, and what is looked at without making anything in it.

use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use k8s_openapi::api::node::v1::RuntimeClass;
use kube::Resource;
use kube::api::GetParams;
use kube::core::Request;
use serde::de::DeserializeOwned;

use super::super::KubernetesRuntime;
use super::super::call::{Fault, QUICK, ask};
use crate::{ExamDefinition, RuntimeFinding};

/// Looks for the namespace. Who may not look at it is told by their rights in it instead.
pub(super) async fn look(runtime: &KubernetesRuntime) -> Option<RuntimeFinding> {
    let name = &runtime.namespace;
    let path = Namespace::url_path(&(), None);
    match get::<Namespace>(runtime, path, name).await {
        Ok(found) if found.metadata.deletion_timestamp.is_some() => Some(RuntimeFinding {
            code: "cluster.namespace",
            message: format!("namespace {name} is being deleted, with every environment in it"),
            mend: "wait until it is gone, then install the chart again".to_owned(),
        }),
        Err(fault) if fault.status() == Some(404) => Some(RuntimeFinding {
            code: "cluster.namespace",
            message: format!("the cluster has no namespace {name}"),
            mend: mend_namespace(),
        }),
        Ok(_) | Err(_) => None,
    }
}

pub(super) fn mend_namespace() -> String {
    "install the chart, which makes it, or name another with --kube-namespace \
     (CARREL_KUBE_NAMESPACE)"
        .to_owned()
}

/// Looks for the service account that every pod needs although it is given no token of it.
pub(super) async fn service_account(runtime: &KubernetesRuntime) -> Vec<RuntimeFinding> {
    let namespace = &runtime.namespace;
    let path = ServiceAccount::url_path(&(), Some(namespace));
    let absent = is_absent::<ServiceAccount>(runtime, path, "default").await;
    let finding = absent.then(|| RuntimeFinding {
        code: "cluster.service_account",
        message: format!(
            "namespace {namespace} has no service account default: no pod is admitted"
        ),
        mend: mend_service_account(namespace),
    });
    finding.into_iter().collect()
}

pub(super) fn mend_service_account(namespace: &str) -> String {
    format!(
        "wait a moment if {namespace} is new; else look why kube-controller-manager makes no \
         service account called default in it"
    )
}

/// Looks for the `RuntimeClass` that an exam asks for.
pub(super) async fn runtime_class(
    runtime: &KubernetesRuntime,
    exam: &ExamDefinition,
) -> Vec<RuntimeFinding> {
    let Some(class) = &exam.runtime_class else {
        return Vec::new();
    };
    let path = RuntimeClass::url_path(&(), None);
    let absent = is_absent::<RuntimeClass>(runtime, path, class).await;
    let finding = absent.then(|| RuntimeFinding {
        code: "cluster.runtime_class",
        message: format!("the cluster has no RuntimeClass {class:?}"),
        mend: mend_runtime_class(exam),
    });
    finding.into_iter().collect()
}

pub(super) fn mend_runtime_class(exam: &ExamDefinition) -> String {
    format!(
        "make the RuntimeClass (`kubectl get runtimeclass` lists what there is), or apply exam {} \
         with another runtime_class",
        exam.name
    )
}

/// What we may not look at is not guessed.
async fn is_absent<K: DeserializeOwned>(
    runtime: &KubernetesRuntime,
    path: String,
    name: &str,
) -> bool {
    let fault = get::<K>(runtime, path, name).await.err();
    fault.is_some_and(|fault| fault.status() == Some(404))
}

async fn get<K: DeserializeOwned>(
    runtime: &KubernetesRuntime,
    path: String,
    name: &str,
) -> Result<K, Fault> {
    let request = Request::new(path).get(name, &GetParams::default());
    ask(runtime, "check", QUICK, request).await
}
