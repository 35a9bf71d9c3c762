//! Creates, or adopts what an earlier try of the same attempt left.

use failure_classification::Signal;
use kube::Resource;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::call::Fault;
use super::objects::Kept;
use super::refusal::Refusal;
use super::{KubernetesRuntime, body, objects};
use crate::{Created, EnvironmentSpec, RuntimeError, RuntimeKind, RuntimeUid};

const OPERATION: &str = "create";

pub(super) async fn create(
    runtime: &KubernetesRuntime,
    spec: &EnvironmentSpec,
) -> Result<Created, RuntimeError> {
    let refused = |signal| RuntimeError::new(OPERATION, signal);
    let unsupported = spec.exam.unsupported_on(RuntimeKind::Kubernetes);
    if !unsupported.is_empty() {
        let faults = unsupported.iter().map(ToString::to_string);
        let message = faults.collect::<Vec<_>>().join("; ");
        return Err(refused(Signal::SpecInvalid { message }));
    }
    let Some(keeper_image) = &runtime.keeper_image else {
        let message = "no keeper is configured (--keeper-image, CARREL_KEEPER_IMAGE)".to_owned();
        return Err(refused(Signal::ConfigInvalid { message }));
    };
    let anchor = created_or_adopted(runtime, spec, &body::anchor(runtime, spec)).await?;
    let wanted = body::pod(runtime, spec, keeper_image, &anchor.uid);
    let pod = created_or_adopted(runtime, spec, &wanted).await?;
    Ok(Created {
        name: spec.runtime_name(),
        uid: RuntimeUid::from_runtime(pod.uid),
        adopted: pod.adopted,
    })
}

struct Made {
    uid: String,
    adopted: bool,
}

/// The name decides: of any number of creators one is told that it created, all others read what
/// is there.
async fn created_or_adopted<K>(
    runtime: &KubernetesRuntime,
    spec: &EnvironmentSpec,
    wanted: &K,
) -> Result<Made, RuntimeError>
where
    K: Kept + Serialize + DeserializeOwned,
{
    let name = spec.runtime_name();
    let fault = match objects::create(runtime, OPERATION, wanted, false).await {
        Ok(created) => {
            return Ok(Made {
                uid: objects::uid(&created),
                adopted: false,
            });
        }
        Err(fault) => fault,
    };
    if !fault.refusal().is_some_and(Refusal::is_name_taken) {
        return Err(fault.into_error(name.as_str()));
    }
    match objects::get::<K>(runtime, OPERATION, name.as_str()).await? {
        Some(found) => adopt(spec, &found, &fault),
        // It has gone between the two answers; the next try creates.
        None => Err(unsettled(name.as_str(), &fault)),
    }
}

fn adopt<K: Resource>(
    spec: &EnvironmentSpec,
    found: &K,
    fault: &Fault,
) -> Result<Made, RuntimeError> {
    let (name, uid) = (spec.runtime_name(), objects::uid(found));
    if objects::labels(found) != Some(spec.labels()) {
        return Err(objects::conflict(OPERATION, &name, uid, false));
    }
    if found.meta().deletion_timestamp.is_some() {
        return Err(unsettled(name.as_str(), fault));
    }
    Ok(Made { uid, adopted: true })
}

/// What bears the name is on its way out.
fn unsettled(name: &str, fault: &Fault) -> RuntimeError {
    let signal = Signal::RuntimeUnavailable {
        operation: OPERATION.to_owned(),
        status: fault.status(),
        message: format!("{name} is still being deleted"),
        retry_after_ms: None,
    };
    RuntimeError::new(OPERATION, signal)
}
