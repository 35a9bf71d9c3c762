//! Hands over the streams of one `keeper attach`.

use failure_classification::Signal;

use super::call::{QUICK, within};
use super::exec::{Stdin, create, not_begun};
use super::{EngineRuntime, inspect, stream};
use crate::{AttachRequest, AttachStreams, Phase, RuntimeError, RuntimeUid};

const OPERATION: &str = "attach";

pub(super) async fn attach(
    runtime: &EngineRuntime,
    uid: &RuntimeUid,
    request: &AttachRequest,
) -> Result<AttachStreams, RuntimeError> {
    let found = inspect::inspect_uid(runtime, OPERATION, uid).await?;
    if let Some(state) = found
        .state
        .as_ref()
        .filter(|state| inspect::phase(state) != Phase::Running)
    {
        let message = format!("container is {:?}", inspect::phase(state));
        return Err(RuntimeError::new(
            OPERATION,
            Signal::ExecTargetMissing { message },
        ));
    }
    let epoch = request.epoch.to_string();
    let command = vec![carrel_keeper::BINARY_PATH, "attach", "--epoch", &epoch];
    let exec_id = create(runtime, OPERATION, uid, command, Stdin::Open).await?;
    let version = runtime.docker.client_version();
    let opened = stream::open(&runtime.address, &version, &exec_id);
    let opened = within(OPERATION, QUICK, opened).await;
    opened.map_err(|fault| not_begun(OPERATION, uid, fault))
}
