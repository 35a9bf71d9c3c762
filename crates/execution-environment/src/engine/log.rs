//! The end of a container's log: the keeper's diagnostics. Terminal output never goes there.

use std::time::Duration;

use bollard::container::LogOutput;
use bollard::errors::Error;
use bollard::query_parameters::LogsOptionsBuilder;
use failure_classification::Signal;
use futures_util::StreamExt;
use tokio::time::Instant;

use super::{EngineRuntime, inspect};
use crate::excerpt::{CutOff, bounded, read_ending};
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
    let until = Instant::now() + LIMIT;
    match tail(runtime, uid, lines, BYTES, until).await {
        (tail, None) => Ok(tail),
        (_, Some(CutOff::Broken(error))) => Err(unreadable(&error.to_string()).with_source(error)),
        (tail, Some(CutOff::Slow)) if tail.is_empty() => {
            Err(unreadable(&format!("no log within {} s", LIMIT.as_secs())))
        }
        (tail, Some(cut_off)) => Ok(format!("{tail}\n{cut_off}")),
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
    until: Instant,
) -> (String, Option<CutOff<Error>>) {
    let options = LogsOptionsBuilder::default()
        .stdout(true)
        .stderr(true)
        .tail(&lines.to_string())
        .build();
    let pieces = runtime.docker.logs(uid.as_str(), Some(options));
    let pieces = pieces.map(|piece| piece.map(LogOutput::into_bytes));
    read_ending(pieces, bytes, until).await
}
