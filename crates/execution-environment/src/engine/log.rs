//! The end of a container's log: the keeper's diagnostics. Terminal output never goes there.

use std::time::Duration;

use bollard::errors::Error;
use bollard::query_parameters::LogsOptionsBuilder;
use failure_classification::Signal;
use futures_util::StreamExt;

use super::{EngineRuntime, inspect};
use crate::excerpt::{Ending, bounded};
use crate::{RuntimeError, RuntimeUid};

const OPERATION: &str = "log";
const LIMIT: Duration = Duration::from_secs(5);
/// A thousand lines of diagnostics have less.
const BYTES: usize = 256 * 1024;

pub(super) async fn log(
    runtime: &EngineRuntime,
    uid: &RuntimeUid,
    lines: u32,
) -> Result<String, RuntimeError> {
    inspect::inspect_uid(runtime, OPERATION, uid).await?;
    match tokio::time::timeout(LIMIT, tail(runtime, uid, lines, BYTES)).await {
        Ok((tail, None)) => Ok(tail),
        Ok((_, Some(error))) => Err(unreadable(&error.to_string()).with_source(error)),
        Err(_) => Err(unreadable(&format!("no log within {} s", LIMIT.as_secs()))),
    }
}

fn unreadable(message: &str) -> RuntimeError {
    let signal = Signal::RuntimeUnavailable {
        operation: OPERATION.to_owned(),
        status: None,
        message: bounded(message),
        retry_after_ms: None,
    };
    RuntimeError::new(OPERATION, signal)
}

/// The last bytes of the last lines, and what kept the rest from being read.
pub(super) async fn tail(
    runtime: &EngineRuntime,
    uid: &RuntimeUid,
    lines: u32,
    bytes: usize,
) -> (String, Option<Error>) {
    let options = LogsOptionsBuilder::default()
        .stdout(true)
        .stderr(true)
        .tail(&lines.to_string())
        .build();
    let mut pieces = runtime.docker.logs(uid.as_str(), Some(options));
    let mut tail = Ending::of(bytes);
    while let Some(piece) = pieces.next().await {
        match piece {
            Ok(piece) => tail.push(&piece.into_bytes()),
            Err(error) => return (tail.into_text(), Some(error)),
        }
    }
    (tail.into_text(), None)
}
