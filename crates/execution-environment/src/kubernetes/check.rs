//! Whether a cluster can be used: one finding for each thing that is wrong, with what mends it.

mod namespace;
mod rights;
mod trial;

use failure_classification::Signal;

use super::KubernetesRuntime;
use crate::{ExamDefinition, Purpose, RuntimeError, RuntimeFinding};

/// How the client tells that whoever answers cannot prove who they are.
const UNTRUSTED: &str = "invalid peer certificate";

/// Asks for everything that a purpose needs, from the outside in and no further than answers can be
/// trusted: who is not let in learns nothing about rights, and without the namespace everything in
/// it would seem to be missing.
pub(super) async fn check(runtime: &KubernetesRuntime, purpose: Purpose) -> Vec<RuntimeFinding> {
    let missing = match rights::missing(runtime, purpose).await {
        Ok(missing) => missing,
        Err(error) => return vec![unasked(runtime, &error)],
    };
    if let Some(finding) = namespace::look(runtime).await {
        return vec![finding];
    }
    if !missing.is_empty() {
        return missing;
    }
    match purpose {
        Purpose::Create => trial::sample(runtime).await,
        Purpose::Read => namespace::service_account(runtime).await,
        Purpose::Attach | Purpose::Destroy => Vec::new(),
    }
}

/// Asks whether the cluster would take the environments of one exam. Who may not create is told
/// what can be seen without it.
pub(super) async fn check_exam(
    runtime: &KubernetesRuntime,
    exam: &ExamDefinition,
) -> Vec<RuntimeFinding> {
    match trial::exam(runtime, exam).await {
        Some(findings) => findings,
        None => namespace::runtime_class(runtime, exam).await,
    }
}

fn unasked(runtime: &KubernetesRuntime, error: &RuntimeError) -> RuntimeFinding {
    let server = &runtime.config.cluster_url;
    let (code, what, mend) = match &error.signal {
        // Who is nobody may not even ask about themselves.
        Signal::RuntimeUnauthorized { .. } | Signal::PolicyDenied { .. } => (
            "cluster.unauthorized",
            "refuses our credentials",
            "renew the token or certificate in the kubeconfig (--kubeconfig, KUBECONFIG), or the \
             pod's service account; `kubectl auth whoami` shows whether it is taken",
        ),
        Signal::RuntimeUnavailable { message, .. } if message.contains(UNTRUSTED) => (
            "cluster.untrusted",
            "is not the one whose authority the kubeconfig names",
            "take the certificate-authority of this cluster, or the address of the one that is \
             meant",
        ),
        Signal::RuntimeUnavailable {
            status: Some(_), ..
        } => (
            "cluster.unavailable",
            "answers that it cannot serve us",
            "wait for it to recover; `kubectl get --raw /readyz?verbose` says what it lacks",
        ),
        _ => (
            "cluster.unreachable",
            "does not answer",
            "start it, or name another with --kubeconfig (KUBECONFIG) and --kube-context \
             (CARREL_KUBE_CONTEXT); `kubectl get --raw /readyz` must answer ok",
        ),
    };
    let said = said(&error.signal);
    RuntimeFinding {
        code,
        message: format!("the cluster at {server} {what}: {said}"),
        mend: mend.to_owned(),
    }
}

/// The words of the cluster or the client, without what we asked.
fn said(signal: &Signal) -> String {
    match signal {
        Signal::RuntimeUnauthorized { message, .. }
        | Signal::RuntimeUnavailable { message, .. } => message.clone(),
        other => other.said().unwrap_or_default(),
    }
}
