//! Creates, or adopts what an earlier try of the same attempt left.

use std::path::Path;
use std::time::Duration;

use bollard::models::{ContainerInspectResponse, ContainerStateStatusEnum};
use bollard::query_parameters::{CreateContainerOptionsBuilder, StartContainerOptions};
use failure_classification::{Signal, from_pull_message};

use super::call::{Fault, SLOW, within};
use super::{EngineRuntime, body, inspect};
use crate::{Created, EnvironmentSpec, RuntimeError, RuntimeKind, RuntimeUid};

const OPERATION: &str = "create";
/// Together 5 s: fifty creations at once keep an engine busy for about that long.
const LOOKS: u32 = 50;
const PAUSE: Duration = Duration::from_millis(100);

pub(super) async fn create(
    runtime: &EngineRuntime,
    spec: &EnvironmentSpec,
) -> Result<Created, RuntimeError> {
    let unsupported = spec.exam.unsupported_on(RuntimeKind::Engine);
    if !unsupported.is_empty() {
        let message = unsupported
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("; ");
        return Err(RuntimeError::new(
            OPERATION,
            Signal::SpecInvalid { message },
        ));
    }
    let Some(keeper) = runtime.keeper.as_deref() else {
        let message = "no keeper is configured (--keeper-path, CARREL_KEEPER)".to_owned();
        return Err(RuntimeError::new(
            OPERATION,
            Signal::ConfigInvalid { message },
        ));
    };
    let (uid, adopted) = match created_or_adopted(runtime, spec, keeper).await? {
        Found::Created(uid) => (uid, false),
        Found::NeverStarted(uid) => (uid, true),
        Found::Started(uid) => return Ok(answer(spec, uid, true)),
    };
    start(runtime, &uid).await?;
    Ok(answer(spec, uid, adopted))
}

fn answer(spec: &EnvironmentSpec, uid: String, adopted: bool) -> Created {
    Created {
        name: spec.runtime_name(),
        uid: RuntimeUid::from_runtime(uid),
        adopted,
    }
}

enum Found {
    /// Made just now.
    Created(String),
    /// Made by an earlier try that did not live to start it.
    NeverStarted(String),
    /// Runs, or has run: what has stopped is never started again.
    Started(String),
}

/// Podman reserves a name a moment before the container can be read under it, so of two racing
/// creators one may find the name taken and nothing there. It looks again.
async fn created_or_adopted(
    runtime: &EngineRuntime,
    spec: &EnvironmentSpec,
    keeper: &Path,
) -> Result<Found, RuntimeError> {
    let name = spec.runtime_name();
    let mut looks = LOOKS;
    loop {
        let options = CreateContainerOptionsBuilder::default()
            .name(name.as_str())
            .build();
        let wanted = body::container(spec, keeper, &runtime.hardening);
        let fault = match within(
            OPERATION,
            SLOW,
            runtime.docker.create_container(Some(options), wanted),
        )
        .await
        {
            Ok(created) => return Ok(Found::Created(created.id)),
            Err(fault) => fault,
        };
        // An engine may report a taken name by another status than 409, and an answer may be lost:
        // what bears the name decides.
        if matches!(fault.status(), Some(409 | 500) | None)
            && let Some(found) = inspect::inspect(runtime, OPERATION, name.as_str()).await?
        {
            return adopt(spec, &found);
        }
        looks -= 1;
        if looks == 0 || !is_name_taken(&fault) {
            return Err(refused(spec, fault));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

pub(super) fn is_name_taken(fault: &Fault) -> bool {
    fault.status() == Some(409) || fault.message().contains("already in use")
}

fn adopt(spec: &EnvironmentSpec, found: &ContainerInspectResponse) -> Result<Found, RuntimeError> {
    let uid = found.id.clone().unwrap_or_default();
    if inspect::labels(found) != Some(spec.labels()) {
        return Err(inspect::conflict(
            OPERATION,
            &spec.runtime_name(),
            Some(uid),
        ));
    }
    Ok(if was_started(found) {
        Found::Started(uid)
    } else {
        Found::NeverStarted(uid)
    })
}

fn was_started(found: &ContainerInspectResponse) -> bool {
    use ContainerStateStatusEnum as Status;
    let status = found.state.as_ref().and_then(|state| state.status);
    !matches!(status, Some(Status::CREATED | Status::EMPTY) | None)
}

/// An image is never pulled here: it is placed on the machine before exam day, so 404 means it
/// was not. A name that is none Podman refuses with 500 and in words.
pub(super) fn refused(spec: &EnvironmentSpec, fault: Fault) -> RuntimeError {
    let image = spec.exam.image.clone();
    let message = fault.message();
    let told = from_pull_message(&image, &message);
    match (fault.status(), told) {
        (Some(400 | 404 | 500), found @ Signal::ImageNameInvalid { .. })
        | (Some(404), found @ Signal::ImageDenied { .. }) => fault.into_error_with(found),
        (Some(404), _) => fault.into_error_with(Signal::ImageMissing { image, message }),
        _ => fault.into_error(spec.runtime_name().as_str()),
    }
}

/// Starting what runs already is fine: two callers of one attempt may both arrive here.
async fn start(runtime: &EngineRuntime, uid: &str) -> Result<(), RuntimeError> {
    let call = runtime
        .docker
        .start_container(uid, None::<StartContainerOptions>);
    match within(OPERATION, SLOW, call).await {
        Ok(()) => Ok(()),
        Err(fault) if fault.status() == Some(304) => Ok(()),
        Err(fault) => Err(start_failed(uid, fault)),
    }
}

/// Engines report a command that cannot run as 400, 404 or 500 with the OCI runtime's words. A
/// container that is not there any more is told apart by its words too.
pub(super) fn start_failed(uid: &str, fault: Fault) -> RuntimeError {
    let message = fault.message();
    match fault.status() {
        Some(404) if message.to_lowercase().contains("no such container") => {
            let signal = Signal::Vanished {
                expected_uid: Some(uid.to_owned()),
                found_uid: None,
            };
            fault.into_error_with(signal)
        }
        Some(400 | 404 | 500) => fault.into_error_with(Signal::StartFailed { message }),
        _ => fault.into_error(uid),
    }
}
