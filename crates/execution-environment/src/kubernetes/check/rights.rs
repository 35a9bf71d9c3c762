//! The rights that a purpose needs, asked one by one.

use futures_util::future::try_join_all;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use kube::Resource;
use kube::api::PostParams;
use kube::core::Request;

use super::super::KubernetesRuntime;
use super::super::call::{QUICK, ask};
use crate::{Purpose, RuntimeError, RuntimeFinding};

/// Verbs on one resource; what follows a slash is a subresource.
type Right = (&'static str, &'static [&'static str]);

const LOOK: [Right; 3] = [
    ("pods", &["get", "list"]),
    ("configmaps", &["get", "list"]),
    ("pods/log", &["get"]),
];
const DESTROY: [Right; 3] = [
    ("pods", &["delete", "watch"]),
    ("configmaps", &["delete"]),
    ("events", &["list"]),
];
const CREATE: [Right; 2] = [("pods", &["create"]), ("configmaps", &["create"])];
const ATTACH: [Right; 1] = [("pods/exec", &["get", "create"])];

fn rights(purpose: Purpose) -> Vec<Right> {
    match purpose {
        Purpose::Read => LOOK.to_vec(),
        Purpose::Destroy => [LOOK, DESTROY].concat(),
        Purpose::Create => [&LOOK[..], &DESTROY, &CREATE].concat(),
        Purpose::Attach => ATTACH.to_vec(),
    }
}

/// Asks for each right. Everybody who is known to a cluster may ask this about themselves.
pub(super) async fn missing(
    runtime: &KubernetesRuntime,
    purpose: Purpose,
) -> Result<Vec<RuntimeFinding>, RuntimeError> {
    let asked = rights(purpose)
        .into_iter()
        .flat_map(|(resource, verbs)| verbs.iter().map(move |verb| (resource, *verb)))
        .map(|(resource, verb)| allowed(runtime, resource, verb));
    let refused: Vec<String> = try_join_all(asked).await?.into_iter().flatten().collect();
    if refused.is_empty() {
        return Ok(Vec::new());
    }
    let namespace = &runtime.namespace;
    Ok(vec![RuntimeFinding {
        code: "cluster.rights",
        message: format!(
            "rights are missing in namespace {namespace}: {}",
            refused.join(", ")
        ),
        mend: format!(
            "bind a Role with them in {namespace} to whom the kubeconfig or the pod's service \
             account names (the chart has one for each process), or name the right namespace with \
             --kube-namespace (CARREL_KUBE_NAMESPACE)"
        ),
    }])
}

/// `None` when allowed, else what is not.
async fn allowed(
    runtime: &KubernetesRuntime,
    resource: &'static str,
    verb: &'static str,
) -> Result<Option<String>, RuntimeError> {
    let (kind, part) = resource.split_once('/').unwrap_or((resource, ""));
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(ResourceAttributes {
                namespace: Some(runtime.namespace.clone()),
                verb: Some(verb.to_owned()),
                resource: Some(kind.to_owned()),
                subresource: Some(part.to_owned()).filter(|part| !part.is_empty()),
                ..ResourceAttributes::default()
            }),
            non_resource_attributes: None,
        },
        ..SelfSubjectAccessReview::default()
    };
    let request = Request::new(SelfSubjectAccessReview::url_path(&(), None));
    let request = serde_json::to_vec(&review)
        .map_err(kube::core::request::Error::SerializeBody)
        .and_then(|body| request.create(&PostParams::default(), body));
    let answer: SelfSubjectAccessReview = ask(runtime, "check", QUICK, request)
        .await
        .map_err(|fault| fault.into_error(resource))?;
    let is_allowed = answer.status.is_some_and(|status| status.allowed);
    Ok((!is_allowed).then(|| format!("{verb} {resource}")))
}
