//! Uncached reads: what there is, whose it is and how far.

use std::collections::HashMap;

use bollard::models::{
    ContainerInspectResponse, ContainerState, ContainerStateStatusEnum as Status,
};
use bollard::models::{ContainerSummary, ContainerSummaryStateEnum};
use bollard::query_parameters::{InspectContainerOptions, ListContainersOptionsBuilder};
use chrono::DateTime;
use failure_classification::Signal;
use serde_json::Value;
use session_identity::InstallId;

use super::EngineRuntime;
use super::call::{QUICK, SLOW, within};
use crate::excerpt::bounded;
use crate::spec::{INSTALL, MANAGED_BY};
use crate::{
    Listed, Observation, Observed, OwnerLabels, Phase, RuntimeError, RuntimeName, RuntimeUid,
};

/// Reads one container by name or uid; `None` when the engine knows none.
pub(super) async fn inspect(
    runtime: &EngineRuntime,
    operation: &'static str,
    name: &str,
) -> Result<Option<ContainerInspectResponse>, RuntimeError> {
    let call = runtime
        .docker
        .inspect_container(name, None::<InspectContainerOptions>);
    match within(operation, QUICK, call).await {
        Ok(found) => Ok(Some(found)),
        Err(fault) if fault.status() == Some(404) => Ok(None),
        Err(fault) => match fault.salvage(|answer| mend(answer, "/State/Status")) {
            Ok(found) => Ok(Some(found)),
            Err(fault) => Err(fault.into_error(name)),
        },
    }
}

/// Podman has states that Docker's API does not know: `stopped` until it has cleaned up after an
/// exit, `configured` and `initialized` before a start.
fn mend(answer: &mut Value, pointer: &str) {
    if let Some(Value::String(state)) = answer.pointer_mut(pointer) {
        match state.as_str() {
            "stopped" => "exited".clone_into(state),
            "configured" | "initialized" => "created".clone_into(state),
            _ => {}
        }
    }
}

fn mend_each(answer: &mut Value) {
    for one in answer.as_array_mut().into_iter().flatten() {
        mend(one, "/State");
    }
}

/// Reads the container of a uid, which must be there.
pub(super) async fn inspect_uid(
    runtime: &EngineRuntime,
    operation: &'static str,
    uid: &RuntimeUid,
) -> Result<ContainerInspectResponse, RuntimeError> {
    match inspect(runtime, operation, uid.as_str()).await? {
        Some(found) if found.id.as_deref() == Some(uid.as_str()) => Ok(found),
        found => Err(vanished(operation, uid, found.and_then(|found| found.id))),
    }
}

pub(super) fn vanished(
    operation: &'static str,
    expected: &RuntimeUid,
    found: Option<String>,
) -> RuntimeError {
    let signal = Signal::Vanished {
        expected_uid: Some(expected.to_string()),
        found_uid: found,
    };
    RuntimeError::new(operation, signal)
}

pub(super) async fn observe(
    runtime: &EngineRuntime,
    name: &RuntimeName,
) -> Result<Observation, RuntimeError> {
    let Some(found) = inspect(runtime, "observe", name.as_str()).await? else {
        return Ok(Observation::Absent);
    };
    let uid = found.id.clone().unwrap_or_default();
    let Some(labels) = labels(&found) else {
        return Err(conflict("observe", name, Some(uid)));
    };
    let phase = found
        .state
        .as_ref()
        .map_or(Phase::Pending { signal: None }, phase);
    Ok(Observation::Present(Observed {
        uid: RuntimeUid::from_runtime(uid),
        labels,
        phase,
        place: None,
        is_place_lost: false,
        going_since: None,
    }))
}

/// The name is borne by something that is not ours.
pub(super) fn conflict(
    operation: &'static str,
    name: &RuntimeName,
    existing_uid: Option<String>,
) -> RuntimeError {
    let signal = Signal::NameConflict {
        name: name.to_string(),
        existing_uid,
        ours: false,
    };
    RuntimeError::new(operation, signal)
}

pub(super) fn labels(found: &ContainerInspectResponse) -> Option<OwnerLabels> {
    OwnerLabels::from_map(found.config.as_ref()?.labels.as_ref()?)
}

/// Says how far a container is.
pub(super) fn phase(state: &ContainerState) -> Phase {
    match state.status {
        Some(Status::RUNNING | Status::PAUSED) => Phase::Running,
        Some(Status::EXITED | Status::DEAD | Status::REMOVING | Status::STOPPING) => {
            Phase::Stopped {
                exit_code: state.exit_code.and_then(|code| i32::try_from(code).ok()),
                oom_killed: state.oom_killed == Some(true),
                message: state
                    .error
                    .as_deref()
                    .filter(|message| !message.is_empty())
                    .map(bounded),
                signal: None,
            }
        }
        Some(Status::CREATED | Status::RESTARTING | Status::EMPTY) | None => {
            Phase::Pending { signal: None }
        }
    }
}

pub(super) async fn list(
    runtime: &EngineRuntime,
    install_id: InstallId,
) -> Result<Vec<Listed>, RuntimeError> {
    let filters = HashMap::from([(
        "label",
        vec![
            format!("{INSTALL}={install_id}"),
            format!("{}={}", MANAGED_BY.0, MANAGED_BY.1),
        ],
    )]);
    let options = ListContainersOptionsBuilder::default()
        .all(true)
        .filters(&filters)
        .build();
    let found = within("list", SLOW, runtime.docker.list_containers(Some(options)))
        .await
        .or_else(|fault| fault.salvage::<Vec<ContainerSummary>>(mend_each))
        .map_err(|fault| fault.into_error("list"))?;
    Ok(found.into_iter().filter_map(listed).collect())
}

/// What bears our install id but not the rest of our labels is somebody else's mistake: it is
/// left alone.
fn listed(found: ContainerSummary) -> Option<Listed> {
    let labels = OwnerLabels::from_map(&found.labels?)?;
    let name = found.names?.into_iter().next()?;
    Some(Listed {
        name: RuntimeName::from_runtime(name.trim_start_matches('/')),
        uid: RuntimeUid::from_runtime(found.id?),
        labels,
        created_at: found
            .created
            .and_then(|seconds| DateTime::from_timestamp(seconds, 0)),
        phase: summary_phase(found.state),
    })
}

/// A list does not tell exit codes; who needs one observes the environment itself.
fn summary_phase(state: Option<ContainerSummaryStateEnum>) -> Phase {
    use ContainerSummaryStateEnum as State;
    match state {
        Some(State::RUNNING | State::PAUSED) => Phase::Running,
        Some(State::EXITED | State::DEAD | State::REMOVING | State::STOPPING) => Phase::Stopped {
            exit_code: None,
            oom_killed: false,
            message: None,
            signal: None,
        },
        Some(State::CREATED | State::RESTARTING | State::EMPTY) | None => {
            Phase::Pending { signal: None }
        }
    }
}
