//! Destroys exactly one container and confirms that it is gone.

use bollard::models::ContainerInspectResponse;
use bollard::query_parameters::{KillContainerOptionsBuilder, RemoveContainerOptionsBuilder};
use failure_classification::Signal;

use super::call::{QUICK, SLOW, within};
use super::{EngineRuntime, inspect};
use crate::{Destroyed, RuntimeError, RuntimeName, RuntimeUid};

const OPERATION: &str = "destroy";

pub(super) async fn destroy(
    runtime: &EngineRuntime,
    name: &RuntimeName,
    uid: Option<&RuntimeUid>,
) -> Result<Destroyed, RuntimeError> {
    let Some(found) = inspect::inspect(runtime, OPERATION, name.as_str()).await? else {
        return Ok(Destroyed::Gone);
    };
    let found_uid = found.id.clone().unwrap_or_default();
    if !may_destroy(&found, name, uid) {
        let ours = inspect::labels(&found).is_some();
        let signal = Signal::NameConflict {
            name: name.to_string(),
            existing_uid: Some(found_uid),
            ours,
        };
        return Err(RuntimeError::new(OPERATION, signal));
    }
    // From here on by uid: whatever takes the name meanwhile is not touched.
    kill_and_remove(runtime, &found_uid).await?;
    match inspect::inspect(runtime, OPERATION, &found_uid).await? {
        None => Ok(Destroyed::Gone),
        Some(_) => Ok(Destroyed::StillThere),
    }
}

/// Only what bears labels of ours that fit its name, and of that only the uid that was meant.
fn may_destroy(
    found: &ContainerInspectResponse,
    name: &RuntimeName,
    uid: Option<&RuntimeUid>,
) -> bool {
    let labels_fit = inspect::labels(found).is_some_and(|labels| labels.runtime_name() == *name);
    let is_meant = uid.is_none_or(|uid| found.id.as_deref() == Some(uid.as_str()));
    labels_fit && is_meant
}

/// Killed first: a forced removal would ask politely and wait on some engines.
async fn kill_and_remove(runtime: &EngineRuntime, uid: &str) -> Result<(), RuntimeError> {
    let kill = KillContainerOptionsBuilder::default()
        .signal("SIGKILL")
        .build();
    if let Err(fault) = within(
        OPERATION,
        QUICK,
        runtime.docker.kill_container(uid, Some(kill)),
    )
    .await
    {
        // What does not run cannot be killed; the removal decides.
        tracing::debug!(
            environment.uid = uid,
            status = fault.status(),
            "nothing to kill"
        );
    }
    let remove = RemoveContainerOptionsBuilder::default()
        .force(true)
        .v(true)
        .build();
    match within(
        OPERATION,
        SLOW,
        runtime.docker.remove_container(uid, Some(remove)),
    )
    .await
    {
        Ok(()) => Ok(()),
        // 404: somebody else removed it. 409: somebody else is removing it; the read afterwards decides.
        Err(fault) if matches!(fault.status(), Some(404 | 409)) => Ok(()),
        Err(fault) => Err(fault.into_error(uid)),
    }
}
