//! Hands over the streams of one `keeper attach`.

use bollard::exec::StartExecResults;
use failure_classification::Signal;

use super::exec::{Stdin, start};
use super::streams::KeeperOutput;
use super::{EngineRuntime, inspect};
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
    match start(runtime, OPERATION, uid, command, Stdin::Open).await? {
        (_, StartExecResults::Attached { output, input }) => Ok(AttachStreams {
            reader: Box::new(KeeperOutput::new(output)),
            writer: Box::new(input),
        }),
        (_, StartExecResults::Detached) => {
            let message = "the engine detached the exec".to_owned();
            Err(RuntimeError::new(
                OPERATION,
                Signal::ShellUnavailable {
                    exit_code: None,
                    message,
                },
            ))
        }
    }
}
