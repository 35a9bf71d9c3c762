//! The proof of isolation: the keeper's own line in the pod's log, and the pod as it was admitted.
//!
//! The keeper writes the line before anybody can attach, so nothing of the candidate's can have
//! written it, and nobody needs a right to run something inside.

use std::time::Duration;

use carrel_keeper::IsolationProof;
use failure_classification::Signal;
use k8s_openapi::api::core::v1::Pod;
use tokio::time::Instant;

use super::call::Fault;
use super::{KubernetesRuntime, admitted, log, objects, status};
use crate::{ExamDefinition, IsolationReport, Phase, RuntimeError, RuntimeName, RuntimeUid};

const OPERATION: &str = "verify";
/// The keeper looks at its network for ten seconds at most while something answers.
const LIMIT: Duration = Duration::from_secs(20);
/// The node looks at its containers each second.
const TOLD_WITHIN: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(250);
/// A report has a few kilobytes, and little stands before it.
const MAX_LOG: usize = 1024 * 1024;

pub(super) async fn verify(
    runtime: &KubernetesRuntime,
    name: &RuntimeName,
    uid: &RuntimeUid,
    exam: &ExamDefinition,
) -> Result<IsolationReport, RuntimeError> {
    let pod: Pod = objects::get_uid(runtime, OPERATION, name, uid).await?;
    must_run(runtime, &pod)?;
    let proof = tokio::time::timeout(LIMIT, proof(runtime, name, uid)).await;
    let proof = match proof {
        Ok(proof) => proof?,
        Err(_) => return Err(unproven(&pod, "the keeper wrote no proof in time")),
    };
    let Some(proof) = proof else {
        // The log ended: either the environment has too, or the connection broke.
        let pod = still_running(runtime, name, uid).await?;
        return Err(unproven(&pod, "the log ends without a proof"));
    };
    Ok(IsolationReport {
        inside: proof.report,
        admitted: admitted::admitted(runtime, &pod, exam),
    })
}

/// A log ends with its container, of which the node tells the API server a moment later. What ended
/// is no case of a missing proof: the next look says what became of it.
async fn still_running(
    runtime: &KubernetesRuntime,
    name: &RuntimeName,
    uid: &RuntimeUid,
) -> Result<Pod, RuntimeError> {
    let until = Instant::now() + TOLD_WITHIN;
    loop {
        let pod: Pod = objects::get_uid(runtime, OPERATION, name, uid).await?;
        must_run(runtime, &pod)?;
        if Instant::now() >= until {
            return Ok(pod);
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn must_run(runtime: &KubernetesRuntime, pod: &Pod) -> Result<(), RuntimeError> {
    let phase = status::phase(pod, runtime.requests.cluster_time());
    if phase == Phase::Running {
        return Ok(());
    }
    let message = format!("pod is {phase:?}");
    let signal = Signal::ExecTargetMissing { message };
    Err(RuntimeError::new(OPERATION, signal))
}

/// Reads until the first proof. A pod of another uid that took the name meanwhile writes another
/// instance into its own.
async fn proof(
    runtime: &KubernetesRuntime,
    name: &RuntimeName,
    uid: &RuntimeUid,
) -> Result<Option<IsolationProof>, RuntimeError> {
    let lines = log::follow(runtime, OPERATION, name, MAX_LOG).await;
    let mut lines = lines.map_err(|fault| unread(fault, name, uid))?;
    while let Some(line) = lines.next().await {
        let Some(proof) = IsolationProof::parse(&line) else {
            continue;
        };
        if proof.instance != uid.as_str() {
            return Err(objects::vanished(OPERATION, uid, Some(proof.instance)));
        }
        return Ok(Some(proof));
    }
    Ok(None)
}

/// Why a log could not be read. Only the API server knows that there is no such pod; a node that was
/// just started does not know its pods yet, and one without its container runtime no logs.
fn unread(fault: Fault, name: &RuntimeName, uid: &RuntimeUid) -> RuntimeError {
    match fault.refusal() {
        // Deleted since the look at it.
        Some(refusal) if refusal.is_absence_of("pods") => objects::vanished(OPERATION, uid, None),
        Some(refusal) if [400, 404].contains(&refusal.status) => {
            let message = refusal.message.clone();
            RuntimeError::new(OPERATION, Signal::ExecTargetMissing { message })
        }
        _ => fault.into_error(name.as_str()),
    }
}

fn unproven(pod: &Pod, gap: &str) -> RuntimeError {
    let signal = Signal::IsolationUnproven {
        gaps: vec![gap.to_owned()],
        place: pod.spec.as_ref().and_then(|spec| spec.node_name.clone()),
    };
    RuntimeError::new(OPERATION, signal)
}
