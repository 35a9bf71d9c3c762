//! An environment that is asked for and not made: the cluster's own answer to everything that
//! could refuse one.

use failure_classification::Signal;
use session_identity::{ExamSessionId, ExecutionEnvironmentId, InstallId, UserId};

use super::super::{KubernetesRuntime, body, objects};
use super::namespace::{mend_namespace, mend_runtime_class, mend_service_account};
use crate::{
    ClockPolicy, EnvironmentSpec, ExamDefinition, ExamUser, Limits, Recording, RuntimeError,
    RuntimeFinding,
};

const OPERATION: &str = "check";

/// Asks for a small environment of no exam.
pub(super) async fn sample(runtime: &KubernetesRuntime) -> Vec<RuntimeFinding> {
    let mut sample = smallest();
    // An image that the cluster is to run anyway: policies may allow nothing else.
    if let Some(keeper) = &runtime.keeper_image {
        keeper.clone_into(&mut sample.image);
    }
    exam(runtime, &sample).await.unwrap_or_default()
}

/// Asks for an environment of one exam; nothing is made. `None` for who may not create.
pub(super) async fn exam(
    runtime: &KubernetesRuntime,
    exam: &ExamDefinition,
) -> Option<Vec<RuntimeFinding>> {
    let user_id = UserId::parse("check").ok()?;
    let spec = EnvironmentSpec {
        install_id: InstallId::generate(),
        session_id: ExamSessionId::generate(),
        user_id,
        environment_id: ExecutionEnvironmentId::generate(),
        attempt: 1,
        exam: exam.clone(),
        deadline: None,
        avoid: Vec::new(),
    };
    let image = runtime.keeper_image.as_deref().unwrap_or(&exam.image);
    let wanted = body::pod(runtime, &spec, image, &spec.environment_id.to_string());
    let Err(fault) = objects::create(runtime, OPERATION, &wanted, true).await else {
        return Some(Vec::new());
    };
    let error = fault.into_error(&exam.name);
    let said = error.signal.said().unwrap_or_default();
    let may_create = !said.contains("cannot create resource");
    may_create.then(|| finding(runtime, exam, &error).into_iter().collect())
}

/// Some webhooks of clusters judge no trials; that says nothing about environments.
const UNJUDGED: &str = "does not support dry run";

/// What a quota says when it is full; a limit that no environment fits into says otherwise.
const FULL: &str = "exceeded quota";

/// A full quota is no fault of the cluster: places come free.
fn finding(
    runtime: &KubernetesRuntime,
    exam: &ExamDefinition,
    error: &RuntimeError,
) -> Option<RuntimeFinding> {
    let namespace = &runtime.namespace;
    let said = error.signal.said().unwrap_or_default();
    let (code, mend) = match &error.signal {
        Signal::QuotaExceeded { .. } if said.contains(FULL) => return None,
        Signal::QuotaExceeded { .. } => (
            "cluster.limits",
            format!(
                "raise the LimitRange of namespace {namespace}, or apply exam {} with smaller limits",
                exam.name
            ),
        ),
        _ if said.contains(UNJUDGED) => return None,
        _ if said.contains("namespaces \"") => ("cluster.namespace", mend_namespace()),
        _ if said.contains("service account") => {
            ("cluster.service_account", mend_service_account(namespace))
        }
        _ if said.contains("RuntimeClass") => ("cluster.runtime_class", mend_runtime_class(exam)),
        Signal::SpecInvalid { .. } => (
            "cluster.spec",
            format!("correct exam {} as the message says", exam.name),
        ),
        Signal::PolicyDenied { .. } => (
            "cluster.policy",
            format!("exempt namespace {namespace} from the policy that the message names"),
        ),
        _ => ("cluster.unavailable", "ask again later".to_owned()),
    };
    Some(RuntimeFinding {
        code,
        message: format!("the cluster would refuse an environment in {namespace}: {said}"),
        mend,
    })
}

/// Asks for as little as any exam does, of what every cluster has.
fn smallest() -> ExamDefinition {
    ExamDefinition {
        name: "check".to_owned(),
        title: "check".to_owned(),
        image: "check:0".to_owned(),
        shell: vec!["/bin/sh".to_owned()],
        user: ExamUser {
            uid: 1000,
            gid: 1000,
            name: "check".to_owned(),
        },
        workdir: "/home/check".to_owned(),
        limits: Limits {
            cpu_millis: 10,
            memory_mib: 16,
            pids: 16,
            scratch_mib: 1,
        },
        egress: Vec::new(),
        clock: ClockPolicy::FromFirstAttach {
            duration_seconds: 60,
        },
        absolute_cap_seconds: 60,
        startup_budget_seconds: 60,
        no_show_after_seconds: None,
        recording: Recording::Off,
        record_input: false,
        runtime_class: None,
        user_namespaces: false,
    }
}
